package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/storetest"
)

// world makes random archives and queries of few words, so that they meet often.
type world struct {
	*rand.Rand
	m     *storetest.Model
	ids   []feed.ItemID
	at    time.Time
	posts int
}

var (
	vocabulary = strings.Fields(`the of deport deported deporting deportation Iran iran's MEK mek Mek Mojāhedin-e mojahedin mojahedeen Khalq khalq
		camp Camp CAMP ashraf Ashraf Straße strasse don't re-open l'Iran İran 2009 ۲۰۰۹ option options remain remaining
		مجاهدین مجاهدي خلق والكتاب كتاب الكتاب ` + "کتاب\u200cها" + ` книга книги 伊朗 イラン アイランド réfugiés réfugié sanction sanctions Sanctions`)
	languages = []string{"en", "fr", "fa", "ar", "ru", "de", "", "tlh", "en-US"}
	topicIDs  = []feed.TopicID{"mek", "iran", "camps"}
	sourceIDs = []feed.SourceID{"lobelog", "iran-watch", "camp-news"}
	start     = time.Date(2009, 1, 2, 3, 4, 5, 600, time.UTC)
)

func (w *world) words(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString([]string{" ", " ", " ", ", ", ". ", "\n", "-"}[w.IntN(7)])
		}
		b.WriteString(vocabulary[w.IntN(len(vocabulary))])
	}
	return b.String()
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), m: storetest.NewModel(), at: start}
	for _, id := range sourceIDs {
		w.change(t, store.Edit{Kind: store.KindSource, Source: &store.Source{ID: id, Title: w.words(2)}})
	}
	return w
}

func (w *world) change(t *testing.T, e store.Edit) {
	t.Helper()
	if err := w.m.Change(t.Context(), []store.Edit{e}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) tags() []feed.Tag {
	var out []feed.Tag
	for _, id := range topicIDs {
		if w.IntN(3) == 0 {
			out = append(out, feed.Tag{Topic: id, Score: float64(w.IntN(4) - 1), About: w.IntN(2) == 0})
		}
	}
	return out
}

func (w *world) entry() feed.Entry {
	e := feed.Entry{
		URL:   fmt.Sprintf("https://%s.example/%d/%s", sourceIDs[w.IntN(3)], w.IntN(5), strings.ReplaceAll(w.words(2), " ", "-")),
		Title: feed.Text{Value: w.words(w.IntN(5))}, Content: feed.Text{Type: feed.HTML, Value: "<p>" + w.words(w.IntN(25)) + "</p><p>" + w.words(w.IntN(9)) + "</p>"},
		Language:  languages[w.IntN(len(languages))],
		Published: feed.Date{Time: start.AddDate(0, 0, w.IntN(800)-400)},
	}
	for range w.IntN(3) {
		e.Authors = append(e.Authors, feed.Person{Name: w.words(1 + w.IntN(2))})
		e.Categories = append(e.Categories, feed.Category{Term: w.words(1 + w.IntN(2))})
	}
	if w.IntN(4) == 0 {
		e.Enclosures = []feed.Enclosure{{URL: "https://a.example/x.mp3"}}
	}
	if w.IntN(10) == 0 {
		e.Published = feed.Date{}
	}
	if w.IntN(40) == 0 {
		e.Content.Value += strings.Repeat("x", maxWord-2) + vocabulary[w.IntN(4)]
	}
	return e
}

// step lets one thing happen.
func (w *world) step(t *testing.T) {
	t.Helper()
	w.at = w.at.Add(time.Duration(1+w.IntN(48)) * time.Hour)
	pick := func() feed.ItemID { return w.ids[w.IntN(len(w.ids))] }
	switch k := w.IntN(20); {
	case k < 15 || len(w.ids) < 4:
		src := sourceIDs[w.IntN(3)]
		b := store.Batch{Source: src, At: w.at}
		for range 1 + w.IntN(4) {
			post := w.IntN(w.posts + 2)
			w.posts = max(w.posts, post+1)
			d := store.Draft{Entry: w.entry(), Native: fmt.Sprint(post), Method: "guid", Topics: w.tags(), Part: -1}
			d.Keys = []store.Key{storetest.Hash(store.KeyGUID, d.Native)}
			d.Story = []store.Key{storetest.Hash(store.KeyText, fmt.Sprint("story", post/2))}
			d.Version = feed.DigestOf(fmt.Append(nil, w.Uint64()))
			b.Drafts = append(b.Drafts, d)
		}
		out, err := w.m.Append(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if !slices.Contains(w.ids, o.ID) {
				w.ids = append(w.ids, o.ID)
			}
		}
	case k == 15:
		w.change(t, store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{pick()}, Topics: w.tags(), By: "rule"})
	case k == 16 && w.IntN(2) == 0: // another item of a story is its original
		items, err := w.m.Items(t.Context(), []feed.ItemID{pick()}, store.WithStory)
		if err != nil {
			t.Fatal(err)
		}
		all := []feed.ItemID{items[0].ID}
		for _, s := range items[0].AlsoIn {
			all = append(all, s.ID)
		}
		if len(all) > 1 {
			w.change(t, store.Edit{Kind: store.KindMerge, Items: all, First: items[0].ID, By: "rule"})
		}
	case k == 16:
		w.change(t, store.Edit{Kind: store.KindMerge, Items: []feed.ItemID{pick(), pick()}})
	case k == 17:
		w.change(t, store.Edit{Kind: store.KindSplit, Items: []feed.ItemID{pick()}})
	case k == 18:
		w.change(t, store.Edit{Kind: store.KindSource, Source: &store.Source{ID: sourceIDs[w.IntN(3)], Title: w.words(2)}})
	default:
		if w.IntN(3) == 0 {
			w.change(t, store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{pick()}})
		}
	}
}

