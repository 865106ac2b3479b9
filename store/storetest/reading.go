package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"chancery/feed"
	"chancery/store"
)

// Items implements store.Archive.
func (m *Model) Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error) {
	if len(ids) > 1000 {
		return nil, fmt.Errorf("%d ids, at most 1000", len(ids))
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []feed.Item
	for _, id := range ids {
		it := m.items[id]
		if it == nil {
			continue
		}
		out = append(out, m.version(it, len(it.revs), fields))
	}
	return out, nil
}

// version is revision n (from 1) of an item with what is known of the item today.
func (m *Model) version(it *item, n int, fields store.Fields) feed.Item {
	v := clone(it.revs[n-1])
	v.Revisions, v.LastSeen, v.Story = len(it.revs), it.lastSeen, it.story
	v.Original = it.original
	v.Topics = slices.Clone(it.topics)
	v.Withdrawn, v.TakenDown = it.withdrawn, it.takenDown
	if fields&store.WithContent == 0 {
		v.Summary, v.Content, v.Extensions = feed.Text{}, feed.Text{}, nil
	}
	if fields&store.WithStory != 0 {
		for id, o := range m.items {
			if o.story == it.story && id != v.ID {
				l := o.last()
				v.AlsoIn = append(v.AlsoIn, feed.Sighting{ID: id, Source: l.Source, URL: l.URL, FirstSeen: l.FirstSeen})
			}
		}
		slices.SortFunc(v.AlsoIn, func(a, b feed.Sighting) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	return v
}

// Revisions implements store.Archive.
func (m *Model) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	it := m.items[id]
	if it == nil {
		return nil, fmt.Errorf("item %v: %w", id, store.ErrNotFound)
	}
	var out []feed.Item
	for i := range it.revs {
		out = append(out, m.version(it, i+1, store.AllFields))
	}
	return out, nil
}

// Raw implements store.Archive.
func (m *Model) Raw(ctx context.Context, id feed.ItemID, revision int) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	it := m.items[id]
	if it == nil || revision < 0 || revision > len(it.revs) {
		return store.Document{}, fmt.Errorf("item %v, revision %d: %w", id, revision, store.ErrNotFound)
	}
	if revision == 0 {
		revision = len(it.revs)
	}
	return m.document(it.raw[revision-1])
}

// Document implements store.Archive.
func (m *Model) Document(ctx context.Context, at store.Cursor) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	return m.document(at)
}

func (m *Model) document(at store.Cursor) (store.Document, error) {
	if at == 0 || int(at) > len(m.log) || m.log[at-1].doc == nil {
		return store.Document{}, fmt.Errorf("document at %d: %w", at, store.ErrNotFound)
	}
	l := m.log[at-1]
	for _, p := range l.doc.Parts {
		if it := m.items[m.parts[sourceDigest{l.Source, p.Digest}]]; it != nil && it.takenDown {
			return store.Document{}, fmt.Errorf("document at %d: an entry of it was taken down: %w", at, store.ErrNotFound)
		}
	}
	return clone(*l.doc), nil
}

// Heads implements store.Archive.
func (m *Model) Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.Head
	for _, it := range m.items {
		v := it.last()
		h := store.Head{
			ID: v.ID, Story: it.story, Source: v.Source, Effective: v.Effective(), FirstSeen: v.FirstSeen,
			Revised: v.Changed, Revision: v.Revision, Topics: slices.Clone(it.topics), Language: v.Language,
			Withdrawn: it.withdrawn, TakenDown: it.takenDown,
		}
		if q.Source != "" && h.Source != q.Source || !q.Story.IsZero() && h.Story != q.Story ||
			!q.From.IsZero() && h.Effective.Before(q.From) || !q.To.IsZero() && !h.Effective.Before(q.To) {
			continue
		}
		if q.Topic != "" && !(&feed.Item{Topics: it.topics}).Has(q.Topic) {
			continue
		}
		if q.After != nil && compareHeads(q, h, *q.After) <= 0 {
			continue
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b store.Head) int { return compareHeads(q, a, b) })
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 1000
	}
	return out[:min(q.Limit, len(out))], nil
}

// compareHeads is the order of q: total, and the same each time (CONFORMANCE P-66).
func compareHeads(q store.HeadQuery, a, b store.Head) int {
	c := bytes.Compare(a.ID[:], b.ID[:])
	if !q.ByArrival {
		c = cmp.Or(a.Effective.Compare(b.Effective), cmp.Compare(a.Source, b.Source), c)
	}
	if !q.Ascending {
		c = -c
	}
	return c
}

// Follow implements store.Archive.
func (m *Model) Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	if limit <= 0 {
		limit = 1000
	}
	for {
		if err := m.enter(ctx); err != nil {
			return nil, after, err
		}
		var out []store.Record
		out, after = m.records(after, kinds, limit)
		grown := m.grown
		m.mu.Unlock()
		if len(out) > 0 {
			return out, after, nil
		}
		select {
		case <-ctx.Done():
			return nil, after, context.Cause(ctx)
		case <-grown:
		}
	}
}

// records are those after a cursor, and the one to go on from.
func (m *Model) records(after store.Cursor, kinds store.Kinds, limit int) (out []store.Record, _ store.Cursor) {
	for int(after) < len(m.log) && len(out) < limit {
		if r := m.log[after].Record; kinds.Has(r.Kind) {
			out = append(out, clone(r))
		}
		after++
	}
	return out, after
}

// Records implements store.Archive.
func (m *Model) Records(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	if err := m.enter(ctx); err != nil {
		return nil, after, err
	}
	defer m.mu.Unlock()
	if limit <= 0 {
		limit = 1000
	}
	out, next := m.records(after, kinds, limit)
	return out, next, nil
}

// End implements store.Archive.
func (m *Model) End(ctx context.Context) (store.Cursor, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return store.Cursor(len(m.log)), nil
}
