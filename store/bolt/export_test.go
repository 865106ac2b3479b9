package bolt

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"chancery/store"
)

// Paced are options by which the catalog's anchor stays behind so long, and ends with a commit
// of so many bytes of records, and a volume gets so much room.
func Paced(o Options, after time.Duration, at int, room int64) Options {
	o.pace = pace{after, at, 10 * after, room, catalogMap}
	return o
}

// PageSize is that of a volume's file.
func PageSize(t *testing.T, path string) int64 {
	t.Helper()
	p, err := openPages(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	return p.page
}

// Pages gives the pages, first and last, in which what belongs to each key of a bucket
// lies.
func Pages(t *testing.T, path, bucket string) map[string][2]int64 {
	t.Helper()
	p, err := openPages(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	out := map[string][2]int64{}
	var walk func(id uint64)
	take := func(g *page) {
		for i := range g.count {
			e, ok := g.element(i)
			if !ok {
				t.Fatal("a page that is not sound")
			}
			if g.flags == pageBranch {
				walk(e.child)
			} else {
				out[string(e.key)] = [2]int64{g.offset(e.key) / p.page, (g.offset(e.value) + int64(len(e.value)) - 1) / p.page}
			}
		}
	}
	walk = func(id uint64) {
		g, err := p.read(id)
		if err != nil {
			t.Fatal(err)
		}
		take(&g)
	}
	root, err := p.read(p.head.root)
	if err != nil {
		t.Fatal(err)
	}
	for i := range root.count {
		e, _ := root.element(i)
		if string(e.key) != bucket {
			continue
		}
		if inner, ok := root.inlined(&e); ok {
			take(&inner)
		} else {
			walk(binary.NativeEndian.Uint64(e.value))
		}
	}
	return out
}

// Decide records a decision and does nothing more, as a process does that ends then.
func Decide(ctx context.Context, s *Store, e store.Edit) error {
	return s.submit(ctx, &job{run: func(t *txn) error { return t.edit(&e) }})
}

// SyncCatalog has each commit of the catalog synced.
func SyncCatalog(s *Store) { s.unanchored = true }

// Inspect looks at the structure of a volume's file.
func Inspect(path string) error {
	_, err := inspect(path)
	return err
}

// OlderHead is the page of the head that is not of the last commit.
func OlderHead(t *testing.T, path string) int64 {
	t.Helper()
	p, err := openPages(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if first, ok := p.headAt(0); ok && first.tx == p.head.tx {
		return 1
	}
	return 0
}
