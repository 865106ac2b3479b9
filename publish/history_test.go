package publish

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// atomDoc is what a reader of archives needs of a document.
type atomDoc struct {
	Link []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Archive *struct{} `xml:"http://purl.org/syndication/history/1.0 archive"`
	Deleted []struct {
		Ref string `xml:"ref,attr"`
	} `xml:"http://purl.org/atompub/tombstones/1.0 deleted-entry"`
	Entry []struct {
		ID      string    `xml:"id"`
		Title   string    `xml:"title"`
		Updated time.Time `xml:"updated"`
	} `xml:"entry"`
}

func (d *atomDoc) link(rel string) string {
	for _, l := range d.Link {
		if l.Rel == rel {
			return strings.TrimPrefix(l.Href, "https://feeds.example.org")
		}
	}
	return ""
}

func (w *world) atom(path string) *atomDoc {
	w.t.Helper()
	var d atomDoc
	if err := xml.Unmarshal([]byte(w.body(path)), &d); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
	return &d
}

// walk reads a feed and its archive documents as RFC 5005 §4 says: what a newer
// document says of an id stands. It gives the titles of what is in the feed, by id.
func (w *world) walk(name string) (titles map[string]string, documents int) {
	w.t.Helper()
	titles = map[string]string{}
	known := map[string]bool{}
	seen := map[string]bool{}
	for path := "/feeds/" + name + ".atom"; path != ""; {
		if seen[path] {
			w.t.Fatalf("%s comes twice", path)
		}
		seen[path] = true
		d := w.atom(path)
		if (d.Archive != nil) != (documents > 0) {
			w.t.Errorf("%s: fh:archive %v", path, d.Archive != nil)
		}
		for _, e := range d.Entry {
			if !known[e.ID] {
				known[e.ID], titles[e.ID] = true, e.Title
			}
		}
		for _, x := range d.Deleted {
			known[x.Ref] = true
		}
		path = d.link("prev-archive")
		documents++
	}
	return titles, documents
}

// PUB-44 to PUB-48, PUB-52: whatever happens, walking from the feed to the last
// archive document yields exactly the feed, with the newest revisions; and every
// archive document that was full once has the same entries for ever.
func TestWalkYieldsTheFeed(t *testing.T) {
	seeds := uint32(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { walkYieldsTheFeed(t, seed) })
	}
}

