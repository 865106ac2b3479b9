package publish

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	xhtml "golang.org/x/net/html"

	"chancery/feed"
	"chancery/feed/opml"
	"chancery/store"
)

// PUB-83: the home page links every filtered feed for discovery, each with a type
// and a title of its own.
func TestAutodiscovery(t *testing.T) {
	w := smallWorld(t)
	doc, err := xhtml.Parse(strings.NewReader(w.body("/")))
	if err != nil {
		t.Fatal(err)
	}
	found, titles := map[string]string{}, map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != xhtml.ElementNode || n.Data != "link" {
			continue
		}
		a := map[string]string{}
		for _, x := range n.Attr {
			a[x.Key] = x.Val
		}
		if a["rel"] != "alternate" {
			continue
		}
		found[a["href"]] = a["type"]
		if a["title"] == "" || titles[a["title"]] {
			t.Errorf("title %q is empty or there twice", a["title"])
		}
		titles[a["title"]] = true
	}
	for _, name := range []string{"all", "iran", "iraq", "mek", "mek-in-iraq"} {
		for suffix, typ := range map[string]string{"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"} {
			href := "https://feeds.example.org/feeds/" + name + "." + suffix
			if found[href] != typ {
				t.Errorf("%s has type %q", href, found[href])
			}
			if rec := w.get(strings.TrimPrefix(href, "https://feeds.example.org")); rec.Code != http.StatusOK {
				t.Errorf("%s: %d", href, rec.Code)
			}
		}
	}
}

// SEC-18: pages run nothing, load nothing from elsewhere and are framed by nobody.
func TestPageHeaders(t *testing.T) {
	w := smallWorld(t)
	for _, p := range []string{"/", "/topics/iran", "/sources/one", "/status"} {
		rec := w.get(p)
		h := rec.Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: CSP %q", p, csp)
		}
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Permissions-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", p, h)
		}
		if body := withoutOurScript(rec.Body.String()); strings.Contains(body, "<script") || strings.Contains(body, " style=") || strings.Contains(body, "<style") {
			t.Errorf("%s has script or style of its own", p)
		}
	}
}

// withoutOurScript takes the one script that pages load from here off a page.
func withoutOurScript(page string) string {
	return ourScript.ReplaceAllString(page, "")
}

var ourScript = regexp.MustCompile(`<script src="https://feeds\.example\.org/static/page\.js\?v=[0-9a-f]{12}" defer></script>`)

// SEC-12, SEC-19, SEC-32: what a feed wrote cannot do anything on our pages.
func TestHostilePost(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	title := "<script>alert(1)</script>\" onload=\"x\u202eevil </title>"
	out := w.add(post{source: "one", guid: "h", topics: []feed.TopicID{"iran"}, at: start, entry: feed.Entry{
		URL: "javascript:alert(2)", Title: feed.Text{Type: feed.PlainText, Value: title},
		Content:    feed.Text{Type: feed.HTML, Value: `<p onclick="alert(3)">Text<script>alert(4)</script><img src="https://track.example/p.gif" width=1 height=1><iframe src="https://evil.example"></iframe></p>`},
		Authors:    []feed.Person{{Name: `"><script>alert(5)</script>`}},
		Enclosures: []feed.Enclosure{{URL: "javascript:alert(6)"}},
	}})
	for _, p := range []string{"/", "/topics/iran", "/items/" + out[0].ID.String(), "/sources/one", "/feeds/iran.atom", "/feeds/iran.rss"} {
		body := withoutOurScript(w.body(p))
		for _, bad := range []string{"<script", "onclick", "javascript:", "<iframe", "\u202e", "</title> ·"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", p, bad)
			}
		}
	}
	if body := w.body("/items/" + out[0].ID.String()); !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Errorf("the title is not there as text:\n%s", body)
	}
	var item map[string]any
	if err := json.Unmarshal([]byte(w.body("/items/"+out[0].ID.String()+".json")), &item); err != nil {
		t.Fatal(err)
	}
	if item["source"] != "one" || item["id"] != out[0].ID.String() {
		t.Errorf("item %v", item)
	}
}

// Pages that are not there, and items that are gone.
func TestMissingPages(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	out := w.add(post{source: "one", guid: "a", title: "A", text: "x", at: start})
	gone := "/items/" + out[0].ID.String()
	if rec := w.get(gone); rec.Code != http.StatusOK {
		t.Fatal(rec.Code)
	}
	w.change(store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, By: "test"})
	for p, want := range map[string]int{
		gone: 410, gone + ".json": 410, "/items/": 404, "/items/x": 404, "/items/00000000000000000000000000": 404, "/topics/none": 404, "/topics/mek-in-iraq": 404,
		"/sources/none": 404, "/nothing": 404, "/static/none.css": 404, "/static/..%2fpages.go": 404, "/favicon.ico": 204, "/feeds/": 302, "/feeds": 404,
	} {
		if rec := w.get(p); rec.Code != want {
			t.Errorf("%s: %d, want %d", p, rec.Code, want)
		}
	}
}

