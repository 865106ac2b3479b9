package opml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const subscriptions = `<?xml version="1.0" encoding="UTF-8"?>
<OPML Version="1.1">
<Head><Title>Reading &amp; writing</Title><dateModified>Sat, 18 Jun 2005 12:11:52 GMT</dateModified><ownerName>A. Reader</ownerName></Head>
<body>
  <outline text="Iran" >
    <outline text="Persian Gulf Notes" type="rss" xmlUrl="https://persian-gulf-notes.example/feed.xml" htmlUrl="https://persian-gulf-notes.example/" language="en" version="RSS2" category="/News/Iran, Politics"/>
    <Outline Title="No text" TYPE="RSS" XMLURL="http://no-text.example/rss" />
    <outline title="Inner">
      <outline type="atom" xmlUrl="feed://old-reader.example/atom"/>
    </outline>
  </outline>
  <outline text="R&eacute;sum&eacute; & more < less" xmlUrl='https://entities.example/?a=1&b=2'></outline>
  <outline text="Broken" type="rss" xmlUrl="not a url"/>
  <outline text="Nothing" type="rss"/>
  <outline text="A page" type="link" url="https://page.example/"/>
  <outline text="Last" type="rss" xmlUrl="https://last.example/feed"/>
</body>
</OPML>`

