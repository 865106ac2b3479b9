package parse

import (
	"slices"
	"strings"

	"github.com/mmcdole/gofeed/atom"

	"chancery/feed"
)

// readAtom reads Atom 1.0, Atom 0.3 and Atom entry documents, in the same two
// steps as readRSS.
func (d *Document) readAtom(parts []int) (*feed.Feed, error) {
	o := d.outline
	d.fixes = 0
	d.namer = namer{core: map[string]bool{nsAtom: true, "atom03": true}}
	d.rootNames(func(key string) bool { return key == nsAtom || key == "atom03" })
	base := d.documentBase()
	f := &feed.Feed{Format: feed.Atom10}
	c := &composer{}
	open := func() {
		c.reset()
		c.start("feed", "xmlns", canonical[nsAtom])
	}
	open()
	cx := context{scope: o.scope, base: base}
	if !o.single {
		var head tree
		d.build(&head, o.root, o.entries, context{base: base})
		root := &head.nodes[0]
		if d.isAtom03(root) {
			f.Format = feed.Atom03
		}
		cx.base, cx.lang = root.base, root.lang
		f.Language = root.lang
		d.atomHead(f, c, &head, root)
	} else {
		f.Format = feed.AtomItem
		cx.scope = nil // the root is the entry, and declares for itself
	}
	fx := o.fixes | d.fixes | d.namer.fixes
	filled := 0
	fill := func() error { // has gofeed decode what was composed
		c.end("feed")
		g, err := c.decodeAtom(d, len(f.Entries)-filled)
		if err != nil {
			return err
		}
		if filled == 0 {
			d.fillAtom(f, g)
		}
		for k, entry := range g.Entries {
			d.fillEntry(&f.Entries[filled+k], entry, f)
		}
		filled = len(f.Entries)
		fx |= d.fixes
		return nil
	}
	var t tree
	for i, part := range parts {
		at := o.entries[part]
		d.fixes, d.namer.fixes = 0, 0
		d.build(&t, at, nil, cx)
		e := d.atomEntry(c, &t)
		e.Bytes = d.digest(part)
		f.Entries = append(f.Entries, e)
		f.Entries[i].Repairs = (d.fixes | d.namer.fixes).names()
		fx |= d.fixes | d.namer.fixes
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
	d.findRevisions(f)
	d.settleDates(f, parts)
	f.Repairs = (fx | d.fixes).names()
	return f, nil
}

func (d *Document) isAtom03(root *node) bool {
	if v := root.attr("version"); v == "0.3" || v == "0.2" || v == "0.1" {
		return true
	}
	for _, b := range slices.Backward(d.outline.scope) {
		if string(b.prefix) == d.outline.rootPrefix {
			return namespaces[normalURI(string(b.uri))] == "atom03"
		}
	}
	return false
}

// atomHead reads the children of the feed.
func (d *Document) atomHead(f *feed.Feed, c *composer, t *tree, root *node) {
	for n := range t.children(root) {
		switch n.q {
		case "title":
			c.firstText(t, n, "title", &f.Title)
		case "subtitle", "tagline":
			c.firstText(t, n, "subtitle", &f.Subtitle)
		case "rights", "copyright":
			c.firstText(t, n, "rights", &f.Rights)
		case "id":
			if f.ID == "" {
				f.ID = t.value(n)
			}
		case "updated", "modified":
			if f.Updated.Raw == "" {
				d.date(&f.Updated, t.value(n))
			}
		case "link":
			f.Links = append(f.Links, c.atomLink(t, n))
		case "generator":
			c.elem("generator", t.value(n))
			if len(n.attrs) > 0 {
				f.Extensions = append(f.Extensions, t.extension(n))
			}
		case "logo", "icon":
			if u := t.link(n, t.value(n)); u != "" && (f.Image == "" || n.q == "logo") {
				f.Image = u
			}
			f.Extensions = append(f.Extensions, t.extension(n))
		case "author":
			f.Authors = append(f.Authors, c.atomPerson(t, n))
		case "contributor":
			f.Contributors = append(f.Contributors, c.atomPerson(t, n))
		case "category":
			f.Categories = append(f.Categories, c.atomCategory(n))
		case "entry", "item":
		case "at:deleted-entry":
			f.Deleted = append(f.Deleted, d.tombstone(t, n))
		case "published", "issued", "created":
			if f.Published.Raw == "" {
				d.date(&f.Published, t.value(n))
			}
		default:
			d.headElement(t, n, f)
		}
	}
	d.finishHead(f)
}

// firstText reads a text construct into to, unless one that says something was there
// before, and hands it on under its name in Atom 1.0.
func (c *composer) firstText(t *tree, n *node, name string, to *feed.Text) {
	if to.IsZero() {
		*to, _ = t.atomText(n)
		c.atomText(name, *to)
	}
}

// atomText hands a text on as plain text, so that gofeed returns its characters
// as they are; what they mean is kept in the feed.Text.
func (c *composer) atomText(name string, tx feed.Text) {
	c.elem(name, tx.Value, "type", "text")
}

// atomLink reads a link, and hands on what gofeed keeps as it is: all but the href.
func (c *composer) atomLink(t *tree, n *node) feed.Link {
	l := t.atomLink(n)
	c.tag("link", []string{"rel", l.Rel, "type", l.Type, "hreflang", l.HrefLang, "title", l.Title})
	c.buf = append(c.buf, "/>"...)
	return feed.Link{Href: l.Href, Raw: l.Raw, Length: l.Length}
}

// atomPerson hands a person on, all but the URL.
func (c *composer) atomPerson(t *tree, n *node) feed.Person {
	p := t.atomPerson(n)
	name := "author"
	if n.q == "contributor" {
		name = n.q
	}
	c.start(name)
	c.elem("name", p.Name)
	c.elem("email", p.Email)
	c.end(name)
	return feed.Person{URL: p.URL}
}

// atomCategory hands a category on, all but the scheme.
func (c *composer) atomCategory(n *node) feed.Category {
	x := atomCategory(n)
	c.tag("category", []string{"term", x.Term, "label", x.Label})
	c.buf = append(c.buf, "/>"...)
	return feed.Category{Scheme: x.Scheme}
}

// atomPerson reads a person construct (RFC 4287 §3.2), with the names of Atom 0.3.
// One without elements is read as RSS would write it.
func (t *tree) atomPerson(n *node) (p feed.Person) {
	for c := range t.children(n) {
		switch strings.ToLower(c.local) {
		case "name":
			p.Name = strings.Join(strings.Fields(t.value(c)), " ")
		case "email":
			p.Email = strings.TrimPrefix(t.value(c), "mailto:")
		case "uri", "url", "homepage":
			p.URL = t.link(c, t.value(c))
		case "image", "avatar":
			if p.Avatar == "" {
				p.Avatar = t.link(c, t.value(c))
			}
		}
	}
	if n.first == 0 {
		return person(t.value(n))
	}
	return p
}

func atomCategory(n *node) feed.Category {
	x := feed.Category{Term: strings.TrimSpace(n.attr("term")), Scheme: strings.TrimSpace(n.attr("scheme")), Label: n.attr("label")}
	return x
}

// tombstone reads at:deleted-entry (RFC 6721 §3).
func (d *Document) tombstone(t *tree, n *node) feed.Tombstone {
	x := feed.Tombstone{Ref: n.attr("ref")}
	d.date(&x.When, n.attr("when"))
	for c := range t.children(n) {
		switch c.q {
		case "at:by":
			x.By = append(x.By, t.atomPerson(c))
		case "at:comment":
			x.Comment, _ = t.atomText(c)
		}
	}
	return x
}

// atomEntry reads one entry: what gofeed keeps goes to c, the rest into the result.
func (d *Document) atomEntry(c *composer, t *tree) feed.Entry {
	c.start("entry")
	defer c.end("entry")
	if len(t.nodes) == 0 {
		return feed.Entry{}
	}
	root := &t.nodes[0]
	e := feed.Entry{Language: root.lang}
	var created, issued, encoded *node
	for n := range t.children(root) {
		switch n.q {
		case "title":
			c.firstText(t, n, "title", &e.Title)
		case "summary":
			c.firstText(t, n, "summary", &e.Summary)
		case "rights", "copyright":
			c.firstText(t, n, "rights", &e.Rights)
		case "content":
			d.atomContent(c, t, n, &e)
		case "id":
			if e.ID == "" {
				e.ID = t.value(n)
			}
		case "guid":
			if e.ID == "" {
				e.ID = t.value(n)
			}
		case "updated", "modified":
			e.Updated = feed.Date{} // of several the last counts
			d.date(&e.Updated, t.value(n))
		case "published":
			e.Published = feed.Date{}
			d.date(&e.Published, t.value(n))
		case "issued":
			issued = n
		case "created", "pubdate":
			created = n
		case "link":
			e.Links = append(e.Links, c.atomLink(t, n))
			if relation(n.attr("rel")) == "replies" {
				t.thrLink(n, &e)
			}
		case "author":
			e.Authors = append(e.Authors, c.atomPerson(t, n))
		case "contributor":
			e.Contributors = append(e.Contributors, c.atomPerson(t, n))
		case "category":
			e.Categories = append(e.Categories, c.atomCategory(n))
		case "source":
			e.Origin = t.origin(n)
		case "content:encoded":
			encoded = n
		default:
			d.itemElement(t, n, &e)
		}
	}
	t.position(&e)
	for _, n := range []*node{issued, t.child(root, "dcterms:issued"), t.child(root, "dc:date"), created, t.child(root, "dcterms:created")} {
		if n != nil && e.Published.Raw == "" {
			d.date(&e.Published, t.value(n))
			if n == created {
				created = nil
			}
		}
	}
	if created != nil {
		e.Extensions = append(e.Extensions, t.extension(created))
	}
	if n := t.child(root, "dcterms:modified"); n != nil && e.Updated.Raw == "" {
		d.date(&e.Updated, t.value(n))
	}
	if encoded != nil && e.Content.IsZero() && e.ContentURL == "" {
		e.Content = t.text(encoded, feed.HTML, t.value(encoded))
		c.atomText("content", e.Content)
	}
	if e.Title.IsZero() {
		if n := t.mediaText(root, "media:title"); n != nil {
			e.Title = t.htmlOrText(n)
			c.atomText("title", e.Title)
		}
	}
	if e.Summary.IsZero() && e.Content.IsZero() && e.ContentURL == "" {
		if n := t.mediaText(root, "media:description"); n != nil {
			e.Summary = t.htmlOrText(n)
			c.atomText("summary", e.Summary)
		}
	}
	return e
}

// atomContent reads atom:content. Of several the first of a type that people read
// is taken.
func (d *Document) atomContent(c *composer, t *tree, n *node, e *feed.Entry) {
	if !e.Content.IsZero() {
		return
	}
	if src := n.attr("src"); src != "" {
		e.ContentURL, e.ContentType = t.link(n, src), n.attr("type")
		return
	}
	e.Content, e.ContentType = t.atomText(n)
	c.atomText("content", e.Content)
}

// origin reads atom:source (RFC 4287 §4.2.11).
func (t *tree) origin(n *node) *feed.Origin {
	x := &feed.Origin{}
	var links []feed.Link
	for c := range t.children(n) {
		switch strings.ToLower(c.local) {
		case "id":
			x.ID = t.value(c)
		case "title":
			x.Title, _ = t.atomText(c)
		case "updated":
			t.d.date(&x.Updated, t.value(c))
		case "rights", "copyright":
			x.Rights, _ = t.atomText(c)
		case "subtitle", "tagline":
			x.Subtitle, _ = t.atomText(c)
		case "contributor":
			x.Contributors = append(x.Contributors, t.atomPerson(c))
		case "author":
			x.Authors = append(x.Authors, t.atomPerson(c))
		case "category":
			x.Categories = append(x.Categories, atomCategory(c))
		case "link":
			links = append(links, t.atomLink(c))
		default:
			x.Extensions = append(x.Extensions, t.extension(c))
		}
	}
	x.Links = links
	x.URL, x.Self = firstLink(links, "alternate"), firstLink(links, "self")
	return x
}

// fillAtom takes over what gofeed decoded of the head.
func (d *Document) fillAtom(f *feed.Feed, g *atom.Feed) {
	f.Title.Value, f.Subtitle.Value, f.Rights.Value = g.Title, g.Subtitle, g.Rights
	if g.Generator != nil {
		f.Generator = g.Generator.Value
	}
	fillLinks(f.Links, g.Links)
	fillPeople(f.Authors, g.Authors)
	fillPeople(f.Contributors, g.Contributors)
	fillCategories(f.Categories, g.Categories)
	finishTexts(f.Language, &f.Title, &f.Subtitle, &f.Rights)
	d.finishHead(f)
}

// fillEntry takes over what gofeed decoded of one entry.
func (d *Document) fillEntry(e *feed.Entry, g *atom.Entry, f *feed.Feed) {
	e.Title.Value, e.Summary.Value, e.Rights.Value = g.Title, g.Summary, g.Rights
	if g.Content != nil {
		e.Content.Value = g.Content.Value
	}
	fillLinks(e.Links, g.Links)
	fillPeople(e.Authors, g.Authors)
	fillPeople(e.Contributors, g.Contributors)
	fillCategories(e.Categories, g.Categories)
	d.finishAtomEntry(e, f)
}

// findRevisions finds entries that share an id.
func (d *Document) findRevisions(f *feed.Feed) {
	byID := map[string][]int{}
	for i := range f.Entries {
		if id := f.Entries[i].ID; id != "" {
			byID[id] = append(byID[id], i)
		}
	}
	for _, at := range byID {
		if len(at) > 1 {
			d.fixes |= fixRepeatedID
			orderRevisions(f.Entries, at)
		}
	}
}

// orderRevisions sorts the entries at the places at, which share an id: they are
// revisions of one entry, the oldest first (RFC 4287 §4.1.1, P-24).
func orderRevisions(entries []feed.Entry, at []int) {
	same := make([]feed.Entry, 0, len(at))
	for _, i := range at {
		same = append(same, entries[i])
	}
	slices.SortStableFunc(same, func(a, b feed.Entry) int { return a.Updated.Time.Compare(b.Updated.Time) })
	for k, i := range at {
		entries[i] = same[k]
	}
}

// finishAtomEntry derives what links and siblings say.
func (d *Document) finishAtomEntry(e *feed.Entry, f *feed.Feed) {
	linkFields(e)
	if e.URL == "" && e.ContentURL == "" && (strings.HasPrefix(e.ID, "http://") || strings.HasPrefix(e.ID, "https://")) {
		e.URL, e.Permalink = e.ID, true
	}
	if e.Updated.Raw == "" && !e.Published.IsZero() { // P-27
		e.Updated = e.Published
		e.Updated.Flag = "published"
	}
	d.finishEntry(e, f)
}

func fillLinks(to []feed.Link, from []*atom.Link) {
	for i := range min(len(to), len(from)) {
		g := from[i]
		to[i].Rel, to[i].Type, to[i].HrefLang, to[i].Title = g.Rel, g.Type, g.Hreflang, g.Title
	}
}

func fillPeople(to []feed.Person, from []*atom.Person) {
	for i := range min(len(to), len(from)) {
		to[i].Name, to[i].Email = from[i].Name, from[i].Email
	}
}

func fillCategories(to []feed.Category, from []*atom.Category) {
	for i := range min(len(to), len(from)) {
		to[i].Term, to[i].Label = from[i].Term, from[i].Label
	}
}

// thrLink reads the attributes of RFC 4685 §4 on a link to the replies.
func (t *tree) thrLink(n *node, e *feed.Entry) {
	e.Replies.Count = max(e.Replies.Count, count(n.attr("thr:count")))
	if v := n.attr("thr:updated"); v != "" {
		var when feed.Date
		t.d.date(&when, v)
		if when.Time.After(e.Replies.Updated) {
			e.Replies.Updated = when.Time
		}
	}
}
