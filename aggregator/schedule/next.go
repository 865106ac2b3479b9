package schedule

import (
	"math"
	"strconv"
	"time"

	"chancery/store"
)

// bounds is how the next poll of a source that answers well is found, each part
// by itself so that it can be shown.
type bounds struct {
	floor    time.Duration
	adaptive time.Duration // by the posting rate, within floor and ceiling
	guard    time.Duration // half of the document rolls over in it; at least the floor
	fresh    time.Duration // HTTP
	ttl      time.Duration
	sy       time.Duration
	blind    time.Duration // no way to ask "has it changed" (F-14)
	ceiling  time.Duration
	local    bool // the operator's own network, where the ceiling holds for all wishes
}

func (c Config) bounds(s store.Source, st store.PollState, m *memory, o Outcome, now time.Time) bounds {
	b := bounds{floor: c.floor(s.Interval, o.Local), fresh: o.Fresh, ttl: m.TTL, sy: m.Syndicate, local: o.Local}
	b.ceiling = max(c.MaxInterval, b.floor)
	silent := time.Duration(0)
	if !m.Newest.IsZero() {
		silent = now.Sub(m.Newest)
	}
	if silent > longSilence { // F-75
		b.ceiling = max(b.ceiling, c.QuietInterval)
	}
	b.adaptive = c.adaptive(m.Rate.since(silent), b.floor, b.ceiling)
	if m.Expired { // F-66
		b.adaptive = b.ceiling
	}
	b.guard = time.Duration(math.MaxInt64)
	if st.Entries > 0 && !m.Expired {
		// F-74: half of the entries at the present rate.
		days := float64(st.Entries) / 2 / m.Rate.peak()
		if days < 3650 {
			b.guard = max(time.Duration(days*float64(day)), b.floor)
		}
	}
	for range min(m.Shrink, 6) { // F-70
		b.adaptive = max(b.adaptive/2, b.floor)
	}
	if st.ETag == "" && st.LastModified == "" || m.Same >= 3 {
		b.blind = slow
	}
	return b
}

// adaptive is the interval for a posting rate (posts a day): F-72.
func (c Config) adaptive(perDay float64, floor, ceiling time.Duration) time.Duration {
	if perDay <= 0 {
		return ceiling
	}
	d := float64(c.Pace) / math.Sqrt(perDay)
	if d > float64(ceiling) {
		return ceiling
	}
	return max(time.Duration(d), floor)
}

// wait joins the bounds (F-65): what server and document ask for is heeded, but
// not past the loss guard nor past a day.
func (b bounds) wait() (time.Duration, string) {
	d, why := b.adaptive, "by how often it posts"
	switch b.adaptive {
	case b.floor:
		why = "the least interval"
	case b.ceiling:
		why = "the greatest interval: it posts rarely"
	}
	if b.guard < d {
		d, why = b.guard, "half of its document may roll over in that time"
	}
	soft, softWhy := time.Duration(0), ""
	for _, x := range []struct {
		d   time.Duration
		why string
	}{
		{b.fresh, "the server declares the document good for that long (Cache-Control or Expires)"},
		{b.ttl, "the feed's ttl"},
		{b.sy, "the feed's sy:updatePeriod"},
		{b.blind, "the server never answers \"not modified\", so once a day"},
	} {
		if x.d > soft {
			soft, softWhy = x.d, x.why
		}
	}
	limit := min(b.guard, day)
	if b.local {
		limit = min(limit, b.ceiling)
	}
	if limit = max(limit, b.floor); soft > limit {
		soft = limit
		switch limit {
		case b.guard:
			softWhy += ", cut because half of its document may roll over"
		case day:
			softWhy += ", cut to a day"
		default:
			softWhy += ", cut to max_interval: the host is our own"
		}
	}
	if soft > d {
		d, why = soft, softWhy
	}
	return d, why
}

// due is when a source is polled after at least wait: jitter is only added, up to
// a tenth (F-76), and skip windows are left (F-63).
func due(s store.Source, m *memory, wait time.Duration, now time.Time) time.Time {
	jitter := time.Duration(phase(s.ID, 0) * float64(wait) / 10)
	at := now.Add(wait + jitter)
	if moved := skip(at, m.SkipHours, m.SkipDays); moved.After(at) {
		// Not all at the full hour; an hour that is permitted lasts 60 minutes.
		at = moved.Add(time.Duration(phase(s.ID, 1) * float64(10*time.Minute)))
	}
	return at.UTC().Round(0)
}

// human is a duration as operators read it.
func human(d time.Duration) string {
	number := func(f float64, digits int, unit string) string {
		return string(append(strconv.AppendFloat(make([]byte, 0, 16), f, 'f', digits, 64), unit...))
	}
	switch {
	case d >= 2*day:
		return number(d.Hours()/24, 1, " days")
	case d >= time.Hour:
		return number(d.Hours(), 1, " h")
	case d >= time.Minute:
		return number(d.Minutes(), 0, " min")
	default:
		return number(d.Seconds(), 0, " s")
	}
}