// An empty archive has pages and feeds all the same.
func TestEmptyArchive(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	for _, p := range []string{"/", "/status", "/topics/iran", "/opml.xml", "/feeds/all.atom", "/feeds/iran.rss", "/feeds/iran+mek.json", "/feeds/mek-in-iraq.atom"} {
		if rec := w.get(p); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", p, rec.Code, rec.Body)
		}
	}
	has(t, "/", w.body("/"), "Nothing is in it yet.")
	indexed, _ := newIndexedWorld(t, testConfig(), ruled())
	_, topic := indexed.page("/topics/iran", http.StatusOK)
	has(t, "a topic", topic, "No posts yet.")
}

// PUB-84: the list of feeds is OPML that our own reader takes, with every feed.
func TestOPML(t *testing.T) {
	cfg := testConfig()
	cfg.Owner = "The Editors & Co"
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 2)
	body := w.body("/opml.xml")
	list, problems, err := opml.Read([]byte(body))
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v %v\n%s", err, problems, body)
	}
	var got []string
	for _, o := range list.Outlines {
		got = append(got, strings.Join(o.Folders, "/")+" "+strings.TrimPrefix(o.XMLURL, "https://feeds.example.org/feeds/")+" "+o.Text)
		if o.HTMLURL == "" || o.Type != "rss" {
			t.Errorf("%+v", o)
		}
	}
	expect(t, "outlines", got, []string{
		" all.atom All posts", "Topics iran.atom Iran", "Topics iraq.atom Iraq", "Topics mek.atom Mojahedin-e Khalq (MEK)",
		"Feeds mek-in-iraq.atom The MEK in Iraq", "Sources source/one.atom The one blog",
	})
	if list.OwnerName != "The Editors & Co" || list.Title != "chancery" {
		t.Errorf("head %q %q", list.OwnerName, list.Title)
	}
}

// Robots are told what the configuration says (PUB-75).
func TestRobots(t *testing.T) {
	cfg := testConfig()
	if body := newWorld(t, cfg, testTopics()).body("/robots.txt"); !strings.Contains(body, "Disallow: /\n") {
		t.Error(body)
	}
	cfg.Index = true
	w := newWorld(t, cfg, testTopics())
	if body := w.body("/robots.txt"); strings.Contains(body, "Disallow: /\n") {
		t.Error(body)
	}
	if h := w.get("/feeds/iran.atom").Header().Get("X-Robots-Tag"); h != "" {
		t.Error(h)
	}
}

// Options of a configured feed: formats, summaries, limit, sources, events.
func TestFeedOptions(t *testing.T) {
	defs := testTopics()
	defs.Feeds = []Feed{
		{ID: "json-only", Formats: []string{"json"}, Query: "topic:iran"},
		{ID: "short", Content: "summary", Query: "topic:iran"},
		{ID: "three", Limit: 3, Query: "topic:iran"},
		{ID: "of-two", Sources: []feed.SourceID{"two"}},
		{ID: "edited", Events: "revised"},
		{ID: "withdrawn", Events: "withdrawn"},
		{ID: "words", Query: `"camp ashraf" OR title:special`},
	}
	cfg := testConfig()
	cfg.Window = 0
	w := newWorld(t, cfg, defs)
	w.fill("one", 5, "iran")
	long := "<p>" + strings.Repeat("Camp Ashraf again. ", 100) + "</p>"
	out := w.add(post{source: "two", guid: "a", title: "A", text: long, topics: []feed.TopicID{"iran"}, at: start.Add(-9 * time.Minute)}, post{source: "two", guid: "b", title: "Something Special", text: "x", at: start.Add(-8 * time.Minute)})
	if rec := w.get("/feeds/json-only.atom"); rec.Code != http.StatusNotFound {
		t.Errorf("a format that is not served: %d", rec.Code)
	}
	if rec := w.get("/feeds/json-only", "Accept", "application/atom+xml"); rec.Header().Get("Content-Type") != "application/feed+json" {
		t.Errorf("negotiated %q", rec.Header().Get("Content-Type"))
	}
	if body := w.body("/feeds/short.json"); strings.Contains(body, "content_html") || strings.Count(body, "Camp Ashraf again.") > 20 {
		t.Errorf("summaries are whole:\n%s", body)
	}
	if body := w.body("/feeds/iran.json"); strings.Count(body, "Camp Ashraf again.") != 100 {
		t.Error("the full feed was cut too")
	}
	expect(t, "limit", w.titles("three"), []string{"Post 4 of one", "Post 3 of one", "Post 2 of one"})
	expect(t, "sources", w.titles("of-two"), []string{"Something Special", "A"})
	expect(t, "words", w.titles("words"), []string{"Something Special", "A"})
	expect(t, "edited", w.titles("edited"), []string{})
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "two", guid: "b", title: "Something Else", text: "x", at: start.Add(-8 * time.Minute)})
	expect(t, "edited", w.titles("edited"), []string{"Something Else"})
	expect(t, "words", w.titles("words"), []string{"A"})
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{out[0].ID}, By: "publisher"})
	expect(t, "withdrawn", w.titles("withdrawn"), []string{"A"})
	// A combination is one of what the feeds hold: no item is withdrawn and not.
	expect(t, "both", w.titles("iran+withdrawn"), []string{})
	expect(t, "without", w.titles("iran!withdrawn"), w.titles("iran"))
	expect(t, "either", w.titles("edited,withdrawn"), []string{"Something Else", "A"})
	expect(t, "words", w.titles("words"), []string{})
}

