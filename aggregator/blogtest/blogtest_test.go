package blogtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/opml"

	"golang.org/x/net/html/charset"
)

var base = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// get asks the world for url with the headers given in pairs.
func get(t *testing.T, w *World, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func source(t *testing.T, w *World, id feed.SourceID) Source {
	t.Helper()
	for _, s := range w.Sources() {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no source %q", id)
	return Source{}
}

// The built-in world is as large and as varied as the demo and the tests of the
// main job need it.
func TestNew(t *testing.T) {
	w := New(base)
	healthy, langs, formats := 0, map[string]int{}, map[string]int{}
	for _, s := range w.Sources() {
		if s.Trouble == "" || s.Trouble == "limit" {
			healthy++
			langs[s.Lang]++
		}
	}
	posts, copies, edited, withdrawn, oldest := 0, 0, 0, 0, base
	for _, b := range w.blogs {
		formats[b.format]++
		for _, p := range b.posts {
			posts++
			if p.versions[0].from != "" {
				copies++
			}
			if len(p.versions) > 1 {
				edited++
			}
			if p.versions[len(p.versions)-1].remove {
				withdrawn++
			}
			if when, _ := p.versions[0].when(w.times); when.Before(oldest) {
				oldest = when
			}
		}
	}
	if healthy < 12 || posts < 60 || copies < 5 || edited < 4 || withdrawn < 1 || w.Steps() < 5 || oldest.Year() != 2008 {
		t.Errorf("%d healthy blogs, %d posts, %d copied, %d edited, %d withdrawn, %d steps, since %v", healthy, posts, copies, edited, withdrawn, w.Steps(), oldest)
	}
	for _, f := range []string{"rss20", "rss10", "atom", "json"} {
		if formats[f] < 2 {
			t.Errorf("%d blogs in %s, want two", formats[f], f)
		}
	}
	for _, l := range []string{"fa", "ar", "fr"} {
		if langs[l] == 0 {
			t.Errorf("no blog in %s", l)
		}
	}
}

// Every healthy feed is well-formed at every step, has the posts that the blog
// shows, each with an id of its own, and is the same when asked again.
func TestFeeds(t *testing.T) {
	w := New(base)
	for {
		for _, s := range w.Sources() {
			if s.Trouble != "" {
				continue
			}
			_, body := get(t, w, s.URL)
			if _, again := get(t, w, s.URL); again != body {
				t.Errorf("%s: two answers at one step", s.URL)
			}
			posts := w.Posts(s.ID)
			var n int
			if strings.HasPrefix(body, "{") {
				var doc struct{ Items []struct{ ID string } }
				if err := json.Unmarshal([]byte(body), &doc); err != nil {
					t.Errorf("%s: %v", s.URL, err)
				}
				n = len(doc.Items)
			} else {
				n = countEntries(t, s.URL, body)
			}
			if n != len(posts) || n == 0 {
				t.Errorf("%s: %d entries for %d posts", s.URL, n, len(posts))
			}
			ids := map[string]bool{}
			for _, p := range posts {
				if ids[p.ID] {
					t.Errorf("%s: id %s twice", s.URL, p.ID)
				}
				ids[p.ID] = true
			}
		}
		if w.Step() > w.Steps() {
			return
		}
		w.Advance(base.Add(time.Duration(w.Step()+1) * time.Hour))
	}
}

// countEntries reads XML strictly and counts items and entries.
func countEntries(t *testing.T, url, body string) (n int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.CharsetReader = charset.NewReaderLabel
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if e, ok := tok.(xml.StartElement); ok && (e.Name.Local == "item" || e.Name.Local == "entry") {
			n++
		}
	}
}

// Steps bring posts, change them and take them away; copies keep their text.
func TestAdvance(t *testing.T) {
	w := New(base)
	find := func(source feed.SourceID, part string) *Post {
		for _, p := range w.Posts(source) {
			if strings.Contains(p.URL, part) {
				return &p
			}
		}
		return nil
	}
	if p := find("ashraf-watch", "a-mistake"); p != nil {
		t.Errorf("%q is there before its step", p.Title)
	}
	for step := 1; step <= 3; step++ {
		if n := w.Advance(base.Add(time.Duration(step) * time.Hour)); n != step {
			t.Errorf("Advance = %d, want %d", n, step)
		}
	}
	p := find("ashraf-watch", "a-mistake")
	if p == nil || !p.Published.Equal(base.Add(3*time.Hour)) {
		t.Errorf("after step 3: %+v, want a post of that hour", p)
	}
	edited := find("ashraf-watch", "museum-in-a-box")
	if edited == nil || !edited.Updated.Equal(base.Add(3*time.Hour)) || !strings.Contains(edited.HTML, "Corrected") {
		t.Errorf("after step 3: %+v, want the corrected post", edited)
	}
	w.Advance(base.Add(4 * time.Hour))
	w.Advance(base.Add(5 * time.Hour))
	if p := find("ashraf-watch", "a-mistake"); p != nil {
		t.Errorf("%q is still there after it was removed", p.Title)
	}

	original := find("persian-gulf-notes", "hormuz-arithmetic")
	for _, p := range w.Posts("levant-reader") {
		if p.Title == original.Title && p.URL != original.URL {
			t.Errorf("the reprint is at %s, want the original's URL", p.URL)
		}
	}
	seed, carried := find("persian-gulf-notes", "no-place-in-iraq"), find("baghdad-dispatch", "two-ways-out")
	if seed == nil || carried == nil || seed.ID == carried.ID || seed.URL == carried.URL || !strings.Contains(carried.HTML, "There is no third option") {
		t.Errorf("the announcement and its copy: %v, %v", seed, carried)
	}
}

// A client that sends back what it got is told that nothing changed, until
// something does. Each blog has the validators its script says.
func TestValidators(t *testing.T) {
	w := New(base)
	for _, s := range w.Sources() {
		if s.Trouble != "" {
			continue
		}
		resp, _ := get(t, w, s.URL)
		etag, modified := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
		if v := w.byHost[strings.Split(s.URL, "/")[2]].validators; (etag == "") != (v == "none" || v == "modified") || (modified == "") != (v == "none" || v == "etag") {
			t.Errorf("%s: validators %s, got ETag %q, Last-Modified %q", s.ID, v, etag, modified)
		}
		for name, value := range map[string]string{"If-None-Match": etag, "If-Modified-Since": modified} {
			if value == "" {
				continue
			}
			if resp, body := get(t, w, s.URL, name, value); resp.StatusCode != http.StatusNotModified || body != "" {
				t.Errorf("%s: %s: %d and %d bytes, want 304 and none", s.ID, name, resp.StatusCode, len(body))
			}
		}
	}
	url := source(t, w, "persian-gulf-notes").URL
	before, _ := get(t, w, url)
	w.Advance(base.Add(time.Hour))
	if resp, _ := get(t, w, url, "If-None-Match", before.Header.Get("ETag")); resp.StatusCode != http.StatusOK {
		t.Errorf("after a new post: %d, want 200", resp.StatusCode)
	}
	if got := w.Stats(); got.Conditional == 0 || got.NotModified == 0 || got.ByHost["persian-gulf-notes.example"] != 5 {
		t.Errorf("stats %+v", got)
	}
}

// Bodies are compressed for those who ask.
func TestGzip(t *testing.T) {
	w := New(base)
	url := source(t, w, "mekong-journal").URL
	_, plain := get(t, w, url)
	resp, packed := get(t, w, url, "Accept-Encoding", "gzip")
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("Content-Encoding %q, want gzip", resp.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != plain {
		t.Errorf("unpacked %d bytes, %v, want the %d of the plain answer", len(body), err, len(plain))
	}
}

// Servers in trouble answer as such servers do.
func TestTrouble(t *testing.T) {
	w := New(base)
	if resp, _ := get(t, w, source(t, w, "vanished-diary").URL); resp.StatusCode != http.StatusGone {
		t.Errorf("gone: %d", resp.StatusCode)
	}
	if resp, body := get(t, w, source(t, w, "parked-domain").URL); resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, "<!DOCTYPE html>") {
		t.Errorf("html: %d %.40q", resp.StatusCode, body)
	}
	if resp, _ := get(t, w, source(t, w, "old-house").URL); resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != source(t, w, "new-house").URL {
		t.Errorf("moved: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	limited := source(t, w, "gulf-ticker").URL
	for n := 1; n <= 6; n++ {
		resp, _ := get(t, w, limited)
		if n%3 == 0 != (resp.StatusCode == http.StatusTooManyRequests) || resp.StatusCode != http.StatusOK && resp.Header.Get("Retry-After") == "" {
			t.Errorf("limit: request %d: %d", n, resp.StatusCode)
		}
	}
	dead := source(t, w, "hill-and-plain").URL
	if resp, _ := get(t, w, dead); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("dead: first %d, want 500", resp.StatusCode)
	}
	for _, url := range []string{dead, "https://nowhere.example/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("%s: %v, want a *net.OpError", url, err)
		}
	}
}

// The page of a blog leads to its feed, and its posts have pages.
func TestPages(t *testing.T) {
	w := New(base)
	s := source(t, w, "dafatir-dijla")
	_, page := get(t, w, s.Site)
	if !strings.Contains(page, `<link rel="alternate" type="application/atom+xml" title="دفاتر دجلة" href="atom">`) {
		t.Errorf("no autodiscovery link in %.400s", page)
	}
	for _, p := range w.Posts(s.ID) {
		if resp, body := get(t, w, p.URL); resp.StatusCode != http.StatusOK || !strings.Contains(body, p.HTML) {
			t.Errorf("%s: %d", p.URL, resp.StatusCode)
		}
	}
	if resp, _ := get(t, w, s.Site+"nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", resp.StatusCode)
	}
}

