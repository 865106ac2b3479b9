package normalize

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

// The short ways give what the long ones do.
func TestShortWays(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	made := func(alphabet []string) string {
		var b strings.Builder
		for range rnd.IntN(12) {
			b.WriteString(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 20_000 {
		s := made([]string{"a", "bc", " ", "  ", "\t", "\n", "\v", "é", "\u0085", "\u00a0", "\u3000", "\xe3", "\x80", "\x85", "\xff", "\x1f", "中"})
		if got, want := fold(s), strings.Join(strings.Fields(s), " "); got != want {
			t.Fatalf("%q folds to %q, want %q", s, got, want)
		}
		s = made([]string{"abcdefg", "one word", " ", "a", "\n", "é", "\u00a0", "x!", "0123456789abcdef", "\x01", "\x7f"})
		if got, want := fold(s), strings.Join(strings.Fields(s), " "); got != want {
			t.Fatalf("%q folds to %q, want %q", s, got, want)
		}
		host := strings.ToLower(made([]string{"a", "B", "9", "-", ".", "..", "_", "xn--", "xn--mnchen-3ya", "%", "*", "\x00", "[", "]"}))
		want := strings.TrimSuffix(host, ".")
		if ascii, err := idna.Lookup.ToASCII(want); err == nil {
			want = ascii
		}
		if got := canonicalHost("https", host); got != want {
			t.Fatalf("host %q is %q, want %q", host, got, want)
		}
	}
}
