package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// keyLost, in the meta of a catalog: the records that could not be read when it was
// made, as header field 25 has them. keyUnapplied: those of them that can be read, and from
// which nothing could be derived all the same.
var (
	keyLost      = []byte("lost")
	keyUnapplied = []byte("unapplied")
)

// partial is damage of the log: single records, while all else is served.
type partial struct{ error }

func (p partial) Unwrap() error { return p.error }

// Is makes it a store.ErrLost.
func (p partial) Is(target error) bool { return target == store.ErrLost }

// noteDamage remembers the first damage, for Ping. When it is the catalog's, it leaves
// a mark, so that the next Open makes it anew; when it is a volume's, the writer looks
// at that before it does anything else.
func (s *Store) noteDamage(err error) {
	if !errors.Is(err, store.ErrCorrupt) {
		return
	}
	ofLog := ofVolume(err)
	told := err
	if ofLog {
		told = partial{err}
	}
	if s.damage.CompareAndSwap(nil, &told) {
		s.log.Error("the archive is damaged", "error", err.Error())
	}
	if !ofLog {
		_ = os.WriteFile(s.catalogPath()+".damaged", []byte(err.Error()+"\n"), 0o644)
		return
	}
	if errors.Is(err, store.ErrLost) || s.opts.ReadOnly {
		return
	}
	select {
	case s.unwell <- err:
	default: // it has enough to look at
	}
}

// passing is for whoever can go on without a record: the error of one that cannot be
// read is noted and is none.
func (s *Store) passing(err error) error {
	if ofVolume(err) {
		s.noteDamage(err)
		return nil
	}
	return err
}

// passOver leaves a record out of a catalog, because it cannot be read, or what it builds
// on. All others are read. Where nobody knows its leaf hash it is the zero one, and no
// head of the tree can be given.
func (c *catalogTx) passOver(seq uint64, leaf tlog.Hash) error {
	c.lost = append(c.lost, seq)
	c.gaps = true
	return c.growBy(seq, leaf, c.counts.Last)
}

// leafAnyway is the leaf hash of a record that cannot be made part of a catalog: of the
// record if that can be read, else what its volume remembers; zero if nobody knows it.
func (s *Store) leafAnyway(seq uint64) (tlog.Hash, error) {
	v, err := s.volume(seq)
	if err != nil {
		return tlog.Hash{}, err
	}
	if b, err := v.get(seq); err == nil {
		if f, err := unframe(seq, b); err == nil {
			return leafHash(seq, f.kind, f.head), nil
		}
	}
	leaf, _ := v.lostLeaf(seq)
	return leaf, nil
}

// lost are the records that are not in the catalog.
func lostIn(tx *bbolt.Tx) []uint64 {
	lost, _ := decodeRecords(tx.Bucket(bucketMeta).Get(keyLost)) // our own writing
	return lost
}

// whole is an error if the catalog's tree is not the log's, because leaves are not known.
func (c *catalogTx) whole() error {
	n, least := 0, uint64(0)
	for _, seq := range lostIn(c.tx) {
		if h, ok := c.leaf(seq); !ok || h == (tlog.Hash{}) {
			if n++; least == 0 {
				least = seq
			}
		}
	}
	if n == 0 {
		return nil
	}
	return partial{damaged(part("log"), fmt.Errorf("record %d cannot be read, and %d in all: no head of the tree is true until the volume is put back from a backup", least, n))}
}

// mended reports whether records that a catalog lacks can be read again.
func (s *Store) mended(tx *bbolt.Tx) bool {
	can := s.readable(lostIn(tx))
	tried, _ := decodeRecords(tx.Bucket(bucketMeta).Get(keyUnapplied)) // our own writing
	return slices.ContainsFunc(can, func(seq uint64) bool {
		_, ok := slices.BinarySearch(tried, seq)
		return !ok
	})
}

// checkFaults takes over the volumes as they were found. Those with a fault are written
// anew, but for what is to be read only.
func (s *Store) checkFaults(ctx context.Context, all []foundVolume) error {
	var old oldCatalog
	defer old.close()
	if slices.ContainsFunc(all, func(f foundVolume) bool { return f.half || f.fault != nil }) {
		old = s.peek()
	}
	if err := s.checkHeads(ctx, all, &old); err != nil {
		return err
	}
	defer func() {
		for _, f := range all {
			if f.carved != nil {
				f.carved.close()
			}
		}
	}()
	all, err := s.withoutGone(all, &old)
	if err != nil {
		return err
	}
	for _, f := range all {
		s.vols = append(s.vols, f.v)
	}
	for i := range all {
		if all[i].fault == nil {
			continue
		}
		if err := s.rescueAt(ctx, i, &all[i], &old); err != nil {
			return err
		}
	}
	return nil
}

