package parse

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of CONFORMANCE P-08.
const (
	maxEntities    = 64
	maxEntityBytes = 1 << 10
	// maxExpansion bounds what all uses of declared entities add to a document.
	maxExpansion = 1 << 20
)

// entities are those that the document declares.
type entities struct {
	value map[string]string
	left  int // bytes that may still be expanded
}

// expand gives the value of a declared entity while there is room for it.
func (e *entities) expand(name string, fx *fixes) (string, bool) {
	if e == nil {
		return "", false
	}
	v, ok := e.value[name]
	if ok && len(v) > e.left {
		*fx |= fixEntityLimit
		return "", false
	}
	if ok {
		e.left -= len(v)
	}
	return v, ok
}

// declaredEntities reads the general entities of an internal DTD subset. Values
// are plain text: references to characters in them are expanded, those to other
// entities are not, so nothing grows (SEC-09). External and parameter entities are ignored.
func declaredEntities(dtd []byte, fx *fixes) *entities {
	var out map[string]string
	done := func() *entities {
		if out == nil {
			return nil
		}
		return &entities{value: out, left: maxExpansion}
	}
	for {
		i := bytes.Index(dtd, []byte("<!ENTITY"))
		if i < 0 {
			return done()
		}
		dtd = dtd[i+len("<!ENTITY"):]
		rest := bytes.TrimLeft(dtd, " \t\r\n")
		if len(rest) > 0 && rest[0] == '%' { // a parameter entity: what it holds declares nothing
			q := bytes.IndexAny(rest, `"'>`)
			if q < 0 {
				return done()
			}
			dtd = rest[q+1:] // never looked at again: a flood of them is linear
			if rest[q] != '>' {
				if k := bytes.IndexByte(dtd, rest[q]); k >= 0 {
					dtd = dtd[k+1:]
				}
			}
			continue
		}
		j := 0
		for j < len(rest) && nameByte[rest[j]] {
			j++
		}
		if j == 0 || j == len(rest) {
			continue
		}
		name := string(rest[:j])
		rest = bytes.TrimLeft(rest[j:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' { // SYSTEM, PUBLIC
			continue
		}
		k := bytes.IndexByte(rest[1:], rest[0])
		if k < 0 {
			return done()
		}
		if k > maxEntityBytes || len(out) >= maxEntities {
			*fx |= fixEntityLimit
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		if _, ok := out[name]; !ok { // the first declaration binds (XML §4.2)
			out[name] = string(appendChars(nil, rest[1:1+k], nil, fx, charRefsOnly))
		}
		dtd = rest[1+k+1:]
	}
}

// How appendChars treats what it finds.
const (
	allRefs      = iota
	charRefsOnly // of the named references only the five of XML; all others stay
)

// appendChars appends text with its references expanded, line ends normalized and
// illegal characters replaced. It is linear, and what it appends is valid UTF-8.
func appendChars(dst, s []byte, entities *entities, fx *fixes, mode int) []byte {
	for {
		i := bytes.IndexAny(s, "&\r")
		plain := s
		if i >= 0 {
			plain = s[:i]
		}
		dst = appendLegal(dst, plain, fx)
		if i < 0 {
			return dst
		}
		s = s[i:]
		if s[0] == '\r' { // XML §2.11
			dst = append(dst, '\n')
			s = s[1:]
			if len(s) > 0 && s[0] == '\n' {
				s = s[1:]
			}
			continue
		}
		text, n := reference(s, entities, fx, mode)
		if n == 0 {
			dst, s = append(dst, '&'), s[1:]
			continue
		}
		dst, s = append(dst, text...), s[n:]
	}
}

// maxReference is longer than the name of any HTML entity.
const maxReference = 40

// reference expands the reference at the beginning of s and gives its length, 0
// if there is none.
func reference(s []byte, entities *entities, fx *fixes, mode int) (string, int) {
	if len(s) > 2 && s[1] == '#' {
		return charReference(s, fx)
	}
	j := 1
	for j < len(s) && j < maxReference && nameByte[s[j]] && s[j] != ':' {
		j++
	}
	if j == 1 || j >= len(s) || s[j] != ';' {
		*fx |= fixBareAmp
		return "", 0
	}
	name := string(s[1:j])
	switch name {
	case "lt":
		return "<", 4
	case "gt":
		return ">", 4
	case "amp":
		return "&", 5
	case "quot":
		return `"`, 6
	case "apos":
		return "'", 6
	}
	if mode == charRefsOnly {
		return "", 0
	}
	if v, ok := entities.expand(name, fx); ok {
		return v, j + 1
	}
	ref := "&" + name + ";"
	if v := html.UnescapeString(ref); v != ref && !strings.HasSuffix(v, ";") {
		*fx |= fixEntity
		return v, j + 1
	}
	*fx |= fixBareAmp
	return "", 0
}

// charReference expands &#n; and &#xn;. A number that XML forbids becomes
// U+FFFD; 128 to 159 mean windows-1252, as in HTML.
func charReference(s []byte, fx *fixes) (string, int) {
	j, base := 2, 10
	if s[j] == 'x' || s[j] == 'X' {
		j, base = 3, 16
	}
	k := j
	for k < len(s) && k < j+9 && (s[k] >= '0' && s[k] <= '9' || base == 16 && (s[k]|0x20 >= 'a' && s[k]|0x20 <= 'f')) {
		k++
	}
	if k == j || k >= len(s) || s[k] != ';' {
		*fx |= fixBareAmp
		return "", 0
	}
	n, err := strconv.ParseUint(string(s[j:k]), base, 32)
	switch {
	case err != nil || n > utf8.MaxRune || !legalRune(rune(n)):
		*fx |= fixIllegalChar
		return "\uFFFD", k + 1
	case n >= 0x80 && n <= 0x9F:
		*fx |= fixIllegalChar
		return html.UnescapeString("&#" + strconv.FormatUint(n, 10) + ";"), k + 1
	}
	return string(rune(n)), k + 1
}

// legalRune reports whether XML 1.0 allows r (§2.2).
func legalRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// appendLegal appends text without references, replacing invalid UTF-8 and
// dropping characters that XML forbids.
func appendLegal(dst, s []byte, fx *fixes) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x80 && c != 0x7F || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case r >= 0x80 && r <= 0x9F && r != 0x85: // windows-1252 that was taken for ISO 8859-1
			*fx |= fixIllegalChar
			dst = append(append(dst, s[start:i]...), html.UnescapeString("&#"+strconv.Itoa(int(r))+";")...)
			start = i + n
		case r == utf8.RuneError && n == 1:
			*fx |= fixInvalidBytes
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			// A cut-off sequence is one character that was lost, not several.
			for i++; i < len(s) && s[i]&0xC0 == 0x80; i++ {
			}
			start = i
			continue
		case !legalRune(r):
			*fx |= fixIllegalChar
			dst = append(dst, s[start:i]...)
			start = i + n
		}
		i += n
	}
	return append(dst, s[start:]...)
}