// query writes a random query.
func (w *world) query(depth int) string {
	word := func() string {
		f := strings.Fields(w.words(1))[0]
		return strings.Trim(f, ",.-")
	}
	field := func() string {
		return []string{"", "", "", "title:", "author:", "source:", "category:", "url:"}[w.IntN(8)]
	}
	term := func() string {
		switch w.IntN(7) {
		case 0:
			return `"` + word() + " " + word() + `"`
		case 1:
			return "=" + word()
		case 2:
			return []string{"moj*", "de*", `"camp ash*"`, "کتا*", "sanct*", `"the de*"`, "xx*"}[w.IntN(7)]
		case 3:
			return `="` + word() + " " + word() + `"`
		}
		return word()
	}
	if depth > 0 {
		switch w.IntN(9) {
		case 0, 1:
			return "(" + w.query(depth-1) + " " + w.query(depth-1) + ")"
		case 2, 3:
			return "(" + w.query(depth-1) + " OR " + w.query(depth-1) + ")"
		case 4:
			return "NOT (" + w.query(depth-1) + ")"
		case 5, 6:
			side := func() string {
				if w.IntN(3) == 0 {
					return "(" + field() + term() + " OR " + field() + term() + ")"
				}
				return field() + term()
			}
			return fmt.Sprintf("(%s NEAR/%d %s)", side(), 1+w.IntN(6), side())
		case 7:
			return "(" + w.query(depth-1) + fmt.Sprintf(")^%d", w.IntN(5)-2)
		}
	}
	switch w.IntN(14) {
	case 0:
		return "lang:" + []string{"en", "fa", "fr", "xx"}[w.IntN(4)]
	case 1:
		return []string{"topic:", "about:"}[w.IntN(2)] + string(topicIDs[w.IntN(3)])
	case 2:
		return []string{"published:2009", "published:>=2009-06", "published:2008-11..2009-02-03", "published:30d", "seen:2009-01", "seen:<2009-02", "seen:300d"}[w.IntN(7)]
	case 3:
		return []string{"is:revised", "is:duplicate", "has:enclosure"}[w.IntN(3)]
	case 4:
		return "id:" + w.ids[w.IntN(len(w.ids))].String()
	}
	return field() + term()
}

// hit is what is compared.
type foundHit struct {
	id       feed.ItemID
	revision int
}

