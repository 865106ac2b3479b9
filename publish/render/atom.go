package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"

	"github.com/gorilla/feeds"

	"chancery/feed"
)

const (
	nsAtom       = "http://www.w3.org/2005/Atom"
	nsThreading  = "http://purl.org/syndication/thread/1.0" // RFC 4685
	nsHistory    = "http://purl.org/syndication/history/1.0"
	nsTombstones = "http://purl.org/atompub/tombstones/1.0" // RFC 6721
)

// atomFeed is feeds.AtomFeed with what it lacks: the fields below shadow those of
// the same XML name, because encoding/xml prefers the shallower one (PUB-92).
type atomFeed struct {
	feeds.AtomFeed                         // xmlns, title, id, updated, icon, rights, subtitle
	XMLName        xml.Name                `xml:"feed"`
	Lang           string                  `xml:"xml:lang,attr,omitempty"`
	XmlnsThr       string                  `xml:"xmlns:thr,attr,omitempty"`
	XmlnsFh        string                  `xml:"xmlns:fh,attr,omitempty"`
	XmlnsAt        string                  `xml:"xmlns:at,attr,omitempty"`
	Generator      *atomGenerator          `xml:"generator"`
	XmlnsOS        string                  `xml:"xmlns:opensearch,attr,omitempty"`
	*openSearch                            // nil: the fields are not there
	Archive        *struct{}               `xml:"fh:archive"`
	Complete       *struct{}               `xml:"fh:complete"`
	Link           []atomLink              `xml:"link"`
	Category       []atomCategory          `xml:"category"`
	Author         []feeds.AtomAuthor      `xml:"author"`
	Contributor    []feeds.AtomContributor `xml:"contributor"`
	Deleted        []atomDeleted           `xml:"at:deleted-entry"`
	Entries        []atomEntry             `xml:"entry"`
}

// FeedXml makes feeds.WriteXML the writer (PUB-93); the name is that of the
// library's interface.
func (f *atomFeed) FeedXml() any { return f }

type atomEntry struct {
	feeds.AtomEntry                         // title, updated, id, rights, published, summary, content
	XMLName         xml.Name                `xml:"entry"`
	Lang            string                  `xml:"xml:lang,attr,omitempty"`
	Links           []atomLink              `xml:"link"`
	Author          []feeds.AtomAuthor      `xml:"author"`
	Contributor     []feeds.AtomContributor `xml:"contributor"`
	Category        []atomCategory          `xml:"category"`
	InReplyTo       []atomInReplyTo         `xml:"thr:in-reply-to"`
	Source          *atomSource             `xml:"source"`
}

// atomLink is feeds.AtomLink with the attributes that it lacks (GF-03).
type atomLink struct {
	feeds.AtomLink          // href, rel, type, length
	XMLName        xml.Name `xml:"link"`
	Title          string   `xml:"title,attr,omitempty"`
	Count          string   `xml:"thr:count,attr,omitempty"`
	Updated        string   `xml:"thr:updated,attr,omitempty"`
}

type atomCategory struct {
	Term   string `xml:"term,attr"`
	Scheme string `xml:"scheme,attr,omitempty"`
	Label  string `xml:"label,attr,omitempty"`
}

type atomGenerator struct {
	Text string `xml:",chardata"`
}

type atomInReplyTo struct {
	Ref    string `xml:"ref,attr"`
	Href   string `xml:"href,attr,omitempty"`
	Type   string `xml:"type,attr,omitempty"`
	Source string `xml:"source,attr,omitempty"`
}

type atomSource struct {
	ID       string             `xml:"id"`
	Title    string             `xml:"title"`
	Updated  string             `xml:"updated"`
	Rights   string             `xml:"rights,omitempty"`
	Link     []atomLink         `xml:"link"`
	Author   []feeds.AtomAuthor `xml:"author"`
	Category []atomCategory     `xml:"category"`
}

type atomDeleted struct {
	Ref     string `xml:"ref,attr"`
	When    string `xml:"when,attr"`
	Comment string `xml:"at:comment,omitempty"`
}

