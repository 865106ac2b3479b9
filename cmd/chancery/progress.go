package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// progress tells a person at a terminal how far a long command is; elsewhere it
// is silent.
type progress struct {
	out        io.Writer // nil: silent
	verb, unit string
	last       time.Time
	shown      bool
}

func (e *Env) progress(verb, unit string) *progress {
	p := &progress{verb: verb, unit: unit}
	if e.Terminal.Err {
		p.out = e.Err
	}
	return p
}

// show says how much is done; total 0 is unknown.
func (p *progress) show(done, total int64) {
	if p.out == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	if total > 0 {
		_, _ = fmt.Fprintf(p.out, "\r%s %d of %d %s (%d %%)\x1b[K", p.verb, done, total, p.unit, 100*done/total)
		return
	}
	_, _ = fmt.Fprintf(p.out, "\r%s %d %s\x1b[K", p.verb, done, p.unit)
}

// end clears the line.
func (p *progress) end() {
	if p.shown {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// existing gives "the file is there already" its exit status.
func existing(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return failWith(exitExists, err)
	}
	return err
}
