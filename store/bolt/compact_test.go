package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// stuffed is an archive of some volumes with real sizes of documents, and some revisions.
func stuffed(t *testing.T, o bolt.Options) (dir string, s *bolt.Store, ids []feed.ItemID) {
	t.Helper()
	dir = t.TempDir()
	s = open(t, dir, o)
	r := rand.New(rand.NewPCG(3, 4))
	sources := addSources(t, s, 4)
	for i := range 40 {
		out, err := s.Append(t.Context(), madeDoc(r, sources[i%4], 8))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			ids = append(ids, o.ID)
		}
	}
	return dir, s, ids
}

// contents is all that an archive says, as far as it can be compared: the tree's head,
// all items with their versions, and all documents.
func contents(t *testing.T, s *bolt.Store, ids []feed.ItemID) string {
	t.Helper()
	var b strings.Builder
	head, err := s.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(head.String())
	for _, id := range ids {
		revs, err := s.Revisions(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range revs {
			fmt.Fprintf(&b, "%+v\n", revs[i])
			doc, err := s.Raw(t.Context(), id, i+1)
			fmt.Fprintln(&b, feed.DigestOf(doc.Body), err)
		}
	}
	return b.String()
}

func sound(t *testing.T, s *bolt.Store) {
	t.Helper()
	if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 {
		t.Fatalf("verify: %v, %v", rep.Faults, err)
	}
}

// Compacting changes no word of what the archive says, makes it smaller, and a second
// time finds nothing to do; then it is written on and opened again.
func TestCompact(t *testing.T) {
	for name, o := range map[string]bolt.Options{"one volume": {}, "several": {VolumeSize: 2 << 20}} {
		t.Run(name, func(t *testing.T) {
			dir, s, ids := stuffed(t, o)
			was := contents(t, s, ids)
			var told int64
			got, err := s.Compact(t.Context(), func(done, _ int64) {
				if done < told {
					t.Errorf("progress goes back, from %d to %d", told, done)
				}
				told = done
			})
			if err != nil {
				t.Fatal(err)
			}
			if end, _ := s.End(t.Context()); told != int64(end) {
				t.Errorf("progress ended at %d of %d", told, end)
			}
			before := int64(0)
			for _, f := range got.Files {
				before += f.Before
				if f.After > f.Before {
					t.Errorf("%s grew from %d to %d", f.Name, f.Before, f.After)
				}
				fi, err := os.Stat(filepath.Join(dir, f.Name))
				if err != nil || fi.Size() < f.After/2 {
					t.Errorf("%s: %v, %v", f.Name, fi, err)
				}
			}
			if got.Gained() < before/25 {
				t.Errorf("gained %d of %d bytes", got.Gained(), before)
			}
			t.Logf("gained %d of %d bytes", got.Gained(), before)
			if d := contents(t, s, ids); d != was {
				t.Error("the archive says something else after it was compacted")
			}
			sound(t, s)
			if again, err := s.Compact(t.Context(), nil); err != nil || again.Gained() > before/50 {
				t.Errorf("again: gained %d, %v", again.Gained(), err)
			}
			if _, err := s.Append(t.Context(), madeDoc(rand.New(rand.NewPCG(8, 8)), "s0000", 5)); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "archive", "*.tmp")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			s = open(t, dir, o)
			sound(t, s)
			if it, err := s.Items(t.Context(), ids, store.AllFields); err != nil || len(it) != len(ids) {
				t.Errorf("%d of %d items, %v", len(it), len(ids), err)
			}
		})
	}
}

// Compacting goes on while others write, read, take down and back up.
func TestCompactOnline(t *testing.T) {
	_, s, ids := stuffed(t, bolt.Options{VolumeSize: 1 << 20})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fail := make(chan error, 4)
	go func() {
		r := rand.New(rand.NewPCG(7, 7))
		for i := 0; i < 30 && ctx.Err() == nil; i++ {
			if _, err := s.Append(ctx, madeDoc(r, "s0001", 3)); err != nil && ctx.Err() == nil {
				fail <- fmt.Errorf("append: %w", err)
				return
			}
		}
		fail <- nil
	}()
	go func() {
		for i := 40; ctx.Err() == nil; i++ {
			it, err := s.Items(ctx, ids[i%len(ids):][:1], store.AllFields)
			if ctx.Err() == nil && (err != nil || len(it) != 1 || it[0].Content.Value == "" && !it[0].TakenDown) {
				fail <- fmt.Errorf("read: %d items, %w", len(it), err)
				return
			}
		}
		fail <- nil
	}()
	go func() {
		err := s.Backup(ctx, io.Discard)
		if ctx.Err() != nil {
			err = nil
		}
		fail <- err
	}()
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: ids[:2], Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Compact(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	cancel()
	for range 3 {
		if err := <-fail; err != nil {
			t.Error(err)
		}
	}
	sound(t, s)
}

// A damaged record stops the compaction of its volume, which stays as it is.
func TestCompactLeavesDamage(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "archive", "v000001.bolt")
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{PageSize: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		k := []byte{0, 0, 0, 0, 0, 0, 0, 9}
		v := slices.Clone(tx.Bucket([]byte("log")).Get(k))
		v[len(v)/2] ^= 4
		return tx.Bucket([]byte("log")).Put(k, v)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compact(t.Context(), nil); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "record 9") {
		t.Errorf("Compact = %v, want ErrCorrupt that names the record", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(was) {
		t.Errorf("the volume was changed: %v", err)
	}
}

// What is left of a compaction that was killed is removed, and the archive is as before.
func TestCompactLeftovers(t *testing.T) {
	dir, model := filled(t, bolt.Options{})
	for _, name := range []string{"archive/v000001.bolt.tmp", "archive/v000001.bolt.strip.tmp", "catalog.bolt.new", "ledger.bolt.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, bolt.Options{})
	same(t, s, model)
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp"))
	more, merr := filepath.Glob(filepath.Join(dir, "*.new"))
	if err != nil || merr != nil || len(left)+len(more) > 0 {
		t.Errorf("left: %v %v", left, more)
	}
	ro := store.ErrReadOnly
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{ReadOnly: true})
	if _, err := s.Compact(t.Context(), nil); !errors.Is(err, ro) {
		t.Errorf("Compact of an archive opened for reading = %v", err)
	}
}
