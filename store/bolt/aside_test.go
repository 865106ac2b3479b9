package bolt

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"chancery/feed"
)

// bounds of the memory for rows: all are written to the file many times, some, none.
var asideBounds = []int{100, 1000, 5000, sortedMemory}

// all reads rows, and fails if they are not in order.
func all(t *testing.T, from rows) map[string]string {
	t.Helper()
	got, last := map[string]string{}, ""
	for {
		k, v, err := from.next()
		if err != nil {
			t.Fatal(err)
		}
		if k == nil {
			return got
		}
		if string(k) <= last {
			t.Fatalf("%q comes after %q", k, last)
		}
		last = string(k)
		got[last] = string(v)
	}
}

// Rows that were put, put first and taken away in any order come out as a bucket would
// have them, whether they fit into memory or not.
func TestAside(t *testing.T) {
	for _, most := range asideBounds {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(most), 1))
			a := newAside(t.TempDir())
			a.rows.most = most
			defer a.close()
			buckets := []int{bKeys, bByDate, bRevs}
			want := map[int]map[string]string{}
			for range 4000 {
				bucket := buckets[r.IntN(len(buckets))]
				if want[bucket] == nil {
					want[bucket] = map[string]string{}
				}
				k, v := fmt.Sprint(r.IntN(300)), bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(9))
				var err error
				switch _, there := want[bucket][k]; r.IntN(3) {
				case 0:
					err = a.put(bucket, []byte(k), v)
					want[bucket][k] = string(v)
				case 1:
					err = a.putFirst(bucket, []byte(k), v)
					if !there {
						want[bucket][k] = string(v)
					}
				default:
					err = a.remove(bucket, []byte(k))
					delete(want[bucket], k)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, bucket := range buckets {
				rows, err := a.bucket(bucket)
				if err != nil {
					t.Fatal(err)
				}
				if got := all(t, rows); !maps.Equal(got, want[bucket]) {
					t.Errorf("bucket %s has %d rows, want %d", catalogBuckets[bucket], len(got), len(want[bucket]))
				}
			}
		})
	}
}

// Parts, documents and when items were seen come out as they do where each record is
// applied to what is there, also where documents are let go and come again.
func TestAsideParts(t *testing.T) {
	for _, most := range asideBounds {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(most), 2))
			a := newAside(t.TempDir())
			a.rows.most, a.seen.most = most, most
			defer a.close()
			parts, docs, seen := map[string]partRow{}, map[string]uint64{}, map[feed.ItemID]int64{}
			for seq := uint64(1); seq < 3000; seq++ {
				k := fmt.Sprintf("part %d", r.IntN(200))
				p := parts[k]
				var err error
				switch r.IntN(5) {
				case 0: // a document
					doc := fmt.Sprintf("doc %d", r.IntN(100))
					err = a.put(bDocs, []byte(doc), be64(seq))
					docs[doc] = seq
				case 1, 2: // a record with the bytes, or that says whose they are, or both
					add := partRow{seq: seq * uint64(r.IntN(2)), item: feed.ItemID{byte(r.IntN(3))}}
					err = a.addPart([]byte(k), add)
					if p.add(add); p != (partRow{}) {
						parts[k] = p
					}
				case 3:
					at := r.Int64N(1000) - 500
					err = a.seePart([]byte(k), at)
					if was, ok := seen[p.item]; !p.item.IsZero() && (!ok || at > was) {
						seen[p.item] = at
					}
				default:
					if seq%20 > 0 {
						continue
					}
					h := header{seq: seq}
					for _, at := range docs {
						if r.IntN(2) == 0 {
							h.records = append(h.records, at)
						}
					}
					for _, p := range parts {
						if r.IntN(4) == 0 && p.seq > 0 {
							h.records = append(h.records, p.seq)
						}
					}
					a.expire(&h)
					for _, gone := range h.records {
						for k, p := range parts {
							if p.seq == gone {
								p.seq = 0
								parts[k] = p
							}
						}
						maps.DeleteFunc(docs, func(_ string, at uint64) bool { return at == gone })
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for bucket, want := range map[int]map[string]string{bParts: {}, bDocs: {}} {
				for k, p := range parts {
					if bucket == bParts {
						want[k] = string(p.encode())
					}
				}
				for k, seq := range docs {
					if bucket == bDocs {
						want[k] = string(be64(seq))
					}
				}
				rows, err := a.bucket(bucket)
				if err != nil {
					t.Fatal(err)
				}
				if got := all(t, rows); !maps.Equal(got, want) {
					t.Errorf("bucket %s is %q, want %q", catalogBuckets[bucket], got, want)
				}
			}
			s, err := a.sightings()
			if err != nil {
				t.Fatal(err)
			}
			got := map[feed.ItemID]int64{}
			for {
				id, at, err := s.next()
				if err != nil {
					t.Fatal(err)
				}
				if id == nil {
					break
				}
				got[feed.ItemID(id)] = at
			}
			if !maps.Equal(got, seen) {
				t.Errorf("seen %v, want %v", got, seen)
			}
		})
	}
}
