package bolt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// turn changes a bit in the middle of a record, or changes it back, in a file without
// free pages, in which the record of before would be found.
func turn(t *testing.T, path string, seq uint64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("log"))
		k := binary.BigEndian.AppendUint64(nil, seq)
		v := append([]byte{}, b.Get(k)...)
		v[len(v)/2] ^= 4
		return b.Put(k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
	withoutFree(t, db, path)
}

// withoutFree closes a database and leaves its pages that are in use.
func withoutFree(t *testing.T, db *bbolt.DB, path string) {
	t.Helper()
	to, err := bbolt.Open(path+".copy", 0o644, &bbolt.Options{PageSize: 64 << 10, Timeout: time.Second})
	if err == nil {
		err = bbolt.Compact(to, db, 1<<20)
	}
	if err := errors.Join(err, to.Close(), db.Close(), os.Rename(path+".copy", path)); err != nil {
		t.Fatal(err)
	}
}

// OPS-26: a record that cannot be read stops neither followers nor the making of a
// catalog: all others are there, Ping and Verify tell, and the head of the tree is what
// it was; and when the record is back, so is everything.
func TestDamagedRecord(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	was := contents(t, s, ids)
	end, _ := s.End(t.Context())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	const lost = 40 // an item
	path := filepath.Join(dir, "archive", "v000001.bolt")
	turn(t, path, lost)
	for _, catalog := range []string{"kept", "made anew"} {
		if catalog == "made anew" {
			if err := removeCatalog(dir); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, dir, bolt.Options{})
		if n := followed(t, s, end); n != int(end)-1 {
			t.Errorf("%s: %d records followed, want all of %d but one", catalog, n, end)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrLost) || !strings.Contains(err.Error(), "record 40") {
			t.Errorf("%s: ping = %v, want ErrLost that names the record", catalog, err)
		}
		items, err := s.Items(t.Context(), ids, store.AllFields)
		if err != nil || len(items) < len(ids)-1 {
			t.Errorf("%s: %d of %d items, %v", catalog, len(items), len(ids), err)
		}
		if _, err := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft("new "+catalog, "new "+catalog)}}); err != nil {
			t.Errorf("%s: append: %v", catalog, err)
		}
		rep, err := s.Verify(t.Context(), false, nil)
		if err != nil || len(rep.Faults) > 0 || len(rep.Lost) != 1 || !strings.HasSuffix(rep.Lost[0], "record 40") {
			t.Errorf("%s: verify: %v, %v, %v; want that the record is named as lost", catalog, rep.Faults, rep.Lost, err)
		}
		if head, err := s.Head(t.Context(), int64(end)); err != nil || !strings.HasPrefix(was, head.String()) {
			t.Errorf("%s: head %v, %v: not that of before", catalog, head, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The damaged file is the one of before, and it is put back, sound.
	if err := os.Rename(path+".damaged", path); err != nil {
		t.Fatal(err)
	}
	turn(t, path, lost)
	s = open(t, dir, bolt.Options{})
	sound(t, s)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping after it was put back: %v", err)
	}
	head, err := s.Head(t.Context(), int64(end))
	if err != nil || !strings.HasPrefix(was, head.String()) {
		t.Errorf("head %v, %v: not that of before", head, err)
	}
	if n := followed(t, s, end); n != int(end) {
		t.Errorf("%d records followed of %d", n, end)
	}
}

// followed counts the records up to one that followers get.
func followed(t *testing.T, s *bolt.Store, end store.Cursor) (n int) {
	t.Helper()
	for at := store.Cursor(0); at < end; {
		records, next, err := s.Follow(t.Context(), at, store.AllKinds, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Seq <= end {
				n++
			}
		}
		at = next
	}
	return n
}

// Who reads the log up to its end gets there also where the last records are lost.
func TestFollowToLostEnd(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	end, _ := s.End(t.Context())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	turn(t, volumeOne(dir), uint64(end))
	for range 2 { // as it is met, and when it is known
		s = open(t, dir, bolt.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		records, at, err := s.Follow(ctx, end-1, store.AllKinds, 10)
		cancel()
		if err != nil || at != end || len(records) > 0 {
			t.Errorf("%d records, cursor %d of %d, %v", len(records), at, end, err)
		}
		if err := errors.Join(s.Change(t.Context(), nil), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// Where all volumes are gone an archive is not begun anew in their place.
func TestLostVolumes(t *testing.T) {
	dir, _ := filled(t, bolt.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, ro := range []bool{true, false} {
		if _, err := bolt.Open(t.Context(), dir, bolt.Options{ReadOnly: ro}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "volumes are missing") {
			t.Errorf("Open(%v) = %v, want ErrCorrupt", ro, err)
		}
	}
}

// A clock that was put back by less than an hour is not noticed: records are given the
// time of the last one, so that what arrives later sorts later. Beyond that the clock
// of before is taken to have been wrong.
func TestClockJumps(t *testing.T) {
	for _, c := range []struct {
		ahead time.Duration
		keeps bool
	}{{30 * time.Minute, true}, {48 * time.Hour, false}} {
		s := open(t, t.TempDir(), bolt.Options{})
		storetest.Source(t, s, "a")
		ahead := time.Now().Add(c.ahead)
		if _, err := s.Append(t.Context(), store.Batch{Source: "a", At: ahead, Drafts: []store.Draft{storetest.Draft("1", "one")}}); err != nil {
			t.Fatal(err)
		}
		out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("2", "two")}})
		if err != nil {
			t.Fatal(err)
		}
		items, err := s.Items(t.Context(), feedIDs(out), 0)
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		if got := items[0].FirstSeen; got.Before(ahead.Add(-time.Second)) == c.keeps {
			t.Errorf("the clock goes back by %v: first seen %v, the one before %v", c.ahead, got, ahead)
		}
		sound(t, s)
	}
}

func feedIDs(out []store.Outcome) (ids []feed.ItemID) {
	for _, o := range out {
		ids = append(ids, o.ID)
	}
	return ids
}
