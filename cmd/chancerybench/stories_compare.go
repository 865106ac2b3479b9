package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tally counts pairs of posts of one story by kind: how many there are and how many
// of them were found.
type tally map[string]*[2]int

func (t tally) count(kind string, found bool) {
	if t[kind] == nil {
		t[kind] = &[2]int{}
	}
	t[kind][0]++
	if found {
		t[kind][1]++
	}
}

// ratio is a/b, 1 where there is nothing.
func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// atLeast prints a value that must reach a bound.
func (f *farmBench) atLeast(name string, value, bound float64) {
	verdict := "reached"
	if value < bound {
		verdict = "MISSED"
		f.missed++
	}
	fmt.Fprintf(f.out, "%-58s %10.4f %-8s bound ≥ %g: %s\n", name, value, "", bound, verdict)
}

// shownFaults is how many faults of one sort are named.
const shownFaults = 5

// names prints the first of some faults.
func (f *farmBench) names(faults []string) {
	slices.Sort(faults)
	for _, s := range faults[:min(len(faults), shownFaults)] {
		fmt.Fprintln(f.out, "   ", s)
	}
	if more := len(faults) - shownFaults; more > 0 {
		fmt.Fprintf(f.out, "    and %d more\n", more)
	}
}

// compare holds the archive's posts and stories to the farm's truth: each post is
// there once, and all pairs of posts of one story are found, and no others.
func (l *farmLook) compare(b *farmBench) {
	type place struct {
		post *truthPost
		item *storedPost
	}
	byID := make(map[string]place, len(l.stored))
	items := make(map[*truthPost]*storedPost, len(l.stored))
	var unknown, twice []string
	for i := range l.stored {
		it := &l.stored[i]
		p := l.posts[postKey{feedIndex(it.Source), it.GUID}]
		switch {
		case p == nil:
			unknown = append(unknown, fmt.Sprintf("%s %q of %s is no post of the farm", it.ID, it.Title, it.Source))
			continue
		case items[p] != nil:
			twice = append(twice, fmt.Sprintf("%s is %s once more: edits %q", it.ID, items[p].ID, p.Edits))
			continue
		}
		items[p] = it
		byID[it.ID] = place{p, it}
	}
	b.same("posts of the farm in the archive", int64(len(items)), int64(len(l.posts)))
	b.same("items that are a known post once more", int64(len(twice)), 0)
	b.names(twice)
	b.same("items that are no post of the farm", int64(len(unknown)), 0)
	b.names(unknown)

	found := map[[2]int]bool{} // pairs of posts, the lower number first
	right := 0
	var wrong, lopsided []string
	for _, a := range byID {
		for _, also := range a.item.AlsoIn {
			c, ok := byID[also.ID]
			if !ok {
				continue // named above
			}
			if !slices.ContainsFunc(c.item.AlsoIn, func(x storedSight) bool { return x.ID == a.item.ID }) {
				lopsided = append(lopsided, fmt.Sprintf("%s is also in %s, but not the other way round", a.item.ID, also.ID))
			}
			pair := [2]int{min(a.post.ID, c.post.ID), max(a.post.ID, c.post.ID)}
			if found[pair] {
				continue
			}
			found[pair] = true
			if a.post.Story == c.post.Story {
				right++
			} else {
				wrong = append(wrong, fmt.Sprintf("%s %q and %s %q are two stories", a.item.ID, a.post.Title, c.item.ID, c.post.Title))
			}
		}
	}
	stories := map[int][]*truthPost{}
	for p := range items {
		stories[p.Story] = append(stories[p.Story], p)
	}
	kinds := tally{}
	pairs := 0
	var missed []string
	for _, posts := range stories {
		for i, p := range posts {
			for _, q := range posts[:i] {
				pairs++
				ok := found[[2]int{min(p.ID, q.ID), max(p.ID, q.ID)}]
				kind := kindOf(p, q)
				kinds.count(kind, ok)
				if !ok {
					missed = append(missed, fmt.Sprintf("%s: %s and %s, edits %q and %q", kind, items[p].ID, items[q].ID, p.Edits, q.Edits))
				}
			}
		}
	}
	fmt.Fprintf(b.out, "%d pairs of posts of one story; %d found, %d of them right\n", pairs, len(found), right)
	b.atLeast("recall", ratio(right, pairs), leastRecall)
	b.atLeast("precision", ratio(right, len(found)), leastPrecision)
	b.names(wrong)
	b.same("pairs that only one of the two posts names", int64(len(lopsided)), 0)
	b.names(lopsided)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		n := kinds[kind]
		fmt.Fprintf(b.out, "  %-56s %10.4f          %d of %d\n", kind, ratio(n[1], n[0]), n[1], n[0])
	}
	b.names(missed)
}

