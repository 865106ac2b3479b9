package store

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// KeyClass says what kind of identity a [Key] stands for.
type KeyClass uint8

// Classes of identity. The first four hold within a source, the others across.
const (
	KeyGUID    KeyClass = 1 + iota // native id exactly as written
	KeyLink                        // the post's URL, canonical
	KeyContent                     // hash of title, date and content: when there is neither id nor link
	KeyAlias                       // native id with scheme, host and tracking parameters removed
	KeyURL                         // canonical URL, across sources
	KeyText                        // folded text of title and content, across sources
)

var keyNames = []string{"", "guid", "link", "content", "alias", "url", "text"}

func (c KeyClass) String() string {
	if int(c) < len(keyNames) {
		return keyNames[c]
	}
	return ""
}

// Key is one identity of an entry: 16 bytes of SHA-256 over what it stands for.
type Key struct {
	Class KeyClass
	Hash  [16]byte
}

// String is the class, a colon and 32 hexadecimal digits: as a key stands in an export.
func (k Key) String() string { return k.Class.String() + ":" + hex.EncodeToString(k.Hash[:]) }

// ParseKey reads what String wrote.
func ParseKey(s string) (Key, error) {
	var k Key
	name, digits, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(digits)
	class := slices.Index(keyNames, name)
	if err != nil || len(b) != len(k.Hash) || class < 1 {
		return k, fmt.Errorf("not a key: %.60q", s)
	}
	k.Class = KeyClass(class)
	copy(k.Hash[:], b)
	return k, nil
}
