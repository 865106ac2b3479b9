package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/store"
)

// report is how the service stands: the page /status, /status.json and the
// statistics of the API. It is for everybody, so it has no paths, no addresses with
// secrets and no words of other people's servers.
type report struct {
	Time    instant `json:"time"` // to the minute
	Level   level   `json:"level"`
	Verdict string  `json:"verdict"` // whether all is well, in a sentence
	// Reasons say what is not, the most urgent first.
	Reasons []string       `json:"reasons"`
	Archive archiveReport  `json:"archive"`
	Sources map[string]int `json:"sources"` // by state
	Polling pollingReport  `json:"polling"`
	Manners *mannersReport `json:"manners,omitempty"`
	Index   *indexReport   `json:"index,omitempty"`
	Topics  []facetJSON    `json:"topics"`
	Trouble []sourceRef    `json:"trouble"` // sources with something amiss, the worst first, at most 50
	More    int            `json:"trouble_more,omitempty"`
}

type archiveReport struct {
	Items     int64   `json:"items"`
	Revisions int64   `json:"revisions"`
	Stories   int64   `json:"stories"`
	Documents int64   `json:"documents"`
	Records   int64   `json:"records"`
	Bytes     int64   `json:"bytes"`
	Volumes   int     `json:"volumes"`
	First     instant `json:"first,omitzero"`
	Last      instant `json:"last,omitzero"`
}

// pollingReport is what can be counted of polling from what is known of the sources.
type pollingReport struct {
	Polled     int     `json:"polled"` // sources that are asked for new posts
	Due        int     `json:"due"`
	LagSeconds int64   `json:"lag_seconds"` // how long the most overdue waits
	NextDue    instant `json:"next_due,omitzero"`
	LastPoll   instant `json:"last_poll,omitzero"`
	LastChange instant `json:"last_change,omitzero"`
	// Conditional are the sources that can be asked whether anything changed; Heeded
	// those whose server asked to be left alone until a time that has not come.
	Conditional int `json:"conditional"`
	Heeded      int `json:"heeded"`
	Refusing    int `json:"refusing"` // say that we come too often, or not to come
	// Interval is the median of the times between polls, in seconds.
	Interval int64 `json:"median_interval_seconds,omitempty"`
}

type indexReport struct {
	Items      int64 `json:"items"`
	Versions   int64 `json:"versions"`
	Bytes      int64 `json:"bytes"`
	Rebuilding bool  `json:"rebuilding,omitempty"`
	// Replacing: the one that is being made takes the place of one that is searched
	// meanwhile.
	Replacing bool   `json:"replacing,omitempty"`
	Done      int64  `json:"done,omitempty"`
	Total     int64  `json:"total,omitempty"`
	Fault     string `json:"fault,omitempty"`
}

type sourceRef struct {
	ID        feed.SourceID `json:"id"`
	Title     string        `json:"title"`
	Health    health        `json:"health"`
	Succeeded instant       `json:"succeeded,omitzero"`
	NextDue   instant       `json:"next_due,omitzero"`
}

// maxTrouble bounds the sources that are named.
const maxTrouble = 50

// lateness is from which lag on polling is behind: a source is due a moment before
// it is asked, and one host is asked slowly.
const lateness = time.Hour

