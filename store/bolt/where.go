package bolt

import (
	"errors"
	"fmt"

	"chancery/store"
)

// Damage is the store.ErrCorrupt of a place: what was read there is not what was
// written. It is found with errors.As, whatever was wrapped around it.
type Damage struct {
	// File is the file of a volume, or another part of the archive: "catalog", "ledger", a
	// backup or a copy in the making.
	File   string
	Volume bool   // it is a volume: a part of the log, which nothing else has
	Record uint64 // the record; 0: it is not of one alone
	Page   uint64 // the page of the file, if it was found by one; 0: it was not
	// Known: that the record is lost is recorded, so that this is no news. It is a
	// store.ErrLost then.
	Known bool
	Err   error // what is wrong; nil where that is known
}

func (d *Damage) Error() string {
	at := place{file: d.File, record: d.Record}.String()
	switch {
	case d.Err == nil:
		return d.class().Error() + ": " + at
	case errors.Is(d.Err, store.ErrCorrupt): // of bbolt, without a place
		return at + ": " + d.Err.Error()
	}
	return fmt.Sprintf("%v: %s: %v", d.class(), at, d.Err)
}

func (d *Damage) class() error {
	if d.Known {
		return store.ErrLost
	}
	return store.ErrCorrupt
}

// Unwrap makes it a store.ErrCorrupt, and what it is besides.
func (d *Damage) Unwrap() []error {
	if d.Err == nil {
		return []error{d.class()}
	}
	return []error{d.class(), d.Err}
}

// place is where something may be damaged.
type place struct {
	file   string
	volume bool
	record uint64
}

// part is a part of the archive that is no volume: damage of it is none of the log.
func part(name string) place { return place{file: name} }

// inVolume is the file of a volume.
func inVolume(path string) place { return place{file: path, volume: true} }

func (v *volume) at(seq uint64) place { return place{file: v.path, volume: true, record: seq} }

func (p place) String() string {
	if p.record == 0 {
		return p.file
	}
	return fmt.Sprintf("%s: record %d", p.file, p.record)
}

// system gives an error of the system or of bbolt its class and names the place.
func (p place) system(err error) error {
	if err = system(err); errors.Is(err, store.ErrCorrupt) {
		return damaged(p, err)
	}
	return fmt.Errorf("%v: %w", p, err)
}

// damaged is the damage of a place, or err itself where it is of another already.
func damaged(p place, err error) error {
	if d := damageOf(err); d != nil || errors.Is(err, store.ErrLost) {
		return err
	}
	d := &Damage{File: p.file, Volume: p.volume, Record: p.record, Err: err}
	if on, ok := errors.AsType[*pageError](err); ok {
		d.Page = on.page
	}
	return d
}

// knownLost is the damage of a record that is known to be lost.
func (v *volume) knownLost(seq uint64) error {
	return &Damage{File: v.path, Volume: true, Record: seq, Known: true}
}

// damageOf is the place of an error, nil if it has none.
func damageOf(err error) *Damage {
	d, _ := errors.AsType[*Damage](err)
	return d
}

// ofVolume reports whether an error is damage of a volume. A catalog made anew would not
// mend it.
func ofVolume(err error) bool {
	d := damageOf(err)
	return d != nil && d.Volume
}

// pageError is what is wrong with a page of a file.
type pageError struct {
	page uint64
	err  error
}

func (e *pageError) Error() string { return fmt.Sprintf("page %d: %v", e.page, e.err) }

func (e *pageError) Unwrap() error { return e.err }

// onPage says what is wrong with a page.
func onPage(id uint64, format string, args ...any) error {
	return &pageError{id, fmt.Errorf(format, args...)}
}
