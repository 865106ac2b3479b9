package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Hosts share a bucket by registrable domain, those of one platform too.
func TestHostKey(t *testing.T) { // F-88
	for _, c := range []struct{ url, want string }{
		{"https://example.org/feed", "example.org"},
		{"https://www.EXAMPLE.org:8443/feed", "example.org"},
		{"https://a.b.example.co.uk/", "example.co.uk"},
		{"https://alice.blogspot.com/", "blogspot.com"},
		{"https://bob.blogspot.co.uk/", "blogspot.co.uk"},
		{"https://alice.github.io/", "github.io"},
		{"https://alice.wordpress.com/", "wordpress.com"},
		{"https://x.s3.dualstack.eu-west-1.amazonaws.com/", "amazonaws.com"},
		{"https://bücher.example/", "xn--bcher-kva.example"},
		{"https://www.xn--bcher-kva.example./", "xn--bcher-kva.example"},
		{"https://localhost/", "localhost"},
		{"https://co.uk/", "co.uk"},
		{"http://127.0.0.1:8088/f/1", "127.0.0.1"},
		{"http://[::ffff:127.0.0.1]/", "127.0.0.1"},
		{"http://[2001:DB8::1]/", "2001:db8::1"},
		{"http://%zz/", ""},
	} {
		if got := HostKey(c.url); got != c.want {
			t.Errorf("HostKey(%s) = %q, want %q", c.url, got, c.want)
		}
	}
}

// slowWeb takes a second an answer and records when each began and how many
// were in flight.
type slowWeb struct {
	mu    sync.Mutex
	start time.Time
	at    map[string][]time.Duration
	now   map[string]int
	most  map[string]int
}

func (w *slowWeb) RoundTrip(r *http.Request) (*http.Response, error) {
	key := hostKey(r.URL.Hostname())
	w.mu.Lock()
	w.at[key] = append(w.at[key], time.Since(w.start))
	w.now[key]++
	w.most[key] = max(w.most[key], w.now[key])
	w.mu.Unlock()
	time.Sleep(time.Second)
	w.mu.Lock()
	w.now[key]--
	w.mu.Unlock()
	if to, ok := strings.CutPrefix(r.URL.Path, "/to/"); ok {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://" + to}}, Body: http.NoBody}, nil
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(rss)), ContentLength: -1}, nil
}

// One request at a time to a domain, their starts two seconds apart, redirects
// and manual polls included; other domains are not delayed. Waiting for the turn
// does not eat the time of the poll.
func TestSpacing(t *testing.T) { // F-11 F-88
	synctest.Test(t, func(t *testing.T) {
		w := &slowWeb{start: time.Now(), at: map[string][]time.Duration{}, now: map[string]int{}, most: map[string]int{}}
		c, err := NewOver(DefaultConfig(), w)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		get := func(u string) {
			wg.Go(func() {
				if _, err := c.Get(t.Context(), Request{URL: u}); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 40 {
			get(fmt.Sprintf("https://blog%d.blogspot.com/feed", i))
		}
		get("https://other.example/to/third.example/feed")
		get("https://other.example/to/other.example/feed")
		wg.Wait()
		for key, most := range w.most {
			if most != 1 {
				t.Errorf("%s: %d requests at a time", key, most)
			}
		}
		if n := len(w.at["blogspot.com"]); n != 40 {
			t.Errorf("%d requests to blogspot.com, want 40", n)
		}
		for key, at := range w.at {
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap < 2*time.Second {
					t.Errorf("%s: requests %v apart", key, gap)
				}
			}
		}
		if at := w.at["other.example"]; len(at) != 3 || at[0] != 0 {
			t.Errorf("other.example asked at %v, want three times from the start", at)
		}
		if at := w.at["third.example"]; len(at) != 1 || at[0] > 4*time.Second {
			t.Errorf("third.example asked at %v", at)
		}
	})
}

// The hard delay holds towards public hosts whatever the file says, and not for
// those of allow_networks.
func TestHardDelay(t *testing.T) { // F-88
	cfg := DefaultConfig()
	cfg.HostDelay = 0
	cfg.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		host string
		want time.Duration
	}{{"8.8.8.8", hardDelay}, {"example.org", hardDelay}, {"127.0.0.9", 0}, {"localhost", 0}} {
		if got := c.delay(placeOf(&url.URL{Scheme: "https", Host: x.host})); got != x.want {
			t.Errorf("delay to %s: %v, want %v", x.host, got, x.want)
		}
	}
}

// A caller that gives up while waiting for its turn leaves no trace.
func TestGateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if err := g.enter(t.Context(), "h", time.Hour); err != nil {
			t.Fatal(err)
		}
		for range 3 { // no place
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := g.enter(ctx, "h", time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("enter = %v, want the deadline", err)
			}
			cancel()
		}
		g.leave("h")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.enter(ctx, "h", time.Hour); !errors.Is(err, context.DeadlineExceeded) { // a place, but too early
			t.Errorf("enter = %v, want the deadline", err)
		}
		if at, ok := g.ready("h"); !ok || time.Until(at) > time.Hour {
			t.Errorf("ready = %v, %t; want within the hour of the only request made", time.Until(at), ok)
		}
		time.Sleep(3 * time.Hour)
		g.sweep(time.Now())
		if len(g.buckets) != 0 {
			t.Error("an idle bucket was kept")
		}
	})
}

