package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"chancery/cmd/chancery/control"
	"chancery/store"
	"chancery/store/storetest"
)

// endingArchive is an archive that ends the context of whoever asks it.
type endingArchive struct {
	store.Store
	end func()
}

func (s *endingArchive) Sources(ctx context.Context) ([]store.SourceState, error) {
	s.end()
	return nil, ctx.Err()
}

// A command that ends because the daemon does says so, and is not taken for one
// that its user interrupted.
func TestDaemonStops(t *testing.T) {
	for _, test := range []struct {
		cause error
		want  int
		says  string
	}{
		{errors.New("terminated signal received"), exitUnavailable, "the daemon is stopping"},
		{control.ErrHungUp, exitInterrupted, ""},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		d := &daemon{archive: &endingArchive{storetest.NewModel(), func() { cancel(test.cause) }}}
		d.current.Store(&generation{config: defaultConfig()})
		var out, said bytes.Buffer
		p := &program{args: []string{"sources", "list"}, out: &out, err: &said, getenv: func(string) string { return "" }, inside: d}
		if got := p.run(ctx); got != test.want || !strings.Contains(said.String(), test.says) {
			t.Errorf("for %v: status %d, %q; want %d, %q", test.cause, got, said.String(), test.want, test.says)
		}
	}
}

// A full disk under the output is told from one under the archive.
func TestFullOutput(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
	_, output := (&resultWriter{failing{full}}).Write([]byte("x"))
	for _, test := range []struct {
		err  error
		want string
	}{
		{output, "chancery: writing standard output: no space left on device\n"},
		{fmt.Errorf("log: %w: %w", store.ErrFull, full), "chancery: log: archive is full: write /dev/stdout: no space left on device\nchancery: nothing of the last batch was stored; make room on the disk and run the command again\n"},
	} {
		var said bytes.Buffer
		if explain(&said, test.err); said.String() != test.want || statusOf(test.err) != exitIO {
			t.Errorf("status %d, %q; want %d, %q", statusOf(test.err), said.String(), exitIO, test.want)
		}
	}
}

// failing is a writer that cannot.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
