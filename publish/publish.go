// Package publish is the way out: from the archive to readers.
//
// A [Publisher] follows the log of the archive with a cursor of its own and keeps
// for every feed that somebody asks for the window of its newest entries. A change
// touches the feeds that carry the item, before or after; their documents are made
// again at the next request, once for each format and coding, and kept within a
// bound of memory. A feed is a function of the archive: two publishers on one
// archive give the same bytes.
//
// Feeds are those of topics, of the configuration ([Feed]), of each source, of all
// items, and boolean combinations of them. A topic, boolean, configured or all feed
// carries a story once, by its first item that matches; a source's feed carries
// that source's own items.
//
// publish/render writes the documents, publish/web serves them.
package publish

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// Archive is what the publisher asks of the archive.
type Archive interface {
	Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error)
	Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error)
	Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error)
	Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, max int) ([]store.Record, store.Cursor, error)
	End(ctx context.Context) (store.Cursor, error)
	Sources(ctx context.Context) ([]store.SourceState, error)
	Stats(ctx context.Context) (store.Stats, error)
	store.Ledger
}

// Publisher is the outbound half of the daemon. Its methods are safe for
// concurrent use.
type Publisher struct {
	archive Archive
	log     *slog.Logger
	web     *web.Server

	state   atomic.Pointer[state]                           // the definitions in force
	sources atomic.Pointer[map[feed.SourceID]render.Source] // as the archive has them
	entries *cache[entryKey, render.Entry]                  // prepared
	pages   *cache[pageKey, []byte]                         // rendered
	evicted atomic.Uint64                                   // counts changes of items: see prepare
	builds  chan struct{}                                   // bounds feeds being made at once
	waiting atomic.Int64                                    // for builds
	cursor  atomic.Uint64                                   // what Run has seen
	minted  atomic.Pointer[string]                          // the authority of ids
	idle    *sync.Cond                                      // signals that cursor moved
}

// state is a set of definitions, replaced as a whole by Reload.
type state struct {
	cfg    Config
	base   string // cfg.BaseURL without a slash at the end
	defs   Definitions
	labels map[feed.TopicID]string
	fixed  map[string]*shelf // "all", topics, configured feeds

	mu      sync.RWMutex      // guards all below
	sources map[string]*shelf // "source/…"
	madeBy  map[string]*shelf // boolean feeds
	order   []string          // of madeBy, oldest first
}

// entryKey names a prepared entry: the content, "full" or "summary", is part of it.
type entryKey struct {
	item    feed.ItemID
	content string
}

type pageKey struct {
	version feed.Digest
	format  render.Format
	gzip    bool
}

