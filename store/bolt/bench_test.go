package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// madePost is a post of about 5 KB of HTML, with words drawn as in real text.
type madePost struct {
	guid, title string
	paragraphs  []string
	sketch      store.Sketch
}

func newMadePost(r *rand.Rand, source feed.SourceID, title string) madePost {
	p := madePost{guid: fmt.Sprintf("https://%s.example/%d", source, r.Uint64()), title: title}
	for range 8 + r.IntN(8) {
		p.paragraphs = append(p.paragraphs, madeParagraph(r, source))
	}
	p.sketch.Words = 300
	for j := range p.sketch.Values {
		p.sketch.Values[j] = uint8(r.Uint32())
	}
	return p
}

func madeParagraph(r *rand.Rand, source feed.SourceID) string {
	zipf := rand.NewZipf(r, 1.05, 3, 30000)
	var c strings.Builder
	c.WriteString("<p>")
	for range 40 + r.IntN(30) {
		fmt.Fprintf(&c, "w%x ", zipf.Uint64()*2654435761%0xfffff)
	}
	fmt.Fprintf(&c, "<a href=\"https://%s.example/%d\">more</a></p>\n", source, r.IntN(1000))
	return c.String()
}

// madeDoc makes a document of n posts and the drafts that a pipeline makes of it.
func madeDoc(r *rand.Rand, source feed.SourceID, n int) store.Batch {
	posts := make([]madePost, n)
	for i := range posts {
		posts[i] = newMadePost(r, source, fmt.Sprintf("Title %d of %s", i, source))
	}
	return docOf(source, posts)
}

// docOf is the document of posts.
func docOf(source feed.SourceID, posts []madePost) store.Batch {
	var b strings.Builder
	doc := &store.Document{Source: source, URL: "https://" + string(source) + ".example/feed", Status: 200, MediaType: "application/rss+xml"}
	batch := store.Batch{Document: doc}
	fmt.Fprintf(&b, "<rss version=\"2.0\"><channel><title>%s</title><link>https://%s.example/</link>", source, source)
	esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for i, p := range posts {
		content := strings.Join(p.paragraphs, "")
		start := b.Len()
		fmt.Fprintf(&b, "<item><title>%s</title><guid>%s</guid><link>%s</link><pubDate>Mon, 02 Jan 2026 15:04:05 GMT</pubDate><description>%s</description></item>", p.title, p.guid, p.guid, esc.Replace(content))
		part := store.Part{Start: start, End: b.Len(), Digest: feed.DigestOf([]byte(b.String()[start:]))}
		doc.Parts = append(doc.Parts, part)
		batch.Drafts = append(batch.Drafts, store.Draft{
			Entry: feed.Entry{
				ID: p.guid, URL: p.guid, Title: feed.Text{Value: p.title},
				Content: feed.Text{Type: feed.HTML, Value: content}, Links: []feed.Link{{Rel: "alternate", Href: p.guid}},
				Published: feed.Date{Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Raw: "Mon, 02 Jan 2026 15:04:05 GMT"}, Bytes: part.Digest,
			},
			Native: p.guid, Method: "guid", Keys: []store.Key{storetest.Hash(store.KeyGUID, p.guid), storetest.Hash(store.KeyAlias, p.guid)},
			Story:   []store.Key{storetest.Hash(store.KeyURL, p.guid), storetest.Hash(store.KeyText, content)},
			Version: feed.DigestOf([]byte(content)), Part: i, Topics: []feed.Tag{{Topic: "iran", Score: 1}},
			Sketch: p.sketch,
		})
	}
	b.WriteString("</channel></rss>")
	doc.Body = []byte(b.String())
	return batch
}

func sourceName(i int) feed.SourceID { return feed.SourceID(fmt.Sprintf("s%04d", i)) }

// addSources makes n sources, named by sourceName.
func addSources(tb testing.TB, s store.Store, n int) []feed.SourceID {
	tb.Helper()
	var ids []feed.SourceID
	var edits []store.Edit
	for i := range n {
		id := sourceName(i)
		ids = append(ids, id)
		edits = append(edits, store.Edit{Kind: store.KindSource, Source: &store.Source{ID: id, URL: "https://" + string(id) + ".example/feed"}})
	}
	if err := s.Change(tb.Context(), edits); err != nil {
		tb.Fatal(err)
	}
	return ids
}

// BenchmarkAppend takes in documents of 20 posts with their raw bytes, four at a time.
// Bound: 4,000 items a CPU second.
func BenchmarkAppend(b *testing.B) {
	s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const docs = 200
	ids := addSources(b, s, docs)
	r := rand.New(rand.NewPCG(1, 2))
	var html int
	for b.Loop() {
		b.StopTimer()
		batches := make([]store.Batch, docs)
		for i := range batches {
			batches[i] = madeDoc(r, ids[i], 20)
			for _, d := range batches[i].Drafts {
				html += len(d.Entry.Content.Value)
			}
		}
		b.StartTimer()
		cpu := feedtest.CPU(b)
		var wg sync.WaitGroup
		next := make(chan store.Batch)
		for range 4 {
			wg.Go(func() {
				for batch := range next {
					if _, err := s.Append(b.Context(), batch); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, batch := range batches {
			next <- batch
		}
		close(next)
		wg.Wait()
		b.ReportMetric(float64(docs*20)/(feedtest.CPU(b)-cpu).Seconds(), "items/CPU-s")
	}
	st, err := s.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Bytes)/float64(html), "bytes/HTML-byte")
	b.ReportMetric(float64(st.Bytes)/float64(st.Items), "bytes/item")
}

// BenchmarkKnown asks whether entries' bytes were seen. Bound: 100,000 a CPU second.
func BenchmarkKnown(b *testing.B) {
	s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ids := addSources(b, s, 200)
	r := rand.New(rand.NewPCG(1, 2))
	digests := map[feed.SourceID][]feed.Digest{}
	for _, id := range ids {
		batch := madeDoc(r, id, 20)
		for _, p := range batch.Document.Parts {
			digests[id] = append(digests[id], p.Digest)
		}
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	cpu := feedtest.CPU(b)
	for b.Loop() {
		id := ids[n/20%len(ids)]
		if _, err := s.Known(b.Context(), id, digests[id]); err != nil {
			b.Fatal(err)
		}
		n += 20
	}
	b.ReportMetric(float64(n)/(feedtest.CPU(b)-cpu).Seconds(), "digests/CPU-s")
}

// BenchmarkNotModified finishes 1,000 polls that brought nothing, 64 at a time.
func BenchmarkNotModified(b *testing.B) {
	s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	addSources(b, s, 1000)
	for b.Loop() {
		leases, err := s.Lease(b.Context(), store.LeaseQuery{Now: time.Now(), All: true})
		if err != nil || len(leases) != 1000 {
			b.Fatalf("%d leases, %v", len(leases), err)
		}
		cpu := feedtest.CPU(b)
		var wg sync.WaitGroup
		next := make(chan store.Lease)
		for range 64 {
			wg.Go(func() {
				for l := range next {
					if _, err := s.Finish(b.Context(), l, store.PollResult{State: store.PollState{ETag: `"x"`, Polled: time.Now(), Why: "304"}}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, l := range leases {
			next <- l
		}
		close(next)
		wg.Wait()
		b.ReportMetric(float64((feedtest.CPU(b)-cpu).Microseconds())/1000, "CPU-µs/poll")
	}
}
