package html

import (
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// scanner reads the tokens of a text and knows which elements are closed later.
type scanner struct {
	z           *html.Tokenizer
	src         string
	xml         bool              // the text is XHTML: self-closing tags count
	pos         int               // after the current token
	last        map[atom.Atom]int // offset of the last end tag of an element
	tag         atom.Atom         // of a start or end tag; 0 if unknown
	selfClosing bool
	hasAttrs    bool
	list        []html.Attribute // of the current tag, read on demand
	listed      bool
}

func newScanner(s string, xml bool) *scanner {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return &scanner{z: html.NewTokenizer(strings.NewReader(s)), src: s, xml: xml}
}

// next reads a token and returns its type, never SelfClosingTagToken.
func (s *scanner) next() html.TokenType {
	tt := s.z.Next()
	s.pos += len(s.z.Raw())
	s.selfClosing = tt == html.SelfClosingTagToken
	switch tt {
	case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
		var name []byte
		name, s.hasAttrs = s.z.TagName()
		s.tag = atom.Lookup(name)
		s.list, s.listed = s.list[:0], false
		if s.tag == atom.Noscript {
			s.z.NextIsNotRawText()
		}
		if tt == html.SelfClosingTagToken {
			return html.StartTagToken
		}
	}
	return tt
}

// text is the current text. Where there is nothing to decode it is a part of the
// source, as the tokenizer would give it.
func (s *scanner) text() string {
	raw := s.src[s.pos-len(s.z.Raw()) : s.pos]
	if strings.IndexByte(raw, '&') < 0 && strings.IndexByte(raw, '\r') < 0 && strings.IndexByte(raw, 0) < 0 {
		return raw
	}
	return string(s.z.Text())
}

// notRaw makes what follows a tag such as iframe ordinary markup.
func (s *scanner) notRaw() { s.z.NextIsNotRawText() }

// closed reports whether the current start tag ends its element too: in XHTML, and in
// HTML where the element is not HTML's own (Living Standard, 13.2.6.5).
func (s *scanner) closed() bool { return s.selfClosing && (s.xml || s.tag == atom.Svg) }

// nests reports whether the current start tag opens one more element of the name of
// the one that is being left out. A tag that closes itself opens none, whatever a
// browser makes of it, so that less is lost; inside an svg or XHTML it does not begin
// raw text either.
func (s *scanner) nests(leftOut atom.Atom) bool {
	if s.selfClosing && (s.xml || leftOut == atom.Svg) {
		s.notRaw()
	}
	return s.tag == leftOut && !s.selfClosing
}

// attrNames are the attributes that are looked at.
var attrNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"style", "hidden", "src", "srcset", "data-src", "data-lazy-src", "data-original", "data-srcset", "data-lazy-srcset",
	} {
		names[name] = name
	}
	for name := range global {
		names[name] = name
	}
	for _, el := range elements {
		for name := range el.attrs {
			names[name] = name
		}
	}
	return names
}()

// attrs are those attributes of the current tag that the package knows, and event
// handlers without their value: names in lower case, values decoded.
func (s *scanner) attrs() iter.Seq2[string, string] {
	if !s.listed {
		s.listed = true
		for more := s.hasAttrs; more; {
			var key, val []byte
			key, val, more = s.z.TagAttr()
			if name, ok := attrNames[string(key)]; ok {
				s.list = append(s.list, html.Attribute{Key: name, Val: string(val)})
			} else if len(key) > 2 && key[0] == 'o' && key[1] == 'n' {
				s.list = append(s.list, html.Attribute{Key: string(key)})
			}
		}
	}
	return func(yield func(string, string) bool) {
		for _, a := range s.list {
			if !yield(a.Key, a.Val) {
				return
			}
		}
	}
}

// attr is the value of one attribute; "" if there is none.
func (s *scanner) attr(name string) string {
	if !s.hasAttrs {
		return ""
	}
	for key, val := range s.attrs() {
		if key == name {
			return val
		}
	}
	return ""
}

// unclosed reports whether no end tag of the current element follows. The search
// runs once for each of the few names that are asked for.
func (s *scanner) unclosed() bool {
	at, ok := s.last[s.tag]
	if !ok {
		if s.last == nil {
			s.last = map[atom.Atom]int{}
		}
		at = lastEndTag(s.src, s.tag.String())
		s.last[s.tag] = at
	}
	return at < s.pos
}

// hidden reports whether the current element is one that a browser would not show
// and that can be left out safely: its end is not implied by other tags. The post's
// author hid it, or whoever broke into the blog.
func (s *scanner) hidden() bool {
	switch s.tag {
	case atom.Div, atom.Span, atom.Section, atom.Aside:
	default:
		return false
	}
	if !s.hasAttrs || s.selfClosing {
		return false
	}
	for key, val := range s.attrs() {
		switch key {
		case "hidden":
			return !s.unclosed()
		case "style":
			if v, _ := styleValue(strings.ToLower(val), "display"); v == "none" {
				return !s.unclosed()
			}
		}
	}
	return false
}

// swallows reports whether everything up to the end tag of the current element is
// its content: scripts and the like go to the end of the text if need be, as in a
// browser; others without an end are taken for empty, so that the text after them
// is not lost.
func (s *scanner) swallows() bool {
	switch s.tag {
	case atom.Script, atom.Style, atom.Title, atom.Textarea:
		return !s.selfClosing || !s.unclosed()
	}
	return !s.unclosed()
}

// lastEndTag is the offset of the last end tag of that name in s, -1 if there is none.
func lastEndTag(s, name string) int {
	for end := len(s); ; {
		i := strings.LastIndex(s[:end], "</")
		if i < 0 {
			return -1
		}
		if rest := s[i+2:]; len(rest) > len(name) && strings.EqualFold(rest[:len(name)], name) && strings.IndexByte(" \t\n\f\r/>", rest[len(name)]) >= 0 {
			return i
		}
		end = i
	}
}
