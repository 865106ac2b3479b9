package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed/opml"
	"chancery/feed/query"
	"chancery/store"
)

func (p *program) exportCommand() *cobra.Command {
	var format, output string
	var newest bool
	c := &cobra.Command{
		Use:   "export [QUERY]",
		Short: "Write out everything, or what a query selects",
		Long: `Writes items in the order in which they arrived: as JSON Lines, CSV (without
content; an apostrophe stands before what a spreadsheet would take for a formula:
= + - @), an Atom document (without what was withdrawn), or the subscriptions as
OPML.

JSON Lines are what "chancery import" takes back, under the same ids. A line is an
item as the API shows it (docs/api.md), its HTML as published, and beside that its
earlier versions ("earlier"), what was decided about it ("decisions": tags by hand,
withdrawals, takedowns, with reasons), and what else its feed said ("more"). Without
a QUERY merges and splits are among the decisions, so that an archive can be moved
so. --newest leaves out earlier versions and decisions, for files that are handed
on; withdrawn items are marked so in any case. The documents that items came in, the
log and its proofs are in a backup only. docs/export.md names every member.`,
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			if newest && format != "jsonl" {
				return usageError("--newest is for --format jsonl; the others have the newest versions only")
			}
			return e.export(ctx, exporting{strings.Join(args, " "), format, newest}, output)
		}),
	}
	c.Flags().StringVar(&format, "format", "jsonl", "jsonl, csv, atom or opml")
	c.Flags().BoolVar(&newest, "newest", false, "only the newest version of each item, without what was decided about it")
	c.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, which appears when it is whole")
	return c
}

// exporting is what is to be exported, and how.
type exporting struct {
	query, format string
	newest        bool
}

func (e *Env) export(ctx context.Context, x exporting, output string) error {
	text, format := x.query, x.format
	switch format {
	case "jsonl", "csv", "atom":
	case "opml":
		if text != "" {
			return usageError("--format opml lists the subscriptions and takes no query")
		}
	default:
		return usageError("--format %q is not jsonl, csv, atom or opml", format)
	}
	var q *query.Query
	if text != "" {
		var err error
		if q, err = parseQuery(text); err != nil {
			return err
		}
	}
	if output == "" || output == "-" {
		left, err := e.exportTo(ctx, q, x)
		return cmp.Or(err, left.err())
	}
	f, err := e.Files.Create(output, false)
	if err != nil {
		return err
	}
	defer f.Abort()
	to := *e
	to.Out = f
	left, err := to.exportTo(ctx, q, x)
	if err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	return left.err()
}

// leftOut is what an export lacks: all else is written all the same.
type leftOut struct{ items, versions, long int }

func (l leftOut) err() error {
	var what []string
	if l.items > 0 {
		what = append(what, plural(l.items, "item"))
	}
	if l.versions > 0 {
		what = append(what, plural(l.versions, "earlier version"))
	}
	long := error(nil)
	if l.long > 0 {
		long = fmt.Errorf("%s left out: with all its versions an item would be too long for a line; a backup has them", plural(l.long, "old version"))
	}
	if len(what) == 0 {
		return long
	}
	return fmt.Errorf("%w: %s could not be read; all others were written", store.ErrCorrupt, strings.Join(what, " and "))
}

// exportTo writes what can be read, and counts what cannot.
func (e *Env) exportTo(ctx context.Context, q *query.Query, x exporting) (left leftOut, err error) {
	text, format := x.query, x.format
	if format == "opml" {
		return left, e.writeOPML(ctx, e.Out)
	}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return left, err
	}
	var w itemWriter
	var lines *exportWriter
	switch format {
	case "jsonl":
		lines, err = e.exportWriter(ctx, titles, q == nil, x.newest)
		w = lines
	case "atom":
		w, err = e.atomStream(ctx, text)
	default:
		w, err = e.itemWriter(ctx, format, feedHead{}, titles)
	}
	if err != nil {
		return left, err
	}
	var total int64
	if q == nil {
		if st, err := e.Archive.Stats(ctx); err == nil {
			total = st.Items
		}
	}
	progress := e.progress("exported", "items")
	defer progress.end()
	var done int64
	left.items, err = e.scanReadable(ctx, q, store.HeadQuery{ByArrival: true, Ascending: true}, titles, func(found hit) (bool, error) {
		done++
		progress.show(done, total)
		return true, w.item(found)
	})
	if err != nil {
		return left, err
	}
	if lines != nil {
		left.versions, left.long = lines.unread, lines.long
	}
	return left, w.end()
}

// writeOPML writes the subscriptions.
func (e *Env) writeOPML(ctx context.Context, w io.Writer) error {
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	l := &opml.List{Title: "Subscriptions of " + e.Config.Publish.Title, OwnerName: e.Config.Publish.Owner, DateModified: time.Now().UTC()}
	for _, s := range sources {
		if state := s.Word(); state == "removed" || state == "imported" {
			continue
		}
		title := s.Title
		if title == "" {
			title = string(s.ID)
		}
		o := opml.Outline{Text: title, Title: title, XMLURL: s.Address(), HTMLURL: s.Site, Language: s.Language}
		l.Outlines = append(l.Outlines, o)
	}
	return opml.Write(w, l)
}
