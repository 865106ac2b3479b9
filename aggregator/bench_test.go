package aggregator

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"chancery/store/bolt"
)

// BenchmarkImport takes in saved documents (of the directory $CHANCERY_DUMP, such
// as a feed farm's dump) into an archive on the disk.
func BenchmarkImport(b *testing.B) {
	dir := os.Getenv("CHANCERY_DUMP")
	if dir == "" {
		b.Skip("CHANCERY_DUMP names no directory of saved documents")
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		b.Fatalf("nothing in %s: %v", dir, err)
	}
	bodies := make([][]byte, len(names))
	for i, name := range names {
		if bodies[i], err = os.ReadFile(name); err != nil {
			b.Fatal(err)
		}
	}
	var items int
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		a, _ := bench(b, &site{})
		archive, err := bolt.Open(b.Context(), b.TempDir(), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		a.archive = archive
		b.StartTimer()
		items = 0
		for i, body := range bodies {
			sum, err := a.Import(b.Context(), ImportOptions{Name: names[i]}, bytes.NewReader(body))
			if err != nil {
				b.Fatalf("%s: %v", names[i], err)
			}
			items += sum.Seen
		}
		if err := archive.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(items*b.N)/b.Elapsed().Seconds(), "items/s")
}
