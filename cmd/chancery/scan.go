package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// hit is an item that a query selects.
type hit struct {
	item  feed.Item
	match query.Match // of a scan
	at    *store.Hit  // of a search through the index
}

// scanPage is how many items are read at a time: enough to make a read
// transaction worth it, few enough that large posts don't fill the memory.
const scanPage = 200

// scan visits the items that q selects (nil: all), in the order of h. It reads
// every item of the archive, so its time grows with it; its memory does not.
// visit returns false to end.
func (e *Env) scan(ctx context.Context, q *query.Query, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error {
	_, err := e.scanReadable(ctx, q, h, titles, visit)
	return err
}

// scanReadable is scan, and counts the items that are damaged: they are passed over.
func (e *Env) scanReadable(ctx context.Context, q *query.Query, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) (unread int, err error) {
	now := time.Now().UTC()
	doc := query.NewDoc
	if q != nil && !readsText(q) { // making plain text of markup is most of the work
		doc = func(it *feed.Item, title string) *query.Doc { return query.NewDocOf(it, title, "", "", "") }
	}
	h.Limit = 1000
	for {
		heads, err := e.Archive.Heads(ctx, h)
		if err != nil {
			return unread, err
		}
		for page := range slices.Chunk(heads, scanPage) {
			ids := make([]feed.ItemID, len(page))
			for i := range page {
				ids[i] = page[i].ID
			}
			items, err := e.Archive.Items(ctx, ids, store.AllFields)
			if err != nil {
				return unread, err
			}
			unread += len(ids) - len(items)
			for i := range items {
				if ctx.Err() != nil {
					return unread, context.Cause(ctx)
				}
				found := hit{item: items[i]}
				if q != nil {
					var ok bool
					if found.match, ok = q.Match(doc(&items[i], titles[items[i].Source]), now); !ok {
						continue
					}
				}
				more, err := visit(found)
				if err != nil || !more {
					return unread, err
				}
			}
			if ctx.Err() != nil {
				return unread, context.Cause(ctx)
			}
		}
		if len(heads) < h.Limit {
			return unread, nil
		}
		last := heads[len(heads)-1]
		h.After = &last
	}
}

// readsText reports whether a query asks for words, or for the language, which may have to
// be told by the words.
func readsText(q *query.Query) bool {
	reads := len(q.Terms()) > 0
	query.Walk(q.Root, func(n query.Node) bool {
		_, lang := n.(*query.Lang)
		reads = reads || lang
		return !reads
	})
	return reads
}

// sourceTitles are what the sources are called.
func (e *Env) sourceTitles(ctx context.Context) (map[feed.SourceID]string, error) {
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	titles := make(map[feed.SourceID]string, len(sources))
	for _, s := range sources {
		titles[s.ID] = cmp.Or(s.Title, string(s.ID))
	}
	return titles, nil
}

// withCaret adds to the error of a query the line that is wrong, and a caret under
// the place.
func withCaret(err error, text string) error {
	bad, ok := errors.AsType[*query.SyntaxError](err)
	if !ok {
		return err
	}
	lines := strings.Split(text, "\n")
	if bad.Line < 1 || bad.Line > len(lines) {
		return err
	}
	line := []rune(lines[bad.Line-1])
	at := min(bad.Column-1, len(line))
	const around = 50 // characters before and behind the place
	from, to := max(0, at-around), min(len(line), at+around)
	before, rest := "", ""
	if from > 0 {
		before = "…"
	}
	if to < len(line) {
		rest = "…"
	}
	before += shownAs(line[from:at])
	return failWith(statusOf(err), fmt.Errorf("%w\n  %s%s%s\n  %s^", err, before, shownAs(line[at:to]), rest, strings.Repeat(" ", textWidth(before))))
}

// shownAs is a part of a line as a terminal can show it, a character for each.
func shownAs(part []rune) string { return printable(string(part)) }

// parseQuery reads a query of the command line. The error shows the place.
func parseQuery(text string) (*query.Query, error) {
	q, err := query.Parse(text)
	if err != nil {
		const whole = 200 // bytes: of a longer query the place is enough
		if len(text) > whole {
			return nil, dataError("query of %d bytes: %w", len(text), err)
		}
		return nil, dataError("query %q: %w", text, err)
	}
	return q, nil
}
