package bolt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"

	"chancery/feed"
	"chancery/store"
)

// reassembly puts the documents together again in a deep check, and compares each with
// what was received. The bytes of new entries are in the records right behind that of
// their document, those of others have passed before. A document with bytes that are not
// at hand any more waits until all records were read: then documents come source by
// source, since those of one source are made of the same entries, and each entry is
// unpacked once more, not once for every document that has it.
type reassembly struct {
	c       *check
	held    heldParts
	open    *rawDocument // whose entries' records are passing
	later   []laterDocument
	without []lacking // documents that lack an entry
	hash    hash.Hash
}

// rawDocument is a raw record with its plain body.
type rawDocument struct {
	v     *volume
	h     *header
	plain []byte
}

type laterDocument struct {
	source uint32
	seq    uint64
}

// lacking is a document without some of its bytes.
type lacking struct {
	seq uint64
	why error
}

func newReassembly(c *check) reassembly {
	return reassembly{
		c: c, hash: sha256.New(),
		held: heldParts{at: map[partKey][]byte{}, most: heldPartsBytes},
	}
}

// entry checks the own bytes of an entry that its record has.
func (r *reassembly) entry(v *volume, h *header, plain []byte) {
	own, err := ownBytes(r.held.room(), plain)
	if err != nil {
		r.c.fault("%v", damaged(v.at(h.seq), err))
		return
	}
	sum := feed.DigestOf(own)
	if shorten(sum) != h.part || shorten(h.bytes) == h.part && sum != h.bytes {
		r.c.fault("%s: the entry's own bytes are not those that were recorded", v.where(h.seq))
		return
	}
	r.held.keep(partKey{h.source, h.part}, own)
}

// document takes a document in. plain is good until it returns.
func (r *reassembly) document(v *volume, h *header, plain []byte) {
	r.close() // records of a document's entries come before the next document
	d := &rawDocument{v, h, plain}
	raw, err := decodeRaw(plain)
	if err == nil {
		var parts [][]byte
		parts, err = raw.inlined(h)
		for i, b := range parts {
			switch {
			case b == nil:
			case shorten(feed.DigestOf(b)) != h.parts[i]:
				r.c.fault("%s: part %d is not the one that was recorded", v.where(h.seq), i)
			default:
				r.held.keep(partKey{h.source, h.parts[i]}, append(r.held.room(), b...))
			}
		}
	}
	switch {
	case !r.kept(h):
	case err != nil:
		r.c.fault("%v", damaged(v.at(h.seq), err))
	case r.ready(h):
		r.check(d, r.atHand(h))
	default:
		d.plain = slices.Clone(plain)
		r.open = d
	}
}

// kept reports whether the catalog leads to a document. One that was let go may still
// be there, and need not be whole.
func (r *reassembly) kept(h *header) bool {
	src := r.c.ct.source(h.source)
	if src == nil {
		return false
	}
	at := r.c.ct.b[bDocs].Get(shortRow(src.num, shorten(h.doc)))
	return len(at) == 8 && getSeq(at) == h.seq
}

// ready reports whether all parts of a document are at hand.
func (r *reassembly) ready(h *header) bool {
	for _, d := range h.parts {
		if _, ok := r.held.at[partKey{h.source, d}]; !ok {
			return false
		}
	}
	return true
}

// close puts the open document together, or leaves it for later.
func (r *reassembly) close() {
	d := r.open
	r.open = nil
	switch {
	case d == nil:
	case r.ready(d.h):
		r.check(d, r.atHand(d.h))
	default:
		r.later = append(r.later, laterDocument{r.c.ct.source(d.h.source).num, d.h.seq})
	}
}

func (r *reassembly) atHand(h *header) func(i int) ([]byte, error) {
	return func(i int) ([]byte, error) {
		if i >= len(h.parts) {
			return nil, fmt.Errorf("it has no part %d", i)
		}
		return r.held.at[partKey{h.source, h.parts[i]}], nil
	}
}

