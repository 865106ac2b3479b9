package bolt

import (
	"context"
	"fmt"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Append implements store.Archive.
func (s *Store) Append(ctx context.Context, batches ...store.Batch) ([]store.Outcome, error) {
	ins := make([]*intake, len(batches))
	added := map[feed.SourceID]bool{}
	drafts := 0
	for i := range batches {
		b := &batches[i]
		in := &intake{source: b.Source, batch: s.without(b)}
		if in.source == "" && b.Document != nil {
			in.source = b.Document.Source
		}
		if err := in.adding(b); err != nil {
			return nil, err
		}
		if in.add != nil {
			added[in.source] = true
		}
		if !added[in.source] {
			if err := s.hasSource(in.source); err != nil {
				return nil, err
			}
		}
		ins[i] = in
		drafts += len(b.Drafts)
	}
	for _, in := range ins {
		if err := s.prepare(in); err != nil {
			return nil, err
		}
	}
	var out []store.Outcome
	err := s.submit(ctx, &job{size: drafts, run: func(t *txn) error {
		out = nil // it may be a second try
		for i, in := range ins {
			if k := t.source(in.source); in.add != nil && (k == nil || k.source.Forgotten()) {
				if err := t.edit(in.add); err != nil {
					return err
				}
			}
			o, err := t.take(in, t.at(batches[i].At))
			if err != nil {
				return err
			}
			out = append(out, o...)
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// adding takes note of the decision to add the source that a batch brings with it.
func (in *intake) adding(b *store.Batch) error {
	if b.Add == nil {
		return nil
	}
	e := &store.Edit{Kind: store.KindSource, Source: b.Add, By: b.Add.Origin}
	if err := e.Check(); err != nil {
		return err
	}
	if b.Add.ID != in.source {
		return fmt.Errorf("the batch is of source %q and would add %q", in.source, b.Add.ID)
	}
	in.add = e
	return nil
}

func (s *Store) hasSource(id feed.SourceID) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	if s.mem.sources[id] == nil {
		return fmt.Errorf("source %q: %w", id, store.ErrNotFound)
	}
	return nil
}

// clockStep is by how much the clock may have been put back without the order of
// arrival noticing: records are then given the time of the last one.
const clockStep = time.Hour

// at is the time of record: what was recorded before, or now.
func (t *txn) at(recorded time.Time) time.Time {
	if !recorded.IsZero() {
		return recorded.UTC()
	}
	if last := instant(t.counts.Last); last.After(t.now) && last.Sub(t.now) < clockStep {
		return last
	}
	return t.now
}
