package render

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/feeds"

	"chancery/feed"
)

const (
	nsContent    = "http://purl.org/rss/1.0/modules/content/"
	nsDublinCore = "http://purl.org/dc/elements/1.1/"
	nsSlash      = "http://purl.org/rss/1.0/modules/slash/"
	nsWFW        = "http://wellformedweb.org/CommentAPI/"
	rssDocs      = "https://www.rssboard.org/rss-specification"
)

// rssDocument is the root: feeds.RssFeedXml fixes one namespace (PUB-94).
type rssDocument struct {
	XMLName      xml.Name `xml:"rss"`
	Version      string   `xml:"version,attr"`
	XmlnsAtom    string   `xml:"xmlns:atom,attr"`
	XmlnsContent string   `xml:"xmlns:content,attr,omitempty"`
	XmlnsDC      string   `xml:"xmlns:dc,attr,omitempty"`
	XmlnsSlash   string   `xml:"xmlns:slash,attr,omitempty"`
	XmlnsWFW     string   `xml:"xmlns:wfw,attr,omitempty"`
	XmlnsFh      string   `xml:"xmlns:fh,attr,omitempty"`
	XmlnsOS      string   `xml:"xmlns:opensearch,attr,omitempty"`
	Channel      rssChannel
}

func (d *rssDocument) FeedXml() any { return d }

// rssChannel is feeds.RssFeed; fields below shadow those of the same XML name.
type rssChannel struct {
	feeds.RssFeed             // link, language, generator, docs, ttl, pubDate, lastBuildDate
	XMLName       xml.Name    `xml:"channel"`
	Title         rssText     `xml:"title"`
	Description   rssText     `xml:"description"`
	*openSearch               // nil: the fields are not there
	Archive       *struct{}   `xml:"fh:archive"`
	Complete      *struct{}   `xml:"fh:complete"`
	AtomLinks     []atomLinkP `xml:"atom:link"`
	Items         []rssItem   `xml:"item"`
}

// rssItem is feeds.RssItem; fields below shadow those of the same XML name.
type rssItem struct {
	feeds.RssItem               // link, comments, enclosure, guid, pubDate
	XMLName       xml.Name      `xml:"item"`
	Title         *rssText      `xml:"title"`
	Link          string        `xml:"link,omitempty"` // the library writes an empty one
	Description   *rssHTML      `xml:"description"`
	Content       *rssHTML      `xml:"content:encoded"` // element text, not CDATA (PUB-96)
	Author        string        `xml:"author,omitempty"`
	Creators      []rssText     `xml:"dc:creator"`
	Rights        *rssText      `xml:"dc:rights"`
	Language      string        `xml:"dc:language,omitempty"`
	Category      []rssCategory `xml:"category"`
	Source        *rssSource    `xml:"source"`
	SlashComments string        `xml:"slash:comments,omitempty"`
	CommentRSS    string        `xml:"wfw:commentRss,omitempty"`
	AtomLinks     []atomLinkP   `xml:"atom:link"`
}

// atomLinkP is a link written with a prefix.
type atomLinkP struct {
	Href   string `xml:"href,attr"`
	Rel    string `xml:"rel,attr,omitempty"`
	Type   string `xml:"type,attr,omitempty"`
	Title  string `xml:"title,attr,omitempty"`
	Length string `xml:"length,attr,omitempty"`
}

// rssText is plain text. Readers disagree on whether these elements hold text or
// HTML; ampersands and less-than signs as hexadecimal references are what the RSS
// profile found to survive in all of them (PUB-32).
type rssText struct {
	Escaped string `xml:",innerxml"`
}

type rssHTML struct {
	HTML string `xml:",chardata"`
}

type rssCategory struct {
	Domain  string `xml:"domain,attr,omitempty"`
	Escaped string `xml:",innerxml"`
}

type rssSource struct {
	URL     string `xml:"url,attr"`
	Escaped string `xml:",innerxml"`
}

func plainText(s string) rssText { return rssText{Escaped: escapeRSS(s)} }

