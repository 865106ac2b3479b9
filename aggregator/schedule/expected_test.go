package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
)

// A source is missed by its own rhythm: after days for one that posts daily, after
// weeks for one that posts weekly, never within a long weekend, and not at all
// where too little is known. Silence itself moves the time no further.
func TestExpected(t *testing.T) { // OPS-28
	for _, c := range []struct {
		name     string
		gap      time.Duration
		from, to time.Duration // after the newest post
	}{
		{"twenty a day", 72 * time.Minute, 4 * day, 4 * day},
		{"daily", day, 5 * day, 10 * day},
		{"weekly", 7 * day, 30 * day, 70 * day},
	} {
		h := newHistory()
		h.poll(posting(h.now, c.gap))
		newest, by, ok := Expected(h.st)
		if got := by.Sub(newest); !ok || got < c.from || got > c.to {
			t.Errorf("%s: another after %v (%v), want %v to %v", c.name, got, ok, c.from, c.to)
		}
		for h.now.Before(t0.Add(60 * day)) {
			h.poll(unchanged)
		}
		if _, later, ok := Expected(h.st); !ok || later.Sub(by).Abs() > 2*day {
			t.Errorf("%s: after two silent months another was expected by %v, before by %v", c.name, later, by)
		}
	}
	if _, _, ok := Expected(newHistory().st); ok {
		t.Error("something is expected of a source that was never polled")
	}
	h := newHistory()
	o := posting(h.now, day)
	o.Published = o.Published[:1]
	h.poll(o)
	if _, by, ok := Expected(h.st); ok {
		t.Errorf("a source with one known post is expected to post by %v", by)
	}
}

// OPS-05: a loop that runs answers, however long there is nothing to poll; one
// that hangs, or does not run, lets the asker's time run out.
func TestLoopAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Loop{Poll: func(context.Context, feed.SourceID) (Task, bool) { return Task{}, false }}
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			return l.Answer(ctx)
		}
		if ask() == nil {
			t.Error("a loop that does not run answered")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		if err := ask(); err != nil {
			t.Errorf("an idle loop: %v", err)
		}
		stuck := make(chan struct{})
		l.mu.Lock()
		l.Ready = func(string) (time.Time, bool) { <-stuck; return time.Time{}, false } // a loop that hangs in its own code
		l.mu.Unlock()
		l.Put(Task{ID: "a", Host: "a"})
		synctest.Wait()
		if ask() == nil {
			t.Error("a loop that hangs answered")
		}
		close(stuck)
		cancel()
		<-ended
	})
}
