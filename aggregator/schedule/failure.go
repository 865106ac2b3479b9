package schedule

import "time"

// soft reports whether a failure of this class may pass by itself, so that
// doubling starts with the second in a row.
func soft(class string) bool {
	switch class {
	case "timeout", "server", "broken", "truncated", "busy", "wait":
		return true
	}
	return false
}

// failed: anything but a 304 or a 200 with a feed. Nothing of what is stored is
// removed by it (F-61), and no source is ever given up silently.
func (f *finisher) failed() {
	st, m, o := &f.d.State, &f.m, f.o
	own := f.own()
	st.Class, st.LastError = o.Class, o.Error
	m.Since304 = time.Time{} // F-13 is about answers 304 and nothing else
	if o.Class == "not-a-feed" {
		// F-09: complete, but not readable; its validators save the next download.
		f.keep()
	}
	if o.Class == "not-a-feed" && !o.NotModified && !o.Same {
		m.Unparsed, m.Parser = o.Error[:min(len(o.Error), 300)], o.Parser
	}
	if o.Class != "gone" {
		m.Gone = time.Time{}
	}
	served := !st.Succeeded.IsZero()
	switch {
	case o.Class == "limited":
		f.refused(Limited, "the server says that we ask too often (HTTP 429)")
		return
	case (o.Class == "forbidden" || o.Wall != "") && served: // F-54
		f.refused(Blocked, "the server refuses us, although it served us before")
		return
	}
	if st.Failures == 0 || st.FirstFailure.IsZero() {
		st.FirstFailure = f.now
	}
	if st.FirstFailure.After(f.now) { // F-79: the clock went back
		st.FirstFailure = f.now
	}
	if o.Class != "busy" {
		st.Failures++
	}
	failing := f.now.Sub(st.FirstFailure)
	switch o.Class {
	case "gone":
		f.gone()
		return
	case "not-found": // F-56
		st.Condition = Missing
		limit, why := day, "nothing is at its address (HTTP 404)"
		switch {
		case failing > 180*day:
			f.disable("there was nothing at its address for half a year (HTTP 404)")
			return
		case failing > 30*day:
			limit, why = week, "nothing was at its address for a month (HTTP 404)"
			own = week
		}
		f.backOff(own, limit, why)
		return
	case "wait":
		st.Condition = Failing
		wait, why := f.retry(own, "a redirect")
		f.set(wait, why)
		return
	case "not-a-feed", "html", "empty":
		st.Condition = Broken
	case "forbidden", "wall":
		st.Condition = Blocked
	default:
		st.Condition = Failing
	}
	if o.Wall != "" {
		st.Condition = Blocked
	}
	f.backOff(own, week, "it fails ("+o.Class+")")
}

// own is the source's interval when all is well.
func (f *finisher) own() time.Duration {
	b := f.c.bounds(f.s, f.d.State, &f.m, Outcome{Local: f.o.Local}, f.now)
	if f.d.State.Succeeded.IsZero() {
		// Nothing is known of its rhythm, and its whole first document is still to
		// come: the floor, so that a start without a network costs an hour and not a day.
		return max(b.floor, time.Minute)
	}
	b.blind = 0
	d, _ := b.wait()
	return d
}

// backOff doubles from the source's own interval with each failure in a row, up
// to limit, with full jitter above the interval itself (F-55).
func (f *finisher) backOff(own, limit time.Duration, why string) {
	st := &f.d.State
	n := st.Failures
	if soft(f.o.Class) {
		n--
	}
	limit = max(limit, own)
	most := own
	for range max(n, 0) {
		if most *= 2; most >= limit {
			most = limit
			break
		}
	}
	wait := own + time.Duration(phase(f.s.ID, 1000+st.Failures)*float64(most-own))
	// The server's own words, on any failure: Retry-After in full, freshness too,
	// because a refusal with max-age is a wish to be left alone that long (F-22).
	wait, why = f.retry(wait, why)
	if fresh := min(f.o.Fresh, serverCap); fresh > wait {
		wait, why = fresh, "the server declares its answer good for that long"
	}
	f.set(wait, why)
}

// refused: the server wants us to slow down, all of its feeds with this one
// (F-51, F-52, F-54).
func (f *finisher) refused(condition, why string) {
	st, m := &f.d.State, &f.m
	st.Condition = condition
	if st.FirstFailure.IsZero() {
		st.FirstFailure = f.now
	}
	var wait time.Duration
	m.Refused = max(m.Refused, f.o.HostRefused)
	switch {
	case f.o.HasRetry:
		wait = min(f.o.RetryAfter, serverCap)
		if f.o.RetryAfter > unusual {
			f.note("the server asks not to be polled for %s", human(f.o.RetryAfter))
		}
	default:
		wait = min(4*time.Hour<<min(m.Refused, 6), week) // the sixth doubling is beyond a week
	}
	m.Refused++
	if f.o.Fresh > wait {
		wait = min(f.o.Fresh, serverCap)
	}
	st.NotBefore = f.now.Add(wait)
	m.HostTo = st.NotBefore
	f.d.HostUntil = st.NotBefore
	f.set(max(wait, f.own()), why)
}

// gone: 410 stops polling; one request not sooner than a day later confirms it
// (F-49).
func (f *finisher) gone() {
	st, m := &f.d.State, &f.m
	if m.Gone.IsZero() || f.now.Sub(m.Gone) < day && !f.now.Before(m.Gone) {
		if m.Gone.IsZero() {
			m.Gone = f.now
			f.note("the publisher says that the feed is gone (HTTP 410); asked once more after a day")
		}
		st.Condition = Leaving
		st.NotBefore = m.Gone.Add(day)
		f.set(m.Gone.Add(day).Sub(f.now), "gone (HTTP 410), to be confirmed")
		return
	}
	f.disable("the publisher says that the feed is gone (HTTP 410, twice)")
}

// never is a due time for what is not polled.
const never = 100 * 365 * day

func (f *finisher) disable(why string) {
	st := &f.d.State
	if f.s.Moved != "" { // the address before may still be good: see move
		st.Condition = Failing
		f.backOff(f.own(), week, why)
		return
	}
	f.d.Disable = true
	st.Condition = Gone
	st.NextDue = f.now.Add(never)
	st.Why = why + "; only an operator enables it again"
	f.note("%s: disabled, its items stay", why)
}
