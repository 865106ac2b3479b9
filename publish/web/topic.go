package web

import "net/http"

// topicPage is the data of the page of a topic.
type topicPage struct {
	Listing Listing
	Posts   []post
}

func (s *Server) topic(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	for _, l := range site.Topics {
		if l.Name != r.PathValue("id") {
			continue
		}
		posts, err := s.posts(r, l.Name, 100)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		fr.Title = l.Title + " · " + fr.Site
		fr.Feeds = s.link(l.Name, l.Title, l.Formats)
		fr.Body = topicPage{Listing: l, Posts: posts}
		s.show(w, r, "topic", fr)
		return
	}
	s.fail(w, r, ErrNotFound)
}
