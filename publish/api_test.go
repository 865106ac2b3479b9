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
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"chancery/feed"
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
		store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{ids["copy"]}, Topics: []feed.Tag{{Topic: "mek", Score: 5, About: true, Manual: true}}, By: "a person"},
	)
	w.indexed(x)
	return w, ids
}

// document is an OpenAPI document as far as the test reads it.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   struct {
				Type             string
				Enum             []string
				Default          any
				Minimum, Maximum *int
			}
		}
		Responses map[string]any
	}
	Components struct{ Schemas map[string]any }
}

// strict forbids members that a schema does not name, so that the document cannot
// forget one, and calls see with each that it names.
func strict(v any, at string, see func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok {
			if _, open := v["additionalProperties"]; !open {
				v["additionalProperties"] = false
			}
			for name := range props {
				see(at + "." + name)
			}
		}
		for k, x := range v {
			switch k {
			case "properties":
				for name, p := range x.(map[string]any) {
					strict(p, at+"."+name, see)
				}
			case "items", "allOf":
				strict(x, at, see)
			}
		}
	case []any:
		for _, x := range v {
			strict(x, at, see)
		}
	}
}

// The OpenAPI document is valid, and it and the handlers say the same: every
// operation answers as its schema says and with no member that it does not name,
// every member that it names is answered somewhere, every parameter that it names is
// taken, and no other.
func TestOpenAPI(t *testing.T) {
	w, ids := rich(t, testConfig())
	raw := w.body("/api/v1/openapi.json")
	validOpenAPI(t, raw)
	var doc document
	if err := json.Unmarshal([]byte(raw), &doc); err != nil {
		t.Fatal(err)
	}

	named, seen := map[string]bool{}, map[string]bool{}
	for name, s := range doc.Components.Schemas {
		strict(s, name, func(p string) { named[p] = true })
	}
	check := schemas(t, doc.Components.Schemas)

	// Requests that between them answer every member.
	edited, down, none := ids["edited"].String(), ids["down"].String(), "00000000000000000000000000"
	requests := map[string][]string{
		"/items":                {"", "limit=2", "source=two", "topic=mek", "from=2026-03-01&to=2026-03-01", "by=arrival&order=oldest", "content=false"},
		"/items/{id}":           {edited, edited + "?revision=1", edited + "?content=false", ids["copy"].String(), ids["withdrawn"].String(), ids["short"].String(), down, none},
		"/items/{id}/revisions": {edited, edited + "?content=true&limit=1", down, none},
		"/items/{id}/diff":      {edited + "?from=1&to=2", edited + "?from=2&to=1", edited + "?from=1&to=9", down + "?from=1&to=1"},
		"/items/{id}/proof":     {edited, ids["short"].String(), none},
		"/search": {
			"q=", "q=needle", "q=ashraf&facets=true&fold=true&order=relevance", "q=tehran&limit=1&content=true", "q=camp&as_of=2026-03-01&all_versions=true",
			"q=(", "q=" + strings.Repeat("a+", 70), "q=day&order=oldest&snippets=false&limit=0",
		},
		"/topics": {""}, "/topics/{id}": {"mek", "none"},
		"/sources": {"", "state=failing", "limit=1"}, "/sources/{id}": {"one", "sick", "none"},
		"/statistics": {""}, "/openapi.json": {""},
	}
	for path, methods := range doc.Paths {
		op := methods["get"]
		if len(requests[path]) == 0 {
			t.Errorf("%s: the test asks nothing of it", path)
		}
		codes := map[string]bool{}
		taken := map[string]bool{}
		for _, req := range requests[path] {
			target := requestOf(path, req)
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			for name := range u.Query() {
				taken[name] = true
			}
			rec := w.get(target)
			code := strconv.Itoa(rec.Code)
			codes[code] = true
			schema, typ := resultOf(op.Responses, doc, code)
			if schema == "" {
				t.Errorf("%s: %s is not in the document", target, code)
				continue
			}
			if got := rec.Header().Get("Content-Type"); got != typ {
				t.Errorf("%s: %s, the document says %s", target, got, typ)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(rec.Body.Bytes()))
			if err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			if schema == "Document" {
				continue
			}
			if err := check(schema).Validate(v); err != nil {
				t.Errorf("%s: %v\n%s", target, err, rec.Body)
			}
			cover(doc.Components.Schemas, doc.Components.Schemas[schema], schema, v, seen)
		}
		for code := range op.Responses {
			if !slices.Contains([]string{"304", "400", "503"}, code) && !codes[code] {
				t.Errorf("%s: the test sees no %s", path, code)
			}
		}
		sample := requestOf(path, requests[path][0])
		for _, p := range op.Parameters {
			if p.In != "query" {
				continue
			}
			// Every parameter is read: a value that it does not take is refused by name.
			bad := map[string]string{"integer": "x", "boolean": "perhaps"}[p.Schema.Type]
			if p.Schema.Enum != nil {
				bad = "none of these"
			}
			if bad == "" {
				bad = strings.Repeat("é!", 3000)
			}
			rec := w.get(with(sample, p.Name, bad))
			var pr struct{ Parameter string }
			if err := json.Unmarshal(rec.Body.Bytes(), &pr); err != nil || rec.Code != http.StatusBadRequest || pr.Parameter != p.Name {
				t.Errorf("%s with a bad %s: %d %s", sample, p.Name, rec.Code, rec.Body)
			}
			for _, v := range append(p.Schema.Enum, limits(p.Schema.Minimum, p.Schema.Maximum)...) {
				if rec := w.get(with(sample, p.Name, v)); rec.Code == http.StatusBadRequest {
					t.Errorf("%s with %s=%s: %s", sample, p.Name, v, rec.Body)
				}
			}
		}
		if rec := w.get(with(sample, "nonsense", "1")); rec.Code != http.StatusBadRequest {
			t.Errorf("%s takes a parameter that is not in the document: %d", sample, rec.Code)
		}
		if path == "/items" || path == "/search" { // those with most of them
			for _, p := range op.Parameters {
				if !taken[p.Name] && p.Name != "cursor" {
					t.Errorf("%s: the test never gives %s", path, p.Name)
				}
			}
		}
	}
	for p := range named {
		top, _, _ := strings.Cut(p, ".")
		if !seen[p] && !slices.Contains(unanswered, p) && top != "Document" {
			t.Errorf("%s is in the document and in no answer", p)
		}
	}
	// And nothing is served below /api/v1 that is not in the document.
	for _, p := range []string{"/api/v1", "/api/v1/", "/api/v1/items/", "/api/v1/feeds", "/api/v2/items"} {
		if rec := w.get(p); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", p, rec.Code)
		}
	}
}

