package bolt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
)

// seal is what a volume that will not grow says of itself. The zero value is that of a
// volume that is not sealed.
type seal struct {
	last    uint64      // its last record
	records uint64      // how many there are
	digest  feed.Digest // over their leaf hashes; zero: an earlier program could not read one of them
}

func (s seal) encode() []byte {
	b := putField(nil, 1, be64(s.last))
	b = putField(b, 2, binary.AppendUvarint(nil, s.records))
	if !s.digest.IsZero() {
		b = putField(b, 3, s.digest[:])
	}
	return b
}

func decodeSeal(b []byte) (s seal, err error) {
	err = fields(b, func(tag uint64, v []byte) error {
		switch {
		case tag == 1 && len(v) == 8:
			s.last = getSeq(v)
		case tag == 2:
			s.records = getUint(v)
		case tag == 3 && len(v) == len(s.digest):
			copy(s.digest[:], v)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("its seal: %w", err)
	}
	return s, nil
}

// sealedAs is the seal of a volume, the zero value if it has none.
func (v *volume) sealedAs() seal {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.seal
}

// unfinished reports whether a volume was begun after another that could then not be
// sealed, and grew on: nothing is in it.
func (v *volume) unfinished(before *volume) bool {
	last, err := v.last()
	return err == nil && last == v.first-1 && before.sealedAs().records == 0
}

// leafDigest is the digest over the leaf hashes of a volume's records in the making.
type leafDigest struct {
	of      *volume
	h       hash.Hash
	records uint64
	broken  bool // a record could not be read
}

func (d *leafDigest) add(leaf tlog.Hash) {
	if d.h == nil {
		d.h = sha256.New()
	}
	d.h.Write(leaf[:])
	d.records++
}

func (d *leafDigest) sum() feed.Digest {
	if d.h == nil || d.broken {
		return feed.Digest{}
	}
	return feed.Digest(d.h.Sum(nil))
}

// sealOf is the seal that a volume is to have. The leaf hashes are those of the tree,
// made when the records were written: reading a whole volume for them would keep
// everybody waiting who has something to record, and a record that was damaged since
// then would be sealed as it is now.
func (s *Store) sealOf(v *volume) (end seal, err error) {
	if end.last, err = v.last(); err != nil {
		return end, err
	}
	end.records = end.last - v.first + 1
	var d leafDigest
	err = s.catalog(func(c *catalogTx) error { return c.leaves(v.first, end.last, d.add) })
	end.digest = d.sum()
	return end, err
}

// seal ends a volume and begins the next. When it fails, all is as it was.
func (s *Store) seal(v *volume) error { return s.sealWith(v, v.putSeal) }

// sealWith is seal with what writes the seal into the file.
func (s *Store) sealWith(v *volume, put func(end seal) error) error {
	end, err := s.sealOf(v)
	if err != nil {
		return err
	}
	next, err := createVolume(s.dir, v.number+1, end.last+1, v.archive)
	if err != nil {
		return err
	}
	// After a sync that failed the seal may be there all the same. Then nothing may be
	// written behind it; should it be gone at the next opening, the next volume follows
	// one without a seal, which is sound.
	if err := put(end); err != nil && !v.saysSealed() {
		// What is written to the old one from now on must not be followed by this one.
		return errors.Join(err, next.close(), os.Remove(next.path))
	}
	s.mu.Lock()
	s.vols = append(s.vols, next)
	s.mu.Unlock()
	v.mu.Lock()
	v.seal = end
	v.mu.Unlock()
	v.rewrites++
	v.giveBack()
	s.plain = 0
	s.log.Info("sealed a volume", "volume", v.number, "records", end.records)
	return nil
}

// putSeal writes the seal into the file.
func (v *volume) putSeal(end seal) (err error) {
	defer guard(inVolume(v.path), &err)()
	v.mu.RLock()
	defer v.mu.RUnlock()
	return system(v.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keySealed, end.encode()) }))
}

// saysSealed reports whether there is a seal in the file.
func (v *volume) saysSealed() (is bool) {
	_ = v.view(func(tx *bbolt.Tx) error { // one that cannot be read is written anew
		is = tx.Bucket(bucketMeta).Get(keySealed) != nil
		return nil
	})
	return is
}
