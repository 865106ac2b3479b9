// Package web serves what is published: feeds with all that HTTP has for caches,
// and plain pages for people.
//
// Nothing here changes anything. A [Server] asks a [Library] for what there is
// and knows nothing of how it is made; validators come from content, so that a
// request for something unchanged is answered without making or reading a byte
// of it (CONFORMANCE PUB-59 to PUB-76).
package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

// The errors of a [Library].
var (
	// ErrNotFound: there is nothing of that name.
	ErrNotFound = errors.New("nothing of that name is here")
	// ErrGone: there was, and it was removed for good.
	ErrGone = errors.New("it was here and is gone")
	// ErrStale: the feed has changed since it was asked for; ask again.
	ErrStale = errors.New("it has changed meanwhile")
	// ErrBusy: too many ask at once.
	ErrBusy = errors.New("too many requests at once")
	// ErrNoProof: this archive keeps nothing that could prove what is in it.
	ErrNoProof = errors.New("this archive proves nothing")
	// ErrNoSearch: there is no index to search.
	ErrNoSearch = errors.New("search is not available here")
)

// MovedError leads to another name of a feed.
type MovedError struct {
	Name string
	// Renamed: the operator gave it a new name; else it is only another way to
	// write the same one.
	Renamed bool
	// Temporary: it is there for now.
	Temporary bool
}

func (e *MovedError) Error() string { return "it is called " + e.Name }

// Library is where feeds and pages come from.
type Library interface {
	// Feed gives a feed by name: "iran", "all", "source/lobelog", "iran+mek".
	Feed(ctx context.Context, name string) (*Feed, error)
	// Archived gives document n, from 1, of a feed's history (RFC 5005 §4). Without
	// a chain it leads to the one in use.
	Archived(ctx context.Context, name, chain string, n int) (*Feed, error)
	// Paged gives page n, from 2, of a feed without a history (RFC 5005 §3).
	Paged(ctx context.Context, name string, n int) (*Feed, error)
	// SearchFeed gives a page of a search as a feed. Its errors are those of Search,
	// and of Feed.
	SearchFeed(ctx context.Context, s Search) (*Feed, error)
	// Site says what is here.
	Site(ctx context.Context) (Site, error)
	// Item gives an item whole, with its story, or ErrNotFound, or ErrGone if its
	// content was taken down.
	Item(ctx context.Context, id feed.ItemID) (*feed.Item, error)
	// Items gives the newest versions of some items, in the order of ids; those that
	// are not there are left out.
	Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error)
	// Revisions gives all versions of an item, oldest first, or store.ErrNotFound.
	Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error)
	// Search gives a page of the items that a query selects, or of all if it is nil;
	// see store.Index for its errors. ErrNoSearch: there is no index.
	Search(ctx context.Context, q *query.Query, o store.SearchOptions) (store.SearchPage, error)
	// IndexState says how far the index of Search is; false if there is none.
	IndexState() (store.IndexState, bool)
	// Heads lists items without their content.
	Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error)
	// Received gives the document that a version of an item came in; 0 is the newest.
	Received(ctx context.Context, id feed.ItemID, revision int) (store.Document, error)
	// Proof shows that a version of an item is in the archive; 0 is the newest.
	// ErrNoProof: the archive keeps no proofs.
	Proof(ctx context.Context, id feed.ItemID, revision int) (*store.SignedProof, error)
	// Rule is the rule of a topic; nil if it is not known.
	Rule(id feed.TopicID) *Rule
	// Source names a source.
	Source(id feed.SourceID) render.Source
	// Manners counts what polling has cost publishers; false if nothing is polled here.
	Manners() (Manners, bool)
	// Base is the address of the public side, without a slash at the end.
	Base() string
	// Private reports whether everything needs a token. Admit reports whether a
	// token opens a feed, or with an empty name all the rest; the error wraps
	// ErrNotFound if not. ForToken is a feed with the token in its addresses.
	Private() bool
	Admit(ctx context.Context, token, name string) error
	ForToken(f *Feed, token string) *Feed
	// Index reports whether search engines may list what is here.
	Index() bool
}

