package bolt

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"chancery/feed"
)

func cutAndBack(own []byte, e *feed.Entry) ([]byte, error) {
	return ownBytes(nil, (&body{entry: *e, recipe: cut(own, e)}).encode())
}

// Whatever bytes an entry has, its recipe gives them back.
func FuzzRecipe(f *testing.F) {
	const long = "Words that are long enough to be cut out, & with <b>\"marks\"</b> and 'quotes' é"
	for i := range escapes {
		f.Add([]byte("<item><title>x</title><description>"+string(escape(nil, i, long))+"</description></item>"), long, "a short one")
	}
	f.Add([]byte("{\"a\":\""+long+long+"\"}"), long, long)
	f.Add([]byte{}, "", "")
	f.Fuzz(func(t *testing.T, own []byte, content, summary string) {
		e := feed.Entry{Content: feed.Text{Value: content}, Summary: feed.Text{Value: summary}, Title: feed.Text{Value: content}}
		e.ID, e.URL, e.Published.Raw, e.Updated.Raw, e.Authors = content, summary, content, summary, []feed.Person{{Name: summary}}
		got, err := cutAndBack(own, &e)
		if err != nil || !bytes.Equal(got, own) {
			t.Errorf("%q came back as %q, %v", own, got, err)
		}
	})
}

// A text that the document repeats, however escaped, is kept once.
func TestCutOut(t *testing.T) {
	const text = "Words that are long enough to be cut out, & with <b>\"marks\"</b> and 'quotes' é and / slashes"
	for i := range escapes {
		own := append(escape([]byte("<item>"), i, text), "</item>"...)
		e := feed.Entry{Content: feed.Text{Value: text}}
		if r := cut(own, &e); len(r) > 30 {
			t.Errorf("escape %d: the recipe has %d bytes: %q", i, len(r), r)
		}
	}
}

// Entries that differ only in what is kept anyway have one recipe, so that it packs
// to next to nothing; a summary is found behind the content that repeats it.
func TestRecipeIsATemplate(t *testing.T) {
	recipe := func(e feed.Entry) string {
		own := "<item><content><![CDATA[<p>" + e.Summary.Value + "</p> and more]]></content><guid>" + e.ID + "</guid><link>" + e.URL + "</link><date>" +
			e.Published.Raw + "</date><by>" + e.Authors[0].Name + "</by><description>" + e.Summary.Value + "</description></item>"
		e.Content.Value = "<p>" + e.Summary.Value + "</p> and more"
		r := cut([]byte(own), &e)
		if got, err := ownBytes(nil, (&body{entry: e, recipe: r}).encode()); err != nil || string(got) != own {
			t.Fatalf("%q came back as %q, %v", own, got, err)
		}
		return string(r)
	}
	a := recipe(feed.Entry{
		ID: "http://blog.example/?p=1", URL: "http://blog.example/one", Published: feed.Date{Raw: "Fri, 26 Dec 2025 01:09:08 +0000"},
		Authors: []feed.Person{{Name: "Somebody"}}, Summary: feed.Text{Value: "What the first post says in a few words"},
	})
	b := recipe(feed.Entry{
		ID: "http://blog.example/?p=20", URL: "http://blog.example/two/three", Published: feed.Date{Raw: "Sat, 27 Dec 2025 23:03:43 +0000"},
		Authors: []feed.Person{{Name: "Anybody Else"}}, Summary: feed.Text{Value: "What the second post says, in a few more words"},
	})
	if a != b {
		t.Errorf("recipes %q and %q", a, b)
	}
}

// A row comes back as it was.
func TestRow(t *testing.T) {
	for _, r := range []row{
		{last: 1, first: 1, source: 1, revisions: 1},
		{
			last: 1 << 40, first: 7, source: 70_000, revisions: 300, effective: math.MinInt64, firstSeen: 5, lastSeen: math.MaxInt64, revised: math.MinInt64,
			story: feed.ItemID{3}, withdrawn: true, takenDown: true, language: "fa",
			tags:     []rowTag{{1, 0.07, 1}, {65535, 1.0 / 3, 2}, {300, -1, 3}, {2, 1e300, 0}, {3, math.Copysign(0, -1), 0}},
			versions: []mark{{1}, {2}},
		},
	} {
		got, err := decodeRow(r.encode())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
		for n := range r.encode() {
			_, _ = decodeRow(r.encode()[:n])
		}
	}
}

// Records damaged in any way are errors, never a panic or much memory.
func FuzzRecord(f *testing.F) {
	h := header{kind: 1, time: 5, source: "a", tags: []feed.Tag{{Topic: "iran", Score: 1}}}
	p, digest := pack(bytes.Repeat([]byte("text "), 50), nil)
	h.content = digest
	f.Add(frame(7, 1, h.encode(), p)[:60], uint64(7))
	f.Add(h.encode(), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		if _, err := decodeHeader(seq, 1, b); err == nil {
			_, _ = decodeBody(b)
			_, _ = decodeRaw(b)
			_, _ = ownBytes(nil, b)
			_, _ = decodeRow(b)
		}
		// With a checksum that is right, so that what follows it is reached.
		whole := append(append([]byte{framing, 1}, b...), 0, 0, 0, 0)
		sum := checksum(seq, whole[:len(whole)-4])
		for i := range 4 {
			whole[len(whole)-4+i] = byte(sum >> (8 * i))
		}
		if fr, err := unframe(seq, whole); err == nil && fr.pack != nil {
			_, _ = unpack(nil, fr.pack, func(uint64) (*coders, error) { return nil, errShort }, func(uint64) ([]byte, error) { return nil, errShort })
		}
	})
}
