package index

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/storetest"
)

func (w *watched) put(t *testing.T, d store.Draft, at time.Time) feed.ItemID {
	t.Helper()
	d.Part = -1
	if d.Native == "" {
		d.Native = d.Entry.Title.Value
	}
	d.Keys = []store.Key{storetest.Hash(store.KeyGUID, d.Native)}
	d.Version = feed.DigestOf([]byte(d.Entry.Title.Value + d.Entry.Content.Value))
	out, err := w.Append(t.Context(), store.Batch{Source: "blog", Drafts: []store.Draft{d}, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].ID
}

func ready(t *testing.T, w *watched) *Index {
	t.Helper()
	x := openDir(t, t.TempDir(), w)
	follow(t, x)
	<-w.idle
	return x
}

func text0(s string) feed.Text { return feed.Text{Value: s} }

// Marks are the places that matched, in the text as it was published, in any script.
func TestSnippets(t *testing.T) {
	for _, c := range []struct{ lang, body, query, want string }{
		{"en", "The MEK would be <deported>.", "deport", "The MEK would be <[deported]>."},
		{"en", "Mujahedeen-e Khalq, mujāhedīn e-Khalq", `"mujahedeen e-khalq" OR "mujahedin e khalq"`, "[Mujahedeen-e Khalq], [mujāhedīn e-Khalq]"},
		{"fa", "سازمان مجاهدین خلق ایران", `"مجاهدين خلق"`, "سازمان [مجاهدین خلق] ایران"},
		{"ja", "人民聖戦士はイランの組織です", "聖戦士", "人民[聖戦士]はイランの組織です"},
		{"en", "nothing of the kind", "-camp", "nothing of the kind"},
	} {
		w := newWatched(t, 0)
		w.put(t, store.Draft{Entry: feed.Entry{Title: text0("T"), Content: text0(c.body), Language: c.lang}}, start)
		x := ready(t, w)
		p := ask(t, x, c.query, store.SearchOptions{Snippets: true})
		if len(p.Hits) != 1 {
			t.Errorf("%s: %d hits", c.query, len(p.Hits))
			continue
		}
		if got := marked(p.Hits[0].Text); got != c.want {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
	}
}

func marked(s store.Snippet) string {
	var b strings.Builder
	at := 0
	for _, m := range s.Marks {
		b.WriteString(s.Text[at:m[0]] + "[" + s.Text[m[0]:m[1]] + "]")
		at = m[1]
	}
	return b.String() + s.Text[at:]
}

// Of a long text the piece is shown that has most of what was asked for, cut
// between words.
func TestSnippetOfALongText(t *testing.T) {
	w := newWatched(t, 0)
	fill := strings.Repeat("and so on it went ", 100)
	w.put(t, store.Draft{Entry: feed.Entry{Title: text0("T"), Content: text0("camp first. " + fill + "the camp of Ashraf was closed " + fill), Language: "en"}}, start)
	p := ask(t, ready(t, w), "camp ashraf", store.SearchOptions{Snippets: true})
	s := p.Hits[0].Text
	if !s.Before || !s.After || len(s.Text) > snippetBytes+lead || !strings.Contains(marked(s), "the [camp] of [Ashraf] was") || strings.HasPrefix(s.Text, " ") || strings.HasSuffix(s.Text, " ") {
		t.Errorf("%+v %s", s, marked(s))
	}
}

// Facets and the histogram count all hits, not those of the page.
func TestFacets(t *testing.T) {
	w := newWatched(t, 0)
	for n := range 40 {
		tags := []feed.Tag{{Topic: "camps", Score: 1}}
		if n%4 == 0 {
			tags = append(tags, feed.Tag{Topic: "mek", Score: 2, About: true}, feed.Tag{Topic: "gone", Score: -1, Manual: true})
		}
		w.put(t, store.Draft{Entry: feed.Entry{
			Title: text0(fmt.Sprint("Post ", n)), Content: text0("camp"), Language: []string{"en", "fr"}[n%2],
			Published: feed.Date{Time: time.Date(2008, time.Month(1+n%24), 1, 0, 0, 0, 0, time.UTC)},
		}, Topics: tags}, start.AddDate(2, 0, 0))
	}
	p := ask(t, ready(t, w), "camp", store.SearchOptions{Limit: 2, Facets: true})
	f := p.Facets
	if got, want := fmt.Sprint(f.Topics, f.Sources, f.Languages, f.Years), "[{camps 40} {mek 10}] [{blog 40}] [{en 20} {fr 20}] [{2008 24} {2009 16}]"; got != want {
		t.Errorf("facets %s, want %s", got, want)
	}
	sum := 0
	for _, b := range f.Histogram {
		sum += b.Count
	}
	if len(f.Histogram) != 24 || sum != 40 || f.Histogram[0].Unit != "month" || f.Histogram[0].Count != 2 || !f.Histogram[23].From.Equal(time.Date(2009, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("histogram %v", f.Histogram)
	}
	if len(p.Hits) != 2 || p.Total != 40 || !p.Exact || p.Next == "" {
		t.Errorf("%d hits of %d, exact %v", len(p.Hits), p.Total, p.Exact)
	}
}

// A story is one hit: the first in the order, with the number of others.
func TestStoriesAreFolded(t *testing.T) {
	w := newWatched(t, 12)
	heads, err := w.Heads(t.Context(), store.HeadQuery{})
	if err != nil {
		t.Fatal(err)
	}
	story := []feed.ItemID{heads[1].ID, heads[4].ID, heads[9].ID}
	if err := w.Change(t.Context(), []store.Edit{{Kind: store.KindMerge, Items: story}}); err != nil {
		t.Fatal(err)
	}
	x := ready(t, w)
	for order, first := range map[store.SearchOrder]feed.ItemID{store.Newest: heads[1].ID, store.Oldest: heads[9].ID} {
		var got []store.Hit
		o := store.SearchOptions{Order: order, FoldStories: true, Limit: 3}
		for {
			p := ask(t, x, "camp", o)
			if p.Total != 10 {
				t.Errorf("a total of %d, want 10", p.Total)
			}
			got = append(got, p.Hits...)
			if o.Cursor = p.Next; p.Next == "" {
				break
			}
		}
		also := 0
		for _, h := range got {
			also += h.AlsoAt
			if h.AlsoAt > 0 && h.ID != first {
				t.Errorf("%v: the story is shown by %v, want %v", order, h.ID, first)
			}
		}
		if len(got) != 10 || also != 2 {
			t.Errorf("%v: %d hits with %d others, want 10 with 2", order, len(got), also)
		}
	}
}

// A title counts more than a text, a rare word more than a common one, the new more
// than the old.
func TestRelevance(t *testing.T) {
	w := newWatched(t, 0)
	for i, c := range []struct{ title, body string }{
		{"old", "camp and nothing else but some words"},
		{"new", "camp and nothing else but some words"},
		{"the camp", "a word and nothing else but some words"},
		{"rare", "ashraf and nothing else but some words"},
		{"x", "camp and camp and else but some words"},
		{"y", "nothing at all"},
	} {
		w.put(t, store.Draft{Entry: feed.Entry{Title: text0(c.title), Content: text0(c.body), Language: "en", Published: feed.Date{Time: start.AddDate(i, 0, 0)}}}, start.AddDate(10, 0, 0))
	}
	x := ready(t, w)
	var got []string
	for _, h := range ask(t, x, "camp OR ashraf", store.SearchOptions{Order: store.Relevance, Snippets: true, Now: start.AddDate(5, 0, 0)}).Hits {
		got = append(got, h.Title.Text)
	}
	if want := []string{"rare", "the camp", "x", "new", "old"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// FuzzSearch: any string is a query that is answered, or an error with its place,
// within bounds (SEC-27).
func FuzzSearch(f *testing.F) {
	for _, s := range []string{
		"camp", "po* NEAR/9 (ca* OR \"a* n*\")", "=Camp", "NOT NOT x", "a^3 -b^-2", "published:3d", "id:00000000000000000000000000", "(((", "title:(a b) OR url:c",
		strings.Repeat("ab* ", 200), strings.Repeat("(a OR ", 60) + "b" + strings.Repeat(")", 60), "lang:en is:revised", "\x00", "camp^0 NEAR/1000 post",
	} {
		f.Add(s)
	}
	m := storetest.NewModel()
	x, err := Open(f.Context(), f.TempDir(), m, DefaultConfig(), nil)
	if err != nil {
		f.Fatal(err)
	}
	var records []store.Record
	for n := range 200 {
		records = append(records, post(n, fmt.Sprint("Camp ", n), "a post about the camp, and so on "+strings.Repeat("ab ac ", n)))
	}
	if err := x.Apply(f.Context(), records, 200); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = x.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		if err != nil {
			return // with its place: feed/query's own test
		}
		_, err = x.Search(t.Context(), q, store.SearchOptions{Order: store.SearchOrder(len(text) % 3), Facets: true, FoldStories: true})
		var cost *store.CostError
		if err != nil && !errors.As(err, &cost) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A search that would take too long is refused with the part that does, and in time.
func TestBounds(t *testing.T) {
	w := newWatched(t, 300)
	cfg := DefaultConfig()
	cfg.MaxTime = time.Nanosecond
	x, err := Open(t.Context(), t.TempDir(), w.Model, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	catchUp(t, x, w.Model)
	q, err := query.Parse("title:foo camp*")
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.Search(t.Context(), q, store.SearchOptions{})
	var cost *store.CostError
	if !errors.As(err, &cost) || cost.Part == "" && cost.What == "" {
		t.Fatalf("%v, want a CostError", err)
	}
}

// On a machine that does much else a search is refused for the processor time that it
// took itself, and only at last for what the clock shows (SEC-27).
func TestBusyMachine(t *testing.T) {
	x := bare(t)
	apply(t, x, post(0, "a camp", "text of the camp"))
	q, err := query.Parse(`"of the" OR camp`)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	past, ahead := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for what, c := range map[string]struct {
		time allowance
		dear bool
	}{
		"slow by the clock, little taken": {allowance{soft: past, hard: ahead, cpu: threadTime() + time.Hour}, false},
		"slow, and all taken":             {allowance{soft: past, hard: ahead, cpu: threadTime()}, true},
		"far too slow":                    {allowance{soft: past, hard: past, cpu: threadTime() + time.Hour}, true},
		"in time":                         {allowance{soft: ahead, hard: ahead}, false},
		"no bound":                        {allowance{}, false},
	} {
		s := &search{x: x, f: x.cur.Load(), q: q, now: time.Now(), o: store.SearchOptions{Limit: 1}, items: map[uint32]*found{}}
		err := s.run(t.Context(), c.time)
		if _, dear := errors.AsType[*store.CostError](err); dear != c.dear || !dear && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The post that the project started from is found under each of its names.
func TestSeedPost(t *testing.T) {
	b, err := os.ReadFile(feedtest.Reference(t, "seed", "post.txt"))
	if err != nil {
		t.Fatal(err)
	}
	title, body, _ := strings.Cut(string(b), "\n")
	w := newWatched(t, 40)
	id := w.put(t, store.Draft{
		Entry:  feed.Entry{Title: text0(title), Content: text0(body), Published: feed.Date{Time: time.Date(2009, 1, 21, 12, 0, 0, 0, time.UTC)}},
		Topics: []feed.Tag{{Topic: "mek", Score: 9, About: true}},
	}, time.Date(2009, 1, 22, 0, 0, 0, 0, time.UTC))
	x := ready(t, w)
	for _, text := range []string{
		`"Mujahedeen e-Khalq"`, `"mujahedeen e khalq" =MEK`, "topic:mek", "about:mek published:2009", `title:"remaining in iraq" NEAR/5 option`,
		"deporting populations", "=MEK -published:2010", "mujahed* NEAR/2 khalq",
	} {
		p := ask(t, x, text, store.SearchOptions{Snippets: true})
		if p.Total != 1 || p.Hits[0].ID != id {
			t.Errorf("%s: %d hits", text, p.Total)
		}
	}
}

// SEC-27: a query of nothing but conditions reads no page of the file, and ends with
// its time all the same.
func TestConditionsTakeTime(t *testing.T) {
	x := bare(t)
	apply(t, x, post(0, "a camp", "text"))
	for _, text := range []string{"is:revised", "NOT has:enclosure", "source:blog -source:other", strings.Repeat("-is:revised ", 300)} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s := &search{x: x, f: x.cur.Load(), q: q, now: time.Now(), items: map[uint32]*found{}}
		past := time.Now().Add(-time.Second)
		err = s.run(t.Context(), allowance{soft: past, hard: past})
		if _, dear := errors.AsType[*store.CostError](err); !dear {
			t.Errorf("%.30s: %v, want a CostError", text, err)
		}
	}
}

// Of the items that a search reads only those that its page may show are held.
func TestItemsAreNotHeld(t *testing.T) {
	w := newWatched(t, 120)
	x := ready(t, w)
	q, err := query.Parse("=camp")
	if err != nil {
		t.Fatal(err)
	}
	s := &search{x: x, f: x.cur.Load(), q: q, now: time.Now(), o: store.SearchOptions{Limit: 7, Snippets: true}, items: map[uint32]*found{}}
	if err := s.run(t.Context(), allowance{}); err != nil {
		t.Fatal(err)
	}
	if s.page.Total != 120 || len(s.page.Hits) != 7 || len(s.items) != 7 {
		t.Errorf("%d hits, %d on the page, %d items held; want 120, 7 and 7", s.page.Total, len(s.page.Hits), len(s.items))
	}
	for _, h := range s.page.Hits {
		if len(h.Text.Marks) == 0 {
			t.Errorf("hit %v has no place that matched", h.ID)
		}
	}
}
