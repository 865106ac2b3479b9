package parse

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decode finds the charset (BOM, then HTTP, then the XML declaration, then
// UTF-8: F-100) and sets d.text. Text in UTF-8 is a part of body, not a copy;
// its declaration needs no change because no XML decoder reads it (F-105).
func (d *Document) decode(body []byte) {
	if enc, name, n := byteOrder(body); n > 0 {
		if name == "utf-8" {
			d.utf8(body, n)
			return
		}
		d.transcode(body[n:], enc, name)
		return
	}
	label := ""
	if _, params, err := mime.ParseMediaType(d.o.ContentType); err == nil {
		label = params["charset"]
	} else if i := strings.Index(strings.ToLower(d.o.ContentType), "charset="); i >= 0 {
		label = strings.Trim(d.o.ContentType[i+len("charset="):], `"' ;`)
	}
	if enc, name := wide(body); enc != nil {
		d.transcode(body, enc, name)
		return
	}
	declared := declaredCharset(body)
	if label == "" {
		label = declared
	}
	enc, name, known := lookup(label)
	switch {
	case !known:
		d.fixes |= fixCharset
		d.guess(body)
	case name == "utf-8" && label == "":
		d.guess(body)
	case name == "utf-8", isWide(name):
		// UTF-16 said of bytes that are ASCII-compatible, as wide found: F-102.
		if isWide(name) {
			d.fixes |= fixCharset
		}
		d.guess(body)
	case isUTF8(body) && (strings.HasPrefix(name, "windows-") || strings.HasPrefix(name, "iso-8859")) && multibyte(body):
		// Text of a single-byte charset is practically never valid UTF-8 by chance.
		d.fixes |= fixCharset
		d.utf8(body, 0)
	default:
		d.transcode(body, enc, name)
	}
}

// utf8 takes body as it is from offset on. Invalid sequences are replaced when
// values are read, so that offsets stay.
func (d *Document) utf8(body []byte, offset int) {
	d.text, d.offset, d.mapped, d.charset = body[offset:], offset, true, "utf-8"
	if !utf8.Valid(d.text) {
		d.fixes |= fixInvalidBytes
	}
}

// guess decides about a text that should be UTF-8. If it has bytes above 127 and
// none of them is part of a valid sequence, it is windows-1252 (F-103).
func (d *Document) guess(body []byte) {
	if utf8.Valid(body) || multibyte(body) {
		d.utf8(body, 0)
		return
	}
	d.fixes |= fixCharset
	d.transcode(body, charmap.Windows1252, "windows-1252")
}

func isUTF8(b []byte) bool { return utf8.Valid(b) }

// multibyte reports whether b has a valid UTF-8 sequence of two bytes or more.
func multibyte(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		if r, n := utf8.DecodeRune(b[i:]); r != utf8.RuneError || n > 1 {
			return true
		}
		i++
	}
	return false
}

// byteOrder finds a byte order mark (longest first).
func byteOrder(b []byte) (encoding.Encoding, string, int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return nil, "utf-8", 3
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE, 0, 0}):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), "utf-32le", 4
	case bytes.HasPrefix(b, []byte{0, 0, 0xFE, 0xFF}):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-32be", 4
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le", 2
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be", 2
	}
	return nil, "", 0
}

// wide finds UTF-16 and UTF-32 without a mark by the zero bytes around the first
// characters, which are ASCII in every feed (XML appendix F), and EBCDIC.
func wide(b []byte) (encoding.Encoding, string) {
	if len(b) < 4 {
		return nil, ""
	}
	ascii := func(c byte) bool { return c == '<' || c == '{' || c == '[' || isSpace(c) }
	switch {
	case b[0] == 0 && b[1] == 0 && b[2] == 0 && ascii(b[3]):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-32be"
	case ascii(b[0]) && b[1] == 0 && b[2] == 0 && b[3] == 0:
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), "utf-32le"
	case b[0] == 0 && ascii(b[1]) && b[2] == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be"
	case ascii(b[0]) && b[1] == 0 && b[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le"
	case bytes.HasPrefix(b, []byte{0x4C, 0x6F, 0xA7, 0x94}): // "<?xm"
		if enc, name, ok := lookup(ebcdicLabel(b)); ok {
			return enc, name
		}
		return charmap.CodePage037, "ibm037"
	}
	return nil, ""
}

// ebcdicLabel reads the declaration of an EBCDIC document, whose letters and
// digits all code pages share.
func ebcdicLabel(b []byte) string {
	ascii, err := charmap.CodePage037.NewDecoder().Bytes(b[:min(len(b), 256)])
	if err != nil {
		return ""
	}
	return declaredCharset(ascii)
}

// declaredCharset is the encoding of the XML declaration, in a document that is
// ASCII-compatible.
func declaredCharset(b []byte) string {
	head := b[:min(len(b), 4096)]
	i := bytes.Index(head, []byte("<?xml"))
	if i < 0 {
		return ""
	}
	head = head[i:]
	if j := bytes.Index(head, []byte(">")); j >= 0 {
		head = head[:j]
	}
	j := bytes.Index(head, []byte("encoding"))
	if j < 0 {
		return ""
	}
	v := bytes.TrimLeft(head[j+len("encoding"):], " \t\r\n=")
	if len(v) == 0 || v[0] != '"' && v[0] != '\'' {
		return ""
	}
	if k := bytes.IndexByte(v[1:], v[0]); k >= 0 {
		return string(v[1 : 1+k])
	}
	return ""
}

// lookup finds an encoding by its label: the WHATWG table (F-103), then IANA's
// names for those that browsers don't know. An empty label is UTF-8.
func lookup(label string) (enc encoding.Encoding, name string, known bool) {
	label = strings.ToLower(strings.TrimSpace(label))
	switch label {
	case "", "utf8", "u8":
		return nil, "utf-8", true
	case "utf-16", "utf-16be", "utf-16le", "utf-32", "utf-32be", "utf-32le", "ucs-2", "ucs-4", "iso-10646-ucs-2", "iso-10646-ucs-4":
		return nil, "utf-16", true
	}
	if e, err := htmlindex.Get(label); err == nil {
		n, err := htmlindex.Name(e)
		if err == nil && n != "replacement" && n != "x-user-defined" {
			return e, n, true
		}
	}
	for _, l := range []string{label, strings.ReplaceAll(label, "_", "-"), strings.Replace(label, "cp", "ibm", 1), strings.Replace(label, "cp", "windows-", 1)} {
		if e, err := htmlindex.Get(l); err == nil {
			if n, err := htmlindex.Name(e); err == nil && n != "replacement" {
				return e, n, true
			}
		}
		if e, err := ianaindex.IANA.Encoding(l); err == nil && e != nil {
			n, err := ianaindex.IANA.Name(e)
			if err == nil {
				return e, strings.ToLower(n), true
			}
		}
	}
	return nil, "", false
}

func isWide(name string) bool {
	return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32")
}

// transcode decodes body. What cannot be decoded is U+FFFD (F-104).
func (d *Document) transcode(body []byte, enc encoding.Encoding, name string) {
	if enc == nil {
		d.utf8(body, 0)
		return
	}
	out, err := enc.NewDecoder().Bytes(body)
	if err != nil {
		d.fixes |= fixCharset
		d.utf8(body, 0)
		return
	}
	if bytes.Contains(out, []byte("\uFFFD")) {
		d.fixes |= fixInvalidBytes
	}
	d.text, d.charset = bytes.TrimPrefix(out, []byte("\uFEFF")), name
}
