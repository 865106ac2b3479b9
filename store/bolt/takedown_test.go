package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// An item whose records are lost does not keep the content of others from being removed.
func TestRecordsOfUnknownItems(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	items := map[feed.ItemID]bool{}
	for i := range 64 {
		out, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft(fmt.Sprint(i), fmt.Sprint(i))}})
		if err != nil {
			t.Fatal(err)
		}
		items[out[0].ID] = true
	}
	items[feed.ItemID{1, 2, 3}] = true
	seqs, unseen, err := s.recordsOf(items)
	if err != nil || len(seqs) != 64 || !unseen {
		t.Errorf("%d records, %v; want those of the 64 that are there", len(seqs), err)
	}
}

// The content of what is taken down goes, also if who decided does not wait for it.
func TestTakedownOutlivesItsCaller(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	out, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err != nil {
		t.Fatal(err)
	}
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		ended <- s.submit(t.Context(), &job{care: func() error {
			close(begun)
			<-goOn
			return nil
		}})
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}})
	}()
	waitFor(s, 1)
	cancel()
	close(goOn)
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Errorf("it ended with: %v", err)
	}
	if n := pendingIn(t, s); n > 0 {
		t.Error("the decision is recorded, and the content is still there")
	}
}

// What was taken down long ago is not taken down once more where a catalog that was made
// anew asks for it: each volume would be written anew.
func TestTakedownIsDoneOnce(t *testing.T) {
	s, _ := closing(t)
	ctx := t.Context()
	out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one"), storetest.Draft("two", "two")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	path := s.live().path
	if err := errors.Join(s.Close(), os.Remove(s.catalogPath())); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"made anew", "with a damaged file put aside"} {
		s, err = Open(ctx, s.dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := pendingIn(t, s); n > 0 {
			t.Errorf("%s: %d decisions are still to be done", step, n)
		}
		it, err := s.Items(ctx, []feed.ItemID{out[0].ID, out[1].ID}, store.AllFields)
		if err != nil || len(it) != 2 || !it[0].TakenDown || it[1].TakenDown {
			t.Errorf("%s: %v, %v", step, it, err)
		}
		if err := errors.Join(s.Close(), os.Remove(s.catalogPath())); err != nil {
			t.Fatal(err)
		}
		now, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if step == "made anew" {
			if !os.SameFile(was, now) {
				t.Error("the volume was written anew")
			}
			if err := os.WriteFile(path+asideMark, []byte("the content may be here"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if left := asideOf(path); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// Who has read a version that is the difference to another, and unpacks it when both were
// taken down, finds what was taken down, and no damage.
func TestTakedownWhileAVersionIsRead(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	var id feed.ItemID
	for i := range 2 {
		out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("guid", fmt.Sprint(strings.Repeat("the same text ", 100), i))}})
		if err != nil {
			t.Fatal(err)
		}
		id = out[0].ID
	}
	end, err := s.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v := s.live()
	_, f, err := v.read(uint64(end))
	if err != nil || f.pack.codec != codecDelta {
		t.Fatalf("the version is packed as %v, %v", f.pack.codec, err)
	}
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{id}, Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	if plain, err := v.plain(uint64(end), f); plain != nil || err != nil {
		t.Errorf("unpacked it is %d bytes, %v; want nothing", len(plain), err)
	}
}
