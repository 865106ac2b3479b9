package normalize

import (
	"testing"
	"time"

	"chancery/feed"
)

func entry() feed.Entry {
	return feed.Entry{
		URL:     "https://blog.example/2009/01/camp",
		Title:   feed.Text{Type: feed.PlainText, Value: "The camp by the border"},
		Content: feed.Text{Type: feed.HTML, Value: `<p>Baghdad wants it <b>closed</b>, <a href="https://news.example/a?utm_source=x">it says</a>.</p>`},
		Authors: []feed.Person{{Name: "A. Writer"}},
		Categories: []feed.Category{
			{Term: "Iraq"}, {Term: "Iran"},
		},
		Updated: feed.Date{Time: time.Date(2009, 1, 2, 0, 0, 0, 0, time.UTC)},
	}
}

func version(e feed.Entry) feed.Digest { return Version(&e, PlainOf(&e)) }

// P-72: what a reader would call an edit makes a version; what only a machine
// would notice does not.
func TestVersion(t *testing.T) {
	was := version(entry())
	for _, tc := range []struct {
		name string
		edit func(*feed.Entry)
		new  bool
	}{
		{"white space", func(e *feed.Entry) { e.Title.Value = " The camp  by\nthe border " }, false},
		{"markup", func(e *feed.Entry) {
			e.Content.Value = `<div><p>Baghdad wants it <strong>closed</strong>, <a class="x" href='https://news.example/a'>it says</a>.</p></div>`
		}, false},
		{"tracking parameter", func(e *feed.Entry) { e.URL += "?utm_medium=feed" }, false},
		{"updated alone", func(e *feed.Entry) { e.Updated.Time = e.Updated.Time.Add(time.Hour) }, false},
		{"order of categories", func(e *feed.Entry) { e.Categories[0], e.Categories[1] = e.Categories[1], e.Categories[0] }, false},
		{"inherited author", func(e *feed.Entry) { e.Authors = append(e.Authors, feed.Person{Name: "The blog", Inherited: true}) }, false},
		{"title", func(e *feed.Entry) { e.Title.Value = "The camp on the border" }, true},
		{"a word", func(e *feed.Entry) {
			e.Content.Value = `<p>Baghdad wants it open, <a href="https://news.example/a">it says</a>.</p>`
		}, true},
		{"where a link leads", func(e *feed.Entry) {
			e.Content.Value = `<p>Baghdad wants it <b>closed</b>, <a href="https://news.example/b">it says</a>.</p>`
		}, true},
		{"a category", func(e *feed.Entry) { e.Categories = e.Categories[:1] }, true},
		{"an enclosure", func(e *feed.Entry) { e.Enclosures = []feed.Enclosure{{URL: "https://blog.example/a.mp3"}} }, true},
		{"a word moved from content to summary", func(e *feed.Entry) { e.Summary.Value = "it" }, true},
	} {
		e := entry()
		tc.edit(&e)
		if got := version(e) != was; got != tc.new {
			t.Errorf("%s: new version %v, want %v", tc.name, got, tc.new)
		}
	}
}

// Hostile markup costs linear time and no panic.
func TestTargets(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int
	}{
		{`href=`, 0}, {`href="`, 0}, {`<a href=x>`, 1}, {`<a href=x`, 1}, {`<a href="x"><a href='y'>`, 2},
	} {
		if got := len(targets(tc.in)); got != tc.want {
			t.Errorf("targets(%q) has %d, want %d", tc.in, got, tc.want)
		}
	}
}
