// Package bolt is the archive on bbolt: the log in volume files, a catalog
// derived from it, and publish's ledger. docs/archive-format.md has every byte.
//
// One goroutine writes. It takes all that is queued into one commit, the volume
// first, the catalog second; what the catalog has not seen after a crash is
// replayed by Open, and a catalog that is missing, old or damaged is made anew.
// Encoding, compressing and hashing are done before, in the callers' goroutines.
// Readers never wait for a commit's disk writes. A read transaction copies out
// and ends.
//
// It does not parse, fold or judge texts: keys, versions and sketches come with
// the drafts.
package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// Options are what Open may be told. The zero value is a daemon's.
type Options struct {
	ReadOnly bool
	// Command is what the lock file says of this process; empty is the program's name.
	Command string
	// Wait is how long to wait for another process to give the archive up; Waiting, if
	// not nil, is told once who that is.
	Wait    time.Duration
	Waiting func(who string)
	// Progress, if not nil, is told of long work at opening: "replay" or "rebuild".
	Progress func(what string, done, total int64)
	Log      *slog.Logger // nil: nothing is logged
	// VolumeSize is from which size on a volume is sealed; 0 is 1 GiB.
	VolumeSize int64
	// ItemsPerDay and RevisionsPerDay bound what one source may bring in 24 hours of
	// recorded time (CONFORMANCE SEC-30); 0 is no bound. A batch beyond the first is
	// store.ErrFull; revisions beyond the second are not kept and count as Same.
	ItemsPerDay, RevisionsPerDay int
	// NoDocuments keeps no documents from now on: items and their versions only.
	NoDocuments bool
}

// Store is an open archive.
type Store struct {
	dir  string
	opts Options
	log  *slog.Logger
	lock *lockFile
	cat  *bbolt.DB
	led  *bbolt.DB
	temp string // directory of a catalog made for reading only

	jobs    chan *job
	quit    chan struct{}
	stopped chan struct{} // the writer has ended

	mu     sync.RWMutex // guards all that follows
	closed bool
	vols   []*volume
	mem    *memory
	end    uint64        // last record
	grown  chan struct{} // closed and replaced when the log grows
	fence  uint64        // last one given
	leased int           // leases that are out
	late   lateStates    // poll states still to be stored; see late.go

	long       sync.WaitGroup // work that outlives a lock: verify, backup, compact
	snapshots  sync.RWMutex   // held for reading by whoever reads in the catalog for long
	compacting sync.Mutex

	commits atomic.Int64
	damage  atomic.Pointer[error] // the first that was found

	near  *nearCache // the writer's
	today dayCounts  // the writer's

	itemsPerDay, revisionsPerDay atomic.Int64 // see SetQuotas
	behind                       bool         // the catalog may lack records of the log; only the writer uses it
	plain                        int          // bytes of items in the live volume while it has no dictionary; only the writer
}

var _ store.Store = (*Store)(nil)

// Open opens the archive in a directory, or makes one there. Errors wrap
// store.ErrBusy, ErrNewer, ErrCorrupt, ErrReadOnly or ErrNotFound (no archive, when
// opening for reading) where they apply. Close it after use.
func Open(ctx context.Context, dir string, o Options) (_ *Store, err error) {
	if o.VolumeSize <= 0 {
		o.VolumeSize = 1 << 30
	}
	if o.Command == "" {
		o.Command = filepath.Base(os.Args[0])
	}
	if o.Waiting == nil {
		o.Waiting = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		dir: dir, opts: o, log: o.Log, grown: make(chan struct{}), fence: uint64(time.Now().UnixNano()),
		jobs: make(chan *job, maxGroup), quit: make(chan struct{}), stopped: make(chan struct{}),
		late: newLateStates(),
	}
	s.SetQuotas(o.ItemsPerDay, o.RevisionsPerDay)
	if o.ReadOnly {
		if _, err := os.Stat(volumePath(dir, 1)); err != nil {
			if err := lostVolumes(dir); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s: no archive: %w", dir, store.ErrNotFound)
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, system(err)
	}
	if s.lock, err = takeLock(ctx, dir, o.Command, o.ReadOnly, o.Wait, o.Waiting); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.release() // what went wrong first counts
		}
	}()
	if s.vols, err = openVolumes(dir, o.ReadOnly, s.log); err != nil {
		return nil, err
	}
	if len(s.vols) == 0 {
		if err := lostVolumes(dir); err != nil {
			return nil, err
		}
		v, err := createVolume(dir, 1, 1, newArchiveID())
		if err != nil {
			return nil, err
		}
		s.vols = append(s.vols, v)
	}
	if err := s.openCatalog(ctx); err != nil {
		return nil, err
	}
	if err := s.openLedger(); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		close(s.stopped)
		return s, nil
	}
	if err := s.finishTakedowns(); err != nil {
		return nil, err
	}
	go s.write() //nolint:contextcheck // it outlives the call: Close ends it, not the context of Open
	return s, nil
}

