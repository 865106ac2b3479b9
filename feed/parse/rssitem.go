package parse

import (
	"strconv"
	"strings"

	"github.com/mmcdole/gofeed/rss"

	"chancery/feed"
)

// rssItem reads one item: it writes the core elements for gofeed and returns an
// entry with all else.
func (d *Document) rssItem(c *composer, t *tree, f *feed.Feed) feed.Entry {
	c.start("item")
	defer c.end("item")
	if len(t.nodes) == 0 {
		return feed.Entry{}
	}
	root := &t.nodes[0]
	e := feed.Entry{Language: root.lang}
	about := root.attr("rdf:about")
	var (
		title, description, content *node
		guid, source                *node
		author                      bool
		links                       []feed.Link
	)
	for n := range t.children(root) {
		switch n.q {
		case "title":
			pick(&title, n)
		case "description":
			pick(&description, n)
		case "content:encoded", "encoded":
			if content == nil || content.q != "content:encoded" || empty(content) {
				content = n
			}
		case "xhtml:body", "xhtml:div", "body", "content", "atom:content", "fullitem":
			pick(&content, n)
		case "atom:summary", "summary":
			pick(&description, n)
		case "atom:title":
			if title == nil {
				title = n
			}
		case "link":
			if raw := t.value(n); raw != "" {
				l := feed.Link{Rel: "alternate", Href: t.link(n, raw)}
				if l.Href != raw {
					l.Raw = raw
				}
				links = append(links, l)
			} else if l := t.atomLink(n); l.Href != "" {
				links = append(links, l)
			}
		case "atom:link":
			links = append(links, t.atomLink(n))
		case "guid":
			pick(&guid, n)
		case "atom:id", "id", "dc:identifier":
			if e.ID == "" {
				e.ID = t.value(n)
			}
		case "author":
			if !author && n.first == 0 {
				author = true
				c.elem("author", t.value(n))
				break
			}
			if x := t.child(n, "name"); x != nil {
				e.Authors = d.addPerson(e.Authors, t.atomPerson(n))
			} else {
				e.Authors = d.addPerson(e.Authors, person(t.value(n)))
			}
		case "comments":
			c.elem("comments", t.link(n, t.value(n)))
		case "category":
			c.elem("category", t.value(n), "domain", n.attr("domain"))
		case "enclosure":
			c.elem("enclosure", "", "url", t.link(n, enclosureURL(t, n)), "length", n.attr("length"), "type", n.attr("type"))
		case "source":
			pick(&source, n)
		case "pubdate":
			d.date(&e.Published, t.value(n))
		default:
			d.itemElement(t, n, &e)
		}
	}
	t.position(&e)
	d.itemTexts(c, t, root, &e, title, description, content)
	d.itemDates(t, root, &e)
	if guid != nil && !empty(guid) {
		said := strings.ToLower(strings.TrimSpace(guid.attr("ispermalink"))) // in any case of letters
		if e.Permalink = said == "true" || said == "1"; e.Permalink {
			e.URL = t.link(guid, t.value(guid)) // until gofeed has decoded a link
		}
		c.elem("guid", t.value(guid), "isPermaLink", said)
	} else if e.ID == "" {
		e.ID = about
	}
	if source != nil {
		c.elem("source", t.value(source), "url", t.link(source, source.attr("url")))
	}
	e.Links = append(links, e.Links...)
	core := ""
	for _, l := range links { // of several the last counts, as for most readers
		if l.Rel == "alternate" && l.Href != "" && (core == "" || l.Type == "") {
			core = l.Href
		}
	}
	c.elem("link", core)
	if u := t.link(root, about); u != "" && firstLink(e.Links, "alternate") == "" && strings.HasPrefix(u, "http") {
		e.URL = u
	}
	return e
}

// pick keeps the first node that has something inside.
func pick(to **node, n *node) {
	if *to == nil || empty(*to) {
		*to = n
	}
}

func empty(n *node) bool { return !n.text && n.first == 0 }

// enclosureURL is where an enclosure is: its url, or what is written instead.
func enclosureURL(t *tree, n *node) string {
	for _, a := range []string{"url", "href", "rdf:resource", "src", "enc:url"} {
		if v := n.attr(a); v != "" {
			return v
		}
	}
	return t.value(n)
}

