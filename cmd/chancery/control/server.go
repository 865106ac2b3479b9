package control

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Handler runs one command and returns its exit status. The session, and what
// was opened through it, must not be used after the handler returned.
type Handler func(ctx context.Context, s *Session) int

// maxPath is the longest path that fits into a Unix socket's address
// (sun_path of unix(7), with its final zero).
const maxPath = 107

// requestTimeout bounds how long a peer may take to say what it wants.
const requestTimeout = 10 * time.Second

// lastWords is how long a client gets to take what is left when its command is
// canceled.
const lastWords = time.Second

// maxSessions bounds how many commands run inside the daemon at a time; each
// may hold an export's page in memory.
const maxSessions = 32

// Listen makes the socket. A file at path that nobody listens to is replaced:
// a daemon that was killed leaves one. The caller must have the archive, so no
// other daemon can be starting there at the same time.
func Listen(path string) (*net.UnixListener, error) {
	l, err := listen(path)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the name that it has at first
	}
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return l, nil
}

func listen(path string) (*net.UnixListener, error) {
	short, done, err := reachable(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if c, err := net.DialTimeout("unix", short, time.Second); err == nil {
		_ = c.Close()
		return nil, errors.New("another process listens there")
	}
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&fs.ModeSocket == 0 {
			return nil, errors.New("there is a file of that name that is no socket")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The socket is made under another name, so that nobody can connect before
	// its mode is right.
	tmp := filepath.Join(filepath.Dir(short), fmt.Sprintf(".c%d", os.Getpid()))
	_ = os.Remove(tmp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(tmp, 0o660), os.Rename(tmp, short)); err != nil {
		_ = l.Close()
		_ = os.Remove(tmp)
		return nil, err
	}
	return l, nil
}

// reachable gives a name of path that fits into a socket's address: path itself,
// or one through a descriptor of its directory, which is good until done.
func reachable(path string) (short string, done func(), err error) {
	if len(path)+10 <= maxPath { // 10: the name that listen gives it at first may be longer
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}

// Serve answers clients until ctx ends, then waits for the commands that run;
// their contexts end with ctx.
func Serve(ctx context.Context, l *net.UnixListener, handle Handler, log *slog.Logger) error {
	return serve(ctx, l, handle, log)
}

// listener is what serve needs of a *net.UnixListener.
type listener interface {
	AcceptUnix() (*net.UnixConn, error)
	Close() error
}

func serve(ctx context.Context, l listener, handle Handler, log *slog.Logger) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	slots := make(chan struct{}, maxSessions)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := accept(ctx, l, log)
		if ctx.Err() != nil {
			if c != nil {
				_ = c.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		wg.Go(func() {
			defer func() { <-slots }()
			defer func() { _ = c.Close() }()
			serveConn(ctx, c, handle, log)
		})
	}
}

// shortOf are the errors of a machine that has no more of something for a moment
// (accept(2)).
var shortOf = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// acceptAgain is how long to wait for there to be more.
const acceptAgain = 100 * time.Millisecond

// accept gives the next client. A daemon that is out of descriptors for a moment, as
// many readers may make it, is no reason to end it.
func accept(ctx context.Context, l listener, log *slog.Logger) (*net.UnixConn, error) {
	for told := false; ; told = true {
		c, err := l.AcceptUnix()
		if err == nil || ctx.Err() != nil || !slices.ContainsFunc(shortOf, func(short error) bool { return errors.Is(err, short) }) {
			return c, err
		}
		if !told {
			log.WarnContext(ctx, "control socket takes no clients for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(acceptAgain):
		}
	}
}

func serveConn(ctx context.Context, c *net.UnixConn, handle Handler, log *slog.Logger) {
	who, err := peerOf(c)
	if err == nil && !who.allowed(os.Geteuid(), os.Getegid()) {
		err = fmt.Errorf("user %d is neither the daemon's user nor in its group", who.UID)
	}
	if err != nil {
		log.WarnContext(ctx, "control socket refused a client", "error", err)
		_ = writeFrame(c, kindStderr, []byte("chancery: the daemon refuses this user: "+err.Error()+"\n"))
		_ = writeJSON(c, kindExit, exit{Status: 77})
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(requestTimeout))
	k, payload, err := readFrame(c)
	var req Request
	if err != nil || k != kindRequest || json.Unmarshal(payload, &req) != nil {
		return // a port scan or a dead client: nobody to tell
	}
	_ = c.SetReadDeadline(time.Time{})

	ctx, cancel := context.WithCancelCause(ctx)
	// A client that does not read must not keep the daemon from ending.
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now().Add(lastWords)) })
	defer stop()
	s := &Session{Request: req, Peer: who, conn: c, answers: make(chan frame)}
	var wg sync.WaitGroup
	wg.Go(func() { s.receive(ctx, cancel) })
	log.InfoContext(ctx, "command", "args", Redacted(req.Args), "pid", who.PID, "uid", who.UID)
	status := handle(ctx, s)
	_ = writeJSON(c, kindExit, exit{Status: status})
	cancel(nil)
	_ = c.CloseRead()
	wg.Wait()
}

// ErrHungUp is why the context of a command ends when its client goes away.
var ErrHungUp = errors.New("the command's client went away")

// Session is a client's command being run.
type Session struct {
	Request
	Peer Peer

	conn    *net.UnixConn
	answers chan frame
	mu      sync.Mutex // guards next and the order of file request and answer
	next    uint32
}

type frame struct {
	kind    kind
	payload []byte
}

// receive hands the client's answers over and ends the command when it leaves.
func (s *Session) receive(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		k, payload, err := readFrame(s.conn)
		if err != nil {
			cancel(ErrHungUp)
			return
		}
		select {
		case s.answers <- frame{k, payload}:
		case <-ctx.Done():
			return
		}
	}
}