// lostVolumes is an error where there is no volume but a catalog or a ledger: they are
// made after the first volume, so an archive was here, and a new one must not take its
// place.
func lostVolumes(dir string) error {
	for _, name := range []string{"catalog.bolt", "ledger.bolt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return damaged(volumePath(dir, 1), fmt.Errorf("volumes are missing: put them back, or restore a backup elsewhere; to begin anew, move %s away", dir))
		}
	}
	return nil
}

func (s *Store) openLedger() (err error) {
	path := s.ledgerPath()
	defer guard(path, &err)
	if _, serr := os.Stat(path); s.opts.ReadOnly && serr != nil {
		return nil
	}
	if !s.opts.ReadOnly {
		_ = os.Remove(path + ".new") // of a compaction that was interrupted
		if err := createLedger(path); err != nil {
			return err
		}
	}
	s.led, err = openLedgerDB(path, s.opts.ReadOnly)
	return err
}

// createLedger makes an empty ledger where there is none, whole or not at all.
func createLedger(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return system(err)
	}
	db, err := openLedgerDB(path+".new", false)
	if err != nil {
		_ = os.Remove(path + ".new")
		return err
	}
	if err = db.Close(); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return system(err)
}

func openLedgerDB(path string, readOnly bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, ReadOnly: readOnly, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(1 << 30),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, system(err))
	}
	db.AllocSize = 1 << 20
	return db, nil
}

// release closes what is open.
func (s *Store) release() (err error) {
	for _, v := range s.vols {
		err = errors.Join(err, v.close())
	}
	if s.cat != nil {
		err = errors.Join(err, s.cat.Close())
	}
	if s.led != nil {
		err = errors.Join(err, s.led.Close())
	}
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	s.lock.release()
	return err
}

// Close ends the writer when all that was handed to it is durable, and gives the
// archive up. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.grown) // followers see that it is closed
	s.mu.Unlock()
	close(s.quit)
	<-s.stopped
	s.long.Wait()
	s.mu.Lock() // every reader has ended
	defer s.mu.Unlock()
	return errors.Join(s.late.err, s.release())
}

// Commits counts the commits since the archive was opened, for tests and metrics.
func (s *Store) Commits() int64 { return s.commits.Load() }

// live is the volume that is written.
func (s *Store) live() *volume {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.vols[len(s.vols)-1]
}

// volume is the one that has a record.
func (s *Store) volume(seq uint64) (*volume, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	i, ok := slices.BinarySearchFunc(s.vols, seq, func(v *volume, seq uint64) int {
		switch {
		case v.first < seq:
			return -1
		case v.first > seq:
			return 1
		}
		return 0
	})
	if !ok {
		i--
	}
	if i < 0 {
		return nil, damaged("log", fmt.Errorf("no volume has record %d", seq))
	}
	return s.vols[i], nil
}

// viewCatalog runs f in a read transaction of the catalog, with the part of it that
// is in memory. f must be short and must not wait.
func (s *Store) viewCatalog(f func(c *catalogTx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return view(s.cat, "catalog", func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, s.mem)
		if err != nil {
			return err
		}
		return f(c)
	})
}

