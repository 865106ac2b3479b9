package store

import "chancery/feed"

// SignedProof is a [Proof] with the signed head that it leads to, as it is printed
// and served: as JSON, bytes in base 64. Whoever has it needs nothing else but the
// key to check it; docs/archive-format.md has a short program that does.
type SignedProof struct {
	Item       feed.ItemID `json:"item"`
	Checkpoint string      `json:"checkpoint"` // signed note: archive, size, root
	Key        string      `json:"key"`        // checks the note's signature
	Index      int64       `json:"index"`      // of the leaf, from 0
	Size       int64       `json:"size"`       // of the tree: records
	Leaf       []byte      `json:"leaf"`
	Salt       []byte      `json:"salt"`    // empty if the content was taken down
	Content    []byte      `json:"content"` // the record's plain body
	Path       [][]byte    `json:"path"`
}

// Sign puts a proof together with the signed text of its head and the key.
func (p *Proof) Sign(id feed.ItemID, checkpoint, key string) *SignedProof {
	out := &SignedProof{
		Item: id, Checkpoint: checkpoint, Key: key, Index: p.Index, Size: p.Head.Size,
		Leaf: p.Leaf, Salt: p.Salt, Content: p.Content, Path: [][]byte{},
	}
	for _, h := range p.Path {
		out.Path = append(out.Path, h[:])
	}
	return out
}
