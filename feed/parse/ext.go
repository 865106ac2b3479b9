package parse

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery/feed"
)

// extension gives n with all that is in it.
func (t *tree) extension(n *node) feed.Extension {
	x := feed.Extension{Space: n.uri, Name: n.local}
	if n.key == nsCore {
		if x.Space = ""; t.d.outline.dialect == dAtom {
			x.Space = canonical[nsAtom]
		}
	}
	if t.d.kept += 1 + len(n.attrs); t.d.kept > maxKept {
		t.d.fixes |= fixTooMany
		return x
	}
	for _, a := range n.attrs {
		x.Attrs = append(x.Attrs, feed.Attr{Space: a.uri, Name: a.local, Value: a.value(t.d)})
	}
	if n.key == nsCore && t.d.outline.dialect == dAtom && n.local == "info" { // a text construct of Atom 0.3
		tx, _ := t.atomText(n)
		x.Value = tx.Value
		x.Attrs = []feed.Attr{{Name: "type", Value: string(tx.Type)}, {Space: canonical["xml"], Name: "base", Value: tx.Base}, {Space: canonical["xml"], Name: "lang", Value: tx.Lang}}
		return x
	}
	if n.first == 0 {
		x.Value = t.value(n)
		return x
	}
	if n.key == "xhtml" { // kept as the markup it is
		x.Value = t.d.markup(n.inner, true, false)
		return x
	}
	x.Value = strings.TrimSpace(t.ownText(n))
	for c := range t.children(n) {
		x.Children = append(x.Children, t.extension(c))
	}
	return x
}

// ownText is the text directly inside n.
func (t *tree) ownText(n *node) string {
	if !n.text {
		return ""
	}
	var out []byte
	at := n.inner.lo
	for c := range t.children(n) {
		if c.outer.lo > at {
			out = t.d.chars(out, span{at, c.outer.lo})
		}
		at = c.outer.hi
	}
	if at < n.inner.hi {
		out = t.d.chars(out, span{at, n.inner.hi})
	}
	return string(out)
}

// mediaInto reads what Media RSS and the iTunes tags say about an entry's picture
// and categories, besides being kept as extensions (CONFORMANCE P-41).
func (t *tree) mediaInto(n *node, e *feed.Entry) {
	switch n.q {
	case "media:thumbnail":
		if u := t.link(n, n.attr("url")); u != "" && e.Image == "" {
			e.Image = u
		}
	case "media:content":
		u := t.link(n, n.attr("url"))
		if u != "" && e.Image == "" && (n.attr("medium") == "image" || strings.HasPrefix(n.attr("type"), "image/")) {
			e.Image = u
		}
		for c := range t.children(n) {
			t.mediaInto(c, e)
		}
	case "media:group":
		for c := range t.children(n) {
			t.mediaInto(c, e)
		}
	case "media:category":
		if v := t.value(n); v != "" {
			e.Categories = append(e.Categories, feed.Category{Term: v, Scheme: n.attr("scheme"), Label: n.attr("label")})
		}
	case "itunes:image":
		if u := t.link(n, imageRef(n)); u != "" && e.Image == "" {
			e.Image = u
		}
	}
}

// mediaText finds a text of an entry, such as its media:description, directly or in a
// media:group.
func (t *tree) mediaText(n *node, q string) *node {
	if c := t.child(n, q); c != nil {
		return c
	}
	if g := t.child(n, "media:group"); g != nil {
		return t.child(g, q)
	}
	return nil
}

// imageRef is the address of an itunes:image, in either spelling.
func imageRef(n *node) string {
	if v := n.attr("href"); v != "" {
		return v
	}
	return n.attr("url")
}

const itunesScheme = "http://www.itunes.com/"

// itunesCategories reads the nested categories of a podcast.
func (t *tree) itunesCategories(n *node, to []feed.Category) []feed.Category {
	if v := strings.TrimSpace(n.attr("text")); v != "" {
		to = t.d.addCategory(to, feed.Category{Term: v, Scheme: itunesScheme})
	}
	for c := range t.children(n) {
		if c.q == "itunes:category" {
			to = t.itunesCategories(c, to)
		}
	}
	return to
}

// addCategory appends x unless it is there already.
func (d *Document) addCategory(list []feed.Category, x feed.Category) []feed.Category {
	switch {
	case x.Term == "":
		return list
	case len(list) >= maxListed:
		d.fixes |= fixTooMany
		return list
	case slices.Contains(list, x):
		return list
	}
	return append(list, x)
}

// keywords reads itunes:keywords, a list with commas or only spaces.
func (d *Document) keywords(s string, to []feed.Category) []feed.Category {
	list := strings.Split(s, ",")
	if len(list) == 1 {
		list = strings.Fields(s)
	}
	for _, k := range list {
		if k = strings.TrimSpace(k); k != "" {
			to = d.addCategory(to, feed.Category{Term: k, Scheme: itunesScheme})
		}
	}
	return to
}

// clock reads a duration as "h:mm:ss", "mm:ss" or seconds; 0 if it is none.
func clock(s string) time.Duration {
	const longest = 1e7 // seconds: four months, which no recording has
	seconds := 0.0
	parts := strings.Split(strings.TrimSpace(s), ":")
	if len(parts) > 3 {
		return 0
	}
	for _, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if seconds = seconds*60 + v; err != nil || !(v >= 0 && seconds <= longest) {
			return 0
		}
	}
	return time.Duration(seconds * float64(time.Second))
}

// length reads a size in bytes, with or without marks between its thousands; 0 if it is
// none.
func length(s string) int64 {
	if s = strings.TrimSpace(s); s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n, err = strconv.ParseInt(thousands.Replace(s), 10, 64)
	}
	if err != nil || n < 0 {
		return 0
	}
	return n
}

var thousands = strings.NewReplacer(",", "", ".", "", " ", "")

// hubs are links that name a place that pushes (WebSub §4).
func hubs(links []feed.Link) (out []feed.Hub) {
	for _, l := range links {
		if l.Rel == "hub" && l.Href != "" {
			out = append(out, feed.Hub{Type: "WebSub", URL: l.Href})
		}
	}
	return out
}
