package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

// What a search of a stranger may be (SEC-27). The index bounds what it costs.
const (
	MaxQueryBytes  = 4 << 10
	MaxQueryTerms  = 64
	MaxSearchLimit = 500    // entries a page
	MaxSearchStart = 10_000 // results are not paged further
)

// Search is a search as an address asks for it.
type Search struct {
	Query *query.Query
	Order store.SearchOrder
	Limit int       // entries a page; 0: as many as feeds have
	AsOf  time.Time // zero: now
	// Start is the number of the first result of a further page, and Cursor where the
	// index goes on.
	Start  int
	Cursor string

	day bool // AsOf is the end of a day
}

// Encode is the canonical query string of s.
func (s Search) Encode() string {
	var b strings.Builder
	b.WriteString("q=" + url.QueryEscape(s.Query.String()))
	if s.Order != store.Newest {
		b.WriteString("&order=" + s.Order.String())
	}
	if s.Limit > 0 {
		b.WriteString("&limit=" + strconv.Itoa(s.Limit))
	}
	switch {
	case s.AsOf.IsZero():
	case s.day:
		b.WriteString("&as_of=" + s.AsOf.Format(time.DateOnly))
	default:
		b.WriteString("&as_of=" + s.AsOf.Format(time.RFC3339))
	}
	if s.Cursor != "" {
		b.WriteString("&cursor=" + strconv.Itoa(s.Start) + "." + s.Cursor)
	}
	return b.String()
}

// paramError is a parameter that cannot be used.
type paramError struct {
	name string
	err  error
}

func (e *paramError) Error() string { return e.name + ": " + e.err.Error() }

func (e *paramError) Unwrap() error { return e.err }

// readSearch reads the parameters of a search feed; those that mean nothing are
// left out.
func readSearch(form url.Values) (s Search, err error) {
	for _, p := range []struct {
		name string
		read func(string) error
	}{
		{"q", func(v string) (err error) { s.Query, err = readQuery(v); return err }},
		{"order", func(v string) (err error) { s.Order, err = readOrder(v); return err }},
		{"limit", func(v string) (err error) {
			if s.Limit, err = strconv.Atoi(v); err != nil || s.Limit < 1 || s.Limit > MaxSearchLimit {
				return fmt.Errorf("%q is not a number from 1 to %d", v, MaxSearchLimit)
			}
			return nil
		}},
		{"as_of", s.readAsOf},
		{"cursor", s.readCursor},
	} {
		v := strings.TrimSpace(form.Get(p.name))
		if v == "" && p.name != "q" {
			continue // a form or template that was not filled in
		}
		if err := p.read(v); err != nil {
			return s, &paramError{p.name, err}
		}
	}
	return s, nil
}

func readQuery(text string) (*query.Query, error) {
	switch {
	case text == "":
		return nil, errors.New("say what to search for, as in ?q=camp+ashraf")
	case len(text) > MaxQueryBytes:
		return nil, fmt.Errorf("%d bytes; a search takes at most %d", len(text), MaxQueryBytes)
	}
	q, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	if n := len(q.Terms()); n > MaxQueryTerms {
		return nil, fmt.Errorf("%d terms; a search takes at most %d", n, MaxQueryTerms)
	}
	return q, nil
}

func readOrder(text string) (store.SearchOrder, error) {
	for _, o := range []store.SearchOrder{store.Newest, store.Oldest, store.Relevance} {
		if text == o.String() {
			return o, nil
		}
	}
	return 0, fmt.Errorf(`%q is none of "newest", "oldest", "relevance"`, text)
}

// readAsOf reads an instant, or a day, which is its end.
func (s *Search) readAsOf(v string) error {
	if day, err := time.Parse(time.DateOnly, v); err == nil {
		s.AsOf, s.day = day.AddDate(0, 0, 1).Add(-time.Nanosecond), true
		return nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return fmt.Errorf("%q is neither a day such as 2009-01-31 nor an instant such as 2009-01-31T12:00:00Z", v)
	}
	s.AsOf = t.UTC().Truncate(time.Second)
	return nil
}