// rescueAt writes a volume anew, at opening, in which a fault was found.
func (s *Store) rescueAt(ctx context.Context, i int, f *foundVolume, old *oldCatalog) error {
	v := f.v
	r := &rescue{v: v, file: v.path, carved: f.carved, gone: f.gone, leaf: old.leaf, closed: true, first: v.first, archive: v.archive}
	f.carved = nil // r closes it
	if r.first == 0 {
		first, err := firstAt(s.vols, i) // the one before was written anew, if it had to be
		if r.first = first; err != nil {
			return err
		}
	}
	if r.archive == [16]byte{} {
		r.archive = archiveOf(s.vols, old)
	}
	if old.db != nil && old.archive != r.archive { // it knows nothing of this one
		old.close()
		old.db = nil
	}
	switch last, err := v.lastIf(); {
	case v.sealedAs().records > 0:
		r.end = v.sealedAs().last
	case i < len(s.vols)-1 && s.vols[i+1].first > 0:
		r.end = s.vols[i+1].first - 1
	case i < len(s.vols)-1:
		s.readOnly(fmt.Errorf("%w; where it ended is not known", f.fault), putBack)
		r.end, r.closed = r.found(), false
	case err == nil:
		if r.end = last; old.db != nil {
			r.end = s.acknowledged(r, max(last, old.end))
		}
	case old.db != nil && old.end+1 >= r.first:
		r.end = s.acknowledged(r, old.end)
	default:
		s.readOnly(fmt.Errorf("%w; where the log ended is not known, as the catalog cannot be used either", f.fault), takeOver)
		r.end, r.closed = r.found(), false
	}
	return s.replaceAt(ctx, i, r, f.fault)
}

// archiveOf is the id of the archive that volumes are of, as far as they can be read.
func archiveOf(vols []*volume, old *oldCatalog) [16]byte {
	for _, v := range vols {
		if v.archive != ([16]byte{}) {
			return v.archive
		}
	}
	return old.archive
}

// lastIf is last where there is a database.
func (v *volume) lastIf() (uint64, error) {
	if v.db == nil && v.sealedAs().records == 0 {
		return 0, errCut
	}
	return v.last()
}

// acknowledged is the last record of the newest volume that may have been, end or one after
// it. A catalog that went back to its anchor has not seen all of them: what is found behind
// end, one record for each number, counts until the first number that is not found.
func (s *Store) acknowledged(r *rescue, end uint64) uint64 {
	if s.wentBack && r.look() {
		for len(r.carved.candidates(end+1)) == 1 {
			end++
		}
	}
	return end
}

// look looks at all pages, and reports whether they can be read.
func (r *rescue) look() bool {
	if r.carved == nil {
		r.carved, _ = carve(r.file)
	}
	return r.carved != nil
}

// found is the last record that was found by looking at all pages.
func (r *rescue) found() (last uint64) {
	last = r.first - 1
	if !r.look() {
		return last
	}
	for seq := range r.carved.recs {
		last = max(last, seq)
	}
	return last
}

// replaceAt puts what was rescued in the place of a volume: in a file of its own if the
// archive is opened for reading.
func (s *Store) replaceAt(ctx context.Context, i int, r *rescue, fault error) (err error) {
	v := s.vols[i]
	to := v.path + ".rescue.tmp"
	if s.opts.ReadOnly {
		if to, err = s.inTemp(filepath.Base(v.path)); err != nil {
			return err
		}
	}
	if err := r.write(to); err != nil {
		return err
	}
	if r.closed && i == len(s.vols)-1 && r.end >= r.first && !s.opts.ReadOnly {
		next, err := createVolume(s.dir, v.number+1, r.end+1, r.archive)
		if err != nil {
			return err
		}
		s.vols = append(s.vols, next)
	}
	if v.db != nil {
		if err := v.close(); err != nil {
			return err
		}
		v.db = nil
	}
	aside := ""
	if !s.opts.ReadOnly {
		if _, serr := os.Lstat(v.path); serr == nil {
			aside, err = putAside(v.path)
		}
		if err == nil {
			err = system(intoPlace(to, v.path))
		}
		if err != nil {
			return err
		}
		to = v.path
	}
	n, err := openVolume(to, true)
	if err != nil {
		return err
	}
	n.path = v.path
	s.vols[i] = n
	s.tellRescued(ctx, r, fault, aside)
	return nil
}

