package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"chancery/aggregator"
	"chancery/feed"
)

func (p *program) pollCommand() *cobra.Command {
	var o struct{ all, json, strict bool }
	c := &cobra.Command{
		Use:   "poll [SOURCE…]",
		Short: "Poll once: the sources that are due, those named, or all",
		Long: `Polls once and prints a summary: the sources that are due, those named, or
with --all every enabled one, due or not. A time that a server asked to be left
alone for holds even then. A round in which some sources failed is done (0); the
summary names them.`,
		RunE: p.archive(writes, func(ctx context.Context, e *Env, args []string) error {
			if o.all && len(args) > 0 {
				return usageError("--all and sources by name exclude each other")
			}
			sum, err := e.poll(ctx, args, o.all)
			if err != nil {
				return err
			}
			if err := e.printSummary(sum, o.json, "polled"); err != nil {
				return err
			}
			if o.strict && sum.Failed > 0 {
				return quietly(exitFailed)
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&o.all, "all", false, "every enabled source, due or not")
	c.Flags().BoolVar(&o.json, "json", false, "the summary as one JSON object")
	c.Flags().BoolVar(&o.strict, "strict", false, "exit 1 if a source failed")
	return c
}

func (e *Env) poll(ctx context.Context, names []string, all bool) (aggregator.Summary, error) {
	w, err := e.worksOf()
	if err != nil {
		return aggregator.Summary{}, err
	}
	if e.Daemon == nil { // the daemon did so when it started
		if err := e.takeConfig(ctx, w); err != nil {
			return aggregator.Summary{}, err
		}
	}
	ids, err := e.sourceIDs(ctx, names)
	if err != nil {
		return aggregator.Summary{}, err
	}
	return w.aggregator.Poll(ctx, aggregator.PollOptions{Sources: ids, All: all})
}

// takeConfig brings into the archive what the configuration says: the sources,
// and which topic rules are in force.
func (e *Env) takeConfig(ctx context.Context, w *works) error {
	said, err := w.aggregator.SyncSources(ctx, e.Config.sources())
	for _, s := range said {
		e.Log.InfoContext(ctx, "configuration", "change", s)
	}
	if err != nil {
		return err
	}
	return e.takeRules(ctx, w.topics)
}

// sourceIDs checks that the sources named on a command line exist.
func (e *Env) sourceIDs(ctx context.Context, names []string) ([]feed.SourceID, error) {
	if len(names) == 0 {
		return nil, nil
	}
	have, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	known := make([]string, 0, len(have))
	for _, s := range have {
		if !s.Removed {
			known = append(known, string(s.ID))
		}
	}
	ids := make([]feed.SourceID, len(names))
	for i, name := range names {
		if !contains(known, name) {
			text := fmt.Sprintf("no source %q", name)
			if near := nearest(name, known); near != "" {
				text += fmt.Sprintf(" (did you mean %s?)", near)
			}
			return nil, dataError("%s; \"chancery sources list\" names them", text)
		}
		ids[i] = feed.SourceID(name)
	}
	return ids, nil
}

// printSummary prints what a round or an import did.
func (e *Env) printSummary(s aggregator.Summary, asJSON bool, verb string) error {
	if asJSON {
		if s.Errors == nil {
			s.Errors = []aggregator.Failure{}
		}
		return json.NewEncoder(e.Out).Encode(s)
	}
	for _, f := range s.Errors {
		who := f.URL
		if f.Source != "" {
			who = fmt.Sprintf("%s (%s)", f.Source, f.URL)
		}
		e.note("%s: %s", printable(who), printable(f.Error))
	}
	what := fmt.Sprintf("%d sources: %d fetched, %d not modified, %d failed", s.Sources, s.Fetched, s.NotModified, s.Failed)
	if s.Documents > 0 || verb == "imported" {
		what = fmt.Sprintf("%d documents, %d failed", s.Documents, s.Failed)
		if s.Added > 0 {
			what += fmt.Sprintf("; %d sources added", s.Added)
		}
	}
	return e.printf("%s %s; %d items seen, %d new, %d revised, %d duplicates; %s in %.1f s\n",
		verb, what, s.Seen, s.New, s.Revised, s.Duplicate, bytesText(s.Bytes), s.Seconds)
}