// unanswered are members that need what this world lacks: an index at work, thousands of
// hits, or pages of more than it has.
var unanswered = []string{
	"Statistics.index.rebuilding", "Statistics.index.done", "Statistics.index.replacing", "Statistics.index.total", "Statistics.index.fault", "Statistics.trouble_more",
	"Facets.sampled", "SearchPage.notes", "Activity.partial", "Problem.query.part",
}

func limits(least, most *int) (out []string) {
	for _, n := range []*int{least, most} {
		if n != nil {
			out = append(out, strconv.Itoa(*n))
		}
	}
	return out
}

// requestOf puts a request into a path: the value of its parameter, then the query.
func requestOf(path, req string) string {
	if strings.Contains(path, "{id}") {
		id, q, _ := strings.Cut(req, "?")
		path, req = strings.Replace(path, "{id}", id, 1), q
	}
	if req != "" {
		req = "?" + req
	}
	return "/api/v1" + path + req
}

func with(target, name, value string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// resultOf is the schema and the type of an answer.
func resultOf(responses map[string]any, doc document, code string) (schema, typ string) {
	r, ok := responses[code].(map[string]any)
	if !ok {
		return "", ""
	}
	if ref, ok := r["$ref"].(string); ok {
		if !strings.HasSuffix(ref, "/"+code) {
			return "", ""
		}
		return "Problem", "application/problem+json"
	}
	for typ, c := range r["content"].(map[string]any) {
		ref := c.(map[string]any)["schema"].(map[string]any)["$ref"].(string)
		return ref[strings.LastIndexByte(ref, '/')+1:], typ
	}
	return "", ""
}

// schemas compiles the schemas of the document, with formats asserted.
func schemas(t *testing.T, all map[string]any) func(name string) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(map[string]any{"components": map[string]any{"schemas": all}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource("doc.json", v); err != nil {
		t.Fatal(err)
	}
	return func(name string) *jsonschema.Schema {
		s, err := c.Compile("doc.json#/components/schemas/" + name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
}

// cover notes which members of a schema an answer has.
func cover(all map[string]any, schema any, at string, v any, seen map[string]bool) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		cover(all, all[name], name, v, seen)
		return
	}
	if list, ok := s["allOf"].([]any); ok {
		for _, x := range list {
			cover(all, x, at, v, seen)
		}
	}
	if items, ok := s["items"]; ok {
		list, _ := v.([]any)
		for _, x := range list {
			cover(all, items, at, x, seen)
		}
	}
	if props, ok := s["properties"].(map[string]any); ok {
		o, _ := v.(map[string]any)
		for name, p := range props {
			if x, ok := o[name]; ok {
				seen[at+"."+name] = true
				cover(all, p, at+"."+name, x, seen)
			}
		}
	}
}

// validOpenAPI checks a document against the schema of OpenAPI 3.1
// (testdata/openapi-3.1.schema.json, of the OpenAPI Initiative, Apache-2.0).
func validOpenAPI(t *testing.T, raw string) {
	t.Helper()
	f, err := os.Open("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", meta); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Error(err)
	}
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
