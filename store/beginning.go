package store

import (
	"context"
	"slices"

	"chancery/feed"
)

// Beginning lists, in the order of arrival, at most limit items of which the ids begin
// with a text of feed.MinItemPrefix letters or more. Ids sort as their texts do, so those
// that begin alike stand together. heads is [Archive].Heads. An error wraps feed.ErrBadID
// if the text can begin no id.
func Beginning(ctx context.Context, heads func(context.Context, HeadQuery) ([]Head, error), begin string, limit int) ([]Head, error) {
	first, letters, err := feed.ItemPrefix(begin)
	if err != nil {
		return nil, err
	}
	q := HeadQuery{ByArrival: true, Ascending: true, Limit: limit}
	if before, ok := first.Before(); ok {
		q.After = &Head{ID: before}
	}
	found, err := heads(ctx, q)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(found, func(h Head) bool { return !h.ID.BeginsWith(first, letters) }); i >= 0 {
		found = found[:i]
	}
	return found, nil
}
