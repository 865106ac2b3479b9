package schedule

import (
	"fmt"
	"slices"
	"time"

	"chancery/store"
)

// Conditions of a source, for store.PollState.Condition.
const (
	OK      = "ok"
	Failing = "failing" // by a fault that may pass
	Missing = "missing" // 404
	Leaving = "leaving" // 410 once; asked again after a day
	Gone    = "gone"    // disabled: 410 twice, or 404 for half a year
	Limited = "limited" // 429: told to slow down
	Blocked = "blocked" // 403 or a bot wall
	Quiet   = "quiet"   // answers well, but nothing new for much longer than usual
	Broken  = "broken"  // answers, but not with a feed
	Emptied = "emptied" // a feed that had entries has none
)

// Finish is the rule: what to remember of source s, polled at now with outcome
// o. A poll that we ended ourselves changes nothing.
func Finish(c Config, s store.Source, st store.PollState, o Outcome, now time.Time) Decision {
	now = now.UTC().Round(0)
	if o.Class == "canceled" {
		return Decision{State: st}
	}
	f := finisher{c: c, s: s, o: o, now: now, m: recall(st.Schedule), before: st.Succeeded}
	f.d.State = st
	f.d.State.Schedule = nil
	f.d.State.Polled = now
	f.d.State.LastStatus = o.Status
	if o.Status == 0 {
		f.o.Local = o.Local || f.m.Local // never reached: as it was
	}
	f.m.Local = f.o.Local
	switch {
	case o.Class == "" && (o.NotModified || o.Same) && f.m.Unparsed != "":
		// F-09: it still is what could not be read.
		f.o.Class, f.o.Error = "not-a-feed", f.m.Unparsed
		f.failed()
	case o.Class == "":
		f.succeeded()
	default:
		f.failed()
	}
	f.move()
	f.d.State.Schedule = f.m.bytes()
	return f.d
}

// finisher is Finish at work.
type finisher struct {
	c   Config
	s   store.Source
	o   Outcome
	now time.Time
	m   memory
	d   Decision
	// before is when the source last succeeded; zero if it never did.
	before time.Time
}

func (f *finisher) note(format string, args ...any) {
	f.d.Notes = append(f.d.Notes, fmt.Sprintf(format, args...))
}

// keep stores validators and hash of a complete answer.
func (f *finisher) keep() {
	st := &f.d.State
	st.ValidatorURL, st.ETag, st.LastModified = f.o.ValidatorURL, f.o.ETag, f.o.LastModified
	if f.o.BodyHash != "" {
		st.BodyHash = f.o.BodyHash
	}
}

// succeeded: a 304, or a 200 with a feed.
func (f *finisher) succeeded() {
	st, m, o := &f.d.State, &f.m, f.o
	first := f.before.IsZero()
	f.keep()
	st.Succeeded, st.Class, st.LastError = f.now, "", ""
	st.Failures, st.FirstFailure, st.NotBefore = 0, time.Time{}, time.Time{}
	st.Condition = OK
	m.Refused, m.Gone, m.HostTo, m.Unparsed = 0, time.Time{}, time.Time{}, ""

	if o.Conditional && o.Same {
		m.Same++
	} else {
		m.Same = 0
	}
	if o.NotModified {
		if m.Since304.IsZero() {
			m.Since304, m.Usual = f.now, m.Rate.perDay()
		}
	} else {
		if !m.Since304.IsZero() && !o.Conditional && o.New > 0 && m.Forced.After(m.Since304) {
			f.note("the server answered \"not modified\" for %s although there were %d new posts: its validators cannot be trusted",
				human(f.now.Sub(m.Since304)), o.New)
		}
		m.Since304 = time.Time{}
	}
	switch {
	case o.Parsed && first:
		m.Rate.seed(o.Published, f.now)
	case o.Parsed:
		m.Rate.observe(o.New, o.Entries, f.now)
	default:
		m.Rate.observe(0, st.Entries, f.now)
	}
	if o.Parsed {
		f.parsed(first)
	} else if o.NotModified && m.Shrink > 0 {
		m.Shrink-- // nothing came, so nothing was missed
	}
	f.quiet()
	b := f.c.bounds(f.s, *st, m, o, f.now)
	wait, why := b.wait()
	wait, why = f.retry(wait, why)
	if o.Fresh > unusual && m.Fresh <= unusual { // F-23
		f.note("the server declares the document good for %s", human(o.Fresh))
	}
	m.Fresh = o.Fresh
	if wait < slow && eternal(*m, f.now.Add(wait)) {
		wait, why = slow, "only \"not modified\" for too long to be by chance: asked without validators, so not sooner than in a day"
	}
	if m.Expired {
		why = "the feed says that it has ended (expired)"
	}
	f.set(wait, why)
}

