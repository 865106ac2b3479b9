package publish

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
)

// outputs are all kinds of documents that a service publishes, by name with a
// suffix: live feeds, archive documents, further pages, searches, tombstones.
func outputs(t *testing.T) map[string][]byte {
	cfg := testConfig()
	cfg.Icon = "https://feeds.example.org/picture.png?a=1&b=2"
	defs := testTopics()
	defs.Feeds = append(defs.Feeds, Feed{ID: "edited", Events: "revised"}, Feed{ID: "withdrawn", Events: "withdrawn"}, Feed{ID: "short", Content: "summary"})
	w := &world{t: t, store: newModel(), now: start}
	x := &plainIndex{store: w.store}
	w.before = func(p *Publisher) { p.EnableSearch(x) }
	w.start(cfg, defs)
	w.fill("one", 120, "iran", "mek")
	out := w.add(
		post{source: "two", guid: "a", title: "Camps & <courts> \x00\u202e", text: `<p onclick="x()">A <a href="/rel">link</a> &amp; <script>alert(1)</script> ]]&gt;</p>`, topics: []feed.TopicID{"iran", "mek", "iraq"}, at: w.now},
		post{source: "two", guid: "b", title: "نامه", text: "", topics: []feed.TopicID{"iran"}, at: w.now.Add(-time.Hour)},
		post{source: "two", guid: "c", title: "Copied", text: "<p>x</p>", story: "s", topics: []feed.TopicID{"iran"}, at: w.now},
	)
	w.add(post{source: "three", guid: "d", title: "Copied too", text: "<p>x</p>", story: "s", topics: []feed.TopicID{"iran"}, at: w.now})
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "two", guid: "a", title: "Camps & <courts>, corrected", text: "<p>y</p>", topics: []feed.TopicID{"iran", "mek", "iraq"}, at: start})
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{out[1].ID}, By: "test"})
	docs := map[string][]byte{}
	for _, suffix := range []string{"atom", "rss", "json"} {
		for _, name := range []string{
			"feeds/all", "feeds/iran", "feeds/source/one", "feeds/source/two", "feeds/mek-in-iraq", "feeds/edited", "feeds/withdrawn", "feeds/short",
			"feeds/iran+mek", "feeds/iran,iraq", "feeds/iran!iraq", "feeds/iran+mek/page/2", "feeds/iran+iraq!mek", "feeds/iran/archive/1", "feeds/all/archive/2",
		} {
			path := "/" + name + "." + suffix
			rec := w.get(path)
			if rec.Code == http.StatusTemporaryRedirect {
				rec = w.get(strings.TrimPrefix(rec.Header().Get("Location"), "https://feeds.example.org"))
			}
			if rec.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, rec.Code)
			}
			docs[strings.ReplaceAll(name, "/", "_")+"."+suffix] = rec.Body.Bytes()
		}
		for i, query := range []string{"q=post&limit=10", "q=%22camps%22+OR+correct*", "q=unheard", "q=post&order=oldest&as_of=2026-03-01"} {
			docs[fmt.Sprintf("search%d.%s", i, suffix)] = []byte(w.body("/search." + suffix + "?" + query))
		}
	}
	docs["opensearch.xml"] = []byte(w.body("/opensearch.xml"))
	docs["opml.xml"] = []byte(w.body("/opml.xml"))
	return docs
}

