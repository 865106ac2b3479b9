package render

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// nasty has every metacharacter of XML, HTML, JSON and headers, controls, an
// override, and two scripts.
const nasty = "<b>\"A&amp;B\" & 'C' ]]> <!-- <![CDATA[ \\ \u2028 \x00\x1b \u202eevil\u202c \uffff \U0001F600 ایران"

var day = time.Date(2009, 1, 2, 15, 4, 5, 0, time.UTC)

// sampleItem is an item with everything; each test changes what it is about.
func sampleItem() *feed.Item {
	id, _ := feed.ParseItemID("01hxyz00000000000000000000")
	other, _ := feed.ParseItemID("01hxyz00000000000000000001")
	it := &feed.Item{
		ID: id, Source: "lobelog", Native: "n1", Method: "guid", FirstSeen: day.Add(time.Hour), LastSeen: day.Add(48 * time.Hour),
		Revised: day.Add(time.Hour), Revision: 1, Revisions: 1, Story: id,
		Topics: []feed.Tag{{Topic: "iran", Score: 3.5, About: true}, {Topic: "mek", Score: 1}, {Topic: "iraq", Score: -1, Manual: true}},
		AlsoIn: []feed.Sighting{{ID: other, Source: "mirror", URL: "https://mirror.example/p", FirstSeen: day}},
	}
	it.Entry = feed.Entry{
		ID: "https://lobelog.example/?p=123&x=1", URL: "https://lobelog.example/2009/01/post?a=1&b=2",
		Title:        feed.Text{Type: feed.HTML, Value: "Remaining in <i>Iraq</i> &amp; after"},
		Summary:      feed.Text{Type: feed.PlainText, Value: "What the government < said & did."},
		Content:      feed.Text{Type: feed.HTML, Value: `<p>Text with <a href="/rel">a link</a> &amp; <script>alert(1)</script>more.</p>`, Base: "https://lobelog.example/2009/01/"},
		Authors:      []feed.Person{{Name: "Ali Gharib", URL: "https://lobelog.example/ali", Email: "ali@lobelog.example"}, {Name: "Second & Author"}},
		Contributors: []feed.Person{{Name: "An Editor"}},
		Categories:   []feed.Category{{Term: "Middle East", Scheme: "https://lobelog.example/cat", Label: "The Middle East"}, {Term: "war & peace"}},
		Enclosures:   []feed.Enclosure{{URL: "https://lobelog.example/a.mp3?x=1&y=2", Type: "audio/mpeg", Length: 5_000_000_000, Title: "Talk", Duration: 90 * time.Second}, {URL: "https://lobelog.example/b.pdf"}},
		Published:    feed.Date{Time: day}, Updated: feed.Date{Time: day.Add(30 * time.Minute)},
		Rights: feed.Text{Value: "© 2009 LobeLog & friends"}, Language: "en-US",
		Comments: "https://lobelog.example/2009/01/post#comments",
		Replies:  feed.Replies{InReplyTo: []feed.ReplyTo{{Ref: "tag:other.example,2009:1", URL: "https://other.example/1", Type: "text/html"}}, Count: 7, Updated: day, FeedURL: "https://lobelog.example/2009/01/post/feed"},
	}
	return it
}

func sampleContext() Context {
	return Context{
		Source: Source{ID: "lobelog", Title: "LobeLog & Co", Site: "https://lobelog.example/", Feed: "https://lobelog.example/feed/?a=1&b=2", Language: "en"},
		Others: func(id feed.SourceID) Source {
			return Source{ID: id, Title: "The " + string(id), Site: "https://" + string(id) + ".example/"}
		},
		Label:   func(id feed.TopicID) string { return strings.ToUpper(string(id)) },
		Page:    func(id feed.ItemID) string { return "https://feeds.example.org/items/" + id.String() },
		Content: "full", Policy: html.DefaultPolicy(),
	}
}

func sampleFeed(entries ...Entry) *Feed {
	return &Feed{
		ID: "tag:feeds.example.org,2026-11-23:feeds/iran", Title: "Iran & <Iraq>", Description: "What is <known> & said", Language: "en",
		Self: "https://feeds.example.org/feeds/iran.{format}", Home: "https://feeds.example.org/topics/iran", Author: "chancery",
		Style: "https://feeds.example.org/static/feed.css", Updated: day.Add(time.Hour), TTL: 5 * time.Minute,
		Hubs: []string{"https://feeds.example.org/hub"}, TopicScheme: "tag:feeds.example.org,2026-11-23:topics", Mixed: true, Entries: entries,
	}
}

