package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

var everyPage = flag.Int("pages", 0, "damage every N-th page in TestDamagedPage; 0: some of each kind. make crash sets 1")

// harms are what becomes of a page.
var harms = []struct {
	name string
	do   func(whole []byte, page, size int64) []byte
}{
	{"zeros", func(b []byte, page, size int64) []byte {
		clear(b[page*size : (page+1)*size])
		return b
	}},
	{"noise", func(b []byte, page, size int64) []byte {
		r := rand.New(rand.NewPCG(uint64(page), 1))
		for i := range size {
			b[page*size+i] = byte(r.Uint32())
		}
		return b
	}},
	{"half", func(b []byte, page, size int64) []byte { // a disk's sectors are smaller than our pages
		clear(b[page*size+size/2 : (page+1)*size])
		return b
	}},
	{"cut", func(b []byte, page, size int64) []byte { return b[:page*size] }},
}

// damagedPages are those to be tried: of a file with n pages.
func damagedPages(n int64) (pages []int64) {
	step := int64(*everyPage)
	if step == 0 {
		step = max(1, n/6)
	}
	for p := int64(0); p < n; p += step {
		pages = append(pages, p)
	}
	if *everyPage == 0 { // the heads, and what the first commits made
		pages = append(pages, 1, 2, 3, 4, 5, n-1)
		slices.Sort(pages)
		pages = slices.Compact(pages)
	}
	return pages
}

// OPS-26: whichever page of a volume is damaged, of the one that is written or of one that
// is sealed, in whatever way, the archive opens. All records that do not lie in that page
// are read; those that do are named by Verify and Ping, and nothing else is. The damaged
// file is put aside and never written again, new records go into the next volume, and
// what was signed stays true: the tree's head is the one of before, with the catalog that
// there was and with one made anew.
func TestDamagedPage(t *testing.T) {
	t.Run("live", func(t *testing.T) { damageEach(t, bolt.Options{}) })
	if !testing.Short() {
		t.Run("sealed", func(t *testing.T) { damageEach(t, bolt.Options{VolumeSize: 2 << 20}) })
	}
}

