package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// search is one search at work.
type search struct {
	x   *Index
	f   *file
	r   *reader
	v   *view
	n   int // versions that are looked at: what came later is not there
	q   *query.Query
	o   store.SearchOptions
	now time.Time

	part   string // of the query that is being worked at
	pairs  int    // places held
	ticks  int    // see tick
	among  set    // if not nil, what is outside does not matter to the node at hand
	from   *cursor
	scores []float32         // by version, with order Relevance
	items  map[uint32]*found // items that were read
	page   store.SearchPage
}

// maxChecked is up to how many versions that only the matcher can judge are all
// judged, so that the total is exact.
const maxChecked = 500

// await waits for its turn, as only some searches run at once. One that need not wait is
// never told that others are in its way.
func (x *Index) await(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	default:
	}
	wait := time.NewTimer(x.cfg.MaxTime)
	defer wait.Stop()
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-wait.C:
		return &store.CostError{Busy: true}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Search implements store.Index.
func (x *Index) Search(ctx context.Context, q *query.Query, o store.SearchOptions) (store.SearchPage, error) {
	if o.Now.IsZero() {
		o.Now = time.Now().Truncate(time.Minute) // so that what is asked twice is answered alike
	}
	if o.Order > store.Relevance {
		return store.SearchPage{}, fmt.Errorf("order %d is none", o.Order)
	}
	switch {
	case o.Limit == 0:
		o.Limit = 20
	case o.Limit > store.MaxHits:
		o.Limit = store.MaxHits
	}
	asked := time.Now()
	if err := x.await(ctx); err != nil {
		return store.SearchPage{}, err
	}
	defer func() { <-x.turn }()
	allowed, done := allow(x.cfg.MaxTime, asked)
	defer done()
	for {
		s := &search{x: x, f: x.cur.Load(), q: q, o: o, now: o.Now, items: map[uint32]*found{}}
		if broken := s.f.broken.Load(); broken != nil {
			return s.page, *broken
		}
		err := s.run(ctx, allowed)
		if errors.Is(err, store.ErrClosed) && x.cur.Load() != s.f {
			continue // another file has taken its place
		}
		if err != nil && unusable(err) && s.f.broken.CompareAndSwap(nil, &err) {
			x.rouse()
		}
		return s.page, err
	}
}

func (s *search) run(ctx context.Context, allowed allowance) error {
	// First the columns, then the file: what is in the file but not in the columns
	// is cut off, the other way round it would be missed.
	s.v = s.f.view.Load()
	s.n = s.v.n
	if s.o.Cursor != "" {
		c, err := parseCursor(s.o.Cursor, s)
		if err != nil {
			return err
		}
		s.from, s.now = c, c.now
		if c.file == s.f.path {
			s.n = min(s.n, c.bound)
		}
	}
	r, err := s.f.reader()
	if err != nil {
		return err
	}
	defer s.f.release(r)
	s.r = r
	r.allowed = allowed
	r.part = func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.tooDear("more time than a search may have")
	}
	if err := r.begin(); err != nil {
		return err
	}
	defer r.end()
	if !s.f.complete.Load() && s.x.archive != nil {
		s.note("the index is being made: %d of %d records of the archive are in it", s.f.cursor.Load(), max(s.x.end.Load(), s.f.cursor.Load()))
	}

	hits := verdict{yes: newSet(s.n)}
	hits.yes.fill(s.n)
	if s.q != nil {
		if neutral(s.q.Root) {
			hits.yes = newSet(s.n)
		} else if hits, err = s.eval(s.q.Root); err != nil {
			return err
		}
	}
	s.part = ""
	see := s.visible()
	hits.yes.and(see)
	if hits.may != nil {
		hits.may.and(see)
	}
	if s.o.Order == store.Relevance {
		if err := s.rank(hits.upper()); err != nil {
			return err
		}
	}
	return s.answer(ctx, hits)
}

func (s *search) note(format string, args ...any) {
	s.page.Notes = append(s.page.Notes, fmt.Sprintf(format, args...))
}

