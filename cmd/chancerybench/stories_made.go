package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"chancery/aggregator/identify"
	"chancery/aggregator/normalize"
	"chancery/feed"
	"chancery/feed/text"
	"chancery/store"
	"chancery/store/bolt"
)

// change makes of a made post another one, for the blog that publishes that.
type change struct {
	name  string
	copy  bool    // it is the same story still
	least float64 // of the copies must be found; 0: nothing is asked of this kind alone
	of    func(w *madeWriter, post madePost, blog int) madePost
}

// changes are the six kinds of change of FIGURES part 2.3 and the three that must not
// be taken for copies.
var changes = []change{
	{"intro line changed", true, 0, func(w *madeWriter, p madePost, _ int) madePost {
		return slices.Concat(madePost{w.words(12 + w.r.IntN(10))}, p[1:])
	}},
	{"one paragraph dropped", true, leastDropped, func(w *madeWriter, p madePost, _ int) madePost { return w.drop(p) }},
	{"boilerplate added", true, 0, func(w *madeWriter, p madePost, blog int) madePost { return slices.Concat(p, w.boilerplate(blog)) }},
	{"2 % of words changed", true, 0, func(w *madeWriter, p madePost, _ int) madePost { return w.change(p, 0.02) }},
	{"intro, paragraph dropped and boilerplate", true, 0, func(w *madeWriter, p madePost, blog int) madePost {
		return slices.Concat(madePost{w.words(12 + w.r.IntN(10))}, w.drop(p[1:]), w.boilerplate(blog))
	}},
	{"truncated to 60 %", true, 0, func(_ *madeWriter, p madePost, _ int) madePost { return p.first(0.6) }},
	{"30 % quoted in another post", false, 0, func(w *madeWriter, p madePost, _ int) madePost {
		quoted := p.first(0.3)
		return slices.Concat(w.post().first(0.7), quoted)
	}},
	{"another text under the same boilerplate", false, 0, func(w *madeWriter, _ madePost, _ int) madePost {
		return w.post() // madeKinds puts the boilerplate under both
	}},
	{"another text", false, 0, func(w *madeWriter, _ madePost, _ int) madePost { return w.post() }},
}

// sharedBoilerplate is the kind of change in which both blogs have the same one.
const sharedBoilerplate = 7

// madePost is a post's paragraphs, each of words. The first is a line that leads in.
type madePost [][]string

func (p madePost) size() (n int) {
	for _, w := range p {
		n += len(w)
	}
	return n
}

// first is the beginning of a post, a share of its words.
func (p madePost) first(share float64) madePost {
	left := int(math.Round(share * float64(p.size())))
	var out madePost
	for _, w := range p {
		w = w[:min(left, len(w))]
		if left -= len(w); len(w) > 0 {
			out = append(out, w)
		}
	}
	return out
}

func (p madePost) html() string {
	var b strings.Builder
	for _, w := range p {
		b.WriteString("<p>" + strings.Join(w, " ") + ".</p>\n")
	}
	return b.String()
}

// madeWriter writes posts of words by Zipf's law (posts.go), about 2.45 KB each.
type madeWriter struct {
	r *rand.Rand
	b *blogosphere
}

func (w *madeWriter) words(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.b.word(zipfRank(w.r, w.b.vocabulary(100_000)))
	}
	return out
}

// post is a line that leads in and paragraphs of 40 to 110 words: as long as posts
// are, but not shorter than the line and two paragraphs.
func (w *madeWriter) post() madePost {
	const bytesAWord = 6
	length := int(textBytes * math.Exp(0.6*w.r.NormFloat64()-0.18) / bytesAWord)
	p := madePost{w.words(12 + w.r.IntN(10))}
	for len(p) < 3 || p.size() < length {
		p = append(p, w.words(40+w.r.IntN(71)))
	}
	return p
}

// drop leaves a paragraph out, any one but a line that leads in.
func (w *madeWriter) drop(p madePost) madePost {
	from := 0
	if len(p[0]) < 40 {
		from = 1
	}
	i := from + w.r.IntN(len(p)-from)
	return slices.Concat(p[:i], p[i+1:])
}

