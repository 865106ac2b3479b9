package render

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"chancery/feed"
)

// escapeHTML escapes text for HTML, in content and in quoted attributes.
func escapeHTML(s string) string { return html.EscapeString(s) }

// legal reports whether XML 1.0 allows r in a document (§2.2, production Char).
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF ||
		r >= 0xE000 && r <= 0xFFFD ||
		r >= 0x10000 && r <= 0x10FFFF
}

// clean replaces what XML cannot carry by U+FFFD, in text for all formats alike,
// so that the formats agree (PUB-02).
func clean(s string) string {
	for i, r := range s {
		if r == utf8.RuneError || !legal(r) {
			return cleanFrom(s, i)
		}
	}
	return s
}

func cleanFrom(s string, at int) string {
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteString(s[:at])
	for _, r := range s[at:] { // invalid UTF-8 ranges as U+FFFD
		if !legal(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// line is a text for one line: cleaned, white space folded, and without the
// characters that reorder what stands beside it (CONFORMANCE SEC-32): overrides
// are dropped, embeddings and isolates that are left open are closed. Letters of
// right-to-left scripts and marks (U+200E, U+200F) stay.
func line(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	if !strings.ContainsAny(s, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
		return s
	}
	var b strings.Builder
	var open []rune // closers owed
	for _, r := range s {
		switch r {
		case '\u202d', '\u202e':
			continue
		case '\u202a', '\u202b':
			open = append(open, '\u202c')
		case '\u2066', '\u2067', '\u2068':
			open = append(open, '\u2069')
		case '\u202c', '\u2069':
			if len(open) == 0 || open[len(open)-1] != r {
				continue // closes nothing
			}
			open = open[:len(open)-1]
		}
		b.WriteRune(r)
	}
	for _, o := range slices.Backward(open) {
		b.WriteRune(o)
	}
	return strings.TrimSpace(b.String())
}

// excerpt cuts a plain text to about n characters at a word, with an ellipsis.
func excerpt(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	count := 0
	for i := range s {
		if count++; count > n {
			cut := s[:i]
			if j := strings.LastIndexByte(cut, ' '); j > len(cut)/2 {
				cut = cut[:j]
			}
			return strings.TrimRight(cut, " ,;:.–—-") + "…"
		}
	}
	return s
}

// webURL is s if it is an absolute http(s) address, repaired so that it is a
// valid IRI, else "" (PUB-06).
func webURL(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 8192 { // longer addresses are attacks, and no server takes them
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	if strings.IndexFunc(s, unfitForIRI) < 0 && badEscape(s) < 0 {
		return s
	}
	u.RawQuery = fitQuery(u.RawQuery)
	if s = u.String(); strings.IndexFunc(s, unfitForIRI) >= 0 {
		return "" // a host of such characters is none
	}
	return s
}

// unfitForIRI reports whether RFC 3987 forbids r anywhere in an IRI: §2.2, and of the
// characters that set a direction §4.1.
func unfitForIRI(r rune) bool {
	return r <= ' ' || r == 0x7F || strings.ContainsRune("<>\"{}|\\^`", r) || r == utf8.RuneError || r >= 0x80 && r < 0xA0 ||
		r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// badEscape is where s has a percent sign that starts no escape, or -1.
func badEscape(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return i
		}
	}
	return -1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// fitQuery escapes what a query may not hold; url.URL writes it as it stands.
func fitQuery(q string) string {
	var b strings.Builder
	for q != "" {
		r, n := utf8.DecodeRuneInString(q)
		if unfitForIRI(r) || r == '%' && badEscape(q[:min(3, len(q))]) == 0 {
			for _, c := range []byte(q[:n]) {
				b.Write(percent(c))
			}
		} else {
			b.WriteString(q[:n])
		}
		q = q[n:]
	}
	return b.String()
}

// asURI writes an IRI as a URI (RFC 3987 §3.1): RSS knows only those.
func asURI(s string) string {
	if isASCII(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	if !isASCII(u.Host) {
		if h, err := feed.ASCIIHost(u.Hostname()); err == nil {
			u.Host = strings.Replace(u.Host, u.Hostname(), h, 1)
		}
	}
	u.RawQuery = asciiOnly(u.RawQuery)
	return u.String()
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func asciiOnly(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			b.WriteByte(s[i])
		} else {
			b.Write(percent(s[i]))
		}
	}
	return b.String()
}

// percent is the escape of a byte (RFC 3986 §2.1).
func percent(c byte) []byte {
	const hex = "0123456789ABCDEF"
	return []byte{'%', hex[c>>4], hex[c&15]}
}

// isIRI reports whether s is an absolute IRI that may stand as atom:id: a scheme,
// a colon, something behind it, and nothing that an IRI cannot hold.
func isIRI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" || len(s) > 4096 || scheme == "" {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return false
		}
	}
	// "2009: a year" has no scheme, "note:this" has one that nobody knows; a
	// hierarchical web address needs a host.
	if s := strings.ToLower(scheme); s == "http" || s == "https" {
		u, err := url.Parse(strings.TrimSpace(strings.Join([]string{s, rest}, ":")))
		if err != nil || u.Host == "" {
			return false
		}
	}
	return strings.IndexFunc(rest, unfitForIRI) < 0 && badEscape(rest) < 0
}

// hostOf is the host of an address, or "".
func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}
