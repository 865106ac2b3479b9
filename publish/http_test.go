package publish

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chancery/feed"
)

func gunzip(t testing.TB, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func smallWorld(t testing.TB) *world {
	w := newWorld(t, testConfig(), testTopics())
	w.fill("one", 60, "iran")
	return w
}

// PUB-59: media types, with charset where the type has one, and nosniff.
func TestMediaTypes(t *testing.T) {
	w := smallWorld(t)
	for path, want := range map[string]string{
		"/feeds/iran.atom": "application/atom+xml; charset=utf-8", "/feeds/iran.rss": "application/rss+xml; charset=utf-8",
		"/feeds/iran.json": "application/feed+json", "/opml.xml": "text/x-opml; charset=utf-8", "/": "text/html; charset=utf-8",
		"/robots.txt": "text/plain; charset=utf-8", "/static/feed.css": "text/css; charset=utf-8",
	} {
		rec := w.get(path)
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != want || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q nosniff=%q, want 200 %q", path, rec.Code, rec.Header().Get("Content-Type"), rec.Header().Get("X-Content-Type-Options"), want)
		}
	}
}

// PUB-60, PUB-66: each format and coding has a strong validator of its own, both
// codings hold the same document, and every answer varies by coding.
func TestValidatorsAndCodings(t *testing.T) {
	w := smallWorld(t)
	tags := map[string]string{}
	for _, format := range []string{"atom", "rss", "json"} {
		plain := w.get("/feeds/iran." + format)
		packed := w.get("/feeds/iran."+format, "Accept-Encoding", "br, gzip;q=0.8")
		if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: codings %q and %q", format, plain.Header().Get("Content-Encoding"), packed.Header().Get("Content-Encoding"))
		}
		if gunzip(t, packed.Body.Bytes()) != plain.Body.String() {
			t.Errorf("%s: gzip holds another document", format)
		}
		for _, rec := range []*http.Response{plain.Result(), packed.Result()} {
			tag := rec.Header.Get("Etag")
			if !strings.HasPrefix(tag, `"`) || tags[tag] != "" {
				t.Errorf("%s: ETag %s is weak or that of %s", format, tag, tags[tag])
			}
			tags[tag] = format + rec.Header.Get("Content-Encoding")
			if rec.Header.Get("Vary") != "Accept-Encoding, Sec-Fetch-Dest" {
				t.Errorf("%s: Vary %q", format, rec.Header.Get("Vary"))
			}
			if lm, err := http.ParseTime(rec.Header.Get("Last-Modified")); err != nil || lm.After(time.Now()) {
				t.Errorf("%s: Last-Modified %q: %v", format, rec.Header.Get("Last-Modified"), err)
			}
			if rec.Header.Get("Content-Length") == "" {
				t.Errorf("%s: no Content-Length", format)
			}
		}
	}
}

// Accept-Encoding with weights (RFC 9110 §12.5.3).
func TestAcceptEncoding(t *testing.T) {
	w := smallWorld(t)
	for accept, want := range map[string]string{
		"gzip": "gzip", "gzip;q=0": "", "identity;q=1, gzip;q=0.5": "", "*": "gzip", "*;q=0": "", "br": "", "": "", "GZIP": "gzip",
		"gzip;q=0.001": "gzip", "x-gzip": "gzip", "gzip;q=2": "", "gzip;q=oops": "", "deflate, gzip;q=1.0, *;q=0.5": "gzip",
	} {
		rec := w.get("/feeds/iran.atom", "Accept-Encoding", accept)
		if got := rec.Header().Get("Content-Encoding"); rec.Code != http.StatusOK || got != want {
			t.Errorf("Accept-Encoding %q: %d %q, want %q", accept, rec.Code, got, want)
		}
	}
}

