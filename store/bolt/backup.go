package bolt

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"chancery/store"
)

// manifest is the last file of a backup. Without it a backup is cut short.
type manifest struct {
	Format  int               `json:"format"`  // of the archive
	Archive string            `json:"archive"` // its id, hexadecimal
	Made    time.Time         `json:"made"`
	Records uint64            `json:"records"`
	Files   map[string]string `json:"files"` // SHA-256 by name
}

const manifestName = "MANIFEST.json"

// maxManifest is far above that of a million volumes.
const maxManifest = 256 << 20

// Backup implements store.Keeper: a tar file of the volumes and the ledger, each as
// one moment saw it, and a manifest with their checksums. The catalog is not in it.
// Writing goes on meanwhile; a takedown waits for the volume that is being copied, and a
// volume that is begun meanwhile is copied, too: what one before it lacks by a decision,
// the decision says there.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return store.ErrClosed
	}
	s.long.Add(1)
	defer s.long.Done()
	first := s.vols[0]
	s.mu.RUnlock()
	b := &backup{ctx: ctx, out: tar.NewWriter(w), m: manifest{
		Format: Format, Archive: hex.EncodeToString(first.archive[:]), Made: time.Now().UTC().Truncate(time.Second),
		Files: map[string]string{},
	}}
	for i := 0; ; i++ {
		v := s.volumeAt(i)
		if v == nil {
			break
		}
		newest := s.volumeAt(i+1) == nil
		sealed, err := b.volume(s, v)
		if err != nil {
			return fmt.Errorf("backup of %s: %w", v.path, err)
		}
		if newest && !sealed { // it may have grown since, and the next one would not follow the copy
			break
		}
	}
	if err := b.ledger(s); err != nil {
		return fmt.Errorf("backup of the ledger: %w", err)
	}
	return b.finish()
}

// volumeAt is the i-th volume, nil behind the last.
func (s *Store) volumeAt(i int) *volume {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i >= len(s.vols) {
		return nil
	}
	return s.vols[i]
}

// backup is one that is being written.
type backup struct {
	ctx context.Context //nolint:containedctx // of the one call it is made in
	out *tar.Writer
	m   manifest
}

// volume copies a volume, and reports whether it is sealed in the copy.
func (b *backup) volume(s *Store, v *volume) (sealed bool, err error) {
	if err := s.healBefore(b.ctx, v); err != nil {
		return false, err
	}
	err = v.view(func(tx *bbolt.Tx) error {
		sealed = tx.Bucket(bucketMeta).Get(keySealed) != nil
		if k, _ := tx.Bucket(bucketLog).Cursor().Last(); k != nil {
			b.m.Records = getSeq(k)
		}
		b.m.Records = max(b.m.Records, v.seal.last) // v.mu is held
		return b.file("archive/"+filepath.Base(v.path), tx)
	})
	return sealed, err
}

// ledger copies the ledger, if there is one. A compaction does not swap it meanwhile.
func (b *backup) ledger(s *Store) error {
	if err := s.readLedger(b.ctx); err != nil { // restored it would give all feeds new ids
		return err
	}
	s.snapshots.RLock()
	defer s.snapshots.RUnlock()
	s.mu.RLock()
	led := s.led
	s.mu.RUnlock()
	if led == nil {
		return nil
	}
	return view(led, part(s.ledgerPath()), func(tx *bbolt.Tx) error { return b.file("ledger.bolt", tx) })
}

// file copies a database as a transaction sees it.
func (b *backup) file(name string, tx *bbolt.Tx) error {
	if err := b.header(name, tx.Size()); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := tx.WriteTo(io.MultiWriter(ctxWriter{b.ctx, b.out}, sum)); err != nil {
		return err
	}
	b.m.Files[name] = hex.EncodeToString(sum.Sum(nil))
	return nil
}

func (b *backup) header(name string, size int64) error {
	return b.out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: b.m.Made})
}

// finish writes the manifest.
func (b *backup) finish() error {
	text, err := json.MarshalIndent(&b.m, "", "\t")
	if err != nil {
		return err
	}
	if err := b.header(manifestName, int64(len(text))); err != nil {
		return err
	}
	if _, err := b.out.Write(text); err != nil {
		return err
	}
	return b.out.Close()
}

// healBefore looks at all records of a volume before it is copied, and has a damaged one
// written anew: a backup of what nobody has noticed could not be restored. Where nothing
// may be written it is an error.
func (s *Store) healBefore(ctx context.Context, v *volume) error {
	err := v.checkAll()
	if errors.Is(err, store.ErrCorrupt) && !s.opts.ReadOnly {
		s.noteDamage(err)
		if err := s.Change(ctx, nil); err != nil { // the writer looks at it first
			return err
		}
		err = v.checkAll()
	}
	return err
}

// checkAll is the error of the first record whose checksum does not hold.
func (v *volume) checkAll() error {
	return v.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLog).ForEach(func(k, b []byte) error {
			if _, err := unframe(getSeq(k), b); err != nil {
				return damaged(v.at(getSeq(k)), err)
			}
			return nil
		})
	})
}

// ctxWriter ends a copy when ctx ends.
type ctxWriter struct {
	ctx context.Context //nolint:containedctx // of the one call it is made in
	w   io.Writer
}

