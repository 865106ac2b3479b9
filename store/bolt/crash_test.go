package bolt_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

var crashes = flag.Int("crashes", 5, "how often TestKill kills the writer; make crash sets 200")

// TestMain is also the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CHANCERY_CRASH_DIR"); dir != "" {
		if err := crashWriter(dir, os.Getenv("CHANCERY_CRASH_RUN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv("CHANCERY_FAULT_DIR"); dir != "" {
		os.Exit(faultWriter(dir))
	}
	if dir := os.Getenv("CHANCERY_FULL_DIR"); dir != "" {
		if err := fullWriter(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashWriter writes from four goroutines until it is killed, and says on standard
// output what was acknowledged: never before it was.
func crashWriter(dir, run string) error {
	ctx := context.Background()
	s, err := bolt.Open(ctx, dir, bolt.Options{VolumeSize: 2 << 20})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		id := feed.SourceID(fmt.Sprint("s", w))
		if err := s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: id, URL: "https://x.example/" + string(id)}}}); err != nil {
			return err
		}
		wg.Go(func() {
			seed := feed.DigestOf([]byte(run)) // other texts in each run, or they would be known again
			r := rand.New(rand.NewPCG(uint64(w), uint64(seed[0])<<8|uint64(seed[1])))
			for i := 0; ; i++ {
				b := madeDoc(r, id, 1+r.IntN(5))
				for j := range b.Drafts {
					b.Drafts[j].Native = fmt.Sprintf("%s/%d/%d/%d", run, w, i, j)
					b.Drafts[j].Keys = []store.Key{storetest.Hash(store.KeyGUID, b.Drafts[j].Native)}
				}
				out, err := s.Append(ctx, b)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				mu.Lock()
				for j, o := range out {
					fmt.Println(o.ID, b.Drafts[j].Native)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return s.Close()
}

// kill -9 at random moments under load: nothing acknowledged is lost or doubled, and
// the archive opens and is sound.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	acked := map[string]feed.ItemID{}
	var worst time.Duration
	for run := range *crashes {
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$")
		cmd.Env = append(os.Environ(), "CHANCERY_CRASH_DIR="+dir, fmt.Sprintf("CHANCERY_CRASH_RUN=%d", run))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var fresh []string
		kill := 1 + r.IntN(120) // after so many acknowledgements, and a random moment
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, native, ok := strings.Cut(lines.Text(), " ")
			item, err := feed.ParseItemID(id)
			if !ok || err != nil {
				continue // cut by the kill
			}
			acked[native] = item
			fresh = append(fresh, native)
			if kill--; kill == 0 {
				go func(wait time.Duration) {
					timer := time.NewTimer(wait)
					<-timer.C
					_ = cmd.Process.Kill()
				}(time.Duration(r.IntN(20000)) * time.Microsecond)
			}
		}
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("run %d: %s", run, stderr.String())
		}
		start := time.Now()
		s, err := bolt.Open(t.Context(), dir, bolt.Options{VolumeSize: 2 << 20})
		if err != nil {
			t.Fatalf("run %d: open: %v", run, err)
		}
		worst = max(worst, time.Since(start))
		everything := run == *crashes-1 || run%20 == 19
		checkAcked(t, s, run, fresh, acked, everything)
		if rep, err := s.Verify(t.Context(), everything, nil); err != nil || len(rep.Faults) > 0 {
			t.Fatalf("run %d: verify: %v, %v", run, rep.Faults, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d acknowledged items, slowest open %v", len(acked), worst)
}

// checkAcked looks for the items that were acknowledged: those of the last run, or
// everything, and then that nothing is there twice.
func checkAcked(t *testing.T, s *bolt.Store, run int, fresh []string, acked map[string]feed.ItemID, everything bool) {
	t.Helper()
	for part := range slices.Chunk(fresh, 500) {
		var ids []feed.ItemID
		for _, native := range part {
			ids = append(ids, acked[native])
		}
		items, err := s.Items(t.Context(), ids, 0)
		if err != nil || len(items) != len(ids) {
			t.Errorf("run %d: %d of %d acknowledged items are there, %v", run, len(items), len(ids), err)
			return
		}
		for i, it := range items {
			if it.Native != part[i] {
				t.Errorf("run %d: %v is %s, was acknowledged as %s", run, it.ID, it.Native, part[i])
			}
		}
	}
	if !everything {
		return
	}
	seen := map[string]feed.ItemID{}
	for q := (store.HeadQuery{ByArrival: true, Ascending: true}); ; {
		heads, err := s.Heads(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(heads) == 0 {
			break
		}
		var ids []feed.ItemID
		for _, h := range heads {
			ids = append(ids, h.ID)
		}
		items, err := s.Items(t.Context(), ids, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if _, twice := seen[it.Native]; twice {
				t.Errorf("run %d: %s is there twice", run, it.Native)
			}
			seen[it.Native] = it.ID
		}
		q.After = &heads[len(heads)-1]
	}
	for native, id := range acked {
		if seen[native] != id {
			t.Errorf("run %d: %s was acknowledged as %v and is %v", run, native, id, seen[native])
		}
	}
}
