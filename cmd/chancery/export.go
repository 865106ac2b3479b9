package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/feed/opml"
	"chancery/feed/query"
	"chancery/publish/web"
	"chancery/store"
)

func (p *program) exportCommand() *cobra.Command {
	var format, output string
	c := &cobra.Command{
		Use:   "export [QUERY]",
		Short: "Write out everything, or what a query selects",
		Long: `Writes items in the order in which they arrived: as JSON Lines (the newest
version of each, whole, and what "chancery import" takes back; a backup has all),
CSV (without content; an apostrophe stands before what a spreadsheet would take
for a formula: = + - @), an Atom document, or the subscriptions as OPML.`,
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			return e.export(ctx, strings.Join(args, " "), format, output)
		}),
	}
	c.Flags().StringVar(&format, "format", "jsonl", "jsonl, csv, atom or opml")
	c.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, which appears when it is whole")
	return c
}

func (e *Env) export(ctx context.Context, text, format, output string) error {
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
		unread, err := e.exportTo(ctx, q, text, format)
		if err != nil {
			return err
		}
		return leftOut(unread)
	}
	f, err := e.Files.Create(output, false)
	if err != nil {
		return err
	}
	defer f.Abort()
	to := *e
	to.Out = f
	unread, err := to.exportTo(ctx, q, text, format)
	if err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	return leftOut(unread)
}

// leftOut is an error if items could not be read: the others are written all the same.
func leftOut(unread int) error {
	if unread == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s could not be read; all others were written", store.ErrCorrupt, plural(unread, "item"))
}

// exportTo writes what can be read, and counts what cannot.
func (e *Env) exportTo(ctx context.Context, q *query.Query, text, format string) (unread int, err error) {
	if format == "opml" {
		return 0, e.writeOPML(ctx, e.Out)
	}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return 0, err
	}
	var w itemWriter
	switch format {
	case "jsonl": // as published, for keeping: what import takes back
		sources, err := e.Archive.Sources(ctx)
		if err != nil {
			return 0, err
		}
		of := make(map[feed.SourceID]itemjson.Source, len(sources))
		for _, s := range sources {
			of[s.ID] = itemjson.Source{Title: titles[s.ID], URL: web.PublicURL(&s.Source), Site: s.Site} // exports are handed on
		}
		w = &lineWriter{e: e, titles: titles, marshal: func(it *feed.Item, _ string) ([]byte, error) {
			return itemjson.Export(it, of[it.Source])
		}}
	case "atom":
		w, err = e.atomStream(ctx, text)
	default:
		w, err = e.itemWriter(ctx, format, feedHead{}, titles)
	}
	if err != nil {
		return 0, err
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
	unread, err = e.scanReadable(ctx, q, store.HeadQuery{ByArrival: true, Ascending: true}, titles, func(found hit) (bool, error) {
		done++
		progress.show(done, total)
		return true, w.item(found)
	})
	if err != nil {
		return 0, err
	}
	return unread, w.end()
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
