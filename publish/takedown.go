package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"chancery/feed"
	"chancery/store"
)

// takedown starts new chains for the feeds whose documents hold an item that was
// taken down: the old ones are gone (PUB-53), and the new ones are made from the
// beginning of the log, in which the item has no content any more.
func (p *Publisher) takedown(ctx context.Context, h *history, r store.Record) error {
	for _, name := range slices.Sorted(maps.Keys(h.all)) {
		c := h.all[name]
		if c.cursor >= r.Seq {
			continue
		}
		holds, err := p.holds(ctx, c, r.Edit.Items)
		if err != nil {
			return err
		}
		if !holds {
			continue
		}
		// In one commit: a new epoch alone would make the old chain look remade.
		epoch := store.LedgerEntry{Space: historySpace, Key: name + " epoch", Value: fmt.Appendf(nil, "%d", r.Seq)}
		if err := p.retire(ctx, name, c.id, "takedown", epoch); err != nil {
			return err
		}
		fresh, err := p.openChain(ctx, c.shelf)
		if err != nil {
			return err
		}
		if err := p.rebuild(ctx, fresh, r.Seq); err != nil {
			return err
		}
		p.chains.mu.Lock()
		h.all[name] = fresh
		p.chains.mu.Unlock()
		c.shelf.snap.Store(nil)
	}
	return nil
}

// rebuild takes the log before a record into a fresh chain.
func (p *Publisher) rebuild(ctx context.Context, c *chain, until store.Cursor) error {
	for at := c.cursor; at < until-1; {
		records, next, err := p.archive.Follow(ctx, at, followed, 200)
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Seq >= until {
				break
			}
			ch := changeOf([]store.Record{r})
			list, err := p.touched(ctx, &ch, []store.Record{r})
			if err != nil {
				return err
			}
			if err := p.advance(ctx, c, &ch, list); err != nil {
				return err
			}
		}
		at = next
	}
	return p.finish(ctx, c, until-1)
}

// holds reports whether a chain's documents name one of the items.
func (p *Publisher) holds(ctx context.Context, c *chain, items []feed.ItemID) (bool, error) {
	names := func(e event) bool { return slices.Contains(items, e.item) }
	if slices.ContainsFunc(c.pending, names) {
		return true, nil
	}
	for n := 1; n <= c.pages; n++ {
		events, err := p.page(ctx, c.shelf.name, c.id, n)
		if err != nil || slices.ContainsFunc(events, names) {
			return err == nil, err
		}
	}
	return false, nil
}
