package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/itemjson"
	"chancery/publish/render"
	"chancery/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the parsed templates, by name.
type pages struct{ by map[string]*template.Template }

var pageNames = []string{"home", "list", "item", "status"}

func newPages() (*pages, error) {
	funcs := template.FuncMap{
		"stamp": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format("2 January 2006, 15:04")
		},
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"count":    func(n int64) string { return grouped(n) },
		"links":    func(base string, l Listing) []feedLink { return links(base, l.Name, l.Title, l.Formats) },
		"allPosts": func() Listing { return Listing{Name: "all", Title: "All posts", Formats: allFormats} },
	}
	p := &pages{by: map[string]*template.Template{}}
	for _, name := range pageNames {
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		p.by[name] = t
	}
	return p, nil
}

// grouped writes a number with thin groups of three.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// pageSecurity lets a page load its style sheet from here and nothing else
// (SEC-18).
const pageSecurity = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// frame is what every page has.
type frame struct {
	Title string
	Site  string
	Base  string
	Feeds []feedLink // for autodiscovery
	Index bool
	Body  any
}

type feedLink struct{ Title, Short, Type, URL string }

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
	h.Set("Content-Security-Policy", pageSecurity)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("X-Frame-Options", "DENY")
	if !f.Index {
		h.Set("X-Robots-Tag", "noindex")
	}
	s.content(w, r, b.Bytes(), "public, max-age=60")
}

// content answers with bytes made for this request: their digest is the ETag.
func (s *Server) content(w http.ResponseWriter, r *http.Request, b []byte, cache string) {
	h := w.Header()
	if s.lib.Private() {
		cache = "private, no-cache"
		h.Set("Vary", "Authorization")
	}
	tag := `"` + feed.DigestOf(b).String()[len("sha256:"):][:24] + `"`
	h.Set("Etag", tag)
	h.Set("Cache-Control", cache)
	if etagMatches(r.Header["If-None-Match"], tag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(b)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client went away: nothing to do
	}
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

// homePage is the data of the page "/".
type homePage struct {
	Site   Site
	Latest []post
}

// post is an entry in a list.
type post struct {
	Title, URL, Page   string
	Source, SourcePage string
	When               time.Time
	Topics             []render.Topic
	AlsoAt             []render.AlsoAt
	Language           string
}

func (s *Server) posts(r *http.Request, name string, n int) ([]post, error) {
	entries, err := s.entries(r, name)
	if err != nil {
		return nil, err
	}
	out := make([]post, 0, min(n, len(entries)))
	for i := range entries[:min(n, len(entries))] {
		e := &entries[i]
		when := e.Published
		if when.IsZero() {
			when = e.Updated
		}
		p := post{
			Title: e.Heading(), URL: e.URL, Page: e.Page, Source: e.Origin.Title, When: when,
			Topics: e.Topics, AlsoAt: e.AlsoAt, Language: e.Language,
		}
		if e.Origin.Source != "" {
			p.SourcePage = s.lib.Base() + "/sources/" + string(e.Origin.Source)
		}
		out = append(out, p)
	}
	return out, nil
}

// entries are what a feed shows.
func (s *Server) entries(r *http.Request, name string) ([]render.Entry, error) {
	for try := 0; ; try++ {
		f, err := s.lib.Feed(r.Context(), name)
		if err != nil {
			return nil, err
		}
		full, err := f.Load(r.Context())
		if err == nil {
			return full.Entries, nil
		}
		if !errors.Is(err, ErrStale) || try == 3 {
			return nil, err
		}
	}
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	latest, err := s.posts(r, "all", 30)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Feeds = s.link("all", "All posts", allFormats)
	for _, l := range append(append([]Listing{}, site.Topics...), site.Feeds...) {
		fr.Feeds = append(fr.Feeds, s.link(l.Name, l.Title, l.Formats)...)
	}
	fr.Body = homePage{Site: site, Latest: latest}
	s.show(w, r, "home", fr)
}

// listPage is the data of a page about one feed: of a topic or a source.
type listPage struct {
	Kind    string
	Listing Listing
	Source  *store.SourceState
	Posts   []post
}

func (s *Server) topic(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	for _, l := range site.Topics {
		if l.Name == r.PathValue("id") {
			s.list(w, r, fr, listPage{Kind: "Topic", Listing: l})
			return
		}
	}
	s.fail(w, r, ErrNotFound)
}

func (s *Server) source(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	for i := range site.Sources {
		src := &site.Sources[i]
		if string(src.ID) == r.PathValue("id") {
			title := src.Title
			if title == "" {
				title = string(src.ID)
			}
			s.list(w, r, fr, listPage{Kind: "Source", Source: src, Listing: Listing{
				Name: "source/" + string(src.ID), Title: title, Formats: allFormats,
			}})
			return
		}
	}
	s.fail(w, r, ErrNotFound)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, fr frame, p listPage) {
	var err error
	if p.Posts, err = s.posts(r, p.Listing.Name, 100); err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Title = p.Listing.Title + " · " + fr.Site
	fr.Feeds = s.link(p.Listing.Name, p.Listing.Title, p.Listing.Formats)
	fr.Body = p
	s.show(w, r, "list", fr)
}

// itemPage is the data of the page of an item.
type itemPage struct {
	Entry   *render.Entry
	Item    *feed.Item
	Content template.HTML
	Digest  string
}

// item serves /items/{id} and /items/{id}.json.
func (s *Server) item(w http.ResponseWriter, r *http.Request) {
	text, isJSON := strings.CutSuffix(r.PathValue("id"), ".json")
	id, err := feed.ParseItemID(text)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	it, err := s.lib.Item(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	src := s.lib.Source(it.Source)
	if isJSON {
		b, err := itemjson.Marshal(it, src.Title)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		s.content(w, r, append(b, '\n'), "public, max-age=300")
		return
	}
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	// Nothing is loaded from elsewhere for a page (SEC-18).
	policy := html.DefaultPolicy()
	policy.NoImages = true
	e := render.Prepare(it, render.Context{
		Source: src, Others: s.lib.Source, Label: s.label(r),
		Page:   func(id feed.ItemID) string { return s.lib.Base() + "/items/" + id.String() },
		Policy: policy,
	})
	fr.Title = e.Heading() + " · " + fr.Site
	// Sanitized by feed/html: elements and attributes of a short list.
	fr.Body = itemPage{Entry: &e, Item: it, Content: template.HTML(e.HTML), Digest: it.Digest.String()} //nolint:gosec // see above
	s.show(w, r, "item", fr)
}

// label names topics.
func (s *Server) label(r *http.Request) func(feed.TopicID) string {
	names := map[feed.TopicID]string{}
	if site, err := s.lib.Site(r.Context()); err == nil { // without it ids serve
		for _, l := range site.Topics {
			names[feed.TopicID(l.Name)] = l.Title
		}
	}
	return func(id feed.TopicID) string { return names[id] }
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	fr.Title = "Status · " + fr.Site
	fr.Body = site
	s.show(w, r, "status", fr)
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	b, err := staticFiles.ReadFile("static/" + r.PathValue("file"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	if strings.HasSuffix(r.PathValue("file"), ".css") {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
	} else {
		w.Header().Set("Content-Type", "image/svg+xml")
	}
	s.content(w, r, b, "public, max-age=86400")
}

func (s *Server) noIcon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
}
