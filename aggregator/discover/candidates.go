package discover

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

const (
	// maxPage is how much of a page is looked at (CONFORMANCE F-139).
	maxPage = 1 << 20
	// maxCandidates bounds what a hostile page can declare.
	maxCandidates = 100
)

// Kind is what a feed seems to carry.
type Kind int

// Kinds in order of rank.
const (
	Posts    Kind = iota // the main feed
	Part                 // of one tag, category, author or search
	Comments             // of comments
)

func (k Kind) String() string { return [...]string{"posts", "part", "comments"}[min(int(k), 2)] }

// Candidate is a feed that a page declares, or that was found by asking.
type Candidate struct {
	URL   string // absolute, without fragment
	Type  string // media type as declared, in lower case, without parameters
	Title string
	Kind  Kind
	From  string // "link", "header", "itself", "guess"
}

// feedTypes ranks the media types of feeds: a lower number first.
var feedTypes = map[string]int{
	"application/atom+xml":  0,
	"application/rss+xml":   0,
	"application/rdf+xml":   0,
	"application/feed+json": 0,
	"application/x-rss+xml": 0,
	"text/rss+xml":          0,
	"application/xml":       1,
	"text/xml":              1,
	"application/json":      2, // F-134
}

// Candidates lists the feeds that a page at base declares, best first: main
// feeds in document order, then parts, then comments. Header may be nil.
func Candidates(page []byte, base string, header http.Header) []Candidate {
	from, err := url.Parse(base)
	if err != nil {
		return nil
	}
	f := finder{base: from, seen: map[string]bool{}}
	f.header(header)
	f.page(page, header.Get("Content-Type"))
	slices.SortStableFunc(f.found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(feedTypes[a.Type], feedTypes[b.Type]))
	})
	return f.found
}

type finder struct {
	base  *url.URL
	seen  map[string]bool
	found []Candidate
}

// add takes up one reference if it is to a feed.
func (f *finder) add(href, rel, typ, title, from string) {
	if len(f.found) >= maxCandidates || href == "" {
		return
	}
	media, _, err := mime.ParseMediaType(typ)
	if err != nil {
		media, _, _ = strings.Cut(strings.ToLower(typ), ";")
		media = strings.TrimSpace(media)
	}
	tokens := strings.Fields(strings.ToLower(rel))
	_, isFeed := feedTypes[media]
	switch {
	case slices.Contains(tokens, "alternate") && isFeed && !slices.Contains(tokens, "stylesheet"):
	case slices.Contains(tokens, "feed") && (isFeed || media == "" || media == "text/html"):
		if media == "text/html" {
			return // a page that is a feed only by microformats
		}
	default:
		return
	}
	u, err := f.base.Parse(strings.TrimSpace(href))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return
	}
	u.Fragment, u.RawFragment = "", ""
	if media == "application/json" && strings.Contains(u.Path, "/wp-json/") {
		return // WordPress declares its API so
	}
	if f.seen[u.String()] {
		return
	}
	f.seen[u.String()] = true
	c := Candidate{URL: u.String(), Type: media, Title: strings.Join(strings.Fields(title), " "), From: from}
	c.Kind = kind(u, c.Title)
	f.found = append(f.found, c)
}

var (
	commentsTitle = regexp.MustCompile(`(?i)\b(comments?|replies|kommentare?|commentaires?|comentarios?|coment[áa]rios|commenti|reacties|kommentarer|yorumlar)\b|комментари|коментар|نظرات|دیدگاه|تعليقات|التعليقات|评论|留言|コメント`)
	commentsPath  = regexp.MustCompile(`(?i)(^|[/_.-])comments?([/_.-]|$)`)
	partPath      = regexp.MustCompile(`(?i)/(tag|tags|category|categories|kategorie|author|authors|search|topic|label|-/[^/]+)(/|$)`)
	partQuery     = regexp.MustCompile(`(?i)(^|&)(tag|cat|category|author|s|q|search|label)=[^&]`)
	partTitle     = regexp.MustCompile(`(?i)\b(tag|category|author|search results|schlagwort|kategorie) *(feed|:)|\b(tag|category|author) feed\b`)
)

// kind tells the main feed from those of comments and of parts (F-138).
func kind(u *url.URL, title string) Kind {
	switch {
	case commentsTitle.MatchString(title), commentsPath.MatchString(u.Path), strings.Contains(u.RawQuery, "feed=comments"):
		return Comments
	case partPath.MatchString(u.Path), partQuery.MatchString(u.RawQuery), partTitle.MatchString(title):
		return Part
	default:
		return Posts
	}
}

// page scans a page up to the end of its head.
func (f *finder) page(b []byte, contentType string) {
	b = b[:min(len(b), maxPage)]
	enc, _, _ := charset.DetermineEncoding(b, contentType)
	z := html.NewTokenizer(enc.NewDecoder().Reader(bytes.NewReader(b)))
	z.SetMaxBuf(maxPage)
	based := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.EndTagToken:
			if name, _ := z.TagName(); atom.Lookup(name) == atom.Head {
				return
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			switch atom.Lookup(name) {
			case atom.Body:
				return
			case atom.Base:
				// The first base with a href counts (HTML §4.2.3). It concerns all links.
				if href := attributes(z, more)["href"]; href != "" && !based {
					if u, err := f.base.Parse(strings.TrimSpace(href)); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
						f.base, based = u, true
					}
				}
			case atom.Link:
				a := attributes(z, more)
				f.add(a["href"], a["rel"], a["type"], a["title"], "link")
			}
		}
	}
}

// attributes reads the rest of a tag; the first of equal names counts.
func attributes(z *html.Tokenizer, more bool) map[string]string {
	out := map[string]string{}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, ok := out[string(key)]; !ok {
			out[string(key)] = string(value)
		}
	}
	return out
}

// header reads Link fields (RFC 8288 §3).
func (f *finder) header(h http.Header) {
	for _, line := range h["Link"] {
		for line != "" && len(f.found) < maxCandidates {
			var target string
			var params map[string]string
			target, params, line = cutLink(line)
			f.add(target, params["rel"], params["type"], params["title"], "header")
		}
	}
}

// cutLink reads one link-value: <target>; name=value; name="value".
func cutLink(s string) (target string, params map[string]string, rest string) {
	params = map[string]string{}
	_, s, ok := strings.Cut(s, "<")
	if !ok {
		return "", params, ""
	}
	target, s, ok = strings.Cut(s, ">")
	if !ok {
		return "", params, ""
	}
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return target, params, ""
		}
		if s[0] == ',' {
			return target, params, s[1:]
		}
		if s[0] != ';' {
			// Not a link-value: go on at the next one.
			i := strings.IndexByte(s, ',')
			if i < 0 {
				return target, params, ""
			}
			return target, params, s[i+1:]
		}
		s = strings.TrimLeft(s[1:], " \t")
		n := strings.IndexAny(s, "=;,")
		if n < 0 {
			return target, params, ""
		}
		name := strings.ToLower(strings.TrimSpace(s[:n]))
		if s[n] != '=' {
			s = s[n:]
			continue
		}
		var value string
		value, s = cutValue(s[n+1:])
		if _, seen := params[name]; !seen && name != "" {
			params[name] = value
		}
	}
}

func cutValue(s string) (value, rest string) {
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, ";,")
		if n < 0 {
			n = len(s)
		}
		return strings.TrimSpace(s[:n]), s[n:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
