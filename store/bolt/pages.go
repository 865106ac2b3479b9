package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The pages of a file of bbolt, read without bbolt: that follows what a damaged page
// says, into a panic, a fault or a circle. Numbers are in the machine's own order, as
// bbolt writes them.
const (
	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	pageElement = 16 // of a branch: pos 4, ksize 4, child 8; of a leaf: flags 4, pos 4, ksize 4, vsize 4

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	elementBucket = 0x01 // the value of a leaf element is a bucket: root 8, sequence 8, then its page if root is 0
	bucketHeader  = 16

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = 1<<64 - 1

	smallestPage, largestPage = 1 << 10, 1 << 20
	largestRun                = 1 << 28 // far above the largest document that fetch lets through
)

var errCut = errors.New("it is cut short")

// pageFile is a file of bbolt.
type pageFile struct {
	f    *os.File
	size int64 // of the file
	page int64 // bytes of a page; 0: no head says it
	head pageHead
	half bool // one of the two heads cannot be used
}

// pageHead is what a meta page says.
type pageHead struct{ page, root, freelist, high, tx uint64 }

// page is one page, with those that it runs over into.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // all of it, the header included
	at    int64  // where data begins in the file
}

// offset is where a part of a page's data lies in the file.
func (g *page) offset(b []byte) int64 { return g.at + int64(cap(g.data)-cap(b)) }

// openPages opens a file. Heads that cannot be read are no error yet.
func openPages(path string) (*pageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := &pageFile{f: f, size: st.Size()}
	first, ok := p.headAt(0)
	if ok {
		p.head, p.page = first, int64(first.page)
		second, ok2 := p.headAt(p.page)
		if p.half = !ok2 || second.page != first.page; !p.half && second.tx > first.tx {
			p.head = second
		}
		return p, nil
	}
	p.half = true
	for size := int64(smallestPage); size <= largestPage; size *= 2 {
		if h, ok := p.headAt(size); ok && int64(h.page) == size {
			p.head, p.page = h, size
			break
		}
	}
	return p, nil
}

func (p *pageFile) close() {
	if p != nil && p.f != nil {
		_ = p.f.Close()
	}
}

// headAt reads a meta page; false if it is none, or damaged.
func (p *pageFile) headAt(at int64) (h pageHead, ok bool) {
	const size, summed = 64, 56
	b := make([]byte, pageHeader+size)
	if _, err := p.f.ReadAt(b, at); err != nil {
		return h, false
	}
	b = b[pageHeader:]
	n := binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:summed])
	h = pageHead{page: uint64(n.Uint32(b[8:])), root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]), high: n.Uint64(b[40:]), tx: n.Uint64(b[48:])}
	ok = n.Uint32(b) == boltMagic && n.Uint32(b[4:]) == boltVersion && n.Uint64(b[summed:]) == sum.Sum64() &&
		h.page >= smallestPage && h.page <= largestPage
	return h, ok
}

// read reads a page with all that it runs over into.
func (p *pageFile) read(id uint64) (page, error) {
	g := page{id: id, at: int64(id) * p.page}
	b := make([]byte, p.page)
	if _, err := p.f.ReadAt(b, g.at); err != nil {
		return g, onPage(id, "%w", cutShort(err))
	}
	n := binary.NativeEndian
	g.flags, g.count = n.Uint16(b[8:]), int(n.Uint16(b[10:]))
	over := int64(n.Uint32(b[12:]))
	if n.Uint64(b) != id {
		return g, onPage(id, "it says that it is page %d", n.Uint64(b))
	}
	if over > 0 {
		if int64(id)+over >= p.size/p.page || over*p.page > largestRun {
			return g, onPage(id, "it says that it is %d pages long", over+1)
		}
		b = append(b, make([]byte, over*p.page)...)
		if _, err := p.f.ReadAt(b[p.page:], g.at+p.page); err != nil {
			return g, onPage(id, "%w", cutShort(err))
		}
	}
	g.data = b
	return g, nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return errCut
	}
	return err
}

// element is a key of a page with what belongs to it.
type element struct {
	flags      uint32
	key, value []byte // of a leaf
	child      uint64 // of a branch
}

// element takes number i of a page; false if it does not lie within the page.
func (g *page) element(i int) (e element, ok bool) {
	at := pageHeader + i*pageElement
	if at+pageElement > len(g.data) {
		return e, false
	}
	b, n := g.data[at:], binary.NativeEndian
	var pos, ksize, vsize uint64
	if g.flags == pageBranch {
		pos, ksize, e.child = uint64(n.Uint32(b)), uint64(n.Uint32(b[4:])), n.Uint64(b[8:])
	} else {
		e.flags, pos, ksize, vsize = n.Uint32(b), uint64(n.Uint32(b[4:])), uint64(n.Uint32(b[8:])), uint64(n.Uint32(b[12:]))
	}
	if pos < pageElement || pos+ksize+vsize > uint64(len(b)) {
		return e, false
	}
	e.key, e.value = b[pos:pos+ksize], b[pos+ksize:pos+ksize+vsize]
	return e, true
}

// inlined is the page of a bucket that lies in the value of a leaf element.
func (g *page) inlined(e *element) (page, bool) {
	if e.flags&elementBucket == 0 || len(e.value) < bucketHeader+pageHeader || binary.NativeEndian.Uint64(e.value) != 0 {
		return page{}, false
	}
	b, n := e.value[bucketHeader:], binary.NativeEndian
	return page{flags: n.Uint16(b[8:]), count: int(n.Uint16(b[10:])), data: b, at: g.offset(b)}, true
}

