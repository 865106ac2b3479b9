package normalize

import (
	"strings"
	"testing"
)

// P-71: a canonical URL drops the listed tracking parameters and the fragment,
// lowers scheme and host, removes default ports, and keeps all else as written.
func TestCanonicalURL(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"HTTP://WWW.Example.ORG:80/Post?utm_source=rss&p=12#more", "http://www.example.org/Post?p=12"},
		{"https://example.org:443", "https://example.org/"},
		{"https://example.org:8443/a", "https://example.org:8443/a"},
		{"https://example.org/a?fbclid=1&UTM_campaign=2", "https://example.org/a"},
		{"https://example.org/a?b=2&a=1&b=3", "https://example.org/a?b=2&a=1&b=3"},
		{"https://example.org/?p=1", "https://example.org/?p=1"},
		{"https://user:secret@example.org/a", "https://example.org/a"},
		{"https://bücher.example/x", "https://xn--bcher-kva.example/x"},
		{"https://example.org./x?", "https://example.org/x"},
		{" https://example.org/a%20b ", "https://example.org/a%20b"},
		{"http://[2001:db8::1]:80/x", "http://[2001:db8::1]/x"},
		{"http://" + strings.Repeat("阿", 1<<18) + "/x", "http://" + strings.Repeat("%E9%98%BF", 1<<18) + "/x"}, // no host, and nobody's time
		{"/relative", ""},
		{"javascript:alert(1)", ""},
		{"ftp://example.org/x", ""},
		{"http://%zz", ""},
		{"", ""},
	} {
		if got := CanonicalURL(tc.in); got != tc.want {
			t.Errorf("CanonicalURL(%.80q) = %.80q, want %.80q", tc.in, got, tc.want)
		}
		if got := CanonicalURL(CanonicalURL(tc.in)); got != tc.want {
			t.Errorf("CanonicalURL is not idempotent for %.80q: %.80q", tc.in, got)
		}
	}
}

// A move to https, a "www." or a slash at the end make no other address (PEERS
// part 5, 53); another path or query does.
func TestAddress(t *testing.T) {
	same := []string{"http://www.example.org/post/", "https://example.org/post", "https://example.org/post#x"}
	for _, s := range same {
		if got := Address(s); got != "example.org/post" {
			t.Errorf("Address(%q) = %q", s, got)
		}
	}
	if Address("https://example.org/post?p=1") == Address("https://example.org/post?p=2") {
		t.Error("posts told apart by a query have one address")
	}
}

// Ids that differ in the fragment are different posts.
func TestAlias(t *testing.T) {
	if Alias("https://example.org/notes#a") == Alias("https://example.org/notes#b") {
		t.Error("ids told apart by the fragment have one alias")
	}
	if a, b := Alias("http://www.example.org/?p=1"), Alias("https://example.org/?p=1"); a != b || a == "" {
		t.Errorf("a move to https gives another alias: %q, %q", a, b)
	}
	if a := Alias("tag:example.org,2009:1"); a != "" {
		t.Errorf("an id that is no address has the alias %q", a)
	}
}
