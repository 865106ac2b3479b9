package bolt_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// OPS-28: each commit is told of with how long each batch in it waited to be durable,
// the time of the disk within that; what brought nothing is not.
func TestOnCommit(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	storetest.Source(t, s, "a")
	var mu sync.Mutex
	var told []bolt.Commit
	s.OnCommit(func(c bolt.Commit) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, c)
	})
	before := s.Commits()
	const batches = 40
	began := time.Now()
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() {
			if _, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft(fmt.Sprint(i), fmt.Sprint("post ", i))}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	mu.Lock()
	waits, records := 0, 0
	for _, c := range told {
		waits += len(c.Waits)
		records += c.Records
		for _, w := range c.Waits {
			if w < c.Disk || w > took {
				t.Errorf("a batch waited %v, %v of it for the disk, in %v", w, c.Disk, took)
			}
		}
		if c.Disk <= 0 || c.Bytes <= 0 || c.Records == 0 {
			t.Errorf("a commit of %d records, %d bytes, took the disk %v", c.Records, c.Bytes, c.Disk)
		}
	}
	if waits != batches || records != batches || int64(len(told)) != s.Commits()-before {
		t.Errorf("told of %d batches, %d records, %d commits; want %d, %d, %d", waits, records, len(told), batches, batches, s.Commits()-before)
	}
	told = nil
	mu.Unlock()
	again := store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("1", "post 1")}}
	again.At = time.Now().Add(-time.Hour) // nothing of it is new, not even when it was seen
	if _, err := s.Append(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	s.OnCommit(nil)
	if _, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("new", "post new")}}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 0 {
		t.Errorf("told of %d commits of nothing, or after nobody asked", len(told))
	}
}
