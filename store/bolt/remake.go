package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// remaking is a catalog that is made anew from the log, record by record: to take the
// place of one, or to be compared with it. The rows of asideBuckets are written or
// compared at the end.
type remaking struct {
	s     *Store
	db    *bbolt.DB
	mem   *memory
	aside *aside
	c     *catalogTx // of the transaction under way, if any
	n     int        // records in it
}

// remake begins a catalog in a file that is not there. What is too much for memory goes
// into a file beside it that nobody sees.
func (s *Store) remake(path string) (*remaking, error) {
	db, err := createCatalog(path, s.volumeAt(0).archive) // a volume may be added meanwhile
	if err != nil {
		return nil, err
	}
	db.NoSync, db.NoGrowSync = true, true // until it is whole it is nobody's loss
	return &remaking{s: s, db: db, mem: newMemory(), aside: newAside(filepath.Dir(path))}, nil
}

// close ends the work; the file stays.
func (m *remaking) close() error {
	if m.c != nil {
		_ = m.c.tx.Rollback()
	}
	m.aside.close()
	return m.db.Close()
}

// all applies the log up to a record.
func (m *remaking) all(ctx context.Context, last uint64) error {
	rr := recordReader{
		lost: func(v *volume, seq uint64, err error) error {
			leaf, _ := v.lostLeaf(seq)
			return m.lost(seq, leaf, err)
		},
		record: func(r reading, seq uint64, b []byte) error {
			h, f, err := r.v.parse(seq, b)
			if err != nil {
				return m.lost(seq, tlog.Hash{}, err)
			}
			return m.add(&h, f.head, leafHash(seq, f.kind, f.head), f.pack == nil, func() ([]byte, error) { return r.plain(nil, seq, f) })
		},
		at: func(_ *volume, next uint64) error {
			m.s.opts.Progress("rebuild", int64(next-1), int64(last))
			return ctxErr(ctx)
		},
	}
	if err := rr.read(m.s, 1, last); err != nil {
		return err
	}
	m.s.opts.Progress("rebuild", int64(last), int64(last))
	return nil
}

// add applies the next record. bodiless: it has no body.
func (m *remaking) add(h *header, head []byte, leaf tlog.Hash, bodiless bool, plain func() ([]byte, error)) (err error) {
	defer guard(part("catalog made anew"), &err)()
	if err := m.begin(); err != nil {
		return err
	}
	err = m.c.apply(h, head, plain)
	if errors.Is(err, store.ErrCorrupt) {
		return m.lost(h.seq, leaf, err)
	}
	if err == nil {
		err = m.c.strippedOf(h, bodiless)
	}
	if err == nil {
		err = m.c.growBy(h.seq, leaf, h.time)
	}
	if err != nil {
		return err
	}
	return m.next()
}

// lost passes over a record that cannot be read, or what it builds on. leaf is the zero one
// where nobody knows it.
func (m *remaking) lost(seq uint64, leaf tlog.Hash, why error) (err error) {
	defer guard(part("catalog made anew"), &err)()
	if err := m.begin(); err != nil {
		return err
	}
	if ofVolume(why) {
		m.s.noteDamage(why)
	}
	if err := m.c.passOver(seq, leaf); err != nil {
		return err
	}
	return m.next()
}

// noteUnapplied notes the records that were passed over and can be read: to make the
// catalog anew for them once more would be in vain.
func (m *remaking) noteUnapplied() (err error) {
	defer guard(part("catalog made anew"), &err)()
	return system(m.db.Update(func(tx *bbolt.Tx) error {
		can := m.s.readable(lostIn(tx))
		if len(can) == 0 {
			return nil
		}
		return tx.Bucket(bucketMeta).Put(keyUnapplied, encodeRecords(can))
	}))
}

func (m *remaking) begin() error {
	if m.c != nil {
		return nil
	}
	tx, err := m.db.Begin(true)
	if err != nil {
		return system(err)
	}
	if m.c, err = newCatalogTx(tx, m.mem); err != nil {
		_ = tx.Rollback()
		return err
	}
	m.c.aside = m.aside
	return nil
}

// next commits when there is enough.
func (m *remaking) next() error {
	if m.n++; m.n < recordsAtOnce {
		return nil
	}
	return m.commit()
}

// commit is made once even where there are no records: an empty log has counts, too.
func (m *remaking) commit() (err error) {
	defer guard(part("catalog made anew"), &err)()
	if err := m.begin(); err != nil {
		return err
	}
	c := m.c
	err = c.finish()
	if err == nil {
		err = c.tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("catalog made anew: %w", system(err))
	}
	c.merge()
	m.c, m.n = nil, 0
	return nil
}

// recordsAtOnce is how many records one commit of a remaking takes, rowsAtOnce how many
// rows that were aside.
const (
	recordsAtOnce = 10_000
	rowsAtOnce    = 50_000
)

