package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/index"
)

// noIndexError: the full-text index cannot answer, and the items must be read.
type noIndexError struct{ why string }

func (e *noIndexError) Error() string { return e.why }

const (
	// maxCatchUp is how many records a search without a daemon takes in by itself:
	// half a minute of work. "chancery reindex" takes in more.
	maxCatchUp = 100_000
	// waitForIndex is how long it waits for another command that does so.
	waitForIndex = 30 * time.Second
)

// searchIndex gives the index, up to date: the daemon's own, else that of the data
// directory, until done is called. The error is a *noIndexError where there is none
// that can be used.
func (e *Env) searchIndex(ctx context.Context) (x *index.Index, done func(), err error) {
	if e.Daemon != nil {
		if e.Daemon.index == nil {
			return nil, nil, &noIndexError{"the daemon cannot use its full-text index (its log says why)"}
		}
		return e.Daemon.index, func() {}, e.awaitIndex(ctx, e.Daemon.index)
	}
	x, err = e.ownIndex(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return nil, nil, &noIndexError{fmt.Sprintf("the full-text index cannot be used (%v)", err)}
	}
	done = func() { _ = x.Close() } // what it holds is in the archive
	end, err := e.Archive.End(ctx)
	if err != nil {
		done()
		return nil, nil, err
	}
	s := x.IndexState()
	if s.Fault != "" {
		e.note("the full-text index is made anew: %s", s.Fault)
	}
	if behind := int64(end) - s.Done; behind > maxCatchUp {
		done()
		return nil, nil, &noIndexError{fmt.Sprintf("the full-text index lacks %d records (\"chancery reindex\" or the daemon takes them in)", behind)}
	}
	p := e.progress("indexed", "records")
	err = x.CatchUp(ctx, p.show)
	p.end()
	if err != nil {
		done()
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return nil, nil, &noIndexError{fmt.Sprintf("the full-text index cannot be brought up to date (%v)", err)}
	}
	return x, done, nil
}

// indexLag is how long a search waits for the daemon's index to take in what was
// stored before the search began.
const indexLag = 2 * time.Second

