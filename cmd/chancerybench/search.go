package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery/feed/query"
	"chancery/store"
	"chancery/store/index"
)

type searchBench struct {
	out     io.Writer
	b       *blogosphere
	x       *index.Index
	r       *rand.Rand
	queries int
	missed  int
}

func runSearch(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("search", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	posts := flags.Int("posts", 1_000_000, "how many posts to make")
	seed := flags.Uint64("seed", 1, "of the posts and the queries")
	queries := flags.Int("queries", 200, "of each kind")
	dir := flags.String("dir", "", "keep the index there, and use it if it is there; default: a temporary folder")
	memory := flags.Int("memory", 0, "soft limit of the Go heap in MB, as GOMEMLIMIT; 0: none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *posts < 1000 || *queries < 1 {
		return fmt.Errorf("at least 1,000 posts and one query")
	}
	if *memory > 0 {
		debug.SetMemoryLimit(int64(*memory) << 20)
	}
	if *dir == "" {
		temp, err := os.MkdirTemp("", "chancerybench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		*dir = temp
	}
	s := &searchBench{out: out, b: newBlogosphere(*seed, *posts), r: rand.New(rand.NewPCG(*seed, 99)), queries: *queries}
	if err := s.build(ctx, *dir); err != nil {
		return err
	}
	return s.measure(ctx, *dir)
}

// figure prints one measured value with its bound; zero is no bound.
func (s *searchBench) figure(name string, value float64, unit string, bound float64, atLeast bool) {
	verdict := ""
	if bound > 0 {
		sign, ok := "≤", value <= bound
		if atLeast {
			sign, ok = "≥", value >= bound
		}
		verdict = fmt.Sprintf("bound %s %g: reached", sign, bound)
		if !ok {
			verdict = fmt.Sprintf("bound %s %g: MISSED", sign, bound)
			s.missed++
		}
	}
	fmt.Fprintf(s.out, "%-58s %10.4g %-8s %s\n", name, value, unit, verdict)
}

// open opens the index. One that was kept has the single posts of earlier runs as
// well: they are part of the archive, or it would be taken for that of another.
func (s *searchBench) open(ctx context.Context, dir string) (err error) {
	s.b.end = math.MaxInt32
	if s.x, err = index.Open(ctx, dir, s.b, index.DefaultConfig(), nil); err != nil {
		return err
	}
	s.b.end = max(s.b.posts, int(s.x.Cursor()))
	return nil
}

// build takes all posts in. The making of posts does not count.
func (s *searchBench) build(ctx context.Context, dir string) error {
	if err := s.open(ctx, dir); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d posts\n", s.b.posts)
	const batch = 8000
	var used time.Duration
	var text int64
	from := int(s.x.Cursor())
	for n := from; n < s.b.posts; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		records := make([]store.Record, 0, batch)
		for ; n < s.b.posts && len(records) < batch; n++ {
			r, size := s.b.record(n)
			records = append(records, r)
			text += int64(size)
		}
		before := cpu()
		if err := s.x.Apply(ctx, records, records[len(records)-1].Seq); err != nil {
			return err
		}
		used += cpu() - before
	}
	before := cpu()
	if err := s.finish(ctx); err != nil {
		return err
	}
	if err := s.x.Close(); err != nil {
		return err
	}
	used += cpu() - before
	if from == 0 {
		s.figure("build", float64(s.b.posts)/used.Seconds(), "posts/CPU s", 3300, true)
		s.figure("peak memory while building", status("VmHWM"), "MB", 0, false)
		s.figure("text a post", float64(text)/float64(s.b.posts), "bytes", 0, false)
		var size int64
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if fi, err := os.Stat(f); err == nil {
				size += fi.Size()
			}
		}
		s.figure("index / text", float64(size)/float64(text), "", 1, false)
	}
	before = cpu()
	if err := s.open(ctx, dir); err != nil {
		return err
	}
	s.figure("opening it again", (cpu() - before).Seconds(), "CPU s", 0, false)
	return nil
}

// finish lets the index see that it has all.
func (s *searchBench) finish(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.x.Run(ctx) }()
	for s.x.IndexState().Rebuilding {
		select {
		case err := <-ended:
			stop()
			return err
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// status reads a line of the process's state, in MB.
func status(name string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err == nil {
				return n / 1024
			}
		}
	}
	return 0
}

// any draws a word as texts have it.
func (s *searchBench) any() string { return word(zipfRank(s.r, s.b.vocabulary(s.b.posts))) }

// rare draws a word that is none of the hundred commonest.
func (s *searchBench) rare() string {
	for {
		if n := zipfRank(s.r, s.b.vocabulary(s.b.posts)); n >= 100 {
			return word(n)
		}
	}
}

