package parse

import "bytes"

// kind is what a token of markup is.
type kind uint8

const (
	kEOF     kind = iota
	kText         // character data between markup
	kCDATA        // the inside of a CDATA section
	kStart        // <name …>
	kEmpty        // <name … />
	kEnd          // </name>
	kComment      // comment or processing instruction
	kDoctype      // <!DOCTYPE …>
)

// token is one piece of markup. Its slices point into the scanner's text and its
// attributes are valid until the next call.
type token struct {
	kind       kind
	start, end int    // of the whole token
	lo, hi     int    // of the inside: text, CDATA content, doctype
	name       []byte // of a tag, with its prefix
	attrs      []rawAttr
}

// rawAttr is an attribute as written: its value still has its entities.
type rawAttr struct{ name, value []byte }

// scanner splits text into tokens in linear time. It has no notion of nesting
// and never fails: what is not markup is text (CONFORMANCE P-06). Slips are
// noted in fixes.
type scanner struct {
	s     []byte
	pos   int
	attrs []rawAttr
	fixes fixes
	bare  int // how many '<' were text
	// noComment, noCDATA, noClose: no end of such a section, or of a tag, follows any
	// more, so that a flood of openings is not searched again and again.
	noComment, noCDATA, noClose bool
	// body: the root has begun, so a declaration has no internal subset.
	body bool
}

// nameByte marks bytes that can stand in a name; those from 0x80 may.
var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80
	}
	return t
}()

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// next reads the next token into t and reports whether there was one.
func (sc *scanner) next(t *token) bool {
	s, i := sc.s, sc.pos
	if i >= len(s) {
		t.kind, t.start, t.end = kEOF, len(s), len(s)
		return false
	}
	t.start, t.attrs = i, nil
	if s[i] == '<' && sc.markup(t) {
		sc.pos = t.end
		return true
	}
	// Text, up to the next '<' that begins markup.
	for j := i; ; {
		if s[j] == '<' {
			sc.fixes |= fixBareLess
			sc.bare++
			j++
		}
		n := bytes.IndexByte(s[j:], '<')
		if n < 0 {
			j = len(s)
		} else if j += n; !sc.opens(j) && sc.bare%(1<<12) != 1 { // a flood of them comes in pieces, to be counted
			continue
		}
		t.kind, t.end, t.lo, t.hi = kText, j, i, j
		sc.pos = j
		return true
	}
}

// opens reports whether the '<' at i looks like the beginning of markup. What
// only looks so is found out by markup, and becomes a text token of its own.
func (sc *scanner) opens(i int) bool {
	if i+1 >= len(sc.s) {
		return false
	}
	switch c := sc.s[i+1]; {
	case nameStart(c), c == '?':
		return true
	case c == '/':
		return i+2 < len(sc.s) && nameStart(sc.s[i+2])
	case c == '!':
		r := sc.s[i+2:]
		return !sc.noComment && bytes.HasPrefix(r, []byte("--")) || !sc.noCDATA && bytes.HasPrefix(r, []byte("[CDATA[")) || len(r) > 0 && nameStart(r[0])
	}
	return false
}

// markup reads the tag, comment or section that begins at sc.pos.
func (sc *scanner) markup(t *token) bool {
	if !sc.opens(t.start) {
		return false
	}
	s, i := sc.s, t.start
	switch s[i+1] {
	case '/':
		j := i + 2
		for j < len(s) && nameByte[s[j]] {
			j++
		}
		t.kind, t.name = kEnd, s[i+2:j]
		for j < len(s) && s[j] != '>' {
			if s[j] == '<' { // </a<b>
				t.end = j
				return true
			}
			j++
		}
		t.end = min(j+1, len(s))
		return true
	case '?':
		// A processing instruction ends at "?>"; the ill-formed end at ">".
		t.kind, t.lo = kComment, i+2
		n := bytes.IndexByte(s[i:], '>')
		if n < 0 {
			t.end = len(s)
			return true
		}
		t.end = i + n + 1
		return true
	case '!':
		return sc.declaration(t)
	}
	return sc.startTag(t)
}

// declaration reads what begins with "<!".
func (sc *scanner) declaration(t *token) bool {
	s, i := sc.s, t.start
	r := s[i+2:]
	switch {
	case bytes.HasPrefix(r, []byte("--")):
		n := bytes.Index(r[2:], []byte("-->"))
		if n < 0 {
			sc.noComment = true
			return false
		}
		t.kind, t.lo, t.hi, t.end = kComment, i+4, i+4+n, i+4+n+3
	case bytes.HasPrefix(r, []byte("[CDATA[")):
		n := bytes.Index(r[7:], []byte("]]>"))
		if n < 0 { // cut off in the middle
			sc.noCDATA = true
			t.kind, t.lo, t.hi, t.end = kCDATA, i+9, len(s), len(s)
			sc.fixes |= fixTruncated
			return true
		}
		t.kind, t.lo, t.hi, t.end = kCDATA, i+9, i+9+n, i+9+n+3
	case sc.body:
		j, stop := i+2, min(len(s), i+maxDeclaration)
		for j < stop && s[j] != '<' && s[j] != '>' {
			j++
		}
		if j == stop || s[j] == '<' {
			return false
		}
		t.kind, t.lo, t.hi, t.end = kComment, i+2, j, j+1
	default:
		return sc.doctype(t)
	}
	return true
}

