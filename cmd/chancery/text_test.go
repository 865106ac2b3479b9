package main

import "testing"

// SEC-32: nothing of a feed moves the cursor, colors the terminal or turns the
// direction of what stands beside it.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		"\x1b[31mred\x07":       " [31mred ",
		"a\u202eb\u2066c\u200f": "a b c ",
		"تهران":                 "تهران",
		"a\u0085b\u009bc":       "a b c",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

// A text is cut to columns of a terminal: wide characters take two, combining ones none.
func TestOneLine(t *testing.T) {
	for _, test := range []struct {
		in      string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"exactly ten", 11, "exactly ten"},
		{"one  two\n three", 0, "one two three"},
		{"one two three", 8, "one two…"},
		{"日本語の見出し", 7, "日本語…"},
		{"e\u0301e\u0301e\u0301e\u0301", 4, "e\u0301e\u0301e\u0301e\u0301"},
	} {
		got := oneLine(test.in, test.columns)
		if got != test.want {
			t.Errorf("oneLine(%q, %d) = %q, want %q", test.in, test.columns, got, test.want)
		}
		if test.columns > 0 && textWidth(got) > test.columns {
			t.Errorf("oneLine(%q, %d) takes %d columns", test.in, test.columns, textWidth(got))
		}
	}
}

// What was probably meant is suggested; what is far from everything is not.
func TestNearest(t *testing.T) {
	known := []string{"min_interval", "max_interval", "listen", "url"}
	for in, want := range map[string]string{
		"min_intervall": "min_interval", "mni_interval": "min_interval", "lisen": "listen", "ur": "url", "weight": "", "x": "",
	} {
		if got := nearest(in, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

// What an error says of its address is not said twice, though it leaves out what may
// be secret.
func TestErrorAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/feed/":               "https://a.example/feed/",
		"https://a.example/rss/?outputType=xml": "https://a.example/rss/?…",
		"https://u:pw@a.example/f":              "https://a.example/f",
		"%zz":                                   "%zz",
	} {
		if got := errorAddress(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	said := withoutPrefix("https://a.example/f?…: HTTP 404", "https://a.example/f?k=1", errorAddress("https://a.example/f?k=1"))
	if said != "HTTP 404" {
		t.Errorf("said %q", said)
	}
}
