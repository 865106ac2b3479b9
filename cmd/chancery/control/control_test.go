package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// memory is a client's files.
type memory struct {
	files map[string]string
	in    string
}

func (m *memory) Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(strings.NewReader(m.in)), nil
	}
	s, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(s)), nil
}

func (m *memory) Create(name string, exclusive bool) (File, error) {
	if _, ok := m.files[name]; ok && exclusive {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	return &memoryFile{m: m, name: name}, nil
}

type memoryFile struct {
	bytes.Buffer
	m    *memory
	name string
}

func (f *memoryFile) Commit() error { f.m.files[f.name] = f.String(); return nil }
func (f *memoryFile) Abort()        {}

// start serves handle at a socket of the test's own and gives its path.
func start(t *testing.T, handle Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, handle, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return path
}

func call(t *testing.T, path string, files Files, args ...string) (status int, out, errs string, err error) {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var o, e bytes.Buffer
	status, err = c.Run(t.Context(), Request{Args: args}, files, &o, &e)
	return status, o.String(), e.String(), err
}

// A command line goes in; both outputs and the exit status come back, whole.
func TestRun(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000) // longer than a frame
	path := start(t, func(_ context.Context, s *Session) int {
		if s.Peer.UID != os.Getuid() || s.Peer.PID != os.Getpid() {
			t.Errorf("peer = %+v, want uid %d and pid %d", s.Peer, os.Getuid(), os.Getpid())
		}
		_, _ = io.WriteString(s.Stdout(), strings.Join(s.Args, "|")+long)
		_, _ = io.WriteString(s.Stderr(), "note")
		return 65
	})
	status, out, errs, err := call(t, path, &memory{}, "search", "a b")
	if err != nil || status != 65 || out != "search|a b"+long || errs != "note" {
		t.Errorf("status %d, error %v, %d bytes out, err %q", status, err, len(out), errs)
	}
}

// Files cross the socket as bytes, in both directions, and errors keep their kind.
func TestFiles(t *testing.T) {
	big := strings.Repeat("x", 3*chunk+17)
	path := start(t, func(ctx context.Context, s *Session) int {
		files := s.Files(ctx)
		in, err := files.Open(s.Args[0])
		if err != nil {
			t.Error(err)
			return 1
		}
		defer in.Close()
		if _, err := files.Open("missing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing file: %v, want fs.ErrNotExist", err)
		}
		if _, err := files.Create("there", true); !errors.Is(err, fs.ErrExist) {
			t.Errorf("existing file: %v, want fs.ErrExist", err)
		}
		out, err := files.Create("out", false)
		if err != nil {
			t.Error(err)
			return 1
		}
		defer out.Abort()
		if _, err := io.Copy(out, in); err != nil {
			t.Error(err)
			return 1
		}
		if err := out.Commit(); err != nil {
			t.Error(err)
		}
		return 0
	})
	m := &memory{files: map[string]string{"in": big, "there": ""}}
	if status, _, _, err := call(t, path, m, "in", "missing", "there", "-oout"); status != 0 || err != nil {
		t.Fatalf("status %d, error %v", status, err)
	}
	if m.files["out"] != big {
		t.Errorf("out has %d bytes, want %d", len(m.files["out"]), len(big))
	}
}

// A file that was begun and not committed is not there, and a command that fails
// leaves none.
func TestAbort(t *testing.T) {
	path := start(t, func(ctx context.Context, s *Session) int {
		out, err := s.Files(ctx).Create("out", false)
		if err != nil {
			t.Error(err)
			return 1
		}
		_, _ = io.WriteString(out, "half")
		out.Abort()
		return 1
	})
	m := &memory{files: map[string]string{}}
	if status, _, _, err := call(t, path, m, "--output=out"); status != 1 || err != nil {
		t.Fatalf("status %d, error %v", status, err)
	}
	if _, ok := m.files["out"]; ok {
		t.Error("the aborted file is there")
	}
}

// The client opens only what its own command line names: a daemon cannot ask for
// anything else.
func TestOnlyNamedFiles(t *testing.T) {
	for _, name := range []string{"/etc/passwd", "in/../secret", "-", ""} {
		path := start(t, func(ctx context.Context, s *Session) int {
			if _, err := s.Files(ctx).Open(name); err == nil {
				t.Errorf("Open(%q) succeeded", name)
			}
			return 0
		})
		_, _, _, err := call(t, path, &memory{in: "secret"}, "import", "in")
		if err == nil || !strings.Contains(err.Error(), "does not name") {
			t.Errorf("Open(%q): the client's error is %v, want one that refuses", name, err)
		}
	}
}

