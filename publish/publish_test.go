package publish

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// jsonTitles reads the titles of a JSON Feed, in order.
func jsonTitles(t testing.TB, body string) []string {
	t.Helper()
	var d struct {
		Items []struct {
			Title string `json:"title"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	out := []string{}
	for _, it := range d.Items {
		out = append(out, it.Title)
	}
	return out
}

func (w *world) titles(name string) []string {
	w.t.Helper()
	return jsonTitles(w.t, w.body("/feeds/"+name+".json"))
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// Every name of CONTRACT part 4 carries what it says.
func TestWhichFeeds(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	at := start.Add(-time.Hour)
	w.add(post{source: "one", guid: "a", title: "A", text: "x", topics: []feed.TopicID{"iran"}, at: at},
		post{source: "one", guid: "b", title: "B", text: "x", topics: []feed.TopicID{"iran", "mek"}, at: at.Add(time.Minute)})
	w.add(post{source: "two", guid: "c", title: "C", text: "x", topics: []feed.TopicID{"iraq", "mek"}, at: at.Add(2 * time.Minute)},
		post{source: "two", guid: "d", title: "D", text: "x", at: at.Add(3 * time.Minute)})
	for name, want := range map[string][]string{
		"all": {"D", "C", "B", "A"}, "iran": {"B", "A"}, "iraq": {"C"}, "mek": {"C", "B"}, "mek-in-iraq": {"C"},
		"iran+mek": {"B"}, "iran,iraq": {"C", "B", "A"}, "iran!mek": {"A"}, "iran+iraq": {}, "all!mek": {"D", "A"},
		"iran+mek-in-iraq": {}, "iran,mek-in-iraq": {"C", "B", "A"}, "iran!mek,iraq": {"C", "A"},
		"source/one": {"B", "A"}, "source/two": {"D", "C"},
		"iran%2Bmek": {"B"}, "iran%20mek": {"B"}, "iran%2Ciraq": {"C", "B", "A"}, "iran%21mek": {"A"},
	} {
		expect(t, name, w.titles(name), want)
	}
	for _, name := range []string{"nothing", "iran+nothing", "source/three", "iran+", "+", "iran!!mek", "a/b", "source/", "..", "iran.atom", "IRAN", strings.Repeat("iran+", 8) + "mek"} {
		if rec := w.get("/feeds/" + name + ".atom"); rec.Code != http.StatusNotFound {
			t.Errorf("/feeds/%s.atom: %d, want 404", name, rec.Code)
		}
	}
	// A person who tries an address is told how they are made.
	if body := w.get("/feeds/iran.xml", "Accept", "text/html").Body.String(); !strings.Contains(body, ".atom, .rss or .json") {
		t.Errorf("the page of a feed that is not there does not say how addresses are made:\n%s", body)
	}
}

// Another order of ids leads to the canonical one; equal expressions are one.
func TestCanonicalNames(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	for name, want := range map[string]string{
		"mek+iran": "iran+mek", "iraq,iran": "iran,iraq", "iran+iran": "iran", "mek!iraq!iran": "mek!iran!iraq",
		"mek!iraq+iran": "iran+mek!iraq", "iran,iran+mek": "iran", "iran,iran!mek": "iran",
	} {
		rec := w.get("/feeds/" + name + ".rss")
		if got := rec.Header().Get("Location"); rec.Code != http.StatusMovedPermanently || got != "https://feeds.example.org/feeds/"+want+".rss" {
			t.Errorf("%s: %d to %q, want 301 to …/%s.rss", name, rec.Code, got, want)
		}
	}
}

// Whatever is written as a name is refused or has one canonical form.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"iran+mek", "a,b!c+d", "!", "a!b!a", "b+a,a+b", " ", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseExpression(s)
		if err != nil {
			return
		}
		again, err := parseExpression(e.String())
		if err != nil || again.String() != e.String() {
			t.Errorf("%q became %q, which became %q (%v)", s, e, again, err)
		}
		if len(e.ids()) > maxIDs {
			t.Errorf("%q has %d ids", s, len(e.ids()))
		}
	})
}

// One entry a story: the first member that matches carries it; a later copy only
// adds "also at", and changes neither order nor updated (CONTRACT part 4).
func TestOneEntryAStory(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	at := start.Add(-time.Hour)
	w.add(post{source: "one", guid: "a", title: "The story", text: "x", story: "s", topics: []feed.TopicID{"iran"}, at: at})
	before := w.get("/feeds/iran.json")
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "two", guid: "b", title: "The story, copied", text: "x", story: "s", topics: []feed.TopicID{"iran", "mek"}, at: at.Add(time.Minute)})
	after := w.get("/feeds/iran.json")
	expect(t, "iran", jsonTitles(t, after.Body.String()), []string{"The story"})
	expect(t, "all", w.titles("all"), []string{"The story"})
	// In a feed that only the copy matches, the copy carries it.
	expect(t, "mek", w.titles("mek"), []string{"The story, copied"})
	expect(t, "the copy's own source", w.titles("source/two"), []string{"The story, copied"})
	if before.Header().Get("Etag") == after.Header().Get("Etag") {
		t.Error("the copy changed nothing in the feed: no \"also at\"")
	}
	if a, b := before.Header().Get("Last-Modified"), after.Header().Get("Last-Modified"); a != b {
		t.Errorf("the copy changed Last-Modified from %s to %s", a, b)
	}
	if !strings.Contains(after.Body.String(), `Also at: <a href=\"https://two.example/b\">The two blog</a>`) {
		t.Errorf("the entry does not name its copy:\n%s", after.Body)
	}
	// That the copy turns out to be the original brings nobody the story twice (SEC-31).
	heads, err := w.store.Heads(t.Context(), store.HeadQuery{ByArrival: true})
	if err != nil || len(heads) != 2 {
		t.Fatal(heads, err)
	}
	w.change(store.Edit{Kind: store.KindMerge, Items: []feed.ItemID{heads[0].ID, heads[1].ID}, First: heads[0].ID, By: "rule"})
	later := w.get("/feeds/iran.json")
	if later.Header().Get("Etag") != after.Header().Get("Etag") {
		t.Errorf("the feed changed:\n%s", later.Body)
	}
	expect(t, "mek", w.titles("mek"), []string{"The story, copied"})
}

// When the item that carries a story leaves a feed, the next member that matches
// carries it.
func TestCarrierLeaves(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	at := start.Add(-time.Hour)
	first := w.add(post{source: "one", guid: "a", title: "First", text: "x", story: "s", topics: []feed.TopicID{"iran"}, at: at})
	w.add(post{source: "two", guid: "b", title: "Copy", text: "x", story: "s", topics: []feed.TopicID{"iran"}, at: at})
	expect(t, "before", w.titles("iran"), []string{"First"})
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{first[0].ID}, By: "test"})
	expect(t, "after it was withdrawn", w.titles("iran"), []string{"Copy"})
}

