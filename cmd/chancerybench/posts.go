package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Realistic made posts (FIGURES part 0): 2.45 KB of text, word frequencies by Zipf
// with exponent 1.05, a vocabulary that grows by Heaps' law, 500 sources, 20 years,
// 3 to 30 topics each.
const (
	textBytes = 2450
	zipf      = 1.05
	heapsK    = 44 // words of the vocabulary: heapsK × tokens^0.5, and 1,000
	sources   = 500
	topics    = 300
)

var firstPost = time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC)

// blogosphere makes posts by number: the same seed and number give the same post,
// so that nothing need be kept. It stands in for the archive.
type blogosphere struct {
	seed   uint64
	posts  int
	end    int             // posts, and what was added after them
	common [1 << 14]string // words of the first ranks: most of a text
}

func newBlogosphere(seed uint64, posts int) *blogosphere {
	b := &blogosphere{seed: seed, posts: posts, end: posts}
	for i := range b.common {
		b.common[i] = word(i)
	}
	return b
}

// vocabulary is how many words have been used after so many posts.
func (b *blogosphere) vocabulary(posts int) int {
	return 1000 + int(heapsK*math.Sqrt(float64(posts+1)*textBytes/6))
}

func (b *blogosphere) word(rank int) string {
	if rank < len(b.common) {
		return b.common[rank]
	}
	return word(rank)
}

// word is the word of a rank: common ones are short.
func word(rank int) string {
	const consonants, vowels = "bcdfghjklmnprstvwxz", "aeiouy"
	syllables := 1 + int(math.Log2(float64(rank+2))/4.5)
	h := (uint64(rank) + 1) * 0x9E3779B97F4A7C15
	var w strings.Builder
	for range syllables + 1 {
		w.WriteByte(consonants[h%19])
		h /= 19
		w.WriteByte(vowels[h%6])
		h /= 6
	}
	// Endings that English inflects, so that stems have several forms.
	w.WriteString([]string{"", "", "s", "ed", "ing", ""}[h%6])
	return w.String()
}

// zipfRank draws a rank below n by inverting the continuous distribution, whose
// head is that of English within a tenth.
func zipfRank(r *rand.Rand, n int) int {
	top := math.Pow(float64(n+1), 1-zipf)
	x := 1 + r.Float64()*(top-1)
	x *= x * x * x // x^(1/(1-zipf)) is x^-20
	x *= x * x * x * x
	return min(int(1/x)-1, n-1)
}

// item makes post n. Its size is what is measured as text.
func (b *blogosphere) item(n int) (it feed.Item, size int) {
	r := rand.New(rand.NewPCG(b.seed, uint64(n)))
	v := b.vocabulary(n)
	var title, body strings.Builder
	for title.Len() < 50 {
		title.WriteString(b.word(zipfRank(r, v)) + " ")
	}
	length := int(textBytes * math.Exp(0.6*r.NormFloat64()-0.18)) // log-normal, mean textBytes
	length = min(max(length, 200), 40_000) - title.Len()
	paragraph := 0
	body.WriteString("<p>")
	for body.Len() < length {
		body.WriteString(b.word(zipfRank(r, v)))
		if paragraph++; paragraph%90 == 0 {
			body.WriteString(".</p>\n<p>")
		} else if paragraph%14 == 0 {
			body.WriteString(". ")
		} else {
			body.WriteByte(' ')
		}
	}
	body.WriteString("</p>")
	// By arrival, with a publication date some hours before, and now and then years:
	// a blog's history comes in when it is found.
	span := 20 * 365 * 24 * time.Hour
	seen := firstPost.Add(time.Duration(float64(span) * (float64(n) + 0.5) / float64(b.posts)))
	published := seen.Add(-time.Duration(r.IntN(20*3600)) * time.Second)
	if r.IntN(10) == 0 {
		published = firstPost.Add(time.Duration(r.Float64() * float64(seen.Sub(firstPost)))).Add(-time.Second)
	}
	source := zipfRank(r, sources)
	it = feed.Item{
		ID: feed.NewItemID(seen, uint16(n), sourceID(source), fmt.Sprint(n)), Source: sourceID(source), Native: fmt.Sprint(n),
		FirstSeen: seen, LastSeen: seen, Revised: seen, Revision: 1, Revisions: 1,
		Entry: feed.Entry{
			URL:   fmt.Sprintf("https://%s.example.com/%d/%02d/%s", sourceID(source), published.Year(), published.Month(), b.word(zipfRank(r, v))),
			Title: feed.Text{Value: strings.TrimSpace(title.String())}, Content: feed.Text{Type: feed.HTML, Value: body.String()},
			Language: "en", Published: feed.Date{Time: published.Truncate(time.Second)},
			Authors: []feed.Person{{Name: word(2000+zipfRank(r, 20*sources)%1000) + " " + word(3000-source)}},
		},
	}
	it.Story = it.ID
	it.Digest = feed.DigestOf([]byte(it.Native))
	seenTopic := map[int]bool{}
	for range 3 + int(27*math.Pow(r.Float64(), 3)) {
		k := zipfRank(r, topics)
		if !seenTopic[k] {
			seenTopic[k] = true
			it.Topics = append(it.Topics, feed.Tag{Topic: topicID(k), Score: 1 + r.Float64(), About: r.IntN(5) == 0})
		}
	}
	return it, title.Len() + body.Len()
}

