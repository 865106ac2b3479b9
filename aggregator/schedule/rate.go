package schedule

import (
	"math"
	"slices"
	"time"
)

const (
	// halfLife: what was posted a month ago counts half (CONFORMANCE F-71).
	halfLife = 30.0 // days
	// fastHalfLife follows bursts, for the loss guard only.
	fastHalfLife = 1.5 // days
	// The prior: a post in two days, seen for half a day. It is soon outweighed, also
	// by a document of twenty posts of one afternoon.
	priorPosts = 0.25
	priorDays  = 0.5
	// fastPrior is the weight of the mean rate in the fast estimate, in days.
	fastPrior = 0.05
	// longSilence makes a source a quiet one (F-75).
	longSilence = 365 * day
	// swing bounds how far the rate moves in a week, so that the interval, which
	// goes by its square root, moves by less than a factor of 3 (F-71).
	swing = 8.0
)

// rate estimates how often a source posts: a Gamma-distributed rate of a Poisson
// process, with exponential forgetting.
type rate struct {
	Posts float64 // shape, less the prior's
	Days  float64 // exposure, less the prior's
	FastP float64
	FastD float64
	At    time.Time // up to when
	// Last is what the last poll saw, in posts a day, if it brought much of the
	// document anew.
	Last float64
	// Ref is the rate at RefAt, from which the rate moves by swing at most in a week.
	Ref   float64
	RefAt time.Time
}

// seed learns from the dates of a first document: its posts but the oldest, in
// the time since that one.
func (r *rate) seed(dates []time.Time, now time.Time) {
	*r = rate{At: now, RefAt: now}
	var ages []float64
	for _, d := range dates {
		if age := now.Sub(d).Hours() / 24; age >= 0 && !d.IsZero() {
			ages = append(ages, age)
		}
	}
	slices.Sort(ages)
	// Feeds made on demand date all entries alike; that says nothing.
	if len(ages) >= 2 && ages[len(ages)-1]-ages[0] > 1.0/24 {
		for _, age := range ages[:len(ages)-1] {
			r.Posts += math.Exp2(-age / halfLife)
			r.FastP += math.Exp2(-age / fastHalfLife)
		}
		span := ages[len(ages)-1]
		r.Days = exposure(span, halfLife)
		r.FastD = exposure(span, fastHalfLife)
	}
	r.Ref = r.mean()
}

// exposure is how much a span of days up to now counts.
func exposure(days, halfLife float64) float64 {
	return (1 - math.Exp2(-days/halfLife)) * halfLife / math.Ln2
}

// observe counts n new posts in a document of entries, since the last
// observation.
func (r *rate) observe(n, entries int, now time.Time) {
	days := max(now.Sub(r.At).Hours()/24, 0) // F-79: a clock that went back is no time
	days = min(days, 365)
	r.Last = 0
	if n > 1 && n >= entries/4 {
		r.Last = float64(n) / max(days, 1.0/24)
	}
	r.Posts = r.Posts*math.Exp2(-days/halfLife) + float64(n)
	r.Days = r.Days*math.Exp2(-days/halfLife) + exposure(days, halfLife)
	r.FastP = r.FastP*math.Exp2(-days/fastHalfLife) + float64(n)
	r.FastD = r.FastD*math.Exp2(-days/fastHalfLife) + exposure(days, fastHalfLife)
	r.At = now
	if now.Sub(r.RefAt) >= week || now.Before(r.RefAt) || r.Ref == 0 {
		r.Ref, r.RefAt = r.perDay(), now
	}
}

func (r *rate) mean() float64 { return (r.Posts + priorPosts) / (r.Days + priorDays) }

// perDay is the estimate, in posts a day.
func (r *rate) perDay() float64 {
	if r.Ref == 0 {
		return r.mean()
	}
	return min(max(r.mean(), r.Ref/swing), r.Ref*swing)
}

// since is the estimate for a source whose newest post is that old: after a year
// of silence, which the forgetting cannot tell from a quarter, at most one post in
// as long a time.
func (r *rate) since(silent time.Duration) float64 {
	if silent <= longSilence {
		return r.perDay()
	}
	return min(r.perDay(), 24/silent.Hours())
}

// peak is the rate to be on guard against: of the last days, if it is higher.
func (r *rate) peak() float64 {
	mean := r.mean()
	return max(mean, (r.FastP+mean*fastPrior)/(r.FastD+fastPrior), r.Last)
}

// silence is the chance that a source with the usual rate (posts a day) posts
// nothing for that long.
func silence(usual float64, d time.Duration) float64 {
	return math.Exp(-usual * d.Hours() / 24)
}
