package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/parse"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// farm are the saved documents of the folder CHANCERY_FARM, already parsed, one source each.
type farm struct {
	batches     []store.Batch
	items, html int // html: bytes of the items' texts
}

func readFarm(b *testing.B) (f farm) {
	b.Helper()
	dir := os.Getenv("CHANCERY_FARM")
	if dir == "" {
		b.Skip("CHANCERY_FARM names no folder of feed documents")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		b.Fatal("no documents", err)
	}
	for i, name := range files {
		doc, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		p, err := parse.Open(doc, parse.Options{URL: "https://farm.example/" + filepath.Base(name)})
		if err != nil {
			continue
		}
		read, err := p.Feed(nil)
		if err != nil {
			continue
		}
		batch := store.Batch{Document: &store.Document{Source: sourceName(i), URL: name, Status: 200, Body: doc}}
		part := map[feed.Digest]int{}
		for j, x := range p.Parts() {
			part[x.Digest] = j
			batch.Document.Parts = append(batch.Document.Parts, store.Part{Start: x.Start, End: x.End, Digest: x.Digest})
		}
		for j, e := range read.Entries {
			text := e.Content.Value
			if text == "" {
				text = e.Summary.Value
			}
			f.html += len(text)
			f.items++
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
		f.batches = append(f.batches, batch)
	}
	return f
}

// takeIn makes an archive of the farm, a commit for each document, and gives the CPU
// time of that.
func (f *farm) takeIn(b *testing.B) (*bolt.Store, time.Duration) {
	b.Helper()
	s, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	addSources(b, s, len(f.batches))
	cpu := feedtest.CPU(b)
	for i, batch := range f.batches {
		batch.Document.Source = sourceName(i)
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return s, feedtest.CPU(b) - cpu
}

// BenchmarkFarm takes the farm in, and reports what it takes of the disk.
func BenchmarkFarm(b *testing.B) {
	f := readFarm(b)
	for b.Loop() {
		s, used := f.takeIn(b)
		st, err := s.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.items)/used.Seconds(), "items/CPU-s")
		b.ReportMetric(float64(st.Bytes)/float64(f.html), "bytes/HTML-byte")
		b.ReportMetric(float64(st.Bytes)/float64(f.items), "bytes/item")
		b.ReportMetric(float64(f.html)/float64(f.items), "HTML/item")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify compares a deep check with what it cannot do without: reading each
// record, unpacking its body and decoding the entry, once. The archive is that of the
// folder CHANCERY_ARCHIVE, which is not changed, else one made of CHANCERY_FARM.
// Bound: half the speed of decoding.
func BenchmarkVerify(b *testing.B) {
	var s *bolt.Store
	if dir := os.Getenv("CHANCERY_ARCHIVE"); dir != "" {
		var err error
		if s, err = bolt.Open(b.Context(), dir, bolt.Options{ReadOnly: true}); err != nil {
			b.Fatal(err)
		}
	} else {
		f := readFarm(b)
		s, _ = f.takeIn(b)
	}
	defer func() { _ = s.Close() }()
	var decode, deep, fast time.Duration
	items := 0
	for b.Loop() {
		for _, part := range []struct {
			took *time.Duration
			do   func() error
		}{
			{&decode, func() error { return s.DecodeAll(b.Context()) }},
			{&fast, func() error { return verify(b, s, false) }},
			{&deep, func() error { return verify(b, s, true) }},
		} {
			runtime.GC() // what the one before left is not this one's
			cpu := feedtest.CPU(b)
			if err := part.do(); err != nil {
				b.Fatal(err)
			}
			*part.took += feedtest.CPU(b) - cpu
		}
		st, err := s.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		items += int(st.Items)
	}
	b.ReportMetric(float64(items)/decode.Seconds(), "decoded-items/CPU-s")
	b.ReportMetric(float64(items)/fast.Seconds(), "fast-items/CPU-s")
	b.ReportMetric(float64(items)/deep.Seconds(), "deep-items/CPU-s")
	b.ReportMetric(decode.Seconds()/deep.Seconds(), "deep/decoded")
}

func verify(b *testing.B, s *bolt.Store, deep bool) error {
	r, err := s.Verify(b.Context(), deep, nil)
	if err == nil && len(r.Faults) > 0 {
		err = fmt.Errorf("faults: %q", r.Faults)
	}
	return err
}
