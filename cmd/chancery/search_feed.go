package main

import (
	"chancery/feed"
	"chancery/publish/render"
)

// maxFeedEntries bounds what one feed document of a search may carry: it is made
// in memory.
const maxFeedEntries = 10_000

// feedWriter collects entries for one feed document.
type feedWriter struct {
	e      *Env
	format render.Format
	feed   render.Feed
	entry  func(*feed.Item) render.Entry
}

func (f *feedWriter) item(found hit) error {
	if len(f.feed.Entries) >= maxFeedEntries {
		return dataError("more than %d items for one feed document; use --limit, or --format jsonl", maxFeedEntries)
	}
	f.feed.Entries = append(f.feed.Entries, f.entry(&found.item))
	return nil
}

func (f *feedWriter) end() error {
	for _, entry := range f.feed.Entries {
		if entry.Updated.After(f.feed.Updated) {
			f.feed.Updated = entry.Updated
		}
	}
	doc, err := render.Write(&f.feed, f.format)
	if err != nil {
		return err
	}
	_, err = f.e.Out.Write(doc)
	return err
}
