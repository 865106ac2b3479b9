package bolt

import (
	"os"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The file of the volume that is written is kept longer than what is in it, by zeros that
// are written and synced beforehand. A commit then writes where blocks are allocated
// already: its sync waits for its own pages and not for the file system's journal, in
// which everybody else's changes are, too. A close and a seal give the room back.
const volumeRoom = 8 << 20

// roomShare: a disk with less than so many times the room free is nearly full, and none of
// it is taken before it is needed.
const roomShare = 16

// roomAhead is that of a volume. It is the writer's.
type roomAhead struct {
	made   chan struct{} // closed when what was made last is on the disk; nil: there is none
	high   int64         // where what is in the file was seen to end; it never ends before
	denied bool          // some could not be made
}

// high is where what is in a volume's file ends.
func (v *volume) high() (n int64, err error) {
	err = v.view(func(tx *bbolt.Tx) error {
		n = tx.Size()
		return nil
	})
	return n, err
}

// findRoom takes over the room that another process left, which was killed.
func (v *volume) findRoom() {
	high, err := v.high()
	if err != nil {
		return
	}
	v.room = roomAhead{made: make(chan struct{}), high: high}
	close(v.room.made)
}

// makeRoom lengthens the file of a volume, of that size, whose room is half used up. Nobody needs it: a
// commit that finds none makes the file longer itself, at its leisure.
func (v *volume) makeRoom(size, high, most, length int64) {
	v.room.high = high
	if most < 16*length || v.room.denied { // a volume as small as that is one of a test
		return
	}
	if v.room.made != nil {
		select {
		case <-v.room.made:
		default:
			return
		}
	}
	if size-high > length/2 {
		return
	}
	f, err := os.OpenFile(v.path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	var disk unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < uint64(roomShare*length) { //nolint:gosec // none is negative
		_ = f.Close()
		return
	}
	zeros := make([]byte, min(length, 1<<20))
	from := max(size, high)
	for at := from; at < high+length && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros, at)
	}
	if err != nil { // somebody has a quota: the rest of it is for what there is
		v.room.denied = true
		_ = f.Truncate(from)
		_ = f.Close()
		return
	}
	made := make(chan struct{})
	v.room.made = made
	go func() {
		defer close(made)
		_ = f.Sync()
		_ = f.Close()
	}()
}

// giveBack cuts a volume's file off where what is in it ends. The writer calls it, or
// nobody writes any more.
func (v *volume) giveBack() {
	if v.room.made == nil {
		return
	}
	<-v.room.made
	if high, err := v.high(); err == nil && high >= v.room.high { // else a head was damaged since, and more is in it
		_ = os.Truncate(v.path, high)
	}
}
