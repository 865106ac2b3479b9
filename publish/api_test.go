package publish

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
	"chancery/publish/web"
	"chancery/store"
	"chancery/store/index"
	"chancery/store/storetest"
)

// newIndexedWorld is a world whose readers can search and have proofs.
func newIndexedWorld(t testing.TB, cfg Config, defs Definitions) (*world, *index.Index) {
	t.Helper()
	w := &world{t: t, store: newModel(), now: start}
	x, err := index.Open(t.Context(), t.TempDir(), w.store, index.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		<-done
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}))
	w.before = func(p *Publisher) {
		p.EnableSearch(x)
		p.EnableManners(func() web.Manners {
			return web.Manners{Since: start, Polls: 9, Unchanged: 5, Repeated: 2, RepeatedBytes: 3 << 20, Failed: 1}
		})
		p.EnableProofs(func(_ context.Context, id feed.ItemID, _ int) (*store.SignedProof, error) {
			return (&store.Proof{Head: store.TreeHead{Size: 3}, Index: 1, Leaf: []byte("leaf"), Salt: []byte("salt"), Content: []byte("body"), Path: [][32]byte{{1}}}).
				Sign(id, "chancery archive …", "key"), nil
		})
	}
	w.start(cfg, defs)
	return w, x
}

// indexed waits until the index has everything.
func (w *world) indexed(x *index.Index) {
	w.t.Helper()
	end, err := w.store.End(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for x.Cursor() < end || x.IndexState().Rebuilding {
		if w.t.Context().Err() != nil {
			w.t.Fatal("the index did not reach the end")
		}
		if _, err := x.Search(w.t.Context(), nil, store.SearchOptions{Limit: -1}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// ruled are topics with rules, as cmd gives them.
func ruled() Definitions {
	d := testTopics()
	rules := map[feed.TopicID]string{"iran": `iran^2 OR tehran OR ایران`, "iraq": "iraq OR baghdad", "mek": `"camp ashraf"^3 OR =MEK`}
	for i := range d.Topics {
		d.Topics[i].Rule, d.Topics[i].Threshold, d.Topics[i].About = rules[d.Topics[i].ID], 1, 4
		d.Topics[i].Description = "Posts on " + d.Topics[i].Name
	}
	return d
}

// rich fills a world with what an archive has: revisions, a copied story, files, a
// withdrawn post, one taken down, Persian, a source that may only be summarized, and
// one that fails.
func rich(t testing.TB, cfg Config) (w *world, ids map[string]feed.ItemID) {
	t.Helper()
	w, x := newIndexedWorld(t, cfg, ruled())
	ids = map[string]feed.ItemID{}
	take := func(p post) {
		ids[p.guid] = w.add(p)[0].ID
		w.now = w.now.Add(time.Minute)
	}
	w.change(
		store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "short", URL: "https://short.example/feed?token=secret", Title: "Only summaries", Content: "summary", Added: start}},
		store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "sick", URL: "https://user:pw@sick.example/feed", Title: "Out of order", Language: "en", Added: start}, State: &store.PollState{
			Polled: start, Succeeded: start.Add(-241 * time.Hour), Condition: "failing", Class: "dns", Failures: 3, FirstFailure: start.Add(-240 * time.Hour), LastError: "the secret of /var/lib", Entries: 10, Interval: time.Hour,
			NextDue: start.Add(time.Hour), Why: "it fails (dns)",
			Gaps: []store.Gap{{From: start.Add(-72 * time.Hour), To: start.Add(-24 * time.Hour)}},
		}},
	)
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "well", URL: "https://well.example/feed", Added: start}, State: &store.PollState{
		Polled: start, Succeeded: start, Changed: start, Condition: "ok", ETag: `"x"`, Interval: time.Hour, NextDue: start.AddDate(100, 0, 0), Why: "a test",
	}})
	for i := range 5 {
		take(post{
			source: "one", guid: fmt.Sprintf("plain-%d", i), title: fmt.Sprintf("Talks in Tehran, day %d", i), topics: []feed.TopicID{"iran"},
			text: fmt.Sprintf("<p>Iran and others talked in <b>Tehran</b> on day %d.</p>", i), at: start.Add(time.Duration(i-400) * 24 * time.Hour),
		})
	}
	full := post{
		source: "one", guid: "edited", title: "Camp Ashraf is closed", topics: []feed.TopicID{"mek", "iraq"}, at: start.Add(-time.Hour), story: "ashraf",
		text: "<p>Camp Ashraf in Iraq was closed on Monday.</p>",
		entry: feed.Entry{
			Authors: []feed.Person{{Name: "A. Writer", URL: "https://a.example/", Email: "a@a.example"}}, Language: "en",
			Updated:    feed.Date{Time: start, Raw: start.Format(time.RFC3339)},
			Summary:    feed.Text{Type: feed.PlainText, Value: "The camp is closed."},
			Categories: []feed.Category{{Term: "Iraq"}}, Enclosures: []feed.Enclosure{{URL: "https://one.example/a.mp3", Type: "audio/mpeg", Length: 12}},
		},
	}
	take(full)
	full.text = "<p>Camp Ashraf in Iraq was closed on Tuesday, said the MEK.</p>"
	take(full)
	take(post{source: "two", guid: "copy", title: "Camp Ashraf is closed", topics: []feed.TopicID{"mek"}, text: "<p>Camp Ashraf in Iraq was closed.</p>", story: "ashraf", at: start})
	take(post{source: "fa", guid: "persian", title: "ایران و جهان", text: "<p>متن دربارهٔ ایران.</p>", topics: []feed.TopicID{"iran"}, at: start, entry: feed.Entry{Language: "fa"}})
	take(post{source: "two", guid: "withdrawn", title: "Withdrawn", text: "<p>Kept.</p>", at: start})
	take(post{source: "two", guid: "down", title: "Taken down", text: "<p>Removed.</p>", at: start})
	take(post{source: "two", guid: "long", title: "Long", text: "<p>" + strings.Repeat("Words and more words. ", 200) + "The needle.</p>", at: start})
	take(post{source: "short", guid: "short", title: "A long read", text: "<p>" + strings.Repeat("All of the text. ", 200) + "SECRETEND</p>", at: start})
	w.change(
		store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{ids["withdrawn"]}, By: "test"},
		store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{ids["down"]}, By: "test"},
		store.Edit{Kind: store.KindMerge, Items: []feed.ItemID{ids["edited"], ids["copy"]}, First: ids["copy"], By: "rule"},
		store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{ids["copy"]}, Topics: []feed.Tag{{Topic: "mek", Score: 5, About: true, Manual: true}}, By: "a person"},
	)
	w.indexed(x)
	return w, ids
}