// A changed post changes its entry; its place and its date stay (PUB-16).
func TestRevision(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	at := start.Add(-time.Hour)
	w.add(post{source: "one", guid: "a", title: "Old title", text: "x", topics: []feed.TopicID{"iran"}, at: at},
		post{source: "one", guid: "b", title: "Other", text: "y", topics: []feed.TopicID{"iran"}, at: at.Add(time.Minute)})
	expect(t, "before", w.titles("iran"), []string{"Other", "Old title"})
	w.now = w.now.Add(time.Hour)
	// Re-dated as well: that must not bring it on top (flood guard).
	w.add(post{source: "one", guid: "a", title: "New title", text: "x!", topics: []feed.TopicID{"iran"}, at: w.now})
	expect(t, "after", w.titles("iran"), []string{"Other", "New title"})
	if body := w.body("/feeds/iran.atom"); !strings.Contains(body, "<updated>2026-03-01T13:00:00Z</updated>") {
		t.Errorf("updated is not the time of the revision:\n%s", body)
	}
}

// An item that loses its topic leaves the feed; one that gains it enters.
func TestRetag(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	out := w.add(post{source: "one", guid: "a", title: "A", text: "x", topics: []feed.TopicID{"iran"}, at: start})
	expect(t, "before", w.titles("iran"), []string{"A"})
	expect(t, "before", w.titles("mek"), []string{})
	w.change(store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{out[0].ID}, Topics: []feed.Tag{{Topic: "mek", Score: 1}}, By: "rule"})
	expect(t, "after", w.titles("iran"), []string{})
	expect(t, "after", w.titles("mek"), []string{"A"})
	expect(t, "after", w.titles("iran,mek"), []string{"A"})
}

