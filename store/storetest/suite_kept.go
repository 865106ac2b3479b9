package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
	"chancery/store"
)

// A version that says what the one before said is kept and marked; the item did not
// change with it (PEERS part 5, 56; PUB-16).
func trivial(t *testing.T, s store.Store) {
	Source(t, s, "a")
	step := func(n int, text string, same bool) store.Outcome {
		d := Draft("1", text)
		d.Trivial = func(was *feed.Entry) bool {
			if was.Title.Value == text {
				t.Errorf("%q was compared with itself", text)
			}
			return same
		}
		return appendTo(t, s, "a", day0.Add(time.Duration(n)*time.Hour), d)[0]
	}
	step(0, "one", true)
	step(1, "One.", true)
	step(2, "two", false)
	id := step(3, "Two.", true).ID
	revs, err := s.Revisions(t.Context(), id)
	if err != nil || len(revs) != 4 {
		t.Fatalf("%d versions, %v", len(revs), err)
	}
	for i, want := range []struct {
		trivial bool
		changed int
	}{{false, 0}, {true, 0}, {false, 2}, {true, 2}} {
		it := &revs[i]
		if at := day0.Add(time.Duration(want.changed) * time.Hour); it.Trivial != want.trivial || !it.Changed.Equal(at) || !it.Revised.Equal(day0.Add(time.Duration(i)*time.Hour)) {
			t.Errorf("version %d: trivial %v, changed %v, revised %v; want %v, %v", i+1, it.Trivial, it.Changed, it.Revised, want.trivial, at)
		}
	}
	items, err := s.Items(t.Context(), []feed.ItemID{id}, 0)
	if err != nil || len(items) != 1 || !items[0].Changed.Equal(day0.Add(2*time.Hour)) {
		t.Errorf("the item changed at %v, %v", items[0].Changed, err)
	}
	heads, err := s.Heads(t.Context(), store.HeadQuery{})
	if err != nil || len(heads) != 1 || !heads[0].Revised.Equal(day0.Add(2*time.Hour)) {
		t.Errorf("heads %v, %v", heads, err)
	}
	records, _, err := s.Follow(t.Context(), 0, store.KindsOf(store.KindItem, store.KindRevision), 10)
	if err != nil || len(records) != 4 || !records[1].Item.Changed.Equal(day0) || !records[3].Item.Changed.Equal(day0.Add(2*time.Hour)) {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// letGo: documents of before a time are not kept, later ones and all items are.
func letGo(t *testing.T, s store.Store) {
	Source(t, s, "a")
	for i := range 2 {
		b := store.Batch{At: day0.AddDate(0, 0, i), Document: &store.Document{Source: "a", Body: []byte(fmt.Sprint("document ", i))}}
		b.Drafts = []store.Draft{Draft(fmt.Sprint(i), fmt.Sprint("post ", i))}
		if _, err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	edit := store.Edit{Kind: store.KindExpired, Before: day0.AddDate(0, 0, 1), Reason: "old", By: "rule"}
	for range 2 { // the second time there is nothing to do
		if err := s.Change(t.Context(), []store.Edit{edit}); err != nil {
			t.Fatal(err)
		}
	}
	records, _, err := s.Follow(t.Context(), 0, store.AllKinds, 100)
	if err != nil {
		t.Fatal(err)
	}
	gone, kept := 0, 0
	for _, r := range records {
		switch r.Kind {
		case store.KindExpired:
			gone += r.Edit.Documents
		case store.KindRaw:
			if _, err := s.Document(t.Context(), r.Seq); err == nil {
				kept++
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
	}
	if heads, err := s.Heads(t.Context(), store.HeadQuery{}); gone != 1 || kept != 1 || len(heads) != 2 || err != nil {
		t.Errorf("%d documents let go, %d kept, %d items, %v; want 1, 1, 2", gone, kept, len(heads), err)
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindExpired}}); err == nil {
		t.Error("documents were let go of before no time")
	}
}

// withdrawn: what was withdrawn can come back.
func withdrawn(t *testing.T, s store.Store) {
	Source(t, s, "a")
	id := appendTo(t, s, "a", day0, Draft("1", "one"))[0].ID
	for _, undo := range []bool{false, true} {
		if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindWithdrawn, Items: []feed.ItemID{id}, Undo: undo, By: "x"}}); err != nil {
			t.Fatal(err)
		}
		it, err := s.Items(t.Context(), []feed.ItemID{id}, 0)
		if err != nil || len(it) != 1 || it[0].Withdrawn == undo {
			t.Errorf("undo %v: %v, %v", undo, it, err)
		}
	}
}

// What is given and what is returned belongs to the caller, who may change it.
func callersOwn(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	lists := func() store.PollState {
		gap := store.Gap{From: day0, To: day0.Add(time.Hour)}
		return store.PollState{Colliding: []string{"x"}, Repairs: []string{"r"}, Schedule: []byte("s"), Gaps: []store.Gap{gap}}
	}
	spoil := func(st store.PollState) {
		st.Colliding[0], st.Repairs[0], st.Schedule[0], st.Gaps[0] = "spoiled", "spoiled", '!', store.Gap{}
	}
	for _, batch := range []*store.Batch{nil, {}, {Drafts: []store.Draft{Draft("g", "text")}}} {
		lease := func() store.Lease {
			t.Helper()
			leases, err := s.Lease(ctx, store.LeaseQuery{Now: day0, Sources: []feed.SourceID{"a"}})
			if err != nil || len(leases) != 1 {
				t.Fatalf("%d leases, %v", len(leases), err)
			}
			return leases[0]
		}
		l, given := lease(), lists()
		if _, err := s.Finish(ctx, l, store.PollResult{State: given, Batch: batch}); err != nil {
			t.Fatal(err)
		}
		spoil(given)
		all, err := s.Sources(ctx)
		if err != nil {
			t.Fatal(err)
		}
		one, err := s.Source(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		l = lease()
		spoil(all[0].State)
		spoil(one.State)
		spoil(l.State)
		if got, err := s.Source(ctx, "a"); err != nil || !cmp.Equal(got.State, lists()) {
			t.Errorf("with %v: the state is %+v, %v; want what was given", batch != nil, got.State, err)
		}
		if err := s.Release(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
}

// What somebody decides about a source while it is polled stands, whatever the poll
// learned of it; what it brought is kept.
func changedMeanwhile(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	for i, meanwhile := range []bool{false, true} {
		leases, err := s.Lease(ctx, store.LeaseQuery{Now: day0, Sources: []feed.SourceID{"a"}})
		if err != nil || len(leases) != 1 {
			t.Fatalf("%d leases, %v", len(leases), err)
		}
		want := leases[0].Source
		want.Title, want.Headers = "learned", map[string]string{"Accept": "x"}
		learned := want
		if meanwhile {
			want.Title, want.Interval = "decided", time.Hour
			if err := s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &want}}); err != nil {
				t.Fatal(err)
			}
			learned.Moved = "https://a.example/moved"
		}
		out, err := s.Finish(ctx, leases[0], store.PollResult{Source: &learned, Batch: &store.Batch{Drafts: []store.Draft{Draft(fmt.Sprint(i), fmt.Sprint(i))}}})
		if err != nil || len(out) != 1 || out[0].State != store.New {
			t.Fatalf("the poll brought %v, %v; want a new item", out, err)
		}
		if got, err := s.Source(ctx, "a"); err != nil || !cmp.Equal(got.Source, want) {
			t.Errorf("changed meanwhile: %v; the source is %+v, %v; want %+v", meanwhile, got.Source, err, want)
		}
	}
}
