package feed_test

import (
	"strings"
	"testing"

	"chancery/feed"
)

// A host is written as it is looked up (CONFORMANCE P-58), and what is no host is an
// error, however long it is: a megabyte of ideographs would take hours.
func TestASCIIHost(t *testing.T) {
	for in, want := range map[string]string{
		"example.org": "example.org", "Bücher.Example": "xn--bcher-kva.example", "خبر.example": "xn--ngblk.example",
		"a b.example": "", strings.Repeat("阿", 1<<20) + ".example": "",
	} {
		if got, err := feed.ASCIIHost(in); got != want && (want != "" || err == nil) {
			t.Errorf("%.40q: %.40q, %v, want %q", in, got, err, want)
		}
	}
}
