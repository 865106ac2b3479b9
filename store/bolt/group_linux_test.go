package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// unwritable makes a file of this process that is open for writing one that cannot be
// written, by putting a descriptor for reading in the place of its own, until it is told
// otherwise.
func unwritable(t *testing.T, path string) (sound func()) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var was syscall.Stat_t
	if err := syscall.Stat(path, &was); err != nil {
		t.Fatal(err)
	}
	for _, name := range fds {
		var fd int
		if _, err := fmt.Sscanf(filepath.Base(name), "%d", &fd); err != nil {
			t.Fatal(err)
		}
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil || st.Ino != was.Ino || st.Dev != was.Dev {
			continue
		}
		good, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		bad, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(bad.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		return sync.OnceFunc(func() {
			if err := errors.Join(syscall.Dup3(int(good.Fd()), fd, syscall.O_CLOEXEC), good.Close(), bad.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Fatalf("%s is not open", path)
	return nil
}

// F-12: a commit whose records are in the log, but not in the catalog, is not done again:
// nothing is recorded twice, and a poll that brought them is not told that its lease was
// lost. Where the catalog can be written at once more, nobody notices.
func TestCommitThatTheCatalogLacks(t *testing.T) {
	for name, again := range map[string]bool{"that cannot be written": false, "that can be written again": true} {
		t.Run(name, func(t *testing.T) {
			var sound func()
			s, err := Open(t.Context(), t.TempDir(), Options{Progress: func(what string, _, _ int64) {
				if what == "replay" && again {
					sound()
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx := t.Context()
			storetest.Source(t, s, "alpha")
			one, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
			if err != nil {
				t.Fatal(err)
			}
			end, err := s.End(ctx)
			if err != nil {
				t.Fatal(err)
			}
			leases, err := s.Lease(ctx, store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"alpha"}})
			if err != nil {
				t.Fatal(err)
			}
			begun, goOn, errs := make(chan struct{}), make(chan struct{}), make(chan error, 3)
			go func() {
				errs <- s.submit(ctx, &job{care: func() error {
					close(begun)
					<-goOn
					sound = unwritable(t, s.catalogPath())
					return nil
				}})
			}()
			<-begun
			var polled []store.Outcome
			group := make([]error, 2)
			for i, do := range []func() error{
				func() error {
					return s.Change(ctx, []store.Edit{{Kind: store.KindWithdrawn, Items: []feed.ItemID{one[0].ID}, Reason: "once"}})
				},
				func() (err error) {
					polled, err = s.Finish(ctx, leases[0], store.PollResult{Batch: &store.Batch{Drafts: []store.Draft{storetest.Draft("two", "two")}}})
					return err
				},
			} {
				go func() {
					group[i] = do()
					errs <- nil
				}()
				waitFor(s, i+1)
			}
			close(goOn)
			if err := errors.Join(<-errs, <-errs, <-errs); err != nil {
				t.Fatal(err)
			}
			for _, err := range group {
				if again != (err == nil) || errors.Is(err, store.ErrLeaseLost) {
					t.Errorf("it ended with: %v", err)
				}
			}
			if again && (len(polled) != 1 || polled[0].State != store.New) {
				t.Errorf("the poll brought %v, want a new item", polled)
			}
			sound()
			if err := s.Change(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("three", "three")}}); err != nil {
				t.Fatal(err)
			}
			records, _, err := s.Follow(ctx, end, store.KindsOf(store.KindWithdrawn, store.KindItem), 100)
			if err != nil {
				t.Fatal(err)
			}
			n := map[store.Kind]int{}
			for _, r := range records {
				n[r.Kind]++
			}
			if n[store.KindWithdrawn] != 1 || n[store.KindItem] != 2 {
				t.Errorf("%d withdrawals and %d items are recorded, want 1 and 2", n[store.KindWithdrawn], n[store.KindItem])
			}
			if rep, err := s.Verify(ctx, true, nil); err != nil || len(rep.Faults) > 0 {
				t.Errorf("verify: %v, %v", rep.Faults, err)
			}
		})
	}
}
