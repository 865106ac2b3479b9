package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// Filled is what Fill did, in records of the log.
type Filled struct {
	Lost int64 // were lost
	Back int64 // of them, are there again
}

// Fill brings the records that are lost back from a backup of the same archive, which is
// verified whole first: those whose leaf is the one that the Merkle tree has in their place.
// The log keeps its numbers and leaves, so checkpoints and proofs hold; what was taken down
// since the backup comes back without its content. Damage that nobody has noticed yet is
// looked for before. The catalog learns of the records when the archive is opened again.
// An archive that is only read is store.ErrReadOnly, a backup of another one or one that is
// not sound store.ErrCorrupt; then nothing was changed. It needs room for what the backup
// holds, in the archive's directory.
func (s *Store) Fill(ctx context.Context, r io.Reader) (f Filled, err error) {
	if s.opts.ReadOnly {
		return f, s.refused()
	}
	for i := 0; ; i++ {
		v := s.volumeAt(i)
		if v == nil {
			break
		}
		if err := s.healBefore(ctx, v); err != nil {
			return f, fmt.Errorf("%s: %w", v.path, err)
		}
	}
	dir := fillingDir(s.dir)
	if err := os.RemoveAll(dir); err != nil {
		return f, system(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.MkdirAll(filepath.Join(dir, "archive"), 0o755); err != nil {
		return f, system(err)
	}
	if _, err := unpackVerified(ctx, r, dir); err != nil {
		return f, err
	}
	from, err := Open(ctx, dir, Options{ReadOnly: true, Command: "restore"})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if from.vols[0].archive != s.volumeAt(0).archive {
		return f, damaged(part("backup"), errors.New("it is of another archive"))
	}
	err = s.submit(ctx, &job{care: func() error {
		for _, v := range slices.Clone(s.vols) {
			if v.lostCount() == 0 {
				continue
			}
			fl := &filling{s: s, v: v, from: from, ctx: ctx}
			err := fl.do()
			f.Lost += fl.n.Lost
			f.Back += fl.n.Back
			if err != nil {
				return err
			}
		}
		return s.finishTakedowns() //nolint:contextcheck // what was decided is done whole
	}})
	return f, err
}

// fillingDir is where a backup is unpacked meanwhile.
func fillingDir(dir string) string { return filepath.Join(dir, "filling") }

// filling is a volume whose lost records are brought back.
type filling struct {
	ctx  context.Context //nolint:containedctx // of the one call it is made in
	s    *Store
	v    *volume
	from *Store // the backup
	n    Filled
	lost map[uint64]tlog.Hash // that are left
}

// do writes the volume anew with the records that are found, and puts it in place.
func (f *filling) do() (err error) {
	v := f.v
	defer guard(inVolume(v.path), &err)()
	v.mu.RLock()
	f.lost = maps.Clone(v.lost)
	v.mu.RUnlock()
	f.n.Lost = int64(len(f.lost))
	tmp := v.path + ".fill.tmp"
	_ = os.Remove(tmp)
	out, err := openVolumeDB(tmp, false)
	if err != nil {
		return err
	}
	if err = copyVolume(v, out, func(_ uint64, b []byte) ([]byte, error) { return b, nil }); err == nil {
		err = f.fill(out)
	}
	if err = errors.Join(err, out.Close()); err == nil && f.n.Back > 0 {
		v.mu.Lock()
		defer v.mu.Unlock()
		if err = v.replace(tmp, v != f.s.vols[len(f.s.vols)-1]); err == nil {
			v.lost = f.lost
			return nil
		}
	}
	_ = os.Remove(tmp) // not there if it is in place
	if err != nil {
		f.n.Back = 0
		return part(tmp).system(err)
	}
	return nil
}

// fill puts what is found into the copy.
func (f *filling) fill(out *bbolt.DB) error {
	seqs := slices.Sorted(maps.Keys(f.lost))
	for len(seqs) > 0 {
		if err := ctxErr(f.ctx); err != nil {
			return err
		}
		err := out.Update(func(tx *bbolt.Tx) error {
			log, lost := tx.Bucket(bucketLog), tx.Bucket(bucketLost)
			for n := 0; len(seqs) > 0 && n < 16<<20; seqs = seqs[1:] {
				b, err := f.find(seqs[0])
				if err != nil {
					return err
				}
				if b == nil {
					continue
				}
				if err := errors.Join(log.Put(be64(seqs[0]), b), lost.Delete(be64(seqs[0]))); err != nil {
					return err
				}
				delete(f.lost, seqs[0])
				f.n.Back++
				n += len(b)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// find gives a lost record as it is to stand here, or nil: nobody knows its leaf, or the
// backup has it not, or not whole.
func (f *filling) find(seq uint64) ([]byte, error) {
	leaf := f.lost[seq]
	if leaf == (tlog.Hash{}) || seq > f.from.end {
		return nil, nil
	}
	v, err := f.from.volume(seq)
	if err != nil {
		return nil, err
	}
	h, fr, err := v.read(seq)
	if errors.Is(err, store.ErrCorrupt) {
		return nil, nil
	}
	if err != nil || leafHash(seq, fr.kind, fr.head) != leaf {
		return nil, err
	}
	gone := fr.pack == nil
	if !gone && !h.item.IsZero() {
		err := f.s.catalog(func(c *catalogTx) error {
			gone = c.takenDown(h.item) || c.takenUnseen(h.item)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if gone {
		return frame(seq, fr.kind, fr.head, nil), nil
	}
	// Its dictionary, or what it builds on, is the backup's.
	plain, err := v.plain(seq, fr)
	if err != nil || contentDigest(fr.pack.salt, plain) != h.content {
		return nil, nil //nolint:nilerr // it stays lost
	}
	p, _ := pack(plain, f.v.dictionary())
	p.salt = fr.pack.salt
	return frame(seq, fr.kind, fr.head, p), nil
}
