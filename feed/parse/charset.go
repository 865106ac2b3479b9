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
	} else if i := indexASCII(d.o.ContentType, "charset="); i >= 0 {
		// A field that is written wrongly, such as with its charset twice.
		label = strings.TrimLeft(d.o.ContentType[i+len("charset="):], `"' `)
		if end := strings.IndexAny(label, `"' ;,`); end >= 0 {
			label = label[:end]
		}
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
	case utf8.Valid(body) && (strings.HasPrefix(name, "windows-") || strings.HasPrefix(name, "iso-8859")) && multibyte(body):
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

// ebcdicLabel reads the declaration of an EBCDIC document: letters, digits and the
// hyphen are the same in all code pages, quotes are not.
func ebcdicLabel(b []byte) string {
	ascii, err := charmap.CodePage037.NewDecoder().Bytes(b[:min(len(b), 256)])
	if err != nil {
		return ""
	}
	_, v, _ := strings.Cut(string(ascii), "encoding")
	v, _, _ = strings.Cut(v, "?>")
	letter := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	v = strings.TrimLeftFunc(v, func(r rune) bool { return !letter(r) })
	if i := strings.IndexFunc(v, func(r rune) bool { return !letter(r) && r != '-' && r != '_' }); i >= 0 {
		v = v[:i]
	}
	return v
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
	for _, l := range otherLabels(label) {
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
	return findCodepage(label)
}

// otherLabels are spellings of a label under which the indexes may know it.
func otherLabels(label string) []string {
	out := []string{label, strings.ReplaceAll(label, "_", "-")}
	s := squeeze(label)
	if n, ok := strings.CutPrefix(s, "iso8859"); ok && n != "" {
		if len(n) > 4 && n[len(n)-4:] >= "1985" { // with its year
			n = n[:len(n)-4]
		}
		out = append(out, "iso-8859-"+n)
	}
	number := strings.TrimPrefix(strings.TrimPrefix(s, "cp"), "ibm")
	if number != "" && strings.Trim(number, "0123456789") == "" {
		out = append(out, "ibm"+number, "windows-"+number)
	}
	if same, ok := labels[s]; ok {
		out = append(out, same)
	}
	return out
}

// labels are names that Python and old software give to encodings of the indexes.
var labels = map[string]string{
	"ibm039": "ibm037", "latin7": "iso-8859-13", "l7": "iso-8859-13", "latin9": "iso-8859-15", "latin10": "iso-8859-16", "l10": "iso-8859-16",
	"thai": "windows-874", "tis620": "windows-874", "tis6200": "windows-874", "tis62025290": "windows-874", "tis62025291": "windows-874", "isoir166": "windows-874",
	"macroman": "macintosh", "maccyrillic": "x-mac-cyrillic", "latin1": "windows-1252", "8859": "windows-1252",
	"cp932": "shift_jis", "ms932": "shift_jis", "mskanji": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "uhc": "euc-kr", "ms949": "euc-kr", "ksx1001": "euc-kr",
	"cp950": "big5", "ms950": "big5", "big5hkscs": "big5", "hkscs": "big5", "eucjp": "euc-jp", "ujis": "euc-jp", "gb2312": "gbk", "euccn": "gbk", "gb18030": "gb18030",
	"iso2022jp": "iso-2022-jp", "hz": "hz-gb-2312", "hzgb": "hz-gb-2312",
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

// indexASCII is strings.Index without regard to the case of ASCII letters. (Changing
// the case of the whole would change the length of what is not UTF-8.)
func indexASCII(s, lower string) int {
	for i := range len(s) - len(lower) + 1 {
		if strings.EqualFold(s[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}
