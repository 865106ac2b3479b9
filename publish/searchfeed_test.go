package publish

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/web"
	"chancery/store"
	"chancery/store/storetest"
)

// plainIndex finds by matching every item of the archive, as a real index must
// (finding equals matching). It counts searches and can refuse.
type plainIndex struct {
	store  *storetest.Model
	asked  int
	refuse error
}

func (x *plainIndex) Apply(context.Context, []store.Record, store.Cursor) error { return nil }

func (x *plainIndex) Cursor() store.Cursor {
	end, err := x.store.End(context.Background())
	if err != nil {
		panic(err)
	}
	return end
}

func (x *plainIndex) IndexState() store.IndexState { return store.IndexState{Cursor: x.Cursor()} }

func (x *plainIndex) Search(ctx context.Context, q *query.Query, o store.SearchOptions) (store.SearchPage, error) {
	x.asked++
	if x.refuse != nil {
		return store.SearchPage{}, x.refuse
	}
	heads, err := x.store.Heads(ctx, store.HeadQuery{Ascending: o.Order == store.Oldest})
	if err != nil {
		return store.SearchPage{}, err
	}
	page := store.SearchPage{Exact: true}
	var hits []store.Hit
	for _, h := range heads {
		versions, err := x.store.Revisions(ctx, h.ID)
		if err != nil {
			return page, err
		}
		it := versions[len(versions)-1]
		if !o.AsOf.IsZero() {
			versions = slices.DeleteFunc(versions, func(v feed.Item) bool { return v.Revised.After(o.AsOf) })
			if len(versions) == 0 {
				continue
			}
			it = versions[len(versions)-1]
		}
		ok := q == nil
		if q != nil {
			_, ok = q.Match(query.NewDoc(&it, ""), time.Now())
		}
		if ok && !h.Withdrawn && !h.TakenDown {
			hits = append(hits, store.Hit{ID: h.ID, Revision: it.Revision})
		}
	}
	page.Total = len(hits)
	from := 0
	if o.Cursor != "" {
		at := slices.IndexFunc(hits, func(h store.Hit) bool { return h.ID.String() == o.Cursor })
		if at < 0 {
			return page, store.ErrBadCursor
		}
		from = at + 1
	}
	if o.Limit < 0 {
		return page, nil
	}
	to := min(from+o.Limit, len(hits))
	page.Hits = hits[from:to]
	if to < len(hits) {
		page.Next = hits[to-1].ID.String()
	}
	return page, nil
}

func searchable(t testing.TB, cfg Config) (*world, *plainIndex) {
	w := &world{t: t, store: newModel(), now: start}
	x := &plainIndex{store: w.store}
	w.before = func(p *Publisher) { p.EnableSearch(x) }
	w.start(cfg, testTopics())
	return w, x
}

// atomSearch is what a reader sees of a search in Atom.
type atomSearch struct {
	ID    string `xml:"http://www.w3.org/2005/Atom id"`
	Title string `xml:"http://www.w3.org/2005/Atom title"`
	Links []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
		Type string `xml:"type,attr"`
	} `xml:"http://www.w3.org/2005/Atom link"`
	Total    int       `xml:"http://a9.com/-/spec/opensearch/1.1/ totalResults"`
	Start    int       `xml:"http://a9.com/-/spec/opensearch/1.1/ startIndex"`
	PerPage  int       `xml:"http://a9.com/-/spec/opensearch/1.1/ itemsPerPage"`
	Complete *struct{} `xml:"http://purl.org/syndication/history/1.0 complete"`
	Archive  *struct{} `xml:"http://purl.org/syndication/history/1.0 archive"`
	Query    struct {
		Role  string `xml:"role,attr"`
		Terms string `xml:"searchTerms,attr"`
	} `xml:"http://a9.com/-/spec/opensearch/1.1/ Query"`
	Entries []struct {
		ID    string `xml:"id"`
		Title string `xml:"title"`
	} `xml:"entry"`
}

func (a *atomSearch) link(rel string) string {
	for _, l := range a.Links {
		if l.Rel == rel {
			return l.Href
		}
	}
	return ""
}

