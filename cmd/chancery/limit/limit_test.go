package limit

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// SEC-25: X-Forwarded-For is read from the right and only as far as proxies are
// trusted; what a client writes into it itself changes nothing.
func TestClientOf(t *testing.T) {
	var c Clients
	c.Trust([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:1::/48")})
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string // "" is nobody to count for
	}{
		{"no proxy", "192.0.2.1:99", nil, "192.0.2.1"},
		{"not trusted", "192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"},
		{"trusted", "203.0.113.9:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a forged entry on the left", "203.0.113.9:99", []string{"192.0.2.66, 198.51.100.7"}, "198.51.100.7"},
		{"a forged line before", "203.0.113.9:99", []string{"192.0.2.66", "198.51.100.7"}, "198.51.100.7"},
		{"a chain of proxies", "203.0.113.9:99", []string{"198.51.100.7, 203.0.113.8,203.0.113.7"}, "198.51.100.7"},
		{"a proxy on this machine", "127.0.0.1:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a proxy on a Unix socket", "@", []string{"198.51.100.7"}, "198.51.100.7"},
		{"this machine", "127.0.0.1:99", nil, ""},
		{"this machine, IPv6", "[::1]:99", nil, ""},
		{"the proxy itself", "203.0.113.9:99", nil, ""},
		{"proxies all the way", "203.0.113.9:99", []string{"203.0.113.8"}, ""},
		{"with a port", "203.0.113.9:99", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		{"IPv6 is counted by network", "[2001:db8::1:2:3:4]:99", nil, "2001:db8::"},
		{"IPv6 behind a proxy", "[2001:db8:1::5]:99", []string{"[2001:db8:2::1]:80"}, "2001:db8:2::"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:99", nil, "192.0.2.1"},
		{"garbage is one client", "203.0.113.9:99", []string{"198.51.100.7, unknown"}, "invalid IP"},
		{"an empty entry", "203.0.113.9:99", []string{""}, "invalid IP"},
		{"more hops than anybody has", "203.0.113.9:99", []string{strings.Repeat("203.0.113.8,", 100) + "203.0.113.8"}, "invalid IP"},
	} {
		got, counted := c.Of(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.forwarded}})
		if counted != (test.want != "") || counted && got.String() != test.want {
			t.Errorf("%s: %v (%v), want %q", test.name, got, counted, test.want)
		}
	}
}

// SEC-25: a client may ask so often and then waits; others are not hindered; the
// limit can change and be switched off.
func TestRate(t *testing.T) {
	now := time.Now()
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	r := NewRate(2, 5)
	taken := func(a netip.Addr, n int) (count int) {
		for range n {
			if _, ok := r.Take(a, now); ok {
				count++
			}
		}
		return count
	}
	if n := taken(one, 20); n != 5 {
		t.Errorf("%d at once, want 5", n)
	}
	if n := taken(two, 3); n != 3 {
		t.Errorf("another client: %d of 3", n)
	}
	if wait, ok := r.Take(one, now); ok || wait != time.Second {
		t.Errorf("wait %v (%v), want 1s", wait, ok)
	}
	now = now.Add(time.Second)
	if n := taken(one, 20); n != 2 {
		t.Errorf("%d a second later, want 2", n)
	}
	now = now.Add(time.Hour)
	if n := taken(one, 20); n != 5 {
		t.Errorf("%d after an hour, want 5: a bucket has a rim", n)
	}
	r.Set(0, 0)
	if n := taken(one, 100); n != 100 {
		t.Errorf("without a limit %d of 100", n)
	}
}

// SEC-25: the table is bounded, whoever asks, and what it forgets first is who has
// not been seen for longest.
func TestRateIsBounded(t *testing.T) {
	now := time.Now()
	r := NewRate(1, 1)
	busy := netip.MustParseAddr("192.0.2.1")
	for i := range uint32(4 * maxClients) {
		if _, ok := r.Take(busy, now); ok != (i == 0) {
			t.Fatalf("the busy client was forgotten after %d others, or never seen", i)
		}
		if i%1000 == 0 { // it goes on asking
			now = now.Add(time.Second)
			r.Take(busy, now)
		}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24+i)
		r.Take(netip.AddrFrom4(a), now)
	}
	if n := len(r.young) + len(r.old); n > maxClients {
		t.Errorf("%d clients are kept, at most %d", n, maxClients)
	}
}
