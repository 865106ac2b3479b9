package publish

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// pageEvents is how many events make an archive document.
const pageEvents = 50

// pageSize is how many events make an archive document of f. The live feed must
// hold all that are in none yet, so it is not more than its limit.
func (f *shelf) pageSize() int { return min(pageEvents, f.limit) }

// maxRevised is how many corrections of old entries wait in the live feed for
// their archive document; with more of them, a template changed or a blog moved,
// and the document is made at once (flood guard).
const maxRevised = 20

// buried is how long the live feed tells of entries that left (PUB-52).
const buried = 90 * 24 * time.Hour

// maxTombstones bounds what the live feed tells of entries that left.
const maxTombstones = 100

// eventKind is what happened to a story in a feed.
type eventKind byte

const (
	entered eventKind = 'e'
	revised eventKind = 'r'
	left    eventKind = 'l'
)

// event is one step of a feed's history.
type event struct {
	kind  eventKind
	item  feed.ItemID
	story feed.ItemID // that the item carries
	rev   uint32
	at    time.Time // of the record that caused it
}

const eventSize = 1 + 16 + 16 + 4 + 8

func appendEvent(b []byte, e event) []byte {
	b = append(b, byte(e.kind))
	b = append(b, e.item[:]...)
	b = append(b, e.story[:]...)
	b = binary.BigEndian.AppendUint32(b, e.rev)
	return binary.BigEndian.AppendUint64(b, uint64(e.at.UnixMilli())) //nolint:gosec // a time after 1970
}

func readEvents(b []byte) ([]event, error) {
	if len(b)%eventSize != 0 {
		return nil, fmt.Errorf("%d bytes are no list of events", len(b))
	}
	out := make([]event, 0, len(b)/eventSize)
	for c := range slices.Chunk(b, eventSize) {
		e := event{kind: eventKind(c[0]), rev: binary.BigEndian.Uint32(c[33:]), at: time.UnixMilli(int64(binary.BigEndian.Uint64(c[37:]))).UTC()} //nolint:gosec // as written
		copy(e.item[:], c[1:])
		copy(e.story[:], c[17:])
		out = append(out, e)
	}
	return out, nil
}

// chain is the history of one feed: archive documents that never change, and the
// events that are in none yet. A feed that is made otherwise, by another query,
// renderer or sanitiser, or after a takedown, has another chain.
type chain struct {
	id    string
	shelf *shelf
	gen   atomic.Uint64 // counts changes

	mu      sync.Mutex   // guards all below
	cursor  store.Cursor // of what is in pages and pending
	pages   int
	pending []event
	recent  []event   // entries that left, for tombstones; newest last
	first   time.Time // of the oldest event
	last    time.Time // of the newest event
	// guarded: something is pending that does not belong into the live feed, so a
	// document must be finished with the records at hand.
	guarded bool
	// in holds the stories that are in the feed, by key, with a print of the item
	// and revision that carries each: 12 bytes a story where ids would be 40.
	in    map[uint64]uint32
	saved store.Cursor
}

// storyKey is 64 bits of an id: those that are a hash, and those of arrival.
func storyKey(id feed.ItemID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) ^ binary.BigEndian.Uint64(id[:8])*0x9E3779B97F4A7C15
}

// print is 32 bits that tell an item's revisions apart.
func print32(id feed.ItemID, rev int) uint32 {
	h := fnv.New32a()
	h.Write(id[:])
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(rev))) //nolint:gosec // revisions are counted
	return h.Sum32()
}

// historySpace is where chains are kept. Keys: "NAME tail", "NAME page CHAIN 00000001",
// "NAME epoch", "NAME old CHAIN".
const historySpace = "history"

// tail is what is kept of a chain beside its pages.
type tail struct {
	Chain   string `json:"chain"`
	Cursor  uint64 `json:"cursor"`
	Pages   int    `json:"pages"`
	Pending []byte `json:"pending"`
}

