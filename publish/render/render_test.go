package render

import (
	"encoding/xml"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/feeds"

	"chancery/feed"
)

// PUB-98: every field of the library's structs is redeclared by ours or one that
// we mean to use; a new field upstream must be looked at.
func TestEveryFieldOfTheLibraryIsKnown(t *testing.T) {
	for _, c := range []struct {
		ours, theirs any
		used         string
	}{
		{atomFeed{}, feeds.AtomFeed{}, "Xmlns Title Id Updated Icon Logo Rights Subtitle"},
		{atomEntry{}, feeds.AtomEntry{}, "Xmlns Title Updated Id Rights Published Content Summary"},
		{atomLink{}, feeds.AtomLink{}, "Href Rel Type Length"},
		{rssChannel{}, feeds.RssFeed{}, "Link Language Copyright ManagingEditor WebMaster PubDate LastBuildDate Category Generator Docs Cloud Ttl Rating SkipHours SkipDays Image TextInput"},
		{rssItem{}, feeds.RssItem{}, "Comments Enclosure Guid PubDate"},
		{jsonFeed{}, feeds.JSONFeed{}, "Version Title Language HomePageUrl FeedUrl Description UserComment NextUrl Icon Favicon Expired"},
		{jsonItem{}, feeds.JSONItem{}, "Id Url ExternalUrl Title ContentHTML ContentText Summary Image PublishedDate ModifiedDate"},
	} {
		shadowed := map[string]bool{}
		ours := reflect.TypeOf(c.ours)
		for f := range ours.Fields() {
			if !f.Anonymous {
				shadowed[wireName(f)] = true
			}
		}
		used := strings.Fields(c.used)
		theirs := reflect.TypeOf(c.theirs)
		for f := range theirs.Fields() {
			if !shadowed[wireName(f)] && !slices.Contains(used, f.Name) {
				t.Errorf("%s.%s (%s) is neither redeclared nor used", theirs, f.Name, wireName(f))
			}
		}
		for _, name := range used {
			f, ok := theirs.FieldByName(name)
			if !ok {
				t.Errorf("%s has no field %s any more", theirs, name)
			} else if shadowed[wireName(f)] {
				t.Errorf("%s.%s is redeclared, not used", theirs, name)
			}
		}
	}
}

// wireName is the element, attribute or key that a field is written as.
func wireName(f reflect.StructField) string {
	if f.Name == "XMLName" {
		return "XMLName"
	}
	for _, kind := range []string{"json", "xml"} {
		if tag := f.Tag.Get(kind); tag != "" {
			return strings.TrimSuffix(tag, ",omitempty")
		}
	}
	e := f.Type
	if e.Kind() == reflect.Pointer || e.Kind() == reflect.Slice {
		e = e.Elem()
	}
	if e.Kind() == reflect.Struct {
		if x, ok := e.FieldByName("XMLName"); ok {
			return x.Tag.Get("xml")
		}
	}
	return f.Name
}

