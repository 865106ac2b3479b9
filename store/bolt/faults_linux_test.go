package bolt_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

var everyFault = flag.Int("faults", 0, "let every N-th write and sync fail in TestFaults; 0: some thirty of each kind. make crash sets 1")

// worked is what a run of the workload got acknowledged.
type worked struct {
	items  map[feed.ItemID]string // text
	tried  []string               // texts handed over
	ledger map[string]string
	down   feed.ItemID // taken down; zero: not, or not for sure
	maybe  feed.ItemID // may be taken down
	failed []string    // steps that failed
}

const unwanted = "Zanzibar-8831-secret"

// work does everything that writes to an archive: it makes one, adds sources, takes in
// posts and documents, polls, versions and edits, seals volumes, writes the ledger,
// takes down, compacts and closes, and makes the catalog anew. It goes on after a step that failed.
func work(dir string, o bolt.Options) (w worked) {
	ctx := context.Background()
	w = worked{items: map[feed.ItemID]string{}, ledger: map[string]string{}}
	step := func(what string, err error) bool {
		if err != nil {
			w.failed = append(w.failed, fmt.Sprintf("%s: %v", what, err))
		}
		return err == nil
	}
	s, err := bolt.Open(ctx, dir, o)
	if !step("open", err) {
		return w
	}
	step("source", s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "a", URL: "https://a.example/feed"}}}))
	add := func(guid, text string) (id feed.ItemID) {
		w.tried = append(w.tried, text)
		body := fmt.Sprintf("<rss><head>%s</head><item>%s</item></rss>", guid, text)
		at := strings.Index(body, "<item>")
		part := store.Part{Start: at, End: len(body) - 6, Digest: feed.DigestOf([]byte(body[at : len(body)-6]))}
		d := storetest.Draft(guid, text)
		d.Part = 0
		out, err := s.Append(ctx, store.Batch{Document: &store.Document{Source: "a", Body: []byte(body), Parts: []store.Part{part}}, Drafts: []store.Draft{d}})
		if step("append "+guid, err) {
			w.items[out[0].ID] = text
			return out[0].ID
		}
		return feed.ItemID{}
	}
	for i := range 3 {
		add(fmt.Sprint("g", i), fmt.Sprintf("post %d %x", i, incompressible(i, 3000)))
	}
	id := add("down", unwanted)
	add("g1", fmt.Sprintf("post 1, second version %x", incompressible(1, 3000)))
	if leases, err := s.Lease(ctx, store.LeaseQuery{All: true}); step("lease", err) {
		for _, l := range leases {
			w.tried = append(w.tried, "polled")
			out, err := s.Finish(ctx, l, store.PollResult{State: store.PollState{ETag: "e"}, Batch: &store.Batch{Drafts: []store.Draft{storetest.Draft("polled", "polled")}}})
			if step("finish", err) {
				w.items[out[0].ID] = "polled"
			}
		}
	}
	if step("ledger", s.LedgerWrite(ctx, []store.LedgerEntry{{Space: "x", Key: "k", Value: []byte("v")}})) {
		w.ledger["k"] = "v"
	}
	if !id.IsZero() {
		w.maybe = id
		if step("takedown", s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{id}, Reason: "a court"}})) {
			w.down = id
		}
		delete(w.items, id)
	}
	_, err = s.Compact(ctx, nil)
	step("compact", err)
	add("last", fmt.Sprintf("last %x", incompressible(9, 3000)))
	step("close", s.Close())
	if len(w.failed) == 0 && step("no catalog", os.Remove(filepath.Join(dir, "catalog.bolt"))) { // else the one that is there is the one to be looked at
		if s, err = bolt.Open(ctx, dir, o); step("made anew", err) {
			step("last close", s.Close())
		}
	}
	return w
}

