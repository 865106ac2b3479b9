package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"chancery/publish/render"
)

// FeedStyle is the path of the style sheet for feeds.
const FeedStyle = "/static/feed.css"

// heads are the header fields of a feed in each format, made once.
type heads struct {
	once [len(render.Formats)]sync.Once
	of   [len(render.Formats)]head
}

// head holds header values in the form that http.Header has, so that serving
// allocates none of them.
type head struct {
	plainTag, gzipTag string // ETags
	plainTagV         []string
	gzipTagV          []string
	contentType       []string
	modified          []string
	modifiedAt        time.Time
	cacheControl      []string
	link              []string
	location          []string // Content-Location, where the request was negotiated
}

// Values that are the same for all feeds.
var (
	varyCoding   = []string{"Accept-Encoding, Sec-Fetch-Dest"}
	varyFormat   = []string{"Accept, Accept-Encoding, Sec-Fetch-Dest"}
	browserType  = []string{"application/xml; charset=utf-8"}
	anyOrigin    = []string{"*"}
	exposed      = []string{"ETag, Link"}
	noSniff      = []string{"nosniff"}
	noIndex      = []string{"noindex"}
	gzipCoding   = []string{"gzip"}
	feedSecurity = []string{"default-src 'none'; style-src 'self'"}
)

// head gives the header fields in a format.
func (f *Feed) head(format render.Format) *head {
	f.heads.once[format].Do(func() { f.heads.of[format] = f.newHead(format) })
	return &f.heads.of[format]
}

func (f *Feed) newHead(format render.Format) head {
	tag := base64.RawURLEncoding.EncodeToString(f.Version[:15])
	h := head{
		plainTag: `"` + tag + "-" + format.String() + `"`, gzipTag: `"` + tag + "-" + format.String() + `-gz"`,
		contentType: []string{format.ContentType()},
		modifiedAt:  f.Feed.Updated.UTC().Truncate(time.Second),
		location:    []string{f.Feed.Self.In(format)},
	}
	h.plainTagV, h.gzipTagV = []string{h.plainTag}, []string{h.gzipTag}
	h.modified = []string{h.modifiedAt.Format(http.TimeFormat)}
	switch {
	case f.Private && f.Immutable:
		h.cacheControl = []string{"private, max-age=31536000, immutable"}
	case f.Private:
		h.cacheControl = []string{fmt.Sprintf("private, max-age=%d", int(f.MaxAge.Seconds()))}
	case f.Immutable:
		h.cacheControl = []string{"public, max-age=31536000, immutable"}
	default:
		h.cacheControl = []string{fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d, stale-if-error=86400", int(f.MaxAge.Seconds()), int(f.MaxAge.Seconds()))}
	}
	h.link = []string{f.links(format)}
	return h
}

// private is the same feed for one reader.
func (f *Feed) private() *Feed {
	return &Feed{Name: f.Name, Feed: f.Feed, Load: f.Load, Formats: f.Formats, Version: f.Version, MaxAge: f.MaxAge, Immutable: f.Immutable, Private: true, Bytes: f.Bytes}
}

// links are the Link header of a document (RFC 8288): what it is, what else there
// is, and who tells of changes (PUB-76, PUB-77).
func (f *Feed) links(format render.Format) string {
	var b strings.Builder
	add := func(href, params string) {
		if href == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("<" + href + ">; " + params)
	}
	add(f.Feed.Self.In(format), `rel="self"; type="`+format.MediaType()+`"`)
	for _, hub := range f.Feed.Hubs {
		add(hub, `rel="hub"`)
	}
	add(f.Feed.Home, `rel="alternate"; type="text/html"`)
	for _, other := range render.Formats {
		if other != format && f.Formats[other] {
			add(f.Feed.Self.In(other), `rel="alternate"; type="`+other.MediaType()+`"`)
		}
	}
	p := &f.Feed.Paging
	add(p.First.In(format), `rel="first"`)
	add(p.Previous.In(format), `rel="previous"`)
	add(p.Next.In(format), `rel="next"`)
	add(p.Last.In(format), `rel="last"`)
	add(p.Current.In(format), `rel="current"`)
	add(p.PrevArchive.In(format), `rel="prev-archive"`)
	add(p.NextArchive.In(format), `rel="next-archive"`)
	return b.String()
}

// feed serves /feeds/…, with a token what is under /t/{token}/feeds/.
func (s *Server) feed(w http.ResponseWriter, r *http.Request, path, token string) {
	base := s.lib.Base()
	if token != "" {
		base += "/t/" + token
	}
	name, format, suffixed := splitFormat(path)
	if name == "" {
		if token != "" {
			s.fail(w, r, ErrNotFound)
			return
		}
		http.Redirect(w, r, s.lib.Base()+"/", http.StatusFound)
		return
	}
	if !suffixed {
		format = noFormat
	}
	// What changes between finding and writing is found again, a few times.
	for try := 0; ; try++ {
		err := s.feedOnce(w, r, path, name, format, token, base)
		if err == nil {
			return
		}
		if !errors.Is(err, ErrStale) || try == 3 {
			s.fail(w, r, err)
			return
		}
	}
}

// noFormat: the request does not say which.
const noFormat = render.Format(0xFF)

// feedOnce answers a request for a feed, or gives an error and has answered nothing.
func (s *Server) feedOnce(w http.ResponseWriter, r *http.Request, path, name string, format render.Format, token, base string) error {
	f, err := s.find(r, name)
	if moved, ok := errors.AsType[*MovedError](err); ok {
		s.moved(w, r, base, moved, path[len(name):])
		return nil
	}
	if err != nil {
		return err
	}
	if r.URL.RawQuery != "" {
		// Parameters mean nothing here, and every one would be another resource to
		// caches (PUB-72).
		s.permanent(w, r, http.StatusMovedPermanently, base+"/feeds/"+f.Name+path[len(name):])
		return nil
	}
	negotiated := format == noFormat
	if negotiated {
		format = negotiate(r.Header["Accept"], f.Formats)
	}
	if !f.Formats[format] {
		return ErrNotFound
	}
	switch {
	case token != "":
		f = s.lib.ForToken(f, token)
	case s.lib.Private(): // admitted by a header
		f = f.private()
	}
	return s.document(w, r, f, format, negotiated)
}

// find gives a feed or a further document of one: NAME, NAME/page/N,
// NAME/archive/N or NAME/archive/CHAIN/N.
func (s *Server) find(r *http.Request, name string) (*Feed, error) {
	if feed, number, ok := strings.Cut(name, "/page/"); ok {
		n, err := count(number)
		if err != nil {
			return nil, err
		}
		return s.lib.Paged(r.Context(), feed, n)
	}
	feed, rest, ok := strings.Cut(name, "/archive/")
	if !ok {
		return s.lib.Feed(r.Context(), name)
	}
	chain, number, ok := strings.Cut(rest, "/")
	if !ok {
		chain, number = "", rest
	}
	n, err := count(number)
	if err != nil {
		return nil, err
	}
	return s.lib.Archived(r.Context(), feed, chain, n)
}

// count reads a number from 1 in its only form.
func count(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || strconv.Itoa(n) != s {
		return 0, ErrNotFound
	}
	return n, nil
}

// splitFormat takes the suffix off a name. Names have no dots.
func splitFormat(path string) (name string, format render.Format, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return path, 0, false
	}
	format, ok = render.ParseFormat(path[i+1:])
	if !ok {
		return path, 0, false
	}
	return path[:i], format, true
}

