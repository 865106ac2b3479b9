package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"chancery/aggregator/discover"
	"chancery/aggregator/fetch"
	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/parse"
	"chancery/store"
)

// addSource subscribes to a feed, or to the feed that a page names. What was
// done on the way is told.
func (e *Env) addSource(ctx context.Context, s store.Source, unchecked, guess bool) error {
	w, err := e.worksOf()
	if err != nil {
		return err
	}
	if e.Daemon == nil { // what the configuration subscribes to is no news
		if err := e.takeConfig(ctx, w); err != nil {
			return err
		}
	}
	if unchecked {
		if s.URL, err = discover.Normalize(s.URL); err != nil {
			return failWith(exitData, err)
		}
	} else {
		found, err := e.discover(ctx, w, s.URL, credential(s.Credential), guess)
		for _, said := range found.Said {
			e.note("%s", printable(said))
		}
		for _, c := range found.Others {
			e.note("also there: %s  %s (%s)", printable(c.URL), oneLine(c.Title, 60), c.Kind)
		}
		if err != nil {
			return e.unreachable(ctx, err)
		}
		if found.HasExisting {
			return dataError("source %s has this feed already: %s", found.Existing.ID, found.Existing.Address())
		}
		s.URL, s.Title, s.Site = found.Feed.URL, cmp.Or(s.Title, found.Info.Title), found.Info.Site
	}
	added, err := w.aggregator.AddSource(ctx, s)
	if err != nil {
		return failWith(exitData, err)
	}
	return e.printf("%s  %s\n", added.ID, added.URL)
}

// unreachable gives errors of the network their exit status and what to do.
func (e *Env) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, discover.ErrNone) {
		e.note("--guess asks for addresses that feeds usually have; --unchecked takes an address as it is")
		return failWith(exitData, err)
	}
	if fault, ok := errors.AsType[*fetch.Error](err); ok {
		switch fault.Class {
		case fetch.BadURL:
			return failWith(exitData, err)
		case fetch.Refused:
			if strings.Contains(err.Error(), "not public") {
				e.note("fetch.allow_networks of the configuration%s decides which addresses of this kind may be asked", map[bool]string{true: " of the daemon"}[e.Daemon != nil])
			}
			return failWith(exitPermission, err)
		}
		return failWith(exitUnavailable, err)
	}
	return failWith(exitData, err)
}

// discover goes from what a person typed to a feed. authorization, if not empty, is
// sent to the origin of what was typed, and to no other (CONFORMANCE F-94).
func (e *Env) discover(ctx context.Context, w *works, input, authorization string, guess bool) (discover.Result, error) {
	states, err := e.Archive.Sources(ctx)
	if err != nil {
		return discover.Result{}, err
	}
	sources := make([]store.Source, len(states))
	for i, s := range states {
		sources[i] = s.Source
	}
	return discover.Find(ctx, input, discover.Options{
		Guess: guess, Product: "chancery", Sources: sources,
		Get: func(ctx context.Context, address string) (discover.Page, error) {
			req := fetch.Request{URL: address, Page: true}
			if typed, err := discover.Normalize(input); err == nil && authorization != "" {
				req.Origin, req.Authorization = typed, authorization
			}
			resp, err := w.fetch.Get(ctx, req)
			defer resp.Release()
			if err != nil {
				return discover.Page{}, err
			}
			if wall := fetch.Wall(resp.Status, resp.Header, resp.Body); wall != "" && fetch.IsHTML(resp.Body) {
				return discover.Page{}, &fetch.Error{
					Class: fetch.Blocked, URL: resp.URL, Status: resp.Status, Wall: wall,
					Text: "a bot wall answered in place of the page (" + wall + ")",
				}
			}
			if len(resp.Body) == 0 {
				return discover.Page{}, fmt.Errorf("%s: the answer is empty (status %d, no body)", resp.URL, resp.Status)
			}
			p := discover.Page{URL: resp.URL, Header: resp.Header, Body: append([]byte(nil), resp.Body...)}
			for _, h := range resp.Hops {
				p.Hops = append(p.Hops, h.URL)
			}
			return p, nil
		},
		Read: readFeed,
	})
}

// readFeed tells a feed from anything else that an address answers.
func readFeed(p discover.Page) (discover.Info, error) {
	d, err := parse.Open(p.Body, parse.Options{ContentType: p.Header.Get("Content-Type"), URL: p.URL})
	if err == nil {
		var f *feed.Feed
		if f, err = d.Feed(func(int) bool { return false }); err == nil {
			return discover.Info{Title: html.Plain(f.Title), Self: f.Self, Site: f.URL}, nil
		}
	}
	if fetch.IsHTML(p.Body) {
		err = discover.ErrPage
	}
	return discover.Info{}, err
}
