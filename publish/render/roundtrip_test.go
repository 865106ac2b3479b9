package render_test

import (
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/parse"
	"chancery/publish/render"
)

// What is written is read back by our own parser, on gofeed, as it was meant: the
// values of an entry survive in each format (PUB-07, PUB-09).
func TestRoundTrip(t *testing.T) {
	at := time.Date(2009, 1, 2, 15, 4, 5, 0, time.UTC)
	id, err := feed.ParseItemID("01hxyz00000000000000000000")
	if err != nil {
		t.Fatal(err)
	}
	it := &feed.Item{
		ID: id, Source: "lobelog", Native: "x", FirstSeen: at, Revision: 1, Story: id,
		Topics: []feed.Tag{{Topic: "iran", Score: 2}},
		Entry: feed.Entry{
			ID: "https://lobelog.example/?p=1&x=2", URL: "https://lobelog.example/post?a=1&b=2",
			Title:      feed.Text{Value: `"Q" & A's <plain> title ایران`},
			Content:    feed.Text{Type: feed.HTML, Value: "<p>One &amp; two</p>"},
			Summary:    feed.Text{Value: "Short & plain"},
			Authors:    []feed.Person{{Name: "Ali & Co"}},
			Categories: []feed.Category{{Term: "War & Peace"}},
			Enclosures: []feed.Enclosure{{URL: "https://lobelog.example/a.mp3?a=1&b=2", Type: "audio/mpeg", Length: 12}},
			Published:  feed.Date{Time: at}, Updated: feed.Date{Time: at.Add(time.Minute)}, Language: "en",
		},
	}
	e := render.Prepare(it, render.Context{
		Source: render.Source{ID: "lobelog", Title: "LobeLog", Site: "https://lobelog.example/", Feed: "https://lobelog.example/feed"},
		Label:  func(feed.TopicID) string { return "Iran" },
		Others: func(feed.SourceID) render.Source { return render.Source{} },
		Page:   func(feed.ItemID) string { return "https://feeds.example.org/items/x" },
		Policy: html.DefaultPolicy(),
	})
	f := &render.Feed{
		ID: "tag:feeds.example.org,2026:feeds/iran", Title: "Iran & more", Description: "d", Language: "en", Self: "https://feeds.example.org/feeds/iran.{format}",
		Home: "https://feeds.example.org/", Updated: at, TTL: time.Hour, TopicScheme: "tag:feeds.example.org,2026:topics", Entries: []render.Entry{e},
	}
	for _, format := range render.Formats {
		t.Run(format.String(), func(t *testing.T) {
			b, err := render.Write(f, format)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := parse.Open(b, parse.Options{ContentType: format.ContentType(), URL: f.Self.In(format)})
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			got, err := doc.Feed(nil)
			if err != nil {
				t.Fatal(err)
			}
			if html.Plain(got.Title) != f.Title || got.Self != f.Self.In(format) || len(got.Entries) != 1 || len(got.Repairs) != 0 {
				t.Fatalf("title %q self %q entries %d repairs %q", got.Title.Value, got.Self, len(got.Entries), got.Repairs)
			}
			g := got.Entries[0]
			if g.ID != e.ID || g.URL != e.URL || !g.Published.Time.Equal(at) {
				t.Errorf("id %q url %q published %v", g.ID, g.URL, g.Published)
			}
			if title := html.Plain(g.Title); title != e.Title {
				// RSS does not say whether a title is text or HTML.
				if format != render.FormatRSS {
					t.Errorf("title %q, want %q", title, e.Title)
				}
			}
			if got := html.Plain(g.Content); got != "One & two" {
				t.Errorf("content %q", got)
			}
			if len(g.Authors) != 1 || g.Authors[0].Name != "Ali & Co" {
				t.Errorf("authors %+v", g.Authors)
			}
			if n := len(g.Categories); n != 2 {
				t.Errorf("categories %+v", g.Categories)
			}
			if len(g.Enclosures) != 1 || g.Enclosures[0].URL != it.Enclosures[0].URL || g.Enclosures[0].Length != 12 {
				t.Errorf("enclosures %+v", g.Enclosures)
			}
			if format != render.FormatJSON && (g.Origin == nil || html.Plain(g.Origin.Title) != "LobeLog") {
				t.Errorf("origin %+v", g.Origin)
			}
		})
	}
}