// pages follows a list by its cursors and gives the ids.
func (w *world) pages(path, list string) []string {
	w.t.Helper()
	var ids []string
	for next := ""; ; {
		target := path
		if next != "" {
			target = with(path, "cursor", next)
		}
		rec := w.get(target)
		var p map[string]json.RawMessage
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != http.StatusOK {
			w.t.Fatalf("%s: %d %s", target, rec.Code, rec.Body)
		}
		var items []struct {
			ID   string
			Item struct{ ID string }
		}
		if err := json.Unmarshal(p[list], &items); err != nil {
			w.t.Fatal(err)
		}
		for _, it := range items {
			ids = append(ids, it.ID+it.Item.ID)
		}
		next = ""
		if p["next"] == nil {
			if strings.Contains(rec.Header().Get("Link"), `rel="next"`) {
				w.t.Errorf("%s: a link to a next page and no cursor", target)
			}
			return ids
		}
		if err := json.Unmarshal(p["next"], &next); err != nil {
			w.t.Fatal(err)
		}
		link := rec.Header().Get("Link")
		if !strings.HasPrefix(link, "<https://feeds.example.org/api/v1/") || !strings.Contains(link, "cursor="+url.QueryEscape(next)) {
			w.t.Errorf("%s: Link %q", target, link)
		}
	}
}

