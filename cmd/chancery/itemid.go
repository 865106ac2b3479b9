package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/store"
)

// namingItems says in a command's help how it may be told which item is meant.
const namingItems = `

An ID may be shortened to its first letters (6 or more) as long as they fit one
item only; the item's address and the id of its entry in feeds name it, too.`

// itemID finds the item that a person means: by its id, the beginning of its id,
// its address, or the id of its entry in feeds. The last two look through the
// archive.
func (e *Env) itemID(ctx context.Context, name string) (feed.ItemID, error) {
	id, err := feed.ParseItemID(name)
	switch {
	case err == nil:
		return id, nil
	case strings.Contains(name, ":"):
		return e.itemNamed(ctx, name)
	case likeItemID(name):
		return e.itemBeginning(ctx, name)
	}
	return id, dataError("%q is no id of an item, nor the beginning of one (%d letters or more), an address, or the id of an entry in a feed", name, feed.MinItemPrefix)
}

// plainID reports whether all bytes can stand in an id.
func plainID(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z' || strings.IndexByte("ilou", c) >= 0) && (c < '0' || c > '9') { // as Crockford's base 32 has it
			return false
		}
	}
	return true
}

// likeItemID reports whether a text can be an id of an item or the beginning of one.
func likeItemID(name string) bool {
	return len(name) >= feed.MinItemPrefix && len(name) <= len(feed.ItemID{}.String()) && plainID(name)
}

// maxNamed is how many of the items that a beginning fits are named.
const maxNamed = 10

// itemBeginning finds the one item whose id begins so.
func (e *Env) itemBeginning(ctx context.Context, begin string) (feed.ItemID, error) {
	begin = strings.ToLower(begin)
	heads, err := store.Beginning(ctx, e.Archive.Heads, begin, maxNamed+1)
	if errors.Is(err, feed.ErrBadID) {
		return feed.ItemID{}, failWith(exitData, err)
	}
	if err != nil {
		return feed.ItemID{}, err
	}
	switch len(heads) {
	case 0:
		return feed.ItemID{}, noItem(store.ErrNotFound, "item with an id that begins with "+begin)
	case 1:
		return heads[0].ID, nil
	}
	more := ""
	if len(heads) > maxNamed {
		heads, more = heads[:maxNamed], "\n  and more"
	}
	ids := make([]feed.ItemID, len(heads))
	for i, h := range heads {
		ids[i] = h.ID
	}
	lines, err := e.itemLines(ctx, ids)
	if err != nil {
		return feed.ItemID{}, err
	}
	return feed.ItemID{}, dataError("the ids of several items begin with %s; more letters tell them apart:\n%s%s", begin, strings.Join(lines, "\n"), more)
}

// itemLines says of items which they are, for a person: a line each, indented.
func (e *Env) itemLines(ctx context.Context, ids []feed.ItemID) ([]string, error) {
	var lines []string
	for part := range slices.Chunk(ids, 1000) {
		items, err := e.Archive.Items(ctx, part, 0)
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return nil, err
		}
		for _, id := range part {
			if !slices.ContainsFunc(items, func(it feed.Item) bool { return it.ID == id }) {
				lines = append(lines, fmt.Sprintf("  %s  (cannot be read)", id))
			}
		}
		for i := range items {
			it := &items[i]
			title := oneLine(cmp.Or(html.Plain(it.Title), "(no title)"), 60)
			if it.TakenDown {
				title = "(taken down)"
			}
			lines = append(lines, fmt.Sprintf("  %s  %s  %s  %s", it.ID, it.Effective().UTC().Format(time.DateOnly), it.Source, title))
		}
	}
	return lines, nil
}

// itemNamed finds the one item with an address or an entry's id.
func (e *Env) itemNamed(ctx context.Context, name string) (feed.ItemID, error) {
	var found []feed.ItemID
	unread, err := e.scanReadable(ctx, nil, store.HeadQuery{}, nil, func(h hit) (bool, error) {
		if h.item.URL == name || h.item.Entry.ID == name || render.EntryID(&h.item) == name {
			found = append(found, h.item.ID)
		}
		return len(found) < 2, nil
	})
	if err != nil {
		return feed.ItemID{}, err
	}
	if len(found) == 0 && unread > 0 {
		return feed.ItemID{}, fmt.Errorf("%w: %s is none of the items that can be read; %s cannot", store.ErrCorrupt, name, plural(unread, "item"))
	}
	return one(found, name)
}

// one is the only item of a list.
func one(found []feed.ItemID, what string) (feed.ItemID, error) {
	switch len(found) {
	case 0:
		return feed.ItemID{}, noItem(store.ErrNotFound, "item with "+what)
	case 1:
		return found[0], nil
	}
	return feed.ItemID{}, dataError("several items have %s, among them %s and %s", what, found[0], found[1])
}
