package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
	"chancery/store"
)

func (s *Store) catalogPath() string { return filepath.Join(s.dir, "catalog.bolt") }

// catalogMap is as much as forty million items need (docs/figures-archive.md).
const catalogMap = 64 << 30

func openCatalogDB(path string, readOnly bool) (*bbolt.DB, error) {
	db, err := openDB(path, 0o644, &bbolt.Options{
		PageSize: 4096, ReadOnly: readOnly,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(catalogMap), // the free list: as with volumes
	})
	if err == nil {
		db.AllocSize = 8 * allocSize // each time it must be synced while somebody waits
	}
	return db, err
}

// errStale: the catalog must be made anew. The text says why.
var errStale = errors.New("catalog cannot be used")

// checkCatalog reports whether an opened catalog is of this archive and what it has seen.
func checkCatalog(db *bbolt.DB, archive [16]byte) (end uint64, err error) {
	err = view(db, part("catalog"), func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		switch {
		case meta == nil:
			return fmt.Errorf("%w: it is empty", errStale)
		case getUint(meta.Get(keyFormat)) != catalogFormat:
			return fmt.Errorf("%w: its format is %d, this program's %d", errStale, getUint(meta.Get(keyFormat)), catalogFormat)
		case string(meta.Get(keyArchive)) != string(archive[:]):
			return fmt.Errorf("%w: it is of another archive", errStale)
		}
		c, err := newCatalogTx(tx, nil)
		if err != nil {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		end = c.end
		return nil
	})
	return end, err
}

// checkLost looks at the records that a catalog lacks: it can be made whole if they
// can be read again, else Ping says what is wrong.
func (s *Store) checkLost(db *bbolt.DB) error {
	return view(db, part("catalog"), func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, nil)
		if err != nil {
			return err
		}
		if s.mended(tx) {
			return fmt.Errorf("%w: it lacks records that can be read", errStale)
		}
		if err := c.whole(); err != nil {
			s.damage.CompareAndSwap(nil, &err)
		}
		return nil
	})
}

// openCatalog opens the catalog, makes it anew if it must, replays what it has not
// seen, and loads what is held in memory.
func (s *Store) openCatalog(ctx context.Context) error {
	last, err := s.vols[len(s.vols)-1].last()
	if err != nil {
		return err
	}
	s.end = last
	path := s.catalogPath()
	if !s.opts.ReadOnly {
		_ = os.Remove(path + ".new") // unfinished, of a rebuild or a compaction
	}
	db, end, why := s.openOld(path)
	if why != nil && !errors.Is(why, errStale) && !errors.Is(why, store.ErrCorrupt) {
		return why
	}
	if why == nil && end > last {
		if err := s.lackEnd(ctx, db, last, end); err != nil {
			return errors.Join(err, db.Close())
		}
		last, s.end = end, end
		if err := db.Close(); err != nil {
			return err
		}
		if db, err = openCatalogDB(path, true); err != nil {
			return err
		}
	}
	if fault := s.nextIsMissing(); fault != nil && !s.opts.restoring {
		s.readOnly(fault, putBack)
	}
	if why == nil && s.opts.ReadOnly && end < last {
		why = errors.Join(fmt.Errorf("%w: it has not seen the last records", errStale), db.Close())
	}
	if why != nil {
		if db, err = s.makeNew(ctx, path, last, why); err != nil {
			return err
		}
		end = last
	}
	if err := s.stayBack(); err != nil {
		return errors.Join(err, db.Close())
	}
	s.cat = db
	if end < last {
		return s.replay(ctx, db, s.mem, last)
	}
	return nil
}

// openOld opens the catalog that is there, and loads what is held in memory. end is the
// last record that it has seen. why, if not nil, is why it cannot be used.
func (s *Store) openOld(path string) (db *bbolt.DB, end uint64, why error) {
	switch {
	case !exists(path):
		return nil, 0, fmt.Errorf("%w: it is missing", errStale)
	case exists(path + asideMark):
		return nil, 0, fmt.Errorf("%w: it was found damaged", errStale)
	case s.shaken != nil:
		return nil, 0, s.shaken
	}
	if db, why = openCatalogDB(path, s.opts.ReadOnly); why != nil {
		return nil, 0, why
	}
	end, why = checkCatalog(db, s.vols[0].archive)
	if why == nil {
		why = s.checkLost(db)
	}
	if why == nil {
		s.mem, why = loadMemory(db)
	}
	if why != nil {
		_ = db.Close()
		return nil, 0, why
	}
	return db, end, nil
}

// makeNew makes the catalog anew, because of why: in a temporary file if the archive is
// only read.
func (s *Store) makeNew(ctx context.Context, path string, last uint64, why error) (*bbolt.DB, error) {
	if last > 0 {
		s.log.WarnContext(ctx, "making the catalog anew", "why", why.Error(), "records", last)
	}
	to := path
	if s.opts.ReadOnly {
		var err error
		if to, err = s.inTemp("catalog.bolt"); err != nil {
			return nil, err
		}
	}
	db, err := s.rebuild(ctx, to, last)
	if err != nil {
		return nil, err
	}
	if !s.opts.ReadOnly { // else the damaged one is still there
		if err := removeAnchor(path); err != nil { // it was of the file before
			return nil, errors.Join(system(err), db.Close())
		}
		_ = os.Remove(path + asideMark)
	}
	if s.mem, err = loadMemory(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// createCatalog makes an empty catalog.
func createCatalog(path string, archive [16]byte) (*bbolt.DB, error) {
	db, err := openCatalogDB(path, false)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		for _, name := range catalogBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put(keyFormat, binary.AppendUvarint(nil, catalogFormat)), meta.Put(keyArchive, archive[:]))
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("%s: %w", path, system(err))
	}
	return db, nil
}

