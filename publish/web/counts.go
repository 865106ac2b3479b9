package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery/feed/query"
	"chancery/store"
)

// recentMonths is how far back the small charts go.
const recentMonths = 24

// overview is what the home page counts.
type overview struct {
	Since  time.Time // month of the oldest post
	Topics map[string]topicCount
	Langs  []store.Facet
	Notes  []string
}

// topicCount is how much there is on a topic.
type topicCount struct {
	Posts int
	Month int // in the last thirty days
	Chart Chart
}

// count answers a search with numbers only. Copies of a story count once, as on
// every page.
func (s *Server) count(ctx context.Context, q string, facets bool) (store.SearchPage, error) {
	parsed, err := parseQuery(q)
	if err != nil {
		return store.SearchPage{}, err
	}
	return s.lib.Search(ctx, parsed, store.SearchOptions{Limit: -1, Facets: facets, FoldStories: true})
}

// parseQuery reads a query; an empty one asks for everything.
func parseQuery(q string) (*query.Query, error) {
	if strings.TrimSpace(q) == "" {
		return nil, nil // nil asks for everything, see store.Index
	}
	return query.Parse(q)
}

// overview counts the archive for the home page, or gives nil if nothing can be
// counted now.
func (s *Server) overview(ctx context.Context, site *Site) (*overview, error) {
	state, ok := s.lib.IndexState()
	if !ok {
		return nil, nil // nothing to count with
	}
	var key strings.Builder
	for _, t := range site.Topics {
		key.WriteString(t.Name + " ")
	}
	o, err := s.overviews.get(key.String(), state.Cursor, func() (*overview, error) { return s.newOverview(ctx, site) })
	if notCounted(err) {
		return nil, nil // the page says that it cannot count
	}
	return o, err
}

// notCounted reports whether the index is damaged, gone or asked too much: then a page
// does without its numbers.
func notCounted(err error) bool {
	_, refused := errors.AsType[*store.CostError](err)
	return refused || errors.Is(err, ErrNoSearch) || errors.Is(err, store.ErrCorrupt)
}

func (s *Server) newOverview(ctx context.Context, site *Site) (*overview, error) {
	all, err := s.count(ctx, "", true)
	if err != nil {
		return nil, err
	}
	o := &overview{Topics: map[string]topicCount{}, Notes: all.Notes}
	if all.Facets == nil || len(all.Facets.Histogram) == 0 {
		return o, nil
	}
	o.Langs = all.Facets.Languages
	o.Since = all.Facets.Histogram[0].From
	from, to := recent(all.Facets.Years)
	for _, f := range all.Facets.Topics {
		o.Topics[f.Name] = topicCount{Posts: f.Count}
	}
	for _, t := range site.Topics {
		c := o.Topics[t.Name]
		page, err := s.count(ctx, topicQuery(t.Name)+" published:>="+from.Format("2006-01"), true)
		if err != nil {
			return nil, err
		}
		var bars []store.HistogramBar
		if page.Facets != nil {
			bars = months(page.Facets.Histogram, from, to)
		}
		c.Chart = newChart("recent-"+t.Name, t.Title+", posts a month", bars, nil)
		c.Chart.Small = true
		if page, err = s.count(ctx, topicQuery(t.Name)+" published:30d", false); err != nil {
			return nil, err
		}
		c.Month = page.Total
		o.Topics[t.Name] = c
	}
	return o, nil
}

