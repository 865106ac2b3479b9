package html

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// SEC-32: controls, escape sequences and direction overrides are taken out of
// titles; what Persian and Arabic need stays.
func TestNeutral(t *testing.T) {
	for in, want := range map[string]string{
		"plain title":                     "plain title",
		"  two  spaces ":                  "two spaces",
		"a\x1b[31mred\x07":                "a[31mred",
		"line\nbreak\u2028and\r\nanother": "line break and another",
		"harmless\u202egnp.exe":           "harmlessgnp.exe",
		"\u2067isolate\u2069":             "isolate",
		"hidden\U000E0041\U000E0042":      "hidden",
		"می\u200cشود \u200fو":             "می\u200cشود \u200fو",
		"wrong\xff":                       "wrong\uFFFD",
		"":                                "",
		" ":                               "",
	} {
		if got := Neutral(in); got != want {
			t.Errorf("Neutral(%q) = %q, want %q", in, got, want)
		}
	}
}

// Excerpts end at words and don't tear letters apart.
func TestExcerpt(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 10, "short"},
		{"exactly ten", 11, "exactly ten"},
		{"a  b\n\nc", 10, "a b c"},
		{"The Iraqi government said, on Tuesday", 30, "The Iraqi government said, on…"},
		{"The Iraqi government said, on Tuesday", 28, "The Iraqi government said…"},
		{"Donaudampfschifffahrtsgesellschaft", 10, "Donaudamp…"},
		{"我在北京住了很多年", 5, "我在北京…"},
		{"e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…"},
		{"👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 2, "👩‍👩‍👧…"},
		{"🇮🇷🇮🇶🇮🇷", 2, "🇮🇷…"},
		{"دولت عراق اعلام کرد که", 12, "دولت عراق…"},
		{"anything", 0, ""},
		{"", 5, ""},
	} {
		if got := Excerpt(tt.in, tt.n); got != tt.want {
			t.Errorf("Excerpt(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

// An excerpt has at most n characters, and is a beginning of the text in one line.
func FuzzExcerpt(f *testing.F) {
	f.Add("The Iraqi government said, on Tuesday", 12)
	f.Add("a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301b", 1)
	f.Add(strings.Repeat("👩‍", 30), 2)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(n, 1000)
		got := Excerpt(s, n)
		if end, _ := cut(got, max(n, 0)); end < len(got) || !utf8.ValidString(got) {
			t.Errorf("Excerpt(%q, %d) = %q", s, n, got)
		}
		if head, ok := strings.CutSuffix(got, "…"); !strings.HasPrefix(Neutral(s), head) || !ok && n > 0 && got != Neutral(s) {
			t.Errorf("Excerpt(%q, %d) = %q is no beginning of it", s, n, got)
		}
	})
}
