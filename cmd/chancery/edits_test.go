package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
)

// P-72, PEERS part 5, 50 to 57: what becomes of one post as its feed goes on, from the
// documents to the versions: items, versions, and trivial ones among them.
func TestEdits(t *testing.T) {
	p := write("Latin", 50)
	text := paragraphs(p.paragraphs(60, 50, 70))
	persian := paragraphs(write("Persian", 50).paragraphs(60, 50))
	other := func(n uint64) string { return paragraphs(write("Latin", 60+n).paragraphs(60, 70)) }
	bodies := func(format string, values ...any) (all []entry) {
		for _, v := range values {
			all = append(all, entry{guid: "1", body: text + strings.ReplaceAll(format, "%", fmt.Sprint(v))})
		}
		return all
	}
	for _, c := range []struct {
		name                      string
		polls                     []entry // one each
		items, versions, trivials int
	}{
		{"comments are counted", bodies("<p>% comments</p>", 1, 2, 3, 20, 1204), 1, 1, 0},
		{"readers are counted, in Persian", bodies("<p>بازدید: %</p>", "۱۲", "۱۳", "۱۴"), 1, 1, 0},
		{"a share bar", bodies(`<ul><li>Tweet %</li><li>Like 3</li></ul>`, 1, 2, 3), 1, 1, 0},
		{"an age", bodies("<div>posted by admin | % ago</div>", "3 minutes", "59 minutes", "2 hours", "3 days"), 1, 1, 0},
		{"a session in a link", bodies(`<a href="https://a.example/more?PHPSESSID=%&amp;p=1">more</a>`, "a1", "b2", "c3"), 1, 1, 0},
		{"advertising", bodies(`<a href="http://ads.pheedo.com/c?%"><img src="http://ads.pheedo.com/%.gif"></a>`, 1, 2, 3), 1, 1, 0},
		{"three pictures take turns", bodies(`<img src="https://a.example/%.jpg" alt="">`, "camp", "gate", "road", "camp", "gate", "road"), 1, 3, 2},
		{"another picture", bodies(`<img src="https://a.example/%.jpg" alt="">`, "camp", "gate"), 1, 2, 1},
		{"another link", bodies(`<a href="https://b.example/%">there</a>`, "one", "two"), 1, 2, 0},
		{"a word is corrected", bodies("<p>The % of Iraq.</p>", "governent", "government"), 1, 2, 1},
		{"a number is corrected", bodies("<p>At least % are dead.</p>", 20, 30), 1, 2, 0},
		{"to and fro", bodies("<p>%</p>", "One end.", "The other end.", "One end.", "The other end.", "One end."), 1, 2, 0},
		{"edited all day", bodies("<p>It is % o'clock, says the office.</p>", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 1, 12, 0},
		{"Persian letters of another keyboard", []entry{{guid: "1", body: persian}, {guid: "1", body: strings.NewReplacer("ی", "ي", "ک", "ك").Replace(persian)}}, 1, 2, 1},
		{"another title", []entry{{guid: "1", title: "Camp to close", body: text}, {guid: "1", title: "Camp to stay", body: text}}, 1, 2, 0},
		{"the date alone", []entry{{guid: "1", body: text}, {guid: "1", body: text, at: blogDay.Add(time.Hour)}}, 1, 1, 0},

		{"an id moves to https and loses www", []entry{{guid: "http://www.a.example/1", link: "http://www.a.example/1", title: "Post", body: text}, {guid: "https://a.example/1/", link: "https://a.example/1/", title: "Post", body: text}}, 1, 2, 1},
		{"a slash at the end", []entry{{guid: "none", link: "https://a.example/one", body: text}, {guid: "none", link: "https://a.example/one/", body: text}}, 1, 2, 1},
		{"a slug is another, the id stays", []entry{{guid: "tag:1", link: "https://a.example/camp-to-close", body: text}, {guid: "tag:1", link: "https://a.example/camp-to-stay", body: text}}, 1, 2, 0},
		{"a slug is another, and with it the id", []entry{
			{guid: "https://a.example/camp-to-close", link: "https://a.example/camp-to-close", title: "Camp to close", body: text},
			{guid: "https://a.example/camp-to-stay", link: "https://a.example/camp-to-stay", title: "Camp to stay", body: text},
		}, 1, 2, 0},
		{"a post of the same words, a day later", []entry{{guid: "1", body: text}, {guid: "2", body: text, at: blogDay.AddDate(0, 0, 1)}}, 2, 1, 0},
		{"an id is given to another post a year later", []entry{
			{guid: "17", link: "https://a.example/2009/camp", title: "The camp", body: text},
			{guid: "17", link: "https://a.example/2010/roses", title: "On roses", body: other(1), at: blogDay.AddDate(1, 0, 0)},
		}, 2, 1, 0},
		{"an id stands for one post and another in turn", []entry{
			{guid: "17", link: "https://a.example/2009/camp", title: "The camp", body: text},
			{guid: "17", link: "https://a.example/2010/roses", title: "On roses", body: other(1), at: blogDay.AddDate(1, 0, 0)},
			{guid: "17", link: "https://a.example/2009/camp", title: "The camp", body: text + "<!-- 2 -->"},
			{guid: "17", link: "https://a.example/2010/roses", title: "On roses", body: other(1) + "<!-- 2 -->", at: blogDay.AddDate(1, 0, 0)},
			{guid: "17", link: "https://a.example/2009/camp", title: "The camp", body: text + "<!-- 3 -->"},
		}, 2, 1, 0},
		{"a post is written anew from end to end", []entry{{guid: "17", link: "https://a.example/camp", title: "The camp", body: text}, {guid: "17", link: "https://a.example/camp", title: "On roses", body: other(1)}}, 1, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBlogosphere(t)
			for _, e := range c.polls {
				b.poll("a", e)
			}
			b.poll("a", c.polls[len(c.polls)-1])
			all := b.items()
			versions, trivials := 0, 0
			for _, it := range all {
				revs, err := b.store.Revisions(t.Context(), it.ID)
				if err != nil {
					t.Fatal(err)
				}
				versions = max(versions, len(revs))
				for _, v := range revs {
					if v.Trivial {
						trivials++
					}
				}
			}
			if len(all) != c.items || versions != c.versions || trivials != c.trivials {
				t.Errorf("%d items, %d versions, %d of them trivial; want %d, %d and %d", len(all), versions, trivials, c.items, c.versions, c.trivials)
			}
			b.sound()
		})
	}
}