// variants are feeds for every check: each has something that breaks a writer.
func variants(t testing.TB) map[string]*Feed {
	t.Helper()
	c := sampleContext()
	prepare := func(change func(*feed.Item)) Entry {
		it := sampleItem()
		change(it)
		return Prepare(it, c)
	}
	id := func(n byte) func(*feed.Item) {
		return func(it *feed.Item) { it.ID[15], it.Entry.ID, it.Native = n, "", string(rune('a'+n)) }
	}
	nastyItem := func(it *feed.Item) {
		id(9)(it)
		it.Title = feed.Text{Type: feed.PlainText, Value: nasty}
		it.Content = feed.Text{Type: feed.PlainText, Value: nasty}
		it.Summary = feed.Text{Type: feed.PlainText, Value: nasty}
		it.Authors = []feed.Person{{Name: nasty, URL: nasty, Email: nasty}}
		it.Categories = []feed.Category{{Term: nasty, Scheme: nasty, Label: nasty}, {Term: "x", Scheme: "not an iri"}}
		it.Rights = feed.Text{Value: nasty}
		it.Language = nasty
		it.URL, it.Comments, it.ExternalURL, it.Image = "javascript:alert(1)", nasty, "ftp://x/", "data:x"
		it.Enclosures = []feed.Enclosure{{URL: "file:///etc/passwd"}, {URL: "https://x.example/a b<c>\"d\"%zz?q=%&r=é", Type: nasty, Title: nasty, Length: -1}}
		it.Entry.ID = nasty
		it.Replies.InReplyTo = []feed.ReplyTo{{Ref: nasty}}
	}
	empty := sampleFeed()
	empty.Updated = time.Unix(0, 0).UTC()
	bare := func(it *feed.Item) { // no date, no link, no title, nothing
		e := feed.Item{ID: it.ID, Source: it.Source, Native: "bare", FirstSeen: it.FirstSeen, Revision: 1, Story: it.ID}
		e.ID[15] = 3
		*it = e
	}
	claimed := func(it *feed.Item) {
		id(4)(it)
		it.Origin = &feed.Origin{ID: "tag:origin.example,2008:feed", Title: feed.Text{Value: "The Origin"}, URL: "https://origin.example/", Self: "https://origin.example/feed", Rights: feed.Text{Value: "CC"}, Updated: feed.Date{Time: day}, Authors: []feed.Person{{Name: "O. Rigin"}}, Categories: []feed.Category{{Term: "oc"}}}
		it.Authors = nil
	}
	inherited := func(it *feed.Item) {
		id(5)(it)
		it.Authors = []feed.Person{{Name: "The Whole Blog", Inherited: true}}
		it.Replies, it.Comments, it.Enclosures = feed.Replies{}, "", nil
	}
	sum := c
	sum.Content = "summary"
	long := sampleItem()
	id(6)(long)
	long.Title.Value = strings.Repeat("long ", 1<<15)
	long.Content.Value = "<p>" + strings.Repeat("text &amp; more ", 1<<16) + "</p>"
	archive := sampleFeed(prepare(id(7)))
	archive.Self = "https://feeds.example.org/feeds/iran/archive/c1/2.{format}"
	archive.Paging = Paging{Archive: true, Current: "https://feeds.example.org/feeds/iran.{format}", PrevArchive: "https://feeds.example.org/feeds/iran/archive/c1/1.{format}", NextArchive: "https://feeds.example.org/feeds/iran/archive/c1/3.{format}"}
	archive.Deleted = []Tombstone{{Ref: "tag:gone.example,2009:1", When: day, Comment: "withdrawn & gone"}}
	paged := sampleFeed(prepare(id(8)))
	paged.Paging = Paging{First: "https://feeds.example.org/search.{format}?q=a&p=1", Next: "https://feeds.example.org/search.{format}?q=a&p=2"}
	search := sampleFeed(prepare(id(10)))
	search.Self = Address("https://feeds.example.org/search.{format}?q=" + url.QueryEscape(`"a" AND =B^2`))
	search.Search = &Search{Terms: `"a" AND =B^2 <&>`, Total: 1234, Start: 51, PerPage: 50, Description: "https://feeds.example.org/opensearch.xml"}
	search.Paging = Paging{Complete: true}
	revised := sampleFeed(prepare(func(it *feed.Item) { id(11)(it); it.Revision, it.Revisions = 3, 3 }))
	revised.Without[FormatRSS] = true
	source := sampleFeed(prepare(inherited))
	source.Mixed, source.Style, source.Hubs, source.Language, source.Description = false, "", nil, "", ""
	plain := prepare(inherited)
	same := prepare(id(2))
	same.ID = plain.ID
	return map[string]*Feed{
		"full": sampleFeed(prepare(func(*feed.Item) {})), "empty": empty, "nasty": sampleFeed(prepare(nastyItem)), "bare": sampleFeed(prepare(bare)),
		"claimed": sampleFeed(prepare(claimed)), "archive": archive, "paged": paged, "search": search, "revised": revised, "source": source,
		"summary": sampleFeed(Prepare(sampleItem(), sum)), "long": sampleFeed(Prepare(long, c)), "same-id": sampleFeed(plain, same),
		"many": sampleFeed(prepare(func(*feed.Item) {}), prepare(bare), prepare(nastyItem), prepare(claimed), prepare(inherited)),
	}
}

func mustWrite(t testing.TB, f *Feed, format Format) []byte {
	t.Helper()
	b, err := Write(f, format)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeJSON(t testing.TB, b []byte, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}
