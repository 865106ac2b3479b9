package limit

import (
	"net"
	"net/netip"
	"sync"
)

// maxPerPeer is how many connections one address may hold: enough for an office
// behind one address, too few to use up the daemon.
const maxPerPeer = 128

// maxConnections is how many connections there may be at all.
const maxConnections = 10_000

// Connections refuses connections beyond 128 of one client. Trusted proxies, this
// machine itself and Unix sockets stand for many clients and are not counted.
func Connections(l net.Listener, clients *Clients) *Listener {
	return &Listener{Listener: l, clients: clients, open: map[netip.Addr]int{}}
}

// Listener is a listener that refuses connections beyond a number.
type Listener struct {
	net.Listener
	clients *Clients

	mu    sync.Mutex // guards what follows
	open  map[netip.Addr]int
	total int
	no    int64 // refused
}

// Open is how many connections are open, and how many were refused so far.
func (p *Listener) Open() (open int, refused int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total, p.no
}

// Accept implements net.Listener: it gives the next connection that is not one too
// many.
func (p *Listener) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, counted := p.peer(c)
		if p.enter(addr, counted) {
			return &countedConn{Conn: c, leave: sync.OnceFunc(func() { p.leave(addr, counted) })}, nil
		}
		_ = c.Close()
	}
}

// peer is the address to count a connection for.
func (p *Listener) peer(c net.Conn) (addr netip.Addr, counted bool) {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return addr, false
	}
	addr = ap.Addr().Unmap()
	return network(addr), !p.clients.trusts(addr)
}

func (p *Listener) enter(addr netip.Addr, counted bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= maxConnections || counted && p.open[addr] >= maxPerPeer {
		p.no++
		return false
	}
	p.total++
	if counted {
		p.open[addr]++
	}
	return true
}

func (p *Listener) leave(addr netip.Addr, counted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if counted {
		if p.open[addr]--; p.open[addr] == 0 {
			delete(p.open, addr)
		}
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