// moved leads to the canonical or the new name.
func (s *Server) moved(w http.ResponseWriter, r *http.Request, base string, to *MovedError, suffix string) {
	location := base + "/feeds/" + to.Name + suffix
	switch {
	case to.Temporary:
		s.redirect(w, r, http.StatusTemporaryRedirect, location, "public, max-age=60")
	case to.Renamed:
		s.redirect(w, r, http.StatusPermanentRedirect, location, "public, max-age=86400") // PUB-74
	default:
		s.permanent(w, r, http.StatusMovedPermanently, location)
	}
}

func (s *Server) permanent(w http.ResponseWriter, r *http.Request, code int, location string) {
	s.redirect(w, r, code, location, "public, max-age=86400")
}

func (s *Server) redirect(w http.ResponseWriter, r *http.Request, code int, location, cache string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", s.caching(r, cache))
	h["Access-Control-Allow-Origin"] = anyOrigin
	plainError(w, code, "see "+location)
}

// preflight answers what a script in a browser asks before it sends If-None-Match.
func (s *Server) preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Allow", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, If-None-Match, If-Modified-Since, Accept")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// document serves one representation of a feed, or gives an error and has answered
// nothing.
func (s *Server) document(w http.ResponseWriter, r *http.Request, f *Feed, format render.Format, negotiated bool) error {
	hd := f.head(format)
	gz, identity := codings(r.Header["Accept-Encoding"])
	tag, tagV := hd.plainTag, hd.plainTagV
	if gz {
		tag, tagV = hd.gzipTag, hd.gzipTagV
	}
	h := w.Header()
	h["Cache-Control"] = hd.cacheControl
	h["Vary"] = varyCoding
	if negotiated {
		h["Vary"] = varyFormat
		h["Content-Location"] = hd.location
	}
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
	h["X-Content-Type-Options"] = noSniff
	if f.Private {
		h["Vary"] = []string{h["Vary"][0] + ", Authorization"}
	}
	h["Link"] = hd.link
	if !s.lib.Index() {
		h["X-Robots-Tag"] = noIndex
	}
	modified := hd.modified
	if now := time.Now(); hd.modifiedAt.After(now) { // recorded while the clock was ahead (RFC 9110 §8.8.2.1)
		modified = []string{now.UTC().Format(http.TimeFormat)}
	}
	if inm := r.Header["If-None-Match"]; len(inm) > 0 {
		// Who holds the plain document and would take either keeps what it has.
		if !etagMatches(inm, tag) && gz && identity && etagMatches(inm, hd.plainTag) {
			tag, tagV = hd.plainTag, hd.plainTagV
		}
		if etagMatches(inm, tag) {
			h["Etag"] = tagV
			h["Last-Modified"] = modified
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	} else if since := r.Header.Get("If-Modified-Since"); since != "" {
		if t, err := http.ParseTime(since); err == nil && !hd.modifiedAt.After(t) {
			h["Etag"] = tagV
			h["Last-Modified"] = modified
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	b, err := f.Bytes(r.Context(), format, gz)
	if err != nil {
		clear(h)
		return err
	}
	h["Etag"] = tagV
	h["Last-Modified"] = modified
	h["Content-Type"] = hd.contentType
	if dest := r.Header["Sec-Fetch-Dest"]; len(dest) == 1 && dest[0] == "document" && format != render.FormatJSON {
		// A person opened the feed in a browser: those show the types of feeds as
		// source, and XML with its style sheet (PUB-89).
		h["Content-Type"] = browserType
	}
	h["Content-Security-Policy"] = feedSecurity
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	if gz {
		h["Content-Encoding"] = gzipCoding
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client went away: nothing to do
	}
	return nil
}
