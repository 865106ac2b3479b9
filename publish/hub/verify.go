package hub

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"chancery/store"
)

// challenge is a random text that nobody can guess, used once.
func challenge() string { return rand.Text() }

// verifyAll takes requests from the queue until ctx ends.
func (h *Hub) verifyAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-h.queue:
			if err := h.verify(ctx, q); err != nil && ctx.Err() == nil {
				// Not the callback itself: it may hold a secret (SEC-29).
				h.log.LogAttrs(ctx, slog.LevelInfo, "subscription not verified", slog.String("mode", q.mode), slog.String("host", hostOf(q.callback)), slog.Any("error", err))
			}
		}
	}
}

// verify asks the callback whether it meant the request (WebSub §5.3), and only
// then changes anything: a subscription that is there stays as it is until then.
func (h *Hub) verify(ctx context.Context, q request) error {
	secret := h.rand()
	params := url.Values{"hub.mode": {q.mode}, "hub.topic": {q.topic}, "hub.challenge": {secret}}
	if q.mode == "subscribe" {
		params.Set("hub.lease_seconds", strconv.Itoa(int(q.lease.Seconds())))
	}
	u, err := url.Parse(q.callback)
	if err != nil {
		return err
	}
	// PUB-82: what the callback has of a query stays as it is.
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	res, err := h.client.Do(req)
	if err != nil {
		return refusal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(len(secret))+64))
	if err != nil {
		return refusal(err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%w: HTTP %d", errRefused, res.StatusCode)
	}
	if subtle.ConstantTimeCompare(body, []byte(secret)) != 1 {
		return fmt.Errorf("%w: the challenge did not come back", errRefused)
	}
	return h.accept(ctx, q)
}

// refusal keeps the cause of a failed request without the address, which
// url.Error writes out.
func refusal(err error) error {
	for e := err; e != nil; {
		u, ok := e.(*url.Error) //nolint:errorlint // the outermost is to be taken off
		if !ok {
			return fmt.Errorf("%w: %w", errRefused, e)
		}
		e = u.Err
	}
	return errRefused
}

// accept takes a verified request over.
func (h *Hub) accept(ctx context.Context, q request) error {
	key := keyOf(q.topic, q.callback)
	if q.mode == "unsubscribe" {
		return h.remove(ctx, key)
	}
	s := &subscription{Topic: q.topic, Callback: q.callback, Secret: q.secret, Until: time.Now().UTC().Add(q.lease), MadeUp: q.madeUp}
	if h.find(key) == nil {
		// What is there now the subscriber has read, or can read.
		doc, err := h.topics.Topic(ctx, q.topic)
		if err != nil {
			return err
		}
		s.Delivered = doc.Version
	}
	if err := h.put(ctx, key, s); err != nil {
		return err
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "subscribed", slog.String("topic", q.topic), slog.String("host", hostOf(q.callback)), slog.Time("until", s.Until))
	h.rouse()
	return nil
}

// find gives a subscription, or nil.
func (h *Hub) find(key string) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs[key]
}

// put takes a subscription in, in place of the one that it renews.
func (h *Hub) put(ctx context.Context, key string, s *subscription) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if old := h.find(key); old != nil {
		s.Delivered = old.Delivered
	}
	if err := h.keep(ctx, key, s); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[key] = s
	return nil
}

// keep writes a subscription down. It needs writing.
func (h *Hub) keep(ctx context.Context, key string, s *subscription) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return h.ledger.LedgerWrite(ctx, []store.LedgerEntry{{Space: space, Key: key, Value: b}})
}

// remove ends a subscription.
func (h *Hub) remove(ctx context.Context, key string) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	_, there := h.subs[key]
	delete(h.subs, key)
	h.mu.Unlock()
	if !there {
		return nil
	}
	return h.ledger.LedgerWrite(ctx, []store.LedgerEntry{{Space: space, Key: key}})
}
