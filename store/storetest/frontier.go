package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Sources implements store.Frontier.
func (m *Model) Sources(ctx context.Context) ([]store.SourceState, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.SourceState
	for _, id := range slices.Sorted(maps.Keys(m.sources)) {
		if s := m.sources[id]; !s.Removed || s.Items > 0 {
			out = append(out, clone(s.SourceState))
		}
	}
	return out, nil
}

// Changes implements store.Frontier.
func (m *Model) Changes(ctx context.Context) (uint64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.changes, nil
}

// Source implements store.Frontier.
func (m *Model) Source(ctx context.Context, id feed.SourceID) (store.SourceState, error) {
	if err := m.enter(ctx); err != nil {
		return store.SourceState{}, err
	}
	defer m.mu.Unlock()
	s := m.sources[id]
	if s == nil || s.Removed && s.Items == 0 {
		return store.SourceState{}, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
	}
	return clone(s.SourceState), nil
}

// defaultTTL is how long a lease holds when the query names no time.
const defaultTTL = 10 * time.Minute

// Lease implements store.Frontier.
func (m *Model) Lease(ctx context.Context, q store.LeaseQuery) ([]store.Lease, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, id := range q.Sources {
		if s := m.sources[id]; s == nil || s.Removed {
			return nil, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
		}
	}
	var due []*source
	for _, s := range m.sources {
		named := slices.Contains(q.Sources, s.ID)
		switch {
		case s.Removed || s.Address() == "" || s.State.NotBefore.After(q.Now):
		case s.fence != 0 && s.until.After(q.Now):
		case len(q.Sources) > 0 && !named:
		case s.Disabled && !named:
		case !named && !q.All && s.State.NextDue.After(q.Now):
		default:
			due = append(due, s)
		}
	}
	slices.SortFunc(due, func(a, b *source) int {
		return cmp.Or(a.State.NextDue.Compare(b.State.NextDue), cmp.Compare(a.ID, b.ID))
	})
	if q.N > 0 {
		due = due[:min(q.N, len(due))]
	}
	if q.TTL <= 0 {
		q.TTL = defaultTTL
	}
	var out []store.Lease
	for _, s := range due {
		m.fence++
		s.fence, s.until = m.fence, q.Now.Add(q.TTL)
		out = append(out, store.Lease{Source: clone(s.Source), State: clone(s.State), Fence: s.fence, Until: s.until})
	}
	return out, nil
}

// leased finds the source of a lease that still holds.
func (m *Model) leased(l store.Lease) (*source, error) {
	s := m.sources[l.Source.ID]
	if s == nil || s.fence == 0 || s.fence != l.Fence {
		return nil, fmt.Errorf("source %q: %w", l.Source.ID, store.ErrLeaseLost)
	}
	return s, nil
}

// Finish implements store.Frontier.
func (m *Model) Finish(ctx context.Context, l store.Lease, r store.PollResult) ([]store.Outcome, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s, err := m.leased(l)
	if err != nil {
		return nil, err
	}
	var b store.Batch
	if r.Batch != nil {
		b = clone(*r.Batch)
	}
	if err := b.Check(nil); err != nil {
		return nil, err
	}
	for _, i := range r.Seen {
		if b.Document == nil || i < 0 || i >= len(b.Document.Parts) {
			return nil, fmt.Errorf("seen: no part %d", i)
		}
	}
	if r.Source != nil && r.Source.ID != s.ID {
		return nil, fmt.Errorf("source %q: the poll replaces it by %q", s.ID, r.Source.ID)
	}
	at := b.At
	if at.IsZero() {
		at = time.Now()
	}
	at = at.UTC()
	n := len(m.log)
	s.fence = 0
	if r.Source != nil && reflect.DeepEqual(s.Source, l.Source) {
		src := clone(*r.Source)
		m.setSource(src, nil)
		m.record(store.Record{Kind: store.KindSource, Time: at, Source: s.ID, Edit: &store.Edit{Kind: store.KindSource, Source: &src}}, nil)
	}
	s.State = clone(r.State)
	out := m.take(s.ID, b, r.Seen, at)
	if len(m.log) > n {
		m.record(store.Record{Kind: store.KindPoll, Time: at, Source: s.ID}, nil)
		m.announce()
	}
	return out, nil
}

// Release implements store.Frontier.
func (m *Model) Release(ctx context.Context, l store.Lease) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s, err := m.leased(l)
	if err != nil {
		return err
	}
	s.fence = 0
	return nil
}
