package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// Format is the archive format that this program writes; see docs/archive-format.md.
const Format = 1

var (
	bucketMeta = []byte("meta")
	bucketLog  = []byte("log")
	bucketDict = []byte("dict")

	keyFormat  = []byte("format")
	keyArchive = []byte("archive")
	keyNumber  = []byte("number")
	keyFirst   = []byte("first")
	keySealed  = []byte("sealed")
)

// volume is one file of the log.
type volume struct {
	path    string
	file    string // that is read: of a damaged one that must not be written it is another
	number  uint32
	first   uint64
	archive [16]byte

	mu   sync.RWMutex // guards db and dicts, which a rewrite swaps, seal and lost
	seal seal         // of a volume that will not grow
	db   *bbolt.DB
	lost map[uint64]tlog.Hash // records that cannot be read, with their leaf hashes; the zero one is not known
	// dicts are by number. One is there before the first record that needs it, and
	// stays while records read before a rewrite may still be unpacked.
	dicts  map[uint64]*coders
	newest uint64 // number of the dictionary for new records; 0: none yet
	// stripped is the last decision by which content was taken out of the file; 0: none.
	stripped uint64

	room     roomAhead
	heals    int // how often it was looked at because of damage; the writer's
	rewrites int // how often records that were there changed, or it was sealed; the writer's
}

// dictSize is how much of a volume's first items makes its dictionary (FIGURES part 2.1).
const dictSize = 112 << 10

func volumePath(dir string, number uint32) string {
	return filepath.Join(dir, "archive", fmt.Sprintf("v%06d.bolt", number))
}

// mapSize is address space, not memory: a file that outgrows its mapping makes
// the writer wait for every reader, and readers for the writer.
func mapSize(n int64) int {
	if runtime.GOARCH == "386" || runtime.GOARCH == "arm" || runtime.GOARCH == "mips" || runtime.GOARCH == "mipsle" {
		return 0
	}
	return int(n)
}

// openVolumeDB opens the file of a volume. The free list is synced, unlike in
// FIGURES part 2.1: so little is ever freed here that it costs nothing, and without
// it bbolt scans the whole file at opening, in a goroutine of its own, where a
// damaged page is a panic that nobody can recover from.
func openVolumeDB(path string, readOnly bool) (*bbolt.DB, error) {
	return openDB(path, 0o644, &bbolt.Options{
		PageSize: 64 << 10, ReadOnly: readOnly, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(4 << 30),
	})
}

// createVolume makes an empty volume, whole or not at all.
func createVolume(dir string, number uint32, first uint64, archive [16]byte) (*volume, error) {
	path := volumePath(dir, number)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, system(err)
	}
	tmp := path + ".tmp"
	_ = os.Remove(tmp)
	db, err := openVolumeDB(tmp, false)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketLog); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketDict); err != nil {
			return err
		}
		return errors.Join(
			meta.Put(keyFormat, binary.AppendUvarint(nil, Format)),
			meta.Put(keyArchive, archive[:]),
			meta.Put(keyNumber, binary.AppendUvarint(nil, uint64(number))),
			meta.Put(keyFirst, be64(first)),
		)
	})
	err = errors.Join(err, db.Close())
	if err == nil {
		err = intoPlace(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return nil, fmt.Errorf("%s: %w", path, system(err))
	}
	return openVolume(path, false)
}

// intoPlace gives a file that is finished and synced its name, for good.
func intoPlace(tmp, path string) error {
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDir makes a directory, and those above it, to stay.
func makeDir(dir string) error {
	switch fi, err := os.Stat(dir); {
	case err == nil && !fi.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	_ = syncDir(parent) // one that may be written and not read cannot be synced
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openVolume opens a volume and checks that it is one that this program can read.
func openVolume(path string, readOnly bool) (*volume, error) {
	db, err := openVolumeDB(path, readOnly)
	if err != nil {
		return nil, err
	}
	v := &volume{path: path, file: path, db: db}
	err = view(db, inVolume(path), func(tx *bbolt.Tx) (err error) {
		meta := tx.Bucket(bucketMeta)
		if meta == nil || tx.Bucket(bucketLog) == nil {
			return damaged(inVolume(path), errors.New("not a volume of an archive"))
		}
		if f := getUint(meta.Get(keyFormat)); f > Format {
			return fmt.Errorf("%s: %w: %d, this program knows %d", path, store.ErrNewer, f, Format)
		}
		if len(meta.Get(keyArchive)) != 16 || len(meta.Get(keyFirst)) != 8 {
			return damaged(inVolume(path), errors.New("meta is incomplete"))
		}
		copy(v.archive[:], meta.Get(keyArchive))
		v.number = uint32(getUint(meta.Get(keyNumber)))
		v.first = binary.BigEndian.Uint64(meta.Get(keyFirst))
		if v.seal, err = decodeSeal(meta.Get(keySealed)); err != nil {
			return damaged(inVolume(path), err)
		}
		if b := meta.Get(keyStripped); len(b) == 8 {
			v.stripped = getSeq(b)
		}
		v.lost = loadLost(tx)
		return v.loadDicts(tx)
	})
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return v, nil
}

func (v *volume) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil { // damaged, at opening
		return nil
	}
	return v.db.Close()
}

// last is the sequence number of the volume's last record, first−1 if it is empty. A
// sealed one says it itself, so that damage to its pages stops nothing else.
func (v *volume) last() (last uint64, err error) {
	if s := v.sealedAs(); s.records > 0 {
		return s.last, nil
	}
	last = v.first - 1
	err = v.view(func(tx *bbolt.Tx) error {
		if k, _ := tx.Bucket(bucketLog).Cursor().Last(); k != nil {
			if len(k) != 8 {
				return damaged(inVolume(v.path), errors.New("a key of the log has not 8 bytes"))
			}
			last = binary.BigEndian.Uint64(k)
		}
		return nil
	})
	return last, err
}

func (v *volume) view(f func(tx *bbolt.Tx) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return view(v.db, inVolume(v.path), f)
}

// entry is a record to be written.
type entry struct {
	seq   uint64
	value []byte
}

// write adds records, in one commit. dict, if not nil, becomes the volume's dictionary with it.
func (v *volume) write(recs []entry, dict []byte) (err error) {
	defer guard(inVolume(v.path), &err)()
	v.mu.RLock()
	defer v.mu.RUnlock()
	err = v.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLog)
		b.FillPercent = 1.0
		for _, r := range recs {
			if err := b.Put(be64(r.seq), r.value); err != nil {
				return err
			}
		}
		if dict != nil {
			return putDict(tx, v.newest+1, dict)
		}
		return nil
	})
	if err != nil {
		return inVolume(v.path).system(err)
	}
	return nil
}

// loadDicts reads the dictionaries of a volume's file, beside those that are at hand.
func (v *volume) loadDicts(tx *bbolt.Tx) error {
	b := tx.Bucket(bucketDict)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, d []byte) error {
		n := getUint(k)
		if v.dicts[n] == nil {
			v.setDict(newCoders(n, dictOf(tx, n, d)))
		}
		return nil
	})
}

// setDict makes a dictionary known. The caller holds v.mu, or is alone with v.
func (v *volume) setDict(c coders) {
	if v.dicts == nil {
		v.dicts = map[uint64]*coders{}
	}
	v.dicts[c.number] = &c
	v.newest = max(v.newest, c.number)
}

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

func newArchiveID() (id [16]byte) {
	_, _ = rand.Read(id[:])
	return id
}
