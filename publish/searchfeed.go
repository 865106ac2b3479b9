package publish

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// maxFoundBytes bounds what is kept of searches: their heads and ids, not their
// texts.
const maxFoundBytes = 4 << 20

// maxFoundAge is for how long a search is not made again while the archive stands
// still: its relative dates move on all the same.
const maxFoundAge = time.Minute

// found is a search as it was made last.
type found struct {
	cursor  store.Cursor // that the index had come to
	evicted uint64       // see Publisher.prepare
	at      time.Time
	doc     *web.Feed
}

// SearchFeed implements web.Library: one page of what is found, as a feed
// (RFC 5005 §3). A story is carried once, by its first member that matches, as in
// other feeds; the numbers of OpenSearch count items. A search whose results are
// all on one page says so (RFC 5005 §2).
func (p *Publisher) SearchFeed(ctx context.Context, s web.Search) (*web.Feed, error) {
	if p.index == nil {
		return nil, web.ErrNoSearch
	}
	key := s.Encode()
	if f := p.fresh(key); f != nil {
		return f, nil
	}
	release, err := p.searches.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if f := p.fresh(key); f != nil {
		return f, nil // another request made it meanwhile
	}
	now := found{cursor: p.index.Cursor(), evicted: p.evicted.Load(), at: time.Now()}
	if now.doc, err = p.search(ctx, s); err != nil {
		return nil, err
	}
	p.found.put(key, &now, int64(4<<10+64*len(key)))
	return now.doc, nil
}

// fresh is a search that was made and would give the same now, or nil.
func (p *Publisher) fresh(key string) *web.Feed {
	f, ok := p.found.get(key)
	if !ok || f.cursor != p.index.Cursor() || f.evicted != p.evicted.Load() || time.Since(f.at) > maxFoundAge {
		return nil
	}
	return f.doc
}

// search asks the index and makes the head of the document.
func (p *Publisher) search(ctx context.Context, s web.Search) (*web.Feed, error) {
	st := p.state
	o := store.SearchOptions{Order: s.Order, Limit: s.Limit, AsOf: s.AsOf, Cursor: s.Cursor, Steady: true}
	if o.Limit == 0 {
		o.Limit = st.cfg.Limit
	}
	page, err := p.index.Search(ctx, s.Query, o)
	if err != nil {
		return nil, fmt.Errorf("search %q: %w", s.Query, err)
	}
	hits, items, err := p.withoutCopies(ctx, s.Query, page.Hits)
	if err != nil {
		return nil, fmt.Errorf("search %q: %w", s.Query, err)
	}
	f := &shelf{name: "search", title: "Search: " + s.Query.String(), about: strings.Join(page.Notes, "; ")}
	if !s.AsOf.IsZero() {
		f.title += ", as of " + s.AsOf.Format(time.DateOnly)
	}
	st.complete(f)
	rf, err := p.searchHead(ctx, f, s, &page, o.Limit)
	if err != nil {
		return nil, err
	}
	var arrivals []member
	for i := range items {
		h := headOf(&items[i])
		arrivals = append(arrivals, member{id: h.ID, arrived: h.FirstSeen})
		at := h.Revised
		if !s.AsOf.IsZero() && at.After(s.AsOf) {
			at = h.FirstSeen
		}
		if at.After(rf.Updated) {
			rf.Updated = at.UTC()
		}
	}
	rf.TTL = maxAge(arrivals)
	entries, err := p.entriesOf(ctx, f, hits, s.AsOf)
	if err != nil {
		return nil, err
	}
	full := *rf
	full.Entries = entries
	version := versionOf(&full)
	load := func(ctx context.Context) (*render.Feed, error) {
		full := *rf
		var err error
		if full.Entries, err = p.entriesOf(ctx, f, hits, s.AsOf); err != nil {
			return nil, err
		}
		if versionOf(&full) != version {
			p.found.drop(s.Encode())
			return nil, web.ErrStale
		}
		return &full, nil
	}
	return p.document(&web.Feed{Name: "search", Feed: rf, Formats: f.formats, Version: version, MaxAge: rf.TTL}, load), nil
}

