package parse

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"chancery/feed/feedtest"

	"github.com/mmcdole/gofeed"
)

// realFeeds are the captured documents, for figures.
func realFeeds(b *testing.B) (docs [][]byte, size int64) {
	names, err := filepath.Glob(filepath.Join(feedtest.Reference(b, "corpus", "real-feeds"), "*.*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range names {
		if filepath.Ext(n) == ".tsv" {
			continue
		}
		body, err := os.ReadFile(n)
		if err != nil {
			b.Fatal(err)
		}
		docs, size = append(docs, body), size+int64(len(body))
	}
	return docs, size
}

// The preflight of all captured feeds, digests of the entries not included.
func BenchmarkOpen(b *testing.B) {
	docs, size := realFeeds(b)
	b.SetBytes(size)
	for b.Loop() {
		for _, doc := range docs {
			if _, err := Open(doc, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// The preflight with each entry's digest: what a poll of a feed costs in which
// nothing is new, besides the head.
func BenchmarkOpenParts(b *testing.B) {
	docs, size := realFeeds(b)
	b.SetBytes(size)
	for b.Loop() {
		for _, doc := range docs {
			d, err := Open(doc, Options{})
			if err != nil {
				b.Fatal(err)
			}
			d.Parts()
		}
	}
}

// One new entry in each feed: only it reaches gofeed (figure (c)).
func BenchmarkOneNew(b *testing.B) {
	docs, size := realFeeds(b)
	b.SetBytes(size)
	for b.Loop() {
		for _, doc := range docs {
			d, err := Open(doc, Options{})
			if err != nil {
				b.Fatal(err)
			}
			d.Parts()
			if _, err := d.Feed(func(i int) bool { return i == 0 }); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Everything of all captured feeds.
func BenchmarkFeed(b *testing.B) {
	docs, size := realFeeds(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, doc := range docs {
			d, err := Open(doc, Options{})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := d.Feed(nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What gofeed alone takes, for comparison. It refuses a few of the documents.
func BenchmarkGofeedAlone(b *testing.B) {
	docs, size := realFeeds(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, doc := range docs {
			_, _ = gofeed.NewParser().Parse(bytes.NewReader(doc))
		}
	}
}
