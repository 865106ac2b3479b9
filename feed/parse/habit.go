package parse

import (
	"strings"

	"chancery/feed"
)

// What one entry leaves open, the other entries of the document often decide: how
// it writes dates, and whether its titles are HTML. Both are looked up in all
// entries, so that the answer is the same whichever of them are wanted; entries
// that are not wanted are looked at only when there is a question.

// others calls yield with the tree of each entry that is not among parts, which
// are in order.
func (d *Document) others(parts []int) func(yield func(*tree) bool) {
	return func(yield func(*tree) bool) {
		if d.outline == nil {
			return
		}
		fx, names := d.fixes, d.namer.fixes
		defer func() { d.fixes, d.namer.fixes = fx, names }()
		var t tree
		for i, at := range d.outline.entries {
			if len(parts) > 0 && parts[0] == i {
				parts = parts[1:]
				continue
			}
			d.build(&t, at, nil, context{scope: d.outline.scope})
			if len(t.nodes) > 0 && !yield(&t) {
				return
			}
		}
	}
}

// settleDates reads numeric dates that could be either way again, in the order
// that the document's other dates prove (P-63). What nothing proves stays flagged.
func (d *Document) settleDates(f *feed.Feed, parts []int) {
	open := []*feed.Date{}
	votes := [3]int{}
	look := func(x *feed.Date) {
		if x.Flag == flagOrder {
			open = append(open, x)
		}
		votes[evidence(x.Raw)]++
	}
	look(&f.Published)
	look(&f.Updated)
	for i := range f.Entries {
		look(&f.Entries[i].Published)
		look(&f.Entries[i].Updated)
	}
	if len(open) == 0 {
		return
	}
	for t := range d.others(parts) {
		for n := range t.children(&t.nodes[0]) {
			switch n.q {
			case "pubdate", "dc:date", "date", "published", "issued", "updated", "modified", "created", "dcterms:issued", "dcterms:modified":
				votes[evidence(t.value(n))]++
			}
		}
	}
	var habit order
	switch {
	case votes[dayFirst] > votes[monthFirst]:
		habit = dayFirst
	case votes[monthFirst] > votes[dayFirst]:
		habit = monthFirst
	default:
		return
	}
	for _, x := range open {
		if t, flag, ok := readDate(x.Raw, habit); ok {
			x.Time, x.Flag = t, flag
		}
	}
}

// titleSign says how a title without tags shows what it is: 1 by a character
// reference that is still in it, so that it was escaped twice; -1 by a bare
// ampersand or less-than, which HTML would not have; 0 not at all.
func titleSign(s string) int {
	if !strings.ContainsAny(s, "&<") {
		return 0
	}
	for i := range len(s) {
		if s[i] == '<' && looksTag(s[i:]) {
			return 0 // it has tags: no question
		}
	}
	for i := range len(s) {
		if s[i] == '&' && looksReference(s[i:]) {
			return 1
		}
	}
	return -1
}

// settleTitles decides by majority whether this feed's titles are escaped twice,
// that is, are HTML (P-40). A title is unescaped at most once more, by whoever
// shows it.
func (d *Document) settleTitles(f *feed.Feed, parts []int) {
	html, text := 0, 0
	count := func(s string) {
		switch titleSign(s) {
		case 1:
			html++
		case -1:
			text++
		}
	}
	for i := range f.Entries {
		count(f.Entries[i].Title.Value)
	}
	if html == 0 {
		return
	}
	for t := range d.others(parts) {
		if n := t.child(&t.nodes[0], "title"); n != nil && n.first == 0 {
			count(t.value(n))
		}
	}
	if html >= text {
		d.fixes |= fixTitleHabit
		return
	}
	for i := range f.Entries {
		if x := &f.Entries[i].Title; x.Type == feed.HTML && titleSign(x.Value) == 1 {
			x.Type = feed.PlainText
		}
	}
}
