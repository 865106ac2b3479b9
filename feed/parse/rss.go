package parse

import (
	"slices"
	"strings"

	"github.com/mmcdole/gofeed/rss"

	"chancery/feed"
)

// readRSS reads RSS 0.90 to 2.0 and RSS 1.0: one pass over the head and the
// wanted items with this package's reader, which writes the core elements for
// gofeed, then one over what gofeed decoded.
func (d *Document) readRSS(parts []int) (*feed.Feed, error) {
	o := d.outline
	d.fixes = 0
	d.namer = namer{core: map[string]bool{"rss": true, "rss11": true}}
	d.rootNames(rssNamespace)
	var head tree
	d.build(&head, o.root, o.entries, context{base: d.documentBase()})
	root := &head.nodes[0]
	channel := root
	if c := head.child(root, "channel"); c != nil {
		channel = c
	} else if root.q != "channel" {
		d.fixes |= fixRoot
	}
	f := &feed.Feed{Format: d.rssFormat(root)}
	c := &composer{}
	open := func() {
		c.reset()
		c.start("rss", "version", "2.0")
		c.start("channel")
	}
	open()
	d.rssHead(f, c, &head, root, channel)
	headFixes := o.fixes | d.fixes | d.namer.fixes

	inside := context{scope: o.scope, base: channel.base, lang: channel.lang}
	outside := context{scope: o.scope, base: root.base, lang: root.lang}
	if f.Language != "" && channel.lang == "" {
		inside.lang, outside.lang = f.Language, f.Language
	}
	filled := 0
	fill := func() error { // has gofeed decode what was composed
		c.end("channel")
		c.end("rss")
		g, err := c.decodeRSS(d, len(f.Entries)-filled)
		if err != nil {
			return err
		}
		if filled == 0 {
			d.fillRSS(f, g)
		}
		for k, item := range g.Items {
			d.fillItem(&f.Entries[filled+k], item, f)
		}
		filled = len(f.Entries)
		headFixes |= d.fixes
		return nil
	}
	var t tree
	for i, part := range parts {
		at := o.entries[part]
		cx := inside
		if at.lo < channel.inner.lo || at.hi > channel.inner.hi {
			cx = outside
		}
		d.fixes, d.namer.fixes = 0, 0
		d.build(&t, at, nil, cx)
		f.Entries = append(f.Entries, d.rssItem(c, &t, f))
		own := d.fixes | d.namer.fixes
		headFixes |= own
		f.Entries[i].Bytes = d.digest(part)
		f.Entries[i].Repairs = own.names()
		if len(c.buf) > maxCompose {
			if err := fill(); err != nil {
				return nil, err
			}
			open()
		}
	}
	if filled < len(f.Entries) || filled == 0 {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	d.fixes = 0
	d.settleTitles(f, parts)
	d.settleDates(f, parts)
	f.Repairs = (headFixes | d.fixes).names()
	if order := d.rdfSeq(&head, channel); order != nil {
		slices.SortStableFunc(f.Entries, func(a, b feed.Entry) int { return order(a.ID) - order(b.ID) })
	}
	return f, nil
}

// rssNamespace reports whether a root in the namespace of this key is RSS's own.
func rssNamespace(key string) bool { return key == "rss" || key == "rss11" || key == "rdf" }

// rootNames sets which elements are the format's own: those in the root's
// namespace, whatever it is, unless it is that of an extension; then those with
// the root's prefix by the root's own declaration (CONFORMANCE P-03, P-15).
func (d *Document) rootNames(own func(key string) bool) {
	n := &d.namer
	n.prefix, n.scope = d.outline.rootPrefix, len(d.outline.scope)
	for _, v := range slices.Backward(d.outline.scope) {
		if string(v.prefix) != n.prefix {
			continue
		}
		norm := normalURI(string(v.uri))
		key, known := namespaces[norm]
		if !known {
			n.root = norm
		}
		if key == "rdf" && n.prefix != "" { // <rdf:RDF>: what is in it is named otherwise
			n.prefix = "rdf:"
		}
		misspelled := canonical[key] != "" && own(key) && string(v.uri) != canonical[key]
		if !known && norm != "" || known && !own(key) || misspelled {
			d.fixes |= fixNamespace
		}
		return
	}
	if n.prefix != "" && conventional[n.prefix] == "" {
		d.fixes |= fixNamespace
	}
}

// rssFormat tells the versions apart.
func (d *Document) rssFormat(root *node) feed.Format {
	if strings.EqualFold(root.local, "rdf") {
		for _, b := range d.outline.scope {
			if u := normalURI(string(b.uri)); strings.HasSuffix(u, "/rdf/simple/0.9") {
				return feed.RSS090
			}
		}
		return feed.RSS10
	}
	v := strings.TrimSpace(root.attr("version"))
	switch {
	case v == "0.90" || v == "0.9":
		return feed.RSS090
	case v == "0.91":
		return feed.RSS091
	case strings.HasPrefix(v, "0.92"), v == "0.93", v == "0.94":
		return feed.RSS092
	case v == "1.0":
		return feed.RSS10
	}
	return feed.RSS20
}

// rdfSeq is the order that the rdf:Seq of an RSS 1.0 channel gives (P-32), or nil.
// Items that it does not name keep their place at the end.
func (d *Document) rdfSeq(t *tree, channel *node) func(id string) int {
	items := t.child(channel, "items")
	if items == nil {
		return nil
	}
	seq := t.child(items, "rdf:seq")
	if seq == nil {
		return nil
	}
	at := map[string]int{}
	for li := range t.children(seq) {
		r := li.attr("rdf:resource")
		if r == "" {
			r = li.attr("resource")
		}
		if _, ok := at[r]; !ok && r != "" {
			at[r] = len(at)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return func(id string) int {
		if i, ok := at[id]; ok {
			return i
		}
		return len(at)
	}
}

// rssHead reads the channel. Elements that RSS 1.0 puts beside the channel
// (image, textinput) are read as if they were in it.
func (d *Document) rssHead(f *feed.Feed, c *composer, t *tree, root, channel *node) {
	seen := map[string]bool{}
	once := func(n *node) bool { // the first that says something
		if seen[n.q] {
			d.fixes |= fixDouble
			return false
		}
		seen[n.q] = n.inner.hi > n.inner.lo || len(n.attrs) > 0
		return seen[n.q]
	}
	f.ID = channel.attr("rdf:about")
	f.Language = channel.lang
	read := func(n *node) {
		switch n.q {
		case "title", "description", "copyright":
			if !once(n) {
				return
			}
			v := t.htmlOrText(n)
			switch n.q {
			case "title":
				f.Title = v
			case "description":
				f.Subtitle = v
			default:
				f.Rights = v
			}
			c.elem(n.q, v.Value)
		case "link":
			raw := t.value(n)
			if raw == "" {
				if l := t.atomLink(n); l.Href != "" {
					f.Links = append(f.Links, l)
					if l.Rel == "alternate" && l.Type == "" {
						c.elem("link", l.Href)
					}
				}
				return
			}
			if u := t.link(n, raw); u != "" { // of several the last counts, as for most readers
				c.elem("link", u)
				l := feed.Link{Rel: "alternate", Href: u}
				if u != raw {
					l.Raw = raw
				}
				f.Links = append(f.Links, l)
			}
		case "language", "generator", "ttl", "managingeditor":
			if once(n) {
				c.elem(rssNames[n.q], t.value(n))
			}
		case "pubdate":
			if once(n) {
				d.date(&f.Published, t.value(n))
			}
		case "lastbuilddate":
			if once(n) {
				d.date(&f.Updated, t.value(n))
			}
		case "category":
			c.elem("category", t.value(n), "domain", n.attr("domain"))
		case "skiphours", "skipdays":
			item := map[string]string{"skiphours": "hour", "skipdays": "day"}[n.q]
			c.start(rssNames[n.q])
			for x := range t.children(n) {
				if x.q == item {
					c.elem(item, t.value(x))
				}
			}
			c.end(rssNames[n.q])
		case "cloud":
			c.elem("cloud", "", "domain", n.attr("domain"), "port", n.attr("port"), "path", n.attr("path"),
				"registerProcedure", n.attr("registerprocedure"), "protocol", n.attr("protocol"))
		case "image":
			t.rssImage(n, f, c)
			f.Extensions = append(f.Extensions, t.extension(n))
		case "items", "item", "entry", "channel":
		default:
			d.headElement(t, n, f)
		}
	}
	for n := range t.children(channel) {
		read(n)
	}
	if f.Title.IsZero() {
		if n := t.child(channel, "dc:title"); n != nil {
			f.Title = t.htmlOrText(n)
			c.elem("title", f.Title.Value)
		}
	}
	for _, q := range []string{"itunes:summary", "dc:description", "itunes:subtitle"} {
		if n := t.child(channel, q); n != nil && f.Subtitle.IsZero() {
			f.Subtitle = t.htmlOrText(n)
			c.elem("description", f.Subtitle.Value)
		}
	}
	if root != channel {
		for n := range t.children(root) {
			read(n)
		}
	}
	d.finishHead(f)
}

// rssNames gives the spelling that gofeed's struct has for names that are not all
// lower case.
var rssNames = map[string]string{
	"language": "language", "generator": "generator", "ttl": "ttl", "managingeditor": "managingEditor",
	"skiphours": "skipHours", "skipdays": "skipDays",
}

// rssImage reads the channel's image. RSS 1.0 may have only a reference to one.
func (t *tree) rssImage(n *node, f *feed.Feed, c *composer) {
	u := n.attr("rdf:resource")
	if x := t.child(n, "url"); x != nil {
		u = t.link(x, t.value(x))
	} else {
		if u == "" {
			u = n.attr("href")
		}
		u = t.link(n, u)
	}
	if u == "" || f.Image != "" {
		return
	}
	f.Image = u
	c.start("image")
	c.elem("url", u)
	if x := t.child(n, "title"); x != nil {
		c.elem("title", t.value(x))
	}
	c.end("image")
}

// headElement reads an element of the channel that is not RSS's own, or has no
// field in gofeed's struct.
func (d *Document) headElement(t *tree, n *node, f *feed.Feed) {
	switch n.q {
	case "atom:link":
		f.Links = append(f.Links, t.atomLink(n))
	case "atom:id":
		f.ID = t.value(n)
	case "atom:author", "atom:contributor":
		p := t.atomPerson(n)
		if n.q == "atom:author" {
			f.Authors = d.addPerson(f.Authors, p)
		} else {
			f.Contributors = d.addPerson(f.Contributors, p)
		}
	case "atom:updated", "dcterms:modified", "dc:date":
		d.date(&f.Updated, t.value(n))
	case "atom:published", "dcterms:issued", "dcterms:created":
		if f.Published.Raw == "" {
			d.date(&f.Published, t.value(n))
		}
	case "atom:category":
		f.Categories = append(f.Categories, atomCategory(n))
	case "atom:subtitle":
		if f.Subtitle.IsZero() {
			f.Subtitle, _ = t.atomText(n)
		}
	case "atom:rights", "dc:rights", "dcterms:rights":
		if f.Rights.IsZero() {
			f.Rights, _ = t.atomText(n)
		}
	case "dc:creator", "dc:author", "itunes:author", "author":
		f.Authors = d.addPerson(f.Authors, person(t.value(n)))
	case "dc:contributor":
		f.Contributors = d.addPerson(f.Contributors, person(t.value(n)))
	case "dc:language":
		if f.Language == "" {
			f.Language = language(t.value(n))
		}
	case "dc:subject":
		f.Categories = d.addCategory(f.Categories, feed.Category{Term: t.value(n)})
	case "itunes:category":
		f.Categories = t.itunesCategories(n, f.Categories)
	case "itunes:keywords":
		f.Categories = d.keywords(t.value(n), f.Categories)
	case "itunes:image":
		if u := t.link(n, imageRef(n)); u != "" && f.Image == "" {
			f.Image = u
		}
		f.Extensions = append(f.Extensions, t.extension(n))
	default:
		if d.hint(t, n, f) {
			return
		}
		f.Extensions = append(f.Extensions, t.extension(n))
	}
}

// finishHead derives the fields that links stand for.
func (d *Document) finishHead(f *feed.Feed) {
	f.URL = firstLink(f.Links, "alternate")
	f.Self = firstLink(f.Links, "self")
	f.Hubs = hubs(f.Links)
	if f.Hints.NextURL == "" {
		f.Hints.NextURL = firstLink(f.Links, "next")
	}
	f.Hints.PrevArchive = firstLink(f.Links, "prev-archive")
}

// htmlOrText reads an element of RSS that may hold HTML and hardly ever says so: what
// looks like HTML is HTML.
func (t *tree) htmlOrText(n *node) feed.Text {
	if n.first != 0 {
		return t.text(n, feed.HTML, t.loose(n))
	}
	v := t.value(n)
	if strings.Contains(n.attr("type"), "html") || looksHTML(v) {
		return t.text(n, feed.HTML, v)
	}
	return t.text(n, feed.PlainText, v)
}

// fillRSS takes over what gofeed decoded of the head.
func (d *Document) fillRSS(f *feed.Feed, g *rss.Feed) {
	f.Title.Value, f.Subtitle.Value = g.Title, g.Description
	if g.Copyright != "" {
		f.Rights.Value = g.Copyright
	}
	f.Generator = g.Generator
	if lang := language(g.Language); lang != "" {
		f.Language = lang
	}
	if g.Link != "" {
		f.URL = g.Link
	}
	if g.Image != nil && f.Image == "" {
		f.Image = g.Image.URL
	}
	f.Authors = d.authorFirst(g.ManagingEditor, f.Authors)
	var cats []feed.Category
	for _, c := range g.Categories {
		cats = append(cats, feed.Category{Term: c.Value, Scheme: c.Domain})
	}
	f.Categories = append(cats, f.Categories...)
	rssHints(&f.Hints, g)
	finishTexts(f.Language, &f.Title, &f.Subtitle, &f.Rights)
}
