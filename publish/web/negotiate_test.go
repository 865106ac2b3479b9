package web

import (
	"strings"
	"testing"
)

// A list holds a tag exactly if one of its members is that tag, weak or not, or "*"
// (RFC 9110 §13.1.2). Whatever is sent, it ends.
func FuzzETagMatches(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `"b", "a"`, `*`, `a`, `"a`, `,,"a",`, `"a,b"`, `W/`, `"b""a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got := etagMatches([]string{list}, `"a"`)
		if got && !strings.Contains(list, `"a"`) && !strings.Contains(list, "*") {
			t.Errorf("%q matches", list)
		}
		if !etagMatches([]string{`"x"`, `"a", ` + list}, `"a"`) {
			t.Errorf("%q hides the tag before it", list)
		}
	})
}

// Weights decide between gzip and plain.
func TestCodings(t *testing.T) {
	for in, want := range map[string][2]bool{
		"": {false, true}, "gzip": {true, true}, "gzip;q=0": {false, true}, "gzip, identity;q=0": {true, false},
		"*": {true, true}, "*;q=0": {false, false}, "identity": {false, true}, "gzip;q=0.2, identity;q=0.5": {false, true},
	} {
		if gz, plain := codings([]string{in}); gz != want[0] || plain != want[1] {
			t.Errorf("%q: gzip %v plain %v, want %v", in, gz, plain, want)
		}
	}
}