// PUB-61 to PUB-63: conditional requests.
func TestConditional(t *testing.T) {
	w := smallWorld(t)
	full := w.get("/feeds/iran.atom")
	tag, modified := full.Header().Get("Etag"), full.Header().Get("Last-Modified")
	zipped := w.get("/feeds/iran.atom", "Accept-Encoding", "gzip").Header().Get("Etag")
	later := "Wed, 01 Jan 2031 00:00:00 GMT"
	for _, c := range []struct {
		why    string
		header []string
		want   int
	}{
		{"the tag", []string{"If-None-Match", tag}, 304},
		{"weak comparison", []string{"If-None-Match", "W/" + tag}, 304},
		{"a list", []string{"If-None-Match", `"a", W/"b,c" ,` + tag}, 304},
		{"two fields", []string{"If-None-Match", `"a"`, "If-None-Match", tag}, 304},
		{"any", []string{"If-None-Match", "*"}, 304},
		{"another", []string{"If-None-Match", `"a"`}, 200},
		{"no entity tag", []string{"If-None-Match", strings.Trim(tag, `"`)}, 200},
		{"part of one", []string{"If-None-Match", tag[:8]}, 200},
		{"another, and a date that would do", []string{"If-None-Match", `"a"`, "If-Modified-Since", later}, 200},
		{"the date", []string{"If-Modified-Since", modified}, 304},
		{"a later date", []string{"If-Modified-Since", later}, 304},
		{"an earlier date", []string{"If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}, 200},
		{"no date", []string{"If-Modified-Since", "yesterday"}, 200},
		{"RFC 850", []string{"If-Modified-Since", "Wednesday, 01-Jan-31 00:00:00 GMT"}, 304},
		{"the tag of gzip to gzip", []string{"If-None-Match", zipped, "Accept-Encoding", "gzip"}, 304},
		{"the tag of gzip to plain", []string{"If-None-Match", zipped}, 200},
		{"the plain tag from one who would take gzip", []string{"If-None-Match", tag, "Accept-Encoding", "gzip"}, 304},
		{"the plain tag from one who takes only gzip", []string{"If-None-Match", tag, "Accept-Encoding", "gzip, identity;q=0"}, 200},
	} {
		rec := w.get("/feeds/iran.atom", c.header...)
		if rec.Code != c.want {
			t.Errorf("%s: %d, want %d", c.why, rec.Code, c.want)
		}
		if rec.Code != http.StatusNotModified {
			continue
		}
		if rec.Body.Len() > 0 || rec.Header().Get("Content-Type") != "" {
			t.Errorf("%s: 304 with %d bytes of %q", c.why, rec.Body.Len(), rec.Header().Get("Content-Type"))
		}
		for _, h := range []string{"Etag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"} {
			if rec.Header().Get(h) == "" {
				t.Errorf("%s: 304 without %s", c.why, h)
			}
		}
	}
}

// PUB-64: a 304 makes no document.
func TestNotModifiedMakesNothing(t *testing.T) {
	w := smallWorld(t)
	tag := w.get("/feeds/iran.atom").Header().Get("Etag")
	w.pub.pages.clear()
	if rec := w.get("/feeds/iran.atom", "If-None-Match", tag); rec.Code != http.StatusNotModified {
		t.Fatal(rec.Code)
	}
	if n := w.pub.pages.bytes(); n != 0 {
		t.Errorf("a 304 made %d bytes", n)
	}
}

// A new item makes only the feeds that it touches change.
func TestOnlyTouchedFeedsChange(t *testing.T) {
	w := smallWorld(t)
	tag := func(p string) string { return w.get(p).Header().Get("Etag") }
	iran, iraq, one := tag("/feeds/iran.atom"), tag("/feeds/iraq.atom"), tag("/feeds/source/one.atom")
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "two", guid: "n", title: "New", text: "x", topics: []feed.TopicID{"iraq"}, at: w.now})
	if tag("/feeds/iran.atom") != iran || tag("/feeds/source/one.atom") != one {
		t.Error("a feed changed that has nothing to do with the new item")
	}
	if tag("/feeds/iraq.atom") == iraq {
		t.Error("the feed of the new item did not change")
	}
}

// PUB-65: HEAD is GET without the body.
func TestHead(t *testing.T) {
	w := smallWorld(t)
	for _, p := range []string{"/feeds/iran.atom", "/feeds/iran", "/", "/opml.xml", "/feeds/nothing.rss"} {
		get, head := w.get(p), w.do(http.MethodHead, p)
		if get.Code != head.Code {
			t.Errorf("%s: HEAD %d, GET %d", p, head.Code, get.Code)
		}
		for k := range get.Header() {
			if a, b := get.Header().Get(k), head.Header().Get(k); a != b {
				t.Errorf("%s: %s is %q for HEAD, %q for GET", p, k, b, a)
			}
		}
		if get.Code == http.StatusOK && (head.Body.Len() > 0 || head.Header().Get("Content-Length") != strconv.Itoa(get.Body.Len())) {
			t.Errorf("%s: HEAD has %d bytes and Content-Length %s, GET %d bytes", p, head.Body.Len(), head.Header().Get("Content-Length"), get.Body.Len())
		}
	}
}

