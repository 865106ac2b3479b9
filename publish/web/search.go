package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

// searchForm is what a search page is asked for.
type searchForm struct {
	Q      string
	Order  string // "newest", "oldest" or "relevance"
	AsOf   string // a date as written; empty is the present
	All    bool   // in all versions
	Copies bool   // each copy of a story by itself
	Cursor string
	order  store.SearchOrder
	asOf   time.Time
}

// address is the page of the search that f asks for.
func (f searchForm) address(base string) string {
	v := f.values()
	if f.Copies {
		v.Set("copies", "1")
	}
	return base + "/search?" + v.Encode()
}

// inAPI is the same search as the API answers it.
func (f searchForm) inAPI(base string) string {
	v := f.values()
	v.Set("facets", "true")
	if !f.All && !f.Copies {
		v.Set("fold", "true")
	}
	return base + apiRoot + "/search?" + v.Encode()
}

// values are the parameters that the page and the API call alike.
func (f searchForm) values() url.Values {
	v := url.Values{"q": {f.Q}}
	if f.order != store.Newest {
		v.Set("order", f.Order)
	}
	if f.AsOf != "" {
		v.Set("as_of", f.AsOf)
	}
	if f.All {
		v.Set("all_versions", "true")
	}
	if f.Cursor != "" {
		v.Set("cursor", f.Cursor)
	}
	return v
}

// with is f for another query, from its first page on.
func (f searchForm) with(q string) searchForm {
	f.Q, f.Cursor = q, ""
	return f
}

func (f searchForm) options() store.SearchOptions {
	return store.SearchOptions{
		Order: f.order, Limit: searchPosts, Cursor: f.Cursor, AsOf: f.asOf, AllVersions: f.All, FoldStories: !f.Copies && !f.All, Snippets: true, Facets: true,
	}
}

// searchPosts is how many posts a page of a search has.
const searchPosts = 20

// readSearchForm reads the parameters of the page of a search, which are those of a
// search feed and some more. problem says what is wrong with them.
func readSearchForm(r *http.Request) (f searchForm, problem string) {
	v, err := readForm(searchPageForm, r)
	f = searchForm{
		Q: strings.TrimSpace(ordered(v.Get("q"))), Order: store.Newest.String(), AsOf: ordered(v.Get("as_of")),
		All: isOn(v, "all_versions"), Copies: isOn(v, "copies"), Cursor: v.Get("cursor"),
	}
	if err != nil {
		return f, "The address is wrong: " + ordered(err.Error()) + "."
	}
	if name := v.Get("order"); name != "" {
		f.Order = name
		f.order, _ = readOrder(name) // it was checked
	}
	if f.AsOf != "" {
		var s Search
		if err := s.readAsOf(f.AsOf); err != nil {
			return f, "The date " + shorten(err.Error(), 200) + "."
		}
		f.asOf = s.AsOf
	}
	if len(f.Q) > MaxQueryBytes {
		n := len(f.Q)
		f.Q = shorten(strings.ToValidUTF8(f.Q[:200], ""), 200)
		return f, fmt.Sprintf("The query has %s bytes; a search takes at most %s.", grouped(n), grouped(MaxQueryBytes))
	}
	return f, ""
}

// searchBody is the data of the page of a search.
type searchBody struct {
	searchForm
	State   indexing
	Fault   *fault
	Problem string
	First   string // of the first page, where this is none or cannot be shown
	Answer  *store.SearchPage
	Filters []filter
	Facets  []facet
	Chart   Chart
	Posts   []post
	Next    string
	Advice  []advice
	Saved   *saved
	JSON    string // of this page, from the API
}

// filter is a condition of the query that can be taken away.
type filter struct{ Label, Without string }

// facet is a list of values that narrow a search.
type facet struct {
	Title  string
	Values []facetValue
	More   []facetValue
}

// facetValue is one of them.
type facetValue struct {
	Label  string
	Count  int
	URL    string
	Page   string // about it, if there is one
	Chosen bool   // the search is narrowed to it already
}

// advice is what else one could look for.
type advice struct {
	What  string
	URL   string
	Count int
}

// saved is how to keep a search as a feed.
type saved struct {
	Feeds   []address
	Config  string
	Drifts  bool // spans such as 7d: no feed of the configuration can have them
	Partial bool // the page shows more or less than the feed will
}

