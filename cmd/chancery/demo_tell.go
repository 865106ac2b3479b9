package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/store"
)

// demoTeller prints a line for what the archive records.
type demoTeller struct {
	e      *Env
	titles map[feed.SourceID]string
	failed map[feed.SourceID]string
}

var toldKinds = store.KindsOf(store.KindItem, store.KindRevision, store.KindWithdrawn, store.KindSource)

// manyAtOnce is how many new items of one source are told one by one; a blog's
// whole back list is told as a number.
const manyAtOnce = 3

func (t *demoTeller) follow(ctx context.Context) error {
	var at store.Cursor
	for {
		records, next, err := t.e.Archive.Follow(ctx, at, toldKinds, 500)
		if err != nil {
			return ended(ctx, err)
		}
		at = next
		if t.titles, err = t.e.sourceTitles(ctx); err != nil {
			return err
		}
		if err := t.tell(records); err != nil {
			return err
		}
		if err := t.tellFailures(ctx); err != nil {
			return err
		}
	}
}

func (t *demoTeller) tell(records []store.Record) error {
	fresh := map[feed.SourceID]int{}
	for _, r := range records {
		if r.Kind == store.KindItem {
			fresh[r.Source]++
		}
	}
	told := map[feed.SourceID]bool{}
	for _, r := range records {
		if r.Item == nil {
			continue
		}
		if r.Kind == store.KindItem && fresh[r.Source] > manyAtOnce {
			if !told[r.Source] {
				told[r.Source] = true
				if err := t.e.printf("%-24s %d posts archived\n", oneLine(t.titles[r.Source], 24), fresh[r.Source]); err != nil {
					return err
				}
			}
			continue
		}
		what := "new"
		switch {
		case r.Kind == store.KindRevision:
			what = fmt.Sprintf("edited, version %d", r.Item.Revision)
		case !r.Item.Story.IsZero() && r.Item.Story != r.Item.ID:
			what = "copied from another blog"
		}
		var tags []string
		for _, tag := range r.Item.Topics {
			if tag.Score >= 0 {
				tags = append(tags, string(tag.Topic))
			}
		}
		title := oneLine(cmp.Or(html.Plain(r.Item.Title), r.Item.URL), 60)
		if err := t.e.printf("%-24s %s: %s  [%s]\n", oneLine(t.titles[r.Source], 24), what, title, strings.Join(tags, " ")); err != nil {
			return err
		}
	}
	return nil
}

// tellFailures names each source that fails, once for each cause.
func (t *demoTeller) tellFailures(ctx context.Context) error {
	sources, err := t.e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	if t.failed == nil {
		t.failed = map[feed.SourceID]string{}
	}
	for _, s := range sources {
		if t.failed[s.ID] == s.State.Class {
			continue
		}
		t.failed[s.ID] = s.State.Class
		if s.State.LastError == "" {
			continue
		}
		if err := t.e.printf("%-24s fails: %s\n", oneLine(t.titles[s.ID], 24), oneLine(s.State.LastError, 90)); err != nil {
			return err
		}
	}
	return nil
}
