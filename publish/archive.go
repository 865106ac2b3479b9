package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"chancery/feed"
	"chancery/feed/versions"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// past is what a live feed must know of its history.
type past struct {
	chain   string
	pages   int
	gen     uint64
	pending map[feed.ItemID]bool // in the feed, and in no archive document as they are now
	left    []event              // newest last
	last    time.Time            // of the newest event
}

// past gives the history of a feed as it is now; the zero value if it has none.
func (p *Publisher) past(f *shelf) past {
	c := p.chainOf(f.name)
	if c == nil {
		return past{}
	}
	gen := c.gen.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := past{chain: c.id, pages: c.pages, gen: gen, pending: map[feed.ItemID]bool{}, left: slices.Clone(c.recent), last: c.last}
	for _, e := range c.pending {
		if e.kind == left {
			delete(out.pending, e.item)
		} else {
			out.pending[e.item] = true
		}
	}
	return out
}

// withPending adds to the shown members what is in no archive document yet, so
// that the live feed and its archives together are the whole feed (PUB-48), and
// corrections of old entries appear (PUB-47).
func (p *Publisher) withPending(ctx context.Context, f *shelf, shown []member, past past) ([]member, error) {
	missing := make([]feed.ItemID, 0, len(past.pending))
	for id := range past.pending {
		if !slices.ContainsFunc(shown, func(m member) bool { return m.id == id }) {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return shown, nil
	}
	items, err := readItems(ctx, p.archive, missing, 0)
	if err != nil {
		return nil, err
	}
	cs := make([]*candidate, len(items))
	for i := range items {
		cs[i] = &candidate{head: headOf(&items[i])}
	}
	// As long as the history catches up, it may know of entries that left since.
	cs, err = p.matching(ctx, f.pred, cs)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(shown)
	for _, c := range cs {
		m, err := p.member(ctx, f, f.window, c)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o member) bool { return o.story == m.story }) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, newestFirst)
	return out, nil
}

// tellPast puts the links to the archive and the entries that left into a live
// feed.
func (p *Publisher) tellPast(ctx context.Context, rf *render.Feed, f *shelf, past past) error {
	if past.pages > 0 {
		rf.Paging.PrevArchive = p.archiveAddress(f, past.chain, past.pages)
	}
	var gone []event
	for _, e := range past.left {
		// Ninety days before the newest change, not before now: the bytes are a
		// function of the archive (PUB-01, PUB-52).
		if rf.Updated.Sub(e.at) <= buried {
			gone = append(gone, e)
		}
	}
	slices.Reverse(gone)
	var err error
	rf.Deleted, err = p.tombstones(ctx, gone)
	return err
}

