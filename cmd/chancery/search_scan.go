package main

import (
	"context"
	"errors"
	"slices"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// errSlow is why a search ends that took its time.
var errSlow = errors.New("the time for the search ran out")

// searchByReading answers a search without the index: it reads every item of the
// archive, for as long as the search may take.
func (e *Env) searchByReading(ctx context.Context, q *query.Query, text string, o searchOptions) error {
	slow := false
	scan := func(ctx context.Context, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error {
		within := ctx
		if o.timeout > 0 {
			var cancel context.CancelFunc
			within, cancel = context.WithTimeoutCause(ctx, o.timeout, errSlow)
			defer cancel()
		}
		err := e.scan(within, q, h, titles, func(found hit) (bool, error) {
			if found.item.TakenDown { // the index has none of these either
				return true, nil
			}
			return visit(found)
		})
		if err != nil && ctx.Err() == nil && errors.Is(context.Cause(within), errSlow) {
			slow = true
			return nil
		}
		return err
	}
	if err := e.scanned(ctx, text, o, scan); err != nil || !slow {
		return err
	}
	e.note("stopped after %v without having looked at every item; --timeout gives a search more time", o.timeout)
	return quietly(exitFailed)
}

// scanFunc visits the items of a search.
type scanFunc func(ctx context.Context, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error

// scanned prints what scan finds.
func (e *Env) scanned(ctx context.Context, text string, o searchOptions, scan scanFunc) error {
	h := store.HeadQuery{Ascending: o.order == store.Oldest}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return err
	}
	if o.count {
		n := 0
		if err := scan(ctx, h, titles, func(hit) (bool, error) { n++; return true, nil }); err != nil {
			return err
		}
		return e.printf("%d\n", n)
	}
	w, err := e.itemWriter(ctx, o.format, feedHead{title: "Search: " + text, path: "search", query: text}, titles)
	if err != nil {
		return err
	}
	if o.order == store.Relevance {
		if err := e.byRelevance(ctx, scan, h, o.limit, titles, w); err != nil {
			return err
		}
		return w.end()
	}
	n := 0
	err = scan(ctx, h, titles, func(found hit) (bool, error) {
		n++
		return o.limit == 0 || n < o.limit, w.item(found)
	})
	if err != nil {
		return err
	}
	return w.end()
}

// maxRanked bounds how many hits are kept for ranking.
const maxRanked = 10_000

// byRelevance keeps the best hits, newest first among equals, and writes them.
func (e *Env) byRelevance(ctx context.Context, scan scanFunc, h store.HeadQuery, limit int, titles map[feed.SourceID]string, w itemWriter) error {
	if limit == 0 || limit > maxRanked {
		limit = maxRanked
	}
	var best []hit
	err := scan(ctx, h, titles, func(found hit) (bool, error) {
		at, _ := slices.BinarySearchFunc(best, found, func(a, b hit) int {
			if a.match.Score >= b.match.Score { // what came first (newer) stays before
				return -1
			}
			return 1
		})
		if at < limit {
			best = slices.Insert(best, at, found)
			best = best[:min(len(best), limit)]
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, found := range best {
		if err := w.item(found); err != nil {
			return err
		}
	}
	return nil
}
