package bolt

import (
	"testing"
	"time"

	"chancery/store"
)

// What a commit that failed at its very end should have stored is stored by the next.
func TestLateAfterFailure(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "a", URL: "https://a.example/"}}}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Lease(ctx, store.LeaseQuery{Now: time.Now()})
	if err != nil || len(l) != 1 {
		t.Fatalf("%d leases, %v", len(l), err)
	}
	if _, err := s.Finish(ctx, l[0], store.PollResult{State: store.PollState{ETag: "late"}}); err != nil {
		t.Fatal(err)
	}
	err = s.submit(ctx, &job{care: func() error { // as transact does, but for the commit
		tx, err := s.cat.Begin(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		c, err := newCatalogTx(tx, s.mem)
		if err != nil {
			return err
		}
		if _, err := s.putLate(c); err != nil {
			return err
		}
		s.mu.Lock()
		c.merge()
		s.lateMerged(c)
		s.mu.Unlock()
		s.behind = true
		s.keepLate(c)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		if st, err := s.Source(ctx, "a"); err != nil || st.State.ETag != "late" {
			t.Errorf("opened again %t: %+v, %v", again, st.State, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !again {
			if s, err = Open(ctx, dir, Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
