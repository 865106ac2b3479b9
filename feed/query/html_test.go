package query_test

import (
	"testing"

	"chancery/feed"
	"chancery/feed/query"
)

// A passing mention in a list of links or a tag cloud of a post's HTML is neither
// mention nor subject; a link in prose is prose.
func TestListsInHTML(t *testing.T) {
	const prose = "<p>The city council met on Monday and voted for the new bridge after a long debate.</p>"
	for _, c := range []struct {
		what, html string
		below      bool
	}{
		{"a list of links", prose + `<h3>Related</h3><ul><li><a href="/a">What Iran wants from Vienna</a></li><li><a href="/b">The bridge in Basra</a></li><li><a href="/c">A new poem</a></li></ul>`, true},
		{"links parted by line breaks", prose + `<p><a href="/a">Talks in Cairo go on</a><br><a href="/b">Iran and its neighbors</a><br/><a href="/c">On bread</a></p>`, true},
		{"tags", prose + `<p>Tags: <a href="/t/iran">Iran</a>, <a href="/t/iraq">Iraq</a></p>`, true},
		{"filed under", prose + `<div>Filed under: <a href="/t/iran">Iran</a></div>`, true},
		{"a cloud", prose + `<div><a>Egypt</a> | <a>Iran</a> | <a>Iraq</a> | <a>Libya</a> | <a>Syria</a></div>`, true},
		{"a link in prose", prose + `<p>The mayor is back from <a href="/a">a visit to Iran</a>, as she told the paper.</p>`, false},
	} {
		it := &feed.Item{Entry: feed.Entry{Language: "en", Content: feed.Text{Type: feed.HTML, Value: c.html}}}
		q, err := query.Parse("Iran")
		if err != nil {
			t.Fatal(err)
		}
		m, ok := q.Match(query.NewDoc(it, ""), now)
		if !ok || (m.Score < 1) != c.below {
			t.Errorf("%s: score %v, below the threshold: %v", c.what, m.Score, c.below)
		}
	}
}
