package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

var t0 = time.Date(2026, 3, 3, 9, 17, 0, 0, time.UTC) // a Tuesday

// history drives Finish for one source, each poll when it is due.
type history struct {
	c   Config
	s   store.Source
	st  store.PollState
	now time.Time
	d   Decision
}

func newHistory() *history {
	return &history{c: DefaultConfig(), s: store.Source{ID: "blog", URL: "https://blog.example/feed"}, now: t0}
}

// poll makes one poll now and goes to the time of the next.
func (h *history) poll(o Outcome) Decision {
	h.d = Finish(h.c, h.s, h.st, o, h.now)
	h.st = h.d.State
	h.s, _ = h.d.Apply(h.s)
	if h.st.NextDue.After(h.now) {
		h.now = h.st.NextDue
	}
	return h.d
}

// wait is the time from the last poll to the next.
func (h *history) wait() time.Duration { return h.st.NextDue.Sub(h.st.Polled) }

// fresh is a 200 with a document of 20 entries, n of them new, spread over days.
func fresh(n int) Outcome {
	return Outcome{
		Status: 200, ValidatorURL: "https://blog.example/feed", ETag: `"e"`, BodyHash: "sha256:x", Conditional: true,
		URL: "https://blog.example/feed", Parsed: true, Entries: 20, Known: 20 - n, New: n,
	}
}

var unchanged = Outcome{Status: 304, NotModified: true, Conditional: true, ValidatorURL: "https://blog.example/feed", ETag: `"e"`, URL: "https://blog.example/feed"}

func failure(status int, class string) Outcome {
	return Outcome{Status: status, Class: class, Error: "it was " + class}
}

// posting is a first document with a post every gap.
func posting(now time.Time, gap time.Duration) Outcome {
	o := fresh(20)
	o.Conditional = false
	for i := range 20 {
		o.Published = append(o.Published, now.Add(-time.Duration(i)*gap-time.Minute))
	}
	return o
}

// within checks a wait: at least want, and at most a tenth more (jitter).
func within(t *testing.T, name string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+want/10+time.Second {
		t.Errorf("%s: next poll in %v, want %v to %v", name, got, want, want+want/10)
	}
}

