package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

func backupOf(t *testing.T, dir string) []byte {
	t.Helper()
	s := open(t, dir, bolt.Options{})
	var b bytes.Buffer
	if err := errors.Join(s.Backup(t.Context(), &b), s.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// OPS-25, OPS-26: what is lost is brought back from a backup, into its place in the log:
// single records, or a whole volume that is missing, with the catalog of before or one that
// was made anew without them; what came since the backup stays, and what was taken down
// since comes back without its content.
func TestFill(t *testing.T) {
	for name, c := range map[string]struct {
		harm    func(t *testing.T, path string)
		rebuilt bool
	}{
		"a record":                    {harm: func(t *testing.T, path string) { turn(t, path, firstOf(t, path)+3) }},
		"a record, catalog made anew": {harm: func(t *testing.T, path string) { turn(t, path, firstOf(t, path)+3) }, rebuilt: true},
		"a volume":                    {harm: func(t *testing.T, path string) { must(t, os.Remove(path)) }},
		"a volume, catalog made anew": {harm: func(t *testing.T, path string) { must(t, os.Remove(path)) }, rebuilt: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, files, ids, was, signed := severalVolumes(t)
			backup := backupOf(t, dir)
			s := open(t, dir, severalSize)
			since := appends(t, s, "since the backup")
			must(t, s.Close())
			c.harm(t, files[1])
			s = open(t, dir, severalSize)
			followed(t, s, store.Cursor(signed.Size))
			must(t, s.Change(t.Context(), nil))
			if mustStats(t, s).Lost == 0 {
				t.Fatal("nothing is lost")
			}
			must(t, s.Close())
			if c.rebuilt {
				must(t, removeCatalog(dir))
			}
			s = open(t, dir, severalSize)
			got, err := s.Fill(t.Context(), bytes.NewReader(backup))
			if err != nil || got.Lost == 0 || got.Back != got.Lost {
				t.Fatalf("%+v, %v; want all of them back", got, err)
			}
			must(t, s.Close())
			for _, f := range asidesIn(t, dir) {
				must(t, os.Remove(f))
			}
			s = open(t, dir, severalSize)
			asBefore(t, s, ids, was, signed)
			if items, err := s.Items(t.Context(), []feed.ItemID{since}, 0); err != nil || len(items) != 1 {
				t.Errorf("what came since: %v, %v", items, err)
			}
			appends(t, s, "written on")
			if again, err := s.Fill(t.Context(), bytes.NewReader(backup)); err != nil || again != (bolt.Filled{}) {
				t.Errorf("once more: %+v, %v", again, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "fill*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// firstOf is a volume's first record.
func firstOf(t *testing.T, path string) uint64 {
	t.Helper()
	first := ^uint64(0)
	for key := range bolt.Pages(t, path, "log") {
		n := uint64(0)
		for _, b := range []byte(key) {
			n = n<<8 | uint64(b)
		}
		first = min(first, n)
	}
	return first
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func asidesIn(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "archive", "*.damaged*"))
	must(t, err)
	return all
}

// A backup that is of another archive, not sound, or older than what is lost brings nothing,
// and changes nothing; one of an item that was taken down since brings no content.
func TestFillRefuses(t *testing.T) {
	dir, files, ids, _, signed := severalVolumes(t)
	backup := backupOf(t, dir)
	other, so, _ := stuffed(t, bolt.Options{})
	must(t, so.Close())
	foreign := backupOf(t, other)
	s := open(t, dir, severalSize)
	items, err := s.Items(t.Context(), ids[:50], store.AllFields)
	must(t, err)
	must(t, s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{items[20].ID}, Reason: "a court"}}))
	must(t, s.Close())
	must(t, os.Remove(files[1]))
	s = open(t, dir, severalSize)
	lost := mustStats(t, s).Lost
	before := allFiles(t, dir)
	for what, b := range map[string][]byte{"another archive": foreign, "cut short": backup[:len(backup)/2], "a bit": flip(backup, len(backup)/3)} {
		if got, err := s.Fill(t.Context(), bytes.NewReader(b)); !errors.Is(err, store.ErrCorrupt) || got.Back != 0 {
			t.Errorf("%s: %+v, %v; want ErrCorrupt", what, got, err)
		}
	}
	for path, d := range allFiles(t, dir) {
		if strings.Contains(path, "archive/") && before[path] != d {
			t.Errorf("%s was changed", path)
		}
	}
	got, err := s.Fill(t.Context(), bytes.NewReader(backup))
	if err != nil || got.Back != lost {
		t.Errorf("%+v of %d, %v", got, lost, err)
	}
	must(t, s.Close())
	s = open(t, dir, severalSize)
	sound(t, s)
	if head, err := s.Head(t.Context(), signed.Size); err != nil || head != signed {
		t.Errorf("head %v, %v; %v was signed", head, err, signed)
	}
	again, err := s.Items(t.Context(), []feed.ItemID{items[20].ID}, store.AllFields)
	if err != nil || len(again) != 1 || !again[0].TakenDown || again[0].Content.Value != "" {
		t.Errorf("taken down since: %+v, %v", again, err)
	}
}
