package limit

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// peers is a listener whose connections come from given addresses.
type peers struct {
	net.Listener
	from   []string
	closed int
}

type peerConn struct {
	net.Conn
	p    *peers
	addr net.Addr
}

func (c *peerConn) RemoteAddr() net.Addr { return c.addr }
func (c *peerConn) Close() error         { c.p.closed++; return nil }

func (p *peers) Accept() (net.Conn, error) {
	if len(p.from) == 0 {
		return nil, errors.New("no more")
	}
	a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.from[0]))
	p.from = p.from[1:]
	return &peerConn{p: p, addr: a}, nil
}

// SEC-25: one address may hold so many connections and no more; an address gets
// its place back when it hangs up; proxies and this machine stand for many.
func TestPeerLimit(t *testing.T) {
	repeat := func(addr string, n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = addr
		}
		return list
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	for _, test := range []struct {
		name string
		from []string
		want int
	}{
		{"one address", repeat("192.0.2.1:9", maxPerPeer+5), maxPerPeer},
		{"one IPv6 network", append(repeat("[2001:db8::1]:9", maxPerPeer), "[2001:db8::2]:9", "[2001:db8:0:1::2]:9"), maxPerPeer + 1},
		{"the same as IPv4 in IPv6", append(repeat("192.0.2.1:9", maxPerPeer), "[::ffff:192.0.2.1]:9"), maxPerPeer},
		{"a trusted proxy", repeat("203.0.113.7:9", maxPerPeer+5), maxPerPeer + 5},
		{"this machine", repeat("127.0.0.1:9", maxPerPeer+5), maxPerPeer + 5},
	} {
		p := &peers{from: test.from}
		clients := new(Clients)
		clients.Trust(trusted)
		l := Connections(p, clients)
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, c)
		}
		if len(open) != test.want || p.closed != len(test.from)-test.want {
			t.Errorf("%s: %d accepted and %d refused, want %d and %d", test.name, len(open), p.closed, test.want, len(test.from)-test.want)
		}
		for _, c := range open {
			_ = c.Close()
			_ = c.Close() // http.Server may close twice
		}
		p.from = test.from[:1]
		if _, err := l.Accept(); err != nil {
			t.Errorf("%s: no place after all hung up: %v", test.name, err)
		}
	}
}
