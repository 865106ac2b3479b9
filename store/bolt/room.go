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

// high is where what is in a volume's file ends.
func (v *volume) high() (n int64, err error) {
	err = v.view(func(tx *bbolt.Tx) error {
		n = tx.Size()
		return nil
	})
	return n, err
}

// makeRoom lengthens the file of a volume whose room is half used up. Nobody needs it: a
// commit that finds none makes the file longer itself, at its leisure.
func (v *volume) makeRoom(high, most, room int64) {
	if most < 16*room { // a volume as small as that is one of a test
		return
	}
	if v.roomy != nil {
		select {
		case <-v.roomy:
		default:
			return
		}
	}
	size, err := fileSize(v.path)
	if err != nil || size-high > room/2 {
		return
	}
	f, err := os.OpenFile(v.path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	var disk unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &disk); err != nil || int64(disk.Bavail)*disk.Bsize < roomShare*room { //nolint:gosec // no disk is so large
		_ = f.Close()
		return
	}
	zeros := make([]byte, min(room, 1<<20))
	for at := max(size, high); at < high+room && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros, at)
	}
	v.roomy = make(chan struct{})
	go func() {
		defer close(v.roomy)
		_ = f.Sync()
		_ = f.Close()
	}()
}

// giveBack cuts a volume's file off where what is in it ends. The writer calls it, or
// nobody writes any more.
func (v *volume) giveBack() {
	if v.roomy == nil {
		return
	}
	<-v.roomy
	if high, err := v.high(); err == nil {
		_ = os.Truncate(v.path, high)
	}
}
