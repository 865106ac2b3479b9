package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/publish/web"
)

// maxPages bounds how deep a feed is paged.
const maxPages = 200

func pagedName(name string, n int) string {
	if n == 1 {
		return name
	}
	return name + "/page/" + strconv.Itoa(n)
}

func (p *Publisher) pagedAddress(f *shelf, n int) render.Address {
	return p.state.address(pagedName(f.name, n))
}

// Paged implements web.Library: page n, from 2, of a feed without a history of its
// own (RFC 5005 §3). What the live feed shows is page 1; the pages together hold
// what the feed holds, as far as maxScan reaches, and move as new entries come.
func (p *Publisher) Paged(ctx context.Context, name string, n int) (*web.Feed, error) {
	f, err := p.shelf(ctx, name)
	if moved, ok := errors.AsType[*web.MovedError](err); ok && p.state.fixed[moved.Name] == nil {
		moved.Name = pagedName(moved.Name, n) // where the canonical feed has pages, too
	}
	if err != nil {
		return nil, err
	}
	switch {
	case f.minted || n < 1 || n > maxPages:
		return nil, web.ErrNotFound
	case n == 1:
		return nil, &web.MovedError{Name: f.name}
	}
	first, err := p.snapshotOf(ctx, f)
	if err != nil {
		return nil, err
	}
	release, err := p.builds.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := p.everything(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("page %d of feed %s: %w", n, f.name, err)
	}
	// Page 1 is the live feed, whatever its length; the others follow it.
	on := map[feed.ItemID]bool{}
	for _, id := range first.ids {
		on[id] = true
	}
	rest := all[:0]
	for _, m := range all {
		if !on[m.id] {
			rest = append(rest, m)
		}
	}
	from := (n - 2) * f.limit
	if from >= len(rest) {
		return nil, web.ErrNotFound
	}
	to := min(from+f.limit, len(rest))
	entries, err := p.prepare(ctx, idsOf(rest[from:to]), f.content)
	if err != nil {
		return nil, err
	}
	rf, err := p.feedOf(ctx, f)
	if err != nil {
		return nil, err
	}
	rf.Hubs = nil // page 1 is what can be subscribed to
	rf.Self, rf.Entries, rf.Updated, rf.TTL = p.pagedAddress(f, n), entries, first.doc.Feed.Updated, first.doc.Feed.TTL
	rf.Paging = render.Paging{First: p.pagedAddress(f, 1), Previous: p.pagedAddress(f, n-1)}
	if to < len(rest) && n < maxPages {
		rf.Paging.Next = p.pagedAddress(f, n+1)
	}
	return p.whole(&web.Feed{Name: pagedName(f.name, n), Feed: rf, Formats: f.formats, MaxAge: max(first.doc.MaxAge, time.Minute)}), nil
}

// everything lists the members of a feed, newest first, as far as maxScan reaches.
func (p *Publisher) everything(ctx context.Context, f *shelf) ([]member, error) {
	w := newWindow(maxScan)
	w.late.max = maxScan
	if err := p.scan(ctx, f, w); err != nil {
		return nil, err
	}
	out := w.all()
	slices.SortFunc(out, newestFirst)
	return out, nil
}