func sourceID(n int) feed.SourceID { return feed.SourceID(fmt.Sprintf("blog-%03d", n)) }
func topicID(n int) feed.TopicID   { return feed.TopicID(fmt.Sprintf("topic-%03d", n)) }

// record is post n as the log has it. What comes after the posts is of another seed.
func (b *blogosphere) record(n int) (store.Record, int) {
	of, k := b, n
	if n >= b.posts {
		more := *b
		more.seed++
		of, k = &more, n-b.posts
	}
	it, size := of.item(k)
	return store.Record{Seq: store.Cursor(n + 1), Kind: store.KindItem, Time: it.FirstSeen, Source: it.Source, Item: &it}, size
}

// number is the post that an id names, -1 if none: ids keep the order of posts.
func (b *blogosphere) number(id feed.ItemID) int {
	lo, hi := 0, b.posts
	for lo < hi {
		m := (lo + hi) / 2
		seen := firstPost.Add(time.Duration(float64(20*365*24*time.Hour) * (float64(m) + 0.5) / float64(b.posts)))
		if seen.UnixMilli() < id.Time().UnixMilli() {
			lo = m + 1
		} else {
			hi = m
		}
	}
	for n := max(lo-2, 0); n < min(lo+3, b.posts); n++ {
		if it, _ := b.item(n); it.ID == id {
			return n
		}
	}
	return -1
}

// Items implements index.Archive.
func (b *blogosphere) Items(_ context.Context, ids []feed.ItemID, _ store.Fields) ([]feed.Item, error) {
	var out []feed.Item
	for _, id := range ids {
		if n := b.number(id); n >= 0 {
			it, _ := b.item(n)
			out = append(out, it)
		}
	}
	return out, nil
}

// Revisions implements index.Archive.
func (b *blogosphere) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	items, err := b.Items(ctx, []feed.ItemID{id}, store.AllFields)
	if err == nil && len(items) == 0 {
		err = store.ErrNotFound
	}
	return items, err
}

// Follow implements index.Archive.
func (b *blogosphere) Follow(ctx context.Context, after store.Cursor, _ store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	var out []store.Record
	for int(after) < b.end && len(out) < limit {
		r, _ := b.record(int(after))
		out = append(out, r)
		after++
	}
	if len(out) == 0 {
		<-ctx.Done()
		return nil, after, context.Cause(ctx)
	}
	return out, after, nil
}

// End implements index.Archive.
func (b *blogosphere) End(context.Context) (store.Cursor, error) { return store.Cursor(b.end), nil }