func walkYieldsTheFeed(t *testing.T, seed uint32) {
	cfg := testConfig()
	cfg.Limit = 10
	w := newWorld(t, cfg, testTopics())
	names := []string{"iran", "all", "mek", "source/one", "mek-in-iraq"}
	topics := [][]feed.TopicID{{"iran"}, {"mek"}, {"iran", "mek"}, {"mek", "iraq"}, nil}
	next := func(n int) int { seed = seed*1664525 + 1013904223; return int(seed>>8) % n }
	var ids []feed.ItemID
	var posts []post
	frozen := map[string]string{}
	for step := range 120 {
		w.now = w.now.Add(time.Duration(next(40)) * time.Minute)
		switch k := next(20); {
		case k < 12 || len(ids) == 0:
			var batch []post
			source := []string{"one", "two", "three"}[next(3)]
			for range 1 + next(8) {
				p := post{source: source, topics: topics[next(len(topics))], text: "x", at: w.now.Add(-time.Duration(next(8*24*60)) * time.Minute)}
				p.guid = fmt.Sprintf("g%d", len(posts)+len(batch))
				p.title = "Post " + p.guid
				if next(4) == 0 {
					p.story = fmt.Sprint(next(8))
				}
				batch = append(batch, p)
			}
			for i, o := range w.add(batch...) {
				ids, posts = append(ids, o.ID), append(posts, batch[i])
			}
		case k < 15: // a revision
			p := posts[next(len(posts))]
			p.title = fmt.Sprintf("%s, version %d", strings.TrimRight(p.title, "0123456789"), step)
			w.add(p)
		case k < 17:
			w.change(store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{ids[next(len(ids))]}, Topics: tags(topics[next(len(topics))]), By: "test"})
		case k < 18: // what a story's original is changes no feed
			items, err := w.store.Items(t.Context(), []feed.ItemID{ids[next(len(ids))]}, store.WithStory)
			if err != nil {
				t.Fatal(err)
			}
			all := []feed.ItemID{items[0].ID}
			for _, s := range items[0].AlsoIn {
				all = append(all, s.ID)
			}
			if len(all) > 1 {
				w.change(store.Edit{Kind: store.KindMerge, Items: all, First: items[0].ID, By: "rule"})
			}
		case k < 19:
			w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{ids[next(len(ids))]}, By: "test"})
		default: // a restart
			w.start(cfg, testTopics())
		}
		if step%30 != 29 {
			continue
		}
		for _, name := range names {
			got, documents := w.walk(name)
			want := w.members(name)
			for id, title := range want {
				if got[id] != title {
					t.Errorf("step %d, %s: walking %d documents gives %q for %s, want %q", step, name, documents, got[id], id, title)
				}
			}
			for id, title := range got {
				if _, ok := want[id]; !ok {
					t.Errorf("step %d, %s: walking gives %q (%s), which is not in the feed", step, name, title, id)
				}
			}
			w.compare(name, frozen)
		}
		if t.Failed() {
			return
		}
	}
	if len(frozen) < 10 {
		t.Errorf("only %d archive documents were made", len(frozen))
	}
}

// compare remembers the entries of full documents and reports those that changed.
func (w *world) compare(name string, frozen map[string]string) {
	w.t.Helper()
	for path := w.atom("/feeds/" + name + ".atom").link("prev-archive"); path != ""; {
		d := w.atom(path)
		entries := fmt.Sprint(d.Entry, d.Deleted)
		if was, ok := frozen[path]; ok && was != entries {
			w.t.Errorf("%s changed from\n%s\nto\n%s", path, was, entries)
		}
		frozen[path] = entries
		path = d.link("prev-archive")
	}
}