// The next poll is the greatest of what applies, never under the floor, and only
// Retry-After pushes it past the loss guard or a day.
func TestNext(t *testing.T) { // F-14 F-62 F-64 F-65 F-66 F-72 F-74 F-75 F-76
	type change func(*history, *Outcome)
	for _, c := range []struct {
		name   string
		gap    time.Duration // between posts
		change change
		want   time.Duration
		why    string
	}{
		{"a post a day", 24 * time.Hour, nil, 4 * time.Hour, "how often it posts"},
		{"four posts a day: half the interval", 6 * time.Hour, nil, 2 * time.Hour, "how often it posts"},
		{"a hundred posts a day: the floor", 15 * time.Minute, nil, time.Hour, "least"},
		{"a post a year: about the ceiling", 364 * 24 * time.Hour, nil, 24 * time.Hour, "posts"},
		{"silent for a year", 24 * time.Hour, func(_ *history, o *Outcome) {
			for i := range o.Published {
				o.Published[i] = o.Published[i].AddDate(-6, 0, 0)
			}
		}, 7 * 24 * time.Hour, "greatest"},
		{"silent for two years", 24 * time.Hour, func(_ *history, o *Outcome) {
			for i := range o.Published {
				o.Published[i] = o.Published[i].AddDate(-2, 0, 0)
			}
		}, 108 * time.Hour, "how often it posts"},
		{"operator's own floor", 15 * time.Minute, func(h *history, _ *Outcome) { h.s.Interval = 5 * time.Hour }, 5 * time.Hour, "least"},
		{"a floor under the hard one", 10 * time.Minute, func(h *history, _ *Outcome) { h.c.MinInterval, h.c.Pace = 0, time.Minute }, 10 * time.Minute, "least"},
		{"a floor of zero is for local ones", 15 * time.Minute, func(h *history, o *Outcome) {
			h.c.MinInterval, h.c.Pace, o.Local = 0, 5*time.Minute, true
		}, time.Minute, "how often it posts"},
		{"a ceiling of minutes does not hold against a public server's wish", 24 * time.Hour, func(h *history, o *Outcome) {
			h.c.MinInterval, h.c.MaxInterval, o.ETag = time.Minute, 15*time.Minute, ""
		}, 24 * time.Hour, "never answers"},
		{"a ceiling of minutes holds on our own network", 24 * time.Hour, func(h *history, o *Outcome) {
			h.c.MinInterval, h.c.MaxInterval, o.ETag, o.Local = time.Minute, 15*time.Minute, "", true
		}, 15 * time.Minute, "greatest"},
		{"freshness", 24 * time.Hour, func(_ *history, o *Outcome) { o.Fresh = 7 * time.Hour }, 7 * time.Hour, "Cache-Control"},
		{"freshness below", 24 * time.Hour, func(_ *history, o *Outcome) { o.Fresh = time.Minute }, 4 * time.Hour, "posts"},
		{"freshness of days", 24 * time.Hour, func(_ *history, o *Outcome) { o.Fresh = 72 * time.Hour }, 24 * time.Hour, "cut to a day"},
		{"ttl", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.TTL = 9 * time.Hour }, 9 * time.Hour, "ttl"},
		{"ttl of years", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.TTL = 10000 * time.Hour }, 24 * time.Hour, "ttl"},
		{"ttl negative", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.TTL = -time.Hour }, 4 * time.Hour, "posts"},
		{"sy, twice a day", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.UpdatePeriod, o.Hints.UpdateFrequency = 24*time.Hour, 2 }, 12 * time.Hour, "sy:"},
		{"sy, only a frequency", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.UpdateFrequency = 4 }, 6 * time.Hour, "sy:"},
		{"sy, weekly", 24 * time.Hour, func(_ *history, o *Outcome) { o.Hints.UpdatePeriod, o.Hints.UpdateFrequency = 7*24*time.Hour, 1 }, 24 * time.Hour, "cut to a day"},
		{"no validators", 24 * time.Hour, func(_ *history, o *Outcome) { o.ETag = "" }, 24 * time.Hour, "never answers"},
		{"no validators, but a hundred posts a day", 15 * time.Minute, func(_ *history, o *Outcome) { o.ETag = "" }, 150 * time.Minute, "roll over"},
		{"loss guard against ttl", time.Hour, func(_ *history, o *Outcome) { o.Hints.TTL = 24 * time.Hour }, 10 * time.Hour, "roll over"},
		{"Retry-After against the loss guard", time.Hour, func(_ *history, o *Outcome) { o.RetryAfter, o.HasRetry = 72*time.Hour, true }, 72 * time.Hour, "Retry-After"},
		{"Retry-After of a year", time.Hour, func(_ *history, o *Outcome) { o.RetryAfter, o.HasRetry = 9000*time.Hour, true }, 30 * 24 * time.Hour, "Retry-After"},
		{"expired", time.Hour, func(_ *history, o *Outcome) { o.Hints.Expired = true }, 24 * time.Hour, "expired"},
	} {
		h := newHistory()
		o := posting(h.now, c.gap)
		if c.change != nil {
			c.change(h, &o)
		}
		h.poll(o)
		got := h.wait()
		// The estimate has a prior, which moves it a little.
		if got < c.want*85/100 || got > c.want*125/100 {
			t.Errorf("%s: next poll in %v (%s), want about %v", c.name, got, h.st.Why, c.want)
		}
		if !strings.Contains(h.st.Why, c.why) {
			t.Errorf("%s: why %q, want %q in it", c.name, h.st.Why, c.why)
		}
	}
}

