package bolt

import (
	"context"
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

	restoring bool // the files are those of a backup, which is whole
	pace      pace // the zero value is usualPace
}

// Store is an open archive.
type Store struct {
	dir  string
	opts Options
	log  *slog.Logger
	lock *lockFile
	cat  *bbolt.DB
	led  *bbolt.DB
	temp string // directory of what was made for reading only
	// refusal, if not nil, is why an archive that was opened for writing is not written.
	refusal error
	// ledFault, if not nil, is why the ledger is not written, and read as far as it can be.
	ledFault atomic.Pointer[error]

	jobs    chan *job
	linger  time.Duration // see gather
	unwell  chan error    // damage of volumes that the writer is to look at
	quit    chan struct{}
	stopped chan struct{} // the writer has ended

	mu      sync.RWMutex // guards all that follows
	closing bool         // nothing more is taken in; the writer ends what was handed to it
	closed  bool         // nothing more is read either
	vols    []*volume
	mem     *memory
	end     uint64        // last record
	grown   chan struct{} // closed and replaced when the log grows
	fence   uint64        // last one given
	leased  int           // leases that are out
	late    lateStates    // poll states still to be stored; see late.go

	long       sync.WaitGroup // work that outlives a lock: verify, backup, compact
	snapshots  sync.RWMutex   // held for reading by whoever reads in the catalog for long
	compacting sync.Mutex

	anchor      *anchor     // of the catalog; nil: its commits are synced. The writer's
	anchorTimer *time.Timer // the writer waits for it
	much        time.Time   // when a commit brought much
	unanchored  bool        // it can have none
	shaken      error       // why the catalog may not be what was written to it; only Open
	wentBack    bool        // it has not seen all that was acknowledged, for sure; only Open

	commits atomic.Int64
	told    atomic.Pointer[func(Commit)] // see OnCommit
	damage  atomic.Pointer[error]        // the first that was found
	lacks   atomic.Bool                  // records that are lost

	recent recent // bodies for followers

	near  *nearCache // the writer's
	today dayCounts  // the writer's

	itemsPerDay, revisionsPerDay atomic.Int64 // see SetQuotas
	behind                       bool         // the catalog may lack records of the log; only the writer uses it
	wrote                        int          // the same, since drift, and at least 1 for each commit; only the writer
	grew                         int          // bytes of records that were written since grow; only the writer
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
	if o.pace == (pace{}) {
		o.pace = usualPace
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
		jobs: make(chan *job, maxGroup), linger: linger, unwell: make(chan error, 16), quit: make(chan struct{}), stopped: make(chan struct{}),
		late: newLateStates(), anchorTimer: stoppedTimer(),
	}
	s.SetQuotas(o.ItemsPerDay, o.RevisionsPerDay)
	if o.ReadOnly {
		if !anyVolume(dir) {
			if err := lostVolumes(dir); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s: no archive: %w", dir, store.ErrNotFound)
		}
	} else if err := makeDir(dir); err != nil {
		return nil, system(err)
	}
	if s.lock, err = takeLock(ctx, dir, o.Command, o.ReadOnly, o.Wait, o.Waiting); err != nil {
		return nil, err
	}
	fresh := !o.ReadOnly && isFresh(dir)
	defer func() {
		if err != nil {
			if fresh {
				unmake(dir)
			}
			_ = s.release() // what went wrong first counts
		}
	}()
	if err := s.steady(); err != nil {
		return nil, err
	}
	if err := s.openVolumes(ctx); err != nil {
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
	if err := s.openLive(); err != nil {
		return nil, err
	}
	s.tellLost()
	if err := s.openLedger(); err != nil {
		return nil, err
	}
	if s.opts.ReadOnly {
		close(s.stopped)
		return s, nil
	}
	err = s.finishTakedowns()          //nolint:contextcheck // what was decided is done whole
	if errors.Is(err, store.ErrFull) { // nobody is shown what is taken down, and all else can be read
		s.log.ErrorContext(ctx, "what was taken down is still in the files: the next start with room on the disk removes it", "error", err.Error())
		err = nil
	}
	if err != nil {
		return nil, err
	}
	go s.write() //nolint:contextcheck // it outlives the call: Close ends it, not the context of Open
	return s, nil
}

// isFresh reports whether there is nothing of an archive in a directory but the lock.
func isFresh(dir string) bool {
	for _, name := range []string{"archive", "catalog.bolt", "ledger.bolt"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// unmake takes away what Open made in a fresh directory before it failed. The lock is
// held meanwhile.
func unmake(dir string) {
	for _, name := range []string{"archive", "catalog.bolt", "catalog.bolt.new", "catalog.anchor", "ledger.bolt", "ledger.bolt.new", "lock"} {
		_ = os.RemoveAll(filepath.Join(dir, name))
	}
}

// lostVolumes is an error where there is no volume but a catalog or a ledger: they are
// made after the first volume, so an archive was here, and a new one must not take its
// place.
func lostVolumes(dir string) error {
	for _, name := range []string{"catalog.bolt", "ledger.bolt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return damaged(inVolume(volumePath(dir, 1)), fmt.Errorf("volumes are missing: put them back, or restore a backup elsewhere; to begin anew, move %s away", dir))
		}
	}
	return nil
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
		err = intoPlace(path+".new", path)
	}
	return system(err)
}

// ledgerMode: the ledger has tokens and secrets of subscriptions.
const ledgerMode = 0o600

func openLedgerDB(path string, readOnly bool) (*bbolt.DB, error) {
	return openDB(path, ledgerMode, &bbolt.Options{
		ReadOnly: readOnly, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(1 << 30),
	})
}

// release closes what is open.
func (s *Store) release() (err error) {
	for _, v := range s.vols {
		v.giveBack()
		err = errors.Join(err, v.close())
	}
	if s.cat != nil {
		if err = errors.Join(err, s.weighAnchor()); s.anchor != nil { // it stays for the next opening
			s.anchor.let()
		}
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
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	s.mu.Unlock()
	close(s.quit)
	<-s.stopped // it reads, too, so that it must find the archive open until then
	s.mu.Lock()
	s.closed = true
	close(s.grown) // followers see that it is closed
	s.mu.Unlock()
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
	i, _ := slices.BinarySearchFunc(s.vols, seq, func(v *volume, seq uint64) int { // the first behind it
		if v.first <= seq { // one without records may begin where the next does
			return -1
		}
		return 1
	})
	if i == 0 {
		return nil, damaged(part("log"), fmt.Errorf("no volume has record %d", seq))
	}
	return s.vols[i-1], nil
}

// viewCatalog runs f in a read transaction of the catalog, with the part of it that
// is in memory. f must be short and must not wait.
func (s *Store) viewCatalog(f func(c *catalogTx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return s.catalog(f)
}

// catalog is [Store.viewCatalog] for who holds s.mu, or is the writer, for which Close waits.
// Damage of the catalog is noted, so that the next opening mends it.
func (s *Store) catalog(f func(c *catalogTx) error) error {
	err := view(s.cat, part("catalog"), func(tx *bbolt.Tx) error {
		c, err := newCatalogTx(tx, s.mem)
		if err != nil {
			return err
		}
		c.isLost = s.isLost
		return f(c)
	})
	if !errors.Is(err, store.ErrLost) {
		s.noteDamage(err)
	}
	return err
}

// ctxErr is the cause for which ctx ended, if it did.
func ctxErr(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
