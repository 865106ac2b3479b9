package bolt

import (
	"slices"

	"chancery/feed"
	"chancery/store"
)

// A catalog that was made of a log with lost records knows less than one that has seen
// them all: what they brought is not there, and what came after builds on it all the
// same. As much is derived as can be: c.gaps says that a missing source or item is no
// contradiction.

// stub makes a source of which only the id is known; a configuration or "sources set"
// says more.
func (c *catalogTx) stub(id feed.SourceID) (*known, error) {
	err := c.setSource(store.Source{ID: id, Title: string(id), Origin: "import", Disabled: true}, nil)
	return c.source(id), err
}

// there are those of the items that the catalog knows; without gaps, all of them.
func (c *catalogTx) there(items []feed.ItemID) []feed.ItemID {
	if !c.gaps {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), func(id feed.ItemID) bool {
		_, ok, err := c.row(id)
		return err == nil && !ok
	})
}

// firstLeft makes the row of an item whose first record is lost, of the first one that
// can be read.
func (c *catalogTx) firstLeft(h *header, num uint32) (row, error) {
	r := row{
		last: h.seq, first: h.seq, source: num, revisions: h.revision, effective: h.effective, firstSeen: h.firstSeen,
		lastSeen: h.seenAt(), revised: h.firstSeen, story: h.storyOf(), language: h.language,
	}
	if s := c.editSource(h.source); s != nil {
		s.items++
		c.counted[s.num] = true
	}
	c.counts.Items++
	if r.story == h.item {
		c.counts.Stories++
	} else if err := c.join(h.item, r.story); err != nil {
		return r, err
	}
	return r, c.putDates(h.source, h.item, &r, nil)
}

// strippedOf notes that an item is taken down, if a record of it has no body any more:
// the record that said so may be lost.
func (c *catalogTx) strippedOf(h *header, bodiless bool) error {
	if !c.gaps || !bodiless || h.content.IsZero() || h.item.IsZero() || h.kind == store.KindSeen {
		return nil
	}
	r, ok, err := c.row(h.item)
	if err != nil || !ok || r.takenDown {
		return err
	}
	r.takenDown = true
	return c.putRow(h.item, &r)
}

// keyTaken, before an item's id in the meta of a catalog with gaps: no record of the item
// can be read, and it was taken down by the record whose number is the value.
var keyTaken = []byte("taken")

func takenKey(id feed.ItemID) []byte { return append(slices.Clone(keyTaken), id[:]...) }

// noteUnseen notes the items of a takedown of which no record can be read.
func (c *catalogTx) noteUnseen(h *header) error {
	if !c.gaps {
		return nil
	}
	for _, id := range h.items {
		if _, ok, err := c.row(id); ok || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := c.tx.Bucket(bucketMeta).Put(takenKey(id), be64(h.seq)); err != nil {
			return err
		}
	}
	return nil
}

// takenUnseen reports whether an item was taken down of which no record can be read: it
// does not come in again under its id.
func (c *catalogTx) takenUnseen(id feed.ItemID) bool {
	return c.gaps && !id.IsZero() && c.tx.Bucket(bucketMeta).Get(takenKey(id)) != nil
}
