package parse

import (
	"strings"

	"chancery/feed"
)

// link makes a URL in or on n absolute; "" if it is empty or of a scheme that is
// no link.
func (t *tree) link(n *node, ref string) string {
	ref = cleanURL(ref)
	if ref == "" {
		return ""
	}
	u := resolve(n.base, ref)
	if noPlace(u) {
		t.d.fixes |= fixUnsafeLink
		return ""
	}
	return u
}

// documentBase is the base of references that stand under no xml:base: where the
// document was found (RFC 3986 §5.1.3). If that is not known it is where the
// document says that it lives, or else the page it belongs to.
func (d *Document) documentBase() string {
	if d.o.URL != "" || d.outline.single {
		return baseFrom(d.o.URL)
	}
	fx := d.fixes
	defer func() { d.fixes = fx }()
	var t tree
	d.build(&t, d.outline.root, d.outline.entries, context{})
	if len(t.nodes) == 0 {
		return ""
	}
	head := &t.nodes[0]
	if c := t.child(head, "channel"); c != nil {
		head = c
	}
	base := ""
	for n := range t.children(head) {
		if n.q != "link" && n.q != "atom:link" {
			continue
		}
		if l := t.atomLink(n); isAbsolute(baseFrom(l.Href)) && (l.Rel == "self" || l.Rel == "alternate" && base == "") {
			base = l.Href
			if l.Rel == "self" {
				break
			}
		}
	}
	return base
}

// relation gives the short form of a link relation (RFC 4287 §4.2.7.2).
func relation(rel string) string {
	rel = strings.TrimSpace(rel)
	if rel == "" {
		return "alternate"
	}
	for _, p := range []string{
		"http://www.iana.org/assignments/relation/", "https://www.iana.org/assignments/relation/",
		"http://www.iana.org/assignments/link-relations/", "https://www.iana.org/assignments/link-relations/",
	} {
		if r, ok := strings.CutPrefix(rel, p); ok && r != "" {
			return strings.ToLower(r)
		}
	}
	if !strings.ContainsAny(rel, ":/") {
		return strings.ToLower(rel)
	}
	return rel
}

// atomLink reads an atom:link wherever it stands.
func (t *tree) atomLink(n *node) feed.Link {
	raw := n.attr("href")
	if raw == "" {
		raw = t.value(n) // <link>http://…</link>, as RSS has it
	}
	l := feed.Link{Rel: relation(n.attr("rel")), Href: t.link(n, raw), Type: n.attr("type"), HrefLang: n.attr("hreflang"), Title: n.attr("title"), Length: length(n.attr("length"))}
	if l.Href != raw {
		l.Raw = raw
	}
	return l
}

// firstLink is the first link of a relation. Of several alternates a page for
// people is taken before other types.
func firstLink(links []feed.Link, rel string) string {
	best := ""
	for _, l := range links {
		if l.Rel != rel || l.Href == "" {
			continue
		}
		if rel != "alternate" || l.Type == "" || strings.Contains(l.Type, "html") {
			return l.Href
		}
		if best == "" {
			best = l.Href
		}
	}
	return best
}

// redirects reports whether an address is FeedBurner's, which wrote its own in place of
// those that publishers gave, and leads to nothing since.
func redirects(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	host = strings.ToLower(host)
	return strings.HasPrefix(path, "~r/") && (host == "feedproxy.google.com" || strings.HasPrefix(host, "feeds."))
}

// linkFields fills the fields that links of certain relations stand for.
func linkFields(e *feed.Entry) {
	if e.URL == "" {
		e.URL = firstLink(e.Links, "alternate")
	}
	if e.URL == "" || redirects(e.URL) { // what FeedBurner's link leads to
		for _, x := range e.Extensions {
			if x.Name == "origLink" && x.Space == canonical["feedburner"] && strings.HasPrefix(x.Value, "http") {
				e.URL = x.Value
				break
			}
		}
	}
	var seen map[string]bool // URLs of enclosures
	for _, l := range e.Links {
		switch {
		case l.Href == "":
		case l.Rel == "enclosure":
			if seen == nil {
				seen = make(map[string]bool, len(e.Enclosures)+1)
				for _, x := range e.Enclosures {
					seen[x.URL] = true
				}
			}
			if !seen[l.Href] {
				seen[l.Href] = true
				e.Enclosures = append(e.Enclosures, feed.Enclosure{URL: l.Href, Type: l.Type, Title: l.Title, Length: l.Length})
			}
		case l.Rel == "replies" && (strings.Contains(l.Type, "html") || l.Type == ""):
			if e.Comments == "" {
				e.Comments = l.Href
			}
		case l.Rel == "replies" && e.Replies.FeedURL == "":
			e.Replies.FeedURL = l.Href
		}
	}
}
