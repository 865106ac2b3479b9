package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"chancery/cmd/chancery/control"
	"chancery/store"
)

// The exit statuses, after sysexits.h (CONFORMANCE OPS-23).
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 64
	exitData        = 65
	exitUnavailable = 69 // no daemon and no archive, or a source cannot be reached
	exitExists      = 73
	exitIO          = 74
	exitBusy        = 75
	exitPermission  = 77
	exitConfig      = 78
	exitInterrupted = 130 // 128 + SIGINT, as shells and git have it
)

// exitError is an error with the exit status that it means. A nil err says that
// the message was printed already (by the daemon, or as a summary).
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failWith gives err an exit status; a nil error stays nil.
func failWith(status int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{status, err}
}

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func dataError(format string, args ...any) error {
	return &exitError{exitData, fmt.Errorf(format, args...)}
}

// statusOf finds the exit status of an error: the one it carries, else what its
// kind means.
func statusOf(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	switch {
	case isOutput(err):
		return exitIO
	case errors.Is(err, store.ErrBusy):
		return exitBusy
	case errors.Is(err, store.ErrNewer):
		return exitData // OPS-29
	case errors.Is(err, store.ErrReadOnly) && errors.Is(err, store.ErrCorrupt): // because it is damaged
		return exitIO
	case errors.Is(err, fs.ErrPermission), errors.Is(err, store.ErrReadOnly), errors.Is(err, syscall.EROFS):
		return exitPermission
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrCorrupt), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EIO):
		return exitIO
	case errors.Is(err, control.ErrNoDaemon), errors.Is(err, control.ErrGone):
		return exitUnavailable
	case errors.Is(err, control.ErrFile):
		return exitIO
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return exitIO
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok { // such as a socket's
		return exitIO
	}
	if _, ok := errors.AsType[*os.LinkError](err); ok {
		return exitIO
	}
	return exitFailed
}

// explain prints an error for a person: what was wrong, with what, and, where
// the kind of error says it, what to do. It never shows a stack.
func explain(w io.Writer, err error) {
	if e, ok := errors.AsType[*exitError](err); ok && e.err == nil {
		return
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		_, _ = fmt.Fprintf(w, "chancery: %s\n", clipped(line))
	}
	if hint := hintFor(err); hint != "" {
		_, _ = fmt.Fprintf(w, "chancery: %s\n", hint)
	}
}

// clipped is a line of an error without most of what is too long to read, such as an
// argument of a hundred kilobytes: both ends are left.
func clipped(line string) string {
	const end = 1000 // bytes
	if len(line) <= 3*end {
		return line
	}
	return strings.ToValidUTF8(line[:end], "") + " … " + strings.ToValidUTF8(line[len(line)-end:], "")
}

// outputError is a failure to write results: the fault of what takes them, not
// of the archive.
type outputError struct {
	what string
	err  error
}

func (e *outputError) Error() string { return fmt.Sprintf("writing %s: %v", e.what, e.err) }
func (e *outputError) Unwrap() error { return e.err }

func isOutput(err error) bool {
	_, ok := errors.AsType[*outputError](err)
	return ok
}

// resultWriter is standard output; its errors say so.
type resultWriter struct{ w io.Writer }

func (r *resultWriter) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil {
		err = &outputError{"standard output", withoutPath(err)}
	}
	return n, err
}

// withoutPath is the cause of an error of the file system.
func withoutPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func hintFor(err error) string {
	switch {
	case isOutput(err):
		return "" // the archive has no part in it
	case errors.Is(err, store.ErrFull):
		return "nothing of the last batch was stored; make room on the disk and run the command again"
	case errors.Is(err, store.ErrCorrupt) && statusOf(err) == exitIO:
		return `"chancery verify --deep" lists what is damaged; where not even that can open it, ` +
			`"chancery --data ELSEWHERE restore FILE" puts a backup in place`
	case errors.Is(err, store.ErrNewer):
		return "use the version of chancery that wrote it, or a newer one"
	}
	return ""
}
