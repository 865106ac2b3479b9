package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

const (
	topic    = "https://feeds.example.org/feeds/iran.atom"
	madeUp   = "https://feeds.example.org/feeds/iran+" // and anything
	address  = "https://feeds.example.org/hub"
	callback = "https://reader.example/cb?id=1&x=%20y"
)

// board is a set of topics with one feed on it.
type board struct {
	mu   sync.Mutex
	text string
	at   store.Cursor
	grew chan struct{}
}

func (b *board) Topic(_ context.Context, a string) (Document, error) {
	if a != topic && !strings.HasPrefix(a, madeUp) {
		return Document{}, store.ErrNotFound
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text
	return Document{Self: a, MadeUp: a != topic, Type: "application/atom+xml; charset=utf-8", Version: feed.DigestOf([]byte(text)), Bytes: func(context.Context) ([]byte, error) { return []byte(text), nil }}, nil
}

func (b *board) Seen() store.Cursor { b.mu.Lock(); defer b.mu.Unlock(); return b.at }

func (b *board) Wait(ctx context.Context, at store.Cursor) error {
	for {
		b.mu.Lock()
		now, grew := b.at, b.grew
		b.mu.Unlock()
		if now >= at {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-grew:
		}
	}
}

// publish changes the feed.
func (b *board) publish(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text, b.at = text, b.at+1
	close(b.grew)
	b.grew = make(chan struct{})
}

// reader is a subscriber, as the transport that the hub's requests end in.
type reader struct {
	mu        sync.Mutex
	verified  []url.Values
	delivered []*http.Request
	bodies    []string
	at        []time.Time
	answer    func(r *http.Request) *http.Response // nil: confirm and take
}

// answers sets how the subscriber answers from now on.
func (s *reader) answers(f func(*http.Request) *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func response(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func (s *reader) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		s.verified = append(s.verified, r.URL.Query())
	} else {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.delivered, s.bodies, s.at = append(s.delivered, r), append(s.bodies, string(b)), append(s.at, time.Now())
	}
	if s.answer != nil {
		if res := s.answer(r); res != nil {
			return res, nil
		}
		return nil, errors.New("no route to https://reader.example/cb?secret")
	}
	return response(http.StatusOK, r.URL.Query().Get("hub.challenge")), nil
}

// trial is a hub with one subscriber in a bubble of time.
type trial struct {
	*testing.T
	hub    *Hub
	board  *board
	reader *reader
	ledger *storetest.Model
	stop   func()
}

func bubble(t *testing.T, f func(t *trial)) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trial{T: t, board: &board{text: "one", grew: make(chan struct{})}, reader: &reader{}, ledger: storetest.NewModel()}
		tr.start()
		defer func() { tr.stop() }()
		f(tr)
	})
}

// start runs a hub on the ledger, as after a restart.
func (t *trial) start() {
	t.run(New(DefaultConfig(), address, t.board, t.ledger, t.reader, slog.New(slog.DiscardHandler)))
}

func (t *trial) run(h *Hub) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.hub = h
	t.stop = sync.OnceFunc(func() { cancel(); <-done })
	synctest.Wait()
}

// ask posts a form and waits until everything that follows at once has happened.
func (t *trial) ask(pairs ...string) int {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hub", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	t.hub.ServeHTTP(rec, r)
	synctest.Wait()
	return rec.Code
}

func (t *trial) subscribe(more ...string) int {
	return t.ask(append([]string{"hub.mode", "subscribe", "hub.topic", topic, "hub.callback", callback}, more...)...)
}

