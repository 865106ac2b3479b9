package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"chancery/store"
)

// This file reads what FTS5 wrote, without asking FTS5: its MATCH hands out one row
// a step, and no positions. The layout is the one that the head of SQLite's
// fts5_index.c describes; it is part of SQLite's file format, which does not
// change, and a test holds what is read here to what MATCH finds (docs/adr/0007).
//
// A segment is a row of leaf pages. A page is: the offset of its first row id (if a
// list goes on from the page before), the offset of its footer (both 16 bit), then
// terms with their lists, then the footer with the offsets of the terms. A list is:
// row id, size of the positions, positions; row ids are differences, but for the
// first of a list and of a page. Positions are differences plus 2; a 1 before a
// column's number changes the column.

// reader is one connection with a read transaction, which sees one state of the
// file. It is not safe for concurrent use.
type reader struct {
	conn     *conn
	segments []segment
	allowed  allowance
	// part is the piece of the query that is being worked at, for the error when
	// the time is over.
	part func() error
}

// segment is the pages first to last. While FTS5 merges it with others, first moves
// on, and the entries of words_idx for the pages before stay until the end.
type segment struct{ id, first, last int }

// begin starts a read transaction and reads the list of segments.
func (r *reader) begin() error {
	if err := r.conn.exec("BEGIN"); err != nil {
		return err
	}
	block, err := r.conn.blob("SELECT block FROM words_data WHERE id=?", int64(10))
	if err == nil {
		r.segments, err = parseStructure(block)
	}
	if err != nil {
		r.end()
	}
	return err
}

// end gives up the read transaction.
func (r *reader) end() { _ = r.conn.exec("ROLLBACK") } // nothing was written, so nothing can be lost

// errDamaged is a fault of the index's own file, not of the archive.
var errDamaged = fmt.Errorf("the full-text index is damaged: %w", store.ErrCorrupt)

func damaged(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errDamaged)...)
}

func parseStructure(b []byte) ([]segment, error) {
	if len(b) < 7 {
		return nil, damaged("list of segments of %d bytes", len(b))
	}
	b = b[4:]
	v2 := bytes.HasPrefix(b, []byte{0xFF, 0, 0, 1})
	if v2 {
		b = b[4:]
	}
	bad := false
	next := func() int {
		v, n := varint(b)
		if n == 0 {
			bad = true
			return 0
		}
		b = b[n:]
		return int(v)
	}
	levels, total := next(), next()
	next()
	read := 0
	var out []segment
	for range levels {
		if next(); bad {
			break
		}
		for range next() {
			s := segment{next(), next(), next()}
			if v2 {
				for range 5 {
					next()
				}
			}
			if bad || s.first == 0 != (s.last == 0) || s.first > s.last {
				return nil, damaged("list of segments")
			}
			if read++; s.first == 0 {
				continue // all of it was merged into another, and only its name is left
			}
			out = append(out, s)
		}
	}
	if bad || read != total {
		return nil, damaged("list of segments: %d of %d", read, total)
	}
	return out, nil
}

// varint reads SQLite's variable-length integer; n is 0 if b ends within it.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[8]), 9
		}
		v = v<<7 | uint64(b[i]&0x7F)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// page is one leaf.
type page struct {
	b     []byte
	start int   // of a row id that a list from before goes on with; 0: none
	terms []int // offsets of terms
	end   int   // of terms and lists
}

func (r *reader) page(s segment, n int) (page, error) {
	if r.allowed.over() {
		return page{}, r.part()
	}
	b, err := r.conn.blob("SELECT block FROM words_data WHERE id=?", int64(s.id)<<37+int64(n))
	if err != nil {
		return page{}, err
	}
	if len(b) < 4 {
		return page{}, damaged("page %d of segment %d is missing or short", n, s.id)
	}
	p := page{b: b, start: int(binary.BigEndian.Uint16(b)), end: int(binary.BigEndian.Uint16(b[2:]))}
	if p.end < 4 || p.end > len(b) || p.start > p.end {
		return page{}, damaged("page %d of segment %d", n, s.id)
	}
	at := 0
	for foot := b[p.end:]; len(foot) > 0; {
		d, k := varint(foot)
		at += int(d)
		if k == 0 || at < 4 || at >= p.end || d == 0 {
			return page{}, damaged("footer of page %d of segment %d", n, s.id)
		}
		p.terms = append(p.terms, at)
		foot = foot[k:]
	}
	return p, nil
}

