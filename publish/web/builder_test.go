package web

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"chancery/feed/query"
	"chancery/store"
)

// What is chosen becomes the shortest address there is: a feed under its canonical
// name, or a search (CONTRACT part 4).
func TestBuiltAddress(t *testing.T) {
	type list = []string
	for _, c := range []struct {
		with, without, sources, langs list
		anyOf                         bool
		words                         string
		name, query                   string
	}{
		{name: "all"},
		{with: list{"iran"}, name: "iran", query: "topic:iran"},
		{with: list{"iran", "mek"}, name: "iran+mek", query: "topic:iran topic:mek"},
		{with: list{"iran", "mek"}, anyOf: true, name: "iran,mek", query: "(topic:iran OR topic:mek)"},
		{with: list{"iran"}, without: list{"mek"}, name: "iran!mek", query: "topic:iran -topic:mek"},
		{with: list{"iran", "mek"}, without: list{"iraq"}, anyOf: true, name: "iran!iraq,mek!iraq", query: "(topic:iran OR topic:mek) -topic:iraq"},
		{sources: list{"one"}, name: "source/one", query: "source:=one"},
		{sources: list{"one", "two"}, query: "(source:=one OR source:=two)"},
		{without: list{"iraq"}, query: "-topic:iraq"},
		{with: list{"iran"}, langs: list{"fa"}, query: "topic:iran lang:fa"},
		{with: list{"iran"}, words: "a OR b", query: "topic:iran (a OR b)"},
		{words: "a OR b", query: "a OR b"},
		{words: `"camp ashraf" -tirana`, query: `"camp ashraf" AND NOT tirana`},
		{with: strings.Split("a b c d e", " "), without: strings.Split("f g h i", " "), query: "topic:a topic:b topic:c topic:d topic:e -topic:f -topic:g -topic:h -topic:i"},
		{with: strings.Split("a b c", " "), without: list{"d", "e"}, anyOf: true, query: "(topic:a OR topic:b OR topic:c) -topic:d -topic:e"},
	} {
		words, err := parseQuery(c.words)
		if err != nil {
			t.Fatal(err)
		}
		q := builtQuery(c.with, c.anyOf, c.without, c.sources, c.langs, words)
		if q != c.query {
			t.Errorf("%+v: the query is %q", c, q)
		}
		if _, err := parseQuery(q); err != nil {
			t.Errorf("%q: %v", q, err)
		}
		if len(c.langs) == 0 && words == nil {
			if name := feedNameOf(c.with, c.anyOf, c.without, c.sources); name != c.name {
				t.Errorf("%+v: the feed is %q", c, name)
			}
		}
	}
}