// PUB-68: caches may keep a feed for the time to the next change, within bounds,
// and RSS says the same (PUB-27).
func TestCacheControl(t *testing.T) {
	w := smallWorld(t)
	rec := w.get("/feeds/iran.rss")
	if got := rec.Header().Get("Cache-Control"); got != "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400" {
		t.Errorf("Cache-Control %q", got)
	}
	if !strings.Contains(rec.Body.String(), "<ttl>5</ttl>") {
		t.Error("ttl does not say the same")
	}
	for i := range 12 { // one every four hours: half of that is beyond the hour
		w.now = w.now.Add(4 * time.Hour)
		w.add(post{source: "two", guid: "n" + strconv.Itoa(i), title: "New", text: "x", topics: []feed.TopicID{"iran"}, at: w.now})
	}
	if got := w.get("/feeds/iran.rss").Header().Get("Cache-Control"); !strings.Contains(got, "max-age=3600,") {
		t.Errorf("Cache-Control of a slow feed %q", got)
	}
}

// PUB-69: scripts of other sites may read feeds and their validators.
func TestCORS(t *testing.T) {
	w := smallWorld(t)
	rec := w.get("/feeds/iran.json", "Origin", "https://reader.example")
	if rec.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(rec.Header().Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("headers %v", rec.Header())
	}
	rec = w.do(http.MethodOptions, "/feeds/iran.json", "Origin", "https://reader.example", "Access-Control-Request-Headers", "if-none-match")
	if rec.Code != http.StatusNoContent || !strings.Contains(rec.Header().Get("Access-Control-Allow-Headers"), "If-None-Match") {
		t.Errorf("preflight: %d %v", rec.Code, rec.Header())
	}
}

// PUB-70: without suffix the format is negotiated and the answer says so; self is
// the address with the suffix.
func TestNegotiation(t *testing.T) {
	w := smallWorld(t)
	for accept, want := range map[string]string{
		"": "atom", "*/*": "atom", "application/rss+xml": "rss", "application/feed+json": "json", "application/json": "json",
		"application/atom+xml;q=0.5, application/rss+xml": "rss", "application/xml;q=0.9,*/*;q=0.8": "atom",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "atom", "image/png": "atom", "application/rss+xml;q=0, */*": "atom",
		"application/atom+xml;q=0.1, application/*;q=0.9": "rss",
	} {
		rec := w.get("/feeds/iran", "Accept", accept)
		if got := rec.Header().Get("Content-Location"); got != "https://feeds.example.org/feeds/iran."+want || rec.Header().Get("Vary") != "Accept, Accept-Encoding, Sec-Fetch-Dest" {
			t.Errorf("Accept %q: Content-Location %q, Vary %q, want …iran.%s", accept, got, rec.Header().Get("Vary"), want)
		}
		if rec.Body.String() != w.body("/feeds/iran."+want) {
			t.Errorf("Accept %q: not the document at …iran.%s", accept, want)
		}
	}
}

// PUB-72: parameters mean nothing and lead to the address without them.
func TestJunkParameters(t *testing.T) {
	w := smallWorld(t)
	for path, want := range map[string]string{
		"/feeds/iran.atom?utm_source=x&b=1": "/feeds/iran.atom", "/feeds/iran?x": "/feeds/iran", "/feeds/iran%2Cmek.rss?x=1": "/feeds/iran,mek.rss",
	} {
		rec := w.get(path)
		if got := rec.Header().Get("Location"); rec.Code != http.StatusMovedPermanently || got != "https://feeds.example.org"+want {
			t.Errorf("%s: %d to %q", path, rec.Code, got)
		}
	}
}

// PUB-75, PUB-76, PUB-77: what the header says of the document.
func TestLinkHeader(t *testing.T) {
	w := smallWorld(t)
	rec := w.get("/feeds/iran.rss")
	link := rec.Header().Get("Link")
	for _, want := range []string{
		`<https://feeds.example.org/feeds/iran.rss>; rel="self"; type="application/rss+xml"`,
		`<https://feeds.example.org/feeds/iran.atom>; rel="alternate"; type="application/atom+xml"`,
		`<https://feeds.example.org/topics/iran>; rel="alternate"; type="text/html"`,
	} {
		if !strings.Contains(link, want) {
			t.Errorf("Link lacks %s: %s", want, link)
		}
	}
	if strings.Count(link, `rel="self"`) != 1 {
		t.Errorf("not one self: %s", link)
	}
	if rec.Header().Get("X-Robots-Tag") != "noindex" {
		t.Error("search engines are let in by default")
	}
}

// Nothing on the public side changes anything.
func TestMethods(t *testing.T) {
	w := smallWorld(t)
	for _, m := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, "BREW"} {
		for _, p := range []string{"/", "/feeds/iran.atom", "/status"} {
			if rec := w.do(m, p); rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") == "" {
				t.Errorf("%s %s: %d", m, p, rec.Code)
			}
		}
	}
}

