package html

import (
	"net/url"
	"strings"
	"testing"
)

// References resolve by RFC 3986 §5.4 against a base that ends in a file name
// (P-53), and only schemes that links may have come through.
func TestResolve(t *testing.T) {
	r := newResolver("http://a/b/c/d;p?q")
	for ref, want := range map[string]string{
		"g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/", "/g": "http://a/g", "//g": "http://g",
		"?y": "http://a/b/c/d;p?y", "g?y": "http://a/b/c/g?y", "#s": "http://a/b/c/d;p?q#s", "g#s": "http://a/b/c/g#s",
		";x": "http://a/b/c/;x", "": "http://a/b/c/d;p?q", ".": "http://a/b/c/", "..": "http://a/b/", "../g": "http://a/b/g",
		"../../g": "http://a/g", "../../../g": "http://a/g", "/./g": "http://a/g", "/../g": "http://a/g", "g.": "http://a/b/c/g.",
		"./../g": "http://a/b/g", "g;x=1/../y": "http://a/b/c/y", "g?y/./x": "http://a/b/c/g?y/./x",

		"g:h": "", "http:g": "", "javascript:alert(1)": "", " \x01javascript:alert(1)": "", "java\nscript:1": "", "data:,x": "", "ftp://h/": "",
		"HTTP://H/x": "http://h/x", " /g ": "http://a/g", "/a\tb": "http://a/ab", "/a b": "http://a/a%20b", "/100%": "http://a/100%25",
		"?a=ü\"<": "http://a/b/c/d;p?a=%C3%BC%22%3C", "http://user:pw@h/": "http://h/", "http://münchen.example/": "http://xn--mnchen-3ya.example/",
		"mailto:a@h?subject=a b": "mailto:a@h?subject=a%20b", "mailto:nobody": "",
	} {
		if got, _ := r.resolve(ref); got != want {
			t.Errorf("%q: got %q, want %q", ref, got, want)
		}
	}
}

// What resolves is absolute, of an allowed scheme, in ASCII, and resolves to
// itself.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		"//h/%zz?a=%&b", "http://h:80\\@x/", "http://[::1]:x/", "mailto:a@b?x=<", "HTTP:\\\\h", "http://\u3002\u00ad/", "/..//../a", "?\u202e#%", "http://h%41/", "http:////h",
		"http://ß.example/ü", "http://h/\x7f\xff", "mailto:%@", "http://h:/",
	} {
		f.Add("http://a/b/c/d;p?q", s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, base, ref string) {
		r := newResolver(base)
		abs, scheme := r.resolve(ref)
		if abs == "" {
			return
		}
		u, err := url.Parse(abs)
		if err != nil || u.Scheme != scheme || scheme != "mailto" && !web(u) || u.String() != abs {
			t.Errorf("%q against %q: %q (%v)", ref, base, abs, err)
		}
		if strings.ContainsFunc(abs, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '<' || r == '>' }) {
			t.Errorf("%q against %q: %q is no URI", ref, base, abs)
		}
		if again, _ := r.resolve(abs); again != abs {
			t.Errorf("%q against %q: %q, then %q", ref, base, abs, again)
		}
	})
}
