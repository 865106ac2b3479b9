package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

type backtestOptions struct {
	topic  string
	sample int
	seed   uint64
}

func (p *program) topicsBacktestCommand() *cobra.Command {
	var o backtestOptions
	c := &cobra.Command{
		Use:   "backtest FILE.toml|-",
		Short: "Say what a draft of a rule would gain and lose in the archive, with a sample to judge",
		Long: `The file is a configuration, or only the [[topic]] tables that are drafts. Those
that differ from the rules in force are compared with them over all items; what
persons decided does not count. Of what a draft would gain and lose, a random
sample is shown with the reasons: about 25 show whether a rule is good. The same
seed shows the same sample. Nothing is changed.`,
		Args: exactly("FILE.toml"),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			return e.backtest(ctx, args[0], o)
		}),
	}
	c.Flags().StringVar(&o.topic, "topic", "", "only the draft of this topic (`ID`)")
	c.Flags().IntVar(&o.sample, "sample", 10, "how many gained and how many lost items are shown")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "of the random sample")
	return c
}

// maxDraft bounds a file of drafts, maxSample what is kept of each sample.
const (
	maxDraft  = 16 << 20
	maxSample = 1000
)

func (e *Env) backtest(ctx context.Context, name string, o backtestOptions) error {
	if o.sample < 0 || o.sample > maxSample {
		return usageError("--sample %d is not from 0 to %d", o.sample, maxSample)
	}
	was, err := e.topicSet()
	if err != nil {
		return err
	}
	draft, err := e.readDraft(name, was)
	if err != nil {
		return err
	}
	ids, err := drafted(name, was, draft, feed.TopicID(o.topic))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return e.printf("the drafts are the rules in force\n")
	}
	if was, err = was.Only(ids); err != nil {
		return err
	}
	if draft, err = draft.Only(ids); err != nil {
		return err
	}
	tests := make([]*topic.Backtest, len(ids))
	for i, id := range ids {
		tests[i] = topic.NewBacktest(id, was, draft, o.sample, o.seed)
	}
	titles := map[feed.SourceID]string{}
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	for _, s := range sources {
		titles[s.ID] = s.Title // as when an item comes in
	}
	var total, seen int64
	if st, err := e.Archive.Stats(ctx); err == nil {
		total = st.Items
	}
	progress := e.progress("compared", "items")
	defer progress.end()
	err = e.scan(ctx, nil, store.HeadQuery{ByArrival: true, Ascending: true}, titles, func(h hit) (bool, error) {
		doc := query.NewDoc(&h.item, titles[h.item.Source])
		for _, b := range tests {
			b.Add(doc)
		}
		seen++
		progress.show(seen, total)
		return true, nil
	})
	if err != nil {
		return err
	}
	progress.end()
	for _, b := range tests {
		if err := e.printBacktest(b); err != nil {
			return err
		}
	}
	return nil
}

// readDraft compiles the rules in force with those of a file in their places.
func (e *Env) readDraft(name string, was *topic.Set) (*topic.Set, error) {
	f, err := e.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDraft+1))
	if err != nil {
		return nil, failWith(exitIO, fmt.Errorf("%s: %w", name, err))
	}
	if len(b) > maxDraft {
		return nil, dataError("%s: larger than %s", name, bytesText(maxDraft))
	}
	drafts, err := parseDrafts(name, b)
	if err != nil {
		return nil, failWith(exitData, err)
	}
	if len(drafts) == 0 {
		return nil, dataError("%s: no [[topic]] in it", name)
	}
	rules := was.Rules()
	for _, d := range drafts {
		at := slices.IndexFunc(rules, func(r topic.Rule) bool { return r.ID == d.ID })
		if at >= 0 {
			rules[at] = d
		} else {
			rules = append(rules, d)
		}
	}
	set, err := topic.Compile(rules)
	if err != nil {
		return nil, dataError("%s: %w", name, err)
	}
	return set, nil
}

// drafted lists the topics to compare: the one asked for, or all that differ.
func drafted(name string, was, draft *topic.Set, only feed.TopicID) ([]feed.TopicID, error) {
	ids := topic.Changed(was.Digests(), draft.Digests())
	if only == "" {
		return ids, nil
	}
	if draft.Query(only) == nil {
		return nil, dataError("%s: no topic %q in it, nor in force", name, only)
	}
	if !slices.Contains(ids, only) {
		return nil, nil
	}
	return []feed.TopicID{only}, nil
}

func (e *Env) printBacktest(b *topic.Backtest) error {
	if err := e.printf("%s: of %d items %d have it by both, %d gained, %d lost, %d become or cease to be about it\n",
		b.Topic, b.Items, b.Kept, b.Gained, b.Lost, b.Rescored); err != nil {
		return err
	}
	for _, s := range []struct {
		what  string
		of    int
		items []topic.Sampled
	}{{"gained", b.Gained, b.GainedSample}, {"lost", b.Lost, b.LostSample}} {
		if len(s.items) == 0 {
			continue
		}
		if err := e.printf("\n%s, %d of %d:\n", s.what, len(s.items), s.of); err != nil {
			return err
		}
		for _, it := range s.items {
			why := strings.ReplaceAll(strings.TrimRight(it.Why.Format(e.mark()), "\n"), "\n", "\n  ")
			if err := e.printf("\n%s  %s\n  %s\n", it.ID, oneLine(it.Title, 100), why); err != nil {
				return err
			}
		}
	}
	return e.printf("\n")
}

// mark shows what was found: in bold, or in brackets.
func (e *Env) mark() func(string) string {
	if e.Terminal.Color {
		return func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	}
	return func(s string) string { return "[" + s + "]" }
}

// parseDrafts reads the topics of a configuration. They are not held to their
// examples yet, and may ask for topics that are in force and not in the file.
func parseDrafts(file string, doc []byte) ([]topic.Rule, error) {
	c, r, err := readConfig(file, doc)
	if err != nil {
		return nil, err
	}
	if len(r.faults) > 0 {
		return nil, r.faults.sorted()
	}
	return c.Topics, nil
}
