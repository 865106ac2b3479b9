package bolt_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// P-74, OPS-25: what an export says of items is in the log: a catalog made anew has it, a
// deep check finds no fault, and a compaction keeps it.
func TestRecordedLasts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	out, err := s.Append(t.Context(), storetest.Exported("a"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []feed.ItemID
	for _, o := range out {
		ids = append(ids, o.ID)
	}
	read := func() [][]feed.Item {
		var all [][]feed.Item
		for _, id := range ids {
			revs, err := s.Revisions(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, revs)
		}
		return all
	}
	want := read()
	reopen := func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := removeCatalog(dir); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, bolt.Options{})
	}
	reopen()
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("with a catalog made anew (-before +after):\n%s", diff)
	}
	if _, err := s.Compact(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	reopen()
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("compacted (-before +after):\n%s", diff)
	}
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 || rep.Items != 5 || rep.Revisions != 8 {
		t.Errorf("verify --deep: %+v, %v", rep, err)
	}
}

// An item that comes taken down has no content here, so that no volume is written anew
// for it: an import of many costs what other imports cost.
func TestTakenDownComesCheap(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	volume := filepath.Join(dir, "archive/v000001.bolt")
	before, err := os.Stat(volume)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Append(t.Context(), storetest.Exported("a"))
	if err != nil {
		t.Fatal(err)
	}
	gone := out[4].ID
	// Once more by hand: there is nothing to remove.
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{gone}, Reason: "again"}}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(volume)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the volume was written anew (%v)", err)
	}
	// The post stays away when its feed brings it.
	back := storetest.Draft("gone", "what it said")
	o, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{back}, At: time.Now()})
	if err != nil || o[0].ID != gone || o[0].State != store.Same {
		t.Errorf("it came back: %+v, %v", o, err)
	}
}
