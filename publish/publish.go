// Package publish is the way out: from the archive to readers.
//
// A [Publisher] follows the log of the archive with a cursor of its own and keeps,
// for every feed that somebody asks for, a window of its newest entries. A change of
// an item touches the feeds that carried it before or carry it now; their documents
// are made again at the next request, once for each format and coding, and kept within
// a bound of memory. A feed is a function of the archive: two publishers on one
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
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/hub"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// Archive is what the publisher asks of the archive.
type Archive interface {
	Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error)
	Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error)
	Raw(ctx context.Context, id feed.ItemID, revision int) (store.Document, error)
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

	state      *state                                          // what is published
	sources    atomic.Pointer[map[feed.SourceID]render.Source] // as the archive has them
	entries    *cache[entryKey, render.Entry]                  // prepared
	pages      *cache[pageKey, []byte]                         // rendered
	evicted    atomic.Uint64                                   // counts what made prepared entries old: see prepare
	builds     *places                                         // for making feeds
	searches   *places                                         // for searching
	found      *cache[string, *found]                          // by canonical search
	chronicled atomic.Uint64                                   // what archive documents have seen
	cursor     atomic.Uint64                                   // what Run has seen
	minted     atomic.Pointer[string]                          // the authority of ids
	chains     chains                                          // histories, by feed
	step       sync.Mutex                                      // guards history, and is held while records are taken in
	history    *history                                        // nil while it catches up
	uses       uses                                            // of tokens
	hub        *hub.Hub                                        // nil: none
	pinger     *hub.Pinger                                     // nil: there is no outside hub
	index      store.Index                                     // nil: nothing can be searched
	prove      Prover                                          // nil: nothing can be proved
	manners    func() web.Manners                              // nil: nothing is polled here
	opened     chan struct{}                                   // closed when histories are open
	openOnce   sync.Once
	openings   atomic.Uint64 // of chains, counted
	idle       *sync.Cond    // signals that cursor moved
}

// state is what is published, by the configuration. Other definitions are another
// publisher's.
type state struct {
	cfg    Config
	base   string // cfg.BaseURL without a slash at the end
	defs   Definitions
	labels map[feed.TopicID]string
	rules  map[feed.TopicID]*web.Rule
	fixed  map[string]*shelf // "all", topics, configured feeds

	mu      sync.RWMutex      // guards all below
	sources map[string]*shelf // "source/…"
	madeBy  map[string]*shelf // boolean feeds
	order   []string          // of madeBy, oldest first
}

// entryKey names a prepared entry: what it carries is part of it.
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
		opened:   make(chan struct{}),
		builds:   newPlaces(4, 256), // a build is some ms of CPU; more at once only queue
		searches: newPlaces(2, 32),  // a search may take more than a second
	}
	p.idle = sync.NewCond(new(sync.Mutex))
	st, err := newState(cfg, defs)
	if err != nil {
		return nil, err
	}
	p.state = st
	p.entries = newCache[entryKey, render.Entry](cfg.CacheBytes / 5) // of which documents are made again
	p.found = newCache[string, *found](maxFoundBytes)
	p.pages = newCache[pageKey, []byte](cfg.CacheBytes - cfg.CacheBytes/5)
	p.web, err = web.New(p, log)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Handler is the public side.
func (p *Publisher) Handler() http.Handler { return p.web }

// followed are the kinds of record that can change a feed.
var followed = store.KindsOf(store.KindItem, store.KindRevision, store.KindReparsed, store.KindSource, store.KindTopics,
	store.KindMerge, store.KindSplit, store.KindWithdrawn, store.KindTakedown)

// Run follows the archive until ctx ends. It starts at the end of the log, because a
// feed that is asked for is read from the archive as it is then; the past, which only
// archive documents need, is read at the same time (see catchUp).
//
// A full or read-only disk does not end it: what there is goes on being served, and
// Run tries again until there is room (CONFORMANCE OPS-26).
func (p *Publisher) Run(ctx context.Context) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := p.run(ctx)
		if ctx.Err() != nil || !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrReadOnly) {
			return err
		}
		p.openOnce.Do(func() { close(p.opened) }) // better without archive documents than not at all
		p.log.LogAttrs(ctx, slog.LevelError, "feeds are served as they are: their history cannot be written",
			slog.Any("error", err), slog.Duration("again", wait))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// run is Run until something fails.
