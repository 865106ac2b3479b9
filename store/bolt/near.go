package bolt

import (
	"encoding/binary"
	"slices"

	"chancery/feed"
)

// nearKey orders sketches by the day of the effective instant, so that a window of
// time is one range.
func nearKey(effective int64, id feed.ItemID) []byte {
	return append(binary.BigEndian.AppendUint32(nil, dayOf(effective)), id[:]...)
}

// dayOf counts days such that those before 1970 sort before.
func dayOf(effective int64) uint32 {
	const day = 24 * 3600 * 1e9
	d := effective / day
	if effective%day < 0 {
		d--
	}
	return uint32(d + 1<<31)
}

// addNear keeps the sketch of an item's newest revision. One without a sketch
// takes the former away.
func (c *catalogTx) addNear(h *header, old *row) error {
	if old != nil && (old.effective != h.effective || h.sketch.Words == 0) {
		if err := c.b[bNear].Delete(nearKey(old.effective, h.item)); err != nil {
			return err
		}
	}
	if h.sketch.Words == 0 {
		return nil
	}
	v := binary.AppendUvarint(slices.Clone(h.sketch.Values[:]), uint64(h.sketch.Words))
	return c.b[bNear].Put(nearKey(h.effective, h.item), v)
}
