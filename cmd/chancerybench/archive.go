package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"chancery/aggregator/identify"
	"chancery/aggregator/normalize"
	"chancery/feed"
	"chancery/feed/text"
	"chancery/store"
	"chancery/store/bolt"
)

// archiveBench fills an archive with made posts and asks it what a daemon asks.
type archiveBench struct {
	searchBench // for figure
	dir         string
	archive     *bolt.Store
	known       map[feed.SourceID][]feed.Digest // entries of some documents
}

func runArchive(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("archive", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	posts := flags.Int("posts", 1_000_000, "how many posts to make")
	seed := flags.Uint64("seed", 1, "of the posts")
	dir := flags.String("dir", "", "keep the archive there, and use it if it is there; default: a temporary folder")
	most := flags.Int("fill", 0, "take in so many of the posts and not all; the archive is measured as it is then")
	deep := flags.Bool("deep", false, "verify the whole archive as well")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *posts < 1000 {
		return fmt.Errorf("at least 1,000 posts")
	}
	if *dir == "" {
		temp, err := os.MkdirTemp("", "chancerybench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		*dir = temp
	}
	a := &archiveBench{dir: *dir, known: map[feed.SourceID][]feed.Digest{}}
	a.out, a.b, a.r = out, newBlogosphere(*seed, *posts), rand.New(rand.NewPCG(*seed, 98))
	if err := a.fill(ctx, cmp.Or(*most, *posts)); err != nil {
		return err
	}
	if err := a.open(ctx); err != nil {
		return err
	}
	defer func() { _ = a.archive.Close() }()
	if err := a.measure(ctx, *deep); err != nil {
		return err
	}
	if a.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", a.missed)
	}
	return nil
}

// entries is how many posts a document has at most.
const entries = 20

// documentsOf makes the documents in which posts come in: one a source, with the
// drafts that the pipeline makes of it.
func (a *archiveBench) documentsOf(from, to int) []store.Batch {
	bySource := map[feed.SourceID]*store.Batch{}
	bodies := map[feed.SourceID]*strings.Builder{}
	var out []store.Batch
	end := func(id feed.SourceID) {
		b := bySource[id]
		bodies[id].WriteString("</channel></rss>")
		b.Document.Body = []byte(bodies[id].String())
		for _, p := range b.Document.Parts {
			if len(a.known[id]) < entries {
				a.known[id] = append(a.known[id], p.Digest)
			}
		}
		delete(bySource, id)
		out = append(out, *b)
	}
	row := &text.Row{}
	for n := from; n < to; n++ {
		it, _ := a.b.item(n)
		b := bySource[it.Source]
		if b == nil {
			b = &store.Batch{Source: it.Source, Document: &store.Document{Source: it.Source, URL: "https://" + string(it.Source) + ".example.com/feed", Status: 200, Received: it.FirstSeen}}
			bySource[it.Source], bodies[it.Source] = b, &strings.Builder{}
			bodies[it.Source].WriteString("<rss><channel>")
		}
		body := bodies[it.Source]
		e := it.Entry
		e.ID = e.URL + "?p=" + it.Native
		start := body.Len()
		fmt.Fprintf(body, "<item><title>%s</title><link>%s</link><guid>%s</guid><pubDate>%s</pubDate><description>%s</description></item>",
			e.Title.Value, e.URL, e.ID, e.Published.Time.Format(time.RFC1123Z), html.EscapeString(e.Content.Value))
		e.Bytes = feed.DigestOf([]byte(body.String()[start:]))
		b.Document.Parts = append(b.Document.Parts, store.Part{Start: start, End: body.Len(), Digest: e.Bytes})
		plain := normalize.PlainOf(&e)
		row.Set(plain.Body())
		ids, _ := identify.Document([]identify.Post{{
			Entry: &e, Title: plain.Title, Body: row,
			Canonical: normalize.CanonicalURL(e.URL), Address: normalize.Address(e.URL), Alias: normalize.Alias(e.ID),
		}}, "", nil)
		b.Drafts = append(b.Drafts, store.Draft{
			Entry: e, Native: ids[0].Native, Method: ids[0].Method, Keys: ids[0].Keys, Story: ids[0].Story, Sketch: ids[0].Sketch,
			Version: normalize.Version(&e, plain), Topics: it.Topics, Part: len(b.Document.Parts) - 1, FirstSeen: it.FirstSeen,
		})
		if len(b.Drafts) == entries {
			end(it.Source)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(bySource)) {
		end(id)
	}
	return out
}

// fill takes in the posts that the archive has not, some documents a commit. The
// making of posts does not count.
func (a *archiveBench) fill(ctx context.Context, posts int) (err error) {
	s, err := bolt.Open(ctx, a.dir, bolt.Options{})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, s.Close()) }()
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if st.Items == 0 {
		var edits []store.Edit
		for n := range sources {
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &store.Source{ID: sourceID(n), URL: "https://" + string(sourceID(n)) + ".example.com/feed", Added: firstPost}})
		}
		if err := s.Change(ctx, edits); err != nil {
			return err
		}
	}
	const window = 5000
	var used time.Duration
	from := int(st.Items) / window * window
	_ = a.documentsOf(0, min(window, a.b.posts)) // whose entries are asked for later
	for n := from; n < posts; n += window {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		batches := a.documentsOf(n, min(n+window, a.b.posts))
		before := cpu()
		for group := range slices.Chunk(batches, together) {
			if _, err := s.Append(ctx, group...); err != nil {
				return err
			}
		}
		used += cpu() - before
	}
	if from < posts {
		a.figure(fmt.Sprintf("drafts handed over already parsed, with documents, %d documents a commit", together), float64(posts-from)/used.Seconds(), "items/CPU-s", 4000, true)
	}
	return nil
}