// change puts other words for a share of a post's, at least one.
func (w *madeWriter) change(p madePost, share float64) madePost {
	out := make(madePost, len(p))
	for i := range p {
		out[i] = slices.Clone(p[i])
	}
	for range max(1, int(math.Round(share*float64(p.size())))) {
		paragraph := out[w.r.IntN(len(out))]
		paragraph[w.r.IntN(len(paragraph))] = w.words(1)[0]
	}
	return out
}

// boilerplate is what a blog puts under each post, 30 to 60 words.
func (w *madeWriter) boilerplate(blog int) madePost {
	own := madeWriter{rand.New(rand.NewPCG(99, uint64(blog))), w.b}
	return madePost{own.words(30 + own.r.IntN(31))}
}

// kindResult is what became of the pairs of one kind.
type kindResult struct {
	change
	pairs, found int
	jaccard      float64 // sum of all pairs
}

// madeResult is what became of all pairs; wrong counts posts that were put to a story
// of another pair.
type madeResult struct {
	kinds []kindResult
	wrong int
}

// postsABlog is how many posts a made blog has: those of a kind are spread over as many
// blogs that publish first, and as many that publish the copies.
const postsABlog = 30

// madeKinds puts pairs of each kind into an archive, identified as the aggregator does,
// and counts which were found to be one story. A post and its copy are up to twenty
// days apart, and either may come in first: copies are backfilled, too.
func madeKinds(ctx context.Context, dir string, seed uint64, pairs int) (res madeResult, err error) {
	s, err := bolt.Open(ctx, dir, bolt.Options{NoDocuments: true})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	w := &madeWriter{rand.New(rand.NewPCG(seed, 6)), newBlogosphere(seed, 100_000)}
	var edits []store.Edit
	blogs := max(1, pairs/postsABlog)
	for n := range 2 * blogs * len(changes) {
		edits = append(edits, store.Edit{Kind: store.KindSource, Source: &store.Source{ID: madeBlog(n), URL: "https://" + string(madeBlog(n)) + ".example/feed"}})
	}
	if err := s.Change(ctx, edits); err != nil {
		return res, err
	}
	m := &madeRun{w: w, archive: s, blogs: blogs, stories: map[feed.ItemID]madePair{}}
	for k := range changes {
		m.res.kinds = append(m.res.kinds, kindResult{change: changes[k], pairs: pairs})
	}
	const together = 25 // pairs of each kind
	for from := 0; from < pairs; from += together {
		if err := m.take(ctx, from, min(from+together, pairs)); err != nil {
			return res, err
		}
	}
	return m.res, nil
}

// madeRun puts pairs into an archive and counts.
type madeRun struct {
	w       *madeWriter
	archive store.Store
	blogs   int                      // of each kind that publish first
	stories map[feed.ItemID]madePair // by whichever post of a pair came first
	res     madeResult
}

type madePair struct{ kind, pair int }

// take makes some pairs of each kind and puts all that come in first into the archive,
// each blog's in one batch, and then the others.
func (m *madeRun) take(ctx context.Context, from, to int) error {
	var batches [2]map[feed.SourceID]*store.Batch
	var of [2]map[feed.SourceID][]madePair
	for i := range batches {
		batches[i], of[i] = map[feed.SourceID]*store.Batch{}, map[feed.SourceID][]madePair{}
	}
	for pair := from; pair < to; pair++ {
		for k, c := range changes {
			blog := 2 * (k*m.blogs + m.w.r.IntN(m.blogs))
			posts := [2]madePost{m.w.post()}
			posts[1] = c.of(m.w, posts[0], blog+1)
			if k == sharedBoilerplate {
				for i := range posts {
					posts[i] = slices.Concat(posts[i], m.w.boilerplate(-1))
				}
			}
			m.res.kinds[k].jaccard += jaccard(posts[0], posts[1])
			day := firstPost.AddDate(0, 0, m.w.r.IntN(120))
			days := [2]time.Time{day, day.AddDate(0, 0, m.w.r.IntN(41)-20)}
			swap := m.w.r.IntN(2)
			for i := range posts {
				source := madeBlog(blog + i)
				at := i ^ swap
				if batches[at][source] == nil {
					batches[at][source] = &store.Batch{Source: source}
				}
				b := batches[at][source]
				b.Drafts = append(b.Drafts, madeDraft(posts[i], days[i], source, fmt.Sprint(k, "-", pair, "-", i), m.w))
				of[at][source] = append(of[at][source], madePair{k, pair})
			}
		}
	}
	for at := range batches {
		out, err := m.appendAll(ctx, batches[at])
		if err != nil {
			return err
		}
		for source, outcomes := range out {
			for i, o := range outcomes {
				switch is := of[at][source][i]; {
				case o.State == store.New:
					m.stories[o.Story] = is
				case m.stories[o.Story] != is:
					m.res.wrong++
				default:
					m.res.kinds[is.kind].found++
				}
			}
		}
	}
	return nil
}