// PUB-85: wrong case, missing text, folders, category lists, HTML entities and
// broken entries; the good ones are all there, the others named with their line.
func TestRead(t *testing.T) {
	got, problems, err := Read([]byte(subscriptions))
	if err != nil {
		t.Fatal(err)
	}
	want := &List{
		Title: "Reading & writing", OwnerName: "A. Reader", DateModified: time.Date(2005, 6, 18, 12, 11, 52, 0, time.UTC),
		Outlines: []Outline{
			{
				Text: "Persian Gulf Notes", Type: "rss", XMLURL: "https://persian-gulf-notes.example/feed.xml", HTMLURL: "https://persian-gulf-notes.example/",
				Language: "en", Version: "RSS2", Categories: []string{"/News/Iran", "Politics"}, Folders: []string{"Iran"}, Line: 6,
			},
			{Text: "No text", Title: "No text", Type: "RSS", XMLURL: "http://no-text.example/rss", Folders: []string{"Iran"}, Line: 7},
			{Text: "http://old-reader.example/atom", Type: "atom", XMLURL: "http://old-reader.example/atom", Folders: []string{"Iran", "Inner"}, Line: 9},
			{Text: "Résumé & more < less", XMLURL: "https://entities.example/?a=1&b=2", Line: 12},
			{Text: "Last", Type: "rss", XMLURL: "https://last.example/feed", Line: 16},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("list (-want +got):\n%s", d)
	}
	wantProblems := []Problem{
		{13, "Broken", `"not a url" is not an http or https URL`},
		{14, "Nothing", "no xmlUrl"},
		{15, "A page", "link has no xmlUrl, so it is no feed"},
	}
	if d := cmp.Diff(wantProblems, problems); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

// What is no OPML is refused, and said to be so.
func TestReadOther(t *testing.T) {
	for _, in := range []string{"", "   ", "hello", "<rss version='2.0'><channel/></rss>", "<!DOCTYPE html><title>Not found</title>"} {
		if _, _, err := Read([]byte(in)); !errors.Is(err, ErrNotOPML) {
			t.Errorf("Read(%q) = %v, want ErrNotOPML", in, err)
		}
	}
}

// A document that is cut off, or where outlines are left open, keeps its feeds.
func TestReadBroken(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		feeds    int
		problem  string
	}{
		{"cut inside a tag", `<opml><body><outline text="a" xmlUrl="http://a.example/"/><outline text="b" xmlUrl="http://b.exam`, 1, "line 1: the document ends inside a tag"},
		{"unclosed", "<opml><body>\n<outline text='a' xmlUrl='http://a.example/'>\n<outline text='b' xmlUrl='http://b.example/'>\n</body>", 2, `line 4: "b": 2 outlines are not closed, the last in line 3`},
		{"stray end tag", `<opml></outline><outline xmlUrl="http://a.example/"/></opml>`, 1, "line 1: an end tag without its outline"},
		{"unclosed title", `<opml><head><title>x<body><outline xmlUrl="http://a.example/"/></opml>`, 1, ""},
		{"bad date", `<opml><head><dateModified>yesterday</dateModified></head><outline xmlUrl="http://a.example/"/></opml>`, 1, `line 1: datemodified "yesterday" is no date`},
		{"twice the attribute", `<opml><outline xmlUrl="http://a.example/" xmlUrl="http://b.example/"/></opml>`, 1, ""},
		{"control characters", "<opml><outline text='a\x01\x00b' xmlUrl='http://a.example/'/></opml>", 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, problems, err := Read([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Outlines) != tt.feeds {
				t.Errorf("%d feeds, want %d: %+v", len(l.Outlines), tt.feeds, l.Outlines)
			}
			var got string
			if len(problems) > 0 {
				got = problems[0].Error()
			}
			if got != tt.problem {
				t.Errorf("problem %q, want %q", got, tt.problem)
			}
		})
	}
}

// Documents in other charsets are read by their declaration.
func TestReadCharset(t *testing.T) {
	in := "<?xml version=\"1.0\" encoding=\"windows-1251\"?><opml><outline text=\"\xc8\xf0\xe0\xed\" xmlUrl=\"http://a.example/\"/></opml>"
	l, _, err := Read([]byte(in))
	if err != nil || len(l.Outlines) != 1 || l.Outlines[0].Text != "Иран" {
		t.Errorf("got %+v, %v, want Иран", l, err)
	}
}

// A byte order mark decides, as for any XML.
func TestReadUTF16(t *testing.T) {
	var in []byte
	for _, u := range utf16.Encode([]rune("\ufeff<opml><outline text='ایران' xmlUrl='http://a.example/'/></opml>")) {
		in = append(in, byte(u), byte(u>>8))
	}
	l, _, err := Read(in)
	if err != nil || len(l.Outlines) != 1 || l.Outlines[0].Text != "ایران" {
		t.Errorf("got %+v, %v, want ایران", l, err)
	}
}

// PUB-85: ten thousand outlines, and nesting without end, cost linear time.
func TestReadLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString("<opml><body>")
	for i := range 10_000 {
		fmt.Fprintf(&b, "<outline text=\"Feed %d\" xmlUrl=\"https://blog-%[1]d.example/feed\"/>\n", i)
	}
	l, problems, err := Read([]byte(b.String()))
	if err != nil || len(problems) > 0 || len(l.Outlines) != 10_000 {
		t.Fatalf("%v, %v, want 10,000 outlines and no problem", err, problems)
	}

	deep := "<opml>" + strings.Repeat("<outline text='f'>", 50_000) + "<outline xmlUrl='http://a.example/'/>"
	l, _, err = Read([]byte(deep))
	if err != nil || len(l.Outlines) != 1 || len(l.Outlines[0].Folders) != maxFolders {
		t.Fatalf("%v, want one feed in %d folders", err, maxFolders)
	}
}

// PUB-84, PUB-85: what Write writes reads as the same list, twice.
func TestRoundTrip(t *testing.T) {
	list := &List{
		Title: `chancery's "feeds" <&>`, OwnerName: "Ops", OwnerEmail: "ops@chancery.example", OwnerID: "https://chancery.example/",
		DateCreated: time.Date(2009, 1, 21, 8, 0, 0, 0, time.UTC), DateModified: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		Outlines: []Outline{
			{Text: "A", Title: "A", XMLURL: "https://a.example/?x=1&y=2", HTMLURL: "https://a.example/", Language: "fa", Version: "RSS2", Categories: []string{"x", "y"}},
			{Text: "وبلاگ", XMLURL: "https://b.example/", Folders: []string{"One", "Two"}},
			{Text: "C", XMLURL: "https://c.example/", Folders: []string{"One"}, Description: "a 'b'"},
			{Text: "A again", XMLURL: "https://a.example/?x=1&y=2", Folders: []string{"One", "Two"}},
		},
	}
	var b strings.Builder
	if err := Write(&b, list); err != nil {
		t.Fatal(err)
	}
	got, problems, err := Read([]byte(b.String()))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	order := cmpopts.SortSlices(func(a, b Outline) bool { return a.Text < b.Text })
	if d := cmp.Diff(list, got, order, cmpopts.IgnoreFields(Outline{}, "Line", "Type")); d != "" {
		t.Errorf("read back (-want +got):\n%s\n%s", d, b.String())
	}
	var again strings.Builder
	if err := Write(&again, got); err != nil || again.String() != b.String() {
		t.Errorf("written again:\n%s\nwant:\n%s", again.String(), b.String())
	}
	for _, want := range []string{`<opml version="2.0">`, "<dateModified>Tue, 03 Feb 2026 04:05:06 GMT</dateModified>", `type="rss"`, "<docs>http://opml.org/spec2.opml</docs>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in\n%s", want, b.String())
		}
	}
}

