package topic_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
	"chancery/feed/text"
)

// corpus is 19 MB of made posts of 2.45 KB: words by Zipf's law (exponent 1.05)
// over 60,000, one in twenty with diacritics, capitals and punctuation as in prose.
func corpus() (posts []string, words []string) {
	rng := rand.New(rand.NewPCG(7, 7))
	syllables := strings.Fields("ba ko ri ten mal os ar ni ske da lu pro ver ti on cha mo es ran wil fa ge hu pen sor tal vi xu za bré nö sál")
	seen := map[string]bool{}
	for len(words) < 60_000 {
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			b.WriteString(syllables[rng.IntN(len(syllables))])
		}
		if w := b.String(); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	zipf := rand.NewZipf(rng, 1.05, 2.7, uint64(len(words)-1))
	for range 8000 {
		var b strings.Builder
		for b.Len() < 2450 {
			w := words[zipf.Uint64()]
			if rng.IntN(9) == 0 {
				w = strings.ToUpper(w[:1]) + w[1:]
			}
			b.WriteString(w)
			if rng.IntN(12) == 0 {
				b.WriteByte(",."[rng.IntN(2)])
			}
			b.WriteByte(' ')
		}
		posts = append(posts, b.String())
	}
	return posts, words
}

// phraseRules are n terms in n/50 topics (one topic a term below 2,000): phrases
// of two to four words, or bare words for every second.
func phraseRules(words []string, n int, half bool) []topic.Rule {
	rng := rand.New(rand.NewPCG(9, uint64(n)))
	per := 50
	if n <= 2000 {
		per = 1
	}
	var rules []topic.Rule
	for i := 0; i < n; i += per {
		var terms []string
		for k := range per {
			if half && k%2 == i/per%2 {
				terms = append(terms, words[20_000+rng.IntN(len(words)-20_000)]) // some 40 hits a post, as names have
				continue
			}
			var p []string
			for range 2 + rng.IntN(3) {
				p = append(p, words[rng.IntN(len(words))])
			}
			terms = append(terms, `"`+strings.Join(p, " ")+`"`)
		}
		rules = append(rules, topic.Rule{ID: feed.TopicID(fmt.Sprint("t", len(rules))), Match: strings.Join(terms, " OR ")})
	}
	return rules
}

// BenchmarkTag reports MB of text a CPU second, everything included that tagging
// a prepared item takes: folding, finding, conditions, scores.
func BenchmarkTag(b *testing.B) {
	posts, words := corpus()
	size := 0
	for _, p := range posts {
		size += len(p)
	}
	for _, c := range []struct {
		terms int
		half  bool
	}{{10, false}, {1000, false}, {50_000, false}, {1000, true}, {50_000, true}} {
		name := fmt.Sprint("phrases=", c.terms)
		if c.half {
			name += "/half-bare"
		}
		b.Run(name, func(b *testing.B) {
			s, err := topic.Compile(phraseRules(words, c.terms, c.half))
			if err != nil {
				b.Fatal(err)
			}
			tags := 0
			pass := func() {
				tags = 0
				for _, p := range posts {
					tags += len(s.Tag(query.NewTextDoc("", p, "en")))
				}
			}
			pass()
			b.ResetTimer()
			start := feedtest.CPU(b)
			n := 0
			for b.Loop() {
				pass()
				n++
			}
			b.ReportMetric(float64(size)*float64(n)/1e6/(feedtest.CPU(b)-start).Seconds(), "MB/CPU-s")
			b.ReportMetric(float64(tags)/float64(len(posts)), "tags/post")
		})
	}
}

// BenchmarkDefaultTopics is the speed of the three topics of the default
// configuration on English without a topic.
func BenchmarkDefaultTopics(b *testing.B) {
	posts, _ := corpus()
	s, err := topic.Compile(defaults(b))
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	start := feedtest.CPU(b)
	for b.Loop() {
		for _, p := range posts {
			size += len(p)
			s.Tag(query.NewTextDoc("", p, "en"))
		}
	}
	b.ReportMetric(float64(size)/1e6/(feedtest.CPU(b)-start).Seconds(), "MB/CPU-s")
}

// BenchmarkCompile is the time to build a set of 50,000 terms, parsing included.
func BenchmarkCompile(b *testing.B) {
	_, words := corpus()
	rules := phraseRules(words, 50_000, false)
	start := feedtest.CPU(b)
	n := 0
	for b.Loop() {
		if _, err := topic.Compile(rules); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric((feedtest.CPU(b)-start).Seconds()/float64(n), "CPU-s/op")
}

// BenchmarkFold is folding alone, to a new string.
func BenchmarkFold(b *testing.B) {
	posts, _ := corpus()
	size := 0
	start := feedtest.CPU(b)
	for b.Loop() {
		for _, p := range posts {
			size += len(p)
			text.Fold(p)
		}
	}
	b.ReportMetric(float64(size)/1e6/(feedtest.CPU(b)-start).Seconds(), "MB/CPU-s")
}

// BenchmarkNewDoc is what preparing an item costs that says no language: plain
// text of its HTML and a guess.
func BenchmarkNewDoc(b *testing.B) {
	post := strings.Repeat("<p>The minister said that talks with the delegation would go on, and that none of them has been told of it.</p>", 23) // 2.5 KB
	it := &feed.Item{Entry: feed.Entry{Title: feed.Text{Value: "A title of the post"}, Content: feed.Text{Type: feed.HTML, Value: post}}}
	start := feedtest.CPU(b)
	n := 0
	for b.Loop() {
		query.NewDoc(it, "")
		n++
	}
	b.ReportMetric((feedtest.CPU(b)-start).Seconds()*1e6/float64(n), "CPU-µs/op")
}

// BenchmarkRetag is 100,000 items after one rule of three changed: what `topics
// retag` computes, reading and writing aside.
func BenchmarkRetag(b *testing.B) {
	posts, _ := corpus()
	rules := defaults(b)
	was, err := topic.Compile(rules)
	if err != nil {
		b.Fatal(err)
	}
	rules[0].Match += ` OR "a new name"`
	now, err := topic.Compile(rules)
	if err != nil {
		b.Fatal(err)
	}
	r, err := now.Retagger(topic.Changed(was.Digests(), now.Digests()))
	if err != nil {
		b.Fatal(err)
	}
	start := feedtest.CPU(b)
	n := 0
	for b.Loop() {
		for i := range 100_000 {
			r.Retag(query.NewTextDoc("", posts[i%len(posts)], "en"))
		}
		n++
	}
	b.ReportMetric((feedtest.CPU(b)-start).Seconds()/float64(n), "CPU-s/op")
}
