package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"chancery/aggregator"
	"chancery/cmd/chancery/control"
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
		RunE: p.pollArchive(func(ctx context.Context, e *Env, args []string) error {
			if o.all && len(args) > 0 {
				return usageError("--all and sources by name exclude each other")
			}
			sum, err := e.poll(ctx, args, o.all)
			if err != nil && sum.Sources == 0 {
				return err
			}
			if perr := e.printSummary(sum, o.json, "polled"); perr != nil || err != nil {
				return cmp.Or(err, perr) // what was stored is told before what stopped it
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

// pollArchive makes an archive for a round, but not for names that nobody knows.
func (p *program) pollArchive(run func(ctx context.Context, e *Env, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a := writes
		if p.inside == nil && len(args) > 0 {
			if c, err := p.loadConfig(); err == nil && slices.ContainsFunc(args, func(name string) bool {
				return !slices.ContainsFunc(c.Sources, func(s sourceEntry) bool { return s.ID == name })
			}) {
				a = changes
			}
		}
		return p.archive(a, run)(cmd, args)
	}
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
	for _, id := range ids {
		s, err := e.Archive.Source(ctx, id)
		if err != nil {
			return aggregator.Summary{}, fmt.Errorf("source %s: %w", id, err)
		}
		if s.Address() == "" {
			return aggregator.Summary{}, dataError("source %s came with saved documents and has no address to poll; \"chancery sources set %s --url URL\" gives it one", id, id)
		}
	}
	return w.aggregator.Poll(ctx, aggregator.PollOptions{Sources: ids, All: all})
}

// takeConfig brings into the archive what the configuration says: the sources,
// and which topic rules are in force.
func (e *Env) takeConfig(ctx context.Context, w *works) error {
	said, err := w.aggregator.SyncSources(ctx, e.Config.sources())
	for _, s := range said {
		e.Log.InfoContext(ctx, "configuration", "change", control.Redacted([]string{s}))
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
		if !slices.Contains(known, name) {
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
		if verb == "polled" {
			return json.NewEncoder(e.Out).Encode(s)
		}
		return json.NewEncoder(e.Out).Encode(struct { // there also if there are none
			Documents int `json:"documents"`
			aggregator.Summary
		}{s.Documents, s})
	}
	for _, f := range s.Errors {
		who := f.URL
		if f.Source != "" {
			who = fmt.Sprintf("%s (%s)", f.Source, f.URL)
		}
		e.note("%s: %s", printable(who), printable(withoutPrefix(f.Error, f.URL, errorAddress(f.URL), "open "+f.URL, "source "+string(f.Source), string(f.Source))))
	}
	what := fmt.Sprintf("%s: %d fetched, %d not modified, %d failed", plural(s.Sources, "source"), s.Fetched, s.NotModified, s.Failed)
	if s.Documents > 0 || verb != "polled" {
		what = plural(s.Documents, "document")
		if s.Partial > 0 {
			what += fmt.Sprintf(" (%d in part)", s.Partial)
		}
		what += fmt.Sprintf(", %d failed", s.Failed)
		if s.Added > 0 {
			what += fmt.Sprintf("; %s added", plural(s.Added, "source"))
		}
	}
	return e.printf("%s %s; %s seen, %d new, %d revised, %s; %s in %.1f s\n",
		verb, what, plural(s.Seen, "item"), s.New, s.Revised, plural(s.Duplicate, "duplicate"), bytesText(s.Bytes), s.Seconds)
}