func (w *world) search(path string) *atomSearch {
	w.t.Helper()
	a := &atomSearch{}
	if err := xml.Unmarshal([]byte(w.body(path)), a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// PUB-50, PUB-87: a search is a feed in pages that say how many results there are;
// walking them gives every result once.
func TestSearchFeed(t *testing.T) {
	w, _ := searchable(t, testConfig())
	w.fill("one", 60, "iran")
	w.add(post{source: "two", guid: "x", title: "Nothing of the kind", text: "x", at: w.now})
	path := "/search.atom?q=title%3Aone+post&limit=25"
	a := w.search(path)
	if a.Total != 60 || a.Start != 1 || a.PerPage != 25 || len(a.Entries) != 25 || a.Complete != nil || a.Archive != nil {
		t.Errorf("total %d start %d a page %d, %d entries, complete %v", a.Total, a.Start, a.PerPage, len(a.Entries), a.Complete)
	}
	if a.Query.Role != "request" || a.Query.Terms != "title:one AND post" || a.Title != "Search: title:one AND post" {
		t.Errorf("query %+v, title %q", a.Query, a.Title)
	}
	if got, want := a.link("self"), "https://feeds.example.org/search.atom?q=title%3Aone+AND+post&limit=25"; got != want {
		t.Errorf("self %s, want %s", got, want)
	}
	if a.link("search") != "https://feeds.example.org/opensearch.xml" || a.link("hub") != "" || a.link("alternate") == "" {
		t.Errorf("links %+v", a.Links)
	}
	seen := map[string]bool{}
	starts := []int{}
	id := a.ID
	for page := a; ; {
		starts = append(starts, page.Start)
		for _, e := range page.Entries {
			if seen[e.ID] {
				t.Errorf("%s twice", e.ID)
			}
			seen[e.ID] = true
		}
		if page.ID != id {
			t.Errorf("page %d has the id %s, want %s", page.Start, page.ID, id)
		}
		next := page.link("next")
		if next == "" {
			break
		}
		page = w.search(strings.TrimPrefix(next, "https://feeds.example.org"))
		if page.link("first") != a.link("self") || page.link("prev-archive") != "" || page.link("self") != next {
			t.Errorf("links %+v", page.Links)
		}
	}
	if len(seen) != 60 || !slices.Equal(starts, []int{1, 26, 51}) {
		t.Errorf("%d entries on pages from %v", len(seen), starts)
	}
	for _, suffix := range []string{"rss", "json"} {
		body := w.body(strings.Replace(path, "atom", suffix, 1))
		for _, want := range map[string][]string{
			"rss":  {"<opensearch:totalResults>60<", "<opensearch:startIndex>1<", "<opensearch:itemsPerPage>25<", `<opensearch:Query role="request" searchTerms="title:one AND post"`, `rel="next"`, `rel="search"`},
			"json": {`"totalResults":60`, `"startIndex":1`, `"itemsPerPage":25`, `"next_url":"https://feeds.example.org/search.json?q=title%3Aone+AND+post&limit=25&cursor=26.`},
		}[suffix] {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %s:\n%.1500s", suffix, want, body)
			}
		}
	}
}

// PUB-49: a search that finds no more than one page holds says that this is all.
func TestCompleteSearch(t *testing.T) {
	w, _ := searchable(t, testConfig())
	w.fill("one", 3, "iran")
	a := w.search("/search.atom?q=post")
	if a.Complete == nil || len(a.Entries) != 3 || a.link("next") != "" || a.link("first") != "" {
		t.Errorf("%+v", a)
	}
	if none := w.search("/search.atom?q=unheard"); none.Complete == nil || len(none.Entries) != 0 || none.Total != 0 {
		t.Errorf("%+v", none)
	}
}

// A search carries a story once, by its first member that matches, and nothing
// that was withdrawn; a later copy changes neither order nor date.
func TestSearchFeedStories(t *testing.T) {
	w, _ := searchable(t, testConfig())
	first := w.add(post{source: "one", guid: "a", title: "Camp", text: "x", story: "s", at: start.Add(-2 * time.Hour)})
	w.add(post{source: "two", guid: "b", title: "Camp again", text: "x", story: "s", at: start})
	w.add(post{source: "two", guid: "c", title: "Another camp", text: "x", at: start.Add(-time.Hour)})
	titles := func(q string) (out []string) {
		for _, e := range w.search("/search.atom?q=" + url.QueryEscape(q)).Entries {
			out = append(out, e.Title)
		}
		return out
	}
	if got := titles("camp"); !slices.Equal(got, []string{"Another camp", "Camp"}) {
		t.Errorf("%q", got)
	}
	if got := titles("again"); !slices.Equal(got, []string{"Camp again"}) {
		t.Errorf("the first member does not match, so the second carries the story: %q", got)
	}
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{first[0].ID}, Reason: "x"})
	if got := titles("camp"); !slices.Equal(got, []string{"Camp again", "Another camp"}) {
		t.Errorf("after the first was withdrawn: %q", got)
	}
}