// Equal polls at a time are one request; when the one that makes it gives up,
// another takes over.
func TestSingleFlight(t *testing.T) { // F-15
	synctest.Test(t, func(t *testing.T) {
		w := &slowWeb{start: time.Now(), at: map[string][]time.Duration{}, now: map[string]int{}, most: map[string]int{}}
		c := over(t, ctxWeb{w})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if resp, err := c.Get(t.Context(), Request{URL: "https://a.example/"}); err != nil || len(resp.Body) == 0 {
					t.Errorf("Get = %v", err)
				}
			})
		}
		wg.Wait()
		if n := len(w.at["a.example"]); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		wg.Go(func() {
			if _, err := c.Get(ctx, Request{URL: "https://b.example/"}); class(err) != Canceled {
				t.Errorf("Get = %v, want canceled", err)
			}
		})
		synctest.Wait()
		if _, err := c.Get(t.Context(), Request{URL: "https://b.example/"}); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := len(w.at["b.example"]); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

// ctxWeb gives up when the request's context ends, as real transports do.
type ctxWeb struct{ w http.RoundTripper }

func (c ctxWeb) RoundTrip(r *http.Request) (*http.Response, error) {
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := c.w.RoundTrip(r)
		done <- result{resp, err}
	}()
	select {
	case x := <-done:
		return x.resp, x.err
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// drip gives a byte a second for ever, or until the request ends.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	}
}

// A server that drips a byte a second is cut off at 60 s, one that stops after
// 20 s of silence.
func TestDrip(t *testing.T) { // F-96
	for _, c := range []struct {
		name string
		body func(ctx context.Context) io.Reader
		want time.Duration
	}{
		{"drips", func(ctx context.Context) io.Reader { return drip{ctx} }, 60 * time.Second},
		{"stops", func(ctx context.Context) io.Reader {
			return io.MultiReader(io.LimitReader(drip{ctx}, 15), silent{ctx})
		}, 35 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				web := roundTripper(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(c.body(r.Context())), ContentLength: -1}, nil
				})
				began := time.Now()
				_, err := over(t, web).Get(t.Context(), Request{URL: "https://a.example/"})
				if class(err) != Timeout {
					t.Errorf("%v, want timeout", err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("cut off after %v, want %v", took, c.want)
				}
			})
		})
	}
}

type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, context.Cause(s.ctx)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// HTTP/2 is spoken although the dialer is ours; connections are kept, and a new
// one resumes the TLS session.
func TestHTTP2AndResumption(t *testing.T) { // F-89 F-91
	var resumed []bool
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.TLS.DidResume)
		document(w, r)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that shall fail
	s.StartTLS()
	defer s.Close()
	c := loopback(t, nil)
	if _, err := c.Get(t.Context(), Request{URL: s.URL}); class(err) != TLS {
		t.Fatalf("a certificate nobody signed: %v, want class tls", err)
	}
	sum := sha256.Sum256(s.Certificate().Raw)
	pin := hex.EncodeToString(sum[:])
	if _, err := c.Get(t.Context(), Request{URL: s.URL, Pin: strings.Repeat("0", 64)}); class(err) != TLS {
		t.Errorf("another pin: %v, want class tls", err)
	}
	first, err := c.Get(t.Context(), Request{URL: s.URL, Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	if h := first.Hops[0]; h.Proto != "HTTP/2.0" || h.Reused {
		t.Errorf("first: %+v, want HTTP/2 over a new connection", h)
	}
	second, err := c.Get(t.Context(), Request{URL: s.URL, Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	if !second.Hops[0].Reused {
		t.Error("the connection was not used again")
	}
	c.CloseIdle()
	if _, err := c.Get(t.Context(), Request{URL: s.URL, Pin: pin}); err != nil {
		t.Fatal(err)
	}
	if len(resumed) != 3 || resumed[0] || !resumed[2] {
		t.Errorf("sessions resumed: %v, want the third", resumed)
	}
}

// A connection that the server closed while it was idle costs one more try, not
// a failure; 421 costs one over a new connection.
func TestOneRetry(t *testing.T) { // F-57
	var n int
	var mu sync.Mutex
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n++
		switch n {
		case 2: // on the kept connection, before the first byte
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		case 4, 6, 7:
			w.WriteHeader(http.StatusMisdirectedRequest)
		default:
			_, _ = w.Write([]byte(rss))
		}
	})
	c := loopback(t, nil)
	for i, want := range []struct {
		class    Class
		requests int
	}{{"", 1}, {"", 3}, {"", 5}, {Status, 7}} {
		_, err := c.Get(t.Context(), Request{URL: s.URL})
		if class(err) != want.class || n != want.requests {
			t.Errorf("poll %d: %v after %d requests in all, want class %q after %d", i, err, n, want.class, want.requests)
		}
	}
}

// All bad settings are named at once.
func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	bad := Config{
		HostDelay: -1, MaxRedirects: -1, AllowPorts: []int{0, 70000}, Contact: "a\nb",
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), {}},
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{
		"concurrency", "per_host", "host_delay", "connect_timeout", "tls_timeout", "header_timeout", "idle_timeout", "timeout",
		"max_wire_bytes", "max_bytes", "max_ratio", "max_header_bytes", "max_redirects", "allow_networks", "allow_ports", "contact",
	} {
		if !bytes.Contains([]byte("\n"+err.Error()), []byte("\n"+key+": ")) {
			t.Errorf("%s is not named in:\n%v", key, err)
		}
	}
	small := DefaultConfig()
	small.MaxMemory = 64 << 20
	if err := small.Validate(); err == nil || !strings.HasPrefix(err.Error(), "max_memory: ") {
		t.Errorf("too little memory: %v", err)
	}
}
