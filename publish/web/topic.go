package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/store"
)

// topicPage is the data of the page of a topic.
type topicPage struct {
	Listing Listing
	Counts  *topicOverview // nil: nothing can be counted now
	State   indexing
	Chart   Chart
	Sources []facetValue
	Langs   []facetValue
	Rule    *ruleView
	Posts   []post
	Search  string // the page of the search for its posts
}

// topicPosts is how many of its latest posts the page of a topic shows.
const topicPosts = 40

// topicSources is how many sources it names.
const topicSources = 25

func (s *Server) topic(w http.ResponseWriter, r *http.Request) {
	id, asJSON := strings.CutSuffix(r.PathValue("id"), ".json")
	if asJSON {
		r.SetPathValue("id", id)
		s.operate(w, r, &oneTopic)
		return
	}
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	for _, l := range site.Topics {
		if l.Name != id {
			continue
		}
		p, err := s.topicPage(r, l)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		fr.Title = l.Title + " · " + fr.Site
		fr.Here = "topics"
		fr.Feeds = s.link(l.Name, l.Title, l.Formats)
		fr.JSON = s.lib.Base() + "/topics/" + id + ".json"
		fr.Wide, fr.Body = true, p
		s.show(w, r, "topic", fr)
		return
	}
	s.fail(w, r, ErrNotFound)
}

func (s *Server) topicPage(r *http.Request, l Listing) (*topicPage, error) {
	base := s.lib.Base()
	q := topicQuery(l.Name)
	p := &topicPage{Listing: l, State: s.indexing(), Rule: s.lib.Rule(topicID(l)).view(), Search: searchURL(base, q)}
	var err error
	if p.Posts, err = s.newest(r, q, l.Name, topicPosts); err != nil {
		return nil, err
	}
	for i := range p.Posts {
		// Each of them has it.
		p.Posts[i].Topics = slices.DeleteFunc(slices.Clone(p.Posts[i].Topics), func(t render.Topic) bool { return string(t.ID) == l.Name })
	}
	if p.Counts, err = s.topicOverview(r.Context(), l.Name); err != nil || p.Counts == nil {
		return p, err
	}
	p.Chart = newChart("months", "Posts a month", p.Counts.Months, func(b store.HistogramBar) string {
		return searchURL(base, q+" published:"+barDate(b))
	})
	for _, f := range p.Counts.Sources[:min(topicSources, len(p.Counts.Sources))] {
		title := s.lib.Source(feed.SourceID(f.Name)).Title
		p.Sources = append(p.Sources, facetValue{Label: cmp.Or(title, f.Name), Count: f.Count, URL: searchURL(base, q+" source:"+f.Name), Page: base + "/sources/" + f.Name})
	}
	for _, f := range p.Counts.Langs {
		if f.Name != "" {
			p.Langs = append(p.Langs, facetValue{Label: languageName(f.Name), Count: f.Count, URL: searchURL(base, q+" lang:"+f.Name)})
		}
	}
	return p, nil
}
