package parse

import (
	"errors"
	"fmt"
)

// ErrNotFeed: the document is none of the formats that this package reads. The
// error that wraps it says what was found instead.
var ErrNotFeed = errors.New("not a feed")

// ErrUnsupported: the document is a feed in a format that is known by name but
// not read (RSS 1.1, CDF; CONFORMANCE P-02). It wraps [ErrNotFeed] as well.
var ErrUnsupported = errors.New("unsupported feed format")

// ErrBroken: the document is a feed by its root, but damaged so that nothing of
// it can be used: cut off before the first complete entry, or invalid JSON
// (CONFORMANCE P-05, P-50).
var ErrBroken = errors.New("broken feed")

// Error says what is wrong with a document, and where.
type Error struct {
	Err    error  // one of ErrNotFeed, ErrUnsupported, ErrBroken
	Detail string // what was found
	Offset int    // in bytes of the decoded text; -1 if it concerns the whole
}

func (e *Error) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%v: %s", e.Err, e.Detail)
	}
	return fmt.Sprintf("%v: %s at byte %d", e.Err, e.Detail, e.Offset)
}

// Unwrap gives Err; an unsupported feed is not a feed to us either.
func (e *Error) Unwrap() []error {
	if errors.Is(e.Err, ErrUnsupported) {
		return []error{e.Err, ErrNotFeed}
	}
	return []error{e.Err}
}

// LimitError: the document goes beyond a bound that protects this process
// (CONFORMANCE P-09, P-11). Nothing of the document is used.
type LimitError struct {
	What   string // "depth", "attributes", "namespaces", "entries", "text", "pieces of markup"
	Limit  int
	Offset int // in bytes of the decoded text
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("feed exceeds a limit: more than %d %s at byte %d", e.Limit, e.What, e.Offset)
}
