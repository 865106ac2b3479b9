package hub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// deliverAll sends what changed until ctx ends.
func (h *Hub) deliverAll(ctx context.Context) {
	timer := time.NewTimer(0) // at the start: what changed while nobody was here
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			select { // one poll is several commits
			case <-ctx.Done():
				return
			case <-time.After(gather):
			}
		case <-timer.C:
		}
		timer.Reset(h.round(ctx))
	}
}

// due is a delivery to make.
type due struct {
	key string
	sub subscription
	doc Document
}

// round delivers everything that is due and says when to look again at the latest.
func (h *Hub) round(ctx context.Context) time.Duration {
	now := time.Now()
	h.mu.Lock()
	subs := make(map[string]subscription, len(h.subs))
	for k, s := range h.subs {
		subs[k] = *s
	}
	h.mu.Unlock()
	docs := map[string]Document{}
	var list []due
	wait := time.Hour
	for _, key := range slices.Sorted(maps.Keys(subs)) {
		s := subs[key]
		if !now.Before(s.Until) {
			if err := h.remove(ctx, key); err != nil {
				h.log.LogAttrs(ctx, slog.LevelError, "end a subscription", slog.Any("error", err))
			}
			continue
		}
		wait = min(wait, s.Until.Sub(now))
		if s.next.After(now) {
			wait = min(wait, s.next.Sub(now))
			continue
		}
		doc, ok := docs[s.Topic]
		if !ok {
			var err error
			if doc, err = h.topics.Topic(ctx, s.Topic); err != nil {
				continue // not published any more; the lease will end
			}
			docs[s.Topic] = doc
		}
		if doc.Version != s.Delivered {
			list = append(list, due{key, s, doc})
		}
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, workers)
	for _, d := range list {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			h.settle(ctx, d, h.deliver(ctx, d))
		})
	}
	wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range list {
		if s := h.subs[d.key]; s != nil && !s.next.IsZero() {
			wait = min(wait, max(time.Until(s.next), 0))
		}
	}
	return wait
}

// errGone: the subscriber says that it wants no more (WebSub §7: 410).
var errGone = fmt.Errorf("%w: HTTP 410", errRefused)

// deliver posts the document (WebSub §7).
func (h *Hub) deliver(ctx context.Context, d due) error {
	body, err := d.doc.Bytes(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.sub.Callback, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", d.doc.Type)
	req.Header.Set("Link", fmt.Sprintf(`<%s>; rel="hub", <%s>; rel="self"`, h.address, d.doc.Self))
	if d.sub.Secret != "" {
		m := hmac.New(sha256.New, []byte(d.sub.Secret))
		m.Write(body)
		req.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(m.Sum(nil)))
	}
	res, err := h.client.Do(req)
	if err != nil {
		return refusal(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4096) // so that the connection can be used again
	switch {
	case res.StatusCode == http.StatusGone:
		return errGone
	case res.StatusCode/100 != 2:
		return fmt.Errorf("%w: HTTP %d", errRefused, res.StatusCode)
	}
	return nil
}

// settle notes what became of a delivery.
func (h *Hub) settle(ctx context.Context, d due, result error) {
	if ctx.Err() != nil {
		return
	}
	if result == nil {
		h.delivered.Add(1)
	} else {
		h.failed.Add(1)
	}
	if result == errGone { //nolint:errorlint // our own
		if err := h.remove(ctx, d.key); err != nil {
			h.log.LogAttrs(ctx, slog.LevelError, "end a subscription", slog.Any("error", err))
		}
		return
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	s := h.subs[d.key]
	if s == nil {
		h.mu.Unlock()
		return // unsubscribed meanwhile
	}
	if result != nil {
		// Once more later, until the lease ends (PUB-80).
		s.next = time.Now().Add(min(h.cfg.Retry<<min(s.failures, 16), maxRetry))
		s.failures++
		failures := s.failures
		h.mu.Unlock()
		h.log.LogAttrs(ctx, slog.LevelInfo, "not delivered", slog.String("topic", d.sub.Topic), slog.String("host", hostOf(d.sub.Callback)), slog.Int("failures", failures), slog.Any("error", result))
		return
	}
	s.failures, s.next, s.Delivered = 0, time.Time{}, d.doc.Version
	kept := *s
	h.mu.Unlock()
	if err := h.keep(ctx, d.key, &kept); err != nil {
		h.log.LogAttrs(ctx, slog.LevelError, "keep a subscription", slog.Any("error", err))
	}
}