// Never closer than the floor, whatever comes, over random histories; and never
// further than a month.
func TestFloor(t *testing.T) { // F-65 F-75 F-76
	outcomes := []Outcome{
		fresh(0), fresh(1), fresh(10), fresh(20), unchanged, failure(500, "server"), failure(0, "timeout"),
		failure(404, "not-found"), failure(429, "limited"), failure(403, "forbidden"), failure(200, "not-a-feed"),
		failure(0, "dns"), failure(200, "html"), failure(0, "busy"),
		{Status: 503, Class: "server", HasRetry: true},
		{Status: 429, Class: "limited", HasRetry: true, RetryAfter: time.Second},
		{Status: 301, Class: "wait", HasRetry: true, RetryAfter: time.Minute},
	}
	for seed := range 200 {
		h := newHistory()
		h.s.ID = feed.SourceID(fmt.Sprintf("blog-%d", seed))
		for i := range 60 {
			h.poll(outcomes[int(phase(h.s.ID, i)*float64(len(outcomes)))])
			if h.d.Disable {
				break
			}
			if w := h.wait(); w < time.Hour || w > 31*24*time.Hour {
				t.Fatalf("seed %d, poll %d (%s): next in %v (%s)", seed, i, h.st.Condition, w, h.st.Why)
			}
			if h.st.Why == "" || h.st.Condition == "" {
				t.Fatalf("seed %d, poll %d: condition %q, why %q", seed, i, h.st.Condition, h.st.Why)
			}
		}
	}
}

// One burst or one silent week moves the interval by less than a factor of 3.
func TestRateSteady(t *testing.T) { // F-71
	for _, gap := range []time.Duration{3 * time.Hour, 12 * time.Hour, 48 * time.Hour} {
		for _, c := range []struct {
			name string
			days int
			post int
		}{{"burst of 15 in one poll", 0, 15}, {"silent week", 7, 0}} {
			h := newHistory()
			h.poll(posting(h.now, gap))
			before := recall(h.st.Schedule).Rate
			r := before
			if c.days == 0 {
				r.observe(c.post, 20, h.now.Add(time.Hour))
			}
			for d := range c.days {
				r.observe(0, 20, h.now.Add(time.Duration(d+1)*24*time.Hour))
			}
			a, b := h.c.adaptive(before.perDay(), 0, 1000*time.Hour), h.c.adaptive(r.perDay(), 0, 1000*time.Hour)
			if ratio := float64(a) / float64(b); ratio > 3 || ratio < 1.0/3 {
				t.Errorf("a post every %v, %s: interval from %v to %v", gap, c.name, a, b)
			}
		}
	}
	// A feed of which nothing is known yet.
	r := rate{}
	r.seed(nil, t0)
	a := r.perDay()
	r.observe(500, 500, t0.Add(time.Hour))
	if b := r.perDay(); b > a*9 {
		t.Errorf("a first burst moves the rate from %v to %v", a, b)
	}
}

// The estimate finds the true rate of steady sources.
func TestRateConverges(t *testing.T) { // F-71
	for _, perDay := range []float64{0.1, 1, 10, 50} {
		r := rate{}
		r.seed(nil, t0)
		posts := 0.0
		for hour := range 90 * 24 {
			before := int(posts)
			posts += perDay / 24
			r.observe(int(posts)-before, 1000, t0.Add(time.Duration(hour+1)*time.Hour))
		}
		if got := r.perDay(); got < perDay*0.7 || got > perDay*1.3 {
			t.Errorf("%v posts a day are taken for %v", perDay, got)
		}
	}
}