// rebuild makes the catalog from the log, beside the old one, and puts it in place
// when it is whole.
func (s *Store) rebuild(ctx context.Context, path string, last uint64) (*bbolt.DB, error) {
	tmp := path + ".new"
	_ = os.Remove(tmp)
	m, err := s.remake(tmp)
	if err != nil {
		return nil, err
	}
	err = m.all(ctx, last)
	if err == nil {
		err = m.finish()
	}
	if err == nil {
		err = m.noteUnapplied()
	}
	if err == nil {
		err = m.db.Sync() // behind all that is written: bbolt makes a commit of a look, too
	}
	err = errors.Join(err, m.close())
	if err == nil {
		err = intoPlace(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return nil, fmt.Errorf("rebuild of the catalog: %w", system(err))
	}
	return openCatalogDB(path, false)
}

func newMemory() *memory {
	return &memory{
		sources: map[feed.SourceID]*known{}, names: map[uint32]feed.SourceID{},
		topics: map[feed.TopicID]uint16{}, labels: map[uint16]feed.TopicID{},
	}
}

func loadMemory(db *bbolt.DB) (*memory, error) {
	m := newMemory()
	err := view(db, part("catalog"), func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, m)
		if err != nil {
			return err
		}
		err = c.b[bSources].ForEach(func(k, v []byte) error {
			var row storedSource
			if err := json.Unmarshal(v, &row); err != nil {
				return damaged(part(fmt.Sprintf("catalog: source %q", k)), err)
			}
			s := &known{num: row.Num, source: row.Source, state: noState}
			if b := c.b[bState].Get(k); b != nil {
				state, err := decodeState(b)
				if err != nil {
					return damaged(part(fmt.Sprintf("catalog: state of %q", k)), err)
				}
				s.state = &state
			}
			if b := c.b[bCounts].Get(num4(row.Num)); len(b) == 8 {
				s.items = int64(binary.BigEndian.Uint64(b))
			}
			m.sources[feed.SourceID(k)] = s
			m.names[row.Num] = feed.SourceID(k)
			return nil
		})
		if err != nil {
			return err
		}
		return c.b[bTopics].ForEach(func(k, v []byte) error {
			if len(v) != 2 {
				return damaged(part(fmt.Sprintf("catalog: topic %q", k)), errShort)
			}
			n := binary.BigEndian.Uint16(v)
			m.topics[feed.TopicID(k)] = n
			m.labels[n] = feed.TopicID(k)
			return nil
		})
	})
	return m, err
}

// replayBatch is how many records one commit of a replay takes.
const replayBatch = 2000

// replay applies records that a catalog has not seen, up to last.
func (s *Store) replay(ctx context.Context, db *bbolt.DB, mem *memory, last uint64) error {
	for done := false; !done; {
		if err := ctxErr(ctx); err != nil {
			return err
		}
		err := s.updateCatalog(db, mem, func(c *catalogTx) error {
			for range replayBatch {
				if c.end >= last {
					break
				}
				err := s.replayOne(c, c.end+1)
				if ofVolume(err) { // what can be read shall be
					s.noteDamage(err)
					var leaf tlog.Hash
					if leaf, err = s.leafAnyway(c.end + 1); err == nil {
						err = c.passOver(c.end+1, leaf)
					}
				}
				if err != nil {
					return err
				}
			}
			done = c.end >= last
			s.opts.Progress("replay", int64(c.end), int64(last))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) replayOne(c *catalogTx, seq uint64) error {
	v, err := s.volume(seq)
	if err != nil {
		return err
	}
	b, err := v.get(seq)
	if err != nil {
		return err
	}
	f, err := unframe(seq, b)
	if err != nil {
		return damaged(v.at(seq), err)
	}
	h, err := decodeHeader(seq, f.kind, f.head)
	if err != nil {
		return damaged(v.at(seq), err)
	}
	if err := c.apply(&h, f.head, func() ([]byte, error) { return v.plain(seq, f) }); err != nil {
		return err
	}
	if err := c.strippedOf(&h, f.pack == nil); err != nil {
		return err
	}
	return c.grow(seq, f.kind, f.head, h.time)
}

// updateCatalog runs f in a write transaction of a catalog alone.
func (s *Store) updateCatalog(db *bbolt.DB, mem *memory, f func(c *catalogTx) error) (err error) {
	defer guard(part("catalog"), &err)()
	tx, err := db.Begin(true)
	if err != nil {
		return system(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	c, err := newCatalogTx(tx, mem)
	if err != nil {
		return err
	}
	c.isLost = s.isLost
	if err := f(c); err != nil {
		return err
	}
	if err := c.finish(); err != nil {
		return system(err)
	}
	if err := tx.Commit(); err != nil {
		s.anchor.doubt(err) // nil while the archive is being opened
		return fmt.Errorf("catalog: %w", system(err))
	}
	s.mu.Lock()
	c.merge()
	s.mu.Unlock()
	return nil
}
