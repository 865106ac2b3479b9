package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// P-70: a source's own boilerplate is taken out before posts are compared. Posts that
// share nothing else are no copies, in whichever order the sources come, one by one or
// in one document; a copy is found under the boilerplate of two sources.
func TestBoilerplate(t *testing.T) {
	day := time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(8, 15))
	text := func(n int) (w []string) {
		for range n {
			w = append(w, fmt.Sprintf("w%d", r.IntN(5000)))
		}
		return w
	}
	n := 0
	draft := func(words []string) store.Draft {
		n++
		d := storetest.Draft(fmt.Sprint(n), strings.Join(words, " "))
		d.Entry.Published = feed.Date{Time: day.Add(time.Duration(n) * time.Minute)}
		d.Sketch = sketchOf(words)
		return d
	}
	take := func(s store.Store, source feed.SourceID, drafts ...store.Draft) []store.Outcome {
		t.Helper()
		out, err := s.Append(t.Context(), store.Batch{Source: source, Drafts: drafts})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	copies := func(out []store.Outcome) (n int) {
		for _, o := range out {
			if o.State == store.Duplicate {
				n++
			}
		}
		return n
	}
	const posts = 8
	box := text(80) // "About the author", in two feeds of one house
	notes := func() (d []store.Draft) {
		for range posts {
			d = append(d, draft(slices.Concat(text(12), box)))
		}
		return d
	}
	for _, lone := range []string{"last", "first"} {
		s := open(t, t.TempDir(), bolt.Options{})
		storetest.Source(t, s, "house")
		storetest.Source(t, s, "lone")
		got := 0
		if lone == "first" {
			got += copies(take(s, "lone", draft(slices.Concat(text(12), box))))
		}
		got += copies(take(s, "house", notes()...))
		if lone == "last" {
			for range 3 {
				got += copies(take(s, "lone", draft(slices.Concat(text(12), box))))
			}
		}
		if got > 0 {
			t.Errorf("a lone post %s: %d posts that share only boilerplate are copies", lone, got)
		}
	}

	s := open(t, t.TempDir(), bolt.Options{})
	storetest.Source(t, s, "a")
	storetest.Source(t, s, "b")
	mine, yours := text(150), text(150)
	var stories [][]string
	var first []store.Draft
	for range 12 {
		stories = append(stories, text(160))
		first = append(first, draft(slices.Concat(stories[len(stories)-1], mine)))
	}
	if got := copies(take(s, "a", first...)); got > 0 {
		t.Errorf("%d of a source's own posts are copies", got)
	}
	var second []store.Draft
	for _, w := range stories {
		second = append(second, draft(slices.Concat(w[5:], yours)))
	}
	if got := copies(take(s, "b", second...)); got < 11 {
		t.Errorf("%d of 12 copies found under the boilerplate of both sources", got)
	}
	if got := copies(take(s, "b", draft(slices.Concat(text(160), yours)), draft(slices.Concat(text(160), mine)))); got > 0 {
		t.Errorf("%d other posts with the boilerplate are copies", got)
	}
	sound(t, s)
}
