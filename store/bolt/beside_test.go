package bolt

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// A compaction waits as long as it must for who reads in the volume that is written.
func TestCompactIsHeldTwice(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	line := "" // that no packing makes shorter, but the same in all
	for i := range 300 {
		line += feed.DigestOf([]byte{byte(i), byte(i >> 8)}).String()
	}
	for i := range 20 {
		d := storetest.Draft(fmt.Sprint(i), fmt.Sprint(i, line))
		if _, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	v := s.live()
	last, err := v.last()
	if err != nil {
		t.Fatal(err)
	}
	r := &rewriting{s: s, v: v, path: v.path + ".tmp", was: v.rewrites}
	if err := r.chooseDict(ctx, last); err != nil {
		t.Fatal(err)
	}
	if r.db, err = openVolumeDB(r.path, false); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.begin(last), r.copyTo(last, r.repack)); err != nil {
		t.Fatal(err)
	}
	v.mu.RLock() // somebody reads
	for range 3 {
		if err := s.submit(ctx, &job{care: r.place}); !errors.Is(err, errHeld) {
			t.Errorf("while it is read: %v, want %v", err, errHeld)
		}
	}
	v.mu.RUnlock()
	if err := s.submit(ctx, &job{care: r.place}); err != nil {
		t.Error(err)
	}
	if v.rewrites == 0 {
		t.Error("it was not put in place")
	}
}

// doing is a writer that does something at the first write.
type doing struct {
	bytes.Buffer
	what func()
}

func (d *doing) Write(b []byte) (int, error) {
	if do := d.what; do != nil {
		d.what = nil
		do()
	}
	return d.Buffer.Write(b)
}

// OPS-25: a backup has the volumes that are begun while it is made: what it lacks by a
// decision, the decision says.
func TestBackupWhileVolumesAreAdded(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	seal := func() {
		if err := s.submit(ctx, &job{care: func() error { return s.seal(s.live()) }}); err != nil {
			t.Error(err)
		}
	}
	seal()
	out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err != nil {
		t.Fatal(err)
	}
	b := &doing{what: func() {
		seal()
		if err := s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}}); err != nil {
			t.Error(err)
		}
	}}
	if err := s.Backup(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, &b.Buffer, filepath.Join(t.TempDir(), "restored")); err != nil {
		t.Errorf("it cannot be restored: %v", err)
	}
}

// OPS-25: where the newest volume grows and is sealed while it is copied, the next one is
// not behind the copy, and is not in the backup.
func TestBackupWhileTheNewestIsSealed(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	sealed := make(chan error, 1)
	b := &doing{what: func() {
		if _, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}}); err != nil {
			t.Error(err)
		}
		go func() { sealed <- s.submit(ctx, &job{care: func() error { return s.seal(s.live()) }}) }() // its end waits for the copy
		for s.volumeAt(1) == nil {
			runtime.Gosched()
		}
	}}
	if err := errors.Join(s.Backup(ctx, b), <-sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("v000002.bolt")) { // in the header of a file, or in the manifest
		t.Error("it has a volume that is not behind the copy of the one before")
	}
	if rep, err := Restore(ctx, &b.Buffer, filepath.Join(t.TempDir(), "restored")); err != nil || rep.Records == 0 {
		t.Errorf("it cannot be restored: %v, %v", rep, err)
	}
}

// Whoever backs up the ledger keeps nobody waiting: a compaction of it waits.
func TestBackupOfTheLedgerBesideCompaction(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	writes := make([]store.LedgerEntry, 2000)
	for i := range writes {
		writes[i] = store.LedgerEntry{Space: "x", Key: fmt.Sprint(i), Value: bytes.Repeat([]byte("v"), 1000)}
	}
	if err := s.LedgerWrite(ctx, writes); err != nil {
		t.Fatal(err)
	}
	for i := range writes {
		writes[i].Value = nil
	}
	if err := s.LedgerWrite(ctx, writes); err != nil {
		t.Fatal(err)
	}
	var beside, reading error
	b := &backup{ctx: ctx, m: manifest{Files: map[string]string{}}, out: tar.NewWriter(&doing{what: func() {
		beside = s.submit(ctx, &job{care: s.compactLedger})
		_, reading = s.Sources(ctx)
	}})}
	if err := errors.Join(b.ledger(s), reading); err != nil {
		t.Error(err)
	}
	if !errors.Is(beside, errHeld) {
		t.Errorf("a compaction meanwhile: %v, want %v", beside, errHeld)
	}
	if err := s.submit(ctx, &job{care: s.compactLedger}); err != nil {
		t.Error(err)
	}
}

// The ledger has secrets, also where it comes from a backup.
func TestRestoredLedgerIsPrivate(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), &b, dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{s.dir, dir} {
		fi, err := os.Stat(filepath.Join(d, "ledger.bolt"))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want it to be the owner's alone", d, fi.Mode(), err)
		}
	}
}
