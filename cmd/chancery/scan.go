package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// hit is an item that a query selects.
type hit struct {
	item  feed.Item
	match query.Match
}

// scanPage is how many items are read at a time: enough to make a read
// transaction worth it, few enough that large posts don't fill the memory.
const scanPage = 200

// scan visits the items that q selects (nil: all), in the order of h. It reads
// every item of the archive, so its time grows with it; its memory does not.
// visit returns false to end.
func (e *Env) scan(ctx context.Context, q *query.Query, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error {
	now := time.Now().UTC()
	h.Limit = 1000
	for {
		heads, err := e.Archive.Heads(ctx, h)
		if err != nil {
			return err
		}
		for page := range slices.Chunk(heads, scanPage) {
			ids := make([]feed.ItemID, len(page))
			for i := range page {
				ids[i] = page[i].ID
			}
			items, err := e.Archive.Items(ctx, ids, store.AllFields)
			if err != nil {
				return err
			}
			for i := range items {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				found := hit{item: items[i]}
				if q != nil {
					var ok bool
					if found.match, ok = q.Match(query.NewDoc(&items[i], titles[items[i].Source]), now); !ok {
						continue
					}
				}
				more, err := visit(found)
				if err != nil || !more {
					return err
				}
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if len(heads) < h.Limit {
			return nil
		}
		last := heads[len(heads)-1]
		h.After = &last
	}
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
