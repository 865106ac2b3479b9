package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// OPS-26: a damaged ledger does not keep the archive from being opened and written. It is
// read as far as it can be; what cannot be read is no key that is not there; and it is not
// written, so that the file can be put back.
func TestDamagedLedger(t *testing.T) {
	const keys = 3000
	key := func(i int) string { return fmt.Sprintf("key %06d", i) }
	for name, harm := range map[string]func(t *testing.T, path string){
		"nothing of it": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("no ledger"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no bytes": func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		},
		"its end": func(t *testing.T, path string) {
			if err := os.Truncate(path, 8*int64(os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
		},
		"a page of keys": func(t *testing.T, path string) {
			size := bolt.PageSize(t, path)
			scribble(t, path, bolt.Pages(t, path, "space")[key(keys/2)][0]*size, int(size))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			storetest.Source(t, s, "s0001")
			var writes []store.LedgerEntry
			for i := range keys {
				writes = append(writes, store.LedgerEntry{Space: "space", Key: key(i), Value: bytes.Repeat([]byte{byte(i)}, 50)})
			}
			if err := errors.Join(s.LedgerWrite(t.Context(), writes), s.Close()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "ledger.bolt")
			sane, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			harm(t, path)
			was, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// Before anybody met the damage.
			s = open(t, dir, bolt.Options{ReadOnly: true})
			if err := s.Backup(t.Context(), &bytes.Buffer{}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("a backup without its ledger: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{ReadOnly: true})
			if rep, err := s.Verify(t.Context(), false, nil); err != nil || len(rep.Faults) != 1 || !strings.Contains(rep.Faults[0], path) {
				t.Errorf("verify: %q, %v; want a fault that names the ledger", rep.Faults, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{})
			read, failed := 0, 0
			for i := range keys {
				v, err := s.LedgerGet(t.Context(), "space", key(i))
				switch {
				case err == nil && len(v) == 50 && v[0] == byte(i):
					read++
				case errors.Is(err, store.ErrCorrupt) && errors.Is(err, store.ErrReadOnly) && strings.Contains(err.Error(), path):
					failed++
				default:
					t.Fatalf("key %d: %v, %v; want its value, or ErrCorrupt", i, v, err)
				}
			}
			if failed == 0 || name == "a page of keys" && read < keys*9/10 {
				t.Errorf("%d keys of %d are read, %d are not", read, keys, failed)
			}
			err = s.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: "space", Key: "new", Value: []byte("new")}})
			if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("a write: %v, want ErrReadOnly and why", err)
			}
			if err := s.Ping(t.Context()); !errors.Is(err, store.ErrLost) || !strings.Contains(err.Error(), path) {
				t.Errorf("ping: %v, want what is wrong, and that all else is served", err)
			}
			if err := s.Backup(t.Context(), &bytes.Buffer{}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("a backup without its ledger: %v", err)
			}
			appends(t, s, "kept")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, was) {
				t.Errorf("the file was changed, %v", err)
			}
			if err := os.WriteFile(path, sane, 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{})
			if err := s.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: "space", Key: "new", Value: []byte("new")}}); err != nil {
				t.Errorf("put back: %v", err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("put back: ping: %v", err)
			}
		})
	}
}