// list is where a term's list begins on its page: the bytes [from:to), which go on
// on the next page if the term is the last of this one.
type list struct {
	from, to int
	more     bool
}

// each calls yield for the terms of a page in order, without the leading byte that
// tells FTS5's indexes apart. The term is valid during the call.
func (p *page) each(yield func(term []byte, l list) bool) error {
	var term []byte
	for i, at := range p.terms {
		keep := uint64(0)
		if i > 0 {
			k, n := varint(p.b[at:p.end])
			if n == 0 || k > uint64(len(term)) {
				return damaged("a term")
			}
			keep, at = k, at+n
		}
		size, n := varint(p.b[at:p.end])
		if at += n; n == 0 || size > uint64(p.end-at) {
			return damaged("a term")
		}
		term = append(term[:keep], p.b[at:at+int(size)]...)
		l := list{from: at + int(size), to: p.end, more: i == len(p.terms)-1}
		if !l.more {
			l.to = p.terms[i+1]
		}
		if len(term) == 0 || l.from > l.to {
			return damaged("a term")
		}
		if !yield(term[1:], l) {
			return nil
		}
	}
	return nil
}

// find looks for a term on a page. It only compares what a term does not share
// with the one before: most are passed over by a look at one number.
func (p *page) find(term string) (l list, ok bool, err error) {
	same := 0 // leading bytes that the term before has in common with the one looked for
	for i, at := range p.terms {
		keep := uint64(0)
		if i > 0 {
			k, n := varint(p.b[at:p.end])
			if n == 0 {
				return l, false, damaged("a term")
			}
			keep, at = k, at+n
		}
		size, n := varint(p.b[at:p.end])
		if at += n; n == 0 || size > uint64(p.end-at) || i == 0 && size == 0 {
			return l, false, damaged("a term")
		}
		rest := p.b[at : at+int(size)]
		if i == 0 {
			rest = rest[1:] // tells FTS5's indexes apart; it counts in keep
		} else if keep--; keep > uint64(len(p.b)) {
			return l, false, damaged("a term")
		}
		if keep > uint64(same) {
			continue
		}
		if keep < uint64(same) {
			return l, false, nil
		}
		j := 0
		for j < len(rest) && same < len(term) && rest[j] == term[same] {
			j++
			same++
		}
		switch {
		case j == len(rest) && same == len(term):
			l = list{from: at + int(size), to: p.end, more: i == len(p.terms)-1}
			if !l.more {
				l.to = p.terms[i+1]
			}
			if l.from > l.to {
				return l, false, damaged("a term")
			}
			return l, true, nil
		case same == len(term), j < len(rest) && rest[j] > term[same]:
			return l, false, nil
		}
	}
	return l, false, nil
}

// mainIndex is the byte before each term of the index proper.
const mainIndex = '0'

// open finds the lists of a term, one for each segment that has it, in the order of
// the versions in them.
func (r *reader) open(term string) (*chain, error) {
	c := &chain{}
	for _, s := range r.segments {
		n, ok, err := r.conn.number("SELECT pgno FROM words_idx WHERE segid=? AND term<=? ORDER BY term DESC LIMIT 1", int64(s.id), append([]byte{mainIndex}, term...))
		if err != nil {
			return nil, err
		}
		if !ok {
			n = 0
		}
		at := max(int(n>>1), s.first) // pages before first are merged, and gone
		p, err := r.page(s, at)
		if err != nil {
			return nil, err
		}
		found, ok, err := p.find(term)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		ps := &postings{r: r, seg: s, at: at, b: p.b[:found.to], i: found.from, more: found.more, first: true}
		if err := c.add(ps); err != nil {
			return nil, err
		}
	}
	c.sort()
	return c, nil
}