func (p *Publisher) run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.follow(gctx, g) })
	if p.hub != nil {
		g.Go(func() error {
			// Without their histories feeds would look changed to the hub.
			if err := p.Ready(gctx); err != nil {
				return err
			}
			return p.hub.Run(gctx)
		})
	}
	if p.pinger != nil {
		g.Go(func() error { return p.pinger.Run(gctx) })
	}
	err := errors.Join(g.Wait(), p.writeUses(context.WithoutCancel(ctx)))
	p.step.Lock()
	defer p.step.Unlock()
	if h := p.history; h != nil {
		// The archive is still open: cmd closes it after Run has returned.
		err = errors.Join(err, p.saveTails(context.WithoutCancel(ctx), h.all))
		p.history = nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("follow the archive: %w", err)
}

// follow takes in what happens in the archive. It ends only with an error: that of ctx,
// if no other comes first.
func (p *Publisher) follow(ctx context.Context, g *errgroup.Group) error {
	at, err := p.archive.End(ctx)
	if err != nil {
		return err
	}
	if err := p.readSources(ctx); err != nil {
		return err
	}
	// What was read before the log is followed may have missed something.
	for _, f := range p.state.all() {
		f.mu.Lock()
		f.window = nil
		f.snap.Store(nil)
		f.mu.Unlock()
	}
	p.evicted.Add(1)
	p.entries.clear()
	p.reached(&p.cursor, at)
	g.Go(func() error { return p.catchUp(ctx) })
	for {
		records, next, err := p.archive.Follow(ctx, at, followed, 500)
		if err != nil {
			return err
		}
		if err := p.advanceAll(ctx, records, next); err != nil {
			return err
		}
		at = next
	}
}

// advanceAll is one step of the follower: records into windows, and into the
// history if that has caught up.
func (p *Publisher) advanceAll(ctx context.Context, records []store.Record, next store.Cursor) error {
	p.step.Lock()
	defer p.step.Unlock()
	if err := p.apply(ctx, records); err != nil {
		return err
	}
	if p.history != nil {
		if err := p.chronicle(ctx, p.history, records, next); err != nil {
			return err
		}
		p.reached(&p.chronicled, next)
	}
	p.reached(&p.cursor, next)
	return nil
}

// reached moves a cursor and wakes those who wait for it.
func (p *Publisher) reached(c *atomic.Uint64, at store.Cursor) {
	p.idle.L.Lock()
	c.Store(uint64(at))
	p.idle.L.Unlock()
	p.idle.Broadcast()
}

// Wait returns when the feeds have everything up to at, or ctx ends.
func (p *Publisher) Wait(ctx context.Context, at store.Cursor) error {
	return p.wait(ctx, &p.cursor, at)
}

// WaitHistory returns when the archive documents have everything up to at, or ctx
// ends.
func (p *Publisher) WaitHistory(ctx context.Context, at store.Cursor) error {
	return p.wait(ctx, &p.chronicled, at)
}