func tailKey(name string) string { return name + " tail" }

func pageKeyOf(name, chain string, n int) string {
	return fmt.Sprintf("%s page %s %08d", name, chain, n)
}

// chainID names a chain by everything that makes its documents.
func chainID(f *shelf, epoch string) string {
	d := digestOf(f.name, f.selection, fmt.Sprint(render.Version), fmt.Sprint(html.PolicyVersion), f.content, epoch)
	return hex.EncodeToString(d[:5])
}

// openChain reads what the ledger has of a feed's history.
func (p *Publisher) openChain(ctx context.Context, f *shelf) (*chain, error) {
	epoch, err := p.ledger(ctx, f.name+" epoch")
	if err != nil {
		return nil, err
	}
	c := &chain{id: chainID(f, string(epoch)), shelf: f, in: map[uint64]uint32{}}
	b, err := p.ledger(ctx, tailKey(f.name))
	if err != nil || b == nil {
		return c, err
	}
	var t tail
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("ledger key %q: %w", tailKey(f.name), err)
	}
	if t.Chain != c.id {
		// Made otherwise now. The old documents lead here and are forgotten.
		return c, p.retire(ctx, f.name, t.Chain, "remade")
	}
	c.cursor, c.saved, c.pages = store.Cursor(t.Cursor), store.Cursor(t.Cursor), t.Pages
	for n := 1; n <= c.pages; n++ {
		events, err := p.page(ctx, f.name, c.id, n)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			c.note(e)
		}
	}
	if c.pending, err = readEvents(t.Pending); err != nil {
		return nil, fmt.Errorf("ledger key %q: %w", tailKey(f.name), err)
	}
	for _, e := range c.pending {
		c.note(e)
	}
	return c, nil
}

