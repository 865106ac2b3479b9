package bolt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// severalVolumes is an archive of several volumes, closed, with all that it says.
func severalVolumes(t *testing.T) (dir string, files []string, ids []feed.ItemID, was string, signed store.TreeHead) {
	t.Helper()
	several.once.Do(func() { several.make(t) })
	dir = t.TempDir()
	if err := os.CopyFS(dir, several.files); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "archive", "v*.bolt"))
	if err != nil || len(files) < 4 {
		t.Fatalf("volumes %v, %v; want four at least", files, err)
	}
	return dir, files, several.ids, several.was, several.signed
}

// several is made once: each test has a copy of its files.
var several archiveOfVolumes

type archiveOfVolumes struct {
	once   sync.Once
	files  fstest.MapFS
	ids    []feed.ItemID
	was    string
	signed store.TreeHead
}

func (a *archiveOfVolumes) make(t *testing.T) {
	t.Helper()
	dir, s, ids := stuffed(t, severalSize)
	a.ids, a.was, a.files = ids, contents(t, s, ids), fstest.MapFS{}
	signed, err := s.Head(t.Context(), 0)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	a.signed = signed
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		a.files[path] = &fstest.MapFile{Data: b, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var severalSize = bolt.Options{VolumeSize: 1 << 20}

// allFiles are the names and digests of all files of an archive but the lock.
func allFiles(t *testing.T, dir string) map[string]feed.Digest {
	t.Helper()
	out := map[string]feed.Digest{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "lock" {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = feed.DigestOf(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// moved takes a file away, and gives what brings it back.
func moved(t *testing.T, path string) (back func()) {
	t.Helper()
	away := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
	}
}

// lacking checks what an archive says that lacks the records of a volume: how many and
// where, everything else, and the tree as it was signed. It gives how many are lost.
func lacking(t *testing.T, s *bolt.Store, ids []feed.ItemID, file string, signed store.TreeHead) int64 {
	t.Helper()
	lost := mustStats(t, s).Lost
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 || rep.LostRecords != lost || lost == 0 || !strings.Contains(strings.Join(rep.Lost, "\n"), file) {
		t.Errorf("verify: %v, %v, %d lost of %d, %v; want them named with %s", rep.Faults, rep.Lost, rep.LostRecords, lost, err, file)
	}
	if n := followed(t, s, store.Cursor(signed.Size)); int64(n) != signed.Size-lost {
		t.Errorf("%d records followed of %d, %d are lost", n, signed.Size, lost)
	}
	items, err := s.Items(t.Context(), ids, store.AllFields)
	if err != nil || len(items) == 0 || len(items)+int(lost) < len(ids) {
		t.Errorf("%d of %d items, %v", len(items), len(ids), err)
	}
	if head, err := s.Head(t.Context(), signed.Size); err != nil || head != signed {
		t.Errorf("head %v, %v; %v was signed", head, err, signed)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("ping: %v", err)
	}
	return lost
}

// asBefore checks that an archive says all that it said.
func asBefore(t *testing.T, s *bolt.Store, ids []feed.ItemID, was string, signed store.TreeHead) {
	t.Helper()
	sound(t, s)
	if st := mustStats(t, s); st.Lost > 0 {
		t.Errorf("%d records are lost", st.Lost)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if head, err := s.Head(t.Context(), signed.Size); err != nil || head != signed {
		t.Errorf("head %v, %v; %v was signed", head, err, signed)
	}
	_, is, _ := strings.Cut(contents(t, s, ids), "\n")
	if _, was, _ := strings.Cut(was, "\n"); tail(is) != tail(was) {
		t.Error("it does not say what it said")
	}
}

// tail is what contents gives behind the tree's head, which grows.
func tail(s string) string {
	_, after, _ := strings.Cut(s, "{Entry:")
	return after
}

func refuses(t *testing.T, s *bolt.Store, file string) {
	t.Helper()
	_, errAppend := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft("new", "new")}})
	for what, err := range map[string]error{"append": errAppend, "change": s.Change(t.Context(), nil), "ping": s.Ping(t.Context())} {
		if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "put the file back") {
			t.Errorf("%s: %v; want ErrReadOnly that names %s and says what to do", what, err, file)
		}
	}
}

func appends(t *testing.T, s *bolt.Store, name string) feed.ItemID {
	t.Helper()
	out, err := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft(name, name)}})
	if err != nil || out[0].State != store.New {
		t.Fatalf("append: %v, %v", out, err)
	}
	return out[0].ID
}

