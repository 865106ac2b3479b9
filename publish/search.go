package publish

import (
	"context"

	"chancery/feed/query"
	"chancery/publish/web"
	"chancery/store"
)

// EnableSearch lets readers search through an index, which is derived from the same
// archive and only read here. Call it before Run and before the handler is used.
// Without it every search ends with [web.ErrNoSearch].
func (p *Publisher) EnableSearch(index store.Index) { p.index = index }

// Search implements web.Library.
func (p *Publisher) Search(ctx context.Context, q *query.Query, o store.SearchOptions) (store.SearchPage, error) {
	if p.index == nil {
		return store.SearchPage{}, web.ErrNoSearch
	}
	return p.index.Search(ctx, q, o)
}

// IndexState implements web.Library.
func (p *Publisher) IndexState() (store.IndexState, bool) {
	if p.index == nil {
		return store.IndexState{}, false
	}
	return p.index.IndexState(), true
}