// awaitIndex waits until what was stored before is found, so that a search finds
// what the command before it brought.
func (e *Env) awaitIndex(ctx context.Context, x *index.Index) error {
	end, err := e.Archive.End(ctx)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(indexLag)
	for {
		s := x.IndexState()
		if s.Cursor >= end {
			return nil
		}
		if behind := s.Total - int64(s.Cursor); s.Rebuilding && behind > maxCatchUp || time.Now().After(deadline) {
			if !s.Rebuilding { // else the answer says so
				e.note("the full-text index is %s behind the archive", plural(int64(end)-int64(s.Cursor), "record"))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// ownIndex opens the index of the data directory, waiting for another command that
// has it.
func (e *Env) ownIndex(ctx context.Context) (*index.Index, error) {
	if err := foreign(e.DataDir); err != nil { // its owner could not use the files that we would leave
		return nil, err
	}
	deadline := time.Now().Add(waitForIndex)
	for {
		x, err := index.Open(ctx, filepath.Join(e.DataDir, indexDir), e.Archive, e.Config.Search, e.Log.With("part", "index"))
		if err == nil || !errors.Is(err, store.ErrBusy) || time.Now().After(deadline) {
			return x, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// searchByIndex prints what the index finds.
func (e *Env) searchByIndex(ctx context.Context, x store.Index, q *query.Query, text string, o searchOptions) error {
	s := &finder{e: e, x: x, q: q, o: o, so: store.SearchOptions{
		Order: o.order, Cursor: o.cursor, AsOf: o.known, AllVersions: o.allVersions, FoldStories: o.fold,
		Snippets: o.format == "table", Facets: o.facets, Now: time.Now(),
	}}
	switch {
	case o.count:
		return s.count(ctx)
	case o.facets && o.format != "table":
		return s.summary(ctx, text)
	}
	titles, err := e.sourceTitles(ctx)
	if err != nil {
		return err
	}
	w, err := e.itemWriter(ctx, o.format, feedHead{title: "Search: " + text, path: "search", query: text}, titles)
	if err != nil {
		return err
	}
	return s.pages(ctx, w)
}

// finder is one search of a command through the index.
type finder struct {
	e    *Env
	x    store.Index
	q    *query.Query
	o    searchOptions
	so   store.SearchOptions
	said []string // notes that were shown
}

// page asks for one page and shows its notes. A damaged index is a *noIndexError
// while nothing was printed.
func (s *finder) page(ctx context.Context) (store.SearchPage, error) {
	p, err := s.x.Search(ctx, s.q, s.so)
	_, refused := errors.AsType[*store.CostError](err)
	switch {
	case refused:
		return p, failWith(exitFailed, fmt.Errorf("%w; or --scan, which reads every item", err))
	case errors.Is(err, store.ErrBadCursor):
		return p, dataError("--cursor is of no page of this search: the query and all options but --limit must be the same")
	case errors.Is(err, store.ErrCorrupt) && s.so.Cursor == s.o.cursor:
		return p, &noIndexError{"the full-text index was found damaged and is made anew"}
	case err != nil:
		return p, err
	}
	for _, n := range p.Notes {
		if !slices.Contains(s.said, n) && len(s.said) < 10 {
			s.said = append(s.said, n)
			s.e.note("%s", n)
		}
	}
	return p, nil
}

// count prints the number of hits. Where a total is not known it goes through the
// pages, so that the number is exact.
func (s *finder) count(ctx context.Context) error {
	s.so.Limit, s.so.Snippets = -1, false
	p, err := s.page(ctx)
	if err != nil {
		return err
	}
	if p.Exact {
		return s.e.printf("%d\n", p.Total)
	}
	n := 0
	s.so.Limit = store.MaxHits
	for {
		p, err := s.x.Search(ctx, s.q, s.so)
		if err != nil {
			return err
		}
		if n += len(p.Hits); p.Next == "" {
			return s.e.printf("%d\n", n)
		}
		s.so.Cursor = p.Next
	}
}

// pages writes all hits, up to the limit, page by page.
func (s *finder) pages(ctx context.Context, w itemWriter) error {
	left := s.o.limit
	shown := 0
	for {
		s.so.Limit = pageOf(left, s.so)
		p, err := s.page(ctx)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(p.Hits, scanPage) {
			found, err := s.e.versions(ctx, part)
			if err != nil {
				return err
			}
			for _, h := range found {
				if err := w.item(h); err != nil {
					return err
				}
			}
		}
		shown += len(p.Hits)
		left -= len(p.Hits)
		if t, ok := w.(*tableWriter); ok && s.so.Facets {
			t.facets, s.so.Facets = p.Facets, false
		}
		if p.Next == "" || s.o.limit > 0 && left <= 0 {
			t, table := w.(*tableWriter)
			if table {
				t.sum = sumText(shown, p, s.o)
			} else if p.Next != "" {
				s.e.note("%s", sumText(shown, p, s.o))
			}
			if err := w.end(); err != nil || !table {
				return err
			}
			return s.hint(ctx)
		}
		s.so.Cursor = p.Next
	}
}

// pageOf is how many hits to ask for at once: with snippets each is an item that is
// held in memory.
func pageOf(left int, o store.SearchOptions) int {
	most := store.MaxHits
	if o.Snippets {
		most = scanPage
	}
	if left > 0 {
		most = min(most, left)
	}
	return most
}

// sumText says how much was found, and how to go on.
func sumText(shown int, p store.SearchPage, o searchOptions) string {
	what := "item"
	switch {
	case o.fold && o.allVersions:
		what = "hit"
	case o.fold:
		what = "story"
	case o.allVersions:
		what = "version"
	}
	found := plural(p.Total, what)
	if !p.Exact {
		found = "at least " + found
	}
	switch {
	case p.Next != "":
		return fmt.Sprintf("%s found, %d shown; the next with --cursor %s", found, shown, p.Next)
	case shown < p.Total:
		return fmt.Sprintf("%s found, %d shown", found, shown)
	}
	return found + " found"
}

// versions reads the versions that were hit. One that was taken down since is left
// out.
func (e *Env) versions(ctx context.Context, hits []store.Hit) ([]hit, error) {
	ids := make([]feed.ItemID, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	slices.SortFunc(ids, func(a, b feed.ItemID) int { return slices.Compare(a[:], b[:]) })
	items, err := e.Archive.Items(ctx, slices.Compact(ids), store.AllFields)
	if err != nil {
		return nil, err
	}
	newest := make(map[feed.ItemID]*feed.Item, len(items))
	for i := range items {
		newest[items[i].ID] = &items[i]
	}
	out := make([]hit, 0, len(hits))
	for i := range hits {
		it := newest[hits[i].ID]
		if it == nil || it.TakenDown {
			continue
		}
		found := hit{item: *it, at: &hits[i]}
		if it.Revision != hits[i].Revision {
			all, err := e.Archive.Revisions(ctx, it.ID)
			if err != nil {
				return nil, err
			}
			k := slices.IndexFunc(all, func(v feed.Item) bool { return v.Revision == hits[i].Revision })
			if k < 0 {
				continue
			}
			found.item = all[k]
			found.item.AlsoIn, found.item.Topics = it.AlsoIn, it.Topics
			found.item.Revisions = it.Revisions
		}
		out = append(out, found)
	}
	return out, nil
}

// searchSummary is what "search --facets" prints as JSON: one object.
type searchSummary struct {
	Query string `json:"query"`
	AsOf  string `json:"as_of,omitempty"`
	Total int    `json:"total"`
	// Exact: else there are at least so many, and the counts are of those.
	Exact     bool           `json:"exact"`
	Topics    []facetCount   `json:"topics"`
	Sources   []facetCount   `json:"sources"`
	Languages []facetCount   `json:"languages"`
	Years     []facetCount   `json:"years"`
	Histogram []histogramBar `json:"histogram"`
	Notes     []string       `json:"notes,omitempty"`
}

type facetCount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type histogramBar struct {
	From  string `json:"from"` // the first day
	Unit  string `json:"unit"` // day, month or year
	Count int    `json:"count"`
}

// summary prints the facets alone.
func (s *finder) summary(ctx context.Context, text string) error {
	s.so.Limit = -1
	p, err := s.page(ctx)
	if err != nil {
		return err
	}
	f := p.Facets
	out := searchSummary{
		Query: text, Total: p.Total, Exact: p.Exact, Notes: p.Notes,
		Topics: facetCounts(f.Topics), Sources: facetCounts(f.Sources), Languages: facetCounts(f.Languages), Years: facetCounts(f.Years),
		Histogram: []histogramBar{},
	}
	if !s.o.known.IsZero() {
		out.AsOf = s.o.known.Format(time.RFC3339)
	}
	for _, b := range f.Histogram {
		out.Histogram = append(out.Histogram, histogramBar{b.From.Format("2006-01-02"), b.Unit, b.Count})
	}
	if s.o.format == "csv" {
		return out.csv(csv.NewWriter(s.e.Out))
	}
	enc := json.NewEncoder(s.e.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func facetCounts(list []store.Facet) []facetCount {
	out := make([]facetCount, 0, len(list))
	for _, f := range list {
		out = append(out, facetCount(f))
	}
	return out
}

func (s *searchSummary) csv(w *csv.Writer) error {
	rows := [][]string{{"facet", "name", "count"}, {"total", "", itoa(s.Total)}}
	for _, f := range []struct {
		name string
		list []facetCount
	}{{"topic", s.Topics}, {"source", s.Sources}, {"language", s.Languages}, {"year", s.Years}} {
		for _, c := range f.list {
			rows = append(rows, []string{f.name, harmless(c.Name), itoa(c.Count)})
		}
	}
	for _, b := range s.Histogram {
		rows = append(rows, []string{b.Unit, b.From, itoa(b.Count)})
	}
	return w.WriteAll(rows)
}
