package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publishers is a server with a feed in every state that an operator asks about.
func publishers(t *testing.T) *httptest.Server {
	t.Helper()
	document := func(first int) string {
		var b strings.Builder
		b.WriteString(`<rss version="2.0"><channel><title>The Blog</title><link>https://blog.example/</link><description/>`)
		for i := first; i < first+5; i++ {
			fmt.Fprintf(&b, `<item><guid isPermaLink="false">id-%d</guid><title>Post %d</title></item>`, i, i)
		}
		b.WriteString(`</channel></rss>`)
		return b.String()
	}
	gap := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Cache-Control", "max-age=7200")
		w.Header()["Date"] = nil // to the second: an answer would be up to one old
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, document(0))
	})
	mux.HandleFunc("/gap", func(w http.ResponseWriter, _ *http.Request) {
		gap += 100
		_, _ = io.WriteString(w, document(gap))
	})
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusMovedPermanently))
	mux.HandleFunc("/wall", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><title>Just a moment...</title><script src="/cdn-cgi/challenge-platform/x.js"></script>`)
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"t"`)
		if r.Header.Get("If-None-Match") == `"t"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "hello")
	})
	mux.HandleFunc("/limit", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// What an operator is told of a feed that moved, skips, is unreadable, stands behind
// a bot wall, or wants to be left alone (F-51, F-60, F-70, F-09).
func TestSourcesCheckTells(t *testing.T) {
	s := publishers(t)
	dir := t.TempDir()
	var config strings.Builder
	config.WriteString("[fetch]\ncontact = \"https://example.org/\"\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nhost_delay = \"0s\"\nmin_interval = \"0s\"\n")
	for _, name := range []string{"ok", "gap", "moved", "text"} {
		fmt.Fprintf(&config, "[[source]]\nid = %q\nurl = %q\n", name, s.URL+"/"+name)
	}
	file := filepath.Join(dir, "c.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(config.String())
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		p := &program{
			args: append([]string{"--config", file, "--data", filepath.Join(dir, "data")}, args...), out: &out, err: &out,
			getenv: func(string) string { return "" },
		}
		status := p.run(t.Context())
		return fmt.Sprintf("%sexit %d", &out, status)
	}
	tells := func(said string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(said, w) {
				t.Errorf("%q is not in:\n%s", w, said)
			}
		}
	}
	tells(run("sources", "check", s.URL+"/wall"), "a bot wall answered in place of the page (Cloudflare challenge)", "only the publisher can let us in", "not subscribed\n", "exit 69")
	tells(run("sources", "add", s.URL+"/wall"), "a bot wall answered in place of the page (Cloudflare challenge)", "exit 69")
	tells(run("sources", "add", s.URL+"/text"), "not a feed: neither XML nor JSON", "exit 65")
	tells(run("sources", "check", s.URL+"/ok"), "answer     200 from", `ETag "v1"`, "fresh      for 2h0m0s (max-age)", "5 entries", "schedule   never polled", "exit 0")
	for range 2 {
		run("poll", "--all")
	}
	tells(run("sources", "check", "ok"), `conditional: If-None-Match "v1"`, "answer     304", "nothing new since", "condition: ok", "next poll: ", "exit 0")
	tells(run("sources", "check", "moved"), "redirects for good to "+s.URL+"/ok", "(seen 2 of 10 times, over at least 7.0 days)")
	tells(run("sources", "check", "gap"), "gaps: 1, the last at ")
	tells(run("sources", "check", "text"), "answer     304", "the same document as before, which cannot be read: not a feed", "condition: broken")
	tells(run("status"), "1 broken, 3 ok", "not a feed: neither XML nor JSON", "(2 in a row; next poll ")

	write(config.String() + fmt.Sprintf("[[source]]\nid = \"limit\"\nurl = %q\n", s.URL+"/limit"))
	run("poll", "limit")
	tells(run("sources", "check", "limit"), "condition: limited", "not before ", "asked not to be asked before", "exit 69")
	tells(run("sources", "check", "ok"), "condition: ok", "when another source there was", "exit 69")
	write(config.String() + fmt.Sprintf("[[source]]\nid = \"limit\"\nurl = %q\n[[source]]\nid = \"new\"\nurl = %q\n", s.URL+"/limit", s.URL+"/new"))
	run("sources", "list")
	run("poll", "new")
	tells(run("status"), "0 due, 1 more held back for a host", "limited: ", "HTTP 429")
	tells(run("poll", "ok"), "not polled: 127.0.0.1 asked not to be until")
}
