package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// carved is what lies in a file of bbolt, wherever its pages are: also behind a branch
// that is damaged, and in pages that are free by now. Old copies of a page have the
// same records as the new one, except where a commit was never finished.
type carved struct {
	*pageFile
	meta  map[string][]byte // of the volume; nil: not found
	dicts []carvedDict      // what may be dictionaries
	recs  map[uint64]extent // whose checksums hold
	more  map[uint64][]extent
	kept  map[uint64][]byte // what may be leaf hashes of lost records
	bad   int               // pages that the system could not read
}

// carvedDict may be a dictionary, or the spare of one.
type carvedDict struct {
	number uint64
	bytes  []byte
}

// extent is the place of a record in the file.
type extent struct {
	at  int64
	n   uint32
	sum uint32 // its last four bytes
}

// carve looks for records in all pages of a file. An error means that the file could
// not be read at all.
func carve(path string) (*carved, error) {
	p, err := openPages(path)
	if err != nil {
		return nil, err
	}
	sizes := []int64{p.page}
	if p.page == 0 {
		sizes = []int64{64 << 10, 32 << 10, 16 << 10} // of volumes, newest first
	}
	var best *carved
	for _, size := range sizes {
		c := &carved{pageFile: p, recs: map[uint64]extent{}, more: map[uint64][]extent{}, kept: map[uint64][]byte{}}
		p.page = size
		if err = c.scan(); err != nil {
			break
		}
		if best == nil || len(c.recs) > len(best.recs) || best.meta == nil && c.meta != nil {
			best = c
		}
		if c.meta != nil {
			break
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.page = best.page
	return best, nil
}

func (c *carved) scan() error {
	n := uint64(c.size / c.page)
	header := make([]byte, pageHeader)
	var last error
	for id := range n {
		if _, err := c.f.ReadAt(header, int64(id)*c.page); err != nil {
			c.bad, last = c.bad+1, err
			continue
		}
		if binary.NativeEndian.Uint64(header) != id || binary.NativeEndian.Uint16(header[8:]) != pageLeaf {
			continue
		}
		g, err := c.read(id)
		if err != nil { // what it runs over into may be gone; what lies in it may not
			if g, err = c.readAlone(id); err != nil {
				c.bad, last = c.bad+1, err
				continue
			}
		}
		c.leaf(&g)
	}
	if n > 0 && c.bad == int(n) {
		return fmt.Errorf("no page of it can be read: %w", last)
	}
	return nil
}

// readAlone reads a page without those that it runs over into.
func (p *pageFile) readAlone(id uint64) (page, error) {
	g := page{id: id, at: int64(id) * p.page, data: make([]byte, p.page)}
	if _, err := p.f.ReadAt(g.data, g.at); err != nil {
		return g, err
	}
	g.flags, g.count = binary.NativeEndian.Uint16(g.data[8:]), int(binary.NativeEndian.Uint16(g.data[10:]))
	return g, nil
}

// leaf takes what a leaf has.
func (c *carved) leaf(g *page) {
	for i := range g.count {
		e, ok := g.element(i)
		switch {
		case !ok:
		case e.flags&elementBucket != 0:
			if inner, ok := g.inlined(&e); ok {
				c.bucket(string(e.key), &inner)
			}
		case len(e.key) == 8:
			seq := getSeq(e.key)
			if len(e.value) == tlog.HashSize {
				c.kept[seq] = bytes.Clone(e.value)
			}
			c.record(g, seq, e.value)
		case len(e.value) <= 2*dictSize:
			c.dict(e.key, e.value)
		}
	}
}

// dict takes what may be a dictionary: a spare is unpacked.
func (c *carved) dict(key, b []byte) {
	n, size := binary.Uvarint(key)
	if size != len(key) || n == 0 || len(b) == 0 {
		return
	}
	if x, err := plainSpare(b); err == nil {
		c.dicts = append(c.dicts, carvedDict{n, x})
	} else {
		c.dicts = append(c.dicts, carvedDict{n, bytes.Clone(b)})
	}
}

// bucket takes what a bucket has that lies within a page.
func (c *carved) bucket(name string, g *page) {
	if name == string(bucketLog) || name == string(bucketLost) {
		c.leaf(g)
		return
	}
	if name != string(bucketMeta) {
		return
	}
	m := map[string][]byte{}
	for i := range g.count {
		if e, ok := g.element(i); ok {
			m[string(e.key)] = bytes.Clone(e.value)
		}
	}
	if len(m[string(keyArchive)]) != 16 || len(m[string(keyFirst)]) != 8 {
		return
	}
	if c.meta == nil {
		c.meta = m
	}
	maps.Copy(c.meta, m) // of another commit: it has the same, or more
}

func (c *carved) record(g *page, seq uint64, b []byte) {
	if _, err := unframe(seq, b); err != nil {
		return
	}
	x := extent{at: g.offset(b), n: uint32(len(b)), sum: binary.LittleEndian.Uint32(b[len(b)-4:])}
	old, ok := c.recs[seq]
	if !ok {
		c.recs[seq] = x
		return
	}
	same := func(o extent) bool { return o.n == x.n && o.sum == x.sum }
	if !same(old) && !slices.ContainsFunc(c.more[seq], same) {
		c.more[seq] = append(c.more[seq], x)
	}
}

// candidates are the records that were found under a number: one, unless a commit was
// not finished.
func (c *carved) candidates(seq uint64) (all [][]byte) {
	x, ok := c.recs[seq]
	if !ok {
		return nil
	}
	for _, x := range append([]extent{x}, c.more[seq]...) {
		b := make([]byte, x.n)
		if _, err := c.f.ReadAt(b, x.at); err == nil {
			all = append(all, b) // its checksum is looked at again
		}
	}
	return all
}

// first is the volume's first record: as its meta says, else 0.
func (c *carved) first() uint64 {
	if c.meta == nil {
		return 0
	}
	return getSeq(c.meta[string(keyFirst)])
}