// itemTexts decides which element is title, summary and content (P-33, P-34), and
// hands their values on.
func (d *Document) itemTexts(c *composer, t *tree, root *node, e *feed.Entry, title, description, content *node) {
	for _, q := range []string{"dc:title", "itunes:title", "media:title"} {
		if title != nil && !empty(title) {
			break
		}
		if n := t.mediaText(root, q); n != nil {
			title = n
		}
	}
	for _, q := range []string{"dc:description", "dcterms:abstract", "itunes:summary", "media:description", "itunes:subtitle"} {
		if description != nil && !empty(description) || content != nil && !empty(content) {
			break
		}
		if n := t.mediaText(root, q); n != nil {
			description = n
		}
	}
	if title != nil {
		e.Title = t.anyText(title)
		c.elem("title", e.Title.Value)
	}
	if description != nil {
		e.Summary = t.anyText(description)
		c.elem("description", e.Summary.Value)
	}
	if content == nil || empty(content) {
		return
	}
	switch content.q {
	case "content:encoded", "encoded":
		e.Content = t.text(content, feed.HTML, t.value(content))
		if content.first != 0 {
			e.Content.Value = t.loose(content)
		}
	case "xhtml:body", "xhtml:div", "body":
		e.Content = t.text(content, feed.XHTML, t.xhtml(content))
	default:
		e.Content = t.anyText(content)
	}
	c.elem("content:encoded", e.Content.Value)
}

// anyText reads a text of an item by the rules of its own vocabulary.
func (t *tree) anyText(n *node) feed.Text {
	if n.key == nsAtom || n.key == "atom03" {
		tx, _ := t.atomText(n)
		return tx
	}
	return t.htmlOrText(n)
}

// itemDates reads the dates that are not pubDate, each with its own meaning
// (P-38): issued and created say when it was published, modified when updated.
func (d *Document) itemDates(t *tree, root *node, e *feed.Entry) {
	for _, q := range []string{"atom:published", "dcterms:issued", "dc:date", "date", "published", "issued", "dcterms:created", "dcterms:dateaccepted", "created", "dc:date.issued"} {
		if e.Published.Raw != "" {
			break
		}
		if n := t.child(root, q); n != nil {
			d.date(&e.Published, t.value(n))
		}
	}
	for _, q := range []string{"atom:updated", "dcterms:modified", "modified", "updated", "lastbuilddate"} {
		if e.Updated.Raw != "" {
			break
		}
		if n := t.child(root, q); n != nil {
			d.date(&e.Updated, t.value(n))
		}
	}
}

// itemElement reads an element of an item that is not handed to gofeed.
func (d *Document) itemElement(t *tree, n *node, e *feed.Entry) {
	switch n.q {
	case "atom:author", "atom:contributor", "contributor":
		p := t.atomPerson(n)
		if n.q == "atom:author" {
			e.Authors = d.addPerson(e.Authors, p)
		} else {
			e.Contributors = d.addPerson(e.Contributors, p)
		}
	case "dc:creator", "dc:author", "itunes:author", "creator":
		e.Authors = d.addPerson(e.Authors, person(t.value(n)))
	case "dc:contributor", "dcterms:contributor":
		e.Contributors = d.addPerson(e.Contributors, person(t.value(n)))
	case "atom:category":
		e.Categories = append(e.Categories, atomCategory(n))
	case "dc:subject", "dcterms:subject":
		if v := t.subject(n); v != "" {
			e.Categories = d.addCategory(e.Categories, feed.Category{Term: v})
		}
	case "itunes:category":
		e.Categories = t.itunesCategories(n, e.Categories)
	case "itunes:keywords":
		e.Categories = d.keywords(t.value(n), e.Categories)
	case "dc:language", "language", "dcterms:language":
		if v := language(t.value(n)); v != "" {
			e.Language = v
		}
	case "dc:rights", "atom:rights", "copyright", "dcterms:rights":
		if e.Rights.IsZero() {
			e.Rights = t.anyText(n)
		}
	case "atom:source":
		e.Origin = t.origin(n)
	case "slash:comments":
		e.Replies.Count = count(t.value(n))
	case "wfw:commentrss":
		if e.Replies.FeedURL == "" {
			e.Replies.FeedURL = t.link(n, t.value(n))
		}
	case "image":
		u := n.attr("href")
		if x := t.child(n, "url"); x != nil {
			u = t.value(x)
		} else if u == "" {
			u = t.value(n)
		}
		if e.Image == "" {
			e.Image = t.link(n, u)
		}
		e.Extensions = append(e.Extensions, t.extension(n))
	case "atom:published", "atom:updated", "dcterms:issued", "dcterms:modified", "dcterms:created", "dc:date",
		"date", "published", "issued", "created", "modified", "updated", "lastbuilddate", "dc:title", "dc:description":
		// read by itemDates and itemTexts
	default:
		t.mediaInto(n, e)
		t.place(n, e)
		if t.thread(n, e) {
			return
		}
		e.Extensions = append(e.Extensions, t.extension(n))
	}
}

// subject reads dc:subject, which may be a taxonomy topic with a value inside.
func (t *tree) subject(n *node) string {
	if n.first == 0 {
		return t.value(n)
	}
	for c := range t.children(n) {
		if v := t.child(c, "rdf:value"); v != nil {
			return t.value(v)
		}
	}
	return t.value(n)
}