// Atom writes f as an Atom 1.0 feed document (RFC 4287).
func Atom(f *Feed) ([]byte, error) {
	f = f.fit()
	d := &atomFeed{
		AtomFeed: feeds.AtomFeed{
			Xmlns: nsAtom, Title: f.Title, Id: f.ID, Updated: atomTime(f.Updated),
			Subtitle: f.Description, Icon: f.Icon,
		},
		Lang:      f.Language,
		Generator: &atomGenerator{Text: Generator},
		Link:      f.atomLinks(FormatAtom),
		Author:    []feeds.AtomAuthor{{AtomPerson: feeds.AtomPerson{Name: f.author()}}},
		Entries:   make([]atomEntry, 0, len(f.Entries)),
	}
	if f.Paging.Archive {
		d.Archive, d.XmlnsFh = &struct{}{}, nsHistory
	}
	if f.Paging.Complete {
		d.Complete, d.XmlnsFh = &struct{}{}, nsHistory
	}
	if d.openSearch = f.openSearch(); d.openSearch != nil {
		d.XmlnsOS = nsOpenSearch
	}
	if f.Partial {
		d.XmlnsThr = nsThreading
	}
	for _, t := range f.Deleted {
		d.XmlnsAt = nsTombstones
		d.Deleted = append(d.Deleted, atomDeleted{Ref: t.Ref, When: atomTime(t.When), Comment: t.Comment})
	}
	for _, e := range f.entries() {
		d.Entries = append(d.Entries, f.atomEntry(e))
		if len(e.Replies.InReplyTo) > 0 || e.Replies.FeedURL != "" {
			d.XmlnsThr = nsThreading // declared only in use (PUB-36)
		}
	}
	return writeXML(d, f.Style, f.size())
}

func (f *Feed) author() string {
	if f.Author != "" {
		return f.Author
	}
	return Generator
}

// atomLinks are the links of a document as atom:link, in Atom and in RSS alike.
func (f *Feed) atomLinks(format Format) []atomLink {
	var out []atomLink
	add := func(rel, href, typ string) {
		if href != "" {
			out = append(out, atomLink{AtomLink: feeds.AtomLink{Rel: rel, Href: href, Type: typ}})
		}
	}
	add("self", f.Self.In(format), format.MediaType())
	if format == FormatAtom {
		add("alternate", f.Home, "text/html")
	}
	for _, other := range Formats {
		if other != format && !f.Without[other] {
			add("alternate", f.Self.In(other), other.MediaType())
		}
	}
	for _, hub := range f.Hubs {
		add("hub", hub, "")
	}
	if f.Search != nil {
		add("search", f.Search.Description, DescriptionType)
	}
	p := &f.Paging
	for _, r := range []struct {
		rel string
		at  Address
	}{
		{"first", p.First},
		{"previous", p.Previous},
		{"next", p.Next},
		{"last", p.Last},
		{"current", p.Current},
		{"prev-archive", p.PrevArchive},
		{"next-archive", p.NextArchive},
	} {
		add(r.rel, r.at.In(format), format.MediaType())
	}
	return out
}

func (f *Feed) atomEntry(e *Entry) atomEntry {
	a := atomEntry{
		AtomEntry: feeds.AtomEntry{
			Title: e.Heading(), Updated: atomTime(e.Updated), Id: e.ID, Rights: e.Rights,
		},
		Author: atomAuthors(e.Authors), Category: f.atomCategories(e),
	}
	if e.Language != f.Language {
		a.Lang = e.Language
	}
	if !e.Published.IsZero() {
		a.Published = atomTime(e.Published)
	}
	for _, p := range e.Contributors {
		a.Contributor = append(a.Contributor, feeds.AtomContributor{AtomPerson: atomPerson(p)})
	}
	if html := f.body(e); html != "" {
		a.Content = &feeds.AtomContent{Type: "html", Content: html}
	}
	if e.Summary != "" {
		a.Summary = &feeds.AtomSummary{Type: "text", Content: e.Summary}
	}
	link := func(rel, href, typ, title string) *atomLink {
		a.Links = append(a.Links, atomLink{AtomLink: feeds.AtomLink{Rel: rel, Href: href, Type: typ}, Title: title})
		return &a.Links[len(a.Links)-1]
	}
	switch {
	case e.URL != "":
		link("alternate", e.URL, "", "")
	default: // an entry without content must have one (RFC 4287 §4.1.2), all should
		link("alternate", e.Page, "text/html", "")
	}
	for _, x := range e.Enclosures {
		l := link("enclosure", x.URL, x.Type, x.Title)
		if x.Length > 0 {
			l.Length = strconv.FormatInt(x.Length, 10)
		}
	}
	if e.ExternalURL != "" && e.ExternalURL != e.URL {
		link("related", e.ExternalURL, "", "")
	}
	for _, o := range e.AlsoAt {
		link("related", o.URL, "", "Also at "+o.Title)
	}
	if e.Revision > 1 && e.Page != "" {
		link("version-history", e.Page+"/revisions", "text/html", "") // RFC 5829
	}
	if e.Via != "" {
		link("via", e.Via, "", "")
	}
	if e.Comments != "" {
		l := link("replies", e.Comments, "text/html", "")
		l.Count, l.Updated = f.replyCount(e)
	}
	if e.Replies.FeedURL != "" {
		l := link("replies", e.Replies.FeedURL, "application/atom+xml", "")
		l.Count, l.Updated = f.replyCount(e)
	}
	for _, r := range e.Replies.InReplyTo {
		a.InReplyTo = append(a.InReplyTo, atomInReplyTo{Ref: r.Ref, Href: r.URL, Type: r.Type, Source: r.Source})
	}
	a.Source = atomSourceOf(&e.Origin)
	return a
}

