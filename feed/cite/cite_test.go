package cite_test

import (
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/cite"
)

func work() cite.Work {
	at := time.Date(2009, 1, 2, 15, 4, 5, 0, time.UTC)
	return cite.Work{
		Source: "The & Blog", Page: "https://feeds.example.org/items/x",
		Item: &feed.Item{
			Source: "blog", FirstSeen: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Revision: 2, Revisions: 3,
			Entry: feed.Entry{
				Title: feed.Text{Type: feed.HTML, Value: "Camp <b>Ashraf</b> &amp; {Iraq}\n100%"}, URL: "https://blog.example/a_b?c={d}",
				Authors: []feed.Person{{Name: "A. Writer and Sons"}, {Name: "B"}, {Email: "only@mail.example"}}, Published: feed.Date{Time: at}, Language: "en",
			},
		},
	}
}

func TestText(t *testing.T) {
	got := cite.Text(work())
	want := "A. Writer and Sons, B. Camp Ashraf & {Iraq} 100%. The & Blog, 2 January 2009. https://blog.example/a_b?c={d}. " +
		"Archived 1 March 2026 as https://feeds.example.org/items/x, version 2 of 3, sha256:" + strings.Repeat("0", 64) + "."
	if got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
	w := work()
	w.Item.Title.Value, w.Item.URL, w.Item.Authors, w.Page = "", "javascript:x", nil, ""
	if got := cite.Text(w); !strings.HasPrefix(got, "Untitled. The & Blog, ") || strings.Contains(got, "javascript") || !strings.Contains(got, w.Item.ID.String()) {
		t.Error(got)
	}
}

// What a publisher wrote cannot end a field or begin an entry of its own.
func TestBibTeX(t *testing.T) {
	got := cite.BibTeX(work())
	for _, want := range []string{
		"@misc{blog-00000000000000000000000000,\n", "  author       = {{A. Writer and Sons} and {B}},\n",
		"  title        = {{Camp Ashraf \\& \\{Iraq\\} 100\\%}},\n", "  howpublished = {The \\& Blog},\n", "  date         = {2009-01-02},\n",
		"  url          = {https://blog.example/a_b?c=%7Bd%7D},\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	w := work()
	w.Item.Title.Value = `}}\n}@misc{evil, title={x}` + "\n}"
	got = cite.BibTeX(w)
	if strings.Count(got, "\n}") != 1 || depth(t, got) != 0 {
		t.Errorf("the entry is broken:\n%s", got)
	}
}

// depth counts braces that are not escaped.
func depth(t *testing.T, s string) int {
	t.Helper()
	n := 0
	for i := range len(s) {
		if i > 0 && s[i-1] == '\\' {
			continue
		}
		switch s[i] {
		case '{':
			n++
		case '}':
			if n--; n < 0 {
				t.Fatalf("a brace too many at %d", i)
			}
		}
	}
	return n
}

func TestRIS(t *testing.T) {
	w := work()
	w.Item.Authors[1].Name = "B*\r\nER  - "
	got := cite.RIS(w)
	lines := strings.Split(got, "\r\n")
	if lines[0] != "TY  - BLOG" || lines[len(lines)-2] != "ER  - " || strings.Count(got, "\nER  - ") != 1 {
		t.Errorf("%q", got)
	}
	for _, want := range []string{"TI  - Camp Ashraf & {Iraq} 100%", "AU  - A. Writer and Sons", "DA  - 2009/01/02", "UR  - https://blog.example/a_b?c={d}", "T2  - The & Blog"} {
		if !strings.Contains(got, want+"\r\n") {
			t.Errorf("no %q in %q", want, got)
		}
	}
	for _, l := range lines[:len(lines)-1] {
		if len(l) < 6 || l[2:6] != "  - " {
			t.Errorf("line %q", l)
		}
	}
}