func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	p := &searchBody{State: s.indexing()}
	p.searchForm, p.Problem = readSearchForm(r)
	fr.Title, fr.Here, fr.Query = "Search · "+fr.Site, "search", p.Q
	if p.Q != "" {
		fr.Title = shorten(plainLine(p.Q), 60) + " · " + fr.Title
	}
	fr.Wide, fr.Script, fr.Body = true, true, p
	if p.Problem != "" {
		fr.Code = http.StatusBadRequest
		s.show(w, r, "search", fr)
		return
	}
	code, err := s.answer(r, p, &site)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	fr.Code, fr.JSON = code, p.JSON
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	if p.Saved != nil {
		for _, a := range p.Saved.Feeds {
			fr.Feeds = append(fr.Feeds, feedLink{Title: "Search: " + shorten(p.Q, 60) + " (" + a.Name + ")", Short: a.Name, Type: a.Type, URL: a.URL})
		}
	}
	s.show(w, r, "search", fr)
}

// answer fills in what was found, or what is wrong, with the status that goes with
// that; 0 is 200.
func (s *Server) answer(r *http.Request, p *searchBody, site *Site) (code int, err error) {
	base := s.lib.Base()
	q, err := parseQuery(p.Q)
	if err != nil {
		p.Fault = faultOf(p.Q, nil, err)
		return http.StatusBadRequest, nil
	}
	if q != nil && len(q.Terms()) > MaxQueryTerms {
		p.Problem = fmt.Sprintf("The query has %s terms; a search takes at most %d.", grouped(len(q.Terms())), MaxQueryTerms)
		return http.StatusBadRequest, nil
	}
	page, err := s.lib.Search(r.Context(), q, p.options())
	if code, ok := p.refused(q, err, base); ok {
		return code, nil
	}
	if err != nil {
		return 0, fmt.Errorf("search: %w", err)
	}
	p.Answer = &page
	if p.Posts, err = s.found(r, page.Hits, p.All); err != nil {
		return 0, err
	}
	if page.Next != "" {
		next := p.searchForm
		next.Cursor = page.Next
		p.Next = next.address(base)
	}
	if p.Cursor != "" {
		p.First = p.with(p.Q).address(base)
	}
	p.Filters = s.filters(p, q, site)
	if page.Facets != nil {
		p.Facets = s.facets(p, q, page.Facets, site)
		noun := ""
		if p.All {
			noun = "version"
		}
		p.Chart = chartOf(noun, "course", "Over time", page.Facets.Histogram, func(b store.HistogramBar) string {
			return p.with(narrowed(q, "published:"+barDate(b))).address(base)
		})
	}
	if page.Total == 0 {
		if p.Advice, err = s.advice(r, p, q); err != nil {
			return 0, err
		}
	}
	p.Saved = s.saved(p, q)
	p.JSON = p.inAPI(base)
	return 0, nil
}

// refused tells why a search has no answer; false if it has one or failed by itself.
func (p *searchBody) refused(q *query.Query, err error, base string) (code int, ok bool) {
	p.First = p.with(p.Q).address(base)
	if f := faultOf(p.Q, q, err); f != nil {
		p.Fault = f
		return http.StatusBadRequest, true
	}
	switch {
	case isBusy(err):
		p.Problem = "Too many searches run at the moment. Try again in a few seconds."
		return http.StatusServiceUnavailable, true
	case errors.Is(err, store.ErrBadCursor):
		p.Problem = "This page of the results cannot be found: its address is incomplete, or the search was changed."
		return http.StatusBadRequest, true
	case errors.Is(err, ErrNoSearch):
		p.Problem = "There is no index here, so nothing can be searched. Topics and feeds work all the same."
		return http.StatusServiceUnavailable, true
	case errors.Is(err, store.ErrCorrupt):
		p.Problem = "The index is damaged and will be built again. Nothing in the archive is lost; try again later."
		return http.StatusServiceUnavailable, true
	}
	p.First = ""
	return 0, false
}

// filters are the conditions of a query that do not concern its words.
func (s *Server) filters(p *searchBody, q *query.Query, site *Site) []filter {
	nodes := conjuncts(q)
	var out []filter
	for i, n := range nodes {
		if isFilter(n) {
			rest := slices.Delete(slices.Clone(nodes), i, i+1)
			out = append(out, filter{Label: s.labelOf(n, site), Without: p.with(written(rest)).address(s.lib.Base())})
		}
	}
	return out
}

// labelOf puts a condition into words.
func (s *Server) labelOf(n query.Node, site *Site) string {
	switch n := n.(type) {
	case *query.Tagged:
		for _, t := range site.Topics {
			if t.Name == string(n.Topic) && n.About {
				return "about " + t.Title
			} else if t.Name == string(n.Topic) {
				return t.Title
			}
		}
	case *query.Lang:
		return "in " + languageName(n.Tag)
	case *query.When:
		if n.Seen {
			return "came " + n.Text
		}
		return n.Text
	case *query.Not:
		return "not " + s.labelOf(n.Node, site)
	case *query.Term:
		return cmp.Or(s.lib.Source(feed.SourceID(n.Text)).Title, query.String(n))
	}
	return query.String(n)
}

