package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chancery/feed/query"
	"chancery/store"
)

// FTS5 merges segments a piece at a time, and what was merged is gone from the ones
// it came from while their names and the entries of their pages are still there.
// Searches in between find everything, by word and by the beginning of a word.
func TestSearchWhileMerging(t *testing.T) {
	x := bare(t)
	f := x.cur.Load()
	// Small pages make many of little text; each commit does a piece of a merge.
	for _, s := range []string{"('pgsz', 64)", "('automerge', 2)"} {
		if err := f.w.once("INSERT INTO words(words, rank) VALUES" + s); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	words, begins := map[string]int{}, map[string]int{}
	partly, posts := 0, 150
	if testing.Short() {
		posts = 40
	}
	for n := range posts {
		seen, seenBegin := map[string]bool{}, map[string]bool{}
		var b strings.Builder
		for range 60 {
			w := fmt.Sprintf("%c%c%d", 'a'+rune(r.IntN(6)), 'a'+rune(r.IntN(6)), r.IntN(40))
			b.WriteString(w + " ")
			if !seen[w] {
				seen[w] = true
				words[w]++
			}
			if !seenBegin[w[:2]] {
				seenBegin[w[:2]] = true
				begins[w[:2]]++
			}
		}
		apply(t, x, post(n, "title", b.String()))
		rd, err := f.reader()
		if err != nil {
			t.Fatal(err)
		}
		if err := rd.begin(); err != nil {
			t.Fatal(err)
		}
		for _, s := range rd.segments {
			if s.first > 1 {
				partly++
			}
		}
		rd.end()
		f.release(rd)
		for w, want := range begins {
			findsSoMany(t, x, w+"*", want)
		}
		for range 20 {
			w := fmt.Sprintf("%c%c%d", 'a'+rune(r.IntN(6)), 'a'+rune(r.IntN(6)), r.IntN(40))
			findsSoMany(t, x, `"`+w+`"`, words[w])
		}
		findsSoMany(t, x, "title", n+1)
	}
	if partly == 0 {
		t.Error("no merge was caught half-way")
	}
	for w, want := range words {
		findsSoMany(t, x, `"`+w+`"`, want)
	}
}

func findsSoMany(t *testing.T, x *Index, text string, want int) {
	t.Helper()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.Search(t.Context(), q, store.SearchOptions{Limit: -1})
	if err != nil || p.Total != want {
		t.Fatalf("%s: %d, %v, want %d", text, p.Total, err, want)
	}
}

// A segment that was merged away but for its name is passed over; one that cannot be
// is damage.
func TestStructureOfSegments(t *testing.T) {
	head := []byte{0, 0, 0, 1} // the cookie
	for _, c := range []struct {
		name string
		list []byte
		want []segment
		ok   bool
	}{
		{"two, one of them merged away", []byte{1, 2, 9, 1, 2, 7, 0, 0, 8, 3, 4}, []segment{{8, 3, 4}}, true},
		{"one that ends before it begins", []byte{1, 1, 9, 0, 1, 7, 4, 3}, nil, false},
		{"one that only ends", []byte{1, 1, 9, 0, 1, 7, 0, 3}, nil, false},
		{"fewer than it says", []byte{1, 2, 9, 0, 1, 7, 1, 3}, nil, false},
	} {
		got, err := parseStructure(append(slices.Clone(head), c.list...))
		if (err == nil) != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// Commits of one post each, as a daemon makes them, leave few segments to look a word
// up in.
func TestFewSegments(t *testing.T) {
	x := bare(t)
	f := x.cur.Load()
	if err := f.tune(false); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		apply(t, x, post(n, "title", fmt.Sprintf("the text of post number%d", n)))
		rd, err := f.reader()
		if err != nil {
			t.Fatal(err)
		}
		if err := rd.begin(); err != nil {
			t.Fatal(err)
		}
		if len(rd.segments) > 24 {
			t.Fatalf("%d segments after %d commits", len(rd.segments), n+1)
		}
		rd.end()
		f.release(rd)
	}
	findsSoMany(t, x, "title", 200)
	findsSoMany(t, x, "number77", 1)
}