func (s *Search) readCursor(v string) (err error) {
	start, cursor, ok := strings.Cut(v, ".")
	if s.Start, err = strconv.Atoi(start); !ok || err != nil || s.Start < 2 || s.Start > MaxSearchStart || cursor == "" {
		return store.ErrBadCursor
	}
	s.Cursor = cursor
	return nil
}

// canonical reports whether a query string is that of s but for how the query is
// written, which a person may have typed.
func (s Search) canonical(raw string) bool {
	want := s.Encode()
	_, rest, _ := strings.Cut(want, "&")
	first, others, _ := strings.Cut(raw, "&")
	return strings.HasPrefix(first, "q=") && others == rest
}

// searchFeed serves /search.atom, .rss and .json, with a token what is under
// /t/{token}/.
func (s *Server) searchFeed(w http.ResponseWriter, r *http.Request, format render.Format, token string) {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		s.badSearch(w, r, &paramError{"query string", err})
		return
	}
	search, err := readSearch(form)
	if err != nil {
		s.badSearch(w, r, err)
		return
	}
	if !search.canonical(r.URL.RawQuery) {
		// What means nothing, and another order, would be other resources to caches
		// (PUB-72).
		base := s.lib.Base()
		if token != "" {
			base += "/t/" + token
		}
		s.permanent(w, r, http.StatusMovedPermanently, base+"/search."+format.String()+"?"+search.Encode())
		return
	}
	for try := 0; ; try++ {
		var f *Feed
		if f, err = s.lib.SearchFeed(r.Context(), search); err == nil {
			switch {
			case token != "":
				f = s.lib.ForToken(f, token)
			case s.lib.Private():
				f = f.private()
			}
			err = s.document(w, r, f, format, false)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, ErrStale) || try == 3 {
			s.badSearch(w, r, err)
			return
		}
	}
}

// badSearch answers with an error of a search.
func (s *Server) badSearch(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	refuse := func(code int, text string) {
		h.Set("Cache-Control", "no-store")
		plainError(w, code, text)
	}
	if bad, ok := errors.AsType[*paramError](err); ok {
		refuse(http.StatusBadRequest, bad.Error())
		return
	}
	if e, ok := errors.AsType[*store.CostError](err); ok && !e.Busy {
		refuse(http.StatusBadRequest, "q: "+e.Error())
		return
	}
	switch {
	case errors.Is(err, store.ErrBadCursor):
		refuse(http.StatusBadRequest, "cursor: "+store.ErrBadCursor.Error()+"; begin again without it")
	case errors.Is(err, ErrNoSearch), errors.Is(err, store.ErrCorrupt):
		h.Set("Retry-After", "300")
		refuse(http.StatusServiceUnavailable, ErrNoSearch.Error())
	default:
		s.fail(w, r, err)
	}
}

// openSearch describes how to search here (PUB-86).
func (s *Server) openSearch(w http.ResponseWriter, r *http.Request) {
	site, err := s.lib.Site(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	base := s.lib.Base()
	d := &render.Description{
		ShortName:   cmp.Or(site.Title, render.Generator),
		Description: "Search the posts that " + cmp.Or(site.Title, render.Generator) + " has archived.",
		Self:        base + "/opensearch.xml", Example: `"camp ashraf" OR mojahed*`,
	}
	d.URLs = append(d.URLs, render.SearchURL{Type: "text/html", Template: base + "/search?q={searchTerms}"})
	for _, f := range render.Formats {
		d.URLs = append(d.URLs, render.SearchURL{Type: f.MediaType(), Template: base + "/search." + f.String() + "?q={searchTerms}&limit={count?}"})
	}
	b, err := render.OpenSearch(d)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", render.DescriptionType+"; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.content(w, r, b, "public, max-age=86400")
}