// parsed takes in what a document says.
func (f *finisher) parsed(first bool) {
	st, m, o := &f.d.State, &f.m, f.o
	if o.Hints.Expired && !m.Expired {
		f.note("the feed says that it has ended (expired): it is asked rarely from now on")
	}
	m.hints(o.Hints)
	if o.New > 0 {
		st.Changed = f.now
	}
	for _, p := range o.Published {
		if p.After(m.Newest) && !p.After(f.now) {
			m.Newest = p.UTC()
		}
	}
	if o.New > 0 && !first || m.Newest.IsZero() && o.Entries > 0 && len(o.Published) == 0 {
		m.Newest = f.now
	}
	switch {
	case o.Entries == 0 && st.Entries > 0: // F-59
		st.Condition = Emptied
		f.note("the feed had %d entries and now has none; nothing is removed", st.Entries)
		return // st.Entries stays: it is what the loss guard goes by
	case !first && st.Entries > 0 && o.Known == 0 && o.New == o.Entries && o.Entries > 1:
		// F-70: nothing of before is in it, so something may have come and gone between.
		f.d.Gap = true
		m.Gaps++
		m.Gap, m.Shrink = f.now, min(m.Shrink+1, 6)
		gap := store.Gap{From: f.before.Truncate(time.Second), To: f.now.Truncate(time.Second)}
		st.Gaps = append(slices.Clone(st.Gaps[max(0, len(st.Gaps)-store.MaxGaps+1):]), gap)
		f.note("no entry of the document before is in this one: posts may have been missed since the last poll")
	case m.Shrink > 0:
		m.Shrink--
	}
	if h := o.Hints.NewFeedURL; h != "" && h != f.s.Address() && h != m.Hint { // F-48
		m.Hint = h
		f.note("the feed says that it moves to %s; followed only when its server redirects there", h)
	}
	st.Entries = o.Entries
}

// quiet notices a source that is silent for much longer than by chance.
func (f *finisher) quiet() {
	m := &f.m
	if !m.Since304.IsZero() && f.now.Sub(m.Since304) >= 8*day && silence(m.Usual, f.now.Sub(m.Since304)) < 0.001 {
		f.d.State.Condition = Quiet
	}
}

// retry lengthens a wait by Retry-After, in full up to a month (F-53).
func (f *finisher) retry(wait time.Duration, why string) (time.Duration, string) {
	if !f.o.HasRetry || f.o.RetryAfter <= 0 {
		return wait, why
	}
	asked := min(f.o.RetryAfter, serverCap)
	if asked > unusual {
		f.note("the server asks not to be polled for %s", human(f.o.RetryAfter))
	}
	f.d.State.NotBefore = f.now.Add(asked)
	if asked > wait {
		return asked, "the server asked for it (Retry-After)"
	}
	return wait, why
}

// set is the end of every rule.
func (f *finisher) set(wait time.Duration, why string) {
	st := &f.d.State
	st.Interval = wait
	st.NextDue = due(f.s, &f.m, wait, f.now)
	st.Why = "in " + human(st.NextDue.Sub(f.now)) + ": " + why
}
