package parse

import (
	"bytes"
	"go/parser"
	gotoken "go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	gojson "github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"
	"golang.org/x/mod/semver"

	"chancery/feed"
	"chancery/feed/feedtest"
)

// Each line G-01 to G-28 of the checklist, stated twice: what gofeed does today,
// so that a change upstream is noticed and the detour around it can go, and that
// what comes out of this package is right (P-75). "has" is true while the defect is
// there. G-27 is about gofeed's HTTP helper, which this program never calls.
func TestGofeedDefects(t *testing.T) {
	universal := func(doc string) (*gofeed.Feed, error) { return gofeed.NewParser().ParseString(doc) }
	items := func(doc string) int {
		f, err := universal(doc)
		if err != nil {
			return -1
		}
		return len(f.Items)
	}
	first := func(doc string) *gofeed.Item {
		f, err := universal(doc)
		if err != nil || len(f.Items) == 0 {
			return &gofeed.Item{}
		}
		return f.Items[0]
	}
	rssOf := func(item string) string {
		return `<rss version="2.0"><channel><title>T</title><item>` + item + `</item></channel></rss>`
	}
	atomOf := func(entry string) string {
		return `<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>T</title><entry>` + entry + `</entry></feed>`
	}
	slow := func(doc string) bool { // more than quadruple time for twice the document
		run := func(s string) time.Duration {
			start := feedtest.CPU(t)
			_, _ = universal(s)
			return feedtest.CPU(t) - start
		}
		half := strings.Replace(doc, "REPEAT", strings.Repeat("a<![CDATA[b]]>", 8_000), 1)
		whole := strings.Replace(doc, "REPEAT", strings.Repeat("a<![CDATA[b]]>", 32_000), 1)
		return run(whole) > 6*run(half)
	}
	entry := func(t *testing.T, doc string) feed.Entry {
		t.Helper()
		f, err := readWith([]byte(doc), Options{URL: "https://x.example/dir/feed"})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Entries) == 0 {
			t.Fatal("no entry")
		}
		return f.Entries[0]
	}
	tests := []struct {
		id   string
		has  bool // the defect is in gofeed 1.4.2
		bad  func() bool
		ours func(t *testing.T) bool
	}{
		{"G-01 large JSON is not detected", false, func() bool {
			return items(`{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","content_text":"`+strings.Repeat("x", 5000)+`"}]}`) != 1
		}, nil},
		{"G-02 prefixed Atom is empty", false, func() bool {
			return items(`<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>1</a:id></a:entry></a:feed>`) != 1
		}, nil},
		{"G-03 Atom in a wrong namespace is empty without an error", true, func() bool {
			return items(`<feed xmlns="http://www.w3.org/2005/atom"><entry><id>1</id></entry></feed>`) == 0
		}, func(t *testing.T) bool {
			return entry(t, `<feed xmlns="http://www.w3.org/2005/atom"><entry><id>1</id></entry></feed>`).ID == "1"
		}},
		{"G-04 Atom elements in RSS under another prefix", false, func() bool {
			f, err := (&rss.Parser{}).Parse(strings.NewReader(`<rss version="2.0" xmlns:a10="http://www.w3.org/2005/Atom"><channel><item><a10:updated>2024-01-01T00:00:00Z</a10:updated></item></channel></rss>`))
			return err != nil || len(f.Items[0].Extensions["atom"]["updated"]) == 0
		}, nil},
		{"G-05 root after 4 KiB, and entry documents", true, func() bool {
			return items("<!--"+strings.Repeat("x", 5000)+"-->"+rssOf("<guid>1</guid>")) < 0
		}, func(t *testing.T) bool {
			return entry(t, "<!--"+strings.Repeat("x", 5000)+"-->"+rssOf("<guid>1</guid>")).ID == "1" &&
				entry(t, `<entry xmlns="http://www.w3.org/2005/Atom"><id>2</id></entry>`).ID == "2"
		}},
		{"G-06 recursion on nested extensions", true, func() bool {
			// Unbounded recursion ends the process, so depth is only shown to grow with the document.
			f, err := (&rss.Parser{}).Parse(strings.NewReader(rssOf(strings.Repeat("<x:a>", 5000) + strings.Repeat("</x:a>", 5000))))
			if err != nil {
				return false
			}
			deep := 0
			for e := f.Items[0].Extensions["x"]["a"]; len(e) > 0; e = e[0].Children["a"] {
				deep++
			}
			return deep == 5000
		}, func(t *testing.T) bool {
			_, err := readWith([]byte(rssOf(strings.Repeat("<x:a>", 5000)+strings.Repeat("</x:a>", 5000))), Options{})
			return err != nil && isNamed(err)
		}},
		{"G-07 quadratic text runs in an extension", true, func() bool {
			return slow(`<rss version="2.0" xmlns:x="urn:x"><channel><item><x:e>REPEAT</x:e></item></channel></rss>`)
		}, func(*testing.T) bool { return true /* TestLinear */ }},
		{"G-08 a base that ends in a file is a directory", true, func() bool {
			f, err := universal(`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://x.example/a/b.html"><entry><link href="c"/></entry></feed>`)
			return err == nil && f.Items[0].Link == "http://x.example/a/b.html/c"
		}, func(t *testing.T) bool {
			return entry(t, `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://x.example/a/b.html"><entry><link href="c"/></entry></feed>`).URL == "http://x.example/a/c"
		}},
		{"G-09 no base without xml:base", true, func() bool {
			return first(atomOf(`<link href="c"/>`)).Link == "c"
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<link href="c"/>`)).URL == "https://x.example/dir/c"
		}},
		{"G-10 RSS HTML is never resolved", true, func() bool {
			return strings.Contains(first(`<rss version="2.0" xml:base="http://x.example/"><channel><item><description>&lt;a href="c">x&lt;/a></description></item></channel></rss>`).Description, `href="c"`)
		}, func(t *testing.T) bool {
			return entry(t, `<rss version="2.0" xml:base="http://b.example/"><channel><item><description>&lt;a href="c">x&lt;/a></description></item></channel></rss>`).Content.Base == "http://b.example/"
		}},
		{"G-11 atom:id is re-encoded", true, func() bool {
			return first(atomOf(`<id>HTTP://x/é a#</id>`)).GUID != "HTTP://x/é a#"
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<id>HTTP://x/é a#</id>`)).ID == "HTTP://x/é a#"
		}},
		{"G-12 text types are lost", true, func() bool {
			return first(atomOf(`<title type="text">&lt;b></title>`)).Title == first(atomOf(`<title type="html">&lt;b></title>`)).Title
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<title type="text">&lt;b></title>`)).Title.Type == feed.PlainText && entry(t, atomOf(`<title type="html">&lt;b></title>`)).Title.Type == feed.HTML
		}},
		{"G-13 CDATA in XHTML becomes markup", true, func() bool {
			return strings.Contains(first(atomOf(`<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><![CDATA[<script>]]></div></content>`)).Content, "<script>")
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><![CDATA[<script>]]></div></content>`)).Content.Value == "&lt;script&gt;"
		}},
		{"G-14 authors are not inherited", true, func() bool {
			f, err := universal(`<feed xmlns="http://www.w3.org/2005/Atom"><author><name>A</name></author><entry><id>1</id></entry></feed>`)
			return err == nil && len(f.Items[0].Authors) == 0
		}, func(t *testing.T) bool {
			e := entry(t, `<feed xmlns="http://www.w3.org/2005/Atom"><author><name>A</name></author><entry><id>1</id></entry></feed>`)
			return len(e.Authors) == 1 && e.Authors[0].Inherited
		}},
		{"G-15 the common model drops the source", true, func() bool {
			f, err := (&atom.Parser{}).Parse(strings.NewReader(atomOf(`<id>1</id><source><id>s</id></source>`)))
			return err == nil && f.Entries[0].Source != nil // only the format's own struct has it
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<id>1</id><source><id>s</id></source>`)).Origin.ID == "s"
		}},
		{"G-16 rdf:about is ignored", true, func() bool {
			return first(rdf1).GUID == ""
		}, func(t *testing.T) bool { return entry(t, rdf1).ID == "urn:1" }},
		{"G-17 published is made of updated", true, func() bool {
			return first(atomOf(`<id>1</id><updated>2024-01-01T00:00:00Z</updated>`)).PublishedParsed != nil
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<id>1</id><updated>2024-01-01T00:00:00Z</updated>`)).Published.IsZero()
		}},
		{"G-18 relations as IANA URIs", true, func() bool {
			return first(atomOf(`<link rel="http://www.iana.org/assignments/relation/alternate" href="http://x/"/>`)).Link == ""
		}, func(t *testing.T) bool {
			return entry(t, atomOf(`<link rel="http://www.iana.org/assignments/relation/alternate" href="http://x/"/>`)).URL == "http://x/"
		}},
		{"G-19 a truncated document loses everything", true, func() bool {
			return items(rssOf("<guid>1</guid>")[:80]+"<item>") < 0
		}, func(t *testing.T) bool {
			return entry(t, `<rss><channel><item><guid>1</guid></item><item><gu`).ID == "1"
		}},
		{"G-20 UTF-16 fails", true, func() bool {
			_, err := gofeed.NewParser().Parse(bytes.NewReader(utf16le("\uFEFF" + rssOf("<guid>1</guid>"))))
			return err != nil
		}, func(t *testing.T) bool { return entry(t, string(utf16le("\uFEFF"+rssOf("<guid>1</guid>")))).ID == "1" }},
		{"G-21 the filter of control characters works on bytes", true, func() bool {
			// U+0441 is 41 04 in UTF-16: the 04 is filtered out before decoding.
			_, err := (&rss.Parser{}).Parse(bytes.NewReader(utf16le(`<?xml version="1.0" encoding="utf-16"?>` + rssOf("<title>с</title>"))))
			return err != nil
		}, func(t *testing.T) bool {
			return entry(t, string(utf16le(`<?xml version="1.0" encoding="utf-16"?>`+rssOf("<title>с</title>")))).Title.Value == "с"
		}},
		{"G-22 entities of the DTD stay", true, func() bool {
			return first(`<!DOCTYPE rss [<!ENTITY foo "bar">]>`+rssOf("<title>&foo;</title>")).Title == "&foo;"
		}, func(t *testing.T) bool {
			return entry(t, `<!DOCTYPE rss [<!ENTITY foo "bar">]>`+rssOf("<title>&foo;</title>")).Title.Value == "bar"
		}},
		{"G-23 xhtml:body loses its order", true, func() bool {
			return first(xhtmlBody).Content == ""
		}, func(t *testing.T) bool { return entry(t, xhtmlBody).Content.Value == "<p>a <b>b</b> c</p>" }},
		{"G-24 keys of unknown namespaces depend on the prefix", true, func() bool {
			a := first(`<rss version="2.0" xmlns:p="urn:own"><channel><item><p:e>v</p:e></item></channel></rss>`)
			b := first(`<rss version="2.0" xmlns:q="urn:own"><channel><item><q:e>v</q:e></item></channel></rss>`)
			return len(a.Extensions["p"]) == 1 && len(b.Extensions["q"]) == 1
		}, func(t *testing.T) bool {
			e := entry(t, `<rss version="2.0" xmlns:q="urn:own"><channel><item><q:e>v</q:e></item></channel></rss>`)
			return len(e.Extensions) == 1 && e.Extensions[0].Space == "urn:own"
		}},
		{"G-25 one wrong type fails a JSON Feed", true, func() bool {
			_, err := (&gojson.Parser{}).Parse(strings.NewReader(`{"version":"https://jsonfeed.org/version/1","title":"t","items":[{"id":"1","tags":7}]}`))
			return err != nil
		}, func(t *testing.T) bool {
			return entry(t, `{"version":"https://jsonfeed.org/version/1","title":"t","items":[{"id":"1","tags":7}]}`).ID == "1"
		}},
		{"G-26 unknown zones are UTC", true, func() bool {
			d := first(rssOf("<pubDate>Mon, 26 Jan 2004 16:31:00 JST</pubDate>")).PublishedParsed
			return d != nil && d.Hour() == 16
		}, func(t *testing.T) bool {
			return entry(t, rssOf("<pubDate>Mon, 26 Jan 2004 16:31:00 JST</pubDate>")).Published.Time.UTC().Hour() == 7
		}},
		{"G-28 a picture is guessed from the content", true, func() bool {
			return first(rssOf(`<description>&lt;img src="http://x/i.png"></description>`)).Image != nil
		}, func(t *testing.T) bool {
			return entry(t, rssOf(`<description>&lt;img src="http://x/i.png"></description>`)).Image == ""
		}},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			if got := tt.bad(); got != tt.has {
				t.Errorf("the defect is there: %v, want %v: gofeed has changed, see whether the detour is still needed", got, tt.has)
			}
			if tt.ours != nil && !tt.ours(t) {
				t.Error("this package has it too")
			}
		})
	}
}