// Old items that arrive when a feed is there already stay out of the live feed
// (PEERS part 3, number 17), but an empty feed takes its first ones as they are.
func TestFloodGuard(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	old := start.AddDate(-10, 0, 0)
	w.add(post{source: "one", guid: "old", title: "Old, at the start", text: "x", topics: []feed.TopicID{"iran"}, at: old})
	expect(t, "first import", w.titles("iran"), []string{"Old, at the start"})
	w.now = w.now.Add(48 * time.Hour)
	w.fill("two", 20, "iran")
	var posts []post
	for i := range 40 {
		posts = append(posts, post{source: "three", guid: "b" + string(rune('A'+i)), title: "Backfilled", text: "x", topics: []feed.TopicID{"iran"}, at: old.AddDate(0, 0, i)})
	}
	w.add(posts...)
	got := w.titles("iran")
	if slices.Contains(got, "Backfilled") || len(got) != 21 {
		t.Errorf("the live feed has %d entries: %q, want the 20 new ones and the first", len(got), got)
	}
	// The same when the window is read from the archive anew.
	w.start(testConfig(), testTopics())
	expect(t, "after a restart", w.titles("iran"), got)
}

// A restart changes no byte: neither ids nor validators (PUB-01, PUB-04).
func TestRestart(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 70, "iran")
	w.add(post{source: "two", guid: "c", title: "Copy", text: "x", story: "s", topics: []feed.TopicID{"iran"}, at: start})
	want := map[string]string{}
	paths := []string{"/feeds/iran.atom", "/feeds/iran.rss", "/feeds/iran.json", "/feeds/all.atom", "/feeds/source/one.rss", "/feeds/iran,mek.json"}
	for _, p := range paths {
		rec := w.get(p)
		want[p] = rec.Header().Get("Etag") + rec.Header().Get("Last-Modified") + rec.Body.String()
	}
	w.start(testConfig(), testTopics())
	for _, p := range paths {
		rec := w.get(p)
		if got := rec.Header().Get("Etag") + rec.Header().Get("Last-Modified") + rec.Body.String(); got != want[p] {
			t.Errorf("%s differs after a restart", p)
		}
	}
	// The host changed its name: addresses change, ids do not.
	cfg := testConfig()
	cfg.BaseURL = "https://elsewhere.example.net/sub"
	w.start(cfg, testTopics())
	id := func(s string) string { _, s, _ = strings.Cut(s, "<id>"); s, _, _ = strings.Cut(s, "</id>"); return s }
	if a, b := id(want["/feeds/iran.atom"]), id(w.body("/feeds/iran.atom")); len(a) < 10 || !strings.Contains(b, a) && a != b {
		t.Errorf("the feed's id changed from %q to %q", a, b)
	}
}

// The window follows the log exactly: whatever order things come in, what is
// served is what a fresh publisher makes of the same archive.
func TestFollowEqualsRead(t *testing.T) {
	cfg := testConfig()
	cfg.Limit = 5
	w := newWorld(t, cfg, testTopics())
	names := []string{"iran", "all", "mek", "iran+mek", "source/one", "mek-in-iraq"}
	for _, s := range []string{"one", "two", "three"} {
		w.ensure(s)
	}
	for _, n := range names {
		w.titles(n) // so that the windows exist and must be kept up to date
	}
	topics := [][]feed.TopicID{{"iran"}, {"mek"}, {"iran", "mek"}, {"mek", "iraq"}, nil}
	var ids []feed.ItemID
	seed := uint32(7)
	next := func(n int) int { seed = seed*1664525 + 1013904223; return int(seed>>8) % n }
	for step := range 120 {
		w.now = w.now.Add(time.Duration(next(40)) * time.Minute)
		switch k := next(10); {
		case k < 6 || len(ids) == 0:
			p := post{source: []string{"one", "two", "three"}[next(3)], topics: topics[next(len(topics))], text: "x", at: w.now.Add(-time.Duration(next(30*24*60)) * time.Minute)}
			p.guid = string(rune('a'+step%26)) + string(rune('a'+step/26))
			p.title = "Post " + p.guid
			if next(3) == 0 {
				p.story = string(rune('a' + next(6)))
			}
			for _, o := range w.add(p) {
				ids = append(ids, o.ID)
			}
		case k < 8:
			w.change(store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{ids[next(len(ids))]}, Topics: tags(topics[next(len(topics))]), By: "test"})
		default:
			w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{ids[next(len(ids))]}, By: "test"})
		}
		if step%10 != 9 {
			continue
		}
		got := map[string][]string{}
		for _, n := range names {
			got[n] = w.titles(n)
		}
		other := fork(t, w.store)
		fresh := &world{t: t, store: w.store, now: w.now}
		fresh.startOn(cfg, testTopics(), other)
		for _, n := range names {
			if want := fresh.titles(n); !slices.Equal(got[n], want) {
				t.Fatalf("step %d: %s follows %q, a fresh publisher reads %q", step, n, got[n], want)
			}
		}
		fresh.stop()
	}
}

