package fetch

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"chancery/feed"
)

// HostKey names the bucket that a URL's host shares with others: its registrable
// domain, or the address itself. Platforms that give each customer a subdomain
// (blogspot.com, github.io) are one bucket, as their machines are (CONFORMANCE
// F-88): the private part of the public suffix list is passed over. A URL that
// cannot be read has the key "".
func HostKey(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return hostKey(u.Hostname())
}

func hostKey(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	if !plain(host) {
		if ascii, err := feed.ASCIIHost(host); err == nil {
			host = ascii
		}
	}
	key := host
	for rest := host; rest != ""; {
		suffix, icann := publicsuffix.PublicSuffix(rest)
		if icann || !strings.Contains(suffix, ".") {
			// The label before the suffix, and the suffix.
			before, ok := strings.CutSuffix(host, "."+suffix)
			if !ok {
				return host // host is itself a suffix
			}
			key = before[strings.LastIndexByte(before, '.')+1:] + "." + suffix
			break
		}
		// A suffix of the private part: look for the registry's suffix above it.
		_, rest, _ = strings.Cut(suffix, ".")
	}
	return key
}

// plain: the host is in the form that is looked up, as nearly all are.
func plain(host string) bool {
	for i := range len(host) {
		if c := host[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// gate keeps requests to one bucket apart: at most perHost in flight, and their
// starts at least a delay from each other.
type gate struct {
	perHost int

	mu      sync.Mutex // guards buckets and their next
	buckets map[string]*bucket
}

type bucket struct {
	slots chan struct{} // one for each request in flight
	next  time.Time     // before which no request may start
	users int           // callers between enter and leave
}

// sweepAt is the number of buckets from which idle ones are thrown away.
const sweepAt = 4096

func newGate(perHost int) *gate {
	return &gate{perHost: perHost, buckets: map[string]*bucket{}}
}

// enter waits until a request to key may start. leave must follow if it
// returned nil.
func (g *gate) enter(ctx context.Context, key string, delay time.Duration) error {
	g.mu.Lock()
	b := g.buckets[key]
	if b == nil {
		if len(g.buckets) >= sweepAt {
			g.sweep(time.Now())
		}
		b = &bucket{slots: make(chan struct{}, g.perHost)}
		g.buckets[key] = b
	}
	b.users++
	g.mu.Unlock()

	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		g.mu.Lock()
		b.users--
		g.mu.Unlock()
		return context.Cause(ctx)
	}
	g.mu.Lock()
	now := time.Now()
	start := b.next
	if start.Before(now) {
		start = now
	}
	b.next = start.Add(delay)
	g.mu.Unlock()
	if wait := start.Sub(now); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			g.mu.Lock()
			if b.next.Equal(start.Add(delay)) {
				b.next = start // nobody came after us: the turn was not taken
			}
			g.mu.Unlock()
			g.leave(key)
			return context.Cause(ctx)
		}
	}
	return nil
}

// leave ends a request.
func (g *gate) leave(key string) {
	g.mu.Lock()
	b := g.buckets[key]
	b.users--
	g.mu.Unlock()
	<-b.slots
}

// ready is when a request to key could start, if nothing changes; ok is false
// while as many as are permitted are in flight.
func (g *gate) ready(key string) (at time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.buckets[key]
	if b == nil {
		return time.Time{}, true
	}
	return b.next, b.users < g.perHost
}

// sweep forgets buckets that hold nobody back any more; g.mu is held.
func (g *gate) sweep(now time.Time) {
	for key, b := range g.buckets {
		if b.users == 0 && b.next.Before(now) {
			delete(g.buckets, key)
		}
	}
}
