package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SourceID names a source: a feed that is polled or was imported. It matches
// [ValidID].
type SourceID string

// TopicID names a topic of the configuration. It matches [ValidID].
type TopicID string

// ValidID reports whether s may name a topic, a feed or a source:
// [a-z0-9][a-z0-9-]*, at most 64 bytes.
func ValidID(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ItemID identifies an item for ever: 48 bits of commit time in milliseconds, 16
// bits of counter, 64 bits of SHA-256(source, native id). It sorts by arrival.
// Its text is 26 letters of Crockford's base 32 in lower case.
type ItemID [16]byte

// NewItemID makes an id: t to the millisecond, n to tell apart and order what came
// in one commit (how many new ones came before it), and the native id's hash. It depends on
// nothing else, so the same document with the same time of record gives the same
// ids again (CONFORMANCE P-74). A time before 1970 counts as 1970.
func NewItemID(t time.Time, n uint16, source SourceID, native string) ItemID {
	var id ItemID
	ms := max(t.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[7] = byte(n>>8), byte(n)
	h := sha256.New()
	h.Write([]byte(source))
	h.Write([]byte{0})
	h.Write([]byte(native))
	copy(id[8:], h.Sum(nil))
	return id
}

// crockford is Crockford's base 32 alphabet, which has no i, l, o or u.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrBadID: a text is not an item's id.
var ErrBadID = errors.New("not an item id")

// ParseItemID reads what String wrote, in either case.
func ParseItemID(s string) (ItemID, error) {
	var id ItemID
	if len(s) != 26 {
		return id, fmt.Errorf("%w: %.40q has %d characters, want 26", ErrBadID, s, len(s))
	}
	b, err := crockford.DecodeString(strings.ToLower(s))
	if err != nil {
		return id, fmt.Errorf("%w: %q", ErrBadID, s)
	}
	copy(id[:], b)
	if id.String() != strings.ToLower(s) {
		return ItemID{}, fmt.Errorf("%w: %q", ErrBadID, s) // stray bits in the last letter
	}
	return id, nil
}

// FirstItemID is the least id whose text begins with prefix, in either case; at
// most 26 letters.
func FirstItemID(prefix string) (ItemID, error) {
	const letters = 26
	if len(prefix) > letters {
		return ItemID{}, fmt.Errorf("%w: %.40q has %d characters, want at most %d", ErrBadID, prefix, len(prefix), letters)
	}
	return ParseItemID(prefix + strings.Repeat("0", letters-len(prefix)))
}

// MinItemPrefix is how many letters of an id name an item at least, where the beginning of
// an id may stand for it: six are about the day on which it came.
const MinItemPrefix = 6

// BeginsWith reports whether the first letters of an id's text, at most 26, are those of
// another's.
func (id ItemID) BeginsWith(other ItemID, letters int) bool {
	bits := min(5*letters, 8*len(id))
	whole := bits / 8
	if [16]byte(id) == [16]byte(other) || bits == 0 {
		return true
	}
	for i := range whole {
		if id[i] != other[i] {
			return false
		}
	}
	return whole == len(id) || id[whole]>>(8-bits%8) == other[whole]>>(8-bits%8)
}

// ItemPrefix reads an id or the beginning of one, of at least MinItemPrefix letters, in
// either case: the least id that begins so.
func ItemPrefix(s string) (first ItemID, letters int, err error) {
	if len(s) < MinItemPrefix {
		return first, 0, fmt.Errorf("%w: %.40q has %d characters, want %d to 26", ErrBadID, s, len(s), MinItemPrefix)
	}
	first, err = FirstItemID(s)
	return first, len(s), err
}

// Before is the id before this one in the order of ids; false if this is the first.
func (id ItemID) Before() (ItemID, bool) {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			return id, true
		}
	}
	return ItemID{}, false
}

// String is the id as users see it.
func (id ItemID) String() string { return crockford.EncodeToString(id[:]) }

// MarshalText is String.
func (id ItemID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseItemID.
func (id *ItemID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseItemID(string(b))
	return err
}

// Compare orders ids as their texts are ordered, by arrival (see [slices.SortFunc]).
func (id ItemID) Compare(other ItemID) int { return bytes.Compare(id[:], other[:]) }

// IsZero reports whether id names nothing.
func (id ItemID) IsZero() bool { return id == ItemID{} }

// Time is when the item was committed, to the millisecond, in UTC.
func (id ItemID) Time() time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// DigestOf hashes b.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// String is "sha256:" and 64 hexadecimal digits.
func (d Digest) String() string { return "sha256:" + hex.EncodeToString(d[:]) }

// IsZero reports whether d is the digest of nothing known.
func (d Digest) IsZero() bool { return d == Digest{} }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	h, ok := strings.CutPrefix(s, "sha256:")
	b, err := hex.DecodeString(h)
	if !ok || err != nil || len(b) != len(d) {
		return d, fmt.Errorf("not a digest: %.80q", s)
	}
	copy(d[:], b)
	return d, nil
}