// Stdout writes to the client's standard output.
func (s *Session) Stdout() io.Writer { return &output{s.conn, kindStdout} }

// Stderr writes to the client's standard error.
func (s *Session) Stderr() io.Writer { return &output{s.conn, kindStderr} }

// Files are the client's files, usable while ctx lasts.
func (s *Session) Files(ctx context.Context) Files { return &remoteFiles{ctx: ctx, s: s} }

type output struct {
	conn *net.UnixConn
	kind kind
}

func (o *output) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		n := min(len(p), chunk)
		if err := writeFrame(o.conn, o.kind, p[:n]); err != nil {
			return done, err
		}
		done += n
		p = p[n:]
	}
	return done, nil
}

// remoteFiles asks the client. Its context is that of the one command it serves.
type remoteFiles struct {
	ctx context.Context
	s   *Session
}

// ask sends one request and waits for its answer. The caller holds s.mu.
func (r *remoteFiles) ask(k kind, payload []byte) (frame, error) {
	if err := writeFrame(r.s.conn, k, payload); err != nil {
		return frame{}, err
	}
	select {
	case f := <-r.s.answers:
		if f.kind == kindAnswer {
			var a answer
			if err := json.Unmarshal(f.payload, &a); err != nil {
				return frame{}, errFrame
			}
			return f, a.err()
		}
		return f, nil
	case <-r.ctx.Done():
		return frame{}, context.Cause(r.ctx)
	}
}

func (r *remoteFiles) askJSON(k kind, q fileRequest) (frame, error) {
	b, err := json.Marshal(q)
	if err != nil {
		return frame{}, err
	}
	return r.ask(k, b)
}

// Open asks the client to open a file.
func (r *remoteFiles) Open(name string) (io.ReadCloser, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.next++
	if _, err := r.askJSON(kindOpen, fileRequest{File: r.s.next, Name: name}); err != nil {
		return nil, err
	}
	return &remoteReader{r: r, file: r.s.next}, nil
}

// Create asks the client to begin a file.
func (r *remoteFiles) Create(name string, exclusive bool) (File, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.next++
	if _, err := r.askJSON(kindCreate, fileRequest{File: r.s.next, Name: name, Exclusive: exclusive}); err != nil {
		return nil, err
	}
	return &remoteWriter{r: r, file: r.s.next}, nil
}

type remoteReader struct {
	r    *remoteFiles
	file uint32
	rest []byte
	end  bool
}

func (f *remoteReader) Read(p []byte) (int, error) {
	if len(f.rest) == 0 && !f.end {
		f.r.s.mu.Lock()
		got, err := f.r.askJSON(kindRead, fileRequest{File: f.file})
		f.r.s.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if got.kind != kindData {
			return 0, errFrame
		}
		f.rest, f.end = got.payload, len(got.payload) == 0
	}
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *remoteReader) Close() error {
	f.r.s.mu.Lock()
	defer f.r.s.mu.Unlock()
	_, err := f.r.askJSON(kindCommit, fileRequest{File: f.file})
	return err
}

type remoteWriter struct {
	r    *remoteFiles
	file uint32
	done bool
}

func (f *remoteWriter) Write(p []byte) (int, error) {
	f.r.s.mu.Lock()
	defer f.r.s.mu.Unlock()
	done := 0
	for len(p) > 0 {
		n := min(len(p), chunk)
		b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+n), f.file)
		if _, err := f.r.ask(kindWrite, append(b, p[:n]...)); err != nil {
			return done, err
		}
		done += n
		p = p[n:]
	}
	return done, nil
}

func (f *remoteWriter) Commit() error { return f.end(kindCommit) }

func (f *remoteWriter) Abort() {
	if !f.done {
		_ = f.end(kindAbort) // the client gives it up by itself when it is gone
	}
}

func (f *remoteWriter) end(k kind) error {
	f.r.s.mu.Lock()
	defer f.r.s.mu.Unlock()
	f.done = true
	_, err := f.r.askJSON(k, fileRequest{File: f.file})
	return err
}