// searchHead is the head of a page of a search.
func (p *Publisher) searchHead(ctx context.Context, f *shelf, s web.Search, page *store.SearchPage, perPage int) (*render.Feed, error) {
	rf, err := p.feedOf(ctx, f)
	if err != nil {
		return nil, err
	}
	authority, err := p.authority(ctx)
	if err != nil {
		return nil, err
	}
	address := func(s web.Search) render.Address {
		return render.Address(p.state.base + "/search.{format}?" + s.Encode())
	}
	first := s
	first.Start, first.Cursor = 0, ""
	rf.ID = authority + "search?" + first.Encode()
	rf.Self = address(s)
	rf.Home = p.state.base + "/search?q=" + url.QueryEscape(s.Query.String())
	rf.Hubs = nil // nobody is told of what was only asked
	rf.Updated = time.Unix(0, 0).UTC()
	start := max(s.Start, 1)
	rf.Search = &render.Search{
		Terms: s.Query.String(), Total: page.Total, Start: start, PerPage: perPage, Description: p.state.base + "/opensearch.xml",
	}
	if page.Next != "" && start+len(page.Hits) <= web.MaxSearchStart {
		next := s
		next.Start, next.Cursor = start+len(page.Hits), page.Next
		rf.Paging.Next = address(next)
	}
	switch {
	case rf.Paging.Next != "" || start > 1:
		rf.Paging.First = address(first)
	default:
		rf.Paging.Complete = page.Exact
	}
	return rf, nil
}

// withoutCopies gives the hits that carry their stories, and their items.
func (p *Publisher) withoutCopies(ctx context.Context, q *query.Query, hits []store.Hit) ([]store.Hit, []feed.Item, error) {
	ids := make([]feed.ItemID, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	items, err := readItems(ctx, p.archive, ids, 0)
	if err != nil {
		return nil, nil, err
	}
	by := make(map[feed.ItemID]*feed.Item, len(items))
	for i := range items {
		by[items[i].ID] = &items[i]
	}
	now := time.Now()
	asFeed := &shelf{pred: predicate{content: true, match: func(c *candidate) bool {
		_, ok := q.Match(c.doc, now)
		return ok
	}}}
	var carrying []store.Hit
	var out []feed.Item
	for _, h := range hits {
		it := by[h.ID]
		if it == nil || it.Withdrawn || it.TakenDown {
			continue // since the index was asked
		}
		if it.Story != it.ID && !it.Story.IsZero() {
			first, err := p.carrier(ctx, asFeed, it.Story)
			if err != nil {
				return nil, nil, err
			}
			if first != nil && first.head.ID != it.ID {
				continue // it is a hit of its own
			}
		}
		carrying, out = append(carrying, h), append(out, *it)
	}
	return carrying, out, nil
}

// entriesOf makes the entries of hits: as they are, or as they were.
func (p *Publisher) entriesOf(ctx context.Context, f *shelf, hits []store.Hit, asOf time.Time) ([]render.Entry, error) {
	if asOf.IsZero() {
		ids := make([]feed.ItemID, len(hits))
		for i, h := range hits {
			ids[i] = h.ID
		}
		return p.prepare(ctx, ids, f.content)
	}
	out := make([]render.Entry, 0, len(hits))
	for _, h := range hits {
		e, err := p.entryAsOf(ctx, f, event{item: h.ID, rev: uint32(h.Revision)}) //nolint:gosec // revisions are counted
		if errors.Is(err, store.ErrNotFound) {
			continue // taken down meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("item %s, revision %s: %w", h.ID, strconv.Itoa(h.Revision), err)
		}
		out = append(out, e)
	}
	return out, nil
}
