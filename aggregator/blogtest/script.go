package blogtest

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery/feed"

	"github.com/rogpeppe/go-internal/txtar"
)

// A blog's script is a txtar archive. The comment before the first file is its
// head, "key: value" a line:
//
//	id, host, title, subtitle, author, lang
//	format: rss20 | rss10 | atom | json
//	path: of the feed (/feed.xml) · encoding: utf-8 | iso-8859-1 | windows-1252
//	content: full | summary | both · markup: html | xhtml (Atom)
//	ids: url | number | tag · window: how many posts the feed shows (20)
//	validators: both | etag | weak | modified | none
//	trouble: dead | gone | html | limit | moved · to: where it moved
//	footer: HTML that ends every post, as blogging services add it
//
// Each file is a version of a post, named by its slug, with "@" and a name for
// later versions. It begins with lines "key: value", then an empty line, then
// the text:
//
//	title, author, tags (by commas), summary, id, link
//	date: 2009-01-21T09:30:00+03:00 | -36h (before base); posts of a step: now
//	step: when it appears (0) · remove: yes
//	enclosure: URL TYPE BYTES
//	from: blog/slug, a post whose text follows this one's · canonical: yes (and whose URL it has)
//
// Text is paragraphs apart by an empty line; lines that begin with "- " make a
// list, with "> " a quotation, with "## " a heading; HTML is kept.

// blog is one script.
type blog struct {
	id, host, path                string
	title, subtitle, author, lang string
	format, encoding, content     string
	markup, ids, validators       string
	trouble, to, footer           string
	window                        int
	posts                         []*post
}

type post struct {
	slug     string
	number   int // from 1, in the order of the script
	versions []version
}

// version is how a post reads from a step on.
type version struct {
	step                         int
	title, author, summary, body string
	id, link, date               string
	tags                         []string
	remove                       bool
	enclosure                    []string // URL, type, bytes
	from                         string
	canonical                    bool
	origin                       *post
	originBlog                   *blog
}

func parseBlog(data []byte) (*blog, error) {
	a := txtar.Parse(data)
	b := &blog{path: "/feed.xml", encoding: "utf-8", content: "full", markup: "html", ids: "url", validators: "both", lang: "en", window: 20}
	fields := map[string]*string{
		"id": &b.id, "host": &b.host, "path": &b.path, "title": &b.title, "subtitle": &b.subtitle, "author": &b.author, "lang": &b.lang,
		"format": &b.format, "encoding": &b.encoding, "content": &b.content, "markup": &b.markup, "ids": &b.ids,
		"validators": &b.validators, "trouble": &b.trouble, "to": &b.to, "footer": &b.footer,
	}
	for line := range strings.Lines(string(a.Comment)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if key == "window" {
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("window: %w", err)
			}
			b.window = n
			continue
		}
		f := fields[key]
		if f == nil {
			return nil, fmt.Errorf("head: unknown key %q", key)
		}
		*f = value
	}
	if !feed.ValidID(b.id) || b.host == "" || b.title == "" {
		return nil, fmt.Errorf("head: id, host and title are needed; id is %q", b.id)
	}
	if !slices.Contains([]string{"rss20", "rss10", "atom", "json"}, b.format) {
		return nil, fmt.Errorf("head: unknown format %q", b.format)
	}
	for _, f := range a.Files {
		if err := b.addVersion(f); err != nil {
			return nil, fmt.Errorf("post %s: %w", f.Name, err)
		}
	}
	return b, nil
}

func (b *blog) post(slug string) *post {
	for _, p := range b.posts {
		if p.slug == slug {
			return p
		}
	}
	return nil
}

func (b *blog) addVersion(f txtar.File) error {
	slug, _, later := strings.Cut(f.Name, "@")
	p := b.post(slug)
	if later != (p != nil) {
		return fmt.Errorf("a first version has a name of its own, a later one the same and @")
	}
	head, text, _ := strings.Cut(strings.ReplaceAll(string(f.Data), "\r\n", "\n"), "\n\n")
	var v version
	if later {
		v = p.versions[len(p.versions)-1]
	}
	fields := map[string]*string{
		"title": &v.title, "author": &v.author, "summary": &v.summary, "id": &v.id, "link": &v.link, "date": &v.date, "from": &v.from,
	}
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "step":
			v.step, err = strconv.Atoi(value)
		case "tags":
			v.tags = nil
			for tag := range strings.SplitSeq(value, ",") {
				v.tags = append(v.tags, strings.TrimSpace(tag))
			}
		case "remove":
			v.remove = value == "yes"
		case "canonical":
			v.canonical = value == "yes"
		case "enclosure":
			if v.enclosure = strings.Fields(value); len(v.enclosure) != 3 {
				err = fmt.Errorf("enclosure: want URL TYPE BYTES")
			}
		default:
			if fields[key] == nil {
				return fmt.Errorf("unknown key %q", key)
			}
			*fields[key] = value
		}
		if err != nil {
			return err
		}
	}
	if strings.TrimSpace(text) != "" {
		v.body = markup(text)
	}
	if _, err := v.when([]time.Time{{}}); err != nil {
		return err
	}
	if !later {
		if v.title == "" && v.from == "" && v.body == "" {
			return fmt.Errorf("it says nothing")
		}
		if v.date == "" && v.step == 0 {
			return fmt.Errorf("it has neither a date nor a step")
		}
		p = &post{slug: slug, number: len(b.posts) + 1}
		b.posts = append(b.posts, p)
	}
	if n := len(p.versions); n > 0 && v.step <= p.versions[n-1].step {
		return fmt.Errorf("step %d is not after the version before", v.step)
	}
	p.versions = append(p.versions, v)
	return nil
}

