package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
)

// Check refuses a batch that no pipeline should have made, before anything is
// written. seen is PollResult.Seen. Engines call it first.
func (b *Batch) Check(seen []int) error {
	var parts []Part
	if d := b.Document; d != nil {
		parts = d.Parts
		end := 0
		for i, p := range parts {
			if d.Body == nil {
				break
			}
			if p.Start < end || p.End < p.Start || p.End > len(d.Body) {
				return fmt.Errorf("part %d: [%d:%d] is out of order or outside the document", i, p.Start, p.End)
			}
			if feed.DigestOf(d.Body[p.Start:p.End]) != p.Digest {
				return fmt.Errorf("part %d: the digest is not that of its bytes", i)
			}
			end = p.End
		}
	}
	for i := range b.Drafts {
		d := &b.Drafts[i]
		if len(d.Keys) == 0 {
			return fmt.Errorf("draft %d: no keys", i)
		}
		if d.Part >= len(parts) || d.Part < -1 {
			return fmt.Errorf("draft %d: part %d of %d", i, d.Part, len(parts))
		}
		if d.Recorded == nil {
			continue
		}
		if err := b.checkRecorded(i); err != nil {
			return fmt.Errorf("draft %d: %w", i, err)
		}
	}
	for _, i := range seen {
		if i < 0 || i >= len(parts) {
			return fmt.Errorf("seen: no part %d", i)
		}
	}
	return nil
}

// checkRecorded refuses what a draft of an export cannot say.
func (b *Batch) checkRecorded(i int) error {
	r := b.Drafts[i].Recorded
	if b.Reparsed || b.Document != nil && b.Document.Body != nil {
		return errors.New("it comes from an export and with a document")
	}
	if r.Earlier && (i+1 == len(b.Drafts) || b.Drafts[i+1].Recorded == nil) {
		return errors.New("no later version follows it")
	}
	if r.Earlier && len(r.Decided)+len(r.Known) > 0 {
		return errors.New("decisions stand with the last version of an item")
	}
	for j := range r.Decided {
		switch e := &r.Decided[j]; {
		case e.Kind != KindTopics && e.Kind != KindWithdrawn && e.Kind != KindTakedown:
			return fmt.Errorf("decision %d: a %v is not of one item", j, e.Kind)
		case len(e.Items) > 0:
			return fmt.Errorf("decision %d: it names items", j)
		}
	}
	return nil
}

// TakenDown reports whether the item is taken down with the record of the draft.
func (r *Recorded) TakenDown() bool {
	return r != nil && slices.ContainsFunc(r.Decided, func(e Edit) bool { return e.Kind == KindTakedown })
}

// SeenAt is when an item that is here already was seen by a draft taken in at an instant:
// an export is no sighting, but it may know of one.
func (d *Draft) SeenAt(at time.Time) time.Time {
	if d.Recorded == nil {
		return at
	}
	return d.Recorded.LastSeen
}

// Check refuses an edit that lacks what its kind needs. Whether its items are there,
// the engine knows.
func (e *Edit) Check() error {
	least := 1
	switch e.Kind {
	case KindSource:
		if e.Source == nil || !feed.ValidID(string(e.Source.ID)) {
			return errors.New("no source with a valid id")
		}
		return nil
	case KindRuleset:
		return nil
	case KindExpired:
		if e.Before.IsZero() {
			return errors.New("no time before which documents are not kept")
		}
		return nil
	case KindTopics:
		if len(e.Items) != 1 {
			return fmt.Errorf("%d items, want one", len(e.Items))
		}
	case KindMerge:
		least = 2
	case KindSplit, KindWithdrawn, KindTakedown:
	default:
		return errors.New("not a decision that can be recorded")
	}
	if len(e.Items) < least {
		return fmt.Errorf("%d items, want %d or more", len(e.Items), least)
	}
	if !e.First.IsZero() && (e.Kind != KindMerge || !slices.Contains(e.Items, e.First)) {
		return fmt.Errorf("the first item %v is none of them", e.First)
	}
	return nil
}

// Retag gives the tags that an item with tags old has when a rule says tags: what a
// person decided stays (PEERS part 5, 64).
func Retag(old, tags []feed.Tag) []feed.Tag {
	var out []feed.Tag
	for _, t := range old {
		if t.Manual {
			out = append(out, t)
		}
	}
	out = append(out, tags...)
	slices.SortStableFunc(out, func(a, b feed.Tag) int { return cmp.Compare(a.Topic, b.Topic) })
	return slices.CompactFunc(out, func(a, b feed.Tag) bool { return a.Topic == b.Topic }) // the person's is the first
}