func (w ctxWriter) Write(b []byte) (int, error) {
	if err := ctxErr(w.ctx); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}

// Restore makes the archive of a backup in dir, which must be empty or not there
// (else store.ErrConflict). It is checked whole, checksums, records and a catalog
// made anew, before it is put in place; a backup that is not sound leaves nothing.
func Restore(ctx context.Context, r io.Reader, dir string) (rep store.Report, err error) {
	dir = filepath.Clean(dir)
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return rep, fmt.Errorf("%s: not empty: %w", dir, store.ErrConflict)
	}
	tmp := dir + ".restoring"
	if err := os.RemoveAll(tmp); err != nil {
		return rep, system(err)
	}
	if err := os.MkdirAll(filepath.Join(tmp, "archive"), 0o755); err != nil {
		return rep, system(err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(tmp)
		}
	}()
	if rep, err = unpackVerified(ctx, r, tmp); err != nil {
		return rep, err
	}
	if err := os.Remove(filepath.Join(tmp, "lock")); err != nil {
		return rep, err
	}
	if err := errors.Join(syncDir(filepath.Join(tmp, "archive")), syncDir(tmp)); err != nil {
		return rep, system(err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rep, system(err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return rep, system(err)
	}
	return rep, syncDir(filepath.Dir(dir))
}

// unpackVerified makes the archive of a backup in a directory, with a catalog, and checks it
// whole. The lock is left there.
func unpackVerified(ctx context.Context, r io.Reader, dir string) (rep store.Report, err error) {
	m, err := unpackBackup(ctx, r, dir)
	if err != nil {
		return rep, err
	}
	s, err := Open(ctx, dir, Options{Command: "restore", restoring: true})
	if err != nil {
		return rep, err
	}
	if err = m.holds(s); err == nil {
		rep, err = s.Verify(ctx, false, nil)
	}
	if err = errors.Join(err, s.Close()); err == nil && len(rep.Faults) > 0 {
		err = damaged(part("backup"), errors.New(rep.Faults[0]))
	}
	return rep, err
}

// holds compares what a manifest says with the archive that was made of the files.
func (m *manifest) holds(s *Store) error {
	says := ""
	switch id := hex.EncodeToString(s.vols[0].archive[:]); {
	case s.refusal != nil:
		return damaged(part("backup"), s.refusal)
	case s.ledgerRefused() != nil:
		return damaged(part("backup"), s.ledgerRefused())
	case m.Archive != id:
		says = fmt.Sprintf("it is of archive %q, its files of %s", m.Archive, id)
	case m.Records != s.end:
		says = fmt.Sprintf("it has %d records, its files %d", m.Records, s.end)
	default:
		return nil
	}
	return damaged(part("backup: manifest"), errors.New(says))
}

func unpackBackup(ctx context.Context, r io.Reader, dir string) (m manifest, err error) {
	in := tar.NewReader(r)
	sums := map[string]string{}
	var made time.Time // as the headers of all files say it
	for {
		h, err := in.Next()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("it ends before its manifest")
			}
			return m, damaged(part("backup"), err)
		}
		if made.IsZero() {
			made = h.ModTime
		} else if !made.Equal(h.ModTime) {
			return m, damaged(part("backup"), fmt.Errorf("%s is of %v, other files of it of %v", h.Name, h.ModTime.UTC(), made.UTC()))
		}
		if h.Name == manifestName {
			break
		}
		ok, _ := path.Match("archive/v[0-9][0-9][0-9][0-9][0-9][0-9].bolt", h.Name)
		if !ok && h.Name != "ledger.bolt" || strings.Contains(h.Name, "..") || h.Typeflag != tar.TypeReg {
			return m, damaged(part("backup"), fmt.Errorf("it has a file %q", h.Name))
		}
		mode := os.FileMode(0o644)
		if h.Name == "ledger.bolt" { // it has secrets
			mode = ledgerMode
		}
		f, err := os.OpenFile(filepath.Join(dir, filepath.FromSlash(h.Name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return m, system(err)
		}
		sum := sha256.New()
		_, err = io.Copy(io.MultiWriter(ctxWriter{ctx, f}, sum), in)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return m, damaged(part("backup"), fmt.Errorf("it is cut short in %s", h.Name))
			}
			return m, system(err)
		}
		sums[h.Name] = hex.EncodeToString(sum.Sum(nil))
	}
	if err := json.NewDecoder(io.LimitReader(in, maxManifest)).Decode(&m); err != nil {
		return m, damaged(part("backup: manifest"), err)
	}
	if m.Format > Format {
		return m, fmt.Errorf("backup: %w: %d, this program knows %d", store.ErrNewer, m.Format, Format)
	}
	if !m.Made.Equal(made) {
		return m, damaged(part("backup: manifest"), fmt.Errorf("it was made at %v, its files at %v", m.Made, made.UTC()))
	}
	for name, want := range m.Files {
		if sums[name] != want {
			return m, damaged(part("backup"), fmt.Errorf("%s is not what was copied", name))
		}
	}
	if len(sums) != len(m.Files) {
		return m, damaged(part("backup"), errors.New("it has files that the manifest does not name"))
	}
	return m, nil
}