// ctxErr is the cause for which ctx ended, if it did.
func ctxErr(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (s *Store) catalogPath() string { return filepath.Join(s.dir, "catalog.bolt") }

func openCatalogDB(path string, readOnly bool) (db *bbolt.DB, err error) {
	defer guard(path, &err)
	db, err = bbolt.Open(path, 0o644, &bbolt.Options{
		Timeout: time.Second, PageSize: 4096, ReadOnly: readOnly,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(64 << 30), // the free list: as with volumes
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, system(err))
	}
	db.AllocSize = 1 << 20
	return db, nil
}

// errStale: the catalog must be made anew. The text says why.
var errStale = errors.New("catalog cannot be used")

// checkCatalog reports whether an opened catalog is of this archive and what it has seen.
func checkCatalog(db *bbolt.DB, archive [16]byte) (end uint64, err error) {
	err = view(db, "catalog", func(tx *bbolt.Tx) error {
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
	return view(db, "catalog", func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, nil)
		if err != nil {
			return err
		}
		if s.mended(lostIn(tx)) {
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
	marker := path + ".damaged"
	db, end, why := (*bbolt.DB)(nil), uint64(0), error(nil)
	if _, serr := os.Stat(path); serr != nil {
		why = fmt.Errorf("%w: it is missing", errStale)
	} else if _, merr := os.Stat(marker); merr == nil {
		why = fmt.Errorf("%w: it was found damaged", errStale)
	} else if db, why = openCatalogDB(path, s.opts.ReadOnly); why == nil {
		end, why = checkCatalog(db, s.vols[0].archive)
		if why == nil {
			why = s.checkLost(db)
		}
	}
	if why != nil && !errors.Is(why, errStale) && !errors.Is(why, store.ErrCorrupt) {
		if db != nil {
			_ = db.Close()
		}
		return why
	}
	if why == nil && end > last {
		_ = db.Close()
		return damaged("log", fmt.Errorf("it ends with record %d, but the catalog has seen %d: volumes are missing or of an older copy; "+
			"put them back, or remove %s to go on without", last, end, path))
	}
	if why == nil && s.opts.ReadOnly && end < last {
		why = fmt.Errorf("%w: it has not seen the last records", errStale)
	}
	if why != nil {
		if db != nil {
			_ = db.Close()
		}
		if last > 0 {
			s.log.WarnContext(ctx, "making the catalog anew", "why", why.Error(), "records", last)
		}
		if s.opts.ReadOnly {
			if s.temp, err = os.MkdirTemp("", "chancery-catalog-"); err != nil {
				return err
			}
			path = filepath.Join(s.temp, "catalog.bolt")
		}
		if db, err = s.rebuild(ctx, path, last); err != nil {
			return err
		}
		_ = os.Remove(marker)
		end = last
	}
	s.cat = db
	if s.mem, err = loadMemory(db); err != nil {
		return err
	}
	if end < last {
		return s.replay(ctx, "replay", db, s.mem, last)
	}
	return nil
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
	db, err := createCatalog(tmp, s.vols[0].archive)
	if err != nil {
		return nil, err
	}
	// Until it is in place it is nobody's loss.
	db.NoSync = true
	err = s.replay(ctx, "rebuild", db, newMemory(), last)
	if err == nil {
		err = db.Sync()
	}
	err = errors.Join(err, db.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
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
	err := view(db, "catalog", func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, m)
		if err != nil {
			return err
		}
		err = c.b[bSources].ForEach(func(k, v []byte) error {
			var row storedSource
			if err := json.Unmarshal(v, &row); err != nil {
				return damaged(fmt.Sprintf("catalog: source %q", k), err)
			}
			s := &known{num: row.Num, source: row.Source}
			if b := c.b[bState].Get(k); b != nil {
				if s.state, err = decodeState(b); err != nil {
					return damaged(fmt.Sprintf("catalog: state of %q", k), err)
				}
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
				return damaged(fmt.Sprintf("catalog: topic %q", k), errShort)
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
func (s *Store) replay(ctx context.Context, what string, db *bbolt.DB, mem *memory, last uint64) error {
	for {
		done := false
		if err := ctxErr(ctx); err != nil {
			return err
		}
		err := s.updateCatalog(db, mem, func(c *catalogTx) error {
			for range replayBatch {
				if c.end >= last {
					done = true
					return nil
				}
				err := s.replayOne(c, c.end+1)
				if errors.Is(err, store.ErrCorrupt) && what != "replay" { // anew: what can be read shall be
					if s.ofLog(err) {
						s.noteDamage(err)
					}
					err = c.passOver(c.end + 1)
				}
				if err != nil {
					return err
				}
			}
			s.opts.Progress(what, int64(c.end), int64(last))
			return nil
		})
		if err != nil {
			return err
		}
		if done {
			s.opts.Progress(what, int64(last), int64(last))
			return nil
		}
	}
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
		return damaged(v.where(seq), err)
	}
	h, err := decodeHeader(seq, f.kind, f.head)
	if err != nil {
		return damaged(v.where(seq), err)
	}
	if err := c.apply(&h, f.head, func() ([]byte, error) { return v.plain(seq, f) }); err != nil {
		return err
	}
	return c.grow(seq, f.kind, f.head, h.time)
}

// updateCatalog runs f in a write transaction of a catalog alone.
func (s *Store) updateCatalog(db *bbolt.DB, mem *memory, f func(c *catalogTx) error) (err error) {
	defer guard("catalog", &err)
	tx, err := db.Begin(true)
	if err != nil {
		return system(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	c, err := newCatalogTx(tx, mem)
	if err != nil {
		return err
	}
	if err := f(c); err != nil {
		return err
	}
	if err := c.finish(); err != nil {
		return system(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("catalog: %w", system(err))
	}
	s.mu.Lock()
	c.merge()
	s.mu.Unlock()
	return nil
}
