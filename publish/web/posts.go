package web

import (
	"errors"
	"net/http"
	"time"

	"chancery/feed"
	"chancery/publish/render"
)

// post is an entry in a list.
type post struct {
	Title, URL, Page   string
	Source, SourcePage string
	When               time.Time
	Topics             []render.Topic
	AlsoAt             []render.AlsoAt
	Language           string
}

func (s *Server) posts(r *http.Request, name string, n int) ([]post, error) {
	entries, err := s.entries(r, name)
	if err != nil {
		return nil, err
	}
	out := make([]post, 0, min(n, len(entries)))
	for i := range entries[:min(n, len(entries))] {
		e := &entries[i]
		when := e.Published
		if when.IsZero() {
			when = e.Updated
		}
		p := post{
			Title: e.Heading(), URL: e.URL, Page: e.Page, Source: e.Origin.Title, When: when,
			Topics: e.Topics, AlsoAt: e.AlsoAt, Language: e.Language,
		}
		if e.Origin.Source != "" {
			p.SourcePage = s.lib.Base() + "/sources/" + string(e.Origin.Source)
		}
		out = append(out, p)
	}
	return out, nil
}

// entries are what a feed shows.
func (s *Server) entries(r *http.Request, name string) ([]render.Entry, error) {
	for try := 0; ; try++ {
		f, err := s.lib.Feed(r.Context(), name)
		if err != nil {
			return nil, err
		}
		full, err := f.Load(r.Context())
		if err == nil {
			return full.Entries, nil
		}
		if !errors.Is(err, ErrStale) || try == 3 {
			return nil, err
		}
	}
}

// label names topics.
func (s *Server) label(r *http.Request) func(feed.TopicID) string {
	names := map[feed.TopicID]string{}
	if site, err := s.lib.Site(r.Context()); err == nil { // without it ids serve
		for _, l := range site.Topics {
			names[feed.TopicID(l.Name)] = l.Title
		}
	}
	return func(id feed.TopicID) string { return names[id] }
}
