package aggregator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/store"
)

const (
	// maxStoryIDs bounds what a file's decisions about stories may name in all: 16 bytes
	// each are held until its end.
	maxStoryIDs = 1 << 21
	// maxStoryWork bounds decisions that have to do with each other times the items that
	// they have to do with.
	maxStoryWork = 1 << 24
	// storyBatch is about how many decisions are committed together.
	storyBatch = 1000
)

// stories are the decisions of a file that are about several items. They are held to the
// end of the file, when all that they name is here.
type stories struct {
	edits []storyEdit
	named int // ids, in all
	full  bool
	// stands are the decisions of which the items stand with another item, and lists those
	// that were found there.
	stands map[standing]int // the line that refers to it
	lists  map[standing]bool
	// of are the stories, as the file has them, of the items that decisions name.
	of map[feed.ItemID]story
}

type storyEdit struct {
	store.Edit
	line int
}

type standing struct {
	kind string
	at   int64
	item feed.ItemID
}

// story is one as a file has it.
type story struct {
	items    []feed.ItemID // sorted
	original feed.ItemID   // zero: the first
}

// take keeps what a line says of stories. An error is what is wrong with it.
func (s *stories) take(line int, r *itemjson.Record) error {
	touched := false
	for i := range r.Decisions {
		d := &r.Decisions[i]
		kind := map[string]store.Kind{"merge": store.KindMerge, "split": store.KindSplit}[d.Kind]
		if kind == 0 || s.full {
			continue
		}
		if s.named += 1 + len(d.Items); s.named > maxStoryIDs {
			s.full = true
			return fmt.Errorf("the merges and splits of the file name more than %d items; those from here on are not taken in", maxStoryIDs)
		}
		if s.of == nil {
			s.of, s.stands, s.lists = map[feed.ItemID]story{}, map[standing]int{}, map[standing]bool{}
		}
		touched = true
		if !d.ListedAt.IsZero() {
			s.stands[standing{d.Kind, d.At.UnixNano(), d.ListedAt}] = line
			continue
		}
		s.lists[standing{d.Kind, d.At.UnixNano(), r.ID}] = true
		s.edits = append(s.edits, storyEdit{store.Edit{
			Kind: kind, At: d.At, By: cmp.Or(d.By, "import"), Reason: d.Reason, Items: d.Items, First: d.Original,
		}, line})
	}
	if !touched {
		return nil
	}
	of := story{items: []feed.ItemID{r.ID}, original: r.Original}
	for _, a := range r.AlsoIn {
		of.items = append(of.items, a.ID)
	}
	slices.SortFunc(of.items, feed.ItemID.Compare)
	s.named += len(of.items)
	s.of[r.ID] = of
	return nil
}

// settleStories records the decisions about several items, in the order in which they were
// made, and sees to it that the stories that they leave are those of the file.
func (l *lines) settleStories(ctx context.Context) error {
	s := &l.stories
	for at, line := range s.stands {
		if !s.lists[at] {
			l.sum.fail(l.o, fmt.Errorf("line %d: the items of a %s stand with item %v, and there they do not", line, at.kind, at.item))
		}
	}
	if len(s.edits) == 0 {
		return nil
	}
	slices.SortStableFunc(s.edits, func(a, b storyEdit) int { return a.At.Compare(b.At) })
	w := world{at: map[feed.ItemID]*group{}}
	var todo []storyEdit
	for i := range s.edits {
		e := &s.edits[i]
		items := make([]feed.ItemID, len(e.Items))
		for j, id := range e.Items {
			items[j] = l.here(id)
		}
		e.Items = items
		if !e.First.IsZero() {
			e.First = l.here(e.First)
		}
		missing, err := w.look(ctx, l.a.archive, e.Items)
		if err != nil {
			return err
		}
		if !missing.IsZero() {
			l.sum.fail(l.o, fmt.Errorf("line %d: a %v names item %v, which is neither in the file nor in the archive", e.line, e.Kind, missing))
			continue
		}
		log, err := l.log(ctx)
		if err != nil {
			return err
		}
		if twice(items) {
			continue // two of them are one here
		}
		if log.Has(&e.Edit) || log.Later(&e.Edit) {
			continue
		}
		todo = append(todo, *e)
	}
	there := make(map[feed.ItemID]feed.ItemID, len(l.elsewhere)) // the ids in the file
	for file, here := range l.elsewhere {
		there[here] = file
	}
	var edits []store.Edit
	for _, part := range w.parts(todo) {
		if n := w.members(part); n > maxStoryWork/len(part) {
			l.sum.fail(l.o, fmt.Errorf("%d merges and splits of one story of %d items are not taken in: they are too many together", len(part), n))
			continue
		}
		edits = append(edits, part...)
		edits = append(edits, w.corrections(l.wanted(part, there), part)...)
		if len(edits) >= storyBatch {
			if err := l.a.archive.Change(ctx, edits); err != nil {
				return err
			}
			edits = nil
		}
	}
	if len(edits) == 0 {
		return nil
	}
	return l.a.archive.Change(ctx, edits)
}

func twice(ids []feed.ItemID) bool {
	sorted := slices.SortedFunc(slices.Values(ids), feed.ItemID.Compare)
	return len(slices.Compact(sorted)) < len(ids)
}

