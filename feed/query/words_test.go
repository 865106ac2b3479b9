package query_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"chancery/feed/query"
)

// Ten megabytes of text take memory in proportion, whatever they are made of
// (CONFORMANCE SEC-27).
func TestMemoryOfLargeTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("reads some 30 MB")
	}
	q, err := query.Parse(`iran* NEAR/8 "a b" OR reactor OR title:"x y"`)
	if err != nil {
		t.Fatal(err)
	}
	const size = 10 << 20
	var distinct strings.Builder
	for i := 0; distinct.Len() < size; i++ {
		fmt.Fprintf(&distinct, "w%d ", i)
	}
	for _, c := range []struct {
		what, text string
		times      uint64 // bytes allocated for one of text
	}{
		{"short words", strings.Repeat("a b ", size/4), 12},
		{"one word", strings.Repeat("a", size), 4},
		{"distinct words", distinct.String(), 50}, // half of it is given back while maps grow
	} {
		var before, after runtime.MemStats
		start := time.Now()
		runtime.ReadMemStats(&before)
		q.Match(query.NewTextDoc("", c.text, "en"), now)
		runtime.ReadMemStats(&after)
		got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(c.text))
		t.Logf("%s: %v, %d MB for %d MB", c.what, time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>20, len(c.text)>>20)
		if got > c.times {
			t.Errorf("%s: %d bytes allocated for each of the text, want at most %d", c.what, got, c.times)
		}
	}
}
