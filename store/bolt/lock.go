package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"chancery/store"
)

// lockFile is the right to an archive: an flock on DIR/lock, whose text says for
// people who has it.
type lockFile struct{ f *os.File }

// takeLock takes the lock of an archive, trying again for up to wait. waiting is
// called once, with who has it, when it has to wait.
func takeLock(ctx context.Context, dir, command string, readOnly bool, wait time.Duration, waiting func(who string)) (*lockFile, error) {
	path := filepath.Join(dir, "lock")
	how := syscall.LOCK_EX
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if readOnly {
		how = syscall.LOCK_SH
		if err != nil { // a read-only disk, or another user's archive
			f, err = os.Open(path)
			if errors.Is(err, fs.ErrNotExist) {
				return &lockFile{}, nil
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", system(err))
	}
	deadline := time.Now().Add(wait)
	for told := false; ; {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil && removed(f, path) {
			_ = f.Close() // by whoever had it, with the archive: begin again
			return takeLock(ctx, dir, command, readOnly, wait, waiting)
		}
		if err == nil {
			break
		}
		who := holder(f)
		if !errors.Is(err, syscall.EWOULDBLOCK) || !time.Now().Before(deadline) {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s: %w by %s", dir, store.ErrBusy, who)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !told {
			told = true
			waiting(who)
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-t.C:
		}
	}
	l := &lockFile{f}
	if !readOnly {
		// The text is a courtesy: that it cannot be written (a full disk) is no
		// reason not to open.
		_ = f.Truncate(0)
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), command), 0)
	}
	return l, nil
}

// holder says who has an archive, as far as is known: the text is the last writer's, which
// may be gone, and somebody reads.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 200))
	number, command, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	pid, nerr := strconv.Atoi(number)
	if err != nil || nerr != nil || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return "another process"
	}
	return fmt.Sprintf("%s (pid %d)", command, pid)
}

// removed reports whether an open file is not the one at path any more.
func removed(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && (errors.Is(errB, fs.ErrNotExist) || errB == nil && !os.SameFile(a, b))
}

func (l *lockFile) release() {
	if l.f != nil {
		_ = l.f.Close() // ends the flock
	}
}
