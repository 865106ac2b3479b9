package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"chancery/store"
)

// openVolumes opens all volumes of an archive, in order. One that is not of this archive
// is an error that names it. What can be read of a damaged one is written anew, and a
// damaged newest one is followed by another; for one that is missing see missing.go.
func (s *Store) openVolumes(ctx context.Context) error {
	names, err := s.volumeFiles(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	var all []foundVolume
	for n := uint32(1); n <= numberOf(names[len(names)-1]); n++ {
		path := volumePath(s.dir, n)
		if !slices.Contains(names, path) {
			all = append(all, missing(path, n))
			continue
		}
		f, err := findVolume(path, n)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	if err := s.checkFaults(ctx, all); err != nil {
		return err
	}
	return s.checkOrder(ctx)
}

// foundVolume is a volume as it is found at opening.
type foundVolume struct {
	v      *volume // its db is nil where bbolt cannot read it
	fault  error   // what is wrong with it, or nil
	half   bool    // one of its heads cannot be used
	carved *carved // what lies in it, where bbolt cannot read it
	gone   bool    // it is missing, or nothing of a volume is in it
	more   uint32  // how many after it are gone, too
}

// findVolume opens a volume, or looks for what is left of it.
func findVolume(path string, number uint32) (f foundVolume, err error) {
	f.v, f.fault, f.half, err = openSound(path)
	if err != nil {
		return f, err
	}
	if f.v.db == nil {
		if f.carved, err = carve(path); err != nil {
			return f, fmt.Errorf("%s: %w", path, err)
		}
		if err := f.describe(); err != nil {
			f.carved.close()
			return f, err
		}
	}
	if f.v.number == 0 {
		f.v.number = number
	}
	if f.v.number != number {
		return f, damaged(inVolume(path), fmt.Errorf("says that it is volume %d", f.v.number))
	}
	return f, nil
}

// describe finds out, from the pages that are left, what volume a file is that bbolt
// cannot open.
func (f *foundVolume) describe() (err error) {
	meta := f.carved.meta
	if meta == nil {
		if f.gone = len(f.carved.recs) == 0; f.gone {
			f.carved.close()
			f.carved = &carved{}
		}
		return nil
	}
	if n := getUint(meta[string(keyFormat)]); n > Format {
		return fmt.Errorf("%s: %w: %d, this program knows %d", f.v.path, store.ErrNewer, n, Format)
	}
	f.v.first, f.v.number = f.carved.first(), uint32(getUint(meta[string(keyNumber)]))
	copy(f.v.archive[:], meta[string(keyArchive)])
	f.v.seal, err = decodeSeal(meta[string(keySealed)])
	return err
}

// numberOf is the number in the name of a volume's file, 0 if that is none.
func numberOf(path string) (n uint32) {
	if _, err := fmt.Sscanf(filepath.Base(path), "v%06d.bolt", &n); err != nil || filepath.Base(path) != filepath.Base(volumePath("", n)) {
		return 0
	}
	return n
}

// volumeFiles lists the files of volumes, and removes those that were not finished.
func (s *Store) volumeFiles(ctx context.Context) (names []string, err error) {
	all, err := filepath.Glob(filepath.Join(s.dir, "archive", "v*"))
	if err != nil {
		return nil, err
	}
	if !s.opts.ReadOnly {
		_ = os.RemoveAll(fillingDir(s.dir)) // of a process that was killed
	}
	slices.Sort(all)
	for _, name := range all {
		base, _, aside := strings.Cut(name, asideMark)
		switch {
		case strings.HasSuffix(name, ".tmp"):
			if !s.opts.ReadOnly {
				s.log.WarnContext(ctx, "removed an unfinished file", "file", name)
				_ = os.Remove(name)
			}
		case aside && !slices.Contains(all, base) && !slices.Contains(names, base):
			// It was to be put aside, and what was to take its place never came.
			if s.opts.ReadOnly {
				continue
			}
			if err := os.Rename(newestAside(base), base); err != nil {
				return nil, system(err)
			}
			names = append(names, base)
		case numberOf(name) > 0:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// openSound opens a volume for reading. fault says what is wrong with its structure:
// then v may know little, and have no database. half: see inspect.
func openSound(path string) (v *volume, fault error, half bool, err error) {
	half, fault = inspect(path)
	if fault != nil && !errors.Is(fault, store.ErrCorrupt) {
		return nil, nil, false, fault
	}
	if st, serr := os.Stat(path); serr == nil && st.Size() == 0 {
		return &volume{path: path}, fault, half, nil // bbolt would begin it anew
	}
	v, err = openVolume(path, true)
	switch {
	case err == nil && fault == nil:
		fault = v.needless()
	case err != nil && fault != nil && !errors.Is(err, store.ErrNewer):
		v, err = &volume{path: path}, nil
	case errors.Is(err, store.ErrCorrupt):
		v, fault, err = &volume{path: path}, err, nil
	}
	return v, fault, half, err
}

// needless is an error if a dictionary is not what was stored: the newest volume must
// not be written with it, and another's can be mended if there is its spare.
func (v *volume) needless() error {
	spoiled, err := v.spoiledDicts()
	if err != nil {
		return err
	}
	for _, n := range spoiled {
		if v.sealedAs().records == 0 || v.spared(n) {
			return damaged(inVolume(v.path), fmt.Errorf("dictionary %d is not what was stored", n))
		}
	}
	return nil
}

// checkOrder holds that volumes are of one archive and follow each other.
func (s *Store) checkOrder(ctx context.Context) error {
	for i, v := range s.vols {
		if v.archive != s.vols[0].archive {
			return damaged(inVolume(v.path), errors.New("belongs to another archive"))
		}
		if err := v.plausible(); err != nil {
			return err
		}
		if i == 0 {
			if v.first != 1 {
				return damaged(inVolume(v.path), fmt.Errorf("begins with record %d, and there is no volume before it", v.first))
			}
			continue
		}
		before := s.vols[i-1]
		last, err := before.last()
		if err != nil {
			return err
		}
		if v.first == last+1 {
			continue
		}
		if i == len(s.vols)-1 && v.unfinished(before) {
			s.vols = s.vols[:i]
			if err := v.close(); err != nil {
				return err
			}
			if !s.opts.ReadOnly {
				s.log.WarnContext(ctx, "removed an unfinished volume", "file", v.path)
				_ = os.Remove(v.path)
			}
			return nil
		}
		return damaged(inVolume(v.path), fmt.Errorf("begins with record %d, the volume before ends with %d", v.first, last))
	}
	return nil
}

// leastRecord is what a record takes of a volume's file at least, also one that is lost:
// its key and its place on the page.
const leastRecord = 24

// plausible is an error where a volume says that it has more records than there is room for
// in its file: each of them would be looked for.
func (v *volume) plausible() error {
	last, err := v.last()
	if err != nil {
		return err
	}
	size, err := fileSize(v.filePath())
	if err != nil {
		return system(err)
	}
	if last >= v.first && last-v.first >= uint64(size)/leastRecord {
		return damaged(inVolume(v.path), fmt.Errorf("says that it has records %d to %d, for which its file is too small", v.first, last))
	}
	return nil
}

// openLive opens the newest volume for writing, the only one that is written. The catalog
// has agreed that it is the newest.
func (s *Store) openLive() error {
	n := len(s.vols)
	if n == 0 || s.opts.ReadOnly {
		return nil
	}
	live := s.vols[n-1]
	if end := live.sealedAs(); end.records > 0 { // the process ended before the next one was made, or it was taken away
		next, err := createVolume(s.dir, live.number+1, end.last+1, live.archive)
		if err != nil {
			return err
		}
		s.vols = append(s.vols, next)
		return nil
	}
	if err := live.close(); err != nil {
		return err
	}
	s.vols = s.vols[:n-1]
	live, err := openVolume(live.path, false)
	if err != nil {
		return err
	}
	live.findRoom()
	s.vols = append(s.vols, live)
	return nil
}
