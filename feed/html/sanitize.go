package html

import (
	"strings"

	"chancery/feed"
)

// PolicyVersion is the version of what [Sanitize] does. It rises with every
// change that may alter its result; rendered pages are named by it (CONFORMANCE
// SEC-11, PUB-46).
const PolicyVersion = 2

// Policy is what may differ between two uses of [Sanitize]. What is allowed at
// all may not: see elements.go. The zero value is safe.
type Policy struct {
	// Trackers names hosts whose images count opens rather than show something:
	// "example.com" matches the host and those below it, "example.com/pixel" only
	// paths that begin so.
	Trackers []string `toml:"trackers"`
	// NoImages replaces images, audio and video by links to them: nothing is
	// loaded from elsewhere when the result is shown (SEC-18).
	NoImages bool `toml:"no_images"`
}

// DefaultPolicy drops the images of the counters that were common in feeds.
func DefaultPolicy() Policy {
	return Policy{Trackers: []string{
		"ad.doubleclick.net",
		"api.flattr.com/button",
		"b.scorecardresearch.com",
		"blogger.com/tracker",
		"blogger.googleusercontent.com/tracker",
		"da.feedsportal.com",
		"feeds.feedburner.com/~ff",
		"feeds.feedburner.com/~r",
		"feeds.wordpress.com/1.0",
		"feedproxy.google.com/~r",
		"google-analytics.com",
		"googleads.g.doubleclick.net",
		"medium.com/_/stat",
		"pi.feedsportal.com",
		"pixel.facebook.com",
		"pixel.quantserve.com",
		"pixel.wp.com",
		"res.feedsportal.com",
		"rss.buysellads.com",
		"share.feedsportal.com",
		"stats.wordpress.com",
	}}
}

// Report counts what [Clean] took out, for the statistics of a source.
type Report struct {
	Trackers int // images of one pixel or none, or of a known tracker (SEC-14)
	Frames   int // iframes and embedded players that became links (SEC-17)
	Active   int // scripts, forms' fields, objects, event attributes, other URL schemes
}

// Sanitize is the text as HTML that is safe to put inside the body of a page.
//
// The result has only text-level, block, list, table, figure, details, ruby,
// image, media and link elements, nested as HTML's parser would nest them, so
// that parsing and writing it again changes nothing; no style, id, name or event
// attributes; only absolute URLs, http and https, and mailto in links, which all
// carry rel="noopener noreferrer nofollow". References are resolved against
// t.Base; where that is empty, relative ones are dropped. Sanitizing the result
// again changes nothing (CONFORMANCE SEC-12 to SEC-17).
//
// A text of type text is escaped; its blank lines become paragraphs and its line
// breaks br.
func Sanitize(t feed.Text, p Policy) string {
	s, _ := Clean(t, p)
	return s
}

// Clean is [Sanitize] with an account of what it took out.
func Clean(t feed.Text, p Policy) (string, Report) {
	if t.Value == "" {
		return "", Report{}
	}
	if t.Type != feed.HTML && t.Type != feed.XHTML {
		return escapeText(t.Value), Report{}
	}
	w := newShaper(t, p)
	w.run()
	return gate(w.result()), w.report
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// escapeText writes plain text as HTML.
func escapeText(s string) string {
	s = strings.TrimSpace(cleanText(lineBreaks.Replace(s)))
	if !strings.Contains(s, "\n") {
		return escape(s)
	}
	var b strings.Builder
	open := false
	blank := false
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			blank = true
			continue
		case !open:
			b.WriteString("<p>")
		case blank:
			b.WriteString("</p><p>")
		default:
			b.WriteString("<br>")
		}
		open, blank = true, false
		b.WriteString(escape(line))
	}
	b.WriteString("</p>")
	return b.String()
}
