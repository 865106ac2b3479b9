package parse

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"chancery/feed"
)

// seeds adds the documents of testdata whose names begin with prefix.
func seeds(f *testing.F, prefix string) {
	files, err := filepath.Glob("testdata/" + prefix + "*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data)
	}
}

// FuzzRSS: a document is a feed or a named error, never a panic, the same each
// time; its parts are its bytes; an entry reads the same alone as among all; all
// text that comes out is legal (P-13, SEC-08).
func FuzzRSS(f *testing.F) {
	seeds(f, "rss")
	f.Add([]byte(rdf1))
	f.Add([]byte(xhtmlBody))
	f.Fuzz(func(t *testing.T, body []byte) { checkDocument(t, body, Options{URL: "http://x.example/a/b"}) })
}

// FuzzAtom is FuzzRSS for Atom.
func FuzzAtom(f *testing.F) {
	seeds(f, "atom")
	f.Fuzz(func(t *testing.T, body []byte) { checkDocument(t, body, Options{}) })
}

// FuzzJSON is FuzzRSS for JSON Feed.
func FuzzJSON(f *testing.F) {
	seeds(f, "json")
	f.Fuzz(func(t *testing.T, body []byte) { checkDocument(t, body, Options{URL: "http://x.example/feed.json"}) })
}

// FuzzPreflight: any bytes under any content type are decoded to text, and what
// the preflight says of them holds.
func FuzzPreflight(f *testing.F) {
	for _, name := range []string{"rss-mess", "atom-namespaces", "json11", "html-page"} {
		seeds2(f, name)
	}
	f.Add([]byte("\xff\xfe<\x00r\x00s\x00s\x00/\x00>\x00"), "text/xml")
	f.Add([]byte("\x00\x00\x00<\x00\x00\x00r"), "")
	f.Add([]byte("\x4c\x6f\xa7\x94\x93"), "")
	f.Add([]byte(`<?xml version="1.0" encoding="koi8-r"?><rss><channel><title>`+"\xd2\xd5"+`</title></channel></rss>`), "text/xml; charset=windows-1251")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		checkDocument(t, body, Options{ContentType: contentType})
	})
}

func seeds2(f *testing.F, name string) {
	ar, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ar.Files[0].Data, "text/xml; charset=utf-8")
}

// FuzzDate: what is read has a year of four digits and reads the same again from
// its own canonical form.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"Thu, 01 Jan 2004 19:48:21 GMT", "2003-12-31T10:14:55.1234-08:00", "2004-W01-4", "۱۴۰۲/۰۱/۰۱", "mar., 2 févr. 2010 10:00 PM GMT+2", "2004년 05월 28일 01:31:15", "03335", "1500000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, flag, ok := readDate(s, orderUnknown)
		evidence(s)
		if !ok {
			if !got.IsZero() {
				t.Errorf("%q: no date, but %v", s, got)
			}
			return
		}
		if y := got.Year(); y < 1000 || y > 9999 {
			t.Errorf("%q: year %d", s, y)
		}
		if _, offset := got.Zone(); offset%60 != 0 {
			t.Errorf("%q: offset %d", s, offset)
		}
		again, _, ok := readDate(got.Format(time.RFC3339Nano), orderUnknown)
		if !ok || !again.Equal(got) {
			t.Errorf("%q (%s): %v reads back as %v, %v", s, flag, got, again, ok)
		}
	})
}

// FuzzCompose: what is handed to gofeed comes back from it, character by character.
func FuzzCompose(f *testing.F) {
	for _, s := range []string{"a", "a & b < c > d \" '", "]]>", "<![CDATA[x]]>", "&lt;&amp;lt;", "a\r\nb\rc", "]]]]>>", "é😀", "&#13;", "<!--", standIn, standIn + "0", strings.Repeat("<p>long & ", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var fx fixes
		s = strings.TrimSpace(string(appendLegal(nil, []byte(s), &fx)))
		c := &composer{}
		c.start("rss", "version", "2.0")
		c.start("channel")
		c.start("item")
		c.elem("title", s)
		c.elem("category", s, "domain", s)
		c.elem("content:encoded", s)
		c.elem("description", standIn+s)
		c.end("item")
		c.end("channel")
		c.end("rss")
		g, err := c.decodeRSS(&Document{}, 1)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if it := g.Items[0]; it.Title != s || it.Content != s || it.Description != strings.TrimSpace(standIn+s) || s != "" && (it.Categories[0].Value != s || it.Categories[0].Domain != s) {
			t.Errorf("%q came back as title %q, content %q, categories %+v", s, it.Title, it.Content, it.Categories)
		}
		a := &composer{}
		a.start("feed", "xmlns", canonical[nsAtom])
		a.atomText("title", feed.Text{Value: s})
		a.end("feed")
		h, err := a.decodeAtom(&Document{}, 0)
		if err != nil || h.Title != s {
			t.Errorf("%q came back from Atom as %+v, %v", s, h, err)
		}
	})
}