// A date of the past shows items in the words that they had then.
func TestSearchFeedAsOf(t *testing.T) {
	w, _ := searchable(t, testConfig())
	w.add(post{source: "one", guid: "a", title: "Camp before", text: "x", at: start})
	w.now = w.now.Add(48 * time.Hour)
	w.add(post{source: "one", guid: "a", title: "Camp after", text: "y", at: start})
	for query, want := range map[string]string{
		"q=camp": "Camp after", "q=camp&as_of=2026-03-01": "Camp before", "q=camp&as_of=2026-03-02T00:00:00Z": "Camp before", "q=camp&as_of=2026-03-03": "Camp after",
	} {
		a := w.search("/search.atom?" + query)
		if len(a.Entries) != 1 || a.Entries[0].Title != want {
			t.Errorf("%s: %+v, want %q", query, a.Entries, want)
		}
	}
	if a := w.search("/search.atom?q=camp&as_of=2026-02-01"); len(a.Entries) != 0 {
		t.Errorf("before it was there: %+v", a.Entries)
	}
}

// PUB-60, PUB-64, PUB-72: validators as those of other feeds; an unchanged archive
// is not searched again; another spelling is the same resource, other parameters
// lead to the canonical address.
func TestSearchFeedHTTP(t *testing.T) {
	w, x := searchable(t, testConfig())
	w.fill("one", 60, "iran")
	const path = "/search.atom?q=post"
	rec := w.get(path, "Accept-Encoding", "gzip")
	tag := rec.Header().Get("Etag")
	asked := x.asked
	for range 3 {
		if rec := w.get(path, "Accept-Encoding", "gzip", "If-None-Match", tag); rec.Code != http.StatusNotModified || rec.Body.Len() > 0 {
			t.Errorf("%d", rec.Code)
		}
	}
	if x.asked != asked {
		t.Errorf("searched %d times more", x.asked-asked)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/atom+xml; charset=utf-8", "Vary": "Accept-Encoding, Sec-Fetch-Dest", "Access-Control-Allow-Origin": "*", "X-Robots-Tag": "noindex",
		"Content-Encoding": "gzip", "X-Content-Type-Options": "nosniff", "Last-Modified": start.Format(http.TimeFormat),
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if head := w.do(http.MethodHead, path, "Accept-Encoding", "gzip"); head.Header().Get("Content-Length") != strconv.Itoa(rec.Body.Len()) || head.Body.Len() != 0 {
		t.Errorf("HEAD: %v", head.Header())
	}
	w.add(post{source: "two", guid: "x", title: "Nothing of the kind", text: "x", at: w.now})
	if rec := w.get(path, "Accept-Encoding", "gzip", "If-None-Match", tag); rec.Code != http.StatusNotModified {
		t.Errorf("an item that is not found changes the feed: %d", rec.Code)
	}
	w.add(post{source: "two", guid: "y", title: "A post", text: "x", at: w.now})
	if rec := w.get(path, "Accept-Encoding", "gzip", "If-None-Match", tag); rec.Code != http.StatusOK {
		t.Errorf("an item that is found does not change the feed: %d", rec.Code)
	}
	for raw, want := range map[string]string{
		"q=post+title%3Aone":      "",
		"q=post%20title:one":      "",
		"q=post&x=1":              "q=post",
		"q=post&limit=":           "q=post",
		"q=post&order=newest":     "q=post",
		"order=oldest&q=post+one": "q=post+AND+one&order=oldest",
		"limit=5&as_of=2026-03-01&order=oldest&q=post": "q=post&order=oldest&limit=5&as_of=2026-03-01",
	} {
		rec := w.get("/search.atom?" + raw)
		switch {
		case want == "" && rec.Code != http.StatusOK:
			t.Errorf("%s: %d to %s", raw, rec.Code, rec.Header().Get("Location"))
		case want != "" && (rec.Code != http.StatusMovedPermanently || rec.Header().Get("Location") != "https://feeds.example.org/search.atom?"+want):
			t.Errorf("%s: %d to %s", raw, rec.Code, rec.Header().Get("Location"))
		}
	}
}

// A wrong query is refused with the place of the fault, as are other parameters;
// one that is too dear with the reason, and searches are bounded (PUB-73, SEC-27).
func TestSearchFeedRefusals(t *testing.T) {
	w, x := searchable(t, testConfig())
	w.fill("one", 3, "iran")
	for raw, want := range map[string]string{
		"":                      "q: say what to search for",
		"q=":                    "q: say what to search for",
		"q=a+AND":               "q: line 1, column 6: found the end of the query",
		"q=%28a":                "line 1, column 3",
		"q=a&order=best":        `order: "best" is none of`,
		"q=a&limit=0":           `limit: "0" is not a number from 1 to 500`,
		"q=a&limit=501":         `limit: "501"`,
		"q=a&as_of=yesterday":   `as_of: "yesterday"`,
		"q=a&cursor=x":          "cursor: not a cursor of this search",
		"q=a&cursor=2.nonsense": "cursor: not a cursor of this search",
		"q=a&cursor=99999999.x": "cursor: not a cursor",
		"q=%zz":                 "query string:",
		"q=" + strings.Repeat("a", web.MaxQueryBytes+1):          "a search takes at most 4096",
		"q=" + strings.TrimSuffix(strings.Repeat("a+", 65), "+"): "65 terms",
	} {
		rec := w.get("/search.atom?" + raw)
		if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), want) || rec.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%.60s: %d %s, want %q", raw, rec.Code, rec.Body, want)
		}
	}
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{&store.CostError{Offset: 0, Part: "a*", What: "more than 65536 words"}, http.StatusBadRequest, "a longer word"},
		{&store.CostError{Busy: true}, http.StatusServiceUnavailable, "too many requests at once"},
		{fmt.Errorf("index: %w", store.ErrCorrupt), http.StatusServiceUnavailable, "search is not available"},
	} {
		x.refuse = c.err
		rec := w.get("/search.atom?q=a")
		if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.text) || (rec.Header().Get("Retry-After") != "") != (c.code == http.StatusServiceUnavailable) {
			t.Errorf("%v: %d %s %v", c.err, rec.Code, rec.Body, rec.Header())
		}
	}
	// Too many searches at once are nobody's fault, and pages that only count do without.
	x.refuse = &store.CostError{Busy: true}
	for path, code := range map[string]int{
		"/search?q=a": http.StatusServiceUnavailable, "/api/v1/search?q=a": http.StatusServiceUnavailable,
		"/status": http.StatusOK, "/": http.StatusOK, "/api/v1/topics": http.StatusOK, "/api/v1/statistics": http.StatusOK,
	} {
		rec := w.get(path)
		if rec.Code != code || (rec.Header().Get("Retry-After") != "") != (code == http.StatusServiceUnavailable) {
			t.Errorf("%s while too many search: %d, want %d; %v", path, rec.Code, code, rec.Header())
		}
		if body := rec.Body.String(); strings.Contains(body, `"count":0`) || path == "/api/v1/topics" && strings.Contains(body, `"items"`) {
			t.Errorf("%s counts what it could not: %s", path, body)
		}
	}
	x.refuse = nil
	for range cap(w.pub.searches.free) {
		w.pub.searches.free <- struct{}{}
	}
	w.pub.searches.waiting.Store(w.pub.searches.most)
	if rec := w.get("/search.atom?q=b"); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("%d", rec.Code)
	}
	if rec := w.get("/feeds/iran.atom"); rec.Code != http.StatusOK {
		t.Errorf("searches keep feeds from being made: %d", rec.Code)
	}
	bare := smallWorld(t)
	if rec := bare.get("/search.atom?q=a"); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "search is not available here") {
		t.Errorf("without an index: %d %s", rec.Code, rec.Body)
	}
}

