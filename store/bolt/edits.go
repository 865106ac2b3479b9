package bolt

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// editBody is the body of a record of a decision; the items concerned are in the header.
type editBody struct {
	Source *store.Source    `json:"source,omitempty"`
	State  *store.PollState `json:"state,omitempty"`
	Topics []feed.Tag       `json:"topics,omitempty"`
	Rules  []byte           `json:"rules,omitempty"`
	Reason string           `json:"reason,omitempty"`
	By     string           `json:"by,omitempty"`
	Undo   bool             `json:"undo,omitempty"`
	Before *time.Time       `json:"before,omitempty"`
	First  feed.ItemID      `json:"first,omitzero"` // of a merge: the story's original
	At     *time.Time       `json:"at,omitempty"`   // when it was decided, in another archive
}

// pollBody is the body of a poll record.
type pollBody struct {
	State store.PollState `json:"state"`
}

// checkEdit refuses what cannot be recorded, before anything is written.
func (c *catalogTx) checkEdit(e *store.Edit) error {
	if err := e.Check(); err != nil {
		return err
	}
	for _, id := range e.Items {
		if _, ok, err := c.row(id); err != nil {
			return err
		} else if !ok && (e.Kind != store.KindTakedown || !c.gaps) { // its records may be among those that are lost, and come back
			return fmt.Errorf("item %v: %w", id, store.ErrNotFound)
		}
	}
	return nil
}

func (c *catalogTx) applyEdit(h *header, e *editBody) error {
	switch h.kind {
	case store.KindSource:
		if e.Source == nil {
			return damaged(part("log"), fmt.Errorf("record %d has no source", h.seq))
		}
		return c.setSource(*e.Source, e.State)
	case store.KindTopics:
		for _, id := range c.there(h.items) {
			if err := c.setTags(id, h.tags); err != nil {
				return err
			}
		}
	case store.KindWithdrawn:
		for _, id := range c.there(h.items) {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			r.withdrawn = !e.Undo
			if err := c.putRow(id, &r); err != nil {
				return err
			}
		}
	case store.KindExpired:
		return c.applyExpired(h)
	case store.KindTakedown:
		if err := c.noteUnseen(h); err != nil {
			return err
		}
		for _, id := range c.there(h.items) {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			r.takenDown = true
			if err := c.putRow(id, &r); err != nil {
				return err
			}
		}
		return c.b[bPending].Put(be64(h.seq), nil) // content is removed after the commit
	case store.KindMerge:
		var all []feed.ItemID
		for _, id := range c.there(h.items) {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			all = append(all, c.members(r.story)...)
		}
		return c.regroup(e.First, all)
	case store.KindSplit:
		seen := map[feed.ItemID]bool{}
		groups := [][]feed.ItemID{slices.Clone(c.there(h.items))}
		for _, id := range c.there(h.items) {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			if !seen[r.story] {
				seen[r.story] = true
				groups = append(groups, slices.DeleteFunc(c.members(r.story), func(m feed.ItemID) bool { return slices.Contains(h.items, m) }))
			}
		}
		return c.regroup(feed.ItemID{}, groups...)
	}
	return nil
}

// regroup makes a story of each group, named after the first of its items, which is its
// original, too, unless another of them is given as that. The groups together are whole
// stories of before.
func (c *catalogTx) regroup(original feed.ItemID, groups ...[]feed.ItemID) error {
	m := c.b[bMembers]
	before := map[feed.ItemID]bool{}
	for i, ids := range groups {
		groups[i] = c.there(ids) // a story may be named after an item that is lost
		for _, id := range groups[i] {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			before[r.story] = true
		}
	}
	for story := range before {
		for _, id := range c.members(story) {
			if err := m.Delete(slices.Concat(story[:], id[:])); err != nil {
				return err
			}
		}
	}
	c.counts.Stories -= int64(len(before))
	for _, ids := range groups {
		if len(ids) == 0 {
			continue
		}
		slices.SortFunc(ids, feed.ItemID.Compare)
		ids = slices.Compact(ids)
		from := feed.ItemID{}
		if slices.Contains(ids, original) && original != ids[0] {
			from = original
		}
		c.counts.Stories++
		for _, id := range ids {
			r, err := c.mustRow(id)
			if err != nil {
				return err
			}
			r.story, r.original = ids[0], from
			if err := c.putRow(id, &r); err != nil {
				return err
			}
			if len(ids) > 1 {
				if err := m.Put(slices.Concat(ids[0][:], id[:]), nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *catalogTx) setTags(id feed.ItemID, tags []feed.Tag) error {
	r, err := c.mustRow(id)
	if err != nil {
		return err
	}
	if r.tags, err = c.rowTags(tags); err != nil {
		return err
	}
	if err := c.putRow(id, &r); err != nil {
		return err
	}
	return c.put(bByDate, dateKey(r.effective, c.sourceName(r.source), id), r.topicNumbers())
}

// tagsOf gives the tags of a row in the words of feed.
func tagsOf(r *row, label func(uint16) feed.TopicID) []feed.Tag {
	var out []feed.Tag
	for _, t := range r.tags {
		out = append(out, feed.Tag{Topic: label(t.topic), Score: t.score, About: t.flags&1 != 0, Manual: t.flags&2 != 0})
	}
	slices.SortFunc(out, func(a, b feed.Tag) int { return cmp.Compare(a.Topic, b.Topic) })
	return out
}

func (c *catalogTx) label(n uint16) feed.TopicID {
	if t, ok := c.mem.labels[n]; ok {
		return t
	}
	for t, m := range c.topics {
		if m == n {
			return t
		}
	}
	return ""
}
