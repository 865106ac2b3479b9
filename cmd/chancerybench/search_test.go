package main

import (
	"strings"
	"testing"
)

// The search part runs from building to the last figure. Figures of few posts on a
// busy machine mean nothing, so they are not judged.
func TestSearchRuns(t *testing.T) {
	var out strings.Builder
	err := run(t.Context(), []string{"search", "-posts", "2000", "-queries", "3", "-dir", t.TempDir()}, &out)
	if err != nil && !strings.HasSuffix(err.Error(), "figures missed") {
		t.Fatal(err)
	}
	for _, want := range []string{"posts/CPU s", "index / text", "boolean of five", "ranked, p99", "facets", "one new post"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no figure for %s in\n%s", want, out.String())
		}
	}
}

// An index that was kept is used again: what was added to it to time single posts is
// no reason to take it for the index of another archive.
func TestSearchKeepsItsIndex(t *testing.T) {
	dir := t.TempDir()
	for n, want := range []bool{true, false, false} {
		var out strings.Builder
		err := run(t.Context(), []string{"search", "-posts", "1000", "-queries", "1", "-dir", dir}, &out)
		if err != nil && !strings.HasSuffix(err.Error(), "figures missed") {
			t.Fatal(err)
		}
		if built := strings.Contains(out.String(), "posts/CPU s"); built != want {
			t.Errorf("run %d built an index: %v, want %v", n+1, built, want)
		}
	}
}

// The same seed and number make the same post, whose id leads back to it.
func TestPostsRepeat(t *testing.T) {
	a, b := newBlogosphere(1, 5000), newBlogosphere(1, 5000)
	total := 0
	for _, n := range []int{0, 1, 77, 4999} {
		x, size := a.item(n)
		y, _ := b.item(n)
		if x.Content.Value != y.Content.Value || x.ID != y.ID || a.number(x.ID) != n {
			t.Errorf("post %d is another the second time, or its id is that of %d", n, a.number(x.ID))
		}
		total += size
	}
	for n := range 1000 {
		_, size := a.item(n)
		total += size
	}
	if mean := total / 1004; mean < textBytes*9/10 || mean > textBytes*11/10 {
		t.Errorf("%d bytes a post in the mean, want about %d", mean, textBytes)
	}
}
