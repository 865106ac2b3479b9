package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Exported is a batch as an export gives it: a post with three versions that was tagged
// and withdrawn, one that was taken down, a copy of the first in the same source, and one
// that shares its text and is no copy.
func Exported(source feed.SourceID) store.Batch {
	at := func(hours int) time.Time { return day0.Add(time.Duration(hours) * time.Hour) }
	version := func(guid, text string, r store.Recorded) store.Draft {
		d := Draft(guid, text)
		d.ID = feed.NewItemID(day0, 0, source, guid)
		d.FirstSeen, d.Recorded = day0, &r
		return d
	}
	told := feed.NewItemID(day0, 0, source, "versions")
	gone := store.Draft{
		Native: "", Keys: []store.Key{Hash(store.KeyGUID, "gone")}, Part: -1, ID: feed.NewItemID(day0, 0, source, "gone"), FirstSeen: day0,
		Entry:    feed.Entry{Published: feed.Date{Time: day0}, Language: "en"},
		Recorded: &store.Recorded{Decided: []store.Edit{{Kind: store.KindTakedown, Reason: "asked", By: "command", At: at(9)}}},
	}
	before := gone
	before.Version = feed.DigestOf([]byte("before"))
	before.Recorded = &store.Recorded{Earlier: true}
	return store.Batch{Source: source, From: "export.jsonl", Drafts: []store.Draft{
		version("versions", "first words", store.Recorded{Earlier: true, LastSeen: at(1)}),
		version("versions", "second words", store.Recorded{Earlier: true, Seen: at(2), LastSeen: at(2), Trivial: true}),
		version("versions", "second words", store.Recorded{Seen: at(3), LastSeen: at(5), Reparsed: true, Known: []store.Key{Hash(store.KeyGUID, "versions"), Hash(store.KeyGUID, "also")}, Decided: []store.Edit{
			{Kind: store.KindTopics, Topics: []feed.Tag{{Topic: "iran", Score: -1, Manual: true}}, Reason: "no", By: "command", At: at(4)},
			{Kind: store.KindWithdrawn, Reason: "asked", By: "command", At: at(6)},
		}}),
		before, gone,
		version("copy", "other words", store.Recorded{Story: []feed.ItemID{{1}, told}}),
		version("no copy", "first words", store.Recorded{Apart: func(feed.SourceID) bool { return true }}),
		Draft("plain", "plain words"),
	}}
}

// What an export says of an item's versions, its story and what was decided about it
// comes in with it, in one commit; the same again changes nothing.
func recorded(t *testing.T, s store.Store) {
	model := NewModel()
	for _, x := range []store.Store{s, model} {
		Source(t, x, "a")
		Source(t, x, "b")
		appendTo(t, x, "b", day0, Draft("theirs", "first words"))
		wantStates(t, appendTo(t, x, "a", day0.Add(24*time.Hour), Exported("a").Drafts...),
			store.Duplicate, store.Revised, store.Revised, store.New, store.Revised, store.Duplicate, store.New, store.New)
		end, _ := x.End(t.Context())
		again := appendTo(t, x, "a", day0.Add(24*time.Hour), Exported("a").Drafts...)
		wantStates(t, again, store.Same, store.Same, store.Same, store.Same, store.Same, store.Same, store.Same, store.Same)
		if now, _ := x.End(t.Context()); now != end {
			t.Errorf("the same export again: the log grew from %d to %d", end, now)
		}
		keys, err := x.Keys(t.Context(), again[4].ID)
		if err != nil || fmt.Sprint(keys) != fmt.Sprint([]store.Key{Hash(store.KeyGUID, "gone")}) {
			t.Errorf("keys of what was taken down: %v, %v", keys, err)
		}
		recs, at, err := x.Records(t.Context(), 0, store.KindsOf(store.KindTakedown, store.KindWithdrawn), 1)
		if err != nil || len(recs) != 1 || recs[0].Kind != store.KindWithdrawn || recs[0].Edit.At.IsZero() {
			t.Errorf("records %+v, %v", recs, err)
		}
		recs, at, err = x.Records(t.Context(), at, store.KindsOf(store.KindTakedown, store.KindWithdrawn), 0)
		if err != nil || len(recs) != 1 || at != end {
			t.Errorf("records %+v at %d of %d, %v", recs, at, end, err)
		}
		if recs, at, err = x.Records(t.Context(), at, store.AllKinds, 1); err != nil || len(recs) != 0 || at != end {
			t.Errorf("at the end of the log: %+v, %d, %v", recs, at, err)
		}
	}
	if diff, err := Diff(t.Context(), s, model); err != nil || diff != "" {
		t.Errorf("engine and model differ (-model +engine):\n%s\n%v", diff, err)
	}
	revs, err := s.Revisions(t.Context(), feed.NewItemID(day0, 0, "a", "versions"))
	if err != nil || len(revs) != 3 {
		t.Fatalf("%d versions, %v", len(revs), err)
	}
	last := revs[2]
	if !revs[1].Trivial || !last.Reparsed || !last.Revised.Equal(day0.Add(3*time.Hour)) || !last.LastSeen.Equal(day0.Add(5*time.Hour)) || !last.Withdrawn {
		t.Errorf("the last version is %+v", last)
	}
	for what, drafts := range map[string][]store.Draft{
		"no later version":      {{Keys: Draft("x", "x").Keys, Part: -1, Recorded: &store.Recorded{Earlier: true}}},
		"decisions in between":  {{Keys: Draft("x", "x").Keys, Part: -1, Recorded: &store.Recorded{Earlier: true, Decided: []store.Edit{{Kind: store.KindWithdrawn}}}}, Draft("x", "y")},
		"a merge of one":        {{Keys: Draft("x", "x").Keys, Part: -1, Recorded: &store.Recorded{Decided: []store.Edit{{Kind: store.KindMerge}}}}},
		"a decision on another": {{Keys: Draft("x", "x").Keys, Part: -1, Recorded: &store.Recorded{Decided: []store.Edit{{Kind: store.KindWithdrawn, Items: []feed.ItemID{{1}}}}}}},
	} {
		if _, err := s.Append(context.Background(), store.Batch{Source: "a", Drafts: drafts}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
