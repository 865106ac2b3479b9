package bolt_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/store/bolt"
)

// The quick check finds a damaged dictionary, also one that a compaction made; an
// archive of before dictionaries had digests has no fault for it.
func TestVerifyDictionary(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	for _, compacted := range []bool{false, true} {
		if compacted {
			s = open(t, dir, bolt.Options{})
			if _, err := s.Compact(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if rep, err := s.Verify(t.Context(), false, nil); err != nil || len(rep.Faults) > 0 {
			t.Fatalf("compacted %v: %v, %v", compacted, rep.Faults, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "archive", "v000001.bolt")
		var key, whole []byte
		turn := func(change func(dicts, meta *bbolt.Bucket) error) {
			t.Helper()
			db, err := bbolt.Open(path, 0o644, &bbolt.Options{Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte("dict")), tx.Bucket([]byte("meta"))) })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}
		faults := func() string {
			t.Helper()
			s := open(t, dir, bolt.Options{})
			rep, err := s.Verify(t.Context(), false, nil)
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			return strings.Join(rep.Faults, "\n")
		}
		turn(func(dicts, _ *bbolt.Bucket) error {
			k, v := dicts.Cursor().Last()
			if k == nil {
				return errors.New("the volume has no dictionary")
			}
			key, whole = append(key, k...), append(whole, v...)
			spoiled := append([]byte{}, whole...)
			spoiled[len(spoiled)/2] ^= 1
			return dicts.Put(key, spoiled)
		})
		if got := faults(); !strings.Contains(got, "dictionary") || !strings.Contains(got, path) {
			t.Errorf("compacted %v: verify says %q of a damaged dictionary", compacted, got)
		}
		if compacted {
			turn(func(_, meta *bbolt.Bucket) error { return meta.Delete(append([]byte("dict"), key...)) })
			if got := faults(); strings.Contains(got, "dictionary") {
				t.Errorf("without a digest verify says %q", got)
			}
		}
		turn(func(dicts, _ *bbolt.Bucket) error { return dicts.Put(key, whole) })
	}
}