// members are what a feed must hold, read from the archive by the rules alone:
// each story once, by its first member that matches; ids and titles.
func (w *world) members(name string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	taken := map[feed.ItemID]bool{}
	heads, err := w.store.Heads(w.t.Context(), store.HeadQuery{ByArrival: true, Ascending: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range heads {
		has := func(t feed.TopicID) bool { return hasTopic(h.Topics, t) }
		in := map[string]bool{"all": true, "iran": has("iran"), "mek": has("mek"), "mek-in-iraq": has("mek") && has("iraq"), "source/one": h.Source == "one"}[name]
		story := h.Story
		if name == "source/one" {
			story = h.ID
		}
		if !in || h.Withdrawn || taken[story] {
			continue
		}
		taken[story] = true
		items, err := w.store.Items(w.t.Context(), []feed.ItemID{h.ID}, store.AllFields)
		if err != nil {
			w.t.Fatal(err)
		}
		out[entryID(&items[0])] = items[0].Title.Value
	}
	return out
}

// The links of a chain, and where they lead (RFC 5005 §4).
func TestArchiveLinks(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 120, "iran") // two documents, and twenty in none
	live := w.atom("/feeds/iran.atom")
	newest := live.link("prev-archive")
	if !strings.HasSuffix(newest, "/2.atom") {
		t.Fatalf("prev-archive %q, want document 2", newest)
	}
	two := w.atom(newest)
	one := w.atom(two.link("prev-archive"))
	if one.link("prev-archive") != "" || one.link("next-archive") != newest || two.link("current") != "/feeds/iran.atom" || two.link("self") != newest || len(one.Entry) != pageEvents {
		t.Errorf("links of 1: %+v, of 2: %+v, entries %d", one.Link, two.Link, len(one.Entry))
	}
	// The successor is linked from the start and leads to the live feed until it is full.
	next := two.link("next-archive")
	if rec := w.get(next); rec.Code != http.StatusTemporaryRedirect || rec.Header().Get("Location") != "https://feeds.example.org/feeds/iran.atom" {
		t.Errorf("%s: %d to %q", next, rec.Code, rec.Header().Get("Location"))
	}
	// Full documents are immutable and have validators.
	rec := w.get(newest)
	if got := rec.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control %q", got)
	}
	if rec := w.get(newest, "If-None-Match", rec.Header().Get("Etag")); rec.Code != http.StatusNotModified {
		t.Errorf("conditional: %d", rec.Code)
	}
	// The short address leads to the chain in use; others are not there.
	if rec := w.get("/feeds/iran/archive/1.atom"); rec.Code != http.StatusTemporaryRedirect || !strings.HasSuffix(rec.Header().Get("Location"), two.link("prev-archive")) {
		t.Errorf("short address: %d to %q", rec.Code, rec.Header().Get("Location"))
	}
	chain := strings.Split(newest, "/")[4]
	for _, bad := range []string{"/feeds/iran/archive/" + chain + "/9.atom", "/feeds/iran/archive/" + chain + "/0.atom", "/feeds/iran/archive/" + chain + "/-1.atom", "/feeds/iran/archive/" + chain + "/01.atom", "/feeds/iran/archive/ffff/1.atom", "/feeds/iran/archive/x.atom", "/feeds/nothing/archive/1.atom", "/feeds/iran+mek/archive/1.atom"} {
		if rec := w.get(bad); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", bad, rec.Code)
		}
	}
	// The same in RSS and JSON Feed (PUB-51).
	if body := w.body(strings.Replace(newest, ".atom", ".rss", 1)); !strings.Contains(body, "<fh:archive>") || !strings.Contains(body, `rel="prev-archive"`) {
		t.Errorf("RSS has no archive links:\n%.900s", body)
	}
	if body := w.body("/feeds/iran.json"); !strings.Contains(body, `"next_url":"https://feeds.example.org`+strings.Replace(newest, ".atom", ".json", 1)+`"`) {
		t.Errorf("JSON has no next_url:\n%.600s", body)
	}
}

// Late items go into archive documents at once, not into the live feed, and a walk
// finds them (flood guard, PUB-48).
func TestBackfillGoesIntoTheArchive(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 20, "iran")
	w.now = w.now.Add(72 * time.Hour)
	var posts []post
	for i := range 30 {
		posts = append(posts, post{source: "two", guid: fmt.Sprintf("old%d", i), title: "Old", text: "x", topics: []feed.TopicID{"iran"}, at: start.AddDate(-5, 0, i)})
	}
	w.add(posts...)
	if got := w.titles("iran"); len(got) != 20 || slices.Contains(got, "Old") {
		t.Errorf("the live feed: %q", got)
	}
	if got, _ := w.walk("iran"); len(got) != 50 {
		t.Errorf("a walk finds %d entries, want 50", len(got))
	}
}

// PUB-47: a correction of an archived entry appears in the live feed.
func TestCorrectionAppears(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 200, "iran")
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "one", guid: "one-3", title: "Corrected", text: "y", topics: []feed.TopicID{"iran"}, at: start.Add(-197 * time.Minute)})
	if got := w.titles("iran"); !slices.Contains(got, "Corrected") {
		t.Errorf("the live feed: %q", got)
	}
}

