package bolt_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// sketchOf is a one-permutation MinHash over 4-word shingles, in the manner of identify.
func sketchOf(words []string) (s store.Sketch) {
	s.Words = len(words)
	var least [128]uint64
	var filled [128]bool
	for i := range max(0, len(words)-3) {
		f := fnv.New64a()
		_, _ = f.Write([]byte(strings.Join(words[i:i+4], " ")))
		h := f.Sum64() * 0x9e3779b97f4a7c15
		h ^= h >> 29
		h *= 0xbf58476d1ce4e5b9
		h ^= h >> 32
		if bin := h >> 57; !filled[bin] || h < least[bin] {
			filled[bin], least[bin] = true, h
		}
	}
	for i := range least {
		j, d := i, uint64(0)
		for !filled[j] {
			j, d = (j+1)%128, d+1
		}
		s.Values[i] = uint8((least[j] + d*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd >> 56)
	}
	return s
}

// Near-duplicates of another source are one story; quotations, other texts, the
// source's own posts and what is far away in time are not (FIGURES part 2.3).
func TestNearDuplicates(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	for _, id := range []feed.SourceID{"a", "b", "c"} {
		storetest.Source(t, s, id)
	}
	r := rand.New(rand.NewPCG(3, 4))
	text := func(n int) []string {
		var w []string
		for range n {
			w = append(w, fmt.Sprintf("w%d", r.IntN(5000)))
		}
		return w
	}
	n := 0
	add := func(source feed.SourceID, words []string, published time.Time) store.Outcome {
		n++
		d := storetest.Draft(fmt.Sprint(n), strings.Join(words, " "))
		d.Entry.Published = feed.Date{Time: published}
		d.Sketch = sketchOf(words)
		out, err := s.Append(t.Context(), store.Batch{Source: source, Drafts: []store.Draft{d}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	day := time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC)
	found := map[string]int{}
	const pairs = 60
	for range pairs {
		orig := text(250 + r.IntN(200))
		first := add("a", orig, day)
		count := func(kind string, o store.Outcome) {
			if o.State == store.Duplicate && o.Story == first.Story {
				found[kind]++
			}
		}
		count("own source", add("a", append(text(10), orig...), day))
		count("intro changed", add("b", append(text(25), orig[25:]...), day.Add(20*24*time.Hour)))
		count("boilerplate added", add("b", append(append([]string{}, orig...), text(40)...), day.Add(-29*24*time.Hour)))
		count("truncated to 60 %", add("c", orig[:len(orig)*6/10], day))
		count("30 % quoted", add("c", append(text(len(orig)*7/10), orig[:len(orig)*3/10]...), day))
		count("unrelated", add("c", text(300), day))
		count("far away", add("b", orig[10:], day.Add(62*24*time.Hour)))
	}
	for kind, c := range map[string][2]int{
		"intro changed": {pairs * 95 / 100, pairs}, "boilerplate added": {pairs * 95 / 100, pairs}, "truncated to 60 %": {pairs * 95 / 100, pairs},
		"30 % quoted": {0, 0}, "unrelated": {0, 0}, "own source": {0, 0}, "far away": {0, 0},
	} {
		if found[kind] < c[0] || found[kind] > c[1] {
			t.Errorf("%s: %d of %d are the first one's story, want %d to %d", kind, found[kind], pairs, c[0], c[1])
		}
	}
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v", rep.Faults, err)
	}
}

// CONFORMANCE SEC-30: a source may bring so many new items a day, and a post so many revisions.
func TestQuotas(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{ItemsPerDay: 10, RevisionsPerDay: 3})
	storetest.Source(t, s, "a")
	storetest.Source(t, s, "b")
	day := time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC)
	add := func(source feed.SourceID, at time.Time, from, to int) error {
		var drafts []store.Draft
		for i := from; i < to; i++ {
			drafts = append(drafts, storetest.Draft(fmt.Sprint(i), fmt.Sprint("post ", source, i)))
		}
		_, err := s.Append(t.Context(), store.Batch{Source: source, Drafts: drafts, At: at})
		return err
	}
	if err := add("a", day, 0, 8); err != nil {
		t.Fatal(err)
	}
	end, _ := s.End(t.Context())
	if err := add("a", day, 8, 14); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("beyond the quota: %v, want ErrFull that names the source", err)
	}
	if now, _ := s.End(t.Context()); now != end {
		t.Error("part of the batch was written")
	}
	for what, err := range map[string]error{
		"the rest": add("a", day, 8, 10), "another source": add("b", day, 0, 10), "the next day": add("a", day.Add(24*time.Hour), 10, 20),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	revised := 0
	for i := range 10 {
		out, err := s.Append(t.Context(), store.Batch{Source: "b", Drafts: []store.Draft{storetest.Draft("1", fmt.Sprint("edit ", i))}, At: day.Add(time.Duration(i) * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if out[0].State == store.Revised {
			revised++
		}
	}
	if revised != 3 {
		t.Errorf("%d revisions in a day, want 3", revised)
	}
}
