package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/feed/feedtest"
)

// forEach writes every variant in the given formats.
func forEach(t *testing.T, formats []Format, check func(t *testing.T, f *Feed, format Format, b []byte)) {
	t.Helper()
	for name, f := range variants(t) {
		for _, format := range formats {
			t.Run(name+"."+format.String(), func(t *testing.T) { check(t, f, format, mustWrite(t, f, format)) })
		}
	}
}

// PUB-02: every document passes a strict parser, whatever came in.
func TestStrictXML(t *testing.T) {
	forEach(t, []Format{FormatAtom, FormatRSS}, func(t *testing.T, _ *Feed, _ Format, b []byte) {
		d := xml.NewDecoder(bytes.NewReader(b))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
		}
	})
}

// python finds an interpreter that has a module: Debian's, where there is one, as
// that has Debian's modules.
func python(t *testing.T, module string) string {
	t.Helper()
	p := "/usr/bin/python3"
	if !fileExists(p) {
		p = feedtest.Program(t, "python3")
	}
	if err := exec.CommandContext(t.Context(), p, "-c", "import "+module).Run(); err != nil {
		feedtest.Missing(t, "python3-"+module)
	}
	return p
}

// run gives a program the document as a file and returns what it says.
func run(t *testing.T, b []byte, suffix, name string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document."+suffix)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), name, append(args, file)...).CombinedOutput()
	return string(out), err
}

// PUB-09: libxml2 finds nothing wrong.
func TestXMLLint(t *testing.T) {
	xmllint := feedtest.Program(t, "xmllint")
	forEach(t, []Format{FormatAtom, FormatRSS}, func(t *testing.T, f *Feed, format Format, b []byte) {
		args := []string{"--noout", "--nonet"}
		if len(b) > 1<<20 {
			args = append(args, "--huge")
		}
		if out, err := run(t, b, format.String(), xmllint, args...); err != nil || out != "" {
			t.Errorf("xmllint: %v\n%s\n%.4000s", err, out, b)
		}
	})
}