// report looks at everything there is to count.
func (s *Server) report(ctx context.Context, site Site, now time.Time) (*report, error) {
	st := site.Stats
	r := &report{
		Time: instant{now.UTC().Truncate(time.Minute)}, Sources: map[string]int{}, Topics: []facetJSON{}, Trouble: []sourceRef{}, Reasons: []string{},
		Archive: archiveReport{
			Items: st.Items, Revisions: st.Revisions, Stories: st.Stories, Documents: st.Raw, Records: st.Records,
			Bytes: st.Bytes, Volumes: st.Volumes, First: instant{st.First}, Last: instant{st.Last},
		},
	}
	var lag time.Duration
	var intervals []time.Duration
	for i := range site.Sources {
		src := &site.Sources[i]
		h := healthOf(src, now)
		r.Sources[h.State]++
		if h.Level == doubt || h.Level == trouble {
			r.Trouble = append(r.Trouble, sourceRef{src.ID, cmp.Or(src.Title, string(src.ID)), h, instant{src.State.Succeeded}, instant{due(src)}})
		}
		if polled(src) {
			lag = max(lag, r.Polling.add(src, now))
			if d := src.State.Interval; d > 0 {
				intervals = append(intervals, d)
			}
		}
	}
	r.Polling.LagSeconds = int64(lag / time.Second)
	if len(intervals) > 0 {
		slices.Sort(intervals)
		r.Polling.Interval = int64(intervals[len(intervals)/2] / time.Second)
	}
	slices.SortStableFunc(r.Trouble, func(a, b sourceRef) int {
		return cmp.Or(cmp.Compare(rank[b.Health.Level], rank[a.Health.Level]), a.Succeeded.Compare(b.Succeeded.Time), cmp.Compare(a.ID, b.ID))
	})
	bad := 0
	for _, t := range r.Trouble {
		if t.Health.Level == trouble {
			bad++
		}
	}
	all := len(r.Trouble)
	r.Trouble = r.Trouble[:min(all, maxTrouble)]
	r.More = all - len(r.Trouble)
	if x, ok := s.lib.IndexState(); ok {
		r.Index = &indexReport{Items: x.Items, Versions: x.Versions, Bytes: x.Bytes, Rebuilding: x.Rebuilding}
		if x.Rebuilding {
			r.Index.Done, r.Index.Total = x.Done, x.Total
			r.Index.Replacing = int64(x.Cursor) > x.Done
		}
		if x.Fault != "" {
			r.Index.Fault = "it was damaged or cannot be written; the log says more" // what it says may name files
		}
		counts, err := s.countTopics(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range site.Topics {
			if counts != nil {
				r.Topics = append(r.Topics, facetJSON{l.Name, counts[l.Name]})
			}
		}
	}
	if m, ok := s.lib.Manners(); ok {
		r.Manners = m.report()
	}
	r.judge(lag, bad)
	return r, nil
}

var rank = map[level]int{fine: 0, resting: 0, doubt: 1, trouble: 2}

// add counts a source that is polled and gives how long it is overdue.
func (p *pollingReport) add(src *store.SourceState, now time.Time) time.Duration {
	st := &src.State
	p.Polled++
	if st.ETag != "" || st.LastModified != "" {
		p.Conditional++
	}
	if st.NotBefore.After(now) {
		p.Heeded++
	}
	if c := src.Word(); c == "limited" || c == "blocked" {
		p.Refusing++
	}
	if st.Polled.After(p.LastPoll.Time) {
		p.LastPoll = instant{st.Polled.UTC()}
	}
	if st.Changed.After(p.LastChange.Time) {
		p.LastChange = instant{st.Changed.UTC()}
	}
	at := due(src)
	if at.After(now) {
		if p.NextDue.IsZero() || at.Before(p.NextDue.Time) {
			p.NextDue = instant{at.UTC()}
		}
		return 0
	}
	p.Due++
	if at.IsZero() {
		return 0
	}
	return now.Sub(at)
}

// judge says whether all is well. bad are the sources in trouble.
func (r *report) judge(lag time.Duration, bad int) {
	r.Level = fine
	say := func(l level, format string, args ...any) {
		if rank[l] > rank[r.Level] {
			r.Level = l
		}
		r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
	}
	if lag >= lateness {
		say(trouble, "Polling is behind: the source that is most overdue has waited for %s.", spell(lag))
	}
	if r.Index != nil && r.Index.Fault != "" {
		say(trouble, "The search index: %s.", r.Index.Fault)
	}
	if bad > 0 {
		l := doubt
		if bad*4 >= r.Polling.Polled { // a quarter: more likely our own network than theirs
			l = trouble
		}
		say(l, "%s cannot be read, and will not mend without somebody.", plural(bad, "source", "sources"))
	}
	if n := len(r.Trouble) + r.More - bad; n > 0 {
		say(doubt, "%s worth a look.", plural(n, "source is", "sources are"))
	}
	if r.Index == nil {
		say(doubt, "There is no search index.")
	} else if r.Index.Replacing {
		say(doubt, "A new search index is being made, %s of %s records; searches use the one before meanwhile.", grouped(r.Index.Done), grouped(r.Index.Total))
	} else if r.Index.Rebuilding {
		say(doubt, "The search index is being made: %s of %s records are in it.", grouped(r.Index.Done), grouped(r.Index.Total))
	}
	switch {
	case r.Polling.Polled == 0:
		r.Verdict = "Nothing is polled: there are no sources yet."
		if r.Archive.Items > 0 {
			r.Verdict = "Nothing is polled: no source is asked for new posts."
		}
		if r.Level == fine {
			r.Level = doubt
		}
	case r.Level == fine:
		r.Verdict = fmt.Sprintf("All is well: %s without trouble.", plural(r.Polling.Polled, "source is read", "sources are read"))
	case r.Level == trouble:
		r.Verdict = "Something needs you."
	default:
		r.Verdict = "The service works; a few things are worth a look."
	}
}

// spell is a duration in words, of its two largest units at most.
func spell(d time.Duration) string {
	units := []struct {
		name string
		d    time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	var parts []string
	for _, u := range units {
		n := int(d / u.d)
		d -= time.Duration(n) * u.d
		if n > 0 {
			parts = append(parts, plural(n, u.name, u.name+"s"))
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "less than a second"
	}
	return strings.Join(parts, " and ")
}

var statistics = operation{
	id: "getStatistics", path: "/statistics", summary: "How the service stands",
	text:   "Counts of the archive, of sources by state, of polling and of the search index, and whether all is well.",
	result: "Statistics",
	serve: func(ctx context.Context, s *Server, _ args) (answer, error) {
		site, err := s.lib.Site(ctx)
		if err != nil {
			return answer{}, err
		}
		r, err := s.report(ctx, site, time.Now())
		return answer{body: r}, err
	},
}
