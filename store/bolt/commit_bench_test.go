package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// BenchmarkCommit takes small documents by turns into two archives that grew alike, so
// that the disk and the neighbors are the same to both: one syncs its catalog with each
// commit and has no room in its volume, as all did once, the other is as it is.
func BenchmarkCommit(b *testing.B) {
	sides := []struct {
		name   string
		synced bool
		room   int64
		s      *bolt.Store
		r      *rand.Rand
		took   []time.Duration
	}{
		{name: "synced", synced: true, room: 1 << 40},
		{name: "now", room: 8 << 20},
	}
	take := func(i, posts int) time.Duration {
		d := &sides[i]
		doc := madeDoc(d.r, feed.SourceID(fmt.Sprint("s", d.r.IntN(50))), posts)
		start := time.Now()
		if _, err := d.s.Append(b.Context(), doc); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	for i := range sides {
		d := &sides[i]
		d.r = rand.New(rand.NewPCG(1, 2))
		var err error
		if d.s, err = bolt.Open(b.Context(), b.TempDir(), bolt.Paced(bolt.Options{}, time.Second, 256<<10, d.room)); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = d.s.Close() }()
		if d.synced {
			bolt.SyncCatalog(d.s)
		}
		for n := range 50 {
			id := feed.SourceID(fmt.Sprint("s", n))
			if err := d.s.Change(b.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: id, URL: "https://x.example/" + string(id)}}}); err != nil {
				b.Fatal(err)
			}
		}
		for range 150 {
			take(i, 40)
		}
	}
	for b.Loop() {
		for i := range sides {
			sides[i].took = append(sides[i].took, take(i, 2))
		}
	}
	for _, d := range sides {
		slices.Sort(d.took)
		for _, q := range []int{50, 90, 99} {
			b.ReportMetric(d.took[len(d.took)*q/100].Seconds()*1000, fmt.Sprintf("%s-p%d-ms", d.name, q))
		}
	}
}
