package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"chancery/feed"
)

// Client gets documents. It is safe for concurrent use.
type Client struct {
	cfg     Config
	guard   guard
	agent   []string // the one value of User-Agent
	base    http.RoundTripper
	offline bool // base is a pretend web: no addresses to guard
	gate    *gate
	large   chan struct{} // room for bodies above smallBody
	places  places

	mu      sync.Mutex                   // guards what follows
	flights map[flightKey]*flight        // gets in progress, by what they ask
	pins    map[string]http.RoundTripper // transports for pinned certificates
	fresh   http.RoundTripper            // that opens a connection for each request, for 421
}

// flight is a get in progress.
type flight struct {
	done chan struct{} // closed at the end; made by the first who waits for it, under Client.mu
	resp *Response
	err  error
}

// flightKey is what a get asks; rest is everything that hardly any get has.
type flightKey struct{ url, etag, modified, rest string }

// New makes a client for the real network.
func New(cfg Config) (*Client, error) {
	c, err := build(cfg)
	if err != nil {
		return nil, err
	}
	c.base = c.transport(tlsConfig())
	return c, nil
}

// NewOver makes a client whose requests are answered by base: a pretend web, for
// tests and the demo. No address is guarded, and all hosts count as local.
func NewOver(cfg Config, base http.RoundTripper) (*Client, error) {
	c, err := build(cfg)
	if err != nil {
		return nil, err
	}
	c.base, c.offline = base, true
	return c, nil
}

func build(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	networks := make([]netip.Prefix, len(cfg.AllowNetworks))
	for i, p := range cfg.AllowNetworks {
		networks[i] = network(p)
	}
	return &Client{
		cfg:     cfg,
		guard:   guard{networks: networks, ports: cfg.AllowPorts},
		agent:   []string{agent(cfg.Version, cfg.Contact)},
		gate:    newGate(cfg.PerHost),
		large:   make(chan struct{}, cfg.largeBodies()),
		flights: map[flightKey]*flight{},
		pins:    map[string]http.RoundTripper{},
	}, nil
}

// Transport is the guarded way to the network for other parts of the program:
// WebSub, discovery, full text. It checks addresses and names the program; it
// keeps no spacing, follows no redirect and bounds no body.
func (c *Client) Transport() http.RoundTripper { return guarded{c} }

// CloseIdle closes connections that no request uses.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rt := range append(slices.Collect(maps.Values(c.pins)), c.base, c.fresh) {
		if t, ok := rt.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// Ready is when a request to the bucket key (see [HostKey]) could start without
// waiting; ok is false while the bucket is full. For schedulers, which then do
// something else meanwhile.
func (c *Client) Ready(key string) (at time.Time, ok bool) { return c.gate.ready(key) }

// Get makes one poll. The response is there whenever one came, with an error
// too; the error is then what was wrong with it, always an [*Error]. Two equal
// Gets at a time are one (CONFORMANCE F-15).
func (c *Client) Get(ctx context.Context, r Request) (*Response, error) {
	key := keyOf(&r)
	for {
		c.mu.Lock()
		f := c.flights[key]
		if f == nil {
			f = &flight{}
			c.flights[key] = f
			c.mu.Unlock()
			f.resp, f.err = c.get(ctx, &r)
			c.mu.Lock()
			delete(c.flights, key)
			done := f.done
			c.mu.Unlock()
			if done != nil {
				close(done)
			}
			return f.resp, f.err
		}
		if f.done == nil {
			f.done = make(chan struct{})
		}
		c.mu.Unlock()
		select {
		case <-f.done:
			if e, ok := errors.AsType[*Error](f.err); ok && e.Class == Canceled && ctx.Err() == nil {
				continue // the other caller gave up; we have not
			}
			return f.resp, f.err
		case <-ctx.Done():
			return nil, &Error{Class: Canceled, Text: "canceled", Err: context.Cause(ctx)}
		}
	}
}

func keyOf(r *Request) flightKey {
	k := flightKey{url: r.URL, etag: r.ETag, modified: r.LastModified}
	if len(r.Headers) > 0 || r.Authorization != "" || r.Pin != "" || r.Page {
		k.rest = fmt.Sprintf("%v\x00%s\x00%s\x00%t", r.Headers, r.Authorization, r.Pin, r.Page)
	}
	return k
}

