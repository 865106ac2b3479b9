package index

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// While a new index is made the one that serves takes in what is new first, and
// hides what is taken down at once.
func TestServesWhileRebuilding(t *testing.T) {
	w := newWatched(t, 30)
	w.most = 5
	x := openDir(t, t.TempDir(), w.Model)
	defer x.Close()
	if err := x.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.archive = w // five records at a time from here on
	step := func() {
		t.Helper()
		if err := x.step(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	step()
	id := w.add(t, 30, "one more camp")
	step()
	if n := total(t, x, "camp"); n != 31 || !x.IndexState().Rebuilding {
		t.Errorf("%d hits, want 31; state %+v", n, x.IndexState())
	}
	if err := w.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{id}}}); err != nil {
		t.Fatal(err)
	}
	step()
	if n := total(t, x, "camp"); n != 30 || !x.IndexState().Rebuilding {
		t.Errorf("%d hits after the takedown, want 30; state %+v", n, x.IndexState())
	}
	if err := x.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if s := x.IndexState(); s.Rebuilding || s.Items != 30 && s.Items != 31 {
		t.Errorf("state %+v", s)
	}
	if n := total(t, x, "camp"); n != 30 {
		t.Errorf("%d hits in the new index, want 30", n)
	}
}

// CatchUp ends with all that the archive has, says how far it is, and does nothing
// the second time.
func TestCatchUp(t *testing.T) {
	w := newWatched(t, 40)
	w.most = 10
	x := openDir(t, t.TempDir(), w)
	defer x.Close()
	var last, calls int64
	progress := func(done, total int64) {
		if done < last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
		calls++
	}
	for range 2 {
		if err := x.CatchUp(t.Context(), progress); err != nil {
			t.Fatal(err)
		}
	}
	if s := x.IndexState(); s.Rebuilding || s.Items != 40 || calls == 0 {
		t.Errorf("state %+v after %d calls", s, calls)
	}
}

// An index of another archive is noticed even where that has more records than the
// one it was made from: an older backup that was put in place and has grown since.
func TestOfAnotherArchive(t *testing.T) {
	dir := t.TempDir()
	x := openDir(t, dir, newWatched(t, 20))
	if err := errors.Join(x.CatchUp(t.Context(), nil), x.Close()); err != nil {
		t.Fatal(err)
	}
	other := newWatched(t, 0)
	for n := range 30 {
		other.add(t, 500+n, "quite another text")
	}
	y := openDir(t, dir, other)
	defer y.Close()
	if s := y.IndexState(); !strings.Contains(s.Fault, "restored or replaced") || s.Items != 0 {
		t.Errorf("state %+v", s)
	}
}

// An index is of one process at a time, and of the next when that is gone.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	w := newWatched(t, 1)
	x := openDir(t, dir, w)
	if _, err := Open(t.Context(), dir, w, DefaultConfig(), nil); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a second one: %v, want ErrBusy", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openDir(t, dir, w).Close(); err != nil {
		t.Error(err)
	}
}

// What is left of a removal that was cut short is removed: a new file of that name
// must not find the log of the old one.
func TestOrphans(t *testing.T) {
	dir := t.TempDir()
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.WriteFile(filepath.Join(dir, "words-000001.sqlite"+end), []byte("of a file that is gone"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWatched(t, 3)
	x := openDir(t, dir, w)
	defer x.Close()
	if err := x.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := total(t, x, "camp"); n != 3 {
		t.Errorf("%d hits, want 3", n)
	}
}

// An error of the machine is not taken for damage: the file stays.
func TestFaultsThatAreNotDamage(t *testing.T) {
	for code, damage := range map[int]bool{
		11: true, 26: true, 24: true, // SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT
		5: false, 6: false, 7: false, 9: false, 10: false, 13: false, 14: false, // busy, locked, no memory, interrupted, I/O, full, cannot open
	} {
		if got := damages(code); got != damage {
			t.Errorf("SQLite's error %d is damage: %v, want %v", code, got, damage)
		}
	}
}

// lacking is an archive of which one record is damaged.
type lacking struct {
	*watched
	lost store.Cursor
}

func (l *lacking) Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	end, err := l.End(ctx)
	if err == nil && after+1 == l.lost && after+1 == end {
		return nil, end, nil
	}
	records, next, err := l.watched.Follow(ctx, after, kinds, limit)
	return slices.DeleteFunc(records, func(r store.Record) bool { return r.Seq == l.lost }), next, err
}

// An index whose last record is damaged, or was when it came to it, is not taken for that
// of another archive, and nobody waits for the record.
func TestLastRecordIsDamaged(t *testing.T) {
	dir := t.TempDir()
	w := newWatched(t, 5)
	end, err := w.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := func(a Archive, posts int64) *Index {
		t.Helper()
		x, err := Open(ctx, dir, a, DefaultConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if s := x.IndexState(); s.Fault != "" || s.Items != posts {
			t.Fatalf("state %+v, want %d items and no fault", s, posts)
		}
		return x
	}
	x := open(w, 0)
	if err := errors.Join(x.CatchUp(ctx, nil), x.Close()); err != nil {
		t.Fatal(err)
	}
	if err := open(&lacking{w, end}, 5).Close(); err != nil { // damaged since
		t.Error(err)
	}
	w.add(t, 5, "one more")
	if err := open(&lacking{w, end}, 5).Close(); err != nil { // and another behind it
		t.Error(err)
	}
	damaged := &lacking{w, end + 1}
	x = open(damaged, 5)
	if err := errors.Join(x.CatchUp(ctx, nil), x.Close()); err != nil { // when it came to it
		t.Fatal(err)
	}
	if x = open(w, 5); x.Cursor() != end+1 { // it can be read again
		t.Errorf("cursor %d, want %d", x.Cursor(), end+1)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// While the archive is read from the start, batches that are cut short because their
// records are large are not gathered: they would be all in memory.
func TestLargeRecordsAreNotGathered(t *testing.T) {
	w := newWatched(t, 30)
	w.most = 5 // as if five were large
	x := openDir(t, t.TempDir(), w)
	defer x.Close()
	if err := x.step(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if x.Cursor() != 5 {
		t.Errorf("%d records in one commit, want 5", x.Cursor())
	}
}
