// Package limit bounds what one client may take of the public side: connections
// at a time, and requests over time. Reverse proxies, which stand for many
// clients, are looked through by X-Forwarded-For where the operator trusts them.
package limit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// maxHops bounds how many entries of X-Forwarded-For are looked at.
const maxHops = 32

// Clients tells whose request one is. It is safe for concurrent use; the zero value
// trusts this machine alone.
type Clients struct {
	trusted atomic.Pointer[[]netip.Prefix]
}

// Trust sets whose X-Forwarded-For counts, in place of what was set before. This
// machine itself and peers on a Unix socket are always trusted.
func (c *Clients) Trust(networks []netip.Prefix) {
	networks = slices.Clone(networks)
	c.trusted.Store(&networks)
}

func (c *Clients) trusts(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	list := c.trusted.Load()
	return list != nil && slices.ContainsFunc(*list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Unknown is the one client that all those are whose address a trusted proxy sent
// in a form that can't be read.
var Unknown = netip.Addr{}

// Of finds the client of a request: the peer, or if it is trusted the nearest
// address in X-Forwarded-For that is not, read from the right, where each proxy
// adds whom it had it from. What stands further left anybody can write. counted is
// false for a request of a trusted peer itself: there is nobody to count it for.
func (c *Clients) Of(r *http.Request) (client netip.Addr, counted bool) {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		if client = ap.Addr().Unmap(); !c.trusts(client) {
			return network(client), true
		}
	} // else a Unix socket
	hops := 0
	lines := r.Header["X-Forwarded-For"]
	for _, line := range slices.Backward(lines) {
		for rest := line; ; hops++ {
			at := strings.LastIndexByte(rest, ',')
			a, ok := address(rest[at+1:])
			switch {
			case !ok || hops >= maxHops:
				return Unknown, true
			case !c.trusts(a):
				return network(a), true
			}
			if at < 0 {
				break
			}
			rest = rest[:at]
		}
	}
	return client, false
}

// address reads an entry of X-Forwarded-For: an address, some proxies add the port.
func address(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap(), err == nil
}

// network is what is counted as one client: one IPv4 address, or one IPv6 network
// of 64 bits, which is what one subscriber gets.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if net, err := a.WithZone("").Prefix(64); err == nil {
			return net.Addr()
		}
	}
	return a
}
