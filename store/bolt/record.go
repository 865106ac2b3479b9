package bolt

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
	"chancery/store"
)

const framing = 1 // of records

// short is the first 16 bytes of a digest: enough to name an entry's bytes within
// one source.
type short [16]byte

func shorten(d feed.Digest) short { return short(d[:16]) }

// header is what a record says before its body; all that the catalog derives
// from items is in it. Tags are those of docs/archive-format.md.
type header struct {
	seq  uint64
	kind store.Kind

	time      int64 // 1
	source    feed.SourceID
	item      feed.ItemID
	revision  uint32
	story     feed.ItemID // zero: the item's own id
	version   feed.Digest
	keys      []store.Key
	storyKeys []store.Key
	effective int64
	firstSeen int64 // 10
	language  string
	tags      []feed.Tag
	rules     feed.Digest
	sketch    store.Sketch
	content   feed.Digest // zero: no body
	raw       uint64
	part      short
	partKept  bool // the bytes of part are in this record's body
	prev      uint64
	trivial   bool // says what prev says
	items     []feed.ItemID
	doc       feed.Digest // 20
	parts     []short
	found     []found
	inline    []int
	records   []uint64    // that are not kept any more, in order
	bytes     feed.Digest // 26: of the entry's own bytes; part is its first half
	lastSeen  int64       // 28: where it was exported; zero: the record is the sighting
	unknown   []byte      // fields of a later program
}

// found: a part of a raw document was recognized as an item without making a record.
type found struct {
	part int
	item feed.ItemID
}

func (h *header) encode() []byte {
	b := make([]byte, 0, 512)
	b = putInstant(b, 1, h.time)
	b = putString(b, 2, string(h.source))
	if !h.item.IsZero() {
		b = putField(b, 3, h.item[:])
	}
	b = putUint(b, 4, uint64(h.revision))
	if !h.story.IsZero() {
		b = putField(b, 5, h.story[:])
	}
	if !h.version.IsZero() {
		b = putField(b, 6, h.version[:])
	}
	b = putKeys(b, 7, h.keys)
	b = putKeys(b, 8, h.storyKeys)
	if h.effective != 0 {
		b = putInstant(b, 9, h.effective)
	}
	if h.firstSeen != h.time && (h.revision > 0 || h.kind == store.KindSeen) {
		b = putInstant(b, 10, h.firstSeen)
	}
	b = putString(b, 11, h.language)
	if len(h.tags) > 0 {
		b = putField(b, 12, encodeTags(h.tags))
	}
	switch {
	case h.rules.IsZero():
	case h.revision > 0: // which of the recorded rules they were
		b = putField(b, 13, h.rules[:rulesMark])
	default:
		b = putField(b, 13, h.rules[:])
	}
	if h.sketch.Words > 0 {
		s := append(make([]byte, 0, 136), h.sketch.Values[:]...)
		b = putField(b, headSketch, binary.AppendUvarint(s, uint64(h.sketch.Words)))
	}
	if !h.content.IsZero() {
		b = putField(b, 15, h.content[:])
	}
	b = putUint(b, 16, h.raw)
	if h.part != (short{}) {
		tag := uint64(24)
		if h.partKept {
			tag = 17
		}
		b = putField(b, tag, h.part[:])
	}
	b = putUint(b, 18, h.prev)
	if len(h.items) > 0 {
		var v []byte
		for _, id := range h.items {
			v = append(v, id[:]...)
		}
		b = putField(b, 19, v)
	}
	if !h.doc.IsZero() {
		b = putField(b, 20, h.doc[:])
	}
	if len(h.parts) > 0 {
		v := make([]byte, 0, 16*len(h.parts))
		for _, p := range h.parts {
			v = append(v, p[:]...)
		}
		b = putField(b, 21, v)
	}
	if len(h.found) > 0 {
		var v []byte
		for _, f := range h.found {
			v = binary.AppendUvarint(v, uint64(f.part))
			v = append(v, f.item[:]...)
		}
		b = putField(b, 22, v)
	}
	if len(h.inline) > 0 {
		var v []byte
		for _, i := range h.inline {
			v = binary.AppendUvarint(v, uint64(i))
		}
		b = putField(b, 23, v)
	}
	if h.trivial {
		b = putField(b, 27, nil)
	}
	if len(h.records) > 0 {
		b = putField(b, 25, encodeRecords(h.records))
	}
	switch {
	case h.bytes.IsZero():
	case h.part == shorten(h.bytes):
		b = putField(b, 26, h.bytes[len(h.part):])
	default:
		b = putField(b, 26, h.bytes[:])
	}
	if h.lastSeen != 0 {
		b = putInstant(b, 28, h.lastSeen)
	}
	return append(b, h.unknown...)
}

