package schedule

import (
	"math"
	"time"

	"chancery/store"
)

const (
	// chance is how improbable a silence is that is worth a look: one in a thousand.
	chance = 0.001
	// longWeekend is a silence that says nothing, however much a source posts.
	longWeekend = 4 * day
	// fewPosts is from how many posts on a rate is known well enough to miss one.
	fewPosts = 3
)

// Expected says when the newest post of a source came and by when there should
// have been another: the end of a silence that a source with its rate makes by
// chance once in a thousand times, and never less than a long weekend. A source
// that answers well and brings nothing beyond that time has probably moved, or its
// feed is not written any more. ok is false where too few posts are known.
func Expected(st store.PollState) (newest, by time.Time, ok bool) {
	m := recall(st.Schedule)
	usual := m.Rate.perDay()
	if !m.Since304.IsZero() && m.Usual > 0 {
		usual = m.Usual // the rate before the silence, which forgets it
	}
	faded := math.Exp2(-max(m.Rate.At.Sub(m.Newest).Hours()/24, 0) / halfLife)
	if m.Newest.IsZero() || m.Rate.Posts < fewPosts*faded || usual <= 0 {
		return m.Newest, time.Time{}, false
	}
	days := min(-math.Log(chance)/usual, 3650)
	return m.Newest, m.Newest.Add(max(time.Duration(days*float64(day)), longWeekend)), true
}
