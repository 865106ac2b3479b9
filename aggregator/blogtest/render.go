package blogtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// document is what a server sends for a URL.
type document struct {
	mediaType string
	body      []byte
	modified  time.Time
}

// feed writes the blog's feed with the posts given, newest first.
func (b *blog) feed(posts []Post, base time.Time) document {
	d := document{modified: base.Add(-30 * 24 * time.Hour)}
	if len(posts) > 0 {
		d.modified = posts[len(posts)-1].Published
	}
	for _, p := range posts {
		for _, t := range []time.Time{p.Published, p.Updated} {
			if t.After(d.modified) {
				d.modified = t
			}
		}
	}
	var s string
	switch b.format {
	case "rss20":
		d.mediaType, s = "application/rss+xml", b.rss20(posts, d.modified)
	case "rss10":
		d.mediaType, s = "application/rdf+xml", b.rss10(posts)
	case "atom":
		d.mediaType, s = "application/atom+xml", b.atom(posts, d.modified)
	case "json":
		d.mediaType, s = "application/feed+json", b.json(posts)
	}
	d.body = []byte(s)
	var enc encoding.Encoding
	switch b.encoding {
	case "iso-8859-1":
		enc = charmap.ISO8859_1
	case "windows-1252":
		enc = charmap.Windows1252
	default:
		d.mediaType += "; charset=utf-8"
		return d
	}
	// What the charset lacks becomes a character reference, as in real feeds.
	out, err := encoding.HTMLEscapeUnsupported(enc.NewEncoder()).Bytes(d.body)
	if err != nil {
		panic(err) // the body is UTF-8
	}
	d.body = out
	return d
}

func (b *blog) self() string { return "https://" + b.host + b.path }
func (b *blog) home() string { return "https://" + b.host + "/" }

// x is s as XML text or attribute.
func x(s string) string { return xmlEscaper.Replace(s) }

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// cdata is s in a CDATA section.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

const rfc822 = "Mon, 02 Jan 2006 15:04:05 +0000"

func (b *blog) rss20(posts []Post, modified time.Time) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<?xml version="1.0" encoding="%s"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel>
	<title>%s</title>
	<link>%s</link>
	<description>%s</description>
	<atom:link href="%s" rel="self" type="application/rss+xml" />
	<lastBuildDate>%s</lastBuildDate>
	<language>%s</language>
`, b.encoding, x(b.title), b.home(), x(b.subtitle), b.self(), modified.Format(rfc822), b.lang)
	for _, p := range posts {
		s.WriteString("	<item>\n")
		if p.Title != "" {
			fmt.Fprintf(&s, "		<title>%s</title>\n", x(p.Title))
		}
		fmt.Fprintf(&s, "		<link>%s</link>\n		<guid isPermaLink=\"%t\">%s</guid>\n		<pubDate>%s</pubDate>\n",
			x(p.URL), p.ID == p.URL, x(p.ID), p.Published.Format(rfc822))
		if p.Author != "" {
			fmt.Fprintf(&s, "		<dc:creator>%s</dc:creator>\n", cdata(p.Author))
		}
		for _, tag := range p.Tags {
			fmt.Fprintf(&s, "		<category>%s</category>\n", cdata(tag))
		}
		if e := p.enclosure; e != nil {
			fmt.Fprintf(&s, "		<enclosure url=\"%s\" length=\"%s\" type=\"%s\" />\n", x(e[0]), e[2], e[1])
		}
		switch b.content {
		case "summary":
			fmt.Fprintf(&s, "		<description>%s</description>\n", x(p.excerpt()))
		case "both":
			fmt.Fprintf(&s, "		<description>%s</description>\n		<content:encoded>%s</content:encoded>\n", x(p.excerpt()), cdata(p.HTML))
		default:
			fmt.Fprintf(&s, "		<description>%s</description>\n", x(p.HTML))
		}
		s.WriteString("	</item>\n")
	}
	s.WriteString("</channel>\n</rss>\n")
	return s.String()
}

func (b *blog) rss10(posts []Post) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<?xml version="1.0" encoding="%s"?>
<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel rdf:about="%s">
	<title>%s</title>
	<link>%s</link>
	<description>%s</description>
	<dc:language>%s</dc:language>
	<sy:updatePeriod>daily</sy:updatePeriod>
	<sy:updateFrequency>4</sy:updateFrequency>
	<items><rdf:Seq>
`, b.encoding, b.self(), x(b.title), b.home(), x(b.subtitle), b.lang)
	for _, p := range posts {
		fmt.Fprintf(&s, "		<rdf:li rdf:resource=\"%s\" />\n", x(p.ID))
	}
	s.WriteString("	</rdf:Seq></items>\n</channel>\n")
	for _, p := range posts {
		fmt.Fprintf(&s, "<item rdf:about=\"%s\">\n	<title>%s</title>\n	<link>%s</link>\n	<dc:date>%s</dc:date>\n",
			x(p.ID), x(p.Title), x(p.URL), p.Published.Format(time.RFC3339))
		if p.Author != "" {
			fmt.Fprintf(&s, "	<dc:creator>%s</dc:creator>\n", x(p.Author))
		}
		for _, tag := range p.Tags {
			fmt.Fprintf(&s, "	<dc:subject>%s</dc:subject>\n", x(tag))
		}
		fmt.Fprintf(&s, "	<description>%s</description>\n", x(p.excerpt()))
		if b.content != "summary" {
			fmt.Fprintf(&s, "	<content:encoded>%s</content:encoded>\n", cdata(p.HTML))
		}
		s.WriteString("</item>\n")
	}
	s.WriteString("</rdf:RDF>\n")
	return s.String()
}

