package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chancery/feed"
)

// A first failure that may pass costs nothing; after it the wait doubles up to a
// week, with jitter between the usual interval and the doubled one; the first
// success ends it.
func TestBackOff(t *testing.T) { // F-55 F-60
	for _, c := range []struct {
		status int
		class  string
		first  int // doublings after the first failure
	}{{500, "server", 0}, {0, "timeout", 0}, {0, "dns", 1}, {0, "tls", 1}, {0, "connect", 1}, {200, "html", 1}, {200, "too-large", 1}} {
		h := newHistory()
		h.poll(posting(h.now, 24*time.Hour))
		usual := h.wait()
		began := h.now
		for n := 1; n <= 14; n++ {
			h.poll(failure(c.status, c.class))
			most := min(usual<<(n-1+c.first), 7*24*time.Hour)
			if w := h.wait(); w < usual*8/10 || w > most*11/10+most/10 {
				t.Errorf("%s number %d: next in %v, want %v to %v", c.class, n, w, usual, most)
			}
			if h.st.Failures != n || h.st.Class != c.class || h.st.LastStatus != c.status || h.st.LastError == "" || !h.st.FirstFailure.Equal(began) {
				t.Errorf("%s number %d is shown as %+v", c.class, n, h.st)
			}
			if h.d.Disable {
				t.Fatalf("%s: disabled after %d failures", c.class, n)
			}
		}
		if h.st.Condition != Failing && h.st.Condition != Broken {
			t.Errorf("%s: condition %q", c.class, h.st.Condition)
		}
		h.poll(fresh(1))
		if h.st.Failures != 0 || !h.st.FirstFailure.IsZero() || h.st.Condition != OK || h.wait() > 24*time.Hour*11/10 {
			t.Errorf("%s, after a success: %+v, next in %v", c.class, h.st, h.wait())
		}
	}
}

// Feeds of one host that fail together do not come back together.
func TestBackOffSpreads(t *testing.T) { // F-55 PEERS-8
	seen := map[time.Duration]bool{}
	for i := range 50 {
		h := newHistory()
		h.s.ID = feed.SourceID(fmt.Sprintf("blog-%d", i))
		for range 4 {
			h.poll(failure(500, "server"))
		}
		seen[h.wait().Truncate(time.Minute)] = true
	}
	if len(seen) < 40 {
		t.Errorf("50 sources come back in %d different minutes", len(seen))
	}
}

// 410 stops polling at once; a second, not before a day has passed, disables the
// source; anything else in between is a pardon.
func TestGone(t *testing.T) { // F-49 F-61
	h := newHistory()
	h.poll(fresh(20))
	d := h.poll(failure(410, "gone"))
	if d.Disable || h.st.Condition != Leaving {
		t.Fatalf("after one 410: disabled %t, %q", d.Disable, h.st.Condition)
	}
	within(t, "after one 410", h.wait(), 24*time.Hour)
	if h.st.NotBefore.Before(h.st.Polled.Add(24 * time.Hour)) {
		t.Error("a poll by hand may come sooner than a day")
	}
	d = h.poll(failure(410, "gone"))
	if !d.Disable || h.st.Condition != Gone || !h.s.Disabled || h.st.ETag == "" {
		t.Errorf("after two: disabled %t, %q", d.Disable, h.st.Condition)
	}
	if h.wait() < 10*365*24*time.Hour {
		t.Errorf("next poll in %v", h.wait())
	}
	h = newHistory()
	h.poll(failure(410, "gone"))
	h.poll(unchanged)
	h.poll(failure(410, "gone"))
	if h.d.Disable || h.st.Condition != Leaving {
		t.Errorf("410, 304, 410: disabled %t", h.d.Disable)
	}
	h = newHistory()
	h.poll(failure(410, "gone"))
	h.poll(failure(500, "server"))
	h.poll(failure(410, "gone"))
	if h.d.Disable || h.st.Condition != Leaving {
		t.Errorf("410, 500, 410: disabled %t", h.d.Disable)
	}
}

// 404 is asked daily at most for a month, then weekly, and ends after half a
// year; a burst of it costs no week.
func TestNotFound(t *testing.T) { // F-56 PEERS-11
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	began := h.now
	for !h.d.Disable {
		h.poll(failure(404, "not-found"))
		since := h.st.Polled.Sub(began)
		switch w := h.wait(); {
		case h.d.Disable:
			if since < 180*24*time.Hour || since > 190*24*time.Hour {
				t.Errorf("disabled after %v", since)
			}
		case since <= 30*24*time.Hour:
			if w > 27*time.Hour {
				t.Errorf("after %v: next in %v", since, w)
			}
		default:
			within(t, "after a month", w, 7*24*time.Hour)
		}
		if h.st.Condition != Missing && !h.d.Disable {
			t.Errorf("condition %q", h.st.Condition)
		}
	}
	if h.st.Condition != Gone || !strings.Contains(h.st.Why, "operator") {
		t.Errorf("condition %q, %s", h.st.Condition, h.st.Why)
	}
}