// holds checks an archive, with the disk sound again: what was acknowledged is there,
// nothing is there that was not handed over, all of it agrees.
func (w *worked) holds(dir string) error {
	ctx := context.Background()
	s, err := bolt.Open(ctx, dir, bolt.Options{VolumeSize: 1 << 20})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	rep, err := s.Verify(ctx, true, nil)
	if err != nil || len(rep.Faults) > 0 {
		return fmt.Errorf("verify: %v, %w", rep.Faults, err)
	}
	heads, err := s.Heads(ctx, store.HeadQuery{})
	if err != nil {
		return err
	}
	have := map[feed.ItemID]bool{}
	for _, h := range heads {
		have[h.ID] = true
		revs, err := s.Revisions(ctx, h.ID)
		if err != nil {
			return err
		}
		if want, acked := w.items[h.ID]; acked && !slices.ContainsFunc(revs, func(it feed.Item) bool { return textOf(&it) == want }) {
			return fmt.Errorf("item %v lost what was acknowledged", h.ID)
		}
		for i := range revs {
			if !revs[i].TakenDown && !slices.Contains(w.tried, textOf(&revs[i])) {
				return fmt.Errorf("item %v has a text that nobody wrote", h.ID)
			}
			if _, err := s.Raw(ctx, h.ID, i+1); err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("raw of %v, version %d: %w", h.ID, i+1, err)
			}
		}
		if h.TakenDown && h.ID != w.maybe || !h.TakenDown && h.ID == w.down {
			return fmt.Errorf("item %v: taken down is %v", h.ID, h.TakenDown)
		}
	}
	for id := range w.items {
		if !have[id] {
			return fmt.Errorf("acknowledged item %v is lost", id)
		}
	}
	for k, v := range w.ledger {
		if b, err := s.LedgerGet(ctx, "x", k); err != nil || string(b) != v {
			return fmt.Errorf("acknowledged ledger key %s: %q, %w", k, b, err)
		}
	}
	if _, err := s.Source(ctx, "a"); err == nil {
		if _, err := s.Append(ctx, store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft("after", "after")}}); err != nil {
			return fmt.Errorf("append after it: %w", err)
		}
	}
	if !w.down.IsZero() {
		if err := s.Change(ctx, nil); err != nil { // the next volume is made after the answer
			return err
		}
		files, err := filepath.Glob(filepath.Join(dir, "archive", "v*"))
		if err != nil {
			return err
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err != nil || strings.Contains(string(b), unwanted) {
				return fmt.Errorf("%s still has what was taken down (%w)", name, err)
			}
		}
	}
	return nil
}

// textOf is what storetest.Draft was given.
func textOf(it *feed.Item) string {
	return strings.TrimSuffix(strings.TrimPrefix(it.Content.Value, "<p>"), "</p>")
}

// faultKinds are the ways in which a call fails.
var faultKinds = []struct {
	name        string
	errno       unix.Errno
	torn, power bool
}{
	{"no space", unix.ENOSPC, false, false},
	{"half a write, then no space", unix.ENOSPC, true, false},
	{"input/output error", unix.EIO, false, false},
	{"power lost", unix.EIO, false, true},
}

// faultWriter runs in a process of its own.
func faultWriter(root string) int {
	f, err := watch()
	if err != nil {
		fmt.Println(err)
		return 3
	}
	every, _ := strconv.Atoi(os.Getenv("CHANCERY_FAULT_EVERY"))
	seed, _ := strconv.ParseUint(os.Getenv("CHANCERY_FAULT_SEED"), 10, 64)
	r := rand.New(rand.NewPCG(seed, 0))
	f.arm(0, 0, false, false)
	o := bolt.Options{VolumeSize: 1 << 20}
	w := work(filepath.Join(root, "sound"), o)
	calls, _, _ := f.disarm(r)
	if len(w.failed) > 0 {
		fmt.Println("without a fault:", w.failed)
		return 1
	}
	if every == 0 {
		some, _ := strconv.Atoi(os.Getenv("CHANCERY_FAULT_SOME"))
		every = max(1, calls/max(1, some))
	}
	tried, silent, bad := 0, 0, 0
	for k, kind := range faultKinds {
		for at := 1 + k%every; at <= calls; at += every {
			dir := filepath.Join(root, fmt.Sprintf("%d-%d", k, at))
			if at%2 == 0 { // in the background and between commits, or not before the end
				o = bolt.Paced(o, time.Millisecond, 4<<10, 64<<10)
			} else {
				o = bolt.Paced(o, time.Second, 256<<10, 8<<20)
			}
			f.arm(at, kind.errno, kind.torn, kind.power)
			w := work(dir, o)
			_, named, err := f.disarm(r)
			if err == nil {
				err = w.holds(dir)
			}
			tried++
			if len(w.failed) == 0 {
				silent++ // a volume that is not sealed today is sealed tomorrow
			}
			if err != nil {
				bad++
				fmt.Printf("%s, call %d of %d (%s): %v\n\tfailed meanwhile: %q\n", kind.name, at, calls, named, err, w.failed)
			}
			if err := os.RemoveAll(dir); err != nil {
				fmt.Println(err)
				return 1
			}
		}
	}
	fmt.Printf("%d faults at %d calls, %d of them went unnoticed by the callers\n", tried, calls, silent)
	if bad > 0 {
		return 1
	}
	return 0
}

// Each write, sync, truncation and rename of an archive's life fails once, in each way;
// then the archive opens, has all that was acknowledged and no half of anything, and is
// written on (OPS-26, F-12). After a loss of power only what was synced is there for
// sure, and a random part of the rest.
func TestFaults(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64N(1 << 32)
	some := 30 // of each kind
	if testing.Short() {
		some = 6
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), "CHANCERY_FAULT_DIR="+t.TempDir(), fmt.Sprint("CHANCERY_FAULT_EVERY=", *everyFault), fmt.Sprint("CHANCERY_FAULT_SOME=", some), fmt.Sprint("CHANCERY_FAULT_SEED=", seed))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3 {
		t.Skipf("%s", out)
	}
	t.Logf("seed %d\n%s", seed, out)
	if err != nil {
		t.Error(err)
	}
}
