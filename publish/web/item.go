package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/cite"
	"chancery/feed/html"
	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

// itemPage is the data of the page of an item.
type itemPage struct {
	Entry   *render.Entry
	Item    *feed.Item
	Path    string // of the item's page
	Heading []piece
	Long    bool // the title goes on
	Content template.HTML
	Short   bool // only a summary may be shown
	Cut     bool // the content is too long for a page; Plain is its beginning
	Plain   string
	// Pictures: there are some that are not shown; Shown: they are.
	Pictures, Shown bool
	Old             bool // not the newest version
	Why             []*reasons
	Marked          string // the topic whose evidence is marked in the text, or "all"
	Versions        []versionRow
	AlsoAt          []alsoAt
	Origin          *origin
	Cite            []string // the parts of the citation
	Digest          string
}

// versionRow is a version in a list.
type versionRow struct {
	Revision int
	At       time.Time
	Digest   string
	Page     string // of that version
	Diff     string // to the one before; empty for the first
	Shown    bool   // it is the one on the page
}

// alsoAt is another place of the story.
type alsoAt struct {
	Title, URL, Page, Diff string
	Seen                   time.Time
	Original               bool // of the story
}

// origin is where a version came from.
type origin struct {
	URL       string // empty if it was a file, or may not be told
	File      bool
	Received  time.Time
	Status    int
	MediaType string
	ETag      string
	Modified  string
	Bytes     int
	Repairs   []string
}

// maxContent is how much of a post a page shows; more is in the JSON.
const maxContent = 1 << 20

// itemFormats are the suffixes of an item's address.
var itemFormats = []string{".json", ".bib", ".ris"}

// item serves /items/{id} as a page, .json, .bib and .ris.
func (s *Server) item(w http.ResponseWriter, r *http.Request) {
	text, format := r.PathValue("id"), ""
	for _, f := range itemFormats {
		if rest, ok := strings.CutSuffix(text, f); ok {
			text, format = rest, f
		}
	}
	id, err := feed.ParseItemID(text)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	if format == ".json" {
		r.SetPathValue("id", text)
		s.operate(w, r, &oneItem)
		return
	}
	form, err := readForm(itemForm, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	revision, _ := strconv.Atoi(form.Get("revision")) // it was checked; 0 is the newest
	it, err := s.version(r.Context(), id, revision)
	if err != nil {
		s.failItem(w, r, format, err)
		return
	}
	switch format {
	case ".bib":
		s.citation(w, r, it, "application/x-bibtex; charset=utf-8", cite.BibTeX)
	case ".ris":
		s.citation(w, r, it, "application/x-research-info-systems; charset=utf-8", cite.RIS)
	default:
		s.itemPage(w, r, it, form)
	}
}

// citation answers with a citation as a file.
func (s *Server) citation(w http.ResponseWriter, r *http.Request, it *feed.Item, typ string, write func(cite.Work) string) {
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.content(w, r, []byte(write(s.work(it))), "public, max-age=300")
}

// work is an item as it is cited.
func (s *Server) work(it *feed.Item) cite.Work {
	page := s.pageOf(it.ID)
	if it.Revision < it.Revisions {
		page += "?revision=" + strconv.Itoa(it.Revision)
	}
	return cite.Work{Item: it, Source: s.lib.Source(it.Source).Title, Page: page}
}

func (s *Server) pageOf(id feed.ItemID) string { return s.lib.Base() + "/items/" + id.String() }

// failItem answers where there is no item to show. What was taken down has a page
// that says what is known of it.
func (s *Server) failItem(w http.ResponseWriter, r *http.Request, format string, err error) {
	p, ok := errors.AsType[*problem](err)
	if !ok || p.Item == nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	switch format {
	case "":
		_, fr, ok := s.site(w, r)
		if !ok {
			return
		}
		fr.Title, fr.Code = "Taken down · "+fr.Site, http.StatusGone
		fr.Body = gravePage{Grave: p.Item, Source: s.lib.Source(p.Item.Source)}
		s.show(w, r, "grave", fr)
	default:
		plainError(w, http.StatusGone, ErrGone.Error())
	}
}

// gravePage is the data of the page of an item that was taken down.
type gravePage struct {
	Grave  *grave
	Source render.Source
}

// itemPage serves the page of a version of an item.
func (s *Server) itemPage(w http.ResponseWriter, r *http.Request, it *feed.Item, form url.Values) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	src := s.lib.Source(it.Source)
	p := itemPage{
		Item: it, Path: s.pageOf(it.ID), Digest: it.Digest.String(), Old: it.Revision < it.Revisions, Short: render.Restricted(it, src),
		Shown: isOn(form, "images"), Marked: form.Get("why"), Cite: cite.Parts(s.work(it)),
	}
	// Nothing is loaded from elsewhere for a page, unless its reader asks (SEC-18).
	policy := html.DefaultPolicy()
	policy.NoImages = !p.Shown
	if content := it.Content.Value; len(content) > maxContent {
		p.Cut, p.Plain = true, html.Excerpt(html.Plain(it.Content), 20_000)
	}
	e := render.Prepare(s.fitting(it), render.Context{
		Source: src, Others: s.lib.Source, Label: labels(site), Page: s.pageOf, Policy: policy,
	})
	p.Entry = &e
	if !p.Short {
		p.Pictures = hasPictures(it.Content.Value + it.Summary.Value)
	}
	doc := query.NewDoc(it, src.Title)
	p.Why = s.why(doc, it, e.Topics)
	content := e.HTML
	heading := shorten(e.Heading(), longHeading)
	p.Heading, p.Long = []piece{{Text: heading}}, heading != e.Heading()
	if p.Marked != "" {
		terms := termsOf(p.Why, p.Marked)
		content = markHTML(content, terms, doc.Lang)
		p.Heading = markLine(heading, terms, doc.Lang)
	}
	p.Content = template.HTML(reachable(content)) //nolint:gosec // sanitized by feed/html: elements and attributes of a short list
	if it.Revisions > 1 {
		all, err := s.versions(r.Context(), it.ID)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		p.Versions = s.versionRows(all, it.Revision)
	}
	p.AlsoAt = s.alsoAt(it, e.AlsoAt)
	var err error
	if p.Origin, err = s.origin(r, it, site); err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Title = shorten(heading, longTabTitle) + " · " + fr.Site
	fr.Images = p.Shown
	fr.JSON = p.Path + ".json"
	fr.Body = p
	s.show(w, r, "item", fr)
}