// share finds a word that is in about a share of the posts.
func (s *searchBench) share(ctx context.Context, from, to float64) (string, error) {
	for range 1000 {
		w := word(20 + s.r.IntN(400))
		p, err := s.x.Search(ctx, must(`"`+w+`"`), store.SearchOptions{Limit: -1})
		if err != nil {
			return "", err
		}
		if f := float64(p.Total) / float64(s.b.posts); f >= from && f <= to {
			return w, nil
		}
	}
	return "", fmt.Errorf("no word is in %g to %g of the posts", from, to)
}

// phrase takes words that follow each other in a post.
func (s *searchBench) phrase(words int, good func(string) bool) string {
	for {
		it, _ := s.b.item(s.r.IntN(s.b.posts))
		list := strings.Fields(strings.NewReplacer("<p>", " ", "</p>", " ", ".", " ").Replace(it.Content.Value))
		at := s.r.IntN(len(list) - words)
		ok := true
		for _, w := range list[at : at+words] {
			ok = ok && good(w)
		}
		if ok {
			return `"` + strings.Join(list[at:at+words], " ") + `"`
		}
	}
}

// must parses a query that the program wrote itself.
func must(text string) *query.Query {
	q, err := query.Parse(text)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return q
}

// time runs queries of a kind and prints the CPU time of one.
func (s *searchBench) time(ctx context.Context, name string, bound float64, o store.SearchOptions, make func() (string, error)) error {
	texts := []string{}
	for range s.queries {
		text, err := make()
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	var cost *store.CostError
	for _, text := range texts[:min(20, len(texts))] { // warm
		if _, err := s.x.Search(ctx, must(text), o); err != nil && !errors.As(err, &cost) {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	var took []float64
	hits, refused, slowest := 0, 0, ""
	for _, text := range texts {
		q := must(text)
		before := cpu()
		p, err := s.x.Search(ctx, q, o)
		if errors.As(err, &cost) {
			refused++
		} else if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		took = append(took, (cpu()-before).Seconds()*1000)
		if took[len(took)-1] >= slices.Max(took) {
			slowest = text
		}
		hits += p.Total
	}
	slices.Sort(took)
	s.figure(name+", p50", took[len(took)/2], "CPU ms", 0, false)
	s.figure(name+", p99", took[min(len(took)-1, len(took)*99/100)], "CPU ms", bound, false)
	fmt.Fprintf(s.out, "    %d hits a query in the mean, %d refused; slowest %.1f ms: %.100s\n", hits/len(took), refused, took[len(took)-1], slowest)
	return nil
}

func (s *searchBench) measure(ctx context.Context, dir string) error {
	stop := map[string]bool{}
	for n := range 100 {
		stop[word(n)] = true
	}
	newest := store.SearchOptions{}
	ranked := store.SearchOptions{Order: store.Relevance}
	sure := func(text string) (string, error) { return text, nil }
	kinds := []struct {
		name  string
		bound float64
		o     store.SearchOptions
		make  func() (string, error)
	}{
		{"any word as texts have it, newest first", 20, newest, func() (string, error) { return sure(s.any()) }},
		{"any word of the vocabulary, newest first", 20, newest, func() (string, error) { return sure(word(s.r.IntN(s.b.vocabulary(s.b.posts)))) }},
		{"boolean of five, newest first", 20, newest, func() (string, error) {
			return sure(fmt.Sprintf("%s (%s OR %s) %s -%s", s.rare(), s.rare(), s.rare(), s.any(), s.rare()))
		}},
		{"five words that are all needed, newest first", 20, newest, func() (string, error) {
			return sure(strings.Join([]string{s.rare(), s.rare(), s.rare(), s.rare(), s.rare()}, " "))
		}},
		{"topic and range, newest first", 20, newest, func() (string, error) {
			from := firstPost.AddDate(0, s.r.IntN(230), 0)
			return sure(fmt.Sprintf("topic:%s published:%s..%s", topicID(s.r.IntN(topics)), from.Format("2006-01"), from.AddDate(0, 1+s.r.IntN(24), 0).Format("2006-01")))
		}},
		{"word, topic and range, newest first", 20, newest, func() (string, error) {
			from := firstPost.AddDate(0, s.r.IntN(180), 0)
			return sure(fmt.Sprintf("%s topic:%s published:%s..%s", s.rare(), topicID(s.r.IntN(topics)), from.Format("2006-01"), from.AddDate(5, 0, 0).Format("2006-01")))
		}},
		{"phrase of two without stop words, newest first", 60, newest, func() (string, error) {
			return sure(s.phrase(2, func(w string) bool { return !stop[w] }))
		}},
		{"phrase of four, stop words among them, newest first", 0, newest, func() (string, error) {
			return sure(s.phrase(4, func(string) bool { return true }))
		}},
		{"phrase of two stop words, newest first", 0, newest, func() (string, error) {
			return sure(s.phrase(2, func(w string) bool { return stop[w] }))
		}},
		{"NEAR/8 of two words, newest first", 0, newest, func() (string, error) { return sure(s.rare() + " NEAR/8 " + s.rare()) }},
		{"word in 8 to 12 % of the posts, ranked", 250, ranked, func() (string, error) {
			w, err := s.share(ctx, 0.08, 0.12)
			return `"` + w + `"`, err
		}},
		{"any word as texts have it, ranked", 0, ranked, func() (string, error) { return sure(s.any()) }},
		{"the commonest word, ranked", 0, ranked, func() (string, error) { return sure(word(0)) }},
		{"facets and histogram over 8 to 12 % of the posts", 100, store.SearchOptions{Facets: true, Limit: -1}, func() (string, error) {
			w, err := s.share(ctx, 0.08, 0.12)
			return `"` + w + `"`, err
		}},
		{"20 snippets, any word", 0, store.SearchOptions{Snippets: true}, func() (string, error) { return sure(s.any()) }},
		{"as of a date, any word", 0, store.SearchOptions{AsOf: firstPost.AddDate(8, 0, 0)}, func() (string, error) { return sure(s.any()) }},
	}
	for _, k := range kinds {
		if err := s.time(ctx, k.name, k.bound, k.o, k.make); err != nil {
			return err
		}
	}
	s.worst(ctx)
	s.figure("memory while serving (anonymous)", status("RssAnon"), "MB", 300, false)
	s.figure("memory at most, the build included", status("VmHWM"), "MB", 0, false)
	if err := s.single(ctx); err != nil {
		return err
	}
	if err := s.x.Close(); err != nil {
		return err
	}
	if s.missed > 0 {
		return fmt.Errorf("%d figures missed", s.missed)
	}
	return nil
}

// worst asks what costs most, and prints how long it took, whether answered or
// refused.
func (s *searchBench) worst(ctx context.Context) {
	w := word
	list := make([]string, 400)
	for i := range list {
		list[i] = w(i)
	}
	for _, c := range []struct{ name, text string }{
		{"prefix of two letters", w(0)[:2] + "*"},
		{"twenty prefixes of two letters", prefixes()},
		{"phrase of two prefixes", `"` + w(0)[:2] + "* " + w(1)[:2] + `*"`},
		{"NEAR of the two commonest words", w(0) + " NEAR/3 " + w(1)},
		{"NEAR of sixty words on a side", "(" + strings.Join(list[:60], " OR ") + ") NEAR/9 (" + strings.Join(list[60:120], " OR ") + ")"},
		{"phrase of eight of the commonest word", `"` + strings.Repeat(w(0)+" ", 8) + `"`},
		{"the 400 commonest words, OR", strings.Join(list, " OR ")},
		{"exact case of a common word", "=" + w(30)},
		{"sixty NOTs", strings.Repeat("NOT ", 60) + w(3)},
	} {
		for _, o := range []store.SearchOptions{{}, {Order: store.Relevance, Facets: true}} {
			before, used := time.Now(), cpu()
			p, err := s.x.Search(ctx, must(c.text), o)
			s.figure("worst: "+c.name+", "+o.Order.String(), time.Since(before).Seconds()*1000, "ms", 2000, false)
			fmt.Fprintf(s.out, "    %.1f CPU ms, %d hits, exact %v, %v, %.200v\n", (cpu()-used).Seconds()*1000, p.Total, p.Exact, p.Notes, err)
		}
	}
}

func prefixes() string {
	var list []string
	for _, c := range "bcdfghjklmnprstvwxz" {
		list = append(list, string(c)+"a*")
	}
	return strings.Join(list, " OR ")
}

// single takes in one post after the other and looks for each.
func (s *searchBench) single(ctx context.Context) error {
	last := int(s.x.Cursor())
	var took []float64
	before := cpu()
	for i := range 100 {
		r, _ := s.b.record(last + i)
		start := time.Now()
		if err := s.x.Apply(ctx, []store.Record{r}, r.Seq); err != nil {
			return err
		}
		p, err := s.x.Search(ctx, must("id:"+r.Item.ID.String()), store.SearchOptions{})
		if err != nil {
			return err
		}
		if p.Total != 1 {
			return fmt.Errorf("a new post was found %d times", p.Total)
		}
		took = append(took, time.Since(start).Seconds()*1000)
	}
	slices.Sort(took)
	s.figure("one new post, handed over to found, p99", took[98], "ms", 1000, false)
	s.figure("one new post, CPU, the search for it included", (cpu()-before).Seconds()*10, "CPU ms", 0, false)
	return nil
}