// finish writes the rows that were aside.
func (m *remaking) finish() error {
	if err := m.commit(); err != nil {
		return err
	}
	for bucket, name := range catalogBuckets {
		if !asideBuckets[bucket] {
			continue
		}
		from, err := m.aside.bucket(bucket)
		if err != nil {
			return err
		}
		err = m.fill(name, func(b *bbolt.Bucket) (bool, error) {
			k, v, err := from.next()
			if k == nil || err != nil {
				return false, err
			}
			return true, b.Put(k, slices.Clone(v))
		})
		if err != nil {
			return err
		}
	}
	seen, err := m.aside.sightings()
	if err != nil {
		return err
	}
	err = m.fill(catalogBuckets[bItems], func(b *bbolt.Bucket) (bool, error) {
		id, at, err := seen.next()
		if id == nil || err != nil {
			return false, err
		}
		v := b.Get(id)
		if v == nil {
			return true, nil // of a record that cannot be read
		}
		if now, err := seenAt(v, at); err != nil || bytes.Equal(v, now) {
			return true, err
		} else {
			return true, b.Put(id, now)
		}
	})
	return err
}

// fill calls one for a bucket until it says that there is no more.
func (m *remaking) fill(bucket []byte, one func(b *bbolt.Bucket) (more bool, err error)) (err error) {
	defer guard(part("catalog made anew"), &err)()
	for more := true; more; {
		err := m.db.Update(func(tx *bbolt.Tx) (err error) {
			b := tx.Bucket(bucket)
			b.FillPercent = 0.9
			for n := 0; n < rowsAtOnce && more && err == nil; n++ {
				more, err = one(b)
			}
			return err
		})
		if err != nil {
			return system(err)
		}
	}
	return nil
}

// compare compares with the catalog that the archive has.
func (m *remaking) compare(c *check) error {
	if err := m.commit(); err != nil {
		return err
	}
	return view(m.db, part("catalog made anew"), func(tx *bbolt.Tx) error {
		for n := range catalogBuckets {
			i := (bParts + n) % bucketCount // parts first: they say when items were seen
			name := catalogBuckets[i]
			var want rows = &bucketRows{b: tx.Bucket(name)}
			var err error
			switch {
			case i == bState || i == bPending: // what only the catalog knows
				continue
			case asideBuckets[i]:
				want, err = m.aside.bucket(i)
			case i == bItems:
				want, err = m.aside.items(want)
			}
			if err != nil {
				return err
			}
			if err := c.compare(string(name), i, &bucketRows{b: c.ct.b[i]}, want); err != nil {
				return err
			}
		}
		if a, b := c.ct.tx.Bucket(bucketMeta).Get(keyCounts), tx.Bucket(bucketMeta).Get(keyCounts); !bytes.Equal(a, b) {
			c.fault("catalog: its counts are not those of the log")
		}
		return nil
	})
}

// bucketRows are those of a bucket.
type bucketRows struct {
	b   *bbolt.Bucket
	cur *bbolt.Cursor
}

func (r *bucketRows) next() (k, v []byte, err error) {
	if r.cur == nil {
		r.cur = r.b.Cursor()
		k, v = r.cur.First()
	} else {
		k, v = r.cur.Next()
	}
	return k, v, nil
}

// compare walks a bucket of the catalog and the same one made anew.
func (c *check) compare(name string, i int, got, want rows) error {
	ak, av, errA := got.next()
	bk, bv, errB := want.next()
	for ak != nil || bk != nil {
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		order := bytes.Compare(ak, bk)
		switch {
		case bk == nil || ak != nil && order < 0:
			if i != bParts { // entries recognized in documents that were not kept
				c.fault("catalog: %s has %x, which is not in the log", name, ak)
			}
			ak, av, errA = got.next()
		case ak == nil || order > 0:
			c.fault("catalog: %s lacks %x", name, bk)
			bk, bv, errB = want.next()
		default:
			if !bytes.Equal(av, bv) && (i != bItems || !onlySeenLater(av, bv)) && (i != bParts || !sameBytes(av, bv)) {
				c.fault("catalog: %s: %x is %x, the log says %x", name, ak, av[:min(len(av), 200)], bv[:min(len(bv), 200)])
			}
			ak, av, errA = got.next()
			bk, bv, errB = want.next()
		}
	}
	return errors.Join(errA, errB)
}

// onlySeenLater reports whether a row differs from the one made of the log only in
// that it was seen after the last document that was kept.
func onlySeenLater(got, want []byte) bool {
	a, errA := decodeRow(got)
	b, errB := decodeRow(want)
	if errA != nil || errB != nil || a.lastSeen < b.lastSeen {
		return false
	}
	a.lastSeen = b.lastSeen
	return bytes.Equal(a.encode(), b.encode())
}

// sameBytes reports whether two rows of parts agree but for the item, which the log
// does not know if the document was not kept.
func sameBytes(got, want []byte) bool {
	return len(got) == 24 && len(want) == 24 && bytes.Equal(got[:8], want[:8]) && slices.Max(want[8:]) == 0
}