// A query that is narrowed asks for what it asked for and one thing more; a date
// takes the place of the date.
func TestNarrowed(t *testing.T) {
	for _, c := range []struct{ q, condition, want string }{
		{"", "topic:mek", "topic:mek"},
		{"camp", "topic:mek", "camp topic:mek"},
		{"a OR b", "topic:mek", "(a OR b) topic:mek"},
		{"a (b OR c) -d", "lang:fa", "a (b OR c) NOT d lang:fa"},
		{"camp published:2009", "published:2009-01", "camp published:2009-01"},
		{"camp seen:2009", "published:2009-01", "camp seen:2009 published:2009-01"},
		{"lang:en camp", "lang:fa", "camp lang:fa"},
		{"-lang:en camp", "lang:fa", "NOT lang:en camp lang:fa"},
		{"a # a comment\nb", "source:blog-1", "a b source:blog-1"},
	} {
		q, err := parseQuery(c.q)
		if err != nil {
			t.Fatal(err)
		}
		got := narrowed(q, c.condition)
		if got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.q, c.condition, got, c.want)
		}
		if _, err := query.Parse(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

// An error in a query is shown where it stands, however long the query is and
// whatever is in it.
func TestFaultPlace(t *testing.T) {
	for _, c := range []struct{ q, before, at, after string }{
		{"iran (iraq", "iran (iraq", "", ""},
		{"iran NEAR iraq", "iran ", "NEAR", " iraq"},
		{"auhtor:luban x", "", "auhtor:luban", " x"},
		{"ایران published:2009-13", "ایران published:", "2009-13", ""},
	} {
		_, err := query.Parse(c.q)
		f := faultOf(c.q, nil, err)
		if f == nil || f.Before != c.before || f.At != c.at || f.After != c.after {
			t.Errorf("%q: %+v", c.q, f)
		}
	}
	long := strings.Repeat("ایران ", 2000) + "(" + strings.Repeat(" a", 2000)
	_, err := query.Parse(long)
	if f := faultOf(long, nil, err); f == nil || len(f.Before)+len(f.At)+len(f.After) > 500 || !utf8.ValidString(f.Before+f.At+f.After) {
		t.Errorf("%+v", f)
	}
	q, err := query.Parse("a  OR  zz*")
	if err != nil {
		t.Fatal(err)
	}
	f := faultOf("a  OR  zz*", q, &store.CostError{Offset: 5, Part: "zz*", What: "more than 10,000 words"})
	if f == nil || f.At != `"zz*"` || !strings.Contains(f.Message, "more than 10,000 words") {
		t.Errorf("%+v", f)
	}
}

// A chart has a bar for each month, whatever the index counted by; the least count
// is seen; the table has every number.
func TestCharts(t *testing.T) {
	at := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	bars := months([]store.HistogramBar{{From: at(2008, 12, 31), Unit: "day", Count: 1}, {From: at(2009, 1, 1), Unit: "day", Count: 400}, {From: at(2009, 1, 2), Unit: "day", Count: 600}, {From: at(2011, 1, 1), Unit: "day", Count: 9}}, at(2008, 11, 1), at(2009, 2, 1))
	c := newChart("c", "Posts a month", bars, func(b store.HistogramBar) string { return "/" + barDate(b) })
	if len(c.Bars) != 4 || c.Bars[1].Count != 1 || c.Bars[2].Count != 1000 || c.Bars[2].URL != "/2009-01" || c.Bars[3].URL != "" {
		t.Errorf("%+v", c.Bars)
	}
	if c.Summary != "1\u202f001 posts from November 2008 to February 2009; most in January 2009 (1\u202f000)." {
		t.Error(c.Summary)
	}
	day := chartOf("version", "c", "x", []store.HistogramBar{{From: at(2009, 3, 2), Unit: "day", Count: 2}}, nil)
	if day.Summary != "2 versions on 2 March 2009." || !day.Flat() || c.Flat() {
		t.Errorf("%q, flat %v", day.Summary, day.Flat())
	}
	drawn := c.Drawn()
	if drawn[1].H < 1 || drawn[2].H != 100 || drawn[2].Y != 0 || drawn[3].H != 0 || c.ViewBox() != "0 0 40 100" {
		t.Errorf("%+v", drawn)
	}
	years := c.Years()
	if len(years) != 2 || years[0].Year != 2009 || years[0].Total != 1000 || years[0].Cells[0].Count != 1000 || years[1].Cells[11].Count != 1 {
		t.Errorf("%+v", years)
	}
	if trimmed := trimBars(bars); len(trimmed) != 2 {
		t.Errorf("%+v", trimmed)
	}
	if empty := newChart("c", "x", nil, nil); empty.Summary != "No posts." || len(empty.Drawn()) != 0 || len(empty.Axis()) != 0 || empty.Max() != 0 {
		t.Errorf("%+v", empty)
	}
}

// SEC-32: what a snippet shows stays in its line and in its order, and no more than
// so much of it.
func TestPieces(t *testing.T) {
	sn := store.Snippet{Text: "see \u202ecamp\u202c\nAshraf now", Marks: [][2]int{{7, 11}}, Before: true, After: true}
	got := pieces(sn, 100)
	want := []piece{{"… ", false}, {"see ", false}, {"camp", true}, {" Ashraf now", false}, {" …", false}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	long := pieces(store.Snippet{Text: strings.Repeat("é", 10_000), Marks: [][2]int{{2, 9_000}}}, 200)
	n := 0
	for _, p := range long {
		n += utf8.RuneCountInString(p.Text)
	}
	if n > 210 {
		t.Errorf("%d characters", n)
	}
	if pieces(store.Snippet{Text: "ab", Marks: [][2]int{{5, 9}}}, 10) == nil {
		t.Error("a mark that is nowhere hides the text")
	}
}

// The table to paste into the configuration is TOML, whatever the query holds.
func TestFeedTable(t *testing.T) {
	q, err := query.Parse(`"it's" OR a\"'''b`)
	if err != nil {
		q, err = query.Parse(`title:"it's" OR b`)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := feedTable("Iran “and”\n the \"MEK\" ایران", q)
	for _, want := range []string{"[[feed]]\n", `id    = "iran-and-the-mek"`, `title = "Iran “and”\u000A the \"MEK\" ایران"`, "query = "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if feedSlug("ایران") != "my-search" || len(feedSlug(strings.Repeat("ab ", 99))) > 41 {
		t.Error(feedSlug(strings.Repeat("ab ", 99)))
	}
}

// What is dear is made again only once there is something new, and then not for
// every request.
func TestMemo(t *testing.T) {
	var m memo[int]
	made := 0
	create := func() (int, error) { made++; return made, nil }
	get := func(cursor store.Cursor) int {
		v, err := m.get("k", cursor, create)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	get(1)
	if get(1) != 1 {
		t.Error("it was made twice for the same archive")
	}
	m.by["k"].took, m.by["k"].at = time.Second, time.Now()
	if get(2) != 1 {
		t.Error("what takes a second is made again at once")
	}
	m.by["k"].at = time.Now().Add(-2 * memoLonger)
	if get(2) != 2 {
		t.Error("it is not made again")
	}
}