func (b *blog) atom(posts []Post, modified time.Time) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<?xml version="1.0" encoding="%s"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="%s">
	<id>tag:%s,2008:feed</id>
	<title>%s</title>
	<subtitle>%s</subtitle>
	<updated>%s</updated>
	<link rel="self" type="application/atom+xml" href="%s"/>
	<link rel="alternate" type="text/html" href="%s"/>
	<author><name>%s</name></author>
`, b.encoding, b.lang, b.host, x(b.title), x(b.subtitle), modified.Format(time.RFC3339), b.self(), b.home(), x(b.author))
	for _, p := range posts {
		updated := p.Updated
		if updated.IsZero() {
			updated = p.Published
		}
		fmt.Fprintf(&s, "	<entry>\n		<id>%s</id>\n		<title type=\"text\">%s</title>\n		<link rel=\"alternate\" href=\"%s\"/>\n"+
			"		<published>%s</published>\n		<updated>%s</updated>\n", x(p.ID), x(p.Title), x(p.URL), p.Published.Format(time.RFC3339), updated.Format(time.RFC3339))
		if p.Author != "" && p.Author != b.author {
			fmt.Fprintf(&s, "		<author><name>%s</name></author>\n", x(p.Author))
		}
		for _, tag := range p.Tags {
			fmt.Fprintf(&s, "		<category term=\"%s\"/>\n", x(tag))
		}
		if e := p.enclosure; e != nil {
			fmt.Fprintf(&s, "		<link rel=\"enclosure\" href=\"%s\" length=\"%s\" type=\"%s\"/>\n", x(e[0]), e[2], e[1])
		}
		if b.content != "full" {
			fmt.Fprintf(&s, "		<summary>%s</summary>\n", x(p.excerpt()))
		}
		switch {
		case b.content == "summary":
		case b.markup == "xhtml":
			fmt.Fprintf(&s, "		<content type=\"xhtml\" xml:base=\"%s\"><div xmlns=\"http://www.w3.org/1999/xhtml\">%s</div></content>\n", x(p.URL), p.HTML)
		default:
			fmt.Fprintf(&s, "		<content type=\"html\">%s</content>\n", x(p.HTML))
		}
		s.WriteString("	</entry>\n")
	}
	s.WriteString("</feed>\n")
	return s.String()
}

func (b *blog) json(posts []Post) string {
	type author struct {
		Name string `json:"name"`
	}
	type attachment struct {
		URL      string      `json:"url"`
		MIMEType string      `json:"mime_type"`
		Size     json.Number `json:"size_in_bytes,omitempty"`
	}
	type item struct {
		ID            string       `json:"id"`
		URL           string       `json:"url"`
		Title         string       `json:"title,omitempty"`
		ContentHTML   string       `json:"content_html,omitempty"`
		Summary       string       `json:"summary,omitempty"`
		DatePublished string       `json:"date_published"`
		DateModified  string       `json:"date_modified,omitempty"`
		Authors       []author     `json:"authors,omitempty"`
		Tags          []string     `json:"tags,omitempty"`
		Attachments   []attachment `json:"attachments,omitempty"`
	}
	doc := struct {
		Version     string   `json:"version"`
		Title       string   `json:"title"`
		HomePageURL string   `json:"home_page_url"`
		FeedURL     string   `json:"feed_url"`
		Description string   `json:"description,omitempty"`
		Language    string   `json:"language"`
		Authors     []author `json:"authors,omitempty"`
		Items       []item   `json:"items"`
	}{
		Version: "https://jsonfeed.org/version/1.1", Title: b.title, HomePageURL: b.home(), FeedURL: b.self(), Description: b.subtitle,
		Language: b.lang, Authors: []author{{b.author}}, Items: []item{},
	}
	for _, p := range posts {
		it := item{ID: p.ID, URL: p.URL, Title: p.Title, Tags: p.Tags, DatePublished: p.Published.Format(time.RFC3339)}
		if !p.Updated.IsZero() {
			it.DateModified = p.Updated.Format(time.RFC3339)
		}
		if b.content != "full" {
			it.Summary = p.excerpt()
		}
		if b.content != "summary" {
			it.ContentHTML = p.HTML
		}
		if p.Author != "" && p.Author != b.author {
			it.Authors = []author{{p.Author}}
		}
		if e := p.enclosure; e != nil {
			it.Attachments = []attachment{{e[0], e[1], json.Number(e[2])}}
		}
		doc.Items = append(doc.Items, it)
	}
	var s strings.Builder
	enc := json.NewEncoder(&s)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		panic(err) // it is made of strings
	}
	return s.String()
}

// excerpt is the post's own summary, else its first paragraph.
func (p Post) excerpt() string {
	if p.summary != "" {
		return p.summary
	}
	return excerpt(p.HTML)
}

// page is the blog's home page, with the link that leads to its feed.
func (b *blog) page(posts []Post) document {
	var s strings.Builder
	fmt.Fprintf(&s, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n", b.lang, x(b.title))
	if b.trouble != "html" {
		fmt.Fprintf(&s, "<link rel=\"alternate\" type=\"%s\" title=\"%s\" href=\"%s\">\n", feedType[b.format], x(b.title), strings.TrimPrefix(b.path, "/"))
		fmt.Fprintf(&s, "<link rel=\"alternate\" type=\"%s\" title=\"Comments\" href=\"comments%s\">\n", feedType[b.format], b.path)
	}
	fmt.Fprintf(&s, "</head>\n<body>\n<h1>%s</h1>\n<p>%s</p>\n", x(b.title), x(b.subtitle))
	for _, p := range posts {
		fmt.Fprintf(&s, "<article>\n<h2><a href=\"%s\">%s</a></h2>\n%s</article>\n", x(p.URL), x(p.Title), p.HTML)
	}
	s.WriteString("</body>\n</html>\n")
	return document{mediaType: "text/html; charset=utf-8", body: []byte(s.String())}
}

var feedType = map[string]string{
	"rss20": "application/rss+xml", "rss10": "application/rdf+xml", "atom": "application/atom+xml", "json": "application/feed+json",
}

// single is the page of one post.
func (b *blog) single(p Post) document {
	return document{mediaType: "text/html; charset=utf-8", body: fmt.Appendf(nil,
		"<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s | %s</title>\n<link rel=\"canonical\" href=\"%s\">\n"+
			"<link rel=\"alternate\" type=\"%s\" href=\"%s\">\n</head>\n<body>\n<article>\n<h1>%[2]s</h1>\n%[7]s</article>\n</body>\n</html>\n",
		b.lang, x(p.Title), x(b.title), x(p.URL), feedType[b.format], b.self(), p.HTML)}
}

// lastModified is t as the header wants it.
func lastModified(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
