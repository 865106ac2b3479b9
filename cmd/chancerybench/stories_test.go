package main

import (
	"bytes"
	"strings"
	"testing"
)

// P-70: six kinds of change leave a post one story, three sorts of other posts do not
// join it (FIGURES parts 0 and 2.3), through the stages' own functions and the archive.
// "chancerybench stories" is the same with more pairs, and with a feed farm.
func TestMadeKinds(t *testing.T) {
	pairs := 150
	if testing.Short() {
		pairs = 50
	}
	for seed := range uint64(2) {
		res, err := madeKinds(t.Context(), t.TempDir(), seed+1, pairs)
		if err != nil {
			t.Fatal(err)
		}
		copies := 0
		for _, k := range res.kinds {
			if k.copy {
				copies++
			}
			if found := ratio(k.found, k.pairs); k.copy && found < max(k.least, 0.75) || !k.copy && k.found > 0 {
				t.Errorf("seed %d, %s: %d of %d pairs are one story", seed+1, k.name, k.found, k.pairs)
			}
			if mean := k.jaccard / float64(k.pairs); k.copy != (mean > 0.5) {
				t.Errorf("seed %d, %s: the pairs have a Jaccard similarity of %.2f in the mean", seed+1, k.name, mean)
			}
		}
		if r := res.recall(); copies != 6 || r < leastRecall {
			t.Errorf("seed %d: recall %.4f in the mean of %d kinds", seed+1, r, copies)
		}
		if p := res.precision(); p < leastPrecision {
			t.Errorf("seed %d: precision %.4f", seed+1, p)
		}
	}
}

// What the truth and the archive differ in is counted and named: a pair that was not
// found, one that is none, an item that is a known post once more, edits.
func TestStoriesAgainstTruth(t *testing.T) {
	const source = "http://127.0.0.1:1/f/%/feed.xml"
	post := func(id, feed, story, copyOf int, variant string, edits ...string) *truthPost {
		return &truthPost{ID: id, Feed: feed, Story: story, CopyOf: copyOf, Variant: variant, GUID: string(rune('a' + id)), Version: len(edits), Edits: edits}
	}
	look := func(posts []*truthPost, stored ...storedPost) *farmLook {
		l := &farmLook{posts: map[postKey]*truthPost{}, served: map[postKey]string{}, stored: stored}
		for _, p := range posts {
			key := postKey{string(rune('0' + p.Feed)), p.GUID}
			l.posts[key] = p
			l.served[key] = "words"
		}
		return l
	}
	item := func(id, feed, guid string, revisions int, also ...string) storedPost {
		p := storedPost{ID: id, GUID: guid, Source: strings.Replace(source, "%", feed, 1), Revisions: revisions}
		for _, a := range also {
			p.AlsoIn = append(p.AlsoIn, storedSight{a})
		}
		return p
	}
	// a is b's original, c is of another story; d, a copy, was not found.
	posts := []*truthPost{post(0, 1, 7, -1, "original"), post(1, 2, 7, 0, "intro"), post(2, 3, 8, -1, "original"), post(3, 4, 8, 2, "excerpt")}
	before := look(posts, item("A", "1", "a", 1, "B"), item("B", "2", "b", 1, "A"), item("C", "3", "c", 1), item("D", "4", "d", 1))
	var out bytes.Buffer
	b := &farmBench{out: &out}
	before.compare(b)
	if b.missed != 1 || !strings.Contains(out.String(), "2 pairs of posts of one story; 1 found, 1 of them right") || !strings.Contains(out.String(), "excerpt: ") {
		t.Errorf("%d figures missed, want recall alone:\n%s", b.missed, &out)
	}
	// Then b is taken for c's, and once more for an item of its own.
	out.Reset()
	b.missed = 0
	wrong := look(posts, item("A", "1", "a", 1), item("B", "2", "b", 1, "C"), item("C", "3", "c", 1, "B"), item("D", "4", "d", 1), item("E", "4", "d", 1))
	wrong.compare(b)
	if !strings.Contains(out.String(), "2 pairs of posts of one story; 1 found, 0 of them right") || b.missed != 3 {
		t.Errorf("%d figures missed, want recall, precision and the item that is there twice:\n%s", b.missed, &out)
	}

	edited := []*truthPost{
		post(0, 1, 7, -1, "original", "title"), post(1, 2, 7, 0, "intro", "typo,silent"), post(2, 3, 8, -1, "original", "append"),
		post(3, 4, 8, 2, "excerpt"), post(4, 5, 9, -1, "original", "append"),
	}
	after := look(edited, item("A", "1", "a", 2), item("B", "2", "b", 1), item("C", "3", "c", 1), item("D", "4", "d", 2), item("F", "5", "e", 1))
	after.served[postKey{"1", "a"}], after.served[postKey{"3", "c"}] = "other words", "more words"
	e := editsOf(before, after)
	want := map[string]int{"revised: title": 1, editedNoWord: 1, editedUnseen: 1}
	for class, n := range want {
		if e.classes[class] != n {
			t.Errorf("%d edits of class %q, want %d", e.classes[class], class, n)
		}
	}
	// c was edited and has no revision, d was not and has one.
	if e.edited != 4 || len(e.wrong) != 2 {
		t.Errorf("%d edits, wrong ones %q; want 4 and 2", e.edited, e.wrong)
	}
}