// replyCount is what RFC 4685 §4 adds to a link. It is written only where the
// threading namespace is declared.
func (f *Feed) replyCount(e *Entry) (count, updated string) {
	if e.Replies.FeedURL == "" && len(e.Replies.InReplyTo) == 0 {
		return "", ""
	}
	if e.Replies.Count > 0 {
		count = strconv.Itoa(e.Replies.Count)
	}
	if !e.Replies.Updated.IsZero() {
		updated = atomTime(e.Replies.Updated)
	}
	return count, updated
}

// Heading is the title, or what can stand for one: RFC 4287 §4.1.2 wants the
// element, and readers show it. It is never empty.
func (e *Entry) Heading() string {
	switch {
	case e.Title != "":
		return e.Title
	case e.Summary != "":
		return excerpt(e.Summary, 80)
	}
	if s := e.textExcerpt(80); s != "" {
		return s
	}
	if e.URL != "" {
		return e.URL
	}
	return "Untitled"
}

func (f *Feed) atomCategories(e *Entry) []atomCategory {
	out := make([]atomCategory, 0, len(e.Topics)+len(e.Categories))
	for _, t := range e.Topics {
		out = append(out, atomCategory{Term: string(t.ID), Scheme: f.TopicScheme, Label: t.Label})
	}
	return append(out, plainCategories(e.Categories)...)
}

func plainCategories(in []feed.Category) []atomCategory {
	var out []atomCategory
	for _, c := range in {
		// A scheme must be an IRI (RFC 4287 §4.2.2.2); RSS domains often are not.
		out = append(out, atomCategory{Term: c.Term, Scheme: iri(c.Scheme), Label: c.Label})
	}
	return out
}

func atomSourceOf(o *Origin) *atomSource {
	s := &atomSource{
		ID: o.ID, Title: o.Title, Updated: atomTime(o.Updated), Rights: o.Rights,
		Author: atomAuthors(o.Authors), Category: plainCategories(o.Categories),
	}
	if o.Self != "" {
		s.Link = append(s.Link, atomLink{AtomLink: feeds.AtomLink{Rel: "self", Href: o.Self}})
	}
	if o.URL != "" {
		s.Link = append(s.Link, atomLink{AtomLink: feeds.AtomLink{Rel: "alternate", Href: o.URL}})
	}
	return s
}

func atomPerson(p feed.Person) feeds.AtomPerson {
	return feeds.AtomPerson{Name: p.Name, Uri: p.URL, Email: p.Email}
}

func atomAuthors(in []feed.Person) []feeds.AtomAuthor {
	var out []feeds.AtomAuthor
	for _, p := range in {
		out = append(out, feeds.AtomAuthor{AtomPerson: atomPerson(p)})
	}
	return out
}

// atomTime writes an instant as RFC 3339 with an upper-case T and Z (PUB-17).
func atomTime(t time.Time) string {
	return t.UTC().Format(time.RFC3339Nano)
}

// writeXML lets the library write a document of about size bytes, with a style
// sheet instruction before the root if there is a style.
func writeXML(root feeds.XmlFeed, style string, size int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(size)
	doc := root
	if style != "" {
		doc = &styled{root: root, style: style}
	}
	if err := feeds.WriteXML(doc, &b); err != nil {
		return nil, fmt.Errorf("write XML: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// styled writes a processing instruction and then the root (PUB-95). CSS, as
// browsers give up XSLT (PUB-88).
type styled struct {
	root  feeds.XmlFeed
	style string
}

func (s *styled) FeedXml() any { return s }

// MarshalXML implements xml.Marshaler.
func (s *styled) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	pi := xml.ProcInst{Target: "xml-stylesheet", Inst: []byte(`type="text/css" href="` + escapeHTML(s.style) + `"`)}
	if err := e.EncodeToken(pi); err != nil {
		return err
	}
	return e.Encode(s.root.FeedXml())
}
