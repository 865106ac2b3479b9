package control

import (
	"strings"
	"testing"
)

// A log shows what was asked for, but no password and no token, and not all of a
// long line.
func TestRedacted(t *testing.T) {
	for in, want := range map[string]string{
		"sources add https://user:secret@example.org/feed":      "sources add https://xxxxx@example.org/feed",
		"sources add https://user:sec/ret@example.org/feed":     "sources add https://xxxxx@example.org/feed",
		"sources add user:secret@example.org/feed":              "sources add xxxxx@example.org/feed",
		"sources set a --url=https://u:secret@example.org/":     "sources set a --url=https://xxxxx@example.org/",
		"sources add https://example.org/feed?key=secret&n=10":  "sources add https://example.org/feed?key=xxxxx&n=10",
		"sources add https://example.org/t/secret/feeds/a.atom": "sources add https://example.org/t/xxxxx/feeds/a.atom",
		"sources add https://medium.com/feed/@someone":          "sources add https://medium.com/feed/@someone",
		"search title:camp author:ann@example.org":              "search title:camp xxxxx@example.org",
	} {
		got := Redacted(strings.Fields(in))
		if got != want {
			t.Errorf("Redacted(%q) = %q, want %q", in, got, want)
		}
		if strings.Contains(got, "secret") || strings.Contains(got, "sec/ret") {
			t.Errorf("Redacted(%q) = %q shows the secret", in, got)
		}
	}
	if got := Redacted([]string{"search", strings.Repeat("é", 5000)}); len(got) > maxLoggedArg+10 || !strings.HasSuffix(got, "é…") {
		t.Errorf("one long argument gives %d bytes: %q", len(got), got)
	}
	many := make([]string, 10_000)
	for i := range many {
		many[i] = "item"
	}
	if got := Redacted(many); len(got) > maxLoggedLine {
		t.Errorf("many arguments give %d bytes", len(got))
	}
}
