package render

import (
	"strings"
	"testing"
	"time"

	"chancery/feed/feedtest"
)

// An address from the web is a valid IRI of the web, or none; and what is valid stays
// as it is (PUB-06).
func FuzzWebURL(f *testing.F) {
	for _, s := range []string{
		"http://x.example/a b?c d#e f", `http://ex"ample.com/`, "http://a<b>/", "http://x.example/?a=%zz&b=%2", "http://x.example/\u202egpj.exe?\u202e#\u2066",
		"https://[::1]:8080/", "http://\u0080.example/", "http://x.example/?\xff", "ftp://x.example/", "//x.example", "http:x", "http://x.example/%zz",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := webURL(s)
		if got == "" || len(s) > 1000 { // longer ones meet the bounds of both
			return
		}
		if !isIRI(got) {
			t.Errorf("%q gives %q, which is no IRI", s, got)
		}
		if again := webURL(got); again != got {
			t.Errorf("%q gives %q, and that gives %q", s, got, again)
		}
		if !isASCII(asURI(got)) {
			t.Errorf("%q gives %q, which has no form in ASCII", s, got)
		}
	})
}

// A host that no host's name is as long as costs nothing, wherever the address came from.
func TestURIOfLongHost(t *testing.T) {
	start := feedtest.CPU(t)
	got := asURI("https://" + strings.Repeat("新", 40_000) + "/")
	if took := feedtest.CPU(t) - start; took > 2*time.Second { // 16 s if it were converted
		t.Errorf("took %v", took)
	}
	if !isASCII(got) {
		t.Errorf("%.60q… is no URI", got)
	}
}
