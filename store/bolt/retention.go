package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/store"
)

// maxExpired bounds how many documents one record lets go; the rest waits for the next.
const maxExpired = 100_000

// errAlone: the job must have a commit of its own. The writer does it again so.
var errAlone = errors.New("not in one commit with others")

// expirable finds the documents recorded before a time that none which is kept is made
// of: an entry's bytes are kept once, in the first document that brought them if no
// revision did, and whoever needs them finds them there.
func (t *txn) expirable(before time.Time) ([]uint64, error) {
	var all []uint64
	err := t.b[bDocs].ForEach(func(_, v []byte) error {
		all = append(all, getSeq(v))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	if n := len(all); n > 0 && all[n-1] > t.s.end { // of this very commit, not to be read yet
		t.dirty = true
		return nil, errAlone
	}
	old := map[uint64]bool{}
	for _, seq := range all {
		if len(old) == maxExpired {
			break
		}
		h, f, err := t.s.rawHead(seq)
		switch {
		case err != nil:
			if err := t.s.passing(err); err != nil {
				return nil, err
			}
		case h.time < nanos(before) && f.pack != nil: // without, it is taken down already
			old[seq] = true
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	// From the last one back: what is kept for a later one needs earlier ones itself.
	for _, seq := range slices.Backward(all) {
		if old[seq] {
			continue
		}
		h, f, err := t.s.rawHead(seq)
		if err := t.s.passing(err); err != nil {
			return nil, err
		}
		if err != nil || f.pack == nil { // it cannot be put together in any case
			continue
		}
		num := uint32(0)
		if src := t.source(h.source); src != nil {
			num = src.num
		}
		for _, d := range h.parts {
			p, _ := t.part(num, d)
			delete(old, p.seq)
		}
	}
	out := make([]uint64, 0, len(old))
	for seq := range old {
		out = append(out, seq)
	}
	slices.Sort(out)
	return out, nil
}

// allExpired are all documents that were let go, as the log says.
func (s *Store) allExpired() (seqs []uint64, err error) {
	rr := recordReader{
		at: func(*volume, uint64) error { return nil },
		record: func(r reading, seq uint64, b []byte) error {
			if len(b) < 2 || store.Kind(b[1]) != store.KindExpired {
				return nil
			}
			h, _, err := r.v.parse(seq, b)
			seqs = append(seqs, h.records...)
			return s.passing(err)
		},
		lost: func(*volume, uint64, error) error { return nil },
	}
	err = rr.read(s, 1, s.end)
	return seqs, err
}

// rawHead is the header of a document's record, without the bytes of its body.
func (s *Store) rawHead(seq uint64) (header, framed, error) {
	v, err := s.volume(seq)
	if err != nil {
		return header{}, framed{}, err
	}
	return v.readHead(seq)
}

// applyExpired forgets documents: one that comes again is kept again, and so are the
// entries' bytes that only they had.
func (c *catalogTx) applyExpired(h *header) error {
	if c.aside != nil {
		c.aside.expire(h)
		return c.b[bPending].Put(be64(h.seq), nil)
	}
	gone := make(map[uint64]bool, len(h.records))
	for _, seq := range h.records {
		gone[seq] = true
	}
	var rows [][]byte
	err := c.b[bDocs].ForEach(func(k, v []byte) error {
		if gone[getSeq(v)] {
			rows = append(rows, slices.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range rows {
		if err := c.b[bDocs].Delete(k); err != nil {
			return err
		}
	}
	if err := c.forgetParts(gone); err != nil {
		return err
	}
	return c.b[bPending].Put(be64(h.seq), nil) // content is removed after the commit
}

// encodeRecords is header field 25: each uvarint the distance to the one before.
func encodeRecords(seqs []uint64) []byte {
	var b []byte
	last := uint64(0)
	for _, s := range seqs {
		b = binary.AppendUvarint(b, s-last)
		last = s
	}
	return b
}

func decodeRecords(b []byte) (seqs []uint64, err error) {
	last := uint64(0)
	for len(b) > 0 {
		var n uint64
		if n, b, err = takeUvarint(b); err != nil {
			return nil, fmt.Errorf("records: %w", err)
		}
		last += n
		seqs = append(seqs, last)
	}
	return seqs, nil
}

// without is a batch whose document is not kept, because the operator keeps none.
func (s *Store) without(b *store.Batch) *store.Batch {
	if !s.opts.NoDocuments || b == nil || b.Document == nil || b.Document.Body == nil {
		return b
	}
	cp, doc := *b, *b.Document
	doc.Body = nil
	cp.Document = &doc
	return &cp
}