// appendAll appends batches side by side, so that a commit takes many.
func (m *madeRun) appendAll(ctx context.Context, batches map[feed.SourceID]*store.Batch) (map[feed.SourceID][]store.Outcome, error) {
	out := make(map[feed.SourceID][]store.Outcome, len(batches))
	var mu sync.Mutex // guards out
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for source, b := range batches {
		group.Go(func() error {
			o, err := m.archive.Append(ctx, *b)
			mu.Lock()
			defer mu.Unlock()
			out[source] = o
			return err
		})
	}
	return out, group.Wait()
}

// jaccard is the share of four words in a row that two posts have in common, of all
// that are in either.
func jaccard(p, q madePost) float64 {
	in := map[string]int{}
	for i, post := range []madePost{p, q} {
		words := slices.Concat(post...)
		for j := range len(words) - 3 {
			in[strings.Join(words[j:j+4], " ")] |= 1 << i
		}
	}
	both := 0
	for _, n := range in {
		if n == 3 {
			both++
		}
	}
	return ratio(both, len(in))
}

func madeBlog(n int) feed.SourceID { return feed.SourceID(fmt.Sprintf("made-%03d", n)) }

// madeDraft is what the aggregator makes of a post.
func madeDraft(p madePost, day time.Time, blog feed.SourceID, name string, w *madeWriter) store.Draft {
	e := feed.Entry{
		ID: name, URL: fmt.Sprintf("https://%s.example/%s", blog, name), Title: feed.Text{Value: strings.Join(w.words(7), " ")},
		Content: feed.Text{Type: feed.HTML, Value: p.html()}, Published: feed.Date{Time: day},
	}
	plain := normalize.PlainOf(&e)
	row := &text.Row{}
	row.Set(plain.Body())
	ids, _ := identify.Document([]identify.Post{{
		Entry: &e, Title: plain.Title, Body: row,
		Canonical: normalize.CanonicalURL(e.URL), Address: normalize.Address(e.URL), Alias: normalize.Alias(e.ID),
	}}, "", nil)
	return store.Draft{
		Entry: e, Native: ids[0].Native, Method: ids[0].Method, Keys: ids[0].Keys, Story: ids[0].Story, Sketch: ids[0].Sketch,
		Version: normalize.Version(&e, plain), Part: -1,
	}
}

// recall is that of the six kinds in the mean, and precision that of all posts that
// were put to a story.
func (r *madeResult) recall() float64 {
	sum, kinds := 0.0, 0
	for _, k := range r.kinds {
		if k.copy {
			sum += ratio(k.found, k.pairs)
			kinds++
		}
	}
	return sum / float64(kinds)
}

func (r *madeResult) precision() float64 {
	right, all := 0, r.wrong
	for _, k := range r.kinds {
		all += k.found
		if k.copy {
			right += k.found
		}
	}
	return ratio(right, all)
}

func (r *madeResult) report(b *farmBench) {
	for _, k := range r.kinds {
		name := fmt.Sprintf("%s (Jaccard %.2f)", k.name, k.jaccard/float64(k.pairs))
		switch {
		case !k.copy:
			fmt.Fprintf(b.out, "%-58s %10d of %d taken for copies\n", name, k.found, k.pairs)
		case k.least > 0:
			b.atLeast(name, ratio(k.found, k.pairs), k.least)
		default:
			fmt.Fprintf(b.out, "%-58s %10.4f\n", name, ratio(k.found, k.pairs))
		}
	}
	b.atLeast("recall of the six kinds, mean", r.recall(), leastRecall)
	b.atLeast("precision", r.precision(), leastPrecision)
}