// Ready returns when Run has opened the histories of feeds. From then on feeds are what
// they were before a restart, so a program waits for it before it serves.
func (p *Publisher) Ready(ctx context.Context) error {
	select {
	case <-p.opened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Publisher) wait(ctx context.Context, c *atomic.Uint64, at store.Cursor) error {
	stop := context.AfterFunc(ctx, func() {
		p.idle.L.Lock()
		defer p.idle.L.Unlock()
		p.idle.Broadcast()
	})
	defer stop()
	p.idle.L.Lock()
	defer p.idle.L.Unlock()
	for store.Cursor(c.Load()) < at {
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
			ID: s.ID, Title: html.Neutral(s.Title), Site: s.Site, Feed: web.PublicURL(&s.Source), Language: s.Language, Content: s.Content,
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

// change is what a batch of records touches.
type change struct {
	items   map[feed.ItemID]bool
	stories map[feed.ItemID]bool
	sources map[feed.SourceID]bool
	at      time.Time // of the last record
	restory bool      // stories were merged or split
}

// changeOf says what records touch.
func changeOf(records []store.Record) change {
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
			// What a story's original is changes nothing: feeds carry what came first.
			original := r.Kind == store.KindMerge && !r.Edit.First.IsZero() && r.Edit.By == "rule"
			ch.restory = ch.restory || !original && (r.Kind == store.KindMerge || r.Kind == store.KindSplit)
		}
	}
	return ch
}

// apply brings the windows up to date with records.
func (p *Publisher) apply(ctx context.Context, records []store.Record) error {
	ch := changeOf(records)
	if len(ch.sources) > 0 {
		if err := p.readSources(ctx); err != nil {
			return err
		}
	}
	list, err := p.touched(ctx, &ch, records)
	if err != nil {
		return err
	}
	p.evicted.Add(1)
	for _, c := range list {
		for _, content := range contents {
			p.entries.drop(entryKey{c.head.ID, content})
		}
	}
	if len(ch.sources) > 0 || ch.restory {
		p.entries.clear() // every entry of a source names it, and "also at" is in entries of unknown stories
	}
	for _, f := range p.state.all() {
		if err := p.update(ctx, f, &ch, list); err != nil {
			return err
		}
	}
	return nil
}

// touched gives all members of the stories that records touch, by arrival, and
// adds the stories to ch. One candidate serves all feeds: its words are split once.
func (p *Publisher) touched(ctx context.Context, ch *change, records []store.Record) ([]*candidate, error) {
	have := map[feed.ItemID]*candidate{}
	var ask []feed.ItemID
	seen := map[feed.ItemID]bool{}
	for _, r := range records {
		switch {
		case r.Kind == store.KindItem && r.Item != nil && (r.Item.Story == r.Item.ID || r.Item.Story.IsZero()):
			// The first of its story: nobody else can be in it yet. What happened
			// since has a record of its own.
			have[r.Item.ID] = &candidate{head: headOf(r.Item), item: r.Item}
			ch.stories[r.Item.ID] = true
		case r.Item != nil:
			ask = append(ask, r.Item.ID)
		case r.Edit != nil:
			ask = append(ask, r.Edit.Items...)
		}
	}
	for part := range slices.Chunk(ask, 1000) {
		items, err := readItems(ctx, p.archive, part, 0)
		if err != nil {
			return nil, err
		}
		in := make(map[feed.ItemID]feed.ItemID, len(items))
		for i := range items {
			in[items[i].ID] = items[i].Story
		}
		for _, id := range part {
			story := cmp.Or(in[id], id) // of what is lost, if it is the first of its story
			if seen[story] {
				continue
			}
			seen[story], ch.stories[story] = true, true
			heads, err := p.archive.Heads(ctx, store.HeadQuery{Story: story, ByArrival: true, Ascending: true})
			if err != nil {
				return nil, err
			}
			for _, h := range heads {
				have[h.ID] = &candidate{head: h}
			}
		}
	}
	return slices.SortedFunc(maps.Values(have), func(a, b *candidate) int { return a.head.ID.Compare(b.head.ID) }), nil
}

// headOf is an item without its content.
func headOf(it *feed.Item) store.Head {
	h := store.Head{
		ID: it.ID, Story: it.Story, Source: it.Source, Effective: it.Effective(), FirstSeen: it.FirstSeen, Revised: cmp.Or(it.Changed, it.Revised),
		Revision: it.Revision, Topics: it.Topics, Language: it.Language, Withdrawn: it.Withdrawn, TakenDown: it.TakenDown,
	}
	if h.Revised.IsZero() {
		h.Revised = h.FirstSeen
	}
	return h
}

// update brings one feed up to date. cs are all members of all touched stories,
// by arrival.
func (p *Publisher) update(ctx context.Context, f *shelf, ch *change, cs []*candidate) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if src, ok := strings.CutPrefix(f.name, nameSource+"/"); ok && ch.sources[feed.SourceID(src)] && f.retitle(p.source(feed.SourceID(src))) {
		f.snap.Store(nil)
	}
	if f.window == nil {
		return nil // nobody asked for it
	}
	if ch.restory {
		// What the stories were before is not known any more; it is a person's
		// decision and rare.
		f.window = nil
		f.snap.Store(nil)
		return nil
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
