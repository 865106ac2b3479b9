package publish

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// member is a story in a feed, by the item that carries it there.
type member struct {
	id     feed.ItemID
	story  feed.ItemID
	source feed.SourceID
	// order is the date by which the entry stands in the feed: the effective date
	// of the first revision, so that re-dating a post does not bring it up again.
	order   time.Time
	arrived time.Time
	changed time.Time
	// late: it was old when it arrived, and the feed was there already. Kept out of
	// the live feed (flood guard).
	late bool
}

// newestFirst orders members; ids break ties, so that the order is total.
func newestFirst(a, b member) int {
	return cmp.Or(b.order.Compare(a.order), bytes.Compare(b.id[:], a.id[:]))
}

// window is the newest end of a feed.
type window struct {
	members []member // newest first
	max     int      // of members
	// more: there are members beyond those held, so that when some leave the window
	// must be read anew.
	more bool
	// seeded is when items stop being the feed's first: what arrives later and is
	// old already is late.
	seeded time.Time
}

// seeding is how long after its first item a feed takes in old items as if they
// had always been there: a first import or subscription takes a while.
const seeding = 24 * time.Hour

// put places m, replacing the member of the same story. It reports whether the
// window changed.
func (w *window) put(m member) bool {
	w.remove(m.story)
	at, _ := slices.BinarySearchFunc(w.members, m, newestFirst)
	if at >= w.max {
		w.more = true
		return false
	}
	w.members = slices.Insert(w.members, at, m)
	if len(w.members) > w.max {
		w.members = w.members[:w.max]
		w.more = true
	}
	return true
}

// remove takes the member of a story out and reports whether there was one.
func (w *window) remove(story feed.ItemID) bool {
	n := len(w.members)
	w.members = slices.DeleteFunc(w.members, func(m member) bool { return m.story == story })
	return len(w.members) < n
}

func (w *window) has(story feed.ItemID) bool {
	return slices.ContainsFunc(w.members, func(m member) bool { return m.story == story })
}

// minShown is how many late members may fill up a feed that would have fewer
// entries than this: an all but empty feed helps nobody, and so few flood nobody.
const minShown = 10

// shown are the members of the live feed, newest first: at least limit if there
// are as many, and all of the time before the newest one that span covers, as far
// as the window reaches. The first limit of the result are those that the limit
// is for; size is for the caller to bound.
func (w *window) shown(limit int, span time.Duration) []member {
	var out, late []member
	for _, m := range w.members {
		if m.late {
			late = append(late, m)
			continue
		}
		if len(out) >= limit && out[0].order.Sub(m.order) > span {
			break
		}
		out = append(out, m)
	}
	if room := min(limit, minShown) - len(out); room > 0 && len(late) > 0 {
		out = append(out, late[:min(room, len(late))]...)
		slices.SortFunc(out, newestFirst)
	}
	return out
}

// readWindow builds the window of a feed from the archive.
func (p *Publisher) readWindow(ctx context.Context, f *shelf) (*window, error) {
	w := &window{max: 2 * f.limit}
	first, err := p.archive.Heads(ctx, store.HeadQuery{
		Source: f.pred.scope.Source, Topic: f.pred.scope.Topic, ByArrival: true, Ascending: true, Limit: 1,
	})
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return w, nil
	}
	w.seeded = first[0].FirstSeen.Add(seeding)
	q := f.pred.scope
	q.Limit = 4 * w.max
	if f.pred.content {
		q.Limit = 200 // whole items are read
	}
	q.Limit = min(q.Limit, 1000)
	unlate := 0
	for scanned := 0; scanned < maxScan; {
		heads, err := p.archive.Heads(ctx, q)
		if err != nil {
			return nil, err
		}
		ms, err := p.carriers(ctx, f, w, heads)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			if w.has(m.story) {
				continue
			}
			if w.put(m) && !m.late {
				unlate++
			}
		}
		scanned += len(heads)
		if len(heads) < q.Limit {
			return w, nil
		}
		if len(w.members) == w.max && unlate >= f.limit {
			break
		}
		last := heads[len(heads)-1]
		q.After = &last
	}
	w.more = true
	return w, nil
}

// maxScan bounds how many items are looked at for one feed: a query that matches
// nothing must not read a whole archive for a reader who waits.
const maxScan = 50_000

// carriers are the members that heads bring to a feed: for each story among them
// that the feed has, the item that carries it.
func (p *Publisher) carriers(ctx context.Context, f *shelf, w *window, heads []store.Head) ([]member, error) {
	cs := make([]*candidate, len(heads))
	for i := range heads {
		cs[i] = &candidate{head: heads[i]}
	}
	matched, err := p.matching(ctx, f.pred, cs)
	if err != nil {
		return nil, err
	}
	var out []member
	for _, c := range matched {
		// The story is carried by its first member that matches. That is this item
		// unless it is a copy of an earlier one.
		if !f.perItem && c.head.Story != c.head.ID && !c.head.Story.IsZero() {
			first, err := p.carrier(ctx, f, c.head.Story)
			if err != nil {
				return nil, err
			}
			if first == nil || first.head.ID != c.head.ID {
				continue // it comes, or came, with its own head
			}
		}
		m, err := p.member(ctx, f, w, c)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// matching are those of cs that are in a feed, in order.
func (p *Publisher) matching(ctx context.Context, pred predicate, cs []*candidate) ([]*candidate, error) {
	var out []*candidate
	for _, c := range cs {
		if !c.head.TakenDown && c.head.Withdrawn == pred.withdrawn {
			out = append(out, c)
		}
	}
	if pred.content {
		if err := fill(ctx, p.archive, out, p.sourceTitle); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(c *candidate) bool { return !pred.match(c) }), nil
}

// carrier is the first member of a story that matches, or nil.
func (p *Publisher) carrier(ctx context.Context, f *shelf, story feed.ItemID) (*candidate, error) {
	heads, err := p.archive.Heads(ctx, store.HeadQuery{Story: story, ByArrival: true, Ascending: true})
	if err != nil {
		return nil, err
	}
	cs := make([]*candidate, len(heads))
	for i := range heads {
		cs[i] = &candidate{head: heads[i]}
	}
	got, err := p.matching(ctx, f.pred, cs)
	if err != nil || len(got) == 0 {
		return nil, err
	}
	return got[0], nil
}

// member places an item in a feed.
func (p *Publisher) member(ctx context.Context, f *shelf, w *window, c *candidate) (member, error) {
	h := &c.head
	m := member{id: h.ID, story: f.storyOf(h), source: h.Source, order: h.Effective, arrived: h.FirstSeen, changed: h.Revised}
	switch {
	case f.pred.byRevision:
		m.order = h.Revised
		return m, nil
	case h.Revision > 1:
		// The date of the first revision stands, whatever the publisher says later.
		all, err := p.archive.Revisions(ctx, h.ID)
		if err != nil {
			return m, err
		}
		m.order = all[0].Effective()
	}
	m.late = m.arrived.Sub(m.order) > p.state.Load().cfg.LateAfter && m.arrived.After(w.seeded)
	return m, nil
}
