package fetch

import (
	"bytes"
	"net/http"
	"net/url"
)

// judge refuses a 200 that is no document: nothing at all, or a web page. What
// it lets through is the parser's to read.
func (c *Client) judge(u *url.URL, resp *http.Response, out *Response) error {
	if len(bytes.TrimSpace(out.Body)) == 0 {
		return &Error{Class: Empty, URL: show(u), Status: out.Status, Text: "HTTP 200 with an empty body"}
	}
	if !IsHTML(out.Body) {
		return nil
	}
	if wall := Wall(out.Status, resp.Header, out.Body); wall != "" {
		return &Error{Class: Blocked, URL: show(u), Status: out.Status, Wall: wall, Text: "a bot wall answered in place of the feed (" + wall + ")"}
	}
	return &Error{Class: HTML, URL: show(u), Status: out.Status, Text: "a web page in place of the feed"}
}

// IsHTML reports whether a document is a web page: its first element is html,
// head or body, or it has the doctype of HTML. Its media type is not asked: many
// feeds are sent as text/html.
func IsHTML(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	b = b[:min(len(b), 64<<10)]
	for {
		b = bytes.TrimLeft(b, " \t\r\n\f")
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			_, rest, ok := bytes.Cut(b, []byte("-->"))
			if !ok {
				return false
			}
			b = rest
		case bytes.HasPrefix(b, []byte("<?")):
			_, rest, ok := bytes.Cut(b, []byte(">"))
			if !ok {
				return false
			}
			b = rest
		case hasFold(b, "<!doctype"):
			return hasFold(bytes.TrimLeft(b[len("<!doctype"):], " \t\r\n"), "html")
		default:
			for _, name := range []string{"<html", "<head", "<body"} {
				if hasFold(b, name) && (len(b) == len(name) || bytes.IndexByte([]byte(" \t\r\n>/"), b[len(name)]) >= 0) {
					return true
				}
			}
			return false
		}
	}
}

func hasFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}
