package web

import (
	"bytes"
	"net/http"

	"chancery/feed/opml"
	"chancery/publish/render"
)

// opml lists every feed that is published here (PUB-84).
func (s *Server) opml(w http.ResponseWriter, r *http.Request) {
	site, err := s.lib.Site(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list := opml.List{Title: site.Title, OwnerName: site.Owner, OwnerID: s.lib.Base() + "/", DateModified: site.Changed}
	add := func(folder string, l Listing, page string) {
		o := opml.Outline{Text: l.Title, Title: l.Title, Description: l.Description, Type: "rss", Language: l.Language, HTMLURL: s.lib.Base() + page}
		for _, f := range render.Formats {
			if l.Formats[f] {
				o.XMLURL = feedURL(s.lib.Base(), l.Name, f)
				break
			}
		}
		if folder != "" {
			o.Folders = []string{folder}
		}
		list.Outlines = append(list.Outlines, o)
	}
	add("", Listing{Name: "all", Title: "All posts", Formats: allFormats}, "/")
	for _, l := range site.Topics {
		add("Topics", l, "/topics/"+l.Name)
	}
	for _, l := range site.Feeds {
		add("Feeds", l, "/")
	}
	for _, src := range site.Sources {
		title := src.Title
		if title == "" {
			title = string(src.ID)
		}
		add("Sources", Listing{Name: "source/" + string(src.ID), Title: title, Language: src.Language, Formats: allFormats}, "/sources/"+string(src.ID))
	}
	var b bytes.Buffer
	if err := opml.Write(&b, &list); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/x-opml; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.content(w, r, b.Bytes(), "public, max-age=300")
}

// robots tells search engines whether they are welcome.
func (s *Server) robots(w http.ResponseWriter, r *http.Request) {
	text := "User-agent: *\nDisallow: /\n"
	if s.lib.Index() {
		text = "User-agent: *\nDisallow: /feeds/\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.content(w, r, []byte(text), "public, max-age=3600")
}