func damageEach(t *testing.T, o bolt.Options) {
	base, s, ids := stuffed(t, o)
	end, _ := s.End(t.Context())
	signed, err := s.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("archive", "v000001.bolt")
	whole, err := os.ReadFile(filepath.Join(base, path))
	if err != nil {
		t.Fatal(err)
	}
	size, places := bolt.PageSize(t, filepath.Join(base, path)), bolt.Pages(t, filepath.Join(base, path), "log")
	dict, spare := bolt.Pages(t, filepath.Join(base, path), "dict"), bolt.Pages(t, filepath.Join(base, path), "spare")
	if len(dict) != 1 || len(spare) != 1 || dict["\x01"][0] == spare["\x01"][0] {
		t.Fatalf("dictionary in %v, spare in %v", dict, spare)
	}
	if sealed := o.VolumeSize > 0; sealed == (len(places) == int(end)) {
		t.Fatalf("%d places of %d records", len(places), end)
	}
	n := int64(len(whole)) / size
	var lostAtAll, aside int
	for _, page := range damagedPages(n) {
		for i, harm := range harms {
			if *everyPage == 0 && int(page)%len(harms) != i {
				continue
			}
			name := fmt.Sprintf("page %d, %s", page, harm.name)
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			harmed := harm.do(bytes.Clone(whole), page, size)
			if err := os.WriteFile(filepath.Join(dir, path), harmed, 0o644); err != nil {
				t.Fatal(err)
			}
			gone := map[uint64]bool{}                                                           // records that may be lost
			packed := harm.name == "cut" && page <= dict["\x01"][1] && page <= spare["\x01"][1] // with a dictionary that is gone
			for key, at := range places {
				if harm.name == "cut" && at[1] >= page || at[0] <= page && page <= at[1] || packed {
					gone[binary.BigEndian.Uint64([]byte(key))] = true
				}
			}
			l := live{t: t, name: name, dir: dir, end: end, signed: signed, gone: gone, ids: ids, packed: packed, all: len(gone) == len(places), o: o}
			lost := l.check()
			if len(lost) > 0 {
				lostAtAll++
			}
			if len(gone) == len(places) && lost == nil { // nothing is left: it is as if the file were missing
				continue
			}
			if b, err := os.ReadFile(filepath.Join(dir, path+".damaged")); err == nil {
				aside++
				if !bytes.Equal(b, harmed) {
					t.Errorf("%s: the damaged file was changed", name)
				}
			} else if len(lost) > 0 {
				t.Errorf("%s: %d records are lost, and the damaged file is not there", name, len(lost))
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d pages: records were lost %d times, a file put aside %d times", n, lostAtAll, aside)
	if lostAtAll < 2 || aside < lostAtAll {
		t.Error("that is not what was to be tried")
	}
}

// live is an archive whose newest volume is damaged.
type live struct {
	t      *testing.T
	o      bolt.Options
	name   string
	when   string
	dir    string
	end    store.Cursor
	signed store.TreeHead
	gone   map[uint64]bool
	ids    []feed.ItemID
	all    bool // records of the volume may be lost
	packed bool // the dictionary is gone in both copies, so bodies are that lie elsewhere
}

func (l *live) errorf(format string, args ...any) {
	l.t.Helper()
	l.t.Errorf(l.name+", "+l.when+": "+format, args...)
}

// check opens the archive three times, and gives the records that are lost.
func (l *live) check() (lost []uint64) {
	t := l.t
	t.Helper()
	for round, what := range []string{"opened", "opened again", "the catalog made anew"} {
		l.when = what
		if round == 2 {
			if err := removeCatalog(l.dir); err != nil {
				t.Fatal(err)
			}
		}
		s, err := bolt.Open(t.Context(), l.dir, l.o)
		if err != nil {
			if !l.all || !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "v000001.bolt") {
				l.errorf("open: %v", err)
			}
			return nil
		}
		lost = l.read(s)
		l.write(s, round)
		before := lost
		lost = l.read(s) // a page that is free by now may still have what the new one had
		if round > 0 && len(lost) != len(before) || slices.ContainsFunc(lost, func(seq uint64) bool { return !slices.Contains(before, seq) }) {
			l.errorf("lost %v, before it was written %v", lost, before)
		}
		ping, st := s.Ping(t.Context()), mustStats(t, s)
		if (len(lost) > 0) != errors.Is(ping, store.ErrLost) || int(st.Lost) != len(lost) && !l.packed {
			l.errorf("%d records are lost, Stats says %d, Ping %v", len(lost), st.Lost, ping)
		}
		if round == 2 {
			l.restore(s, lost)
		}
		if err := s.Close(); err != nil {
			l.errorf("close: %v", err)
		}
	}
	return lost
}

// read reads all that can be read, and gives what cannot be.
func (l *live) read(s *bolt.Store) (lost []uint64) {
	t := l.t
	t.Helper()
	seen := map[uint64]bool{}
	for at := store.Cursor(0); at < l.end; {
		records, next, err := s.Follow(t.Context(), at, store.AllKinds, 100)
		if err != nil {
			l.errorf("follow: %v", err)
			return nil
		}
		for _, r := range records {
			seen[uint64(r.Seq)] = true
		}
		at = next
	}
	for seq := range uint64(l.end) {
		if seq++; !seen[seq] {
			lost = append(lost, seq)
			if !l.gone[seq] {
				l.errorf("record %d, in another page, cannot be read", seq)
			}
		}
	}
	items := 0
	for _, id := range l.ids {
		_, err := s.Items(t.Context(), []feed.ItemID{id}, store.AllFields)
		if err == nil {
			items++
		} else if !errors.Is(err, store.ErrLost) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
			l.errorf("item %v: %v", id, err)
		}
	}
	if items < len(l.ids)-len(lost) {
		l.errorf("%d of %d items, %d records are lost", items, len(l.ids), len(lost))
	}
	return lost
}

// write takes in a new post and a version of each that is there, in the next volume.
func (l *live) write(s *bolt.Store, round int) {
	t := l.t
	t.Helper()
	d := storetest.Draft(fmt.Sprint("new ", round), fmt.Sprint("new ", round))
	out, err := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{d}})
	if err != nil || out[0].State != store.New {
		l.errorf("append: %v, %v", out, err)
	}
	head, err := s.Head(t.Context(), int64(l.end))
	if err != nil || head != l.signed {
		l.errorf("the head of %d records is %v, %v; %v was signed", l.end, head, err, l.signed)
	}
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 && !l.packed {
		l.errorf("verify: %v, %v", rep.Faults, err)
	}
	if (rep.LostRecords > 0) != (len(rep.Lost) > 0) {
		l.errorf("verify: %d records lost, named %v", rep.LostRecords, rep.Lost)
	}
	if (rep.LostRecords > 0) != (mustStats(t, s).Lost > 0) {
		l.errorf("verify: %d records lost, Stats says %d", rep.LostRecords, mustStats(t, s).Lost)
	}
	if p, err := s.Prove(t.Context(), out[0].ID, 0); err != nil || p.Check() != nil {
		l.errorf("proof: %v, %v", err, p.Check())
	}
}

// restore makes a backup and puts it in place elsewhere.
func (l *live) restore(s *bolt.Store, lost []uint64) {
	t := l.t
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		l.errorf("backup: %v", err)
		return
	}
	dir := filepath.Join(t.TempDir(), "restored")
	rep, err := bolt.Restore(t.Context(), &b, dir)
	if err != nil || int(rep.LostRecords) != len(lost) && !l.packed {
		l.errorf("restore: %d records lost of %d, %v", rep.LostRecords, len(lost), err)
		return
	}
	r := open(t, dir, bolt.Options{})
	head, err := r.Head(t.Context(), int64(l.end))
	if err != nil || head != l.signed {
		l.errorf("restored, the head is %v, %v; %v was signed", head, err, l.signed)
	}
}

func mustStats(t *testing.T, s *bolt.Store) store.Stats {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}
