package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"chancery/feed"
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

// history is the writing of archive documents.
type history struct {
	all map[string]*chain
	at  store.Cursor
	// unsaved counts records since the tails were written.
	unsaved int
}

// openHistory opens the chains; at is where the one that is furthest behind is.
func (p *Publisher) openHistory(ctx context.Context) (*history, error) {
	all, err := p.openChains(ctx)
	if err != nil {
		return nil, err
	}
	h := &history{all: all}
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

// catchUp reads the log up to where the follower of the windows is; from there the
// follower takes records into both. So feeds do not wait for their history, and the log
// is read twice only once.
func (p *Publisher) catchUp(ctx context.Context) error {
	h, err := p.openHistory(ctx)
	if err != nil {
		return err
	}
	for {
		p.step.Lock()
		if h.at >= store.Cursor(p.cursor.Load()) {
			p.history = h
			p.reached(&p.chronicled, h.at)
			p.log.LogAttrs(ctx, slog.LevelDebug, "history caught up", slog.Uint64("cursor", uint64(h.at)), slog.Int("feeds", len(h.all)))
			p.step.Unlock()
			return nil
		}
		p.step.Unlock()
		// What is left may be of kinds that are not followed; then Follow waits, and
		// says at the end of the second how far it came.
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

// saveEvery is after how many records the tails are written. After a crash at most so
// many are read again.
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
				if err := p.advance(ctx, c, &ch, list); err != nil {
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

// finish ends a batch of records for a chain. Events that may not wait in the live feed
// go into a document now, full or not.
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
	f, err := p.sourceShelf(ctx, id)
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
func (p *Publisher) advance(ctx context.Context, c *chain, ch *change, list []*candidate) error {
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
		was, present := c.in.of(storyKey(story))
		now := carrier[story]
		switch {
		case now == nil && !present:
		case now == nil:
			gone, _ := find(list, was)
			if gone.IsZero() {
				gone = story
			}
			if carries(carrier, gone) {
				c.in.drop(storyKey(story)) // it is in the feed as part of another story
				continue
			}
			events = append(events, c.record(event{left, gone, story, 0, at}))
		case !present:
			events = append(events, c.record(event{entered, now.head.ID, story, uint32(now.head.Revision), at})) //nolint:gosec // revisions are counted
			if at.Sub(now.head.Effective) > p.state.cfg.LateAfter && at.After(c.first.Add(seeding)) {
				c.guarded = true
			}
		case was != print32(now.head.ID, now.head.Revision):
			kind := revised
			switch before, rev := find(list, was); {
			case before.IsZero():
			case before != now.head.ID:
				events = append(events, c.record(event{left, before, story, 0, at}))
				kind = entered
			case rev < now.head.Revision:
				// No event, and so no word to hubs (PEERS part 3, 3): the live feed has the
				// newest words, and readers who come for others find them (RFC 4287 §4.2.15).
				if same, err := p.saysTheSame(ctx, before, rev); err != nil {
					return err
				} else if same {
					continue
				}
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

// find is the item with a print, among those that a record touches, and its revision then.
func find(list []*candidate, p uint32) (id feed.ItemID, revision int) {
	for _, l := range list {
		for rev := l.head.Revision; rev > 0; rev-- {
			if print32(l.head.ID, rev) == p {
				return l.head.ID, rev
			}
		}
	}
	return feed.ItemID{}, 0
}

// saysTheSame reports whether all versions of an item after one say what that one said.
func (p *Publisher) saysTheSame(ctx context.Context, id feed.ItemID, revision int) (bool, error) {
	all, err := p.archive.Revisions(ctx, id)
	if errors.Is(err, store.ErrCorrupt) { // all are lost
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for i := range all {
		if all[i].Revision > revision && !all[i].Trivial {
			return false, nil
		}
	}
	return true, nil
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
