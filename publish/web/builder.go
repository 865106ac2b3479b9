package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

// builder is the form on the home page that makes the address of a feed. It works
// as a plain form; a script sends it while it is filled in.
type builder struct {
	Topics, Sources, Langs []choice
	Any                    bool // one of the topics is enough; else all are needed
	Words                  string
	More                   bool   // something beyond topics was chosen
	Unknown                string // a choice that there is not, in a sentence
	Result                 *built
}

// choice is something to tick.
type choice struct {
	ID, Label     string
	Count         int // posts; 0 is unknown or none
	With, Without bool
}

// built is a feed that was asked for.
type built struct {
	Title   string
	Main    address
	Others  []address
	Chosen  bool // anything was
	Readers []reader
	Local   bool   // the address is of this machine: readers elsewhere cannot ask it
	Private bool   // feeds need a token in their address
	Search  string // the page of the search that finds the same
	Total   int
	Exact   bool
	Counted bool
	Month   int
	Preview []post
	Fault   *fault
	Problem string // what is wrong, in a sentence
	Code    int    // the status of a page that says what is wrong; 0: nothing is
}

// address is a feed's in one format.
type address struct{ Name, Type, URL string }

// reader is a program or a site that takes the address of a feed.
type reader struct {
	Name string
	URL  template.URL
}

// previewPosts is how many posts a preview shows.
const previewPosts = 6

// newBuilder fills in the form with what was checked of it.
func newBuilder(v url.Values, site *Site, counts *overview) *builder {
	b := &builder{Any: v.Get("how") == "any", Words: shorten(ordered(strings.ToValidUTF8(v.Get("words"), "\uFFFD")), 1000)}
	for _, t := range site.Topics {
		c := choice{ID: t.Name, Label: t.Title, With: slices.Contains(v["topic"], t.Name), Without: slices.Contains(v["not"], t.Name)}
		if counts != nil {
			c.Count = counts.Topics[t.Name].Posts
		}
		b.Topics = append(b.Topics, c)
	}
	for i := range site.Sources {
		src := &site.Sources[i]
		c := choice{ID: string(src.ID), Label: src.Title, Count: int(src.Items), With: slices.Contains(v["source"], string(src.ID))}
		if c.Label == "" {
			c.Label = c.ID
		}
		b.More = b.More || c.With
		b.Sources = append(b.Sources, c)
	}
	lang := v.Get("lang")
	if counts != nil {
		for _, l := range counts.Langs {
			if l.Name != "" {
				b.Langs = append(b.Langs, choice{ID: l.Name, Label: languageName(l.Name), Count: l.Count, With: l.Name == lang})
			}
		}
	}
	for _, id := range slices.Concat(v["topic"], v["not"]) {
		if !slices.ContainsFunc(b.Topics, func(c choice) bool { return c.ID == id }) {
			b.Unknown = fmt.Sprintf("There is no topic %q here.", id)
		}
	}
	for _, id := range v["source"] {
		if !slices.ContainsFunc(b.Sources, func(c choice) bool { return c.ID == id }) {
			b.Unknown = fmt.Sprintf("There is no source %q here.", id)
		}
	}
	if lang != "" && counts != nil && !slices.ContainsFunc(b.Langs, func(c choice) bool { return c.With }) {
		b.Unknown = fmt.Sprintf("There is nothing in the language %s here.", quoted(ordered(lang)))
	}
	b.More = b.More || lang != "" || b.Words != "" || slices.ContainsFunc(b.Topics, func(c choice) bool { return c.Without })
	return b
}

