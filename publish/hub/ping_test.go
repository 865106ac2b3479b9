package hub

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chancery/store/storetest"
)

const outside = "https://hub.example/publish"

// press is a set of feeds on a board.
type press struct {
	board
	states map[string]State
}

func (p *press) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []State
	for _, s := range p.states {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return len(a.Name) - len(b.Name) })
	return out
}

// change gives a feed another mark.
func (p *press) change(name string) {
	p.mu.Lock()
	s := p.states[name]
	n, _ := strconv.Atoi(s.Mark)
	p.states[name] = State{Name: name, Addresses: []string{"https://feeds.example.org/feeds/" + name + ".atom"}, Mark: strconv.Itoa(n + 1), Changed: time.Now()}
	p.mu.Unlock()
	p.publish(name)
}

type pinging struct {
	*testing.T
	press  *press
	hub    *reader
	ledger *storetest.Model
	stop   func()
}

func pingBubble(t *testing.T, f func(p *pinging)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pinging{T: t, press: &press{board: board{grew: make(chan struct{})}, states: map[string]State{}}, hub: &reader{}, ledger: storetest.NewModel()}
		p.press.change("iran")
		p.press.change("iraqis")
		p.wait(time.Hour)
		p.start(outside)
		defer func() { p.stop() }()
		f(p)
	})
}

func (p *pinging) start(hubs ...string) {
	pinger := NewPinger(DefaultConfig(), hubs, p.press, p.ledger, p.hub, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(p.Context())
	go func() { done <- pinger.Run(ctx) }()
	p.stop = sync.OnceFunc(func() { cancel(); <-done })
	synctest.Wait()
}

func (p *pinging) wait(d time.Duration) { time.Sleep(d); synctest.Wait() }

// topics are the feeds that the hub was told of, in order.
func (p *pinging) topics() []string {
	p.Helper()
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	var out []string
	for i, body := range p.hub.bodies {
		form, err := url.ParseQuery(body)
		r := p.hub.delivered[i]
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.URL.String() != outside {
			p.Errorf("%s %s %q", r.Method, r.URL, body)
		}
		if form.Get("hub.mode") != "publish" || form.Get("hub.url") != form.Get("hub.topic") {
			p.Errorf("form %v", form)
		}
		out = append(out, form.Get("hub.topic"))
	}
	return out
}

func (p *pinging) want(topics ...string) {
	p.Helper()
	for i := range topics {
		topics[i] = "https://feeds.example.org/feeds/" + topics[i] + ".atom"
	}
	if got := p.topics(); !slices.Equal(got, topics) {
		p.Fatalf("the hub was told of %q, want %q", got, topics)
	}
}

// PUB-78: an outside hub is told within five seconds, of what changed alone, and
// once for several changes at a time.
func TestPing(t *testing.T) {
	pingBubble(t, func(p *pinging) {
		p.want() // what was there before is no news
		p.press.change("iran")
		p.press.change("iran")
		p.wait(5 * time.Second)
		p.want("iran")
		p.wait(time.Hour)
		p.want("iran")
		p.press.change("iraqis")
		p.wait(5 * time.Second)
		p.want("iran", "iraqis")
	})
}

// PUB-78: a hub that fails is asked again, later each time, and is told all that
// it has not heard.
func TestPingRetries(t *testing.T) {
	pingBubble(t, func(p *pinging) {
		p.hub.answers(func(*http.Request) *http.Response { return response(http.StatusBadGateway, "") })
		p.press.change("iran")
		p.wait(5 * time.Second)
		p.want("iran")
		p.wait(10 * time.Second)
		p.want("iran", "iran")
		p.wait(15 * time.Second)
		p.want("iran", "iran")
		p.hub.answers(func(*http.Request) *http.Response { return response(http.StatusNoContent, "") })
		p.press.change("iran")
		p.wait(time.Second)
		p.want("iran", "iran", "iran")
		p.wait(24 * time.Hour)
		p.want("iran", "iran", "iran")
	})
}

// A hub that says when to come again is left alone until then.
func TestPingRetryAfter(t *testing.T) {
	pingBubble(t, func(p *pinging) {
		p.hub.answers(func(*http.Request) *http.Response {
			res := response(http.StatusServiceUnavailable, "")
			res.Header.Set("Retry-After", "600")
			return res
		})
		p.press.change("iran")
		p.wait(9 * time.Minute)
		p.want("iran")
		p.wait(2 * time.Minute)
		p.want("iran", "iran")
	})
}

// A feed that the hub refuses is not pressed on it, and does not keep others back.
func TestPingRefused(t *testing.T) {
	pingBubble(t, func(p *pinging) {
		p.hub.answers(func(*http.Request) *http.Response { return response(http.StatusForbidden, "not yours") })
		p.press.change("iran")
		p.wait(24 * time.Hour)
		p.want("iran")
		p.hub.answers(nil)
		p.press.change("iraqis")
		p.wait(5 * time.Second)
		p.want("iran", "iraqis")
		p.press.change("iran")
		p.wait(5 * time.Second)
		p.want("iran", "iraqis", "iran")
	})
}

// PUB-78: at a restart a hub is told what it has not heard, and nothing twice.
func TestPingRestart(t *testing.T) {
	pingBubble(t, func(p *pinging) {
		p.press.change("iran")
		p.wait(5 * time.Second)
		p.stop()
		p.press.change("iraqis")
		p.wait(time.Hour)
		p.start(outside)
		p.wait(5 * time.Second)
		p.want("iran", "iraqis")
		p.stop()
		p.start(outside)
		p.wait(time.Hour)
		p.want("iran", "iraqis")
	})
}
