package bolt

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// whole is an entry with something in each field.
func whole() feed.Entry {
	day := feed.Date{Time: time.Date(2026, 3, 4, 5, 6, 7, 89, time.FixedZone("", 3600)), Raw: "4 Mar 2026", Flag: "zone"}
	txt := feed.Text{Type: feed.HTML, Value: "<p>text</p>", Lang: "en", Base: "https://example.org/"}
	person := []feed.Person{{Name: "n", URL: "u", Email: "e", Avatar: "a", Inherited: true}}
	ext := []feed.Extension{{Space: "s", Name: "n", Value: "v", Attrs: []feed.Attr{{Space: "s", Name: "n", Value: "v"}}, Children: []feed.Extension{{Name: "c"}}}}
	links := []feed.Link{{Rel: "via", Href: "h", Raw: "r", Type: "t", HrefLang: "en", Title: "t", Length: 3}}
	cats := []feed.Category{{Term: "t", Scheme: "s", Label: "l"}}
	return feed.Entry{
		ID: "id", Permalink: true, URL: "https://example.org/1", Title: txt, Summary: txt, Content: txt, ContentURL: "c", ContentType: "t",
		Links: links, Authors: person, Contributors: person, Categories: cats,
		Enclosures: []feed.Enclosure{{URL: "u", Type: "t", Title: "t", Length: 1, Duration: time.Second}},
		Published:  day, Updated: day, Rights: txt, Language: "en", Comments: "c", ExternalURL: "x", Image: "i",
		Origin:  &feed.Origin{ID: "o", Title: txt, URL: "u", Self: "s", Updated: day, Rights: txt, Authors: person, Categories: cats, Links: links, Subtitle: txt, Contributors: person, Extensions: ext},
		Replies: feed.Replies{InReplyTo: []feed.ReplyTo{{Ref: "r", URL: "u", Type: "t", Source: "s"}}, Count: 2, Updated: day.Time, FeedURL: "f"},
		Places:  []feed.Place{{Type: "Point", Points: [][2]float64{{1, 2}}, Name: "n"}}, Extensions: ext, Repairs: []string{"r"},
	}
}

// Whoever follows the log gets from memory what is in the file, byte for byte, and
// with it the texts; and nothing of what was taken down.
func TestRecent(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := store.Source{ID: "s", URL: "https://example.org/feed"}
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &src}}); err != nil {
		t.Fatal(err)
	}
	follow := func() []store.Record {
		t.Helper()
		recs, _, err := s.Follow(ctx, 0, store.AllKinds, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return recs
	}
	follow() // from now on somebody does
	post := func(e feed.Entry, version string) store.Outcome {
		t.Helper()
		out, err := s.Append(ctx, store.Batch{Source: "s", Drafts: []store.Draft{{
			Entry: e, Native: "id", Method: "guid", Keys: []store.Key{{Class: store.KeyGUID, Hash: [16]byte{1}}},
			Version: feed.DigestOf([]byte(version)), Part: -1, Texts: &store.Texts{Title: "text", Summary: "text", Content: "text"},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	first := post(whole(), "one")
	e := whole()
	e.Content.Value = "<p>another text</p>"
	post(e, "two")
	fresh := follow()
	for _, r := range fresh[1:] {
		if r.Texts == nil || r.Texts.Content != "text" {
			t.Fatalf("record %d came without the texts that were given with it", r.Seq)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	read := follow()
	if read[1].Texts != nil {
		t.Fatal("texts are kept in the file")
	}
	if d := cmp.Diff(read, fresh, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Record{}, "Texts")); d != "" {
		t.Errorf("from memory another record than from the file (-file +memory):\n%s", d)
	}
	e.Content.Value = "<p>a third text</p>"
	post(e, "three")
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{first.ID}, Reason: "asked"}}); err != nil {
		t.Fatal(err)
	}
	for _, r := range follow() {
		if r.Item != nil && (!r.Item.TakenDown || r.Item.Content.Value != "" || r.Texts != nil) {
			t.Errorf("record %d still tells what was taken down", r.Seq)
		}
	}
	if len(s.recent.bodies) > 0 {
		t.Error("what was taken down is still held")
	}
}

// What is held is bounded, and goes oldest first.
func TestRecentBounded(t *testing.T) {
	var r recent
	d := &store.Draft{Entry: feed.Entry{Content: feed.Text{Value: strings.Repeat("x", 1<<20)}}}
	r.add([]uint64{1}, []*recentBody{newRecentBody(d, 1<<20)})
	if r.get(1) != nil {
		t.Fatal("held although nobody follows")
	}
	r.followed.Store(true)
	for seq := range uint64(20) {
		r.add([]uint64{seq}, []*recentBody{newRecentBody(d, 1<<20)})
		if r.size > heldBytes || len(r.order) != len(r.bodies) {
			t.Fatalf("%d bytes in %d bodies are held", r.size, len(r.bodies))
		}
	}
	if r.get(0) != nil || r.get(19) == nil {
		t.Error("not the oldest ones went")
	}
}

// What an entry has beside its texts counts, too: a feed can put megabytes there.
func TestRecentCountsAllOfAnEntry(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	s.recent.followed.Store(true)
	const posts, each = 12, 1 << 20
	for i := range posts {
		d := storetest.Draft(fmt.Sprint(i), fmt.Sprint(i))
		d.Entry.Extensions = []feed.Extension{{Name: "x", Value: strings.Repeat(fmt.Sprintf("%09d ", i), each/10)}}
		if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	s.recent.mu.Lock()
	defer s.recent.mu.Unlock()
	if n := len(s.recent.bodies); n == 0 || n*each > heldBytes {
		t.Errorf("%d posts of %d bytes are held, of at most %d bytes", n, each, heldBytes)
	}
}
