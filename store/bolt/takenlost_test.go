package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// A takedown of an item whose records are lost is a decision like any other: it holds when
// they come back, whether the catalog knew the item meanwhile or not, and for an item that
// comes back under its id.
func TestTakedownOfLost(t *testing.T) {
	for name, forgotten := range map[string]bool{"known to the catalog": false, "known to nobody": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			storetest.Source(t, s, "a")
			out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("1", unwanted), storetest.Draft("2", "two")}})
			if err != nil {
				t.Fatal(err)
			}
			gone := []feed.ItemID{out[0].ID}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(volumeOne(dir))
			if err != nil {
				t.Fatal(err)
			}
			turn(t, volumeOne(dir), 2)
			s = open(t, dir, bolt.Options{})
			end, _ := s.End(t.Context())
			followed(t, s, end)
			if err := errors.Join(s.Change(t.Context(), nil), s.Close()); err != nil { // it is written anew
				t.Fatal(err)
			}
			if forgotten {
				if err := removeCatalog(dir); err != nil {
					t.Fatal(err)
				}
			}
			s = open(t, dir, bolt.Options{})
			if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: gone, Reason: "a court"}}); err != nil {
				t.Fatal(err)
			}
			again := storetest.Draft("1", unwanted)
			again.ID = gone[0]
			if out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{again}}); err != nil || out[0].State != store.Same {
				t.Errorf("it comes in again under its id: %v, %v", out, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{})
			if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 || rep.LostRecords != 1 {
				t.Errorf("verify: %v, %v, %v", rep.Faults, rep.Lost, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if files := allFiles(t, dir); files[volumeOne(dir)+".damaged"] != (feed.Digest{}) {
				t.Error("the damaged file is still there")
			}
			if err := os.WriteFile(volumeOne(dir), whole, 0o644); err != nil { // the backup's
				t.Fatal(err)
			}
			for range 2 {
				s = open(t, dir, bolt.Options{})
				sound(t, s)
				items, err := s.Items(t.Context(), []feed.ItemID{out[0].ID, out[1].ID}, store.AllFields)
				if err != nil || len(items) != 2 || !items[0].TakenDown || items[0].Title.Value != "" || items[1].TakenDown {
					t.Errorf("with the file put back: %+v, %v", items, err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if b, err := os.ReadFile(volumeOne(dir)); err != nil || bytes.Contains(b, []byte(unwanted)) {
					t.Errorf("the content is there again, %v", err)
				}
			}
		})
	}
}

// A volume of an older copy that is put back has content that was taken down since: it goes
// before anything else is done, and until then nobody sees it.
func TestTakedownInOlderCopy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{VolumeSize: 1})
	storetest.Source(t, s, "a")
	out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("1", unwanted)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older := allVolumes(t, dir)
	s = open(t, dir, bolt.Options{VolumeSize: 1})
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for path, b := range older {
		if bytes.Contains(b, []byte(unwanted)) {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, readOnly := range []bool{true, false} {
		s = open(t, dir, bolt.Options{ReadOnly: readOnly})
		items, err := s.Items(t.Context(), []feed.ItemID{out[0].ID}, store.AllFields)
		if err != nil || len(items) != 1 || !items[0].TakenDown || items[0].Title.Value != "" {
			t.Errorf("read only: %v: %+v, %v", readOnly, items, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for path, b := range allVolumes(t, dir) {
		if bytes.Contains(b, []byte(unwanted)) {
			t.Errorf("%s has the content again", path)
		}
	}
}

func allVolumes(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for path := range allFiles(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = b
	}
	delete(out, dir+"/catalog.bolt")
	delete(out, dir+"/ledger.bolt")
	return out
}