func (t *trial) wait(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (t *trial) deliveries(n int) {
	t.Helper()
	if got := len(t.reader.bodies); got != n {
		t.Fatalf("%d deliveries, want %d: %q", got, n, t.reader.bodies)
	}
}

// websub.rocks hub 100: a typical subscription. 202 at once, verified with a
// challenge, the callback's own query kept (PUB-82), the full content delivered
// within five seconds with Content-Type and one Link with hub and self (PUB-80).
func TestSubscription(t *testing.T) {
	bubble(t, func(t *trial) {
		if code := t.subscribe(); code != http.StatusAccepted {
			t.Fatal(code)
		}
		q := t.reader.verified[0]
		if q.Get("hub.mode") != "subscribe" || q.Get("hub.topic") != topic || len(q.Get("hub.challenge")) < 20 || q.Get("hub.lease_seconds") != "864000" || q.Get("id") != "1" || q.Get("x") != " y" {
			t.Errorf("verified with %v", q)
		}
		t.wait(time.Minute)
		t.deliveries(0) // nothing changed yet
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(1)
		r := t.reader.delivered[0]
		if t.reader.bodies[0] != "two" || r.Header.Get("Content-Type") != "application/atom+xml; charset=utf-8" || r.URL.String() != callback {
			t.Errorf("delivered %q as %q to %s", t.reader.bodies[0], r.Header.Get("Content-Type"), r.URL)
		}
		if link := r.Header.Values("Link"); len(link) != 1 || link[0] != `<`+address+`>; rel="hub", <`+topic+`>; rel="self"` {
			t.Errorf("Link %q", link)
		}
		if r.Header.Get("X-Hub-Signature") != "" {
			t.Error("signed without a secret")
		}
	})
}

// Several commits within a second are one delivery; what did not change is none.
func TestCoalescing(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe()
		for _, s := range []string{"a", "b", "c"} {
			t.board.publish(s)
			t.wait(100 * time.Millisecond)
		}
		t.wait(5 * time.Second)
		t.deliveries(1)
		t.board.publish("c")
		t.wait(5 * time.Second)
		t.deliveries(1)
	})
}

// websub.rocks hub 101: with a secret the delivery is signed.
func TestSignature(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe("hub.secret", "s3cret")
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(1)
		m := hmac.New(sha256.New, []byte("s3cret"))
		m.Write([]byte("two"))
		if got, want := t.reader.delivered[0].Header.Get("X-Hub-Signature"), "sha256="+hex.EncodeToString(m.Sum(nil)); got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
	})
}

// websub.rocks hub 102, 103: unknown parameters are let pass; the lease that is
// asked for holds within bounds, none is for ever.
func TestLeases(t *testing.T) {
	for asked, want := range map[string]string{"86400": "86400", "5": "3600", "0": "864000", "99999999999": "2592000", "": "864000"} {
		bubble(t, func(t *trial) {
			if code := t.subscribe("hub.lease_seconds", asked, "hub.foo", "bar"); code != http.StatusAccepted {
				t.Fatalf("%q: %d", asked, code)
			}
			if got := t.reader.verified[0].Get("hub.lease_seconds"); got != want {
				t.Errorf("%q asked for, %s given, want %s", asked, got, want)
			}
		})
	}
	bubble(t, func(t *trial) {
		t.subscribe("hub.lease_seconds", "3600")
		t.wait(time.Hour + time.Minute)
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(0)
		if t.hub.Count() != 0 {
			t.Error("the lease has ended, the subscription has not")
		}
	})
}

// websub.rocks hub 104: a second subscription replaces the first, but only once it
// is verified.
func TestResubscription(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe("hub.secret", "old")
		t.reader.answers(func(r *http.Request) *http.Response { return response(404, "") })
		t.subscribe("hub.secret", "new")
		t.reader.answers(nil)
		t.board.publish("two")
		t.wait(5 * time.Second)
		signed := func(secret, body string) string {
			m := hmac.New(sha256.New, []byte(secret))
			m.Write([]byte(body))
			return "sha256=" + hex.EncodeToString(m.Sum(nil))
		}
		t.deliveries(1)
		if t.reader.delivered[0].Header.Get("X-Hub-Signature") != signed("old", "two") {
			t.Error("what was not confirmed took effect")
		}
		t.subscribe("hub.secret", "new")
		t.board.publish("three")
		t.wait(5 * time.Second)
		t.deliveries(2)
		if t.reader.delivered[1].Header.Get("X-Hub-Signature") != signed("new", "three") || t.hub.Count() != 1 {
			t.Error("what was confirmed did not take effect")
		}
	})
}

// websub.rocks hub 105: unsubscribing is verified too, and ends deliveries.
func TestUnsubscription(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe()
		t.reader.answers(func(*http.Request) *http.Response { return response(200, "something else") })
		t.ask("hub.mode", "unsubscribe", "hub.topic", topic, "hub.callback", callback)
		if t.hub.Count() != 1 {
			t.Fatal("ended by somebody who is not the subscriber")
		}
		t.reader.answers(nil)
		if code := t.ask("hub.mode", "unsubscribe", "hub.topic", topic, "hub.callback", callback); code != http.StatusAccepted {
			t.Fatal(code)
		}
		if t.hub.Count() != 0 {
			t.Fatal("not ended")
		}
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(0)
	})
}

