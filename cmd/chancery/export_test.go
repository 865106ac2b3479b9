package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/aggregator"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// exportAll is what "export" writes of an archive.
func exportAll(t *testing.T, s store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	e := &Env{Config: defaultConfig(), Archive: s, Out: &b, Err: io.Discard}
	left, err := e.exportTo(t.Context(), nil, exporting{format: "jsonl"})
	if err != nil || left.err() != nil {
		t.Fatal(err, left.err())
	}
	return b.Bytes()
}

// importAll takes an export in.
func importAll(t *testing.T, s store.Store, lines []byte) aggregator.Summary {
	t.Helper()
	w, err := newWorks(defaultConfig(), s, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	im := w.aggregator.NewImporter()
	sum, err := im.Take(t.Context(), aggregator.ImportOptions{Name: "all.jsonl"}, bytes.NewReader(lines))
	if err != nil || len(sum.Errors) > 0 {
		t.Fatal(err, sum.Errors)
	}
	return sum
}

// byHand leaves out what may differ: the topics that rules gave (here are other rules),
// and the decisions by which an import keeps stories as they were.
func byHand(t *testing.T, lines []byte) (out []string) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		var kept []any
		topics, _ := o["topics"].([]any)
		for _, v := range topics {
			if v.(map[string]any)["manual"] == true {
				kept = append(kept, v)
			}
		}
		if delete(o, "topics"); kept != nil {
			o["topics"] = kept
		}
		var decisions []any
		made, _ := o["decisions"].([]any)
		for _, v := range made {
			if d := v.(map[string]any); d["by"] != "import" {
				decisions = append(decisions, v)
			}
		}
		if delete(o, "decisions"); decisions != nil {
			o["decisions"] = decisions
		}
		b, err := json.MarshalIndent(o, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// P-74: whatever pipelines and people did to an archive, what is exported of it and taken
// in by an empty one is the same there: ids, versions, decisions, states, stories. Taken in
// again it changes nothing.
func TestExportIsTakenBackWhole(t *testing.T) {
	seeds, steps := uint64(12), 150
	if testing.Short() {
		seeds = 4
	}
	var all sync.Map // seed to lines
	t.Run("seeds", func(t *testing.T) { takenBack(t, seeds, steps, &all) })
	for what, at := range map[string]string{
		"earlier versions": `"earlier":`, "withdrawals": `"kind":"withdraw"`, "takedowns": `"kind":"takedown"`, "merges": `"kind":"merge"`,
		"splits": `"kind":"split"`, "tags": `"kind":"topics"`, "originals": `"original":`, "further identities": `"known_as":`,
	} {
		found := false
		all.Range(func(_, lines any) bool {
			found = strings.Contains(lines.(string), at)
			return !found
		})
		if !found {
			t.Errorf("the scripts made no %s", what)
		}
	}
}

func takenBack(t *testing.T, seeds uint64, steps int, all *sync.Map) {
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			open := func() store.Store {
				s, err := bolt.Open(t.Context(), t.TempDir(), bolt.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			from, model := open(), storetest.NewModel()
			script := storetest.NewScript(seed)
			if err := script.Setup(t.Context(), from, model); err != nil {
				t.Fatal(err)
			}
			for i := range steps {
				if err := script.Step(t.Context(), from, model); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			lines := exportAll(t, from)
			all.Store(seed, string(lines))
			to := open()
			importAll(t, to, lines)
			if diff := cmp.Diff(byHand(t, lines), byHand(t, exportAll(t, to))); diff != "" {
				t.Errorf("exported, taken in and exported again (-before +after):\n%s", diff)
			}
			end, _ := to.End(t.Context())
			if sum := importAll(t, to, lines); sum.New+sum.Revised+sum.Duplicate > 0 {
				t.Errorf("taken in twice: %+v", sum)
			}
			if now, _ := to.End(t.Context()); now != end {
				t.Errorf("taken in twice, the log grew from %d to %d", end, now)
			}
			rep, err := to.Verify(t.Context(), true, nil)
			if err != nil || len(rep.Faults) > 0 {
				t.Errorf("verify: %v, %v", rep.Faults, err)
			}
		})
	}
}

// A query that asks for nothing in the text finds the same without it.
func TestScanWithoutText(t *testing.T) {
	for text, want := range map[string]bool{
		"topic:iran -is:revised": false, "id:01jb00 OR published:2009": false, "has:enclosure": false,
		"iran": true, "topic:iran a": true, "lang:fa": true, "-lang:fa topic:iran": true, "source:x": true, "topic:iran (NOT title:b)": true,
	} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := readsText(q); got != want {
			t.Errorf("%s reads text: %v", text, got)
		}
	}
}
