package bolt

import (
	"context"
	"math"

	"chancery/store"
)

// DecodeAll reads each record, unpacks its body and decodes the entry or the document,
// and keeps nothing: what any check of all bodies does at least, and so the bound that a
// deep verification is measured by.
func (s *Store) DecodeAll(ctx context.Context) error {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return store.ErrClosed
	}
	vols := s.vols
	s.long.Add(1)
	defer s.long.Done()
	s.mu.RUnlock()
	var room []byte
	for _, v := range vols {
		next := v.first
		err := v.viewLog(func(r reading) error {
			return r.scan(&next, math.MaxUint64, func(seq uint64, b []byte) error {
				if err := ctxErr(ctx); err != nil {
					return err
				}
				_, f, err := v.parse(seq, b)
				if err != nil {
					return err
				}
				plain, err := r.plain(room, seq, f)
				if err != nil || plain == nil {
					return err
				}
				room = plain
				switch f.kind {
				case store.KindItem, store.KindRevision, store.KindReparsed:
					_, err = decodeBody(plain)
				case store.KindRaw:
					_, err = decodeRaw(plain)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
