package html

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"chancery/feed"
)

// resolver makes references absolute (RFC 3986 §5, CONFORMANCE P-53, P-54).
type resolver struct {
	base *url.URL // nil: unknown
}

// maxURL bounds one URL. Browsers and servers stop well before; without a bound
// a long base would be written out once for every short reference.
const maxURL = 4096

func newResolver(base string) resolver {
	if len(base) > maxURL {
		return resolver{}
	}
	u, err := url.Parse(strings.TrimSpace(base))
	if err != nil || !web(u) {
		return resolver{}
	}
	return resolver{u}
}

// web reports whether u is an absolute http or https URL.
func web(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Opaque == ""
}

// resolve returns ref as an absolute URL, and its scheme; "" if that can't be
// done or the scheme is none of http, https and mailto.
func (r resolver) resolve(ref string) (abs, scheme string) {
	ref = trimURL(ref)
	if len(ref) > maxURL {
		return "", ""
	}
	u, err := url.Parse(ref)
	if err != nil {
		if u, err = url.Parse(repairURL(ref)); err != nil {
			return "", ""
		}
	}
	if u.Scheme == "mailto" {
		return mailto(u)
	}
	if u.Scheme == "" {
		switch {
		case r.base != nil:
			u = r.base.ResolveReference(u)
		case u.Host != "":
			u.Scheme = "https" // protocol-relative, and nothing known of the feed's
		default:
			return "", ""
		}
	}
	if !web(u) {
		return "", ""
	}
	u = u.ResolveReference(&url.URL{ // dot segments, RFC 3986 §5.2.4
		Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery, Fragment: u.Fragment, RawFragment: u.RawFragment,
	})
	if u.Host, err = asciiHost(u.Host); err != nil {
		return "", ""
	}
	u.User = nil // a name before the host only ever deceives
	u.RawQuery = escapeQuery(u.RawQuery)
	abs = u.String()
	if len(abs) > maxURL {
		return "", ""
	}
	return abs, u.Scheme
}

// mailto keeps an address, with the subject and whatever else it gives a message.
func mailto(u *url.URL) (abs, scheme string) {
	if !strings.Contains(u.Opaque, "@") {
		return "", ""
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	u.Opaque = escapeQuery(u.Opaque)
	if abs = u.String(); len(abs) > maxURL {
		return "", ""
	}
	return abs, "mailto"
}

// asciiHost writes an international host in ASCII, as links need it (P-58), and
// refuses one that no name or address can have.
func asciiHost(host string) (string, error) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i:]
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		var err error
		if name, err = feed.ASCIIHost(name); err != nil {
			return "", err
		}
	}
	extra := "-._"
	if strings.HasPrefix(name, "[") {
		extra = "[].:" // an IPv6 address
	}
	if strings.Trim(name, ".") == "" || !only(name, extra) || !only(port, ":") {
		return "", fmt.Errorf("%q is no host", host)
	}
	return strings.ToLower(name) + port, nil
}

// trimURL does what browsers do before they parse: white space and controls at
// the ends are cut, tabs and line breaks removed (WHATWG URL, basic parser).
func trimURL(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || r == 0xa0 })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	return s
}

const upperHex = "0123456789ABCDEF"

// repairURL escapes what url.Parse refuses but browsers take: a percent sign
// that begins no escape, spaces and controls.
func repairURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		begins := i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		if c == '%' && !begins || c <= ' ' || c == 0x7f {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// escapeQuery escapes what may not stand in a query (RFC 3986 §3.4); net/url
// leaves it as it is.
func escapeQuery(s string) string {
	bad := func(c byte) bool {
		return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\'' || c == '`' || c == '\\' || c == '{' || c == '}' || c == '|' || c == '^'
	}
	n := 0
	for i := range len(s) {
		if bad(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; bad(c) {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// srcset resolves the URLs of a srcset by its own grammar (HTML Living Standard,
// 4.8.4.2.1, "parsing a srcset attribute"): URLs may contain commas, but not end
// with one (P-57). Candidates whose URL is dropped go with their descriptors.
func srcset(s string, resolve func(string) (abs, scheme string), keep func(abs, scheme string) bool) string {
	var out []byte
	for len(s) > 0 {
		s = strings.TrimLeft(s, " \t\n\f\r,")
		if s == "" {
			break
		}
		end := strings.IndexAny(s, " \t\n\f\r")
		if end < 0 {
			end = len(s)
		}
		ref, desc := s[:end], ""
		s = s[end:]
		if trimmed := strings.TrimRight(ref, ","); trimmed != ref {
			ref = trimmed // a comma right after the URL: no descriptors
		} else {
			desc, s = descriptors(s)
		}
		abs, scheme := resolve(ref)
		if abs == "" || !keep(abs, scheme) || !validDescriptor(desc) {
			continue
		}
		if strings.HasSuffix(abs, ",") {
			abs = strings.TrimRight(abs, ",")
		}
		if len(out) > 0 {
			out = append(out, ", "...)
		}
		out = append(out, abs...)
		if desc != "" {
			out = append(out, ' ')
			out = append(out, desc...)
		}
	}
	return string(out)
}

// descriptors cuts what stands between a URL and the next comma; commas inside
// parentheses don't count.
func descriptors(s string) (desc, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth = max(0, depth-1)
		case ',':
			if depth == 0 {
				return strings.TrimSpace(s[:i]), s[i+1:]
			}
		}
	}
	return strings.TrimSpace(s), ""
}

// validDescriptor: none, or a width or density such as 480w or 1.5x.
func validDescriptor(s string) bool {
	if s == "" {
		return true
	}
	unit := s[len(s)-1]
	if unit != 'w' && unit != 'x' || len(s) > 12 || len(s) < 2 {
		return false
	}
	return strings.Trim(s[:len(s)-1], "0123456789.") == ""
}