// tombstones are the entries of events, by the ids that they had.
func (p *Publisher) tombstones(ctx context.Context, gone []event) ([]render.Tombstone, error) {
	if len(gone) == 0 {
		return nil, nil
	}
	ids := make([]feed.ItemID, len(gone))
	for i, e := range gone {
		ids[i] = e.item
	}
	items, err := readItems(ctx, p.archive, ids, 0)
	if err != nil {
		return nil, err
	}
	by := map[feed.ItemID]*feed.Item{}
	for i := range items {
		by[items[i].ID] = &items[i]
	}
	var out []render.Tombstone
	for _, e := range gone {
		it := by[e.item]
		if it == nil {
			continue
		}
		t := render.Tombstone{Ref: render.EntryID(it), When: e.at}
		switch {
		case it.TakenDown:
			t.Comment = "taken down"
		case it.Withdrawn:
			t.Comment = "withdrawn"
		}
		if !slices.ContainsFunc(out, func(o render.Tombstone) bool { return o.Ref == t.Ref && o.When.Equal(t.When) }) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (p *Publisher) archiveAddress(f *shelf, chain string, n int) render.Address {
	return p.state.address(archiveName(f.name, chain, n))
}

func archiveName(name, chain string, n int) string {
	return name + "/archive/" + chain + "/" + strconv.Itoa(n)
}

// Archived implements web.Library.
func (p *Publisher) Archived(ctx context.Context, name, chain string, n int) (*web.Feed, error) {
	f, err := p.shelf(ctx, name)
	if err != nil {
		return nil, err
	}
	c := p.chainOf(f.name)
	if c == nil || n < 1 {
		return nil, web.ErrNotFound
	}
	c.mu.Lock()
	id, pages := c.id, c.pages
	c.mu.Unlock()
	to := archiveName(f.name, id, n)
	if n == pages+1 {
		to = f.name // the live feed, until the document is full
	}
	switch {
	case chain == "" && n <= pages+1:
		return nil, &web.MovedError{Name: to, Temporary: true}
	case chain == "" || n > pages+1 && chain == id:
		return nil, web.ErrNotFound
	case chain != id:
		return nil, p.oldChain(ctx, f, chain, to, n <= pages+1)
	case n == pages+1:
		return nil, &web.MovedError{Name: to, Temporary: true}
	}
	release, err := p.builds.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	rf, err := p.archiveDocument(ctx, f, id, n)
	if err != nil {
		return nil, fmt.Errorf("make archive document %s: %w", archiveName(f.name, id, n), err)
	}
	return p.whole(&web.Feed{Name: archiveName(f.name, id, n), Feed: rf, Formats: f.formats, Immutable: true}), nil
}

// oldChain says what became of a chain that is not in use any more.
func (p *Publisher) oldChain(ctx context.Context, f *shelf, chain, to string, there bool) error {
	why, err := p.ledger(ctx, f.name+" old "+chain)
	switch {
	case err != nil:
		return err
	case string(why) == "takedown":
		return web.ErrGone // PUB-53
	case string(why) == "remade" && there:
		return &web.MovedError{Name: to, Renamed: true}
	case string(why) == "remade":
		return &web.MovedError{Name: f.name, Renamed: true}
	}
	return web.ErrNotFound
}

// documentHead is the head of f's documents, without making the feed itself.
func (p *Publisher) documentHead(ctx context.Context, f *shelf) (*render.Feed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := p.identify(ctx, f); err != nil {
		return nil, err
	}
	return p.feedOf(ctx, f)
}

// archiveDocument makes one document from its events: the entries as they were,
// newest event first, an entry once.
func (p *Publisher) archiveDocument(ctx context.Context, f *shelf, chain string, n int) (*render.Feed, error) {
	rf, err := p.documentHead(ctx, f)
	if err != nil {
		return nil, err
	}
	events, err := p.page(ctx, f.name, chain, n)
	if err != nil {
		return nil, err
	}
	rf.Hubs = nil // a hub has nothing to tell of what never changes
	live := rf.Self
	rf.Self = p.archiveAddress(f, chain, n)
	rf.Paging = render.Paging{Archive: true, Current: live, NextArchive: p.archiveAddress(f, chain, n+1)}
	if n > 1 {
		rf.Paging.PrevArchive = p.archiveAddress(f, chain, n-1)
	}
	rf.TTL = time.Hour
	rf.Updated = events[len(events)-1].at
	seen := map[feed.ItemID]bool{}
	var gone []event
	for _, e := range slices.Backward(events) {
		if seen[e.item] {
			continue // a later event of the same document says more
		}
		seen[e.item] = true
		if e.kind == left {
			gone = append(gone, e)
			continue
		}
		entry, err := p.entryAsOf(ctx, f, e)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rf.Entries = append(rf.Entries, entry)
	}
	rf.Deleted, err = p.tombstones(ctx, gone)
	return rf, err
}

// entryAsOf is the entry of an event: the revision that it names. Where else the
// story was is left out, as that goes on changing.
func (p *Publisher) entryAsOf(ctx context.Context, f *shelf, e event) (render.Entry, error) {
	items, err := readItems(ctx, p.archive, []feed.ItemID{e.item}, store.AllFields)
	if err != nil {
		return render.Entry{}, err
	}
	if len(items) == 0 || items[0].TakenDown {
		return render.Entry{}, store.ErrNotFound
	}
	it := &items[0]
	if it.Revision != int(e.rev) {
		all, err := p.archive.Revisions(ctx, e.item)
		if err != nil {
			return render.Entry{}, err
		}
		topics := it.Topics
		if it = versions.At(all, int(e.rev)); it == nil {
			return render.Entry{}, store.ErrNotFound
		}
		it.Topics = topics
	}
	it.AlsoIn = nil
	return p.entry(it, f.content), nil
}
