package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"

	"chancery/store"
)

var _ store.Compactor = (*Store)(nil)

// keyCompact, in the meta of a volume: the last record that a compaction has packed.
var keyCompact = []byte("compacted")

var (
	// errHeld: somebody reads in the file for long; to be tried again.
	errHeld = errors.New("the file is being read")
	// errChanged: records were changed while the file was copied; to be begun again.
	errChanged = errors.New("the file has changed")
)

// Compact implements store.Compactor.
//
// A volume is copied in the caller's goroutine, its bodies packed anew, and each is
// unpacked and compared before it counts. The writer then adds what came meanwhile,
// if it is the live one, and puts the copy in place by renaming. The catalog is
// copied by the writer, so that commits wait for it; the ledger is small.
func (s *Store) Compact(ctx context.Context, progress func(done, total int64)) (out store.Compaction, err error) {
	if s.opts.ReadOnly {
		return out, s.refused()
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if !s.compacting.TryLock() {
		return out, fmt.Errorf("compact: another one is under way: %w", store.ErrConflict)
	}
	defer s.compacting.Unlock()
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return out, store.ErrClosed
	}
	s.long.Add(1)
	defer s.long.Done()
	vols, end := slices.Clone(s.vols), s.end
	s.mu.RUnlock()
	err = s.submit(ctx, &job{care: func() error {
		s.vols[len(s.vols)-1].giveBack() // a volume is not smaller for its room
		return nil
	}})
	if err != nil {
		return out, err
	}
	file := func(path string, compact func() error) error {
		f := store.CompactedFile{Before: allocated(path)}
		if f.Name, err = filepath.Rel(s.dir, path); err != nil {
			return err
		}
		err := s.whenFree(ctx, compact)
		for errors.Is(err, errChanged) { // a takedown, or it was sealed: once more, from the beginning
			err = s.whenFree(ctx, compact)
		}
		f.After = allocated(path)
		out.Files = append(out.Files, f)
		if err != nil {
			return fmt.Errorf("compact %s: %w", f.Name, err)
		}
		return nil
	}
	for _, v := range vols {
		err := file(v.path, func() error {
			return s.compactVolume(ctx, v, func(seq uint64) { progress(int64(min(seq, end)), int64(end)) })
		})
		if err != nil {
			return out, err
		}
	}
	progress(int64(end), int64(end))
	if err := file(s.catalogPath(), func() error { return s.submit(ctx, &job{care: s.compactCatalog}) }); err != nil {
		return out, err
	}
	return out, file(s.ledgerPath(), func() error { return s.submit(ctx, &job{care: s.compactLedger}) })
}

// retryAfter is how long a compaction waits for whoever reads in a file.
const retryAfter = 50 * time.Millisecond

// whenFree does something again until nobody is in its way.
func (s *Store) whenFree(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !errors.Is(err, errHeld) {
			return err
		}
		t := time.NewTimer(retryAfter)
		select {
		case <-t.C:
		case <-s.quit:
			t.Stop()
			return store.ErrClosed
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// goOn is an error when long work should end.
func (s *Store) goOn(ctx context.Context) error {
	select {
	case <-s.quit:
		return store.ErrClosed
	default:
		return ctxErr(ctx)
	}
}

// rewriting is a volume on its way into a new file.
type rewriting struct {
	s    *Store
	v    *volume
	path string // of the new file
	db   *bbolt.DB
	dict *coders // for what is packed anew; nil: without one
	raw  []byte  // of dict
	end  uint64  // last record in it
	was  int     // rewrites of the volume when it was begun
}

// compactVolume writes a volume anew, unless a compaction has packed all of it.
func (s *Store) compactVolume(ctx context.Context, v *volume, progress func(seq uint64)) (err error) {
	r := &rewriting{s: s, v: v, path: v.path + ".tmp"}
	// What the writer knows is asked of it, and an unfinished file is its to make, too.
	var last uint64
	err = s.submit(ctx, &job{care: func() (err error) {
		r.was = v.rewrites
		last, err = v.last()
		return err
	}})
	if err != nil {
		return err
	}
	if done, err := v.compacted(); err != nil || done >= last {
		progress(last)
		return err
	}
	if err := r.chooseDict(ctx, last); err != nil {
		return err
	}
	_ = os.Remove(r.path)
	if r.db, err = openVolumeDB(r.path, false); err != nil {
		return err
	}
	defer func() {
		if r.db != nil {
			_ = r.db.Close()
		}
		_ = os.Remove(r.path) // not there when it was put in place
	}()
	r.db.NoSync = true // it counts when it is put in place
	if err := r.begin(last); err != nil {
		return err
	}
	for r.end < last {
		if err := s.goOn(ctx); err != nil {
			return err
		}
		if err := r.copyTo(min(r.end+512, last), r.repack); err != nil {
			return err
		}
		progress(r.end)
	}
	return s.whenFree(ctx, func() error { return s.submit(ctx, &job{care: r.place}) })
}

// compacted is the last record that a compaction has packed, 0 if there was none.
func (v *volume) compacted() (seq uint64, err error) {
	err = v.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta).Get(keyCompact); len(b) == 8 {
			seq = getSeq(b)
		}
		return nil
	})
	return seq, err
}

