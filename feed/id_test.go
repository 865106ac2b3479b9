package feed

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever id begins with a prefix stands at or behind the first one of that prefix,
// and the id before the first does not begin with it.
func TestFirstItemID(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var id ItemID
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		prefix := id.String()[:r.IntN(27)]
		first, err := FirstItemID(strings.ToUpper(prefix))
		if err != nil || !strings.HasPrefix(first.String(), prefix) || bytes.Compare(first[:], id[:]) > 0 {
			t.Fatalf("the first of %q is %v, %v; %v begins so", prefix, first, err, id)
		}
		before, ok := first.Before()
		switch {
		case !ok && !first.IsZero():
			t.Fatalf("there is nothing before %v", first)
		case ok && (bytes.Compare(before[:], first[:]) >= 0 || prefix != "" && strings.HasPrefix(before.String(), prefix)):
			t.Fatalf("before %v, the first of %q, is %v", first, prefix, before)
		}
	}
	for _, bad := range []string{"il", "0000000000000000000000000x", strings.Repeat("0", 27)} {
		if id, err := FirstItemID(bad); err == nil {
			t.Errorf("the first of %q is %v", bad, id)
		}
	}
}

// BeginsWith says of bits what strings.HasPrefix says of the texts.
func TestBeginsWith(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		var a, b ItemID
		for i := range a {
			a[i] = byte(r.Uint32())
		}
		if b = a; r.IntN(4) > 0 {
			b[r.IntN(16)] ^= 1 << r.IntN(8)
		}
		n := r.IntN(27)
		if got, want := a.BeginsWith(b, n), strings.HasPrefix(a.String(), b.String()[:n]); got != want {
			t.Fatalf("%v begins with %d letters of %v: %v", a, n, b, got)
		}
	}
	if first, n, err := ItemPrefix("01JB00"); err != nil || n != 6 || first.String() != "01jb0000000000000000000000" {
		t.Errorf("%v, %d, %v", first, n, err)
	}
	for _, bad := range []string{"", "01jb0", "01jb0l", strings.Repeat("0", 27)} {
		if _, _, err := ItemPrefix(bad); err == nil {
			t.Errorf("%q is the beginning of an id", bad)
		}
	}
}
