package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// newServer bounds what a client may cost (CONFORMANCE SEC-25).
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.With("part", "http").Handler(), slog.LevelDebug),
	}
}

// drainTimeout is how long answers under way may take when the daemon ends.
const drainTimeout = 5 * time.Second

// serveHTTP serves until ctx ends, then lets answers under way finish.
func serveHTTP(ctx context.Context, s *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("%s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.Shutdown(drain); err != nil {
		_ = s.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// maxPerPeer is how many connections one address may hold: enough for an office
// behind one address, too few to use up the daemon.
const maxPerPeer = 128

// maxConnections is how many connections there may be at all.
const maxConnections = 10_000

// limitPeers refuses connections beyond maxPerPeer of one address. Trusted
// proxies, this machine itself and Unix sockets stand for many clients and are
// not counted.
func limitPeers(l net.Listener, trusted []netip.Prefix) net.Listener {
	return &peerLimiter{Listener: l, trusted: trusted, open: map[netip.Addr]int{}}
}

type peerLimiter struct {
	net.Listener
	trusted []netip.Prefix

	mu    sync.Mutex // guards what follows
	open  map[netip.Addr]int
	total int
}

func (p *peerLimiter) Accept() (net.Conn, error) {
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

// peer is the address to count a connection for: one IPv4 address, or one IPv6
// network of 64 bits, which is what one subscriber gets.
func (p *peerLimiter) peer(c net.Conn) (addr netip.Addr, counted bool) {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return addr, false
	}
	addr = ap.Addr().Unmap()
	if addr.IsLoopback() {
		return addr, false
	}
	for _, t := range p.trusted {
		if t.Contains(addr) {
			return addr, false
		}
	}
	if addr.Is6() {
		if net, err := addr.WithZone("").Prefix(64); err == nil {
			addr = net.Addr()
		}
	}
	return addr, true
}

func (p *peerLimiter) enter(addr netip.Addr, counted bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= maxConnections || counted && p.open[addr] >= maxPerPeer {
		return false
	}
	p.total++
	if counted {
		p.open[addr]++
	}
	return true
}

func (p *peerLimiter) leave(addr netip.Addr, counted bool) {
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

func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