// inspection is a look at the structure of a volume's file: heads, root, branches, the
// way to the end of the log, dictionaries and free list; not at other leaves.
type inspection struct {
	*pageFile
	used map[uint64]bool
	flat bool // no leaf is looked at
}

// inspect looks for damage that would keep bbolt from finding records, or lead it to
// write where records are. half says that one of the two heads of the file cannot be
// used, which a power failure leaves behind as well: then the file is as it was one
// commit before. It costs the reading of a few pages.
func inspect(path string) (half bool, err error) {
	p, err := openPages(path)
	if err != nil {
		return false, err
	}
	defer p.close()
	if err := (&inspection{pageFile: p, used: map[uint64]bool{}}).all(); err != nil {
		return p.half, damaged(inVolume(path), err)
	}
	return p.half, nil
}

// inspectLedger is inspect for the ledger: of what is damaged in a leaf the others do not
// suffer.
func inspectLedger(path string) error {
	p, err := openPages(path)
	if err != nil {
		return system(err)
	}
	defer p.close()
	if p.size == 0 {
		return damaged(part(path), errCut) // bbolt would begin it anew
	}
	if err := (&inspection{pageFile: p, used: map[uint64]bool{}, flat: true}).all(); err != nil {
		return damaged(part(path), err)
	}
	return nil
}

func (in *inspection) all() error {
	switch {
	case in.page == 0:
		return errors.New("neither of its two heads can be used")
	case int64(in.head.high) > in.size/in.page:
		return fmt.Errorf("%w: %d pages of %d", errCut, in.size/in.page, in.head.high)
	}
	root, err := in.take(in.head.root)
	if err != nil {
		return err
	}
	if root.flags != pageLeaf {
		return onPage(root.id, "it is not the list of buckets")
	}
	for i := range root.count {
		e, ok := root.element(i)
		if !ok || e.flags&elementBucket != 0 && len(e.value) < bucketHeader {
			return onPage(root.id, "entry %d lies outside", i)
		}
		if e.flags&elementBucket == 0 {
			continue
		}
		if id := binary.NativeEndian.Uint64(e.value); id != 0 {
			if err := in.tree(id, bytes.Equal(e.key, bucketLog)); err != nil {
				return err
			}
		}
	}
	return in.freelist()
}

// take reads a page that something leads to, once.
func (in *inspection) take(id uint64) (page, error) {
	if err := in.claim(id); err != nil {
		return page{}, err
	}
	return in.read(id)
}

func (in *inspection) claim(id uint64) error {
	if id < 2 || id >= in.head.high {
		return fmt.Errorf("page %d is named, and there are %d", id, in.head.high)
	}
	if in.used[id] {
		return fmt.Errorf("page %d is in use twice", id)
	}
	in.used[id] = true
	return nil
}

// tree looks at the tree of a bucket: at all its branches and its last leaf, or, if it
// is not the log, at all leaves.
func (in *inspection) tree(root uint64, log bool) error {
	// All leaves are equally deep: how deep, the way to the last one says.
	depth := 0
	for id := root; ; depth++ {
		g, err := in.read(id)
		if err != nil {
			return err
		}
		if err := g.ordered(log); err != nil {
			return err
		}
		if g.flags == pageLeaf {
			break
		}
		if depth > 8 {
			return onPage(id, "the tree does not end")
		}
		e, _ := g.element(g.count - 1)
		id = e.child
	}
	return in.level(root, depth, log)
}

func (in *inspection) level(id uint64, depth int, log bool) error {
	if depth == 0 && (log || in.flat) {
		return in.claim(id) // a leaf of records: each has its own checksum
	}
	g, err := in.take(id)
	if err != nil {
		return err
	}
	if err := g.ordered(log); err != nil {
		return err
	}
	if (g.flags == pageLeaf) != (depth == 0) {
		return onPage(id, "it is of another level")
	}
	for i := range g.count {
		if depth == 0 {
			break
		}
		e, _ := g.element(i)
		if err := in.level(e.child, depth-1, log); err != nil {
			return err
		}
	}
	return nil
}

// ordered reports what is wrong with a page of a tree: its kind, the places of its
// entries, the order of its keys.
func (g *page) ordered(log bool) error {
	if g.flags != pageBranch && g.flags != pageLeaf || g.count == 0 && g.flags == pageBranch {
		return onPage(g.id, "it is no page of a tree")
	}
	var before []byte
	for i := range g.count {
		e, ok := g.element(i)
		switch {
		case !ok:
			return onPage(g.id, "entry %d lies outside", i)
		case i > 0 && bytes.Compare(before, e.key) >= 0:
			return onPage(g.id, "entry %d is out of order", i)
		case log && len(e.key) != 8:
			return onPage(g.id, "the key of entry %d has not 8 bytes", i)
		}
		before = e.key
	}
	return nil
}

// freelist looks at the list of free pages: what it names is written over.
func (in *inspection) freelist() error {
	if in.head.freelist == noFreelist {
		return nil
	}
	g, err := in.take(in.head.freelist)
	if err != nil {
		return err
	}
	if g.flags != pageFreelist {
		return onPage(g.id, "it is not the list of free pages")
	}
	b, n := g.data[pageHeader:], g.count
	if n == 0xffff {
		n, b = int(binary.NativeEndian.Uint64(b)), b[8:]
	}
	if n < 0 || n > len(b)/8 {
		return onPage(g.id, "the list of free pages does not end in it")
	}
	last := uint64(1)
	for i := range n {
		id := binary.NativeEndian.Uint64(b[8*i:])
		if id <= last || id >= in.head.high || in.used[id] {
			return onPage(g.id, "page %d cannot be free", id)
		}
		last = id
	}
	return nil
}