// answer makes the page of the hits.
func (s *search) answer(ctx context.Context, hits verdict) error {
	matched, stop, err := s.check(ctx, hits)
	if err != nil {
		return err
	}
	s.page.Exact = stop == nil
	also := map[uint32]int{}
	if s.o.FoldStories {
		also = s.foldStories(matched)
	}
	s.page.Total = matched.count()
	if s.from != nil && !s.page.Exact {
		s.page.Total = max(s.page.Total, s.from.total)
	}
	if s.o.Facets {
		if s.page.Facets, err = s.facets(matched); err != nil {
			return err
		}
		s.page.Facets.Sampled = !s.page.Exact
	}
	if s.o.Limit < 0 {
		return nil
	}
	var shown []uint32
	more := false
	for n := range s.ordered(matched, s.from) {
		if stop != nil && s.after(n, *stop) {
			break
		}
		if len(shown) == s.o.Limit {
			more = true
			break
		}
		shown = append(shown, n)
	}
	switch {
	case more:
		s.page.Next = s.cursorAt(shown[len(shown)-1])
	case stop != nil:
		s.page.Next = s.cursorAt(*stop)
	}
	for _, n := range shown {
		fx := s.v.fixed(n)
		h := store.Hit{ID: fx.id, Revision: int(fx.revision), AlsoAt: also[n]}
		if s.scores != nil {
			h.Score = float64(s.scores[n])
		}
		s.page.Hits = append(s.page.Hits, h)
	}
	if s.o.Snippets {
		return s.snippets(ctx, shown)
	}
	return nil
}

// check asks the matcher about the versions that the index is not sure of: about
// all if they are few, else in the order of the page until it is full. stop is the
// last that was judged then.
func (s *search) check(ctx context.Context, hits verdict) (matched set, stop *uint32, err error) {
	if hits.may == nil {
		return hits.yes, nil, nil
	}
	open := hits.may.clone(s.n)
	open.andNot(hits.yes)
	if open.empty() {
		return hits.yes, nil, nil
	}
	if s.x.archive == nil {
		return nil, nil, errors.New("the index has no archive to read the texts from that this query needs")
	}
	matched = hits.yes.clone(s.n)
	total := open.count()
	var from *cursor
	if total > maxChecked {
		from = s.from
	}
	good, judged, kept := 0, 0, 0
	const step = 50
	var window []uint32
	flush := func() error {
		var ask []uint32
		for _, n := range window {
			if open.has(n) {
				ask = append(ask, n)
			}
		}
		if err := s.read(ctx, ask); err != nil {
			return err
		}
		for _, n := range ask {
			if d := s.items[n]; d != nil {
				_, ok := s.q.Match(d.doc, s.now)
				if ok {
					matched.add(n)
				}
				// Items can be large: only what the page may show is kept.
				if ok && kept < s.o.Limit {
					kept++
				} else {
					delete(s.items, n)
				}
			}
			judged++
		}
		for _, n := range window {
			if matched.has(n) {
				good++
			}
		}
		window = window[:0]
		return nil
	}
	for n := range s.ordered(hits.may, from) {
		if window = append(window, n); len(window) < step {
			continue
		}
		if err := flush(); err != nil {
			return nil, nil, err
		}
		if total > maxChecked && good > max(s.o.Limit, 0) || s.r.allowed.over() {
			last := n
			s.note("%d of %d candidates were read to this page; the total counts those that are known to match", judged, total)
			return matched, &last, nil
		}
	}
	return matched, nil, flush()
}

// compare is the order of the page.
func (s *search) compare(a, b uint32) int {
	switch s.o.Order {
	case store.Oldest:
		return s.v.compare(a, b)
	case store.Relevance:
		return cmp.Or(-cmp.Compare(s.scores[a], s.scores[b]), -s.v.compare(a, b))
	}
	return -s.v.compare(a, b)
}

func (s *search) after(n, m uint32) bool { return s.compare(n, m) > 0 }

