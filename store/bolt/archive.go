package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Known implements store.Archive.
func (s *Store) Known(ctx context.Context, id feed.SourceID, digests []feed.Digest) ([]bool, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	out := make([]bool, len(digests))
	err := s.viewCatalog(func(c *catalogTx) error {
		src := c.source(id)
		if src == nil {
			return nil
		}
		for i, d := range digests {
			p, ok := c.part(src.num, shorten(d))
			out[i] = ok && !p.item.IsZero() && !s.isLost(p.seq)
		}
		return nil
	})
	return out, err
}

// Change implements store.Archive.
func (s *Store) Change(ctx context.Context, edits []store.Edit) error {
	if len(edits) == 0 {
		return s.submit(ctx, &job{run: func(*txn) error { return nil }})
	}
	content := false // is to be removed
	err := s.submit(ctx, &job{run: func(t *txn) error {
		content = false
		for i := range edits {
			if err := t.checkEdit(&edits[i]); err != nil {
				return fmt.Errorf("edit %d (%v): %w", i, edits[i].Kind, err)
			}
		}
		for i := range edits {
			content = content || edits[i].Kind == store.KindTakedown || edits[i].Kind == store.KindExpired
			if err := t.edit(&edits[i]); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil || !content {
		return err
	}
	// The decision is durable; now the content goes, also when who decided has gone: only
	// Open would do it again.
	return s.submit(context.WithoutCancel(ctx), &job{care: s.finishTakedowns})
}

// edit emits the record of one decision.
func (t *txn) edit(e *store.Edit) error {
	h := header{kind: e.Kind, time: nanos(t.at(time.Time{})), items: e.Items, rules: e.Digest}
	b := editBody{State: e.State, Rules: e.Rules, Reason: e.Reason, By: e.By, Undo: e.Undo && e.Kind == store.KindWithdrawn, First: e.First}
	if !e.At.IsZero() {
		at := e.At.UTC()
		b.At = &at
	}
	switch e.Kind {
	case store.KindExpired:
		var err error
		if h.records, err = t.expirable(e.Before); err != nil || len(h.records) == 0 {
			return err
		}
		b.Before = &e.Before
	case store.KindSource:
		h.source, b.Source = e.Source.ID, e.Source
	case store.KindTopics:
		r, err := t.mustRow(e.Items[0])
		if err != nil {
			return err
		}
		h.source = t.sourceName(r.source)
		if h.tags = store.Retag(nil, e.Topics); e.By == "rule" {
			h.tags = store.Retag(tagsOf(&r, t.label), e.Topics)
		}
	}
	p, err := t.jsonRecord(h, b)
	if err != nil {
		return err
	}
	return t.emit(p)
}

// End implements store.Archive.
func (s *Store) End(ctx context.Context) (store.Cursor, error) {
	if err := ctxErr(ctx); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, store.ErrClosed
	}
	return store.Cursor(s.end), nil
}

func (h *header) storyOf() feed.ItemID {
	if h.story.IsZero() {
		return h.item
	}
	return h.story
}

// itemAt is the item that a record of one holds: what is the revision's own.
func (s *Store) itemAt(v *volume, h *header, f framed) (feed.Item, error) {
	it := itemOf(h, f)
	plain, err := v.plain(h.seq, f)
	if err != nil {
		return it, err
	}
	if plain == nil {
		// Taken down. The date stays, so that it keeps its place in every list.
		it.TakenDown = true
		it.Entry = feed.Entry{Published: feed.Date{Time: instant(h.effective)}, Language: h.language}
		return it, nil
	}
	b, err := decodeBody(plain)
	if err != nil {
		return it, damaged(v.at(h.seq), err)
	}
	it.Native, it.Method, it.Entry = b.native, b.method, b.entry
	it.Bytes = h.bytesOr(it.Bytes)
	return it, nil
}

// itemOf is what the header of a record says of its item.
func itemOf(h *header, f framed) feed.Item {
	it := feed.Item{
		ID: h.item, Source: h.source, FirstSeen: instant(h.firstSeen), Revised: instant(h.firstSeen),
		Revision: int(h.revision), Digest: h.version,
	}
	it.Reparsed = f.kind == store.KindReparsed
	if it.Changed, it.Trivial = it.Revised, h.trivial; it.Trivial {
		it.Changed = time.Time{} // of a version before: the caller knows or finds it
	}
	return it
}

// maxIDs is how many items one call may ask for.
const maxIDs = 1000

// versions reads what the catalog has on items.
type located struct {
	id      feed.ItemID
	row     row
	source  feed.SourceID
	topics  []feed.Tag
	seqs    []uint64 // of the revisions wanted
	members []located
	also    []feed.Sighting // of members, once they were read
}

// mostAlso bounds Item.AlsoIn: each has to be read for its address, and a source can put
// its copies of a post there by the thousand.
const mostAlso = 200

func (c *catalogTx) locate(id feed.ItemID, withStory bool) (l located, ok bool, err error) {
	r, ok, err := c.row(id)
	if err != nil || !ok {
		return l, false, err
	}
	l = located{id: id, row: r, source: c.sourceName(r.source), topics: tagsOf(&r, c.label), seqs: []uint64{r.last}}
	if withStory {
		for _, m := range c.firstMembers(r.story, mostAlso+1) {
			if m == id || len(l.members) == mostAlso {
				continue
			}
			ml, ok, err := c.locate(m, false)
			if err != nil {
				return l, false, err
			}
			if ok {
				l.members = append(l.members, ml)
			}
		}
	}
	return l, true, nil
}

// Items implements store.Archive.
func (s *Store) Items(ctx context.Context, ids []feed.ItemID, want store.Fields) ([]feed.Item, error) {
	if len(ids) > maxIDs {
		return nil, fmt.Errorf("%d ids, at most %d", len(ids), maxIDs)
	}
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	found := make([]located, 0, len(ids))
	err := s.viewCatalog(func(c *catalogTx) error {
		for _, id := range ids {
			l, ok, err := c.locate(id, want&store.WithStory != 0)
			if err != nil {
				return err
			}
			if ok {
				found = append(found, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]feed.Item, 0, len(found))
	for i := range found {
		it, err := s.item(&found[i], found[i].row.last, want)
		if errors.Is(err, store.ErrCorrupt) && len(ids) > 1 { // the others can be read
			s.noteDamage(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}

// item is the revision in record seq with what is known of the item today.
func (s *Store) item(l *located, seq uint64, want store.Fields) (feed.Item, error) {
	v, err := s.volume(seq)
	if err != nil {
		return feed.Item{}, err
	}
	h, f, err := v.read(seq)
	if err != nil {
		return feed.Item{}, err
	}
	it, err := s.itemAt(v, &h, f)
	if err != nil {
		return it, err
	}
	it.FirstSeen, it.LastSeen, it.Revisions = instant(l.row.firstSeen), instant(l.row.lastSeen), int(l.row.revisions)
	if seq == l.row.last {
		it.Changed = instant(l.row.revised)
	}
	if l.row.takenDown && !it.TakenDown { // in a file that was put back, and of which it was not removed yet
		it.Entry = feed.Entry{Published: feed.Date{Time: instant(h.effective)}, Language: h.language}
	}
	it.Topics, it.Story, it.Original, it.Withdrawn = slices.Clone(l.topics), l.row.story, l.row.original, l.row.withdrawn
	it.TakenDown = it.TakenDown || l.row.takenDown // it may have been meanwhile
	if want&store.WithContent == 0 {
		it.Summary, it.Content, it.Extensions = feed.Text{}, feed.Text{}, nil
	}
	err = s.sight(l)
	it.AlsoIn = slices.Clone(l.also)
	return it, err
}

// sight reads what an item says of the others of its story, once for all its versions.
func (s *Store) sight(l *located) error {
	if l.also != nil {
		return nil
	}
	for i := range l.members {
		m := &l.members[i]
		o, err := s.item(m, m.row.last, 0)
		if err := s.passing(err); err != nil {
			return err
		}
		l.also = append(l.also, feed.Sighting{ID: m.id, Source: m.source, URL: o.URL, FirstSeen: instant(m.row.firstSeen)})
	}
	return nil
}

// revision finds the records of an item's revisions, first to last.
func (c *catalogTx) revisions(id feed.ItemID, r *row) []uint64 {
	out := []uint64{r.first}
	for n := uint32(2); n <= r.revisions; n++ {
		if v := c.b[bRevs].Get(revRow(id, n)); len(v) == 8 && getSeq(v) != r.first { // the first one left of them may be a later one
			out = append(out, getSeq(v))
		}
	}
	return out
}

// Revisions implements store.Archive.
func (s *Store) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	var l located
	err := s.viewCatalog(func(c *catalogTx) (err error) {
		var ok bool
		if l, ok, err = c.locate(id, true); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("item %v: %w", id, store.ErrNotFound)
		}
		l.seqs = c.revisions(id, &l.row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var worst error
	out := make([]feed.Item, 0, len(l.seqs))
	for _, seq := range l.seqs {
		it, err := s.item(&l, seq, store.AllFields)
		if errors.Is(err, store.ErrCorrupt) && len(l.seqs) > 1 { // the others can be read
			s.noteDamage(err)
			worst = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if n := len(out); it.Trivial && n > 0 {
			it.Changed = out[n-1].Changed
		}
		out = append(out, it)
	}
	if len(out) == 0 {
		return nil, worst
	}
	return out, nil
}

// Stats implements store.Keeper.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	if err := ctxErr(ctx); err != nil {
		return store.Stats{}, err
	}
	var out store.Stats
	err := s.viewCatalog(func(c *catalogTx) error {
		n := c.counts
		out = store.Stats{Items: n.Items, Revisions: n.Revisions, Stories: n.Stories, Raw: n.Raw, Records: int64(c.end), Volumes: len(s.vols)}
		if c.end > 0 {
			out.First, out.Last = instant(n.First), instant(n.Last)
		}
		for _, src := range c.mem.sources {
			if !src.source.Removed {
				out.Sources++
			}
		}
		for _, v := range s.vols {
			out.Bytes += allocated(v.path)
			out.Lost += int64(v.lostCount())
		}
		out.Bytes += allocated(s.catalogPath()) + allocated(s.ledgerPath())
		return nil
	})
	return out, err
}

// Ping implements store.Keeper.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctxErr(ctx); err != nil {
		return err
	}
	if d := s.damage.Load(); d != nil {
		return *d
	}
	return s.viewCatalog(func(c *catalogTx) error {
		if c.end == 0 {
			return nil
		}
		_, err := s.vols[len(s.vols)-1].last()
		return err
	})
}

// Lookup implements store.Archive.
func (s *Store) Lookup(ctx context.Context, source feed.SourceID, keys [][]store.Key) ([]feed.ItemID, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	out := make([]feed.ItemID, len(keys))
	err := s.viewCatalog(func(c *catalogTx) error {
		src := c.source(source)
		if src == nil {
			return nil
		}
		for i, list := range keys {
			for _, k := range list {
				if v := c.b[bKeys].Get(keyRow(src.num, k)); v != nil {
					out[i] = feed.ItemID(v)
					break
				}
			}
		}
		return nil
	})
	return out, err
}