// seenAt is when the item of a record was seen.
func (h *header) seenAt() int64 { return cmp.Or(h.lastSeen, h.time) }

// rulesMark is how much of the digest of the topic rules a revision keeps.
const rulesMark = 8

func putKeys(b []byte, tag uint64, keys []store.Key) []byte {
	if len(keys) == 0 {
		return b
	}
	v := make([]byte, 0, 17*len(keys))
	for _, k := range keys {
		v = append(append(v, byte(k.Class)), k.Hash[:]...)
	}
	return putField(b, tag, v)
}

func getKeys(v []byte) []store.Key {
	var out []store.Key
	for ; len(v) >= 17; v = v[17:] {
		out = append(out, store.Key{Class: store.KeyClass(v[0]), Hash: [16]byte(v[1:17])})
	}
	return out
}

func encodeTags(tags []feed.Tag) []byte {
	var b []byte
	for _, t := range tags {
		b = binary.AppendUvarint(b, uint64(len(t.Topic)))
		b = append(b, t.Topic...)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(t.Score))
		b = append(b, tagFlags(t))
	}
	return b
}

func tagFlags(t feed.Tag) (f byte) {
	if t.About {
		f |= 1
	}
	if t.Manual {
		f |= 2
	}
	return f
}

func decodeTags(b []byte) ([]feed.Tag, error) {
	var out []feed.Tag
	for len(b) > 0 {
		name, rest, err := takeBytes(b)
		if err != nil || len(rest) < 9 {
			return nil, errShort
		}
		out = append(out, feed.Tag{
			Topic: feed.TopicID(name), Score: math.Float64frombits(binary.BigEndian.Uint64(rest)),
			About: rest[8]&1 != 0, Manual: rest[8]&2 != 0,
		})
		b = rest[9:]
	}
	return out, nil
}

// headSketch is the field of a header that holds its sketch.
const headSketch = 14

func getSketch(v []byte) (s store.Sketch) {
	if len(v) > len(s.Values) {
		s.Words = int(getUint(v[copy(s.Values[:], v):]))
	}
	return s
}

func decodeHeader(seq uint64, kind store.Kind, b []byte) (header, error) {
	h := header{seq: seq, kind: kind}
	firstSeen, rest := false, 0
	err := fields(b, func(tag uint64, v []byte) (err error) {
		switch tag {
		case 1:
			h.time = getInstant(v)
		case 2:
			h.source = feed.SourceID(v)
		case 3:
			copy(h.item[:], v)
		case 4:
			h.revision = uint32(getUint(v))
		case 5:
			copy(h.story[:], v)
		case 6:
			copy(h.version[:], v)
		case 7:
			h.keys = getKeys(v)
		case 8:
			h.storyKeys = getKeys(v)
		case 9:
			h.effective = getInstant(v)
		case 10:
			h.firstSeen, firstSeen = getInstant(v), true
		case 11:
			h.language = string(v)
		case 12:
			h.tags, err = decodeTags(v)
		case 13:
			copy(h.rules[:], v)
		case headSketch:
			h.sketch = getSketch(v)
		case 15:
			copy(h.content[:], v)
		case 16:
			h.raw = getUint(v)
		case 17, 24:
			copy(h.part[:], v)
			h.partKept = tag == 17
		case 18:
			h.prev = getUint(v)
		case 19:
			for ; len(v) >= 16; v = v[16:] {
				h.items = append(h.items, feed.ItemID(v[:16]))
			}
		case 20:
			copy(h.doc[:], v)
		case 21:
			for ; len(v) >= 16; v = v[16:] {
				h.parts = append(h.parts, short(v[:16]))
			}
		case 22:
			for len(v) > 0 {
				var n uint64
				if n, v, err = takeUvarint(v); err != nil || len(v) < 16 {
					return errShort
				}
				if n > maxBody {
					return fmt.Errorf("names part %d", n)
				}
				h.found = append(h.found, found{int(n), feed.ItemID(v[:16])})
				v = v[16:]
			}
		case 23:
			for len(v) > 0 {
				var n uint64
				if n, v, err = takeUvarint(v); err != nil {
					return err
				}
				if n > maxBody {
					return fmt.Errorf("names part %d", n)
				}
				h.inline = append(h.inline, int(n))
			}
		case 27:
			h.trivial = true
		case 25:
			h.records, err = decodeRecords(v)
		case 26:
			if len(v) <= len(h.bytes) {
				copy(h.bytes[len(h.bytes)-len(v):], v)
				rest = len(v)
			}
		case 28:
			h.lastSeen = getInstant(v)
		default:
			h.unknown = putField(h.unknown, tag, v)
		}
		return err
	})
	if !firstSeen {
		h.firstSeen = h.time
	}
	if rest == len(h.bytes)-len(h.part) {
		copy(h.bytes[:], h.part[:])
	}
	return h, err
}