// tellRescued logs what became of a damaged volume.
func (s *Store) tellRescued(ctx context.Context, r *rescue, fault error, aside string) {
	attrs := []any{"error", fault.Error(), "kept", int64(r.end-r.first+1) - int64(len(r.lost)), "lost", len(r.lost)}
	if len(r.lost) > 0 {
		attrs = append(attrs, "first_lost", r.lost[0], "last_lost", r.lost[len(r.lost)-1])
	}
	if r.beyond > 0 { // of a commit that was never acknowledged
		attrs = append(attrs, "unacknowledged", r.beyond)
	}
	if aside == "" && !r.gone || s.opts.ReadOnly { // nothing was mended
		told := error(partial{fault})
		s.damage.CompareAndSwap(nil, &told)
	}
	if r.gone {
		if s.opts.ReadOnly {
			s.log.ErrorContext(ctx, "a volume is missing: its records are lost until it is back", attrs...)
			return
		}
		if aside != "" {
			attrs = append(attrs, "put_aside", aside)
		}
		s.log.ErrorContext(ctx, "a volume is missing: a stand-in without its records was put in its place", attrs...)
		return
	}
	if aside == "" { // the copy is for this opening; no file of the archive was touched
		s.log.ErrorContext(ctx, "a volume is damaged: what can be read of it is read", attrs...)
		return
	}
	s.log.ErrorContext(ctx, "a volume is damaged: what can be read of it was written anew", append(attrs, "put_aside", aside)...)
}

// What to do about an archive that is only read.
const (
	takeOver = `"chancery restore" puts a backup in place elsewhere, and "export" takes over what can be read here`
	putBack  = `put the file back and start again; to go on without it, "chancery backup", and "restore" that elsewhere`
)

// readOnly ends all writing for as long as the archive is open.
func (s *Store) readOnly(why error, do string) {
	s.opts.ReadOnly = true
	if s.refusal != nil { // the first counts
		return
	}
	s.refusal = fmt.Errorf("%w: %w; %s", store.ErrReadOnly, why, do)
	told := error(partial{s.refusal})
	s.damage.Store(&told)
}

// refused is the error of whoever wants to write into an archive that is opened for
// reading.
func (s *Store) refused() error {
	if s.refusal != nil {
		return s.refusal
	}
	return store.ErrReadOnly
}

// oldCatalog is the catalog of before, looked at while volumes are opened.
type oldCatalog struct {
	db      *bbolt.DB
	end     uint64
	archive [16]byte
}

// peek opens the catalog, as far as it can be used, for reading.
func (s *Store) peek() (old oldCatalog) {
	if _, err := os.Stat(s.catalogPath()); err != nil || s.shaken != nil {
		return old
	}
	db, err := openCatalogDB(s.catalogPath(), true)
	if err != nil {
		return old
	}
	err = view(db, part("catalog"), func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil || tx.Bucket(catalogBuckets[bTree]) == nil || getUint(meta.Get(keyFormat)) != catalogFormat ||
			len(meta.Get(keyArchive)) != 16 || len(meta.Get(keyEnd)) != 8 {
			return errStale
		}
		copy(old.archive[:], meta.Get(keyArchive))
		old.end = getSeq(meta.Get(keyEnd))
		return nil
	})
	if err != nil {
		_ = db.Close()
		return oldCatalog{}
	}
	old.db = db
	return old
}

func (o *oldCatalog) close() {
	if o.db != nil {
		_ = o.db.Close()
	}
}

func (o *oldCatalog) leaf(seq uint64) (h tlog.Hash, ok bool) {
	if o.db == nil || seq > o.end {
		return h, false
	}
	err := view(o.db, part("catalog"), func(tx *bbolt.Tx) error {
		h, ok = leafIn(tx.Bucket(catalogBuckets[bTree]), seq)
		return nil
	})
	return h, ok && err == nil
}