// A poll that shares no entry with the one before marks a gap and halves the
// interval; with the next that overlaps it grows again.
func TestGap(t *testing.T) { // F-70
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	usual := h.wait()
	o := fresh(20)
	last := h.st.Succeeded
	if d := h.poll(o); !d.Gap || len(d.Notes) == 0 {
		t.Errorf("no gap noticed: %+v", d)
	}
	if want := []store.Gap{{From: last.Truncate(time.Second), To: h.st.Polled.Truncate(time.Second)}}; !slices.Equal(h.st.Gaps, want) {
		t.Errorf("gaps %v, want %v", h.st.Gaps, want)
	}
	if h.wait() > usual*2/3 {
		t.Errorf("interval %v after a gap, %v before", h.wait(), usual)
	}
	// It is halved, besides what the rate says.
	m := recall(h.st.Schedule)
	halved := h.c.bounds(h.s, h.st, &m, o, h.st.Polled)
	m.Shrink = 0
	if whole := h.c.bounds(h.s, h.st, &m, o, h.st.Polled); halved.adaptive != max(whole.adaptive/2, whole.floor) {
		t.Errorf("adaptive interval %v after a gap, %v without", halved.adaptive, whole.adaptive)
	}
	if d := h.poll(fresh(1)); d.Gap {
		t.Error("a gap where one entry is new")
	}
	if m := recall(h.st.Schedule); m.Gaps != 1 || m.Shrink != 0 {
		t.Errorf("gaps %d, shrink %d", m.Gaps, m.Shrink)
	}
	// Never at the first document, nor for a feed of one entry.
	h = newHistory()
	one := fresh(1)
	one.Entries, one.Known = 1, 0
	h.poll(one)
	if d := h.poll(one); d.Gap {
		t.Error("a gap in a feed of one entry")
	}
}

// A feed without entries after one that had some is told, and removes nothing.
func TestEmptied(t *testing.T) { // F-59 F-61
	h := newHistory()
	h.poll(fresh(20))
	empty := fresh(0)
	empty.Entries, empty.Known = 0, 0
	d := h.poll(empty)
	if h.st.Condition != Emptied || len(d.Notes) != 1 || d.Disable || h.st.Entries != 20 {
		t.Errorf("condition %q, notes %v, entries %d", h.st.Condition, d.Notes, h.st.Entries)
	}
}

// Skipped hours and days are left to the first permitted instant.
func TestSkip(t *testing.T) { // F-63
	all := make([]int, 24)
	for i := range all {
		all[i] = i
	}
	for _, c := range []struct {
		name  string
		at    string
		hours []int
		days  []time.Weekday
		want  string
	}{
		{"nothing", "2026-03-03T09:17:00Z", nil, nil, "2026-03-03T09:17:00Z"},
		{"not now", "2026-03-03T09:17:00Z", []int{8, 10}, nil, "2026-03-03T09:17:00Z"},
		{"this hour", "2026-03-03T09:17:00Z", []int{9, 10}, nil, "2026-03-03T11:00:00Z"},
		{"over midnight", "2026-03-03T23:59:00Z", []int{23, 0, 1}, nil, "2026-03-04T02:00:00Z"},
		{"24 is 0", "2026-03-03T00:30:00Z", []int{24}, nil, "2026-03-03T01:00:00Z"},
		{"a day", "2026-03-03T09:17:00Z", nil, []time.Weekday{time.Tuesday}, "2026-03-04T00:00:00Z"},
		{"a day and hours", "2026-03-03T09:17:00Z", []int{0, 1}, []time.Weekday{time.Tuesday}, "2026-03-04T02:00:00Z"},
		{"GMT, not local", "2026-03-03T23:30:00-05:00", []int{4}, nil, "2026-03-04T05:00:00Z"},
		{"all hours", "2026-03-03T09:17:00Z", all, nil, "2026-03-03T09:17:00Z"},
		{"all days", "2026-03-03T09:17:00Z", nil, []time.Weekday{0, 1, 2, 3, 4, 5, 6}, "2026-03-03T09:17:00Z"},
		{"nonsense", "2026-03-03T09:17:00Z", []int{-3, 99}, nil, "2026-03-03T09:17:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, c.at)
		if got := skip(at, c.hours, c.days).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	h := newHistory()
	o := posting(h.now, 24*time.Hour)
	o.Hints.SkipHours = []int{13, 14}
	h.poll(o)
	if at := h.st.NextDue; at.Hour() != 15 || at.Minute() > 10 {
		t.Errorf("next poll at %v, want soon after 15:00", at)
	}
}

// Phases differ between sources and stay for one, so that sources added together
// drift apart and nothing starts on the hour.
func TestPhase(t *testing.T) { // F-77
	minutes := map[int]int{}
	seconds := 0
	const n = 2400
	for i := range n {
		h := newHistory()
		h.now = time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
		h.s.ID = feed.SourceID(fmt.Sprintf("s%d", i))
		h.poll(posting(h.now, 24*time.Hour))
		first := h.wait()
		h2 := newHistory()
		h2.now, h2.s = time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC), h.s
		h2.poll(posting(h2.now, 24*time.Hour))
		if h2.wait() != first {
			t.Fatalf("%s: %v, then %v", h.s.ID, first, h2.wait())
		}
		minutes[int(first/time.Minute)]++
		if h.st.NextDue.Second() == 0 && h.st.NextDue.Minute() == 0 {
			seconds++
		}
	}
	for m, k := range minutes { // 24 minutes of jitter on 4 hours
		if k > 2*n/24 {
			t.Errorf("%d of %d sources in minute %d", k, n, m)
		}
	}
	if seconds > n/100 {
		t.Errorf("%d sources on the full hour", seconds)
	}
}

// A clock that goes two days back or forth changes the next wait by nothing.
func TestClockJump(t *testing.T) { // F-79
	for _, jump := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		h := newHistory()
		h.poll(posting(h.now, 24*time.Hour))
		for range 5 {
			h.poll(unchanged)
		}
		usual := h.wait()
		h.now = h.now.Add(jump)
		for range 3 {
			h.poll(unchanged)
			if w := h.wait(); w < usual*2/3 || w > usual*3/2 {
				t.Errorf("jump of %v: next poll in %v, usually %v", jump, w, usual)
			}
		}
		h.poll(failure(500, "server"))
		if h.st.FirstFailure.After(h.now) {
			t.Errorf("jump of %v: first failure in the future", jump)
		}
	}
}

