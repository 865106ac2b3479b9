package web

import (
	"errors"
	"net/http"
	"strings"
)

// open are the paths that need no token.
func open(path string) bool {
	return path == "/robots.txt" || path == "/favicon.ico" || strings.HasPrefix(path, "/static/")
}

// private serves /t/{token}/feeds/… and /t/{token}/search.…. To who has a wrong token, or
// one that does not open the feed, the feed is not there.
func (s *Server) private(w http.ResponseWriter, r *http.Request, rest string) {
	token, path, ok := strings.Cut(rest, "/")
	name, isFeed := strings.CutPrefix(path, "feeds/")
	_, format, isSearch := splitFormat(path)
	if isSearch = isSearch && path == "search."+format.String(); !ok || !isFeed && !isSearch {
		s.fail(w, r, ErrNotFound)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	if isSearch {
		name = "" // a search finds whatever is here: a token for some feeds does not open it
	}
	if err := s.lib.Admit(r.Context(), token, feedName(name)); err != nil {
		s.fail(w, r, err)
		return
	}
	if isSearch {
		s.searchFeed(w, r, format, token)
		return
	}
	s.feed(w, r, name, token)
}

// admitted checks the token in the header of a request for something private, and
// answers if it does not do.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, path string) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110 §11.1
		token = ""
	}
	name := ""
	if n, ok := strings.CutPrefix(path, "/feeds/"); ok {
		name = feedName(n)
	}
	err := s.lib.Admit(r.Context(), strings.TrimSpace(token), name)
	switch {
	case err == nil:
		return true
	case errors.Is(err, ErrNotFound):
		h := w.Header()
		h.Set("WWW-Authenticate", "Bearer")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Authorization")
		s.refuse(w, r, http.StatusUnauthorized, "a token is needed: send it as Authorization: Bearer TOKEN")
	default:
		s.fail(w, r, err)
	}
	return false
}

// feedName is the name of the feed that a path under /feeds/ is about.
func feedName(path string) string {
	name, _, _ := splitFormat(path)
	name, _, _ = strings.Cut(name, "/archive/")
	name, _, _ = strings.Cut(name, "/page/")
	return name
}