// Other definitions are another publisher on the same archive: feeds keep their ids,
// and their histories go on. Wrong ones are refused.
func TestOtherDefinitions(t *testing.T) {
	w := smallWorld(t)
	defs := testTopics()
	defs.Topics = append(defs.Topics, Topic{ID: "new", Name: "New"})
	defs.Topics[0].Name = "Persia"
	bad := defs
	bad.Feeds = []Feed{{ID: "bad", Query: "a AND"}}
	if _, err := New(testConfig(), bad, w.store, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a wrong query was taken")
	}
	id := w.atomID("/feeds/iran.atom")
	w.start(testConfig(), defs)
	if body := w.body("/feeds/iran.atom"); !strings.Contains(body, "<title>Persia</title>") || w.atomID("/feeds/iran.atom") != id {
		t.Errorf("a new title does not show, or changes the id:\n%.500s", body)
	}
	w.body("/feeds/new.atom")
	w.fill("two", 60, "iran", "new") // the history goes on
	if got, _ := w.walk("new"); len(got) != 60 {
		t.Errorf("a walk finds %d entries of the new topic", len(got))
	}
	if got, _ := w.walk("iran"); len(got) != 120 {
		t.Errorf("a walk finds %d entries of the old topic", len(got))
	}
}

func (w *world) atomID(path string) string {
	w.t.Helper()
	_, s, _ := strings.Cut(w.body(path), "<id>")
	s, _, _ = strings.Cut(s, "</id>")
	return s
}

// A service that asks for tokens shows its pages to who has one, lets no shared cache
// keep them, and says where the token goes in the address of a feed.
func TestPagesOfPrivateService(t *testing.T) {
	cfg := testConfig()
	cfg.Access = "token"
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 3, "iran")
	token, err := AddToken(t.Context(), w.store, "reader", nil, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/", "/topics/iran", "/search", "/status"} {
		if rec := w.get(p, "Accept", "text/html"); rec.Code != http.StatusUnauthorized || strings.Contains(rec.Body.String(), "Iran") {
			t.Errorf("%s without a token: %d", p, rec.Code)
		}
	}
	rec := w.get("/?topic=iran", "Authorization", "Bearer "+token)
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Cache-Control"), "private") || !strings.Contains(rec.Body.String(), "/t/TOKEN") {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

// The form on the home page says when what it was sent is not here, and makes no feed of
// the rest, which would be another one.
func TestBuilderKnowsWhatIsHere(t *testing.T) {
	w, _ := rich(t, testConfig())
	long := strings.Repeat("long-", 10) + "name"
	w.ensure(long)
	for path, want := range map[string]string{
		"/?topic=iran&topic=mek&not=iraq&lang=en&source=" + long + "&words=" + strings.Repeat("\U00010330", 999): "bytes of text; a search takes at most 4096",
		"/?topic=iran&source=nothing": "There is no source", "/?topic=nothing": "There is no topic", "/?not=nothing": "There is no topic", "/?lang=tlh": "There is nothing in the language",
		"/?topic=iran&not=iran": "is asked for and left out at once", "/?words=(": "expected", "/?words=" + strings.Repeat("a+", 70): "terms; a search takes at most 64",
		"/?topic=iran&not=mek&source=one&lang=en": "",
	} {
		// The status is that of what was asked for; the page with the form helps all the same.
		code := http.StatusNotFound
		switch {
		case want == "":
			code = http.StatusOK
		case strings.Contains(path, "words=") || strings.Contains(path, "not=iran"):
			code = http.StatusBadRequest
		}
		body, text := w.page(path, code)
		has(t, path, body, `name="topic"`, `name="words"`)
		if want != "" && !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", path, want)
		}
		if made := strings.Contains(body, `id="address"`); made != (want == "") || want == "" && strings.Contains(text, "There is no") {
			t.Errorf("%s: a feed is made: %v; %s", path, made, text)
		}
	}
}
