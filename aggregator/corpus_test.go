package aggregator

import (
	"bytes"
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"testing"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
)

// Each captured feed is taken in with as many items as were counted in it, and
// taking all in again adds nothing and edits nothing.
func TestRealFeeds(t *testing.T) {
	list, err := os.ReadFile(feedtest.Reference(t, "corpus", "real-feeds", "PROVENANCE.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(list))
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = rows[1:]
	if testing.Short() { // with the race detector all of them take a minute
		few := rows[:0]
		for five := range slices.Chunk(rows, 5) {
			few = append(few, five[0])
		}
		rows = few
	}
	a, m := bench(t, &site{})
	var first Summary
	for _, row := range rows {
		body, err := os.ReadFile(feedtest.Reference(t, "corpus", "real-feeds", row[0]))
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.Atoi(row[7])
		if err != nil {
			t.Fatal(err)
		}
		sum, err := a.Import(t.Context(), ImportOptions{Name: row[0]}, bytes.NewReader(body))
		if err != nil || sum.Seen != want {
			t.Errorf("%s: %d items, want %d (%v)", row[0], sum.Seen, want, err)
		}
		if sum.Revised > 0 {
			t.Logf("%s: %d of %d revise what another capture of the source brought", row[0], sum.Revised, sum.Seen)
		}
		first.Add(sum)
	}
	t.Logf("%d documents: %d items seen, %d new, %d revised, %d duplicates", first.Documents, first.Seen, first.New, first.Revised, first.Duplicate)
	before, err := m.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var again Summary
	for _, row := range rows {
		body, err := os.ReadFile(feedtest.Reference(t, "corpus", "real-feeds", row[0]))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := a.Import(t.Context(), ImportOptions{Name: row[0]}, bytes.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
		}
		if sum.Duplicate+sum.Revised > 0 {
			t.Logf("again %s: %+v", row[0], sum)
		}
		again.Add(sum)
	}
	after, err := m.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again.New != 0 || after.Items != before.Items {
		t.Errorf("a second import brings %d new items, %d items instead of %d", again.New, after.Items, before.Items)
	}
}

// The post that the project started from, carried by two blogs under different
// ids, is one story in two sources.
func TestSeedPostIsOneStory(t *testing.T) {
	text, err := os.ReadFile(feedtest.Reference(t, "seed", "post.txt"))
	if err != nil {
		t.Fatal(err)
	}
	title, body, _ := bytes.Cut(text, []byte("\n"))
	s := &site{}
	a, m := bench(t, s)
	esc := func(b []byte) string {
		return string(bytes.ReplaceAll(bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("&"), []byte("&amp;amp;")), []byte("<"), []byte("&amp;lt;")), []byte("\n\n"), []byte("&lt;p>")))
	}
	for i, id := range []string{"one", "two"} {
		url := "https://" + id + ".example/feed"
		s.set(url, page{200, rss(rssItem(i+1, esc(title), esc(body))), "", nil})
		if _, err := a.AddSource(t.Context(), store.Source{ID: feed.SourceID(id), URL: url}); err != nil {
			t.Fatal(err)
		}
	}
	sum := poll(t, a)
	if sum.New != 1 || sum.Duplicate != 1 {
		t.Fatalf("polls of two blogs: %+v", sum)
	}
	all := items(t, m)
	if all[0].Story != all[1].Story || len(all[0].AlsoIn) != 1 || len(all[1].AlsoIn) != 1 {
		t.Errorf("stories %v and %v, also in %v and %v", all[0].Story, all[1].Story, all[0].AlsoIn, all[1].AlsoIn)
	}
}