// Feed is a feed at one moment, in all its formats.
type Feed struct {
	Name string       // canonical
	Feed *render.Feed // its head: all but the entries
	// Load gives the feed with its entries, or ErrStale.
	Load    func(ctx context.Context) (*render.Feed, error)
	Formats [len(render.Formats)]bool
	Version feed.Digest // of everything that goes into the bytes
	MaxAge  time.Duration
	// Immutable: the document will never change (RFC 8246).
	Immutable bool
	// Private: no cache but the reader's own may keep it.
	Private bool
	// Bytes gives the document, as gzip or plain, or ErrStale.
	Bytes func(ctx context.Context, format render.Format, gzip bool) ([]byte, error)

	heads heads
}

// Site is what there is to read.
type Site struct {
	Title, Owner string
	Topics       []Listing
	Feeds        []Listing
	Sources      []store.SourceState // those not removed, sorted by id
	Former       []store.SourceState // those removed whose items stay, sorted by id
	Stats        store.Stats
	Changed      time.Time // of the last arrival
}

// Rule is how a topic is told.
type Rule struct {
	Text  string       // the query as it was written
	Query *query.Query // the same
	// Threshold and About are the scores from which on a post mentions the topic, and
	// is about it.
	Threshold, About float64
}

// Listing is a feed in a list.
type Listing struct {
	Name, Title, Description string
	Language                 string
	Formats                  [len(render.Formats)]bool
}

// Server is the public side as an http.Handler.
type Server struct {
	lib   Library
	log   *slog.Logger
	mux   *http.ServeMux
	pages *pages
	extra map[string]http.Handler // by path; see Handle

	histories      histories            // of sources
	overviews      memo[*overview]      // by the topics there are
	topicOverviews memo[*topicOverview] // by topic
}

// Handle adds a handler of all methods at a path. It must be called before the
// server is used.
func (s *Server) Handle(at string, h http.Handler) { s.extra[at] = h }

