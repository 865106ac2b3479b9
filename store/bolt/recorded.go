package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// lineage is where a batch is in the versions of one item that come from an export.
type lineage struct {
	open bool        // the draft before had Recorded.Earlier
	item feed.ItemID // whose versions they are
	made bool        // it is new with this batch
	gone bool        // and taken down with it
}

// past is what an export says of a draft, if that counts: its item is new.
func (l *lineage) past(d *store.Draft) *store.Recorded {
	if !l.made {
		return nil
	}
	return d.Recorded
}

// within is what draft i, which comes from an export, is when its keys have said sg.
// passed: it is an earlier version of an item that was here before, and tells nothing.
func (a *arrival) within(i int, sg sighting) (_ sighting, passed bool, err error) {
	drafts, l := a.in.batch.Drafts, &a.line
	first := !l.open
	if first {
		last := i
		for drafts[last].Recorded.Earlier {
			last++
		}
		*l = lineage{item: sg.id, made: sg.id.IsZero()}
		l.gone = l.made && drafts[last].Recorded.TakenDown()
	}
	l.open = drafts[i].Recorded.Earlier
	if !l.made {
		return sg, l.open, nil
	}
	if !first { // whatever its keys are; that it was a version of its own is recorded
		sg, err = a.sight(l.item, &drafts[i])
		sg.same = false
	}
	return sg, false, err
}

// recordedStory is the story that an export says an item is of, if that is here.
func (t *txn) recordedStory(past *store.Recorded) (feed.ItemID, error) {
	for _, id := range past.Story {
		if r, ok, err := t.row(id); err != nil || ok {
			return r.story, err
		}
	}
	return feed.ItemID{}, nil
}

// tellsApart reports whether items of a source are known not to tell what a draft tells.
func (a *arrival) tellsApart(d *store.Draft, num uint32) bool {
	past := a.line.past(d)
	return past != nil && past.Apart != nil && past.Apart(a.sourceName(num))
}

// recorded gives a version what an export says of it. gone: its content never comes here.
func (p *pending) recorded(past *store.Recorded, gone bool) {
	if gone {
		p.pack, p.h.content, p.draft = nil, feed.Digest{}, nil
	}
	if !past.LastSeen.IsZero() {
		p.h.lastSeen = nanos(past.LastSeen)
	}
	if p.h.kind != store.KindRevision {
		return
	}
	if !past.Seen.IsZero() {
		p.h.firstSeen = nanos(past.Seen)
	}
	p.h.trivial = past.Trivial
	if past.Reparsed {
		p.h.kind = store.KindReparsed
	}
}

// decided records what was decided about an item of an export, and by what else it is
// known. gone: its content never came here, so that none is to be removed.
func (t *txn) decided(id feed.ItemID, past *store.Recorded, gone bool) error {
	if err := t.known(id, past.Known); err != nil {
		return err
	}
	for i := range past.Decided {
		e := past.Decided[i]
		e.Items = []feed.ItemID{id}
		seq := t.next
		if err := t.edit(&e); err != nil {
			return err
		}
		if gone && e.Kind == store.KindTakedown {
			if err := t.b[bPending].Delete(be64(seq)); err != nil {
				return err
			}
		}
	}
	return nil
}

// known gives an item further keys, but for those that are another's.
func (t *txn) known(id feed.ItemID, keys []store.Key) error {
	if len(keys) == 0 {
		return nil
	}
	r, err := t.mustRow(id)
	if err != nil {
		return err
	}
	h := header{kind: store.KindSeen, time: nanos(t.at(time.Time{})), source: t.sourceName(r.source), item: id, firstSeen: r.lastSeen}
	for _, k := range keys {
		if v := t.b[bKeys].Get(keyRow(r.source, k)); v == nil || bytes.Equal(v, id[:]) {
			h.keys = append(h.keys, k)
		}
	}
	if len(h.keys) == 0 {
		return nil
	}
	p, err := t.jsonRecord(h, editBody{Reason: "known by further keys"})
	if err != nil {
		return err
	}
	return t.emit(p)
}

// Records implements store.Archive.
func (s *Store) Records(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	if limit <= 0 {
		limit = followDefault
	}
	s.mu.RLock()
	end, closed := s.end, s.closed
	s.mu.RUnlock()
	if closed {
		return nil, after, store.ErrClosed
	}
	f := following{s: s, kinds: kinds}
	rr := recordReader{
		at: func(*volume, uint64) error { return ctxErr(ctx) },
		lost: func(_ *volume, seq uint64, err error) error {
			s.noteDamage(err)
			after = store.Cursor(seq)
			return nil
		},
	}
	for len(f.out) < limit && f.bytes < followBytes && uint64(after) < end {
		// What is not asked for is passed over by its first bytes.
		var wanted []uint64
		rr.record = func(_ reading, seq uint64, b []byte) error {
			if len(b) > 1 && kinds.Has(store.Kind(b[1])) {
				if wanted = append(wanted, seq); len(f.out)+len(wanted) >= limit {
					after = store.Cursor(seq)
					return errEnough
				}
			}
			after = store.Cursor(seq)
			return nil
		}
		if err := rr.read(s, uint64(after)+1, min(end, uint64(after)+readAtOnce)); err != nil && !errors.Is(err, errEnough) {
			return nil, after, err
		}
		for i, seq := range wanted {
			if i > 0 && f.bytes >= followBytes { // the rest is for the next time
				return f.out, store.Cursor(seq - 1), ctxErr(ctx)
			}
			err := f.take(seq)
			if ofVolume(err) {
				s.noteDamage(err)
				continue
			}
			if err != nil {
				s.noteDamage(err)
				return nil, after, err
			}
		}
	}
	return f.out, after, ctxErr(ctx)
}

// errEnough ends a reading that has what it was for.
var errEnough = errors.New("enough")

// Keys implements store.Archive.
func (s *Store) Keys(ctx context.Context, id feed.ItemID) ([]store.Key, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	var seqs []uint64
	err := s.viewCatalog(func(c *catalogTx) error {
		r, ok, err := c.row(id)
		if err == nil && !ok {
			err = fmt.Errorf("item %v: %w", id, store.ErrNotFound)
		}
		if err == nil {
			seqs = c.revisions(id, &r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []store.Key
	for _, seq := range seqs {
		v, err := s.volume(seq)
		if err != nil {
			return nil, err
		}
		h, _, err := v.readHead(seq)
		if err := s.passing(err); err != nil {
			return nil, err
		}
		for _, k := range h.keys {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
