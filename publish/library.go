package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

var _ web.Library = (*Publisher)(nil)

// Feed implements web.Library.
func (p *Publisher) Feed(ctx context.Context, name string) (*web.Feed, error) {
	f, err := p.shelf(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := p.snapshotOf(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.doc, nil
}

// Site implements web.Library.
func (p *Publisher) Site(ctx context.Context) (web.Site, error) {
	st := p.state
	site := web.Site{Title: st.cfg.Title, Owner: st.cfg.Owner}
	for _, t := range st.defs.Topics {
		f := st.fixed[string(t.ID)]
		site.Topics = append(site.Topics, web.Listing{Name: f.name, Title: f.title, Description: f.about, Formats: f.formats})
	}
	for _, d := range st.defs.Feeds {
		f := st.fixed[d.ID]
		site.Feeds = append(site.Feeds, web.Listing{Name: f.name, Title: f.title, Description: f.about, Language: f.language, Formats: f.formats})
	}
	all, err := p.archive.Sources(ctx)
	if err != nil {
		return site, fmt.Errorf("read sources: %w", err)
	}
	slices.SortFunc(all, func(a, b store.SourceState) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, s := range all {
		s.Title = html.Neutral(s.Title)
		switch {
		case !s.Removed:
			site.Sources = append(site.Sources, s)
		case s.Items > 0:
			site.Former = append(site.Former, s)
		}
	}
	if site.Stats, err = p.archive.Stats(ctx); err != nil {
		return site, fmt.Errorf("count the archive: %w", err)
	}
	site.Changed = site.Stats.Last
	return site, nil
}

// Item implements web.Library.
func (p *Publisher) Item(ctx context.Context, id feed.ItemID) (*feed.Item, error) {
	items, err := p.archive.Items(ctx, []feed.ItemID{id}, store.AllFields)
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		return nil, web.ErrNotFound
	case items[0].TakenDown:
		return nil, web.ErrGone
	}
	return &items[0], nil
}

// Source implements web.Library.
func (p *Publisher) Source(id feed.SourceID) render.Source { return p.source(id) }

// Base implements web.Library.
func (p *Publisher) Base() string { return p.state.base }

// Index implements web.Library.
func (p *Publisher) Index() bool { return p.state.cfg.Index }
