package parse

import (
	"slices"
	"strings"
	"testing"
)

// The examples of RFC 3986 §5.4 (P-59).
func TestResolve(t *testing.T) {
	const base = "http://a/b/c/d;p?q"
	for _, tt := range [][2]string{
		{"g:h", "g:h"},
		{"g", "http://a/b/c/g"},
		{"./g", "http://a/b/c/g"},
		{"g/", "http://a/b/c/g/"},
		{"/g", "http://a/g"},
		{"//g", "http://g"},
		{"?y", "http://a/b/c/d;p?y"},
		{"g?y", "http://a/b/c/g?y"},
		{"#s", "http://a/b/c/d;p?q#s"},
		{"g#s", "http://a/b/c/g#s"},
		{"g?y#s", "http://a/b/c/g?y#s"},
		{";x", "http://a/b/c/;x"},
		{"g;x", "http://a/b/c/g;x"},
		{"g;x?y#s", "http://a/b/c/g;x?y#s"},
		{"", "http://a/b/c/d;p?q"},
		{".", "http://a/b/c/"},
		{"./", "http://a/b/c/"},
		{"..", "http://a/b/"},
		{"../", "http://a/b/"},
		{"../g", "http://a/b/g"},
		{"../..", "http://a/"},
		{"../../", "http://a/"},
		{"../../g", "http://a/g"},
		{"../../../g", "http://a/g"},
		{"../../../../g", "http://a/g"},
		{"/./g", "http://a/g"},
		{"/../g", "http://a/g"},
		{"g.", "http://a/b/c/g."},
		{".g", "http://a/b/c/.g"},
		{"g..", "http://a/b/c/g.."},
		{"..g", "http://a/b/c/..g"},
		{"./../g", "http://a/b/g"},
		{"./g/.", "http://a/b/c/g/"},
		{"g/./h", "http://a/b/c/g/h"},
		{"g/../h", "http://a/b/c/h"},
		{"g;x=1/./y", "http://a/b/c/g;x=1/y"},
		{"g;x=1/../y", "http://a/b/c/y"},
		{"g?y/./x", "http://a/b/c/g?y/./x"},
		{"g?y/../x", "http://a/b/c/g?y/../x"},
		{"g#s/./x", "http://a/b/c/g#s/./x"},
		{"g#s/../x", "http://a/b/c/g#s/../x"},
		{"http:g", "http:g"},
	} {
		if got := resolve(base, tt[0]); got != tt[1] {
			t.Errorf("resolve(%q) = %q, want %q", tt[0], got, tt[1])
		}
	}
}

// Other bases: nothing is re-encoded, a host without a path gets one, a reference
// without a host takes the scheme of the feed (P-53, P-58, G-08, PEERS 40).
func TestResolveBases(t *testing.T) {
	for _, tt := range [][3]string{
		{"http://x.example", "a", "http://x.example/a"},
		{"http://x.example/a/b.html", "c", "http://x.example/a/c"},
		{"https://x.example/a", "//cdn.example/é b", "https://cdn.example/é b"},
		{"https://x.example/a", "%zz", "https://x.example/%zz"},
		{"https://x.example/a", "magnet:?xt=1", "magnet:?xt=1"},
		{"https://x.example/a", "at://did:plc:1/x", "at://did:plc:1/x"},
		{"https://bücher.example/", "x", "https://bücher.example/x"},
		{"", "a", "a"},
		{"a/b", "c", "a/c"},
		{"http://x.example/?q#f", "#g", "http://x.example/?q#g"},
	} {
		if got := resolve(tt[0], tt[1]); got != tt[2] {
			t.Errorf("resolve(%q, %q) = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
	for in, want := range map[string]string{" http://x\n/a\tb ": "http://x/ab", "http:///x/a": "http://x/a", "https:////x": "https://x", "file:///x": "file:///x"} {
		if got := cleanURL(in); got != want {
			t.Errorf("cleanURL(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{
		"javascript:alert(1)": true, "JAVASCRIPT:x": true, "data:text/html,x": true, "vbscript:x": true, "https://x": false, "mailto:a@x": false, "java/script:": false,
		"http://" + strings.Repeat("阿", maxAuthority) + "/a": true, "https://x.example/" + strings.Repeat("a", 2*maxAuthority): false,
	} {
		if got := noPlace(in); got != want {
			t.Errorf("noPlace(%.40q) = %v", in, got)
		}
	}
}

// An id that looks like a URL is none of the post where its host can be none; it stays
// the id.
func TestIDsThatAreNoPlaces(t *testing.T) {
	id := "http://" + strings.Repeat("阿", maxAuthority) + "/a"
	for _, doc := range []string{
		`<rss><channel><item><guid>` + id + `</guid></item></channel></rss>`,
		`<rss><channel><item><guid isPermaLink="true">` + id + `</guid></item></channel></rss>`,
		`<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>` + id + `</id></entry></feed>`,
		`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"` + id + `"}]}`,
	} {
		f, err := read([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if e := f.Entries[0]; e.ID != id || e.URL != "" || e.Permalink {
			t.Errorf("%.20s: id %.20q, URL %.20q, permalink %t", doc, e.ID, e.URL, e.Permalink)
		}
	}
	doc := `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://` + strings.Repeat("a", maxAuthority+1) + `/"><entry><id>1</id><link href="b"/></entry></feed>`
	f, err := read([]byte(doc))
	if err != nil || f.Entries[0].URL != "" || !slices.Contains(f.Repairs, "unsafe-link") {
		t.Errorf("%+v, %v", f, err)
	}
}
