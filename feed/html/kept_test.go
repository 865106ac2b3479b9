package html

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"chancery/feed"
)

// Runs that are copied whole give what character after character gives.
func TestKept(t *testing.T) {
	one := func(s string) string {
		w := &plainWriter{}
		for i := 0; i < len(s); {
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case isSpace(r):
				w.pending = max(w.pending, space)
			case invisible(r):
			case r == utf8.RuneError && n == 1:
				w.put("\uFFFD")
			default:
				w.put(s[i : i+n])
			}
			i += n
		}
		return string(w.out)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "bc", " ", "  ", "\t", "é", "\u0085", "\u00a0", "\u3000", "\u00ad", "\xe3", "\x80", "\x7f", "\x01", "中", "\u200b", "\u200c"}
	for range 20_000 {
		var b strings.Builder
		for range rnd.IntN(12) {
			b.WriteString(alphabet[rnd.IntN(len(alphabet))])
		}
		if got, want := Plain(feed.Text{Value: b.String()}), one(b.String()); got != want {
			t.Fatalf("%q is %q, want %q", b.String(), got, want)
		}
	}
}
