package main

import (
	"context"
	"fmt"
	"strings"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/store"
)

// minPrefix is how much of an id must be typed at least.
const minPrefix = 6

// itemID finds the item that a person means: by its id, the beginning of its id,
// its address, or the id of its entry in feeds. All but the first look through
// the archive.
func (e *Env) itemID(ctx context.Context, name string) (feed.ItemID, error) {
	id, err := feed.ParseItemID(name)
	switch {
	case err == nil:
		return id, nil
	case strings.Contains(name, ":"):
		return e.itemNamed(ctx, name)
	case len(name) >= minPrefix && len(name) < len(id.String()) && plainID(name):
		return e.itemBeginning(ctx, name)
	}
	return id, dataError("%q is no id of an item, nor the beginning of one (%d letters or more), an address, or the id of an entry in a feed", name, minPrefix)
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

// itemBeginning finds the one item whose id begins so.
func (e *Env) itemBeginning(ctx context.Context, begin string) (feed.ItemID, error) {
	var found []feed.ItemID
	q := store.HeadQuery{ByArrival: true, Ascending: true, Limit: 1000}
	for {
		heads, err := e.Archive.Heads(ctx, q)
		if err != nil {
			return feed.ItemID{}, err
		}
		for _, h := range heads {
			if strings.HasPrefix(h.ID.String(), strings.ToLower(begin)) || strings.HasPrefix(h.ID.String(), strings.ToUpper(begin)) {
				found = append(found, h.ID)
			}
		}
		if len(heads) < q.Limit || len(found) > 1 {
			return one(found, fmt.Sprintf("an id that begins with %s", begin))
		}
		q.After = &heads[len(heads)-1]
	}
}

// itemNamed finds the one item with an address or an entry's id.
func (e *Env) itemNamed(ctx context.Context, name string) (feed.ItemID, error) {
	var found []feed.ItemID
	err := e.scan(ctx, nil, store.HeadQuery{}, nil, func(h hit) (bool, error) {
		if h.item.URL == name || h.item.Entry.ID == name || render.EntryID(&h.item) == name {
			found = append(found, h.item.ID)
		}
		return len(found) < 2, nil
	})
	if err != nil {
		return feed.ItemID{}, err
	}
	return one(found, name)
}

// one is the only item of a list.
func one(found []feed.ItemID, what string) (feed.ItemID, error) {
	switch len(found) {
	case 0:
		return feed.ItemID{}, noItem(store.ErrNotFound, "item with "+strings.TrimPrefix(what, "an "))
	case 1:
		return found[0], nil
	}
	return feed.ItemID{}, dataError("several items have %s, among them %s and %s", what, found[0], found[1])
}
