package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/query"
	"chancery/store"
)

// tableWriter writes items for a person: a line with date, source and title, one
// with what is needed to go on from there, and the part of the text that matched.
type tableWriter struct {
	e      *Env
	titles map[feed.SourceID]string
	n      int
	facets *store.Facets // shown below the items, if not nil
	sum    string        // the last line, if not empty
}

// The colors of a terminal, empty without.
type colors struct{ bold, dim, mark, plain string }

func (e *Env) colors() colors {
	if !e.Terminal.Color {
		return colors{}
	}
	return colors{"\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[0m"}
}

// columns is how wide lines may be; 0: there is no such bound.
func (e *Env) columns() int {
	if !e.Terminal.Out {
		return 0
	}
	return cmp.Or(e.Terminal.Width, 100)
}

func (t *tableWriter) item(found hit) error {
	it := &found.item
	columns, c := t.e.columns(), t.e.colors()
	title := store.Snippet{Text: cmp.Or(html.Plain(it.Title), it.URL, "(no title)")}
	if found.at != nil && found.at.Title.Text != "" {
		title = found.at.Title
	}
	head := fmt.Sprintf("%s  %s", it.Effective().Format("2006-01-02"), oneLine(t.titles[it.Source], 30))
	width := 0
	if columns > 0 {
		width = max(20, columns-textWidth(head)-2)
	}
	line := marked(title, width, 1, c.mark, c.plain+c.bold)
	t.n++
	if err := t.e.printf("%s%s%s  %s%s%s\n", c.dim, head, c.plain, c.bold, line[0], c.plain); err != nil {
		return err
	}
	tags := make([]string, 0, len(it.Topics))
	for _, tag := range it.Topics {
		if tag.Score >= 0 {
			tags = append(tags, string(tag.Topic))
		}
	}
	below := it.ID.String()
	if found.at != nil && it.Revision < it.Revisions {
		below += fmt.Sprintf("  version %d of %d", it.Revision, it.Revisions)
	}
	if len(tags) > 0 {
		below += "  [" + strings.Join(tags, " ") + "]"
	}
	if err := t.e.printf("  %s%s  %s%s\n", c.dim, below, oneLine(it.URL, 0), c.plain); err != nil {
		return err
	}
	if also := t.also(found); also != "" {
		if err := t.e.printf("  %salso at %s%s\n", c.dim, also, c.plain); err != nil {
			return err
		}
	}
	for _, l := range marked(t.snippet(found), max(0, columns-2), snippetLines, c.mark, c.plain) {
		if err := t.e.printf("  %s\n", l); err != nil {
			return err
		}
	}
	return nil
}

// maxAlso is how many other places of a story are named.
const maxAlso = 3

// also names where else the story of a hit stands.
func (t *tableWriter) also(found hit) string {
	if found.at == nil || found.at.AlsoAt == 0 {
		return ""
	}
	var names []string
	for _, s := range found.item.AlsoIn {
		if name := oneLine(cmp.Or(t.titles[s.Source], string(s.Source)), 30); len(names) < maxAlso && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if more := len(found.item.AlsoIn) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return cmp.Or(strings.Join(names, ", "), plural(found.at.AlsoAt, "other place"))
}

// snippet is the part of the text that matched.
func (t *tableWriter) snippet(found hit) store.Snippet {
	if found.at != nil {
		return found.at.Text
	}
	for _, ev := range found.match.Evidence {
		if ev.Field == query.Text {
			before, word, after := query.NewDoc(&found.item, t.titles[found.item.Source]).Snippet(ev.Place, 60)
			return store.Snippet{
				Text: before + word + after, Marks: [][2]int{{len(before), len(before) + len(word)}}, Before: true, After: true,
			}
		}
	}
	return store.Snippet{}
}

func (t *tableWriter) end() error {
	c := t.e.colors()
	if t.n == 0 {
		t.e.note("nothing found")
		return nil
	}
	if t.facets != nil {
		if err := t.e.printf("\n%s", facetText(t.facets, t.e.columns())); err != nil {
			return err
		}
	}
	switch {
	case t.sum == "":
	case t.e.Terminal.Out:
		return t.e.printf("\n%s%s%s\n", c.dim, t.sum, c.plain)
	default: // who counts lines shall count items
		t.e.note("%s", t.sum)
	}
	return nil
}