// What the library writes twice or wrongly is written once and rightly (GF-01 to
// GF-05): the document holds exactly what an Atom reader needs.
func TestAtomEntry(t *testing.T) {
	b := string(mustWrite(t, variants(t)["full"], FormatAtom))
	for _, want := range []string{
		`<?xml-stylesheet type="text/css" href="https://feeds.example.org/static/feed.css"?>`, // PUB-88, PUB-95
		`<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en" xmlns:thr="http://purl.org/syndication/thread/1.0">`,
		`<id>tag:feeds.example.org,2026-11-23:feeds/iran</id>`, `<updated>2009-01-02T16:04:05Z</updated>`,
		`<link href="https://feeds.example.org/feeds/iran.atom" rel="self" type="application/atom+xml"></link>`,
		`<link href="https://feeds.example.org/topics/iran" rel="alternate" type="text/html"></link>`,
		`<link href="https://feeds.example.org/hub" rel="hub"></link>`,
		`<entry xml:lang="en-US">`, // PUB-20
		`<id>https://lobelog.example/?p=123&amp;x=1</id>`, `<published>2009-01-02T15:04:05Z</published>`, `<updated>2009-01-02T15:34:05Z</updated>`,
		`<title>Remaining in Iraq &amp; after</title>`, `<rights>© 2009 LobeLog &amp; friends</rights>`,
		`<category term="iran" scheme="tag:feeds.example.org,2026-11-23:topics" label="IRAN"></category>`, // PUB-18
		`<category term="Middle East" scheme="https://lobelog.example/cat" label="The Middle East"></category>`,
		`<link href="https://lobelog.example/a.mp3?x=1&amp;y=2" rel="enclosure" type="audio/mpeg" length="5000000000" title="Talk"></link>`, // PUB-23
		`<link href="https://lobelog.example/feed/?a=1&amp;b=2" rel="via"></link>`,                                                          // PUB-22
		`<link href="https://mirror.example/p" rel="related" title="Also at The mirror"></link>`,
		`rel="replies" type="application/atom+xml" thr:count="7" thr:updated="2009-01-02T15:04:05Z"`,
		`<thr:in-reply-to ref="tag:other.example,2009:1" href="https://other.example/1" type="text/html"></thr:in-reply-to>`,
		`<summary type="text">What the government &lt; said &amp; did.</summary>`,
	} {
		if !strings.Contains(b, want) {
			t.Errorf("no %s", want)
		}
	}
	for what, n := range map[string]int{`rel="self"`: 2, "<entry": 1, "<source>": 1, "<content": 1, "iraq": 0, "<script": 0} {
		if got := strings.Count(strings.ReplaceAll(b, "Iraq", ""), what); got != n {
			t.Errorf("%d × %s, want %d\n%s", got, what, n, b)
		}
	}
	if !strings.Contains(b, `&lt;p&gt;&lt;a href=&#34;https://lobelog.example/&#34;&gt;LobeLog &amp;amp; Co`) {
		t.Errorf("the body does not begin with its source:\n%s", b)
	}
	// PUB-36: a namespace only where it is used.
	if strings.Contains(b, "xmlns:fh") || strings.Contains(b, "xmlns:at=") {
		t.Error("a namespace is declared that nothing uses")
	}
}

