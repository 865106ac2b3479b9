package schedule

import (
	"fmt"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Hosts pass a refusal on: 429 at once, 503 when three sources hear it within
// ten minutes; doubling is the host's.
func TestHosts(t *testing.T) { // F-51 F-52 PEERS-8
	c, now := DefaultConfig(), t0
	var hosts Hosts
	see := func(id feed.SourceID, o Outcome) time.Time {
		o.HostRefused = hosts.Refused("h")
		d := Finish(c, store.Source{ID: id}, store.PollState{}, o, now)
		return hosts.Observe("h", id, o, d, now)
	}
	busy := Outcome{Status: 503, Class: "server", HasRetry: true, RetryAfter: time.Hour}
	for i, id := range []feed.SourceID{"a", "a", "b", "c"} {
		until := see(id, busy)
		if held := !until.IsZero(); held != (i == 3) {
			t.Errorf("503 number %d of %s: host held %t", i, id, held)
		}
		now = now.Add(time.Minute)
	}
	if hosts.Until("h", now).IsZero() || !hosts.Until("other", now).IsZero() {
		t.Error("the host is not held, or another is")
	}
	hosts = Hosts{}
	for i := range 5 { // too far apart
		if until := see(feed.SourceID(fmt.Sprint(i)), busy); !until.IsZero() {
			t.Errorf("503 number %d, six minutes apart: host held", i)
		}
		now = now.Add(6 * time.Minute)
	}
	hosts = Hosts{}
	for i, want := range []time.Duration{4, 8, 16} {
		until := see(feed.SourceID(fmt.Sprint(i)), failure(429, "limited"))
		if got := until.Sub(now); got != want*time.Hour {
			t.Errorf("429 number %d of the host: held %v, want %d h", i, got, want)
		}
		now = until.Add(time.Second)
	}
	see("x", unchanged)
	if n := hosts.Refused("h"); n != 0 {
		t.Errorf("after a success %d refusals are remembered", n)
	}
	// Over a restart.
	d := Finish(c, store.Source{ID: "a"}, store.PollState{}, failure(429, "limited"), now)
	hosts = Hosts{}
	hosts.Seed([]store.SourceState{{Source: store.Source{ID: "a"}, State: d.State}}, func(store.Source) string { return "h" })
	if got := hosts.Until("h", now).Sub(now); got != 4*time.Hour || hosts.Refused("h") != 1 {
		t.Errorf("after a restart held %v, refused %d", got, hosts.Refused("h"))
	}
}
