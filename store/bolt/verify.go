package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/feed"
	"chancery/store"
)

// check is a verification under way.
type check struct {
	s      *Store
	ct     *catalogTx // the catalog that is checked, in a snapshot
	deep   *deepCheck // nil: a fast one
	report store.Report
	stack  []tlog.Hash // of the Merkle tree: the hashes of its complete subtrees, largest first
	levels []int
	leaves uint64               // in the tree
	gone   []uint64             // records without the body that their header names
	taken  map[feed.ItemID]bool // taken down by a record
	let    map[uint64]bool      // raw records let go by a record of KindExpired

	sealing leafDigest // of the volume whose records are being read
	seal    seal       // of that volume

	orphans  map[feed.ItemID]bool // counted, though their first records are lost
	unread   unread
	affected int64 // versions and documents that build on records that are lost
}

// unread is a run of records of one volume that cannot be read.
type unread struct {
	v           *volume
	first, last uint64
	why         error // nil: they are known to be lost
}

func (c *check) addRun(r unread) {
	if b := &c.unread; b.v == r.v && b.last+1 == r.first && (b.why == nil) == (r.why == nil) {
		b.last = r.last
		return
	}
	c.endRun()
	c.unread = r
}

// endRun tells of records that cannot be read.
func (c *check) endRun() {
	r := c.unread
	if c.unread = (unread{}); r.v == nil {
		return
	}
	line := r.v.where(r.first)
	if r.last > r.first {
		line = fmt.Sprintf("%s: records %d to %d", r.v.path, r.first, r.last)
	}
	switch {
	case r.why == nil:
		if len(c.report.Lost) < maxFaults {
			c.report.Lost = append(c.report.Lost, line)
		}
	case r.first == r.last && damageOf(r.why) != nil && damageOf(r.why).Record == r.first:
		c.fault("%v", r.why)
	default:
		c.fault("%s: %v", line, r.why)
	}
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
// tree from the leaves against the one that is kept. Deep, besides: every body against
// its digest, every entry's own bytes against theirs, every document put
// together and compared with what was received, and the catalog made anew and
// compared row by row. Records that come while it runs are not checked.
func (s *Store) Verify(ctx context.Context, deep bool, progress func(done, total int64)) (store.Report, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	c := newCheck(s)
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return c.report, store.ErrClosed
	}
	s.long.Add(1)
	defer s.long.Done()
	s.mu.RUnlock()
	err := s.snapshot(func(ct *catalogTx) (err error) {
		c.ct = ct
		if deep {
			if c.deep, err = newDeepCheck(c); err != nil {
				return err
			}
			defer c.deep.close()
		}
		return c.all(ctx, progress)
	})
	switch {
	case err == nil:
		if err := s.readLedger(ctx); errors.Is(err, store.ErrCorrupt) {
			c.fault("%v", err)
		} else if err != nil {
			return store.Report{}, err
		}
		return c.report, nil
	case ctx.Err() != nil:
		return store.Report{}, context.Cause(ctx)
	case errors.Is(err, store.ErrCorrupt):
		c.fault("%v", err)
		return c.report, nil
	}
	return store.Report{}, err
}

func newCheck(s *Store) *check {
	return &check{s: s, taken: map[feed.ItemID]bool{}, let: map[uint64]bool{}}
}

// all checks the log up to the end of the catalog, and the catalog.
func (c *check) all(ctx context.Context, progress func(done, total int64)) error {
	if err := c.records(ctx, progress); err != nil {
		return err
	}
	if c.deep != nil {
		if err := c.deep.documents.rest(ctx); err != nil {
			return err
		}
	}
	if err := c.missing(); err != nil {
		return err
	}
	if c.affected > 0 {
		c.report.Lost = append(c.report.Lost, fmt.Sprintf("%d versions and documents build on lost records, and cannot be put together", c.affected))
	}
	c.tree()
	c.report.Records = int64(c.ct.end)
	whole := c.report.LostRecords == 0 // else the catalog knows more than the log has, or less
	if n := c.ct.counts; whole && (n.Items != c.report.Items || n.Revisions != c.report.Revisions || n.Raw != c.report.Documents) {
		c.fault("catalog: counts %d items, %d revisions and %d documents; the log has %d, %d and %d",
			n.Items, n.Revisions, n.Raw, c.report.Items, c.report.Revisions, c.report.Documents)
	}
	if c.deep != nil && whole {
		if err := c.deep.catalog.compare(c); err != nil {
			return err
		}
	}
	progress(int64(c.ct.end), int64(c.ct.end))
	return nil
}

// snapshot runs f in a read transaction that may last. The part in memory is read
// from the snapshot, too.
func (s *Store) snapshot(f func(c *catalogTx) error) error {
	s.snapshots.RLock() // a compaction does not swap the catalog meanwhile
	defer s.snapshots.RUnlock()
	s.mu.RLock()
	cat := s.cat
	s.mu.RUnlock()
	return view(cat, part("catalog"), func(tx *bbolt.Tx) error {
		mem := newMemory()
		c, err := newCatalogTx(tx, mem)
		if err != nil {
			return err
		}
		err = c.b[bSources].ForEach(func(k, v []byte) error {
			var row storedSource
			if err := json.Unmarshal(v, &row); err != nil {
				return damaged(part(fmt.Sprintf("catalog: source %q", k)), err)
			}
			mem.sources[feed.SourceID(k)] = &known{num: row.Num, source: row.Source, state: noState}
			mem.names[row.Num] = feed.SourceID(k)
			return nil
		})
		if err != nil {
			return err
		}
		return f(c)
	})
}

