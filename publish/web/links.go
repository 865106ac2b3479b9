package web

import "chancery/publish/render"

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
				Type: f.MediaType(), URL: base + "/feeds/" + name + "." + f.String(),
			})
		}
	}
	return out
}

var formatNames = [...]string{"Atom", "RSS", "JSON Feed"}

var allFormats = [len(render.Formats)]bool{true, true, true}