// A feed that several folders list is one subscription.
func TestFeeds(t *testing.T) {
	l := &List{Outlines: []Outline{
		{Text: "a", XMLURL: "u", Categories: []string{"x"}}, {Text: "b", XMLURL: "v"}, {Text: "c", XMLURL: "u", Categories: []string{"x", "y"}},
	}}
	want := []Outline{{Text: "a", XMLURL: "u", Categories: []string{"x", "y"}}, {Text: "b", XMLURL: "v"}}
	if d := cmp.Diff(want, l.Feeds()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A list as long as may be is whole; of a longer one the beginning is taken, and that is said.
func TestReadLimit(t *testing.T) {
	for n, want := range map[int]int{MaxOutlines: 0, MaxOutlines + 1: 1} {
		doc := "<opml><body>" + strings.Repeat(`<outline xmlUrl="https://a.example/"/>`, n) + "</body></opml>"
		l, problems, err := Read([]byte(doc))
		if err != nil || len(l.Outlines) != MaxOutlines || len(problems) != want {
			t.Errorf("%d outlines: %d read, %v, %v", n, len(l.Outlines), problems, err)
		}
	}
}

// An outline without an address can't be written.
func TestWriteNoURL(t *testing.T) {
	if err := Write(&strings.Builder{}, &List{Outlines: []Outline{{Text: "a"}}}); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("got %v, want an error that names the outline", err)
	}
}

// Any document is a list or ErrNotOPML; a list that was read and written reads
// as the same list.
func FuzzRead(f *testing.F) {
	f.Add([]byte(subscriptions))
	f.Add([]byte("<opml><outline text='a' xmlUrl='http://a.example/%zz'/>"))
	f.Add([]byte("<opml><outline text='&#0;&#xfffe;' title='\xff' xmlUrl='http://[::1]/'/>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, problems, err := Read(data)
		if err != nil {
			if !errors.Is(err, ErrNotOPML) {
				t.Fatal(err)
			}
			return
		}
		for _, p := range problems {
			if p.Line < 1 || p.What == "" {
				t.Errorf("problem %+v", p)
			}
		}
		var first, second strings.Builder
		if err := Write(&first, l); err != nil {
			t.Fatal(err)
		}
		again, problems, err := Read([]byte(first.String()))
		if err != nil || len(problems) > 0 {
			t.Fatalf("reading back: %v, %v\n%s", err, problems, first.String())
		}
		if err := Write(&second, again); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Errorf("written twice:\n%s\n%s", first.String(), second.String())
		}
	})
}

// BenchmarkRead reads a list of ten thousand feeds.
func BenchmarkRead(b *testing.B) {
	var s strings.Builder
	s.WriteString("<opml><body>")
	for i := range 10_000 {
		fmt.Fprintf(&s, "<outline text=\"Feed %d\" title=\"Feed %[1]d\" type=\"rss\" xmlUrl=\"https://blog-%[1]d.example/feed\" htmlUrl=\"https://blog-%[1]d.example/\"/>\n", i)
	}
	data := []byte(s.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Read(data); err != nil {
			b.Fatal(err)
		}
	}
}
