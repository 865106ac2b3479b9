package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chancery/feed"
	"chancery/feed/query"
)

// Index finds items by a query. It is derived from the log, whose cursor it keeps,
// and lives beside the archive of this machine.
type Index interface {
	// Apply takes in records in the order of the log; upTo is the cursor that goes
	// with the last of them. It is one commit: when it returns nil, all of it is
	// found, and when it fails none of it is. Records at or before Cursor are passed
	// over, so that repeating is harmless.
	Apply(ctx context.Context, records []Record, upTo Cursor) error

	// Cursor is up to where the log was taken in.
	Cursor() Cursor

	// Search gives one page of the items that match q, or of all items if q is nil.
	// It takes at most a time and a memory that are set; what would take more ends
	// with a *[CostError]. A cursor that is not one is [ErrBadCursor]. While the
	// index is damaged it is [ErrCorrupt], until a new one has begun to grow.
	Search(ctx context.Context, q *query.Query, o SearchOptions) (SearchPage, error)

	// IndexState says how far the index is.
	IndexState() IndexState
}

// SearchOrder is the order of hits. Equal hits are ordered by id, so that an order
// is total and the same each time.
type SearchOrder uint8

// The orders of hits.
const (
	Newest    SearchOrder = iota // by effective time, newest first
	Oldest                       // by effective time, oldest first
	Relevance                    // by score, best first; then newest first
)

func (o SearchOrder) String() string {
	return [...]string{"newest", "oldest", "relevance", "unknown"}[min(int(o), 3)]
}

// MaxHits is the most hits of one page.
const MaxHits = 1000

// SearchOptions says what a page of a search shall hold. The zero value is the 20
// newest hits with their number and nothing else.
type SearchOptions struct {
	Order SearchOrder
	Limit int // hits of a page: 0 is 20, at most MaxHits; negative is none
	// Cursor is SearchPage.Next of the page before, asked with the same query and
	// the same options. What arrives between two pages appears on neither.
	Cursor string
	// Steady makes Next depend on nothing but the search and the hit that it stands
	// behind, so that equal pages are equal bytes: for documents with validators. What
	// arrives between two pages then appears on the later one if it belongs there, and
	// relative dates count back from the moment of each page. Scores move with
	// what arrives, so it does nothing in order Relevance.
	Steady bool
	// AsOf, if set, shows items and versions as they were known at that instant.
	// Topics, stories and takedowns are today's.
	AsOf time.Time
	// AllVersions finds in every version of an item, each a hit of its own, rather
	// than in the newest alone.
	AllVersions bool
	// FoldStories shows one hit a story: the first in the order, with the number of
	// others in AlsoAt. Totals and facets count what is shown.
	FoldStories bool
	Snippets    bool // fill Hit.Title and Hit.Text
	Facets      bool // fill SearchPage.Facets
	// Now is what relative dates and the recency of ranking count back from; zero is
	// the present, to the minute.
	Now time.Time
}

// SearchPage is one page of a search.
type SearchPage struct {
	Hits []Hit
	// Total is the number of all hits, before and after this page too. It is exact
	// if Exact; else there are at least so many, and Notes says why it is not known.
	Total  int
	Exact  bool
	Next   string // cursor of the next page; empty if this is the last
	Facets *Facets
	// Notes say in plain words where the answer is bounded or incomplete: an index
	// that is being rebuilt, a limit that was met.
	Notes []string
}

// Hit is an item that was found, or one version of it.
type Hit struct {
	ID       feed.ItemID
	Revision int
	Score    float64 // only in order Relevance
	AlsoAt   int     // other hits of the same story, with FoldStories
	Title    Snippet // the whole title
	Text     Snippet // the part of the text that says most
}

// Snippet is a piece of a plain text as published, with the places that matched.
type Snippet struct {
	Text string
	// Marks are byte offsets into Text, in order and without overlap.
	Marks [][2]int
	// Before and After: there is more text on that side.
	Before, After bool
}

// Facets count hits by what they are. Each list is sorted by count, then by name.
type Facets struct {
	Topics    []Facet
	Sources   []Facet
	Languages []Facet // "" is unknown
	Years     []Facet // of the effective date, sorted by year
	// Histogram counts hits over time, from the first to the last without a gap.
	Histogram []HistogramBar
	// Sampled: the counts are of the hits known to match (see SearchPage.Exact).
	Sampled bool
}

// Facet is one value and how many hits have it.
type Facet struct {
	Name  string
	Count int
}

// HistogramBar counts the hits with From ≤ effective time < the next bar's From.
type HistogramBar struct {
	From  time.Time // start of a day, month or year, UTC
	Unit  string    // "day", "month" or "year"
	Count int
}

// IndexState says how far an index is.
type IndexState struct {
	Cursor Cursor
	// Rebuilding: the index is new and has not reached the end of the archive yet;
	// searches find what is in it already. Done and Total are records of the log.
	Rebuilding  bool
	Done, Total int64
	Items       int64 // found in, their newest versions
	Versions    int64
	Bytes       int64  // of the files, allocated
	Fault       string // why the index was thrown away last, or cannot be written; empty if sound
}

// ErrBadCursor: the text is no cursor of this query and these options.
var ErrBadCursor = errors.New("not a cursor of this search")

// CostError refuses a query that would take more than a search may.
type CostError struct {
	Offset int    // bytes from the start of the query's canonical form
	Part   string // of the query that is too dear, or empty for the query as a whole
	What   string // the bound that was met
	Busy   bool   // the query is not to blame: too many searches run at once
}

func (e *CostError) Error() string {
	switch {
	case e.Busy:
		return "too many searches run at once; try again in a moment"
	case e.Part == "":
		return fmt.Sprintf("the query takes %s; make it narrower, by a date or a topic", e.What)
	}
	return fmt.Sprintf("at character %d: %.60q takes %s; make it narrower, by a longer word, a date or a topic", e.Offset+1, e.Part, e.What)
}
