package store

import (
	"context"
	"slices"
	"time"

	"chancery/feed"
)

// Decisions are what was decided about items, as the log has it: by a person, and the
// elections of originals by a rule. What topics the rules give is none of it.
type Decisions struct {
	edits []Edit
	of    map[feed.ItemID][]int // places in edits
	keys  map[feed.ItemID][]Key
	made  map[occasion][]int    // places in edits
	last  map[decided]time.Time // when a person decided it last
}

// occasion is what a decision has in common with few others.
type occasion struct {
	item  feed.ItemID // the first of them by id
	kind  Kind
	sec   int64 // Unix time
	nanos int
}

// decided is a sort of decision about an item.
type decided struct {
	item feed.ItemID
	kind Kind // merges and splits are one sort
}

func sortOf(id feed.ItemID, k Kind) decided {
	if k == KindSplit {
		k = KindMerge
	}
	return decided{id, k}
}

func occasionOf(e *Edit) occasion {
	d := occasion{kind: e.Kind, sec: e.At.Unix(), nanos: e.At.Nanosecond()}
	if len(e.Items) > 0 {
		d.item = slices.MinFunc(e.Items, feed.ItemID.Compare)
	}
	return d
}

// decidedKinds are the kinds of decisions about items, and what says of further keys.
var decidedKinds = KindsOf(KindTopics, KindMerge, KindSplit, KindWithdrawn, KindTakedown, KindSeen)

func newDecisions() *Decisions {
	return &Decisions{of: map[feed.ItemID][]int{}, keys: map[feed.ItemID][]Key{}, made: map[occasion][]int{}, last: map[decided]time.Time{}}
}

// ReadDecisions reads the decisions of the whole log.
func ReadDecisions(ctx context.Context, a Archive) (*Decisions, error) {
	d := newDecisions()
	const page = 1000
	for at := Cursor(0); ; {
		records, next, err := a.Records(ctx, at, decidedKinds, page)
		if err != nil {
			return nil, err
		}
		for i := range records {
			d.add(&records[i])
		}
		if at = next; len(records) == 0 {
			return d, nil
		}
	}
}

func (d *Decisions) add(r *Record) {
	e := r.Edit
	switch {
	case e == nil:
	case e.Kind == KindSeen:
		for _, id := range e.Items {
			d.keys[id] = append(d.keys[id], r.Keys...)
		}
	case e.Kind == KindTopics && e.By == "rule":
	default:
		if e.At.IsZero() {
			e.At = r.Time
		}
		d.Add(*e)
	}
}

// Add adds a decision that was recorded since; its At is set.
func (d *Decisions) Add(e Edit) {
	for _, id := range e.Items {
		d.of[id] = append(d.of[id], len(d.edits))
		if of := sortOf(id, e.Kind); e.By != "rule" && e.By != "import" && !e.At.Before(d.last[of]) {
			d.last[of] = e.At
		}
	}
	at := occasionOf(&e)
	d.made[at] = append(d.made[at], len(d.edits))
	d.edits = append(d.edits, e)
}

// Of are the decisions about an item, in the order in which they were made; At is set.
func (d *Decisions) Of(id feed.ItemID) []Edit {
	var out []Edit
	for _, i := range d.of[id] {
		out = append(out, d.edits[i])
	}
	slices.SortStableFunc(out, func(a, b Edit) int { return a.At.Compare(b.At) })
	return out
}

// Keys are those by which an item came to be known beside those of its versions.
func (d *Decisions) Keys(id feed.ItemID) []Key { return d.keys[id] }

// Has reports whether a decision is recorded: the same, about the same items, at the same
// time.
func (d *Decisions) Has(e *Edit) bool {
	return len(e.Items) > 0 && slices.ContainsFunc(d.made[occasionOf(e)], func(i int) bool {
		r := &d.edits[i]
		return r.Undo == e.Undo && r.First == e.First && sameItems(r.Items, e.Items)
	})
}

// Later reports whether a person decided something of the same sort later about any of the
// items, or, where e is a rule's, ever: then what comes from elsewhere changes nothing.
func (d *Decisions) Later(e *Edit) bool {
	for _, id := range e.Items {
		if at, ok := d.last[sortOf(id, e.Kind)]; ok && (at.After(e.At) || e.By == "rule") {
			return true
		}
	}
	return false
}

func sameItems(a, b []feed.ItemID) bool {
	byID := func(ids []feed.ItemID) []feed.ItemID {
		return slices.SortedFunc(slices.Values(ids), feed.ItemID.Compare)
	}
	return len(a) == len(b) && slices.Equal(byID(a), byID(b))
}
