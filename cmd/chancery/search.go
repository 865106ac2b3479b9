package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/query"
	"chancery/publish/render"
	"chancery/store"
)

type searchOptions struct {
	format, sort string
	limit        int
	count        bool
	timeout      duration
}

// What a query of the command line may be (SEC-27): a person types less, and the
// daemon runs it for whoever may use its socket. Rules of the configuration are
// the operator's and may be longer.
const (
	maxSearchBytes = 4 << 10
	maxSearchTerms = 64
	searchTimeout  = 60 * time.Second
)

// errSlow is why a search ends that took its time.
var errSlow = errors.New("the time for the search ran out")

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
published:2009-01, is:revised and more. Every item of the archive is read; after
--timeout what was found until then is printed, and the status is 1. A query has
at most 4 KiB and 64 terms.`,
		Args: atLeastOne("QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if _, err := searchQuery(text); err != nil { // before an archive is looked for
				p.began = true
				return err
			}
			return p.archive(reads, func(ctx context.Context, e *Env, _ []string) error { return e.search(ctx, text, o) })(cmd, args)
		},
	}
	c.Flags().StringVar(&o.format, "format", "table", "table, jsonl, csv, atom, rss or json")
	c.Flags().StringVar(&o.sort, "sort", "newest", "newest, oldest or relevance")
	c.Flags().IntVar(&o.limit, "limit", 50, "at most so many; 0: all")
	c.Flags().DurationVar(&o.timeout, "timeout", searchTimeout, "stop looking after this; 0: never")
	c.Flags().BoolVar(&o.count, "count", false, "print only how many there are")
	return c
}

// maxFeedEntries bounds what one feed document of a search may carry: it is made
// in memory.
const maxFeedEntries = 10_000

func (e *Env) search(ctx context.Context, text string, o searchOptions) error {
	q, err := searchQuery(text)
	if err != nil {
		return err
	}
	if o.timeout < 0 {
		return usageError("--timeout %v is negative", o.timeout)
	}
	slow := false
	scan := func(ctx context.Context, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error {
		within := ctx
		if o.timeout > 0 {
			var cancel context.CancelFunc
			within, cancel = context.WithTimeoutCause(ctx, o.timeout, errSlow)
			defer cancel()
		}
		err := e.scan(within, q, h, titles, visit)
		if err != nil && ctx.Err() == nil && errors.Is(context.Cause(within), errSlow) {
			slow = true
			return nil
		}
		return err
	}
	if err := e.searched(ctx, text, o, scan); err != nil || !slow {
		return err
	}
	e.note("stopped after %v without having looked at every item; --timeout gives a search more time", o.timeout)
	return quietly(exitFailed)
}

// scanFunc visits the items of a search.
type scanFunc func(ctx context.Context, h store.HeadQuery, titles map[feed.SourceID]string, visit func(hit) (bool, error)) error

// searched prints what scan finds.
func (e *Env) searched(ctx context.Context, text string, o searchOptions, scan scanFunc) error {
	if o.limit < 0 {
		return usageError("--limit %d is negative", o.limit)
	}
	h := store.HeadQuery{}
	switch o.sort {
	case "newest", "relevance":
	case "oldest":
		h.Ascending = true
	default:
		return usageError("--sort %q is not newest, oldest or relevance", o.sort)
	}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return err
	}
	if o.count {
		n := 0
		if err := scan(ctx, h, titles, func(hit) (bool, error) { n++; return true, nil }); err != nil {
			return err
		}
		return e.printf("%d\n", n)
	}
	w, err := e.itemWriter(ctx, o.format, feedHead{title: "Search: " + text, path: "search", query: text}, titles)
	if err != nil {
		return err
	}
	if o.sort == "relevance" {
		if err := e.byRelevance(ctx, scan, h, o.limit, titles, w); err != nil {
			return err
		}
		return w.end()
	}
	n := 0
	err = scan(ctx, h, titles, func(found hit) (bool, error) {
		n++
		return o.limit == 0 || n < o.limit, w.item(found)
	})
	if err != nil {
		return err
	}
	return w.end()
}

// maxRanked bounds how many hits are kept for ranking.
const maxRanked = 10_000

// byRelevance keeps the best hits, newest first among equals, and writes them.
func (e *Env) byRelevance(ctx context.Context, scan scanFunc, h store.HeadQuery, limit int, titles map[feed.SourceID]string, w itemWriter) error {
	if limit == 0 || limit > maxRanked {
		limit = maxRanked
	}
	var best []hit
	err := scan(ctx, h, titles, func(found hit) (bool, error) {
		at, _ := slices.BinarySearchFunc(best, found, func(a, b hit) int {
			if a.match.Score >= b.match.Score { // what came first (newer) stays before
				return -1
			}
			return 1
		})
		if at < limit {
			best = slices.Insert(best, at, found)
			best = best[:min(len(best), limit)]
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, found := range best {
		if err := w.item(found); err != nil {
			return err
		}
	}
	return nil
}

// tableWriter writes items for a person: a line with date, source and title, and
// one with the place that matched.
type tableWriter struct {
	e      *Env
	titles map[feed.SourceID]string
	n      int
}

func (t *tableWriter) item(found hit) error {
	it := &found.item
	columns := cmp.Or(t.e.Terminal.Width, 100)
	if !t.e.Terminal.Out {
		columns = 0
	}
	bold, dim, plain := "", "", ""
	if t.e.Terminal.Color {
		bold, dim, plain = "\x1b[1m", "\x1b[2m", "\x1b[0m"
	}
	title := oneLine(cmp.Or(html.Plain(it.Title), it.URL, "(no title)"), 0)
	tags := make([]string, 0, len(it.Topics))
	for _, tag := range it.Topics {
		if tag.Score >= 0 {
			tags = append(tags, string(tag.Topic))
		}
	}
	head := fmt.Sprintf("%s  %s", it.Effective().Format("2006-01-02"), oneLine(t.titles[it.Source], 30))
	if columns > 0 {
		title = oneLine(title, max(20, columns-textWidth(head)-2))
	}
	t.n++
	if err := t.e.printf("%s%s%s  %s%s%s\n", dim, head, plain, bold, title, plain); err != nil {
		return err
	}
	below := it.ID.String()
	if len(tags) > 0 {
		below += "  [" + strings.Join(tags, " ") + "]"
	}
	if err := t.e.printf("  %s%s  %s%s\n", dim, below, oneLine(it.URL, 0), plain); err != nil {
		return err
	}
	return t.snippet(found, columns)
}

// snippet shows the first place in the text that the query matched.
func (t *tableWriter) snippet(found hit, columns int) error {
	for _, ev := range found.match.Evidence {
		if ev.Field != query.Text {
			continue
		}
		doc := query.NewDoc(&found.item, t.titles[found.item.Source])
		before, word, after := doc.Snippet(ev.Place, 60)
		if t.e.Terminal.Color {
			return t.e.printf("  …%s\x1b[1m%s\x1b[0m%s…\n", oneSpace(before), oneSpace(word), oneSpace(after))
		}
		return t.e.printf("  %s\n", oneLine("…"+before+word+after+"…", max(0, columns-2)))
	}
	return nil
}

func (t *tableWriter) end() error {
	if t.n == 0 {
		t.e.note("nothing found")
	}
	return nil
}

// oneSpace folds white space but keeps a space at the ends.
func oneSpace(s string) string {
	s = printable(s)
	folded := strings.Join(strings.Fields(s), " ")
	if strings.HasPrefix(s, " ") {
		folded = " " + folded
	}
	if strings.HasSuffix(s, " ") && strings.TrimSpace(folded) != "" {
		folded += " "
	}
	return folded
}

// feedWriter collects entries for one feed document.
type feedWriter struct {
	e      *Env
	format render.Format
	feed   render.Feed
	entry  func(*feed.Item) render.Entry
}

func (f *feedWriter) item(found hit) error {
	if len(f.feed.Entries) >= maxFeedEntries {
		return dataError("more than %d items for one feed document; use --limit, or --format jsonl", maxFeedEntries)
	}
	f.feed.Entries = append(f.feed.Entries, f.entry(&found.item))
	return nil
}

func (f *feedWriter) end() error {
	for _, entry := range f.feed.Entries {
		if entry.Updated.After(f.feed.Updated) {
			f.feed.Updated = entry.Updated
		}
	}
	doc, err := render.Write(&f.feed, f.format)
	if err != nil {
		return err
	}
	_, err = f.e.Out.Write(doc)
	return err
}
