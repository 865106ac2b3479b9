package publish

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/store"
)

// chain is the history of one feed: archive documents that never change, and the
// events that are in none yet. Another query, renderer or sanitizer, or a takedown,
// starts another chain.
type chain struct {
	id    string
	shelf *shelf
	gen   atomic.Uint64 // counts changes, from another number in each chain

	mu      sync.Mutex   // guards all below
	cursor  store.Cursor // of what is in pages and pending
	pages   int
	pending []event
	recent  []event   // entries that left, for tombstones; newest last
	events  int       // in all
	first   time.Time // of the oldest event
	last    time.Time // of the newest event
	// guarded: something is pending that does not belong into the live feed, so a
	// document must be finished with the records at hand.
	guarded bool
	in      members // the stories that are in the feed
	saved   store.Cursor
}

// storyKey is 64 bits of an id: those that are a hash, and those of arrival.
func storyKey(id feed.ItemID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) ^ binary.BigEndian.Uint64(id[:8])*0x9E3779B97F4A7C15
}

// print32 is 32 bits that tell an item's revisions apart.
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
	c := &chain{id: chainID(f, string(epoch)), shelf: f}
	c.gen.Store(p.openings.Add(1) << 32) // a feed that was made without this chain, or with another, is made again
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

// retire forgets a chain's documents and remembers why, in one commit with more.
// "remade" leads to what there is now, "takedown" is gone.
func (p *Publisher) retire(ctx context.Context, name, chain, why string, more ...store.LedgerEntry) error {
	writes := append(more,
		store.LedgerEntry{Space: historySpace, Key: name + " old " + chain, Value: []byte(why)},
		store.LedgerEntry{Space: historySpace, Key: tailKey(name)},
	)
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
	c.events++
	if e.at.After(c.last) {
		c.last = e.at
	}
	if c.first.IsZero() {
		c.first = e.at
	}
	if e.kind == left {
		c.in.drop(k)
		c.recent = append(c.recent, e)
		if len(c.recent) > maxTombstones {
			c.recent = slices.Clone(c.recent[len(c.recent)-maxTombstones:])
		}
		return
	}
	c.in.put(k, print32(e.item, int(e.rev)))
	c.recent = slices.DeleteFunc(c.recent, func(r event) bool { return r.item == e.item })
}

func (c *chain) record(e event) event {
	c.note(e)
	return e
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
func (p *Publisher) openChains(ctx context.Context) (map[string]*chain, error) {
	all := map[string]*chain{}
	shelves := slices.Collect(maps.Values(p.state.fixed))
	sources, err := p.archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		f, err := p.sourceShelf(ctx, s.ID)
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
