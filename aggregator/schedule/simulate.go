package schedule

import (
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Trace is when a source posted: the input of [Simulate].
type Trace struct {
	ID     feed.SourceID
	Posts  []time.Time // in any order
	Window int         // entries in a document
}

// Simulation is what polling a set of traces cost and brought.
type Simulation struct {
	Sources  int
	Posts    int // that appeared while it ran
	Requests int
	Delay    time.Duration // mean time from a post's date until a poll could see it
	Lost     int           // posts that had left the document before a poll
}

// String is one line for a table.
func (s Simulation) String() string {
	return fmt.Sprintf("%d sources, %d posts, %d requests, mean delay %v, %d lost", s.Sources, s.Posts, s.Requests, s.Delay.Round(time.Second), s.Lost)
}

// Tile makes a trace that is at least span long out of a shorter one, by
// repeating it: documents carry the last few posts only. A trace of fewer than
// five moments, or of less than a day, tells no rhythm; then ok is false.
func Tile(t Trace, span time.Duration) (tiled Trace, ok bool) {
	posts := slices.Clone(t.Posts)
	slices.SortFunc(posts, time.Time.Compare)
	posts = slices.CompactFunc(posts, time.Time.Equal)
	if len(posts) < 5 || posts[len(posts)-1].Sub(posts[0]) < day {
		return t, false
	}
	period := posts[len(posts)-1].Sub(posts[0])
	period += period / time.Duration(len(posts)-1) // from the last to the first of the next round
	one := posts
	for posts[len(posts)-1].Sub(posts[0]) < span {
		shift := -period * time.Duration(len(posts)/len(one))
		earlier := make([]time.Time, 0, len(one)+len(posts))
		for _, p := range one {
			earlier = append(earlier, p.Add(shift))
		}
		posts = append(earlier, posts...)
	}
	t.Posts = posts
	return t, true
}

// Simulate polls each trace for its last span by the rule of [Finish], and then
// by a fixed interval that makes as many requests, and says what each found when
// (CONFORMANCE F-80). Servers answer at once, with validators. Before the span
// lies the history that the first document shows.
func Simulate(c Config, traces []Trace, span time.Duration) (adaptive, fixed Simulation) {
	var total time.Duration
	for _, t := range traces {
		posts := slices.Clone(t.Posts)
		slices.SortFunc(posts, time.Time.Compare)
		if len(posts) == 0 {
			continue
		}
		end := posts[len(posts)-1]
		begin := end.Add(-span)
		total += span
		s := store.Source{ID: t.ID}
		var st store.PollState
		adaptive.replay(posts, t.Window, begin, end, func(doc, fresh []time.Time, now time.Time) time.Time {
			o := Outcome{Status: 200, ETag: "e", Conditional: true, Parsed: true, Entries: len(doc), New: len(fresh), Known: len(doc) - len(fresh)}
			if st.Succeeded.IsZero() {
				o.Published = doc
			} else if len(fresh) == 0 {
				o = Outcome{Status: 304, NotModified: true, ETag: "e", Conditional: true}
			}
			st = Finish(c, s, st, o, now).State
			return st.NextDue
		})
	}
	if adaptive.Requests == 0 {
		return adaptive, fixed
	}
	interval := total / time.Duration(adaptive.Requests)
	for _, t := range traces {
		posts := slices.Clone(t.Posts)
		slices.SortFunc(posts, time.Time.Compare)
		if len(posts) == 0 {
			continue
		}
		end := posts[len(posts)-1]
		first := true
		fixed.replay(posts, t.Window, end.Add(-span), end, func(_, _ []time.Time, now time.Time) time.Time {
			if first { // not all in step
				first = false
				return now.Add(time.Duration(phase(t.ID, 3) * float64(interval)))
			}
			return now.Add(interval)
		})
	}
	return adaptive, fixed
}

// replay polls one trace from begin to end; poll says when next.
func (sim *Simulation) replay(posts []time.Time, window int, begin, end time.Time, poll func(doc, fresh []time.Time, now time.Time) time.Time) {
	sim.Sources++
	seen, _ := slices.BinarySearchFunc(posts, begin, time.Time.Compare) // posts before are history
	last := seen
	sum := sim.Delay * time.Duration(sim.Posts)
	for now := begin; !now.After(end); {
		n := seen
		for n < len(posts) && !posts[n].After(now) {
			n++
		}
		doc := posts[max(0, n-max(window, 1)):n]
		fresh := posts[max(seen, n-max(window, 1)):n]
		for _, p := range posts[seen:n] {
			sum += now.Sub(p)
		}
		sim.Lost += (n - seen) - len(fresh)
		seen = n
		sim.Requests++
		now = poll(doc, fresh, now)
	}
	sim.Posts += seen - last
	if sim.Posts > 0 {
		sim.Delay = sum / time.Duration(sim.Posts)
	}
}

// PaceFor finds the pace at which sources with these posting rates (posts a day)
// make perHour requests an hour together, within floor and ceiling: the share of
// each is proportional to the square root of its rate (F-72).
func PaceFor(c Config, perDay []float64, perHour float64) time.Duration {
	if len(perDay) == 0 || perHour <= 0 {
		return c.Pace
	}
	load := func(pace time.Duration) float64 {
		c.Pace = pace
		sum := 0.0
		for _, r := range perDay {
			sum += 1 / max(c.adaptive(r, c.floor(0, false), max(c.MaxInterval, c.MinInterval)).Hours(), 1e-6)
		}
		return sum
	}
	lo, hi := time.Second, 1000*day
	for range 60 {
		mid := lo + (hi-lo)/2
		if load(mid) > perHour {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// Rate is the posting rate that the scheduler goes by, in posts a day; for
// [PaceFor]. False for a source of which nothing is known.
func Rate(st store.PollState) (perDay float64, ok bool) {
	m := recall(st.Schedule)
	return m.Rate.perDay(), !m.Rate.At.IsZero()
}
