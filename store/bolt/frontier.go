package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// sourceState copies a source out, so that nothing in it is shared.
func (k *known) sourceState() store.SourceState {
	return store.SourceState{Source: copySource(k.source), State: copyState(*k.now()), Items: k.items}
}

// sameSource compares sources as they are recorded.
func sameSource(a, b *store.Source) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func copySource(s store.Source) store.Source {
	s.Topics = slices.Clone(s.Topics)
	s.Headers = maps.Clone(s.Headers)
	s.Moves = slices.Clone(s.Moves)
	return s
}

func copyState(s store.PollState) store.PollState {
	s.Schedule = slices.Clone(s.Schedule)
	s.Colliding = slices.Clone(s.Colliding)
	s.Repairs = slices.Clone(s.Repairs)
	s.Gaps = slices.Clone(s.Gaps)
	return s
}

// Sources implements store.Frontier.
func (s *Store) Sources(ctx context.Context) ([]store.SourceState, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	all := make([]*known, 0, len(s.mem.sources))
	for _, k := range s.mem.sources {
		if !k.source.Removed || k.items > 0 {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *known) int { return cmp.Compare(a.source.ID, b.source.ID) })
	out := make([]store.SourceState, len(all))
	for i, k := range all {
		out[i] = k.sourceState()
	}
	return out, nil
}

// Changes implements store.Frontier.
func (s *Store) Changes(ctx context.Context) (uint64, error) {
	if err := ctxErr(ctx); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, store.ErrClosed
	}
	return s.mem.changes, nil
}

// Source implements store.Frontier.
func (s *Store) Source(ctx context.Context, id feed.SourceID) (store.SourceState, error) {
	if err := ctxErr(ctx); err != nil {
		return store.SourceState{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.SourceState{}, store.ErrClosed
	}
	k := s.mem.sources[id]
	if k == nil || k.source.Removed && k.items == 0 {
		return store.SourceState{}, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
	}
	return k.sourceState(), nil
}

// defaultTTL is how long a lease holds when the query names no time.
const defaultTTL = 10 * time.Minute

// Lease implements store.Frontier. Leases are held in memory: a restart ends them
// all, and whoever held one is gone with the process.
func (s *Store) Lease(ctx context.Context, q store.LeaseQuery) ([]store.Lease, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	if s.opts.ReadOnly {
		return nil, s.refused()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, store.ErrClosed
	}
	now := nanos(q.Now)
	// free: it may be polled if it is asked for by name.
	free := func(k *known) bool {
		return (k.fence == 0 || k.until <= now) && k.source.Address() != "" && !k.now().NotBefore.After(q.Now)
	}
	var due []*known
	if len(q.Sources) > 0 { // a poll of one source must not look at all
		due = make([]*known, 0, len(q.Sources))
		for _, id := range q.Sources {
			k := s.mem.sources[id]
			if k == nil || k.source.Removed {
				return nil, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
			}
			if free(k) && !slices.Contains(due, k) {
				due = append(due, k)
			}
		}
	} else {
		for _, k := range s.mem.sources {
			if !k.source.Removed && !k.source.Disabled && (q.All || !k.now().NextDue.After(q.Now)) && free(k) {
				due = append(due, k)
			}
		}
	}
	slices.SortFunc(due, func(a, b *known) int {
		return cmp.Or(a.now().NextDue.Compare(b.now().NextDue), cmp.Compare(a.source.ID, b.source.ID))
	})
	if q.N > 0 {
		due = due[:min(q.N, len(due))]
	}
	if q.TTL <= 0 {
		q.TTL = defaultTTL
	}
	out := make([]store.Lease, 0, len(due))
	for _, k := range due {
		s.fence++
		if k.fence == 0 {
			s.leased++
		}
		k.fence, k.until = s.fence, nanos(q.Now.Add(q.TTL))
		out = append(out, store.Lease{Source: copySource(k.source), State: copyState(*k.now()), Fence: k.fence, Until: q.Now.Add(q.TTL)})
	}
	return out, nil
}

// holds reports whether a lease is still its holder's.
func (s *Store) holds(l *store.Lease) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	if k := s.mem.sources[l.Source.ID]; k == nil || k.fence == 0 || k.fence != l.Fence {
		return fmt.Errorf("source %q: %w", l.Source.ID, store.ErrLeaseLost)
	}
	return nil
}

// Finish implements store.Frontier.
func (s *Store) Finish(ctx context.Context, l store.Lease, r store.PollResult) ([]store.Outcome, error) {
	if s.opts.ReadOnly {
		return nil, s.refused()
	}
	id := l.Source.ID
	if r.Source != nil && r.Source.ID != id {
		return nil, fmt.Errorf("source %q: the poll replaces it by %q", id, r.Source.ID)
	}
	if r.Batch == nil && len(r.Seen) > 0 {
		return nil, fmt.Errorf("seen: no part %d", r.Seen[0])
	}
	if r.Batch == nil && r.Source == nil {
		return nil, s.finishLate(&l, &r.State)
	}
	return s.finishWith(ctx, l, r)
}

// finishWith is Finish of a poll that brought something. What it is given has to stay in
// memory, unlike that of the many others.
func (s *Store) finishWith(ctx context.Context, l store.Lease, r store.PollResult) ([]store.Outcome, error) {
	id := l.Source.ID
	if err := s.holds(&l); err != nil {
		return nil, err
	}
	in := &intake{source: id, batch: s.without(r.Batch), seen: r.Seen}
	if err := s.prepare(in); err != nil {
		return nil, err
	}
	var out []store.Outcome
	var recorded time.Time
	drafts := 0
	if r.Batch != nil {
		recorded, drafts = r.Batch.At, len(r.Batch.Drafts)
	}
	err := s.submit(ctx, &job{
		poll: true,
		size: drafts,
		run: func(t *txn) error {
			if t.ended[id] {
				return fmt.Errorf("source %q: %w", id, store.ErrLeaseLost)
			}
			if err := s.holds(&l); err != nil {
				return err
			}
			at := t.at(recorded)
			n := t.next
			if r.Source != nil && sameSource(&t.source(id).source, &l.Source) {
				p, err := t.jsonRecord(header{kind: store.KindSource, time: nanos(at), source: id}, editBody{Source: r.Source})
				if err != nil {
					return err
				}
				if err := t.emit(p); err != nil {
					return err
				}
			}
			var err error
			if out, err = t.take(in, at); err != nil {
				return err
			}
			t.dirty = true
			t.ended[id] = true
			state := r.State
			if in.held { // the document is to be read again, also when it is what it was
				state.ETag, state.LastModified, state.BodyHash = "", "", ""
			}
			if t.next == n {
				return t.setState(id, state)
			}
			p, err := t.jsonRecord(header{kind: store.KindPoll, time: nanos(at), source: id}, pollBody{State: state})
			if err != nil {
				return err
			}
			if err := t.emit(p); err != nil {
				return err
			}
			return t.setState(id, state) // JSON has not each byte of a validator that is no text
		},
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Release implements store.Frontier.
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	if err := ctxErr(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	k := s.mem.sources[l.Source.ID]
	if k == nil || k.fence == 0 || k.fence != l.Fence {
		return fmt.Errorf("source %q: %w", l.Source.ID, store.ErrLeaseLost)
	}
	k.fence = 0
	s.leased--
	return nil
}
