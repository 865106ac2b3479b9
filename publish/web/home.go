package web

import "net/http"

// homePage is the data of the page "/".
type homePage struct {
	Site   Site
	Latest []post
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	latest, err := s.posts(r, "all", 30)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Feeds = s.link("all", "All posts", allFormats)
	for _, l := range append(append([]Listing{}, site.Topics...), site.Feeds...) {
		fr.Feeds = append(fr.Feeds, s.link(l.Name, l.Title, l.Formats)...)
	}
	fr.Body = homePage{Site: site, Latest: latest}
	s.show(w, r, "home", fr)
}
