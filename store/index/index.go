// Package index is the full-text index: [store.Index] on SQLite's FTS5.
//
// It is derived. [Index.Run] follows the archive and keeps its cursor in the same
// commit as what it took in; a file that is missing, of an older format or damaged
// is thrown away and made again from the log, while searches find what is there
// already. A file of its own is made for that, so that a sound index serves until
// the new one has all; a rebuild that is killed goes on where it was.
//
// FTS5 keeps the words, this package reads them: it decodes FTS5's lists itself,
// gathers versions in bitmaps, and keeps in memory, in columns, what conditions,
// orders and facets ask (docs/adr/0007-full-text-index.md). What a list of words
// can't say, such as exact case, is asked of the matcher of feed/query, with the
// item from the archive. So finding equals matching, and a test holds it to that.
//
// A version that was taken down is not found from the commit on; its words leave
// the disk with the rebuild that follows by itself.
//
// An Index is safe for concurrent use.
package index

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Config bounds what a search may cost.
type Config struct {
	// MaxTime is the processor time of one search; by the clock it may take some times
	// as much (patience).
	MaxTime time.Duration `toml:"max_time"`
	// MaxConcurrent searches run at once; more wait for their turn.
	MaxConcurrent int `toml:"max_concurrent"`
}

// DefaultConfig is what config.toml shows.
func DefaultConfig() Config {
	return Config{
		MaxTime:       1500 * time.Millisecond, // a reader gives up after two seconds, and on a machine with cores to spare the clock shows no more
		MaxConcurrent: 4,                       // each may take tens of megabytes
	}
}

// Validate reports every bad field.
func (c Config) Validate() error {
	var errs []error
	if c.MaxTime <= 0 || c.MaxTime > time.Hour {
		errs = append(errs, fmt.Errorf("max_time: %v is not between 0 and an hour", c.MaxTime))
	}
	if c.MaxConcurrent < 1 || c.MaxConcurrent > 1000 {
		errs = append(errs, fmt.Errorf("max_concurrent: %d is not from 1 to 1000", c.MaxConcurrent))
	}
	return errors.Join(errs...)
}

// Archive is what an index needs of the archive: the log, and the texts of what
// was found, for snippets and for the matcher.
type Archive interface {
	Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, max int) ([]store.Record, store.Cursor, error)
	End(ctx context.Context) (store.Cursor, error)
	Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error)
	Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error)
}

// Index is the index of one archive.
type Index struct {
	dir     string
	archive Archive
	cfg     Config
	log     *slog.Logger
	turn    chan struct{} // one for each search that runs

	lock *os.File // held while open: the columns in memory are of one process

	mu     sync.Mutex // guards writing, and what follows
	next   *file      // being made, to take cur's place
	closed bool

	lately int // records of the last batch, unless the archive is read from the start; of whoever takes steps

	cur   atomic.Pointer[file]
	end   atomic.Uint64 // of the archive, when last seen
	fault atomic.Pointer[string]
	stuck atomic.Pointer[string]             // why Run cannot go on, until it can
	wake  atomic.Pointer[context.CancelFunc] // ends Run's waiting for records
}

var _ store.Index = (*Index)(nil)

// Open opens the index in dir, making the directory and an empty index if there is
// none that can be used. The archive may be nil for an index that is fed by Apply
// alone and asked nothing that needs texts. log may be nil. It returns an error
// wrapping [store.ErrBusy] while another process has the index open.
func Open(ctx context.Context, dir string, archive Archive, cfg Config, log *slog.Logger) (*Index, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	x := &Index{dir: dir, archive: archive, cfg: cfg, log: log, turn: make(chan struct{}, cfg.MaxConcurrent)}
	if archive != nil {
		end, err := archive.End(ctx)
		if err != nil {
			return nil, err
		}
		x.end.Store(uint64(end))
	}
	var err error
	if x.lock, err = takeLock(filepath.Join(dir, lockName)); err != nil {
		return nil, err
	}
	if err := x.openFiles(ctx); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// lockName is of the file that a process holds locked while it has the index open.
const lockName = "lock"

func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the full-text index is in use by another process: %w", store.ErrBusy)
		}
		return nil, fmt.Errorf("index: lock: %w", err)
	}
	return f, nil
}

const (
	fileNames = "words-*.sqlite"
	fileName  = "words-%06d.sqlite"
)

func (x *Index) files() ([]string, error) {
	list, err := filepath.Glob(filepath.Join(x.dir, fileNames))
	slices.Sort(list)
	return list, err
}

// openFiles takes the newest index that has all, and a newer one that is being
// made. What cannot be used is thrown away.
func (x *Index) openFiles(ctx context.Context) error {
	list, err := x.files()
	if err != nil {
		return err
	}
	if err := x.removeOrphans(list); err != nil {
		return err
	}
	for i, path := range slices.Backward(list) {
		if x.cur.Load() != nil {
			if err := removeFile(path); err != nil {
				return err
			}
			continue
		}
		f, err := openFile(path, false)
		if err == nil {
			if err = x.belongs(ctx, f); err != nil {
				err = errors.Join(err, f.close())
			}
		}
		switch {
		case err != nil && unusable(err):
			x.throwAway(ctx, err)
			if err := removeFile(path); err != nil {
				return err
			}
		case err != nil:
			return err
		case !f.complete.Load() && i > 0 && x.next == nil:
			x.next = f // a sound one may be before it
		case x.next != nil && !f.complete.Load():
			if err := errors.Join(f.close(), removeFile(path)); err != nil {
				return err
			}
		default:
			x.cur.Store(f)
		}
	}
	if x.cur.Load() == nil && x.next != nil {
		x.cur.Store(x.next)
		x.next = nil
	}
	if x.cur.Load() == nil {
		f, err := x.newFile()
		if err != nil {
			return err
		}
		x.cur.Store(f)
	}
	return nil
}

