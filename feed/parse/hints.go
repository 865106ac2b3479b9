package parse

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mmcdole/gofeed/rss"

	"chancery/feed"
)

// hint reads an element of the head that tells how often to ask, or where else.
func (d *Document) hint(t *tree, n *node, f *feed.Feed) bool {
	h := &f.Hints
	switch n.q {
	case "sy:updateperiod":
		h.UpdatePeriod = period(t.value(n))
		h.UpdateFrequency = max(h.UpdateFrequency, 1)
	case "sy:updatefrequency":
		if v, err := strconv.Atoi(t.value(n)); err == nil && v > 0 {
			h.UpdateFrequency = v
		}
		if h.UpdatePeriod == 0 {
			h.UpdatePeriod = 24 * time.Hour // the module's default
		}
	case "sy:updatebase":
		var base feed.Date
		d.date(&base, t.value(n))
		h.UpdateBase = base.Time
	case "fh:complete":
		h.Complete = true
	case "fh:archive":
		h.Archive = true
	case "itunes:new-feed-url":
		h.NewFeedURL = t.link(n, t.value(n))
	default:
		return false
	}
	return true
}

// period is a unit of the syndication module; what it does not know means daily.
func period(s string) time.Duration {
	switch strings.ToLower(s) {
	case "hourly":
		return time.Hour
	case "weekly":
		return 7 * 24 * time.Hour
	case "monthly":
		return 30 * 24 * time.Hour
	case "yearly":
		return 365 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// rssHints reads what gofeed decoded of RSS's own hints.
func rssHints(h *feed.Hints, g *rss.Feed) {
	if v, err := strconv.Atoi(strings.TrimSpace(g.TTL)); err == nil && v > 0 && v < 1<<20 {
		h.TTL = time.Duration(v) * time.Minute
	}
	for _, s := range g.SkipHours {
		if v, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && v >= 0 && v <= 24 {
			h.SkipHours = append(h.SkipHours, v%24)
		}
	}
	for _, s := range g.SkipDays {
		for day := time.Sunday; day <= time.Saturday; day++ {
			if strings.EqualFold(strings.TrimSpace(s), day.String()) {
				h.SkipDays = append(h.SkipDays, day)
			}
		}
	}
	slices.Sort(h.SkipHours)
	h.SkipHours = slices.Compact(h.SkipHours)
	slices.Sort(h.SkipDays)
	h.SkipDays = slices.Compact(h.SkipDays)
	if c := g.Cloud; c != nil && c.Domain != "" {
		port, _ := strconv.Atoi(strings.TrimSpace(c.Port))
		h.Cloud = &feed.Cloud{Domain: c.Domain, Path: c.Path, Procedure: c.RegisterProcedure, Protocol: c.Protocol, Port: port}
	}
}
