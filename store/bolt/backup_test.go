package bolt_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// OPS-25: a backup of an archive that is being written restores to a sound one, with
// everything that was acknowledged before it began, and the ledger.
func TestBackup(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{VolumeSize: 64 << 10})
	storetest.Source(t, s, "a")
	if err := s.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: "hub", Key: "k", Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	var before []feed.ItemID
	for range 40 {
		out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft(t.Name()+string(rune('a'+len(before))), "x")}})
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, out[0].ID)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, _ = s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("later"+string(rune(i)), "y")}})
		}
	}()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-done

	dir := filepath.Join(t.TempDir(), "restored")
	rep, err := bolt.Restore(t.Context(), bytes.NewReader(b.Bytes()), dir)
	if err != nil || rep.Items < 40 {
		t.Fatalf("restore: %+v, %v", rep, err)
	}
	r := open(t, dir, bolt.Options{})
	it, err := r.Items(t.Context(), before, 0)
	if err != nil || len(it) != len(before) {
		t.Errorf("%d of %d items are back, %v", len(it), len(before), err)
	}
	if v, err := r.LedgerGet(t.Context(), "hub", "k"); err != nil || string(v) != "v" {
		t.Errorf("ledger: %q, %v", v, err)
	}
	if rep, err := r.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v", rep.Faults, err)
	}

	if _, err := bolt.Restore(t.Context(), bytes.NewReader(b.Bytes()), dir); !errors.Is(err, store.ErrConflict) {
		t.Errorf("restore over an archive = %v, want ErrConflict", err)
	}
	for name, bad := range map[string]io.Reader{
		"cut short":  bytes.NewReader(b.Bytes()[:b.Len()/2]),
		"no end":     bytes.NewReader(b.Bytes()[:b.Len()-2048]),
		"a bit":      bytes.NewReader(flip(b.Bytes(), 50000)),
		"no tar":     bytes.NewReader([]byte("hello")),
		"nothing":    bytes.NewReader(nil),
		"made":       bytes.NewReader(regexp.MustCompile(`"made": "20`).ReplaceAll(b.Bytes(), []byte(`"made": "19`))),
		"records":    bytes.NewReader(regexp.MustCompile(`"records": \d`).ReplaceAllFunc(b.Bytes(), otherDigit)),
		"archive":    bytes.NewReader(regexp.MustCompile(`("archive": "[0-9a-f]{30})..`).ReplaceAll(b.Bytes(), []byte(`${1}zz`))),
		"other file": bytes.NewReader(bytes.Replace(b.Bytes(), []byte("ledger.bolt"), []byte("../../x.bol"), 1)),
	} {
		to := filepath.Join(t.TempDir(), "bad")
		if _, err := bolt.Restore(t.Context(), bad, to); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: restore = %v, want ErrCorrupt", name, err)
		}
		if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// otherDigit is b with another digit at its end.
func otherDigit(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] = '0' + (b[len(b)-1]-'0')%9 + 1
	return b
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}
