package bolt

import (
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// Parts that were seen are of a document.
func TestFinishWithPartsOfNoDocument(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	leases, err := s.Lease(t.Context(), store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"alpha"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(t.Context(), leases[0], store.PollResult{Batch: &store.Batch{}, Seen: []int{0}}); err == nil {
		t.Error("it was taken")
	}
}

// F-02, F-10: validators are kept byte for byte, also where they are no text.
func TestValidatorsAreKeptByteForByte(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	for _, batch := range []*store.Batch{nil, {}, {Drafts: []store.Draft{storetest.Draft("one", "one")}}} {
		leases, err := s.Lease(t.Context(), store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"alpha"}})
		if err != nil {
			t.Fatal(err)
		}
		want := store.PollState{ETag: "\"\xe9<&\u2028\"", LastModified: "\xff", Interval: time.Second}
		if _, err := s.Finish(t.Context(), leases[0], store.PollResult{State: want, Batch: batch}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Source(t.Context(), "alpha")
		if err != nil || got.State.ETag != want.ETag || got.State.LastModified != want.LastModified {
			t.Errorf("with %v: %q, %q, %v; want what was given", batch, got.State.ETag, got.State.LastModified, err)
		}
	}
}