// Every list is read whole by its cursors, each item once, whatever the size of a page;
// a cursor belongs to its list.
func TestAPIPages(t *testing.T) {
	w, _ := rich(t, testConfig())
	for _, c := range []struct{ path, list string }{
		{"/api/v1/items?by=arrival&order=oldest", "items"},
		{"/api/v1/items?by=date", "items"},
		{"/api/v1/items?source=one", "items"},
		{"/api/v1/items?topic=iran&order=oldest", "items"},
		{"/api/v1/search?q=", "hits"},
		{"/api/v1/search?q=tehran&order=relevance", "hits"},
		{"/api/v1/sources?", "sources"},
	} {
		all := w.pages(with(c.path, "limit", "100"), c.list)
		for _, limit := range []string{"1", "3"} {
			if got := w.pages(with(c.path, "limit", limit), c.list); !slices.Equal(got, all) || len(got) < 2 {
				t.Errorf("%s by %s: %v, want %v", c.path, limit, got, all)
			}
		}
	}
	byArrival := w.pages("/api/v1/items?by=arrival&order=oldest&limit=2", "items")
	if !slices.IsSorted(byArrival) || len(byArrival) != 12 {
		t.Errorf("by arrival: %v", byArrival)
	}
	var p struct{ Next string }
	if err := json.Unmarshal([]byte(w.body("/api/v1/items?limit=1")), &p); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/api/v1/items?source=one&cursor=" + p.Next, "/api/v1/items?cursor=x", "/api/v1/search?q=&cursor=" + p.Next, "/api/v1/sources?cursor=A+b"} {
		if rec := w.get(target); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "/api#bad-cursor") {
			t.Errorf("%s: %d %s", target, rec.Code, rec.Body)
		}
	}
}

// RFC 9457: what is wrong with a request is told as a problem, with the place in the
// query. SEC-27: queries are bounded.
func TestAPIProblems(t *testing.T) {
	w, ids := rich(t, testConfig())
	type prob struct {
		Type, Title, Detail, Instance, Parameter string
		Status                                   int
		Query                                    *struct {
			Offset, Line, Column int
			Found, Want, Part    string
		}
		Item *struct {
			ID, Source string
			TakenDown  bool `json:"taken_down"`
		}
	}
	ask := func(target string, code int) prob {
		t.Helper()
		rec := w.get(target)
		var p prob
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != code || p.Status != code || p.Title == "" {
			t.Errorf("%s: %d %s", target, rec.Code, rec.Body)
		}
		if h := rec.Header(); h.Get("Content-Type") != "application/problem+json" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", target, h)
		}
		return p
	}
	if p := ask("/api/v1/search?q="+url.QueryEscape("iran AND (tehran"), 400); p.Query == nil || p.Query.Offset != 16 || p.Query.Column != 17 || !strings.HasSuffix(p.Type, "/api#bad-query") || p.Query.Want == "" {
		t.Errorf("%+v %+v", p, p.Query)
	}
	if p := ask("/api/v1/search", 400); p.Parameter != "q" {
		t.Errorf("%+v", p)
	}
	if p := ask("/api/v1/search?q=a&q=b", 400); p.Parameter != "q" {
		t.Errorf("%+v", p)
	}
	if p := ask("/api/v1/search?q=iran&limits=3", 400); p.Parameter != "limits" {
		t.Errorf("%+v", p)
	}
	if p := ask("/api/v1/search?q="+strings.Repeat("x", 5000), 400); p.Parameter != "q" {
		t.Errorf("%+v", p)
	}
	ask("/api/v1/search?q="+url.QueryEscape(strings.Repeat("a ", 65)), 422)
	ask("/api/v1/search?q=%ff", 400)
	ask("/api/v1/search?q=%zz", 400)
	ask("/api/v1/items?limit=201", 400)
	ask("/api/v1/items?from=2009-13-01", 400)
	ask("/api/v1/items/x", 404)
	ask("/api/v1/items/00000000000000000000000000", 404)
	ask("/api/v1/nothing", 404)
	ask("/api/v1/items/"+ids["edited"].String()+"?revision=7", 404)
	if p := ask("/api/v1/items/"+ids["down"].String(), 410); p.Item == nil || !p.Item.TakenDown || p.Item.Source != "two" {
		t.Errorf("%+v", p)
	}
	ask("/api/v1/items/"+ids["short"].String()+"/proof", 403)
	if rec := w.do(http.MethodPost, "/api/v1/items"); rec.Code != 405 || rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("Allow") == "" {
		t.Errorf("POST: %d %v", rec.Code, rec.Header())
	}
	// Without an index.
	bare := newWorld(t, testConfig(), ruled())
	bare.fill("one", 2, "iran")
	if rec := bare.get("/api/v1/search?q=iran"); rec.Code != 503 || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "#no-search") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, p := range []string{"/api/v1/topics", "/api/v1/topics/iran", "/api/v1/statistics", "/api/v1/items"} {
		if rec := bare.get(p); rec.Code != http.StatusOK {
			t.Errorf("without an index: %s: %d %s", p, rec.Code, rec.Body)
		}
	}
}