// Values of a facet that are listed, and listed on demand.
const (
	facetFirst = 8
	facetMost  = 60
)

func (s *Server) facets(p *searchBody, q *query.Query, f *store.Facets, site *Site) []facet {
	base := s.lib.Base()
	in := map[string]bool{}
	for _, n := range conjuncts(q) {
		in[query.String(n)] = true
	}
	list := func(title, prefix string, values []store.Facet, label func(string) string) facet {
		out := facet{Title: title}
		for _, v := range values {
			name := label(v.Name)
			if v.Name == "" || name == "" || len(out.Values)+len(out.More) >= facetMost {
				continue
			}
			fv := facetValue{Label: name, Count: v.Count, Chosen: in[canonical(prefix+v.Name)], URL: p.with(narrowed(q, prefix+v.Name)).address(base)}
			if len(out.Values) < facetFirst {
				out.Values = append(out.Values, fv)
			} else {
				out.More = append(out.More, fv)
			}
		}
		return out
	}
	topics := map[string]string{}
	for _, t := range site.Topics {
		topics[t.Name] = t.Title
	}
	years := slices.Clone(f.Years)
	slices.Reverse(years)
	all := []facet{
		list("Topics", "topic:", f.Topics, func(id string) string { return topics[id] }),
		list("Sources", "source:=", f.Sources, func(id string) string { return cmp.Or(s.lib.Source(feed.SourceID(id)).Title, id) }),
		list("Languages", "lang:", f.Languages, languageName),
		list("Years", "published:", years, func(y string) string { return y }),
	}
	return slices.DeleteFunc(all, func(f facet) bool { return len(f.Values) == 0 })
}

// canonical is a condition as the canonical form of a query writes it.
func canonical(condition string) string {
	q, err := query.Parse(condition)
	if err != nil {
		return condition
	}
	return q.String()
}

// adviceParts bounds the searches that advice takes.
const adviceParts = 6

// advice counts the parts of a query that found nothing together.
func (s *Server) advice(r *http.Request, p *searchBody, q *query.Query) ([]advice, error) {
	nodes := conjuncts(q)
	if len(nodes) < 2 {
		return nil, nil
	}
	base := s.lib.Base()
	var out []advice
	for _, n := range nodes[:min(adviceParts, len(nodes))] {
		if _, ok := n.(*query.Not); ok {
			continue
		}
		text := query.String(n)
		part, err := query.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("part of a query: %w", err)
		}
		o := p.options()
		o.Limit, o.Cursor, o.Snippets, o.Facets = -1, "", false, false
		page, err := s.lib.Search(r.Context(), part, o)
		if notCounted(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		out = append(out, advice{What: text, URL: p.with(text).address(base), Count: page.Total})
	}
	return out, nil
}

// saved tells how to keep a search as a feed.
func (s *Server) saved(p *searchBody, q *query.Query) *saved {
	if q == nil {
		return nil // there is a feed of all posts
	}
	out := &saved{Partial: p.All || p.Copies || p.AsOf != ""}
	for _, f := range render.Formats {
		out.Feeds = append(out.Feeds, address{Name: formatNames[f], Type: f.MediaType(), URL: searchFeedURL(s.lib.Base(), p.Q, f)})
	}
	query.Walk(q.Root, func(n query.Node) bool {
		if w, ok := n.(*query.When); ok && w.Last > 0 {
			out.Drifts = true
		}
		return true
	})
	if !out.Drifts {
		out.Config = feedTable(p.Q, q)
	}
	return out
}

// feedTable is the table of the configuration that publishes a query as a feed.
func feedTable(title string, q *query.Query) string {
	text := "'''" + q.String() + "'''"
	if strings.Contains(q.String(), "'''") {
		text = tomlString(q.String())
	}
	return fmt.Sprintf("[[feed]]\nid    = %s\ntitle = %s\nquery = %s\n", tomlString(feedSlug(title)), tomlString(shorten(title, 100)), text)
}

// tomlString writes a basic string of TOML.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// feedSlug makes an id of a title: its ASCII letters and digits.
func feedSlug(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
		} else {
			dash = true
		}
		if b.Len() >= 40 {
			break
		}
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "my-search")
}

// ForToday is the same search without a date.
func (f searchForm) ForToday() searchForm {
	f.AsOf, f.Cursor = "", ""
	return f
}

// Link is the page of the search.
func (f searchForm) Link(base string) string { return f.address(base) }

// Shell is the query as an argument of a shell.
func (f searchForm) Shell() string { return "'" + strings.ReplaceAll(f.Q, "'", `'\''`) + "'" }