// wanted are the stories that decisions left where the file was made; there are the ids in
// the file of items that have others here.
func (l *lines) wanted(edits []store.Edit, there map[feed.ItemID]feed.ItemID) []story {
	var out []story
	seen := map[feed.ItemID]bool{}
	for _, e := range edits {
		for _, id := range e.Items {
			of, ok := l.stories.of[cmp.Or(there[id], id)]
			if !ok || seen[id] {
				continue
			}
			own := story{items: make([]feed.ItemID, len(of.items))}
			for i, m := range of.items {
				own.items[i] = l.here(m)
				seen[own.items[i]] = true
			}
			if !of.original.IsZero() {
				own.original = l.here(of.original)
			}
			slices.SortFunc(own.items, feed.ItemID.Compare)
			out = append(out, own)
		}
	}
	return out
}

// world is what is known of the stories of some items, as they will be when the decisions
// that were made in it are recorded.
type world struct {
	at map[feed.ItemID]*group
}

type group struct {
	items    []feed.ItemID // sorted
	original feed.ItemID
}

// look learns the stories of items; missing is one that is not there.
func (w *world) look(ctx context.Context, a Archive, ids []feed.ItemID) (missing feed.ItemID, err error) {
	var unknown []feed.ItemID
	for _, id := range ids {
		if _, ok := w.at[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	for part := range slices.Chunk(unknown, 1000) {
		items, err := a.Items(ctx, part, store.WithStory)
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return missing, err
		}
		for i := range items {
			it := &items[i]
			if w.at[it.ID] != nil {
				continue
			}
			g := &group{items: []feed.ItemID{it.ID}, original: it.Original}
			for _, m := range it.AlsoIn {
				g.items = append(g.items, m.ID)
			}
			slices.SortFunc(g.items, feed.ItemID.Compare)
			for _, m := range g.items {
				w.at[m] = g
			}
		}
		for _, id := range part {
			if w.at[id] == nil {
				return id, nil
			}
		}
	}
	return missing, nil
}

// parts takes decisions apart into those that have nothing to do with each other, each
// part in its order.
func (w *world) parts(edits []storyEdit) [][]store.Edit {
	parent := map[*group]*group{}
	root := func(g *group) *group {
		for parent[g] != nil {
			if next := parent[parent[g]]; next != nil {
				parent[g] = next // halves the way
			}
			g = parent[g]
		}
		return g
	}
	for i := range edits {
		first := root(w.at[edits[i].Items[0]])
		for _, id := range edits[i].Items[1:] {
			if g := root(w.at[id]); g != first {
				parent[g] = first
			}
		}
	}
	place := map[*group]int{}
	var out [][]store.Edit
	for i := range edits {
		g := root(w.at[edits[i].Items[0]])
		at, ok := place[g]
		if !ok {
			at = len(out)
			place[g], out = at, append(out, nil)
		}
		out[at] = append(out[at], edits[i].Edit)
	}
	return out
}

// members is how many items decisions have to do with.
func (w *world) members(edits []store.Edit) (n int) {
	seen := map[*group]bool{}
	for i := range edits {
		for _, id := range edits[i].Items {
			if g := w.at[id]; !seen[g] {
				seen[g] = true
				n += len(g.items)
			}
		}
	}
	return n
}

// corrections makes decisions in the world, and gives those that must follow them for the
// wanted stories to be. There are none if items that the file does not know are concerned.
func (w *world) corrections(wanted []story, edits []store.Edit) []store.Edit {
	known := map[feed.ItemID]bool{}
	for _, s := range wanted {
		for _, id := range s.items {
			if known[id] || w.at[id] == nil {
				return nil // the file contradicts itself, or lacks some of it
			}
			known[id] = true
		}
	}
	looked := map[*group]bool{}
	for i := range edits {
		for _, id := range edits[i].Items {
			g := w.at[id]
			if !looked[g] && slices.ContainsFunc(g.items, func(m feed.ItemID) bool { return !known[m] }) {
				return nil
			}
			looked[g] = true
		}
	}
	for i := range edits {
		w.apply(&edits[i])
	}
	var out []store.Edit
	for _, s := range wanted {
		g := w.at[s.items[0]]
		original := s.original
		if original == s.items[0] {
			original = feed.ItemID{}
		}
		if slices.Equal(g.items, s.items) && g.original == original {
			continue
		}
		const reason = "as it was where it was exported"
		fix := []store.Edit{{Kind: store.KindSplit, Items: s.items, By: "import", Reason: reason}}
		if !original.IsZero() && len(s.items) > 1 && slices.Contains(s.items, original) {
			fix = append(fix, store.Edit{Kind: store.KindMerge, Items: s.items, First: original, By: "import", Reason: reason})
		}
		for i := range fix {
			w.apply(&fix[i])
		}
		out = append(out, fix...)
	}
	return out
}

// apply makes a decision, as the archive does.
func (w *world) apply(e *store.Edit) {
	named := map[feed.ItemID]bool{}
	stories := map[*group]bool{}
	for _, id := range e.Items {
		named[id] = true
		stories[w.at[id]] = true
	}
	if e.Kind == store.KindMerge {
		var all []feed.ItemID
		for g := range stories {
			all = append(all, g.items...)
		}
		w.regroup(all, e.First)
		return
	}
	for g := range stories {
		w.regroup(slices.DeleteFunc(slices.Clone(g.items), func(m feed.ItemID) bool { return named[m] }), feed.ItemID{})
	}
	w.regroup(slices.Clone(e.Items), feed.ItemID{})
}

func (w *world) regroup(items []feed.ItemID, original feed.ItemID) {
	if len(items) == 0 {
		return
	}
	slices.SortFunc(items, feed.ItemID.Compare)
	if !slices.Contains(items, original) || original == items[0] {
		original = feed.ItemID{}
	}
	g := &group{items: items, original: original}
	for _, id := range items {
		w.at[id] = g
	}
}