// What is not confirmed changes nothing and writes nothing (SEC-24): another
// challenge, a redirect (PUB-81), an error, no answer.
func TestNotConfirmed(t *testing.T) {
	for why, answer := range map[string]func(*http.Request) *http.Response{
		"another challenge": func(*http.Request) *http.Response { return response(200, "x") },
		"the challenge and more": func(r *http.Request) *http.Response {
			return response(200, r.URL.Query().Get("hub.challenge")+"\n<html>")
		},
		"a redirect": func(r *http.Request) *http.Response {
			res := response(302, "")
			res.Header.Set("Location", "https://inside.example/?"+r.URL.RawQuery)
			return res
		},
		"an error":  func(*http.Request) *http.Response { return response(500, "") },
		"no answer": func(*http.Request) *http.Response { return nil },
	} {
		bubble(t, func(t *trial) {
			t.reader.answers(answer)
			t.subscribe()
			kept, err := t.ledger.LedgerScan(t.Context(), space, "", "", 10)
			if err != nil || len(kept) != 0 || t.hub.Count() != 0 {
				t.Errorf("%s: %d kept, %v", why, len(kept), err)
			}
			if n := len(t.reader.verified); n != 1 {
				t.Errorf("%s: %d requests, want 1", why, n)
			}
		})
	}
}

// Challenges are used once.
func TestChallengesDiffer(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe()
		t.subscribe()
		if a, b := t.reader.verified[0].Get("hub.challenge"), t.reader.verified[1].Get("hub.challenge"); a == b {
			t.Errorf("twice %s", a)
		}
	})
}

// PUB-80: a failed delivery is made again, later and later, until it is taken;
// redirects are failures; 410 ends the subscription.
func TestRetries(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe()
		begin := time.Now()
		t.reader.answers(func(*http.Request) *http.Response { return response(503, "") })
		t.board.publish("two")
		t.wait(75 * time.Second) // at 1, 11, 31 and 71 seconds
		t.deliveries(4)
		for i, want := range []time.Duration{1, 11, 31, 71} {
			if got := t.reader.at[i].Sub(begin); got != want*time.Second {
				t.Errorf("try %d after %v, want %v s", i+1, got, int(want))
			}
		}
		t.board.publish("three") // does not come in between
		t.wait(5 * time.Second)
		t.deliveries(4)
		t.reader.answers(nil)
		t.wait(2 * time.Minute)
		t.deliveries(5)
		if t.reader.bodies[4] != "three" {
			t.Errorf("delivered %q, want the newest", t.reader.bodies[4])
		}
		t.reader.answers(func(*http.Request) *http.Response { return response(410, "") })
		t.board.publish("four")
		t.wait(5 * time.Second)
		if t.hub.Count() != 0 {
			t.Error("410 did not end the subscription")
		}
	})
}

// PUB-78: a restart keeps subscriptions, announces what was missed, and nothing
// twice.
func TestRestart(t *testing.T) {
	bubble(t, func(t *trial) {
		t.subscribe()
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(1)
		t.stop()
		t.start()
		t.wait(time.Minute)
		t.deliveries(1)
		t.stop()
		t.board.publish("three")
		t.start()
		t.wait(5 * time.Second)
		t.deliveries(2)
		if t.reader.bodies[1] != "three" {
			t.Errorf("%q", t.reader.bodies)
		}
	})
}

// A reload makes the next hub while the one before still takes subscriptions: the
// next knows those too, and ends with what was ended. Who asks between the two is told
// to come again, as nobody would verify the request.
func TestReload(t *testing.T) {
	bubble(t, func(t *trial) {
		const other = "https://other.example/cb"
		t.subscribe("hub.callback", other)
		next := New(DefaultConfig(), address, t.board, t.ledger, t.reader, slog.New(slog.DiscardHandler))
		t.subscribe()
		t.ask("hub.mode", "unsubscribe", "hub.topic", topic, "hub.callback", other)
		t.stop()
		if code := t.subscribe(); code != http.StatusServiceUnavailable {
			t.Errorf("a hub that has ended answers %d, want 503", code)
		}
		t.run(next)
		t.board.publish("two")
		t.wait(5 * time.Second)
		t.deliveries(1)
		if got := t.reader.delivered[0].URL.String(); got != callback {
			t.Errorf("delivered to %s, want %s", got, callback)
		}
	})
}

// racing is a ledger in which something else happens before a write.
type racing struct {
	store.Ledger
	before func(writes []store.LedgerEntry)
}

