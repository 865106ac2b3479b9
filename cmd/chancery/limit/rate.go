package limit

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// maxClients bounds the table of a [Rate]: about 5 MB when it is full.
const maxClients = 1 << 16

// Rate bounds the requests of each client over time by a token bucket. Its table
// has a bound, too: beyond it, those clients are forgotten first that have not been
// seen for longest, and may then ask as if they were new. It is safe for concurrent
// use.
type Rate struct {
	mu    sync.Mutex // guards all below
	every time.Duration
	burst time.Duration // of every, that a client may be ahead
	zero  time.Time
	// young and old hold for each client when its bucket will be full again, as time
	// since zero. When young is full it becomes old, and what was old is forgotten.
	young, old map[netip.Addr]time.Duration
}

// NewRate makes a limiter; see [Rate.Set].
func NewRate(perSecond float64, burst int) *Rate {
	r := &Rate{zero: time.Now(), young: map[netip.Addr]time.Duration{}}
	r.Set(perSecond, burst)
	return r
}

// Set changes the limit: so many requests a second on average, and so many at once
// for a client that has not asked for a while. perSecond 0 is no limit.
func (r *Rate) Set(perSecond float64, burst int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if perSecond <= 0 {
		r.every = 0
		return
	}
	r.every = time.Duration(float64(time.Second) / perSecond)
	r.burst = r.every * time.Duration(max(burst, 1))
}

// Take counts a request of a client at now. If there have been too many, it is not
// counted and wait is in how long one would be taken, at least a second.
func (r *Rate) Take(client netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.every == 0 {
		return 0, true
	}
	at := now.Sub(r.zero)
	full, seen := r.young[client]
	if !seen {
		var known bool
		if full, known = r.old[client]; !known {
			full = at
		}
	}
	next := max(full, at) + r.every
	if ahead := next - at - r.burst; ahead > 0 {
		return time.Duration(math.Ceil(ahead.Seconds())) * time.Second, false
	}
	if !seen && len(r.young) >= maxClients/2 {
		r.old, r.young = r.young, make(map[netip.Addr]time.Duration, 1024)
	}
	r.young[client] = next
	return 0, true
}
