package bolt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

func leaseOf(t *testing.T, s *bolt.Store, id feed.SourceID) store.Lease {
	t.Helper()
	l, err := s.Lease(t.Context(), store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{id}})
	if err != nil || len(l) != 1 {
		t.Fatalf("%d leases of %s, %v", len(l), id, err)
	}
	return l[0]
}

func finish(t *testing.T, s *bolt.Store, id feed.SourceID, etag string) {
	t.Helper()
	if _, err := s.Finish(t.Context(), leaseOf(t, s, id), store.PollResult{State: store.PollState{ETag: etag}}); err != nil {
		t.Fatal(err)
	}
}

func etag(t *testing.T, s *bolt.Store, id feed.SourceID) string {
	t.Helper()
	st, err := s.Source(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st.State.ETag
}

// F-12: polls that brought nothing are seen at once, become part of whatever is
// committed next, and Close leaves none of them out.
func TestLateStates(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	const sources = 300
	for i := range sources {
		storetest.Source(t, s, feed.SourceID(fmt.Sprint("s", i)))
	}
	before, began := s.Commits(), time.Now()
	for i := range sources {
		finish(t, s, feed.SourceID(fmt.Sprint("s", i)), fmt.Sprint(i))
	}
	if got := etag(t, s, "s7"); got != "7" {
		t.Errorf("the state is %q at once", got)
	}
	if l := leaseOf(t, s, "s7"); l.State.ETag != "7" {
		t.Errorf("the next lease has %q", l.State.ETag)
	} else if err := s.Release(t.Context(), l); err != nil {
		t.Error(err)
	}
	// One a second, on however slow a machine.
	if n, most := s.Commits()-before, 5+int64(time.Since(began)/time.Second); n > most {
		t.Errorf("%d polls took %d commits, at most %d were due", sources, n, most)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	for i := range sources {
		if id := feed.SourceID(fmt.Sprint("s", i)); etag(t, s, id) != fmt.Sprint(i) {
			t.Fatalf("%s: the state is %q after opening again", id, etag(t, s, id))
		}
	}
}

// What is committed after a late state goes before it: a poll that brought
// something, a source that is removed. The catalog of a process that was killed,
// here a copy of it, has no late state without what was committed with it.
func TestLateOvertaken(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	for _, id := range []feed.SourceID{"a", "b", "c"} {
		storetest.Source(t, s, id)
		finish(t, s, id, "late")
	}
	b := store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("1", "text")}}
	if _, err := s.Finish(t.Context(), leaseOf(t, s, "a"), store.PollResult{State: store.PollState{ETag: "newer"}, Batch: &b}); err != nil {
		t.Fatal(err)
	}
	err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "b", URL: "https://b.example/", Removed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if got := etag(t, s, "a"); got != "newer" {
			t.Errorf("a is %q", got)
		}
		if _, err := s.Source(t.Context(), "b"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("b is there: %v", err)
		}
		if got := etag(t, s, "c"); got != "late" {
			t.Errorf("c is %q", got)
		}
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	check()
}

// A poll that ends while a commit is under way which changes its source otherwise is
// not lost with it.
func TestLateMeanwhile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < 60 && err == nil; i++ {
			d := storetest.Draft(fmt.Sprint("n", i), fmt.Sprint("text ", i))
			_, err = s.Append(context.Background(), store.Batch{Source: "a", Drafts: []store.Draft{d}})
		}
		done <- err
	}()
	last := ""
	for i := 0; ; i++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{})
			if got := etag(t, s, "a"); got != last {
				t.Errorf("opened again: %q, want %q", got, last)
			}
			return
		default:
		}
		if got := etag(t, s, "a"); got != last {
			t.Fatalf("poll %d: the state is %q, want %q", i, got, last)
		}
		last = fmt.Sprint(i)
		finish(t, s, "a", last)
	}
}

// Every field of a poll state is kept, and states of archives written before are read.
func TestStateRow(t *testing.T) {
	var full store.PollState
	n := 50
	fill(reflect.ValueOf(&full).Elem(), &n, 0)
	for _, p := range []*time.Time{&full.Polled, &full.Succeeded, &full.Changed, &full.NextDue, &full.NotBefore, &full.FirstFailure} {
		*p = p.UTC()
	}
	for i := range full.Gaps { // they are kept to the second
		g := &full.Gaps[i]
		g.From, g.To = g.From.UTC().Truncate(time.Second), g.To.UTC().Truncate(time.Second)
	}
	for _, want := range []store.PollState{full, {}, {Failures: -1, Interval: time.Hour}} {
		dir := t.TempDir()
		s := open(t, dir, bolt.Options{})
		storetest.Source(t, s, "a")
		storetest.Source(t, s, "old")
		if _, err := s.Finish(t.Context(), leaseOf(t, s, "a"), store.PollResult{State: want}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(filepath.Join(dir, "catalog.bolt"), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			v, err := json.Marshal(want)
			if err != nil {
				return err
			}
			return tx.Bucket([]byte("state")).Put([]byte("old"), v)
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, bolt.Options{})
		for _, id := range []feed.SourceID{"a", "old"} {
			got, err := s.Source(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got.State); d != "" {
				t.Errorf("%s (-want +got):\n%s", id, d)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
