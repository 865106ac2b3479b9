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
	b := &blogosphere{t: t, pages: map[string]string{}}
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

// paragraphs sets texts out as HTML, a paragraph each.
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
