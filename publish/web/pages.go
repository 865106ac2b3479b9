package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"chancery/feed"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the parsed templates, by name: every file of templates is a page,
// but layout.html and parts.html, which all of them share.
type pages struct{ by map[string]*template.Template }

const (
	layoutFile = "templates/layout.html"
	partsFile  = "templates/parts.html"
)

func newPages() (*pages, error) {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	funcs := maps.Clone(pageFuncs)
	if funcs["asset"], err = newAssets(); err != nil {
		return nil, err
	}
	p := &pages{by: map[string]*template.Template{}}
	for _, file := range files {
		if file == layoutFile || file == partsFile {
			continue
		}
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, layoutFile, partsFile, file)
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", file, err)
		}
		p.by[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return p, nil
}

// newAssets gives the addresses of static files. Each names its content, so that
// caches can keep it as long as they like.
func newAssets() (func(name string) (string, error), error) {
	made := map[string]string{}
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("list static files: %w", err)
	}
	for _, f := range files {
		b, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("static file: %w", err)
		}
		made[f.Name()] = "/static/" + f.Name() + "?v=" + version(b)
	}
	return func(name string) (string, error) {
		if made[name] == "" {
			return "", fmt.Errorf("there is no static file %q", name)
		}
		return made[name], nil
	}, nil
}

// version is a short name of content.
func version(b []byte) string { return feed.DigestOf(b).String()[len("sha256:"):][:12] }

// pageFuncs are what templates can call.
var pageFuncs = template.FuncMap{
	"stamp":    stamp,
	"day":      day,
	"when":     when,
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"count":    grouped[int64],
	"size":     size[int],
	"bytes":    size[int64],
	"score":    score,
	"coded":    coded,
	"short":    func(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] + "…" },
	"number":   grouped[int],
	"posts":    func(n int) string { return plural(n, "post", "posts") },
	"language": languageName,
	"versions": func(n int) string { return plural(n, "version", "versions") },
	"sources":  func(n int) string { return plural(n, "blog", "blogs") },
	"about":    about,
	"links":    func(base string, l Listing) []feedLink { return links(base, l.Name, l.Title, l.Formats) },
	"allPosts": func() Listing { return Listing{Name: "all", Title: "All posts", Formats: allFormats} },
}

// about is the description of a feed, unless it says no more than its title.
func about(l Listing) string {
	if l.Description == "Posts on "+l.Title+"." {
		return ""
	}
	return l.Description
}

// stamp is a time to the minute, UTC; empty for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006, 15:04")
}

// day is a date, short enough for a column.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006")
}

// grouped writes a number in groups of three digits, which lines do not break.
func grouped[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// plural is a number with its noun.
func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// pageSecurity lets a page load its style sheet and its script from here, ask here
// for more, and nothing else (SEC-18).
const pageSecurity = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src %s; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// frame is what every page has.
type frame struct {
	Title string // of the document: "Iran · chancery"
	Site  string
	Base  string
	Here  string     // the entry of the navigation that the page belongs to: "search", "status", …
	Query string     // what the search box in the header holds
	Feeds []feedLink // for autodiscovery
	JSON  string     // address of the same thing as JSON, if there is one
	// Script: the page does something better with a script.
	Script bool
	Wide   bool // uses the whole width; else a column to read in
	// Images: the reader asked to see the pictures of other sites, so the page may
	// load them.
	Images bool
	Index  bool
	Code   int // status of the answer; 0 is 200
	Body   any
}

// show writes a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, f frame) {
	f.Base, f.Index = s.lib.Base(), s.lib.Index()
	var b bytes.Buffer
	if err := s.pages.by[name].ExecuteTemplate(&b, "layout.html", f); err != nil {
		s.fail(w, r, fmt.Errorf("page %s: %w", name, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	images := "'self'"
	if f.Images {
		images += " data: https: http:; media-src https: http:"
	}
	h.Set("Content-Security-Policy", fmt.Sprintf(pageSecurity, images))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("X-Frame-Options", "DENY")
	if !f.Index || f.Code >= 400 {
		h.Set("X-Robots-Tag", "noindex")
	}
	if f.Code >= 400 {
		s.failure(w, r, f.Code, b.Bytes())
		return
	}
	s.content(w, r, b.Bytes(), "public, max-age=60")
}

// failure answers with a page that says what is wrong. Its caching is up to the
// caller.
func (s *Server) failure(w http.ResponseWriter, r *http.Request, code int, b []byte) {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", fmt.Sprint(len(b)))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client went away: nothing to do
	}
}

// content answers with bytes made for this request: their digest is the ETag. It
// is sent as gzip to whoever takes that and where it pays.
func (s *Server) content(w http.ResponseWriter, r *http.Request, b []byte, cache string) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if s.lib.Private() {
		cache = "private, no-cache"
		h.Add("Vary", "Authorization")
	}
	digest := feed.DigestOf(b).String()[len("sha256:"):][:24]
	tag := `"` + digest + `"`
	gz, plain := codings(r.Header["Accept-Encoding"])
	gz = gz && (len(b) >= minGzip || !plain)
	if gz {
		tag = `"` + digest + `-gz"`
	}
	h.Set("Etag", tag)
	h.Set("Cache-Control", cache)
	if etagMatches(r.Header["If-None-Match"], tag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if gz {
		b = zip(b)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", fmt.Sprint(len(b)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client went away: nothing to do
	}
}

// minGzip: what is smaller fits a packet either way.
const minGzip = 1200

// zippers are kept, as each holds a megabyte.
var zippers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, 5)
	if err != nil {
		panic(err) // the level is wrong
	}
	return w
}}

func zip(b []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(b) / 3)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	_, _ = z.Write(b) // into memory
	_ = z.Close()
	return out.Bytes()
}

// reachable lets the keyboard scroll what may be wider than the page, in sanitized
// content: there text is escaped, so that "<table" is a tag.
func reachable(content string) string {
	return strings.ReplaceAll(content, "<table", `<table tabindex="0"`)
}

// site is what there is, and the frame of a page about it.
func (s *Server) site(w http.ResponseWriter, r *http.Request) (Site, frame, bool) {
	site, err := s.lib.Site(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return site, frame{}, false
	}
	return site, frame{Site: site.Title, Title: site.Title}, true
}

// staticTypes are the types of what stands in static.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	cache := "public, max-age=86400"
	if form, err := readForm(staticForm, r); err == nil && form.Get("v") == version(b) {
		cache = "public, max-age=31536000, immutable"
	}
	s.content(w, r, b, cache)
}

// noIcon answers browsers that ask for an icon without being told of one.
func (s *Server) noIcon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
}
