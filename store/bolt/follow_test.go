package bolt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// Large records come a few at a time: who follows the log takes all that it gets into
// memory.
func TestFollowLargeRecords(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	const posts, each = 24, 1 << 20
	for i := range posts {
		d := storetest.Draft(fmt.Sprint(i), strings.Repeat(fmt.Sprintf("%09d ", i), each/20))
		if _, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func(context.Context, store.Cursor, store.Kinds, int) ([]store.Record, store.Cursor, error){
		"Follow": s.Follow, "Records": s.Records,
	} {
		at, n := store.Cursor(0), 0
		for n < posts {
			records, next, err := read(ctx, at, store.KindsOf(store.KindItem), 1000)
			if err != nil || len(records) == 0 || len(records) > followBytes/each+1 {
				t.Fatalf("%s: %d records at once, %v", name, len(records), err)
			}
			at, n = next, n+len(records)
		}
		if n != posts {
			t.Errorf("%s: %d records, want %d", name, n, posts)
		}
	}
}

// Who follows the log is not kept waiting behind a record that is damaged.
func TestFollowToADamagedEnd(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, err := s.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v := s.live()
	err = s.submit(ctx, &job{care: func() error {
		return v.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLog).Put(be64(uint64(end)), []byte("no record")) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	records, next, err := s.Follow(ctx, end-1, store.AllKinds, 10)
	if err != nil || len(records) > 0 || next != end {
		t.Errorf("%d records, cursor %d, %v; want none, and the cursor behind record %d", len(records), next, err, end)
	}
}

// A damaged page of the catalog keeps no record from who follows the log.
func TestFollowBesideADamagedCatalog(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	var id feed.ItemID
	for i, text := range []string{"one", "two", "three"} {
		out, err := s.Append(ctx, store.Batch{Source: "alpha", At: first.AddDate(0, 0, i), Drafts: []store.Draft{storetest.Draft("guid", text)}})
		if err != nil {
			t.Fatal(err)
		}
		id = out[0].ID
	}
	err := s.submit(ctx, &job{care: func() error {
		return s.cat.Update(func(tx *bbolt.Tx) error { return tx.Bucket(catalogBuckets[bItems]).Put(id[:], []byte{1}) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	records, _, err := s.Follow(ctx, 0, store.KindsOf(store.KindRevision), 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v; want 2", len(records), err)
	}
	for _, r := range records {
		if !r.Item.FirstSeen.Equal(first) {
			t.Errorf("record %d: first seen %v, want %v", r.Seq, r.Item.FirstSeen, first)
		}
	}
	if err := s.Ping(ctx); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Ping = %v, want ErrCorrupt", err)
	}
}
