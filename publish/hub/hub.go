// Package hub is a WebSub hub (W3C Recommendation, 23 January 2018) for the feeds
// that are published here, and for no others.
//
// A subscriber asks for a feed by its self address; the hub asks back whether it
// meant it, and from then on posts the whole document there when it changed, until
// the lease ends. Subscriptions are kept in the ledger with the version that was
// delivered last, so that a restart announces what was missed and nothing twice.
//
// Requests go out through the transport that is handed in, which refuses private
// addresses; redirects are never followed (CONFORMANCE PUB-77 to PUB-82).
package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Config bounds what subscriptions may cost.
type Config struct {
	Lease         time.Duration // when the subscriber asks for none
	MaxLease      time.Duration // what is asked for beyond it is cut
	Subscriptions int           // at most, in all
	PerHost       int           // at most, for one host of callbacks
	MadeUp        int           // different feeds at most, of those whose names anybody can make up
	Timeout       time.Duration // of one request to a subscriber
	Retry         time.Duration // after the first failed delivery; then twice as long each time, up to an hour
}

// DefaultConfig has the lease that the standard's authors recommend.
func DefaultConfig() Config {
	return Config{
		Lease: 10 * 24 * time.Hour, MaxLease: 30 * 24 * time.Hour,
		Subscriptions: 10_000, PerHost: 1000, MadeUp: 128,
		Timeout: 10 * time.Second, Retry: 10 * time.Second,
	}
}

const (
	minLease = time.Hour // below it a subscriber costs more in verifying than in deliveries
	// gather is how long changes are collected before they are delivered: one poll
	// brings several commits. PUB-78 allows five seconds in all.
	gather    = time.Second
	maxRetry  = time.Hour
	maxSecret = 200     // bytes (WebSub §5.1: less than 200)
	maxForm   = 8 << 10 // bytes
	queueLen  = 100     // verifications that wait
	workers   = 4       // requests to subscribers at once
)

// Document is a topic as it is now.
type Document struct {
	Self    string // its address
	Type    string // Content-Type
	Version feed.Digest
	MadeUp  bool // the feed is there because somebody asks for it
	Bytes   func(ctx context.Context) ([]byte, error)
}

// Topics are the feeds that can be subscribed to.
type Topics interface {
	// Topic gives the feed at an address, or an error if none is there.
	Topic(ctx context.Context, address string) (Document, error)
	// Seen is how far the feeds have followed the archive; Wait waits until they
	// have followed it up to a cursor.
	Seen() store.Cursor
	Wait(ctx context.Context, at store.Cursor) error
}

// Hub takes subscriptions and delivers. It is safe for concurrent use.
type Hub struct {
	cfg     Config
	address string
	topics  Topics
	ledger  store.Ledger
	client  *http.Client
	log     *slog.Logger
	queue   chan request
	rand    func() string

	delivered, failed atomic.Int64 // documents; see Stats

	// writing is held while a subscription is changed and kept, so that the ledger has
	// what subs has.
	writing sync.Mutex

	mu    sync.Mutex // guards subs and ended
	subs  map[string]*subscription
	ended bool          // Run has returned, and nobody verifies
	wake  chan struct{} // a verified subscription or a failed delivery changed what is due
}

// subscription is what the ledger keeps of one.
type subscription struct {
	Topic     string      `json:"topic"`
	Callback  string      `json:"callback"`
	Secret    string      `json:"secret,omitempty"`
	Until     time.Time   `json:"until"`
	Delivered feed.Digest `json:"delivered"`
	MadeUp    bool        `json:"made_up,omitempty"`

	failures int       // in a row
	next     time.Time // not before
}

// request is a subscription or its end that is to be verified.
type request struct {
	mode, topic, callback, secret string
	lease                         time.Duration
	madeUp                        bool
}

// space is where the ledger keeps subscriptions.
const space = "hub"

