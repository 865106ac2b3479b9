package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"chancery/feed"
	"chancery/store"
)

// apply derives everything from one record: the same for a record just made, one
// replayed after a crash and one read for a rebuild. Records come in order, except
// that a raw record may come after the items of its own document. plain gives the body.
func (c *catalogTx) apply(h *header, head []byte, plain func() ([]byte, error)) error {
	if c.counts.First == 0 || h.seq == 1 {
		c.counts.First = h.time
	}
	var err error
	switch h.kind {
	case store.KindItem:
		err = c.applyItem(h)
	case store.KindRevision, store.KindReparsed:
		err = c.applyRevision(h)
	case store.KindSeen:
		err = c.applySeen(h)
	case store.KindRaw:
		err = c.applyRaw(h)
	case store.KindPoll:
		var b []byte
		if b, err = plain(); err == nil {
			var p pollBody
			if err = json.Unmarshal(b, &p); err == nil && c.source(h.source) != nil {
				err = c.setState(h.source, p.State)
			}
		}
	case store.KindSource, store.KindTopics, store.KindMerge, store.KindSplit, store.KindWithdrawn, store.KindTakedown, store.KindExpired:
		var b []byte
		if b, err = plain(); err == nil {
			var e editBody
			if err = json.Unmarshal(b, &e); err == nil {
				err = c.applyEdit(h, &e)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("record %d (%v): %w", h.seq, h.kind, err)
	}
	return nil
}

func (c *catalogTx) addKeys(num uint32, h *header) error {
	for _, k := range h.keys {
		if err := c.putFirst(bKeys, keyRow(num, k), h.item[:]); err != nil {
			return err
		}
	}
	for _, k := range h.storyKeys { // also those that another had until now
		if err := c.put(bStory, storyRow(k), binary.AppendUvarint(nil, h.seq)); err != nil {
			return err
		}
	}
	if h.part != (short{}) {
		seq := uint64(0)
		if h.partKept {
			seq = h.seq
		}
		return c.addPart(num, h.part, seq, h.item)
	}
	return nil
}

func (c *catalogTx) sourceOf(h *header) (*known, error) {
	s := c.source(h.source)
	if s == nil && c.gaps && h.source != "" {
		return c.stub(h.source)
	}
	if s == nil {
		return nil, damaged(part("log"), fmt.Errorf("record %d names source %q, which no record has made", h.seq, h.source))
	}
	return s, nil
}

func (c *catalogTx) applyItem(h *header) error {
	if _, err := c.sourceOf(h); err != nil {
		return err
	}
	s := c.editSource(h.source)
	if s.items++; s.source.Removed {
		c.changes++ // a removed source is listed as long as it has items
	}
	c.counted[s.num] = true
	tags, err := c.rowTags(h.tags)
	if err != nil {
		return err
	}
	r := row{
		last: h.seq, first: h.seq, source: s.num, revisions: 1, effective: h.effective,
		firstSeen: h.firstSeen, lastSeen: h.seenAt(), revised: h.firstSeen, story: h.story,
		language: h.language, tags: tags, versions: []mark{markOf(h.version)},
	}
	if r.story.IsZero() {
		r.story = h.item
		c.counts.Stories++
	} else if err := c.join(h.item, r.story); err != nil {
		return err
	} else if head, ok, err := c.row(r.story); err != nil {
		return err
	} else if ok {
		r.original = head.original
	}
	c.counts.Items++
	c.counts.Revisions++
	if err := c.putRow(h.item, &r); err != nil {
		return err
	}
	if err := c.putDates(h.source, h.item, &r, nil); err != nil {
		return err
	}
	c.addNear(h, s.num, nil)
	return c.addKeys(s.num, h)
}

// join adds an item to a story's members. A story of one has no rows.
func (c *catalogTx) join(id, story feed.ItemID) error {
	m := c.b[bMembers]
	return errors.Join(m.Put(slices.Concat(story[:], story[:]), nil), m.Put(slices.Concat(story[:], id[:]), nil))
}

func (c *catalogTx) applyRevision(h *header) error {
	s, err := c.sourceOf(h)
	if err != nil {
		return err
	}
	r, ok, err := c.row(h.item)
	if err == nil && !ok && c.gaps {
		r, err = c.firstLeft(h, s.num)
	} else if err == nil && !ok {
		r, err = c.mustRow(h.item)
	}
	if err != nil {
		return err
	}
	old := r
	r.last, r.revisions = h.seq, h.revision
	if !h.trivial {
		r.revised = h.firstSeen
	}
	if h.kind != store.KindReparsed { // a document that was kept is no sighting
		r.lastSeen = max(r.lastSeen, h.seenAt())
	}
	r.effective, r.language = h.effective, h.language
	if r.tags, err = c.rowTags(h.tags); err != nil {
		return err
	}
	r.versions = append(slices.Clone(r.versions), markOf(h.version))
	r.versions = r.versions[max(0, len(r.versions)-flips):]
	c.counts.Revisions++
	if err := c.put(bRevs, revRow(h.item, h.revision), be64(h.seq)); err != nil {
		return err
	}
	if err := c.putRow(h.item, &r); err != nil {
		return err
	}
	if err := c.putDates(h.source, h.item, &r, &old); err != nil {
		return err
	}
	c.addNear(h, s.num, &old)
	return c.addKeys(s.num, h)
}

func (c *catalogTx) applySeen(h *header) error {
	s, err := c.sourceOf(h)
	if err != nil {
		return err
	}
	if len(c.there([]feed.ItemID{h.item})) == 0 {
		return nil
	}
	if err := c.see(h.item, h.firstSeen); err != nil {
		return err
	}
	return c.addKeys(s.num, h)
}

func (c *catalogTx) applyRaw(h *header) error {
	s, err := c.sourceOf(h)
	if err != nil {
		return err
	}
	c.counts.Raw++
	if err := c.put(bDocs, shortRow(s.num, shorten(h.doc)), be64(h.seq)); err != nil {
		return err
	}
	for _, i := range h.inline {
		if i >= len(h.parts) {
			return damaged(part("log"), fmt.Errorf("record %d has no part %d", h.seq, i))
		}
		if err := c.addPart(s.num, h.parts[i], h.seq, feed.ItemID{}); err != nil {
			return err
		}
	}
	for _, f := range h.found {
		if f.part >= len(h.parts) {
			return damaged(part("log"), fmt.Errorf("record %d has no part %d", h.seq, f.part))
		}
		if len(c.there([]feed.ItemID{f.item})) == 0 {
			continue
		}
		if err := c.addPart(s.num, h.parts[f.part], 0, f.item); err != nil {
			return err
		}
	}
	for _, d := range h.parts {
		if err := c.seePart(s.num, d, h.time); err != nil {
			return err
		}
	}
	return nil
}

// members are the items of a story, itself among them.
func (c *catalogTx) members(story feed.ItemID) []feed.ItemID {
	return c.firstMembers(story, math.MaxInt)
}

// firstMembers are the first of them, by arrival.
func (c *catalogTx) firstMembers(story feed.ItemID, most int) []feed.ItemID {
	var out []feed.ItemID
	cur := c.b[bMembers].Cursor()
	for k, _ := cur.Seek(story[:]); len(k) == 32 && bytes.Equal(k[:16], story[:]) && len(out) < most; k, _ = cur.Next() {
		out = append(out, feed.ItemID(k[16:]))
	}
	if out == nil {
		out = []feed.ItemID{story}
	}
	return out
}
