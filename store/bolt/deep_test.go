package bolt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// deepArchive makes an archive of one volume with two documents. The second has entries
// of the first, and so has an advertisement, which is no entry.
func deepArchive(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "a", URL: "https://a.example/"}}}); err != nil {
		t.Fatal(err)
	}
	for n, entries := range [][]int{{1, 2, 3}, {2, 3, 4}} {
		b := store.Batch{Document: &store.Document{Source: "a", Status: 200}}
		body := fmt.Appendf(nil, "<rss><title>document %d</title>", n)
		part := func(text string) int {
			start := len(body)
			body = append(body, text...)
			b.Document.Parts = append(b.Document.Parts, store.Part{Start: start, End: len(body), Digest: feed.DigestOf([]byte(text))})
			return len(b.Document.Parts) - 1
		}
		for _, i := range entries {
			text := fmt.Sprintf("the text of entry %d is <b>longer</b> than what is not worth an operation", i)
			d := store.Draft{Entry: feed.Entry{ID: fmt.Sprint("entry-", i), Content: feed.Text{Value: text}}, Native: fmt.Sprint("entry-", i)}
			d.Version = feed.DigestOf([]byte(text))
			d.Keys = []store.Key{{Class: store.KeyGUID, Hash: [16]byte{byte(i)}}}
			d.Part = part(string(escape(fmt.Appendf(nil, "<item><guid>%s</guid>", d.Native), 1, text)) + "</item>")
			d.Entry.Bytes = b.Document.Parts[d.Part].Digest
			b.Drafts = append(b.Drafts, d)
		}
		part("<item>an advertisement</item>")
		b.Document.Body = append(body, "</rss>"...)
		if _, err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite changes the first record of a kind. Its checksum is right, and it has the
// content digest that change leaves.
func rewrite(t *testing.T, dir string, kind store.Kind, change func(h *header, plain []byte) (packed []byte)) {
	t.Helper()
	db, err := bbolt.Open(volumePath(dir, 1), 0o644, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	err = db.Update(func(tx *bbolt.Tx) error {
		log := tx.Bucket(bucketLog)
		cur := log.Cursor()
		for k, b := cur.First(); k != nil; k, b = cur.Next() {
			f, err := unframe(getSeq(k), slices.Clone(b))
			if err != nil || f.kind != kind {
				continue
			}
			h, err := decodeHeader(getSeq(k), f.kind, f.head)
			if err != nil {
				return err
			}
			plain, err := unpack(nil, f.pack, nil, nil)
			if err != nil {
				return err
			}
			was := h.content
			plain = change(&h, plain)
			p, content := pack(plain, nil)
			if h.content.IsZero() { // to be made anew
				h.content = content
			} else if h.content != was {
				t.Error("change sets the content digest to zero or leaves it")
			}
			return log.Put(k, frame(h.seq, kind, h.encode(), p))
		}
		return fmt.Errorf("no record of kind %v", kind)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deepFaults checks an archive with a bound on the bytes of entries that are held, and
// says how many documents had to wait.
func deepFaults(t *testing.T, dir string, most int) (faults []string, waited int) {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	c := newCheck(s)
	err = s.snapshot(func(ct *catalogTx) error {
		c.ct = ct
		if c.deep, err = newDeepCheck(c); err != nil {
			return err
		}
		defer c.deep.close()
		c.deep.documents.held.most = most
		return c.all(t.Context(), func(int64, int64) {})
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.report.Faults, len(c.deep.documents.later)
}

// P-73, OPS-26: a deep check finds whatever is not as it was received, in documents that are put
// together as they pass and in those that have to wait for bytes of before.
func TestDeepCheck(t *testing.T) {
	replaced := func(b []byte, old, with string) []byte {
		if !strings.Contains(string(b), old) {
			panic(fmt.Sprintf("%q has no %q", b, old))
		}
		return []byte(strings.Replace(string(b), old, with, 1))
	}
	for _, c := range []struct {
		name   string
		kind   store.Kind
		change func(h *header, plain []byte) []byte
		want   string // "": nothing is wrong
	}{
		{"nothing", store.KindItem, nil, ""},
		{"a body", store.KindItem, func(_ *header, b []byte) []byte {
			return replaced(b, "longer", "Longer")
		}, "the body is not the one that was recorded"},
		{"an entry", store.KindItem, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			return replaced(b, "longer", "Longer")
		}, "the entry's own bytes are not those that were recorded"},
		{"the second half of an entry's digest", store.KindItem, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			h.bytes[20] ^= 1
			return b
		}, "the entry's own bytes are not those that were recorded"},
		{"a recipe", store.KindItem, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			i := strings.Index(string(b), "\x00\x0c<item><guid>")
			b[i] = 9
			return b
		}, "recipe has operation 9"},
		{"what is around the entries", store.KindRaw, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			return replaced(b, "document 0", "Document 0")
		}, "the document is not what was received"},
		{"the digest of a document", store.KindRaw, func(h *header, b []byte) []byte {
			h.doc[0] ^= 1
			return b
		}, "lacks"}, // the catalog leads to a document with another digest
		{"an advertisement", store.KindRaw, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			return replaced(b, "an adv", "An adv")
		}, "part 3 is not the one that was recorded"},
		{"places of entries", store.KindRaw, func(h *header, b []byte) []byte {
			h.content = feed.Digest{}
			r, err := decodeRaw(b)
			if err != nil {
				panic(err)
			}
			r.spans = append([]byte{0xff, 0x7f}, r.spans[1:]...)
			return r.encode()
		}, "places of parts are wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := deepArchive(t)
			if c.change != nil {
				rewrite(t, dir, c.kind, c.change)
			}
			for _, most := range []int{heldPartsBytes, 1} {
				faults, waited := deepFaults(t, dir, most)
				if all := strings.Join(faults, "\n"); c.want == "" && len(faults) > 0 || !strings.Contains(all, c.want) {
					t.Errorf("%d bytes held: faults %q, want %q", most, faults, c.want)
				}
				if (waited > 0) != (most == 1) && c.change == nil {
					t.Errorf("%d bytes held: %d documents waited", most, waited)
				}
			}
		})
	}
}