// forked is an archive with a ledger of its own, as two publishers cannot have one.
type forked struct {
	*storetest.Model
	ledger *storetest.Model
}

func fork(t *testing.T, m *storetest.Model) *forked {
	f := &forked{m, storetest.NewModel()}
	for _, space := range []string{ledgerSpace, historySpace} {
		all, err := m.LedgerScan(t.Context(), space, "", "", 100_000)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.ledger.LedgerWrite(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *forked) LedgerGet(ctx context.Context, space, key string) ([]byte, error) {
	return f.ledger.LedgerGet(ctx, space, key)
}

func (f *forked) LedgerScan(ctx context.Context, space, prefix, after string, n int) ([]store.LedgerEntry, error) {
	return f.ledger.LedgerScan(ctx, space, prefix, after, n)
}

func (f *forked) LedgerWrite(ctx context.Context, w []store.LedgerEntry) error {
	return f.ledger.LedgerWrite(ctx, w)
}

func tags(ids []feed.TopicID) []feed.Tag {
	var out []feed.Tag
	for _, id := range ids {
		out = append(out, feed.Tag{Topic: id, Score: 1})
	}
	return out
}

// Faults of definitions are all named at once.
func TestDefinitionFaults(t *testing.T) {
	cfg := testConfig()
	cfg.Content, cfg.Limit, cfg.BaseURL = "some", 0, "ftp://x"
	cfg.Icon = "icon.png"
	cfg.Access, cfg.Hubs = "token", []string{"hub.example", "https://hub.example/", "https://hub.example/"}
	_, err := New(cfg, Definitions{
		Topics: []Topic{{ID: "all"}, {ID: "Iran"}},
		Feeds: []Feed{
			{ID: "x", Query: "a AND"}, {ID: "x"}, {ID: "source"}, {ID: "y", Formats: []string{"pdf"}}, {ID: "z", Events: "born"}, {ID: "last", Query: "published:7d"},
		},
	}, nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`base_url: "ftp://x"`, `content: "some"`, "limit: 0", `topic "all"`, `topic "Iran"`, `feed "x": query`,
		`feed "x": the name is taken by a feed`, `feed "source"`, `"pdf"`, `"born"`, "a relative date", `icon: "icon.png"`,
		`hubs: "hub.example" is not`, `hubs: "https://hub.example/" is given twice`, "hubs: feeds that need a token",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q:\n%v", want, err)
		}
	}
}

// Names that were given up lead on or say so (PUB-74).
func TestRenamedAndGone(t *testing.T) {
	cfg := testConfig()
	cfg.Renamed = map[string]string{"persia": "iran"}
	cfg.Gone = []string{"fired"}
	w := newWorld(t, cfg, testTopics())
	if rec := w.get("/feeds/persia.atom"); rec.Code != http.StatusPermanentRedirect || rec.Header().Get("Location") != "https://feeds.example.org/feeds/iran.atom" {
		t.Errorf("renamed: %d to %q, want 308", rec.Code, rec.Header().Get("Location"))
	}
	if rec := w.get("/feeds/iraq+persia.rss"); rec.Code != http.StatusPermanentRedirect || rec.Header().Get("Location") != "https://feeds.example.org/feeds/iran+iraq.rss" {
		t.Errorf("renamed, in a combination: %d to %q, want 308", rec.Code, rec.Header().Get("Location"))
	}
	if rec := w.get("/feeds/fired+iran.rss"); rec.Code != http.StatusGone {
		t.Errorf("gone, in a combination: %d, want 410", rec.Code)
	}
	if rec := w.get("/feeds/fired+iran+nothing.rss"); rec.Code != http.StatusNotFound {
		t.Errorf("a combination with what never was: %d, want 404", rec.Code)
	}
	if rec := w.get("/feeds/fired.rss"); rec.Code != http.StatusGone || rec.Body.Len() == 0 {
		t.Errorf("gone: %d %q, want 410 with a body", rec.Code, rec.Body)
	}
}

// Ten thousand different expressions keep as many feeds as are allowed.
func TestExpressionsAreBounded(t *testing.T) {
	defs := Definitions{}
	for i := range 60 {
		defs.Topics = append(defs.Topics, Topic{ID: feed.TopicID("t" + string(rune('a'+i/26)) + string(rune('a'+i%26)))})
	}
	cfg := testConfig()
	cfg.Expressions = 32
	w := newWorld(t, cfg, defs)
	n := 0
	for _, a := range defs.Topics {
		for _, b := range defs.Topics {
			if a.ID < b.ID {
				if rec := w.get("/feeds/" + url.PathEscape(string(a.ID)+"+"+string(b.ID)) + ".atom"); rec.Code != http.StatusOK {
					t.Fatalf("%d", rec.Code)
				}
				n++
			}
		}
	}
	if st := w.pub.state; len(st.madeBy) != 32 || len(st.order) != 32 {
		t.Errorf("%d expressions were asked for, %d are kept, want 32", n, len(st.madeBy))
	}
}

// What is asked for before the log is followed is not missed afterwards.
func TestAskedBeforeRun(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 2, "iran")
	w.stop()
	pub, err := New(testConfig(), testTopics(), w.store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.web = pub.Handler()
	expect(t, "before", w.titles("iran"), []string{"Post 1 of one", "Post 0 of one"})
	d := draft(post{source: "one", guid: "late", title: "Between", text: "x", topics: []feed.TopicID{"iran"}, at: start.Add(time.Minute)})
	if _, err := w.store.Append(t.Context(), store.Batch{At: start.Add(time.Minute), Document: &store.Document{Source: "one", Received: start, Body: []byte("y")}, Drafts: []store.Draft{d}}); err != nil {
		t.Fatal(err)
	}
	w.web, w.pub = pub.Handler(), pub
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- pub.Run(ctx) }()
	w.sync()
	expect(t, "after", w.titles("iran"), []string{"Between", "Post 1 of one", "Post 0 of one"})
	stop()
	<-done
}

