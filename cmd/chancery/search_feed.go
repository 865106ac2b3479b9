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

	withdrawn int // items that were left out
}

// leaves reports whether an item is in no feed, and counts it.
func (f *feedWriter) leaves(it *feed.Item) bool {
	if it.Withdrawn && !it.TakenDown {
		f.withdrawn++
	}
	return it.Withdrawn || it.TakenDown
}

// sayLeft says what was left out.
func (f *feedWriter) sayLeft() {
	if f.withdrawn > 0 {
		f.e.note("%s left out, as in all feeds; --format jsonl has them, marked", plural(f.withdrawn, "withdrawn item"))
	}
}

func (f *feedWriter) item(found hit) error {
	if f.leaves(&found.item) {
		return nil
	}
	if len(f.feed.Entries) >= maxFeedEntries {
		return dataError("more than %d items for one feed document; use --limit, or --format jsonl", maxFeedEntries)
	}
	f.feed.Entries = append(f.feed.Entries, f.entry(&found.item))
	return nil
}

func (f *feedWriter) end() error {
	f.sayLeft()
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
