package bolt

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// errShort: a message, a record or a row ends before its own lengths say.
var errShort = errors.New("cut short")

// putField appends one field of a message.
func putField(b []byte, tag uint64, v []byte) []byte {
	b = binary.AppendUvarint(b, tag)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func putString(b []byte, tag uint64, v string) []byte {
	if v == "" {
		return b
	}
	b = binary.AppendUvarint(b, tag)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func putUint(b []byte, tag, v uint64) []byte {
	if v == 0 {
		return b
	}
	var tmp [binary.MaxVarintLen64]byte
	return putField(b, tag, binary.AppendUvarint(tmp[:0], v))
}

func putInstant(b []byte, tag uint64, nanos int64) []byte {
	var tmp [8]byte
	binary.BigEndian.PutUint64(tmp[:], uint64(nanos))
	return putField(b, tag, tmp[:])
}

// takeUvarint reads a uvarint from the front of b.
func takeUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errShort
	}
	return v, b[n:], nil
}

// takeBytes reads a uvarint length and that many bytes, which are part of b.
func takeBytes(b []byte) (v, rest []byte, err error) {
	n, rest, err := takeUvarint(b)
	if err != nil || n > uint64(len(rest)) {
		return nil, nil, errShort
	}
	return rest[:n:n], rest[n:], nil
}

// fields calls f for each field of a message. The bytes are part of b.
func fields(b []byte, f func(tag uint64, v []byte) error) error {
	for len(b) > 0 {
		tag, rest, err := takeUvarint(b)
		if err != nil {
			return err
		}
		v, rest, err := takeBytes(rest)
		if err != nil {
			return err
		}
		if err := f(tag, v); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func getUint(v []byte) uint64 {
	n, _ := binary.Uvarint(v)
	return n
}

func getInstant(v []byte) int64 {
	if len(v) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

// nanos is t as an instant of the archive, which reaches from 1678 to 2262.
// The zero time is the earliest.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero() || t.Year() < 1678:
		return math.MinInt64
	case t.Year() >= 2262:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// instant is the reverse of nanos, in UTC.
func instant(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// sortable is an instant as bytes that sort as it does.
func sortable(n int64) [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)^1<<63)
	return b
}

func unsortable(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// coder writes the fields of a value, or reads one of them: each type's list of
// fields stands once, in entry.go, and serves both.
type coder struct {
	out     []byte // writing
	reading bool
	tag     uint64
	val     []byte
}

func (c *coder) is(tag uint64) bool { return c.reading && c.tag == tag }

func (c *coder) str(tag uint64, s *string) {
	if c.is(tag) {
		*s = string(c.val)
	} else if !c.reading {
		c.out = putString(c.out, tag, *s)
	}
}

func (c *coder) bool(tag uint64, b *bool) {
	if c.is(tag) {
		*b = true
	} else if !c.reading && *b {
		c.out = putField(c.out, tag, nil)
	}
}

func (c *coder) int(tag uint64, n *int64) {
	if c.is(tag) {
		*n, _ = binary.Varint(c.val)
	} else if !c.reading && *n != 0 {
		var tmp [binary.MaxVarintLen64]byte
		c.out = putField(c.out, tag, binary.AppendVarint(tmp[:0], *n))
	}
}

// number is int for a number that is no int64.
func (c *coder) number(tag uint64, n *int) {
	v := int64(*n)
	if c.int(tag, &v); c.is(tag) {
		*n = int(v)
	}
}

// time keeps seconds, nanoseconds and the offset of the zone, not its name.
func (c *coder) time(tag uint64, t *time.Time) {
	switch {
	case c.is(tag) && len(c.val) == 16:
		*t = time.Unix(int64(binary.BigEndian.Uint64(c.val)), int64(binary.BigEndian.Uint32(c.val[8:]))).UTC()
		if off := int32(binary.BigEndian.Uint32(c.val[12:])); off != 0 {
			*t = t.In(time.FixedZone("", int(off)))
		}
	case !c.reading && !t.IsZero():
		_, off := t.Zone()
		var tmp [16]byte
		binary.BigEndian.PutUint64(tmp[:], uint64(t.Unix()))
		binary.BigEndian.PutUint32(tmp[8:], uint32(t.Nanosecond()))
		binary.BigEndian.PutUint32(tmp[12:], uint32(int32(off)))
		c.out = putField(c.out, tag, tmp[:])
	}
}

// strs keeps a list of texts, one field each.
func (c *coder) strs(tag uint64, list *[]string) {
	if c.is(tag) {
		*list = append(*list, string(c.val))
	} else if !c.reading {
		for _, s := range *list {
			c.out = putField(c.out, tag, []byte(s))
		}
	}
}

// one keeps a nested value; nothing is written for one without fields.
func one[T any](c *coder, tag uint64, v *T, list func(*coder, *T)) {
	if c.is(tag) {
		decode(c.val, v, list)
	} else if !c.reading {
		start := len(c.out)
		if list(c, v); len(c.out) > start {
			c.wrap(tag, start)
		}
	}
}

// opt keeps a nested value that may be absent.
func opt[T any](c *coder, tag uint64, v **T, list func(*coder, *T)) {
	if c.is(tag) {
		*v = new(T)
		decode(c.val, *v, list)
	} else if !c.reading && *v != nil {
		start := len(c.out)
		list(c, *v)
		c.wrap(tag, start)
	}
}

// many keeps a list of nested values, one field each.
func many[T any](c *coder, tag uint64, vs *[]T, list func(*coder, *T)) {
	if c.is(tag) {
		var v T
		decode(c.val, &v, list)
		*vs = append(*vs, v)
	} else if !c.reading {
		for i := range *vs {
			start := len(c.out)
			list(c, &(*vs)[i])
			c.wrap(tag, start)
		}
	}
}

// wrap makes a field of all that was written from start on, where it stands.
func (c *coder) wrap(tag uint64, start int) {
	n := len(c.out) - start
	var tmp [2 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(binary.AppendUvarint(tmp[:0], tag), uint64(n))
	c.out = append(c.out, head...)
	copy(c.out[start+len(head):], c.out[start:start+n])
	copy(c.out[start:], head)
}

func encode[T any](v *T, list func(*coder, *T)) []byte {
	var c coder
	list(&c, v)
	return c.out
}

// decode fills v from a message; fields that this program does not know and a
// damaged end are passed over (checksums have been checked before).
func decode[T any](b []byte, v *T, list func(*coder, *T)) {
	c := coder{reading: true}
	_ = fields(b, func(tag uint64, val []byte) error {
		c.tag, c.val = tag, val
		list(&c, v)
		return nil
	})
}