// begin makes the new file's buckets, with all but the records.
func (r *rewriting) begin(last uint64) (err error) {
	defer guard(part(r.path), &err)()
	r.end = r.v.first - 1
	return r.v.view(func(tx *bbolt.Tx) error {
		return system(r.db.Update(func(w *bbolt.Tx) error {
			meta, err := w.CreateBucket(bucketMeta)
			if err != nil {
				return err
			}
			if err := tx.Bucket(bucketMeta).ForEach(meta.Put); err != nil {
				return err
			}
			if _, err := w.CreateBucket(bucketLog); err != nil {
				return err
			}
			if _, err := w.CreateBucket(bucketDict); err != nil {
				return err
			}
			names := [][]byte{bucketLost}
			if meta.Get(keySealed) == nil {
				// The live volume keeps its old ones: records packed with them may be on their way.
				names = append(names, bucketDict, bucketSpare)
			}
			for _, name := range names {
				if old := tx.Bucket(name); old != nil {
					b, err := w.CreateBucketIfNotExists(name)
					if err == nil {
						err = old.ForEach(b.Put)
					}
					if err != nil {
						return err
					}
				}
			}
			if r.dict != nil {
				if err := putDict(w, r.dict.number, r.raw); err != nil {
					return err
				}
			}
			return meta.Put(keyCompact, be64(last))
		}))
	})
}

// copyTo copies records up to and with one, as change gives them.
func (r *rewriting) copyTo(to uint64, change func(seq uint64, b []byte) ([]byte, error)) (err error) {
	defer guard(part(r.path), &err)()
	return system(r.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLog)
		b.FillPercent = 1.0
		for r.end < to {
			rec, err := r.v.get(r.end + 1)
			if errors.Is(err, store.ErrLost) {
				r.end++
				continue
			}
			if err != nil {
				return err
			}
			if rec, err = change(r.end+1, rec); err != nil {
				return err
			}
			if err := b.Put(be64(r.end+1), rec); err != nil {
				return err
			}
			r.end++
		}
		return nil
	}))
}

// repack gives a record with its body packed as well as it can be. A body that is
// not what its header says is left for verify to find: then nothing is rewritten.
func (r *rewriting) repack(seq uint64, b []byte) ([]byte, error) {
	f, err := unframe(seq, b)
	if err != nil {
		return nil, damaged(r.v.at(seq), err)
	}
	if f.pack == nil {
		return b, nil
	}
	h, err := decodeHeader(seq, f.kind, f.head)
	if err != nil {
		return nil, damaged(r.v.at(seq), err)
	}
	plain, err := r.v.plain(seq, f)
	if err != nil {
		return nil, err
	}
	if contentDigest(f.pack.salt, plain) != h.content {
		return nil, damaged(r.v.at(seq), errors.New("the body is not the one that was recorded"))
	}
	base := func(at uint64) ([]byte, error) {
		_, bf, err := r.v.read(at)
		if err != nil {
			return nil, err
		}
		return r.v.plain(at, bf)
	}
	p := &packed{salt: f.pack.salt, codec: codecPlain, size: len(plain), data: plain}
	try := func(codec codec, arg uint64, data []byte) {
		if len(data) < len(p.data) {
			p.codec, p.arg, p.data = codec, arg, data
		}
	}
	if f.pack.codec == codecDelta {
		try(codecDelta, f.pack.arg, f.pack.data)
	} else if len(plain) >= leastPacked {
		if r.dict != nil {
			try(codecDict, r.dict.number, r.dict.enc.EncodeAll(plain, make([]byte, 0, len(plain)/2)))
		} else {
			try(codecZstd, 0, denseCoders().enc.EncodeAll(plain, make([]byte, 0, len(plain)/2)))
		}
	}
	again, err := unpack(nil, p, func(uint64) (*coders, error) { return r.dict, nil }, base)
	if err == nil && !bytes.Equal(again, plain) {
		err = errors.New("packed anew it is not the same")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.v.where(seq), err)
	}
	return frame(seq, f.kind, f.head, p), nil
}

