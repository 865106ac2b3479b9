package publish

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// fullDisk is an archive whose ledger cannot be written while full is set.
type fullDisk struct {
	*storetest.Model
	full atomic.Bool
}

func (f *fullDisk) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) error {
	if f.full.Load() {
		return fmt.Errorf("ledger: %w", store.ErrFull)
	}
	return f.Model.LedgerWrite(ctx, writes)
}

// A full disk leaves readers their feeds, and the publisher goes on by itself
// when there is room again (OPS-26).
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, testConfig(), testTopics())
		w.add(post{source: "a", guid: "1", title: "Before", topics: []feed.TopicID{"iran"}})
		w.titles("iran") // a reader was there before
		w.stop()
		disk := &fullDisk{Model: w.store}
		disk.full.Store(true)
		w.stop = nil
		pub, err := New(testConfig(), testTopics(), disk, w.pub.log)
		if err != nil {
			t.Fatal(err)
		}
		w.pub, w.web = pub, pub.Handler()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- pub.Run(ctx) }()
		if err := pub.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.titles("iran"); len(got) != 1 || got[0] != "Before" {
			t.Errorf("on a full disk the feed has %q", got)
		}
		disk.full.Store(false)
		time.Sleep(5 * time.Minute) // of the bubble: more than the longest pause
		synctest.Wait()
		w.add(post{source: "a", guid: "2", title: "After", topics: []feed.TopicID{"iran"}})
		if got := w.titles("iran"); len(got) != 2 {
			t.Errorf("with room again the feed has %q", got)
		}
		cancel()
		if err := <-done; ctx.Err() == nil || err == nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// dying is an archive whose ledger takes some writes more, as of a process that is
// about to be killed.
type dying struct {
	*storetest.Model
	left atomic.Int64
	dead chan struct{} // closed at the first write that is not taken
	once sync.Once
}

func (d *dying) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) error {
	if d.left.Add(-1) < 0 {
		d.once.Do(func() { close(d.dead) })
		return fmt.Errorf("ledger: %w", store.ErrFull)
	}
	return d.Model.LedgerWrite(ctx, writes)
}

// PUB-53: wherever a takedown is interrupted, afterwards the old addresses are gone,
// and do not lead to what there is now.
func TestTakedownInterrupted(t *testing.T) {
	for writes := range int64(4) {
		w := newWorld(t, testConfig(), testTopics())
		w.fill("one", 60, "iran")
		out := w.add(post{source: "one", guid: "down", title: "Down", text: "x", topics: []feed.TopicID{"iran"}, at: start})
		w.fill("one", 60, "iran")
		old := w.atom("/feeds/all.atom").link("prev-archive") // the first that a takedown is for
		w.stop()
		if err := w.store.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, By: "test", Reason: "a court"}}); err != nil {
			t.Fatal(err)
		}
		archive := &dying{Model: w.store, dead: make(chan struct{})}
		archive.left.Store(writes)
		pub, err := New(testConfig(), testTopics(), archive, w.pub.log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- pub.Run(ctx) }()
		<-archive.dead
		cancel()
		<-done
		w.start(testConfig(), testTopics())
		if rec := w.get(old); rec.Code != http.StatusGone {
			t.Errorf("after %d writes of a takedown: %d to %q, want 410", writes, rec.Code, rec.Header().Get("Location"))
		}
	}
}
