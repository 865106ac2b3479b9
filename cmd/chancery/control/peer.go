package control

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is the process at the other end of the socket, as the kernel tells.
type Peer struct {
	PID    int
	UID    int
	GID    int
	Groups []int // supplementary
}

// allowed: root, the daemon's own user, and members of the daemon's group.
func (p Peer) allowed(uid, gid int) bool {
	return p.UID == 0 || p.UID == uid || p.GID == gid || slices.Contains(p.Groups, gid)
}

// peerOf asks the kernel who connected (SO_PEERCRED and SO_PEERGROUPS of
// socket(7) and unix(7)).
func peerOf(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var p Peer
	var fault error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, fault = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); fault != nil {
			return
		}
		p = Peer{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid), Groups: peerGroups(fd)}
	})
	return p, errors.Join(err, fault)
}

// peerGroups is empty where the kernel can't tell (before Linux 4.13): then
// only the primary group counts.
func peerGroups(fd uintptr) []int {
	buf := make([]byte, 4*256)
	for range 2 {
		n := uint32(len(buf))
		_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&n)), 0)
		switch {
		case e == unix.ERANGE && n > uint32(len(buf)) && n <= 4*65536: // NGROUPS_MAX
			buf = make([]byte, n)
		case e != 0:
			return nil
		default:
			groups := make([]int, 0, n/4)
			for i := uint32(0); i+4 <= n; i += 4 {
				groups = append(groups, int(binary.NativeEndian.Uint32(buf[i:])))
			}
			return groups
		}
	}
	return nil
}
