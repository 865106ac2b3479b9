package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/itemjson"
	"chancery/feed/parse"
	"chancery/feed/query"
)

// maxText bounds a text to explain.
const maxText = 16 << 20

// textDocs reads a file that a person wants explained, told by its content.
func (e *Env) textDocs(name string) ([]*query.Doc, error) {
	f, err := e.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return nil, failWith(exitIO, fmt.Errorf("%s: %w", name, err))
	}
	if len(b) > maxText {
		return nil, dataError("%s: larger than %s", name, bytesText(maxText))
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, dataError("%s: empty", name)
	}
	switch entries, err := entriesOf(b); {
	case err == nil:
		docs := make([]*query.Doc, len(entries))
		for i := range entries {
			docs[i] = query.NewDoc(&entries[i], "")
		}
		return docs, nil
	case !errors.Is(err, parse.ErrNotFeed):
		return nil, dataError("%s: %w", name, err)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, dataError("%s: byte %d is NUL: not a text in UTF-8", name, i)
	}
	if !utf8.Valid(b) { // words beside the place are found all the same
		e.note("%s: byte %d is not UTF-8; such bytes count as breaks between words", name, invalidAt(b))
	}
	s := strings.ReplaceAll(string(b), "\r\n", "\n")
	if looksLikeHTML(s) {
		return []*query.Doc{pageDoc(s)}, nil
	}
	title, body := "", s
	if first, rest, ok := strings.Cut(s, "\n"); ok && strings.HasPrefix(rest, "\n") {
		title, body = first, rest
	}
	return []*query.Doc{query.NewTextDoc(title, body, "")}, nil
}

// entriesOf reads a feed document, one RSS item, or one item of an export. The
// error wraps parse.ErrNotFeed where the bytes are nothing of that.
func entriesOf(b []byte) ([]feed.Item, error) {
	trimmed := bytes.TrimSpace(b)
	if bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		if r, err := itemjson.Unmarshal(trimmed); err == nil {
			r.Topics = nil // what the rules say of it
			return []feed.Item{r.Item}, nil
		}
	}
	if rssItem.Match(trimmed) {
		b = fmt.Appendf(nil, "<rss version=\"2.0\" %s><channel>%s</channel></rss>", usualNames, trimmed)
	}
	d, err := parse.Open(b, parse.Options{})
	if err != nil {
		return nil, err
	}
	f, err := d.Feed(nil)
	if err != nil {
		return nil, err
	}
	items := make([]feed.Item, len(f.Entries))
	for i, entry := range f.Entries {
		if entry.Language == "" {
			entry.Language = f.Language
		}
		items[i] = feed.Item{Entry: entry}
	}
	return items, nil
}

var (
	rssItem = regexp.MustCompile(`^<item[\s>]`)
	// pageTag is how a page, or a post copied out of one, begins.
	pageTag   = regexp.MustCompile(`(?i)^(<!--|<!doctype html|<(html|head|body|article|main|section|div|p|h[1-6]|span|a|ul|ol|table|blockquote|figure|img|em|strong|b|i|br)[\s/>])`)
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
)

// usualNames are the prefixes that an item taken out of its feed leaves undeclared.
const usualNames = `xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"`

func looksLikeHTML(s string) bool { return pageTag.MatchString(strings.TrimSpace(s)) }

// pageDoc is a page's title and text.
func pageDoc(s string) *query.Doc {
	title := ""
	if m := pageTitle.FindStringSubmatchIndex(s); m != nil {
		title = html.Plain(feed.Text{Type: feed.HTML, Value: s[m[2]:m[3]]})
		s = s[:m[0]] + s[m[1]:]
	}
	it := feed.Item{Entry: feed.Entry{Title: feed.Text{Value: title}, Content: feed.Text{Type: feed.HTML, Value: s}}}
	return query.NewDoc(&it, "")
}

// invalidAt is the first byte that is not UTF-8.
func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}