// OPS-26: a volume that is missing between others, or the first, of which the catalog knows
// all leaf hashes: the archive is written on, without its records, and when the file is
// back everything is there, with what was written meanwhile.
func TestMissingVolume(t *testing.T) {
	for i, how := range map[int]string{0: "taken away", 1: "taken away", 2: "emptied"} {
		dir, files, ids, was, signed := severalVolumes(t)
		gone := files[i]
		back := moved(t, gone)
		if how == "emptied" {
			if err := os.WriteFile(gone, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		before := allFiles(t, dir)
		s := open(t, dir, bolt.Options{ReadOnly: true})
		lost := lacking(t, s, ids, filepath.Base(gone), signed)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if after := allFiles(t, dir); !equalFiles(before, after) {
			t.Errorf("%s: reading changed files: %v, %v", gone, before, after)
		}
		s = open(t, dir, severalSize)
		added := appends(t, s, "written meanwhile")
		if n := lacking(t, s, ids, filepath.Base(gone), signed); n != lost {
			t.Errorf("%s: %d are lost, %d for who reads", gone, n, lost)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, severalSize) // the stand-in is a volume
		lacking(t, s, ids, filepath.Base(gone), signed)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // made anew without them, and once more with them
			if err := removeCatalog(dir); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, severalSize)
			if head, err := s.Head(t.Context(), signed.Size); err != nil || head != signed {
				t.Errorf("with the catalog made anew: head %v, %v; %v was signed", head, err, signed)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		back()
		s = open(t, dir, severalSize)
		asBefore(t, s, ids, was, signed)
		if items, err := s.Items(t.Context(), []feed.ItemID{added}, 0); err != nil || len(items) != 1 {
			t.Errorf("what was written meanwhile: %v, %v", items, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func equalFiles(a, b map[string]feed.Digest) bool {
	for path, d := range a {
		if b[path] != d {
			return false
		}
	}
	return len(a) == len(b)
}

// Where it is not known what a missing volume had, or how far the log went, the archive is
// only read, no file of it is touched, and with the file back it is as it was. For good it
// goes on without, from a backup: with the numbers and, where they are known, the leaf
// hashes of what is lost.
func TestMissingVolumeOnlyRead(t *testing.T) {
	for name, c := range map[string]struct {
		gone    func(files []string) []string
		catalog bool // that can be used
		end     bool // the catalog knows how far it went
		older   bool // the last volume is of an older copy
	}{
		"no catalog":             {gone: func(f []string) []string { return f[1:2] }},
		"several":                {gone: func(f []string) []string { return f[1:3] }, catalog: true, end: true},
		"the newest":             {gone: func(f []string) []string { return f[len(f)-2:] }, catalog: true, end: true},
		"the newest, no catalog": {gone: func(f []string) []string { return f[len(f)-1:] }},
		"an older copy":          {gone: func(f []string) []string { return f[len(f)-1:] }, catalog: true, end: true, older: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, files, ids, was, _ := severalVolumes(t)
			var old []byte
			s := open(t, dir, bolt.Options{})
			last := files[len(files)-1]
			if c.older {
				appends(t, s, "kept")
				err := s.Close()
				if err != nil {
					t.Fatal(err)
				}
				if old, err = os.ReadFile(last); err != nil {
					t.Fatal(err)
				}
				s = open(t, dir, bolt.Options{})
			}
			newest := appends(t, s, "the newest")
			signed, err := s.Head(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			var backs []func()
			named := ""
			for _, f := range c.gone(files) {
				backs = append(backs, moved(t, f))
				if named == "" {
					named = filepath.Base(f)
				}
			}
			if c.older {
				if err := os.WriteFile(last, old, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if !c.catalog {
				backs = append(backs, moved(t, filepath.Join(dir, "catalog.bolt")))
			}
			before := allFiles(t, dir)
			s = open(t, dir, bolt.Options{})
			refuses(t, s, named)
			if c.end {
				lost := mustStats(t, s).Lost
				if rep, err := s.Verify(t.Context(), false, nil); err != nil || len(rep.Faults) > 0 || rep.LostRecords != lost || lost == 0 {
					t.Errorf("verify: %v, %v, %d lost of %d, %v", rep.Faults, rep.Lost, rep.LostRecords, lost, err)
				}
				if head, err := s.Head(t.Context(), 0); err != nil || head != signed {
					t.Errorf("head %v, %v; %v was signed", head, err, signed)
				}
			}
			items, err := s.Items(t.Context(), ids, store.AllFields)
			if err != nil || len(items) == 0 {
				t.Errorf("%d of %d items, %v", len(items), len(ids), err)
			}
			// For good: a backup of it, restored.
			var b bytes.Buffer
			if err := s.Backup(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if after := allFiles(t, dir); !equalFiles(before, after) {
				t.Errorf("files were changed: %v, %v", before, after)
			}
			to := filepath.Join(t.TempDir(), "to")
			if _, err := bolt.Restore(t.Context(), &b, to); err != nil {
				t.Fatal(err)
			}
			r := open(t, to, bolt.Options{})
			appends(t, r, "written on")
			if end, _ := r.End(t.Context()); c.end && end <= store.Cursor(signed.Size) {
				t.Errorf("a number was given again: the log ends with %d, it had %d", end, signed.Size)
			}
			if c.end {
				if head, err := r.Head(t.Context(), signed.Size); err != nil || head != signed {
					t.Errorf("restored: head %v, %v; %v was signed", head, err, signed)
				}
			}
			if rep, err := r.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 {
				t.Errorf("restored: verify: %v, %v", rep.Faults, err)
			}
			// And as it was, with the file back.
			if c.older {
				if err := os.Remove(last); err != nil {
					t.Fatal(err)
				}
			}
			for _, back := range backs {
				back()
			}
			s = open(t, dir, bolt.Options{})
			asBefore(t, s, ids, was, signed)
			if items, err := s.Items(t.Context(), []feed.ItemID{newest}, 0); err != nil || len(items) != 1 {
				t.Errorf("the newest: %v, %v", items, err)
			}
			appends(t, s, "written on")
		})
	}
}

// Nothing of an archive to be read: it is not opened, and nothing is begun in its place.
func TestAllVolumesMissing(t *testing.T) {
	dir, files, _, _, _ := severalVolumes(t)
	for _, f := range files {
		if err := os.WriteFile(f, []byte("not a volume"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := allFiles(t, dir)
	if _, err := bolt.Open(t.Context(), dir, bolt.Options{}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "v000001.bolt") {
		t.Errorf("Open = %v, want ErrCorrupt that names a file", err)
	}
	if !equalFiles(before, allFiles(t, dir)) {
		t.Error("files were changed")
	}
}
