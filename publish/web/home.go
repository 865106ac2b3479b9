package web

import "net/http"

// homePage is the data of the page "/".
type homePage struct {
	Site    Site
	Topics  []topicCard
	Counts  *overview // nil: nothing can be counted now
	State   indexing
	Builder *builder
	Latest  []post
}

// topicCard is a topic with its numbers.
type topicCard struct {
	Listing
	topicCount
}

// indexing says how far the index is, for pages that count.
type indexing struct {
	None, Rebuilding bool
	Percent          int
}

func (s *Server) indexing() indexing {
	state, ok := s.lib.IndexState()
	if !ok {
		return indexing{None: true}
	}
	i := indexing{Rebuilding: state.Rebuilding}
	if state.Total > 0 {
		i.Percent = int(100 * state.Done / state.Total)
	}
	return i
}

// homePosts is how many of the latest posts the home page shows.
const homePosts = 20

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(homeForm, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	p := homePage{Site: site, State: s.indexing()}
	if p.Counts, err = s.overview(r.Context(), &site); err != nil {
		s.fail(w, r, err)
		return
	}
	for _, l := range site.Topics {
		c := topicCard{Listing: l}
		if p.Counts != nil {
			c.topicCount = p.Counts.Topics[l.Name]
		}
		p.Topics = append(p.Topics, c)
	}
	p.Builder = newBuilder(form, &site, p.Counts)
	if err := s.build(r, p.Builder); err != nil {
		s.fail(w, r, err)
		return
	}
	if p.Latest, err = s.newest(r, "", "all", homePosts); err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Feeds = s.link("all", "All posts", allFormats)
	for _, l := range append(append([]Listing{}, site.Topics...), site.Feeds...) {
		fr.Feeds = append(fr.Feeds, s.link(l.Name, l.Title, l.Formats)...)
	}
	fr.JSON = s.lib.Base() + apiRoot + "/topics"
	fr.Wide, fr.Script = true, true
	fr.Body, fr.Code = p, p.Builder.Result.Code
	if fr.Code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	s.show(w, r, "home", fr)
}
