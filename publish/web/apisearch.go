package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// boundedQuery reads the query of a search, as [readQuery] does, with errors that
// say what is wrong to a program.
func boundedQuery(text string) (*query.Query, error) {
	q, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	if n := len(q.Terms()); n > MaxQueryTerms {
		return nil, &store.CostError{What: fmt.Sprintf("%d terms, more than the %d that a search may have,", n, MaxQueryTerms)}
	}
	return q, nil
}

// maxHits is the most hits of a page of the API.
const maxHits = 100

var searchItems = operation{
	id: "search", path: "/search", summary: "Find items",
	text: "Finds by a query in the language of topics and feeds. `total` is exact if `exact` is true; else there are at least so many, and `notes` say why it is not known.",
	params: []param{
		{name: "q", required: true, most: MaxQueryBytes, text: "The query; at most 4 KiB and 64 terms. An empty one is every item.", example: `"camp ashraf" OR mojahed*`},
		{name: "order", choices: []string{"newest", "oldest", "relevance"}, standard: "newest", text: "What comes first."},
		{name: "as_of", kind: aDate, text: "Items and versions as they were known at the end of that day, or at that instant. Topics are today's."},
		{name: "all_versions", kind: aSwitch, standard: "false", text: "Find in every version, each a hit of its own, rather than in the newest."},
		{name: "fold", kind: aSwitch, standard: "false", text: "One hit a story; `also_at` counts the others."},
		{name: "facets", kind: aSwitch, standard: "false", text: "Count the hits by topic, source, language, year and time."},
		{name: "snippets", kind: aSwitch, standard: "true", text: "The title, and the piece of the text that says most, with the places that matched."},
		{name: "content", kind: aSwitch, standard: "false", text: "Whether items have their content. It is left out of the last ones of a page that has 8 MiB; `notes` say so."},
		{name: "limit", kind: aNumber, least: 0, most: maxHits, standard: "20", text: "How many there are on a page, at most; 0 only counts."},
		cursorParam,
	},
	result: "SearchPage", paged: true, fails: []int{http.StatusUnprocessableEntity},
	serve: serveSearch,
}

type searchPage struct {
	Query  string      `json:"query"` // as it was understood
	Total  int         `json:"total"`
	Exact  bool        `json:"exact"`
	Hits   []hitJSON   `json:"hits"`
	Facets *facetsJSON `json:"facets,omitempty"`
	Notes  []string    `json:"notes,omitempty"`
	page
}

func serveSearch(ctx context.Context, s *Server, a args) (answer, error) {
	var q *query.Query
	out := searchPage{Hits: []hitJSON{}}
	if a.text("q") != "" {
		var err error
		if q, err = boundedQuery(a.text("q")); err != nil {
			return answer{}, err
		}
		out.Query = q.String()
	}
	o := store.SearchOptions{
		Order: map[string]store.SearchOrder{"newest": store.Newest, "oldest": store.Oldest, "relevance": store.Relevance}[a.text("order")],
		Limit: a.number("limit"), Cursor: a.text("cursor"), AsOf: a.asOf(), AllVersions: a.on("all_versions"),
		FoldStories: a.on("fold"), Snippets: a.on("snippets"), Facets: a.on("facets"),
	}
	if o.Limit == 0 {
		o.Limit = -1
	}
	found, err := s.lib.Search(ctx, q, o)
	if err != nil {
		return answer{}, err
	}
	out.Total, out.Exact, out.Notes, out.Next = found.Total, found.Exact, found.Notes, found.Next
	if found.Facets != nil {
		out.Facets = facetsOf(found.Facets)
	}
	items, err := s.itemsOfHits(ctx, found.Hits)
	if err != nil {
		return answer{}, err
	}
	size, bare := 0, 0
	for i, h := range found.Hits {
		if items[i] == nil {
			continue // gone between two reads
		}
		content := a.on("content") && size < maxAnswer
		if a.on("content") && !content {
			bare++
		}
		b, err := s.itemJSON(items[i], content)
		if err != nil {
			return answer{}, err
		}
		size += len(b)
		j := hitJSON{Item: b, Revision: h.Revision, Score: h.Score, AlsoAt: h.AlsoAt}
		if a.on("snippets") {
			j.Title, j.Text = snippetOf(h.Title), snippetOf(h.Text)
		}
		out.Hits = append(out.Hits, j)
	}
	if bare > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("the content of the last %d hits was left out: the page has %d MiB", bare, maxAnswer>>20))
	}
	return answer{body: out, next: out.Next}, nil
}

