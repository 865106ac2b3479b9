package control

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"
)

// ErrNoDaemon: nobody listens at the socket. A socket file that a killed daemon
// left behind counts as nobody.
var ErrNoDaemon = errors.New("no daemon")

// ErrGone: the daemon ended while it ran a command.
var ErrGone = errors.New("the daemon went away before the command was done; its log says why")

// Dial connects to the daemon at path. It returns an error wrapping
// [ErrNoDaemon] if there is none, [fs.ErrPermission] if there may be one that
// this user must not talk to.
func Dial(ctx context.Context, path string) (*Conn, error) {
	short, done, err := reachable(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w at %s", ErrNoDaemon, path)
		}
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	defer done()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", short)
	switch {
	case err == nil:
		return &Conn{c}, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w at %s", ErrNoDaemon, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("control socket %s: %w; the daemon lets in its own user and group: run the command as one of them", path, fs.ErrPermission)
	default:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // without the short path
		}
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
}

// Conn is one conversation with the daemon.
type Conn struct{ c net.Conn }

// Close ends the conversation; a command that still runs is canceled.
func (c *Conn) Close() error { return c.c.Close() }

// Run has the daemon run the command of req and returns its exit status. What
// the command prints goes to stdout and stderr; files named on its command line
// are opened through files. When ctx ends, the command is canceled.
func (c *Conn) Run(ctx context.Context, req Request, files Files, stdout, stderr io.Writer) (int, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.c.Close() })
	defer stop()
	status, err := c.converse(req, files, stdout, stderr)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return 0, ErrGone
	}
	return status, err
}

func (c *Conn) converse(req Request, files Files, stdout, stderr io.Writer) (int, error) {
	if err := writeJSON(c.c, kindRequest, req); err != nil {
		return 0, err
	}
	own := &ownFiles{args: req.Args, files: files, reading: map[uint32]io.ReadCloser{}, writing: map[uint32]File{}}
	defer own.close()
	for {
		k, payload, err := readFrame(c.c)
		if err != nil {
			return 0, err
		}
		switch k {
		case kindStdout:
			_, err = stdout.Write(payload)
		case kindStderr:
			_, err = stderr.Write(payload)
		case kindExit:
			var e exit
			if err := json.Unmarshal(payload, &e); err != nil {
				return 0, errFrame
			}
			return e.Status, nil
		default:
			err = own.serve(c.c, k, payload)
		}
		if err != nil {
			return 0, err
		}
	}
}

// ownFiles are the files that the daemon asked for.
type ownFiles struct {
	args    []string
	files   Files
	reading map[uint32]io.ReadCloser
	writing map[uint32]File
}

// named reports whether name stands on the command line: as an argument, or as
// the value of a flag (--output=NAME, -oNAME).
func (o *ownFiles) named(name string) bool {
	return slices.ContainsFunc(o.args, func(arg string) bool {
		if arg == name {
			return true
		}
		if flag, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(flag, "-") && value == name {
			return true
		}
		return len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && arg[2:] == name
	})
}

func (o *ownFiles) serve(w io.Writer, k kind, payload []byte) error {
	if k == kindWrite {
		if len(payload) < 4 {
			return errFrame
		}
		f := o.writing[binary.BigEndian.Uint32(payload)]
		if f == nil {
			return errFrame
		}
		_, err := f.Write(payload[4:])
		return writeJSON(w, kindAnswer, answerOf(err))
	}
	var q fileRequest
	if err := json.Unmarshal(payload, &q); err != nil {
		return errFrame
	}
	switch k {
	case kindOpen, kindCreate:
		if !o.named(q.Name) {
			return fmt.Errorf("the daemon asked for the file %q, which the command line does not name", q.Name)
		}
		var err error
		if k == kindOpen {
			var r io.ReadCloser
			if r, err = o.files.Open(q.Name); err == nil {
				o.reading[q.File] = r
			}
		} else {
			var f File
			if f, err = o.files.Create(q.Name, q.Exclusive); err == nil {
				o.writing[q.File] = f
			}
		}
		return writeJSON(w, kindAnswer, answerOf(err))
	case kindRead:
		r := o.reading[q.File]
		if r == nil {
			return errFrame
		}
		buf := make([]byte, chunk)
		n, err := io.ReadFull(r, buf)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return writeJSON(w, kindAnswer, answerOf(err))
		}
		return writeFrame(w, kindData, buf[:n])
	case kindCommit, kindAbort:
		if r := o.reading[q.File]; r != nil {
			delete(o.reading, q.File)
			return writeJSON(w, kindAnswer, answerOf(r.Close()))
		}
		f := o.writing[q.File]
		if f == nil {
			return errFrame
		}
		delete(o.writing, q.File)
		if k == kindAbort {
			f.Abort()
			return writeJSON(w, kindAnswer, answer{})
		}
		return writeJSON(w, kindAnswer, answerOf(f.Commit()))
	}
	return errFrame
}

func (o *ownFiles) close() {
	for _, r := range o.reading {
		_ = r.Close()
	}
	for _, f := range o.writing {
		f.Abort()
	}
}