func (c *Client) get(ctx context.Context, r *Request) (*Response, error) {
	p, err := c.places.of(r.URL)
	if err != nil {
		return nil, &Error{Class: BadURL, URL: "source", Text: err.Error(), Err: err}
	}
	authorization := p.authorization
	if r.Authorization != "" {
		authorization = r.Authorization
	}
	secretsFor := ""
	if len(r.Headers) > 0 || authorization != "" {
		secretsFor = origin(p.url)
	}
	if r.Origin != "" && r.Origin != r.URL {
		o, _, err := target(r.Origin)
		if err != nil {
			return nil, &Error{Class: BadURL, URL: "origin", Text: err.Error(), Err: err}
		}
		secretsFor = origin(o)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := time.AfterFunc(c.cfg.Timeout, func() { cancel(errTotal) })
	defer total.Stop()

	began := time.Now()
	out := &Response{}
	out.Hops = out.first[:0]
	seen := []string{p.text}
	for {
		secret := secretsFor != "" && (len(r.Headers) > 0 || authorization != "") && origin(p.url) == secretsFor
		next, err := c.hop(ctx, cancel, r, p, authorization, secret, out, total)
		out.Took = time.Since(began)
		if err != nil {
			return out, err
		}
		if next == nil {
			return out, nil
		}
		// F-41: a visited set against loops, a limit against ladders.
		to := placeOf(next)
		if slices.Contains(seen, to.text) {
			return out, &Error{Class: Redirect, URL: show(p.url), Status: out.Status, Text: "the redirects go round in a circle, back to " + show(next)}
		}
		if len(seen) > c.cfg.MaxRedirects {
			return out, &Error{Class: Redirect, URL: show(p.url), Status: out.Status, Text: fmt.Sprintf("more than %d redirects", c.cfg.MaxRedirects)}
		}
		seen = append(seen, to.text)
		p = to
	}
}

// blank is what every request begins as.
var blank = http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// connection is what is learned of the connection that a request goes over.
type connection struct {
	guard         *guard
	reused, local bool
}

func (k *connection) got(i httptrace.GotConnInfo) {
	k.reused = i.Reused
	if a, ok := i.Conn.RemoteAddr().(*net.TCPAddr); ok {
		k.local = k.guard.local(a.AddrPort().Addr())
	}
}

// hop makes one exchange and fills out in. It gives the next address if the
// answer was a redirect.
func (c *Client) hop(ctx context.Context, cancel context.CancelCauseFunc, r *Request, p *place, authorization string, secret bool, out *Response, total *time.Timer) (*url.URL, error) {
	u := p.url
	if !c.offline && !c.guard.host(p.host, p.port) {
		return nil, c.fail(ctx, u, errRefused)
	}
	if err := c.enter(ctx, p, total); err != nil {
		return nil, c.fail(ctx, u, err)
	}
	defer c.gate.leave(p.key)

	began := time.Now()
	hop := Hop{URL: p.text}
	conn := &connection{guard: &c.guard}
	rt, err := c.roundTripper(r.Pin)
	if err != nil {
		return nil, &Error{Class: TLS, URL: show(u), Text: err.Error(), Err: err}
	}
	req := blank.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: conn.got}))
	req.URL, req.Host, req.Header = u, u.Host, c.header(r, p.text, authorization, secret, &hop)
	resp, err := rt.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusMisdirectedRequest && !c.offline && r.Pin == "" {
		resp.Body.Close()
		resp, err = c.freshTripper().RoundTrip(req) //nolint:bodyclose // F-57: once, over a new connection; closed below as the first would be
	}
	hop.Reused = conn.reused
	if err != nil {
		out.Status, out.URL = 0, p.text
		out.Hops = append(out.Hops, hop)
		return nil, c.fail(ctx, u, err)
	}
	out.Received = time.Now()
	hop.Status, hop.Proto, hop.Took = resp.StatusCode, resp.Proto, out.Received.Sub(began)
	out.Status, out.URL, out.Header = resp.StatusCode, p.text, resp.Header
	out.Local, out.Conditional = conn.local || c.offline, hop.Conditional
	if isRedirect(resp.StatusCode) && resp.Header.Get("Location") != "" {
		hop.Permanent = resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusPermanentRedirect
		drain(resp)
		next, e := c.follow(r, u, resp)
		if next != nil {
			hop.Location = next.String()
		}
		out.Hops = append(out.Hops, hop)
		if e != nil {
			return nil, e
		}
		return next, nil
	}
	out.Hops = append(out.Hops, hop)
	if e := c.finish(ctx, cancel, r, u, resp, out); e != nil {
		return nil, e
	}
	return nil, nil
}

// enter waits for the host's turn. The wait is ours, so that the poll's time
// does not run meanwhile.
func (c *Client) enter(ctx context.Context, p *place, total *time.Timer) error {
	if at, ok := c.gate.ready(p.key); !ok || at.After(time.Now()) {
		if !total.Stop() {
			return errTotal
		}
		defer total.Reset(c.cfg.Timeout)
	}
	return c.gate.enter(ctx, p.key, c.delay(p))
}

// delay is what lies between the starts of two requests to a host. It may be less
// than the least one where the host is written as an address of allow_networks, or
// is localhost while loopback is one of them.
func (c *Client) delay(p *place) time.Duration {
	if c.offline || p.addr.IsValid() && c.guard.local(p.addr) {
		return c.cfg.HostDelay
	}
	return max(c.cfg.HostDelay, hardDelay)
}

var (
	acceptValue   = []string{accept}
	encodingValue = []string{acceptEncoding}
	pageValue     = []string{"text/html, application/xhtml+xml, " + accept}
)

