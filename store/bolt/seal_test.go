package bolt_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// volumesOf are the files of an archive's volumes, in order.
func volumesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "archive", "v*.bolt"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d volumes, %v", len(files), err)
	}
	return files
}

// inMeta changes the meta of a volume.
func inMeta(t *testing.T, path string, f func(b *bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket([]byte("meta"))) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Verify holds a sealed volume to its seal: the digest over its records, and their number.
func TestVerifySeal(t *testing.T) {
	dir, _ := filled(t, bolt.Options{VolumeSize: 1})
	first := volumesOf(t, dir)[1]
	var whole []byte
	for at, want := range map[int]string{
		-1: "not those that were sealed", // the digest's last byte
		12: "its seal says",              // the number of records: tag, length and 8 bytes of the last one, tag, length
	} {
		inMeta(t, first, func(b *bbolt.Bucket) error {
			if whole == nil {
				whole = append(whole, b.Get([]byte("sealed"))...)
			}
			turned := append([]byte{}, whole...)
			if at < 0 {
				at += len(turned)
			}
			turned[at] ^= 64
			return b.Put([]byte("sealed"), turned)
		})
		s := open(t, dir, bolt.Options{})
		rep, err := s.Verify(t.Context(), false, nil)
		if err != nil || len(rep.Faults) != 1 || !strings.Contains(rep.Faults[0], want) || !strings.Contains(rep.Faults[0], filepath.Base(first)) {
			t.Errorf("verify: %v, %v; want a fault that has %q and names the volume", rep.Faults, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A volume that was begun after one that could then not be sealed, and grew on, is in
// nobody's way.
func TestUnfinishedVolume(t *testing.T) {
	dir, model := filled(t, bolt.Options{VolumeSize: 1})
	files := volumesOf(t, dir)
	inMeta(t, files[len(files)-2], func(b *bbolt.Bucket) error { return b.Delete([]byte("sealed")) })
	inMeta(t, files[len(files)-1], func(b *bbolt.Bucket) error {
		first := binary.BigEndian.Uint64(b.Get([]byte("first")))
		return b.Put([]byte("first"), binary.BigEndian.AppendUint64(nil, first-1))
	})
	for _, ro := range []bool{true, false} {
		s, err := bolt.Open(t.Context(), dir, bolt.Options{ReadOnly: ro})
		if err != nil {
			t.Fatal(err)
		}
		same(t, s, model)
		if ro {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		sound(t, s)
		if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("new", "new")}}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(files[len(files)-1]); err == nil {
		t.Error("the unfinished volume is still there")
	}
}
