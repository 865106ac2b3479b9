package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// bucketLost has, in a volume that was written anew because it was damaged, the records
// that could not be read: by number, their leaf hashes, or nothing where nobody knew
// them. So the Merkle tree stays what it was.
var bucketLost = []byte("lost")

// asideMark, behind the name of a volume, is that of the damaged file as it was.
const asideMark = ".damaged"

// rescue writes what can be read of a damaged volume into a new file. Nothing in the
// damaged one is changed.
type rescue struct {
	v          *volume // as bbolt reads it; its db is nil where bbolt cannot
	first, end uint64  // its records
	archive    [16]byte
	closed     bool // it will not grow
	gone       bool // nothing of it is there
	// leaf is the hash of a record in the Merkle tree, as the catalog has it.
	leaf func(seq uint64) (tlog.Hash, bool)

	file   string // that is damaged
	carved *carved
	lost   []uint64
	beyond int // records found behind the end
	digest leafDigest
}

// write makes the new file, synced, without giving it its name.
func (r *rescue) write(to string) (err error) {
	defer guard(part(to), &err)()
	defer func() {
		if r.carved != nil {
			r.carved.close()
		}
	}()
	_ = os.Remove(to)
	db, err := openVolumeDB(to, false)
	if err != nil {
		return err
	}
	db.NoSync = true
	err = r.fill(db)
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		_ = os.Remove(to)
		return part(to).system(err)
	}
	return nil
}

func (r *rescue) fill(db *bbolt.DB) error {
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketLog, bucketDict, bucketLost} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for seq := r.first; seq <= r.end; {
		err := db.Update(func(tx *bbolt.Tx) error {
			log, lost := tx.Bucket(bucketLog), tx.Bucket(bucketLost)
			log.FillPercent, lost.FillPercent = 1, 1
			for n := 0; seq <= r.end && n < 16<<20; seq++ {
				b, leaf, known, err := r.find(seq)
				if err != nil {
					return err
				}
				n += len(b) + 64
				switch {
				case b != nil:
					err = log.Put(be64(seq), b)
				case known:
					err = lost.Put(be64(seq), leaf[:])
				default:
					err = lost.Put(be64(seq), nil)
				}
				if err != nil {
					return err
				}
				if b == nil {
					r.lost = append(r.lost, seq)
				}
				if r.digest.add(leaf); !known {
					r.digest.broken = true
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if r.carved != nil {
		for seq := range r.carved.recs {
			if seq > r.end {
				r.beyond++
			}
		}
	}
	return db.Update(r.describe)
}

// find finds a record: the one that the tree names; or, where nobody knows that, the one
// that bbolt reads, or the only one that there is. known says that leaf is its hash.
func (r *rescue) find(seq uint64) (b []byte, leaf tlog.Hash, known bool, err error) {
	leaf, known = r.leaf(seq)
	var read []byte
	var hash tlog.Hash
	if r.v.db != nil {
		if b, err := r.v.get(seq); err == nil {
			if f, err := unframe(seq, b); err == nil {
				read, hash = b, leafHash(seq, f.kind, f.head)
			}
		}
		if h, lost := r.v.lostLeaf(seq); lost && !known && h != (tlog.Hash{}) {
			leaf, known = h, true
		}
	}
	if read != nil && (!known || hash == leaf) {
		return read, hash, true, nil
	}
	if r.carved == nil {
		if r.carved, err = carve(r.file); err != nil {
			return nil, leaf, known, fmt.Errorf("%s: %w", r.file, err)
		}
	}
	if h := r.carved.kept[seq]; h != nil && !known {
		leaf, known = tlog.Hash(h), true
	}
	all := r.carved.candidates(seq)
	for _, b := range all {
		f, err := unframe(seq, b)
		if err != nil {
			continue
		}
		h := leafHash(seq, f.kind, f.head)
		if known && h == leaf || !known && len(all) == 1 {
			return b, h, true, nil
		}
	}
	// What is in its place, and not what the tree says: verify will name it.
	if read != nil {
		return read, hash, true, nil
	}
	return nil, leaf, known, nil
}

// describe gives the new file its meta and its dictionaries.
func (r *rescue) describe(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	old := r.meta()
	for k, v := range old {
		if k == string(keyFormat) || strings.HasPrefix(k, "dict") || k == string(keySealed) || k == string(keyCompact) || k == string(keyStripped) {
			if err := meta.Put([]byte(k), v); err != nil {
				return err
			}
		}
	}
	if old[string(keyFormat)] == nil {
		if err := meta.Put(keyFormat, binary.AppendUvarint(nil, Format)); err != nil {
			return err
		}
	}
	err := errors.Join(
		meta.Put(keyArchive, r.archive[:]),
		meta.Put(keyNumber, binary.AppendUvarint(nil, uint64(r.v.number))),
		meta.Put(keyFirst, be64(r.first)),
	)
	if err == nil && r.closed && r.end >= r.first && old[string(keySealed)] == nil {
		err = meta.Put(keySealed, seal{last: r.end, records: r.end - r.first + 1, digest: r.digest.sum()}.encode())
	}
	if err != nil {
		return err
	}
	for n, d := range r.dictionaries(old) {
		sum := old[string(dictSum(n))]
		if err := putDict(tx, n, d); err != nil {
			return err
		}
		if sum != nil { // what it was; verify tells if it is not
			if err := meta.Put(dictSum(n), sum); err != nil {
				return err
			}
		}
	}
	return nil
}

// meta is that of the damaged volume, as far as it can be read.
func (r *rescue) meta() map[string][]byte {
	m := map[string][]byte{}
	if r.carved != nil {
		maps.Copy(m, r.carved.meta)
	}
	if r.v.db != nil {
		_ = r.v.view(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).ForEach(func(k, v []byte) error {
				m[string(k)] = bytes.Clone(v)
				return nil
			})
		})
	}
	return m
}

// dictionaries are those of the damaged volume, by number: as they were stored, if there
// is a page or a spare that has them so.
func (r *rescue) dictionaries(meta map[string][]byte) map[uint64][]byte {
	out := map[uint64][]byte{}
	if r.v.db != nil {
		_ = r.v.view(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketDict).ForEach(func(k, d []byte) error {
				out[getUint(k)] = dictOf(tx, getUint(k), d)
				return nil
			})
		})
	}
	for k, sum := range meta {
		number, ok := strings.CutPrefix(k, "dict")
		if !ok {
			continue
		}
		n := getUint([]byte(number))
		if sumOf(out[n]) == string(sum) {
			continue
		}
		if r.carved == nil {
			c, err := carve(r.file)
			if err != nil {
				continue
			}
			r.carved = c
		}
		for _, d := range r.carved.dicts {
			if sumOf(d.bytes) == string(sum) {
				out[n] = d.bytes
				break
			}
		}
	}
	if r.carved != nil { // where nobody knows what it was: bodies have digests of their own
		for _, d := range r.carved.dicts {
			if out[d.number] == nil && meta[string(dictSum(d.number))] == nil {
				out[d.number] = d.bytes
			}
		}
	}
	return out
}

