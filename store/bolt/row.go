package bolt

import (
	"encoding/binary"
	"math"

	"chancery/feed"
)

// row is what the catalog knows of an item.
type row struct {
	last      uint64 // record of the newest revision
	first     uint64 // record of the first one
	source    uint32 // number
	revisions uint32
	effective int64
	firstSeen int64
	lastSeen  int64
	revised   int64
	story     feed.ItemID
	withdrawn bool
	takenDown bool
	language  string
	tags      []rowTag
	versions  []short // of the newest revisions, at most flips, oldest first
}

// rowTag is a tag with its topic's number.
type rowTag struct {
	topic uint16
	score float64
	flags byte
}

const rowFixed = 8 + 8 + 4 + 4 + 4*8 + 16 + 1

func (r *row) encode() []byte {
	b := make([]byte, 0, rowFixed+2+len(r.language)+1+11*len(r.tags)+1+16*len(r.versions))
	b = binary.BigEndian.AppendUint64(b, r.last)
	b = binary.BigEndian.AppendUint64(b, r.first)
	b = binary.BigEndian.AppendUint32(b, r.source)
	b = binary.BigEndian.AppendUint32(b, r.revisions)
	for _, n := range []int64{r.effective, r.firstSeen, r.lastSeen, r.revised} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, r.story[:]...)
	var flags byte
	if r.withdrawn {
		flags |= 1
	}
	if r.takenDown {
		flags |= 2
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(r.language)))
	b = append(b, r.language...)
	b = binary.AppendUvarint(b, uint64(len(r.tags)))
	for _, t := range r.tags {
		b = binary.BigEndian.AppendUint16(b, t.topic)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(t.score))
		b = append(b, t.flags)
	}
	for _, v := range r.versions {
		b = append(b, v[:]...)
	}
	return b
}

func decodeRow(b []byte) (r row, err error) {
	if len(b) < rowFixed+2 {
		return r, errShort
	}
	r.last, r.first = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	r.source, r.revisions = binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	for i, p := range []*int64{&r.effective, &r.firstSeen, &r.lastSeen, &r.revised} {
		*p = int64(binary.BigEndian.Uint64(b[24+8*i:]))
	}
	r.story = feed.ItemID(b[56:72])
	r.withdrawn, r.takenDown = b[72]&1 != 0, b[72]&2 != 0
	lang, b, err := takeBytes(b[rowFixed:])
	if err != nil {
		return r, err
	}
	r.language = string(lang)
	n, b, err := takeUvarint(b)
	if err != nil || n > uint64(len(b)/11) {
		return r, errShort
	}
	for range n {
		r.tags = append(r.tags, rowTag{binary.BigEndian.Uint16(b), math.Float64frombits(binary.BigEndian.Uint64(b[2:])), b[10]})
		b = b[11:]
	}
	for ; len(b) >= 16; b = b[16:] {
		r.versions = append(r.versions, short(b[:16]))
	}
	return r, nil
}

// topicsOf is the value of bydate: the numbers of the topics that the item carries.
func (r *row) topicNumbers() []byte {
	b := make([]byte, 0, 2*len(r.tags))
	for _, t := range r.tags {
		if t.score >= 0 {
			b = binary.BigEndian.AppendUint16(b, t.topic)
		}
	}
	return b
}
