package bolt

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
	"chancery/store"
)

var _ store.Trust = (*Store)(nil)

// Head implements store.Trust.
func (s *Store) Head(ctx context.Context, size int64) (h store.TreeHead, err error) {
	if err := ctxErr(ctx); err != nil {
		return h, err
	}
	err = s.viewCatalog(func(c *catalogTx) error {
		h, err = s.treeHead(c, size)
		return err
	})
	return h, err
}

func (s *Store) treeHead(c *catalogTx, size int64) (store.TreeHead, error) {
	h := store.TreeHead{Archive: s.vols[0].archive, Size: size}
	if err := c.whole(); err != nil {
		return h, err
	}
	switch {
	case size < 0 || size > int64(c.end):
		return h, fmt.Errorf("the log has %d records, not %d: %w", c.end, size, store.ErrNotFound)
	case size == 0:
		h.Size = int64(c.end)
	}
	root, err := tlog.TreeHash(h.Size, c.hashReader())
	if err != nil {
		return h, damaged(part("catalog: tree"), err)
	}
	h.Root = root
	return h, nil
}

// Prove implements store.Trust.
func (s *Store) Prove(ctx context.Context, id feed.ItemID, revision int) (p store.Proof, err error) {
	if err := ctxErr(ctx); err != nil {
		return p, err
	}
	var seq uint64
	err = s.viewCatalog(func(c *catalogTx) error {
		r, ok, err := c.row(id)
		if err != nil {
			return err
		}
		seqs := []uint64(nil)
		if ok {
			seqs = c.revisions(id, &r)
		}
		if revision == 0 {
			revision = len(seqs)
		}
		if revision < 1 || revision > len(seqs) {
			return fmt.Errorf("item %v, revision %d: %w", id, revision, store.ErrNotFound)
		}
		seq = seqs[revision-1]
		if p.Head, err = s.treeHead(c, 0); err != nil {
			return err
		}
		path, err := tlog.ProveRecord(p.Head.Size, int64(seq-1), c.hashReader())
		if err != nil {
			return damaged(part("catalog: tree"), err)
		}
		for _, h := range path {
			p.Path = append(p.Path, h)
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	v, err := s.volume(seq)
	if err != nil {
		return p, err
	}
	_, f, err := v.read(seq)
	if err != nil {
		return p, err
	}
	p.Index = int64(seq - 1)
	p.Leaf = append(binary.BigEndian.AppendUint64([]byte{framing, byte(f.kind)}, seq), f.head...)
	if f.pack != nil {
		if p.Content, err = v.plain(seq, f); p.Content != nil { // else it was taken down meanwhile
			p.Salt = append([]byte{}, f.pack.salt[:]...)
		}
	}
	return p, err
}
