package bolt

import (
	"context"
	"errors"
	"time"

	"chancery/feed"
	"chancery/store"
)

// followDefault is how many records Follow gives when it is not told, and followBytes
// from how many bytes of bodies on it gives no more at once.
const (
	followDefault = 1000
	followBytes   = 16 << 20
)

// Follow implements store.Archive.
func (s *Store) Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	if limit <= 0 {
		limit = followDefault
	}
	s.recent.followed.Store(true)
	for {
		if err := ctxErr(ctx); err != nil {
			return nil, after, err
		}
		s.mu.RLock()
		end, grown, closed := s.end, s.grown, s.closed
		s.mu.RUnlock()
		if closed {
			return nil, after, store.ErrClosed
		}
		f := following{s: s, kinds: kinds}
		passed := false // a damaged one
		for uint64(after) < end && len(f.out) < limit && f.bytes < followBytes && ctx.Err() == nil {
			err := f.take(uint64(after) + 1)
			switch {
			case ofVolume(err): // one that cannot be read must not stop all that come after it
				s.noteDamage(err)
				passed = true
			case err != nil:
				s.noteDamage(err)
				return f.out, after, err
			}
			after++
		}
		if len(f.out) > 0 || passed {
			return f.out, after, nil
		}
		if uint64(after) < end {
			continue // ctx ended
		}
		select {
		case <-ctx.Done():
			return nil, after, context.Cause(ctx)
		case <-grown:
		}
	}
}

// following is what a follower gets at once.
type following struct {
	s     *Store
	kinds store.Kinds
	out   []store.Record
	bytes int // of bodies, unpacked
}

// take reads one record, and takes it in if it is of a kind that was asked for.
func (g *following) take(seq uint64) error {
	v, err := g.s.volume(seq)
	if err != nil {
		return err
	}
	held, read := g.s.recent.get(seq), v.read
	if held != nil {
		read = v.readHead
	}
	h, f, err := read(seq)
	if err != nil || !g.kinds.Has(f.kind) {
		return err
	}
	r := store.Record{Seq: store.Cursor(seq), Kind: f.kind, Time: instant(h.time), Source: h.source}
	switch f.kind {
	case store.KindItem, store.KindRevision, store.KindReparsed:
		if r.Item, err = g.s.followed(v, &h, f, held); err != nil {
			return err
		}
		switch {
		case held == nil && f.pack != nil:
			g.bytes += f.pack.size
		case held != nil:
			g.bytes += held.size
			if f.pack != nil {
				r.Texts = held.texts
			}
		}
	case store.KindRaw, store.KindPoll:
	case store.KindSeen:
		r.Edit = &store.Edit{Kind: f.kind, Items: []feed.ItemID{h.item}, Reason: "known by further keys"}
		r.Keys = h.keys
	case store.KindSource, store.KindTopics, store.KindRuleset, store.KindMerge, store.KindSplit, store.KindWithdrawn,
		store.KindTakedown, store.KindExpired:
		if r.Edit, err = v.editOf(&h, f); err != nil {
			return err
		}
	default: // of a later program: what is in it nobody knows here
	}
	g.out = append(g.out, r)
	return nil
}

// followed is the item as of a record. held is the body, if it is at hand.
func (s *Store) followed(v *volume, h *header, f framed, held *recentBody) (*feed.Item, error) {
	var it feed.Item
	var err error
	if held != nil && f.pack != nil {
		it = itemOf(h, f)
		it.Native, it.Method, it.Entry = held.native, held.method, held.entry
		it.Bytes = h.bytesOr(it.Bytes)
	} else if it, err = s.itemAt(v, h, f); err != nil {
		return nil, err
	}
	if f.kind != store.KindItem {
		// What the first record knows, later ones do not repeat.
		if it.FirstSeen, err = s.firstSeen(h); err != nil {
			return nil, err
		}
	}
	if it.Trivial {
		it.Changed, err = s.changedAt(h.prev)
		if err := s.passing(err); err != nil {
			return nil, err
		}
		if it.Changed.IsZero() { // nobody knows any more
			it.Changed = instant(h.time)
		}
	}
	it.LastSeen, it.Story, it.Topics, it.Revisions = instant(h.seenAt()), h.storyOf(), h.tags, it.Revision
	return &it, nil
}

// firstSeen is when the item of a revision was first seen. The catalog says it; where that
// is damaged, the item's first record.
func (s *Store) firstSeen(h *header) (at time.Time, err error) {
	at = instant(h.firstSeen)
	err = s.viewCatalog(func(c *catalogTx) error {
		r, ok, err := c.row(h.item)
		if ok {
			at = instant(r.firstSeen)
		}
		return err
	})
	if !errors.Is(err, store.ErrCorrupt) {
		return at, err
	}
	s.noteDamage(err)
	for seq := h.prev; seq > 0; {
		v, err := s.volume(seq)
		if err != nil {
			return at, err
		}
		was, f, err := v.readHead(seq)
		if err != nil {
			return at, s.passing(err)
		}
		if f.kind == store.KindItem {
			return instant(was.firstSeen), nil
		}
		seq = was.prev
	}
	return at, nil
}

// changedAt is when a revision, or the newest one before it that is not trivial, was
// committed.
func (s *Store) changedAt(seq uint64) (time.Time, error) {
	for seq > 0 {
		v, err := s.volume(seq)
		if err != nil {
			return time.Time{}, err
		}
		h, f, err := v.readHead(seq)
		switch {
		case err != nil:
			return time.Time{}, err
		case f.kind == store.KindItem:
			return instant(h.firstSeen), nil
		case !h.trivial:
			return instant(h.firstSeen), nil
		}
		seq = h.prev
	}
	return time.Time{}, nil
}
