package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// Which addresses are public: first and last of each refused network, both of
// its neighbors where they are public, and all ways to write an IPv4 address inside
// an IPv6 one.
func TestPublic(t *testing.T) { // SEC-02 SEC-03
	for _, c := range []struct {
		public bool
		addrs  string
	}{
		{false, "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255"},
		{false, "169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.1 192.88.99.1"},
		{false, "192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255"},
		{true, "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.0"},
		{true, "172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255"},
		{false, ":: ::1 ::7f00:1 ::808:808 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254"},
		{true, "::ffff:8.8.8.8"},
		{false, "64:ff9b::127.0.0.1 64:ff9b::10.1.2.3 64:ff9b:1::127.0.0.1 64:ff9b:1::a00:1 64:ff9b:1:7f00:0:100::"},
		{true, "64:ff9b::8.8.8.8 64:ff9b:1::8.8.8.8"},
		{false, "2002:7f00:1:: 2002:a00:1:: 2002:c0a8:101::1"},
		{true, "2002:808:808::1"},
		{false, "100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1ff:ffff::1 2001:db8::1 3fff::1 3fff:fff::1 5f00::1"},
		{true, "2001:200::1 2001:4860:4860::8888 2a00:1450:4001::1 2606:4700::1111"},
		{false, "fc00::1 fdff:ffff::1 fe80::1 fe80::1%eth0 febf::1 fec0::1 feff::1 ff00::1 ff02::1 2606:4700::1111%eth0"},
	} {
		for text := range strings.FieldsSeq(c.addrs) {
			if got := public(netip.MustParseAddr(text)); got != c.public {
				t.Errorf("public(%s) = %t, want %t", text, got, c.public)
			}
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// What a URL may name, before anything is resolved.
func TestGuardHost(t *testing.T) { // SEC-04
	g := guard{ports: []int{80, 443}, networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for _, c := range []struct {
		host, port string
		ok         bool
	}{
		{"example.org", "443", true},
		{"8.8.8.8", "80", true},
		{"8.8.8.8", "22", false},
		{"10.0.0.1", "80", false},
		{"127.0.0.1", "9999", true},
		{"2130706433", "80", false},
		{"0x7f000001", "80", false},
		{"0x7f.1", "80", false},
		{"0X7F.0X1", "80", false},
		{"017700000001", "80", false},
		{"127.1", "80", false},
		{"127.0.0.1.", "80", false},
		{"1.2.3.0x4", "80", false},
		{"example.0x", "80", false},
		{"example.com.", "80", true},
		{"3com.example", "80", true},
		{"1.2.3.4a", "80", true},
		{"::1", "80", false},
		{"::ffff:127.0.0.1", "80", true},
		{"fe80::1%25eth0", "80", false},
	} {
		if got := g.host(c.host, c.port); got != c.ok {
			t.Errorf("host(%s, %s) = %t, want %t", c.host, c.port, got, c.ok)
		}
	}
}

// The check is on the address that is connected to: a name that resolves to a
// private one is refused in the dialer, whether or not something listens, and in
// the same words.
func TestRebinding(t *testing.T) { // SEC-01 SEC-07
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	open := c.control(t.Context(), "tcp4", l.Addr().String(), nil)
	closed := c.control(t.Context(), "tcp4", "127.0.0.1:80", nil)
	if !errors.Is(open, errRefused) || !errors.Is(closed, errRefused) {
		t.Errorf("open port: %v, closed port: %v; want both refused", open, closed)
	}
	var texts []string
	for _, u := range []string{"http://localhost/feed", "http://127.0.0.1/feed", "http://127.0.0.1:" + port(mustURL("http://"+l.Addr().String())) + "/feed", "http://[::1]/feed", "http://2130706433/feed"} {
		_, err := c.Get(t.Context(), Request{URL: u})
		if class(err) != Refused {
			t.Errorf("%s: %v, want refused", u, err)
			continue
		}
		e, _ := errors.AsType[*Error](err)
		texts = append(texts, e.Text)
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("refusals differ: %q and %q", texts[0], text)
		}
		if strings.Contains(text, "127.0.0.1") {
			t.Errorf("refusal names the address: %q", text)
		}
	}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// The transport for other rooms refuses the same addresses and names the program.
func TestTransport(t *testing.T) { // SEC-01 F-84
	var agents []string
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { agents = append(agents, r.UserAgent()) })
	closed, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	get := func(c *Client) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: c.Transport()}).Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(closed); class(err) != Refused {
		t.Errorf("Transport to loopback: %v, want refused", err)
	}
	if err := get(loopback(t, func(c *Config) { c.Version, c.Contact = "1.2", "https://example.org/about" })); err != nil {
		t.Fatal(err)
	}
	if want := "chancery/1.2 (+https://example.org/about)"; len(agents) != 1 || agents[0] != want {
		t.Errorf("User-Agent %q, want %q", agents, want)
	}
}

// A redirect to an address inside is refused like a first request there.
func TestRedirectInside(t *testing.T) { // SEC-01 PEERS-19
	reached := false
	inside := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	for _, to := range []string{
		inside.URL, "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/",
		"http://2130706433/", "http://user:password@127.0.0.2/", "//0x7f.1/", "http://[fe80::1%25lo]/",
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}))
		c := loopback(t, func(c *Config) {
			c.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			if to == inside.URL {
				c.AllowNetworks = nil // then nothing is permitted, the front neither
			}
		})
		_, err := c.Get(t.Context(), Request{URL: front.URL})
		if got := class(err); got != Refused && got != Redirect {
			t.Errorf("redirect to %s: %v, want refused", to, err)
		}
		front.Close()
	}
	if reached {
		t.Error("the inside was reached")
	}
}

