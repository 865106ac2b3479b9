package fetch

import (
	"io"
	"net/http"
	"testing"
	"time"
)

func unchanged(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"abc"`)
	if r.Header.Get("If-None-Match") == `"abc"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, rss)
}

// What a poll answered 304 costs over a kept connection, against the next one:
// FIGURES (b) wants the whole daemon within twice the bare client.
func BenchmarkGet304(b *testing.B) {
	s := serve(b, unchanged)
	c := loopback(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Get(b.Context(), Request{URL: s.URL + "/", Validators: Validators{URL: s.URL + "/", ETag: `"abc"`}})
		if err != nil || !resp.NotModified {
			b.Fatal(err)
		}
	}
}

func BenchmarkBare304(b *testing.B) {
	s := serve(b, unchanged)
	c := &http.Client{Transport: &http.Transport{}}
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("If-None-Match", `"abc"`)
		resp, err := c.Do(req)
		if err != nil || resp.StatusCode != http.StatusNotModified {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// What reading freshness and Retry-After costs with each answer.
func BenchmarkFreshness(b *testing.B) {
	h := header("Date: Thu, 01 Jan 2026 12:00:00 GMT\nCache-Control: max-age=600, public\nEtag: x")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		FreshnessOf(h, now)
		RetryAfter(h, now)
	}
}

// What finding the bucket of a host costs with each request.
func BenchmarkHostKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		hostKey("www.some-blog.example.co.uk")
	}
}
