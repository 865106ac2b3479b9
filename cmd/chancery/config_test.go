package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"chancery/aggregator/topic"
)

// Every fault is named, all at once, each with its line and column.
func TestConfigFaults(t *testing.T) {
	const doc = `data_dir = "rel"
[server]
  lsten = 1
access = "secret"
[fetch]
min_interval = "1x"
timeout = 3
per_host = "a"
allow_networks = ["10.0.0.0/33"]
[ftch]
a = 1
[[topic]]
id = "all"
match = 'x'
[[topic]]
id = "x"
match = '''
iran OR (
'''
[[topic]]
id = "y"
match = 'iran'
[[topic.example]]
text = "Peru"
expect = true
[[source]]
id = "A b"
url = "ftp://x"
[[source]]
id = "b"
url = "https://x.org/"
intervall = "1h"
[[source]]
id = "b"
url = "https://user:secret@y.org/"
[[feed]]
id = "x"
query = "topic:"
content = "half"
`
	want := []string{
		`c.toml:1:1: data_dir: "rel" is not an absolute path`,
		`c.toml:3:3: server.lsten: unknown key (did you mean listen?)`,
		`c.toml:4:1: server.access: "secret" is neither "public" nor "token"`,
		`c.toml:6:1: fetch.min_interval: "1x" is not a duration such as`,
		`c.toml:7:1: fetch.timeout: 3 is not a duration such as`,
		`c.toml:8:1: fetch.per_host: "a" is not a whole number`,
		`c.toml:9:1: fetch.allow_networks: [10.0.0.0/33] is not a list in brackets, each a network such as`,
		`c.toml:10:1: ftch: unknown table (did you mean fetch?)`,
		`c.toml:13:1: topic.id: "all" is reserved`,
		`c.toml:19:1: topic.match: found the end`,
		`c.toml:23:1: topic.example: "Peru" does not get the topic y, though expect is true (score 0.00)`,
		`c.toml:27:1: source.id: "A b" is not an id`,
		`c.toml:28:1: source.url: "ftp://x" is not an http or https address`,
		`c.toml:32:1: source.intervall: unknown key (did you mean interval?)`,
		`c.toml:34:1: source.id: "b" is taken at c.toml:29`,
		`c.toml:35:1: source.url: "https://user:xxxxx@y.org/" carries a password`,
		`c.toml:37:1: feed.id: "x" is taken at c.toml:15`,
		`c.toml:38:16: feed.query: found `,
		`c.toml:39:1: feed.content: "half"`,
	}
	_, err := parseConfig("c.toml", []byte(doc))
	if err == nil {
		t.Fatal("no fault found")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("unexpected: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// What is left out is named, and so are circles, beside other faults.
func TestConfigMissing(t *testing.T) {
	const doc = `[[topic]]
id = "none"
name = "None"
[[topic]]
id = "a"
match = 'x OR topic:b'
[[topic]]
id = "b"
match = 'topic:a'
[[topic]]
id = "c"
match = "iran AND (tea OR"
[[topic]]
id = "d"
match = '''
tea # a comment
AND )'''
[[topic]]
id = "e"
match = 'tea'
[[topic.example]]
text = "Tea from Ceylon"
[[topic.example]]
text = "Tea from Ceylon, in a tin with a long inscription on its lid"
expect = false
[[feed]]
id = "f"
title = "F"
[[feed]]
id = "g"
query = "topic:a \\u0041ND ("
`
	want := []string{
		`c.toml:1:1: topic: match is missing`,
		`c.toml:6:1: topic.match: a circle of topics: a → b → a`,
		`c.toml:12:26: topic.match: found `,
		`c.toml:17:5: topic.match: found `,
		`c.toml:21:1: topic.example: expect is missing`,
		`c.toml:23:1: topic.example: "Tea from Ceylon, in a tin with a long i…" gets the topic e, though expect is false (score `,
		`c.toml:26:1: feed: query is missing`,
		`c.toml:31:1: feed.query: in the query, line 1, column `,
	}
	_, err := parseConfig("c.toml", []byte(doc))
	if err == nil {
		t.Fatal("no fault found")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What works but will not do what it says is warned of.
func TestConfigWarnings(t *testing.T) {
	for doc, want := range map[string]string{
		"[fetch]\nmin_interval = \"1s\"\n":                                      "at most every 10m0s",
		"[[source]]\nid = \"a\"\nurl = \"https://a.org/\"\ninterval = \"1s\"\n": "c.toml:4: interval is 1s",
		"[server]\nlisten = \"unix:/run/x\"\n":                                  "base_url",
		"[fetch]\nmin_interval = \"1s\"\nallow_networks = [\"10.0.0.0/8\"]\n":   "",
		"": "",
	} {
		c, err := parseConfig("c.toml", []byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		c.Fetch.Contact = "x"
		if got := strings.Join(c.warnings(), "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: warnings %q, want %q", doc, got, want)
		}
	}
}

// What is no TOML is refused at the place where it stops being it.
func TestConfigSyntax(t *testing.T) {
	for doc, want := range map[string]string{
		"[fetch]\ncontact = \"x\ntimeout = \"3s\"\n":                   "c.toml:2:13: ",
		"[fetch\ncontact = \"x\"\n":                                    "c.toml:1:7: ",
		"[server]\naccess = \"public\"\n  access = \"token\"\n":        "c.toml:3:3: ",
		"[fetch]\ncontact = \"é\nx\"\n":                                "c.toml:2:14: ",
		"[fetch]\ncontact = \"\"\"\n\n":                                "c.toml:3:1: ",
		"[publish]\ngone = [\n  \"a\",\n  \"b\"\n  \"c\"]\n[notify]\n": "c.toml:5:3: ",
	} {
		if _, err := parseConfig("c.toml", []byte(doc)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want a fault at %s", doc, err, want)
		}
	}
}

// A file that says nothing gives the defaults, without topics or sources.
func TestConfigEmpty(t *testing.T) {
	c, err := parseConfig("c.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Topics)+len(c.Sources)+len(c.Feeds) != 0 {
		t.Error("topics, sources or feeds out of nothing")
	}
	if c.Fetch.MinInterval.Hours() != 1 || c.Server.Listen != "127.0.0.1:8080" {
		t.Errorf("min_interval %v, listen %q", c.Fetch.MinInterval, c.Server.Listen)
	}
}

// Each key of the configuration stands in the documented default, with the value
// that it has when it is left out.
func TestDefaultIsComplete(t *testing.T) {
	c, err := parseConfig(builtinName, []byte(defaultDoc))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := parseConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	commented := []string{"data_dir", "server.base_url", "server.control"}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		for key, index := range fieldsOf(v.Type()) {
			at, f := join(path, key), v.FieldByIndex(index)
			switch {
			case f.Kind() == reflect.Struct && !canText(f):
				walk(at, f)
			case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct && !canText(reflect.Zero(f.Type().Elem())):
			case slices.Contains(commented, at):
				if !strings.Contains(defaultDoc, "\n# "+key+" ") {
					t.Errorf("%s is not shown as a comment", at)
				}
			default:
				if _, ok := c.places[at]; !ok {
					t.Errorf("%s is missing", at)
				}
			}
		}
	}
	walk("", reflect.ValueOf(*c))
	compareTables("", reflect.ValueOf(*bare), reflect.ValueOf(*c), func(path string, was, is any) {
		if b, ok := is.(map[string]string); ok && len(b) == 0 {
			return // an empty table and none are the same
		}
		if l, ok := is.([]string); ok && len(l) == 0 {
			return
		}
		t.Errorf("%s is %v in the file, %v without it", path, is, was)
	})
	if n := len(c.Sources); n < 55 || n > 75 {
		t.Errorf("%d sources, want about 60", n)
	}
	for _, w := range c.warnings() {
		if !strings.Contains(w, "contact") {
			t.Errorf("unexpected warning: %s", w)
		}
	}
}

// The default is written once: the program's copy, the one at the repository's
// root and the rules that the topics' own tests hold are the same.
func TestDefaultIsOne(t *testing.T) {
	root := filepath.Join("..", "..", "config.toml")
	rules := filepath.Join("..", "..", "aggregator", "topic", "topics.toml")
	ruleDoc, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	whole := withTopics(t, defaultDoc, string(ruleDoc))
	if *update {
		for _, name := range []string{"default.toml", root} {
			if err := os.WriteFile(name, []byte(whole), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if whole != defaultDoc {
		t.Errorf("the topics of default.toml are not those of %s; run go test ./cmd/chancery -run TestDefaultIsOne -update", rules)
	}
	atRoot, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(atRoot, []byte(defaultDoc)) {
		t.Error("config.toml and cmd/chancery/default.toml differ; change the latter and run the test with -update")
	}
	var file struct {
		Topics []topic.Rule `toml:"topic"`
	}
	if _, err := toml.Decode(string(ruleDoc), &file); err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(builtinName, []byte(defaultDoc))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(file.Topics, c.Topics) {
		t.Error("the rules differ")
	}
}

// withTopics puts the topics' own file into the default, between the comments
// before and after.
func withTopics(t *testing.T, doc, rules string) string {
	t.Helper()
	from, to := strings.Index(doc, "[[topic]]"), strings.Index(doc, "# Feeds of your own")
	start := strings.Index(rules, "[[topic]]")
	if from < 0 || to < from || start < 0 {
		t.Fatal("the files have not the shape that the test relies on")
	}
	return doc[:from] + strings.TrimRight(rules[start:], "\n") + "\n\n" + doc[to:]
}

// Places are found behind long texts, arrays over lines, comments and quoted keys.
func TestPositions(t *testing.T) {
	const doc = `a = 1 # [b]
[t]
"q.k" = '''
x = 1
[u]'''  # z = 1
list = [
  "]", # ]
  2,
]
s = "\"#"
  last = 1
[[x]]
[[x.y]]
k = """a\"""b"""
[[x.y]]
k = 2
[[x]]
[[x.y]]
k = {i = 1}
[x.z]
m.n = 1
`
	want := keyPositions{
		"a": {1, 1}, "t": {2, 1}, "t.q.k": {3, 1}, "t.list": {6, 1}, "t.s": {10, 1}, "t.last": {11, 3},
		"x[0]": {12, 1}, "x[0].y[0]": {13, 1}, "x[0].y[0].k": {14, 1}, "x[0].y[1]": {15, 1}, "x[0].y[1].k": {16, 1},
		"x[1]": {17, 1}, "x[1].y[0]": {18, 1}, "x[1].y[0].k": {19, 1}, "x[1].z": {20, 1}, "x[1].z.m": {21, 1}, "x[1].z.m.n": {21, 1},
	}
	if got := scanPositions(doc); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The scanner ends, and never panics, whatever stands in a file.
func FuzzPositions(f *testing.F) {
	f.Add("a = '''\n[[x]]\nk = [1,\n\"\n")
	f.Add("[[")
	f.Add("= \"\\")
	f.Fuzz(func(_ *testing.T, doc string) { scanPositions(doc) })
}

// A reload says what changed, by key and by id, and what has to wait.
func TestConfigChanges(t *testing.T) {
	parse := func(doc string) *Config {
		c, err := parseConfig("c.toml", []byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := parse("[[source]]\nid=\"a\"\nurl=\"https://a.org/\"\n[[source]]\nid=\"b\"\nurl=\"https://b.org/\"\n")
	now := parse("[server]\nlisten=\"127.0.0.1:9\"\n[fetch]\nmin_interval=\"2h\"\n[[source]]\nid=\"a\"\nurl=\"https://a.org/x\"\n[[source]]\nid=\"c\"\nurl=\"https://c.org/\"\n")
	changed, restart := was.changes(now)
	slices.Sort(changed)
	if want := []string{"fetch.min_interval: 1h0m0s → 2h0m0s", "source a changed: url: \"https://a.org/\" → \"https://a.org/x\"", "source b removed", "source c added"}; !slices.Equal(changed, want) {
		t.Errorf("changed = %q, want %q", changed, want)
	}
	if want := []string{`server.listen: "127.0.0.1:8080" → "127.0.0.1:9"`}; !slices.Equal(restart, want) {
		t.Errorf("restart = %q, want %q", restart, want)
	}
}

// What "config show" prints is a configuration with the same meaning.
func TestConfigShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte(defaultDoc), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := &program{args: []string{"--config", file, "--data", "/nowhere", "config", "show"}, out: &out, err: &errs, getenv: func(string) string { return "" }}
	if status := p.run(t.Context()); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	shown, err := parseConfig("shown", out.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	c, err := parseConfig(file, []byte(defaultDoc))
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.Server.Control, c.Server.BaseURL = "/nowhere", "/nowhere/control.sock", "http://127.0.0.1:8080"
	if changed, restart := c.changes(shown); len(changed)+len(restart) > 0 {
		t.Errorf("differs: %q %q", changed, restart)
	}
	bare := filepath.Join(t.TempDir(), "bare.toml")
	if err := os.WriteFile(bare, []byte("[publish]\ntitle = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	p = &program{args: []string{"--config", bare, "--data", "/nowhere", "config", "show"}, out: &small, err: &errs, getenv: func(string) string { return "" }}
	if status := p.run(t.Context()); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	if _, err := parseConfig("shown", small.Bytes()); err != nil {
		t.Errorf("of a small file: %v\n%s", err, small.String())
	}
	if !strings.Contains(out.String(), "# --data") || !strings.Contains(out.String(), "# line ") {
		t.Error("does not say where values come from")
	}
}