// PUB-03: a source that has another name has it in its own feed at once, whose date
// says so, and in the entries of others.
func TestRetitledSource(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 3, "iran")
	before := w.body("/feeds/source/one.atom")
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{
		ID: "one", URL: "https://one.example/feed", Site: "https://one.example/", Title: "The renamed blog", Origin: "config",
	}})
	after := w.body("/feeds/source/one.atom")
	if !strings.Contains(after, "<title>The renamed blog</title>\n  <id>") || !strings.Contains(after, "<subtitle>Posts of The renamed blog.</subtitle>") {
		t.Errorf("the feed has its old name:\n%.600s", after)
	}
	element := func(doc, name string) string {
		_, rest, _ := strings.Cut(doc, "<"+name+">")
		value, _, _ := strings.Cut(rest, "<")
		return value
	}
	if element(before, "id") != element(after, "id") || element(before, "updated") == element(after, "updated") {
		t.Errorf("id %s and %s, updated %s and %s", element(before, "id"), element(after, "id"), element(before, "updated"), element(after, "updated"))
	}
	if iran := w.body("/feeds/iran.atom"); strings.Contains(iran, "The one blog") {
		t.Error("the entries of other feeds have the old name")
	}
}

// PUB-03: a combination, which has no history of its own, is updated when an entry
// leaves it, too.
func TestUpdatedWhenAnEntryLeaves(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.add(post{source: "one", guid: "a", title: "A", text: "x", topics: []feed.TopicID{"iran", "mek"}, at: start})
	out := w.add(post{source: "one", guid: "b", title: "B", text: "x", topics: []feed.TopicID{"iran", "mek"}, at: start})
	before := w.get("/feeds/iran+mek.atom")
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{out[0].ID}, By: "test"})
	after := w.get("/feeds/iran+mek.atom")
	updated := func(body string) string {
		_, rest, _ := strings.Cut(body, "<updated>")
		at, _, _ := strings.Cut(rest, "</updated>")
		return at
	}
	if a, b := updated(before.Body.String()), updated(after.Body.String()); a >= b {
		t.Errorf("updated is %s after an entry left, and was %s", b, a)
	}
	if strings.Contains(after.Body.String(), "<title>B</title>") {
		t.Error("the entry is still there")
	}
}
