package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Change implements store.Archive.
func (m *Model) Change(ctx context.Context, edits []store.Edit) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i, e := range edits {
		if err := m.checkEdit(e); err != nil {
			return fmt.Errorf("edit %d (%v): %w", i, e.Kind, err)
		}
	}
	at := time.Now().UTC()
	for _, e := range clone(edits) {
		m.apply(e, at)
	}
	if len(edits) > 0 {
		m.announce()
	}
	return nil
}

func (m *Model) checkEdit(e store.Edit) error {
	if err := e.Check(); err != nil {
		return err
	}
	for _, id := range e.Items {
		if m.items[id] == nil {
			return fmt.Errorf("item %v: %w", id, store.ErrNotFound)
		}
	}
	return nil
}

func (m *Model) apply(e store.Edit, at time.Time) {
	r := store.Record{Kind: e.Kind, Time: at, Edit: &e}
	switch e.Kind {
	case store.KindSource:
		r.Source = e.Source.ID
		m.setSource(*e.Source, e.State)
	case store.KindTopics:
		it := m.items[e.Items[0]]
		if e.By == "rule" {
			e.Topics = store.Retag(it.topics, e.Topics)
		} else {
			e.Topics = store.Retag(nil, e.Topics)
		}
		it.topics = e.Topics
		r.Source = it.last().Source
	case store.KindMerge:
		stories := map[feed.ItemID]bool{}
		for _, id := range e.Items {
			stories[m.items[id].story] = true
		}
		first := m.unite(func(it *item) bool { return stories[it.story] })
		if !e.First.IsZero() && e.First != first {
			for _, it := range m.items {
				if it.story == first {
					it.original = e.First
				}
			}
		}
	case store.KindSplit:
		left := map[feed.ItemID]bool{}
		for _, id := range e.Items {
			left[m.items[id].story] = true
		}
		m.unite(func(it *item) bool { return slices.Contains(e.Items, it.last().ID) })
		for s := range left {
			m.unite(func(it *item) bool { return it.story == s && !slices.Contains(e.Items, it.last().ID) })
		}
	case store.KindWithdrawn:
		for _, id := range e.Items {
			m.items[id].withdrawn = !e.Undo
		}
	case store.KindTakedown:
		for _, id := range e.Items {
			m.takeDown(id)
		}
	case store.KindExpired:
		if e.Documents = m.expire(e.Before); e.Documents == 0 {
			return
		}
	}
	m.record(r, nil)
}

// unite makes one story of the items in, named after the first of them.
func (m *Model) unite(in func(*item) bool) feed.ItemID {
	var members []*item
	for _, it := range m.items {
		if in(it) {
			members = append(members, it)
		}
	}
	var first feed.ItemID
	for _, it := range members {
		if id := it.last().ID; first.IsZero() || bytes.Compare(id[:], first[:]) < 0 {
			first = id
		}
	}
	for _, it := range members {
		it.story, it.original = first, feed.ItemID{}
	}
	return first
}

// expire forgets documents, and says how many.
func (m *Model) expire(before time.Time) (n int) {
	for i := range m.log {
		l := &m.log[i]
		if l.doc != nil && l.Time.Before(before) {
			delete(m.docs, sourceDigest{l.Source, feed.DigestOf(l.doc.Body)})
			l.doc = nil
			n++
		}
	}
	return n
}

func (m *Model) takeDown(id feed.ItemID) {
	it := m.items[id]
	it.takenDown = true
	for i := range m.log {
		if m.log[i].Source == it.last().Source && unreadable(m.log[i].doc) {
			m.log[i].doc = nil
		}
	}
	strip := func(v *feed.Item) {
		v.Entry = feed.Entry{Published: feed.Date{Time: v.Effective()}, Language: v.Language}
		v.Native, v.Method, v.TakenDown = "", "", true
	}
	for i := range it.revs {
		strip(&it.revs[i])
	}
	for i := range m.log {
		if r := m.log[i].Item; r != nil && r.ID == id {
			v := *r
			if !v.TakenDown {
				strip(&v)
			}
			m.log[i].Item = &v
		}
	}
	for _, at := range it.raw {
		if at > 0 && m.log[at-1].doc != nil && len(m.log[at-1].doc.Parts) == 0 {
			m.log[at-1].doc = nil // its entries cannot be told apart
		}
	}
}

// setSource replaces or makes a source. A removed one loses its poll state and
// its lease.
func (m *Model) setSource(s store.Source, state *store.PollState) {
	old := m.sources[s.ID]
	if old == nil {
		old = &source{}
		m.sources[s.ID] = old
	}
	old.Source = s
	m.changes++
	if state != nil {
		old.State = *state
	}
	if s.Removed {
		old.State, old.fence = store.PollState{}, 0
	}
}
