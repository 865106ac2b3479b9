package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/store"
)

// sourceJSON is a source as everybody may see it.
type sourceJSON struct {
	ID       feed.SourceID `json:"id"`
	Title    string        `json:"title"`
	URL      string        `json:"url,omitempty"`
	Site     string        `json:"site,omitempty"`
	Language string        `json:"language,omitempty"`
	Items    int64         `json:"items"`
	Health   health        `json:"health"`
	// Added is when it was subscribed to; the others are of its polling.
	Added     instant           `json:"added,omitzero"`
	Polled    instant           `json:"polled,omitzero"`
	Succeeded instant           `json:"succeeded,omitzero"`
	Changed   instant           `json:"changed,omitzero"`
	NextDue   instant           `json:"next_due,omitzero"`
	Why       string            `json:"why,omitempty"`
	Failures  int               `json:"failures,omitempty"`
	Failing   instant           `json:"failing_since,omitzero"`
	Entries   int               `json:"entries,omitempty"`
	Gaps      []gapJSON         `json:"gaps,omitempty"`
	Feeds     map[string]string `json:"feeds"`
	Activity  *activityJSON     `json:"activity,omitempty"`
}

type gapJSON struct {
	From instant `json:"from"`
	To   instant `json:"to"`
}

// activityJSON is what the archive has of a source over time.
type activityJSON struct {
	First     instant     `json:"first,omitzero"`
	Last      instant     `json:"last,omitzero"`
	Arrived   instant     `json:"arrived,omitzero"`
	Seen      int         `json:"seen_30_days"`
	Expected  *float64    `json:"expected_30_days,omitempty"` // an estimate
	Histogram []barJSON   `json:"histogram"`
	Hours     [24]int     `json:"hours"`
	Weekdays  [7]int      `json:"weekdays"`
	Languages []facetJSON `json:"languages"`
	Partial   bool        `json:"partial,omitempty"`
}

func (s *Server) sourceJSON(src *store.SourceState, now time.Time) sourceJSON {
	st := &src.State
	j := sourceJSON{
		ID: src.ID, Title: cmp.Or(src.Title, string(src.ID)), URL: PublicURL(&src.Source), Site: publicSite(&src.Source), Language: src.Language,
		Items: src.Items, Health: healthOf(src, now), Added: instant{src.Added}, Polled: instant{st.Polled}, Succeeded: instant{st.Succeeded},
		Changed: instant{st.Changed}, Entries: st.Entries, Failures: st.Failures, Failing: instant{st.FirstFailure},
		Feeds: s.feedsOf(nameOfSource(src.ID), allFormats),
	}
	if polled(src) {
		j.NextDue, j.Why = instant{due(src)}, st.Why
	}
	for _, g := range st.Gaps {
		j.Gaps = append(j.Gaps, gapJSON{instant{g.From}, instant{g.To}})
	}
	return j
}

// publicSite is the page of a source, if it can be opened.
func publicSite(src *store.Source) string {
	if strings.HasPrefix(src.Site, "https://") || strings.HasPrefix(src.Site, "http://") {
		return src.Site
	}
	return ""
}

func nameOfSource(id feed.SourceID) string { return "source/" + string(id) }

// feedsOf are the addresses of a feed by format.
func (s *Server) feedsOf(name string, formats [len(render.Formats)]bool) map[string]string {
	out := map[string]string{}
	for _, f := range render.Formats {
		if formats[f] {
			out[f.String()] = feedURL(s.lib.Base(), name, f)
		}
	}
	return out
}

// polled reports whether a source is asked for new posts.
func polled(src *store.SourceState) bool { return !src.Removed && !src.Disabled && src.URL != "" }

// due is when a source is asked next; the zero time is at once.
func due(src *store.SourceState) time.Time {
	if src.State.NotBefore.After(src.State.NextDue) {
		return src.State.NotBefore
	}
	return src.State.NextDue
}

func activityOf(h *history) *activityJSON {
	a := &activityJSON{
		First: instant{h.First}, Last: instant{h.Last}, Arrived: instant{h.Arrived}, Seen: h.Seen, Histogram: barsOf(h.Bars),
		Hours: h.Hours, Weekdays: h.Weekdays, Languages: []facetJSON{}, Partial: h.Partial,
	}
	if h.Guess {
		e := float64(int(h.Expected*10+0.5)) / 10
		a.Expected = &e
	}
	for _, l := range h.Languages {
		a.Languages = append(a.Languages, facetJSON(l))
	}
	return a
}

type sourcesPage struct {
	Sources []sourceJSON `json:"sources"`
	page
}

var listSources = operation{
	id: "listSources", path: "/sources", summary: "List sources",
	text: "All sources by id, with how they stand. Those that were removed, whose items stay, are listed only with `state=removed`.",
	params: []param{
		{name: "state", choices: sourceStates, text: "Only sources in this state.", example: "failing"},
		{name: "limit", kind: aNumber, least: 1, most: 1000, standard: "200", text: "How many there are on a page, at most."},
		cursorParam,
	},
	result: "SourcesPage", paged: true,
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		site, err := s.lib.Site(ctx)
		if err != nil {
			return answer{}, err
		}
		after := feed.SourceID(a.text("cursor"))
		if after != "" && !feed.ValidID(string(after)) {
			return answer{}, store.ErrBadCursor
		}
		now := time.Now()
		out := sourcesPage{Sources: []sourceJSON{}}
		list := site.Sources
		if a.text("state") == "removed" {
			list = site.Former
		}
		for i := range list {
			src := &list[i]
			if src.ID <= after || a.given("state") && src.Word() != a.text("state") {
				continue
			}
			if len(out.Sources) == a.number("limit") {
				out.Next = string(out.Sources[len(out.Sources)-1].ID)
				break
			}
			out.Sources = append(out.Sources, s.sourceJSON(src, now))
		}
		return answer{body: out, next: out.Next}, nil
	},
}

var oneSource = operation{
	id: "getSource", path: "/sources/{id}", summary: "One source",
	text: "A source with its activity: what the archive has of it over time, and how many posts of the last 30 days are here against how many the year before lets expect (an estimate).",
	params: []param{
		{name: "id", kind: anID, required: true, text: "The source's id.", example: "lobelog"},
	},
	result: "Source", fails: []int{http.StatusNotFound},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		src, err := s.sourceState(ctx, feed.SourceID(a.text("id")))
		if err != nil {
			return answer{}, err
		}
		now := time.Now()
		h, err := s.history(ctx, src, now)
		if err != nil {
			return answer{}, err
		}
		j := s.sourceJSON(src, now)
		j.Activity = activityOf(h)
		return answer{body: j}, nil
	},
}

// sourceState gives a source that is not removed, or has items, or ErrNotFound.
func (s *Server) sourceState(ctx context.Context, id feed.SourceID) (*store.SourceState, error) {
	site, err := s.lib.Site(ctx)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]store.SourceState{site.Sources, site.Former} {
		i, ok := slices.BinarySearchFunc(list, id, func(src store.SourceState, id feed.SourceID) int { return cmp.Compare(src.ID, id) })
		if ok {
			return &list[i], nil
		}
	}
	return nil, ErrNotFound
}