// A thousand different searches are kept within a bound.
func TestSearchesAreBounded(t *testing.T) {
	w, _ := searchable(t, testConfig())
	w.fill("one", 3, "iran")
	for i := range 1500 {
		w.body("/search.json?q=post" + strconv.Itoa(i))
	}
	if n := w.pub.found.bytes(); n > maxFoundBytes {
		t.Errorf("%d bytes are kept", n)
	}
}

// A private search needs a token for everything; its addresses have the token.
func TestPrivateSearch(t *testing.T) {
	cfg := testConfig()
	cfg.Access = accessToken
	w, _ := searchable(t, cfg)
	w.fill("one", 60, "iran")
	all, some := w.token("all"), w.token("some", "iran")
	if rec := w.get("/search.atom?q=post"); rec.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", rec.Code)
	}
	if rec := w.get("/t/" + some + "/search.atom?q=post"); rec.Code != http.StatusNotFound {
		t.Errorf("with a token for one feed: %d", rec.Code)
	}
	if rec := w.get("/search.atom?q=post", "Authorization", "Bearer "+all); rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Cache-Control"), "private") {
		t.Errorf("with a header: %d %v", rec.Code, rec.Header())
	}
	rec := w.get("/t/" + all + "/search.atom?q=post")
	body := rec.Body.String()
	if rec.Code != http.StatusOK || !strings.Contains(body, `href="https://feeds.example.org/t/`+all+`/search.atom?q=post" rel="self"`) || strings.Contains(body, `org/search.`) {
		t.Errorf("%d\n%.1500s", rec.Code, body)
	}
	if rec := w.get("/t/" + all + "/search.atom?q=post&junk=1"); rec.Header().Get("Location") != "https://feeds.example.org/t/"+all+"/search.atom?q=post" {
		t.Errorf("to %q", rec.Header().Get("Location"))
	}
}

