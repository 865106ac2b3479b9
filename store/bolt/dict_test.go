package bolt_test

import (
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

// spoil changes a byte of a volume's newest dictionary, in a file without free pages, in
// which the old one would be found. It gives the dictionary's key.
func spoil(t *testing.T, path string, withSpare bool) (key []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		dicts := tx.Bucket([]byte("dict"))
		k, v := dicts.Cursor().Last()
		if k == nil {
			return errors.New("the volume has no dictionary")
		}
		key = append(key, k...)
		spoiled := append([]byte{}, v...)
		spoiled[len(spoiled)/2] ^= 1
		if withSpare {
			if err := tx.DeleteBucket([]byte("spare")); err != nil {
				return err
			}
		}
		return dicts.Put(key, spoiled)
	})
	if err != nil {
		t.Fatal(err)
	}
	withoutFree(t, db, path)
	return key
}

// A dictionary that is damaged costs nothing while its spare is sound: it is put back at
// the next opening. With both gone the quick check finds it, also one that a compaction
// made, and no further record is packed with it; an archive of before dictionaries had
// digests has no fault for it.
func TestVerifyDictionary(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		dir, s, ids := stuffed(t, bolt.Options{})
		if compacted {
			if _, err := s.Compact(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		sound(t, s)
		was := contents(t, s, ids)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "archive", "v000001.bolt")
		spoil(t, path, false)
		s = open(t, dir, bolt.Options{})
		sound(t, s)
		if contents(t, s, ids) != was {
			t.Errorf("compacted %v: with the spare the archive says something else", compacted)
		}
		if st := mustStats(t, s); st.Volumes != 2 || st.Lost != 0 {
			t.Errorf("compacted %v: %+v; want that the volume is followed by another", compacted, st)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		key := spoil(t, path, true)
		faults := func() string {
			t.Helper()
			s := open(t, dir, bolt.Options{})
			rep, err := s.Verify(t.Context(), false, nil)
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			return strings.Join(rep.Faults, "\n")
		}
		if got := faults(); !strings.Contains(got, "dictionary") || !strings.Contains(got, path) {
			t.Errorf("compacted %v: verify says %q of a damaged dictionary", compacted, got)
		}
		inMeta(t, path, func(meta *bbolt.Bucket) error { return meta.Delete(append([]byte("dict"), key...)) })
		if got := faults(); strings.Contains(got, "dictionary") {
			t.Errorf("compacted %v: without a digest verify says %q", compacted, got)
		}
	}
}

// The newest volume is not written on with a damaged dictionary, even where there is no
// spare: what is packed with it could not be read when the file is put back.
func TestDamagedDictionaryIsLeft(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "archive", "v000001.bolt")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoil(t, path, true)
	s = open(t, dir, bolt.Options{})
	out, err := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft("new", strings.Repeat("new words ", 100))}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	sound(t, s)
	if _, err := s.Items(t.Context(), []feed.ItemID{out[0].ID}, store.AllFields); err != nil {
		t.Error(err)
	}
}
