package schedule

import (
	"slices"
	"time"

	"chancery/feed"
)

// syndication is the lower bound that the syndication module of RSS 1.0 sets:
// period by frequency, at most a week (CONFORMANCE F-64). Zero if the module is
// absent.
func syndication(h feed.Hints) time.Duration {
	if h.UpdateFrequency <= 0 && h.UpdatePeriod <= 0 {
		return 0
	}
	period := h.UpdatePeriod
	if period <= 0 {
		period = day
	}
	return min(period/time.Duration(max(h.UpdateFrequency, 1)), week)
}

// skip moves t out of the hours and days in which a document asks not to be
// polled, to the first permitted instant (F-63). A list that forbids everything
// is passed over. Hours and days are GMT.
func skip(t time.Time, hours []int, days []time.Weekday) time.Time {
	if len(hours) == 0 && len(days) == 0 {
		return t
	}
	forbidden := func(t time.Time) bool {
		h := t.Hour()
		return slices.ContainsFunc(hours, func(x int) bool { return x%24 == h && x >= 0 && x <= 24 }) || slices.Contains(days, t.Weekday())
	}
	at := t.UTC()
	for range 7*24 + 1 {
		if !forbidden(at) {
			return at.In(t.Location())
		}
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return t
}

// phase is a stable number in [0, 1) for a source and a purpose, so that polls of
// different sources never fall together and those of one source need no dice
// (F-77).
func phase(id feed.SourceID, n int) float64 {
	// FNV-1a, then a mixer: neighboring ids must differ in the high bits too.
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= uint64(n) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}
