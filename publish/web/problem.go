package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// problem is an error of the API (RFC 9457). It is an error itself, so that what
// serves an operation can return one.
type problem struct {
	// Type is a reference to what the problem is: an anchor of the page /api.
	Type     string `json:"type,omitempty"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Parameter is what was wrong, if it was a parameter.
	Parameter string `json:"parameter,omitempty"`
	// Query is where a query is wrong, or costs too much.
	Query *queryFault `json:"query,omitempty"`
	// Item is what is known of an item that was taken down.
	Item *grave `json:"item,omitempty"`
}

// queryFault is a place in a query.
type queryFault struct {
	Offset int    `json:"offset"` // bytes from the start
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"` // in characters, from 1
	Found  string `json:"found,omitempty"`
	Want   string `json:"want,omitempty"`
	Part   string `json:"part,omitempty"` // what costs too much
}

// grave is what is kept of an item that was taken down.
type grave struct {
	ID        feed.ItemID   `json:"id"`
	Source    feed.SourceID `json:"source"`
	FirstSeen instant       `json:"first_seen,omitzero"`
	Revisions int           `json:"revisions,omitempty"`
	TakenDown bool          `json:"taken_down"`
}

func graveOf(it *feed.Item) *grave {
	return &grave{ID: it.ID, Source: it.Source, FirstSeen: instant{it.FirstSeen}, Revisions: it.Revisions, TakenDown: true}
}

func (p *problem) Error() string { return cmp.Or(p.Detail, p.Title) }

// The kinds of problem: anchors of the page /api.
const (
	badParameter = "bad-parameter"
	badQuery     = "bad-query"
	queryCost    = "query-cost"
	badCursor    = "bad-cursor"
	takenDown    = "taken-down"
	noSearch     = "no-search"
	withheld     = "withheld"
	severalItems = "several-items"
	// missingVersion is of an item that is there.
	missingVersion = "no-version"
)

// problemKind is a kind of problem as the page and the document tell it.
type problemKind struct{ Name, Text string }

var problemKinds = []problemKind{
	{badParameter, "A parameter is not known, or its value is not what it takes; `parameter` names it."},
	{badQuery, "The query cannot be read; `query` says where, what stands there and what could."},
	{queryCost, "The query would take more time or memory than a search may have; `query.part` is what costs it."},
	{badCursor, "The cursor is not one of this list, search and order. Ask without it, from the start."},
	{takenDown, "The item was here and its content was removed for good; `item` is what is known of it."},
	{severalItems, "The ids of several items begin with what was given; `detail` says of how many. More letters tell them apart."},
	{missingVersion, "The item is here, and has no version of that number; `detail` says how many it has."},
	{noSearch, "There is no index to search here, or it is damaged and a new one has not begun to grow."},
	{withheld, "The full text of this item may not be republished here, so neither may its proof, which holds it."},
}

func badParam(name, text string) error {
	return &problem{Type: badParameter, Status: http.StatusBadRequest, Title: "A parameter is wrong", Detail: name + ": " + text, Parameter: name}
}

// problemOf is an error of a [Library] or of a query as a problem. Nothing that an
// unknown error says leaves the program: ok is false, and it is to be logged.
func problemOf(ctx context.Context, err error) (p *problem, ok bool) {
	if p, is := errors.AsType[*problem](err); is {
		return p, true
	}
	if e, is := errors.AsType[*query.SyntaxError](err); is {
		return &problem{
			Type: badQuery, Status: http.StatusBadRequest, Title: "The query cannot be read", Detail: e.Error(), Parameter: "q",
			Query: &queryFault{Offset: e.Offset, Line: e.Line, Column: e.Column, Found: e.Found, Want: e.Want},
		}, true
	}
	if e, is := errors.AsType[*store.CostError](err); is && !e.Busy {
		return &problem{
			Type: queryCost, Status: http.StatusUnprocessableEntity, Title: "The query costs too much", Detail: e.Error(), Parameter: "q",
			Query: &queryFault{Offset: e.Offset, Part: e.Part},
		}, true
	}
	switch {
	case errors.Is(err, store.ErrBadCursor):
		return &problem{Type: badCursor, Status: http.StatusBadRequest, Title: "Not a cursor of this list", Detail: "cursor: it is of no page of this list with these parameters; ask without it, from the start", Parameter: "cursor"}, true
	case errors.Is(err, ErrNotFound), errors.Is(err, store.ErrNotFound):
		return &problem{Status: http.StatusNotFound, Detail: ErrNotFound.Error()}, true
	case errors.Is(err, ErrNoProof):
		return &problem{Status: http.StatusNotFound, Detail: ErrNoProof.Error()}, true
	case errors.Is(err, ErrGone):
		return &problem{Type: takenDown, Status: http.StatusGone, Detail: ErrGone.Error()}, true
	case errors.Is(err, ErrNoSearch), errors.Is(err, store.ErrCorrupt):
		return &problem{Type: noSearch, Status: http.StatusServiceUnavailable, Title: "There is nothing to search", Detail: ErrNoSearch.Error()}, !errors.Is(err, store.ErrCorrupt)
	case isBusy(err):
		return &problem{Status: http.StatusServiceUnavailable, Detail: ErrBusy.Error()}, true
	case errors.Is(err, errSlow):
		return &problem{Status: http.StatusServiceUnavailable, Detail: errSlow.Error()}, true
	case ctx.Err() != nil:
		return &problem{Status: http.StatusServiceUnavailable, Detail: "the request ended"}, true
	}
	return &problem{Status: http.StatusServiceUnavailable, Detail: "the archive could not be read"}, false
}

// isBusy reports whether what was asked for is fine, and only too many ask, or too much
// changes, at once.
func isBusy(err error) bool {
	e, ok := errors.AsType[*store.CostError](err)
	return errors.Is(err, ErrBusy) || errors.Is(err, ErrStale) || ok && e.Busy
}

// problem answers with p.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, p *problem) {
	out := *p // p may be shared
	out.Title = cmp.Or(out.Title, http.StatusText(out.Status))
	if out.Type != "" && !strings.Contains(out.Type, "/") {
		out.Type = s.lib.Base() + "/api#" + out.Type
	}
	out.Instance = r.URL.Path
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if out.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "30")
	}
	h.Del("Link")
	b, err := json.Marshal(&out)
	if err != nil { // strings and numbers
		s.log.LogAttrs(r.Context(), slog.LevelError, "write a problem", slog.Any("error", err))
	}
	w.WriteHeader(out.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(b, '\n')) // the client's connection, the client's loss
	}
}

// failAPI answers with an error of an operation.
func (s *Server) failAPI(w http.ResponseWriter, r *http.Request, err error) {
	p, known := problemOf(r.Context(), err)
	if !known {
		s.log.LogAttrs(r.Context(), slog.LevelError, "serve", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	s.problem(w, r, p)
}

// isAPI reports whether a path is of the API, whose errors are problem documents.
func isAPI(path string) bool { return path == apiRoot || strings.HasPrefix(path, apiRoot+"/") }

// refuse answers with an error that comes before any route: in the API as a problem
// document, elsewhere as a line of text.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, code int, text string) {
	if isAPI(r.URL.Path) {
		s.problem(w, r, &problem{Status: code, Detail: text})
		return
	}
	plainError(w, code, text)
}