// FuzzResolve: resolving is total, and a resolved reference resolves to itself.
func FuzzResolve(f *testing.F) {
	f.Add("http://a/b/c/d;p?q", "../../../g")
	f.Add("http:///x", "//y/./z")
	f.Add("", "a:b")
	f.Fuzz(func(t *testing.T, base, ref string) {
		got := resolve(base, cleanURL(ref))
		if isAbsolute(got) {
			if again := resolve(base, got); again != got {
				t.Errorf("resolve(%q, %q) = %q, which resolves to %q", base, ref, got, again)
			}
		}
		if n := len(base) + len(ref) + 3; len(got) > n {
			t.Errorf("resolve(%q, %q) = %q, longer than both", base, ref, got)
		}
	})
}

// checkDocument holds a document to what every document keeps.
func checkDocument(t *testing.T, body []byte, o Options) {
	t.Helper()
	d, err := Open(body, o)
	if err != nil {
		checkError(t, err)
		return
	}
	parts := d.Parts()
	last := 0
	for i, p := range parts {
		if p.Start < last || p.End < p.Start || p.End > len(body) {
			t.Fatalf("part %d is [%d, %d) after %d of %d", i, p.Start, p.End, last, len(body))
		}
		if feed.DigestOf(body[p.Start:p.End]) != p.Digest {
			t.Fatalf("the digest of part %d is not that of its bytes", i)
		}
		last = p.End
	}
	f, err := d.Feed(nil)
	if err != nil {
		checkError(t, err)
		return
	}
	if len(f.Entries) > d.Len() {
		t.Fatalf("%d entries of %d parts", len(f.Entries), d.Len())
	}
	d2, err := Open(bytes.Clone(body), o)
	if err != nil {
		t.Fatal("the second time:", err)
	}
	f2, err := d2.Feed(nil)
	if err != nil || !reflect.DeepEqual(f, f2) {
		t.Fatalf("twice read differs: %v\n%+v\n%+v", err, f, f2)
	}
	checkLegal(t, reflect.ValueOf(*f))
	for i := range min(d.Len(), 3) {
		one, err := d.Feed(func(part int) bool { return part == i })
		if err != nil {
			t.Fatalf("part %d alone: %v", i, err)
		}
		for _, e := range one.Entries {
			if !hasEntry(f.Entries, e) {
				t.Fatalf("part %d alone is\n%+v\nnot among\n%+v", i, e, f.Entries)
			}
		}
	}
	none, err := d.Feed(func(int) bool { return false })
	if err != nil || len(none.Entries) != 0 || none.Title != f.Title {
		t.Fatalf("the head alone: %v, %d entries, title %+v, want %+v", err, len(none.Entries), none.Title, f.Title)
	}
}

func hasEntry(list []feed.Entry, e feed.Entry) bool {
	for _, x := range list {
		if x.Bytes == e.Bytes && reflect.DeepEqual(x, e) {
			return true
		}
	}
	return false
}

// checkError: errors are of the closed set, and none is a contained panic.
func checkError(t *testing.T, err error) {
	t.Helper()
	if !isNamed(err) || strings.Contains(err.Error(), "the parser failed") || strings.Contains(err.Error(), "gofeed") {
		t.Fatalf("%v", err)
	}
}

// checkLegal: every string in v is UTF-8 without characters that XML forbids.
func checkLegal(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return !legalRune(r) }) >= 0 {
			t.Fatalf("%q is not legal text", s)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for _, field := range v.Fields() {
			checkLegal(t, field)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			checkLegal(t, v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			checkLegal(t, v.Elem())
		}
	}
}