// PUB-78 and RFC 4287 §4.2.15: a version that says what the one before said is in the
// live feed, but is no event of its history, moves no date, and is told to no hub.
func TestTrivialVersionIsNoEvent(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	mark := func() string {
		t.Helper()
		for _, s := range (outlets{w.pub}).States() {
			if s.Name == "iran" {
				return s.Mark
			}
		}
		t.Fatal("no outlet of the topic")
		return ""
	}
	updated := regexp.MustCompile(`<updated>[^<]*</updated>`)
	say := func(title string, trivial bool) (string, []string) {
		t.Helper()
		w.now = w.now.Add(time.Hour)
		w.add(post{source: "one", guid: "a", title: title, text: "y", topics: []feed.TopicID{"iran"}, trivial: trivial})
		body := w.body("/feeds/iran.atom")
		if !strings.Contains(body, title) {
			t.Errorf("%q is not in the live feed", title)
		}
		return mark(), updated.FindAllString(body, -1)
	}
	first, dates := say("Annnounced", false)
	same, datesSame := say("Announced", true)
	if same != first || !slices.Equal(dates, datesSame) {
		t.Errorf("after a trivial version: mark %q, was %q; dates %q, were %q", same, first, datesSame, dates)
	}
	revised, datesRevised := say("Denied", false)
	if revised == first || slices.Equal(dates, datesRevised) {
		t.Errorf("after a revision: mark %q, dates %q, as before", revised, datesRevised)
	}
	if again, _ := say("Denied.", true); again != revised {
		t.Errorf("after a trivial version of a revision: mark %q, was %q", again, revised)
	}
	if last, _ := say("Confirmed", false); last == revised {
		t.Error("a revision after a trivial version is no event")
	}
}

// PUB-52: what left is told in Atom.
func TestTombstone(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 3, "iran")
	out := w.add(post{source: "two", guid: "tag:two.example,2026:1", title: "Withdrawn", text: "x", topics: []feed.TopicID{"iran"}, at: start})
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{out[0].ID}, By: "test"})
	body := w.body("/feeds/iran.atom")
	if !strings.Contains(body, `<at:deleted-entry ref="tag:two.example,2026:1" when="`) || !strings.Contains(body, "<at:comment>withdrawn</at:comment>") || strings.Contains(body, "<title>Withdrawn") {
		t.Errorf("no tombstone:\n%s", body)
	}
	w.start(testConfig(), testTopics())
	if again := w.body("/feeds/iran.atom"); again != body {
		t.Error("after a restart it differs")
	}
}

// PUB-46, PUB-53: another query starts another chain, to which the old addresses
// lead; after a takedown the old ones are gone, and nothing has the content.
func TestNewChain(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	var posts []post
	for i := range 120 {
		posts = append(posts, post{source: "one", guid: fmt.Sprintf("p%d", i), title: fmt.Sprintf("Post %d", i), text: "x", topics: []feed.TopicID{"mek", "iraq"}, at: start.Add(time.Duration(i-200) * time.Minute)})
	}
	out := w.add(posts...)
	old := w.atom("/feeds/mek-in-iraq.atom").link("prev-archive")
	topic := w.atom("/feeds/mek.atom").link("prev-archive")
	defs := testTopics()
	defs.Feeds[0].Query = "topic:mek"
	w.start(testConfig(), defs)
	now := w.atom("/feeds/mek-in-iraq.atom").link("prev-archive")
	if now == old || now == "" {
		t.Errorf("another query has the chain of %s: %s", old, now)
	}
	if rec := w.get(old); rec.Code != http.StatusPermanentRedirect || !strings.HasSuffix(rec.Header().Get("Location"), now) {
		t.Errorf("%s: %d to %q, want 308 to %s", old, rec.Code, rec.Header().Get("Location"), now)
	}
	if got := w.atom("/feeds/mek.atom").link("prev-archive"); got != topic {
		t.Errorf("the chain of a feed that did not change: %s, was %s", got, topic)
	}
	w.change(store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{out[5].ID}, By: "test", Reason: "a court"})
	if rec := w.get(topic); rec.Code != http.StatusGone {
		t.Errorf("after a takedown %s: %d, want 410", topic, rec.Code)
	}
	got, _ := w.walk("mek")
	if len(got) != 119 {
		t.Errorf("a walk finds %d entries, want 119", len(got))
	}
	for _, title := range got {
		if title == "Post 5" {
			t.Error("the entry that was taken down is still there")
		}
	}
}

