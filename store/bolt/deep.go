package bolt

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// deepCheck is what a deep verification does besides.
type deepCheck struct {
	c         *check
	dir       string // temporary
	documents reassembly
	catalog   *remaking
	plain     []byte // room for a body
}

func newDeepCheck(c *check) (*deepCheck, error) {
	dir, err := os.MkdirTemp("", "chancery-verify-")
	if err != nil {
		return nil, err
	}
	d := &deepCheck{c: c, dir: dir, documents: newReassembly(c)}
	if d.catalog, err = c.s.remake(filepath.Join(dir, "catalog.bolt")); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return d, nil
}

func (d *deepCheck) close() {
	_ = d.catalog.close()
	_ = os.RemoveAll(d.dir)
}

// record checks the body of a record and all that it has to do with.
func (d *deepCheck) record(r reading, h *header, f framed, leaf tlog.Hash) error {
	plain, err := r.plain(d.plain, h.seq, f)
	switch {
	case errors.Is(err, store.ErrLost): // what it builds on
		d.c.affected++
	case err != nil:
		d.c.fault("%v", err)
	case plain == nil:
	case contentDigest(f.pack.salt, plain) != h.content:
		d.c.fault("%s: the body is not the one that was recorded", r.v.where(h.seq))
	case f.kind == store.KindRaw:
		d.documents.document(r.v, h, plain)
	case h.partKept:
		d.documents.entry(r.v, h, plain)
	}
	if plain != nil {
		d.plain = plain
	}
	return d.catalog.add(h, f.head, leaf, f.pack == nil, func() ([]byte, error) { return plain, err })
}