// Every Atom document is in the grammar of RFC 4287, appendix B.
func TestRelaxNG(t *testing.T) {
	jing := feedtest.Program(t, "jing")
	dir := t.TempDir()
	var files []string
	for name, f := range variants(t) {
		p := filepath.Join(dir, name+".atom")
		if err := os.WriteFile(p, mustWrite(t, f, FormatAtom), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, p)
	}
	out, err := exec.CommandContext(t.Context(), jing, append([]string{"-c", "testdata/atom.rnc"}, files...)...).CombinedOutput()
	if err != nil { // Debian's wrapper warns of jars that it does without
		t.Errorf("jing: %v\n%s", err, out)
	}
	// The grammar refuses what is wrong: a check that passes all is none.
	bad := bytes.Replace(mustWrite(t, variants(t)["full"], FormatAtom), []byte("</updated>"), []byte("Q</updated>"), 1)
	p := filepath.Join(dir, "bad.atom")
	if err := os.WriteFile(p, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(t.Context(), jing, "-c", "testdata/atom.rnc", p).Run(); err == nil {
		t.Error("jing takes a wrong date")
	}
}

// feedparserScript prints what feedparser read, as JSON.
const feedparserScript = `
import sys, json, calendar, feedparser
d = feedparser.parse(open(sys.argv[-1], "rb").read())
def when(t): return calendar.timegm(t) if t else 0
print(json.dumps({
  "bozo": int(d.bozo), "why": str(d.get("bozo_exception", "")), "version": d.version,
  "id": d.feed.get("id", ""), "title": d.feed.get("title", ""), "self": [l.href for l in d.feed.get("links", []) if l.rel == "self"],
  "updated": when(d.feed.get("updated_parsed")),
  "entries": [{"id": e.get("id", ""), "title": e.get("title", ""), "link": e.get("link", ""), "published": when(e.get("published_parsed")),
    "updated": when(e.get("updated_parsed")), "tags": [t.get("label") or t.term for t in e.get("tags", [])],
    "source": e.get("source", {}).get("title", ""), "content": [c.value for c in e.get("content", [])], "summary": e.get("summary", ""),
    "enclosures": [x.href for x in e.get("enclosures", [])], "authors": [a.get("name", "") for a in e.get("authors", [])]} for e in d.entries]}))
`

type parsed struct {
	Bozo    int      `json:"bozo"`
	Why     string   `json:"why"`
	Version string   `json:"version"`
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Self    []string `json:"self"`
	Updated int64    `json:"updated"`
	Entries []struct {
		ID         string   `json:"id"`
		Title      string   `json:"title"`
		Link       string   `json:"link"`
		Published  int64    `json:"published"`
		Updated    int64    `json:"updated"`
		Tags       []string `json:"tags"`
		Source     string   `json:"source"`
		Content    []string `json:"content"`
		Summary    string   `json:"summary"`
		Enclosures []string `json:"enclosures"`
		Authors    []string `json:"authors"`
	} `json:"entries"`
}

// PUB-09, T-07: feedparser reads every document without complaint, and reads what
// was meant.
func TestFeedparser(t *testing.T) {
	python := python(t, "feedparser")
	forEach(t, []Format{FormatAtom, FormatRSS}, func(t *testing.T, f *Feed, format Format, b []byte) {
		out, err := run(t, b, format.String(), python, "-c", feedparserScript)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var d parsed
		decodeJSON(t, []byte(out), &d)
		if d.Bozo != 0 || d.Version != map[Format]string{FormatAtom: "atom10", FormatRSS: "rss20"}[format] {
			t.Errorf("bozo %d (%s), version %s\n%.3000s", d.Bozo, d.Why, d.Version, b)
		}
		if format == FormatAtom && d.ID != f.ID || d.Title != f.Title || len(d.Self) != 1 || d.Self[0] != f.Self.In(format) || d.Updated != f.Updated.Unix() {
			t.Errorf("feed %q %q %q %d, want %q %q %q %d", d.ID, d.Title, d.Self, d.Updated, f.ID, f.Title, f.Self.In(format), f.Updated.Unix())
		}
		if len(d.Entries) != len(f.Entries) {
			t.Fatalf("%d entries, want %d", len(d.Entries), len(f.Entries))
		}
		for i, got := range d.Entries {
			e := f.entries()[i]
			// RSS does not say whether a title is text or HTML; where it has a "<"
			// feedparser takes it for HTML.
			ambiguous := format == FormatRSS && strings.Contains(e.Heading(), "<")
			if got.ID != e.ID || got.Title != e.Heading() && !ambiguous {
				t.Errorf("entry %d: id %q title %.200q, want %q %.200q", i, got.ID, got.Title, e.ID, e.Heading())
			}
			if want := cmpURL(e.URL, e.Page); got.Link != want {
				t.Errorf("entry %d: link %q, want %q", i, got.Link, want)
			}
			if format == FormatAtom && (got.Updated != e.Updated.Unix() || got.Published != unix(e.Published)) {
				t.Errorf("entry %d: updated %d published %d, want %d %d", i, got.Updated, got.Published, e.Updated.Unix(), unix(e.Published))
			}
			if format == FormatRSS && got.Published != e.pubDate().Unix() {
				t.Errorf("entry %d: published %d, want %d", i, got.Published, e.pubDate().Unix())
			}
			if format == FormatAtom && got.Source != e.Origin.Title {
				t.Errorf("entry %d: source %q, want %q", i, got.Source, e.Origin.Title)
			}
			if len(got.Tags) < len(e.Topics) || len(e.Topics) > 0 && got.Tags[0] != e.Topics[0].Label {
				t.Errorf("entry %d: tags %q, want first %v", i, got.Tags, e.Topics)
			}
			if len(e.Enclosures) > 0 && (len(got.Enclosures) == 0 || got.Enclosures[0] != asURI(e.Enclosures[0].URL)) && format == FormatRSS {
				t.Errorf("entry %d: enclosures %q, want first %q", i, got.Enclosures, e.Enclosures[0].URL)
			}
		}
	})
}

// schemaScript prints every fault of documents against a schema.
const schemaScript = `
import sys, json, jsonschema
v = jsonschema.Draft7Validator(json.load(open(sys.argv[1])), format_checker=jsonschema.FormatChecker())
for name in sys.argv[2:]:
  for e in v.iter_errors(json.load(open(name, encoding="utf-8"))):
    print(name.split("/")[-1], "/".join(map(str, e.absolute_path)) + ":", e.message[:300])
`

// PUB-43: every JSON document holds to the schema of JSON Feed 1.1, and the schema
// refuses what the library alone would write (GF-11).
func TestJSONSchema(t *testing.T) {
	python := python(t, "jsonschema")
	dir := t.TempDir()
	check := func(name string, b []byte) string {
		p := filepath.Join(dir, name+".json")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), python, "-c", schemaScript, "testdata/jsonfeed-1.1.schema.json", p).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	for name, f := range variants(t) {
		if out := check(name, mustWrite(t, f, FormatJSON)); out != "" {
			t.Error(out)
		}
	}
	for name, bad := range map[string]string{
		"no-items": `{"version":"https://jsonfeed.org/version/1.1","title":"x"}`,
		"size":     `{"version":"https://jsonfeed.org/version/1.1","title":"x","items":[{"id":"1","content_text":"x","attachments":[{"url":"https://x.example/","mime_type":"a/b","size":1}]}]}`,
		"banner":   `{"version":"https://jsonfeed.org/version/1.1","title":"x","items":[{"id":"1","content_text":"x","banner_":"https://x.example/"}]}`,
		"no-body":  `{"version":"https://jsonfeed.org/version/1.1","title":"x","items":[{"id":"1"}]}`,
		"date":     `{"version":"https://jsonfeed.org/version/1.1","title":"x","items":[{"id":"1","content_text":"x","date_published":"2009-01-02 15:04"}]}`,
	} {
		if check(name, []byte(bad)) == "" {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func fileExists(p string) bool { _, err := os.Stat(p); return err == nil }

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func cmpURL(a, b string) string {
	if a != "" {
		return asURI(a)
	}
	return b
}

// PUB-01: equal values give equal bytes.
func TestDeterministic(t *testing.T) {
	forEach(t, Formats[:], func(t *testing.T, f *Feed, format Format, b []byte) {
		if again := mustWrite(t, f, format); !bytes.Equal(again, b) {
			t.Error("written twice, it differs")
		}
	})
	a, b := Prepare(sampleItem(), sampleContext()), Prepare(sampleItem(), sampleContext())
	if a.Stamp != b.Stamp || a.Stamp.IsZero() {
		t.Errorf("stamps %s and %s", a.Stamp, b.Stamp)
	}
	it := sampleItem()
	it.AlsoIn = nil
	if c := Prepare(it, sampleContext()); c.Stamp == a.Stamp {
		t.Error("the stamp does not see what changed")
	}
}

// No address but http(s) gets out, anywhere (PUB-06), and nothing that runs.
func TestOnlyWebAddresses(t *testing.T) {
	forEach(t, Formats[:], func(t *testing.T, _ *Feed, _ Format, b []byte) {
		for _, bad := range []string{"javascript:", "file:", "ftp:", "data:x", "alert(1)", `href="/rel`, `href=\"/rel`} {
			if strings.Contains(string(b), bad) {
				t.Errorf("the document has %q", bad)
			}
		}
	})
}