// escapeRSS escapes plain text for an RSS element; what XML cannot carry becomes
// U+FFFD.
func escapeRSS(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&#x26;")
		case r == '<':
			b.WriteString("&#x3C;")
		case r == '>':
			b.WriteString("&#x3E;")
		case r == '\r':
			b.WriteString("&#xD;")
		case !legal(r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// RSS writes f as an RSS 2.0 document (RSS 2.0.11, the RSS advisory board's
// profile).
func RSS(f *Feed) ([]byte, error) {
	f = f.fit()
	d := &rssDocument{Version: "2.0", XmlnsAtom: nsAtom, Channel: rssChannel{
		RssFeed: feeds.RssFeed{
			Link: asURI(f.Home), Language: f.Language, LastBuildDate: rssTime(f.Updated),
			Generator: Generator, Docs: rssDocs, Ttl: int(f.TTL / time.Minute),
		},
		Title:       plainText(f.Title),
		Description: plainText(f.description()),
		Items:       make([]rssItem, 0, len(f.Entries)),
	}}
	if f.Icon != "" {
		d.Channel.Image = &feeds.RssImage{Url: asURI(f.Icon), Title: f.Title, Link: asURI(f.Home)} // how large it is nobody knows
	}
	if f.Paging.Archive {
		d.Channel.Archive, d.XmlnsFh = &struct{}{}, nsHistory
	}
	if f.Paging.Complete {
		d.Channel.Complete, d.XmlnsFh = &struct{}{}, nsHistory
	}
	if d.Channel.openSearch = f.openSearch(); d.Channel.openSearch != nil {
		d.XmlnsOS = nsOpenSearch
	}
	for _, l := range f.atomLinks(FormatRSS) {
		d.Channel.AtomLinks = append(d.Channel.AtomLinks, atomLinkP{Href: asURI(l.Href), Rel: l.Rel, Type: l.Type})
	}
	for _, e := range f.entries() {
		it := f.rssItem(e)
		// Namespaces are declared only in use (PUB-36).
		if it.Content != nil {
			d.XmlnsContent = nsContent
		}
		if len(it.Creators) > 0 || it.Rights != nil || it.Language != "" {
			d.XmlnsDC = nsDublinCore
		}
		if it.SlashComments != "" {
			d.XmlnsSlash = nsSlash
		}
		if it.CommentRSS != "" {
			d.XmlnsWFW = nsWFW
		}
		d.Channel.Items = append(d.Channel.Items, it)
	}
	return writeXML(d, f.Style, f.size())
}

// description is never empty: RSS requires the element (PUB-26).
func (f *Feed) description() string {
	if f.Description != "" {
		return f.Description
	}
	return f.Title
}

func (f *Feed) rssItem(e *Entry) rssItem {
	it := rssItem{RssItem: feeds.RssItem{Comments: asURI(e.Comments)}, Link: asURI(e.URL)}
	if it.Link == "" {
		it.Link = asURI(e.Page)
	}
	title := plainText(e.Heading())
	it.Title = &title
	it.guid(e)
	it.PubDate = rssTime(e.pubDate())
	body := f.body(e)
	switch {
	case body != "" && e.Summary != "":
		it.Description = &rssHTML{HTML: escapeHTML(e.Summary)}
		it.Content = &rssHTML{HTML: body}
	case body != "":
		// One text: as description, which every reader shows.
		it.Description = &rssHTML{HTML: body}
	default:
		text := escapeHTML(e.Summary)
		if f.Mixed {
			text = strings.TrimSpace(e.byline() + text)
		}
		it.Description = &rssHTML{HTML: text + e.alsoLine()}
	}
	if it.Description.HTML == "" {
		it.Description = nil
	}
	for _, p := range append(slices.Clip(e.Authors), e.Origin.Authors...) {
		it.Creators = append(it.Creators, plainText(p.Name))
	}
	it.author(e.Authors)
	if e.Rights != "" {
		r := plainText(e.Rights)
		it.Rights = &r
	}
	if e.Language != f.Language {
		it.Language = e.Language
	}
	for _, t := range e.Topics {
		it.Category = append(it.Category, rssCategory{Domain: f.TopicScheme, Escaped: escapeRSS(t.Label)})
	}
	for _, c := range e.Categories {
		label := c.Label
		if label == "" {
			label = c.Term
		}
		it.Category = append(it.Category, rssCategory{Domain: c.Scheme, Escaped: escapeRSS(label)})
	}
	it.enclosures(e)
	if src := cmp.Or(e.Origin.Self, e.Via); src != "" {
		it.Source = &rssSource{URL: asURI(src), Escaped: escapeRSS(e.Origin.Title)}
	}
	if e.Replies.Count > 0 {
		it.SlashComments = strconv.Itoa(e.Replies.Count)
	}
	it.CommentRSS = asURI(e.Replies.FeedURL)
	for _, o := range e.AlsoAt {
		it.AtomLinks = append(it.AtomLinks, atomLinkP{Rel: "related", Href: asURI(o.URL), Title: "Also at " + o.Title})
	}
	return it
}

// guid is the entry's id, marked as no permalink unless it is the link (PUB-30).
func (it *rssItem) guid(e *Entry) {
	it.Guid = &feeds.RssGuid{Id: e.ID, IsPermaLink: "false"}
	if e.ID == e.URL && isASCII(e.ID) {
		it.Guid.IsPermaLink = "true"
	}
}

// author has an element only for a real address (PUB-28).
func (it *rssItem) author(people []feed.Person) {
	for _, p := range people {
		if p.Email != "" {
			it.Author = p.Email
			if p.Name != p.Email {
				it.Author += " (" + p.Name + ")"
			}
			return
		}
	}
}

// enclosures writes the first one as enclosure, because readers take one (PUB-33),
// and the rest as links.
func (it *rssItem) enclosures(e *Entry) {
	for i, x := range e.Enclosures {
		if i == 0 {
			it.Enclosure = &feeds.RssEnclosure{Url: asURI(x.URL), Length: strconv.FormatInt(max(x.Length, 0), 10), Type: attachmentType(x)}
			continue
		}
		it.AtomLinks = append(it.AtomLinks, atomLinkP{Rel: "enclosure", Href: asURI(x.URL), Type: x.Type, Title: x.Title})
	}
}

// pubDate is when the post was published, else when it was first known to be
// there; RSS has no other date.
func (e *Entry) pubDate() time.Time {
	if !e.Published.IsZero() {
		return e.Published
	}
	return e.Updated
}

// rssTime writes an instant in the form of RFC 822 with a year of four digits
// (PUB-31).
func rssTime(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}