func (r *racing) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) error {
	r.before(writes)
	return r.Ledger.LedgerWrite(ctx, writes)
}

// A subscription that ends while a delivery to it is written down has ended: it is not
// there again after a restart.
func TestEndDuringDelivery(t *testing.T) {
	ledger := &racing{Ledger: storetest.NewModel(), before: func([]store.LedgerEntry) {}}
	h := New(DefaultConfig(), address, &board{}, ledger, &reader{}, slog.New(slog.DiscardHandler))
	key := keyOf(topic, callback)
	s := &subscription{Topic: topic, Callback: callback, Until: time.Now().Add(time.Hour)}
	if err := h.put(t.Context(), key, s); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ledger.before = func([]store.LedgerEntry) {
		ledger.before = func([]store.LedgerEntry) {}
		go func() { ended <- h.remove(t.Context(), key) }()
		for range 1000 { // for it to come first, if it can
			runtime.Gosched()
		}
	}
	h.settle(t.Context(), due{key: key, sub: *s, doc: Document{Version: feed.DigestOf([]byte("two"))}}, nil)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := h.recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := h.Count(); n != 0 {
		t.Errorf("%d subscriptions after it ended, want none", n)
	}
}

// What is wrong is refused at once, with a reason.
func TestRefusals(t *testing.T) {
	bubble(t, func(t *trial) {
		long := strings.Repeat("x", 200)
		for why, form := range map[string][]string{
			"no mode": {"hub.mode", ""}, "publish": {"hub.mode", "publish"}, "another topic": {"hub.topic", "https://elsewhere.example/feed"}, "no topic": {"hub.topic", ""},
			"no callback": {"hub.callback", ""}, "a relative callback": {"hub.callback", "/cb"}, "another scheme": {"hub.callback", "ftp://x.example/"}, "a password": {"hub.callback", "https://u:p@x.example/"},
			"a long secret": {"hub.secret", long}, "no number": {"hub.lease_seconds", "soon"}, "a negative number": {"hub.lease_seconds", "-1"}, "a long callback": {"hub.callback", "https://x.example/" + strings.Repeat("x", 4096)},
		} {
			if code := t.subscribe(form...); code != http.StatusBadRequest {
				t.Errorf("%s: %d, want 400", why, code)
			}
		}
		if n := len(t.reader.verified); n != 0 {
			t.Errorf("%d were verified", n)
		}
		rec := httptest.NewRecorder()
		t.hub.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/hub", nil))
		if rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d", rec.Code)
		}
		if code := t.ask("x", strings.Repeat("x", maxForm+1)); code != http.StatusBadRequest {
			t.Errorf("a huge form: %d", code)
		}
	})
}

// Subscriptions are bounded, in all, for one host, and to feeds that anybody can make
// up; renewing is always possible.
func TestBounds(t *testing.T) {
	bubble(t, func(t *trial) {
		t.hub.cfg.PerHost = 2
		t.subscribe()
		t.subscribe("hub.callback", "https://reader.example/2")
		if code := t.subscribe("hub.callback", "https://reader.example/3"); code != http.StatusServiceUnavailable {
			t.Errorf("a third of one host: %d", code)
		}
		if code := t.subscribe(); code != http.StatusAccepted {
			t.Errorf("a renewal: %d", code)
		}
		if code := t.subscribe("hub.callback", "https://other.example/"); code != http.StatusAccepted {
			t.Errorf("another host: %d", code)
		}
		t.hub.cfg.PerHost, t.hub.cfg.MadeUp = 100, 2
		for i, c := range []struct {
			topic string
			code  int
		}{
			{madeUp + "a.atom", http.StatusAccepted},
			{madeUp + "b.atom", http.StatusAccepted},
			{madeUp + "c.atom", http.StatusServiceUnavailable}, // a third feed made up
			{madeUp + "a.atom", http.StatusAccepted},
			{topic, http.StatusAccepted},
		} {
			if code := t.subscribe("hub.topic", c.topic, "hub.callback", fmt.Sprintf("https://reader.example/%d", 10+i)); code != c.code {
				t.Errorf("%s: %d, want %d", c.topic, code, c.code)
			}
		}
	})
}

// A callback may be a secret: errors do not tell it (SEC-29).
func TestErrorsDoNotTellCallbacks(t *testing.T) {
	err := refusal(&url.Error{Op: "Get", URL: callback, Err: errors.New("connection refused")})
	if strings.Contains(err.Error(), "reader.example") || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}