// PUB-86: the description document names a template for the page and each format,
// and pages lead to it.
func TestOpenSearchDescription(t *testing.T) {
	cfg := testConfig()
	cfg.Title = "A <long> title & more of the same"
	w, _ := searchable(t, cfg)
	rec := w.get("/opensearch.xml")
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/opensearchdescription+xml; charset=utf-8" {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	var d struct {
		XMLName     xml.Name `xml:"http://a9.com/-/spec/opensearch/1.1/ OpenSearchDescription"`
		ShortName   string
		Description string
		URLs        []struct {
			Type     string `xml:"type,attr"`
			Template string `xml:"template,attr"`
		} `xml:"Url"`
		InputEncoding string
	}
	if err := xml.Unmarshal(rec.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.ShortName != "A <long> title &" || len(d.Description) > 1024 || d.InputEncoding != "UTF-8" {
		t.Errorf("%+v", d)
	}
	want := map[string]string{
		"text/html":             "https://feeds.example.org/search?q={searchTerms}",
		"application/atom+xml":  "https://feeds.example.org/search.atom?q={searchTerms}&limit={count?}",
		"application/rss+xml":   "https://feeds.example.org/search.rss?q={searchTerms}&limit={count?}",
		"application/feed+json": "https://feeds.example.org/search.json?q={searchTerms}&limit={count?}",
	}
	for _, u := range d.URLs {
		if want[u.Type] == u.Template {
			delete(want, u.Type)
		}
	}
	if len(want) > 0 {
		t.Errorf("lacks %v: %+v", want, d.URLs)
	}
	if page := w.body("/"); !strings.Contains(page, `<link rel="search" type="application/opensearchdescription+xml"`) {
		t.Errorf("the page does not lead to it:\n%.800s", page)
	}
}

// lateIndex has not seen yet what became of items.
type lateIndex struct {
	plainIndex
	hits []store.Hit
}

func (x *lateIndex) Search(context.Context, *query.Query, store.SearchOptions) (store.SearchPage, error) {
	return store.SearchPage{Hits: x.hits, Total: len(x.hits), Exact: true}, nil
}

// PUB-53: what was taken down is not found, though the index has it for a moment more;
// nor does it keep the rest from being found.
func TestSearchBehind(t *testing.T) {
	x := &lateIndex{}
	w := &world{t: t, store: newModel(), now: start, before: func(p *Publisher) { p.EnableSearch(x) }}
	x.store = w.store
	w.start(testConfig(), testTopics())
	out := w.add(
		post{source: "one", guid: "a", title: "Here", text: "x", at: start},
		post{source: "one", guid: "b", title: "Down", text: "x", at: start},
	)
	w.change(store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{out[1].ID}, By: "test", Reason: "a court"})
	x.hits = []store.Hit{{ID: out[1].ID, Revision: 1}, {ID: out[1].ID, Revision: 2}, {ID: feed.ItemID{1}, Revision: 1}, {ID: out[0].ID, Revision: 2}, {ID: out[0].ID, Revision: 1}}
	for _, path := range []string{"/api/v1/search?q=x", "/search?q=x", "/search.json?q=x"} {
		body := w.body(path)
		if !strings.Contains(body, "Here") || strings.Contains(body, out[1].ID.String()) {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}
