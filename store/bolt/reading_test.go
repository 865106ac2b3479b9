package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/store"
)

// Records of kinds that a later program writes are given without what is in them, and are
// no damage.
func TestFollowKindsOfTheFuture(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []store.Kind{store.KindBlob, 20} {
		err = s.submit(t.Context(), &job{run: func(t *txn) error {
			p := &pending{h: header{kind: kind, time: nanos(t.now), source: "alpha"}, plain: []byte("no JSON")}
			p.pack, p.h.content = pack(p.plain, nil)
			return t.emit(p)
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, _, err := s.Follow(ctx, end, store.AllKinds, 10)
	if err != nil || len(got) != 2 || got[0].Kind != store.KindBlob || got[1].Kind != 20 || got[1].Edit != nil || got[1].Item != nil {
		t.Errorf("%v, %v; want the two records and nothing of what is in them", got, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the archive is said to be damaged: %v", err)
	}
}

// Who only reads makes a damaged catalog anew elsewhere: the mark that it is damaged stays
// for who writes.
func TestReadingLeavesTheMarkOfDamage(t *testing.T) {
	s, _ := closing(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(s.dir, "catalog.bolt.damaged")
	if err := os.WriteFile(mark, []byte("damaged\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		r, err := Open(t.Context(), s.dir, Options{ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(mark); (err == nil) != readOnly {
			t.Errorf("opened for reading: %v; the mark: %v", readOnly, err)
		}
	}
}

// Who finds the archive being read is not told that a writer has it that is long gone.
func TestBusyByAReader(t *testing.T) {
	s, _ := closing(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), s.dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for text, named := range map[string]bool{
		fmt.Sprintf("%d chancery serve\n", os.Getpid()): true,
		"2147483646 chancery serve\n":                   false, // no system has so many
		"":                                              false,
	} {
		if err := os.WriteFile(filepath.Join(s.dir, "lock"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), s.dir, Options{})
		if !errors.Is(err, store.ErrBusy) || strings.Contains(err.Error(), "chancery serve") != named {
			t.Errorf("lock %q: %v", text, err)
		}
	}
}
