package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/storetest"
)

// watched is an archive that tells when its follower waits at the end.
type watched struct {
	*storetest.Model
	idle chan struct{}
	most int // records that Follow gives at once
}

func (w *watched) Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	end, err := w.End(ctx)
	if err != nil {
		return nil, after, err
	}
	if after >= end {
		select {
		case w.idle <- struct{}{}:
		case <-ctx.Done():
			return nil, after, context.Cause(ctx)
		}
	}
	if w.most > 0 {
		limit = min(limit, w.most)
	}
	return w.Model.Follow(ctx, after, kinds, limit)
}

func newWatched(t *testing.T, posts int) *watched {
	w := &watched{Model: storetest.NewModel(), idle: make(chan struct{})}
	if err := w.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "blog"}}}); err != nil {
		t.Fatal(err)
	}
	for n := range posts {
		w.add(t, n, fmt.Sprintf("post number%d about the camp", n))
	}
	return w
}

func (w *watched) add(t *testing.T, n int, body string) feed.ItemID {
	t.Helper()
	at := start.AddDate(0, 0, n)
	d := store.Draft{
		Entry:  feed.Entry{Title: feed.Text{Value: fmt.Sprint("Title ", n)}, Content: feed.Text{Value: body}, Language: "en", Published: feed.Date{Time: at}},
		Native: fmt.Sprint(n), Part: -1, Keys: []store.Key{storetest.Hash(store.KeyGUID, fmt.Sprint(n))}, Version: feed.DigestOf([]byte(body)),
	}
	out, err := w.Append(t.Context(), store.Batch{Source: "blog", Drafts: []store.Draft{d}, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].ID
}

// follow runs the index until the test ends.
func follow(t *testing.T, x *Index) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
}

