package versions_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/versions"
)

func item(title, content string, categories ...string) *feed.Item {
	it := &feed.Item{Entry: feed.Entry{
		Title: feed.Text{Type: feed.PlainText, Value: title}, Content: feed.Text{Type: feed.HTML, Value: content},
		Authors: []feed.Person{{Name: "A"}}, URL: "https://a.example/1",
	}}
	for _, c := range categories {
		it.Categories = append(it.Categories, feed.Category{Term: c})
	}
	return it
}

// Only what a reader would see counts: markup and the order of categories do not.
func TestCompare(t *testing.T) {
	old := item("Talks begin", "<p>Talks begin on Monday.</p>", "iran", "talks")
	if got := versions.Compare(old, item("Talks begin", "<div><p>Talks <b>begin</b> on Monday.</p></div>", "talks", "iran")); got != nil {
		t.Errorf("markup alone: %v", got)
	}
	got := versions.Compare(old, item("Talks end", "<p>Talks begin on Friday.</p>", "iran"))
	want := []versions.Field{
		{"title", []html.Change{{Op: html.Equal, Text: "Talks "}, {Op: html.Delete, Text: "begin"}, {Op: html.Insert, Text: "end"}}},
		{"text", []html.Change{{Op: html.Equal, Text: "Talks begin on "}, {Op: html.Delete, Text: "Monday"}, {Op: html.Insert, Text: "Friday"}, {Op: html.Equal, Text: "."}}},
		{"categories", []html.Change{{Op: html.Equal, Text: "iran"}, {Op: html.Delete, Text: ", talks"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Where links lead and which pictures there are is told beside the text, in whole
// addresses; a summary that is not the text, too.
func TestCompareLinks(t *testing.T) {
	old := item("T", `<p>See <a href="https://b.example/1">here</a><img src="https://a.example/camp.jpg"></p>`)
	now := item("T", `<p>See <a href="https://b.example/2">here</a><img src="https://a.example/gate.jpg"></p>`)
	now.Summary.Value = "In short"
	got := versions.Compare(old, now)
	want := []versions.Field{
		{"summary", []html.Change{{Op: html.Insert, Text: "In short"}}},
		{"links", []html.Change{{Op: html.Delete, Text: "https://b.example/1"}, {Op: html.Insert, Text: "https://b.example/2"}}},
		{"pictures", []html.Change{{Op: html.Delete, Text: "https://a.example/camp.jpg"}, {Op: html.Insert, Text: "https://a.example/gate.jpg"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// An item without content is read by its summary.
func TestBody(t *testing.T) {
	it := item("", "")
	it.Summary = feed.Text{Type: feed.HTML, Value: "<p>A &amp; B</p>"}
	if got := versions.Body(it); got != "A & B" {
		t.Errorf("%q", got)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"", "", 1}, {"a b", "a b", 1}, {"aaaa", "bbbb", 0}, {"ab cd", "ab ef", 0.6}} {
		if got := versions.Share(html.Diff(c.a, c.b)); got != c.want {
			t.Errorf("%q %q: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
