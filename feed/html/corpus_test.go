package html

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/feed/feedtest"

	"golang.org/x/net/html/charset"
)

// texts are the texts of a feed document, whatever they are: the character data
// of every element, the strings of JSON, and the document itself read as HTML.
func texts(data []byte) []string {
	all := []string{string(data)}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var doc any
		if json.Unmarshal(data, &doc) == nil {
			all = append(all, stringsOf(doc)...)
		}
		return all
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict, d.Entity, d.CharsetReader = false, xml.HTMLEntity, charset.NewReaderLabel
	var open []*strings.Builder
	for {
		tok, err := d.Token()
		if err != nil {
			return all
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			open = append(open, &strings.Builder{})
			for _, a := range tok.Attr {
				all = append(all, a.Value)
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Write(tok)
			}
		case xml.EndElement:
			if n := len(open); n > 0 {
				if s := open[n-1].String(); strings.ContainsAny(s, "<&") {
					all = append(all, s)
				}
				open = open[:n-1]
			}
		}
	}
}

func stringsOf(v any) (all []string) {
	switch v := v.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, e := range v {
			all = append(all, stringsOf(e)...)
		}
	case map[string]any:
		for _, e := range v {
			all = append(all, stringsOf(e)...)
		}
	}
	return all
}

// Nothing active is left of the attacks that parsers are tested with, and the
// result is stable (SEC-12, SEC-16).
func TestSanitizeCases(t *testing.T) {
	files, n := 0, 0
	walk := func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(path, "sanit") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, s := range texts(data) {
			n++
			holds(t, feed.Text{Type: feed.HTML, Value: s, Base: "http://blog.example/2009/"})
			holds(t, feed.Text{Type: feed.XHTML, Value: s})
		}
		if t.Failed() {
			return fs.SkipAll
		}
		return nil
	}
	if err := filepath.WalkDir(feedtest.Reference(t, "corpus", "suites"), walk); err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no sanitize cases in the corpus")
	}
	t.Logf("%d documents, %d texts", files, n)
}

// Posts of real blogs: stable, and no word lost that plain text has, other than
// in links to frames.
func TestSanitizeRealPosts(t *testing.T) {
	posts := 0
	walk := func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".tsv") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		most := 3 // of a document: its posts are alike
		if testing.Short() {
			most = 1
		}
		for _, s := range texts(data)[1:] {
			if !strings.Contains(s, "<") {
				continue
			}
			if most--; most < 0 {
				break
			}
			posts++
			in := feed.Text{Type: feed.HTML, Value: s, Base: "http://blog.example/2009/"}
			holds(t, in)
			before := strings.Fields(Plain(in))
			after := strings.Fields(Plain(feed.Text{Type: feed.HTML, Value: Sanitize(in, Policy{})}))
			if len(after) < len(before) {
				t.Errorf("%s: %d words became %d: %.200q", filepath.Base(path), len(before), len(after), s)
			}
		}
		if t.Failed() {
			return fs.SkipAll
		}
		return nil
	}
	if err := filepath.WalkDir(feedtest.Reference(t, "corpus", "real-feeds"), walk); err != nil {
		t.Fatal(err)
	}
	if posts == 0 {
		t.Error("no posts in the corpus")
	}
	t.Logf("%d posts", posts)
}
