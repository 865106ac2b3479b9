package fetch

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Describe says in words what a poll did, a fact a line: every exchange, what was
// sent to ask conditionally, what came, and what the server said about asking
// again. For "sources check"; it shows no credentials. resp may be nil.
func Describe(r Request, resp *Response, err error, now time.Time) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if resp == nil {
		if err != nil {
			say("failed: %v", err)
		}
		return out
	}
	for _, h := range resp.Hops {
		how := "unconditionally"
		if h.Conditional {
			how = "conditionally"
			if r.ETag != "" {
				how += ", If-None-Match: " + clip(r.ETag)
			}
			if r.LastModified != "" {
				how += ", If-Modified-Since: " + clip(r.LastModified)
			}
		}
		address := h.URL
		if u, err := url.Parse(h.URL); err == nil {
			address = show(u)
		}
		say("GET %s, %s", address, how)
		if h.Status == 0 {
			continue
		}
		line := fmt.Sprintf("  %s %d in %v", h.Proto, h.Status, h.Took.Round(time.Millisecond))
		if h.Reused {
			line += ", over a kept connection"
		}
		if h.Location != "" {
			kind := "for now"
			if h.Permanent {
				kind = "for good"
			}
			if u, err := url.Parse(h.Location); err == nil {
				line += fmt.Sprintf(", leads %s to %s", kind, show(u))
			}
		}
		say("%s", line)
	}
	if err != nil {
		class := Unexpected
		text := err.Error()
		if e, ok := err.(*Error); ok { //nolint:errorlint // Get returns exactly this type
			class, text = e.Class, e.Text
		}
		say("failed (%s): %s", class, text)
	}
	if resp.NotModified {
		say("not modified: nothing new, and nothing was sent")
	}
	if resp.Wire > 0 {
		coding := "as it is"
		if resp.Coding != "" {
			coding = "as " + resp.Coding
		}
		say("%d bytes, sent %s in %d, %s", len(resp.Body), coding, resp.Wire, clip(resp.ContentType()))
	}
	for _, f := range resp.Flags {
		say("leniency: %s", f)
	}
	if resp.Same {
		say("the same body as before, although it was not declared unchanged")
	}
	if resp.Header == nil {
		return out
	}
	if v := resp.Next(r.Validators); !v.IsZero() {
		say("to ask conditionally next time: ETag %s, Last-Modified %s", orNone(v.ETag), orNone(v.LastModified))
	} else if err == nil {
		say("the server gives nothing to ask conditionally with")
	}
	switch f := FreshnessOf(resp.Header, now); {
	case f.For > 0:
		say("good for %v (%s)", f.For.Round(time.Second), f.Why)
	case f.Why != "":
		say("no freshness: %s", f.Why)
	}
	if wait, ok := RetryAfter(resp.Header, now); ok {
		say("asks to wait %v (Retry-After)", wait.Round(time.Second))
	} else if v := resp.Header.Get("Retry-After"); v != "" {
		say("Retry-After cannot be read: %s", clip(v))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return clip(s)
}

// clip keeps what a server sent short and on one line.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