func openDir(t *testing.T, dir string, a Archive) *Index {
	t.Helper()
	cfg := DefaultConfig()
	cfg.MaxTime = time.Minute
	x, err := Open(t.Context(), dir, a, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func total(t *testing.T, x *Index, text string) int {
	t.Helper()
	p := ask(t, x, text, store.SearchOptions{})
	return p.Total
}

func ask(t *testing.T, x *Index, text string, o store.SearchOptions) store.SearchPage {
	t.Helper()
	var q *query.Query
	if text != "" {
		var err error
		if q, err = query.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	p, err := x.Search(t.Context(), q, o)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// What is committed is found when the follower has taken it in, and the index goes
// on after it was closed.
func TestRunFollows(t *testing.T) {
	w := newWatched(t, 10)
	dir := t.TempDir()
	x := openDir(t, dir, w)
	follow(t, x)
	<-w.idle
	if n := total(t, x, "camp"); n != 10 {
		t.Errorf("%d posts about the camp, want 10", n)
	}
	w.add(t, 10, "one more camp")
	<-w.idle
	if n := total(t, x, "camp"); n != 11 {
		t.Errorf("%d posts about the camp, want 11", n)
	}
	if s := x.IndexState(); s.Rebuilding || s.Items != 11 || s.Fault != "" || s.Bytes == 0 {
		t.Errorf("state %+v", s)
	}
}

// A rebuild that is killed goes on where it was; searches meanwhile find what is
// there and say that it is not all.
func TestRebuildResumes(t *testing.T) {
	w := newWatched(t, 50)
	dir := t.TempDir()
	x := openDir(t, dir, w)
	records, upTo, err := w.Model.Follow(t.Context(), 0, store.AllKinds, 20)
	if err == nil {
		err = x.Apply(t.Context(), records, upTo)
	}
	if err != nil {
		t.Fatal(err)
	}
	// No Close: the process is gone, and its lock with it.
	if err := x.lock.Close(); err != nil {
		t.Fatal(err)
	}
	y := openDir(t, dir, w)
	if y.Cursor() != upTo {
		t.Errorf("goes on at %d, want %d", y.Cursor(), upTo)
	}
	if p := ask(t, y, "camp", store.SearchOptions{}); p.Total != 19 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "20 of 51") {
		t.Errorf("%d hits, notes %q", p.Total, p.Notes)
	}
	if s := y.IndexState(); !s.Rebuilding || s.Done != 20 || s.Total != 51 {
		t.Errorf("state %+v", s)
	}
	follow(t, y)
	<-w.idle
	if p := ask(t, y, "camp", store.SearchOptions{}); p.Total != 50 || p.Notes != nil {
		t.Errorf("%d hits, notes %q", p.Total, p.Notes)
	}
}

// An index that is damaged, of another format, or of another archive is thrown
// away when it is opened, and made again.
func TestUnusableIsRebuilt(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("junk"), 10_000), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"empty file": func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"other format": func(t *testing.T, path string) { edit(t, path, "PRAGMA user_version=999") },
		"row missing":  func(t *testing.T, path string) { edit(t, path, "DELETE FROM versions WHERE n=7") },
		"row short":    func(t *testing.T, path string) { edit(t, path, "UPDATE versions SET data=x'0102' WHERE n=7") },
		"no structure": func(t *testing.T, path string) { edit(t, path, "DELETE FROM words_data WHERE id=10") },
		"pages spoilt": func(t *testing.T, path string) {
			edit(t, path, "UPDATE words_data SET block=x'FFFFFFFFFFFF' WHERE id>10")
		},
		"versions no end": func(t *testing.T, path string) {
			edit(t, path, "UPDATE meta SET value=1<<45 WHERE key='versions'")
		},
		"versions below none": func(t *testing.T, path string) {
			edit(t, path, "UPDATE meta SET value=-5 WHERE key='versions'")
		},
		"older than itself": func(t *testing.T, path string) { // bytes 61 to 64 of a row; see encodeVersion
			edit(t, path, "UPDATE versions SET data=CAST(substr(data,1,61)||x'08000000'||substr(data,66) AS BLOB) WHERE n=7")
		},
		"newer than itself": func(t *testing.T, path string) {
			edit(t, path, "UPDATE versions SET data=CAST(substr(data,1,65)||x'08000000'||substr(data,70) AS BLOB) WHERE n=7")
		},
		"ahead of the archive": func(t *testing.T, path string) {
			edit(t, path, "UPDATE meta SET value=100000 WHERE key='cursor'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t, 20)
			dir := t.TempDir()
			x := openDir(t, dir, w)
			catchUp(t, x, w.Model)
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			list, err := x.files()
			if err != nil || len(list) != 1 {
				t.Fatalf("%v, %v", list, err)
			}
			spoil(t, list[0])
			y := openDir(t, dir, w)
			if s := y.IndexState(); s.Fault == "" || !s.Rebuilding {
				t.Errorf("state %+v", s)
			}
			follow(t, y)
			<-w.idle
			if n := total(t, y, "camp"); n != 20 {
				t.Errorf("%d hits, want 20", n)
			}
			if s := y.IndexState(); s.Fault != "" || s.Rebuilding {
				t.Errorf("state %+v", s)
			}
		})
	}
}

func edit(t *testing.T, path, sql string) {
	t.Helper()
	c, err := dial(path)
	if err == nil {
		err = errors.Join(c.once(sql), c.close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Damage that a search meets is an error that says so, and heals by itself.
func TestDamageWhileServing(t *testing.T) {
	w := newWatched(t, 20)
	x := openDir(t, t.TempDir(), w)
	follow(t, x)
	<-w.idle
	edit(t, x.cur.Load().path, "UPDATE words_data SET block=x'FFFFFFFFFFFF' WHERE id>10")
	q, err := query.Parse("camp")
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.Search(t.Context(), q, store.SearchOptions{})
	if !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("Search = %v, want ErrCorrupt", err)
	}
	<-w.idle
	if n := total(t, x, "camp"); n != 20 {
		t.Errorf("%d hits, want 20", n)
	}
}

// Reindex serves from the old index until the new one has all, and leaves one file.
func TestReindex(t *testing.T) {
	w := newWatched(t, 30)
	dir := t.TempDir()
	x := openDir(t, dir, w)
	follow(t, x)
	<-w.idle
	if err := x.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := total(t, x, "camp"); n != 30 {
		t.Errorf("%d hits while the new index is made, want 30", n)
	}
	<-w.idle
	if s := x.IndexState(); s.Rebuilding || s.Items != 30 {
		t.Errorf("state %+v", s)
	}
	list, err := x.files()
	if err != nil || len(list) != 1 || filepath.Base(list[0]) != "words-000002.sqlite" {
		t.Errorf("files %v, %v", list, err)
	}
}

// What was taken down is not found any more, and its words leave the disk.
func TestTakedown(t *testing.T) {
	w := newWatched(t, 5)
	id := w.add(t, 5, "the unforgettablesecret of the camp")
	dir := t.TempDir()
	x := openDir(t, dir, w)
	follow(t, x)
	<-w.idle
	if n := total(t, x, "unforgettablesecret"); n != 1 {
		t.Fatalf("%d hits, want 1", n)
	}
	if err := w.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{id}}}); err != nil {
		t.Fatal(err)
	}
	<-w.idle
	if n := total(t, x, "unforgettablesecret OR published:2009 OR NOT camp"); n != 5 {
		t.Errorf("%d hits after the takedown, want 5", n)
	}
	if s := x.IndexState(); s.Rebuilding {
		t.Errorf("state %+v", s)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte("unforgettablesecret")) {
			t.Errorf("%s still has the word, or %v", f, err)
		}
	}
}

