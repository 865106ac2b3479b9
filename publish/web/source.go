package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"chancery/feed"
	"chancery/store"
)

// sourcePage is the data of the page of a source.
type sourcePage struct {
	Listing Listing
	Source  *store.SourceState
	URL     string // of the feed, if everybody may see it
	Site    string
	Health  health
	Polled  bool
	Due     time.Time
	History *history
	Months  Chart
	Hours   Chart
	Days    Chart
	Line    *timeline
	Posts   []post
}

// newestPosts is how many posts the page of a source lists.
const newestPosts = 50

// source serves /sources/{id}, as a page and as JSON.
func (s *Server) source(w http.ResponseWriter, r *http.Request) {
	src, err := s.sourceState(r.Context(), feed.SourceID(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	now := time.Now().UTC()
	h, err := s.history(r.Context(), src, now)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	title := cmp.Or(src.Title, string(src.ID))
	p := sourcePage{
		Listing: Listing{Name: nameOfSource(src.ID), Title: title, Formats: allFormats}, Source: src,
		URL: PublicURL(&src.Source), Site: publicSite(&src.Source), Health: healthOf(src, now), Polled: polled(src), Due: due(src), History: h,
	}
	p.Months = newChart("months", "Posts over time", h.Bars, func(b store.HistogramBar) string {
		return s.lib.Base() + "/search?q=" + url.QueryEscape("source:="+string(src.ID)+" published:"+barDate(b))
	})
	p.Hours, p.Days = rhythm(h)
	p.Line = newTimeline(h, src.State.Gaps, now)
	if p.Posts, err = s.posts(r, p.Listing.Name, newestPosts); err != nil {
		s.fail(w, r, err)
		return
	}
	for i := range p.Posts {
		p.Posts[i].Source, p.Posts[i].SourcePage = "", "" // the page says it
	}
	fr.Title = title + " · " + fr.Site
	fr.Feeds = s.link(p.Listing.Name, title, allFormats)
	fr.JSON = s.lib.Base() + "/sources/" + string(src.ID) + ".json"
	fr.Body = p
	s.show(w, r, "source", fr)
}

// rhythm is when a source posts: by hour of the day and by day of the week.
func rhythm(h *history) (hours, days Chart) {
	hours = Chart{ID: "hours", Title: "By hour, UTC"}
	for i, n := range h.Hours {
		hours.Bars = append(hours.Bars, Bar{Label: fmt.Sprintf("%02d:00 to %02d:00", i, (i+1)%24), Short: fmt.Sprintf("%02d:00", i), Count: n})
	}
	hours.Summary = "None of its posts says at what hour."
	if hours.Max() > 0 {
		hours.Summary = "Most from " + hours.most() + "."
	}
	days = Chart{ID: "weekdays", Title: "By day of the week"}
	for i := range 7 {
		d := time.Weekday((i + 1) % 7) // Monday first
		days.Bars = append(days.Bars, Bar{Label: d.String(), Short: d.String()[:3], Count: h.Weekdays[d]})
	}
	days.Summary = "No posts."
	if days.Max() > 0 {
		days.Summary = "Most on " + days.most() + "."
	}
	return hours, days
}

// most is the label of the highest bar.
func (c *Chart) most() string {
	i := 0
	for j, b := range c.Bars {
		if b.Count > c.Bars[i].Count {
			i = j
		}
	}
	return c.Bars[i].Label
}

// timeline shows from when to when the archive has posts of a source, and when some
// may have been missed. Places are in thousandths of its width.
type timeline struct {
	From, To time.Time
	Spans    []span // months, or years, with posts
	Gaps     []span
	Mark     int // where the archive began to follow the source; -1 if before
	Marked   time.Time
	Summary  string
}

// span is a part of a timeline.
type span struct {
	X, W     int
	From, To time.Time
}

// newTimeline is nil for a source without posts.
func newTimeline(h *history, gaps []store.Gap, now time.Time) *timeline {
	if h.First.IsZero() {
		return nil
	}
	t := &timeline{From: h.First, To: now, Mark: -1, Marked: h.Arrived}
	if h.Last.After(now) {
		t.To = h.Last
	}
	if !t.To.After(t.From) {
		t.To = t.From.Add(time.Hour)
	}
	at := func(x time.Time) int {
		return int(1000 * float64(min(max(x.Sub(t.From), 0), t.To.Sub(t.From))) / float64(t.To.Sub(t.From)))
	}
	add := func(list []span, from, to time.Time) []span {
		x := at(from)
		return append(list, span{X: x, W: max(at(to)-x, 2), From: from, To: to})
	}
	for i := 0; i < len(h.Bars); i++ {
		if h.Bars[i].Count == 0 {
			continue
		}
		from := h.Bars[i].From
		for i+1 < len(h.Bars) && h.Bars[i+1].Count > 0 {
			i++
		}
		to := t.To
		if i+1 < len(h.Bars) {
			to = h.Bars[i+1].From
		} else if end := h.Bars[i].From.AddDate(0, 1, 0); h.Bars[i].Unit == "month" && end.Before(t.To) {
			to = end
		}
		t.Spans = add(t.Spans, from, to)
	}
	for _, g := range gaps {
		t.Gaps = add(t.Gaps, g.From, g.To)
	}
	if h.Arrived.After(t.From) {
		t.Mark = at(h.Arrived)
	}
	t.Summary = fmt.Sprintf("Posts dated %s to %s.", day(h.First), day(h.Last))
	if len(gaps) > 0 {
		t.Summary += fmt.Sprintf(" %s in which posts may have been missed.", plural(len(gaps), "time", "times"))
	}
	return t
}