// thread reads the threading extension (RFC 4685).
func (t *tree) thread(n *node, e *feed.Entry) bool {
	switch n.q {
	case "thr:in-reply-to":
		e.Replies.InReplyTo = append(e.Replies.InReplyTo, feed.ReplyTo{
			Ref: n.attr("ref"), URL: t.link(n, n.attr("href")), Type: n.attr("type"), Source: t.link(n, n.attr("source")),
		})
	case "thr:total":
		e.Replies.Count = count(t.value(n))
	default:
		return false
	}
	return true
}

// count reads a number of replies; 0 if it is none.
func count(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// fillItem takes over what gofeed decoded of an item.
func (d *Document) fillItem(e *feed.Entry, g *rss.Item, f *feed.Feed) {
	e.Title.Value, e.Summary.Value, e.Content.Value = g.Title, g.Description, g.Content
	if e.Content.IsZero() { // only a description: it is the content (P-33)
		e.Content, e.Summary = e.Summary, feed.Text{}
	}
	e.Comments = g.Comments
	guidURL := e.URL
	if g.GUID != nil && e.Permalink || g.Link != "" {
		e.URL = g.Link
	}
	if g.GUID != nil {
		e.ID = g.GUID.Value
		d.permalink(e, g.GUID, guidURL, f)
	}
	e.Authors = d.authorFirst(g.Author, e.Authors)
	cats := make([]feed.Category, 0, len(g.Categories)+len(e.Categories))
	for _, c := range g.Categories {
		cats = append(cats, feed.Category{Term: c.Value, Scheme: c.Domain})
	}
	if e.Categories = append(cats, e.Categories...); len(e.Categories) == 0 {
		e.Categories = nil
	}
	var enc []feed.Enclosure
	for _, x := range g.Enclosures {
		if x.URL != "" {
			enc = append(enc, feed.Enclosure{URL: x.URL, Type: x.Type, Length: length(x.Length)})
		}
	}
	e.Enclosures = append(enc, e.Enclosures...)
	linkFields(e)
	for _, x := range e.Extensions {
		if x.Name == "duration" && x.Space == canonical["itunes"] && len(e.Enclosures) > 0 {
			e.Enclosures[0].Duration = clock(x.Value)
		}
	}
	if e.Image == "" {
		for _, x := range e.Enclosures {
			if strings.HasPrefix(x.Type, "image/") {
				e.Image = x.URL
				break
			}
		}
	}
	if g.Source != nil && e.Origin == nil && (g.Source.URL != "" || g.Source.Title != "") {
		e.Origin = &feed.Origin{Self: g.Source.URL}
		if g.Source.Title != "" {
			e.Origin.Title = feed.Text{Type: feed.PlainText, Value: g.Source.Title}
		}
	}
	d.finishEntry(e, f)
}

// permalink decides whether a guid is a URL. By default it is one (RSS 2.0), but
// most guids that don't say so are opaque; so unsaid it is believed of what looks
// like a URL only. It is the link if there is no other (P-31).
func (d *Document) permalink(e *feed.Entry, g *rss.GUID, resolved string, f *feed.Feed) {
	said := e.Permalink
	e.Permalink = false
	if g.IsPermalink != "true" && g.IsPermalink != "1" {
		return
	}
	u := cleanURL(e.ID)
	if !isAbsolute(u) && said {
		if u = resolved; !isAbsolute(u) {
			u = resolve(f.URL, u)
		}
	}
	if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		return
	}
	e.Permalink = true
	if e.URL == "" {
		e.URL = u
	}
}

// finishEntry inherits what an entry does not say from its origin or the feed, and
// drops what it says in vain.
func (d *Document) finishEntry(e *feed.Entry, f *feed.Feed) {
	if len(e.Authors) == 0 {
		from := f.Authors
		if e.Origin != nil && len(e.Origin.Authors) > 0 {
			from = e.Origin.Authors
		}
		e.Authors = d.inherit(from)
	}
	if e.Language == "" {
		e.Language = f.Language
	}
	if noPlace(e.URL) { // an id that looks like one
		d.fixes |= fixUnsafeLink
		e.URL, e.Permalink = "", false
	}
	finishTexts(e.Language, &e.Title, &e.Summary, &e.Content, &e.Rights)
	if e.Origin != nil {
		finishTexts(e.Language, &e.Origin.Title, &e.Origin.Subtitle, &e.Origin.Rights)
	}
}

// finishTexts drops what need not be said: a language that is that of the whole,
// and the type of a text that is empty.
func finishTexts(lang string, texts ...*feed.Text) {
	for _, tx := range texts {
		if strings.EqualFold(tx.Lang, lang) {
			tx.Lang = ""
		}
		if tx.Value == "" {
			*tx = feed.Text{}
		}
	}
}
