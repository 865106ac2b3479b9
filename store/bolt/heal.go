package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// mostHeals bounds how often one volume is written anew while the archive is open: a
// disk that fails goes on failing.
const mostHeals = 3

// healNoted looks at the volumes in which damage was noted. It is the writer's.
func (s *Store) healNoted() {
	for {
		select {
		case err := <-s.unwell:
			s.healFor(err)
		default:
			return
		}
	}
}

// healFor writes a volume anew if an error says that it is damaged and it is, and reports
// whether it did. It is the writer's.
func (s *Store) healFor(err error) bool {
	d := damageOf(err)
	if s.opts.ReadOnly || d == nil || !d.Volume || errors.Is(err, store.ErrLost) {
		return false
	}
	for i, v := range s.vols {
		if d.File != v.path {
			continue
		}
		if v.heals >= mostHeals {
			return false
		}
		v.heals++
		done, herr := s.heal(i, err)
		if herr != nil {
			s.log.Error("a damaged volume could not be written anew", "volume", v.number, "error", herr.Error())
		}
		return done
	}
	return false
}

// heal writes a volume anew, as it is done at opening: the damaged file is put aside as
// it is and never written again, what can be read of it takes its place, the records that
// cannot be keep their places in the tree, and if it was the newest volume the next one
// is begun. Nothing is done if all records can be read after all.
func (s *Store) heal(i int, fault error) (done bool, err error) {
	v := s.vols[i]
	live := i == len(s.vols)-1
	var broken error // the catalog, too
	r := &rescue{v: v, file: v.path, first: v.first, archive: v.archive, closed: true, leaf: func(seq uint64) (h tlog.Hash, ok bool) {
		err := view(s.cat, part("catalog"), func(tx *bbolt.Tx) error { // the writer's own: also when the archive is being closed
			c, err := newCatalogTx(tx, nil)
			if err == nil && seq <= c.end {
				h, ok = c.leaf(seq)
			}
			return err
		})
		broken = cmp.Or(broken, err)
		return h, ok
	}}
	switch end := v.sealedAs(); {
	case end.records > 0:
		r.end = end.last
	case !live:
		r.end = s.vols[i+1].first - 1
	default:
		if r.end, err = v.last(); err != nil {
			r.end = s.end
		}
	}
	_, found := inspect(v.path)
	if found == nil {
		found = v.readAll(r.end)
	}
	if found == nil || r.end < r.first {
		return false, nil
	}
	tmp := v.path + ".rescue.tmp"
	if err := r.write(tmp); err != nil {
		return false, err
	}
	if broken != nil { // where the records that are lost stood in the tree would not be known
		return false, errors.Join(broken, os.Remove(tmp))
	}
	var next *volume
	if live {
		if next, err = createVolume(s.dir, v.number+1, r.end+1, v.archive); err != nil {
			return false, err
		}
	}
	aside, err := s.swap(v, tmp)
	if err != nil {
		if next != nil {
			err = errors.Join(err, next.close())
		}
		return false, err
	}
	if next != nil {
		s.mu.Lock()
		s.vols = append(s.vols, next)
		s.mu.Unlock()
		s.plain = 0
	}
	s.tellRescued(context.Background(), r, fault, aside)
	s.tellLost()
	return true, nil
}

// swap puts a damaged volume aside and a new file in its place.
func (s *Store) swap(v *volume, tmp string) (aside string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if aside, err = putAside(v.path); err != nil {
		return "", err
	}
	if err := intoPlace(tmp, v.path); err != nil {
		return aside, fmt.Errorf("%s: %w", v.path, system(err))
	}
	n, err := openVolume(v.path, true)
	if err != nil {
		return aside, err
	}
	old := v.db
	v.db, v.seal, v.lost, v.stripped = n.db, n.seal, n.lost, n.stripped
	for number, c := range n.dicts {
		if v.dicts == nil {
			v.dicts = map[uint64]*coders{}
		}
		v.dicts[number] = c // as it was stored
	}
	v.room.high = 0
	v.rewrites++
	_ = old.Close() // it is damaged
	return aside, nil
}

// readAll reads all records of a volume up to one, and is the error of the first that
// cannot be read, those that are known to be lost aside, or of a dictionary.
func (v *volume) readAll(end uint64) error {
	for seq := v.first; seq <= end; seq++ {
		if _, _, err := v.read(seq); err != nil && !errors.Is(err, store.ErrLost) {
			return err
		}
	}
	return v.needless()
}
