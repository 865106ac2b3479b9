package bolt

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// closing is an archive that is closed while the writer is at something, with what it
// logs.
func closing(t *testing.T) (s *Store, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	s, err := Open(t.Context(), t.TempDir(), Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []feed.SourceID{"alpha", "beta"} {
		src := store.Source{ID: id, URL: "https://" + string(id) + ".example/"}
		if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &src}}); err != nil {
			t.Fatal(err)
		}
	}
	return s, log
}

// during hands over what calls do and, when all of it waits for the writer, closes the
// archive. It gives the errors of the calls and that of Close.
func during(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	begun, goOn := make(chan struct{}), make(chan struct{})
	errs := make([]chan error, len(calls)+2)
	for i := range errs {
		errs[i] = make(chan error, 1)
	}
	go func() {
		errs[0] <- s.submit(t.Context(), &job{care: func() error {
			close(begun)
			<-goOn
			return nil
		}})
	}()
	<-begun
	for i, call := range calls {
		go func() { errs[i+1] <- call() }()
		waitFor(s, i+1)
	}
	go func() { errs[len(calls)+1] <- s.Close() }()
	<-s.quit
	close(goOn)
	out := make([]error, len(errs))
	for i := range errs {
		out[i] = <-errs[i]
	}
	return out
}

// waitFor waits until so many jobs wait for the writer.
func waitFor(s *Store, jobs int) {
	for len(s.jobs) < jobs {
		runtime.Gosched()
	}
}

// An archive that is closed while the writer is at a full volume is closed with that
// volume sealed: the last commit is not the next program's to end.
func TestCloseWhileSealing(t *testing.T) {
	s, log := closing(t)
	if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	err := s.submit(t.Context(), &job{care: func() error {
		go func() { ended <- s.Close() }()
		<-s.quit                         // it is being closed
		s.opts.VolumeSize, s.grew = 1, 1 // the writer's own
		return nil
	}})
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("it logged\n%s", log.String())
	}
	if _, err := os.Stat(s.live().path); err != nil || len(s.vols) != 2 {
		t.Errorf("%d volumes, %v; want the full one and the next", len(s.vols), err)
	}
}

// What was handed over before an archive is closed is done whole, whatever of the log it
// must read for it: copies are told from originals, versions from each other, a poll ends
// its lease.
func TestCloseDoesWhatWasHandedOver(t *testing.T) {
	s, log := closing(t)
	ctx := context.Background()
	if _, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one"), storetest.Draft("two", "two")}}); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Lease(ctx, store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"beta"}})
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	var copies, versions []store.Outcome
	changed := storetest.Draft("two", "two, and more")
	changed.Trivial = func(*feed.Entry) bool { return false }
	for _, err := range during(t, s,
		func() (err error) {
			copies, err = s.Finish(ctx, leases[0], store.PollResult{State: store.PollState{ETag: "e"}, Batch: &store.Batch{Drafts: []store.Draft{storetest.Draft("its", "one")}}})
			return err
		},
		func() (err error) {
			versions, err = s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{changed}})
			return err
		},
	) {
		if err != nil {
			t.Errorf("it ended with: %v", err)
		}
	}
	if len(copies) != 1 || copies[0].State != store.Duplicate {
		t.Errorf("the copy is %v, want a duplicate", copies)
	}
	if len(versions) != 1 || versions[0].State != store.Revised {
		t.Errorf("the version is %v, want a revision", versions)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("it logged\n%s", log.String())
	}
}

// Content whose takedown was decided is gone when the archive is closed meanwhile.
func TestCloseWhileContentIsRemoved(t *testing.T) {
	s, _ := closing(t)
	ctx := context.Background()
	out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err != nil {
		t.Fatal(err)
	}
	edit := store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}
	for _, err := range during(t, s,
		func() error { return s.submit(ctx, &job{run: func(t *txn) error { return t.edit(&edit) }}) },
		func() error { return s.submit(ctx, &job{care: s.finishTakedowns}) },
	) {
		if err != nil {
			t.Errorf("it ended with: %v", err)
		}
	}
	s2, err := Open(ctx, s.dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if n := pendingIn(t, s2); n != 0 {
		t.Errorf("the content of %d decisions is still there", n)
	}
}

// pendingIn counts the decisions whose content is still to be removed.
func pendingIn(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := view(s.cat, part("catalog"), func(tx *bbolt.Tx) error {
		n = tx.Bucket(catalogBuckets[bPending]).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Who asks for something while the archive is being closed is told so, and nothing is
// taken from it that would not be kept.
func TestClosingTakesNothingMoreIn(t *testing.T) {
	s, _ := closing(t)
	ctx := context.Background()
	leases, err := s.Lease(ctx, store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"beta"}})
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	var late, read, lease error
	ended := make(chan error)
	err = s.submit(ctx, &job{care: func() error {
		go func() { ended <- s.Close() }()
		<-s.quit
		_, late = s.Finish(ctx, leases[0], store.PollResult{State: store.PollState{ETag: "late"}})
		_, lease = s.Lease(ctx, store.LeaseQuery{Now: time.Now(), All: true})
		_, read = s.Sources(ctx)
		return nil
	}})
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(late, store.ErrClosed) || !errors.Is(lease, store.ErrClosed) {
		t.Errorf("a poll that ends: %v, a lease: %v; want ErrClosed of both", late, lease)
	}
	if read != nil && !errors.Is(read, store.ErrClosed) {
		t.Errorf("reading: %v", read)
	}
}

// A seal whose sync failed, and that is in the file all the same, ends its volume: nothing
// that is acknowledged stands behind it.
func TestSealThatFailedAndIsThere(t *testing.T) {
	s, _ := closing(t)
	ctx := t.Context()
	err := s.submit(ctx, &job{care: func() error {
		v := s.live()
		return s.sealWith(v, func(end seal) error { return errors.Join(v.putSeal(end), errors.New("the sync failed")) })
	}})
	if err != nil {
		t.Error(err)
	}
	out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = Open(ctx, s.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if it, err := s.Items(ctx, []feed.ItemID{out[0].ID}, 0); err != nil || len(it) != 1 {
		t.Errorf("%d items, %v; want the one that was acknowledged", len(it), err)
	}
}
