package web

import "net/http"

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	fr.Title = "Status · " + fr.Site
	fr.Body = site
	s.show(w, r, "status", fr)
}