// PUB-09, PUB-43: everything that is published holds to its grammar and is read
// without complaint: xmllint, Atom's RELAX NG through jing, the schema of JSON Feed,
// feedparser.
func TestEveryOutputIsValid(t *testing.T) {
	xmllint, jing, python := feedtest.Program(t, "xmllint"), feedtest.Program(t, "jing"), feedtest.Program(t, "python3")
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		python = "/usr/bin/python3" // Debian's, which has Debian's modules
	}
	dir := t.TempDir()
	files := map[string][]string{} // by suffix
	for name, b := range outputs(t) {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		suffix := strings.TrimPrefix(filepath.Ext(name), ".")
		files[suffix] = append(files[suffix], p)
	}
	check := func(what string, paths []string, name string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, append(args, paths...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	xml := append(append(append([]string(nil), files["atom"]...), files["rss"]...), files["xml"]...)
	check("xmllint", xml, xmllint, "--noout", "--nonet")
	check("RELAX NG of Atom", files["atom"], jing, "-c", "render/testdata/atom.rnc")
	check("schema of JSON Feed", files["json"], python, "-c", `
import sys, json, jsonschema
v = jsonschema.Draft7Validator(json.load(open("render/testdata/jsonfeed-1.1.schema.json")), format_checker=jsonschema.FormatChecker())
bad = [(n, list(e.absolute_path), e.message[:300]) for n in sys.argv[1:] for e in v.iter_errors(json.load(open(n, encoding="utf-8")))]
sys.exit("\n".join(map(str, bad)) if bad else 0)
`)
	out, err := exec.CommandContext(t.Context(), python, append([]string{"-c", `
import sys, json, os, feedparser
out = {}
for n in sys.argv[1:]:
  d = feedparser.parse(open(n, "rb").read())
  out[os.path.basename(n)] = {"bozo": int(d.bozo), "why": str(d.get("bozo_exception", "")), "title": d.feed.get("title", ""), "ids": [e.id for e in d.entries]}
print(json.dumps(out))
`}, append(files["atom"], files["rss"]...)...)...).Output()
	if err != nil {
		t.Fatalf("feedparser: %v", err)
	}
	var read map[string]struct {
		Bozo  int
		Why   string
		Title string
		IDs   []string
	}
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	for name, d := range read {
		if d.Bozo != 0 || d.Title == "" {
			t.Errorf("%s: bozo %d %s, title %q", name, d.Bozo, d.Why, d.Title)
		}
		// The same entries in the other format (PUB-07).
		other := strings.TrimSuffix(name, filepath.Ext(name)) + map[string]string{".atom": ".rss", ".rss": ".atom"}[filepath.Ext(name)]
		if fmt.Sprint(d.IDs) != fmt.Sprint(read[other].IDs) {
			t.Errorf("%s has %q, %s has %q", name, d.IDs, other, read[other].IDs)
		}
	}
	if len(read) < 30 || len(read["feeds_iran.atom"].IDs) < 50 {
		t.Errorf("%d documents; %d entries in one that has 50", len(read), len(read["feeds_iran.atom"].IDs))
	}
}

// PUB-35: the picture of the service is in its feeds.
func TestIcon(t *testing.T) {
	cfg := testConfig()
	cfg.Icon = "https://feeds.example.org/picture.png?a=1&b=2"
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 1, "iran")
	for suffix, want := range map[string]string{
		"atom": "<icon>https://feeds.example.org/picture.png?a=1&amp;b=2</icon>",
		"rss":  "<url>https://feeds.example.org/picture.png?a=1&amp;b=2</url>\n      <title>Iran</title>\n      <link>https://feeds.example.org/topics/iran</link>\n    </image>",
		"json": `"icon":"https://feeds.example.org/picture.png?a=1&b=2"`,
	} {
		if body := w.body("/feeds/iran." + suffix); !strings.Contains(body, want) {
			t.Errorf("%s lacks %s:\n%.900s", suffix, want, body)
		}
	}
}

// A source that may be given whole is, whatever [publish] says; a [[feed]] that is
// to have summaries has nothing else.
func TestContentOfSourceAndFeed(t *testing.T) {
	cfg := testConfig()
	cfg.Content = "summary"
	defs := testTopics()
	defs.Feeds = []Feed{{ID: "short", Query: "topic:iran", Content: "summary"}, {ID: "whole", Query: "topic:iran", Content: "full"}}
	w := newWorld(t, cfg, defs)
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "one", URL: "https://one.example/feed", Title: "One", Origin: "config", Content: "full"}})
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "two", URL: "https://two.example/feed", Title: "Two", Origin: "config", Content: "summary"}})
	for _, source := range []string{"one", "two", "three"} {
		w.add(post{source: source, guid: source, title: source, text: "<p>" + strings.Repeat(source+" again. ", 100) + "</p>", topics: []feed.TopicID{"iran"}, at: start})
	}
	for name, want := range map[string]map[string]bool{
		"iran":  {"one": true, "two": false, "three": false},
		"short": {"one": false, "two": false, "three": false},
		"whole": {"one": true, "two": false, "three": true},
	} {
		body := w.body("/feeds/" + name + ".atom")
		for source, whole := range want {
			if got := strings.Count(body, source+" again.") >= 100; got != whole {
				t.Errorf("%s: %s is whole: %v, want %v", name, source, got, whole)
			}
		}
	}
}
