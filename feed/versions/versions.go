// Package versions tells what changed from one version of an item to another, field
// by field and in words: for commands, pages and the API alike.
//
// Texts are compared as plain text: what a reader sees, not how it was marked up. Where
// links lead and which pictures there are is compared beside them.
package versions

import (
	"cmp"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
)

// Field is a part of an item that differs.
type Field struct {
	Name    string // "title", "url", "authors", "published", "text", "summary", "links", "pictures", "categories" or "files"
	Changes []html.Change
}

// Body is the text of an item as plain text: its content, else its summary.
func Body(it *feed.Item) string {
	return cmp.Or(html.Plain(it.Content), html.Plain(it.Summary))
}

// At is version n of an item among those of its versions that can be read; nil if it is
// none of them.
func At(all []feed.Item, n int) *feed.Item {
	for i := range all {
		if all[i].Revision == n {
			return &all[i]
		}
	}
	return nil
}

// bodyOf is the text of which [Body] is the plain form.
func bodyOf(it *feed.Item) feed.Text {
	if html.Plain(it.Content) == "" {
		return it.Summary
	}
	return it.Content
}

// Compare lists the fields in which two versions of an item differ, in the order in
// which a reader meets them; none if they read the same.
func Compare(old, now *feed.Item) []Field {
	var out []Field
	for _, f := range fields {
		if was, is := f.of(old), f.of(now); was != is {
			diff := html.Diff
			if f.lines {
				diff = html.DiffLines
			}
			out = append(out, Field{f.name, diff(was, is)})
		}
	}
	return out
}

var fields = []struct {
	name  string
	of    func(*feed.Item) string
	lines bool // a list, of which a line is the least that is shown
}{
	{name: "title", of: func(it *feed.Item) string { return html.Plain(it.Title) }},
	{name: "authors", of: authors},
	{name: "published", of: func(it *feed.Item) string { return it.Published.Raw }},
	{name: "url", of: func(it *feed.Item) string { return it.URL }},
	{name: "text", of: Body},
	{name: "summary", of: func(it *feed.Item) string {
		if it.Content.Value == "" {
			return "" // it is the text
		}
		return html.Plain(it.Summary)
	}},
	{name: "links", lines: true, of: func(it *feed.Item) string {
		links, _ := html.References(bodyOf(it))
		return strings.Join(links, "\n")
	}},
	{name: "pictures", lines: true, of: func(it *feed.Item) string {
		_, pictures := html.References(bodyOf(it))
		return strings.Join(pictures, "\n")
	}},
	{name: "categories", of: func(it *feed.Item) string {
		var list []string
		for _, c := range it.Categories {
			list = append(list, cmp.Or(c.Label, c.Term))
		}
		slices.Sort(list) // their order says nothing
		return strings.Join(list, ", ")
	}},
	{name: "files", lines: true, of: func(it *feed.Item) string {
		var list []string
		for _, e := range it.Enclosures {
			list = append(list, e.URL)
		}
		return strings.Join(list, "\n")
	}},
}

func authors(it *feed.Item) string {
	var list []string
	for _, a := range it.Authors {
		if name := cmp.Or(a.Name, a.Email, a.URL); name != "" {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

// Share is how much of the longer of two texts their difference leaves as it is,
// from 0 to 1, by letters.
func Share(changes []html.Change) float64 {
	var same, was, is int
	for _, c := range changes {
		n := len(c.Text)
		switch c.Op {
		case html.Equal:
			same, was, is = same+n, was+n, is+n
		case html.Delete:
			was += n
		case html.Insert:
			is += n
		}
	}
	if longer := max(was, is); longer > 0 {
		return float64(same) / float64(longer)
	}
	return 1
}
