package store

import (
	"errors"
	"fmt"
)

// The closed set of errors. An engine's errors wrap one of them where a caller
// can do something about it; all others are I/O errors of the system.
var (
	// ErrNotFound: there is no such item, source or key.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what should be created is there already, or changed meanwhile.
	ErrConflict = errors.New("conflict")
	// ErrLeaseLost: the lease ran out and the source was given to another worker.
	ErrLeaseLost = errors.New("lease lost")
	// ErrFull: no room on the disk, or a quota reached. Nothing was written.
	ErrFull = errors.New("archive is full")
	// ErrQuota is the ErrFull of one source that brought too much in a day.
	ErrQuota = fmt.Errorf("%w for this source", ErrFull)
	// ErrCorrupt: what was read is not what was written. The text names the file and key.
	ErrCorrupt = errors.New("archive is damaged")
	// ErrLost is the ErrCorrupt of single records of the log, which cannot be read; all
	// others can, and new ones are taken in.
	ErrLost = fmt.Errorf("%w: a record is lost", ErrCorrupt)
	// ErrBusy: another process has the archive.
	ErrBusy = errors.New("archive is in use")
	// ErrReadOnly: the archive was opened for reading, or its disk is read-only.
	ErrReadOnly = errors.New("archive is read-only")
	// ErrNewer: the archive was written in a format that this program does not know.
	ErrNewer = errors.New("archive has a newer format")
	// ErrClosed: the archive was closed.
	ErrClosed = errors.New("archive is closed")
)
