package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/parse"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// BenchmarkFarm takes in the saved documents of the folder CHANCERY_FARM, already
// parsed, one source each, and reports what they take of the disk.
func BenchmarkFarm(b *testing.B) {
	dir := os.Getenv("CHANCERY_FARM")
	if dir == "" {
		b.Skip("CHANCERY_FARM names no folder of feed documents")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		b.Fatal("no documents", err)
	}
	for b.Loop() {
		b.StopTimer()
		s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ids := addSources(b, s, len(files))
		html, items, body := 0, 0, 0
		var batches []store.Batch
		for i, name := range files {
			doc, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			body += len(doc)
			p, err := parse.Open(doc, parse.Options{URL: "https://farm.example/" + filepath.Base(name)})
			if err != nil {
				continue
			}
			f, err := p.Feed(nil)
			if err != nil {
				continue
			}
			batch := store.Batch{Document: &store.Document{Source: ids[i], URL: name, Status: 200, Body: doc}}
			part := map[feed.Digest]int{}
			for j, x := range p.Parts() {
				part[x.Digest] = j
				batch.Document.Parts = append(batch.Document.Parts, store.Part{Start: x.Start, End: x.End, Digest: x.Digest})
			}
			for j, e := range f.Entries {
				text := e.Content.Value
				if text == "" {
					text = e.Summary.Value
				}
				html += len(text)
				items++
				native := fmt.Sprint(e.ID, e.URL, j)
				d := store.Draft{
					Entry: e, Native: e.ID, Method: "guid", Part: -1,
					Keys:    []store.Key{storetest.Hash(store.KeyGUID, native), storetest.Hash(store.KeyAlias, native)},
					Story:   []store.Key{storetest.Hash(store.KeyURL, native), storetest.Hash(store.KeyText, text)},
					Version: feed.DigestOf([]byte(text)),
				}
				d.Sketch.Words = len(text) / 6
				copy(d.Sketch.Values[:32], d.Version[:])
				for k := range 3 {
					x := feed.DigestOf([]byte(fmt.Sprint(text, k)))
					copy(d.Sketch.Values[32+32*k:], x[:])
				}
				if j, ok := part[e.Bytes]; ok {
					d.Part = j
				}
				batch.Drafts = append(batch.Drafts, d)
			}
			batches = append(batches, batch)
		}
		b.StartTimer()
		cpu := feedtest.CPU(b)
		for _, batch := range batches {
			if _, err := s.Append(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		used := feedtest.CPU(b) - cpu
		st, err := s.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(items)/used.Seconds(), "items/CPU-s")
		b.ReportMetric(float64(st.Bytes)/float64(html), "bytes/HTML-byte")
		b.ReportMetric(float64(st.Bytes)/float64(items), "bytes/item")
		b.ReportMetric(float64(html)/float64(items), "HTML/item")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
