package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// world is a web of handlers by URL, without a network. It records what is asked.
type world struct {
	pages map[string]http.HandlerFunc
	asked []*http.Request
	at    []time.Time
}

// RoundTrip answers from pages, or 404.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.asked = append(w.asked, r)
	w.at = append(w.at, time.Now())
	rec := httptest.NewRecorder()
	h := w.pages[r.URL.String()]
	if h == nil {
		h = http.NotFound
	}
	h(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func over(t testing.TB, w http.RoundTripper) *Client {
	t.Helper()
	cfg := DefaultConfig()
	cfg.HostDelay = 0
	c, err := NewOver(cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func moved(status int, to string, more ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{to}
		for i := 0; i+1 < len(more); i += 2 {
			w.Header().Set(more[i], more[i+1])
		}
		w.WriteHeader(status)
	}
}

func document(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(rss)) }

// Where redirects lead, and which part of a chain is permanent.
func TestRedirects(t *testing.T) { // F-39 F-40 F-41 F-42 F-44 F-50 PEERS-17
	pages := map[string]http.HandlerFunc{
		"https://a.example/feed":     document,
		"https://a.example/301":      moved(301, "/feed"),
		"https://a.example/308":      moved(308, "feed#x"),
		"https://a.example/302":      moved(302, "/feed"),
		"https://a.example/303":      moved(303, "/feed"),
		"https://a.example/307":      moved(307, "/feed"),
		"https://a.example/301-302":  moved(301, "/302"),
		"https://a.example/302-301":  moved(302, "/301"),
		"https://a.example/self":     moved(302, "/self"),
		"https://a.example/loop":     moved(302, "/loop2"),
		"https://a.example/loop2":    moved(302, "/loop"),
		"https://a.example/down":     moved(301, "http://a.example/feed"),
		"http://a.example/feed":      document,
		"http://a.example/up":        moved(301, "https://a.example/feed"),
		"http://www.a.example/away":  moved(301, "https://b.example/feed"),
		"https://b.example/feed":     document,
		"http://al.blogspot.com/":    moved(301, "https://bo.blogspot.com/"),
		"https://bo.blogspot.com/":   document,
		"http://www.a.example/same":  moved(308, "https://a.example/feed"),
		"https://a.example/ftp":      moved(302, "ftp://a.example/feed"),
		"https://a.example/js":       moved(302, "javascript:alert(1)"),
		"https://a.example/user":     moved(302, "https://u:p@a.example/feed"),
		"https://a.example/nohost":   moved(302, "https:///feed"),
		"https://a.example/bad":      moved(302, "https://a.example:port/%zz"),
		"https://a.example/empty":    moved(302, ""),
		"https://a.example/wait":     moved(301, "/feed", "Retry-After", "120"),
		"https://a.example/nowait":   moved(301, "/feed", "Retry-After", "0"),
		"https://a.example/garbage":  moved(301, "/feed", "Retry-After", "soon"),
		"https://a.example/304hop":   moved(304, "/feed"),
		"https://a.example/multiple": moved(300, "/feed"),
	}
	for i := range 12 {
		pages[fmt.Sprintf("https://a.example/ladder%d", i)] = moved(302, fmt.Sprintf("/ladder%d", i+1))
	}
	pages["https://a.example/ladder12"] = document
	for _, c := range []struct {
		from, url, permanent string
		secure               bool
		class                Class
		requests             int
	}{
		{"https://a.example/feed", "https://a.example/feed", "", false, "", 1},
		{"https://a.example/301", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"https://a.example/308", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"https://a.example/302", "https://a.example/feed", "", false, "", 2},
		{"https://a.example/303", "https://a.example/feed", "", false, "", 2},
		{"https://a.example/307", "https://a.example/feed", "", false, "", 2},
		{"https://a.example/301-302", "https://a.example/feed", "https://a.example/302", true, "", 3},
		{"https://a.example/302-301", "https://a.example/feed", "", false, "", 3},
		{"https://a.example/self", "", "", false, Redirect, 1},
		{"https://a.example/loop", "", "", false, Redirect, 2},
		{"https://a.example/ladder2", "https://a.example/ladder12", "", false, "", 11},
		{"https://a.example/ladder1", "", "", false, Redirect, 11},
		{"https://a.example/down", "", "", false, Redirect, 1},
		{"http://a.example/up", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"http://www.a.example/same", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"http://www.a.example/away", "https://b.example/feed", "https://b.example/feed", false, "", 2},
		{"http://al.blogspot.com/", "https://bo.blogspot.com/", "https://bo.blogspot.com/", false, "", 2},
		{"https://a.example/ftp", "", "", false, Redirect, 1},
		{"https://a.example/js", "", "", false, Redirect, 1},
		{"https://a.example/user", "", "", false, Redirect, 1},
		{"https://a.example/nohost", "", "", false, Redirect, 1},
		{"https://a.example/bad", "", "", false, Redirect, 1},
		{"https://a.example/empty", "", "", false, Status, 1},
		{"https://a.example/wait", "", "", false, Wait, 1},
		{"https://a.example/nowait", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"https://a.example/garbage", "https://a.example/feed", "https://a.example/feed", true, "", 2},
		{"https://a.example/304hop", "", "", false, Protocol, 1},
		{"https://a.example/multiple", "", "", false, Status, 1},
	} {
		w := &world{pages: pages}
		resp, err := over(t, w).Get(t.Context(), Request{URL: c.from})
		if class(err) != c.class || len(w.asked) != c.requests {
			t.Errorf("%s: %v after %d requests, want class %q after %d", c.from, err, len(w.asked), c.class, c.requests)
			continue
		}
		if c.class != "" {
			continue
		}
		permanent, secure := resp.Permanent()
		if resp.URL != c.url || permanent != c.permanent || secure != c.secure || len(resp.Hops) != c.requests {
			t.Errorf("%s: from %s in %d hops, permanent to %q (secure %t); want %s, %q (%t)",
				c.from, resp.URL, len(resp.Hops), permanent, secure, c.url, c.permanent, c.secure)
		}
	}
}

// A source that may be downgraded is.
func TestDowngradeAllowed(t *testing.T) { // F-42
	w := &world{pages: map[string]http.HandlerFunc{
		"https://a.example/": moved(302, "http://a.example/feed"), "http://a.example/feed": document,
	}}
	if _, err := over(t, w).Get(t.Context(), Request{URL: "https://a.example/", AllowDowngrade: true}); err != nil {
		t.Error(err)
	}
}

// Credentials and headers of a source stay with its origin, whatever redirects
// say; validators stay with the URL that gave them.
func TestSecretsStay(t *testing.T) { // F-10 F-43 F-94 PEERS-20
	w := &world{pages: map[string]http.HandlerFunc{
		"https://a.example/feed":      moved(302, "https://a.example/next"),
		"https://a.example/next":      moved(302, "https://b.example/feed"),
		"https://b.example/feed":      moved(302, "https://a.example:8443/feed"),
		"https://a.example:8443/feed": moved(302, "https://A.example:443/last"),
		"https://A.example:443/last":  document,
	}}
	r := Request{
		URL: "https://user:word@a.example/feed", Headers: map[string]string{"X-Key": "k", "Cookie": "c=1"},
		Validators: Validators{URL: "https://b.example/feed", ETag: `"b"`, LastModified: "then"},
	}
	resp, err := over(t, w).Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ secrets, validators bool }{{true, false}, {true, false}, {false, true}, {false, false}, {true, false}} {
		h := w.asked[i].Header
		secrets := h.Get("Authorization") != "" && h.Get("X-Key") == "k" && h.Get("Cookie") == "c=1"
		some := h.Get("Authorization") != "" || h.Get("X-Key") != "" || h.Get("Cookie") != ""
		if secrets != want.secrets || some != want.secrets {
			t.Errorf("%s: credentials in %v, want %t", w.asked[i].URL, h, want.secrets)
		}
		validators := h.Get("If-None-Match") == `"b"` && h.Get("If-Modified-Since") == "then"
		if validators != want.validators {
			t.Errorf("%s: validators in %v, want %t", w.asked[i].URL, h, want.validators)
		}
		if h.Get("Referer") != "" || h.Get("Origin") != "" {
			t.Errorf("%s: Referer or Origin in %v", w.asked[i].URL, h)
		}
	}
	if resp.Conditional {
		t.Error("the last request is said to be conditional")
	}
}

// No error and no hop shows a password or the values of a query.
func TestSecretsUnseen(t *testing.T) { // F-94 SEC-29
	w := &world{pages: map[string]http.HandlerFunc{}}
	resp, err := over(t, w).Get(t.Context(), Request{URL: "https://user:word@a.example/feed?key=hush"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range []string{err.Error(), fmt.Sprint(resp.Hops[0].URL)} {
		if strings.Contains(text, "word") {
			t.Errorf("password in %q", text)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("query in %q", err)
	}
	_, err = over(t, w).Get(t.Context(), Request{URL: "https://user:word@a.example:port/%zz"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != BadURL || strings.Contains(err.Error(), "word") {
		t.Errorf("bad URL: %v", err)
	}
}
