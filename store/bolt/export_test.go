package bolt

import (
	"math"

	"chancery/store"
)

// DecodeAll reads each record, unpacks its body and decodes the entry or the document:
// what any check of all bodies does at least.
func (s *Store) DecodeAll() error {
	var room []byte
	for _, v := range s.vols {
		next := v.first
		err := v.viewLog(func(r reading) error {
			return r.scan(&next, math.MaxUint64, func(seq uint64, b []byte) error {
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