// The handler serves every blog below its own path, with links that stay there.
func TestHandler(t *testing.T) {
	w := New(base)
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	for _, s := range w.SourcesAt(srv.URL) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req) // follows redirects
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if s.Trouble == "" && resp.StatusCode != http.StatusOK || bytes.Contains(body, []byte("https://persian-gulf-notes.example")) {
			t.Errorf("%s: %d %.300s", s.URL, resp.StatusCode, body)
		}
		if s.Trouble == "moved" && resp.Request.URL.Path != "/new-house.example/feed.xml" {
			t.Errorf("moved to %s", resp.Request.URL)
		}
	}
	// By Host, as if the name resolved to the listener.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/feed.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "tehran-table.example"
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(ct, "application/feed+json") {
		t.Errorf("by host: %d %s", resp.StatusCode, ct)
	}
}

// The list of subscriptions has every blog.
func TestOPML(t *testing.T) {
	w := New(base)
	list, problems, err := opml.Read(w.OPML())
	if err != nil || len(problems) > 0 || len(list.Outlines) != len(w.Sources()) {
		t.Fatalf("%v %v, %d outlines for %d sources", err, problems, len(list.Outlines), len(w.Sources()))
	}
}

// A script with a fault is refused, and the fault named.
func TestParse(t *testing.T) {
	head := "id: a\nhost: a.example\ntitle: A\nformat: atom\n"
	for _, tt := range []struct{ script, want string }{
		{"id: a\nhots: x\n", `unknown key "hots"`},
		{"id: A b\nhost: a.example\ntitle: A\nformat: atom\n", "id is"},
		{"id: a\nhost: a.example\ntitle: A\nformat: rss3\n", `unknown format "rss3"`},
		{head + "-- p --\ntitle: x\n\ntext\n", "neither a date nor a step"},
		{head + "-- p --\ndate: yesterday\n\ntext\n", "yesterday"},
		{head + "-- p@2 --\nstep: 2\n\ntext\n", "a name of its own"},
		{head + "-- p --\nstep: 2\n\ntext\n-- p@2 --\nstep: 1\n\nmore\n", "not after"},
		{head + "-- p --\nstep: 2\nfrom: b/x\n", `no blog "b"`},
		{head + "-- p --\nstep: 2\nfrom: a/x\n", `no post "x"`},
	} {
		_, err := Parse(base, map[string][]byte{"a.txtar": []byte(tt.script)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.script, err, tt.want)
		}
	}
}