// Pages go on where they were whatever arrives between them, in every order, and
// after the index was made anew.
func TestCursorSurvivesArrivals(t *testing.T) {
	for _, order := range []store.SearchOrder{store.Newest, store.Oldest, store.Relevance} {
		t.Run(order.String(), func(t *testing.T) {
			w := newWatched(t, 30)
			x := openDir(t, t.TempDir(), w)
			follow(t, x)
			<-w.idle
			o := store.SearchOptions{Order: order, Limit: 7}
			var whole []feed.ItemID
			for _, h := range ask(t, x, "camp", store.SearchOptions{Order: order, Limit: 100}).Hits {
				whole = append(whole, h.ID)
			}
			var got []feed.ItemID
			for n := 0; ; n++ {
				p := ask(t, x, "camp", o)
				if p.Total != 30 {
					t.Errorf("page %d: a total of %d, want 30", n, p.Total)
				}
				for _, h := range p.Hits {
					got = append(got, h.ID)
				}
				if o.Cursor = p.Next; p.Next == "" {
					break
				}
				w.add(t, 100+n, "camp camp camp")
				w.add(t, -100-n, "camp")
				<-w.idle
			}
			if !slices.Equal(got, whole) {
				t.Errorf("pages give %d hits, at once there were %d, or in another order", len(got), len(whole))
			}
		})
	}
}

// A steady cursor is the same as long as the page is, whatever arrives elsewhere and
// when it is asked for; the walk by it misses nothing that was there.
func TestSteadyCursor(t *testing.T) {
	for _, order := range []store.SearchOrder{store.Newest, store.Oldest, store.Relevance} {
		t.Run(order.String(), func(t *testing.T) {
			w := newWatched(t, 30)
			x := openDir(t, t.TempDir(), w)
			follow(t, x)
			<-w.idle
			o := store.SearchOptions{Order: order, Limit: 7, Steady: true}
			whole := ask(t, x, "camp", store.SearchOptions{Order: order, Limit: 100}).Hits
			first := ask(t, x, "camp", o)
			o.Now = time.Now().Add(time.Hour)
			w.add(t, 100, "nothing of the kind")
			<-w.idle
			if again := ask(t, x, "camp", o); again.Next != first.Next && order != store.Relevance {
				t.Errorf("the cursor was %s and is %s", first.Next, again.Next)
			}
			var got []feed.ItemID
			for p := first; ; p = ask(t, x, "camp", o) {
				for _, h := range p.Hits {
					got = append(got, h.ID)
				}
				if o.Cursor = p.Next; p.Next == "" {
					break
				}
			}
			if len(got) != len(whole) || got[0] != whole[0].ID || got[len(got)-1] != whole[len(whole)-1].ID {
				t.Errorf("pages give %d hits, at once there were %d, or in another order", len(got), len(whole))
			}
			if _, err := x.Search(t.Context(), nil, store.SearchOptions{Cursor: first.Next}); !errors.Is(err, store.ErrBadCursor) {
				t.Errorf("a steady cursor in another search: %v", err)
			}
		})
	}
}

// A search that does not ask what time it is has the same cursor whenever it is
// asked, so that a page of it has the same ETag; one that does keeps the time.
func TestCursorOfTheSameSearch(t *testing.T) {
	w := newWatched(t, 30)
	x := openDir(t, t.TempDir(), w)
	follow(t, x)
	<-w.idle
	now := time.Now()
	for _, c := range []struct {
		query string
		order store.SearchOrder
		same  bool
	}{
		{"camp", store.Newest, true},
		{"camp", store.Oldest, true},
		{"camp published:>=1990", store.Newest, true},
		{"camp", store.Relevance, false},
		{"camp published:9000d", store.Newest, false},
	} {
		one := ask(t, x, c.query, store.SearchOptions{Order: c.order, Limit: 7, Now: now}).Next
		two := ask(t, x, c.query, store.SearchOptions{Order: c.order, Limit: 7, Now: now.Add(time.Hour)}).Next
		if one == "" || (one == two) != c.same {
			t.Errorf("%s, %v: cursors %q and %q, the same: want %v", c.query, c.order, one, two, c.same)
		}
	}
}

// A cursor of another search is refused, whatever it is.
func TestBadCursor(t *testing.T) {
	w := newWatched(t, 30)
	x := openDir(t, t.TempDir(), w)
	follow(t, x)
	<-w.idle
	next := ask(t, x, "camp", store.SearchOptions{Limit: 3}).Next
	for _, c := range []struct {
		text string
		o    store.SearchOptions
	}{
		{"post", store.SearchOptions{Cursor: next}},
		{"camp", store.SearchOptions{Cursor: next, Order: store.Oldest}},
		{"camp", store.SearchOptions{Cursor: next[1:]}},
		{"camp", store.SearchOptions{Cursor: "!"}},
	} {
		q, err := query.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Search(t.Context(), q, c.o); !errors.Is(err, store.ErrBadCursor) {
			t.Errorf("%s %+v: %v, want ErrBadCursor", c.text, c.o, err)
		}
	}
}