// PUB-59, PUB-61 to PUB-63 for the API: validators, 304, HEAD, gzip, other origins.
func TestAPIHeaders(t *testing.T) {
	w, _ := rich(t, testConfig())
	const p = "/api/v1/search?q=tehran&facets=true&limit=2" // with a next page: its cursor is in the answer
	rec := w.get(p)
	if !strings.Contains(rec.Body.String(), `"next":`) {
		t.Errorf("no next page: %s", rec.Body)
	}
	tag := rec.Header().Get("Etag")
	if h := rec.Header(); tag == "" || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Link") ||
		!strings.Contains(h.Get("Cache-Control"), "public") || h.Get("X-Robots-Tag") != "noindex" {
		t.Errorf("%v", h)
	}
	if again := w.get(p, "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if head := w.do(http.MethodHead, p); head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(rec.Body.Len()) {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	zipped := w.get(p, "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, rec.Body.Bytes()) || zipped.Header().Get("Etag") == tag {
		t.Errorf("gzip: %v %v", err, zipped.Header())
	}
	if pre := w.do(http.MethodOptions, p); pre.Code != http.StatusNoContent || !strings.Contains(pre.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", pre.Code, pre.Header())
	}
}

// A service that asks for tokens asks for them in its API too, and says so in its
// document.
func TestAPITokens(t *testing.T) {
	cfg := testConfig()
	cfg.Access = "token"
	w, _ := rich(t, cfg)
	token, err := AddToken(t.Context(), w.store, "reader", nil, start)
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := AddToken(t.Context(), w.store, "narrow", []string{"iran"}, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, auth := range []string{"", "Bearer nonsense", "Bearer " + narrow} {
		rec := w.get("/api/v1/items", "Authorization", auth)
		if rec.Code != http.StatusUnauthorized || rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d %v", auth, rec.Code, rec.Header())
		}
	}
	rec := w.get("/api/v1/items", "Authorization", "Bearer "+token)
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Cache-Control"), "private") {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	doc := w.get("/api/v1/openapi.json", "Authorization", "Bearer "+token).Body.String()
	validOpenAPI(t, doc)
	if !strings.Contains(doc, `"bearer"`) || !strings.Contains(doc, `"401"`) {
		t.Error("the document does not tell of tokens")
	}
}

// PUB-90: of what may only be summarized the API gives no more either, wherever it
// could. SEC-29: nor secrets of addresses, nor what servers said.
func TestAPIWithholds(t *testing.T) {
	w, ids := rich(t, testConfig())
	short := ids["short"].String()
	for _, p := range []string{
		"/items/" + short + ".json", "/items/" + short, "/api/v1/items/" + short, "/api/v1/items", "/api/v1/items/" + short + "/revisions?content=true",
		"/api/v1/items/" + short + "/diff?from=1&to=1", "/api/v1/search?q=read&content=true", "/api/v1/sources", "/api/v1/sources/short", "/api/v1/sources/sick",
		"/api/v1/statistics", "/status", "/status.json", "/sources/short", "/sources/sick", "/sources/sick.json", "/items/" + short + "/revisions", "/feeds/all.atom", "/feeds/source/short.rss", "/feeds/all.json", "/opml.xml", "/items/" + short + ".bib", "/api/v1/items/" + short + "/proof",
	} {
		rec := w.get(p)
		if rec.Code != http.StatusOK && rec.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", p, rec.Code, rec.Body)
		}
		for _, bad := range []string{"SECRETEND", "token=secret", "user:pw", "/var/lib"} {
			if strings.Contains(rec.Body.String(), bad) {
				t.Errorf("%s tells %q", p, bad)
			}
		}
	}
}

