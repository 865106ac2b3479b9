package bolt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// The catalog is derived, so what is acknowledged need not wait for its disk: the volume
// has it. Commits of the catalog are written, and synced later, many at a time. So that a
// loss of power leaves a catalog all the same, the file has an anchor: its last state that
// is on the disk for sure, kept beside it in catalog.anchor. A read transaction pins that
// state: bbolt does not write to its pages again until a later one is anchored. Opening
// after anything but a close goes back to the anchor and replays what came since.
const (
	anchorAfter = time.Second
	// A commit of so many bytes of records ends the anchor, and for so long none is
	// dropped again: where much comes at a time a sync is little of it, and pages that are
	// pinned make the file longer.
	anchorAt    = 256 << 10
	anchorLater = 10 * time.Second
)

// pace is how far what is on the disk may be behind, and the room before it; tests have
// others.
type pace struct {
	anchorAfter time.Duration
	anchorAt    int
	anchorLater time.Duration
	room        int64 // see makeRoom
	mapped      int64 // bytes of the catalog's mapping
}

var usualPace = pace{anchorAfter, anchorAt, anchorLater, volumeRoom, int64(mapSize(catalogMap))}

// anchorMargin is how near to the end of its mapping a catalog has no anchor any more: to
// map more of it bbolt waits until nothing is pinned, and the writer would wait for itself.
const anchorMargin = 1 << 30

// anchorSlot is how far apart the two places of an anchor's file are, which are written
// by turns: a write that is torn leaves the other.
const anchorSlot = 4096

var anchorMagic = []byte("chancery anchor\x01")

// anchorMark is what an anchor's file says: magic 16, sequence 8, inode of the catalog 8,
// identity of the boot 36, then the head of the anchored state as in the file (80 bytes:
// header of the page, and meta), SHA-256 over all that.
type anchorMark struct {
	seq   uint64
	inode uint64
	boot  [36]byte
	head  [pageHeader + metaSize]byte
}

const metaSize = 64

func (m *anchorMark) encode() []byte {
	b := bytes.Clone(anchorMagic)
	b = binary.BigEndian.AppendUint64(b, m.seq)
	b = binary.BigEndian.AppendUint64(b, m.inode)
	b = append(append(b, m.boot[:]...), m.head[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decodeAnchor(b []byte) (m anchorMark, ok bool) {
	n := len(anchorMagic) + 8 + 8 + len(m.boot) + len(m.head)
	if len(b) < n+sha256.Size || !bytes.HasPrefix(b, anchorMagic) || sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:n+sha256.Size]) {
		return m, false
	}
	b = b[len(anchorMagic):]
	m.seq, m.inode = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	copy(m.boot[:], b[16:])
	copy(m.head[:], b[16+len(m.boot):])
	return m, true
}

// anchor is that of the catalog. All of it is the writer's, but for what goes on in the
// background, which the writer waits for before it touches pin, spare, mark or err.
type anchor struct {
	db    *bbolt.DB // the catalog
	name  string    // of its file
	file  *os.File
	pin   *bbolt.Tx // of the anchored state
	spare *bbolt.Tx // of one that may be anchored
	mark  anchorMark
	dirty bool          // there were commits since
	busy  chan struct{} // closed when the background is done; nil: it never was
	err   error         // why it stays where it is
	told  bool          // the log has it
}

func anchorPath(catalog string) string { return strings.TrimSuffix(catalog, ".bolt") + ".anchor" }

// bootID is of this run of the system: what is in memory of a file is lost with it.
func bootID() (id [36]byte) {
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		copy(id[:], b)
	}
	return id
}

func inodeOf(path string) (uint64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return st.Ino, nil
}

// readAnchor gives the newer of the two marks of an anchor's file. No file is
// fs.ErrNotExist.
func readAnchor(catalog string) (m anchorMark, err error) {
	b, err := os.ReadFile(anchorPath(catalog))
	if err != nil {
		return m, err
	}
	if len(b) == 0 { // it was being made, and until it is there each commit is synced
		return m, fs.ErrNotExist
	}
	found := false
	for at := 0; at < min(len(b), 2*anchorSlot); at += anchorSlot {
		if got, ok := decodeAnchor(b[at:]); ok && (!found || got.seq > m.seq) {
			m, found = got, true
		}
	}
	if !found {
		return m, fmt.Errorf("%w: its anchor cannot be read", errStale)
	}
	inode, err := inodeOf(catalog)
	if errors.Is(err, fs.ErrNotExist) || err == nil && inode != m.inode {
		return m, fmt.Errorf("%w: its anchor is that of another file", errStale)
	}
	return m, err
}