// chosen are the choices that test says, in order of their ids.
func chosen(list []choice, test func(choice) bool) (ids, labels []string) {
	var picked []choice
	for _, c := range list {
		if test(c) {
			picked = append(picked, c)
		}
	}
	slices.SortFunc(picked, func(a, b choice) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range picked {
		ids, labels = append(ids, c.ID), append(labels, c.Label)
	}
	return ids, labels
}

// build makes the feed that the form asks for.
func (s *Server) build(r *http.Request, b *builder) error {
	with, withNames := chosen(b.Topics, func(c choice) bool { return c.With })
	without, withoutNames := chosen(b.Topics, func(c choice) bool { return c.Without })
	sources, sourceNames := chosen(b.Sources, func(c choice) bool { return c.With })
	langs, langNames := chosen(b.Langs, func(c choice) bool { return c.With })
	out := &built{}
	b.Result = out
	if b.Unknown != "" {
		out.wrong(http.StatusNotFound, b.Unknown)
		return nil
	}
	for _, id := range without {
		if i := slices.Index(with, id); i >= 0 {
			out.wrong(http.StatusBadRequest, fmt.Sprintf("%q is asked for and left out at once: take one of the two ticks away.", withNames[i]))
			return nil
		}
	}
	words, err := parseQuery(b.Words)
	if err != nil {
		out.Fault, out.Code = faultOf(b.Words, nil, err), http.StatusBadRequest
		return nil
	}
	out.Title = titleOf(withNames, b.Any, withoutNames, sourceNames, langNames, b.Words)
	q := builtQuery(with, b.Any, without, sources, langs, words)
	out.Chosen = q != ""
	name := ""
	if len(langs) == 0 && words == nil {
		name = feedNameOf(with, b.Any, without, sources)
	}
	s.addresses(out, name, q)
	if err := s.tally(r.Context(), out, q); err != nil {
		return err
	}
	if out.Code != 0 || out.Fault != nil || !out.Chosen {
		return nil
	}
	return s.preview(r, out, name, q)
}

// wrong says what is wrong with what was asked for.
func (b *built) wrong(code int, sentence string) { b.Code, b.Problem = code, sentence }

// titleOf puts what a feed carries into words.
func titleOf(with []string, anyOf bool, without, sources, langs []string, words string) string {
	title := "All posts"
	if len(with) > 0 {
		sep := " and "
		if anyOf {
			sep = " or "
		}
		title = strings.Join(with, sep)
	}
	if len(without) > 0 {
		title += " without " + strings.Join(without, " or ")
	}
	if len(sources) > 0 {
		title += " in " + strings.Join(sources, ", ")
	}
	if len(langs) > 0 {
		title += ", in " + strings.Join(langs, " or ")
	}
	if words = strings.TrimSpace(words); words != "" {
		title += ", with “" + plainLine(words) + "”"
	}
	return title
}

// maxFeedIDs is how many ids the name of a boolean feed has at most (CONTRACT part 4).
const maxFeedIDs = 8

// feedNameOf is the name of the feed under /feeds/ that carries what was chosen, in
// its canonical form, or empty if there is none.
func feedNameOf(with []string, anyOf bool, without, sources []string) string {
	switch {
	case len(sources) == 1 && len(with) == 0 && len(without) == 0:
		return "source/" + sources[0]
	case len(sources) > 0 || len(with) == 0 && len(without) > 0:
		return ""
	case len(with) == 0:
		return "all"
	}
	var not strings.Builder
	for _, id := range without {
		not.WriteString("!" + id)
	}
	if !anyOf {
		if len(with)+len(without) > maxFeedIDs {
			return ""
		}
		return strings.Join(with, "+") + not.String()
	}
	if len(with)*(1+len(without)) > maxFeedIDs {
		return ""
	}
	parts := make([]string, len(with))
	for i, id := range with {
		parts[i] = id + not.String()
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// builtQuery is the query that finds what was chosen; empty is everything.
func builtQuery(with []string, anyOf bool, without, sources, langs []string, words *query.Query) string {
	var parts []string
	either := func(prefix string, ids []string) {
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = prefix + id
		}
		switch len(list) {
		case 0:
		case 1:
			parts = append(parts, list[0])
		default:
			parts = append(parts, "("+strings.Join(list, " OR ")+")")
		}
	}
	if anyOf {
		either("topic:", with)
	} else {
		for _, id := range with {
			parts = append(parts, topicQuery(id))
		}
	}
	for _, id := range without {
		parts = append(parts, "-topic:"+id)
	}
	either("source:=", sources)
	either("lang:", langs)
	if words != nil {
		text := words.String()
		if _, ok := words.Root.(*query.Or); ok && len(parts) > 0 {
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// addresses fills in where a feed is: under its name, or as a search.
func (s *Server) addresses(out *built, name, q string) {
	base := s.lib.Base()
	all := make([]address, 0, len(render.Formats))
	for _, f := range render.Formats {
		a := address{Name: formatNames[f], Type: f.MediaType(), URL: searchFeedURL(base, q, f)}
		if name != "" {
			a.URL = feedURL(base, name, f)
		}
		all = append(all, a)
	}
	out.Main, out.Others = all[0], all[1:]
	out.Search = searchURL(base, q)
	out.Local, out.Private = isLocal(base), s.lib.Private()
	// Readers on this device have the scheme feed:, where any is installed.
	out.Readers = []reader{{Name: "Open in a reader", URL: template.URL("feed:" + out.Main.URL)}} //nolint:gosec // our own address
	if out.Local {
		return
	}
	for _, site := range readerSites {
		out.Readers = append(out.Readers, reader{Name: site.name, URL: template.URL(site.address + url.QueryEscape(out.Main.URL))}) //nolint:gosec // constant but for an escaped value
	}
}

// readerSites take the address of a feed at the end of theirs.
var readerSites = []struct{ name, address string }{
	{"Feedly", "https://feedly.com/i/subscription/feed/"},
	{"Inoreader", "https://www.inoreader.com/?add_feed="},
	{"NewsBlur", "https://www.newsblur.com/?url="},
	{"The Old Reader", "https://theoldreader.com/feeds/subscribe?url="},
}

// isLocal reports whether an address is of this machine or of a private network.
func isLocal(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified())
}

// tally counts what a feed carries.
func (s *Server) tally(ctx context.Context, out *built, q string) error {
	parsed, err := parseQuery(q)
	if err != nil {
		return fmt.Errorf("the query of the builder: %w", err)
	}
	if parsed != nil && len(parsed.Terms()) > MaxQueryTerms { // as the feed itself would say
		out.wrong(http.StatusBadRequest, fmt.Sprintf("The feed would search for %s terms; a search takes at most %d.", grouped(len(parsed.Terms())), MaxQueryTerms))
		return nil
	}
	if len(q) > MaxQueryBytes {
		out.wrong(http.StatusBadRequest, fmt.Sprintf("The feed would search for %s bytes of text; a search takes at most %d.", grouped(len(q)), MaxQueryBytes))
		return nil
	}
	page, err := s.lib.Search(ctx, parsed, store.SearchOptions{Limit: -1, FoldStories: true})
	switch {
	case err == nil:
	case notCounted(err):
		if out.Fault = faultOf(q, parsed, err); out.Fault != nil {
			out.Code = http.StatusUnprocessableEntity
		}
		return nil
	default:
		return err
	}
	out.Counted, out.Total, out.Exact = true, page.Total, page.Exact
	month, err := s.count(ctx, strings.TrimSpace(q+" published:30d"), false)
	if err != nil && !notCounted(err) {
		return err
	}
	out.Month = month.Total
	return nil
}

// preview shows the newest posts of a feed.
func (s *Server) preview(r *http.Request, out *built, name, q string) error {
	if name != "" {
		posts, err := s.posts(r, name, previewPosts)
		if errors.Is(err, ErrNotFound) {
			out.wrong(http.StatusNotFound, "There is no such feed any more.")
			return nil
		}
		out.Preview = posts
		return err
	}
	if !out.Counted {
		out.wrong(http.StatusServiceUnavailable, "This feed is made by a search, and the archive cannot be searched now.")
		return nil
	}
	parsed, err := parseQuery(q)
	if err != nil {
		return fmt.Errorf("the query of the builder: %w", err)
	}
	page, err := s.lib.Search(r.Context(), parsed, store.SearchOptions{Limit: previewPosts, FoldStories: true})
	if err != nil {
		return err
	}
	out.Preview, err = s.found(r, page.Hits, false)
	return err
}