// PUB-73: too many at once are told to come back, and get no half feed.
func TestOverload(t *testing.T) {
	w := smallWorld(t)
	for range cap(w.pub.builds.free) {
		w.pub.builds.free <- struct{}{}
	}
	w.pub.builds.waiting.Store(w.pub.builds.most)
	rec := w.get("/feeds/iran.atom")
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || strings.Contains(rec.Body.String(), "<feed") {
		t.Errorf("%d, Retry-After %q, %q", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
	}
}

// PUB-60: what was recorded while the clock was ahead was not modified in the future,
// nor is it held to be known by who has it from today.
func TestModifiedInTheFuture(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	w.now = time.Now().Add(48 * time.Hour)
	w.fill("one", 1, "iran")
	modified := w.get("/feeds/iran.atom").Header().Get("Last-Modified")
	if at, err := http.ParseTime(modified); err != nil || at.After(time.Now()) {
		t.Errorf("Last-Modified %q is in the future: %v", modified, err)
	}
	if rec := w.get("/feeds/iran.atom", "If-Modified-Since", modified); rec.Code != http.StatusOK {
		t.Errorf("If-Modified-Since: %d, want 200", rec.Code)
	}
}

// What an error says depends on who asks, and caches are told so.
func TestErrorsVary(t *testing.T) {
	cfg := testConfig()
	cfg.Gone = []string{"fired"}
	w := newWorld(t, cfg, testTopics())
	for _, path := range []string{"/nothing", "/feeds/nothing.atom", "/feeds/fired.atom", "/items/x"} {
		for _, accept := range []string{"text/html", "*/*"} {
			rec := w.get(path, "Accept", accept)
			if got := rec.Header().Values("Vary"); !slices.Contains(got, "Accept") || !strings.HasPrefix(rec.Header().Get("Cache-Control"), "public") {
				t.Errorf("%s for %s: %d, Vary %q, Cache-Control %q", path, accept, rec.Code, got, rec.Header().Get("Cache-Control"))
			}
		}
	}
	if body := w.get("/feeds/fired.atom", "Accept", "text/html").Body.String(); !strings.Contains(body, "The feed was removed") || strings.Contains(body, "taken down") {
		t.Errorf("a feed that was removed:\n%s", body)
	}
}

// A base URL with a path works whether the proxy takes the path off or not.
func TestBasePath(t *testing.T) {
	cfg := testConfig()
	cfg.BaseURL = "https://www.example.org/news/"
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 3, "iran")
	for _, p := range []string{"/feeds/iran.atom", "/news/feeds/iran.atom", "/news/", "/news", "/", "/news/topics/iran"} {
		if rec := w.get(p); rec.Code != http.StatusOK {
			t.Errorf("%s: %d", p, rec.Code)
		}
	}
	for from, to := range map[string]string{
		"/news//status": "/news/status", "/news/topics/../status?x=1": "/news/status?x=1", "//topics//iran": "/news/topics/iran",
	} {
		if rec := w.get(from); rec.Code != http.StatusMovedPermanently || rec.Header().Get("Location") != "https://www.example.org"+to {
			t.Errorf("%s: %d to %q, want %s", from, rec.Code, rec.Header().Get("Location"), to)
		}
	}
	if body := w.body("/feeds/iran.atom"); !strings.Contains(body, `href="https://www.example.org/news/feeds/iran.atom"`) {
		t.Errorf("self has no path:\n%.800s", body)
	}
}

// PUB-88, PUB-89: a person who opens a feed in a browser gets XML with a style
// sheet; a reader gets the type of the feed.
func TestBrowser(t *testing.T) {
	w := smallWorld(t)
	rec := w.get("/feeds/iran.atom", "Sec-Fetch-Dest", "document")
	if rec.Header().Get("Content-Type") != "application/xml; charset=utf-8" || !strings.Contains(rec.Body.String(), `<?xml-stylesheet type="text/css" href="https://feeds.example.org/static/feed.css"?>`) {
		t.Errorf("%q\n%.300s", rec.Header().Get("Content-Type"), rec.Body)
	}
	if strings.Contains(rec.Body.String(), "<?xml-stylesheet type=\"text/xsl") {
		t.Error("XSLT")
	}
	if got := w.get("/feeds/iran.atom", "Sec-Fetch-Dest", "empty").Header().Get("Content-Type"); got != "application/atom+xml; charset=utf-8" {
		t.Errorf("a script gets %q", got)
	}
}
