package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// fullWriter runs in a process of its own, whose files may not grow beyond a limit:
// to the archive that is a full disk. It reports what went wrong, or nothing.
func fullWriter(dir string) error {
	ctx := context.Background()
	s, err := bolt.Open(ctx, dir, bolt.Options{})
	if err != nil {
		return err
	}
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "a", URL: "https://a.example/feed"}}}); err != nil {
		return err
	}
	n := 0
	var kept []feed.ItemID
	add := func() error {
		n++
		d := storetest.Draft(fmt.Sprint(n), fmt.Sprintf("%d %x", n, incompressible(n, 20000)))
		out, err := s.Append(ctx, store.Batch{Source: "a", Drafts: []store.Draft{d}})
		if err == nil {
			kept = append(kept, out[0].ID)
		}
		return err
	}
	for range 10 {
		if err := add(); err != nil {
			return err
		}
	}
	for round := range 8 { // the limit falls at another place of a commit each time
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			return err
		}
		size := int64(0)
		for _, f := range []string{"archive/v000001.bolt", "catalog.bolt"} {
			fi, err := os.Stat(filepath.Join(dir, f))
			if err != nil {
				return err
			}
			size = max(size, fi.Size())
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size) + uint64(round)*16384 - 8192, Max: old.Max}); err != nil {
			return err
		}
		var full error
		polled := ""
		for i := range 400 {
			polled = fmt.Sprint(round, " ", i)
			if err := finishPoll(ctx, s, polled); err != nil {
				return err
			}
			if full = add(); full != nil {
				break
			}
		}
		if st, err := s.Source(ctx, "a"); err != nil || st.State.ETag != polled {
			return fmt.Errorf("round %d: on a full disk the poll before is %q, want %q, %w", round, st.State.ETag, polled, err)
		}
		if !errors.Is(full, store.ErrFull) {
			return fmt.Errorf("round %d: on a full disk Append = %w, want ErrFull", round, full)
		}
		it, err := s.Items(ctx, kept[len(kept)-1:], store.AllFields)
		if err != nil || len(it) != 1 {
			return fmt.Errorf("round %d: reading on a full disk: %d items, %w", round, len(it), err)
		}
		if err := s.Ping(ctx); err != nil {
			return fmt.Errorf("ping on a full disk: %w", err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			return err
		}
		if err := add(); err != nil {
			return fmt.Errorf("round %d: with room again: %w", round, err)
		}
		if st, err := s.Source(ctx, "a"); err != nil || st.State.ETag != polled {
			return fmt.Errorf("round %d: with room again the poll before is %q, want %q, %w", round, st.State.ETag, polled, err)
		}
	}
	rep, err := s.Verify(ctx, true, nil)
	if err != nil || len(rep.Faults) > 0 {
		return fmt.Errorf("verify: %v, %w", rep.Faults, err)
	}
	if int(rep.Items) < len(kept) {
		return fmt.Errorf("%d items, %d were acknowledged", rep.Items, len(kept))
	}
	want, err := s.Source(ctx, "a")
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = bolt.Open(ctx, dir, bolt.Options{}); err != nil {
		return err
	}
	if st, err := s.Source(ctx, "a"); err != nil || st.State.ETag != want.State.ETag {
		return fmt.Errorf("opened again, the last poll is %q, want %q, %w", st.State.ETag, want.State.ETag, err)
	}
	return fullTakedown(ctx, s, dir, kept[0])
}

// fullTakedown is a takedown that a process did not come to the end of, before the disk was
// full: the archive opens all the same, shows nothing of it, and removes the content when
// there is room.
func fullTakedown(ctx context.Context, s *bolt.Store, dir string, id feed.ItemID) error {
	err := bolt.Decide(ctx, s, store.Edit{Kind: store.KindTakedown, Items: []feed.ItemID{id}, Reason: "a court"})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	for _, limit := range []uint64{100 << 10, old.Cur} {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: old.Max}); err != nil {
			return err
		}
		s, err := bolt.Open(ctx, dir, bolt.Options{})
		if err != nil {
			return fmt.Errorf("with something to take down and files of %d bytes: %w", limit, err)
		}
		it, err := s.Items(ctx, []feed.ItemID{id}, store.AllFields)
		if err != nil || len(it) != 1 || !it[0].TakenDown {
			return fmt.Errorf("what is taken down: %v, %w", it, err)
		}
		p, err := s.Prove(ctx, id, 0)
		if gone := len(p.Salt) == 0; err != nil || gone != (limit == old.Cur) {
			return fmt.Errorf("with files of %d bytes, its content is gone: %v, %w", limit, gone, err)
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// finishPoll is a poll of source a that brought nothing.
func finishPoll(ctx context.Context, s *bolt.Store, etag string) error {
	l, err := s.Lease(ctx, store.LeaseQuery{Now: time.Now(), Sources: []feed.SourceID{"a"}})
	if err != nil {
		return err
	}
	if len(l) != 1 {
		return errors.New("no lease of a")
	}
	_, err = s.Finish(ctx, l[0], store.PollResult{State: store.PollState{ETag: etag}})
	return err
}

func incompressible(seed, n int) []byte {
	var b []byte
	for d := feed.DigestOf([]byte(fmt.Sprint(seed))); len(b) < n; d = feed.DigestOf(d[:]) {
		b = append(b, d[:]...)
	}
	return b
}

// OPS-26: a full disk is ErrFull, nothing is half-written, reading goes on, and so
// does writing when there is room again.
func TestFullDisk(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), "CHANCERY_FULL_DIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// OPS-26: a damaged page of the catalog is ErrCorrupt to whoever reads it, never a
// crash, and the next Open makes the catalog anew.
func TestDamagedPages(t *testing.T) {
	dir, _ := filled(t, bolt.Options{})
	path := filepath.Join(dir, "catalog.bolt")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(8192); at < fi.Size() && at < 60*4096; at += 4096 {
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		scribble(t, path, at, 4096)
		s, err := bolt.Open(t.Context(), dir, bolt.Options{})
		if err != nil {
			t.Errorf("page %d: open: %v", at/4096, err)
			continue
		}
		_, errHeads := s.Heads(t.Context(), store.HeadQuery{})
		_, errKnown := s.Known(t.Context(), "alpha", []feed.Digest{{1}})
		_, errAppend := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft(fmt.Sprint(at), fmt.Sprint("p", at))}})
		for _, err := range []error{errHeads, errKnown, errAppend} {
			if err != nil && !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("page %d: %v, want ErrCorrupt", at/4096, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Logf("page %d: close: %v", at/4096, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		s, err = bolt.Open(t.Context(), dir, bolt.Options{})
		if err != nil {
			t.Fatalf("page %d: open without the catalog: %v", at/4096, err)
		}
		rep, err := s.Verify(t.Context(), true, nil)
		if err != nil || len(rep.Faults) > 0 {
			t.Fatalf("page %d: verify: %v, %v", at/4096, rep.Faults, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if whole, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
}
