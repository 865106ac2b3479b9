package web

import (
	"net/http"

	"chancery/store"
)

// sourcePage is the data of the page of a source.
type sourcePage struct {
	Listing Listing
	Source  *store.SourceState
	Posts   []post
}

func (s *Server) source(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	for i := range site.Sources {
		src := &site.Sources[i]
		if string(src.ID) != r.PathValue("id") {
			continue
		}
		l := Listing{Name: "source/" + string(src.ID), Title: src.Title, Formats: allFormats}
		if l.Title == "" {
			l.Title = string(src.ID)
		}
		posts, err := s.posts(r, l.Name, 100)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		fr.Title = l.Title + " · " + fr.Site
		fr.Feeds = s.link(l.Name, l.Title, l.Formats)
		fr.Body = sourcePage{Listing: l, Source: src, Posts: posts}
		s.show(w, r, "source", fr)
		return
	}
	s.fail(w, r, ErrNotFound)
}
