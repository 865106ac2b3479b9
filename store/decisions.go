package store

import (
	"bytes"
	"context"
	"slices"

	"chancery/feed"
)

// Decisions are what was decided about items, as the log has it: by a person, and the
// elections of originals by a rule. What topics the rules give is none of it.
type Decisions struct {
	edits []Edit
	of    map[feed.ItemID][]int // places in edits
	keys  map[feed.ItemID][]Key
}

// decidedKinds are the kinds of decisions about items, and what says of further keys.
var decidedKinds = KindsOf(KindTopics, KindMerge, KindSplit, KindWithdrawn, KindTakedown, KindSeen)

// ReadDecisions reads the decisions of the whole log.
func ReadDecisions(ctx context.Context, a Archive) (*Decisions, error) {
	d := &Decisions{of: map[feed.ItemID][]int{}, keys: map[feed.ItemID][]Key{}}
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
	}
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
	return len(e.Items) > 0 && slices.ContainsFunc(d.of[e.Items[0]], func(i int) bool {
		r := &d.edits[i]
		return r.Kind == e.Kind && r.At.Equal(e.At) && r.Undo == e.Undo && r.First == e.First && sameItems(r.Items, e.Items)
	})
}

// Later reports whether a person decided something of the same sort later about any of the
// items, or, where e is a rule's, ever: then what comes from elsewhere changes nothing.
func (d *Decisions) Later(e *Edit) bool {
	story := func(k Kind) bool { return k == KindMerge || k == KindSplit }
	for _, id := range e.Items {
		for _, i := range d.of[id] {
			r := &d.edits[i]
			if r.By == "rule" || r.By == "import" {
				continue
			}
			if (r.At.After(e.At) || e.By == "rule") && (r.Kind == e.Kind || story(r.Kind) && story(e.Kind)) {
				return true
			}
		}
	}
	return false
}

func sameItems(a, b []feed.ItemID) bool {
	sorted := func(ids []feed.ItemID) []feed.ItemID {
		return slices.SortedFunc(slices.Values(ids), func(a, b feed.ItemID) int { return bytes.Compare(a[:], b[:]) })
	}
	return len(a) == len(b) && slices.Equal(sorted(a), sorted(b))
}