// fitting is the item, without content that is too long for a page.
func (s *Server) fitting(it *feed.Item) *feed.Item {
	if len(it.Content.Value) <= maxContent {
		return it
	}
	short := *it
	short.Content = feed.Text{}
	return &short
}

// hasPictures reports whether markup has something that is loaded from elsewhere.
func hasPictures(markup string) bool {
	markup = strings.ToLower(markup)
	return strings.Contains(markup, "<img") || strings.Contains(markup, "<video") || strings.Contains(markup, "<audio") || strings.Contains(markup, "<picture")
}

// labels names topics.
func labels(site Site) func(feed.TopicID) string {
	names := make(map[feed.TopicID]string, len(site.Topics))
	for _, l := range site.Topics {
		names[feed.TopicID(l.Name)] = l.Title
	}
	return func(id feed.TopicID) string { return names[id] }
}

// maxVersions is how many versions the page of an item lists.
const maxVersions = 12

// versionRows lists the newest versions, newest first.
func (s *Server) versionRows(all []feed.Item, shown int) []versionRow {
	var rows []versionRow
	for i, it := range slices.Backward(all) {
		v := versionRow{Revision: it.Revision, At: it.Revised, Digest: it.Digest.String(), Page: s.pageOf(it.ID), Shown: it.Revision == shown}
		if i < len(all)-1 {
			v.Page += "?revision=" + strconv.Itoa(it.Revision)
		}
		if i > 0 {
			v.Diff = s.diffPage(it.ID, it.Revision-1, it.Revision)
		}
		if rows = append(rows, v); len(rows) == maxVersions {
			break
		}
	}
	return rows
}

func (s *Server) diffPage(id feed.ItemID, from, to int) string {
	return fmt.Sprintf("%s/diff?from=%d&to=%d", s.pageOf(id), from, to)
}

// alsoAt lists where else the story is.
func (s *Server) alsoAt(it *feed.Item, shown []render.AlsoAt) []alsoAt {
	out := make([]alsoAt, 0, len(shown))
	for _, a := range shown {
		row := alsoAt{Title: a.Title, URL: a.URL, Page: s.pageOf(a.Item)}
		for _, x := range it.AlsoIn {
			if x.ID == a.Item {
				row.Seen = x.FirstSeen
				row.Original = it.Original == x.ID
			}
		}
		out = append(out, row)
	}
	return out
}

// origin says which document a version came in; nil if that is not kept.
func (s *Server) origin(r *http.Request, it *feed.Item, site Site) (*origin, error) {
	doc, err := s.lib.Received(r.Context(), it.ID, it.Revision)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, and that is no fault
	}
	if err != nil {
		return nil, err
	}
	o := &origin{
		Received: doc.Received, Status: doc.Status, MediaType: html.Neutral(doc.MediaType), ETag: html.Neutral(doc.ETag),
		Modified: html.Neutral(doc.Modified), Bytes: len(doc.Body), Repairs: doc.Repairs,
	}
	src := store.Source{}
	for i := range site.Sources {
		if site.Sources[i].ID == it.Source {
			src = site.Sources[i].Source
		}
	}
	src.URL, src.Moved = doc.URL, ""
	o.URL = PublicURL(&src)
	o.File = !isWeb(doc.URL) // its name is the operator's business
	return o, nil
}
