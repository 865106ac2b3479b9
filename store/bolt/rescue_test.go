package bolt_test

import (
	"bytes"
	"errors"
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

// volumeOne is the first volume of an archive.
func volumeOne(dir string) string { return filepath.Join(dir, "archive", "v000001.bolt") }

// pageOf is the page in which a record of a volume begins.
func pageOf(t *testing.T, path string, seq uint64) (page, size int64) {
	t.Helper()
	for key, at := range bolt.Pages(t, path, "log") {
		if key == string(be64(seq)) {
			return at[0], bolt.PageSize(t, path)
		}
	}
	t.Fatalf("record %d is not in %s", seq, path)
	return 0, 0
}

func be64(n uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[7-i] = byte(n >> (8 * i))
	}
	return b
}

// lastPage is the page of the last record of a volume that is not followed by another:
// without it nobody knows where the log ended, but the catalog.
func lastPage(t *testing.T, path string) (page, size int64) {
	t.Helper()
	last := uint64(0)
	for key := range bolt.Pages(t, path, "log") {
		n := uint64(0)
		for _, b := range []byte(key) {
			n = n<<8 | uint64(b)
		}
		last = max(last, n)
	}
	return pageOf(t, path, last)
}

// OPS-26: where neither the newest volume nor the catalog says where the log ended, the
// archive is opened for reading: all that is left is served, whoever would write is told
// why and what to do, and no file of the archive is touched.
func TestUnknownEnd(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	page, size := lastPage(t, volumeOne(dir))
	scribble(t, volumeOne(dir), page*size, int(size))
	if err := removeCatalog(dir); err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(volumeOne(dir))
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	n := 0
	for _, id := range ids {
		if items, err := s.Items(t.Context(), []feed.ItemID{id}, store.AllFields); err == nil {
			n += len(items)
		}
	}
	if n < len(ids)*3/4 || n == len(ids) {
		t.Errorf("%d of %d items are served", n, len(ids))
	}
	_, errAppend := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft("new", "new")}})
	_, errLease := s.Lease(t.Context(), store.LeaseQuery{All: true})
	for what, err := range map[string]error{
		"append": errAppend, "lease": errLease, "change": s.Change(t.Context(), nil),
		"ledger": s.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: "a", Key: "b", Value: []byte("c")}}),
	} {
		if !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "v000001.bolt") || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v; want ErrReadOnly that names the file and says what to do", what, err)
		}
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("ping: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
	if b, err := os.ReadFile(volumeOne(dir)); err != nil || !bytes.Equal(b, was) {
		t.Errorf("the damaged file was changed, %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "catalog.bolt")); err == nil {
		t.Error("a catalog was made of a log whose end nobody knows")
	}
}

// Whoever opens a damaged archive for reading reads what can be read, and changes nothing.
func TestReadOnlyDamaged(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	page, size := lastPage(t, volumeOne(dir))
	scribble(t, volumeOne(dir), page*size, int(size))
	was, err := os.ReadFile(volumeOne(dir))
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{ReadOnly: true})
	items, err := s.Items(t.Context(), ids, store.AllFields)
	if err != nil || len(items) < len(ids)*3/4 {
		t.Errorf("%d of %d items, %v", len(items), len(ids), err)
	}
	if rep, err := s.Verify(t.Context(), false, nil); err != nil || rep.LostRecords == 0 || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v, %v", rep.Faults, rep.Lost, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
	if b, err := os.ReadFile(volumeOne(dir)); err != nil || !bytes.Equal(b, was) {
		t.Errorf("the damaged file was changed, %v", err)
	}
}

// Damage that is met while the archive is open: the commit that meets it, and all after
// it, go into the next volume.
func TestDamagedWhileOpen(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	end, _ := s.End(t.Context())
	signed, err := s.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	page, size := lastPage(t, volumeOne(dir))
	scribble(t, volumeOne(dir), page*size, int(size)) // the mapping shows it
	for i := range 3 {
		name := []string{"one", "two", "three"}[i]
		out, err := s.Append(t.Context(), store.Batch{Source: "s0001", Drafts: []store.Draft{storetest.Draft(name, name)}})
		if err != nil || out[0].State != store.New {
			t.Errorf("append: %v, %v", out, err)
			continue
		}
		if items, err := s.Items(t.Context(), []feed.ItemID{out[0].ID}, 0); err != nil || len(items) != 1 {
			t.Errorf("%s: %v, %v", name, items, err)
		}
	}
	if st := mustStats(t, s); st.Volumes != 2 || st.Lost == 0 {
		t.Errorf("%+v; want a second volume, and that records are lost", st)
	}
	if head, err := s.Head(t.Context(), int64(end)); err != nil || head != signed {
		t.Errorf("head %v, %v; %v was signed", head, err, signed)
	}
	if items, err := s.Items(t.Context(), ids, 0); err != nil || len(items) < len(ids)*3/4 {
		t.Errorf("%d of %d items, %v", len(items), len(ids), err)
	}
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 || rep.LostRecords == 0 {
		t.Errorf("verify: %v, %v, %v", rep.Faults, rep.Lost, err)
	}
}

