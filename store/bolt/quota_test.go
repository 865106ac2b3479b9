package bolt

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/store"
	"chancery/store/storetest"
)

// A version that cannot be read, or that was recorded while the clock was far ahead, does
// not end an item's further versions, although it would count against the quota of a day.
func TestQuotaOfVersions(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ahead, damaged bool
		want           store.State
	}{
		"three in an hour":          {want: store.Same},
		"one of them is damaged":    {damaged: true, want: store.Revised},
		"the clock was years ahead": {ahead: true, want: store.Revised},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), t.TempDir(), Options{RevisionsPerDay: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			storetest.Source(t, s, "alpha")
			var second store.Cursor
			for i := range 3 {
				at := now.Add(time.Duration(i) * time.Minute)
				if c.ahead && i > 0 {
					at = at.AddDate(50, 0, 0)
				}
				if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", At: at, Drafts: []store.Draft{storetest.Draft("guid", fmt.Sprint(i))}}); err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					if second, err = s.End(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.damaged {
				v := s.live()
				err := s.submit(t.Context(), &job{care: func() error {
					return v.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLog).Put(be64(uint64(second)), []byte("no record")) })
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			for i := range 2 { // when it is noticed, and when it is known to be lost
				out, err := s.Append(t.Context(), store.Batch{Source: "alpha", At: now.Add(time.Hour), Drafts: []store.Draft{storetest.Draft("guid", fmt.Sprint("more ", i))}})
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 && out[0].State != c.want {
					t.Errorf("a further version is %v, want %v", out[0].State, c.want)
				}
			}
		})
	}
}
