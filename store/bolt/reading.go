package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"chancery/store"
)

// reading is a volume while its log is read. The bytes that it gives are those of the
// file, good until the reading ends.
type reading struct {
	v   *volume
	log *bbolt.Bucket
}

// viewLog runs f while the volume is read. f must not read it in another way: where
// somebody waits to write it anew, that would wait, too, and for ever.
func (v *volume) viewLog(f func(r reading) error) error {
	return v.view(func(tx *bbolt.Tx) error { return f(reading{v, tx.Bucket(bucketLog)}) })
}

// get gives a record's bytes.
func (r reading) get(seq uint64) ([]byte, error) {
	b := r.log.Get(be64(seq))
	if b != nil {
		return b, nil
	}
	if _, lost := r.v.lost[seq]; lost { // v.mu is held
		return nil, r.v.knownLost(seq)
	}
	return nil, damaged(r.v.at(seq), errors.New("it is missing"))
}

// scan calls f for the records up to one, in order from the number in next on, which it
// moves past each that f has seen. It ends early at the first that is missing.
func (r reading) scan(next *uint64, to uint64, f func(seq uint64, b []byte) error) error {
	cur := r.log.Cursor()
	for k, b := cur.Seek(be64(*next)); *next <= to && len(k) == 8 && getSeq(k) == *next; k, b = cur.Next() {
		if err := f(*next, b); err != nil {
			return err
		}
		*next++
	}
	return nil
}

// plain is volume.plain, in the room of dst if it is large enough.
func (r reading) plain(dst []byte, seq uint64, f framed) ([]byte, error) {
	if f.pack == nil {
		return nil, nil
	}
	b, err := unpack(dst, f.pack, r.coders, func(base uint64) ([]byte, error) {
		if base >= seq {
			return nil, fmt.Errorf("body of record %d builds on %d", seq, base)
		}
		b, err := r.get(base)
		if err != nil {
			return nil, err
		}
		bf, err := unframe(base, b)
		if err != nil {
			return nil, damaged(r.v.at(base), err)
		}
		if bf.pack == nil {
			return nil, errGone
		}
		return r.plain(nil, base, bf)
	})
	if err != nil {
		return nil, damaged(r.v.at(seq), err)
	}
	return b, nil
}

func (r reading) coders(n uint64) (*coders, error) {
	if c := r.v.dicts[n]; c != nil { // v.mu is held
		return c, nil
	}
	return nil, fmt.Errorf("dictionary %d is missing", n)
}

// readAtOnce is how many records are read at once. While a volume is read it cannot be
// written anew, as a takedown does.
const readAtOnce = 128

// recordReader is what reads the log from one record to another.
type recordReader struct {
	// at is told which record comes next, from time to time; an error of it ends the reading.
	at func(v *volume, next uint64) error
	// record gets a record's bytes, which are those of the file. It must not read a
	// volume but by what it is given. Its error ends the reading.
	record func(r reading, seq uint64, b []byte) error
	// lost gets a record that cannot be read. record may have had it before.
	lost func(v *volume, seq uint64, err error) error
}

// read gives all records from one to another, in order.
func (rr *recordReader) read(s *Store, next, last uint64) error {
	for next <= last {
		v, err := s.volume(next)
		if err != nil {
			return err
		}
		if err := rr.at(v, next); err != nil {
			return err
		}
		var failed error
		first := next
		err = v.viewLog(func(r reading) error {
			return r.scan(&next, min(last, first+readAtOnce-1), func(seq uint64, b []byte) error {
				failed = rr.record(r, seq, b)
				return failed
			})
		})
		if failed == nil && (err != nil || next == first) {
			// A page is damaged, or the record is missing: it is looked for by itself.
			err = v.viewLog(func(r reading) error {
				b, err := r.get(next)
				if err != nil {
					return err
				}
				failed = rr.record(r, next, b)
				return failed
			})
			if failed == nil && errors.Is(err, store.ErrCorrupt) {
				err = rr.lost(v, next, err)
			}
			next++
		}
		if err := cmp.Or(failed, err); err != nil {
			return err
		}
	}
	return nil
}

// get gives a copy of a record's bytes.
func (v *volume) get(seq uint64) (b []byte, err error) {
	err = v.viewLog(func(r reading) error {
		mapped, err := r.get(seq)
		b = slices.Clone(mapped)
		return err
	})
	return b, err
}

// read gives a record with its header.
func (v *volume) read(seq uint64) (header, framed, error) {
	b, err := v.get(seq)
	if err != nil {
		return header{}, framed{}, err
	}
	return v.parse(seq, b)
}

// parse takes a record's bytes apart. The frame is part of them, the header is not.
func (v *volume) parse(seq uint64, b []byte) (h header, f framed, err error) {
	if f, err = unframe(seq, b); err == nil {
		h, err = decodeHeader(seq, f.kind, f.head)
	}
	if err != nil {
		err = damaged(v.at(seq), err)
	}
	return h, f, err
}

// readHead is read without the bytes of the record's body: its pack, if it has one, is
// there but empty.
func (v *volume) readHead(seq uint64) (h header, f framed, err error) {
	err = v.viewLog(func(r reading) error {
		b, err := r.get(seq)
		if err != nil {
			return err
		}
		if h, f, err = v.parse(seq, b); err != nil {
			return err
		}
		f.head = slices.Clone(f.head) // nothing of the mapping leaves the transaction
		if f.pack != nil {
			f.pack = &packed{}
		}
		return nil
	})
	return h, f, err
}

func (v *volume) where(seq uint64) string { return v.at(seq).String() }

// plain unpacks a record's body; nil without error if it has none or it was taken down.
func (v *volume) plain(seq uint64, f framed) (b []byte, err error) {
	if f.pack == nil {
		return nil, nil
	}
	err = v.viewLog(func(r reading) error {
		b, err = r.plain(nil, seq, f)
		return err
	})
	if errors.Is(err, errGone) { // taken down since the record was read, with what it builds on
		return nil, nil
	}
	return b, err
}
