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
	revised   int64       // the newest revision that is not trivial
	story     feed.ItemID // zero in encode and decodeRow: the item's own
	withdrawn bool
	takenDown bool
	original  feed.ItemID // of the story; zero: the item that it is named after
	language  string
	tags      []rowTag
	versions  []mark // of the newest revisions, at most flips, oldest first
}

// rowTag is a tag with its topic's number.
type rowTag struct {
	topic uint16
	score float64
	flags byte
}

// mark is what a row keeps of a version's digest, to know it again among a few.
type mark [8]byte

func markOf(d feed.Digest) mark { return mark(d[:8]) }

// The flags of a row.
const (
	rowWithdrawn = 1 << iota
	rowTakenDown
	rowInStory // of another item
	rowOriginal
)

func (r *row) encode() []byte {
	b := make([]byte, 0, 64+len(r.language)+12*len(r.tags)+8*len(r.versions))
	b = binary.AppendUvarint(b, r.last)
	b = binary.AppendUvarint(b, r.last-r.first)
	b = binary.AppendUvarint(b, uint64(r.source))
	b = binary.AppendUvarint(b, uint64(r.revisions))
	b = binary.BigEndian.AppendUint64(b, uint64(r.effective))
	b = binary.BigEndian.AppendUint64(b, uint64(r.firstSeen))
	b = binary.AppendVarint(b, r.lastSeen-r.firstSeen)
	b = binary.AppendVarint(b, r.revised-r.firstSeen)
	var flags byte
	if r.withdrawn {
		flags |= rowWithdrawn
	}
	if r.takenDown {
		flags |= rowTakenDown
	}
	if !r.story.IsZero() {
		flags |= rowInStory
	}
	if !r.original.IsZero() {
		flags |= rowOriginal
	}
	if b = append(b, flags); flags&rowInStory != 0 {
		b = append(b, r.story[:]...)
	}
	if flags&rowOriginal != 0 {
		b = append(b, r.original[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.language)))
	b = append(b, r.language...)
	b = binary.AppendUvarint(b, uint64(len(r.tags)))
	for _, t := range r.tags {
		b = binary.AppendUvarint(b, uint64(t.topic))
		b = appendScore(append(b, t.flags), t.score)
	}
	for _, v := range r.versions {
		b = append(b, v[:]...)
	}
	return b
}

// appendScore writes hundredths, as scores mostly are, doubled; or 1 and IEEE 754.
func appendScore(b []byte, score float64) []byte {
	if n := math.Round(score * 100); n >= 0 && n < 1<<50 && n/100 == score && !math.Signbit(score) {
		return binary.AppendUvarint(b, uint64(n)*2)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), math.Float64bits(score))
}

func takeScore(b []byte) (float64, []byte, error) {
	n, b, err := takeUvarint(b)
	switch {
	case err != nil:
		return 0, nil, err
	case n%2 == 0:
		return float64(n/2) / 100, b, nil
	case len(b) < 8:
		return 0, nil, errShort
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), b[8:], nil
}

// rowPlace is what a row begins with: the record of the newest revision, and the source.
func rowPlace(b []byte) (last uint64, source uint32, err error) {
	var n [3]uint64
	for i := range n {
		if n[i], b, err = takeUvarint(b); err != nil {
			return 0, 0, err
		}
	}
	return n[0], uint32(n[2]), nil
}

// decodeRow is the reverse of encode. The story is zero for the item's own.
func decodeRow(b []byte) (r row, err error) {
	var n [4]uint64
	for i := range n {
		if n[i], b, err = takeUvarint(b); err != nil {
			return r, err
		}
	}
	r.last, r.first, r.source, r.revisions = n[0], n[0]-n[1], uint32(n[2]), uint32(n[3])
	if len(b) < 16 {
		return r, errShort
	}
	r.effective, r.firstSeen = int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))
	b = b[16:]
	for _, p := range []*int64{&r.lastSeen, &r.revised} {
		d, n := binary.Varint(b)
		if n <= 0 {
			return r, errShort
		}
		*p, b = r.firstSeen+d, b[n:]
	}
	if len(b) == 0 {
		return r, errShort
	}
	flags := b[0]
	r.withdrawn, r.takenDown = flags&rowWithdrawn != 0, flags&rowTakenDown != 0
	if b = b[1:]; flags&rowInStory != 0 {
		if len(b) < 16 {
			return r, errShort
		}
		r.story, b = feed.ItemID(b[:16]), b[16:]
	}
	if flags&rowOriginal != 0 {
		if len(b) < 16 {
			return r, errShort
		}
		r.original, b = feed.ItemID(b[:16]), b[16:]
	}
	lang, b, err := takeBytes(b)
	if err != nil {
		return r, err
	}
	r.language = string(lang)
	tags, b, err := takeUvarint(b)
	if err != nil || tags > uint64(len(b)) {
		return r, errShort
	}
	for range tags {
		var t rowTag
		var topic uint64
		if topic, b, err = takeUvarint(b); err != nil || len(b) == 0 {
			return r, errShort
		}
		t.topic, t.flags = uint16(topic), b[0]
		if t.score, b, err = takeScore(b[1:]); err != nil {
			return r, err
		}
		r.tags = append(r.tags, t)
	}
	for ; len(b) >= len(mark{}); b = b[len(mark{}):] {
		r.versions = append(r.versions, mark(b[:len(mark{})]))
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