// place is the writer's: it adds what came since the copy was made, and puts the copy
// in place, if it is smaller.
func (r *rewriting) place() error {
	v, s := r.v, r.s
	if v.rewrites != r.was {
		return errChanged
	}
	if v == s.vols[len(s.vols)-1] {
		last, err := v.last()
		if err != nil {
			return err
		}
		if last > r.end {
			if err := r.catchUp(last); err != nil {
				return err
			}
		}
	}
	if r.db != nil {
		err := errors.Join(r.db.Sync(), r.db.Close())
		r.db = nil
		if err != nil {
			return fmt.Errorf("%s: %w", r.path, system(err))
		}
	}
	v.giveBack() // it may have some again
	if allocated(r.path) >= allocated(v.path) {
		return nil
	}
	if !v.mu.TryLock() {
		return errHeld
	}
	defer v.mu.Unlock()
	return v.replace(r.path, v != s.vols[len(s.vols)-1])
}

// catchUp adds records as they are.
func (r *rewriting) catchUp(last uint64) (err error) {
	if r.db == nil { // closed by a try before
		if r.db, err = openVolumeDB(r.path, false); err != nil {
			return err
		}
	}
	return r.copyTo(last, func(_ uint64, b []byte) ([]byte, error) { return b, nil })
}

// replace puts a new file in the place of a volume's, whole or not at all. It is the
// writer's, which holds v.mu.
func (v *volume) replace(tmp string, readOnly bool) error {
	db, err := openVolumeDB(tmp, readOnly)
	if err != nil {
		return err
	}
	if err := view(db, part(tmp), v.loadDicts); err != nil {
		_ = db.Close()
		return err
	}
	if err := os.Rename(tmp, v.path); err != nil {
		_ = db.Close()
		return system(err)
	}
	old := v.db
	v.db = db
	v.room.high = 0
	v.rewrites++
	return system(errors.Join(syncDir(filepath.Dir(v.path)), old.Close()))
}

// denseCoders pack without a dictionary, at leisure.
var denseCoders = sync.OnceValue(func() *coders {
	c := newCodersAt(zstd.SpeedBetterCompression, 0, nil)
	return &c
})

// Samples for the choice of a dictionary.
const (
	dictSamples = 2000     // of which it may be made
	dictTrials  = 200      // with which it is tried
	dictHeld    = 32 << 20 // bytes of them
)

