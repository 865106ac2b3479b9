package parse

import (
	"bytes"
	"encoding/base64"
	"html"
	"strings"
	"unicode/utf8"

	"chancery/feed"
)

// text makes a text construct of n with the base and language in force. The
// value is given by the caller.
func (t *tree) text(n *node, typ feed.TextType, value string) feed.Text {
	if value == "" {
		return feed.Text{}
	}
	return feed.Text{Type: typ, Value: value, Lang: n.lang, Base: n.base}
}

// atomText reads a text construct or content element of Atom (RFC 4287 §3.1,
// §4.1.3.3; Atom 0.3 with mode). media is the media type if it is none of the
// three types.
func (t *tree) atomText(n *node) (tx feed.Text, media string) {
	typ := strings.ToLower(strings.TrimSpace(n.attr("type")))
	if i := strings.IndexByte(typ, ';'); i >= 0 {
		typ = strings.TrimSpace(typ[:i])
	}
	mode := strings.ToLower(strings.TrimSpace(n.attr("mode")))
	markup := n.first != 0
	switch {
	case mode == "base64":
		return t.encoded(n, typ)
	case typ == "xhtml" || typ == "application/xhtml+xml" || markup && typ != "html" && typ != "text/html" && isMarkupType(typ):
		if !markup && typ != "xhtml" && mode != "xml" {
			// Escaped although it is called XHTML: common, and meant as HTML.
			return t.text(n, feed.HTML, t.value(n)), ""
		}
		return t.text(n, feed.XHTML, t.xhtml(n)), ""
	case typ == "html" || typ == "text/html":
		if markup { // naked tags: an error that means HTML
			return t.text(n, feed.HTML, t.loose(n)), ""
		}
		return t.text(n, feed.HTML, t.value(n)), ""
	case mode == "escaped" && (typ == "" || strings.HasPrefix(typ, "text/")):
		v := t.value(n)
		if typ == "text/plain" || !looksHTML(v) {
			return t.text(n, feed.PlainText, v), ""
		}
		return t.text(n, feed.HTML, v), ""
	case typ == "" || typ == "text" || typ == "text/plain" || typ == "plain":
		if markup {
			return t.text(n, feed.HTML, t.loose(n)), ""
		}
		return t.text(n, feed.PlainText, t.value(n)), ""
	case strings.HasSuffix(typ, "+xml"), strings.HasSuffix(typ, "/xml"):
		return t.text(n, feed.PlainText, strings.TrimSpace(string(t.d.text[n.inner.lo:n.inner.hi]))), typ
	case strings.HasPrefix(typ, "text/"), !strings.Contains(typ, "/"):
		return t.text(n, feed.PlainText, t.value(n)), typ
	}
	tx, _ = t.encoded(n, typ)
	return tx, typ
}

// isMarkupType reports whether naked tags inside a construct of this type mean XHTML.
func isMarkupType(typ string) bool {
	return typ == "" || typ == "text" || typ == "xml" || typ == "text/plain" || typ == "text/xml" || typ == "application/xml"
}

// encoded reads a construct in base 64. What is not base 64 is taken as text.
func (t *tree) encoded(n *node, typ string) (feed.Text, string) {
	v := t.value(n)
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
	kind := feed.PlainText
	switch typ {
	case "html", "text/html", "xhtml", "application/xhtml+xml":
		kind, typ = feed.HTML, ""
	case "text", "text/plain":
		typ = ""
	}
	if err != nil {
		return t.text(n, kind, v), typ
	}
	if !isText(b) {
		return t.text(n, kind, v), typ // binary: stays as published
	}
	if typ != "" && looksHTML(string(b)) {
		kind = feed.HTML
	}
	b = bytes.TrimSpace(appendLegal(nil, b, &t.d.fixes))
	return t.text(n, kind, string(b)), typ
}

// loose reads HTML that stands in an element partly or wholly as naked tags.
// Escaped tags beside them mean that text is markup too.
func (t *tree) loose(n *node) string {
	in := t.d.text[n.inner.lo:n.inner.hi]
	if bytes.Contains(in, []byte("&lt;")) || bytes.Contains(in, []byte("<![CDATA[")) {
		if i := bytes.Index(in, []byte("&lt;")); i < 0 || i+4 < len(in) && (nameStart(in[i+4]) || in[i+4] == '/') {
			return t.d.markup(n.inner, false, true)
		}
	}
	return t.d.markup(n.inner, false, false)
}

// xhtml gives the children of n as HTML: prefixes removed, CDATA escaped, the one
// wrapping div taken off (RFC 4287 §3.1.1.3, CONFORMANCE P-17, P-18).
func (t *tree) xhtml(n *node) string {
	at := n.inner
	if c := n.first; c != 0 && t.nodes[c].next == 0 && !n.text && strings.EqualFold(t.nodes[c].local, "div") {
		at = t.nodes[c].inner
	}
	return t.d.markup(at, true, false)
}