// New makes a server.
func New(lib Library, log *slog.Logger) (*Server, error) {
	s := &Server{lib: lib, log: log, mux: http.NewServeMux(), extra: map[string]http.Handler{}}
	var err error
	if s.pages, err = newPages(); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	s.mux.HandleFunc("/{$}", s.home)
	s.mux.HandleFunc("/search", s.search)
	s.mux.HandleFunc("/topics/{id}", s.topic)
	s.mux.HandleFunc("/sources/{id}", s.suffixed(&oneSource, s.source))
	s.mux.HandleFunc("/items/{id}", s.item)
	s.mux.HandleFunc("/items/{id}/revisions", s.revisions)
	s.mux.HandleFunc("/items/{id}/revisions.json", s.revisions)
	s.mux.HandleFunc("/items/{id}/diff", s.diff)
	s.mux.HandleFunc("/items/{id}/diff.json", s.diff)
	s.mux.HandleFunc("/items/{id}/proof.json", s.operation(&itemProof))
	s.mux.HandleFunc("/status", s.status)
	s.mux.HandleFunc("/status.json", s.operation(&statistics))
	s.mux.HandleFunc("/api", s.apiPage)
	s.routeAPI()
	s.mux.HandleFunc("/opml.xml", s.opml)
	s.mux.HandleFunc("/opensearch.xml", s.openSearch)
	for _, f := range render.Formats {
		s.mux.HandleFunc("/search."+f.String(), func(w http.ResponseWriter, r *http.Request) { s.searchFeed(w, r, f, "") })
	}
	s.mux.HandleFunc("/robots.txt", s.robots)
	s.mux.HandleFunc("/static/{file}", s.static)
	s.mux.HandleFunc("/favicon.ico", s.noIcon)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, ErrNotFound) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := r.URL.Path
	if prefix := basePath(s.lib.Base()); prefix != "" {
		// A reverse proxy may hand over the path of base_url or take it off.
		if rest, ok := strings.CutPrefix(at, prefix); ok && (rest == "" || rest[0] == '/') {
			at = cmp.Or(rest, "/")
			u := *r.URL
			u.Path, u.RawPath = at, ""
			r2 := *r
			r2.URL = &u
			r = &r2
		}
	}
	if h := s.extra[at]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		s.preflight(w)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		s.refuse(w, r, http.StatusMethodNotAllowed, "only GET, HEAD and OPTIONS are here")
		return
	}
	if rest, ok := strings.CutPrefix(at, "/t/"); ok {
		s.private(w, r, rest)
		return
	}
	if s.lib.Private() && !open(at) && !s.admitted(w, r, at) {
		return
	}
	if name, ok := strings.CutPrefix(at, "/feeds/"); ok {
		s.feed(w, r, name, "")
		return
	}
	if escaped := r.URL.EscapedPath(); cleanPath(escaped) != escaped {
		// The mux leads to the clean path too, but knows nothing of the base URL's own.
		to := s.lib.Base() + cleanPath(escaped)
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		s.permanent(w, r, http.StatusMovedPermanently, to)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if s.namedItem(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

// cleanPath is a path without repeated slashes and without dots that lead up.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// basePath is the path of the base URL, without a slash at the end.
func basePath(base string) string {
	_, rest, ok := strings.Cut(base, "://")
	if !ok {
		return ""
	}
	_, under, ok := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return "/" + under
}

// fail answers with an error of a [Library].
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if isAPI(r.URL.Path) {
		s.failAPI(w, r, err)
		return
	}
	h := w.Header()
	bad, isProblem := errors.AsType[*problem](err)
	switch {
	case isProblem && bad.Status == http.StatusNotFound:
		h.Set("Cache-Control", "public, max-age=60")
		s.sayError(w, r, bad.Status, bad.Detail, "")
	case isProblem && bad.Status < http.StatusInternalServerError:
		h.Set("Cache-Control", "no-store")
		s.sayError(w, r, bad.Status, ordered(bad.Detail), "")
	case errors.Is(err, ErrNotFound), errors.Is(err, store.ErrNotFound):
		h.Set("Cache-Control", s.caching(r, "public, max-age=60"))
		s.sayError(w, r, http.StatusNotFound, ErrNotFound.Error(), adviceFor(r.URL.Path))
	case errors.Is(err, ErrGone):
		h.Set("Cache-Control", s.caching(r, "public, max-age=3600"))
		s.sayError(w, r, http.StatusGone, ErrGone.Error(), goneAdvice(r.URL.Path))
	case isBusy(err):
		h.Set("Retry-After", "5")
		h.Set("Cache-Control", "no-store")
		s.sayError(w, r, http.StatusServiceUnavailable, ErrBusy.Error(), "Try again in a few seconds.")
	case r.Context().Err() != nil:
		// Nobody is there to read an answer; the log need not know.
		plainError(w, http.StatusServiceUnavailable, "the request ended")
	default:
		s.log.LogAttrs(r.Context(), slog.LevelError, "serve", slog.String("path", r.URL.Path), slog.Any("error", err))
		h.Set("Retry-After", "30")
		h.Set("Cache-Control", "no-store")
		plainError(w, http.StatusServiceUnavailable, "the archive could not be read")
	}
}

// caching is how a public answer may be kept; where a token lets in, by the reader alone.
func (s *Server) caching(r *http.Request, public string) string {
	if s.lib.Private() || strings.HasPrefix(r.URL.Path, "/t/") {
		return strings.Replace(public, "public", "private", 1)
	}
	return public
}

func plainError(w http.ResponseWriter, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n")) // the client's connection, the client's loss
}
