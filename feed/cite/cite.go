// Package cite writes citations of items: in plain text, as BibTeX and as RIS.
//
// A citation names what lets somebody check it: where the post stood, when the
// archive first saw it, which version it was, and the digest of that version.
package cite

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// Work is what is cited: a version of an item.
type Work struct {
	Item   *feed.Item
	Source string // its title
	// Page is the item's address in the archive; empty if it has none.
	Page string
}

func (w Work) title() string {
	return cmp.Or(html.Excerpt(html.Neutral(html.Plain(w.Item.Title)), longTitle), w.url(), "Untitled")
}

func (w Work) source() string { return cmp.Or(html.Neutral(w.Source), string(w.Item.Source)) }

// longTitle is how many characters of a title a citation has at most.
const longTitle = 300

// url is the post's address if it is one of the web.
func (w Work) url() string {
	u := html.Neutral(w.Item.URL)
	if strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		return u
	}
	return ""
}

func (w Work) authors() []string {
	var list []string
	for _, a := range w.Item.Authors {
		if name := html.Neutral(a.Name); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// date is that of the post: what the publisher said, if it is credible.
func (w Work) date() time.Time { return w.Item.Effective().UTC() }

// archived says what the archive knows.
func (w Work) archived() string {
	where := w.Item.ID.String()
	if w.Page != "" {
		where = w.Page
	}
	return fmt.Sprintf("Archived %s as %s, version %d of %d, %s", w.Item.FirstSeen.UTC().Format("2 January 2006"), where,
		w.Item.Revision, max(w.Item.Revisions, w.Item.Revision), w.Item.Digest)
}

// Text is the citation in the author-title-date order of ISO 690, on one line.
func Text(w Work) string { return strings.Join(Parts(w), " ") }

// Parts are what [Text] joins with spaces: author, title, source and the rest, each of
// which may be written in the other direction than those beside it.
func Parts(w Work) []string {
	var parts []string
	if list := w.authors(); len(list) > 0 {
		parts = append(parts, strings.TrimSuffix(strings.Join(list, ", "), ".")+".")
	}
	parts = append(parts, ended(w.title()), w.source()+",", w.date().Format("2 January 2006")+".")
	if u := w.url(); u != "" {
		parts = append(parts, u+".")
	}
	return append(parts, w.archived()+".")
}

// ended is a sentence with a stop, if it has none of its own.
func ended(s string) string {
	if strings.ContainsAny(s[len(s)-1:], ".?!") || strings.HasSuffix(s, "؟") || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}

// BibTeX is the citation as an entry that BibTeX and biblatex read, in UTF-8.
func BibTeX(w Work) string {
	var b strings.Builder
	fmt.Fprintf(&b, "@misc{%s-%s,\n", w.Item.Source, w.Item.ID)
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s = {%s},\n", name, value)
		}
	}
	// Braces around each: a name is not taken apart, a title keeps its capitals.
	authors := make([]string, 0, len(w.Item.Authors))
	for _, a := range w.authors() {
		authors = append(authors, "{"+tex(a)+"}")
	}
	field("author", strings.Join(authors, " and "))
	field("title", "{"+tex(w.title())+"}")
	field("howpublished", tex(w.source()))
	field("year", w.date().Format("2006"))
	field("month", w.date().Format("1"))
	field("date", w.date().Format(time.DateOnly))
	field("url", texURL(cmp.Or(w.url(), w.Page)))
	field("language", tex(html.Neutral(w.Item.Language)))
	field("note", tex(w.archived()))
	b.WriteString("}\n")
	return b.String()
}

var texEscapes = strings.NewReplacer(
	`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "%", `\%`, "#", `\#`, "_", `\_`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`,
)

// tex is a text as TeX sets it.
func tex(s string) string { return texEscapes.Replace(s) }

// texURL is an address in a field that is read verbatim: what would end the field,
// or the entry, is percent-encoded.
func texURL(s string) string {
	return strings.NewReplacer("{", "%7B", "}", "%7D", `\`, "%5C", " ", "%20").Replace(s)
}

// RIS is the citation in the format of reference managers: tagged lines that end in
// CR LF, in UTF-8.
func RIS(w Work) string {
	var b strings.Builder
	line := func(tag, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s  - %s\r\n", tag, value)
		}
	}
	line("TY", "BLOG")
	for _, a := range w.authors() {
		line("AU", strings.ReplaceAll(a, "*", "")) // the one character that an author may not have
	}
	line("TI", w.title())
	line("T2", w.source())
	line("PY", w.date().Format("2006"))
	line("DA", w.date().Format("2006/01/02"))
	line("LA", html.Neutral(w.Item.Language))
	line("UR", w.url())
	line("L2", w.Page)
	line("Y2", w.Item.FirstSeen.UTC().Format("2006/01/02"))
	line("N1", w.archived())
	line("ID", string(w.Item.Source)+"-"+w.Item.ID.String())
	b.WriteString("ER  - \r\n")
	return b.String()
}
