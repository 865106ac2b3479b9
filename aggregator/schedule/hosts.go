package schedule

import (
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
)

const (
	// Three sources of a host that answer 503 with Retry-After within ten minutes
	// mean the host (CONFORMANCE F-51).
	hostSources = 3
	hostWindow  = 10 * time.Minute
)

// Hosts remembers which hosts refused us: what one source hears from its server
// concerns the others there. The zero value is ready; it is safe for concurrent
// use. After a restart, Seed it from the stored states.
type Hosts struct {
	mu    sync.Mutex // guards hosts
	hosts map[string]*refusals
}

type refusals struct {
	until  time.Time
	inARow int
	busy   map[feed.SourceID]overload // sources that answered 503 with Retry-After
}

type overload struct{ at, until time.Time }

// Seed takes up what was remembered of sources; host gives their buckets.
func (h *Hosts) Seed(states []store.SourceState, host func(store.Source) string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range states {
		m := recall(s.State.Schedule)
		if m.HostTo.IsZero() {
			continue
		}
		r := h.of(host(s.Source))
		r.inARow = max(r.inARow, m.Refused)
		if m.HostTo.After(r.until) {
			r.until = m.HostTo
		}
	}
}

// of gives the refusals of a host; h.mu is held.
func (h *Hosts) of(host string) *refusals {
	if h.hosts == nil {
		h.hosts = map[string]*refusals{}
	}
	if h.hosts[host] == nil {
		h.hosts[host] = &refusals{}
	}
	return h.hosts[host]
}

// Refused is how many polls of the host in a row were refused, for
// Outcome.HostRefused: the doubling of waits is the host's, not each source's.
func (h *Hosts) Refused(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.hosts[host]; r != nil {
		return r.inARow
	}
	return 0
}

// Until is until when no source of the host may be polled, by hand neither; zero
// if it may be now.
func (h *Hosts) Until(host string, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.hosts[host]; r != nil && r.until.After(now) {
		return r.until
	}
	return time.Time{}
}

// Observe takes up the outcome of a poll and what [Finish] made of it. It gives
// until when the whole host is held, for [Loop.Hold]; zero if it is not.
func (h *Hosts) Observe(host string, id feed.SourceID, o Outcome, d Decision, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.Class == "" { // most polls: nothing to remember, perhaps something to forget
		if r := h.hosts[host]; r != nil && !r.until.After(now) {
			delete(h.hosts, host)
		}
		return time.Time{}
	}
	switch {
	case !d.HostUntil.IsZero():
		r := h.of(host)
		// Refusals of requests that were under way together are one.
		if !r.until.After(now) || r.inARow == 0 {
			r.inARow++
		}
		if d.HostUntil.After(r.until) {
			r.until = d.HostUntil
		}
		return r.until
	case o.Status == 503 && o.HasRetry && o.RetryAfter > 0:
		r := h.of(host)
		if r.busy == nil {
			r.busy = map[feed.SourceID]overload{}
		}
		until := now.Add(min(o.RetryAfter, serverCap))
		for other, b := range r.busy {
			if now.Sub(b.at) > hostWindow {
				delete(r.busy, other)
			}
		}
		r.busy[id] = overload{now, until}
		if len(r.busy) < hostSources {
			return time.Time{}
		}
		for _, b := range r.busy {
			if b.until.After(r.until) {
				r.until = b.until
			}
		}
		return r.until
	}
	return time.Time{}
}