// matching asks the matcher about everything that is in the archive.
func (w *world) matching(t *testing.T, q *query.Query, o store.SearchOptions) []foundHit {
	titles := map[feed.SourceID]string{}
	list, err := w.m.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		titles[s.ID] = s.Title
	}
	type dated struct {
		foundHit
		at time.Time
	}
	var out []dated
	for _, id := range w.ids {
		versions, err := w.m.Revisions(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !o.AsOf.IsZero() {
			versions = slices.DeleteFunc(versions, func(it feed.Item) bool { return it.Revised.After(o.AsOf) })
		}
		for i := range versions {
			it := &versions[i]
			it.Revisions = len(versions)
			if it.TakenDown || !o.AllVersions && i < len(versions)-1 {
				continue
			}
			if _, ok := q.Match(query.NewDoc(it, titles[it.Source]), o.Now); ok {
				out = append(out, dated{foundHit{it.ID, it.Revision}, it.Effective()})
			}
		}
	}
	slices.SortFunc(out, func(a, b dated) int {
		c := a.at.Compare(b.at)
		if c == 0 {
			c = slices.Compare(a.id[:], b.id[:])
		}
		if c == 0 {
			c = a.revision - b.revision
		}
		if o.Order == store.Newest {
			return -c
		}
		return c
	})
	var hits []foundHit
	told := map[feed.ItemID]bool{}
	for _, d := range out {
		if o.FoldStories {
			items, err := w.m.Items(t.Context(), []feed.ItemID{d.id}, 0)
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			if told[items[0].Story] {
				continue
			}
			told[items[0].Story] = true
		}
		hits = append(hits, d.foundHit)
	}
	return hits
}

// finding pages through a search.
func finding(t *testing.T, x *Index, q *query.Query, o store.SearchOptions) (hits []foundHit, total int) {
	for {
		p, err := x.Search(t.Context(), q, o)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for _, h := range p.Hits {
			hits = append(hits, foundHit{h.ID, h.Revision})
		}
		if o.Cursor == "" {
			total = p.Total
			if !p.Exact {
				t.Fatalf("%s: the total of few is not exact", q)
			}
		}
		if o.Cursor = p.Next; p.Next == "" {
			return hits, total
		}
	}
}

func open(t *testing.T, a Archive) *Index {
	t.Helper()
	cfg := DefaultConfig()
	cfg.MaxTime = time.Minute // the race detector and a busy machine are no fault of a query
	x, err := Open(t.Context(), t.TempDir(), a, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// catchUp applies what the archive has.
func catchUp(t *testing.T, x *Index, a Archive) {
	t.Helper()
	for {
		end, err := a.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if x.Cursor() >= end {
			return
		}
		records, upTo, err := a.Follow(context.Background(), x.Cursor(), store.AllKinds, 17)
		if err == nil {
			err = x.Apply(t.Context(), records, upTo)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Finding equals matching over all items, whatever the archive and the query, in
// every view and order, page by page (HOUSE part 6).
func TestFindingEqualsMatching(t *testing.T) {
	seeds, queries := 6, 200
	if testing.Short() {
		seeds, queries = 2, 80
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			x := open(t, w.m)
			for range 60 {
				w.step(t)
				if w.IntN(3) == 0 {
					catchUp(t, x, w.m)
				}
			}
			catchUp(t, x, w.m)
			some := 0
			for i := range queries {
				text := w.query(3)
				q, err := query.Parse(text)
				if err != nil {
					continue
				}
				o := store.SearchOptions{Limit: 7 + w.IntN(20), Now: start.AddDate(0, 3, 0), AllVersions: w.IntN(4) == 0, Order: store.SearchOrder(w.IntN(2))}
				if w.IntN(4) == 0 {
					o.AsOf = start.AddDate(0, 0, w.IntN(90))
				}
				o.FoldStories = !o.AllVersions && w.IntN(3) == 0
				want := w.matching(t, q, o)
				got, total := finding(t, x, q, o)
				if total != len(want) || !slices.Equal(got, want) {
					t.Fatalf("seed %d, query %d %s, as of %v, all versions %v, folded %v, %v:\n found %d of a total of %d %v\n want  %d %v", seed, i, q, o.AsOf, o.AllVersions, o.FoldStories, o.Order, len(got), total, got, len(want), want)
				}
				if len(want) > 0 {
					some++
				}
			}
			if some < queries/4 {
				t.Errorf("only %d of %d queries found anything", some, queries)
			}
		})
	}
}