// A crash loses no event and makes none twice: without the tail that a clean stop
// writes, the log is read again from the last one.
func TestHistoryAfterCrash(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 130, "iran")
	before, n := w.walk("iran")
	tailBefore, err := w.store.LedgerGet(t.Context(), historySpace, tailKey("iran"))
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.fill("two", 10, "iran")
	// As if the process had died: the ledger as it was, the log as it is.
	w.stop()
	if err := w.store.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: historySpace, Key: tailKey("iran"), Value: tailBefore}}); err != nil {
		t.Fatal(err)
	}
	w.start(testConfig(), testTopics())
	after, m := w.walk("iran")
	if len(after) != len(before)+10 || m != n {
		t.Errorf("%d entries in %d documents, want %d in %d", len(after), m, len(before)+10, n)
	}
}

// A boolean feed is paged (RFC 5005 §3): first, previous and next, never mixed
// with the links of archives (PUB-50), and the pages together are the feed.
func TestPaging(t *testing.T) {
	cfg := testConfig()
	cfg.Limit = 10
	cfg.Window = 0
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 35, "iran", "mek")
	w.now = w.now.Add(72 * time.Hour)
	w.add(post{source: "two", guid: "old", title: "Backfilled", text: "x", topics: []feed.TopicID{"iran", "mek"}, at: start.Add(-30*time.Minute).AddDate(0, 0, -7)})
	seen := map[string]bool{}
	var path, previous string
	n := 0
	for path = "/feeds/iran+mek.atom"; path != ""; n++ {
		d := w.atom(path)
		if d.Archive != nil || d.link("prev-archive") != "" || d.link("current") != "" {
			t.Errorf("%s has links of an archive", path)
		}
		if d.link("self") != path || d.link("first") != "/feeds/iran+mek.atom" || d.link("previous") != previous {
			t.Errorf("%s: self %q first %q previous %q, want previous %q", path, d.link("self"), d.link("first"), d.link("previous"), previous)
		}
		for _, e := range d.Entry {
			if seen[e.ID] {
				t.Errorf("%s repeats %s", path, e.Title)
			}
			seen[e.ID] = true
		}
		previous, path = path, d.link("next")
	}
	if len(seen) != 36 || n != 4 {
		t.Errorf("%d entries on %d pages, want 36 on 4", len(seen), n)
	}
	if body := w.body("/feeds/iran+mek.json"); !strings.Contains(body, `"next_url":"https://feeds.example.org/feeds/iran+mek/page/2.json"`) {
		t.Errorf("no next_url:\n%.500s", body)
	}
	for _, bad := range []string{"/feeds/iran+mek/page/9.atom", "/feeds/iran+mek/page/0.atom", "/feeds/iran+mek/page/02.atom", "/feeds/iran+mek/page/x.atom", "/feeds/iran/page/2.atom"} {
		if rec := w.get(bad); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", bad, rec.Code)
		}
	}
	for from, to := range map[string]string{"mek+iran/page/2": "iran+mek/page/2", "mek+iran/page/1": "iran+mek", "iran,iran+mek/page/2": "iran"} {
		if rec := w.get("/feeds/" + from + ".atom"); rec.Header().Get("Location") != "https://feeds.example.org/feeds/"+to+".atom" {
			t.Errorf("%s leads to %q, want %s", from, rec.Header().Get("Location"), to)
		}
	}
	if rec := w.get("/feeds/iran+mek/page/1.atom"); rec.Header().Get("Location") != "https://feeds.example.org/feeds/iran+mek.atom" {
		t.Errorf("page 1: %d to %q", rec.Code, rec.Header().Get("Location"))
	}
}
