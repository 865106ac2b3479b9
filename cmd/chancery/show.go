package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	htmlpkg "html"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/feed/cite"
	"chancery/feed/html"
	"chancery/feed/itemjson"
	"chancery/feed/versions"
	"chancery/store"
)

type showOptions struct {
	format    string
	revision  int
	diff      string
	raw, cite bool
	decisions bool
}

func (p *program) showCommand() *cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show an item, its versions, the difference of two, or the bytes it came in",
		Long: `Shows an item as text, as the JSON object of search, export and the API, or as a
page; one of its versions; what changed between two; the document it came in, byte
for byte; a citation; or what was decided about it (--decisions: tags by hand,
withdrawals, takedowns, merges and splits, with their reasons).` + namingItems,
		Args: exactly("ID"),
	}
	c.RunE = p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
		switch {
		case o.raw && c.Flags().Changed("format"):
			return usageError("--raw gives the bytes as they came, whatever --format says")
		case o.revision < 0:
			return usageError("--revision %d: versions count from 1", o.revision)
		}
		return e.show(ctx, args[0], o)
	})
	c.Flags().StringVar(&o.format, "format", "text", "text, json or html; with --cite text, bibtex or ris")
	c.Flags().IntVar(&o.revision, "revision", 0, "version `N`, from 1; 0 is the newest")
	c.Flags().StringVar(&o.diff, "diff", "", "what changed between two versions (`A..B`)")
	c.Flags().BoolVar(&o.raw, "raw", false, "the document as received")
	c.Flags().BoolVar(&o.cite, "cite", false, "a citation")
	c.Flags().BoolVar(&o.decisions, "decisions", false, "what was decided about it, with times and reasons")
	c.MarkFlagsMutuallyExclusive("diff", "raw", "cite", "decisions")
	c.MarkFlagsMutuallyExclusive("decisions", "revision")
	c.MarkFlagsMutuallyExclusive("decisions", "format")
	c.MarkFlagsMutuallyExclusive("diff", "revision")
	return c
}

func (e *Env) show(ctx context.Context, name string, o showOptions) error {
	formats := []string{"text", "json", "html"}
	if o.cite {
		formats = []string{"text", "bibtex", "ris"}
	}
	if !slices.Contains(formats, o.format) {
		return usageError("--format %q is not %s or %s", o.format, strings.Join(formats[:2], ", "), formats[2])
	}
	id, err := e.itemID(ctx, name)
	if err != nil {
		return err
	}
	if o.raw {
		it, err := e.revision(ctx, id, o.revision)
		if err != nil {
			return err
		}
		doc, err := e.Archive.Raw(ctx, id, o.revision)
		if errors.Is(err, store.ErrNotFound) && it.TakenDown {
			return failWith(exitFailed, fmt.Errorf("item %s was taken down, with the bytes it came in", id))
		}
		if err != nil {
			return noItem(err, "document of item "+id.String())
		}
		_, err = e.Out.Write(doc.Body)
		return err
	}
	if o.decisions {
		if _, err := e.revision(ctx, id, 0); err != nil {
			return err
		}
		return e.showDecisions(ctx, id)
	}
	if o.diff != "" {
		return e.showDiff(ctx, id, o.diff, o.format)
	}
	it, err := e.revision(ctx, id, o.revision)
	if err != nil {
		return err
	}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.cite:
		return e.printf("%s", e.citation(it, titles[it.Source], o.format))
	case o.format == "json":
		b, err := itemjson.Marshal(it, titles[it.Source])
		if err != nil {
			return err
		}
		var pretty json.RawMessage = b
		enc := json.NewEncoder(e.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(pretty)
	case o.format == "html":
		return e.printf("%s", itemPage(it, titles[it.Source]))
	}
	return e.printf("%s", itemText(it, titles[it.Source]))
}

// noItem gives "not found" its words and exit status.
func noItem(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return failWith(exitFailed, fmt.Errorf("no %s in the archive", what))
	}
	return err
}

// noVersion says which versions an item has.
func noVersion(id feed.ItemID, n, have int) error {
	if have == 1 {
		return dataError("item %s has one version, not %d", id, n)
	}
	return dataError("item %s has versions 1 to %d, not %d", id, have, n)
}

// revision gives a version of an item; 0 is the newest.
func (e *Env) revision(ctx context.Context, id feed.ItemID, n int) (*feed.Item, error) {
	if n == 0 {
		items, err := e.Archive.Items(ctx, []feed.ItemID{id}, store.AllFields)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return nil, noItem(store.ErrNotFound, "item "+id.String())
		}
		return &items[0], nil
	}
	all, err := e.Archive.Revisions(ctx, id)
	if err != nil {
		return nil, noItem(err, "item "+id.String())
	}
	if have := all[len(all)-1].Revisions; n < 1 || n > have {
		return nil, noVersion(id, n, have)
	}
	it := versions.At(all, n)
	if it == nil {
		return nil, fmt.Errorf("version %d of item %s: %w", n, id, store.ErrLost)
	}
	return it, nil
}

