package bolt

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows that were changed in any order come out as a bucket would have them, whether
// they fit into memory or not.
func TestSorted(t *testing.T) {
	for _, most := range []int{100, 1000, 5000, sortedMemory} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(most), 1))
			s := newSorted(t.TempDir())
			s.most = most
			defer func() {
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}()
			var want [bucketCount]map[string]string
			buckets := slices.Sorted(maps.Keys(asideBuckets))
			for _, b := range buckets {
				want[b] = map[string]string{}
			}
			for i := range 4000 {
				bucket, what := buckets[r.IntN(len(buckets))], rowChange(r.IntN(3))
				k, v := fmt.Sprint(r.IntN(300)), bytes.Repeat([]byte{byte(i)}, r.IntN(9))
				if err := s.add(bucket, what, []byte(k), v); err != nil {
					t.Fatal(err)
				}
				_, there := want[bucket][k]
				switch {
				case what == rowGone:
					delete(want[bucket], k)
				case what == rowPut || !there:
					want[bucket][k] = string(v)
				}
			}
			for _, bucket := range buckets {
				rows, err := s.rows(bucket)
				if err != nil {
					t.Fatal(err)
				}
				got, last := map[string]string{}, ""
				for {
					k, v, err := rows.next()
					if err != nil {
						t.Fatal(err)
					}
					if k == nil {
						break
					}
					if string(k) <= last {
						t.Fatalf("%q comes after %q", k, last)
					}
					last = string(k)
					got[last] = string(v)
				}
				if !maps.Equal(got, want[bucket]) {
					t.Errorf("bucket %s has %d rows, want %d", catalogBuckets[bucket], len(got), len(want[bucket]))
				}
			}
		})
	}
}