// when is the date of a version, given the times of the steps taken.
func (v *version) when(times []time.Time) (time.Time, error) {
	switch {
	case v.date == "":
		return times[min(v.step, len(times)-1)], nil
	case v.date[0] == '-':
		d, err := time.ParseDuration(v.date)
		return times[0].Add(d), err
	}
	return time.Parse(time.RFC3339, v.date)
}

// view is what the blog shows when the steps of times have been taken.
func (b *blog) view(times []time.Time) []Post {
	var posts []Post
	for _, p := range b.posts {
		if post, ok := b.render(p, times); ok {
			posts = append(posts, post)
		}
	}
	slices.SortStableFunc(posts, func(a, b Post) int { return b.Published.Compare(a.Published) })
	if len(posts) > b.window {
		posts = posts[:b.window]
	}
	return posts
}

// current is the version of p that is shown; nil before it appears.
func (p *post) current(step int) *version {
	var cur *version
	for i := range p.versions {
		if p.versions[i].step <= step {
			cur = &p.versions[i]
		}
	}
	return cur
}

func (b *blog) render(p *post, times []time.Time) (Post, bool) {
	v := p.current(len(times) - 1)
	if v == nil || v.remove {
		return Post{}, false
	}
	first := &p.versions[0]
	published, _ := first.when(times) // parseBlog has seen it
	out := Post{
		Source: feed.SourceID(b.id), Title: v.title, Author: cmp.Or(v.author, b.author), HTML: v.body + b.footer, Tags: v.tags,
		Published: published.UTC(), summary: v.summary, enclosure: v.enclosure,
	}
	if v != first {
		out.Updated = times[v.step]
	}
	out.URL = b.url(p, published)
	switch {
	case first.link != "":
		out.URL = "https://" + b.host + first.link
	case v.canonical:
		when, _ := v.origin.versions[0].when(times)
		out.URL = v.originBlog.url(v.origin, when)
	}
	switch {
	case first.id != "":
		out.ID = first.id
	case b.ids == "number":
		out.ID = fmt.Sprintf("https://%s/?p=%d", b.host, 100+7*p.number)
	case b.ids == "tag":
		out.ID = fmt.Sprintf("tag:%s,%s:%s", b.host, published.UTC().Format(time.DateOnly), p.slug)
	default:
		out.ID = b.url(p, published)
	}
	return out, true
}

// url is the page of a post.
func (b *blog) url(p *post, published time.Time) string {
	if link := p.versions[0].link; link != "" {
		return "https://" + b.host + link
	}
	return fmt.Sprintf("https://%s/%s/%s/", b.host, published.UTC().Format("2006/01"), p.slug)
}

// markup makes HTML of a text.
func markup(text string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
		case strings.HasPrefix(part, "- "):
			out.WriteString("<ul>\n")
			for line := range strings.Lines(part) {
				out.WriteString("<li>" + strings.TrimPrefix(strings.TrimSpace(line), "- ") + "</li>\n")
			}
			out.WriteString("</ul>\n")
		case strings.HasPrefix(part, "> "):
			var lines []string
			for line := range strings.Lines(part) {
				lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "> "))
			}
			out.WriteString("<blockquote><p>" + strings.Join(lines, "\n") + "</p></blockquote>\n")
		case strings.HasPrefix(part, "## "):
			out.WriteString("<h2>" + part[3:] + "</h2>\n")
		case strings.HasPrefix(part, "<"):
			out.WriteString(part + "\n")
		default:
			out.WriteString("<p>" + part + "</p>\n")
		}
	}
	return out.String()
}

// excerpt is the first paragraph of HTML as text.
func excerpt(body string) string {
	_, rest, ok := strings.Cut(body, "<p>")
	if !ok {
		return ""
	}
	para, _, _ := strings.Cut(rest, "</p>")
	var b strings.Builder
	for {
		text, tag, ok := strings.Cut(para, "<")
		b.WriteString(text)
		if !ok {
			return strings.Join(strings.Fields(html.UnescapeString(b.String())), " ")
		}
		_, para, _ = strings.Cut(tag, ">")
	}
}