func itemText(it *feed.Item, source string) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s %s\n", name, printable(value))
		}
	}
	instant := func(d feed.Date) string {
		switch {
		case !d.IsZero():
			return timeText(d.Time)
		case d.Raw != "":
			return d.Raw + " (not understood)"
		}
		return ""
	}
	if it.TakenDown {
		b.WriteString("This item was taken down: its content was removed from the archive for good.\n\n")
	} else {
		fmt.Fprintf(&b, "%s\n\n", oneLine(cmp.Or(html.Plain(it.Title), "(no title)"), 0))
	}
	line("source", fmt.Sprintf("%s (%s)", source, it.Source))
	line("url", it.URL)
	line("guid", it.Native)
	var authors []string
	for _, a := range it.Authors {
		authors = append(authors, cmp.Or(a.Name, a.Email, a.URL))
	}
	line("authors", strings.Join(authors, ", "))
	line("published", instant(it.Published))
	line("updated", instant(it.Updated))
	line("first seen", timeText(it.FirstSeen))
	line("last seen", timeText(it.LastSeen))
	line("language", it.Language)
	if !it.TakenDown {
		line("topics", topicsText(it.Topics))
	}
	var categories []string
	for _, c := range it.Categories {
		categories = append(categories, cmp.Or(c.Label, c.Term))
	}
	line("categories", strings.Join(categories, ", "))
	for _, x := range it.Enclosures {
		line("enclosure", x.URL)
	}
	version := fmt.Sprintf("%d of %d", it.Revision, it.Revisions)
	if it.Trivial {
		version += ", a trivial change"
	}
	line("version", version)
	for _, s := range it.AlsoIn {
		text := fmt.Sprintf("%s  %s  %s", s.Source, s.ID, s.URL)
		if s.ID == it.Original {
			text += "  (the original)"
		}
		line("also in", text)
	}
	if it.Withdrawn {
		line("state", "withdrawn")
	}
	if it.TakenDown {
		line("state", "taken down")
	}
	line("id", it.ID.String())
	line("digest", it.Digest.String())
	body := html.Plain(it.Content)
	if body == "" {
		body = html.Plain(it.Summary)
	}
	if body != "" {
		b.WriteString("\n")
		for part := range strings.SplitSeq(body, "\n") {
			b.WriteString(printable(part) + "\n")
		}
	}
	return b.String()
}

// topicsText names topics with their scores; ! marks what the item is about.
func topicsText(tags []feed.Tag) string {
	var list []string
	for _, t := range tags {
		if t.Score < 0 {
			continue
		}
		text := fmt.Sprintf("%s %.2f", t.Topic, t.Score)
		if t.About {
			text += " (subject)"
		}
		if t.Manual {
			text += " (by hand)"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// itemPage is the item as a page: sanitized, without anything from elsewhere
// but what it links to.
func itemPage(it *feed.Item, source string) string {
	content := it.Content
	if content.IsZero() {
		content = it.Summary
	}
	title := htmlpkg.EscapeString(cmp.Or(html.Plain(it.Title), "(no title)"))
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html")
	if it.Language != "" {
		fmt.Fprintf(&b, ` lang="%s"`, htmlpkg.EscapeString(it.Language))
	}
	fmt.Fprintf(&b, ">\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n", title)
	fmt.Fprintf(&b, "<p>%s · %s</p>\n<h1>%s</h1>\n", htmlpkg.EscapeString(source), timeText(it.Effective()), title)
	fmt.Fprintf(&b, "%s\n", html.Sanitize(content, html.DefaultPolicy()))
	if it.URL != "" {
		u := htmlpkg.EscapeString(it.URL)
		if strings.HasPrefix(it.URL, "http://") || strings.HasPrefix(it.URL, "https://") {
			u = fmt.Sprintf("<a href=\"%s\">%s</a>", u, u)
		}
		fmt.Fprintf(&b, "<p>%s</p>\n", u)
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

// citation cites a version in a format: "text", "bibtex" or "ris".
func (e *Env) citation(it *feed.Item, source, format string) string {
	w := cite.Work{Item: it, Source: source}
	if base := strings.TrimRight(e.Config.Server.BaseURL, "/"); base != "" {
		w.Page = base + "/items/" + it.ID.String()
	}
	switch format {
	case "bibtex":
		return cite.BibTeX(w)
	case "ris":
		return cite.RIS(w)
	}
	return cite.Text(w) + "\n"
}

// showDiff prints what changed between two versions, paragraph by paragraph.
func (e *Env) showDiff(ctx context.Context, id feed.ItemID, span, format string) error {
	from, to, ok := strings.Cut(span, "..")
	a, aerr := strconv.Atoi(from)
	b, berr := strconv.Atoi(to)
	if !ok || aerr != nil || berr != nil || a < 1 || b < 1 {
		return usageError("--diff %q is not two versions such as 1..2", span)
	}
	old, err := e.revision(ctx, id, a)
	if err != nil {
		return err
	}
	now, err := e.revision(ctx, id, b)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return e.jsonDiff(old, now)
	case "html":
		return e.printf("%s", htmlDiff(old, now))
	}
	return e.printDiff(old, now)
}

func itoa(n int) string { return strconv.Itoa(n) }