// putAside gives a damaged file its place beside the one that replaces it.
func putAside(path string) (aside string, err error) {
	aside = path + asideMark
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); err != nil {
			break
		}
		aside = fmt.Sprintf("%s%s-%d", path, asideMark, n)
	}
	return aside, system(os.Rename(path, aside))
}

// asideOf are the damaged files that were put aside for a volume, oldest first.
func asideOf(path string) (all []string) {
	for n := 1; ; n++ {
		name := path + asideMark
		if n > 1 {
			name = fmt.Sprintf("%s%s-%d", path, asideMark, n)
		}
		if _, err := os.Lstat(name); err != nil {
			return all
		}
		all = append(all, name)
	}
}

func newestAside(path string) string {
	all := asideOf(path)
	if len(all) == 0 {
		return path + asideMark
	}
	return all[len(all)-1]
}

// loadLost reads which records of a volume are lost.
func loadLost(tx *bbolt.Tx) map[uint64]tlog.Hash {
	b := tx.Bucket(bucketLost)
	if b == nil {
		return nil
	}
	lost := map[uint64]tlog.Hash{}
	_ = b.ForEach(func(k, v []byte) error {
		var h tlog.Hash
		copy(h[:], v)
		lost[getSeq(k)] = h
		return nil
	})
	return lost
}

// lostLeaf reports whether a record is known to be lost, and its leaf hash: the zero one
// if nobody knows it.
func (v *volume) lostLeaf(seq uint64) (tlog.Hash, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	h, ok := v.lost[seq]
	return h, ok
}

// lostCount is how many records of a volume are lost.
func (v *volume) lostCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.lost)
}

// lostError says that records of an archive are lost, or is nil.
func (s *Store) lostError() error {
	n := 0
	var first *volume
	for _, v := range s.vols {
		if c := v.lostCount(); c > 0 {
			n += c
			if first == nil {
				first = v
			}
		}
	}
	if n == 0 {
		return nil
	}
	first.mu.RLock()
	defer first.mu.RUnlock()
	return fmt.Errorf("%w: %s, and %d in all", store.ErrLost, first.where(slices.Min(slices.Collect(maps.Keys(first.lost)))), n)
}

// tellLost has Ping say that records are lost, if any are.
func (s *Store) tellLost() {
	if lost := s.lostError(); lost != nil {
		s.lacks.Store(true)
		if s.refusal == nil { // that says more
			s.damage.Store(&lost)
		}
	}
}

// isLost reports whether a record is known to be lost.
func (s *Store) isLost(seq uint64) bool {
	if !s.lacks.Load() || seq == 0 {
		return false
	}
	for _, v := range slices.Backward(s.vols) {
		if v.first <= seq {
			_, lost := v.lostLeaf(seq)
			return lost
		}
	}
	return false
}

// inTemp is a place of our own for files that are made for reading only.
func (s *Store) inTemp(name string) (string, error) {
	if s.temp == "" {
		dir, err := os.MkdirTemp("", "chancery-")
		if err != nil {
			return "", err
		}
		s.temp = dir
	}
	return filepath.Join(s.temp, name), nil
}