// kindOf says how the posts of a pair differ.
func kindOf(p, q *truthPost) string {
	if p.CopyOf == q.ID || q.CopyOf == p.ID {
		kind := p.Variant
		if p.CopyOf < 0 {
			kind = q.Variant
		}
		return kind
	}
	kinds := []string{p.Variant, q.Variant}
	slices.Sort(kinds)
	return "two copies: " + strings.Join(kinds, " and ")
}

// edits are what became of the posts that were edited between two looks, by class.
type edits struct {
	edited  int
	classes map[string]int
	wrong   []string // revisions that are missing, or that nobody's edit explains
}

// Classes of edited posts beside the revised ones.
const (
	editedUnseen = "edited before it was seen for the first time: one item, as edited"
	editedNoWord = "no word is another: a tag was changed, or changed back"
)

// editsOf looks at each post that was edited between two looks.
func editsOf(before, after *farmLook) *edits {
	e := &edits{classes: map[string]int{}}
	revisions := func(l *farmLook) map[postKey]int {
		n := make(map[postKey]int, len(l.stored))
		for i := range l.stored {
			n[postKey{feedIndex(l.stored[i].Source), l.stored[i].GUID}] = max(l.stored[i].Revisions, 1)
		}
		return n
	}
	had, has := revisions(before), revisions(after)
	for key, p := range after.posts {
		old := before.posts[key]
		since := p.Edits
		if old != nil {
			since = p.Edits[min(old.Version, len(p.Edits)):]
		}
		more := has[key] - had[key]
		switch {
		case len(since) == 0 && old != nil && more > 0:
			e.wrong = append(e.wrong, fmt.Sprintf("%s of feed %s has %d revisions more without an edit", key.guid, key.feed, more))
		case len(since) == 0:
		case old == nil:
			e.edited++
			e.classes[editedUnseen]++
			if has[key] != 1 {
				e.wrong = append(e.wrong, fmt.Sprintf("%s of feed %s was seen once and has %d revisions", key.guid, key.feed, has[key]))
			}
		case before.served[key] == after.served[key]:
			e.edited++
			e.classes[editedNoWord]++
			if more != 0 {
				e.wrong = append(e.wrong, fmt.Sprintf("%s of feed %s says the same and has %d revisions more: %q", key.guid, key.feed, more, since))
			}
		default:
			e.edited++
			kinds := slices.Compact(slices.Sorted(slices.Values(since)))
			if more == 1 {
				e.classes["revised: "+strings.Join(kinds, " and ")]++
			} else {
				e.wrong = append(e.wrong, fmt.Sprintf("%s of feed %s has %d revisions more, not 1: %q", key.guid, key.feed, more, since))
			}
		}
	}
	return e
}

func (e *edits) report(b *farmBench) {
	revised := 0
	for class, n := range e.classes {
		if strings.HasPrefix(class, "revised") {
			revised += n
		}
	}
	fmt.Fprintf(b.out, "%d posts were edited, %d of them have a revision more\n", e.edited, revised)
	byCount := func(x, y string) int { return cmp.Or(e.classes[y]-e.classes[x], strings.Compare(x, y)) }
	for _, class := range slices.SortedFunc(maps.Keys(e.classes), byCount) {
		fmt.Fprintf(b.out, "  %-66s %d\n", class, e.classes[class])
	}
	b.same("edits that are not what they should be", int64(len(e.wrong)), 0)
	b.names(e.wrong)
}
