package bolt

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Most polls bring nothing: all that is left of them is that they were made. Their
// states are seen at once and stored within saveAfter, many in one commit, alone or
// with whatever else is committed before. What a crash takes is one request that is
// made once more (CONFORMANCE F-12); a poll that brought something is stored with
// what it brought, and Finish waits for it.
const (
	saveAfter = 5 * time.Second
	saveAgain = 10 * time.Second // after a failure
	saveAt    = 2000             // states that are not kept waiting longer
)

// lateStates are the sources whose [known.later] is still to be stored.
type lateStates struct {
	sources map[feed.SourceID]bool // guarded by Store.mu
	timer   *time.Timer            // the writer waits for it
	err     error                  // of the last attempt, when the writer ends
}

func newLateStates() lateStates {
	return lateStates{sources: map[feed.SourceID]bool{}, timer: stoppedTimer()}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// now is the state as it is, stored or not; Store.mu is held.
func (k *known) now() *store.PollState {
	if k.later != nil {
		return k.later
	}
	return k.state
}

// finishLate ends a lease with a state and nothing else.
func (s *Store) finishLate(l *store.Lease, state *store.PollState) error {
	id := l.Source.ID
	later := copyState(*state)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing { // the writer may have stored its last
		return store.ErrClosed
	}
	k := s.mem.sources[id]
	if k == nil || k.fence == 0 || k.fence != l.Fence {
		return fmt.Errorf("source %q: %w", id, store.ErrLeaseLost)
	}
	k.fence, k.later = 0, &later
	s.leased--
	if !s.late.sources[id] {
		s.late.sources[id] = true
		switch len(s.late.sources) {
		case 1:
			s.late.timer.Reset(saveAfter)
		case saveAt:
			s.late.timer.Reset(0)
		}
	}
	return nil
}

// saveLate stores what is to be stored, if nothing else does. Only the writer calls it.
func (s *Store) saveLate() error {
	s.mu.RLock()
	n := len(s.late.sources)
	s.mu.RUnlock()
	if n == 0 {
		return nil
	}
	err := s.upToDate(nil)
	s.noteDamage(err)
	return err
}

// putLate makes the late states part of the writer's transaction, before anything
// else in it, and reports whether there were any.
func (s *Store) putLate(c *catalogTx) (bool, error) {
	s.mu.RLock()
	if len(s.late.sources) > 0 {
		c.late, c.overtaken = make(map[feed.SourceID]*store.PollState, len(s.late.sources)), map[feed.SourceID]bool{}
		for id := range s.late.sources {
			if k := s.mem.sources[id]; k != nil && k.later != nil {
				c.late[id] = k.later
			}
		}
	}
	s.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(c.late)) { // in the order of the pages
		k := c.editSource(id)
		k.state = c.late[id]
		if err := c.putState(id, k); err != nil {
			return false, err
		}
	}
	return len(c.late) > 0, nil
}

// lateMerged forgets what a transaction is about to store, when it has become part
// of memory; Store.mu is held.
func (s *Store) lateMerged(c *catalogTx) {
	for id := range c.late {
		if k := s.mem.sources[id]; k == nil || k.later == nil {
			delete(s.late.sources, id)
		}
	}
	if len(s.late.sources) > 0 {
		s.late.timer.Reset(saveAfter)
	} else {
		s.late.timer.Stop()
	}
}

// keepLate takes up again, after a commit that failed, what it should have stored.
func (s *Store) keepLate(c *catalogTx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, state := range c.late {
		if k := s.mem.sources[id]; k != nil && k.later == nil && !k.source.Removed && !c.overtaken[id] {
			k.later = state
			s.late.sources[id] = true
		}
	}
	s.late.timer.Reset(saveAgain)
}
