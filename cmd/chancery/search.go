package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed/query"
	"chancery/store"
)

type searchOptions struct {
	format, sort, asOf, cursor       string
	limit                            int
	count, facets, allVersions, scan bool
	noPager                          bool
	fold                             bool
	timeout                          duration

	// What the texts above mean, filled in by check.
	order store.SearchOrder
	known time.Time // of asOf: its last instant
}

// What a query of the command line may be (SEC-27): a person types less, and the
// daemon runs it for whoever may use its socket. Rules of the configuration are
// the operator's and may be longer.
const (
	maxSearchBytes = 4 << 10
	maxSearchTerms = 64
	searchTimeout  = 60 * time.Second
)

// searchQuery reads the query of a search and bounds it.
func searchQuery(text string) (*query.Query, error) {
	if len(text) > maxSearchBytes {
		return nil, dataError("the query has %d bytes; a search takes at most %d", len(text), maxSearchBytes)
	}
	q, err := parseQuery(text)
	if err != nil {
		return nil, err
	}
	if n := len(q.Terms()); n > maxSearchTerms {
		return nil, dataError("the query has %d terms; a search takes at most %d", n, maxSearchTerms)
	}
	return q, nil
}

func (p *program) searchCommand() *cobra.Command {
	var o searchOptions
	c := &cobra.Command{
		Use:   "search QUERY",
		Short: "Find items",
		Long: `Finds items by a query: words, "phrases", =Exact, prefix*, a NEAR/8 b, AND, OR,
NOT, ( ), title:, author:, source:, category:, url:, lang:, topic:, about:,
published:2009-01, is:revised and more; docs/query.md has all of it. A query has at
most 4 KiB and 64 terms.

The full-text index answers. Without a daemon the command brings it up to date first.
Where it cannot be used every item is read instead, and the command says so; after
--timeout what was found until then is printed, and the status is 1.

--as-of DATE shows the archive as it was known at the end of that day: which items,
and which versions of them. A day, month or year, or an instant as
2009-02-01T12:00:00Z. Topics are today's.

The table and the feeds show a story once, with "also at" for its copies; jsonl, csv,
--count and --all-versions have every copy. --fold and --fold=false choose.

--facets counts what was found by topic, source, language and year, and over time:
below the table; with --format jsonl or json as one JSON object and with csv as
rows, in place of the items.

On a terminal a long table goes through $PAGER, else less.`,
		Args: atLeastOne("QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.began = true
			text := strings.Join(args, " ")
			if _, err := searchQuery(text); err != nil { // before an archive is looked for
				return p.underlined(err, text)
			}
			if err := o.check(cmd.Flags().Changed("fold"), time.Now()); err != nil {
				return err
			}
			end := p.page(o)
			err := p.archive(reads, func(ctx context.Context, e *Env, _ []string) error { return e.search(ctx, text, o) })(cmd, args)
			return end(err)
		},
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", "table", "table, jsonl, csv, atom, rss or json")
	f.StringVar(&o.sort, "sort", "newest", "newest, oldest or relevance")
	f.IntVar(&o.limit, "limit", 50, "at most so many; 0: all")
	f.StringVar(&o.cursor, "cursor", "", "go on behind an earlier page, by the `TEXT` that it ended with")
	f.StringVar(&o.asOf, "as-of", "", "the archive as it was known at the end of `DATE`")
	f.BoolVar(&o.allVersions, "all-versions", false, "find in every version of an item, each a hit of its own")
	f.BoolVar(&o.fold, "fold", false, "show a story once (the default of the table and the feeds)")
	f.BoolVar(&o.facets, "facets", false, "count by topic, source, language, year, and over time")
	f.BoolVar(&o.count, "count", false, "print only how many there are")
	f.BoolVar(&o.scan, "scan", false, "read every item rather than the index: slow, and without its bounds")
	f.DurationVar(&o.timeout, "timeout", searchTimeout, "when every item is read: stop after this; 0: never")
	f.BoolVar(&o.noPager, "no-pager", false, "print a long table straight to the terminal")
	c.MarkFlagsMutuallyExclusive("count", "facets")
	c.MarkFlagsMutuallyExclusive("count", "cursor")
	return c
}

// check reads the options; folds says that folding was asked for or forbidden.
func (o *searchOptions) check(folds bool, now time.Time) error {
	switch o.format {
	case "table", "atom", "rss", "json":
		o.fold = o.fold || !folds && !o.count && !o.allVersions
	case "jsonl", "csv":
	default:
		return usageError("--format %q is not table, jsonl, csv, atom, rss or json", o.format)
	}
	switch o.sort {
	case "newest":
	case "oldest":
		o.order = store.Oldest
	case "relevance":
		o.order = store.Relevance
	default:
		return usageError("--sort %q is not newest, oldest or relevance", o.sort)
	}
	switch {
	case o.limit < 0:
		return usageError("--limit %d is negative", o.limit)
	case o.timeout < 0:
		return usageError("--timeout %v is negative", o.timeout)
	case o.facets && (o.format == "atom" || o.format == "rss"):
		return usageError("--facets has no place in a feed; use --format table, jsonl, json or csv")
	case o.scan && o.index() != "":
		return usageError("--scan and %s exclude each other: only the index can do that", o.index())
	}
	if o.asOf == "" {
		return nil
	}
	var err error
	o.known, err = lastInstant(o.asOf)
	switch {
	case err != nil:
		return err
	case o.known.After(now): // the end of today
		o.known = time.Time{}
	}
	return nil
}

// index names an option that only the index can answer.
func (o *searchOptions) index() string {
	switch {
	case o.asOf != "":
		return "--as-of"
	case o.allVersions:
		return "--all-versions"
	case o.facets:
		return "--facets"
	case o.cursor != "":
		return "--cursor"
	}
	return ""
}

// lastInstant is the end of a day, month or year, or an instant as RFC 3339 has it.
func lastInstant(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	for layout, next := range map[string][3]int{"2006-01-02": {0, 0, 1}, "2006-01": {0, 1, 0}, "2006": {1, 0, 0}} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.AddDate(next[0], next[1], next[2]).Add(-time.Nanosecond), nil
		}
	}
	return time.Time{}, usageError("--as-of %q is not a day, month or year such as 2009-02-01, nor an instant such as 2009-02-01T12:00:00Z", text)
}

func (e *Env) search(ctx context.Context, text string, o searchOptions) error {
	q, err := searchQuery(text)
	if err != nil {
		return err
	}
	e.noteUnknownTopics(q)
	if o.scan {
		return e.searchByReading(ctx, q, text, o)
	}
	x, done, err := e.searchIndex(ctx)
	if err == nil {
		err = e.searchByIndex(ctx, x, q, text, o)
		done()
	}
	none, ok := errors.AsType[*noIndexError](err)
	if !ok {
		return err
	}
	if option := o.index(); option != "" {
		return failWith(exitUnavailable, errors.New(option+" needs the full-text index: "+none.why))
	}
	e.note("%s; reading every item of the archive instead", none.why)
	return e.searchByReading(ctx, q, text, o)
}
