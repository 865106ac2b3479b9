package main

import (
	"context"

	"chancery/store"
)

// addSource subscribes to a feed or to the feed of a page.
func (e *Env) addSource(ctx context.Context, s store.Source, unchecked bool) error {
	w, err := e.worksOf()
	if err != nil {
		return err
	}
	added, err := w.aggregator.AddSource(ctx, s)
	if err != nil {
		return err
	}
	return e.printf("%s  %s\n", added.ID, added.URL)
}