// What is lost and still in the feed is kept once more, without being told as news; and
// what was lost and is not hides no other post.
func TestLostComesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	draft := func(guid, text string) (*store.Document, store.Draft) {
		body := "<rss><item>" + guid + " " + text + "</item></rss>"
		part := store.Part{Start: 5, End: len(body) - 6, Digest: feed.DigestOf([]byte(body[5 : len(body)-6]))}
		d := storetest.Draft(guid, text)
		d.Part = 0
		d.Entry.Bytes = part.Digest
		d.Sketch.Words = 300
		for i := range d.Sketch.Values {
			d.Sketch.Values[i] = guid[0] + byte(i)
		}
		return &store.Document{Source: "a", Body: []byte(body), Parts: []store.Part{part}}, d
	}
	add := func(guid, text string) store.Outcome {
		t.Helper()
		doc, d := draft(guid, text)
		out, err := s.Append(t.Context(), store.Batch{Document: doc, Drafts: []store.Draft{d}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	first := add("1", "one")
	add("2", "two")
	end, _ := s.End(t.Context())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	turn(t, volumeOne(dir), 3) // the post "one"
	turn(t, volumeOne(dir), 2) // its document
	s = open(t, dir, bolt.Options{})
	if followed(t, s, end) == int(end) {
		t.Fatal("nothing is lost")
	}
	if err := s.Change(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	doc, d := draft("1", "one")
	known, err := s.Known(t.Context(), "a", []feed.Digest{doc.Parts[0].Digest})
	if err != nil || known[0] {
		t.Errorf("the bytes of what is lost are known: %v, %v", known, err)
	}
	out, err := s.Append(t.Context(), store.Batch{Document: doc, Drafts: []store.Draft{d}})
	if err != nil || out[0].ID != first.ID || out[0].State != store.Revised {
		t.Fatalf("%v, %v; want the item of before with a further revision", out, err)
	}
	items, err := s.Items(t.Context(), []feed.ItemID{first.ID}, store.AllFields)
	if err != nil || len(items) != 1 || items[0].Title.Value != d.Entry.Title.Value || !items[0].Trivial {
		t.Errorf("%+v, %v; want the post, and that nothing is new in it", items, err)
	}
	if raw, err := s.Raw(t.Context(), first.ID, 0); err != nil || !bytes.Equal(raw.Body, doc.Body) {
		t.Errorf("its document: %v", err)
	}
	if again, err := s.Append(t.Context(), store.Batch{Document: doc, Drafts: []store.Draft{d}}); err != nil || again[0].State != store.Same {
		t.Errorf("a second time: %v, %v", again, err)
	}
	revs, err := s.Revisions(t.Context(), first.ID)
	if err != nil || len(revs) != 1 || revs[0].Revision != 2 {
		t.Errorf("revisions %v, %v", revs, err)
	}
	if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 || rep.Items != 2 {
		t.Errorf("verify: %v, %d items, %v; want two, of one of which the first record is lost", rep.Faults, rep.Items, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := removeCatalog(dir); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 || rep.Items != 2 {
		t.Errorf("with the catalog made anew: verify: %v, %d items, %v", rep.Faults, rep.Items, err)
	}
	if items, err := s.Items(t.Context(), []feed.ItemID{first.ID}, store.AllFields); err != nil || len(items) != 1 {
		t.Errorf("with the catalog made anew: %v, %v", items, err)
	}
	// An edit of it, a post near it.
	doc, d = draft("1", "one, edited")
	if out, err := s.Append(t.Context(), store.Batch{Document: doc, Drafts: []store.Draft{d}}); err != nil || out[0].ID != first.ID || out[0].State != store.Revised {
		t.Errorf("an edit: %v, %v; want the item of before: its later record names its keys", out, err)
	}
	doc, d = draft("9", "nine")
	if out, err := s.Append(t.Context(), store.Batch{Document: doc, Drafts: []store.Draft{d}}); err != nil || out[0].State != store.New {
		t.Errorf("another post: %v, %v", out, err)
	}
}

// Where the record that made a source is lost, the posts of it are there all the same,
// with a catalog made anew, too.
func TestLostSource(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	turn(t, volumeOne(dir), 1)
	s = open(t, dir, bolt.Options{})
	end, _ := s.End(t.Context())
	followed(t, s, end)
	if err := errors.Join(s.Change(t.Context(), nil), s.Close(), removeCatalog(dir)); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	items, err := s.Items(t.Context(), ids, store.AllFields)
	if err != nil || len(items) != len(ids) {
		t.Errorf("%d of %d items, %v", len(items), len(ids), err)
	}
	sources, err := s.Sources(t.Context())
	if err != nil || len(sources) != 4 {
		t.Errorf("sources: %v, %v", sources, err)
	}
}

// A takedown reaches what lies beside a damaged page, and the damaged file that was put
// aside.
func TestTakedownInDamagedVolume(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("1", "lost"), storetest.Draft("2", unwanted), storetest.Draft("3", "three")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	turn(t, volumeOne(dir), 2)
	s = open(t, dir, bolt.Options{})
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID, out[1].ID}, Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 || rep.LostRecords != 1 {
		t.Errorf("verify: %v, %v, %v", rep.Faults, rep.Lost, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte(unwanted)) {
			t.Errorf("%s still has the content, %v", filepath.Base(f), err)
		}
	}
	if slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, ".damaged") }) {
		t.Errorf("files: %v", files)
	}
}

// A backup of an archive in which nobody has met the damage yet can be restored, and says
// what it lacks.
func TestBackupOfDamaged(t *testing.T) {
	for name, o := range map[string]bolt.Options{"live": {}, "sealed": {VolumeSize: 2 << 20}} {
		dir, s, ids := stuffed(t, o)
		signed, err := s.Head(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		page, size := pageOf(t, volumeOne(dir), 40)
		scribble(t, volumeOne(dir), page*size+size/2, int(size/2))
		s = open(t, dir, o)
		var b bytes.Buffer
		if err := s.Backup(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "to")
		rep, err := bolt.Restore(t.Context(), &b, to)
		if err != nil || rep.LostRecords == 0 || len(rep.Lost) == 0 {
			t.Errorf("%s: restore: %v, %v", name, rep.Lost, err)
			continue
		}
		r := open(t, to, o)
		if head, err := r.Head(t.Context(), signed.Size); err != nil || head != signed {
			t.Errorf("%s: head %v, %v; %v was signed", name, head, err, signed)
		}
		if items, err := r.Items(t.Context(), ids, 0); err != nil || len(items) < len(ids)*3/4 {
			t.Errorf("%s: %d of %d items, %v", name, len(items), len(ids), err)
		}
	}
}

// OPS-26: one of the two heads of a sealed volume that is damaged is named, by whoever only
// reads, too; when the archive is opened for writing it is made of the other one, or, where
// that is of before it was sealed, the volume is written anew. No record is lost.
func TestDamagedHeadOfSealed(t *testing.T) {
	dir, files, ids, was, signed := severalVolumes(t)
	for page := range int64(2) {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, "archive", filepath.Base(files[1]))
		scribble(t, path, page*bolt.PageSize(t, path), 4096)
		s := open(t, to, bolt.Options{ReadOnly: true})
		rep, err := s.Verify(t.Context(), false, nil)
		told := s.Ping(t.Context()) // as opening saw it
		if err != nil || told == nil && (len(rep.Faults) != 1 || !strings.Contains(rep.Faults[0], path+": one of its two heads")) || told != nil && !strings.Contains(told.Error(), path+": one of its heads") {
			t.Errorf("page %d: %v, %v, ping: %v; want that it is named", page, rep.Faults, err, told)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, to, bolt.Options{})
		asBefore(t, s, ids, was, signed)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, to, bolt.Options{ReadOnly: true})
		asBefore(t, s, ids, was, signed)
	}
}

