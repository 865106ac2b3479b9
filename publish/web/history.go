package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
)

// history is what the archive has of a source over time.
type history struct {
	First, Last time.Time // dates of its oldest and newest post
	Arrived     time.Time // when the first one came into the archive
	Bars        []store.HistogramBar
	Hours       [24]int // posts by hour of the day, UTC
	Weekdays    [7]int  // Sunday first
	Languages   []store.Facet
	// Seen and Expected are posts of the last 30 days: those that are here, and as many
	// as the year before lets expect. Expected is an estimate, and not known (Guess is
	// false) of a source with less than 60 days of posts before.
	Seen     int
	Expected float64
	Guess    bool
	// Partial: the source has more posts than are counted here, the newest.
	Partial bool
}

// maxCounted bounds the posts that are counted for one source.
const maxCounted = 100_000

// histories keeps what was counted, as long as a source has no other posts.
type histories struct {
	mu sync.Mutex // guards by
	by map[feed.SourceID]kept
}

type kept struct {
	items int64
	day   int64 // the day it was counted: the last 30 days move
	h     *history
}

// maxHistories bounds what is kept: some kilobytes each.
const maxHistories = 2000

// history counts the posts of a source.
func (s *Server) history(ctx context.Context, src *store.SourceState, now time.Time) (*history, error) {
	today := now.Unix() / (24 * 3600)
	s.histories.mu.Lock()
	k, ok := s.histories.by[src.ID]
	s.histories.mu.Unlock()
	if ok && k.items == src.Items && k.day == today {
		return k.h, nil
	}
	var c counter
	q := store.HeadQuery{Source: src.ID}
	for {
		heads, err := s.lib.Heads(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range heads {
			c.add(&heads[i])
		}
		if len(heads) < 1000 {
			break
		}
		if c.n >= maxCounted {
			c.partial = true
			break
		}
		q.After = &heads[len(heads)-1]
	}
	h := c.history(now)
	s.histories.mu.Lock()
	if s.histories.by == nil || len(s.histories.by) >= maxHistories {
		s.histories.by = map[feed.SourceID]kept{}
	}
	s.histories.by[src.ID] = kept{src.Items, today, h}
	s.histories.mu.Unlock()
	return h, nil
}

// counter counts heads.
type counter struct {
	n       int
	partial bool
	times   []time.Time
	arrived time.Time
	langs   map[string]int
}

func (c *counter) add(h *store.Head) {
	c.n++
	c.times = append(c.times, h.Effective.UTC())
	if c.arrived.IsZero() || h.FirstSeen.Before(c.arrived) {
		c.arrived = h.FirstSeen.UTC()
	}
	if c.langs == nil {
		c.langs = map[string]int{}
	}
	tag, _, _ := strings.Cut(strings.ToLower(h.Language), "-")
	c.langs[tag]++
}

func (c *counter) history(now time.Time) *history {
	h := &history{Arrived: c.arrived, Partial: c.partial}
	if len(c.times) == 0 {
		return h
	}
	slices.SortFunc(c.times, time.Time.Compare)
	h.First, h.Last = c.times[0], c.times[len(c.times)-1]
	h.Bars = bars(c.times)
	for _, t := range c.times {
		if t.Hour() != 0 || t.Minute() != 0 || t.Second() != 0 { // a date without a time says nothing of the hour
			h.Hours[t.Hour()]++
		}
		h.Weekdays[t.Weekday()]++
	}
	for name, n := range c.langs {
		h.Languages = append(h.Languages, store.Facet{Name: name, Count: n})
	}
	slices.SortFunc(h.Languages, func(a, b store.Facet) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Name, b.Name)
	})
	const month, year = 30 * 24 * time.Hour, 365 * 24 * time.Hour
	recent, before := now.Add(-month), now.Add(-month-year)
	earlier := 0
	for _, t := range c.times {
		switch {
		case t.After(now):
		case t.After(recent):
			h.Seen++
		case t.After(before):
			earlier++
		}
	}
	span := min(recent.Sub(h.First), year)
	if span >= 60*24*time.Hour {
		h.Expected, h.Guess = float64(earlier)*float64(month)/float64(span), true
	}
	return h
}

// bars counts sorted times by month, up to twelve years, else by year.
func bars(times []time.Time) []store.HistogramBar {
	first, last := times[0], times[len(times)-1]
	unit := "month"
	start := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }
	next := func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	if (last.Year()-first.Year())*12+int(last.Month())-int(first.Month()) > 144 {
		unit = "year"
		start = func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) }
		next = func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }
	}
	var out []store.HistogramBar
	i := 0
	for at := start(first); !at.After(last); at = next(at) {
		b := store.HistogramBar{From: at, Unit: unit}
		for end := next(at); i < len(times) && times[i].Before(end); i++ {
			b.Count++
		}
		out = append(out, b)
	}
	return out
}