// ledger gives a value of the history space, nil if there is none.
func (p *Publisher) ledger(ctx context.Context, key string) ([]byte, error) {
	b, err := p.archive.LedgerGet(ctx, historySpace, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// page reads the events of an archive document.
func (p *Publisher) page(ctx context.Context, name, chain string, n int) ([]event, error) {
	key := pageKeyOf(name, chain, n)
	b, err := p.archive.LedgerGet(ctx, historySpace, key)
	if err != nil {
		return nil, fmt.Errorf("ledger key %q: %w", key, err)
	}
	events, err := readEvents(b)
	if err != nil {
		return nil, fmt.Errorf("ledger key %q: %w", key, err)
	}
	return events, nil
}

// retire forgets a chain's documents and remembers why. "remade" leads to what
// there is now, "takedown" is gone.
func (p *Publisher) retire(ctx context.Context, name, chain, why string) error {
	writes := []store.LedgerEntry{
		{Space: historySpace, Key: name + " old " + chain, Value: []byte(why)},
		{Space: historySpace, Key: tailKey(name)},
	}
	prefix, after := name+" page "+chain+" ", ""
	for {
		got, err := p.archive.LedgerScan(ctx, historySpace, prefix, after, 1000)
		if err != nil {
			return err
		}
		for _, e := range got {
			writes = append(writes, store.LedgerEntry{Space: historySpace, Key: e.Key})
			after = e.Key
		}
		if len(got) < 1000 {
			return p.archive.LedgerWrite(ctx, writes)
		}
	}
}

// note takes an event into in and recent.
func (c *chain) note(e event) {
	k := storyKey(e.story)
	if e.at.After(c.last) {
		c.last = e.at
	}
	if c.first.IsZero() {
		c.first = e.at
	}
	if e.kind == left {
		delete(c.in, k)
		c.recent = append(c.recent, e)
		if len(c.recent) > maxTombstones {
			c.recent = slices.Clone(c.recent[len(c.recent)-maxTombstones:])
		}
		return
	}
	c.in[k] = print32(e.item, int(e.rev))
	c.recent = slices.DeleteFunc(c.recent, func(r event) bool { return r.item == e.item })
}

// chains are the histories of all feeds that have one.
type chains struct {
	mu sync.RWMutex // guards by
	by map[string]*chain
}

func (p *Publisher) chainOf(name string) *chain {
	p.chains.mu.RLock()
	defer p.chains.mu.RUnlock()
	return p.chains.by[name]
}

// openChains opens the history of every feed that has one.
func (p *Publisher) openChains(ctx context.Context, st *state) (map[string]*chain, error) {
	all := map[string]*chain{}
	shelves := slices.Collect(maps.Values(st.fixed))
	sources, err := p.archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		f, err := p.sourceShelf(ctx, st, s.ID)
		if err != nil {
			return nil, err
		}
		shelves = append(shelves, f)
	}
	for _, f := range shelves {
		if all[f.name], err = p.openChain(ctx, f); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// history is the writing of archive documents for one set of definitions.
type history struct {
	st  *state
	all map[string]*chain
	at  store.Cursor
	// unsaved counts records since the tails were written.
	unsaved int
}

// openHistory opens the chains; at is where the one that is furthest behind is.
func (p *Publisher) openHistory(ctx context.Context, st *state) (*history, error) {
	all, err := p.openChains(ctx, st)
	if err != nil {
		return nil, err
	}
	h := &history{st: st, all: all}
	first := true
	for _, c := range all {
		if first || c.cursor < h.at {
			h.at, first = c.cursor, false
		}
	}
	p.chains.mu.Lock()
	p.chains.by = all
	p.chains.mu.Unlock()
	for _, c := range all {
		c.shelf.snap.Store(nil) // it has archive documents now
	}
	p.openOnce.Do(func() { close(p.opened) })
	return h, nil
}

// catchUp reads the log up to where the follower of the windows is, so that the
// two can go on as one: a big archive is not read twice for ever, and its feeds
// do not wait for their history.
func (p *Publisher) catchUp(ctx context.Context, st *state) error {
	h, err := p.openHistory(ctx, st)
	if err != nil {
		return err
	}
	for {
		p.step.Lock()
		if p.state.Load() != st {
			p.step.Unlock()
			return p.saveTails(ctx, h.all) // another one catches up for the new definitions
		}
		if h.at >= store.Cursor(p.cursor.Load()) {
			p.history = h
			p.told(&p.chronicled, h.at)
			p.log.LogAttrs(ctx, slog.LevelDebug, "history caught up", slog.Uint64("cursor", uint64(h.at)), slog.Int("feeds", len(h.all)))
			p.step.Unlock()
			return nil
		}
		p.step.Unlock()
		// What is left may be of kinds that are not followed, and then Follow waits:
		// it says how far it came all the same.
		wait, stop := context.WithTimeout(ctx, time.Second)
		records, next, err := p.archive.Follow(wait, h.at, followed, 200)
		late := wait.Err() != nil && ctx.Err() == nil
		stop()
		if err != nil && !late {
			return errors.Join(err, p.saveTails(context.WithoutCancel(ctx), h.all))
		}
		if err := p.chronicle(ctx, h, records, next); err != nil {
			return errors.Join(err, p.saveTails(context.WithoutCancel(ctx), h.all))
		}
	}
}

// saveEvery is after how many records the tails are written: what a crash costs is
// reading so many again.
const saveEvery = 2000

// chronicle takes records into every chain that has not seen them.
func (p *Publisher) chronicle(ctx context.Context, h *history, records []store.Record, next store.Cursor) error {
	names := slices.Sorted(maps.Keys(h.all))
	for _, r := range records {
		ch := changeOf([]store.Record{r})
		for id := range ch.sources {
			if err := p.addChain(ctx, h, id, r.Seq-1); err != nil {
				return err
			}
		}
		if len(names) != len(h.all) {
			names = slices.Sorted(maps.Keys(h.all))
		}
		if r.Kind == store.KindTakedown {
			if err := p.takedown(ctx, h, r); err != nil {
				return err
			}
		}
		if len(ch.items) == 0 {
			continue
		}
		list, err := p.touched(ctx, &ch, []store.Record{r})
		if err != nil {
			return err
		}
		concerned := map[string]bool{} // of the feeds of one source: those that carry a touched story
		for _, l := range list {
			concerned[nameSource+"/"+string(l.head.Source)] = true
		}
		for _, name := range names {
			if strings.HasPrefix(name, nameSource+"/") && !concerned[name] {
				continue
			}
			if c := h.all[name]; c.cursor < r.Seq {
				if err := p.advance(ctx, h.st, c, &ch, list); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.all)) {
		if err := p.finish(ctx, h.all[name], next); err != nil {
			return err
		}
	}
	h.at = next
	if h.unsaved += len(records); h.unsaved >= saveEvery {
		h.unsaved = 0
		return p.saveTails(ctx, h.all)
	}
	return nil
}

// finish ends a batch of records for a chain: what may not wait in the live feed
// goes into a document, full or not.
func (p *Publisher) finish(ctx context.Context, c *chain, next store.Cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor = max(c.cursor, next)
	if !c.guarded {
		return nil
	}
	c.guarded = false
	c.gen.Add(1)
	c.shelf.snap.Store(nil)
	return p.fillPages(ctx, c, true)
}

// addChain begins the history of a source that was added.
func (p *Publisher) addChain(ctx context.Context, h *history, id feed.SourceID, at store.Cursor) error {
	name := nameSource + "/" + string(id)
	if h.all[name] != nil {
		return nil
	}
	f, err := p.sourceShelf(ctx, h.st, id)
	if errors.Is(err, web.ErrNotFound) {
		return nil // removed since
	}
	if err != nil {
		return err
	}
	c, err := p.openChain(ctx, f)
	if err != nil {
		return err
	}
	c.cursor = max(c.cursor, at)
	p.chains.mu.Lock()
	defer p.chains.mu.Unlock()
	h.all[name] = c
	return nil
}

// advance takes one record into one chain.
func (p *Publisher) advance(ctx context.Context, st *state, c *chain, ch *change, list []*candidate) error {
	f := c.shelf
	matched, err := p.matching(ctx, f.pred, list)
	if err != nil {
		return err
	}
	carrier := map[feed.ItemID]*candidate{}
	for _, m := range matched {
		if s := f.storyOf(&m.head); carrier[s] == nil {
			carrier[s] = m
		}
	}
	// The stories that the record touches, and the touched items as stories of their
	// own: they may have been before they became part of another.
	stories := map[feed.ItemID]bool{}
	for _, l := range list {
		stories[f.storyOf(&l.head)] = true
		stories[l.head.ID] = true
	}
	ids := make([]feed.ItemID, 0, len(stories))
	for id := range stories {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b feed.ItemID) int { return slices.Compare(a[:], b[:]) })
	c.mu.Lock()
	defer c.mu.Unlock()
	var events []event
	at := ch.at.Truncate(time.Millisecond) // as it is kept
	for _, story := range ids {
		was, present := c.in[storyKey(story)]
		now := carrier[story]
		switch {
		case now == nil && !present:
		case now == nil:
			gone := find(list, was)
			if gone.IsZero() {
				gone = story
			}
			if carries(carrier, gone) {
				delete(c.in, storyKey(story)) // it is in the feed as part of another story
				continue
			}
			events = append(events, c.record(event{left, gone, story, 0, at}))
		case !present:
			events = append(events, c.record(event{entered, now.head.ID, story, uint32(now.head.Revision), at})) //nolint:gosec // revisions are counted
			if at.Sub(now.head.Effective) > st.cfg.LateAfter && at.After(c.first.Add(seeding)) {
				c.guarded = true
			}
		case was != print32(now.head.ID, now.head.Revision):
			kind := revised
			if before := find(list, was); !before.IsZero() && before != now.head.ID {
				events = append(events, c.record(event{left, before, story, 0, at}))
				kind = entered
			}
			events = append(events, c.record(event{kind, now.head.ID, story, uint32(now.head.Revision), at})) //nolint:gosec // revisions are counted
		}
	}
	if len(events) == 0 {
		return nil
	}
	c.pending = append(c.pending, events...)
	corrections := 0
	for _, e := range c.pending {
		if e.kind == revised {
			corrections++
		}
	}
	c.guarded = c.guarded || corrections > maxRevised
	if err := p.fillPages(ctx, c, false); err != nil {
		return err
	}
	c.gen.Add(1)
	f.snap.Store(nil)
	return nil
}

func (c *chain) record(e event) event {
	c.note(e)
	return e
}

// find is the item with a print, among those that a record touches.
func find(list []*candidate, p uint32) feed.ItemID {
	for _, l := range list {
		for rev := l.head.Revision; rev > 0; rev-- {
			if print32(l.head.ID, rev) == p {
				return l.head.ID
			}
		}
	}
	return feed.ItemID{}
}

func carries(carrier map[feed.ItemID]*candidate, id feed.ItemID) bool {
	for _, c := range carrier {
		if c.head.ID == id {
			return true
		}
	}
	return false
}

// fillPages writes the documents that are full; with all, one of what is left too.
// It needs c.mu.
func (p *Publisher) fillPages(ctx context.Context, c *chain, all bool) error {
	size := c.shelf.pageSize()
	for len(c.pending) >= size || all && len(c.pending) > 0 {
		n := min(len(c.pending), size)
		var b []byte
		for _, e := range c.pending[:n] {
			b = appendEvent(b, e)
		}
		rest := slices.Clone(c.pending[n:])
		t, err := tailEntry(c, c.pages+1, rest)
		if err != nil {
			return err
		}
		key := pageKeyOf(c.shelf.name, c.id, c.pages+1)
		if err := p.archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: historySpace, Key: key, Value: b}, t}); err != nil {
			return fmt.Errorf("ledger key %q: %w", key, err)
		}
		c.pages, c.pending = c.pages+1, rest
	}
	return nil
}

