package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// What a survey makes of sources and disk: only what needs a person is a need, and
// many failing sources are one. (OPS-26, OPS-28.)
func TestNeeds(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	room := diskSpace{Free: 10 << 30, Size: 100 << 30}
	source := func(id string, failing time.Duration) store.SourceState {
		s := store.SourceState{Source: store.Source{ID: feed.SourceID(id), URL: "https://" + id + ".example/feed"}}
		s.State.Polled, s.State.Succeeded = now.Add(-time.Minute), now.Add(-time.Minute)
		if failing > 0 {
			s.State.LastError, s.State.FirstFailure = "time limit", now.Add(-failing)
			s.State.Succeeded = s.State.FirstFailure
		}
		return s
	}
	gone := source("gone", 1000*time.Hour)
	gone.State.Condition, gone.Disabled = "gone", true
	many := func(n, bad int, failing time.Duration) (list []store.SourceState) {
		for i := range n {
			d := failing
			if i >= bad {
				d = 0
			}
			list = append(list, source(fmt.Sprintf("s%d", i), d))
		}
		return list
	}
	for _, c := range []struct {
		name    string
		disk    diskSpace
		last    time.Time
		sources []store.SourceState
		want    []string
	}{
		{"all is well", room, now, many(10, 0, 0), nil},
		{"a trouble that may mend itself", room, now, many(10, 1, 71*time.Hour), nil},
		{"one for long", room, now, many(10, 1, 73*time.Hour), []string{"source-failing s0"}},
		{"gone", room, now, []store.SourceState{gone}, []string{"source-gone gone"}},
		{"our network", room, now, many(10, 10, 100*time.Hour), []string{"network "}},
		{"our network, at once", room, now, many(10, 10, time.Minute), []string{"network "}},
		{"half of them, others are reached", room, now, many(10, 6, time.Minute), nil},
		{"few sources say little", room, now, many(3, 3, time.Hour), nil},
		{"no room", diskSpace{Free: 1 << 20, Size: 1 << 40}, now, nil, []string{"disk "}},
		{"a clock that went back", room, now.Add(48 * time.Hour), nil, []string{"clock "}},
	} {
		s := &survey{At: now, Disk: c.disk, States: map[string]int{}, Sources: c.sources}
		s.Stats.Last = c.last
		for _, src := range c.sources {
			if !src.Disabled {
				s.take(src, time.Time{})
			}
		}
		var got []string
		for _, n := range s.needs() {
			got = append(got, n.key())
			if n.Text == "" || n.Do == "" || !slices.Contains(needEvents, n.Event) {
				t.Errorf("%s: %+v", c.name, n)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: needs %q, want %q", c.name, got, c.want)
		}
	}
}

// A source that answers and brings nothing is a need a day after its own rhythm
// said so.
func TestNeedsSilent(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := &survey{At: now, Silent: []silence{{"old", now.Add(-90 * 24 * time.Hour), now.Add(-30 * time.Hour)}, {"late", now.Add(-90 * 24 * time.Hour), now.Add(-time.Hour)}}}
	got := s.needs()
	if len(got) != 1 || got[0].key() != "source-silent old" || !strings.Contains(got[0].Text, "2026-01-31") {
		t.Errorf("needs %+v", got)
	}
}

// pinged is an archive whose Ping says something else.
type pinged struct {
	store.Store
	ping error
}

func (p pinged) Ping(context.Context) error { return p.ping }

// OPS-05, OPS-26: an archive that serves all but some records feeds the watchdog, or the
// service manager would start the daemon again for ever; one that does not answer, or is
// damaged where a new start mends it, does not.
func TestWatchdogOfDamaged(t *testing.T) {
	runs, _ := runDaemon(t, func(c *Config) { c.Sources = nil })
	with := func(ping error) *daemon {
		d := newDaemon(runs.log, runs.dir, pinged{runs.archive, ping}, nil, runs.notify)
		d.polling.Store(runs.polling.Load())
		d.current.Store(runs.current.Load())
		d.public = runs.public
		return d
	}
	d := with(store.ErrLost)
	if part, err := d.progress(t.Context(), time.Minute); err != nil {
		t.Errorf("%s: %v", part, err)
	}
	w := ask(t, d.adminHandler(), http.MethodGet, "http://localhost/readyz", nil)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "archive: archive is damaged: a record is lost") {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	list, _ := d.needs(t.Context(), time.Now())
	if len(list) != 1 || list[0].Event != "archive" || !strings.Contains(list[0].Text, "all else is served") {
		t.Errorf("needs: %+v", list)
	}
	if part, err := with(store.ErrCorrupt).progress(t.Context(), time.Minute); !errors.Is(err, store.ErrCorrupt) || part != "archive" {
		t.Errorf("a damaged catalog: %s, %v", part, err)
	}
}
