package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// documentOf makes a batch of a document with entries; entry i is the draft guids[i]
// with texts[i]. noise stands in its bytes and in no field.
func documentOf(at time.Time, head string, guids, texts []string, noise string) store.Batch {
	body := "<rss>" + head
	b := store.Batch{At: at, Document: &store.Document{Source: "a", Received: at}}
	for i, g := range guids {
		start := len(body)
		body += "<item>" + g + texts[i] + noise + "</item>"
		b.Document.Parts = append(b.Document.Parts, store.Part{Start: start, End: len(body), Digest: feed.DigestOf([]byte(body[start:]))})
		d := storetest.Draft(g, texts[i])
		d.Part = i
		b.Drafts = append(b.Drafts, d)
	}
	b.Document.Body = []byte(body + "</rss>")
	return b
}

// Documents of before a time are let go by a record: their items stay, later documents
// that need bytes of theirs stay whole, the log verifies, what comes again is kept again.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	storetest.Source(t, s, "a")
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(n int, b store.Batch) []store.Outcome {
		t.Helper()
		b.At = day.AddDate(0, 0, n)
		out, err := s.Append(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := documentOf(day, strings.Repeat("head of the first one. ", 20), []string{"1", "2"}, []string{"one", "two"}, "")
	out := add(0, first)
	// The same texts in other bytes: they are in the document itself.
	second := documentOf(day, "second", []string{"1", "2"}, []string{"one", "two"}, strings.Repeat(" ", 60))
	add(10, second)
	third := documentOf(day, "third", []string{"3"}, []string{"three"}, "")
	third.Document.Body = append([]byte(strings.TrimSuffix(string(third.Document.Body), "</rss>")), second.Document.Body[second.Document.Parts[0].Start:second.Document.Parts[0].End]...)
	third.Document.Parts = append(third.Document.Parts, store.Part{Start: third.Document.Parts[0].End, End: len(third.Document.Body), Digest: second.Document.Parts[0].Digest})
	out3 := add(20, third)
	raws := func() (found []string) {
		t.Helper()
		end, _ := s.End(t.Context())
		for at := store.Cursor(1); at <= end; at++ {
			doc, err := s.Document(t.Context(), at)
			switch {
			case err == nil:
				found = append(found, fmt.Sprint(at, ":", len(doc.Body)))
			case !errors.Is(err, store.ErrNotFound):
				t.Errorf("document at %d: %v", at, err)
			}
		}
		return found
	}
	all := raws()
	if len(all) != 3 {
		t.Fatalf("documents %v, want three", all)
	}
	expire := func(n int) {
		t.Helper()
		err := s.Change(t.Context(), []store.Edit{{Kind: store.KindExpired, Before: day.AddDate(0, 0, n), Reason: "archive.keep_documents", By: "rule"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	end, _ := s.End(t.Context())
	expire(0)
	if now, _ := s.End(t.Context()); now != end {
		t.Error("a record was made though nothing is that old")
	}
	expire(15) // the second is needed by the third
	if got := raws(); fmt.Sprint(got) != fmt.Sprint(all[1:]) {
		t.Errorf("documents %v, want %v", got, all[1:])
	}
	if doc, err := s.Raw(t.Context(), out3[0].ID, 0); err != nil || string(doc.Body) != string(third.Document.Body) {
		t.Errorf("the third document is %q, %v", doc.Body, err)
	}
	if _, err := s.Raw(t.Context(), out[0].ID, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the first document: %v, want ErrNotFound", err)
	}
	sound(t, s)
	add(30, first)
	if got := raws(); len(got) != 3 {
		t.Errorf("documents %v: one that came again is not kept again", got)
	}
	expire(40) // also those whose bytes are in one another
	if got := raws(); len(got) != 0 {
		t.Errorf("documents %v are left", got)
	}
	sound(t, s)
	items, err := s.Items(t.Context(), []feed.ItemID{out[0].ID, out[1].ID, out3[0].ID}, store.AllFields)
	if err != nil || len(items) != 3 || items[0].Title.Value != "one" {
		t.Errorf("items after it: %d, %v", len(items), err)
	}
	// Bytes that only a document of before had are kept anew with the next one.
	again := add(50, second)
	if doc, err := s.Raw(t.Context(), again[0].ID, 0); err == nil && string(doc.Body) == "" {
		t.Error("an empty document")
	}
	if got := raws(); len(got) != 1 {
		t.Errorf("documents %v, want the second one again", got)
	}
	sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// And the same from the log alone.
	if err := removeCatalog(dir); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	sound(t, s)
	if got := raws(); len(got) != 1 {
		t.Errorf("documents %v after the catalog was made anew", got)
	}
}

// With NoDocuments only items and their versions are kept.
func TestNoDocuments(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{NoDocuments: true})
	storetest.Source(t, s, "a")
	b := documentOf(time.Now(), "h", []string{"1"}, []string{"one"}, "")
	out, err := s.Append(t.Context(), b)
	if err != nil || out[0].State != store.New {
		t.Fatal(out, err)
	}
	if len(b.Document.Body) == 0 {
		t.Error("the caller's document was changed")
	}
	if _, err := s.Raw(t.Context(), out[0].ID, 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("raw: %v, want ErrNotFound", err)
	}
	known, err := s.Known(t.Context(), "a", []feed.Digest{b.Document.Parts[0].Digest})
	if err != nil || !known[0] {
		t.Errorf("known: %v, %v: its bytes are to be recognized all the same", known, err)
	}
	if st, _ := s.Stats(t.Context()); st.Raw != 0 {
		t.Errorf("%d documents", st.Raw)
	}
	sound(t, s)
}

func removeCatalog(dir string) error { return os.Remove(filepath.Join(dir, "catalog.bolt")) }

// A document is kept that one needs which is kept only because a later one needs it.
func TestRetentionOfAChain(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	storetest.Source(t, s, "a")
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	noise := func(n int) string { return strings.Repeat(" ", 60+n) }
	one := documentOf(day, "other bytes of 1 ", []string{"1"}, []string{"one"}, noise(1))
	two := documentOf(day, "other bytes of 2 ", []string{"2"}, []string{"two"}, noise(2))
	part := func(of store.Batch) []byte {
		p := of.Document.Parts[0]
		return of.Document.Body[p.Start:p.End]
	}
	both := store.Batch{Document: &store.Document{Source: "a", Body: slices.Concat([]byte("both"), part(one), part(two))}, Drafts: slices.Concat(one.Drafts, two.Drafts)}
	at := len("both")
	for i, from := range []store.Batch{one, two} {
		p := part(from)
		both.Document.Parts = append(both.Document.Parts, store.Part{Start: at, End: at + len(p), Digest: feed.DigestOf(p)})
		at += len(p)
		both.Drafts[i].Part = i
	}
	batches := []store.Batch{
		documentOf(day, "first", []string{"1", "2"}, []string{"one", "two"}, ""),
		one,  // has the other bytes of 1
		both, // needs them, and has those of 2
		two,  // needs those
	}
	for i := range batches {
		batches[i].At = day.AddDate(0, 0, i)
		if _, err := s.Append(t.Context(), batches[i]); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Change(t.Context(), []store.Edit{{Kind: store.KindExpired, Before: day.AddDate(0, 0, 3), By: "rule"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range batches {
		doc, err := s.DocumentOf(t.Context(), "a", feed.DigestOf(b.Document.Body))
		switch {
		case i == 0 && !errors.Is(err, store.ErrNotFound):
			t.Errorf("the first document: %v, want ErrNotFound", err)
		case i > 0 && (err != nil || string(doc.Body) != string(b.Document.Body)):
			t.Errorf("document %d: %d bytes, %v; want it whole", i+1, len(doc.Body), err)
		}
	}
	sound(t, s)
}

// OPS-26: a volume of an older copy that is put back has documents that were let go since:
// they go, as what was taken down does.
func TestRetentionInOlderCopy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{VolumeSize: 1})
	storetest.Source(t, s, "a")
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := s.Append(t.Context(), documentOf(day, unwanted, []string{"1"}, []string{"one"}, "")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older := allVolumes(t, dir)
	s = open(t, dir, bolt.Options{VolumeSize: 1})
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindExpired, Before: day.AddDate(0, 0, 1)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	back := 0
	for path, b := range older {
		if strings.Contains(string(b), unwanted) {
			back++
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = open(t, dir, bolt.Options{})
	sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for path, b := range allVolumes(t, dir) {
		if strings.Contains(string(b), unwanted) {
			t.Errorf("%s has the document again", path)
		}
	}
	if back == 0 {
		t.Error("nothing was put back")
	}
}