// PEERS part 5, 50 to 54, P-68, P-69: several entries of one document.
func TestIdentities(t *testing.T) {
	post := func(id, link string, n uint64) entry {
		return entry{guid: id, link: link, title: write("Latin", 80+n).words(5), body: paragraphs(write("Latin", 70+n).paragraphs(50, 40)), at: blogDay.AddDate(0, 0, int(n))}
	}
	for _, c := range []struct {
		name     string
		polls    [][]entry
		items    int
		versions int // the most of an item
	}{
		{"one id on all", [][]entry{{post("x", "https://a.example/1", 1), post("x", "https://a.example/2", 2)}, {post("x", "https://a.example/3", 3), post("x", "https://a.example/2", 2)}}, 3, 1},
		{"one id on all, one entry at a time", [][]entry{{post("x", "https://a.example/1", 1)}, {post("x", "https://a.example/2", 2)}, {post("x", "https://a.example/3", 3)}}, 3, 1},
		{"all ids made anew", [][]entry{{post("1", "https://a.example/1", 1), post("2", "https://a.example/2", 2), post("3", "https://a.example/3", 3)}, {post("n1", "https://a.example/1", 1), post("n2", "https://a.example/2", 2), post("n3", "https://a.example/3", 3)}}, 3, 1},
		{"all ids made anew with each poll", [][]entry{{post("1", "https://a.example/1", 1), post("2", "https://a.example/2", 2)}, {post("n1", "https://a.example/1", 1), post("n2", "https://a.example/2", 2)}, {post("m1", "https://a.example/1", 1), post("m2", "https://a.example/2", 2), post("m3", "https://a.example/3", 3)}}, 3, 1},
		{"a blog moves to another name", [][]entry{
			{post("https://old.example/?p=1", "https://old.example/1", 1), post("https://old.example/?p=2", "https://old.example/2", 2), post("https://old.example/?p=3", "https://old.example/3", 3)},
			{post("https://new.example/?p=1", "https://new.example/1", 1), post("https://new.example/?p=2", "https://new.example/2", 2), post("https://new.example/?p=3", "https://new.example/3", 3), post("https://new.example/?p=4", "https://new.example/4", 4)},
		}, 4, 2},
		{"two entries with one id, of which one is the other's correction", [][]entry{{
			entry{guid: "1", link: "https://a.example/1", title: "Post", body: post("", "", 1).body},
			entry{guid: "1", link: "https://a.example/1", title: "Post", body: post("", "", 1).body + "<p>Corrected.</p>", at: blogDay.Add(time.Hour)},
		}}, 1, 2},
		{"the same entry twice", [][]entry{{post("1", "https://a.example/1", 1), post("1", "https://a.example/1", 1)}}, 1, 1},
		{"ids that differ in the fragment", [][]entry{{post("https://a.example/n#1", "https://a.example/n", 1), post("https://a.example/n#2", "https://a.example/n", 2)}}, 2, 1},
		{"posts that the query tells apart", [][]entry{{post("none", "https://a.example/?p=1", 1), post("none", "https://a.example/?p=2", 2)}}, 2, 1},
		{"no id and no link", [][]entry{{post("none", "none", 1), post("none", "none", 2)}, {post("none", "none", 2), post("none", "none", 3)}}, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBlogosphere(t)
			for _, polled := range c.polls {
				b.poll("a", polled...)
			}
			var got []string
			versions := 0
			for _, it := range b.items() {
				got = append(got, it.Title.Value)
				versions = max(versions, it.Revisions)
			}
			slices.Sort(got)
			if len(got) != c.items || versions != c.versions {
				t.Errorf("items %q with %d versions at most, want %d with %d", got, versions, c.items, c.versions)
			}
			b.sound()
		})
	}
}