// PUB-13 to PUB-15: where an entry comes from, and who wrote it.
func TestSource(t *testing.T) {
	type person struct {
		Name string `xml:"name"`
	}
	type doc struct {
		Author []person `xml:"author"`
		Entry  []struct {
			Author []person `xml:"author"`
			Source struct {
				ID, Title, Updated, Rights string
				Link                       []struct {
					Rel  string `xml:"rel,attr"`
					Href string `xml:"href,attr"`
				} `xml:"link"`
				Author   []person `xml:"author"`
				Category []struct {
					Term string `xml:"term,attr"`
				} `xml:"category"`
			} `xml:"source"`
		} `xml:"entry"`
	}
	read := func(name string) (d doc) {
		// The names of Atom's elements are in lower case.
		b := strings.NewReplacer("<id>", "<ID>", "</id>", "</ID>", "<title>", "<Title>", "</title>", "</Title>", "<updated>", "<Updated>", "</updated>", "</Updated>", "<rights>", "<Rights>", "</rights>", "</Rights>").Replace(string(mustWrite(t, variants(t)[name], FormatAtom)))
		if err := xml.Unmarshal([]byte(b), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	own := read("full").Entry[0]
	if s := own.Source; s.ID != "https://lobelog.example/feed/?a=1&b=2" || s.Title != "LobeLog & Co" || s.Updated != "2009-01-02T16:04:05Z" || len(s.Link) != 2 {
		t.Errorf("the source is %+v", s)
	}
	if len(own.Author) != 2 || own.Author[0].Name != "Ali Gharib" {
		t.Errorf("the authors are %+v", own.Author)
	}
	claimed := read("claimed").Entry[0]
	if s := claimed.Source; s.ID != "tag:origin.example,2008:feed" || s.Title != "The Origin" || s.Rights != "CC" || len(s.Author) != 1 || s.Author[0].Name != "O. Rigin" || len(s.Category) != 1 {
		t.Errorf("the entry's own source became %+v", s)
	}
	inherited := read("source").Entry[0]
	if len(inherited.Author) != 0 || len(inherited.Source.Author) != 1 || inherited.Source.Author[0].Name != "The Whole Blog" {
		t.Errorf("an inherited author: entry %+v, source %+v", inherited.Author, inherited.Source.Author)
	}
	bare := read("bare").Entry[0]
	if len(bare.Author) != 0 || len(bare.Source.Author) != 1 || bare.Source.Author[0].Name != "LobeLog & Co" {
		t.Errorf("without an author the feed's would be the entry's: %+v", bare.Source.Author)
	}
}

// PUB-11, PUB-12: ids.
func TestEntryID(t *testing.T) {
	for id, keep := range map[string]bool{
		"tag:example.org,2009:1": true, "https://Example.ORG:80/A%7Eb": true, "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a": true,
		"http://ایران.example/پست": true, "": false, "123": false, "/2009/01": false, "a b:c": false, "http://": false, "http:///x": false,
		"https://x/ y": false, "note: this": false, "x:\x00": false, "https://x/%zz": false, "2009:1": false, "tag:a<b": false,
	} {
		it := sampleItem()
		it.Entry.ID = id
		got := EntryID(it)
		if keep && got != id {
			t.Errorf("%q became %q", id, got)
		}
		if !keep && (!strings.HasPrefix(got, "urn:uuid:") || len(got) != 45 || got[23] != '5') {
			t.Errorf("%q became %q, want a UUID of version 5", id, got)
		}
	}
	if a, b := MintedID("one", "x"), MintedID("two", "x"); a == b {
		t.Error("two sources share an id")
	}
	// RFC 9562 leaves no choice: computed once by another implementation (Python's
	// uuid.uuid5 with NAMESPACE_URL).
	if got := MintedID("lobelog", "123"); got != "urn:uuid:f91779a3-4944-58f6-8c69-0d69fe4021c6" {
		t.Errorf("MintedID = %s", got)
	}
}

// PUB-16: dates of entries.
func TestDates(t *testing.T) {
	for _, c := range []struct {
		why                 string
		change              func(*feed.Item)
		published, modified time.Time
	}{
		{"as published", func(*feed.Item) {}, day, day.Add(30 * time.Minute)},
		{"without an update", func(it *feed.Item) { it.Updated = feed.Date{} }, day, day},
		{"without any", func(it *feed.Item) { it.Updated, it.Published = feed.Date{}, feed.Date{} }, time.Time{}, day.Add(time.Hour)},
		{"a revision", func(it *feed.Item) { it.Revision, it.Revised = 2, day.Add(99*time.Hour) }, day, day.Add(99 * time.Hour)},
		{"a trivial revision", func(it *feed.Item) {
			it.Revision, it.Revised, it.Trivial, it.Changed = 2, day.Add(99*time.Hour), true, it.FirstSeen
		}, day, day.Add(30 * time.Minute)},
		{"a trivial one after another", func(it *feed.Item) {
			it.Revision, it.Revised, it.Trivial, it.Changed = 3, day.Add(99*time.Hour), true, day.Add(50*time.Hour)
		}, day, day.Add(50 * time.Hour)},
		{"from the future", func(it *feed.Item) { it.Published.Time, it.Updated = day.AddDate(9, 0, 0), feed.Date{} }, time.Time{}, day.Add(time.Hour)},
		{"updated before it was published", func(it *feed.Item) { it.Updated.Time = day.AddDate(-1, 0, 0) }, day, day},
	} {
		it := sampleItem()
		c.change(it)
		if e := Prepare(it, sampleContext()); !e.Published.Equal(c.published) || !e.Updated.Equal(c.modified) {
			t.Errorf("%s: published %v updated %v, want %v %v", c.why, e.Published, e.Updated, c.published, c.modified)
		}
	}
}

// PUB-26 to PUB-35: RSS.
func TestRSSItem(t *testing.T) {
	b := string(mustWrite(t, variants(t)["full"], FormatRSS))
	for _, want := range []string{
		`<title>Iran &#x26; &#x3C;Iraq&#x3E;</title>`, // PUB-32
		`<link>https://feeds.example.org/topics/iran</link>`, `<description>What is &#x3C;known&#x3E; &#x26; said</description>`,
		`<atom:link href="https://feeds.example.org/feeds/iran.rss" rel="self" type="application/rss+xml"></atom:link>`, // PUB-27
		`<language>en</language>`, `<lastBuildDate>Fri, 02 Jan 2009 16:04:05 GMT</lastBuildDate>`, `<ttl>5</ttl>`, `<generator>chancery</generator>`,
		`<docs>https://www.rssboard.org/rss-specification</docs>`,
		`<guid isPermaLink="false">https://lobelog.example/?p=123&amp;x=1</guid>`,                                                                   // PUB-30
		`<pubDate>Fri, 02 Jan 2009 15:04:05 GMT</pubDate>`,                                                                                          // PUB-31
		`<dc:creator>Ali Gharib</dc:creator>`, `<dc:creator>Second &#x26; Author</dc:creator>`, `<author>ali@lobelog.example (Ali Gharib)</author>`, // PUB-28
		`<source url="https://lobelog.example/feed/?a=1&amp;b=2">LobeLog &#x26; Co</source>`,                            // PUB-29
		`<enclosure url="https://lobelog.example/a.mp3?x=1&amp;y=2" length="5000000000" type="audio/mpeg"></enclosure>`, // PUB-33
		`<comments>https://lobelog.example/2009/01/post#comments</comments>`, `<slash:comments>7</slash:comments>`,      // PUB-35
		`<category domain="tag:feeds.example.org,2026-11-23:topics">IRAN</category>`,
	} {
		if !strings.Contains(b, want) {
			t.Errorf("no %s\n%s", want, b)
		}
	}
	if n := strings.Count(b, "<enclosure"); n != 1 {
		t.Errorf("%d enclosures, want 1", n)
	}
	if d, c := strings.Index(b[strings.Index(b, "<item"):], "<description"), strings.Index(b[strings.Index(b, "<item"):], "<content:encoded"); d < 0 || c < d {
		t.Errorf("description at %d, content at %d: wrong order", d, c)
	}
	permalink := sampleItem()
	permalink.URL = permalink.Entry.ID
	if b := string(mustWrite(t, sampleFeed(Prepare(permalink, sampleContext())), FormatRSS)); !strings.Contains(b, `<guid isPermaLink="true">`) {
		t.Error("a guid that is the link is not marked so")
	}
	source := string(mustWrite(t, variants(t)["source"], FormatRSS))
	for _, no := range []string{"xmlns:slash", "xmlns:fh", "<managingEditor", "<image"} {
		if strings.Contains(source, no) {
			t.Errorf("the document has %s", no)
		}
	}
}

// Content = "summary" gives 300 characters and no body (PUB-90), for one source or
// one post too.
func TestSummaryOnly(t *testing.T) {
	long := sampleItem()
	long.Summary, long.Content.Value = feed.Text{}, strings.Repeat("word &amp; ", 500)
	global, source, post := sampleContext(), sampleContext(), sampleContext()
	global.Content, source.Source.Content = "summary", "summary"
	asked := *long
	asked.Extensions = []feed.Extension{{Space: "http://www.w3.org/1999/xhtml", Name: "meta", Attrs: []feed.Attr{{Name: "name", Value: "robots"}, {Name: "content", Value: "NoArchive"}}}}
	full := sampleContext()
	full.Content, full.Source.Content = "summary", "full"
	for why, e := range map[string]Entry{"global": Prepare(long, global), "source": Prepare(long, source), "post": Prepare(&asked, post)} {
		if n := len([]rune(e.Summary)); e.HTML != "" || n > 301 || n < 250 {
			t.Errorf("%s: %d bytes of HTML, %d characters of summary", why, len(e.HTML), n)
		}
	}
	if e := Prepare(long, full); e.HTML == "" {
		t.Error("a source that allows all is cut")
	}
}

// SEC-32: overrides do not get out of a title, and open embeddings are closed.
func TestBidi(t *testing.T) {
	for in, want := range map[string]string{
		"a\u202eb": "ab", "\u202bفارسی": "\u202bفارسی\u202c", "\u2067x\u2069": "\u2067x\u2069", "x\u202c\u2069": "x", "a\u200fb": "a\u200fb",
		"\u2066\u202bx\u2069": "\u2066\u202bx\u202c\u2069", " two\n words\t": "two words", "nul\x00": "nul\ufffd",
	} {
		if got := line(in); got != want {
			t.Errorf("line(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

// SEC-32, PUB-20: what a source is called, and a language that is none, reach documents
// only as what they may hold.
func TestHeadIsFit(t *testing.T) {
	f := &Feed{
		ID: "tag:x.example,2026:x", Title: "News\u202egpj \x07of\nthe \xff day", Description: "All\x00.", Author: "A\u2066", Language: "en_US",
		Self: "https://x.example/feed.{format}", Home: "https://x.example/",
	}
	for _, format := range Formats {
		b, err := Write(f, format)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"\u202e", "\x07", `\u0007`, "of\nthe", `of\nthe`, "\x00", `\u0000`, "en_US"} {
			if strings.Contains(string(b), bad) {
				t.Errorf("%s holds %q:\n%s", format, bad, b)
			}
		}
		if !strings.Contains(string(b), "en-US") {
			t.Errorf("%s has no language:\n%s", format, b)
		}
	}
	f.Language = "English, of course"
	if b, err := Atom(f); err != nil || strings.Contains(string(b), "xml:lang") {
		t.Errorf("a language that is none is written: %v\n%s", err, b)
	}
}