// gofeed is pinned at 1.4.2 or later (P-75).
func TestGofeedVersion(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github\.com/mmcdole/gofeed v(\S+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("gofeed is not in go.mod")
	}
	if v := "v" + string(m[1]); semver.Compare(v, "v1.4.2") < 0 {
		t.Errorf("gofeed %s, want v1.4.2 or later", v)
	}
}

// The program uses gofeed's rss, atom and json packages, never the universal
// parser or the HTTP helper of its root package (P-77, G-27).
func TestNoUniversalParser(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	used := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range file.Imports {
			path, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if sub, ok := strings.CutPrefix(path, "github.com/mmcdole/gofeed"); ok {
				used[sub] = true
			}
			if path == "net/http" || path == "os" {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if want := map[string]bool{"/rss": true, "/atom": true, "/json": true}; !maps.Equal(used, want) {
		t.Errorf("of gofeed %v is used, want %v", used, want)
	}
}

const (
	rdf1      = `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel/><item rdf:about="urn:1"><title>t</title></item></rdf:RDF>`
	xhtmlBody = `<rss version="2.0" xmlns:h="http://www.w3.org/1999/xhtml"><channel><item><h:body><h:p>a <h:b>b</h:b> c</h:p></h:body></item></channel></rss>`
)

// utf16le encodes s, whose characters are all of the basic plane.
func utf16le(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r), byte(r>>8))
	}
	return b
}