// packed is a body as it stands in a record.
type packed struct {
	salt  [16]byte
	codec codec
	arg   uint64 // dictionary, or record used as one
	size  int    // of the plain body
	data  []byte
}

// codec says how a body is packed.
type codec byte

const (
	codecPlain codec = 1
	codecZstd  codec = 2
	codecDict  codec = 3
	codecDelta codec = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame makes a record's bytes. p is nil when there is no body.
func frame(seq uint64, kind store.Kind, head []byte, p *packed) []byte {
	n := 0
	var pre []byte
	if p != nil {
		pre = append(make([]byte, 0, 40), p.salt[:]...)
		pre = append(pre, byte(p.codec))
		pre = binary.AppendUvarint(pre, p.arg)
		pre = binary.AppendUvarint(pre, uint64(p.size))
		n = len(pre) + len(p.data)
	}
	b := make([]byte, 0, 2+10+len(head)+10+n+4)
	b = append(b, framing, byte(kind))
	b = binary.AppendUvarint(b, uint64(len(head)))
	b = append(b, head...)
	b = binary.AppendUvarint(b, uint64(n))
	if p != nil {
		b = append(append(b, pre...), p.data...)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(seq, b))
}

func checksum(seq uint64, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(be64(seq), castagnoli), castagnoli, b)
}

// errNewerRecord: the framing of a record is of a later program.
var errNewerRecord = errors.New("record of a later framing")

// framed is a record taken apart; its slices are part of the bytes given.
type framed struct {
	kind store.Kind
	head []byte
	pack *packed // nil: no body, or taken down
}

// unframe checks a record and takes it apart.
func unframe(seq uint64, b []byte) (framed, error) {
	var f framed
	if len(b) < 8 {
		return f, errShort
	}
	end := len(b) - 4
	if checksum(seq, b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return f, errors.New("checksum does not match")
	}
	if b[0] != framing {
		return f, fmt.Errorf("%w: %d", errNewerRecord, b[0])
	}
	f.kind = store.Kind(b[1])
	var err error
	var rest []byte
	if f.head, rest, err = takeBytes(b[2:end]); err != nil {
		return f, err
	}
	if rest, _, err = takeBytes(rest); err != nil {
		return f, err
	}
	if len(rest) == 0 {
		return f, nil
	}
	if len(rest) < 17 {
		return f, errShort
	}
	p := &packed{salt: [16]byte(rest[:16]), codec: codec(rest[16])}
	if p.arg, rest, err = takeUvarint(rest[17:]); err != nil {
		return f, err
	}
	var size uint64
	if size, p.data, err = takeUvarint(rest); err != nil || size > maxBody {
		return f, errShort
	}
	p.size = int(size)
	f.pack = p
	return f, nil
}

// maxBody bounds what a record may unpack to: far above the largest document
// that fetch lets through.
const maxBody = 1 << 30

// leafHash is the hash of a record in the Merkle tree. It covers the header, and
// through the content digest in it the body.
func leafHash(seq uint64, kind store.Kind, head []byte) tlog.Hash {
	b := make([]byte, 0, 10+len(head))
	b = append(b, framing, byte(kind))
	b = binary.BigEndian.AppendUint64(b, seq)
	return tlog.RecordHash(append(b, head...))
}

// contentDigest is what a header says of its body.
func contentDigest(salt [16]byte, plain []byte) feed.Digest {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(plain)
	return feed.Digest(h.Sum(nil))
}

// bytesOr is the digest of the entry's own bytes; records of before have it in the body.
func (h *header) bytesOr(inBody feed.Digest) feed.Digest {
	if h.bytes.IsZero() {
		return inBody
	}
	return h.bytes
}
