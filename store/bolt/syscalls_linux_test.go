package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// faults stands between this process and the disk: every pwrite, fsync, fdatasync,
// ftruncate and rename of the process asks it first (seccomp's user notification,
// seccomp_unotify(2)). It lets them through, fails the one it is told to, or plays the
// loss of power: then it can take back what was not synced. It cannot be switched off,
// so it is used in a process of its own.
type faults struct {
	fd int // of the notifications

	mu    sync.Mutex // guards all that follows
	n     int        // calls so far
	at    int        // which one fails; 0: none
	errno unix.Errno
	torn  bool // a write that fails has done half of its work
	power bool // from then on every call fails: nothing reaches the disk any more
	dead  bool
	named string // the call that failed

	// What a loss of power may take back, in order, while power is set.
	unsynced []change
}

// change is something that was done to the disk and not synced yet.
type change struct {
	file     *os.File // a descriptor of our own
	inode    uint64
	at       int64
	was, is  []byte // write: before and after
	size     int64  // truncate: length before; -1: it is none
	from, to string // rename
	lost     string // rename: what was at to, under another name
}

const (
	notifRecv = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type notificationReply struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

var watched = []uint32{unix.SYS_PWRITE64, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_RENAMEAT}

// errNoSeccomp: the kernel does not let us.
var errNoSeccomp = errors.New("no seccomp user notification here")

// watch puts a faults between the whole process and the disk.
func watch() (*faults, error) {
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the call's number
	for i, nr := range watched {
		prog = append(prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(watched) - i), K: nr})
	}
	prog = append(prog,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSeccomp, err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return nil, fmt.Errorf("%w: %w", errNoSeccomp, errno)
	}
	f := &faults{fd: int(fd)}
	go f.serve()
	return f, nil
}

func (f *faults) serve() {
	for {
		var n notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), notifRecv, uintptr(unsafe.Pointer(&n)))
		if errno == unix.EINTR || errno == unix.ENOENT {
			continue
		}
		if errno != 0 {
			panic(errno)
		}
		r := notificationReply{id: n.id, flags: 1} // SECCOMP_USER_NOTIF_FLAG_CONTINUE
		if errno := f.judge(&n); errno != 0 {
			r.flags, r.errno = 0, -int32(errno)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), notifSend, uintptr(unsafe.Pointer(&r)))
	}
}

// memory reads this process's own, where a call's arguments point to.
func memory(at uint64, n int) []byte {
	b := make([]byte, n)
	got, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{{Base: &b[0], Len: uint64(n)}}, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
	if err != nil {
		panic(err)
	}
	return b[:got]
}

func memoryString(at uint64) string {
	var b []byte
	for {
		c := memory(at+uint64(len(b)), 1)
		if c[0] == 0 {
			return string(b)
		}
		b = append(b, c[0])
	}
}

// poke writes at a place of a file by a call that is not watched.
func poke(fd int, b []byte, at int64) {
	for len(b) > 0 {
		n, err := unix.Pwritev(fd, [][]byte{b}, at)
		if err != nil {
			panic(err)
		}
		b, at = b[n:], at+int64(n)
	}
}

// judge decides about one call: 0 lets it through.
func (f *faults) judge(n *notification) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return unix.EIO
	}
	f.n++
	fails := f.n == f.at
	if fails {
		f.named = fmt.Sprintf("%s of %s", map[int32]string{
			unix.SYS_PWRITE64: "write", unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync", unix.SYS_FTRUNCATE: "truncate", unix.SYS_RENAMEAT: "rename",
		}[n.nr], f.subject(n))
		f.dead = f.power
	}
	if f.power {
		f.note(n, fails)
	}
	if fails && n.nr == unix.SYS_PWRITE64 && (f.torn || f.power) {
		part := int(n.args[2]/2) + 1
		if f.power { // all of it may have reached the disk; disarm takes a part back
			part = int(n.args[2])
		}
		poke(int(n.args[0]), memory(n.args[1], part), int64(n.args[3]))
	}
	if fails {
		return f.errno
	}
	return 0
}

func (f *faults) subject(n *notification) string {
	if n.nr == unix.SYS_RENAMEAT {
		return filepath.Base(memoryString(n.args[1]))
	}
	name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", n.args[0]))
	return filepath.Base(name)
}