// ordered gives the members of a set in the order of the page, behind a cursor.
func (s *search) ordered(of set, from *cursor) func(yield func(uint32) bool) {
	count := of.count()
	if s.o.Order == store.Relevance || count*32 < len(s.v.order) {
		return s.sorted(of, count, from)
	}
	order := s.v.order
	return func(yield func(uint32) bool) {
		if s.o.Order == store.Oldest {
			at := 0
			if from != nil {
				at = sort.Search(len(order), func(i int) bool { return from.compareKey(s.v.fixed(order[i])) > 0 })
			}
			for _, n := range order[at:] {
				if int(n) < s.n && of.has(n) && !yield(n) {
					return
				}
			}
			return
		}
		at := len(order)
		if from != nil {
			at = sort.Search(len(order), func(i int) bool { return from.compareKey(s.v.fixed(order[i])) >= 0 })
		}
		for _, n := range slices.Backward(order[:at]) {
			if int(n) < s.n && of.has(n) && !yield(n) {
				return
			}
		}
	}
}

// sorted is ordered for few members, or for an order that is not kept: a heap that
// is emptied as far as needed.
func (s *search) sorted(of set, count int, from *cursor) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		heap := make([]uint32, 0, count)
		for n := range of.all {
			if from == nil || from.before(s, n) {
				heap = append(heap, n)
			}
		}
		down := func(i int) {
			for {
				c := 2*i + 1
				if c >= len(heap) {
					return
				}
				if c+1 < len(heap) && s.compare(heap[c+1], heap[c]) < 0 {
					c++
				}
				if s.compare(heap[i], heap[c]) <= 0 {
					return
				}
				heap[i], heap[c] = heap[c], heap[i]
				i = c
			}
		}
		for i := len(heap)/2 - 1; i >= 0; i-- {
			down(i)
		}
		for len(heap) > 0 {
			n := heap[0]
			last := len(heap) - 1
			heap[0] = heap[last]
			heap = heap[:last]
			down(0)
			if !yield(n) {
				return
			}
		}
	}
}

// foldStories leaves of each story the first hit in the order, and counts the
// others of its items.
func (s *search) foldStories(hits set) map[uint32]int {
	first := map[uint32]uint32{} // by story
	also := map[uint32]int{}
	items := map[feed.ItemID]bool{}
	for n := range hits.all {
		story := s.v.state(n).story
		if story == 0 {
			continue
		}
		best, ok := first[story]
		switch {
		case !ok:
			first[story] = n
			items[s.v.fixed(n).id] = true
			continue
		case s.after(best, n):
			first[story] = n
			also[n] = also[best]
			delete(also, best)
			hits.remove(best)
			best = n
		default:
			hits.remove(n)
		}
		if id := s.v.fixed(n).id; !s.o.AllVersions || !items[id] {
			items[id] = true
			also[best]++
		}
	}
	return also
}

// found is an item that was read from the archive, as of one version.
type found struct {
	item feed.Item
	doc  *query.Doc
}

// read gets the items of versions from the archive. One that is not there any more
// is left out.
func (s *search) read(ctx context.Context, list []uint32) error {
	if s.x.archive == nil {
		return errors.New("the index has no archive to read texts from")
	}
	var ids []feed.ItemID
	for _, n := range list {
		if s.items[n] == nil && s.v.state(n).newer == 0 {
			ids = append(ids, s.v.fixed(n).id)
		}
	}
	newest := map[feed.ItemID]feed.Item{}
	for part := range slices.Chunk(ids, 500) {
		items, err := s.x.archive.Items(ctx, part, store.WithContent)
		if err != nil && !errors.Is(err, store.ErrLost) { // it is the archive that lost it, not the index
			return err
		}
		for _, it := range items {
			newest[it.ID] = it
		}
	}
	for _, n := range list {
		fx := s.v.fixed(n)
		if s.items[n] != nil {
			continue
		}
		it, ok := newest[fx.id]
		if !ok || it.Revision != int(fx.revision) {
			versions, err := s.x.archive.Revisions(ctx, fx.id)
			if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrLost) {
				continue
			}
			if err != nil {
				return err
			}
			i := slices.IndexFunc(versions, func(it feed.Item) bool { return it.Revision == int(fx.revision) })
			if i < 0 {
				continue
			}
			it = versions[i]
		}
		if it.TakenDown {
			continue
		}
		it.Revisions = it.Revision
		if s.newer(n) {
			it.Revisions++
		}
		s.items[n] = &found{it, query.NewDoc(&it, s.v.sources[fx.source].title)}
	}
	return nil
}
