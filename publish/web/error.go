package web

import (
	"net/http"
	"strings"
)

// errorPage is the data of the page that says what is wrong.
type errorPage struct {
	Code   int
	Status string // "Not found"
	What   string
	Advice string
}

// wantsPage reports whether a request comes from a person with a browser, to whom
// an error is told on a page.
func wantsPage(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasSuffix(r.URL.Path, ".json") {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// sayError answers with an error: a page for a person, else a line of text.
func (s *Server) sayError(w http.ResponseWriter, r *http.Request, code int, what, advice string) {
	w.Header().Add("Vary", "Accept")
	if !wantsPage(r) {
		plainError(w, code, what)
		return
	}
	fr := frame{Title: http.StatusText(code), Site: "chancery", Code: code}
	if site, err := s.lib.Site(r.Context()); err == nil { // else the page does without its name
		fr.Site = site.Title
	}
	what = strings.ToUpper(what[:1]) + what[1:]
	fr.Body = errorPage{Code: code, Status: http.StatusText(code), What: what, Advice: advice}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.show(w, r, "error", fr)
}

// adviceFor says what an address where nothing is may lack.
func adviceFor(path string) string {
	if strings.HasPrefix(path, "/feeds/") {
		return "The address of a feed is /feeds/, the id of a topic or several with + , or ! between, and .atom, .rss or .json. The front page makes such addresses."
	}
	return "An address may have a letter too many. Ids of posts have 26 letters and digits; the first 6 or more lead to the post. The search finds what is here."
}

// goneAdvice says why nothing is any more where something was.
func goneAdvice(path string) string {
	if strings.Contains(path, "/feeds/") && !strings.Contains(path, "/archive/") {
		return "The feed was removed for good. The front page lists those that there are."
	}
	return "It was taken down, and the archive keeps nothing of it but the fact."
}