// header builds what is sent: nothing but what is listed here (F-85, F-86).
func (c *Client) header(r *Request, where, authorization string, secret bool, hop *Hop) http.Header {
	agent := c.agent
	if r.Subscribers > 0 {
		ua := agent[0] + " (" + strconv.Itoa(r.Subscribers) + " subscribers)"
		if r.Subscribers == 1 {
			ua = strings.TrimSuffix(ua, "s)") + ")"
		}
		agent = []string{ua}
	}
	h := http.Header{"Accept": acceptValue, "Accept-Encoding": encodingValue, "User-Agent": agent}
	if r.Page {
		h["Accept"] = pageValue
	}
	if secret { // F-43, F-94
		for name, value := range r.Headers {
			h.Set(name, value)
		}
		if authorization != "" {
			h.Set("Authorization", authorization)
		}
	}
	if r.Validators.URL == where {
		values := [...]string{r.ETag, r.LastModified}
		if r.ETag != "" {
			h["If-None-Match"] = values[0:1:1]
		}
		if r.LastModified != "" {
			h["If-Modified-Since"] = values[1:2:2]
		}
		hop.Conditional = !r.IsZero()
	}
	return h
}

// finish reads an answer that is no redirect.
func (c *Client) finish(ctx context.Context, cancel context.CancelCauseFunc, r *Request, u *url.URL, resp *http.Response, out *Response) error {
	switch resp.StatusCode {
	case http.StatusNotModified:
		resp.Body.Close()
		if !out.Conditional {
			return &Error{Class: Protocol, URL: show(u), Status: resp.StatusCode, Text: "HTTP 304 although nothing was asked conditionally"}
		}
		out.NotModified = true
		return nil
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
	default:
		return c.status(ctx, cancel, u, resp, out)
	}
	var cut int64
	if r.Page {
		cut = 1 << 20
	}
	b, err := c.read(ctx, cancel, u, resp, cut)
	if err != nil {
		return err
	}
	out.hold(b.release)
	out.Status = http.StatusOK
	out.Body, out.Wire, out.Coding, out.Flags = b.data, b.wire, b.coding, b.flags
	out.Digest = feed.DigestOf(b.data)
	out.Same = r.BodyHash != "" && out.Digest.String() == r.BodyHash
	if r.Page {
		return nil
	}
	return c.judge(u, resp, out)
}

// status makes the error of an answer without a document.
func (c *Client) status(ctx context.Context, cancel context.CancelCauseFunc, u *url.URL, resp *http.Response, out *Response) *Error {
	e := &Error{URL: show(u), Status: resp.StatusCode}
	e.RetryAfter, e.HasRetry = RetryAfter(resp.Header, out.Received)
	var start []byte
	if resp.StatusCode >= 400 || resp.StatusCode == http.StatusAccepted {
		if b, err := c.read(ctx, cancel, u, resp, 16<<10); err == nil {
			start = b.data
		}
	}
	drain(resp)
	text := fmt.Sprintf("HTTP %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch s := resp.StatusCode; {
	case s == http.StatusGone:
		e.Class, text = Gone, "HTTP 410: the publisher says that the feed is gone for good"
	case s == http.StatusNotFound:
		e.Class, text = NotFound, "HTTP 404: there is nothing at this address"
	case s == http.StatusTooManyRequests:
		e.Class, text = Limited, "HTTP 429: the publisher wants fewer requests"
	case s == http.StatusForbidden:
		e.Class, text = Forbidden, "HTTP 403: the publisher refuses us"
	case s == http.StatusUnauthorized, s == http.StatusPaymentRequired, s == http.StatusProxyAuthRequired, s == http.StatusUnavailableForLegalReasons:
		e.Class = Auth
	case s >= 500:
		e.Class = Server
	case s == http.StatusNoContent:
		e.Class, text = Empty, "HTTP 204: no document"
	case s == http.StatusPartialContent, s == http.StatusIMUsed:
		e.Class, text = Protocol, fmt.Sprintf("HTTP %d although nothing partial was asked for", s)
	default:
		e.Class = Status
	}
	if wall := Wall(resp.StatusCode, resp.Header, start); wall != "" {
		e.Wall = wall
		text = fmt.Sprintf("HTTP %d: a bot wall answered (%s)", resp.StatusCode, wall)
		if e.Class == Status {
			e.Class = Blocked
		}
	}
	e.Text = text
	return e
}

func (c *Client) roundTripper(pin string) (http.RoundTripper, error) {
	if pin == "" || c.offline {
		return c.base, nil
	}
	pin = strings.ToLower(pin)
	if len(pin) != 64 || strings.Trim(pin, "0123456789abcdef") != "" {
		return nil, errors.New("the pinned certificate is not a SHA-256 in hexadecimal")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pins[pin] == nil {
		c.pins[pin] = c.transport(pinned(pin))
	}
	return c.pins[pin], nil
}

func (c *Client) freshTripper() http.RoundTripper {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh == nil {
		t := c.transport(tlsConfig())
		t.DisableKeepAlives = true
		c.fresh = t
	}
	return c.fresh
}