// SEC-31: who carries an entry with another's id and origin, or address, takes nothing over.
func TestForgedOrigin(t *testing.T) {
	b := newBlogosphere(t)
	p := write("Latin", 90)
	b.poll("genuine", entry{guid: "tag:genuine,1", link: "https://genuine.example/1", title: "The truth", body: paragraphs(p.paragraphs(60, 60))})
	b.pollDocument("forger", `<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><id>https://forger.example/</id><updated>2009-04-01T12:00:00Z</updated>`+
		`<entry><id>tag:genuine,1</id><title>A lie</title><updated>2009-04-02T12:00:00Z</updated><link href="https://genuine.example/1"/>`+
		`<source><id>https://genuine.example/</id><link rel="self" href="https://genuine.example/feed"/><title>genuine</title></source>`+
		`<content type="html">`+strings.ReplaceAll(paragraphs(p.paragraphs(60, 60)), "<", "&lt;")+`</content></entry></feed>`)
	b.poll("genuine", entry{guid: "tag:genuine,1", link: "https://genuine.example/1", title: "The truth", body: paragraphs(p.paragraphs(60, 60))})
	if got := b.stories(); got != "" {
		t.Errorf("stories %q", got)
	}
	of := map[feed.SourceID]string{}
	for _, it := range b.items() {
		of[it.Source] = fmt.Sprint(it.Title.Value, " ", it.Revisions)
	}
	if of["genuine"] != "The truth 2" || of["forger"] != "A lie 1" {
		t.Errorf("items %v", of)
	}
	b.sound()
}

// P-70, SEC-31: the original of a story is the post of the site whose address it has, also
// when a copy came first; without an address in common it is the one that came first.
func TestOriginalOfStory(t *testing.T) {
	b := newBlogosphere(t)
	p := write("Latin", 91)
	one, two := paragraphs(p.paragraphs(60, 60)), paragraphs(p.paragraphs(60, 60))
	b.poll("planet", entry{guid: "1", link: "https://blog.example/1", body: one}, entry{guid: "2", link: "https://planet.example/2", body: two})
	b.poll("blog", entry{guid: "1", link: "https://blog.example/1", body: one}, entry{guid: "2", link: "https://blog.example/2", body: two})
	for _, it := range b.items() {
		name := string(it.Source) + "/" + it.Entry.ID
		if isCopy := name == "planet/1" || name == "blog/2"; it.IsCopy() != isCopy || len(it.AlsoIn) != 1 {
			t.Errorf("%s is a copy: %v, also in %d", name, it.IsCopy(), len(it.AlsoIn))
		}
	}
	b.sound()
}