// New makes a hub at an address. It knows of no subscription before Run.
func New(cfg Config, address string, topics Topics, ledger store.Ledger, transport http.RoundTripper, log *slog.Logger) *Hub {
	return &Hub{
		cfg: cfg, address: address, topics: topics, ledger: ledger, log: log,
		queue: make(chan request, queueLen), rand: challenge, subs: map[string]*subscription{}, wake: make(chan struct{}, 1),
		client: &http.Client{
			Transport: transport, Timeout: cfg.Timeout,
			// PUB-81: a callback that redirects could lead anywhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// recall reads the subscriptions that there are.
func (h *Hub) recall(ctx context.Context) error {
	subs := map[string]*subscription{}
	for after, more := "", true; more; {
		got, err := h.ledger.LedgerScan(ctx, space, "", after, 1000)
		if err != nil {
			return fmt.Errorf("read subscriptions: %w", err)
		}
		for _, e := range got {
			s := &subscription{}
			if err := json.Unmarshal(e.Value, s); err != nil {
				return fmt.Errorf("ledger key %q: %w", e.Key, err)
			}
			subs[e.Key] = s
			after = e.Key
		}
		more = len(got) == 1000
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs, h.ended = subs, false
	return nil
}

// keyOf names a subscription: one topic is sent to one callback once.
func keyOf(topic, callback string) string {
	d := sha256.Sum256([]byte(topic + "\x00" + callback))
	return hex.EncodeToString(d[:16])
}

// ServeHTTP takes requests of subscribers (WebSub §5.1, §5.2). It answers before
// it verifies.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, why string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(why + "\n")) // the client's loss
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		refuse(http.StatusMethodNotAllowed, "this is a WebSub hub: subscribe with POST")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		w.Header().Set("Connection", "close") // what is left of it is not waited for
		refuse(http.StatusBadRequest, "the form could not be read")
		return
	}
	if h.over() {
		w.Header().Set("Retry-After", "10")
		refuse(http.StatusServiceUnavailable, "the service is restarting")
		return
	}
	q, why := h.read(r.Context(), r.PostForm)
	if why != "" {
		refuse(http.StatusBadRequest, why)
		return
	}
	if q.mode == "subscribe" && !h.room(q) {
		w.Header().Set("Retry-After", "3600")
		refuse(http.StatusServiceUnavailable, "no more subscriptions are taken")
		return
	}
	select {
	case h.queue <- q:
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusServiceUnavailable, "too many requests wait to be verified")
	}
}

// read checks a request. why is for the subscriber; unknown parameters are let
// pass (PUB-79).
func (h *Hub) read(ctx context.Context, form url.Values) (q request, why string) {
	q = request{mode: form.Get("hub.mode"), topic: form.Get("hub.topic"), callback: form.Get("hub.callback"), secret: form.Get("hub.secret"), lease: h.cfg.Lease}
	if q.mode != "subscribe" && q.mode != "unsubscribe" {
		return q, `hub.mode must be "subscribe" or "unsubscribe"`
	}
	u, err := url.Parse(q.callback)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || len(q.callback) > 2048 {
		return q, "hub.callback is not an http(s) address"
	}
	if len(q.secret) >= maxSecret {
		return q, "hub.secret must be shorter than 200 bytes"
	}
	doc, err := h.topics.Topic(ctx, q.topic)
	if err != nil {
		return q, "hub.topic is not the address of a feed of this service"
	}
	q.topic, q.madeUp = doc.Self, doc.MadeUp
	if s := form.Get("hub.lease_seconds"); s != "" {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return q, "hub.lease_seconds is not a number of seconds"
		}
		if n > 0 { // in older drafts 0 asked for a lease without end, which there is not
			n = min(n, uint64(h.cfg.MaxLease/time.Second))        //nolint:gosec // positive
			q.lease = max(time.Duration(n)*time.Second, minLease) //nolint:gosec // as above
		}
	}
	return q, ""
}

// room reports whether one more subscription may be taken.
func (h *Hub) room(q request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[keyOf(q.topic, q.callback)] != nil {
		return true // an old one is renewed
	}
	host := hostOf(q.callback)
	same := 0
	madeUp := map[string]bool{}
	for _, s := range h.subs {
		if hostOf(s.Callback) == host {
			same++
		}
		if s.MadeUp {
			madeUp[s.Topic] = true
		}
	}
	// After every change each feed with a subscriber is made again, and nothing else
	// bounds how many a stranger can make up.
	if q.madeUp && !madeUp[q.topic] && len(madeUp) >= h.cfg.MadeUp {
		return false
	}
	return len(h.subs) < h.cfg.Subscriptions && same < h.cfg.PerHost
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Count is how many subscriptions there are.
func (h *Hub) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// Stats are counts of a hub, for metrics.
type Stats struct {
	Subscriptions int
	Failing       int   // subscriptions whose last delivery failed; it is tried again
	Verifying     int   // requests that wait to be verified
	Delivered     int64 // documents, since New
	Failed        int64 // deliveries that were not taken, since New
}

// Stats counts; it is cheap.
func (h *Hub) Stats() Stats {
	s := Stats{Verifying: len(h.queue), Delivered: h.delivered.Load(), Failed: h.failed.Load()}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Subscriptions = len(h.subs)
	for _, sub := range h.subs {
		if sub.failures > 0 {
			s.Failing++
		}
	}
	return s
}

// over reports whether what is asked for would be verified by nobody.
func (h *Hub) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// Run verifies and delivers until ctx ends, and all requests it made have ended. It
// begins by reading the subscriptions: of two hubs on one ledger, as there are for the
// moment of a reload, the second runs when the first has ended.
func (h *Hub) Run(ctx context.Context) error {
	end := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ended = true
	}
	if err := h.recall(ctx); errors.Is(err, store.ErrCorrupt) { // feeds are served without it
		h.log.ErrorContext(ctx, "the hub does not work: its subscriptions cannot be read", "error", err)
		end()
		<-ctx.Done()
		return context.Cause(ctx)
	} else if err != nil {
		return err
	}
	defer end()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { h.verifyAll(ctx) })
	}
	wg.Go(func() { h.watch(ctx) })
	h.deliverAll(ctx)
	wg.Wait()
	return context.Cause(ctx)
}

// watch wakes the delivery whenever the feeds have moved on.
func (h *Hub) watch(ctx context.Context) {
	for {
		if err := h.topics.Wait(ctx, h.topics.Seen()+1); err != nil {
			return
		}
		h.rouse()
	}
}

func (h *Hub) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// errRefused: a subscriber did not confirm, or did not take a delivery.
var errRefused = errors.New("the subscriber refused")
