package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// P-70: what is one story in several blogs and what is none, in the manner of the real
// world, from the documents to the stories.
func TestOneStory(t *testing.T) {
	for _, c := range storyCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBlogosphere(t)
			c.run(b)
			if got := b.stories(); got != c.want {
				t.Errorf("stories: %q, want %q", got, c.want)
			}
			b.sound()
		})
	}
}

type storyCase struct {
	name string
	want string // stories of more than one item
	run  func(b *blogosphere)
}

var storyCases = []storyCase{
	{"a quotation at length under more comment", "", func(b *blogosphere) {
		p := write("Latin", 1)
		post := p.paragraphs(60, 80, 70, 90)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", body: paragraphs(p.paragraphs(90, 80), quoted(paragraphs(post[1:])), p.words(80))})
		b.poll("c", entry{guid: "1", body: paragraphs(p.words(150), post[2], p.words(150), post[3])})
	}},
	{"all of a post quoted under as much comment", "", func(b *blogosphere) {
		p := write("Latin", 2)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", body: paragraphs(p.words(120)) + quoted(paragraphs(post)) + paragraphs(p.words(90))})
	}},
	{"a post taken over in a quotation, with a line before it", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Latin", 3)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", body: paragraphs("This is from a, and it is well said:") + quoted(paragraphs(post))})
		b.poll("c", entry{guid: "1", body: paragraphs(p.words(30)) + quoted(paragraphs(post)) + paragraphs("Read it there.")})
	}},
	{"a post with quotations, copied with and without their marks", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Latin", 4)
		own, said := p.paragraphs(60, 80, 70), p.words(90)
		b.poll("a", entry{guid: "1", body: paragraphs(own[0]) + quoted(paragraphs(said)) + paragraphs(own[1:])})
		b.poll("b", entry{guid: "1", body: paragraphs("Via a.", own[0]) + quoted(paragraphs(said)) + paragraphs(own[1:])})
		b.poll("c", entry{guid: "1", body: paragraphs("Via a.", own[0], said, own[1:])})
	}},
	{"two comments on one quotation", "", func(b *blogosphere) {
		p := write("Latin", 5)
		said := quoted(paragraphs(p.paragraphs(90, 90)))
		b.poll("a", entry{guid: "1", body: paragraphs(p.words(70)) + said + paragraphs(p.words(60))})
		b.poll("b", entry{guid: "1", body: said + paragraphs(p.words(110))})
	}},
	{"one signature under short posts", "", func(b *blogosphere) {
		p := write("Latin", 6)
		signature := p.words(70)
		for _, blog := range []string{"a", "b"} {
			var all []entry
			for i := range 6 {
				all = append(all, entry{guid: fmt.Sprint(i), body: paragraphs(p.words(50), signature)})
			}
			b.poll(blog, all...)
		}
	}},
	{"related posts under all posts of two blogs of one house", "", func(b *blogosphere) {
		p := write("Latin", 7)
		var list strings.Builder
		for range 12 {
			fmt.Fprintf(&list, `<li><a href="https://house.example/%d">%s</a></li>`, p.r.IntN(9999), p.words(9))
		}
		related := "<h3>Related posts</h3><ul>" + list.String() + "</ul>"
		for _, blog := range []string{"a", "b"} {
			var all []entry
			for i := range 5 {
				all = append(all, entry{guid: fmt.Sprint(i), body: paragraphs(p.words(60)) + related})
			}
			b.poll(blog, all...)
		}
	}},
	{"a footer of a newsletter service under one post each", "", func(b *blogosphere) {
		p := write("Latin", 8)
		footer := p.words(60)
		for _, blog := range []string{"a", "b", "c"} {
			b.poll(blog, entry{guid: "1", body: paragraphs(p.words(120), footer)})
		}
	}},
	{"the links of the week in the same frame", "", func(b *blogosphere) {
		p := write("Latin", 10)
		frame := p.paragraphs(25, 20)
		for _, blog := range []string{"a", "b"} {
			var all []entry
			for i := range 5 {
				all = append(all, entry{guid: fmt.Sprint(i), title: "Links of the week", at: blogDay.AddDate(0, 0, 7*i), body: paragraphs(frame[0], p.paragraphs(15, 15, 15, 15), frame[1])})
			}
			b.poll(blog, all...)
		}
	}},
	{"a press release in ten blogs with ten leads", "b0/1 b1/1 b2/1 b3/1 b4/1 b5/1 b6/1 b7/1 b8/1 b9/1", func(b *blogosphere) {
		p := write("Latin", 11)
		release := p.paragraphs(60, 60, 70)
		for i := range 10 {
			b.poll(fmt.Sprint("b", i), entry{guid: "1", title: p.words(6), body: paragraphs(p.words(15+3*i), release)})
		}
	}},
	{"a translation", "", func(b *blogosphere) {
		b.poll("a", entry{guid: "1", title: "2009", body: paragraphs(write("Latin", 12).words(250), "Tel. 030 2009, IAEA, 25 April 2009")})
		b.poll("b", entry{guid: "1", title: "2009", body: paragraphs(write("Cyrillic", 12).words(250), "Tel. 030 2009, IAEA, 25 April 2009")})
	}},
	{"short posts that say nearly the same", "", func(b *blogosphere) {
		b.poll("a", entry{guid: "1", title: "Closed", body: "The museum is closed on Monday because of the holiday, says its director."})
		b.poll("b", entry{guid: "1", title: "Closed", body: "The museum is closed on Tuesday because of the holiday, says its director."})
	}},
	{"short posts that say the same", "a/1 b/1", func(b *blogosphere) {
		b.poll("a", entry{guid: "1", title: "Closed", body: "The museum is closed on Monday because of the holiday, says its director."})
		b.poll("b", entry{guid: "1", title: "CLOSED", body: "<p>The museum is <b>closed</b> on Monday because of the holiday, says its director</p>"})
	}},
	{"the original is edited when copies are there", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Latin", 13)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", body: paragraphs(post)})
		b.poll("a", entry{guid: "1", body: paragraphs(p.paragraphs(80, 90, 120))})
		b.poll("c", entry{guid: "1", body: paragraphs("As it stood first.", post)}) // a copy of the copy now
	}},
	{"copies found years later, dated before the original", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Latin", 14)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", at: blogDay.AddDate(0, 0, -20), body: paragraphs("From our archive.", post)})
		b.poll("c", entry{guid: "1", at: blogDay.AddDate(0, 0, 29), body: paragraphs(post[:2], p.words(12))})
	}},
	{"another time is another story, unless it is the same to the letter", "a/1 c/1", func(b *blogosphere) {
		p := write("Latin", 15)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", at: blogDay.AddDate(2, 0, 0), body: paragraphs("Two years ago we wrote this.", post)})
		b.poll("c", entry{guid: "1", at: blogDay.AddDate(2, 0, 0), body: paragraphs(post)})
	}},
	{"short posts under the addresses of syndication", "a/1 b/1 c/1 d/1 e/1", func(b *blogosphere) {
		body := func(s string) string {
			return "The talks in Vienna begin on Monday, " + s + " says, and will last for three days."
		}
		b.poll("a", entry{guid: "1", link: "https://a.example/2009/04/talks", body: body("the agency")})
		b.poll("b", entry{guid: "1", link: "http://www.a.example/2009/04/talks/?utm_source=feed&utm_medium=rss", body: body("b")})
		b.poll("c", entry{guid: "1", link: "https://a.example/2009/04/talks/amp/", body: body("c")})
		b.poll("d", entry{guid: "1", link: "https://a.example/2009/04/talks?amp=1#more", body: body("d")})
		b.pollDocument("e", `<rss version="2.0" xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"><channel><title>e</title><link>https://e.example/</link><description/><item>`+
			`<guid isPermaLink="false">1</guid><link>http://feeds.feedburner.example/~r/a/~3/x1/</link><title>Talks</title><pubDate>Wed, 01 Apr 2009 12:00:00 +0000</pubDate>`+
			`<description>`+body("e")+`</description><feedburner:origLink>https://a.example/2009/04/talks</feedburner:origLink></item></channel></rss>`)
	}},
	{"a live blog that grows under one id, copied when it was short and long", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Latin", 16)
		post := p.paragraphs(60, 50, 60, 60, 60, 60, 60)
		for n := 2; n <= len(post); n++ {
			slices.Reverse(post[:n]) // the newest stands on top
			b.poll("a", entry{guid: "1", body: paragraphs(post[:n])})
			slices.Reverse(post[:n])
			switch n {
			case 4:
				b.poll("b", entry{guid: "1", body: paragraphs("From a:", post[3], post[2], post[1], post[0])})
			case 7:
				b.poll("c", entry{guid: "1", body: paragraphs("From a:", post[6], post[5], post[4], post[3], post[2], post[1], post[0])})
			}
		}
	}},
	{"a live blog under a new id with each poll, and a copy of its last state", "a/6 b/1", func(b *blogosphere) {
		p := write("Latin", 17)
		post := p.paragraphs(120, 110)
		for n := range 7 {
			b.poll("a", entry{guid: fmt.Sprint(n), body: paragraphs(post)})
			if n < 6 {
				post = append(post, p.words(9))
			}
		}
		b.poll("b", entry{guid: "1", body: paragraphs("From a:", post)})
	}},
	{"a post that two live blogs carry, each under a new id with each poll, and others beside it", "a/6 b/1 b/2 b/3 b/4 b/5 b/6", func(b *blogosphere) {
		p := write("Latin", 24)
		post := p.paragraphs(120, 110)
		var others []entry
		for n := range 5 {
			others = append(others, entry{guid: fmt.Sprint("x", n), body: paragraphs(p.words(140))})
		}
		for n := range 7 {
			b.poll("a", append(others, entry{guid: fmt.Sprint(n), body: paragraphs(post, fmt.Sprintf("It is %d o'clock, and all is well.", n+1))})...)
		}
		for n := range 6 {
			b.poll("b", entry{guid: fmt.Sprint(n + 1), body: paragraphs("We hear:", post, fmt.Sprintf("It is %d o'clock, and all is well.", 7), strings.Repeat("More soon. ", n))})
		}
	}},
	{"a source that cuts after 300 words", "a/1 b/1 | a/2 c/2", func(b *blogosphere) {
		p := write("Latin", 18)
		cut := func(post []string) string {
			words := strings.Fields(strings.Join(post, " "))
			return strings.Join(words[:300], " ") + " [...]"
		}
		middling, long := p.paragraphs(100, 120, 110, 150), p.paragraphs(100, 120, 110, 150, 200, 320)
		b.poll("a", entry{guid: "1", body: paragraphs(middling)}, entry{guid: "2", body: paragraphs(long), link: "https://a.example/long"})
		b.poll("b", entry{guid: "1", body: paragraphs(cut(middling))}, entry{guid: "2", body: paragraphs(cut(long))})
		b.poll("c", entry{guid: "2", body: paragraphs(cut(long)), link: "https://a.example/long"}) // the address tells what the text cannot
	}},
	{"one post in two feeds of a site", "a-news/1 a/1 | a-news/2 a/2", func(b *blogosphere) {
		p := write("Latin", 19)
		one, two, three := p.words(150), p.words(20), p.words(90)
		b.poll("a", entry{guid: "1", body: one}, entry{guid: "2", body: two}, entry{guid: "3", body: three})
		b.poll("a/news", entry{guid: "1", body: one}, entry{guid: "2", body: two})
	}},
	{"reports by one form, of two places", "", func(b *blogosphere) {
		p := write("Latin", 25)
		form := strings.Fields(p.words(110))
		for _, blog := range []string{"a", "b"} {
			var all []entry
			for day := range 8 {
				words := slices.Clone(form)
				for i := 7; i < len(words); i += 16 {
					words[i] = fmt.Sprint(p.r.IntN(900))
				}
				all = append(all, entry{guid: fmt.Sprint(day), title: "Report of the day", at: blogDay.AddDate(0, 0, day), body: paragraphs(strings.Join(words, " "))})
			}
			b.poll(blog, all...)
		}
	}},
	{"a copy between advertisements, with another list of related posts", "a/1 b/1", func(b *blogosphere) {
		p := write("Latin", 26)
		post := p.paragraphs(60, 80, 70, 60)
		b.poll("a", entry{guid: "1", body: paragraphs(post, p.words(25))})
		var with []string
		for _, s := range post {
			with = append(with, s, p.words(6))
		}
		b.poll("b", entry{guid: "1", body: paragraphs(with, p.words(30))})
	}},
	{"a speech that two reports have at length", "", func(b *blogosphere) {
		p := write("Latin", 27)
		speech := p.words(150)
		b.poll("a", entry{guid: "1", body: paragraphs(p.words(90), speech, p.words(80))})
		b.poll("b", entry{guid: "1", body: paragraphs(p.words(100), speech, p.words(90))})
	}},
	{"one post in the full feed and the feed of excerpts of a blog, and its copy", "a-short/1 a/1 b/1", func(b *blogosphere) {
		p := write("Latin", 28)
		post := p.paragraphs(60, 80, 70, 60)
		b.poll("a/short", entry{guid: "1", body: post[0][:200] + " [...]"})
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		b.poll("b", entry{guid: "1", body: paragraphs("From a.", post)})
	}},
	{"Hebrew: with and without points, in two ways of writing", "a/1 b/1", copied("Hebrew", func(s string) string {
		return strings.NewReplacer("ב", "בּ", "א", "אָ", "ש", "שׁ", " ", " \u200f").Replace(s)
	})},
	{"Latin: ligatures, curly marks, soft hyphens, full width", "a/1 b/1", copied("Latin", func(s string) string {
		return strings.NewReplacer("fi", "ﬁ", "a", "á", "o", "o\u00ad", ". ", "! ", "t", "ｔ").Replace(s)
	})},
	{"Cyrillic: a copy with another line before it", "a/1 b/1", copied("Cyrillic", nil)},
	{"Han: a copy with another line before it", "a/1 b/1", copied("Han", nil)},
	{"Thai: a copy with another line before it", "a/1 b/1", copied("Thai", nil)},
	{"Thai: a word in each paragraph is another", "a/1 b/1", func(b *blogosphere) {
		p := write("Thai", 20)
		post := p.paragraphs(60, 60, 60)
		b.poll("a", entry{guid: "1", body: paragraphs(post)})
		for i := range post { // in the middle of a sentence
			r := []rune(post[i])
			post[i] = string(r[:len(r)/2]) + "กกกกก" + string(r[len(r)/2+4:])
		}
		b.poll("b", entry{guid: "1", body: paragraphs("กกกก", post)})
	}},
	{"Persian: letters of an Arabic keyboard, no joiners, vowel marks", "a/1 b/1", copied("Persian", func(s string) string {
		return strings.NewReplacer("ی", "ي", "ک", "ك", "ا", "اَ", "ه", "ه\u200c").Replace(s)
	})},
	{"Arabic: hamza left out, taa marbuta, tatweel", "a/1 b/1", copied("Arabic", func(s string) string {
		return strings.NewReplacer("ا", "أ", "ه", "ة", "م", "مـ").Replace(s)
	})},
	{"Persian: the joiner of a prefix and a plural is a space, or nothing", "a/1 b/1 c/1", func(b *blogosphere) {
		p := write("Persian", 21)
		words := strings.Fields(p.words(240))
		for i := range words {
			switch i % 7 {
			case 2:
				words[i] = "می\u200c" + words[i]
			case 5:
				words[i] = strings.TrimSuffix(words[i], ".") + "\u200cهای"
			}
		}
		text := strings.Join(words, " ")
		b.poll("a", entry{guid: "1", body: paragraphs(text)})
		b.poll("b", entry{guid: "1", body: paragraphs("خبر", strings.ReplaceAll(text, "\u200c", " "))})
		b.poll("c", entry{guid: "1", body: paragraphs("خبر تازه", strings.ReplaceAll(text, "\u200c", ""))})
	}},
	{"other texts of each script", "", func(b *blogosphere) {
		for script := range scripts {
			for i := range 4 {
				b.poll(strings.ToLower(script)+fmt.Sprint(i), entry{guid: "1", title: script, body: paragraphs(write(script, uint64(30+i)).words(300))})
			}
		}
	}},
}

// copied is a post in a script, and a copy with another line before it and what change
// makes of its letters.
func copied(script string, change func(string) string) func(b *blogosphere) {
	return func(b *blogosphere) {
		p := write(script, 22)
		post := p.paragraphs(60, 80, 70)
		b.poll("a", entry{guid: "1", title: p.words(5), body: paragraphs(p.words(12), post)})
		if change != nil {
			for i := range post {
				post[i] = change(post[i])
			}
		}
		b.poll("b", entry{guid: "1", title: p.words(5), body: paragraphs(p.words(15), post)})
	}
}