// Validators are stored with what they stand for, and only then.
func TestValidatorsStored(t *testing.T) { // F-05 F-07 F-08 F-58
	h := newHistory()
	h.poll(fresh(20))
	if h.st.ETag != `"e"` || h.st.ValidatorURL == "" || h.st.BodyHash == "" {
		t.Errorf("after a 200: %+v", h.st)
	}
	for _, class := range []string{"truncated", "timeout", "html", "empty", "server", "wall", "bomb", "protocol"} {
		o := fresh(0)
		o.Class, o.ETag, o.ValidatorURL = class, `"other"`, "elsewhere"
		h.poll(o)
		if h.st.ETag != `"e"` || h.st.ValidatorURL == "elsewhere" {
			t.Errorf("after %s: validators %q of %s stored", class, h.st.ETag, h.st.ValidatorURL)
		}
	}
	o := fresh(0)
	o.ETag, o.ValidatorURL = "", ""
	h.poll(o)
	if h.st.ETag != "" || h.st.ValidatorURL != "" {
		t.Errorf("a 200 without validators keeps %q", h.st.ETag)
	}
}

// A document that could not be read is not downloaded again until it changes or
// the parser does; the 304s in between are the same failure.
func TestUnparsed(t *testing.T) { // F-09 PEERS-12
	h := newHistory()
	h.poll(fresh(20))
	o := fresh(0)
	o.Class, o.Error, o.ETag, o.Parsed, o.Parser = "not-a-feed", "line 3: no end", `"broken"`, false, 7
	for range 2 {
		h.poll(o)
		if h.st.ETag != `"broken"` || h.st.Condition != Broken || h.st.LastError != "line 3: no end" {
			t.Errorf("condition %q, error %q, ETag %s", h.st.Condition, h.st.LastError, h.st.ETag)
		}
		o = unchanged
		o.ETag = `"broken"`
	}
	if h.st.Failures != 2 {
		t.Errorf("%d failures, want 2", h.st.Failures)
	}
	if a := Plan(h.st, 7, h.now); a.Unconditional {
		t.Errorf("same parser: %+v", a)
	}
	if a := Plan(h.st, 8, h.now); !a.Unconditional || Asked(h.st, a, h.now).BodyHash != "" {
		t.Errorf("new parser: %+v", a)
	}
	if a := Plan(Reread(h.st, 8, false), 8, h.now); a.Unconditional || a.Reread {
		t.Errorf("a new parser that cannot read it either: %+v", a)
	}
	if st := Reread(h.st, 8, true); Finish(h.c, h.s, st, o, h.now).State.Condition != OK {
		t.Error("read at last, a 304 is still a failure")
	}
	if st := h.st; true { // without validators too
		st.ETag, st.LastModified = "", ""
		if a := Plan(st, 8, h.now); !a.Reread {
			t.Errorf("new parser, no validators: %+v", a)
		}
	}
	same := fresh(0) // the server forgot its validators and sends the same again
	same.Parsed, same.Same, same.Parser = false, true, 8
	h.poll(same)
	if h.st.Condition != Broken || h.st.Failures != 3 || !Plan(h.st, 8, h.now).Unconditional {
		t.Errorf("the same body: %q, %d failures", h.st.Condition, h.st.Failures)
	}
	for range 100 { // never dead
		h.poll(o)
	}
	if h.d.Disable || h.wait() > 8*24*time.Hour {
		t.Errorf("after 100 failures: disabled %t, next in %v", h.d.Disable, h.wait())
	}
	h.poll(fresh(1))
	if h.st.Condition != OK || h.st.Failures != 0 || h.st.LastError != "" || h.wait() > 27*time.Hour {
		t.Errorf("after a success: %q, %d failures, next in %v", h.st.Condition, h.st.Failures, h.wait())
	}
}

