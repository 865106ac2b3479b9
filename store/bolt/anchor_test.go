package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// anchored makes an archive of one source with posts, whose catalog has its anchor, the
// last n of the posts behind it.
func anchored(t *testing.T, dir string, before, behind int) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{pace: pace{time.Hour, anchorAt, anchorLater, volumeRoom, catalogMap}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "a", URL: "https://a.example/feed"}}}); err != nil {
		t.Fatal(err)
	}
	for i := range before + behind {
		name := fmt.Sprint("post ", i)
		d := store.Draft{Entry: feed.Entry{ID: name, Content: feed.Text{Value: strings.Repeat(name, 100)}}, Native: name, Version: feed.DigestOf([]byte(name))}
		d.Part = -1
		d.Keys = []store.Key{{Class: store.KeyGUID, Hash: [16]byte{byte(i), byte(i >> 8)}}}
		if _, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{d}}); err != nil {
			t.Fatal(err)
		}
		if i >= before {
			continue
		}
		err := s.submit(t.Context(), &job{care: func() error {
			s.moveAnchor()
			s.anchor.wait()
			return s.anchor.err
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// copied is the archive as a process that is killed now leaves it. Its catalog keeps its
// place in the file system, as by a copy it would not.
func copied(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"archive/v000001.bolt", "catalog.bolt", "catalog.anchor", "ledger.bolt"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sameFile makes an anchor that of the catalog beside it.
func sameFile(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "catalog.anchor")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inode, err := inodeOf(filepath.Join(dir, "catalog.bolt"))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += anchorSlot {
		if m, ok := decodeAnchor(b[at:]); ok {
			m.inode = inode
			copy(b[at:], m.encode())
		}
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// soundWith checks an archive whole.
func soundWith(t *testing.T, dir string, o Options, items int64) {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(r.Faults) > 0 || r.Items != items {
		t.Errorf("verify: %d items, want %d; %q, %v", r.Items, items, r.Faults, err)
	}
}

// OPS-26: a catalog that was not closed goes back to the state that was on the disk, of
// which no page was used again, and what came since is replayed: also when none of the
// pages that were written since can be read.
func TestAnchor(t *testing.T) {
	live, dir := t.TempDir(), t.TempDir()
	s := anchored(t, live, 40, 30)
	m, err := readAnchor(s.catalogPath())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(s.catalogPath())
	if err != nil {
		t.Fatal(err)
	}
	copied(t, live, dir)
	sameFile(t, dir)
	path := filepath.Join(dir, "catalog.bolt")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What was written since the anchor is lost: all pages that its state does not reach.
	p, err := openPages(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := reachedFrom(t, p, m)
	p.close()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for id := int64(0); id*4096 < int64(len(before)); id++ {
		if !kept[uint64(id)] {
			lost++
			if _, err := f.WriteAt([]byte(strings.Repeat("lost", 1024)), id*4096); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if lost < 10 || len(kept) < 5 {
		t.Fatalf("%d pages are lost and %d kept: this proves nothing", lost, len(kept))
	}
	if back, err := steady(path, false); err != nil || !back {
		t.Fatalf("went back: %v, %v", back, err)
	}
	db, err := openCatalogDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	end, err := checkCatalog(db, m0(t, dir))
	if err := errors.Join(err, db.Close()); err != nil || end == 0 || end >= 71 {
		t.Errorf("the catalog has seen %d records, want some and not all 71; %v", end, err)
	}
	soundWith(t, dir, Options{}, 70)
	if _, err := os.Stat(anchorPath(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a close the anchor is there: %v", err)
	}
	soundWith(t, live, Options{ReadOnly: true}, 70)
}

// m0 is the identity of an archive.
func m0(t *testing.T, dir string) [16]byte {
	t.Helper()
	v, err := openVolume(volumePath(dir, 1), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.close(); err != nil {
		t.Fatal(err)
	}
	return v.archive
}

// reachedFrom gives the pages of the state that an anchor names, found without bbolt.
func reachedFrom(t *testing.T, p *pageFile, m anchorMark) map[uint64]bool {
	t.Helper()
	n := binary.NativeEndian
	h := pageHead{root: n.Uint64(m.head[pageHeader+16:]), freelist: n.Uint64(m.head[pageHeader+32:])}
	kept := map[uint64]bool{}
	var walk func(id uint64)
	walk = func(id uint64) {
		g, err := p.read(id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(len(g.data)) / uint64(p.page) {
			kept[id+i] = true
		}
		for i := range g.count {
			e := g.data[pageHeader+i*pageElement:]
			switch {
			case g.flags&pageBranch != 0:
				walk(n.Uint64(e[8:]))
			case g.flags&pageLeaf != 0 && e[0]&elementBucket != 0:
				at := pageHeader + i*pageElement + int(n.Uint32(e[4:])) + int(n.Uint32(e[8:]))
				if root := n.Uint64(g.data[at:]); root != 0 {
					walk(root)
				}
			}
		}
	}
	walk(h.root)
	walk(h.freelist)
	return kept
}

// OPS-26: an anchor that is not that of the catalog beside it moves nothing: the catalog is made
// anew.
func TestAnchorOfAnother(t *testing.T) {
	live := t.TempDir()
	anchored(t, live, 5, 5)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		o      Options
		anew   bool
	}{
		{"a copy", func(*testing.T, string) {}, Options{}, true},
		{"a copy, for reading", func(*testing.T, string) {}, Options{ReadOnly: true}, true},
		{"killed", sameFile, Options{}, false},
		{"killed, for reading", sameFile, Options{ReadOnly: true}, false},
		{"the catalog is removed", func(t *testing.T, dir string) {
			sameFile(t, dir)
			if err := os.Remove(filepath.Join(dir, "catalog.bolt")); err != nil {
				t.Fatal(err)
			}
		}, Options{}, true},
		{"both places are damaged", func(t *testing.T, dir string) {
			sameFile(t, dir)
			if err := os.WriteFile(filepath.Join(dir, "catalog.anchor"), make([]byte, 2*anchorSlot), 0o644); err != nil {
				t.Fatal(err)
			}
		}, Options{}, true},
		{"it was being made", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "catalog.anchor"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}, Options{}, false},
		{"one place is damaged", func(t *testing.T, dir string) {
			sameFile(t, dir)
			path := filepath.Join(dir, "catalog.anchor")
			m, err := readAnchor(filepath.Join(dir, "catalog.bolt"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[(1-m.seq%2)*anchorSlot+20] ^= 1 // the one of before
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}, Options{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			copied(t, live, dir)
			c.change(t, dir)
			var made strings.Builder
			c.o.Log = slog.New(slog.NewTextHandler(&made, nil))
			soundWith(t, dir, c.o, 10)
			if anew := strings.Contains(made.String(), "anew"); anew != c.anew {
				t.Errorf("made anew: %v, want %v: %s", anew, c.anew, made.String())
			}
		})
	}
}

// An anchor can be moved on a full disk: its file has all its room from the beginning.
func TestAnchorHasItsRoom(t *testing.T) {
	s := anchored(t, t.TempDir(), 0, 1)
	if n := allocated(anchorPath(s.catalogPath())); n < 2*anchorSlot {
		t.Errorf("%d bytes are allocated, want %d", n, 2*anchorSlot)
	}
}

// Where it is not known whether the anchor is there, its state stays, and all that is
// committed is on the disk, too.
func TestAnchorThatCannotBeRemoved(t *testing.T) {
	s := anchored(t, t.TempDir(), 1, 1)
	path := anchorPath(s.catalogPath())
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "full"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := s.submit(t.Context(), &job{care: func() error {
			if err := s.weighAnchor(); err == nil {
				t.Error("it was removed")
			}
			if s.anchor == nil || s.anchor.pin == nil || s.cat.NoSync {
				t.Errorf("anchor %v, commits are not synced: %v", s.anchor, s.cat.NoSync)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err == nil {
		t.Error("the close says nothing")
	}
}

// OPS-26: where the log ended a catalog that went back to its anchor does not know, and what
// was acknowledged since is not given up with the heads of a volume: also when the first
// opening did not come to its end.
func TestAnchorIsNotTheEndOfTheLog(t *testing.T) {
	live := t.TempDir()
	anchored(t, live, 40, 30)
	for name, heads := range map[string]func(newer int64) []int64{
		"both heads":     func(newer int64) []int64 { return []int64{newer, 1 - newer} },
		"the newer head": func(newer int64) []int64 { return []int64{newer} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copied(t, live, dir)
			sameFile(t, dir)
			path := volumePath(dir, 1)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			size := PageSize(t, path)
			for _, head := range heads(1 - OlderHead(t, path)) {
				if _, err := f.WriteAt(make([]byte, 4096), head*size); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := steady(filepath.Join(dir, "catalog.bolt"), false); err != nil {
				t.Fatal(err)
			}
			soundWith(t, dir, Options{}, 70)
			if exists(filepath.Join(dir, "catalog.anchor")) {
				t.Error("the anchor is there after a close")
			}
		})
	}
}

// Near the end of its mapping a catalog has no anchor: bbolt could not map more of it, and the
// writer would wait for what it has pinned itself.
func TestAnchorEndsBeforeTheMapping(t *testing.T) {
	s := anchored(t, t.TempDir(), 1, 1)
	err := s.submit(t.Context(), &job{care: func() error {
		s.opts.pace.mapped = anchorMargin // the writer's own
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindRuleset}}); err != nil {
			t.Fatal(err)
		}
		err := s.submit(t.Context(), &job{care: func() error { // behind what is due after the commit
			if s.anchor != nil || s.cat.NoSync || exists(anchorPath(s.catalogPath())) {
				t.Errorf("anchor %v, commits are not synced: %v", s.anchor, s.cat.NoSync)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A sync that failed when the file was made longer is the last word on what was written
// before: the anchor does not move on.
func TestAnchorAfterAFileThatCannotGrow(t *testing.T) {
	s := anchored(t, t.TempDir(), 1, 1)
	err := s.submit(t.Context(), &job{care: func() error {
		was := s.anchor.pin.ID()
		s.anchor.doubt(errors.New("file resize error: no space left on device"))
		if s.anchor.err != nil {
			t.Errorf("a full disk: %v", s.anchor.err)
		}
		s.anchor.doubt(errors.New("file sync error: input/output error"))
		s.moveAnchor()
		s.anchor.wait()
		if s.anchor.err == nil || s.anchor.pin.ID() != was {
			t.Errorf("it moved from %d to %d: %v", was, s.anchor.pin.ID(), s.anchor.err)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil {
		t.Error("the close says nothing")
	}
}
