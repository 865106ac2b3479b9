package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// BenchmarkSpace reports what edits and documents cost on the disk, catalog included,
// by allocated blocks: of 400 blogs that showed 20 posts each,
//
//   - each edits every tenth of them in one paragraph (bound: 5 % more);
//   - each has one new post, and so a document of which 19 posts are known;
//   - each has one new post more, handed over without a document: what the post is alone.
func BenchmarkSpace(b *testing.B) {
	const blogs, shown = 400, 20
	for b.Loop() {
		s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ids := addSources(b, s, blogs)
		r := rand.New(rand.NewPCG(5, 6))
		posts := make([][]madePost, blogs)
		for i := range posts {
			for k := range shown {
				posts[i] = append(posts[i], newMadePost(r, ids[i], fmt.Sprintf("Title %d of %s", k, ids[i])))
			}
		}
		first := takeAll(b, s, ids, posts, nil)
		for i := range posts {
			for k := range shown / 10 {
				p := &posts[i][k*10+r.IntN(10)]
				p.paragraphs = slices.Clone(p.paragraphs)
				p.paragraphs[r.IntN(len(p.paragraphs))] = madeParagraph(r, ids[i])
			}
		}
		edited := takeAll(b, s, ids, posts, nil)
		newer := func(title string) {
			for i := range posts {
				posts[i] = slices.Concat([]madePost{newMadePost(r, ids[i], title)}, posts[i][:shown-1])
			}
		}
		newer("With a document")
		grown := takeAll(b, s, ids, posts, nil)
		newer("Without a document")
		alone := takeAll(b, s, ids, posts, func(batch *store.Batch) {
			batch.Document = nil
			batch.Drafts = batch.Drafts[:1]
			batch.Drafts[0].Part = -1
		})
		st, err := s.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		const edits = blogs * shown / 10
		if st.Items != blogs*(shown+2) || st.Revisions-st.Items != edits {
			b.Fatalf("%d items, %d versions of them", st.Items, st.Revisions)
		}
		b.ReportMetric(float64(first)/(blogs*shown), "bytes/post")
		b.ReportMetric(float64(edited-first)/edits, "bytes/edit")
		b.ReportMetric(100*float64(edited-first)/float64(first), "%-more-for-edits-of-10%")
		b.ReportMetric(float64(grown-edited)/blogs, "bytes/document-with-1-new-of-20")
		b.ReportMetric(float64(alone-grown)/blogs, "bytes/post-without-document")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// takeAll appends each blog's document, changed by with if not nil, and gives the size of
// the archive then.
func takeAll(b *testing.B, s *bolt.Store, ids []feed.SourceID, posts [][]madePost, with func(*store.Batch)) int64 {
	b.Helper()
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
	for i := range ids {
		batch := docOf(ids[i], posts[i])
		batch.Source = ids[i]
		if with != nil {
			with(&batch)
		}
		next <- batch
	}
	close(next)
	wg.Wait()
	st, err := s.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return st.Bytes
}
