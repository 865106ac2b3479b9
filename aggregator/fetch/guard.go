package fetch

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// refused lists what is not a public address (CONFORMANCE SEC-02). The helpers of
// package netip let several of them through (SEC-03), so this is a table. Forms
// that carry an IPv4 address inside are judged by it; see public.
var refused = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // carrier-grade NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link local, and the metadata service of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
	"::/96",           // unspecified, loopback, IPv4-compatible
	"100::/64",        // discard
	"2001::/23",       // protocol assignments, Teredo
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fc00::/7",        // unique local
	"fe80::/10",       // link local
	"fec0::/10",       // site local
	"ff00::/8",        // multicast
)

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public reports whether a is an address of the public internet.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.Is6() {
		b := a.As16()
		inner := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
		switch {
		case nat64.Contains(a):
			return public(inner(12, 13, 14, 15))
		case nat64Local.Contains(a):
			// RFC 6052 §2.2: at /48 the address is in bits 48 to 87 without the octet
			// 64 to 71; at /96 in the last 32, the bits before being zero.
			if b[6]|b[7]|b[9]|b[10] != 0 && !public(inner(6, 7, 9, 10)) {
				return false
			}
			return public(inner(12, 13, 14, 15))
		case sixToFour.Contains(a):
			return public(inner(2, 3, 4, 5))
		}
	}
	return !slices.ContainsFunc(refused, func(p netip.Prefix) bool { return p.Contains(a) })
}

// guard decides which addresses may be connected to.
type guard struct {
	networks []netip.Prefix
	ports    []int
}

// local reports whether the operator listed a's network.
func (g guard) local(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(g.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// network is p as addresses are compared with it: without host bits, and IPv4
// where it was written inside IPv6.
func network(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// address judges an address that is about to be connected to.
func (g guard) address(a netip.AddrPort) bool {
	if g.local(a.Addr()) {
		return true
	}
	return public(a.Addr()) && slices.Contains(g.ports, int(a.Port()))
}

// host judges the host and port of a URL before anything is resolved: false when
// no address it could resolve to would be permitted (SEC-04).
func (g guard) host(host, port string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		p, err := strconv.ParseUint(port, 10, 16)
		return err == nil && g.address(netip.AddrPortFrom(a, uint16(p)))
	}
	return !endsInNumber(host)
}

// endsInNumber: a host whose last label is a number is meant as an IPv4 address
// in decimal, octal, hexadecimal or short form (WHATWG URL, "ends in a number").
// Resolvers read such names differently, so none is asked.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(strings.ToLower(last), "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}
