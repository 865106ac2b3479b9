package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// OPS-26: whatever row of a catalog is changed, missing or too much, a deep check says so.
func TestVerifyCatalogRows(t *testing.T) {
	dir, _ := filled(t, bolt.Options{})
	for _, bucket := range []string{
		"items", "revs", "keys", "story", "members", "bydate", "bysource", "parts", "docs", "sources", "topics", "tree", "counts",
	} {
		for name, harm := range map[string]func(b *bbolt.Bucket, k, v []byte) error{
			"changed": func(b *bbolt.Bucket, k, v []byte) error {
				if bucket == "sources" { // still JSON
					return b.Put(k, []byte(strings.Replace(string(v), "https:", "http:", 1)))
				}
				v[len(v)/4] ^= 2
				return b.Put(k, v)
			},
			"missing": func(b *bbolt.Bucket, k, _ []byte) error { return b.Delete(k) },
			"added": func(b *bbolt.Bucket, k, v []byte) error {
				k[len(k)-1] ^= 0x41
				return b.Put(k, v)
			},
		} {
			if name == "added" && bucket == "parts" {
				continue // the log does not know entries of documents that were not kept
			}
			t.Run(bucket+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := copyOf(t, dir)
				db, err := bbolt.Open(filepath.Join(dir, "catalog.bolt"), 0o644, &bbolt.Options{Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				empty := false
				err = db.Update(func(tx *bbolt.Tx) error {
					b := tx.Bucket([]byte(bucket))
					k, v := b.Cursor().First()
					if empty = name == "changed" && len(v) == 0; empty {
						return nil
					}
					return harm(b, slices.Clone(k), slices.Clone(v))
				})
				if err != nil || db.Close() != nil {
					t.Fatal(err)
				}
				if empty {
					t.Skip("its rows have no values")
				}
				s := open(t, dir, bolt.Options{})
				rep, err := s.Verify(t.Context(), true, nil)
				if err != nil || len(rep.Faults) == 0 {
					t.Errorf("verify: %q, %v; want a fault", rep.Faults, err)
				}
				if !strings.Contains(strings.Join(rep.Faults, "\n"), "catalog") {
					t.Errorf("faults %q, want one that names the catalog", rep.Faults)
				}
			})
		}
	}
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// OPS-26: what is taken down or let go while a check runs is no fault, and waits for
// nothing.
func TestVerifyMeanwhile(t *testing.T) {
	_, s, ids := stuffed(t, bolt.Options{VolumeSize: 256 << 10})
	for _, edit := range []store.Edit{
		{Kind: store.KindTakedown, Items: []feed.ItemID{ids[7], ids[100]}, Reason: "a court"},
		{Kind: store.KindExpired, Before: time.Now(), Reason: "old"},
	} {
		var once sync.Once
		rep, err := s.Verify(t.Context(), true, func(int64, int64) {
			once.Do(func() { // before the first record is read
				if err := s.Change(t.Context(), []store.Edit{edit}); err != nil {
					t.Error(err)
				}
			})
		})
		if err != nil || len(rep.Faults) > 0 {
			t.Errorf("%v meanwhile: %q, %v", edit.Kind, rep.Faults, err)
		}
		sound(t, s)
	}
}

// A deep check of an archive that is written on and made smaller meanwhile finds no
// fault, and holds nobody up.
func TestVerifyBeside(t *testing.T) {
	_, s, ids := stuffed(t, bolt.Options{VolumeSize: 256 << 10})
	ctx := t.Context()
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 4 {
		var wg sync.WaitGroup
		wg.Go(func() {
			rep, err := s.Verify(ctx, true, nil)
			if err != nil || len(rep.Faults) > 0 {
				t.Errorf("verify: %q, %v", rep.Faults, err)
			}
		})
		if _, err := s.Append(ctx, madeDoc(r, sourceName(i%4), 8)); err != nil {
			t.Error(err)
		}
		edit := store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{ids[i*7]}, Reason: fmt.Sprint("reason ", i)}
		if err := s.Change(ctx, []store.Edit{edit}); err != nil {
			t.Error(err)
		}
		if _, err := s.Compact(ctx, nil); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
	sound(t, s)
}