// PUB-90: a version that may not be republished stays so when a later one may be.
func TestAPIWithholdsVersions(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	p := post{source: "one", guid: "a", title: "A", text: "<p>Not for others.</p>", at: start}
	p.entry.Extensions = []feed.Extension{{Name: "robots", Value: "noarchive"}}
	id := w.add(p)[0].ID.String()
	p.text, p.entry = "<p>For all.</p>", feed.Entry{}
	w.add(p)
	for revision, want := range map[string]int{"1": http.StatusForbidden, "2": http.StatusNotFound, "0": http.StatusNotFound} { // there is nobody here to prove it
		if rec := w.get("/api/v1/items/" + id + "/proof?revision=" + revision); rec.Code != want {
			t.Errorf("proof of version %s: %d, want %d: %s", revision, rec.Code, want, rec.Body)
		}
	}
	for _, path := range []string{"/items/" + id + "?revision=1", "/items/" + id + ".json?revision=1"} {
		if body := w.body(path); !strings.Contains(body, "Not for others") || strings.Contains(body, "content_html") {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}

// Versions of items are found as they were, with the version's own text.
func TestAPIOldVersions(t *testing.T) {
	w, ids := rich(t, testConfig())
	var page struct {
		Total int
		Hits  []struct {
			Revision int
			Item     struct {
				ID          string
				Revision    int
				ContentText string `json:"content_text"`
			}
		}
	}
	if err := json.Unmarshal([]byte(w.body("/api/v1/search?q=ashraf&content=true&all_versions=true&order=oldest")), &page); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range page.Hits {
		if h.Item.ID == ids["edited"].String() {
			got = append(got, fmt.Sprint(h.Revision, h.Item.Revision, strings.Contains(h.Item.ContentText, "Monday")))
		}
	}
	if want := []string{"1 1 true", "2 2 false"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// As it was known before the edit came.
	asOf := url.QueryEscape(ids["edited"].Time().Add(time.Second).Format(time.RFC3339))
	if body := w.body("/api/v1/search?q=ashraf&content=true&as_of=" + asOf); !strings.Contains(body, "Monday") || strings.Contains(body, "Tuesday") {
		t.Errorf("as of %s: %s", asOf, body)
	}
}

// SEC-27: an operation that takes too long ends, and says so.
func TestAPITime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowHeads{newModel()}
		pub, err := New(testConfig(), ruled(), slow, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		pub.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://feeds.example.org/api/v1/items", nil))
		if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "it took too long") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

// slowHeads never finishes a list.
type slowHeads struct{ *storetest.Model }

func (slowHeads) Heads(ctx context.Context, _ store.HeadQuery) ([]store.Head, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A service below a path, whose proxy keeps the path or takes it off: links lead back to it.
func TestAPIBelowPath(t *testing.T) {
	cfg := testConfig()
	cfg.BaseURL = "https://feeds.example.org/archive"
	w, ids := rich(t, cfg)
	for _, prefix := range []string{"", "/archive"} {
		rec := w.get(prefix + "/api/v1/items?limit=1")
		if link := rec.Header().Get("Link"); rec.Code != http.StatusOK || !strings.HasPrefix(link, "<https://feeds.example.org/archive/api/v1/items?cursor=") {
			t.Errorf("%q: %d, Link %s", prefix, rec.Code, link)
		}
		if rec := w.get(prefix + "/api/v1/search?q=("); !strings.Contains(rec.Body.String(), `"https://feeds.example.org/archive/api#bad-query"`) {
			t.Errorf("%q: %s", prefix, rec.Body)
		}
		if rec := w.get(prefix + "/items/" + ids["edited"].String()); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `href="https://feeds.example.org/archive/items/`) {
			t.Errorf("%q: %d", prefix, rec.Code)
		}
	}
}