// check puts a document together and compares its digest.
func (r *reassembly) check(d *rawDocument, part func(i int) ([]byte, error)) {
	raw, err := decodeRaw(d.plain)
	if err != nil {
		r.c.fault("%v", damaged(d.v.at(d.h.seq), err))
		return
	}
	r.hash.Reset()
	size := 0
	err = cook(raw.recipe, part, func(b []byte) {
		r.hash.Write(b)
		size += len(b)
	})
	if err == nil && feed.Digest(r.hash.Sum(nil)) != d.h.doc {
		err = errors.New("the document is not what was received")
	}
	if err == nil {
		err = raw.places(size, func(int, int) {})
	}
	switch {
	case errors.Is(err, errGone):
		r.without = append(r.without, lacking{d.h.seq, err})
	case errors.Is(err, store.ErrLost) || errors.Is(err, errNoBytes) && r.c.report.LostRecords > 0:
		r.c.affected++
	case err != nil:
		r.c.fault("%v", damaged(d.v.at(d.h.seq), err))
	}
}

// rest checks the documents that waited, when all records were read.
func (r *reassembly) rest(ctx context.Context) error {
	r.close()
	slices.SortFunc(r.later, func(a, b laterDocument) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.seq, b.seq))
	})
	for _, l := range r.later {
		if err := r.c.goOn(ctx); err != nil {
			return err
		}
		switch err := r.reread(l); {
		case errors.Is(err, store.ErrLost):
			r.c.affected++
		case errors.Is(err, store.ErrCorrupt):
			r.c.fault("%v", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// reread checks a document that waited.
func (r *reassembly) reread(l laterDocument) error {
	v, err := r.c.s.volume(l.seq)
	if err != nil {
		return err
	}
	h, f, err := v.read(l.seq)
	if err != nil {
		return err
	}
	plain, err := v.plain(l.seq, f)
	if err != nil || plain == nil { // said already, or taken down since
		return err
	}
	r.check(&rawDocument{v, &h, plain}, func(i int) ([]byte, error) {
		if i >= len(h.parts) {
			return nil, fmt.Errorf("it has no part %d", i)
		}
		b, err := r.find(l.source, partKey{h.source, h.parts[i]})
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		return b, nil
	})
	return nil
}

// find gives bytes that may have passed long ago. The catalog says where they are.
func (r *reassembly) find(source uint32, k partKey) ([]byte, error) {
	if b, ok := r.held.at[k]; ok {
		return b, nil
	}
	p, _ := r.c.ct.part(source, k.digest)
	if row, ok, err := r.c.ct.row(p.item); err != nil {
		return nil, err
	} else if ok && row.takenDown {
		return nil, errGone
	}
	b, err := r.c.s.partBytes(r.held.room(), p.seq, k.digest)
	if err != nil {
		return nil, err
	}
	r.held.keep(k, b)
	return b, nil
}

// partKey names an entry's own bytes.
type partKey struct {
	source feed.SourceID
	digest short
}

// heldParts are bytes of entries that are at hand, the newest up to a bound.
type heldParts struct {
	at    map[partKey][]byte
	order []partKey // oldest first
	most  int       // bytes, with the room behind them
	size  int       // the same, of all that are held
	free  [][]byte  // to be used again
}

// heldPartsBytes is enough for some thousand entries.
const heldPartsBytes = 16 << 20

// room gives room for the bytes of an entry.
func (p *heldParts) room() []byte {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 8<<10)
}

// keep holds bytes; they belong to heldParts from then on.
func (p *heldParts) keep(k partKey, b []byte) {
	if _, ok := p.at[k]; ok {
		p.free = append(p.free, b)
		return
	}
	p.at[k] = b
	p.order = append(p.order, k)
	for p.size += cap(b); p.size > p.most; p.order = p.order[1:] {
		old := p.at[p.order[0]]
		delete(p.at, p.order[0])
		p.size -= cap(old)
		p.free = append(p.free, old)
	}
}