// goOn is an error when the check should end.
func (c *check) goOn(ctx context.Context) error {
	if err := ctxErr(ctx); err != nil {
		return err
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	if c.s.closed {
		return store.ErrClosed
	}
	return nil
}

// records checks each record by itself, and takes note of what it means for others.
func (c *check) records(ctx context.Context, progress func(done, total int64)) error {
	rr := recordReader{record: c.record, lost: c.lost, at: func(v *volume, next uint64) error {
		if err := c.goOn(ctx); err != nil {
			return err
		}
		progress(int64(next-1), int64(c.ct.end))
		c.seal = v.sealedAs()
		if c.sealing.of == v {
			return nil
		}
		c.sealing = leafDigest{of: v}
		if err := c.heads(v); err != nil {
			return err
		}
		return c.dictionaries(v)
	}}
	err := rr.read(c.s, 1, c.ct.end)
	c.endRun()
	return err
}

// record checks one record. Its bytes are those of the file.
func (c *check) record(r reading, seq uint64, b []byte) error {
	h, f, err := r.v.parse(seq, b)
	if err != nil {
		return c.lost(r.v, seq, err) // not one that is known to be lost
	}
	leaf := leafHash(seq, f.kind, f.head)
	c.leaf(leaf)
	c.sealing.add(leaf)
	c.sealed(r.v, seq)
	switch f.kind {
	case store.KindItem:
		c.report.Items++
		c.report.Revisions++
	case store.KindRevision, store.KindReparsed:
		c.report.Revisions++
		if err := c.orphan(&h); err != nil {
			return err
		}
	case store.KindRaw:
		c.report.Documents++
	}
	c.excuse(&h)
	if f.pack == nil && !h.content.IsZero() {
		c.gone = append(c.gone, seq)
	}
	if c.deep == nil {
		return nil
	}
	return c.deep.record(r, &h, f, leaf)
}

// orphan counts an item of which the first record is lost, with the first one that is left.
func (c *check) orphan(h *header) error {
	if c.report.LostRecords == 0 || c.orphans[h.item] { // what it lacks came before
		return nil
	}
	r, ok, err := c.ct.row(h.item)
	if err == nil && ok && (r.first == h.seq || c.s.isLost(r.first)) {
		if c.orphans == nil {
			c.orphans = map[feed.ItemID]bool{}
		}
		c.orphans[h.item] = true
		c.report.Items++
	}
	return err
}

// lost takes note of a record that cannot be read.
func (c *check) lost(v *volume, seq uint64, err error) error {
	leaf := tlog.Hash{} // then the tree will not agree, but that was said
	r := unread{v, seq, seq, err}
	if errors.Is(err, store.ErrLost) {
		leaf, _ = v.lostLeaf(seq)
		r.why = nil
		c.report.LostRecords++
	} else {
		c.s.noteDamage(err)
	}
	c.addRun(r)
	if c.leaves < seq {
		c.leaf(leaf)
		c.sealing.add(leaf)
	}
	c.sealing.broken = c.sealing.broken || leaf == tlog.Hash{}
	c.sealed(v, seq)
	if c.deep == nil {
		return nil
	}
	return c.deep.catalog.lost(seq, leaf, err)
}

// excuse takes note of the records whose bodies a decision takes away.
func (c *check) excuse(h *header) {
	switch h.kind {
	case store.KindTakedown:
		for _, id := range h.items {
			c.taken[id] = true
		}
	case store.KindExpired:
		for _, gone := range h.records {
			c.let[gone] = true
		}
	}
}

// missing judges the records whose bodies are not there, and the documents that are not
// whole, when all were read.
func (c *check) missing() error {
	// A decision that was made meanwhile may have taken away what was not read yet.
	c.s.mu.RLock()
	end := c.s.end
	c.s.mu.RUnlock()
	for seq := c.ct.end + 1; seq <= end; seq++ {
		if v, err := c.s.volume(seq); err != nil {
			return err
		} else if h, _, err := v.readHead(seq); err == nil {
			c.excuse(&h)
		}
	}
	for _, seq := range c.gone {
		v, err := c.s.volume(seq)
		if err != nil {
			return err
		}
		h, f, err := v.readHead(seq)
		if err != nil {
			return err
		}
		lost := c.report.LostRecords > 0 // what says so may be, too
		if f.kind == store.KindRaw && (len(c.taken) > 0 || c.let[seq] || lost) {
			continue // a document with an entry that was taken down, or an old one
		}
		if !c.taken[h.item] && (!lost || !c.ct.takenDown(h.item)) {
			c.fault("%s: the body is missing, and no takedown says so", v.where(seq))
		}
	}
	if c.deep != nil && len(c.taken) == 0 {
		for _, d := range c.deep.documents.without {
			if !c.let[d.seq] {
				c.fault("document at %d: bytes of it are %v", d.seq, d.why)
			}
		}
	}
	return nil
}

// takenDown reports whether the catalog says so of an item.
func (c *catalogTx) takenDown(id feed.ItemID) bool {
	r, ok, err := c.row(id)
	return err == nil && ok && r.takenDown
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
	says, got := c.seal, &c.sealing // the volume may be being read
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
	c.leaves++
}

// tree compares the tree of the leaves with the one that the catalog keeps.
func (c *check) tree() {
	if c.ct.end == 0 {
		return
	}
	kept, err := tlog.TreeHash(int64(c.ct.end), c.ct.hashReader())
	if err != nil {
		c.fault("catalog: tree: %v", err)
		return
	}
	h := c.stack[len(c.stack)-1]
	for i := len(c.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(c.stack[i], h)
	}
	if h != kept {
		c.fault("the Merkle tree of the log has root %v, the catalog's %v", h, kept)
	}
}
