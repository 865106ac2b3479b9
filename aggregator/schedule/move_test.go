package schedule

import (
	"strings"
	"testing"
	"time"
)

const elsewhere = "https://new.example/feed"

// redirected is a 304 that came from elsewhere by permanent redirects.
func redirected(trusted bool) Outcome {
	o := unchanged
	o.URL, o.ValidatorURL, o.Permanent, o.Trusted = elsewhere, elsewhere, elsewhere, trusted
	return o
}

// A permanent redirect is learned after ten equal observations over seven days,
// when what is there is the same feed.
func TestMoveLearned(t *testing.T) { // F-38 F-39
	for _, c := range []struct {
		name  string
		every time.Duration
		days  float64 // at least, until it is learned
	}{{"often: seven days", 4 * time.Hour, 7}, {"daily: ten times", 24 * time.Hour, 9}} {
		h := newHistory()
		h.c.MinInterval = c.every
		h.poll(posting(h.now, 24*time.Hour))
		first, seen := h.now, 0
		for h.s.Moved == "" && seen < 100 {
			o := redirected(true)
			if seen == 0 { // the first time there are no validators for it
				o = fresh(0)
				o.Permanent, o.Trusted = elsewhere, true
			}
			h.poll(o)
			seen++
		}
		took := h.st.Polled.Sub(first).Hours() / 24
		if h.s.Moved != elsewhere || seen < 10 || took < c.days || took > c.days+2.5 {
			t.Errorf("%s: moved to %q after %d observations in %.1f days", c.name, h.s.Moved, seen, took)
		}
		if len(h.s.Moves) != 1 || h.s.Moves[0].From != "https://blog.example/feed" || h.s.Moves[0].Reason == "" || len(h.d.Notes) == 0 {
			t.Errorf("%s: history %+v, notes %v", c.name, h.s.Moves, h.d.Notes)
		}
		h.poll(unchanged)
		if h.s.Moved != elsewhere || len(h.s.Moves) != 1 {
			t.Errorf("%s: moved again: %+v", c.name, h.s.Moves)
		}
	}
}

// What does not count: another target, a temporary answer between, an error, a
// target that is not this feed, a connection that proves nothing.
func TestMoveNotLearned(t *testing.T) { // F-38 F-39 F-40 F-45 F-48
	for _, c := range []struct {
		name string
		poll func(i int) Outcome
		note string
	}{
		{"targets alternate", func(i int) Outcome {
			o := redirected(true)
			if i%2 == 0 {
				o.Permanent = "https://other.example/feed"
			}
			return o
		}, ""},
		{"not every ninth time", func(i int) Outcome {
			o := redirected(true)
			if i%9 == 0 {
				o.Permanent = ""
			}
			return o
		}, ""},
		{"to a web page", func(int) Outcome {
			o := redirected(true)
			o.NotModified, o.Class, o.Status = false, "html", 200
			return o
		}, ""},
		{"another feed is there", func(int) Outcome {
			o := fresh(20)
			o.Permanent, o.Trusted = elsewhere, true
			return o
		}, ""},
		{"over plain http to another domain", func(int) Outcome { return redirected(false) }, "by hand"},
		{"only a hint in the feed", func(int) Outcome {
			o := fresh(0)
			o.Hints.NewFeedURL = elsewhere
			return o
		}, "says that it moves"},
	} {
		h := newHistory()
		h.c.MinInterval = 24 * time.Hour
		h.poll(posting(h.now, 24*time.Hour))
		notes := ""
		told := 0
		for i := range 40 {
			d := h.poll(c.poll(i))
			for _, n := range d.Notes {
				if c.note != "" && strings.Contains(n, c.note) {
					told++
				}
			}
			notes += strings.Join(d.Notes, "\n")
		}
		if h.s.Moved != "" {
			t.Errorf("%s: moved to %s", c.name, h.s.Moved)
		}
		if c.note != "" && told != 1 {
			t.Errorf("%s: the operator was told %d times: %s", c.name, told, notes)
		}
	}
}

// An error between two observations neither counts nor starts over.
func TestMoveErrorsBetween(t *testing.T) { // F-45
	h := newHistory()
	h.c.MinInterval = 24 * time.Hour
	h.poll(posting(h.now, 24*time.Hour))
	for i := range 30 {
		if i%3 == 0 {
			h.poll(failure(500, "server"))
		} else {
			h.poll(redirected(true))
		}
	}
	if h.s.Moved != elsewhere {
		t.Errorf("moved to %q", h.s.Moved)
	}
}

// A learned address that fails for a week is given up for the one before, and
// not learned again; history keeps both.
func TestMoveUndone(t *testing.T) { // F-46
	for _, o := range []Outcome{failure(0, "dns"), failure(404, "not-found"), failure(410, "gone"), failure(200, "html")} {
		h := newHistory()
		h.c.MinInterval = 24 * time.Hour
		h.poll(posting(h.now, 24*time.Hour))
		for h.s.Moved == "" {
			h.poll(redirected(true))
		}
		failed := h.now
		for h.s.Moved != "" && h.now.Before(failed.Add(60*24*time.Hour)) {
			h.poll(o)
		}
		if h.s.Moved != "" || h.s.Disabled || h.s.Address() != "https://blog.example/feed" {
			t.Errorf("%s: still at %q, disabled %t", o.Class, h.s.Moved, h.s.Disabled)
			continue
		}
		if took := h.st.Polled.Sub(failed); took < 7*24*time.Hour || took > 24*24*time.Hour {
			t.Errorf("%s: given up after %v", o.Class, took)
		}
		if n := len(h.s.Moves); n != 2 || h.s.Moves[1].To != "https://blog.example/feed" {
			t.Errorf("%s: history %+v", o.Class, h.s.Moves)
		}
		if h.st.Failures != 0 {
			t.Errorf("%s: the former address starts with %d failures", o.Class, h.st.Failures)
		}
		for range 20 {
			h.poll(redirected(true))
		}
		if h.s.Moved != "" {
			t.Errorf("%s: learned again", o.Class)
		}
	}
}
