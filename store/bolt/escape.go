package bolt

import "unicode/utf8"

// The ways in which publishers write a text into a document. Their numbers are part
// of the format: 0 is verbatim, the next are those of xmlEscapes, the last those of
// jsonEscapes.
var (
	xmlEscapes = [...]entities{
		{'&': "&amp;", '<': "&lt;", '>': "&gt;"},
		{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&quot;"},
		{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;", '\'': "&#39;"},
		{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&quot;", '\'': "&#39;"},
		{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&quot;", '\'': "&apos;"},
	}
	jsonEscapes = [...]jsonString{{}, {slash: true}, {html: true}, {ascii: true}}
)

const escapes = 1 + len(xmlEscapes) + len(jsonEscapes)

// entities are what stands for some bytes of ASCII in XML.
type entities [64]string

// jsonString is how a text is written inside a JSON string: with \/, with <, > and &
// as \u003c…, with all that is not ASCII as \u….
type jsonString struct{ slash, html, ascii bool }

// escape appends a text as way number n, below escapes, writes it.
func escape[T string | []byte](dst []byte, n int, text T) []byte {
	switch {
	case n == 0:
		return append(dst, text...)
	case n <= len(xmlEscapes):
		return escapeXML(dst, &xmlEscapes[n-1], text)
	default:
		return escapeJSON(dst, jsonEscapes[n-1-len(xmlEscapes)], text)
	}
}

func escapeXML[T string | []byte](dst []byte, e *entities, text T) []byte {
	start := 0
	for i := 0; i < len(text); {
		if len(text)-i >= 8 && plain8(load8(text, i)) {
			i += 8
			continue
		}
		for end := min(i+8, len(text)); i < end; i++ {
			if b := text[i]; b < byte(len(e)) && e[b] != "" {
				dst = append(dst, text[start:i]...)
				dst = append(dst, e[b]...)
				start = i + 1
			}
		}
	}
	return append(dst, text[start:]...)
}

// load8 gives eight bytes from i on.
func load8[T string | []byte](t T, i int) uint64 {
	t = t[i : i+8]
	return uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
		uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
}

// plain8 reports whether none of eight bytes is one that any of xmlEscapes has a way
// for. It may say no for nothing: # is taken for one, and so is what follows one.
func plain8(x uint64) bool {
	angle := (x | 2*ones) ^ '>'*ones  // zero for < and >
	other := (x | 5*ones) ^ '\''*ones // zero for ", &, ' and #
	return ((angle-ones)&^angle|(other-ones)&^other)&highs == 0
}

func escapeJSON[T string | []byte](dst []byte, j jsonString, text T) []byte {
	const hex = "0123456789abcdef"
	u16 := func(n uint32) {
		dst = append(dst, '\\', 'u', hex[n>>12&15], hex[n>>8&15], hex[n>>4&15], hex[n&15])
	}
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		}
		i += n
		switch {
		case r == '"' || r == '\\' || (j.slash && r == '/'):
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < 0x20, j.html && (r == '<' || r == '>' || r == '&'):
			u16(uint32(r))
		case j.html && (r == 0x2028 || r == 0x2029):
			u16(uint32(r))
		case r < utf8.RuneSelf:
			dst = append(dst, byte(r))
		case !j.ascii:
			dst = utf8.AppendRune(dst, r)
		case r < 0x10000:
			u16(uint32(r))
		default:
			r -= 0x10000
			u16(0xd800 + uint32(r>>10))
			u16(0xdc00 + uint32(r&0x3ff))
		}
	}
	return dst
}