// tailEntry is the ledger entry of a chain's tail. The cursor is that before the
// record at work: taken in again, it changes nothing, as the events are known.
func tailEntry(c *chain, pages int, pending []event) (store.LedgerEntry, error) {
	t := tail{Chain: c.id, Cursor: uint64(c.cursor), Pages: pages}
	for _, e := range pending {
		t.Pending = appendEvent(t.Pending, e)
	}
	b, err := json.Marshal(t)
	return store.LedgerEntry{Space: historySpace, Key: tailKey(c.shelf.name), Value: b}, err
}

// saveTails writes the tails of chains that moved since they were written.
func (p *Publisher) saveTails(ctx context.Context, all map[string]*chain) error {
	var writes []store.LedgerEntry
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		c.mu.Lock()
		if c.cursor != c.saved {
			e, err := tailEntry(c, c.pages, c.pending)
			if err != nil {
				c.mu.Unlock()
				return err
			}
			writes = append(writes, e)
			c.saved = c.cursor
		}
		c.mu.Unlock()
	}
	if len(writes) == 0 {
		return nil
	}
	return p.archive.LedgerWrite(ctx, writes)
}

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
		epoch := fmt.Appendf(nil, "%d", r.Seq)
		if err := p.archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: historySpace, Key: name + " epoch", Value: epoch}}); err != nil {
			return err
		}
		if err := p.retire(ctx, name, c.id, "takedown"); err != nil {
			return err
		}
		fresh, err := p.openChain(ctx, c.shelf)
		if err != nil {
			return err
		}
		if err := p.rebuild(ctx, h.st, fresh, r.Seq); err != nil {
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
func (p *Publisher) rebuild(ctx context.Context, st *state, c *chain, until store.Cursor) error {
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
			if err := p.advance(ctx, st, c, &ch, list); err != nil {
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
