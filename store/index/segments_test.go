package index

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/feed/text"
	"chancery/store"
)

func bare(t *testing.T) *Index {
	t.Helper()
	return open(t, nil)
}

func post(n int, title, body string) store.Record {
	at := start.AddDate(0, 0, n)
	it := &feed.Item{
		ID: feed.NewItemID(at, uint16(n), "blog", fmt.Sprint(n)), Source: "blog", Native: fmt.Sprint(n),
		Entry:     feed.Entry{Title: feed.Text{Value: title}, Content: feed.Text{Value: body}, Language: "en", Published: feed.Date{Time: at}},
		FirstSeen: at, Revised: at, Revision: 1, Revisions: 1,
	}
	it.Story = it.ID
	return store.Record{Seq: store.Cursor(n + 1), Kind: store.KindItem, Time: at, Source: "blog", Item: it}
}

func apply(t *testing.T, x *Index, records ...store.Record) {
	t.Helper()
	if err := x.Apply(t.Context(), records, records[len(records)-1].Seq); err != nil {
		t.Fatal(err)
	}
}

// What is read from FTS5's pages is what its own MATCH finds and what was written,
// for words on one page and on many, for positions that go across pages, in many
// segments and while they are merged.
func TestListsAreWhatMatchFinds(t *testing.T) {
	x := bare(t)
	f := x.cur.Load()
	if err := f.tune(false); err != nil { // merges every few commits
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	var texts []string
	want := map[string]map[uint32][]uint32{}
	for len(texts) < 900 {
		if len(texts) > 700 && len(texts) < 800 { // and some that are not merged
			if err := f.w.once("INSERT INTO words(words, rank) VALUES('automerge', 0)"); err != nil {
				t.Fatal(err)
			}
		}
		var batch []store.Record
		for range 1 + r.IntN(60) {
			n := len(texts)
			var b strings.Builder
			length := r.IntN(80)
			if r.IntN(150) == 0 {
				length = 30_000
			}
			for range length {
				if r.IntN(3) == 0 {
					b.WriteString("the ")
				} else {
					fmt.Fprintf(&b, "w%d ", int(r.ExpFloat64()*300))
				}
			}
			texts = append(texts, b.String())
			batch = append(batch, post(n, "the title", b.String()))
			for i, w := range text.Words(b.String()) {
				if want[w] == nil {
					want[w] = map[uint32][]uint32{}
				}
				want[w][uint32(n)] = append(want[w][uint32(n)], inText|uint32(i))
			}
		}
		apply(t, x, batch...)
	}
	for n := range texts {
		want["the"][uint32(n)] = append([]uint32{inTitle}, want["the"][uint32(n)]...)
	}
	rd, err := f.reader()
	if err != nil {
		t.Fatal(err)
	}
	defer f.release(rd)
	rd.part = func() error { return nil }
	if err := rd.begin(); err != nil {
		t.Fatal(err)
	}
	defer rd.end()
	if len(rd.segments) < 2 {
		t.Errorf("%d segments: nothing to put together", len(rd.segments))
	}
	for w, docs := range want {
		c, err := rd.open(w)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for n := uint32(0); ; n++ {
			at, ok, err := c.seek(n)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			n = at
			got = append(got, int64(n))
			if p := places(nil, c.positions()); !slices.Equal(p, docs[n]) {
				t.Fatalf("%q in %d stands at %v, want %v", w, n, p, docs[n])
			}
		}
		match, err := rd.conn.numbers("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", `"`+w+`"`)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, match) || len(got) != len(docs) {
			t.Fatalf("%q: read %d versions, MATCH finds %d, written to %d", w, len(got), len(match), len(docs))
		}
	}
	for _, prefix := range []string{"w1", "w29", "th", "x", "w"} {
		got := map[string]int{}
		err := rd.prefixed(prefix, func(_ string, p *postings) error {
			for {
				ok, err := p.next()
				if !ok || err != nil {
					return err
				}
				got[fmt.Sprint(p.doc)]++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := rd.conn.query("SELECT count(*) FROM words WHERE words MATCH ?", func(v []driver.Value) error {
			n = int(v[0].(int64))
			return nil
		}, prefix+"*"); err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Errorf("%s*: read %d versions, MATCH finds %d", prefix, len(got), n)
		}
	}
}

// Whatever stands in a block, reading it ends, without a panic.
func FuzzDamagedPages(f *testing.F) {
	f.Add([]byte{0, 0, 0, 12, 5, '0', 'a', 'b', 'c', 3, 4, 2, 4})
	f.Add([]byte{0, 0, 0, 0, 1, 1, 1, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseStructure(b)
		_ = places(nil, b)
		_ = touches(b, 2)
		_ = frequency(b, 3)
		p := page{b: b, end: len(b)}
		for i := range min(len(b), 3) {
			p.terms = append(p.terms, i)
		}
		_ = p.each(func([]byte, list) bool { return true })
		l := &postings{b: b, first: true}
		for range len(b) + 1 {
			if ok, err := l.next(); !ok || err != nil {
				return
			}
		}
		t.Errorf("a list of %d bytes has more than so many versions", len(b))
	})
}

// No character that marks or parts words in the table is part of a folded word,
// and the tokenizer leaves every folded word whole.
func TestMarksAreNoWords(t *testing.T) {
	for _, m := range []string{markAuthor, markCategory, markURL, markCapitals, between} {
		if got := text.Fold(m); got != "" {
			t.Errorf("%q folds to %q", m, got)
		}
	}
	for r := range rune(0x20000) {
		for _, w := range text.Words("x" + string(r) + "y") {
			if strings.ContainsFunc(w, func(r rune) bool { return r < 0x80 && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
				t.Errorf("%U folds to %q, which the tokenizer would part", r, w)
			}
		}
	}
}

// An item that carries every kind of thing is found by each.
func TestFields(t *testing.T) {
	x := bare(t)
	rec := post(1, "Remaining in Iraq", "is no option for the MEK")
	rec.Item.Authors = []feed.Person{{Name: "Ann Brown", Email: "ann@blog.example"}, {Name: "Carl Ann"}}
	rec.Item.Categories = []feed.Category{{Term: "foreign policy"}}
	rec.Item.URL = "https://blog.example/2009/remaining-in-iraq"
	apply(t, x, store.Record{Seq: 1, Kind: store.KindSource, Edit: &store.Edit{Source: &store.Source{ID: "blog", Title: "Foreign Affairs Weekly"}}}, rec)
	for text, want := range map[string]int{
		`author:"ann brown"`: 1, `author:"brown carl"`: 0, `author:ann`: 1, `ann`: 0, `category:policy`: 1, `title:remain`: 1, `title:option`: 0,
		`url:"remaining in"`: 1, `source:affairs`: 1, `source:"blog foreign"`: 0, `source:weekly source:blog`: 1, `=MEK`: 1, `title:"remaining in iraq" NEAR/5 option`: 0,
		`remaining NEAR/2 iraq`: 1, `remaining NEAR/1 iraq`: 0, `opt*`: 1, `"no opt* for"`: 1, `-option`: 0,
	} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := x.Search(t.Context(), q, store.SearchOptions{})
		if err != nil || p.Total != want {
			t.Errorf("%s: %d hits, %v, want %d", text, p.Total, err, want)
		}
	}
}

// A damaged list of segments is an error at once, however many it says that there are.
func TestDamagedListOfSegments(t *testing.T) {
	for name, b := range map[string][]byte{
		"short":           {0, 0, 0, 1},
		"levels no end":   {0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1},
		"segments no end": {0, 0, 0, 1, 1, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"fewer":           {0, 0, 0, 1, 1, 2, 1, 0, 1, 1, 1, 3},
	} {
		if _, err := parseStructure(b); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v, want an error of damage", name, err)
		}
	}
}

// Numbers of a damaged page are not taken for more than they are.
func TestDamagedNumbers(t *testing.T) {
	far := bytes.Repeat([]byte{0xff}, 9)
	// One term, "a" behind its index's byte; the next shares far more with it than there is.
	b := slices.Concat([]byte{0, 0, 0, 0}, []byte{2, '0', 'a'}, far, []byte{1, 'b'})
	p := page{b: b, end: len(b), terms: []int{4, 7}}
	if err := p.each(func([]byte, list) bool { return true }); !errors.Is(err, errDamaged) {
		t.Errorf("each: %v, want an error of damage", err)
	}
	if _, _, err := p.find("b"); !errors.Is(err, errDamaged) {
		t.Errorf("find: %v, want an error of damage", err)
	}
	l := &postings{b: slices.Concat([]byte{1}, far, []byte{1, 2, 3}), first: true}
	if _, err := l.next(); !errors.Is(err, errDamaged) {
		t.Errorf("a list: %v, want an error of damage", err)
	}
}
