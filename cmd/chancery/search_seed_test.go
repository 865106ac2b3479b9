package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery/cmd/chancery/control"
	"chancery/feed/feedtest"
	"chancery/store"
)

// runs carries out a command line in this process and gives what it prints.
func runs(t *testing.T, args ...string) string {
	t.Helper()
	out, _ := says(t, args...)
	return out
}

// says is runs with what is no result.
func says(t *testing.T, args ...string) (results, notes string) {
	t.Helper()
	var out, said bytes.Buffer
	p := &program{
		args: args, in: strings.NewReader(""), out: &out, err: &said,
		getenv: func(string) string { return "" }, files: processFiles{strings.NewReader("")},
	}
	if status := p.run(t.Context()); status != exitDone {
		t.Fatalf("%q: status %d: %s", args, status, said.String())
	}
	return out.String(), said.String()
}

// An archivist finds the post that the house began with: by how it writes a name, by
// its topic in another script, by its subject and year, and by words of its title
// near each other.
func TestArchivistFindsThePost(t *testing.T) {
	text, err := os.ReadFile(feedtest.Reference(t, "seed", "post.txt"))
	if err != nil {
		t.Fatal(err)
	}
	title, body, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	var item bytes.Buffer
	for _, e := range [][2]string{
		{"title", title}, {"description", body}, {"guid", "seed-1"}, {"pubDate", "Mon, 02 Feb 2009 10:00:00 GMT"}, {"link", "https://seed.example/1"},
	} {
		item.WriteString("<" + e[0] + ">")
		if err := xml.EscapeText(&item, []byte(e[1])); err != nil {
			t.Fatal(err)
		}
		item.WriteString("</" + e[0] + ">")
	}
	dir := t.TempDir()
	config, doc := filepath.Join(dir, "c.toml"), filepath.Join(dir, "seed.xml")
	for name, content := range map[string]string{
		config: `[fetch]
contact = "https://example.org/"
[[topic]]
id = "mek"
name = "Mojahedin-e Khalq (مجاهدین خلق)"
match = '=MEK OR "mujahedeen e khalq" OR "مجاهدین خلق"'
`,
		doc: `<rss version="2.0"><channel><title>Seed</title><link>https://seed.example/</link><description>s</description><item>` + item.String() + `</item>
<item><title>Another post</title><link>https://seed.example/2</link><guid>seed-2</guid><pubDate>Tue, 03 Feb 2009 10:00:00 GMT</pubDate>
<description>It is an option to remain in Iraq; nothing about anybody else.</description></item>
<item><title>سازمان مجاهدین خلق</title><link>https://seed.example/3</link><guid>seed-3</guid><pubDate>Tue, 03 Feb 2009 10:00:00 GMT</pubDate>
<description>خبری دربارهٔ سازمان مجاهدین خلق در عراق</description></item></channel></rss>`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := []string{"--config", config, "--data", filepath.Join(dir, "data")}
	runs(t, append(at, "import", doc)...)
	for _, query := range []string{
		`"Mujahedeen e-Khalq"`, `topic:mek lang:en`, `about:mek published:2009 lang:en`, `title:"remaining in iraq" NEAR/5 title:option`,
		`title:("remaining in iraq" NEAR/5 option)`,
	} {
		got := runs(t, append(at, "search", "--format", "csv", query)...)
		if strings.Count(got, "\n") != 2 || !strings.Contains(got, "https://seed.example/1") {
			t.Errorf("%s finds\n%s", query, got)
		}
	}
	// Its topic by the Persian name: the post does not have it, and the search points
	// to the topic that does.
	got, notes := says(t, append(at, "search", "مجاهدین خلق")...)
	if !strings.Contains(got, "seed.example/3") || !strings.Contains(notes, `the topic mek looks for this, too: "topic:mek" has 2 items`) {
		t.Errorf("the Persian name finds\n%s%s", got, notes)
	}
	if _, notes := says(t, append(at, "search", "Iraq")...); strings.Contains(notes, "topic") {
		t.Errorf("a word that no topic has points to one: %s", notes)
	}
	if n := runs(t, append(at, "search", "--count", "topic:mek")...); n != "2\n" {
		t.Errorf("the topic has %s items, want 2", strings.TrimSpace(n))
	}
}

// A search on a terminal shows where the query matched, in any script, and never
// hands on what could move the cursor.
func TestMarkedText(t *testing.T) {
	for _, c := range []struct {
		text    string
		marks   [][2]int
		columns int
		want    string
	}{
		{"the camp is closed", [][2]int{{4, 8}}, 0, "the <camp> is closed"},
		{"the\n\tcamp  is\x1b[2Jclosed", [][2]int{{5, 9}}, 0, "the <camp> is [2Jclosed"},
		{"در کمپ اشرف", [][2]int{{5, 11}}, 0, "در <کمپ> اشرف"},
		{"one two three four", [][2]int{{4, 13}}, 9, "one <two>/<three>/four"},
		{"伊朗外長伊朗外長", [][2]int{{0, 6}}, 8, "<伊朗>外長/伊朗外長"},
		{"one two three four five six", nil, 9, "one two/three/four…"},
		{"", nil, 9, ""},
	} {
		got := strings.Join(marked(store.Snippet{Text: c.text, Marks: c.marks}, c.columns, 3, "<", ">"), "/")
		if got != c.want {
			t.Errorf("%q in %d columns: %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

// A faulty query is shown with a caret under the place, on a terminal only.
func TestCaret(t *testing.T) {
	for text, want := range map[string]string{
		"(iran OR iraq":       "\n  (iran OR iraq\n               ^",
		"伊朗 auhtor:luban":     "\n  伊朗 auhtor:luban\n       ^",
		"iran\nAND (a NEAR b": "\n  AND (a NEAR b\n         ^",
	} {
		_, err := searchQuery(text)
		p := &program{}
		if plain := p.underlined(err, text).Error(); strings.Contains(plain, "^") {
			t.Errorf("%q: %s", text, plain)
		}
		p.terminal = control.Terminal{Err: true}
		shown := p.underlined(err, text)
		if !strings.HasSuffix(shown.Error(), want) || statusOf(shown) != exitData {
			t.Errorf("%q: status %d, %s\nwant %s", text, statusOf(shown), shown, want)
		}
	}
}

// The end of a day, month or year, or an instant.
func TestLastInstant(t *testing.T) {
	for text, want := range map[string]string{
		"2009-02-01": "2009-02-01T23:59:59.999999999Z", "2009-02": "2009-02-28T23:59:59.999999999Z", "2009": "2009-12-31T23:59:59.999999999Z",
		"2009-02-01T12:00:00+01:00": "2009-02-01T11:00:00Z", "yesterday": "", "2009-02-30": "",
	} {
		at, err := lastInstant(text)
		if want == "" {
			if err == nil || statusOf(err) != exitUsage {
				t.Errorf("%s: %v, %v", text, at, err)
			}
			continue
		}
		if got := at.Format("2006-01-02T15:04:05.999999999Z07:00"); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}
