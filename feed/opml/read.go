package opml

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

const (
	// MaxOutlines bounds a list. The largest known ones have some ten thousand.
	MaxOutlines = 100_000
	// maxFolders bounds nesting; folders further in are left out of the path.
	maxFolders = 16
	// maxProblems bounds the account of a document that is broken throughout.
	maxProblems = 1000
	// maxText bounds one attribute: names are shown, not read.
	maxText = 1000
)

// Read reads a list. It fails only with [ErrNotOPML]; everything else that is
// wrong with the document is in the problems, in the order of their lines, and
// the rest of the list is there. Element and attribute names may be in any case,
// characters in any charset the document declares, entities those of HTML, marks
// missing or unescaped. Time and memory are linear in len(data).
func Read(data []byte) (*List, []Problem, error) {
	r := reader{src: decode(data), line: 1}
	r.z = html.NewTokenizer(bytes.NewReader(r.src))
	r.z.AllowCDATA(true)
	r.run()
	if !r.seen {
		return nil, nil, fmt.Errorf("%w: it begins %.40q", ErrNotOPML, bytes.TrimSpace(r.src[:min(len(r.src), 80)]))
	}
	return &r.list, r.problems, nil
}

// decode returns data as UTF-8, by its byte order mark, else its declaration,
// else by looking at it.
func decode(data []byte) []byte {
	enc := ""
	if head := data[:min(len(data), 256)]; bytes.HasPrefix(bytes.TrimSpace(head), []byte("<?xml")) {
		if _, rest, ok := strings.Cut(string(head), "encoding="); ok && len(rest) > 1 {
			enc, _, _ = strings.Cut(rest[1:], rest[:1])
		}
	}
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data, enc = rest, "utf-8"
	}
	if utf8.Valid(data) {
		return data
	}
	if enc == "" || strings.EqualFold(enc, "utf-8") {
		_, enc, _ = charset.DetermineEncoding(data, "application/xml")
	}
	if rd, err := charset.NewReaderLabel(enc, bytes.NewReader(data)); err == nil {
		if b, err := io.ReadAll(rd); err == nil {
			data = b
		}
	}
	return bytes.ToValidUTF8(data, []byte("\uFFFD"))
}

// reader walks the tags of a document. HTML's tokenizer reads them, not an XML
// decoder: it takes names in any case, HTML's entities, bare ampersands and
// angle brackets in quotes, and goes on after a fault.
type reader struct {
	src      []byte
	z        *html.Tokenizer
	line     int // of the current token
	list     List
	problems []Problem
	seen     bool   // an opml or outline element
	in       string // the element of the head we are in
	text     strings.Builder
	open     []level
}

// level is an open outline.
type level struct {
	folder string // empty for a feed, and beyond maxFolders
	line   int
	name   string
}

func (r *reader) run() {
	for {
		tt := r.z.Next()
		raw := r.z.Raw()
		next := r.line + bytes.Count(raw, []byte("\n"))
		switch tt {
		case html.ErrorToken:
			r.finish(raw)
			return
		case html.TextToken:
			if r.in != "" && r.text.Len() < maxText {
				r.text.Write(r.z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			// No element of OPML is raw text, title least of all.
			r.z.NextIsNotRawText()
			r.start(tt == html.SelfClosingTagToken)
			if len(r.list.Outlines) > MaxOutlines {
				r.list.Outlines = r.list.Outlines[:MaxOutlines]
				r.problem("", fmt.Sprintf("more than %d outlines; the rest is left out", MaxOutlines))
				return
			}
		case html.EndTagToken:
			name, _ := r.z.TagName()
			r.end(string(name))
		}
		r.line = next
	}
}

// finish notes what the end of the document left open.
func (r *reader) finish(raw []byte) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<")) {
		r.problem("", "the document ends inside a tag")
	}
	if n := len(r.open); n > 0 {
		r.problem(r.open[n-1].name, fmt.Sprintf("%d outlines are not closed, the last in line %d", n, r.open[n-1].line))
	}
}

func (r *reader) start(closed bool) {
	b, more := r.z.TagName()
	switch name := string(b); name {
	case "opml":
		r.seen = true
	case "title", "datecreated", "datemodified", "ownername", "owneremail", "ownerid":
		if !closed && len(r.open) == 0 {
			r.in = name
			r.text.Reset()
		}
	case "outline":
		r.seen = true
		r.outline(more, closed)
	}
}

