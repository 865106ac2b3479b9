package index

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"chancery/store"
)

const (
	// Follow gives at most batch records; while the archive is read from the start,
	// bulk batches make one commit, since each writes what FTS5 holds back. Fewer do
	// while another file serves, which takes in what is new in between.
	batchRecords = 1000
	bulkBatches  = 8
	asideBatches = 2

	// After a batch of so many records more are on the way, and the next one waits a
	// moment for them: what FTS5 writes and merges for a commit is the less the more is
	// in it.
	burst  = 64
	settle = 200 * time.Millisecond
)

// Run follows the archive until ctx ends, and makes a new index where one is
// needed. What is committed while it waits is found as soon as it is taken in. It
// returns an error only if the archive or the disk cannot be used.
func (x *Index) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := x.step(ctx, true); err != nil && ctx.Err() == nil {
			text := "nothing new is taken in: " + err.Error()
			x.stuck.Store(&text)
			return err
		}
		x.stuck.Store(nil)
	}
	return context.Cause(ctx)
}

// CatchUp takes in what the archive has now, and makes a new index where one is
// needed, for a process in which [Index.Run] does not run. progress, which may be
// nil, is told how many records of the log are done.
func (x *Index) CatchUp(ctx context.Context, progress func(done, total int64)) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		end, err := x.archive.End(ctx)
		if err != nil {
			return err
		}
		x.end.Store(uint64(end))
		s := x.IndexState()
		if !s.Rebuilding && s.Cursor >= end {
			return nil
		}
		if progress != nil {
			progress(s.Done, s.Total)
		}
		if err := x.step(ctx, false); err != nil {
			return err
		}
	}
}

// step does the next piece of work: a batch, or a file put in the place of another.
// With wait it waits for records if there is nothing to do.
func (x *Index) step(ctx context.Context, wait bool) error {
	end, err := x.archive.End(ctx)
	if err != nil {
		return err
	}
	x.end.Store(uint64(end))
	f, err := x.work()
	if err == nil {
		err = x.advance(ctx, f, wait)
	}
	if err != nil && unusable(err) && f != nil {
		f.broken.CompareAndSwap(nil, &err)
		err = x.replace(ctx, f)
	}
	return err
}

// work is the file that needs records: the one that serves, so that what is new is
// found and what was taken down is not, then the one that is being made.
func (x *Index) work() (*file, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, store.ErrClosed
	}
	cur := x.cur.Load()
	if x.next == nil && cur.purge.Load() && cur.complete.Load() {
		f, err := x.newFile()
		if err != nil {
			return nil, err
		}
		x.next = f
	}
	if x.next == nil || cur.broken.Load() != nil || cur.complete.Load() && cur.cursor.Load() < x.end.Load() {
		return cur, nil
	}
	return x.next, nil
}

// replace puts an empty file in the place of one that is damaged, or the one that
// is being made if that is sound.
func (x *Index) replace(ctx context.Context, f *file) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return store.ErrClosed
	}
	x.throwAway(ctx, *f.broken.Load())
	if f == x.next {
		x.next = nil
		return errors.Join(f.close(), removeFile(f.path))
	}
	if x.next == nil {
		fresh, err := x.newFile()
		if err != nil {
			return err
		}
		x.next = fresh
	}
	x.cur.Store(x.next)
	x.next = nil
	// What closing a damaged file says is of no interest.
	_ = f.close()
	return removeFile(f.path)
}

// advance takes in the next records, waiting for them if there are none and it may.
func (x *Index) advance(ctx context.Context, f *file, mayWait bool) error {
	if broken := f.broken.Load(); broken != nil {
		return *broken
	}
	if done, err := x.finish(ctx, f); done || err != nil {
		return err
	}
	if !mayWait && f.cursor.Load() >= x.end.Load() {
		return nil
	}
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	x.wake.Store(&cancel)
	if f.broken.Load() != nil {
		return nil
	}
	if mayWait && x.lately >= burst {
		pause(wait, settle)
	}
	batches := bulkBatches
	if f != x.cur.Load() {
		batches = asideBatches
	}
	after := store.Cursor(f.cursor.Load())
	records, upTo, err := x.archive.Follow(wait, after, store.AllKinds, batchRecords)
	full := len(records) == batchRecords // else they are large, or all that there are
	for n := 1; err == nil && full && n < batches && f.bulk && uint64(upTo) < x.end.Load(); n++ {
		var more []store.Record
		more, upTo, err = x.archive.Follow(wait, upTo, store.AllKinds, batchRecords)
		records, full = append(records, more...), len(more) == batchRecords
	}
	if err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return nil // woken
		}
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return store.ErrClosed
	}
	x.lately = 0
	if !f.bulk {
		x.lately = len(records)
	}
	return f.apply(records, upTo)
}

// pause waits, until ctx ends at most.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// finish marks a file that has reached the end of the archive. If it was made
// aside, it takes the place of the one before, and there is other work to do.
func (x *Index) finish(ctx context.Context, f *file) (changed bool, err error) {
	if f.complete.Load() && f == x.cur.Load() {
		return false, nil
	}
	end, err := x.archive.End(ctx)
	if err != nil {
		return false, err
	}
	x.end.Store(uint64(end))
	if store.Cursor(f.cursor.Load()) < end {
		return false, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false, store.ErrClosed
	}
	if err := f.setMeta(map[string]int64{"complete": 1}); err != nil {
		return false, err
	}
	if err := f.tune(false); err != nil {
		return false, err
	}
	f.complete.Store(true)
	x.fault.Store(nil)
	x.log.LogAttrs(ctx, slog.LevelInfo, "index has all of the archive", slog.Int64("items", f.view.Load().items))
	if f != x.next {
		return false, nil
	}
	old := x.cur.Swap(f)
	x.next = nil
	return true, errors.Join(old.close(), removeFile(old.path))
}