// prefixed calls visit with each term that begins so and its list in one segment,
// for all segments; a term can come several times.
func (r *reader) prefixed(prefix string, visit func(term string, p *postings) error) error {
	key := append([]byte{mainIndex}, prefix...)
	after := append(slices.Clone(key), 0xFF) // no UTF-8 text has this byte
	for _, s := range r.segments {
		n, _, err := r.conn.number("SELECT pgno FROM words_idx WHERE segid=? AND term<=? ORDER BY term DESC LIMIT 1", int64(s.id), key)
		if err != nil {
			return err
		}
		pages := []int64{int64(max(int(n>>1), s.first))}
		more, err := r.conn.numbers("SELECT pgno FROM words_idx WHERE segid=? AND term>? AND term<? ORDER BY term", int64(s.id), key, after)
		if err != nil {
			return err
		}
		for _, m := range more {
			pages = append(pages, m>>1)
		}
		before := int64(0)
		for _, at := range pages {
			if at < int64(s.first) || at == before { // merged and gone, or seen
				continue
			}
			before = at
			p, err := r.page(s, int(at))
			if err != nil {
				return err
			}
			var inner error
			err = p.each(func(t []byte, l list) bool {
				if !bytes.HasPrefix(t, key[1:]) {
					return string(t) < prefix
				}
				inner = visit(string(t), &postings{r: r, seg: s, at: int(at), b: p.b[:l.to], i: l.from, more: l.more, first: true})
				return inner == nil
			})
			if err != nil || inner != nil {
				return cmpErr(err, inner)
			}
		}
	}
	return nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// postings reads one term's list in one segment.
type postings struct {
	r     *reader
	seg   segment
	at    int    // page
	b     []byte // of the page, up to where the list ends on it
	i     int    // next byte
	more  bool   // the list may go on on the next page
	first bool   // the next row id is whole, not a difference
	again bool   // next gives the version that it is at once more

	doc uint32
	pos []byte // positions at doc, valid until next
	buf []byte
}

// turn goes on to the next page; false at the end of the list.
func (p *postings) turn() (bool, error) {
	if !p.more || p.at >= p.seg.last {
		return false, nil
	}
	pg, err := p.r.page(p.seg, p.at+1)
	if err != nil {
		return false, err
	}
	p.at++
	p.b, p.i = pg.b[:pg.end], 4
	if len(pg.terms) > 0 {
		p.b, p.more = pg.b[:pg.terms[0]], false
	}
	p.first = true
	return true, nil
}

// next moves to the next version that has the term.
func (p *postings) next() (bool, error) {
	if p.again {
		p.again = false
		return true, nil
	}
	for p.i >= len(p.b) {
		if ok, err := p.turn(); !ok {
			return false, err
		}
	}
	id, n := varint(p.b[p.i:])
	size, m := varint(p.b[p.i+n:])
	if n == 0 || m == 0 {
		return false, damaged("a list on page %d of segment %d", p.at, p.seg.id)
	}
	p.i += n + m
	if !p.first {
		id += uint64(p.doc)
	}
	p.doc, p.first = uint32(id), false
	if id > 1<<31 {
		return false, damaged("a list on page %d of segment %d: version %d", p.at, p.seg.id, id)
	}
	length := int(size >> 1)
	if length <= len(p.b)-p.i {
		p.pos = p.b[p.i : p.i+length]
		p.i += length
		return true, nil
	}
	p.buf = append(p.buf[:0], p.b[p.i:]...)
	for {
		p.i = len(p.b)
		ok, err := p.turn()
		if err != nil {
			return false, err
		}
		if !ok {
			return false, damaged("positions on page %d of segment %d", p.at, p.seg.id)
		}
		take := min(length-len(p.buf), len(p.b)-p.i)
		p.buf = append(p.buf, p.b[p.i:p.i+take]...)
		p.i += take
		if len(p.buf) == length {
			p.pos = p.buf
			return true, nil
		}
	}
}

// rest adds all further versions below n to a set: next in a loop, as fast as it
// can be, since this is where searches spend their time.
func (p *postings) rest(out set, n int) error {
	for {
		b, i, doc := p.b, p.i, p.doc
		for !p.first && i+20 < len(b) { // two numbers and the next look fit
			id, size := uint64(b[i]), uint64(0)
			if i++; id >= 0x80 {
				v, k := varint(b[i-1 : i+8])
				id = v
				i += k - 1
			}
			size = uint64(b[i])
			if i++; size >= 0x80 {
				v, k := varint(b[i-1 : i+8])
				size = v
				i += k - 1
			}
			length := int(size >> 1)
			if length > len(b)-i {
				break // positions go on on the next page
			}
			i += length
			doc += uint32(id)
			if int(doc) >= n {
				return nil
			}
			out.add(doc)
			p.i, p.doc = i, doc
		}
		ok, err := p.next()
		if !ok || err != nil || int(p.doc) >= n {
			return err
		}
		out.add(p.doc)
	}
}

// chain reads a term's lists one after the other: segments hold versions apart, the
// older ones the lower numbers.
type chain struct {
	parts []*postings
	k     int
}

// add takes a list that is not empty.
func (c *chain) add(p *postings) error {
	ok, err := p.next()
	if ok {
		c.parts = append(c.parts, p)
	}
	return err
}

func (c *chain) sort() {
	slices.SortFunc(c.parts, func(a, b *postings) int { return int(a.doc) - int(b.doc) })
}

// seek moves to the first version from doc on.
func (c *chain) seek(doc uint32) (uint32, bool, error) {
	for c.k < len(c.parts) {
		p := c.parts[c.k]
		for p.doc < doc {
			if c.k+1 < len(c.parts) && c.parts[c.k+1].doc <= doc {
				break // all of the next part is behind this one
			}
			ok, err := p.next()
			if err != nil {
				return 0, false, err
			}
			if !ok {
				break
			}
		}
		if p.doc >= doc {
			return p.doc, true, nil
		}
		c.parts[c.k] = nil
		c.k++
	}
	return 0, false, nil
}

// positions is what stands at the version that seek found.
func (c *chain) positions() []byte { return c.parts[c.k].pos }

// Columns of the table, as the high bits of a place.
const (
	columnBits = 28
	inTitle    = 0 << columnBits
	inText     = 1 << columnBits
	inRest     = 2 << columnBits
	wordMask   = 1<<columnBits - 1
)

// places appends positions as column and number of the word.
func places(dst []uint32, pos []byte) []uint32 {
	column, at := uint32(0), uint32(0)
	for i := 0; i < len(pos); {
		v := uint64(pos[i])
		n := 1
		if v >= 0x80 {
			if v, n = varint(pos[i:]); n == 0 {
				break
			}
		}
		i += n
		if v == 1 {
			c, n := varint(pos[i:])
			i += max(n, 1)
			column, at = uint32(c)<<columnBits, 0
			continue
		}
		at += uint32(v) - 2
		dst = append(dst, column|at&wordMask)
	}
	return dst
}

// touches reports whether one of the positions is in a column of the mask.
func touches(pos []byte, mask uint8) bool {
	if len(pos) > 0 && pos[0] != 1 && mask&1 != 0 {
		return true
	}
	for i := 0; i < len(pos); {
		v, n := varint(pos[i:])
		if n == 0 {
			return false
		}
		i += n
		if v == 1 {
			c, n := varint(pos[i:])
			if i += n; n == 0 {
				return false
			}
			if mask&(1<<c) != 0 {
				return true
			}
		}
	}
	return false
}