// chooseDict tries dictionaries on a sample of the volume, and takes the one that
// makes it smallest, itself counted. Candidates are whole items from across the
// volume, beginnings of more of them, the one there is, and none.
func (r *rewriting) chooseDict(ctx context.Context, last uint64) error {
	v := r.v
	number := v.newestDict() + 1
	n := last - v.first + 1
	stride := max(1, n/(dictSamples+dictTrials))
	var samples, trials [][]byte
	total, held := 0, 0 // records looked at, bytes
	for seq := v.first; seq <= last; seq += stride {
		if err := ctxErr(ctx); err != nil {
			return err
		}
		_, f, err := v.read(seq)
		if errors.Is(err, store.ErrLost) {
			continue
		}
		if err != nil {
			return err
		}
		total++
		if f.pack == nil || f.kind != store.KindItem {
			continue
		}
		plain, err := v.plain(seq, f)
		if err != nil {
			return err
		}
		if len(plain) > dictSize { // no more of it can be in a dictionary
			plain = slices.Clone(plain[:dictSize])
		}
		if held += len(plain); held > dictHeld {
			break
		}
		if len(trials) < dictTrials && total%(dictSamples/dictTrials) == 0 {
			trials = append(trials, plain)
		} else {
			samples = append(samples, plain)
		}
	}
	candidates := [][]byte{nil}
	for _, share := range dictShares {
		if d := sampleDict(samples, share); len(d) > 0 {
			candidates = append(candidates, d)
		}
	}
	err := v.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketDict); b != nil {
			if d := b.Get(binary.AppendUvarint(nil, number-1)); d != nil {
				candidates = append(candidates, slices.Clone(d))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	least := 0.0
	items := float64(len(samples)+len(trials)) * float64(stride)
	for i, d := range candidates {
		c := newCoders(number, d)
		size := 0
		for _, b := range trials {
			size += len(c.enc.EncodeAll(b, nil))
		}
		if all := float64(size)/float64(max(1, len(trials)))*items + float64(len(d)); i == 0 || all < least {
			least, r.raw = all, d
		}
	}
	if r.raw != nil {
		c := newCodersAt(zstd.SpeedBetterCompression, number, r.raw)
		r.dict = &c
	}
	return nil
}

func (v *volume) newestDict() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.newest
}

// dictShares are how much of one item a dictionary may have.
var dictShares = []int{dictSize, 4 << 10, 1 << 10}

// sampleDict is a dictionary of the beginnings of bodies far apart, each at most share.
func sampleDict(bodies [][]byte, share int) []byte {
	size := 0
	for _, b := range bodies {
		size += min(len(b), share)
	}
	stride := max(1, size/dictSize)
	var dict []byte
	for i := 0; i < len(bodies) && len(dict) < dictSize; i += stride {
		b := bodies[i]
		dict = append(dict, b[:min(len(b), share, dictSize-len(dict))]...)
	}
	return dict
}

func (s *Store) ledgerPath() string { return filepath.Join(s.dir, "ledger.bolt") }

// compactCatalog is the writer's.
func (s *Store) compactCatalog() error {
	if !s.snapshots.TryLock() {
		return errHeld
	}
	defer s.snapshots.Unlock()
	path := s.catalogPath()
	tmp := path + ".new"
	defer func() { _ = os.Remove(tmp) }()
	if err := s.weighAnchor(); err != nil { // it is of the file that is there
		return err
	}
	db, err := compactDB(s.cat, path, tmp, func(p string) (*bbolt.DB, error) { return openCatalogDB(p, false) })
	if db == nil {
		return err
	}
	s.mu.Lock()
	old := s.cat
	s.cat = db
	s.mu.Unlock()
	return errors.Join(err, system(old.Close()))
}

// compactLedger is the writer's. Readers and writers of the ledger wait for it.
func (s *Store) compactLedger() error {
	if !s.snapshots.TryLock() { // it is being backed up, and everybody would wait for that
		return errHeld
	}
	defer s.snapshots.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ledgerRefused(); err != nil {
		return err
	}
	path := s.ledgerPath()
	tmp := path + ".new"
	defer func() { _ = os.Remove(tmp) }()
	db, err := compactDB(s.led, path, tmp, func(p string) (*bbolt.DB, error) { return openLedgerDB(p, false) })
	if db == nil {
		return err
	}
	old := s.led
	s.led = db
	return errors.Join(err, system(old.Close()))
}

// compactDB copies a database into a file beside it, and puts that in place if it is
// smaller; it gives the new one, open, or nil if the old one stays. An error with a new
// one says that a power failure could still bring the old one back, which is as good.
func compactDB(from *bbolt.DB, path, tmp string, open func(path string) (*bbolt.DB, error)) (_ *bbolt.DB, err error) {
	defer guard(part(path), &err)()
	_ = os.Remove(tmp)
	to, err := open(tmp)
	if err != nil {
		return nil, err
	}
	to.NoSync = true
	err = bbolt.Compact(to, from, 16<<20)
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", tmp, system(err))
	}
	if allocated(tmp) >= allocated(path) {
		return nil, nil
	}
	if to, err = open(tmp); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = to.Close()
		return nil, system(err)
	}
	return to, system(syncDir(filepath.Dir(path)))
}