// A source that only says 304, for longer than can be by chance, is asked once
// without validators, and not again for eight days.
func TestEternal304(t *testing.T) { // F-13 PEERS-2 PEERS-3
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	var forced []time.Time
	for h.now.Before(t0.Add(40 * 24 * time.Hour)) {
		a := Plan(h.st, 1, h.now)
		if a.Unconditional {
			forced = append(forced, h.now)
			h.st = Asked(h.st, a, h.now)
		}
		h.poll(unchanged)
	}
	if len(forced) < 2 || len(forced) > 5 {
		t.Fatalf("asked %d times without validators, at %v", len(forced), forced)
	}
	if first := forced[0].Sub(t0); first < 8*24*time.Hour {
		t.Errorf("first after %v", first)
	}
	for i := 1; i < len(forced); i++ {
		if gap := forced[i].Sub(forced[i-1]); gap < 8*24*time.Hour {
			t.Errorf("again after %v", gap)
		}
	}
	if h.st.Condition != Quiet {
		t.Errorf("condition %q, want quiet", h.st.Condition)
	}
	o := fresh(5)
	o.Conditional = false
	if d := h.poll(o); len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "not modified") {
		t.Errorf("notes %v", d.Notes)
	}
	// A source that posts once a month may be silent for two weeks.
	h = newHistory()
	h.poll(posting(h.now, 30*24*time.Hour))
	for h.now.Before(t0.Add(20 * 24 * time.Hour)) {
		if a := Plan(h.st, 1, h.now); a.Unconditional {
			t.Fatalf("a rare one is asked without validators after %v", h.now.Sub(t0))
		}
		h.poll(unchanged)
	}
}

// A server that answers conditional requests with the same body is asked daily.
func TestIgnoresValidators(t *testing.T) { // F-14
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	same := fresh(0)
	same.Parsed, same.Same = false, true
	for i := range 4 {
		h.poll(same)
		if slow := h.wait() >= 24*time.Hour; slow != (i >= 2) {
			t.Errorf("after %d equal bodies: next in %v", i+1, h.wait())
		}
	}
	h.poll(unchanged)
	if h.wait() >= 24*time.Hour {
		t.Errorf("after a 304: next in %v", h.wait())
	}
}

// What the rule costs with each 304.
func BenchmarkFinish304(b *testing.B) {
	h := newHistory()
	h.poll(posting(h.now, 24*time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		a := Plan(h.st, 1, h.now)
		h.st = Finish(h.c, h.s, Asked(h.st, a, h.now), unchanged, h.now).State
	}
}
