package html

import "strings"

// escape writes text for HTML, content or attribute, with the references that
// x/net/html uses, so that writing a parsed text again gives the same bytes.
func escape(s string) string {
	if !strings.ContainsAny(s, `&'<>"`) {
		return s
	}
	return string(appendEscaped(make([]byte, 0, len(s)+len(s)/8), s))
}

func appendEscaped(out []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		var ref string
		switch s[i] {
		case '&':
			ref = "&amp;"
		case '\'':
			ref = "&#39;"
		case '<':
			ref = "&lt;"
		case '>':
			ref = "&gt;"
		case '"':
			ref = "&#34;"
		default:
			continue
		}
		out = append(out, s[from:i]...)
		out = append(out, ref...)
		from = i + 1
	}
	return append(out, s[from:]...)
}

// cleanText leaves out what neither XML nor a reader can take: controls, and
// code points that are no characters. Controls that part words become spaces.
func cleanText(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			return strings.ToValidUTF8(strings.Map(keepText, s), "\uFFFD")
		}
	}
	return s
}

func keepText(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case r < ' ', 0x7f <= r && r < 0xa0, 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe:
		if isSpace(r) {
			return ' '
		}
		return -1
	}
	return r
}