// Verify names a head of the newest volume that was damaged while the archive is open.
func TestVerifyNamesAHead(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	page := bolt.OlderHead(t, volumeOne(dir))
	scribble(t, volumeOne(dir), page*bolt.PageSize(t, volumeOne(dir)), 4096)
	rep, err := s.Verify(t.Context(), false, nil)
	if err != nil || len(rep.Faults) != 1 || !strings.Contains(rep.Faults[0], "one of its two heads cannot be used") {
		t.Errorf("%v, %v", rep.Faults, err)
	}
	appends(t, s, "new") // which writes it
	sound(t, s)
}

// A head of the file that is damaged where the catalog has seen the commit that it was of
// is damage; where the catalog has not, a commit was not finished.
func TestDamagedHead(t *testing.T) {
	dir, s, _ := stuffed(t, bolt.Options{})
	signed, err := s.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for page := range int64(2) {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		scribble(t, volumeOne(to), page*bolt.PageSize(t, volumeOne(dir)), 4096)
		s := open(t, to, bolt.Options{})
		sound(t, s)
		if head, err := s.Head(t.Context(), 0); err != nil || head != signed {
			t.Errorf("page %d: head %v, %v; %v was signed", page, head, err, signed)
		}
		if st := mustStats(t, s); st.Lost > 0 {
			t.Errorf("page %d: %+v", page, st)
		}
	}
}
