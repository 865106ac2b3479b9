package bolt_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"chancery/feed/feedtest"
	"chancery/store"
	"chancery/store/bolt"
)

// BenchmarkVerifyGrown is BenchmarkVerify of an archive whose documents mostly bring one
// new post: 400 blogs of 20 posts each, and nine more documents of each, one post newer
// every time. Their bytes are what a deep check is about, 400 MB, though the records have
// 11,600 posts: no check of documents can do without hashing them, so that is measured, too.
func BenchmarkVerifyGrown(b *testing.B) {
	const blogs, shown, more = 400, 20, 9
	s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ids := addSources(b, s, blogs)
	r := rand.New(rand.NewPCG(7, 8))
	posts := make([][]madePost, blogs)
	for i := range posts {
		for k := range shown {
			posts[i] = append(posts[i], newMadePost(r, ids[i], fmt.Sprintf("Title %d of %s", k, ids[i])))
		}
	}
	documents := 0
	count := func(batch *store.Batch) { documents += len(batch.Document.Body) }
	takeAll(b, s, ids, posts, count)
	for n := range more {
		for i := range posts {
			posts[i] = slices.Concat([]madePost{newMadePost(r, ids[i], fmt.Sprint("Newer ", n))}, posts[i][:shown-1])
		}
		takeAll(b, s, ids, posts, count)
	}
	var decode, hash, deep time.Duration
	for b.Loop() {
		for _, part := range []struct {
			took *time.Duration
			do   func() error
		}{
			{&decode, func() error { return s.DecodeAll(b.Context()) }},
			{&hash, func() error { return hashing(documents) }},
			{&deep, func() error { return verify(b, s, true) }},
		} {
			runtime.GC()
			cpu := feedtest.CPU(b)
			if err := part.do(); err != nil {
				b.Fatal(err)
			}
			*part.took += feedtest.CPU(b) - cpu
		}
	}
	b.ReportMetric(deep.Seconds()/float64(b.N), "deep-CPU-s")
	b.ReportMetric(decode.Seconds()/deep.Seconds(), "deep/decoded")
	b.ReportMetric((decode+hash).Seconds()/deep.Seconds(), "deep/decoded-and-hashed")
}

// hashing hashes so many bytes.
func hashing(n int) error {
	h, b := sha256.New(), make([]byte, 64<<10)
	for ; n > 0; n -= len(b) {
		if _, err := h.Write(b); err != nil {
			return err
		}
	}
	return nil
}