// belongs says whether a file was made from this archive: the record at its cursor
// must be the one that it took in last. A backup that was put in place of a newer
// archive and has grown since is behind no cursor, and yet another archive.
func (x *Index) belongs(ctx context.Context, f *file) error {
	at := f.cursor.Load()
	switch {
	case x.archive == nil || at == 0:
		return nil
	case at > x.end.Load():
		return damaged("it has %d records and the archive %d: the archive was restored or replaced", at, x.end.Load())
	case f.mark == 0: // nothing to compare with
		return nil
	}
	records, _, err := x.archive.Follow(ctx, store.Cursor(at-1), store.AllKinds, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 || uint64(records[0].Seq) != at { // it is damaged, and nobody can say
		return nil
	}
	if markOf(&records[0]) != f.mark {
		return damaged("record %d of the archive is another than the one taken in: the archive was restored or replaced", at)
	}
	return nil
}

// markOf tells a record from what another archive has in its place. It is of what
// stays when a record's content is taken down.
func markOf(r *store.Record) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %d", r.Seq, r.Kind, r.Time.UnixNano())
	return max(1, int64(h.Sum64()>>1))
}

// removeOrphans deletes what is left of a file whose removal was cut short: a new
// file of that name must not find the log of the old one.
func (x *Index) removeOrphans(list []string) error {
	for _, end := range []string{"-wal", "-shm"} {
		rest, err := filepath.Glob(filepath.Join(x.dir, fileNames+end))
		if err != nil {
			return err
		}
		for _, path := range rest {
			if slices.Contains(list, strings.TrimSuffix(path, end)) {
				continue
			}
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// unusable reports whether an error is the file's own fault, so that a new one helps.
func unusable(err error) bool { return errors.Is(err, errDamaged) }

func (x *Index) throwAway(ctx context.Context, err error) {
	text := err.Error()
	x.fault.Store(&text)
	x.log.LogAttrs(ctx, slog.LevelWarn, "index thrown away, making a new one", slog.Any("error", err))
}

// newFile makes an empty index with a number of its own.
func (x *Index) newFile() (*file, error) {
	list, err := x.files()
	if err != nil {
		return nil, err
	}
	n := 1
	if len(list) > 0 {
		if _, err := fmt.Sscanf(filepath.Base(list[len(list)-1]), fileName, &n); err != nil {
			return nil, fmt.Errorf("index: %s: %w", list[len(list)-1], err)
		}
		n++
	}
	return openFile(filepath.Join(x.dir, fmt.Sprintf(fileName, n)), true)
}

// Close ends the use of the index. Searches that run come to an error.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	var err error
	if cur := x.cur.Load(); cur != nil {
		err = cur.close()
	}
	if x.next != nil {
		err = errors.Join(err, x.next.close())
	}
	return errors.Join(err, x.lock.Close())
}

// Cursor implements store.Index.
func (x *Index) Cursor() store.Cursor { return store.Cursor(x.cur.Load().cursor.Load()) }

// Apply implements store.Index.
func (x *Index) Apply(ctx context.Context, records []store.Record, upTo store.Cursor) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return store.ErrClosed
	}
	return x.cur.Load().apply(records, upTo)
}

// Reindex makes the index anew from the log, while the one there is serves on. It
// asks [Index.Run] to do so; IndexState tells how far it is.
func (x *Index) Reindex(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return store.ErrClosed
	}
	if x.next == nil && x.cur.Load().complete.Load() { // else it is being made already
		f, err := x.newFile()
		if err != nil {
			return err
		}
		x.next = f
	}
	x.rouse()
	return nil
}

// rouse lets Run look again for what is to do.
func (x *Index) rouse() {
	if cancel := x.wake.Load(); cancel != nil {
		(*cancel)()
	}
}

// IndexState implements store.Index.
func (x *Index) IndexState() store.IndexState {
	x.mu.Lock()
	next := x.next
	x.mu.Unlock()
	f := x.cur.Load()
	v := f.view.Load()
	s := store.IndexState{
		Cursor: store.Cursor(f.cursor.Load()), Items: v.items, Versions: int64(v.n), Bytes: f.size(),
		Rebuilding: !f.complete.Load() || next != nil, Total: int64(x.end.Load()),
	}
	s.Done = int64(s.Cursor)
	if next != nil {
		s.Done, s.Bytes = int64(next.cursor.Load()), s.Bytes+next.size()
	}
	s.Total = max(s.Total, s.Done)
	if p := x.stuck.Load(); p != nil {
		s.Fault = *p
	} else if p := x.fault.Load(); p != nil {
		s.Fault = *p
	}
	return s
}
