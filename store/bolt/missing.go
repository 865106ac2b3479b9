package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
)

// A volume that is missing may come back: nothing may be written that could not stand
// beside it (docs/archive-format.md, Damage). In its place is a stand-in, of which all
// records are lost: in the archive where all is known that it must have, else in a
// temporary file, and the archive is only read.

var errMissing = errors.New("the volume is missing")

func missing(path string, number uint32) foundVolume {
	return foundVolume{
		v: &volume{path: path, number: number}, fault: damaged(inVolume(path), errMissing), carved: &carved{}, gone: true,
	}
}

// withoutGone judges the volumes that are gone. Of several in a row one is left, which
// stands for all; those at the end are taken out, as only the catalog may know how far
// they went. An error means that there is nothing to be read.
func (s *Store) withoutGone(all []foundVolume, old *oldCatalog) ([]foundVolume, error) {
	last := len(all) - 1
	for last >= 0 && all[last].gone {
		last--
	}
	if last < 0 {
		return all, all[0].fault
	}
	if last+1 < len(all) {
		s.readOnly(all[last+1].fault, putBack)
	}
	kept := make([]foundVolume, 0, last+1)
	for _, f := range all[:last+1] {
		if n := len(kept); f.gone && n > 0 && kept[n-1].gone {
			kept[n-1].more++
			continue
		}
		kept = append(kept, f)
	}
	vols := make([]*volume, len(kept))
	for i := range kept {
		vols[i] = kept[i].v
	}
	for i, f := range kept {
		switch {
		case !f.gone:
		case f.more > 0:
			s.readOnly(fmt.Errorf("%w, and so are the next %d", f.fault, f.more), putBack)
		case !s.knowsAll(vols, i, old):
			s.readOnly(fmt.Errorf("%w, and no catalog knows what was in it", f.fault), putBack)
		}
	}
	return kept, nil
}

// firstAt is the number of the first record of a volume that does not say it itself.
func firstAt(vols []*volume, i int) (uint64, error) {
	if i == 0 {
		return 1, nil
	}
	last, err := vols[i-1].lastIf()
	return last + 1, err
}

// knowsAll reports whether the catalog knows the leaf hash of every record that was in a
// volume that is gone, and can be used: then an item of it that is still in its feed is not
// a new one.
func (s *Store) knowsAll(vols []*volume, i int, old *oldCatalog) bool {
	first, err := firstAt(vols, i)
	if err != nil || vols[i+1].first == 0 { // the last is not one that is gone
		return false
	}
	last := vols[i+1].first - 1
	if last < first {
		return true
	}
	if _, err := os.Stat(s.catalogPath() + asideMark); err == nil || s.shaken != nil { // it will be made anew
		return false
	}
	return old.db != nil && old.archive == archiveOf(vols, old) && old.end >= last && old.leaves(first, last)
}

// leaves reports whether all leaf hashes of some records are known.
func (o *oldCatalog) leaves(first, last uint64) bool {
	all := true
	err := view(o.db, part("catalog"), func(tx *bbolt.Tx) error {
		b := tx.Bucket(catalogBuckets[bTree])
		for seq := first; seq <= last && all; seq++ {
			_, all = leafIn(b, seq)
		}
		return nil
	})
	return all && err == nil
}

// lackEnd makes the archive one that is only read, because the catalog has seen more than
// there is, and puts a stand-in where that was.
func (s *Store) lackEnd(ctx context.Context, cat *bbolt.DB, last, end uint64) error {
	live := s.vols[len(s.vols)-1]
	path := volumePath(s.dir, live.number+1)
	fault := damaged(inVolume(path), fmt.Errorf("%w: the log ends with record %d, and the catalog has seen %d", errMissing, last, end))
	if live.sealedAs().records == 0 && !exists(path) {
		fault = damaged(inVolume(live.path), fmt.Errorf("it is of an older copy, or the next one is missing: the log ends with record %d, and the catalog has seen %d", last, end))
	}
	s.readOnly(fault, putBack)
	old := oldCatalog{db: cat, end: end}
	r := &rescue{
		v: &volume{path: path, number: live.number + 1}, file: path, first: last + 1, end: end, archive: live.archive,
		closed: true, gone: true, carved: &carved{}, leaf: old.leaf,
	}
	to, err := s.inTemp(filepath.Base(path))
	if err != nil {
		return err
	}
	if err := r.write(to); err != nil {
		return err
	}
	v, err := openVolume(to, true)
	if err != nil {
		return err
	}
	v.path = path
	s.vols = append(s.vols, v)
	s.tellRescued(ctx, r, fault, "")
	return nil
}

// nextIsMissing is an error if another volume must have followed the newest one that is there:
// it is made before one is sealed. What was in it may have been acknowledged before the
// catalog had it on the disk.
func (s *Store) nextIsMissing() error {
	live := s.vols[len(s.vols)-1]
	if live.sealedAs().records == 0 {
		return nil
	}
	return damaged(inVolume(volumePath(s.dir, live.number+1)), fmt.Errorf("%w, and how far the log went is not known", errMissing))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// anyVolume reports whether there is a file of a volume.
func anyVolume(dir string) bool {
	all, _ := filepath.Glob(filepath.Join(dir, "archive", "v*.bolt"))
	return slices.ContainsFunc(all, func(name string) bool { return numberOf(name) > 0 })
}

// readable are those of some records that can be read, with their bodies.
func (s *Store) readable(seqs []uint64) (can []uint64) {
	for _, seq := range seqs {
		v, err := s.volume(seq)
		if err != nil {
			continue
		}
		if _, lost := v.lostLeaf(seq); lost {
			continue
		}
		if _, f, err := v.read(seq); err == nil {
			if _, err := v.plain(seq, f); err == nil {
				can = append(can, seq)
			}
		}
	}
	return can
}
