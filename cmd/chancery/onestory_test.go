package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/aggregator"
	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// blogosphere is pretend sites that an aggregator polls into an archive on disk: from a
// document as a server sends it to what the archive decided.
type blogosphere struct {
	t     *testing.T
	agg   *aggregator.Aggregator
	store *bolt.Store

	mu    sync.Mutex
	pages map[string]string
	asked map[string]int
}

// RoundTrip answers as the sites do.
func (b *blogosphere) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, status := b.pages[r.URL.String()], http.StatusOK
	if body == "" {
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/rss+xml; charset=utf-8"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func newBlogosphere(t *testing.T) *blogosphere {
	t.Helper()
	b := &blogosphere{t: t, pages: map[string]string{}, asked: map[string]int{}}
	s, err := bolt.Open(t.Context(), t.TempDir(), bolt.Options{RevisionsPerDay: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	fc := fetch.DefaultConfig()
	fc.HostDelay = 0
	client, err := fetch.NewOver(fc, b)
	if err != nil {
		t.Fatal(err)
	}
	topics, err := topic.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.store = s
	b.agg, err = aggregator.New(aggregator.Config{Concurrency: 1, Schedule: schedule.DefaultConfig()}, aggregator.Deps{
		Archive: s, Fetch: client, Topics: topics, Log: slog.New(slog.DiscardHandler), Ready: client.Ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// entry is one item of a blog's feed. What is empty is made up from its name.
type entry struct {
	guid  string
	link  string
	title string
	body  string // HTML
	at    time.Time
}

// blogDay is when posts are of unless they say otherwise.
var blogDay = time.Date(2009, 4, 1, 12, 0, 0, 0, time.UTC)

// rss is a feed with these entries, as the blog's server sends it.
func (b *blogosphere) rss(blog string, entries []entry) string {
	var out strings.Builder
	fmt.Fprintf(&out, `<rss version="2.0"><channel><title>%s</title><link>%s</link><description/>`, blog, homeOf(blog))
	for _, e := range entries {
		at := e.at
		if at.IsZero() {
			at = blogDay
		}
		fmt.Fprint(&out, "<item>")
		if e.guid != "none" {
			fmt.Fprintf(&out, `<guid isPermaLink="false"><![CDATA[%s]]></guid>`, e.guid)
		}
		if link := cmp.Or(e.link, homeOf(blog)+e.guid); link != "none" {
			fmt.Fprintf(&out, `<link><![CDATA[%s]]></link>`, link)
		}
		fmt.Fprintf(&out, `<title><![CDATA[%s]]></title><pubDate>%s</pubDate><description><![CDATA[%s]]></description></item>`,
			cmp.Or(e.title, "Post "+e.guid), at.Format(time.RFC1123Z), e.body)
	}
	out.WriteString(`</channel></rss>`)
	return out.String()
}

// homeOf is a blog's page. "site/news" is a feed of the same site as "site".
func homeOf(blog string) string {
	site, _, _ := strings.Cut(blog, "/")
	return "https://" + site + ".example/"
}

// poll lets a blog's feed have these entries, and polls it.
func (b *blogosphere) poll(blog string, entries ...entry) aggregator.Summary {
	b.t.Helper()
	return b.pollDocument(blog, b.rss(blog, entries))
}

func (b *blogosphere) pollDocument(blog, document string) aggregator.Summary {
	b.t.Helper()
	id := sourceOfBlog(blog)
	_, path, _ := strings.Cut(blog, "/")
	address := homeOf(blog) + "feed" + path
	b.mu.Lock()
	b.pages[address] = document
	b.mu.Unlock()
	if _, err := b.store.Source(b.t.Context(), id); err != nil {
		if _, err := b.agg.AddSource(b.t.Context(), store.Source{ID: id, URL: address}); err != nil {
			b.t.Fatal(err)
		}
	}
	sum, err := b.agg.Poll(b.t.Context(), aggregator.PollOptions{Sources: []feed.SourceID{id}})
	if err != nil || sum.Failed > 0 {
		b.t.Fatalf("poll of %s: %+v, %v", blog, sum, err)
	}
	return sum
}

func sourceOfBlog(blog string) feed.SourceID {
	return feed.SourceID(strings.ReplaceAll(blog, "/", "-"))
}

// items are all that the archive has, in order of arrival.
func (b *blogosphere) items() []feed.Item {
	b.t.Helper()
	heads, err := b.store.Heads(b.t.Context(), store.HeadQuery{ByArrival: true, Ascending: true, Limit: 10_000})
	if err != nil {
		b.t.Fatal(err)
	}
	ids := make([]feed.ItemID, len(heads))
	for i, h := range heads {
		ids[i] = h.ID
	}
	all, err := b.store.Items(b.t.Context(), ids, store.AllFields)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// stories are the stories of more than one item, "a/1 b/1 | c/2 d/1", each item by its
// source and id.
func (b *blogosphere) stories() string {
	b.t.Helper()
	of := map[feed.ItemID][]string{}
	for _, it := range b.items() {
		of[it.Story] = append(of[it.Story], string(it.Source)+"/"+it.Entry.ID)
	}
	var out []string
	for _, members := range of {
		if len(members) > 1 {
			slices.Sort(members)
			out = append(out, strings.Join(members, " "))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// sound checks the archive, deeply.
func (b *blogosphere) sound() {
	b.t.Helper()
	rep, err := b.store.Verify(b.t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 {
		b.t.Errorf("verify: %v, %v", rep.Faults, err)
	}
}

// scripts are letters of which words are made up. Han and Thai have no spaces.
var scripts = map[string]struct {
	letters string
	space   string
}{
	"Latin":    {"aeioubcdfglmnprst", " "},
	"Cyrillic": {"аеиоубвгдклмнпрст", " "},
	"Arabic":   {"ابتدرسعفقلمنهويك", " "},
	"Persian":  {"ابپتدرسعفگلمنهویک", " "},
	"Han":      {"的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴切装", ""},
	"Hebrew":   {"אבגדהוזחטיכלמנסעפצקרשת", " "},
	"Thai":     {"กขคงจชซดตทนบปพมยรลวสหอะาิีุูเแโไ", ""},
}

// prose makes texts of made-up words, the same for the same seed. Words come as often
// as words do: few of them often.
type prose struct {
	r      *rand.Rand
	script string
	known  []string
}

func write(script string, seed uint64) *prose {
	p := &prose{r: rand.New(rand.NewPCG(seed, 9)), script: script}
	words := rand.New(rand.NewPCG(1, 9)) // the language is the same for all
	letters := []rune(scripts[script].letters)
	for range 4000 {
		var w []rune
		n := 2 + words.IntN(7)
		if script == "Han" {
			n = 1 + words.IntN(2)
		}
		for range n {
			w = append(w, letters[words.IntN(len(letters))])
		}
		p.known = append(p.known, string(w))
	}
	return p
}

// words are n words of a text, in sentences of eight to twenty.
func (p *prose) words(n int) string {
	var b strings.Builder
	left := 8 + p.r.IntN(12)
	for i := range n {
		rank := int(float64(len(p.known)) * p.r.Float64() * p.r.Float64() * p.r.Float64())
		b.WriteString(p.known[rank])
		if left--; left == 0 || i == n-1 {
			b.WriteString(". ")
			left = 8 + p.r.IntN(12)
		} else {
			b.WriteString(scripts[p.script].space)
		}
	}
	return strings.TrimSpace(b.String())
}

// paragraphs are paragraphs of these numbers of words.
func (p *prose) paragraphs(n ...int) []string {
	var out []string
	for _, words := range n {
		out = append(out, p.words(words))
	}
	return out
}

// html are paragraphs of a post.
func paragraphs(parts ...any) string {
	var b strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			b.WriteString("<p>" + p + "</p>\n")
		case []string:
			for _, s := range p {
				b.WriteString("<p>" + s + "</p>\n")
			}
		}
	}
	return b.String()
}

func quoted(body string) string { return "<blockquote>" + body + "</blockquote>\n" }

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
