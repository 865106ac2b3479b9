package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"chancery/cmd/chancery/limit"
	"chancery/store"
)

// SEC-18, SEC-22: every answer of both sides has headers that keep a browser from running,
// framing or guessing it: pages, feeds, errors, refusals, whatever is asked for.
func TestSecurityHeaders(t *testing.T) {
	d, book := runDaemon(t, nil)
	awaitItems(t, d)
	heads, err := d.archive.Heads(t.Context(), store.HeadQuery{Limit: 1})
	if err != nil || len(heads) == 0 {
		t.Fatalf("no item: %v\n%s", err, book)
	}
	item := heads[0].ID.String()
	source := string(heads[0].Source)
	public, admin := d.publicHandler(), d.adminHandler()
	for _, c := range []struct {
		h     http.Handler
		paths []string
	}{
		{public, []string{
			"/", "/topics/iran", "/topics/nothing", "/sources/" + source, "/sources/nothing", "/items/" + item, "/items/" + item + ".json", "/items/" + item + "/revisions",
			"/items/" + item + "/diff?from=1&to=2", "/items/nothing", "/status", "/search", "/search?q=iran", "/search?q=%22", "/search.atom?q=iran", "/opml.xml", "/opensearch.xml",
			"/robots.txt", "/favicon.ico", "/static/feed.css", "/static/nothing", "/checkpoint", "/hub", "/api/v1/items", "/api/v1/openapi.json", "/api/v1/nothing",
			"/feeds/iran.atom", "/feeds/iran.rss", "/feeds/iran.json", "/feeds/iran", "/feeds/iran+mek.atom", "/feeds/mek+iran.atom", "/feeds/source/" + source + ".atom", "/feeds/all.atom",
			"/feeds/iran/archive/1", "/feeds/nothing.atom", "/t/wrong/feeds/iran.atom", "/nothing", "/..%2f..%2fetc/passwd", "/%00",
		}},
		{admin, []string{"/healthz", "/readyz", "/metrics", "/nothing", "/"}},
	} {
		for _, path := range c.paths {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions, http.MethodDelete} {
				w := ask(t, c.h, method, "http://127.0.0.1"+path, nil)
				h := w.Header()
				csp := h.Get("Content-Security-Policy")
				if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Permissions-Policy") == "" ||
					!strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
					t.Errorf("%s %s: %d with %v", method, path, w.Code, h)
				}
				if strings.HasPrefix(h.Get("Content-Type"), "text/html") && !strings.Contains(csp, "frame-ancestors 'none'") {
					t.Errorf("%s %s can be framed: %q", method, path, csp)
				}
				if h.Get("Set-Cookie") != "" || (method == http.MethodPost || method == http.MethodDelete) && w.Code < 400 { // SEC-22
					t.Errorf("%s %s: %d with %v", method, path, w.Code, h)
				}
				if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
					t.Errorf("%s %s: %d", method, path, w.Code)
				}
			}
		}
	}
}

// BenchmarkBounds is what counting, headers and the bound of a client add to a
// request, beside an answer of nothing.
func BenchmarkBounds(b *testing.B) {
	d := &daemon{meters: newMeters(), rate: limit.NewRate(1e6, 1e6)}
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/feeds/iran.atom", nil)
	for name, h := range map[string]http.Handler{"bare": nothing, "bounded": d.meters.counted(secured(d.bounded(nothing)))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&discard{}, r)
			}
		})
	}
}