// together is how many documents are one commit, where it does not matter how long
// each waits.
const together = 64

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// open opens the archive as a daemon does, the slowest of three times.
func (a *archiveBench) open(ctx context.Context) error {
	slowest := time.Duration(0)
	for i := range 3 {
		if i > 0 {
			if err := a.archive.Close(); err != nil {
				return err
			}
		}
		start := time.Now()
		s, err := bolt.Open(ctx, a.dir, bolt.Options{})
		if err != nil {
			return err
		}
		a.archive, slowest = s, max(slowest, time.Since(start))
	}
	a.figure("open", slowest.Seconds(), "s", 1, false)
	return nil
}

func (a *archiveBench) measure(ctx context.Context, deep bool) error {
	st, err := a.archive.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%d items in %d stories, %d documents, %.2f GB\n", st.Items, st.Stories, st.Raw, float64(st.Bytes)/1e9)
	if err := a.show(ctx, int(st.Items)); err != nil {
		return err
	}
	if err := a.nothingNew(ctx); err != nil {
		return err
	}
	if err := a.backup(ctx); err != nil {
		return err
	}
	if !deep {
		return nil
	}
	return a.verify(ctx, int(st.Items))
}

// verify holds a deep check to half the speed of what no check of all bodies can do
// without, measured in the same run (FIGURES part 0).
func (a *archiveBench) verify(ctx context.Context, items int) error {
	before := cpu()
	if err := a.archive.DecodeAll(ctx); err != nil {
		return fmt.Errorf("decoding: %w", err)
	}
	decoding := cpu() - before
	before = cpu()
	report, err := a.archive.Verify(ctx, true, nil)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(report.Faults) > 0 {
		return fmt.Errorf("verify: %d faults: %v", len(report.Faults), report.Faults)
	}
	deep := cpu() - before
	a.figure("decoding each record, once", float64(items)/decoding.Seconds(), "items/CPU-s", 0, true)
	a.figure("verify --deep", float64(items)/deep.Seconds(), "items/CPU-s", 0, true)
	a.figure("verify --deep to decoding", decoding.Seconds()/deep.Seconds(), "×", 0.5, true)
	return nil
}

// show reads posts from anywhere in the archive, whole.
func (a *archiveBench) show(ctx context.Context, items int) error {
	var took []time.Duration
	for range 3000 {
		from := firstPost.Add(time.Duration(a.r.Float64() * float64(20*365*24*time.Hour)))
		heads, err := a.archive.Heads(ctx, store.HeadQuery{From: from, Ascending: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(heads) == 0 {
			continue
		}
		start := time.Now()
		got, err := a.archive.Items(ctx, []feed.ItemID{heads[0].ID}, store.AllFields)
		took = append(took, time.Since(start))
		if err != nil {
			return fmt.Errorf("item %v: %w", heads[0].ID, err)
		}
		if len(got) != 1 || got[0].Content.Value == "" {
			return fmt.Errorf("item %v of %d: %d found, not one that is whole", heads[0].ID, items, len(got))
		}
	}
	a.figure("show: one post from anywhere, p50", millis(quantile(took, 0.5)), "ms", 0, false)
	a.figure("show: one post from anywhere, p99", millis(quantile(took, 0.99)), "ms", 5, false)
	return nil
}

// nothingNew asks about the entries of documents that the archive has, as a poll
// that brings nothing new does.
func (a *archiveBench) nothingNew(ctx context.Context) error {
	n := 0
	before := cpu()
	for n < 500_000 {
		for id, digests := range a.known {
			seen, err := a.archive.Known(ctx, id, digests)
			if err != nil {
				return fmt.Errorf("entries of %s: %w", id, err)
			}
			if slices.Contains(seen, false) {
				return fmt.Errorf("entries of %s: known %v", id, seen)
			}
			n += len(seen)
		}
	}
	a.figure("a poll that brings nothing new", float64(n)/(cpu()-before).Seconds(), "items/CPU-s", 100_000, true)
	return nil
}

// counter is a file that is nowhere.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// backup writes the archive to where writing costs nothing; the bound is half the
// speed of reading the files.
func (a *archiveBench) backup(ctx context.Context) error {
	before := cpu()
	names, err := filepath.Glob(filepath.Join(a.dir, "archive", "*"))
	if err != nil {
		return err
	}
	var read counter
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(struct{ io.Writer }{&read}, struct{ io.Reader }{f})
		if err = cmp.Or(err, f.Close()); err != nil {
			return err
		}
	}
	copied := float64(read) / 1e6 / (cpu() - before).Seconds()
	before = cpu()
	var written counter
	if err := a.archive.Backup(ctx, &written); err != nil {
		return err
	}
	a.figure("reading the volumes", copied, "MB/CPU-s", 0, true)
	a.figure("backup", float64(written)/1e6/(cpu()-before).Seconds(), "MB/CPU-s", 0, true)
	return nil
}