// asOf is the last instant that counts.
func (a args) asOf() time.Time {
	t := a.date("as_of", true)
	if _, day, _ := parseDate(a.text("as_of")); day && !t.IsZero() {
		t = t.Add(-time.Nanosecond)
	}
	return t
}

// itemsOfHits reads the items of hits in the versions that were found; nil where
// there is nothing to show any more.
func (s *Server) itemsOfHits(ctx context.Context, hits []store.Hit) ([]*feed.Item, error) {
	ids := make([]feed.ItemID, 0, len(hits))
	for _, h := range hits {
		if !slices.Contains(ids, h.ID) {
			ids = append(ids, h.ID)
		}
	}
	by, err := s.itemsBy(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]*feed.Item, len(hits))
	for i, h := range hits {
		it := by[h.ID]
		if it != nil && h.Revision != it.Revision {
			if it, err = s.version(ctx, h.ID, h.Revision); isGone(err) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if it != nil && !it.TakenDown {
			out[i] = it
		}
	}
	return out, nil
}

// facetsJSON are the counts of a search.
type facetsJSON struct {
	Topics    []facetJSON `json:"topics"`
	Sources   []facetJSON `json:"sources"`
	Languages []facetJSON `json:"languages"`
	Years     []facetJSON `json:"years"`
	Histogram []barJSON   `json:"histogram"`
	// Sampled: the counts are of the hits that are known to match.
	Sampled bool `json:"sampled,omitempty"`
}

type facetJSON struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type barJSON struct {
	From  string `json:"from"` // a date
	Unit  string `json:"unit"`
	Count int    `json:"count"`
}

func facetsOf(f *store.Facets) *facetsJSON {
	list := func(in []store.Facet) []facetJSON {
		out := make([]facetJSON, 0, len(in))
		for _, x := range in {
			out = append(out, facetJSON(x))
		}
		return out
	}
	return &facetsJSON{
		Topics: list(f.Topics), Sources: list(f.Sources), Languages: list(f.Languages), Years: list(f.Years),
		Histogram: barsOf(f.Histogram), Sampled: f.Sampled,
	}
}

func barsOf(in []store.HistogramBar) []barJSON {
	out := make([]barJSON, 0, len(in))
	for _, b := range in {
		out = append(out, barJSON{b.From.Format(time.DateOnly), b.Unit, b.Count})
	}
	return out
}

func snippetOf(sn store.Snippet) *snippetJSON {
	if sn.Text == "" {
		return nil
	}
	return &snippetJSON{Parts: partsOf(sn), Before: sn.Before, After: sn.After}
}

// hit is an item that was found.
type hitJSON struct {
	Item     json.RawMessage `json:"item"`
	Revision int             `json:"revision"`
	Score    float64         `json:"score,omitempty"`
	AlsoAt   int             `json:"also_at,omitempty"`
	Title    *snippetJSON    `json:"title,omitempty"`
	Text     *snippetJSON    `json:"text,omitempty"`
}

// snippetJSON is a piece of text in parts that matched and parts that did not.
type snippetJSON struct {
	Parts  []partJSON `json:"parts"`
	Before bool       `json:"before,omitempty"`
	After  bool       `json:"after,omitempty"`
}

type partJSON struct {
	Text string `json:"text"`
	Mark bool   `json:"mark,omitempty"`
}

// partsOf cuts a snippet at its marks.
func partsOf(sn store.Snippet) []partJSON {
	var out []partJSON
	add := func(s string, mark bool) {
		if s != "" {
			out = append(out, partJSON{s, mark})
		}
	}
	at := 0
	for _, m := range sn.Marks {
		if m[0] < at || m[1] < m[0] || m[1] > len(sn.Text) {
			continue
		}
		add(sn.Text[at:m[0]], false)
		add(sn.Text[m[0]:m[1]], true)
		at = m[1]
	}
	add(sn.Text[at:], false)
	return slices.Clip(out)
}