// discard is an answer that nobody reads.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header {
	if d.h == nil {
		d.h = http.Header{}
	}
	return d.h
}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// awaitItems waits until the archive has items and the feeds have seen them.
func awaitItems(t *testing.T, d *daemon) {
	t.Helper()
	_, at, err := d.archive.Follow(t.Context(), 0, store.KindsOf(store.KindItem), 1)
	if err == nil {
		err = d.current.Load().publisher.Wait(t.Context(), at)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// SEC-25: a client that asks too often is told to wait; behind a trusted proxy it is
// the one that the proxy names; this machine is not bounded; a reload changes it.
func TestClientRate(t *testing.T) {
	d, _ := runDaemon(t, func(c *Config) {
		c.Server.ClientRate, c.Server.ClientBurst = 0.01, 3
		c.Server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	h := d.publicHandler()
	taken := func(peer, forwarded string) (n int) {
		for range 10 {
			w := ask(t, h, http.MethodGet, "/robots.txt", func(r *http.Request) {
				r.RemoteAddr = peer
				if forwarded != "" {
					r.Header.Set("X-Forwarded-For", forwarded)
				}
			})
			switch {
			case w.Code == http.StatusOK:
				n++
			case w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "":
				t.Errorf("%s: %d with %v", peer, w.Code, w.Header())
			}
		}
		return n
	}
	for _, c := range []struct {
		name, peer, forwarded string
		want                  int
	}{
		{"a client", "198.51.100.1:9", "", 3},
		{"it says that it is another", "198.51.100.1:9", "198.51.100.77", 0},
		{"another", "198.51.100.2:9", "", 3},
		{"one behind a proxy", "203.0.113.1:9", "198.51.100.3", 3},
		{"one who writes another in front", "203.0.113.1:9", "8.8.8.8, 198.51.100.3", 0},
		{"the first, by way of a proxy", "203.0.113.1:9", "198.51.100.1", 0},
		{"this machine", "127.0.0.1:9", "", 10},
	} {
		if got := taken(c.peer, c.forwarded); got != c.want {
			t.Errorf("%s: %d of 10 answered, want %d", c.name, got, c.want)
		}
	}
	c := *d.current.Load().config
	c.Server.ClientRate = 0
	d.inForce(&c)
	if got := taken("198.51.100.1:9", ""); got != 10 {
		t.Errorf("without a bound %d of 10 were answered", got)
	}
}

// SEC-23: the admin side answers under addresses, localhost and the names that the
// operator gave, and under no other: a page of somebody's cannot read it.
func TestAdminHost(t *testing.T) {
	d, _ := runDaemon(t, func(c *Config) { c.Server.MetricsHosts = []string{"feeds.internal"} })
	h := d.adminHandler()
	for host, want := range map[string]int{
		"127.0.0.1:9469": 200, "localhost:9469": 200, "LOCALHOST": 200, "[::1]:9469": 200, "192.0.2.7": 200, "feeds.internal:9469": 200, "feeds.internal.": 200,
		"rebound.example:9469": 421, "127.0.0.1.rebound.example": 421, "localhost.rebound.example": 421,
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			w := ask(t, h, http.MethodGet, "http://127.0.0.1"+path, func(r *http.Request) { r.Host = host })
			if w.Code != want {
				t.Errorf("%s under %s: %d, want %d", path, host, w.Code, want)
			}
		}
	}
}

// SEC-25: a thousand clients that send their heads byte by byte keep nobody else
// from being answered, and are hung up on.
func TestSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("holds a thousand connections for five seconds")
	}
	d, _ := runDaemon(t, nil)
	var slow []net.Conn
	for range 1000 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", d.public.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	begin := time.Now()
	for range 20 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", d.public.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET /robots.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		line, err := bufio.NewReader(c).ReadString('\n')
		_ = c.Close()
		if err != nil || !strings.Contains(line, " 200 ") {
			t.Fatalf("another client: %q, %v", line, err)
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("20 requests beside a thousand slow clients took %v", took)
	}
	for i, c := range slow { // they are hung up on when their five seconds are over
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("slow client %d is still there after %v", i, time.Since(begin))
		}
	}
	if took := time.Since(begin); took > 45*time.Second {
		t.Errorf("slow clients were there for %v", took)
	}
}

// SEC-25: a head that is too long is refused, and a body that nobody wants is not
// read to its end.
func TestLongHead(t *testing.T) {
	d, _ := runDaemon(t, nil)
	for name, request := range map[string]string{
		"head": fmt.Sprintf("GET / HTTP/1.1\r\nHost: a\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 64<<10)),
		"form": fmt.Sprintf("POST /hub HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", 64<<20, strings.Repeat("x", 64<<10)),
	} {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", d.public.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(c, request)
		begin := time.Now()
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, " 4") || time.Since(begin) > 10*time.Second {
			t.Errorf("%s: %q, %v after %v", name, line, err, time.Since(begin))
		}
		_ = c.Close()
	}
}
