package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
	"chancery/store"
)

// allocated is what a file takes of the disk.
func allocated(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return fi.Size()
}

// check is a verification under way.
type check struct {
	s      *Store
	deep   bool
	report store.Report
	stack  []tlog.Hash // of the Merkle tree: the hashes of its complete subtrees, largest first
	levels []int
	gone   []uint64             // records without the body that their header names
	taken  map[feed.ItemID]bool // taken down by a record

	// Deep: a document is put together when the records that came with it were read,
	// from bodies that are still at hand.
	due     []uint64           // documents, in order
	without []string           // documents that lack an entry
	recent  map[uint64]readAgo // by record
	order   []uint64           // of recent, oldest first
	held    int                // bytes in recent
	let     map[uint64]bool    // raw records let go by a record of KindExpired

	sealing leafDigest // of the volume whose records are being read
}

const maxFaults = 100

func (c *check) fault(format string, args ...any) {
	if len(c.report.Faults) >= maxFaults {
		c.report.More++
		return
	}
	c.report.Faults = append(c.report.Faults, fmt.Sprintf(format, args...))
}

// Verify implements store.Keeper.
//
// Fast: every record's checksum and header, the sequence without gaps, bodies
// missing only where a takedown says so, each sealed volume against its seal, the Merkle
// tree from the leaves against the one that is kept. Deep, besides: every body against its digest, every document put
// together and compared with what was received, and the catalog made anew and
// compared row by row. Records that come while it runs are not checked.
func (s *Store) Verify(ctx context.Context, deep bool, progress func(done, total int64)) (store.Report, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	c := &check{s: s, deep: deep, recent: map[uint64]readAgo{}, taken: map[feed.ItemID]bool{}, let: map[uint64]bool{}}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return c.report, store.ErrClosed
	}
	s.long.Add(1)
	defer s.long.Done()
	s.mu.RUnlock()
	// A snapshot of the catalog, to the end of which all is checked.
	var report store.Report
	err := s.snapshot(func(tx *bbolt.Tx, ct *catalogTx) error {
		if deep {
			var err error
			if c.due, err = ct.kept(); err != nil {
				return err
			}
		}
		if err := c.records(ctx, ct.end, progress); err != nil {
			return err
		}
		if err := c.tree(ct); err != nil {
			return err
		}
		c.report.Records = int64(ct.end)
		if ct.counts.Items != c.report.Items || ct.counts.Revisions != c.report.Revisions || ct.counts.Raw != c.report.Documents {
			c.fault("catalog: counts %d items, %d revisions and %d documents; the log has %d, %d and %d",
				ct.counts.Items, ct.counts.Revisions, ct.counts.Raw, c.report.Items, c.report.Revisions, c.report.Documents)
		}
		if deep {
			if err := c.derived(ctx, ct); err != nil {
				return err
			}
		}
		report = c.report
		return nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		if errors.Is(err, store.ErrCorrupt) {
			c.fault("%v", err)
			return c.report, nil
		}
	}
	return report, err
}

// snapshot runs f in a read transaction that may last. The part in memory is read
// from the snapshot, too.
func (s *Store) snapshot(f func(tx *bbolt.Tx, c *catalogTx) error) error {
	s.snapshots.RLock() // a compaction does not swap the catalog meanwhile
	defer s.snapshots.RUnlock()
	s.mu.RLock()
	cat := s.cat
	s.mu.RUnlock()
	return view(cat, "catalog", func(tx *bbolt.Tx) error {
		mem := newMemory()
		c, err := newCatalogTx(tx, mem)
		if err != nil {
			return err
		}
		err = c.b[bSources].ForEach(func(k, v []byte) error {
			var row storedSource
			if err := json.Unmarshal(v, &row); err != nil {
				return damaged(fmt.Sprintf("catalog: source %q", k), err)
			}
			mem.sources[feed.SourceID(k)] = &known{num: row.Num, source: row.Source}
			mem.names[row.Num] = feed.SourceID(k)
			return nil
		})
		if err != nil {
			return err
		}
		return f(tx, c)
	})
}

// readAgo is a body that was read a while ago.
type readAgo struct {
	h     *header
	plain []byte
}

// Bounds of the bodies that are kept at hand, and how many records behind its own
// the entries of a document are, at most, in all but a few.
const (
	recentBytes = 16 << 20
	entriesOf   = 256
)

