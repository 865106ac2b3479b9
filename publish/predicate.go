package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// candidate is an item that may be in a feed. Its content is read only when a
// predicate needs it.
type candidate struct {
	head store.Head
	item *feed.Item
	doc  *query.Doc
}

// predicate decides whether an item is in a feed, by what it is now.
type predicate struct {
	// scope narrows the items that need to be looked at at all.
	scope store.HeadQuery
	// content: match reads candidate.doc.
	content bool
	// withdrawn: the feed tells of withdrawn items, which are in no other; either: of
	// those as well as of the others, as match decides.
	withdrawn, either bool
	// byRevision: what the feed tells is the revision, and it is ordered so.
	byRevision bool
	match      func(c *candidate) bool // of what fits
}

// fits reports whether an item is of the kind that the feed tells of, before its
// content is looked at.
func (p predicate) fits(h *store.Head) bool {
	return !h.TakenDown && (p.either || h.Withdrawn == p.withdrawn)
}

// holds reports whether an item is in the feed.
func (p predicate) holds(c *candidate) bool { return p.fits(&c.head) && p.match(c) }

func allItems() predicate {
	return predicate{match: func(*candidate) bool { return true }}
}

func ofTopic(id feed.TopicID) predicate {
	return predicate{scope: store.HeadQuery{Topic: id}, match: func(c *candidate) bool { return hasTopic(c.head.Topics, id) }}
}

func ofSource(id feed.SourceID) predicate {
	return predicate{scope: store.HeadQuery{Source: id}, match: func(c *candidate) bool { return c.head.Source == id }}
}

func hasTopic(tags []feed.Tag, id feed.TopicID) bool {
	for _, t := range tags {
		if t.Topic == id {
			return t.Score >= 0
		}
	}
	return false
}

// ofFeed is the predicate of a configured feed.
func ofFeed(f Feed) (predicate, error) {
	p := allItems()
	if f.Query != "" {
		q, err := query.Parse(f.Query)
		if err != nil {
			return p, fmt.Errorf("feed %q: query: %w", f.ID, err)
		}
		if err := steady(q); err != nil {
			return p, fmt.Errorf("feed %q: query: %w", f.ID, err)
		}
		p = predicate{content: true, match: func(c *candidate) bool {
			_, ok := q.Match(c.doc, time.Time{}) // no relative dates: see steady
			return ok
		}}
		p.scope.Topic = leadTopic(q.Root)
	}
	if len(f.Sources) > 0 {
		if len(f.Sources) == 1 {
			p.scope = store.HeadQuery{Source: f.Sources[0]}
		}
		p = p.and(func(c *candidate) bool { return slices.Contains(f.Sources, c.head.Source) })
	}
	switch f.Events {
	case "revised":
		p = p.and(func(c *candidate) bool { return c.head.Revision > 1 })
		p.byRevision = true
	case "withdrawn":
		p.withdrawn = true
	}
	return p, nil
}

// steady refuses queries whose result changes as time goes by: nothing in the log
// would say that a feed changed.
func steady(q *query.Query) (err error) {
	query.Walk(q.Root, func(n query.Node) bool {
		if w, ok := n.(*query.When); ok && w.Last > 0 {
			err = fmt.Errorf("%q: a relative date is for searches, not for feeds", w.Text)
		}
		return err == nil
	})
	return err
}

// leadTopic is a topic that every match carries, or "".
func leadTopic(n query.Node) feed.TopicID {
	switch n := n.(type) {
	case *query.Tagged:
		return n.Topic
	case *query.And:
		for _, c := range n.Nodes {
			if t := leadTopic(c); t != "" {
				return t
			}
		}
	}
	return ""
}

// and narrows p by something cheap, which is asked first.
func (p predicate) and(f func(*candidate) bool) predicate {
	match := p.match
	p.match = func(c *candidate) bool { return f(c) && match(c) }
	return p
}

// ofExpression combines the predicates of the ids in e.
func ofExpression(e expression, of func(id string) predicate) predicate {
	parts := map[string]predicate{}
	var p predicate
	for _, id := range e.ids() {
		parts[id] = of(id)
		p.content = p.content || parts[id].content
		p.either = p.either || parts[id].withdrawn
	}
	if len(e) == 1 {
		for _, id := range e[0].With { // any positive part narrows the conjunction
			if s := parts[id].scope; s.Topic != "" || s.Source != "" {
				p.scope = s
				break
			}
		}
	}
	p.match = func(c *candidate) bool {
		return slices.ContainsFunc(e, func(k clause) bool {
			return !slices.ContainsFunc(k.With, func(id string) bool { return !parts[id].holds(c) }) &&
				!slices.ContainsFunc(k.Without, func(id string) bool { return parts[id].holds(c) })
		})
	}
	return p
}

// itemReader reads whole items.
type itemReader interface {
	Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error)
}

// readItems gives what of some items can be read. Of one alone the archive says that it is
// lost; feeds go on without it, as without one of several.
func readItems(ctx context.Context, r itemReader, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error) {
	items, err := r.Items(ctx, ids, fields)
	if len(ids) == 1 && errors.Is(err, store.ErrCorrupt) {
		return nil, nil
	}
	return items, err
}

// fill reads the content of candidates that lack it, in one batch.
func fill(ctx context.Context, r itemReader, cs []*candidate, title func(feed.SourceID) string) error {
	var ids []feed.ItemID
	for _, c := range cs {
		if c.item == nil {
			ids = append(ids, c.head.ID)
		}
	}
	items := map[feed.ItemID]*feed.Item{}
	for part := range slices.Chunk(ids, 100) { // some hundred KB of text at a time
		got, err := readItems(ctx, r, part, store.AllFields)
		if err != nil {
			return err
		}
		for i := range got {
			items[got[i].ID] = &got[i]
		}
	}
	for _, c := range cs {
		if c.item == nil {
			c.item = items[c.head.ID]
		}
		if c.item == nil {
			c.item = &feed.Item{ID: c.head.ID, Source: c.head.Source} // gone between two reads
		}
		if c.doc == nil {
			c.doc = query.NewDoc(c.item, title(c.head.Source))
		}
	}
	return nil
}
