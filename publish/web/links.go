package web

import (
	"net/url"

	"chancery/publish/render"
)

// feedURL is the address of a feed in a format.
func feedURL(base, name string, f render.Format) string {
	return base + "/feeds/" + name + "." + f.String()
}

// searchFeedURL is the address of a search as a feed.
func searchFeedURL(base, q string, f render.Format) string {
	return base + "/search." + f.String() + "?q=" + url.QueryEscape(q)
}

// feedLink is the address of a feed in one format.
type feedLink struct{ Title, Short, Type, URL string }

// link is the autodiscovery of a feed (PUB-83).
func (s *Server) link(name, title string, formats [len(render.Formats)]bool) []feedLink {
	return links(s.lib.Base(), name, title, formats)
}

func links(base, name, title string, formats [len(render.Formats)]bool) []feedLink {
	var out []feedLink
	for _, f := range render.Formats {
		if formats[f] {
			out = append(out, feedLink{
				Title: title + " (" + formatNames[f] + ")", Short: formatNames[f],
				Type: f.MediaType(), URL: feedURL(base, name, f),
			})
		}
	}
	return out
}

var formatNames = [...]string{"Atom", "RSS", "JSON Feed"}

var allFormats = [len(render.Formats)]bool{true, true, true}
