package schedule

import (
	"fmt"
	"time"

	"chancery/store"
)

const (
	// A permanent redirect is believed after that many equal observations over that
	// long (CONFORMANCE F-38): servers in trouble send 301 to their front page.
	moveCount = 10
	moveSpan  = 7 * day
	// A new address that fails for that long is given up (F-46).
	moveTrial = 7 * day
)

// move learns and gives up addresses.
func (f *finisher) move() {
	m, o := &f.m, f.o
	if o.Class != "" {
		f.fallBack()
		return // an error confirms nothing and refutes nothing (F-45)
	}
	if o.Permanent == "" || o.Permanent == f.s.Address() {
		m.Move = nil
		return
	}
	if o.Permanent == m.NotAgain {
		return
	}
	if m.Move == nil || m.Move.To != o.Permanent || f.now.Before(m.Move.First) {
		m.Move = &observed{To: o.Permanent, First: f.now}
	}
	m.Move.Count++
	// F-39: what is there must be this feed. It is when it brings what we know, when
	// all we know came from there, or when it answers for what it brought before.
	if o.Parsed && (o.Known > 0 || f.before.IsZero() && o.Entries > 0) || o.Same || o.NotModified {
		m.Move.Confirmed = true
	}
	if m.Move.Count < moveCount || f.now.Sub(m.Move.First) < moveSpan || !m.Move.Confirmed {
		return
	}
	if !o.Trusted {
		if !m.Move.Told {
			m.Move.Told = true
			f.note("its server redirects for good to %s, over a connection that proves nothing: accept it by hand (sources set)", o.Permanent)
		}
		return
	}
	f.d.Move = &store.Move{
		From: f.s.Address(), To: o.Permanent, At: f.now,
		Reason: fmt.Sprintf("its server redirected there for good, %d times in %s", m.Move.Count, human(f.now.Sub(m.Move.First))),
	}
	f.note("moved from %s to %s", f.d.Move.From, f.d.Move.To)
	m.Move, m.MovedAt = nil, f.now
}

// fallBack gives a learned address up when it fails for a week.
func (f *finisher) fallBack() {
	st := &f.d.State
	if f.s.Moved == "" || st.FirstFailure.IsZero() || f.now.Sub(st.FirstFailure) < moveTrial {
		return
	}
	before := f.s.URL
	if n := len(f.s.Moves); n > 0 && f.s.Moves[n-1].To == f.s.Moved && f.s.Moves[n-1].From != "" {
		before = f.s.Moves[n-1].From
	}
	f.d.Move = &store.Move{
		From: f.s.Moved, To: before, At: f.now,
		Reason: fmt.Sprintf("the address learned from redirects failed for %s", human(f.now.Sub(st.FirstFailure))),
	}
	f.note("back from %s to %s", f.d.Move.From, f.d.Move.To)
	f.m.NotAgain, f.m.Move = f.s.Moved, nil
	st.Failures, st.FirstFailure = 0, time.Time{}
	f.set(f.c.floor(f.s.Interval, f.o.Local), "back at its former address")
}
