package schedule

import (
	"time"

	"chancery/store"
)

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
