package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/store"
)

// post is an entry in a list.
type post struct {
	Title, URL, Page   string
	Pieces             []piece // of the title; empty is Title as it is
	Text               []piece // what was found of its text
	Source, SourcePage string
	When               time.Time
	Undated            bool // When is when it came here
	Topics             []render.Topic
	AlsoAt             []render.AlsoAt
	Copies             int // as AlsoAt, where only their number is known
	Language           string
	Revision           int // of many, where versions are listed
	Withdrawn          bool
}

// piece is a part of a text, marked where it is what was looked for.
type piece struct {
	Text string
	Mark bool
}

// How much of a title is shown in a list, at the top of a page and by the browser: more
// is not a title, and is in the JSON.
const (
	longTitle    = 240
	longHeading  = 600
	longTabTitle = 120
)

// shorten cuts s to n characters at most.
func shorten(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	for i := range s {
		if n--; n == 0 {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// posts are the newest n entries of a feed.
func (s *Server) posts(r *http.Request, name string, n int) ([]post, error) {
	entries, err := s.entries(r.Context(), name)
	if err != nil {
		return nil, err
	}
	out := make([]post, 0, min(n, len(entries)))
	for i := range entries[:min(n, len(entries))] {
		e := &entries[i]
		p := post{
			Title: shorten(e.Heading(), longTitle), URL: e.URL, Page: e.Page, Source: e.Origin.Title, When: e.Published,
			Topics: e.Topics, AlsoAt: e.AlsoAt, Language: e.Language,
		}
		if p.When.IsZero() {
			p.When, p.Undated = e.Updated, true
		}
		if e.Origin.Source != "" {
			p.SourcePage = s.lib.Base() + "/sources/" + string(e.Origin.Source)
		}
		out = append(out, p)
	}
	return out, nil
}

// entries are what a feed shows.
func (s *Server) entries(ctx context.Context, name string) ([]render.Entry, error) {
	for try := 0; ; try++ {
		f, err := s.lib.Feed(ctx, name)
		if moved, ok := errors.AsType[*MovedError](err); ok && try < 3 {
			name = moved.Name
			continue
		}
		if err != nil {
			return nil, err
		}
		full, err := f.Load(ctx)
		if err == nil {
			return full.Entries, nil
		}
		if !errors.Is(err, ErrStale) || try == 3 {
			return nil, err
		}
	}
}

// found are the hits of a search as a list. With versions each hit is a version of
// a post.
func (s *Server) found(r *http.Request, hits []store.Hit, versions bool) ([]post, error) {
	ids := make([]feed.ItemID, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	items, err := s.lib.Items(r.Context(), ids, store.WithStory)
	if err != nil {
		return nil, fmt.Errorf("read what was found: %w", err)
	}
	by := make(map[feed.ItemID]*feed.Item, len(items))
	for i := range items {
		by[items[i].ID] = &items[i]
	}
	site, err := s.lib.Site(r.Context())
	if err != nil {
		return nil, err
	}
	label := labels(site)
	out := make([]post, 0, len(hits))
	for _, h := range hits {
		it := by[h.ID]
		if it == nil || it.TakenDown {
			continue // since it was found
		}
		p := post{
			Title: shorten(plainLine(html.Plain(it.Title)), longTitle), Pieces: pieces(h.Title, longTitle), Text: pieces(h.Text, 600),
			Page: s.lib.Base() + "/items/" + it.ID.String(), Source: s.lib.Source(it.Source).Title, SourcePage: s.lib.Base() + "/sources/" + string(it.Source),
			When: it.Effective(), Language: it.Language, Withdrawn: it.Withdrawn,
		}
		p.Undated = p.When.Equal(it.FirstSeen) && !it.Published.Time.Equal(p.When)
		if p.Source == "" {
			p.Source = string(it.Source)
		}
		for _, t := range it.Topics {
			if name := label(t.Topic); name != "" && t.Score >= 0 {
				p.Topics = append(p.Topics, render.Topic{ID: t.Topic, Label: name, Score: t.Score, About: t.About})
			}
		}
		if len(p.Pieces) == 0 && p.Title == "" {
			p.Title = heading(it)
		}
		if h.AlsoAt > 0 {
			p.Copies, p.AlsoAt = s.copies(it, h.AlsoAt)
		}
		if versions {
			p.Revision = h.Revision
			p.Page += fmt.Sprintf("?revision=%d", h.Revision)
		}
		out = append(out, p)
	}
	return out, nil
}

// copies names some of the other sources that carried a story, and counts the rest.
func (s *Server) copies(it *feed.Item, n int) (rest int, named []render.AlsoAt) {
	for _, also := range it.AlsoIn {
		if len(named) == namedCopies || len(named) == n {
			break
		}
		if title := s.lib.Source(also.Source).Title; title != "" && isWeb(also.URL) {
			named = append(named, render.AlsoAt{Title: title, URL: also.URL, Item: also.ID})
		}
	}
	return n - len(named), named
}

// isWeb reports whether an address is of the web, and does not run anything.
func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// namedCopies is how many copies a line names.
const namedCopies = 4

// newest are the newest stories that a query finds, or if nothing can be searched,
// or not all yet, those that a feed shows.
func (s *Server) newest(r *http.Request, q, feedName string, n int) ([]post, error) {
	if state, ok := s.lib.IndexState(); ok && !state.Rebuilding {
		parsed, err := parseQuery(q)
		if err != nil {
			return nil, err
		}
		page, err := s.lib.Search(r.Context(), parsed, store.SearchOptions{Limit: n, FoldStories: true})
		switch {
		case err == nil:
			return s.found(r, page.Hits, false)
		case !notCounted(err):
			return nil, err
		}
	}
	return s.posts(r, feedName, n)
}

// pieces are a snippet, cut where marks begin and end, of about most characters.
func pieces(sn store.Snippet, most int) []piece {
	var out []piece
	add := func(s string, mark bool) {
		s = plainLine(s)
		if n := utf8.RuneCountInString(s); n > most {
			s = shorten(s, max(most, 1))
			most = 0
		} else {
			most -= n
		}
		if s != "" {
			out = append(out, piece{s, mark})
		}
	}
	at := 0
	if sn.Before {
		add("… ", false)
	}
	for _, m := range sn.Marks {
		if m[0] < at || m[1] > len(sn.Text) || m[0] > m[1] || most <= 0 {
			break
		}
		add(sn.Text[at:m[0]], false)
		add(sn.Text[m[0]:m[1]], true)
		at = m[1]
	}
	if most > 0 {
		add(sn.Text[at:], false)
		if sn.After && len(out) > 0 {
			add(" …", false)
		}
	}
	return out
}

// ordered is a text without the characters that would reorder the text around it.
func ordered(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, s)
}

// plainLine is a text without the characters that would reorder or break the line that
// it stands in (CONFORMANCE SEC-32).
func plainLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		}
		return r
	}, s)
}