// maxDeclaration bounds how far the end of a declaration in the body is looked
// for: HTML pasted into a feed has short ones only.
const maxDeclaration = 1 << 10

// declarationByte marks the bytes that mean something to doctype.
var declarationByte = [256]bool{'"': true, '\'': true, '[': true, ']': true, '<': true, '>': true}

// doctype reads a declaration with an internal subset, whose declarations are
// quoted strings and may hold '>'.
func (sc *scanner) doctype(t *token) bool {
	s := sc.s
	var quote byte
	depth, subset := 0, false
	for j := t.start + 2; j < len(s); j++ {
		if quote != 0 {
			n := bytes.IndexByte(s[j:], quote)
			if n < 0 {
				break
			}
			quote = 0
			j += n
			continue
		}
		for j < len(s)-1 && !declarationByte[s[j]] {
			j++
		}
		switch c := s[j]; {
		case c == '"' || c == '\'':
			quote = c
		case c == '[':
			subset = true
		case c == ']':
			subset, depth = false, 0
		case c == '<':
			if !subset { // unfinished: what follows is the document
				t.kind, t.lo, t.hi, t.end = kDoctype, t.start+2, j, j
				return true
			}
			if !sc.noComment && bytes.HasPrefix(s[j:], []byte("<!--")) {
				n := bytes.Index(s[j:], []byte("-->"))
				if sc.noComment = n < 0; n > 0 {
					j += n + 2
					continue
				}
			}
			depth++
		case c == '>' && subset && depth > 0:
			depth--
		case c == '>' && !subset:
			t.kind, t.lo, t.hi, t.end = kDoctype, t.start+2, j, j+1
			return true
		}
	}
	// No end: read it as an empty declaration that ends at the first '>', and
	// don't search for an end again.
	sc.body = true
	n := bytes.IndexByte(s[t.start:], '>')
	if n < 0 {
		return false
	}
	sc.fixes |= fixDoctype
	t.kind, t.lo, t.hi, t.end = kDoctype, t.start+2, t.start+2, t.start+n+1
	return true
}

// startTag reads a start tag. If its end is not found before the next '<', the
// '<' was text.
func (sc *scanner) startTag(t *token) bool {
	s := sc.s
	j := t.start + 1
	for j < len(s) && nameByte[s[j]] {
		j++
	}
	t.name = s[t.start+1 : j]
	if j < len(s) && s[j] == '>' {
		t.kind, t.end = kStart, j+1
		return true
	}
	attrs := sc.attrs[:0]
	for {
		for j < len(s) && isSpace(s[j]) {
			j++
		}
		if j >= len(s) || s[j] == '<' {
			return false
		}
		if s[j] == '>' {
			t.kind, t.end = kStart, j+1
			break
		}
		if s[j] == '/' {
			if j+1 < len(s) && s[j+1] == '>' {
				t.kind, t.end = kEmpty, j+2
				break
			}
			j++
			continue
		}
		k := j
		for k < len(s) && nameByte[s[k]] {
			k++
		}
		if k == j { // a stray character
			sc.fixes |= fixAttribute
			j++
			continue
		}
		name := s[j:k]
		for k < len(s) && isSpace(s[k]) {
			k++
		}
		if k >= len(s) {
			return false
		}
		if s[k] != '=' { // <option selected>
			sc.fixes |= fixAttribute
			attrs = append(attrs, rawAttr{name, nil})
			j = k
			continue
		}
		k++
		for k < len(s) && isSpace(s[k]) {
			k++
		}
		if k >= len(s) {
			return false
		}
		lo, hi, next, ok := sc.value(k)
		if !ok {
			return false
		}
		attrs = append(attrs, rawAttr{name, s[lo:hi]})
		j = next
	}
	sc.attrs, t.attrs = attrs, attrs
	return true
}

// value finds the attribute value at k and the place to go on from.
func (sc *scanner) value(k int) (lo, hi, next int, ok bool) {
	s := sc.s
	q := s[k]
	if q != '"' && q != '\'' { // unquoted (HTML 4 style)
		sc.fixes |= fixAttribute
		j := k
		for j < len(s) && !isSpace(s[j]) && s[j] != '>' && s[j] != '<' {
			j++
		}
		if j < len(s) && s[j] == '>' && j > k && s[j-1] == '/' {
			j--
		}
		return k, j, j, j < len(s)
	}
	n := bytes.IndexByte(s[k+1:], q)
	if n >= 0 {
		end := k + 1 + n
		v := s[k+1 : end]
		if bytes.IndexByte(v, '<') < 0 {
			return k + 1, end, end + 1, true
		}
		// A '<' in a value is an error, and often a sign that the closing quote is
		// missing. The quote is believed if a tag could go on after it.
		if end+1 < len(s) && (isSpace(s[end+1]) || s[end+1] == '>' || s[end+1] == '/' || s[end+1] == '?') {
			sc.fixes |= fixBareLess
			return k + 1, end, end + 1, true
		}
	}
	// No closing quote: the value ends with the tag.
	if sc.noClose {
		return 0, 0, 0, false
	}
	g := bytes.IndexByte(s[k+1:], '>')
	if g < 0 {
		sc.noClose = true
		return 0, 0, 0, false
	}
	sc.fixes |= fixAttribute
	g += k + 1
	hi = g
	if hi > k+1 && s[hi-1] == '/' {
		hi--
	}
	return k + 1, hi, hi, true
}
