package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"chancery/feed"
)

// Trust is what makes an archive checkable from outside: a Merkle tree over all
// records (RFC 6962 §2.1; docs/archive-format.md says what a leaf is).
type Trust interface {
	// Head gives the tree over the first size records; 0 is all there are. It is how an
	// old signed head is compared with the archive of today.
	Head(ctx context.Context, size int64) (TreeHead, error)
	// Prove gives the proof that a revision (0: the newest) of an item is in the tree.
	// What was taken down can be proved without its content.
	Prove(ctx context.Context, id feed.ItemID, revision int) (Proof, error)
}

// TreeHead is the Merkle tree at one size.
type TreeHead struct {
	Archive [16]byte // which archive it is of
	Size    int64    // records
	Root    [32]byte
}

// ErrBadTreeHead: a text is not a tree head.
var ErrBadTreeHead = errors.New("not a checkpoint of an archive")

const treeHeadPrefix = "chancery archive "

// String is the head as it is signed and served: three lines, the archive, the
// number of records, and the root in base 64. It is the text of a note (C2SP
// signed-note) and a checkpoint (C2SP tlog-checkpoint).
func (h TreeHead) String() string {
	return fmt.Sprintf("%s%x\n%d\n%s\n", treeHeadPrefix, h.Archive, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// ParseTreeHead reads what String wrote; further lines are passed over.
func ParseTreeHead(s string) (h TreeHead, err error) {
	lines := strings.SplitN(s, "\n", 4)
	if len(lines) < 4 || !strings.HasPrefix(lines[0], treeHeadPrefix) {
		return h, ErrBadTreeHead
	}
	var id []byte
	if _, err := fmt.Sscanf(lines[0][len(treeHeadPrefix):], "%x", &id); err != nil || len(id) != len(h.Archive) {
		return h, fmt.Errorf("%w: the archive's id is wrong", ErrBadTreeHead)
	}
	copy(h.Archive[:], id)
	if h.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || h.Size < 0 {
		return h, fmt.Errorf("%w: size %.20q", ErrBadTreeHead, lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(h.Root) {
		return h, fmt.Errorf("%w: root %.60q", ErrBadTreeHead, lines[2])
	}
	copy(h.Root[:], root)
	return h, nil
}

// Proof shows that a record is in a tree. All of it is in the hands of whoever
// checks it; nothing is secret.
type Proof struct {
	Head    TreeHead   `json:"head"`
	Index   int64      `json:"index"`   // of the leaf, from 0
	Leaf    []byte     `json:"leaf"`    // what is hashed: framing, kind, sequence number, header
	Salt    []byte     `json:"salt"`    // empty if the content was taken down
	Content []byte     `json:"content"` // the record's plain body
	Path    [][32]byte `json:"path"`    // hashes from the leaf to the root
}

// ErrProof: a proof does not show what it says.
var ErrProof = errors.New("the proof does not hold")

// Check verifies the proof against its own head (RFC 9162 §2.1.3.2). Whether the
// head is the right one, its signature says.
func (p *Proof) Check() error {
	if len(p.Salt) > 0 {
		d := sha256.Sum256(append(append([]byte{}, p.Salt...), p.Content...))
		if !strings.Contains(string(p.Leaf), string(d[:])) {
			return fmt.Errorf("%w: the content is not the leaf's", ErrProof)
		}
	}
	h := sha256.Sum256(append([]byte{0}, p.Leaf...))
	node := func(l, r [32]byte) [32]byte { return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...)) }
	at, last := p.Index, p.Head.Size-1
	if at < 0 || at > last {
		return fmt.Errorf("%w: leaf %d of %d", ErrProof, at, p.Head.Size)
	}
	for _, s := range p.Path {
		switch {
		case last == 0:
			return fmt.Errorf("%w: the path is too long", ErrProof)
		case at%2 == 1 || at == last:
			h = node(s, h)
			for at%2 == 0 && at > 0 {
				at, last = at/2, last/2
			}
		default:
			h = node(h, s)
		}
		at, last = at/2, last/2
	}
	if last != 0 || h != p.Head.Root {
		return fmt.Errorf("%w: the root is another one", ErrProof)
	}
	return nil
}