// Permitted networks in all ways to write them.
func TestAllowNetworks(t *testing.T) { // SEC-05
	for _, c := range []struct {
		network, addr string
		ok            bool
	}{
		{"127.0.0.0/8", "127.1.2.3", true},
		{"127.0.0.1/8", "127.1.2.3", true},
		{"127.0.0.0/8", "::ffff:127.0.0.1", true},
		{"::ffff:127.0.0.0/104", "127.0.0.1", true},
		{"::ffff:127.0.0.0/104", "128.0.0.1", false},
		{"127.0.0.1/32", "127.0.0.2", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"::1/128", "::1", true},
		{"::1/128", "127.0.0.1", false},
	} {
		g := guard{networks: []netip.Prefix{network(netip.MustParsePrefix(c.network))}}
		if got := g.local(netip.MustParseAddr(c.addr)); got != c.ok {
			t.Errorf("%s in %s: %t", c.addr, c.network, got)
		}
	}
}

// A publisher that has only IPv6 works like one that has only IPv4.
func TestBothFamilies(t *testing.T) { // F-95
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Skipf("this machine has no %s: %v", host, err)
		}
		s := &http.Server{Handler: http.HandlerFunc(document)}
		go func() { _ = s.Serve(l) }() // ends with Close
		c := loopback(t, func(c *Config) { c.AllowNetworks = append(c.AllowNetworks, netip.MustParsePrefix("::1/128")) })
		resp, err := c.Get(t.Context(), Request{URL: "http://" + l.Addr().String() + "/"})
		if err != nil || !resp.Local {
			t.Errorf("%s: %v", host, err)
		}
		s.Close()
	}
}

// No proxy is taken from the environment.
func TestNoProxy(t *testing.T) { // SEC-06
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(rss)) })
	if _, err := loopback(t, nil).Get(context.Background(), Request{URL: s.URL}); err != nil {
		t.Error(err)
	}
	if c, _ := New(DefaultConfig()); c.base.(*http.Transport).Proxy != nil {
		t.Error("a proxy function is set")
	}
}

// far is a connection to some address.
type far struct {
	net.Conn
	to net.Addr
}

func (f far) RemoteAddr() net.Addr { return f.to }

// Only hosts that were reached at an address of allow_networks are without a hard
// floor, whatever their names (F-75).
func TestConnectionLocal(t *testing.T) {
	g := guard{networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for address, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "8.8.8.8": false, "127.0.0.1": false, "2001:4860::1": false} {
		k := &connection{guard: &g}
		k.got(httptrace.GotConnInfo{Conn: far{to: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 443))}, Reused: true})
		if k.local != want || !k.reused {
			t.Errorf("%s: local %t, want %t; reused %t", address, k.local, want, k.reused)
		}
	}
}