// keep keeps a body at hand.
func (c *check) keep(h *header, plain []byte) {
	c.recent[h.seq] = readAgo{h, plain}
	c.order = append(c.order, h.seq)
	for c.held += len(plain); c.held > recentBytes || len(c.order) > 4*entriesOf; c.order = c.order[1:] {
		c.held -= len(c.recent[c.order[0]].plain)
		delete(c.recent, c.order[0])
	}
}

// partBytes is Store.partBytes for bodies at hand and others.
func (c *check) partBytes(seq uint64, d short) ([]byte, error) {
	if r, ok := c.recent[seq]; ok {
		return partOf(r.h, r.plain, d)
	}
	return c.s.partBytes(seq, d)
}

// documents puts together the documents before a record, each compared with what was
// received.
func (c *check) documents(before uint64) {
	for len(c.due) > 0 && c.due[0] < before {
		if _, _, err := c.s.documentOf(c.due[0], c.partBytes); errors.Is(err, errGone) {
			c.without = append(c.without, err.Error())
		} else if err != nil {
			c.fault("%v", err)
		}
		c.due = c.due[1:]
	}
}

// records checks each record up to end by itself, and documents as their entries pass.
func (c *check) records(ctx context.Context, end uint64, progress func(done, total int64)) error {
	for seq := uint64(1); seq <= end; seq++ {
		if seq%1000 == 0 {
			if err := ctxErr(ctx); err != nil {
				return err
			}
			c.s.mu.RLock()
			closed := c.s.closed
			c.s.mu.RUnlock()
			if closed {
				return store.ErrClosed
			}
			progress(int64(seq), int64(end))
		}
		v, err := c.s.volume(seq)
		if err != nil {
			return err
		}
		if c.sealing.of != v {
			c.sealing = leafDigest{of: v}
			if err := c.dictionaries(v); err != nil {
				return err
			}
		}
		h, f, err := v.read(seq)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				return err
			}
			c.fault("%v", err)
			c.leaf(tlog.Hash{}) // the tree will not agree, but that was said
			c.sealing.broken = true
			c.sealed(v, seq)
			continue
		}
		leaf := leafHash(seq, f.kind, f.head)
		c.leaf(leaf)
		c.sealing.add(leaf)
		c.sealed(v, seq)
		switch f.kind {
		case store.KindItem:
			c.report.Items++
			c.report.Revisions++
		case store.KindRevision, store.KindReparsed:
			c.report.Revisions++
		case store.KindRaw:
			c.report.Documents++
		case store.KindTakedown:
			for _, id := range h.items {
				c.taken[id] = true
			}
		case store.KindExpired:
			for _, gone := range h.records {
				c.let[gone] = true
			}
		}
		switch {
		case f.pack == nil && !h.content.IsZero():
			c.gone = append(c.gone, seq)
		case f.pack != nil && c.deep:
			plain, err := v.plain(seq, f)
			if err != nil {
				c.fault("%v", err)
			} else if contentDigest(f.pack.salt, plain) != h.content {
				c.fault("%s: the body is not the one that was recorded", v.where(seq))
			} else if plain != nil {
				c.keep(&h, plain)
			}
		}
		if seq > entriesOf {
			c.documents(seq - entriesOf)
		}
	}
	c.documents(math.MaxUint64)
	for _, fault := range c.without {
		if len(c.taken) == 0 {
			c.fault("%s", fault)
		}
	}
	for _, seq := range c.gone {
		v, err := c.s.volume(seq)
		if err != nil {
			return err
		}
		h, f, err := v.read(seq)
		if err != nil {
			return err
		}
		if f.kind == store.KindRaw && (len(c.taken) > 0 || c.let[seq]) {
			continue // a document with an entry that was taken down, or an old one
		}
		if !c.taken[h.item] {
			c.fault("%s: the body is missing, and no takedown says so", v.where(seq))
		}
	}
	progress(int64(end), int64(end))
	return nil
}

// dictionaries compares those of a volume with their digests.
func (c *check) dictionaries(v *volume) error {
	spoiled, err := v.spoiledDicts()
	if errors.Is(err, store.ErrCorrupt) {
		c.fault("%v", err)
		return nil
	}
	for _, n := range spoiled {
		c.fault("%s: dictionary %d is not what was stored; --deep names the records that can't be read with it", v.path, n)
	}
	return err
}