// markup re-serializes the markup of a span as HTML. strict: CDATA is text and is
// escaped; else it is markup. raw: text is markup too.
func (d *Document) markup(at span, strict, raw bool) string {
	in := d.text[at.lo:at.hi]
	sc := scanner{s: in, body: true}
	out := make([]byte, 0, len(in)+len(in)/8)
	var t token
	for sc.next(&t) {
		switch t.kind {
		case kText:
			if raw {
				out = appendChars(out, in[t.lo:t.hi], d.outline.entities, &d.fixes, allRefs)
			} else {
				out = d.appendEscaped(out, in[t.lo:t.hi])
			}
		case kCDATA:
			if strict {
				out = appendHTML(out, appendVerbatim(nil, in[t.lo:t.hi], &d.fixes))
			} else {
				out = appendVerbatim(out, in[t.lo:t.hi], &d.fixes)
			}
		case kStart, kEmpty:
			out = d.appendTag(out, &t)
		case kEnd:
			if _, local := localName(t.name); !isVoid(local) {
				out = append(append(append(out, "</"...), local...), '>')
			}
		}
	}
	return strings.Trim(string(out), " \t\r\n\f")
}

// appendTag writes a start tag as HTML.
func (d *Document) appendTag(out []byte, t *token) []byte {
	_, local := localName(t.name)
	out = append(append(out, '<'), local...)
	for _, a := range t.attrs {
		if bytes.HasPrefix(a.name, []byte("xmlns")) {
			continue
		}
		name := a.name
		switch prefix, local := localName(name); string(prefix) {
		case "xlink":
			name = local
		case "xml":
			switch string(local) {
			case "lang":
				name = local
			case "base": // kept as written, though HTML has no bases inside a text
			default:
				continue // space
			}
		}
		out = append(append(append(out, ' '), name...), `="`...)
		out = append(d.appendEscaped(out, a.value), '"')
	}
	out = append(out, '>')
	if t.kind == kEmpty && !isVoid(local) {
		out = append(append(append(out, "</"...), local...), '>')
	}
	return out
}

// appendEscaped expands references and escapes the result for HTML.
func (d *Document) appendEscaped(out, s []byte) []byte {
	if bytes.IndexByte(s, '&') < 0 && bytes.IndexByte(s, '<') < 0 && bytes.IndexByte(s, '"') < 0 {
		return appendVerbatim(out, s, &d.fixes)
	}
	return appendHTML(out, appendChars(nil, s, d.outline.entities, &d.fixes, allRefs))
}

// appendHTML escapes what would be markup.
func appendHTML(out, s []byte) []byte {
	for _, c := range s {
		switch c {
		case '&':
			out = append(out, "&amp;"...)
		case '<':
			out = append(out, "&lt;"...)
		case '>':
			out = append(out, "&gt;"...)
		case '"':
			out = append(out, "&quot;"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// isText reports whether decoded content is text rather than a picture or a file.
func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) < 0
}

func isVoid(local []byte) bool {
	switch strings.ToLower(string(local)) {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr":
		return true
	}
	return false
}

// looksHTML reports whether a text that may be plain or HTML is HTML: it has a
// tag, or a reference that HTML knows.
func looksHTML(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '<':
			if looksTag(s[i:]) {
				return true
			}
		case '&':
			if looksReference(s[i:]) {
				return true
			}
		}
	}
	return false
}

// looksTag reports whether s begins with a tag of an element that HTML knows, or a comment.
func looksTag(s string) bool {
	if strings.HasPrefix(s, "<!--") {
		return true
	}
	j := 1
	if j < len(s) && s[j] == '/' {
		j++
	}
	k := j
	for k < len(s) && k < j+12 && (s[k]|0x20 >= 'a' && s[k]|0x20 <= 'z' || k > j && s[k] >= '0' && s[k] <= '9') {
		k++
	}
	if k == j || k >= len(s) || s[k] != '>' && s[k] != '/' && !isSpace(s[k]) {
		return false
	}
	return htmlElements[strings.ToLower(s[j:k])] && strings.IndexByte(s[k:min(len(s), k+maxDeclaration)], '>') >= 0
}

// looksReference reports whether s begins with a character reference of HTML.
func looksReference(s string) bool {
	for j := 1; j < len(s) && j < maxReference; j++ {
		if s[j] == ';' {
			ref := s[:j+1]
			v := html.UnescapeString(ref)
			return j > 1 && v != ref && !strings.HasSuffix(v, ";")
		}
		if s[j] != '#' && !nameByte[s[j]] {
			return false
		}
	}
	return false
}

var htmlElements = func() map[string]bool {
	m := map[string]bool{}
	for n := range strings.FieldsSeq(`a abbr acronym address area article aside audio b base basefont bdi bdo big blink blockquote
		body br button canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed
		fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input
		ins kbd label legend li link main map mark menu meta meter nav noscript object ol optgroup option output p param picture
		pre progress q rp rt ruby s samp script section select slot small source span strike strong style sub summary sup svg
		table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr`) {
		m[n] = true
	}
	return m
}()
