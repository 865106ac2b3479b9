package bolt

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"chancery/store"
)

// system gives an error of the system or of bbolt the class of store's closed set
// that it belongs to, if any.
func system(err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, berrors.ErrDatabaseReadOnly), errors.Is(err, berrors.ErrTxNotWritable):
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrInvalidMapping):
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return fmt.Errorf("%w: %w", store.ErrClosed, err)
	}
	return err
}

// isFull reports whether there was no room. bbolt does not wrap the system's error
// when a file cannot grow, so its text is asked, too.
func isFull(err error) bool {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) || strings.HasPrefix(err.Error(), "file resize error: ") && strings.HasSuffix(err.Error(), full.Error()) {
			return true
		}
	}
	return false
}

// guard turns a panic of bbolt over a damaged page, or a fault in its mapping (a file
// that is cut short, a sector that cannot be read), into store.ErrCorrupt. Everything
// that touches a database has "defer guard(at, &err)()" at its beginning. A panic from
// anywhere else goes on.
func guard(at place, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault && !strings.Contains(string(debug.Stack()), "go.etcd.io/bbolt") {
			panic(r)
		}
		*err = damaged(at, fmt.Errorf("%v", r))
	}
}

// allocSize is by how much a file is made longer at a time, as a hole.
const allocSize = 1 << 20

// openDB opens a database file. Damage that bbolt panics at is store.ErrCorrupt, and
// leaves no lock behind.
func openDB(path string, mode os.FileMode, o *bbolt.Options) (db *bbolt.DB, err error) {
	var file *os.File
	o.Timeout = time.Second
	o.OpenFile = func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, perm)
		return file, err
	}
	defer func() {
		if err != nil && file != nil {
			// A panic leaves it open, locked and mapped, and what is mapped stays locked.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
		}
	}()
	defer guard(part(path), &err)()
	db, err = bbolt.Open(path, mode, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, system(err))
	}
	db.AllocSize = allocSize
	return db, nil
}

// view runs f in a read transaction.
func view(db *bbolt.DB, at place, f func(tx *bbolt.Tx) error) (err error) {
	defer guard(at, &err)()
	if err = system(db.View(f)); errors.Is(err, store.ErrCorrupt) {
		return damaged(at, err)
	}
	return err
}
