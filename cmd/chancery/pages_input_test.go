package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"chancery/feed/feedtest"
)

// plain asks without compression.
func (s *site) plain(path string) (int, string) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html")
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// SEC-12, SEC-27: hostile parameters get an answer that says what is wrong, in bounded
// time, and nothing of them gets out unescaped.
func TestHostileParameters(t *testing.T) {
	s := newSite(t, siteOptions{posts: 200})
	nasty := []string{
		`"><script>alert(1)</script>`, "iran\x00", "\xff\xfe", "(", strings.Repeat("(", 100), strings.Repeat("a OR ", 500) + "a", strings.Repeat("a", 5000),
		"published:9999-99", "published:0001..9999", "a NEAR/1000 b", "a*", `"a* b*"`, "-iran", "title:-", "is:everything", "\u202eiran", "topic:" + strings.Repeat("x", 300), "iran^1e99", "id:0", "#", "{{.}}", "javascript:alert(1)",
	}
	for _, v := range nasty {
		e := url.QueryEscape(v)
		for _, path := range []string{
			"/search?q=" + e, "/search?q=iran&order=" + e, "/search?q=iran&as_of=" + e, "/search?q=iran&cursor=" + e, "/search?q=iran&all_versions=true&copies=" + e,
			"/?words=" + e, "/?topic=" + e + "&not=" + e, "/?source=" + e + "&lang=" + e + "&how=" + e, "/topics/" + url.PathEscape(v), "/items/" + url.PathEscape(v), "/sources/" + url.PathEscape(v),
		} {
			began := feedtest.CPU(t)
			code, body := s.plain(path)
			if code >= 500 {
				t.Errorf("%.100s: %d", path, code)
			}
			if took := feedtest.CPU(t) - began; took > 5*time.Second {
				t.Errorf("%.100s takes %v", path, took)
			}
			for _, bad := range []string{"<script>alert", "\x00", "\u202e", "ZgotmplZ", "<no value>"} {
				if strings.Contains(body, bad) {
					t.Errorf("%.100s gives %q", path, bad)
				}
			}
			if len(body) > 400<<10 {
				t.Errorf("%.100s: %d bytes", path, len(body))
			}
		}
	}
	// Parameters that are wrong are named.
	for path, want := range map[string]string{
		"/search?q=iran&order=best":             "newest",
		"/search?q=\"%":                         "hexadecimal",
		"/search?q=iran&as_of=yesterday":        "2009-01-31",
		"/search?q=iran&cursor=nonsense":        "first page",
		"/search?q=" + "a+%28":                  `<pre class="fault"`,
		"/search?q=" + strings.Repeat("a+", 70): "64",
		"/?topic=iran&not=iran":                 "asked for and left out",
	} {
		if _, body := s.plain(path); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

// What is not there has a page that helps, and for programs a line.
func TestPagesThatAreMissing(t *testing.T) {
	s := newSite(t, siteOptions{posts: 20})
	for _, path := range []string{"/nothing", "/topics/nothing", "/sources/nothing", "/items/00000000000000000000000000", "/items/x", "/feeds/nothing.atom"} {
		code, body := s.plain(path)
		if code != http.StatusNotFound || !strings.Contains(body, `action="`+s.base+`/search"`) || !strings.Contains(body, "front page") {
			t.Errorf("%s: %d %.200s", path, code, body)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		rec := httptest.NewRecorder()
		s.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusNotFound || strings.Contains(rec.Body.String(), "<html") {
			t.Errorf("%s for a program: %d %.100s", path, rec.Code, rec.Body)
		}
	}
}

// An archive with nothing in it, one that is being indexed, and one without an index
// have all pages, which say what is missing.
func TestPagesOfPoorArchives(t *testing.T) {
	paths := []string{"/", "/?topic=iran&topic=mek", "/?words=camp", "/topics/mek", "/search", "/search?q=camp", "/status", "/opml.xml"}
	t.Run("empty", func(t *testing.T) {
		s := newSite(t, siteOptions{empty: true})
		for _, p := range paths {
			if code, body := s.plain(p); code != http.StatusOK || strings.Contains(body, "NaN") {
				t.Errorf("%s: %d", p, code)
			}
		}
		if _, body := s.plain("/search?q=camp"); !strings.Contains(body, "Nothing was found") {
			t.Error("an empty search does not say so")
		}
	})
	t.Run("indexing", func(t *testing.T) {
		s := newSite(t, siteOptions{posts: 50, unindexed: true})
		for _, p := range paths {
			code, body := s.plain(p)
			if code != http.StatusOK {
				t.Errorf("%s: %d", p, code)
			}
			if !strings.HasPrefix(p, "/status") && !strings.HasPrefix(p, "/opml") && !strings.Contains(body, "index is being built") {
				t.Errorf("%s does not say that the index is being built", p)
			}
		}
		if _, body := s.plain("/"); !strings.Contains(body, "camp’s closing") {
			t.Error("the latest posts are not there while the index is built")
		}
	})
	t.Run("no index", func(t *testing.T) {
		s := newSite(t, siteOptions{posts: 50, noIndex: true})
		for _, p := range paths {
			want := http.StatusOK
			if strings.HasPrefix(p, "/search") || strings.Contains(p, "words=") { // a feed that a search makes
				want = http.StatusServiceUnavailable
			}
			if code, body := s.plain(p); code != want || want != http.StatusOK && !strings.Contains(body, "no index") {
				t.Errorf("%s: %d", p, code)
			}
		}
		if _, body := s.plain("/topics/mek"); !strings.Contains(body, "camp’s closing") {
			t.Error("a topic has no posts without an index")
		}
	})
}

// Numbers that are bounded say so, and pages agree: a topic has as many posts on the front
// page, on its own and in the search that it leads to.
func TestNumbersAgree(t *testing.T) {
	s := newSite(t, siteOptions{posts: 700})
	_, search := s.plain("/search?q=topic:mek")
	_, after, _ := strings.Cut(search, `role="status">`)
	total, _, _ := strings.Cut(strings.TrimPrefix(after, "<strong>"), " posts")
	if n, err := strconv.Atoi(total); err != nil || n < 100 {
		t.Fatalf("the search has %q posts", total)
	}
	for _, path := range []string{"/", "/topics/mek", "/?topic=mek"} {
		if _, body := s.plain(path); !strings.Contains(body, total+" posts") {
			t.Errorf("%s does not say %s posts", path, total)
		}
	}
}