// sealed compares a volume whose last record was read with its seal.
func (c *check) sealed(v *volume, seq uint64) {
	says, got := v.sealedAs(), &c.sealing
	switch {
	case says.records == 0 || seq != says.last || got.broken: // a broken one was named
	case got.records != says.records:
		c.fault("%s: has %d records, its seal says %d", v.path, got.records, says.records)
	case !says.digest.IsZero() && got.sum() != says.digest:
		c.fault("%s: its records are not those that were sealed", v.path)
	}
}

// leaf adds a leaf to the Merkle tree that is computed besides.
func (c *check) leaf(h tlog.Hash) {
	level := 0
	for n := len(c.levels); n > 0 && c.levels[n-1] == level; n = len(c.levels) {
		h = tlog.NodeHash(c.stack[n-1], h)
		c.stack, c.levels = c.stack[:n-1], c.levels[:n-1]
		level++
	}
	c.stack, c.levels = append(c.stack, h), append(c.levels, level)
}

// tree compares the tree of the leaves with the one that the catalog keeps.
func (c *check) tree(ct *catalogTx) error {
	if ct.end == 0 {
		return nil
	}
	kept, err := tlog.TreeHash(int64(ct.end), ct.hashReader())
	if err != nil {
		c.fault("catalog: tree: %v", err)
		return nil
	}
	h := c.stack[len(c.stack)-1]
	for i := len(c.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(c.stack[i], h)
	}
	if h != kept {
		c.fault("the Merkle tree of the log has root %v, the catalog's %v", h, kept)
	}
	return nil
}

// kept lists the documents that there are, in order.
func (ct *catalogTx) kept() (seqs []uint64, err error) {
	err = ct.b[bDocs].ForEach(func(_, v []byte) error {
		seqs = append(seqs, getSeq(v))
		return nil
	})
	slices.Sort(seqs)
	return seqs, err
}

// derived makes the catalog anew, in a file of its own, and compares.
func (c *check) derived(ctx context.Context, ct *catalogTx) error {
	dir, err := os.MkdirTemp("", "chancery-verify-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := createCatalog(filepath.Join(dir, "catalog.bolt"), c.s.vols[0].archive)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.NoSync = true
	if err := c.s.replay(ctx, "verify", db, newMemory(), ct.end); err != nil {
		return err
	}
	return view(db, "rebuilt catalog", func(tx *bbolt.Tx) error {
		for i, name := range catalogBuckets {
			switch i {
			case bState, bPending: // what only the catalog knows
				continue
			}
			c.compare(string(name), i, ct.b[i], tx.Bucket(name))
		}
		if a, b := ct.tx.Bucket(bucketMeta).Get(keyCounts), tx.Bucket(bucketMeta).Get(keyCounts); !bytes.Equal(a, b) {
			c.fault("catalog: its counts are not those of the log")
		}
		return nil
	})
}

// compare walks a bucket of the catalog and the same one made anew.
func (c *check) compare(name string, i int, got, want *bbolt.Bucket) {
	a, b := got.Cursor(), want.Cursor()
	ak, av := a.First()
	bk, bv := b.First()
	for ak != nil || bk != nil {
		order := bytes.Compare(ak, bk)
		switch {
		case bk == nil || ak != nil && order < 0:
			if i != bParts { // entries recognized in documents that were not kept
				c.fault("catalog: %s has %x, which is not in the log", name, ak)
			}
			ak, av = a.Next()
		case ak == nil || order > 0:
			c.fault("catalog: %s lacks %x", name, bk)
			bk, bv = b.Next()
		default:
			if !bytes.Equal(av, bv) && (i != bItems || !onlySeenLater(av, bv)) && (i != bParts || !sameBytes(av, bv)) {
				c.fault("catalog: %s: %x is %x, the log says %x", name, ak, av[:min(len(av), 200)], bv[:min(len(bv), 200)])
			}
			ak, av = a.Next()
			bk, bv = b.Next()
		}
	}
}

// onlySeenLater reports whether a row differs from the one made of the log only in
// that it was seen after the last document that was kept.
func onlySeenLater(got, want []byte) bool {
	a, errA := decodeRow(got)
	b, errB := decodeRow(want)
	if errA != nil || errB != nil || a.lastSeen < b.lastSeen {
		return false
	}
	a.lastSeen = b.lastSeen
	return bytes.Equal(a.encode(), b.encode())
}

// sameBytes reports whether two rows of parts agree but for the item, which the log
// does not know if the document was not kept.
func sameBytes(got, want []byte) bool {
	return len(got) == 24 && len(want) == 24 && bytes.Equal(got[:8], want[:8]) && slices.Max(want[8:]) == 0
}
