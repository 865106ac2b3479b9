package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Every state that polling knows has words of its own and a level.
func TestHealth(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	src := func(condition string) *store.SourceState {
		return &store.SourceState{Source: store.Source{URL: "https://a.example/feed"}, State: store.PollState{Polled: now, Condition: condition}}
	}
	texts := map[string]bool{}
	for condition, want := range map[string]level{
		"ok": fine, "failing": doubt, "missing": trouble, "leaving": doubt, "gone": resting, "limited": doubt, "blocked": trouble, "quiet": doubt,
		"broken": trouble, "emptied": doubt, "merged": resting,
	} {
		h := healthOf(src(condition), now)
		if h.Level != want || h.State != condition || h.Text == "" || texts[h.Text] {
			t.Errorf("%s: %+v, want %s and a text of its own", condition, h, want)
		}
		texts[h.Text] = true
		if !slices.Contains(sourceStates, condition) {
			t.Errorf("nobody can ask for sources in state %s", condition)
		}
	}
	long := src("failing")
	long.State.Failures, long.State.FirstFailure, long.State.Class, long.State.LastStatus = 9, now.Add(-4*24*time.Hour), "server", 503
	if h := healthOf(long, now); h.Level != trouble || !strings.Contains(h.Text, "(HTTP 503)") || !strings.Contains(h.Text, "Since 6 Mar 2026, 9 times in a row.") {
		t.Errorf("%+v", h)
	}
	for state, s := range map[string]*store.SourceState{
		"new":      {Source: store.Source{URL: "https://a.example/feed"}},
		"imported": {},
		"disabled": {Source: store.Source{URL: "https://a.example/feed", Disabled: true}},
	} {
		if h := healthOf(s, now); h.State != state || h.Level != resting || !slices.Contains(sourceStates, state) {
			t.Errorf("%s: %+v", state, h)
		}
	}
}

// SEC-29: addresses that everybody may see have nothing in them that gives access.
func TestPublicURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/feed":                          "https://a.example/feed",
		"https://a.example/?feed=rss2&cat=3":              "https://a.example/?feed=rss2&cat=3",
		"https://user:pw@a.example/feed#x":                "https://a.example/feed",
		"https://a.example/feed?token=abc":                "https://a.example/feed",
		"https://a.example/feed?n=1&API_KEY=abc":          "https://a.example/feed",
		"https://a.example/?x=0123456789abcdef0123456789": "https://a.example/",
		"file:///etc/passwd":                              "",
		"saved.xml":                                       "",
		"":                                                "",
	} {
		if got := PublicURL(&store.Source{URL: in}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := PublicURL(&store.Source{URL: "https://a.example/feed", Credential: "c"}); got != "" {
		t.Errorf("of a source with a credential: %q", got)
	}
	if got := PublicURL(&store.Source{URL: "https://a.example/feed", Headers: map[string]string{"X-Key": "k"}}); got != "" {
		t.Errorf("of a source with headers: %q", got)
	}
}

// The verdict follows from what is counted.
func TestJudge(t *testing.T) {
	well := func() *report { return &report{Polling: pollingReport{Polled: 10}, Index: &indexReport{}} }
	for name, c := range map[string]struct {
		change func(*report)
		lag    time.Duration
		bad    int
		want   level
		reason string
	}{
		"well":         {func(*report) {}, 0, 0, fine, ""},
		"a little lag": {func(*report) {}, 10 * time.Minute, 0, fine, ""},
		"behind":       {func(*report) {}, 3*time.Hour + 5*time.Minute, 0, trouble, "waited for 3 hours and 5 minutes"},
		"one is down":  {func(r *report) { r.Trouble = make([]sourceRef, 1) }, 0, 1, doubt, "1 source cannot be read"},
		"a third is":   {func(r *report) { r.Trouble = make([]sourceRef, 3) }, 0, 3, trouble, "3 sources cannot be read"},
		"one quiet":    {func(r *report) { r.Trouble = make([]sourceRef, 1) }, 0, 0, doubt, "1 source is worth a look"},
		"no index":     {func(r *report) { r.Index = nil }, 0, 0, doubt, "no search index"},
		"faulty":       {func(r *report) { r.Index.Fault = "x" }, 0, 0, trouble, "The search index: x."},
		"indexing":     {func(r *report) { r.Index = &indexReport{Rebuilding: true, Done: 5, Total: 1200} }, 0, 0, doubt, "5 of 1\u202f200 records are in it"},
		"anew":         {func(r *report) { r.Index = &indexReport{Rebuilding: true, Replacing: true, Done: 5, Total: 10} }, 0, 0, doubt, "searches use the one before"},
		"nothing":      {func(r *report) { r.Polling.Polled = 0 }, 0, 0, doubt, ""},
	} {
		r := well()
		c.change(r)
		r.judge(c.lag, c.bad)
		if r.Level != c.want || r.Verdict == "" || !strings.Contains(strings.Join(r.Reasons, " "), c.reason) || (c.reason == "") != (len(r.Reasons) == 0) {
			t.Errorf("%s: %s %q %q, want %s and %q", name, r.Level, r.Verdict, r.Reasons, c.want, c.reason)
		}
	}
}

// What a source's posts say about it is counted right, at the ends of months and years too.
func TestHistory(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	var c counter
	for _, at := range []time.Time{
		time.Date(2025, 1, 31, 23, 59, 59, 0, time.UTC), time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 30, 9, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 30, 9, 30, 0, 0, time.UTC),
	} {
		c.add(&store.Head{ID: feed.ItemID{1}, Effective: at, FirstSeen: now, Language: "en-US"})
	}
	h := c.history(now)
	if len(h.Bars) != 15 || h.Bars[0].Count != 1 || h.Bars[1].Count != 1 || h.Bars[14].Count != 2 || h.Bars[0].Unit != "month" {
		t.Errorf("bars %v", h.Bars)
	}
	// A date alone says nothing of the hour.
	if h.Hours[23] != 1 || h.Hours[0] != 0 || h.Hours[9] != 2 || h.Weekdays[time.Monday] != 2 || h.Weekdays[time.Friday] != 1 || h.Weekdays[time.Saturday] != 1 {
		t.Errorf("hours %v, weekdays %v", h.Hours, h.Weekdays)
	}
	if h.Seen != 2 || !h.Guess || h.Expected != 0 || len(h.Languages) != 1 || h.Languages[0] != (store.Facet{Name: "en", Count: 4}) {
		t.Errorf("%+v", h)
	}
	c.add(&store.Head{Effective: time.Date(1990, 5, 1, 1, 0, 0, 0, time.UTC), FirstSeen: now})
	if h := c.history(now); h.Bars[0].Unit != "year" || len(h.Bars) != 37 || !h.First.Equal(time.Date(1990, 5, 1, 1, 0, 0, 0, time.UTC)) {
		t.Errorf("over decades: %v", h.Bars)
	}
	if h := new(counter).history(now); len(h.Bars) != 0 || h.Guess || newTimeline(h, nil, now) != nil {
		t.Errorf("of nothing: %+v", h)
	}
	line := newTimeline(h, []store.Gap{{From: now.AddDate(0, -6, 0), To: now.AddDate(0, -5, 0)}, {From: now.AddDate(-9, 0, 0), To: now.AddDate(-8, 0, 0)}}, now)
	for _, s := range append(line.Spans, line.Gaps...) {
		if s.X < 0 || s.W < 2 || s.X > 1000 {
			t.Errorf("span %+v", s)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 20 << 10: "20 KiB", 1000 << 10: "1.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
