package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"chancery/store"
)

// State is a feed as an outside hub must know of it.
type State struct {
	Name      string
	Addresses []string // of its documents, one a format
	Mark      string   // another one after every change
	Changed   time.Time
}

// Outlets are the feeds whose changes are told to outside hubs.
type Outlets interface {
	// States lists the feeds as they are.
	States() []State
	// Seen is how far the feeds have followed the archive; Wait waits until they
	// have followed it up to a cursor.
	Seen() store.Cursor
	Wait(ctx context.Context, at store.Cursor) error
}

// Pinger tells outside hubs that feeds have changed, so that their subscribers get
// the change at once: what a publisher does in WebSub (CONFORMANCE PUB-78). How is
// left open by the standard; what the hubs understand is a form with hub.mode
// "publish" and the feed's address, once as hub.url, as the hubs of PubSubHubbub
// want it, and once as hub.topic.
//
// What a hub was told is kept in the ledger, so that a restart tells what was missed
// and nothing twice. A hub that is told of for the first time begins with what
// changes from then on.
type Pinger struct {
	hubs    []string
	outlets Outlets
	ledger  store.Ledger
	client  *http.Client
	retry   time.Duration
	log     *slog.Logger
}

// NewPinger makes a pinger for hubs. Requests go through transport and are bounded
// by cfg, of which it needs Timeout and Retry.
func NewPinger(cfg Config, hubs []string, outlets Outlets, ledger store.Ledger, transport http.RoundTripper, log *slog.Logger) *Pinger {
	return &Pinger{
		hubs: hubs, outlets: outlets, ledger: ledger, retry: cfg.Retry, log: log,
		client: &http.Client{
			Transport: transport, Timeout: cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// pingSpace is where the ledger keeps what hubs were told. Keys: HUB since, and
// HUB NAME for every feed, HUB being a digest of its address.
const pingSpace = "ping"

const pingSince = "since"

// Run pings until ctx ends, each hub at its own pace.
func (p *Pinger) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(p.hubs))
	for i, hub := range p.hubs {
		wg.Go(func() { errs[i] = p.serve(ctx, hub) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

// told is what one hub knows.
type told struct {
	hub   string
	key   string // prefix of its ledger keys
	since time.Time
	marks map[string]string // by feed
}

func (p *Pinger) serve(ctx context.Context, hub string) error {
	t, err := p.open(ctx, hub)
	if err != nil {
		return fmt.Errorf("read what %s was told: %w", hostOf(hub), err)
	}
	failures := 0
	for {
		seen := p.outlets.Seen()
		wait := time.Duration(0) // until the next change, however long
		if failed := p.round(ctx, t); failed != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			wait = min(p.retry<<min(failures, 16), maxRetry)
			if after, ok := errors.AsType[*laterError](failed); ok {
				wait = min(max(wait, after.wait), maxRetry)
			}
			failures++
			p.log.LogAttrs(ctx, slog.LevelWarn, "an outside hub was not told of changes", slog.String("host", hostOf(hub)),
				slog.Int("failures", failures), slog.Duration("again", wait), slog.Any("error", failed))
		} else {
			failures = 0
		}
		if err := p.pause(ctx, seen, wait); err != nil {
			return err
		}
	}
}

// pause waits for a retry, or else for a change and the moment in which more of
// them come, as one poll is several commits.
func (p *Pinger) pause(ctx context.Context, seen store.Cursor, wait time.Duration) error {
	if wait == 0 {
		if err := p.outlets.Wait(ctx, seen+1); err != nil {
			return err
		}
		wait = gather
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(wait):
		return nil
	}
}

// open reads what a hub was told.
func (p *Pinger) open(ctx context.Context, hub string) (*told, error) {
	d := sha256.Sum256([]byte(hub))
	t := &told{hub: hub, key: hex.EncodeToString(d[:8]) + " ", marks: map[string]string{}}
	for after := ""; ; {
		got, err := p.ledger.LedgerScan(ctx, pingSpace, t.key, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, e := range got {
			after = e.Key
			name := strings.TrimPrefix(e.Key, t.key)
			if name != pingSince {
				t.marks[strings.TrimPrefix(name, "feed ")] = string(e.Value)
				continue
			}
			if err := t.since.UnmarshalText(e.Value); err != nil {
				return nil, fmt.Errorf("ledger key %q: %w", e.Key, err)
			}
		}
		if len(got) == 1000 {
			continue
		}
		if !t.since.IsZero() {
			return t, nil
		}
		t.since = time.Now().UTC().Truncate(time.Millisecond) // as exact as records are
		b, err := t.since.MarshalText()
		if err != nil {
			return nil, err
		}
		return t, p.ledger.LedgerWrite(ctx, []store.LedgerEntry{{Space: pingSpace, Key: t.key + pingSince, Value: b}})
	}
}

// round tells a hub of every feed that changed since it was told. It gives up at
// the first sign that the hub is not there.
func (p *Pinger) round(ctx context.Context, t *told) error {
	var due []State
	for _, s := range p.outlets.States() {
		mark, known := t.marks[s.Name]
		if known && mark != s.Mark || !known && !s.Changed.Before(t.since) {
			due = append(due, s)
		}
	}
	for batch := range slices.Chunk(due, workers) {
		results := make([]error, len(batch))
		var wg sync.WaitGroup
		for i, s := range batch {
			wg.Go(func() { results[i] = p.tell(ctx, t.hub, s) })
		}
		wg.Wait()
		var done []store.LedgerEntry
		for i, s := range batch {
			if results[i] == nil {
				t.marks[s.Name] = s.Mark
				done = append(done, store.LedgerEntry{Space: pingSpace, Key: t.key + "feed " + s.Name, Value: []byte(s.Mark)})
			}
		}
		if len(done) > 0 {
			if err := p.ledger.LedgerWrite(ctx, done); err != nil {
				return fmt.Errorf("keep what was told: %w", err)
			}
		}
		if err := errors.Join(results...); err != nil {
			return err
		}
	}
	return nil
}

// tell pings one hub for one feed. What the hub refuses for good is told to the log
// and not tried again until the feed changes once more.
func (p *Pinger) tell(ctx context.Context, hub string, s State) error {
	for _, address := range s.Addresses {
		err := p.ping(ctx, hub, address)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			p.log.LogAttrs(ctx, slog.LevelWarn, "an outside hub does not want a feed", slog.String("host", hostOf(hub)), slog.String("feed", address), slog.Any("error", refused))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// laterError: the hub says when to come again.
type laterError struct {
	status int
	wait   time.Duration
}

func (e *laterError) Error() string { return fmt.Sprintf("HTTP %d", e.status) }

// refusedError: the hub will not take this feed.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("HTTP %d: %q", e.status, e.text) }

func (p *Pinger) ping(ctx context.Context, hub, address string) error {
	form := url.Values{"hub.mode": {"publish"}, "hub.url": {address}, "hub.topic": {address}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hub, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.client.Do(req)
	if err != nil {
		return refusal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // what it says if it refuses; nothing if it breaks off
	_, _ = io.CopyN(io.Discard, res.Body, 4096)          // so that the connection can be used again
	switch code := res.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 4 && code != http.StatusNotFound && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return &refusedError{code, string(text)}
	default: // 404 too: the address of the hub is wrong, or it is down
		e := &laterError{status: code}
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
			e.wait = time.Duration(min(n, int(maxRetry/time.Second))) * time.Second
		}
		return e
	}
}
