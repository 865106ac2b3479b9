package publish

import (
	"context"
	"fmt"
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