// A refusal holds the whole host: as long as Retry-After says, up to a month;
// else four hours, doubling.
func TestRefused(t *testing.T) { // F-22 F-51 F-52 F-53 F-54
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	for i, want := range []time.Duration{4, 8, 16, 32} {
		d := h.poll(failure(429, "limited"))
		if got := d.HostUntil.Sub(h.st.Polled); got != want*time.Hour {
			t.Errorf("429 number %d: host held %v, want %d h", i+1, got, want)
		}
		within(t, "429", h.wait(), max(want*time.Hour, 4*time.Hour))
		if h.st.Condition != Limited || h.st.Failures != 0 || h.st.NotBefore != d.HostUntil {
			t.Errorf("429 number %d is shown as %q with %d failures", i+1, h.st.Condition, h.st.Failures)
		}
	}
	for i := range 40 { // and so on, a week apart, however long it lasts
		if d := h.poll(failure(429, "limited")); i >= 2 && d.HostUntil.Sub(h.st.Polled) != 7*24*time.Hour {
			t.Fatalf("429 number %d: host held %v, want a week", i+5, d.HostUntil.Sub(h.st.Polled))
		}
	}
	h.poll(unchanged)
	if d := h.poll(failure(429, "limited")); d.HostUntil.Sub(h.st.Polled) != 4*time.Hour {
		t.Errorf("429 after a success: host held %v", d.HostUntil.Sub(h.st.Polled))
	}
	for _, c := range []struct {
		name        string
		o           Outcome
		served      bool
		host, until time.Duration
	}{
		{"429, seconds", Outcome{Status: 429, Class: "limited", HasRetry: true, RetryAfter: 3 * time.Hour}, true, 3 * time.Hour, 3 * time.Hour},
		{"429, days", Outcome{Status: 429, Class: "limited", HasRetry: true, RetryAfter: 72 * time.Hour}, true, 72 * time.Hour, 72 * time.Hour},
		{"429, a year", Outcome{Status: 429, Class: "limited", HasRetry: true, RetryAfter: 9000 * time.Hour}, true, 720 * time.Hour, 720 * time.Hour},
		{"429 with max-age", Outcome{Status: 429, Class: "limited", HasRetry: true, RetryAfter: time.Minute, Fresh: 50 * time.Hour}, true, 50 * time.Hour, 50 * time.Hour},
		{"403, served before", failure(403, "forbidden"), true, 4 * time.Hour, 4 * time.Hour},
		{"403, never served", failure(403, "forbidden"), false, 0, 0},
		{"a wall, served before", Outcome{Status: 200, Class: "wall", Wall: "Anubis"}, true, 4 * time.Hour, 4 * time.Hour},
		{"503 with Retry-After", Outcome{Status: 503, Class: "server", HasRetry: true, RetryAfter: 50 * time.Hour}, true, 0, 50 * time.Hour},
		{"503 with max-age", Outcome{Status: 503, Class: "server", Fresh: 50 * time.Hour}, true, 0, 50 * time.Hour},
		{"503", failure(503, "server"), true, 0, 0},
		{"a redirect to be followed later", Outcome{Status: 301, Class: "wait", HasRetry: true, RetryAfter: 20 * time.Hour}, true, 0, 20 * time.Hour},
	} {
		h := newHistory()
		if c.served {
			h.poll(posting(h.now, 24*time.Hour))
		}
		d := h.poll(c.o)
		host := time.Duration(0)
		if !d.HostUntil.IsZero() {
			host = d.HostUntil.Sub(h.st.Polled)
		}
		if host != c.host {
			t.Errorf("%s: host held %v, want %v", c.name, host, c.host)
		}
		if c.until > 0 {
			within(t, c.name, h.wait(), max(c.until, 230*time.Minute))
		}
		if c.o.Wall != "" || c.o.Class == "forbidden" {
			if h.st.Condition != Blocked {
				t.Errorf("%s: condition %q", c.name, h.st.Condition)
			}
		}
	}
}

// What we ended ourselves says nothing about the source; what was our own fault
// is not counted.
func TestOurFault(t *testing.T) {
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	before := h.st
	if d := Finish(h.c, h.s, h.st, Outcome{Class: "canceled"}, h.now); d.State.Polled != before.Polled || d.State.NextDue != before.NextDue {
		t.Errorf("a canceled poll changes %+v", d.State)
	}
	h.poll(failure(0, "busy"))
	if h.st.Failures != 0 {
		t.Errorf("%d failures", h.st.Failures)
	}
}
