package publish

import (
	"cmp"
	"context"
	"errors"
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
	// late: it was old when it arrived, and the feed was there already. It is kept out
	// of the live feed, so that a blog's back list floods nobody.
	late bool
}

// newestFirst orders members; ids break ties, so that the order is total.
func newestFirst(a, b member) int {
	return cmp.Or(b.order.Compare(a.order), b.id.Compare(a.id))
}

// window is the newest end of a feed.
type window struct {
	members newest // those that are shown
	late    newest // those that fill up a feed that is all but empty
	// seeded is until when a feed takes in old items as if they had always been there
	// (see seeding): what is old and arrives after it is late.
	seeded time.Time
}

// newest is the newest end of a list of members.
type newest struct {
	held []member // newest first
	max  int
	// more: there are members beyond those held, so that when one leaves the list
	// must be read anew.
	more bool
}

// seeding is how long after its first item a feed takes in old items as if they
// had always been there: a first import or subscription takes a while.
const seeding = 24 * time.Hour

// minShown is how many late members may fill up a feed that would have fewer
// entries than this: an all but empty feed helps nobody, and so few flood nobody.
const minShown = 10

func newWindow(limit int) *window {
	return &window{members: newest{max: 2 * limit}, late: newest{max: min(limit, minShown)}}
}

// put places m in its list, where its story must not be. It reports whether the
// list changed.
func (w *window) put(m member) bool {
	if m.late {
		return w.late.put(m)
	}
	return w.members.put(m)
}

func (l *newest) put(m member) bool {
	at, _ := slices.BinarySearchFunc(l.held, m, newestFirst)
	if at >= l.max {
		l.more = true
		return false
	}
	l.held = slices.Insert(l.held, at, m)
	if len(l.held) > l.max {
		l.held = l.held[:l.max]
		l.more = true
	}
	return true
}

// all lists every member held.
func (w *window) all() []member { return slices.Concat(w.members.held, w.late.held) }

// remove takes out the members for which f is true and reports which stories
// those were.
func (w *window) remove(f func(member) bool) map[feed.ItemID]bool {
	out := map[feed.ItemID]bool{}
	for _, l := range []*newest{&w.members, &w.late} {
		l.held = slices.DeleteFunc(l.held, func(m member) bool {
			gone := f(m)
			if gone {
				out[m.story] = true
			}
			return gone
		})
	}
	return out
}

// stale reports whether members that are not held should have moved up, so that the
// window must be read anew. Late ones count only where they are needed to fill up.
func (w *window) stale() bool {
	return w.members.more && len(w.members.held) < w.members.max ||
		w.late.more && len(w.late.held) < w.late.max && len(w.members.held) < w.late.max
}

// beyond reports whether the feed has members beyond n that are shown.
func (w *window) beyond(n int) bool {
	return w.members.more || len(w.members.held)+len(w.late.held) > n
}

func (w *window) has(story feed.ItemID) bool {
	same := func(m member) bool { return m.story == story }
	return slices.ContainsFunc(w.members.held, same) || slices.ContainsFunc(w.late.held, same)
}

// shown are the members of the live feed, newest first: limit if there are as
// many, and all of the time before the newest one that span covers, as far as the
// window reaches. Those beyond limit come last.
func (w *window) shown(limit int, span time.Duration) []member {
	var out []member
	for _, m := range w.members.held {
		if len(out) >= limit && out[0].order.Sub(m.order) > span {
			break
		}
		out = append(out, m)
	}
	if room := w.late.max - len(out); room > 0 && len(w.late.held) > 0 {
		out = append(out, w.late.held[:min(room, len(w.late.held))]...)
		slices.SortFunc(out, newestFirst)
	}
	return out
}

// readWindow builds the window of a feed from the archive.
func (p *Publisher) readWindow(ctx context.Context, f *shelf) (*window, error) {
	w := newWindow(f.limit)
	if w.seeded = f.seeded; w.seeded.IsZero() {
		at, err := p.firstArrival(ctx, f)
		if err != nil || at.IsZero() {
			return w, err // nothing is there
		}
		w.seeded = at.Add(seeding)
	}
	return w, p.scan(ctx, f, w)
}

// scan fills a window from the archive, newest first, until it is full.
func (p *Publisher) scan(ctx context.Context, f *shelf, w *window) error {
	q := f.pred.scope
	q.Limit = 4 * f.limit
	if f.pred.content {
		q.Limit = 200 // whole items are read
	}
	q.Limit = min(q.Limit, 1000)
	for scanned := 0; scanned < maxScan; {
		heads, err := p.archive.Heads(ctx, q)
		if err != nil {
			return err
		}
		ms, err := p.carriers(ctx, f, w, heads)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if !w.has(m.story) {
				w.put(m)
			}
		}
		scanned += len(heads)
		if len(heads) < q.Limit {
			return nil
		}
		if len(w.members.held) == w.members.max {
			break
		}
		last := heads[len(heads)-1]
		q.After = &last
	}
	w.members.more, w.late.more = true, true
	return nil
}

// firstArrival is when the first item came that could be in a feed. For a feed of the
// configuration that is written down once and stays; a boolean feed goes by the first
// item of the whole archive, as the topics of items change.
func (p *Publisher) firstArrival(ctx context.Context, f *shelf) (time.Time, error) {
	q := store.HeadQuery{ByArrival: true, Ascending: true, Limit: 1}
	if f.minted {
		q.Source, q.Topic = f.pred.scope.Source, f.pred.scope.Topic
	}
	first, err := p.archive.Heads(ctx, q)
	if err != nil || len(first) == 0 {
		return time.Time{}, err
	}
	return first[0].FirstSeen, nil
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
		if pred.fits(&c.head) {
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
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return m, err
		}
		if len(all) > 0 { // else all are lost
			m.order = all[0].Effective()
		}
	}
	m.late = m.arrived.Sub(m.order) > p.state.cfg.LateAfter && m.arrived.After(w.seeded)
	return m, nil
}