func (r *reader) end(name string) {
	if name == "outline" {
		if n := len(r.open); n > 0 {
			r.open = r.open[:n-1]
		} else {
			r.problem("", "an end tag without its outline")
		}
		return
	}
	if name != r.in {
		return
	}
	r.in = ""
	s := fold(r.text.String())
	switch name {
	case "title":
		r.list.Title = s
	case "ownername":
		r.list.OwnerName = s
	case "owneremail":
		r.list.OwnerEmail = s
	case "ownerid":
		r.list.OwnerID = s
	case "datecreated":
		r.list.DateCreated = r.date(name, s)
	case "datemodified":
		r.list.DateModified = r.date(name, s)
	}
}

// date reads RFC 822 and what programs write instead.
func (r *reader) date(name, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	if t, err := mail.ParseDate(s); err == nil {
		return t.UTC()
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly, "Mon, 2 Jan 2006 15:04:05 MST", time.ANSIC, time.UnixDate} {
		if t, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t.UTC()
		}
	}
	r.problem("", fmt.Sprintf("%s %q is no date", name, clip(s, 80)))
	return time.Time{}
}

// outline takes a subscription or enters a folder.
func (r *reader) outline(more, closed bool) {
	o := Outline{Line: r.line}
	var link, category string
	for more {
		var key, val []byte
		key, val, more = r.z.TagAttr()
		s := clip(fold(string(val)), maxText)
		var field *string
		switch string(key) {
		case "text":
			field = &o.Text
		case "title":
			field = &o.Title
		case "description":
			field = &o.Description
		case "type":
			field = &o.Type
		case "xmlurl":
			field = &o.XMLURL
		case "htmlurl":
			field = &o.HTMLURL
		case "language":
			field = &o.Language
		case "version":
			field = &o.Version
		case "category":
			field = &category
		case "url":
			field = &link
		}
		if field != nil && *field == "" {
			*field = s
		}
	}
	name := cmp.Or(o.Text, o.Title)
	isFeed := o.XMLURL != "" || strings.EqualFold(o.Type, "rss") || strings.EqualFold(o.Type, "atom")
	if isFeed {
		if o.XMLURL == "" {
			o.XMLURL = link
		}
		r.subscription(o, name, category)
	} else if closed && (link != "" || o.HTMLURL != "") {
		r.problem(name, fmt.Sprintf("%s has no xmlUrl, so it is no feed", cmp.Or(o.Type, "outline")))
	}
	if closed {
		return
	}
	l := level{line: r.line, name: name}
	switch {
	case isFeed:
	case len(r.open) < maxFolders:
		l.folder = name
	case len(r.open) == maxFolders:
		r.problem(name, fmt.Sprintf("folders are nested deeper than %d; those further in are left out", maxFolders))
	}
	r.open = append(r.open, l)
}

// subscription takes o if its address is one.
func (r *reader) subscription(o Outline, name, category string) {
	if o.XMLURL == "" {
		r.problem(name, "no xmlUrl")
		return
	}
	u, err := feedURL(o.XMLURL)
	if err != nil {
		r.problem(name, err.Error())
		return
	}
	o.XMLURL = u
	if o.HTMLURL != "" {
		if h, err := feedURL(o.HTMLURL); err == nil {
			o.HTMLURL = h
		} else {
			r.problem(name, "htmlUrl left out: "+err.Error())
			o.HTMLURL = ""
		}
	}
	o.Text = cmp.Or(o.Text, o.Title, o.XMLURL)
	for c := range strings.SplitSeq(category, ",") {
		if c = strings.TrimSpace(c); c != "" {
			o.Categories = append(o.Categories, c)
		}
	}
	for _, l := range r.open[:min(len(r.open), maxFolders)] {
		if l.folder != "" {
			o.Folders = append(o.Folders, l.folder)
		}
	}
	r.list.Outlines = append(r.list.Outlines, o)
}

// feedURL is s as an absolute http or https URL; the feed scheme of old readers
// stands for one.
func feedURL(s string) (string, error) {
	raw := s
	if rest, ok := cutFold(s, "feed:"); ok {
		if s = rest; strings.HasPrefix(s, "//") {
			s = "http:" + s
		}
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%.200q is not a URL", raw)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("%.200q is not an http or https URL", raw)
	}
	return s, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

func (r *reader) problem(name, what string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{Line: r.line, Name: name, What: what})
	}
}

// fold makes a name of s: one line, no controls.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0x85 || r == 0xa0 || !allowed(r) }), " ")
}

// clip cuts s at a letter's end before n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimSpace(s[:n])
}

// allowed: characters that XML 1.0 §2.2 can carry.
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r < 0xfffe && (r < 0xd800 || r > 0xdfff) || r >= 0x10000
}
