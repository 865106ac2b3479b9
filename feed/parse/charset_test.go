package parse

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// encoded is a feed with a title, declared as label and written in enc.
func encoded(t *testing.T, enc encoding.Encoding, label, title string) []byte {
	t.Helper()
	decl := ""
	if label != "" {
		decl = `<?xml version="1.0" encoding="` + label + `"?>` + "\n"
	}
	doc := decl + `<rss version="2.0"><channel><title>` + title + `</title><item><guid>1</guid></item></channel></rss>`
	if enc == nil {
		return []byte(doc)
	}
	b, err := enc.NewEncoder().Bytes([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The charset is that of the BOM, else of HTTP, else of the declaration, else UTF-8
// (F-100 to F-105, G-20, PEERS 27 to 29).
func TestCharset(t *testing.T) {
	u16le := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	u16be := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	u32le := utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	u32be := utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	bom := func(mark string, b []byte) []byte { return append([]byte(mark), b...) }
	tests := []struct {
		name        string
		body        []byte
		contentType string
		charset     string
		title       string
		flag        string
	}{
		{"nothing said", encoded(t, nil, "", "Žluť"), "", "utf-8", "Žluť", ""},
		{"text/xml is not US-ASCII", encoded(t, nil, "", "Žluť"), "text/xml", "utf-8", "Žluť", ""},
		{"declared UTF-8", encoded(t, nil, "UTF-8", "Žluť"), "application/rss+xml", "utf-8", "Žluť", ""},
		{"BOM over HTTP and declaration", bom("\xEF\xBB\xBF", encoded(t, nil, "iso-8859-1", "Žluť")), "text/xml; charset=windows-1251", "utf-8", "Žluť", ""},
		{"HTTP over declaration", encoded(t, charmap.Windows1251, "iso-8859-1", "Привет"), "text/xml; charset=windows-1251", "windows-1251", "Привет", ""},
		{"HTTP in quotes and capitals", encoded(t, charmap.KOI8R, "", "Привет"), `text/xml; Charset="KOI8-R"`, "koi8-r", "Привет", ""},
		{"HTTP malformed", encoded(t, charmap.KOI8R, "", "Привет"), `text/xml; a=b=c; charset=koi8-r`, "koi8-r", "Привет", ""},
		{"HTTP twice", encoded(t, charmap.Windows1251, "", "Привет"), `text/xml; charset=windows-1251; charset=utf-8`, "windows-1251", "Привет", ""},
		{"declared latin-1 means windows-1252", encoded(t, charmap.Windows1252, "ISO-8859-1", "“é”"), "", "windows-1252", "“é”", ""},
		{"declared windows-1256", encoded(t, charmap.Windows1256, "windows-1256", "سلام"), "", "windows-1256", "سلام", ""},
		{"declared windows-1255", encoded(t, charmap.Windows1255, "windows-1255", "שלום"), "", "windows-1255", "שלום", ""},
		{"declared windows-1255, really UTF-8", encoded(t, nil, "windows-1255", "שלום"), "", "utf-8", "שלום", "charset"},
		{"Shift_JIS", encoded(t, japanese.ShiftJIS, "Shift_JIS", "日本"), "", "shift_jis", "日本", ""},
		{"EUC-KR", encoded(t, korean.EUCKR, "EUC-KR", "한국"), "", "euc-kr", "한국", ""},
		{"GB2312 means GBK", encoded(t, simplifiedchinese.GBK, "gb2312", "中国"), "", "gbk", "中国", ""},
		{"IBM 437, which browsers don't know", encoded(t, charmap.CodePage437, "cp437", "é"), "", "ibm437", "é", ""},
		{"UTF-16LE with BOM", bom("\xFF\xFE", encoded(t, u16le, "UTF-16", "Žluť😀")), "", "utf-16le", "Žluť😀", ""},
		{"UTF-16BE with BOM", bom("\xFE\xFF", encoded(t, u16be, "UTF-16", "Žluť")), "text/xml; charset=utf-8", "utf-16be", "Žluť", ""},
		{"UTF-16LE without BOM", encoded(t, u16le, "UTF-16LE", "Žluť"), "", "utf-16le", "Žluť", ""},
		{"UTF-16BE without BOM", encoded(t, u16be, "", "Žluť"), "", "utf-16be", "Žluť", ""},
		{"UTF-32LE with BOM", bom("\xFF\xFE\x00\x00", encoded(t, u32le, "UTF-32", "Žluť")), "", "utf-32le", "Žluť", ""},
		{"UTF-32BE without BOM", encoded(t, u32be, "UTF-32BE", "Žluť"), "", "utf-32be", "Žluť", ""},
		{"UTF-16 said of ASCII-compatible bytes", encoded(t, nil, "UTF-16", "Žluť"), "", "utf-8", "Žluť", "charset"},
		{"UTF-16 in HTTP of ASCII-compatible bytes", encoded(t, nil, "", "Žluť"), "text/xml; charset=utf-16", "utf-8", "Žluť", "charset"},
		{"unknown label, UTF-8", encoded(t, nil, "x-none", "Žluť"), "", "utf-8", "Žluť", "charset"},
		{"unknown label, windows-1252", encoded(t, charmap.Windows1252, "x-none", "é"), "", "windows-1252", "é", "charset"},
		{"declared UTF-8, really windows-1252", encoded(t, charmap.Windows1252, "UTF-8", "café"), "", "windows-1252", "café", "charset"},
		{"invalid sequence in UTF-8", encoded(t, nil, "UTF-8", "Žlu\xC5 \xFF!"), "", "utf-8", "Žlu\uFFFD \uFFFD!", "invalid-bytes"},
		{"cut-off emoji", encoded(t, nil, "", "é\xF0\x9F\x98"), "", "utf-8", "é\uFFFD", "invalid-bytes"},
		{"EBCDIC", encoded(t, charmap.CodePage037, "cp037", "A b"), "", "ibm037", "A b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Open(tt.body, Options{ContentType: tt.contentType})
			if err != nil {
				t.Fatal(err)
			}
			f, err := d.Feed(nil)
			if err != nil {
				t.Fatal(err)
			}
			if d.Charset() != tt.charset || f.Title.Value != tt.title || len(f.Entries) != 1 {
				t.Errorf("%s, title %q, %d entries; want %s, %q", d.Charset(), f.Title.Value, len(f.Entries), tt.charset, tt.title)
			}
			if tt.flag != "" && !slices.Contains(f.Repairs, tt.flag) || tt.flag == "" && len(f.Repairs) > 0 {
				t.Errorf("repairs %v, want %q", f.Repairs, tt.flag)
			}
		})
	}
}

// JSON Feeds may begin with a BOM, and come in UTF-16 (F-106).
func TestCharsetJSON(t *testing.T) {
	doc := `{"version":"https://jsonfeed.org/version/1.1","title":"Žluť","items":[{"id":"1"}]}`
	wide := []byte("\xFF\xFE")
	for _, u := range utf16.Encode([]rune(doc)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, body := range map[string][]byte{"BOM": []byte("\xEF\xBB\xBF" + doc), "UTF-16": wide, "UTF-16 without BOM": wide[2:]} {
		f, err := readWith(body, Options{ContentType: "application/feed+json"})
		if err != nil || f.Title.Value != "Žluť" || len(f.Entries) != 1 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// The format is found in the content, whatever the type says, and behind any
// amount of prologue (P-01).
func TestDetection(t *testing.T) {
	long := strings.Repeat("<!-- a long comment -->\n<?xml-stylesheet href='x'?>\n", 500)
	for _, doc := range []string{
		`<rss version="2.0"><channel><title>T</title></channel></rss>`,
		"\n\n \ufeff" + `<rss version="2.0"><channel><title>T</title></channel></rss>`,
		`<?xml version="1.0"?>` + long + `<rss version="2.0"><channel><title>T</title></channel></rss>`,
		`<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title></feed>`,
		long + `<RSS><Channel><Title>T</Title></Channel></RSS>`,
		`<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd"><rss version="0.91"><channel><title>T</title></channel></rss>`,
		"  \n" + `{"version":"http://jsonfeed.org/version/1","title":"T","items":[]}`,
	} {
		for _, ct := range []string{"", "text/html", "application/json", "application/rss+xml", "image/png"} {
			f, err := readWith([]byte(doc), Options{ContentType: ct})
			if err != nil || f.Title.Value != "T" {
				t.Errorf("%.60q as %q: %+v, %v", doc, ct, f, err)
			}
		}
	}
}

// The code pages of DOS, EBCDIC and the Macintosh, under the names that Python
// gives them: one character of each (F-107).
func TestCodePages(t *testing.T) {
	for _, tt := range []struct {
		label string
		b     byte
		want  string
	}{
		{"cp037", 0x80, "\u00d8"},
		{"cp273", 0x80, "\u00d8"},
		{"cp424", 0x80, "\ufffd"},
		{"cp437", 0x80, "\u00c7"},
		{"cp500", 0x80, "\u00d8"},
		{"cp720", 0xA1, "\u0629"},
		{"cp737", 0x80, "\u0391"},
		{"cp775", 0x80, "\u0106"},
		{"cp850", 0x80, "\u00c7"},
		{"cp852", 0x80, "\u00c7"},
		{"cp855", 0x80, "\u0452"},
		{"cp856", 0x80, "\u05d0"},
		{"cp857", 0x80, "\u00c7"},
		{"cp858", 0x80, "\u00c7"},
		{"cp860", 0x80, "\u00c7"},
		{"cp861", 0x80, "\u00c7"},
		{"cp862", 0x80, "\u05d0"},
		{"cp863", 0x80, "\u00c7"},
		{"cp864", 0x80, "\u00b0"},
		{"cp865", 0x80, "\u00c7"},
		{"cp866", 0x80, "\u0410"},
		{"cp869", 0x80, "\ufffd"},
		{"cp874", 0x80, "\u20ac"},
		{"cp875", 0x80, "\u0385"},
		{"cp1006", 0xA1, "\u06f0"},
		{"cp1026", 0x80, "\u00d8"},
		{"cp1125", 0x80, "\u0410"},
		{"cp1140", 0x80, "\u00d8"},
		{"cp1250", 0x80, "\u20ac"},
		{"cp1251", 0x80, "\u0402"},
		{"cp1252", 0x80, "\u20ac"},
		{"cp1253", 0x80, "\u20ac"},
		{"cp1254", 0x80, "\u20ac"},
		{"cp1255", 0x80, "\u20ac"},
		{"cp1256", 0x80, "\u20ac"},
		{"cp1257", 0x80, "\u20ac"},
		{"cp1258", 0x80, "\u20ac"},
		{"hp_roman8", 0xA1, "\u00c0"},
		{"koi8_r", 0x80, "\u2500"},
		{"koi8_u", 0x80, "\u2500"},
		{"koi8_t", 0x80, "\u049b"},
		{"kz1048", 0x80, "\u0402"},
		{"mac_arabic", 0x80, "\u00c4"},
		{"mac_croatian", 0x80, "\u00c4"},
		{"mac_cyrillic", 0x80, "\u0410"},
		{"mac_farsi", 0x80, "\u00c4"},
		{"mac_greek", 0x80, "\u00c4"},
		{"mac_iceland", 0x80, "\u00c4"},
		{"mac_latin2", 0x80, "\u00c4"},
		{"mac_roman", 0x80, "\u00c4"},
		{"mac_romanian", 0x80, "\u00c4"},
		{"mac_turkish", 0x80, "\u00c4"},
		{"palmos", 0x80, "\u20ac"},
		{"ptcp154", 0x80, "\u0496"},
		{"tis_620", 0xA1, "\u0e01"},
		{"iso8859_16", 0xA1, "\u0104"},
	} {
		enc, _, ok := lookup(tt.label)
		if !ok || enc == nil {
			t.Errorf("%s is unknown", tt.label)
			continue
		}
		// The document in the charset: each character of its ASCII part by search.
		var bytesOf [128]byte
		for i := range 256 {
			c, err := enc.NewDecoder().Bytes([]byte{byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			if len(c) == 1 && c[0] < 128 && bytesOf[c[0]] == 0 {
				bytesOf[c[0]] = byte(i)
			}
		}
		var body []byte
		for _, c := range []byte(`<?xml version="1.0" encoding="` + tt.label + `"?><rss version="2.0"><channel><title>@</title><item><guid>1</guid></item></channel></rss>`) {
			if c == '@' {
				body = append(body, tt.b)
			} else {
				body = append(body, bytesOf[c])
			}
		}
		f, err := readWith(body, Options{})
		if err != nil || f.Title.Value != tt.want {
			t.Errorf("%s: byte %#x reads as %+v, %v, want %q", tt.label, tt.b, f, err, tt.want)
		}
	}
}
