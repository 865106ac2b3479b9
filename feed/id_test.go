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