// steady takes a catalog that was not closed back to its anchor, durably, and reports
// whether it did: it may have been done before, as long as the anchor is there. An error
// that is errStale says that the catalog must be made anew. An archive that is only read is
// not changed: its catalog can be used if nothing that was written to it can have been lost
// since.
func steady(catalog string, readOnly bool) (back bool, err error) {
	m, err := readAnchor(catalog)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if readOnly {
		if err == nil && (m.boot != bootID() || m.boot == [36]byte{}) {
			err = fmt.Errorf("%w: it was not closed", errStale)
		}
		return false, err
	}
	if err != nil {
		return false, err
	}
	f, err := os.OpenFile(catalog, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	page := int64(binary.NativeEndian.Uint32(m.head[pageHeader+8:]))
	for i := range int64(2) {
		binary.NativeEndian.PutUint64(m.head[:], uint64(i)) // the page's number
		if _, err := f.WriteAt(m.head[:], i*page); err != nil {
			return false, err
		}
	}
	return true, f.Sync()
}

// steady has the catalog be one that can be opened, before anything looks at it.
func (s *Store) steady() error {
	path := s.catalogPath()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !s.opts.ReadOnly {
		return system(removeAnchor(path)) // of a file that somebody removed: the next is not to be taken for it
	}
	back, err := steady(path, s.opts.ReadOnly)
	s.wentBack = back
	if errors.Is(err, errStale) {
		s.shaken = err
		return nil
	}
	return system(err)
}

// stayBack removes the anchor that the catalog went back to, before it is written again.
// Until then it says what the catalog may lack. An archive that turned out to be one that is
// only read keeps it.
func (s *Store) stayBack() error {
	if !s.wentBack || s.opts.ReadOnly {
		return nil
	}
	return system(removeAnchor(s.catalogPath()))
}

// removeAnchor removes an anchor's file, for good.
func removeAnchor(catalog string) error {
	switch err := os.Remove(anchorPath(catalog)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return syncDir(filepath.Dir(catalog))
}

// headOf reads the head of the state that a read transaction sees.
func headOf(catalog string, tx *bbolt.Tx) (head [pageHeader + metaSize]byte, err error) {
	f, err := os.Open(catalog)
	if err != nil {
		return head, err
	}
	defer f.Close()
	p := pageFile{f: f}
	for i := range int64(2) {
		at := i * int64(tx.DB().Info().PageSize)
		if h, ok := p.headAt(at); ok && h.tx == uint64(tx.ID()) {
			_, err = f.ReadAt(head[:], at)
			return head, err
		}
	}
	return head, damaged(part(catalog), fmt.Errorf("it has no head of transaction %d", tx.ID()))
}

// dropAnchor gives the catalog its anchor, if it has none yet; what was committed before is
// synced. When that fails, commits go on being synced.
func (s *Store) dropAnchor() {
	if s.anchor != nil || s.unanchored || time.Since(s.much) < s.opts.pace.anchorLater || s.outgrown() {
		return
	}
	a, err := newAnchor(s.catalogPath(), s.cat)
	if err != nil {
		s.anchor, s.unanchored = a, true // one that is held moves no more
		s.log.Warn("each commit of the catalog is synced", "error", err.Error())
		return
	}
	s.anchor = a
	s.cat.NoSync = true
}

// newAnchor makes an anchor and its file. After an error it gives one that has to be held
// if nobody knows whether its file will be found.
// outgrown reports whether the catalog may soon outgrow its mapping.
func (s *Store) outgrown() bool {
	size, err := fileSize(s.catalogPath())
	return err != nil || size > s.opts.pace.mapped-anchorMargin
}

func newAnchor(catalog string, db *bbolt.DB) (a *anchor, err error) {
	a = &anchor{db: db, name: catalog, mark: anchorMark{seq: 1, boot: bootID()}}
	if a.mark.inode, err = inodeOf(catalog); err != nil {
		return nil, err
	}
	if a.file, err = os.OpenFile(anchorPath(catalog), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if a.pin, err = db.Begin(false); err == nil {
		if a.mark.head, err = headOf(catalog, a.pin); err == nil {
			err = a.write()
		}
	}
	if err == nil { // both places are there from now on, also when the disk is full later
		a.mark.seq++
		err = a.write()
	}
	if err == nil {
		err = syncDir(filepath.Dir(catalog))
	}
	if err == nil {
		return a, nil
	}
	if rerr := removeAnchor(catalog); rerr != nil && a.pin != nil {
		a.err, a.told = errors.Join(err, rerr), true
		return a, a.err
	}
	a.let()
	return nil, err
}

// let gives up what the anchor holds.
func (a *anchor) let() {
	for _, pin := range []*bbolt.Tx{a.pin, a.spare} {
		if pin != nil {
			_ = pin.Rollback()
		}
	}
	_ = a.file.Close()
}

// write puts the mark into the place that is not the one before.
func (a *anchor) write() error {
	if _, err := a.file.WriteAt(a.mark.encode(), int64(a.mark.seq%2)*anchorSlot); err != nil {
		return err
	}
	return a.file.Sync()
}

// move anchors the state that the catalog has, in the background. It does nothing while
// it is at it.
func (a *anchor) move() {
	if !a.dirty || a.working() || a.err != nil {
		return
	}
	pin, err := a.db.Begin(false)
	if err == nil {
		if a.mark.head, err = headOf(a.name, pin); err != nil {
			_ = pin.Rollback()
		}
	}
	if err != nil {
		a.err = err
		return
	}
	a.dirty = false
	a.mark.seq++
	a.busy = make(chan struct{})
	go func() {
		defer close(a.busy)
		// After an error what was written may be lost, and a later sync would not say
		// so: the anchor stays as long as the file is open.
		if a.err = a.db.Sync(); a.err != nil {
			_ = pin.Rollback()
			return
		}
		if a.err = a.write(); a.err != nil {
			a.spare = pin // either of the two may be found
			return
		}
		_ = a.pin.Rollback()
		a.pin = pin
	}()
}

// doubt is told why a commit failed. bbolt syncs a file when it makes it longer: what could
// not be written then no later sync will name.
func (a *anchor) doubt(err error) {
	if a == nil || !strings.HasPrefix(err.Error(), "file sync error: ") { // bbolt has no type for it
		return
	}
	a.wait()
	a.err = cmp.Or(a.err, err)
}

// working reports whether something goes on in the background.
func (a *anchor) working() bool {
	if a.busy == nil {
		return false
	}
	select {
	case <-a.busy:
		return false
	default:
		return true
	}
}

func (a *anchor) wait() {
	if a.busy != nil {
		<-a.busy
	}
}

// drift is what is due after a commit of the catalog with so many bytes of records.
func (s *Store) drift(size int) {
	if size >= s.opts.pace.anchorAt {
		s.much = time.Now()
	}
	a := s.anchor
	switch {
	case a == nil:
		return
	case size >= s.opts.pace.anchorAt || s.outgrown():
		_ = s.weighAnchor() // after an error it stays, and that is told
	case !a.dirty:
		a.dirty = true
		s.anchorTimer.Reset(s.opts.pace.anchorAfter)
	}
	s.tellAnchor()
}

// moveAnchor moves the anchor when its time has come.
func (s *Store) moveAnchor() {
	a := s.anchor
	if a == nil {
		return
	}
	a.move()
	if a.dirty && !s.tellAnchor() { // it was at it
		s.anchorTimer.Reset(s.opts.pace.anchorAfter)
	}
}

// tellAnchor reports whether the anchor stays where it is.
func (s *Store) tellAnchor() bool {
	a := s.anchor
	if a == nil || a.working() || a.err == nil {
		return false
	}
	if !a.told {
		a.told = true
		s.log.Error("the catalog cannot be synced", "error", a.err.Error())
	}
	return true
}

// weighAnchor ends it: the catalog is as if each of its commits had been synced, and is
// to be closed, or another takes its place. After an error all is as before.
func (s *Store) weighAnchor() error {
	a := s.anchor
	if a == nil {
		return nil
	}
	a.wait()
	if a.err != nil {
		return fmt.Errorf("catalog: %w", system(a.err))
	}
	if err := a.db.Sync(); err != nil {
		a.err = err
		return fmt.Errorf("catalog: %w", system(err))
	}
	if err := removeAnchor(a.name); err != nil {
		// Whether the next opening finds it nobody knows: the catalog must be whole with it
		// and without it.
		a.err, a.db.NoSync = err, false
		return system(err)
	}
	a.let()
	a.db.NoSync = false
	s.anchor = nil
	return nil
}
