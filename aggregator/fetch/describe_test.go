package fetch

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every decision of a poll is said, and no secret.
func TestDescribe(t *testing.T) {
	w := &world{pages: map[string]http.HandlerFunc{
		"https://a.example/?key=hush": moved(301, "/feed?key=hush2"),
		"https://a.example/feed?key=hush2": page(200, rss, "ETag", `"x"`, "Cache-Control", "max-age=3600", "Content-Encoding", "gzip",
			"Content-Type", "text/xml\r\n\x1b[2J"),
		"https://a.example/limited": page(429, "", "Retry-After", "90"),
		"https://a.example/same":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
	}}
	c := over(t, w)
	now := time.Now()
	for _, x := range []struct {
		r    Request
		want []string
	}{
		{Request{URL: "https://u:word@a.example/?key=hush"}, []string{
			"GET https://a.example/?…, unconditionally", "for good to", "sent as gzip", "gzip-ignored", `ETag "x", Last-Modified none`, "good for 1h0m0s",
		}},
		{Request{URL: "https://a.example/limited"}, []string{"failed (limited)", "asks to wait 1m30s"}},
		{Request{URL: "https://a.example/same", Validators: Validators{URL: "https://a.example/same", ETag: `"y"`}}, []string{
			`conditionally, If-None-Match: "y"`, "304 in", "not modified",
		}},
	} {
		resp, err := c.Get(t.Context(), x.r)
		text := strings.Join(Describe(x.r, resp, err, now), "\n")
		for _, want := range x.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in:\n%s", want, text)
			}
		}
		if strings.Contains(text, "word") || strings.Contains(text, "=hush ") || strings.Contains(text, "\x1b") {
			t.Errorf("a secret or a control character in:\n%s", text)
		}
	}
	if got := Describe(Request{}, nil, &Error{URL: "x", Text: "y"}, now); !slices.Equal(got, []string{"failed: x: y"}) {
		t.Errorf("got %q", got)
	}
}