// recent is the time that small charts show: up to this month, or in an archive
// that has ended, to the end of its last year.
func recent(years []store.Facet) (from, to time.Time) {
	now := time.Now().UTC()
	to = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	if n := len(years); n > 0 {
		var last int
		if _, err := fmt.Sscan(years[n-1].Name, &last); err == nil && last < now.Year() {
			to = time.Date(last, 12, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	return to.AddDate(0, 1-recentMonths, 0), to
}

// months sums bars of days or months up to bars of months, from the one to the
// other without a gap.
func months(bars []store.HistogramBar, from, to time.Time) []store.HistogramBar {
	at := func(t time.Time) int { return (t.Year()-from.Year())*12 + int(t.Month()) - int(from.Month()) }
	n := at(to) + 1
	if n <= 0 {
		return nil
	}
	out := make([]store.HistogramBar, n)
	for i := range out {
		out[i] = store.HistogramBar{From: from.AddDate(0, i, 0), Unit: "month"}
	}
	for _, b := range bars {
		if i := at(b.From); i >= 0 && i < n {
			out[i].Count += b.Count
		}
	}
	return out
}

// maxYears bounds a chart of months: with wrong dates a blog goes back to 1900.
const maxYears = 30

// topicOverview is what the page of a topic counts.
type topicOverview struct {
	Posts, About, Month int
	Exact               bool
	Months              []store.HistogramBar
	Earlier             int // posts before Months
	Sources             []store.Facet
	Langs               []store.Facet
	Notes               []string
}

func (s *Server) topicOverview(ctx context.Context, id string) (*topicOverview, error) {
	state, ok := s.lib.IndexState()
	if !ok {
		return nil, nil // nothing to count with
	}
	o, err := s.topicOverviews.get(id, state.Cursor, func() (*topicOverview, error) { return s.newTopicOverview(ctx, id) })
	if notCounted(err) {
		return nil, nil // the page says that it cannot count
	}
	return o, err
}

func (s *Server) newTopicOverview(ctx context.Context, id string) (*topicOverview, error) {
	q := topicQuery(id)
	all, err := s.count(ctx, q, true)
	if err != nil {
		return nil, err
	}
	o := &topicOverview{Posts: all.Total, Exact: all.Exact, Notes: all.Notes}
	about, err := s.count(ctx, "about:"+id, false)
	if err != nil {
		return nil, err
	}
	month, err := s.count(ctx, q+" published:30d", false)
	if err != nil {
		return nil, err
	}
	o.About, o.Month = about.Total, month.Total
	if all.Facets == nil || len(all.Facets.Histogram) == 0 {
		return o, nil
	}
	o.Sources, o.Langs = all.Facets.Sources, all.Facets.Languages
	o.Months, o.Earlier, err = s.byMonth(ctx, q, all.Facets.Histogram)
	return o, err
}

// byMonth gives the course of a query in months, whatever unit the index chose: for
// more than ten years it is asked by the decade. Years before the last maxYears are
// only summed up.
func (s *Server) byMonth(ctx context.Context, q string, bars []store.HistogramBar) (out []store.HistogramBar, earlier int, err error) {
	first, last := bars[0], bars[len(bars)-1]
	if first.Unit != "year" {
		from := time.Date(first.From.Year(), first.From.Month(), 1, 0, 0, 0, 0, time.UTC)
		return months(bars, from, last.From), 0, nil
	}
	begin := max(first.From.Year(), last.From.Year()-maxYears+1)
	for _, b := range bars {
		if b.From.Year() < begin {
			earlier += b.Count
		}
	}
	const decade = 10 // years that the index counts by month
	for y := begin; y <= last.From.Year(); y += decade {
		to := min(y+decade-1, last.From.Year())
		page, err := s.count(ctx, fmt.Sprintf("%s published:%d..%d", q, y, to), true)
		if err != nil {
			return nil, 0, err
		}
		var part []store.HistogramBar
		if page.Facets != nil {
			part = page.Facets.Histogram
		}
		out = append(out, months(part, time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(to, 12, 1, 0, 0, 0, 0, time.UTC))...)
	}
	return trimBars(out), earlier, nil
}

// trimBars takes empty bars off both ends.
func trimBars(bars []store.HistogramBar) []store.HistogramBar {
	some := func(b store.HistogramBar) bool { return b.Count > 0 }
	i := slices.IndexFunc(bars, some)
	if i < 0 {
		return nil
	}
	bars = bars[i:]
	for len(bars) > 0 && bars[len(bars)-1].Count == 0 {
		bars = bars[:len(bars)-1]
	}
	return bars
}
