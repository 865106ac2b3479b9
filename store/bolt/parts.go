package bolt

import (
	"encoding/binary"
	"slices"

	"chancery/feed"
)

// partRow is what is known of an entry's own bytes.
type partRow struct {
	seq  uint64      // record that has the bytes; 0: none
	item feed.ItemID // zero: not recognized
}

func (c *catalogTx) part(num uint32, d short) (partRow, bool) {
	return decodePart(c.b[bParts].Get(shortRow(num, d)))
}

func decodePart(v []byte) (p partRow, ok bool) {
	if len(v) != 24 {
		return p, false
	}
	return partRow{binary.BigEndian.Uint64(v), feed.ItemID(v[8:24])}, true
}

func (p partRow) encode() []byte { return append(be64(p.seq), p.item[:]...) }

// add takes in what a record says. The first to have the bytes, and the first to say
// whose they are, stays.
func (p *partRow) add(o partRow) {
	if o.seq > 0 && (p.seq == 0 || o.seq < p.seq) {
		p.seq = o.seq
	}
	if p.item.IsZero() {
		p.item = o.item
	}
}

// addPart notes that a record has the bytes (seq not 0), or that they are an
// item's (item not zero).
func (c *catalogTx) addPart(num uint32, d short, seq uint64, item feed.ItemID) error {
	add := partRow{seq, item}
	if c.aside != nil {
		return c.aside.addPart(shortRow(num, d), add)
	}
	old, _ := c.part(num, d)
	p := old
	if seq > 0 && c.isLost != nil && c.isLost(p.seq) {
		p.seq = 0
	}
	if p.add(add); p == old {
		return nil
	}
	return c.b[bParts].Put(shortRow(num, d), p.encode())
}

// seePart moves the last-seen time of the item that an entry's bytes are, if any.
func (c *catalogTx) seePart(num uint32, d short, at int64) error {
	if c.aside != nil {
		return c.aside.seePart(shortRow(num, d), at)
	}
	if p, ok := c.part(num, d); ok && !p.item.IsZero() {
		return c.see(p.item, at)
	}
	return nil
}

// forgetParts notes that records do not have entries' bytes any more.
func (c *catalogTx) forgetParts(gone map[uint64]bool) error {
	var lost [][]byte
	err := c.b[bParts].ForEach(func(k, v []byte) error {
		if len(v) == 24 && gone[getSeq(v)] {
			lost = append(lost, slices.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range lost {
		p, _ := decodePart(c.b[bParts].Get(k))
		if err := c.b[bParts].Put(k, partRow{item: p.item}.encode()); err != nil {
			return err
		}
	}
	return nil
}