// New makes a publisher. Errors name every fault of the configuration and of the
// definitions.
func New(cfg Config, defs Definitions, archive Archive, log *slog.Logger) (*Publisher, error) {
	p := &Publisher{
		archive: archive, log: log,
		builds: make(chan struct{}, 4), // a build is some ms of CPU; more at once only queue
	}
	p.idle = sync.NewCond(new(sync.Mutex))
	st, err := newState(cfg, defs)
	if err != nil {
		return nil, err
	}
	p.state.Store(st)
	p.entries = newCache[entryKey, render.Entry](cfg.CacheBytes / 2)
	p.pages = newCache[pageKey, []byte](cfg.CacheBytes / 2)
	p.web, err = web.New(p, log)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Reload puts other definitions in force, as a whole or not at all. The bound of
// the cache stays as it was at the start.
func (p *Publisher) Reload(cfg Config, defs Definitions) error {
	st, err := newState(cfg, defs)
	if err != nil {
		return err
	}
	p.state.Store(st)
	p.evicted.Add(1)
	p.entries.clear() // topics may have other names
	return nil
}

// Handler is the public side.
func (p *Publisher) Handler() http.Handler { return p.web }

// followed are the kinds of record that can change a feed.
var followed = store.KindsOf(store.KindItem, store.KindRevision, store.KindReparsed, store.KindSource, store.KindTopics,
	store.KindMerge, store.KindSplit, store.KindWithdrawn, store.KindTakedown)

// Run follows the archive until ctx ends. Feeds that are asked for before or
// while it runs are read from the archive as it is, so it starts at the end.
func (p *Publisher) Run(ctx context.Context) error {
	err := p.follow(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("follow the archive: %w", err)
}

// follow ends with an error, at the latest that ctx ended.
func (p *Publisher) follow(ctx context.Context) error {
	at, err := p.archive.End(ctx)
	if err != nil {
		return err
	}
	if err := p.readSources(ctx); err != nil {
		return err
	}
	for {
		p.moved(at)
		records, next, err := p.archive.Follow(ctx, at, followed, 500)
		if err != nil {
			return err
		}
		if err := p.apply(ctx, records); err != nil {
			return err
		}
		at = next
	}
}

func (p *Publisher) moved(at store.Cursor) {
	p.idle.L.Lock()
	p.cursor.Store(uint64(at))
	p.idle.L.Unlock()
	p.idle.Broadcast()
}

// Wait returns when Run has seen everything up to at, or ctx ends.
func (p *Publisher) Wait(ctx context.Context, at store.Cursor) error {
	stop := context.AfterFunc(ctx, func() {
		p.idle.L.Lock()
		defer p.idle.L.Unlock()
		p.idle.Broadcast()
	})
	defer stop()
	p.idle.L.Lock()
	defer p.idle.L.Unlock()
	for store.Cursor(p.cursor.Load()) < at {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.idle.Wait()
	}
	return nil
}

// readSources takes over what the archive knows of sources.
func (p *Publisher) readSources(ctx context.Context) error {
	all, err := p.archive.Sources(ctx)
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	m := make(map[feed.SourceID]render.Source, len(all))
	for _, s := range all {
		m[s.ID] = render.Source{
			ID: s.ID, Title: s.Title, Site: s.Site, Feed: s.Address(), Language: s.Language, Content: s.Content,
		}
	}
	p.sources.Store(&m)
	return nil
}

// source is what documents say about a source.
func (p *Publisher) source(id feed.SourceID) render.Source {
	if m := p.sources.Load(); m != nil {
		if s, ok := (*m)[id]; ok {
			return s
		}
	}
	return render.Source{ID: id, Title: string(id)}
}

func (p *Publisher) sourceTitle(id feed.SourceID) string { return p.source(id).Title }

// change is what a batch of records says about one story.
type change struct {
	items   map[feed.ItemID]bool
	stories map[feed.ItemID]bool
	sources map[feed.SourceID]bool
	at      time.Time // of the last record
}

// apply brings the windows up to date with records.
func (p *Publisher) apply(ctx context.Context, records []store.Record) error {
	ch := change{items: map[feed.ItemID]bool{}, stories: map[feed.ItemID]bool{}, sources: map[feed.SourceID]bool{}}
	for _, r := range records {
		if r.Time.After(ch.at) {
			ch.at = r.Time
		}
		switch {
		case r.Item != nil:
			ch.items[r.Item.ID] = true
		case r.Kind == store.KindSource:
			if r.Edit != nil && r.Edit.Source != nil {
				ch.sources[r.Edit.Source.ID] = true
			}
		case r.Edit != nil:
			for _, id := range r.Edit.Items {
				ch.items[id] = true
			}
		}
	}
	if len(ch.sources) > 0 {
		if err := p.readSources(ctx); err != nil {
			return err
		}
	}
	heads, err := p.storiesOf(ctx, &ch)
	if err != nil {
		return err
	}
	p.evicted.Add(1)
	for id := range heads {
		p.entries.drop(entryKey{id, "full"})
		p.entries.drop(entryKey{id, "summary"})
	}
	if len(ch.sources) > 0 {
		p.entries.clear() // every entry of a source names it
	}
	// One candidate for all feeds: its words are split once.
	list := make([]*candidate, 0, len(heads))
	for _, h := range heads {
		list = append(list, &candidate{head: h})
	}
	slices.SortFunc(list, func(a, b *candidate) int { return bytes.Compare(a.head.ID[:], b.head.ID[:]) })
	for _, f := range p.state.Load().all() {
		if err := p.update(ctx, f, &ch, list); err != nil {
			return err
		}
	}
	return nil
}

// storiesOf reads the heads of all members of the stories that ch touches, as
// they are now, and adds the stories to ch.
func (p *Publisher) storiesOf(ctx context.Context, ch *change) (map[feed.ItemID]store.Head, error) {
	ids := slices.Collect(maps.Keys(ch.items))
	heads := map[feed.ItemID]store.Head{}
	for part := range slices.Chunk(ids, 1000) {
		items, err := p.archive.Items(ctx, part, 0)
		if err != nil {
			return nil, err
		}
		for i := range items {
			story := items[i].Story
			if story.IsZero() {
				story = items[i].ID
			}
			if ch.stories[story] {
				continue
			}
			ch.stories[story] = true
			hs, err := p.archive.Heads(ctx, store.HeadQuery{Story: story, ByArrival: true, Ascending: true})
			if err != nil {
				return nil, err
			}
			for _, h := range hs {
				heads[h.ID] = h
			}
		}
	}
	return heads, nil
}

// update brings one feed up to date. cs are all members of all touched stories,
// by arrival.
func (p *Publisher) update(ctx context.Context, f *shelf, ch *change, cs []*candidate) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window == nil {
		return nil // nobody asked for it
	}
	dirty := len(ch.sources) > 0 && slices.ContainsFunc(f.window.all(), func(m member) bool { return ch.sources[m.source] })
	// Whatever the feed has of a touched item goes, and comes back if it should:
	// an item can have changed its story.
	removed := f.window.remove(func(m member) bool {
		return ch.items[m.id] || ch.stories[m.story] || slices.ContainsFunc(cs, func(c *candidate) bool { return c.head.ID == m.id })
	})
	in := map[feed.ItemID]*candidate{} // story → carrier
	matched, err := p.matching(ctx, f.pred, cs)
	if err != nil {
		return err
	}
	for _, c := range matched {
		if s := f.storyOf(&c.head); in[s] == nil {
			in[s] = c
		}
	}
	for _, c := range matched {
		if s := f.storyOf(&c.head); in[s] != c {
			continue
		}
		m, err := p.member(ctx, f, f.window, c)
		if err != nil {
			return err
		}
		if f.window.seeded.IsZero() {
			// The first that could be in it: only now it is known what is late.
			f.window = nil
			f.snap.Store(nil)
			return nil
		}
		if f.window.put(m) {
			dirty = true
		}
		delete(removed, m.story)
	}
	if len(removed) > 0 {
		dirty = true
		f.left = ch.at.UTC()
	}
	if f.window.stale() {
		f.window, dirty = nil, true // read anew at the next request
	}
	if dirty {
		f.snap.Store(nil)
	}
	return nil
}