// A client that goes away cancels its command.
func TestHangUp(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	path := start(t, func(ctx context.Context, _ *Session) int {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 1
	})
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := c.Run(ctx, Request{}, &memory{}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
	if err := <-ended; !errors.Is(err, ErrHungUp) {
		t.Errorf("the command ended for %v, want %v", err, ErrHungUp)
	}
}

// A client that does not read cannot keep the daemon from ending.
func TestStuckClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	full := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, l, func(_ context.Context, s *Session) int {
			close(full)
			for {
				if _, err := s.Stdout().Write(make([]byte, chunk)); err != nil {
					return 1
				}
			}
		}, slog.New(slog.DiscardHandler))
	}()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := writeJSON(c.c, kindRequest, Request{}); err != nil {
		t.Fatal(err)
	}
	<-full
	stop()
	if err := <-done; err != nil { // the test's own time limit is the failure
		t.Errorf("Serve = %v", err)
	}
}

// No socket, and one that a killed daemon left, both mean that there is no daemon;
// the latter is replaced.
func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no file: %v, want ErrNoDaemon", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, error %v, want 0660", st.Mode(), err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a second Listen at a live socket succeeded")
	}
	_ = l.Close()
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("stale socket: %v, want ErrNoDaemon", err)
	}
	l, err = Listen(path)
	if err != nil {
		t.Fatalf("Listen over a stale socket: %v", err)
	}
	_ = l.Close()
	if err := os.WriteFile(path+"x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path + "x"); err == nil {
		t.Error("Listen replaced a file that is no socket")
	}
}

// A path that is too long for a socket's address works all the same.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), strings.Repeat("path", 30))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no file: %v, want ErrNoDaemon", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// Root, the daemon's user and its group may use the socket; others may not.
func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		p    Peer
		want bool
	}{
		{Peer{UID: 0, GID: 0}, true},
		{Peer{UID: 500, GID: 1}, true},
		{Peer{UID: 7, GID: 600}, true},
		{Peer{UID: 7, GID: 7, Groups: []int{8, 600}}, true},
		{Peer{UID: 7, GID: 7, Groups: []int{8}}, false},
	} {
		if got := test.p.allowed(500, 600); got != test.want {
			t.Errorf("%+v: allowed = %v, want %v", test.p, got, test.want)
		}
	}
}

// Bytes that are no protocol end the conversation and nothing else.
func TestNoise(t *testing.T) {
	path := start(t, func(context.Context, *Session) int { return 0 })
	for _, noise := range []string{"GET / HTTP/1.1\r\n\r\n", "Q\xff\xff\xff\xff", "Q\x00\x00\x00\x01{", "A\x00\x00\x00\x00"} {
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c.c, noise); err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(c.c); len(b) != 0 {
			t.Errorf("%q: answer %q", noise, b)
		}
		_ = c.Close()
	}
	if status, _, _, err := call(t, path, &memory{}); status != 0 || err != nil {
		t.Errorf("after the noise: status %d, error %v", status, err)
	}
}

// shortListener fails some times before it accepts.
type shortListener struct {
	*net.UnixListener
	fails []error
}

func (l *shortListener) AcceptUnix() (*net.UnixConn, error) {
	if len(l.fails) > 0 {
		err := l.fails[0]
		l.fails = l.fails[1:]
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	return l.UnixListener.AcceptUnix()
}

// Being out of descriptors for a moment does not end the daemon; a broken socket does.
func TestShortOfDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	short := &shortListener{l, []error{syscall.EMFILE, syscall.ENFILE}}
	go func() {
		done <- serve(ctx, short, func(context.Context, *Session) int { return 7 }, slog.New(slog.DiscardHandler))
	}()
	if status, _, _, err := call(t, path, &memory{}); status != 7 || err != nil {
		t.Errorf("status %d, error %v", status, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("serve = %v", err)
	}
	broken := &shortListener{l, []error{syscall.EINVAL}}
	if err := serve(t.Context(), broken, nil, slog.New(slog.DiscardHandler)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("serve = %v, want EINVAL", err)
	}
}