// note keeps what a loss of power may take back. The call that fails is noted, too: it
// may have reached the disk.
func (f *faults) note(n *notification, fails bool) {
	if n.nr == unix.SYS_RENAMEAT {
		c := change{from: memoryString(n.args[1]), to: memoryString(n.args[3]), size: -1}
		c.lost = fmt.Sprintf("%s.lost%d", c.to, f.n)
		if fails {
			return
		}
		if err := unix.Link(c.to, c.lost); err != nil {
			c.lost = ""
		}
		f.unsynced = append(f.unsynced, c)
		return
	}
	fd := int(n.args[0])
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return
	}
	switch n.nr {
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		if fails {
			return
		}
		var rest []change
		for _, c := range f.unsynced {
			dir := st.Mode&unix.S_IFMT == unix.S_IFDIR
			switch {
			case c.to != "" && dir && isDir(filepath.Dir(c.to), &st):
				if c.lost != "" {
					_ = os.Remove(c.lost)
				}
			case c.to == "" && c.inode == st.Ino:
				_ = c.file.Close()
			default:
				rest = append(rest, c)
			}
		}
		f.unsynced = rest
	case unix.SYS_PWRITE64, unix.SYS_FTRUNCATE:
		own, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		c := change{file: own, inode: st.Ino, size: -1}
		if n.nr == unix.SYS_FTRUNCATE {
			c.size, c.at = st.Size, int64(n.args[1])
		} else {
			c.at, c.is = int64(n.args[3]), memory(n.args[1], int(n.args[2]))
			c.was = make([]byte, len(c.is))
			got, _ := own.ReadAt(c.was, c.at)
			clear(c.was[got:])
		}
		f.unsynced = append(f.unsynced, c)
	}
}

func isDir(path string, st *unix.Stat_t) bool {
	var d unix.Stat_t
	return unix.Stat(path, &d) == nil && d.Ino == st.Ino && d.Dev == st.Dev
}

// arm makes call number at fail, counted from now.
func (f *faults) arm(at int, errno unix.Errno, torn, power bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.at, f.errno, f.torn, f.power, f.dead, f.named, f.unsynced = 0, at, errno, torn, power, false, "", nil
}

// disarm lets everything through again, and says how many calls there were and which
// one failed. After a loss of power it takes back what was not synced, all but a random
// part: sectors of 512 bytes, each by itself.
func (f *faults) disarm(r *rand.Rand) (calls int, named string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.dead, f.power = 0, false, false
	for i := len(f.unsynced) - 1; i >= 0; i-- {
		c := &f.unsynced[i]
		switch {
		case c.to != "":
			if r.IntN(2) == 0 { // it had reached the disk
				if c.lost != "" {
					err = errors.Join(err, os.Remove(c.lost))
				}
				continue
			}
			if _, serr := os.Lstat(c.to); os.IsNotExist(serr) {
				continue // removed since: removals are not watched
			}
			// renameat is watched, rename is not: this very goroutine holds the lock.
			err = errors.Join(err, unix.Link(c.to, c.from), os.Remove(c.to))
			if c.lost != "" {
				err = errors.Join(err, unix.Link(c.lost, c.to), os.Remove(c.lost))
			}
		case c.size >= 0: // a file that was made longer may be short again
			if c.at > c.size && r.IntN(2) == 0 {
				err = errors.Join(err, unix.Truncate(fmt.Sprintf("/proc/self/fd/%d", c.file.Fd()), c.size))
			}
		default:
			now := make([]byte, len(c.is))
			got, _ := c.file.ReadAt(now, c.at)
			now = now[:got]
			for s := 0; s < min(len(now), len(c.was)); s += 512 {
				e := min(s+512, len(now), len(c.was))
				if r.IntN(2) == 0 && bytes.Equal(now[s:e], c.is[s:e]) {
					poke(int(c.file.Fd()), c.was[s:e], c.at+int64(s))
				}
			}
		}
		if c.file != nil {
			err = errors.Join(err, c.file.Close())
		}
	}
	f.unsynced = nil
	return f.n, f.named, err
}
