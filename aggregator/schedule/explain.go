package schedule

import (
	"fmt"
	"math"
	"strings"
	"time"

	"chancery/store"
)

// Explanation is everything that goes into a source's next poll, for status and
// "sources check".
type Explanation struct {
	Condition string        `json:"condition"`
	PerDay    float64       `json:"posts_per_day"` // estimate
	Floor     time.Duration `json:"floor"`
	Ceiling   time.Duration `json:"ceiling"`
	Adaptive  time.Duration `json:"adaptive"`          // by the posting rate
	LossGuard time.Duration `json:"loss_guard"`        // half of the document rolls over; 0 unknown
	TTL       time.Duration `json:"ttl,omitempty"`     // asked for in the feed
	UpdatePer time.Duration `json:"sy,omitempty"`      // syndication module
	Fresh     time.Duration `json:"fresh,omitempty"`   // HTTP freshness of the last answer
	Blind     bool          `json:"blind,omitempty"`   // the server cannot say "not modified"
	Expired   bool          `json:"expired,omitempty"` // the feed says that it has ended
	Gaps      int           `json:"gaps,omitempty"`    // polls that shared nothing with the one before
	LastGap   time.Time     `json:"last_gap,omitzero"`
	Newest    time.Time     `json:"newest,omitzero"`      // post
	Expected  time.Time     `json:"expected_by,omitzero"` // another; see [Expected]
	MovingTo  string        `json:"moving_to,omitzero"`   // a permanent redirect under observation
	MovingN   int           `json:"moving_seen,omitempty"`
	NextDue   time.Time     `json:"next_due,omitzero"`
	NotBefore time.Time     `json:"not_before,omitzero"`
	Why       string        `json:"why"`
	skip      string
}

// Explain says how a source stands at now. It is what [Finish] went by.
func Explain(c Config, s store.Source, st store.PollState, now time.Time) Explanation {
	m := recall(st.Schedule)
	b := c.bounds(s, st, &m, Outcome{Local: m.Local}, now)
	e := Explanation{
		Condition: st.Condition, PerDay: m.Rate.perDay(), Floor: b.floor, Ceiling: b.ceiling, Adaptive: b.adaptive,
		TTL: m.TTL, UpdatePer: m.Syndicate, Blind: b.blind > 0 && !st.Succeeded.IsZero(), Expired: m.Expired,
		Fresh: m.Fresh, Gaps: m.Gaps, LastGap: m.Gap, NextDue: st.NextDue, NotBefore: st.NotBefore, Why: st.Why,
	}
	if b.guard != math.MaxInt64 {
		e.LossGuard = b.guard
	}
	e.Newest, e.Expected, _ = Expected(st)
	if m.Move != nil {
		e.MovingTo, e.MovingN = m.Move.To, m.Move.Count
	}
	if len(m.SkipHours) > 0 {
		e.skip = fmt.Sprintf("hours %v GMT", m.SkipHours)
	}
	if len(m.SkipDays) > 0 {
		e.skip = strings.TrimSpace(e.skip + fmt.Sprintf(" days %v", m.SkipDays))
	}
	return e
}

// Lines is the explanation in words, a fact a line.
func (e Explanation) Lines() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if e.Condition != "" {
		say("condition: %s", e.Condition)
	}
	say("posts: about %s a day", strings.TrimSuffix(fmt.Sprintf("%.2g", e.PerDay), ".0"))
	if !e.Expected.IsZero() {
		say("newest post: %s; another was to be expected by %s", e.Newest.Format(time.RFC3339), e.Expected.Format(time.RFC3339))
	}
	say("interval by posting rate: %s (floor %s, ceiling %s)", human(e.Adaptive), human(e.Floor), human(e.Ceiling))
	if e.LossGuard > 0 {
		say("loss guard: half of the document rolls over in %s", human(e.LossGuard))
	}
	if e.Fresh > 0 {
		say("the server declares its answer good for %s", human(e.Fresh))
	}
	if e.TTL > 0 {
		say("the feed asks for %s between polls (ttl)", human(e.TTL))
	}
	if e.UpdatePer > 0 {
		say("the feed is updated every %s (sy:updatePeriod)", human(e.UpdatePer))
	}
	if e.skip != "" {
		say("the feed asks not to be polled at %s", e.skip)
	}
	if e.Blind {
		say("the server never answers \"not modified\": at most one poll in %s unless posts would be lost", human(slow))
	}
	if e.Expired {
		say("the feed says that it has ended")
	}
	if e.Gaps > 0 {
		say("gaps: %d, the last at %s", e.Gaps, e.LastGap.Format(time.RFC3339))
	}
	if e.MovingTo != "" {
		say("its server redirects for good to %s (seen %d of %d times, over at least %s)", e.MovingTo, e.MovingN, moveCount, human(moveSpan))
	}
	if !e.NotBefore.IsZero() {
		say("not before %s: the server's wish, which a poll by hand heeds too", e.NotBefore.Format(time.RFC3339))
	}
	if !e.NextDue.IsZero() {
		say("next poll: %s, %s", e.NextDue.Format(time.RFC3339), e.Why)
	}
	return out
}

// Conditions lists all that a source may be counted as, in the order for showing: "new"
// was never polled, "disabled" an operator switched off.
func Conditions() []string {
	return []string{OK, "new", Quiet, Emptied, Failing, Broken, Missing, Limited, Blocked, Leaving, Gone, "disabled"}
}
