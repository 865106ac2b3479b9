package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"chancery/feed/feedtest"
)

// asProgram puts the program where every user can run it, and gives its directory.
func asProgram(t *testing.T) (dir, program string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "chancery-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // other users of the test go through it
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "chancery") // TestMain goes by the name
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"my.toml":   "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n[fetch]\ncontact = \"x\"\n",
		"small.xml": `<rss version="2.0"><channel><title>A</title><link>https://a.example/</link><description>d</description><item><title>T</title><guid>1</guid></item></channel></rss>`,
		"large.xml": `<rss version="2.0"><channel><title>B</title><link>https://b.example/</link><description>d</description>` + manyItems() + `</channel></rss>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, program
}

// manyItems is 4 MB of posts that cannot be made much smaller.
func manyItems() string {
	var b strings.Builder
	x := uint64(1)
	for i := range 200 {
		fmt.Fprintf(&b, "<item><title>T%d</title><guid>%d</guid><description>", i, i)
		for range 1250 {
			x = x*6364136223846793005 + 1442695040888963407
			fmt.Fprintf(&b, "%016x", x)
		}
		b.WriteString("</description></item>")
	}
	return b.String()
}

// OPS-23, OPS-26: a full disk, a read-only file system and a directory of somebody
// else's each end with their sentence and status; nothing is half-written, and what
// was there can be read.
func TestBadDisks(t *testing.T) {
	if testing.Short() {
		t.Skip("mounts file systems")
	}
	unshare := feedtest.Program(t, "unshare")
	if os.Geteuid() != 0 || exec.CommandContext(t.Context(), unshare, "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt").Run() != nil {
		t.Skip("file systems cannot be mounted here")
	}
	dir, program := asProgram(t)
	_ = program
	if err := os.Mkdir(filepath.Join(dir, "m"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	const nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	for _, c := range []struct {
		name, script string
		status       int
		says         string
	}{
		{"no room to begin", "mount -t tmpfs -o size=200k tmpfs m; ./chancery --config my.toml --data m/d serve", 74, `archive is full: .*no space left on device`},
		{
			"no room for what comes", "mount -t tmpfs -o size=3m tmpfs m; ./chancery --config my.toml --data m/d import small.xml; ./chancery --config my.toml --data m/d import large.xml", 74,
			`archive is full: .*no space left on device\n.*make room on the disk`,
		},
		{
			"what was there before is there and sound", "mount -t tmpfs -o size=3m tmpfs m; ./chancery --config my.toml --data m/d import small.xml; ./chancery --config my.toml --data m/d import large.xml; ./chancery --config my.toml --data m/d verify --deep && ./chancery --config my.toml --data m/d export", 0,
			`: 0 faults\n.*"title":"T"`,
		},
		{"status tells of it", "mount -t tmpfs -o size=3m tmpfs m; ./chancery --config my.toml --data m/d import small.xml; ./chancery --config my.toml --data m/d import large.xml; ./chancery --config my.toml --data m/d status", 0, `health +trouble(.|\n)*the archive's disk has .* left of 3.0 MiB`},
		{"read-only, nothing there", "mount -t tmpfs -o ro tmpfs m; ./chancery --config my.toml --data m/d serve", 77, `m/d: read-only file system`},
		{"read-only, an archive there", "mount -t tmpfs tmpfs m; ./chancery --config my.toml --data m/d import small.xml; mount -o remount,ro m; ./chancery --config my.toml --data m/d serve", 77, `archive is read-only: .*read-only file system`},
		{"read-only can be read", "mount -t tmpfs tmpfs m; ./chancery --config my.toml --data m/d import small.xml; mount -o remount,ro m; ./chancery --config my.toml --data m/d search T", 0, `\bT\b`},
		{"a directory that is closed to us", nobody + "./chancery --config my.toml --data closed/d serve", 77, `closed/d: permission denied`},
		{"an archive of another user", "mount -t tmpfs tmpfs m; mkdir -p m/d; chown 65534 m/d; ./chancery --config my.toml --data m/d serve", 77, `belongs to .*runuser -u`},
		{"a configuration that is closed to us", "chmod 600 my.toml; " + nobody + "./chancery --config my.toml --data d serve; s=$?; chmod 644 my.toml; exit $s", 77, `my.toml: permission denied`},
	} {
		cmd := exec.CommandContext(t.Context(), unshare, "-m", "sh", "-c", c.script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.status || !regexp.MustCompile(c.says).Match(out) || strings.Contains(string(out), "goroutine ") {
			t.Errorf("%s: status %d, want %d and %q:\n%s", c.name, got, c.status, c.says, out)
		}
	}
}

// The control socket lets in root, the daemon's user and whoever is in its group,
// and turns away a stranger with 77, before and after it reached the socket
// (CONTRACT part 1, SEC-21).
func TestWhoMayCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes of other users")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be others")
	}
	dir, program := asProgram(t)
	run := filepath.Join(dir, "run")
	state := filepath.Join(dir, "state")
	const service, group, operator, stranger = 61001, 61002, 61003, 61004
	for _, d := range []string{run, state} {
		if err := os.Mkdir(d, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d, service, group); err != nil {
			t.Skipf("no other users here: %v", err)
		}
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + state, "STATE_DIRECTORY=" + state, "RUNTIME_DIRECTORY=" + run, "CHANCERY_CONFIG=" + filepath.Join(dir, "my.toml")}
	as := func(uid, gid uint32, groups []uint32, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env, cmd.Dir = env, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
		return cmd
	}
	daemon := as(service, group, nil, "serve")
	book := &logBook{}
	grown := make(chan struct{}, 1000)
	daemon.Stderr = writers(func(p []byte) {
		_, _ = book.Write(p)
		select {
		case grown <- struct{}{}:
		default:
		}
	})
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		if err := daemon.Wait(); err != nil {
			t.Errorf("the daemon ended with %v\n%s", err, book)
		}
	}()
	for !strings.Contains(book.String(), "msg=ready") {
		select {
		case <-grown:
		case <-t.Context().Done():
			t.Fatalf("the daemon is not ready:\n%s", book)
		}
	}
	socket := filepath.Join(run, "control.sock")
	st, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if sys := st.Sys().(*syscall.Stat_t); st.Mode().Perm() != 0o660 || sys.Uid != service || sys.Gid != group {
		t.Errorf("the socket is %v of %d:%d", st.Mode(), sys.Uid, sys.Gid)
	}
	for _, c := range []struct {
		name     string
		uid, gid uint32
		groups   []uint32
		open     bool // the socket's directory is open to all
		status   int
		says     string
	}{
		{"root", 0, 0, nil, false, 0, "running since"},
		{"the service itself", service, group, nil, false, 0, "running since"},
		{"an operator of the group", operator, operator, []uint32{group}, false, 0, "running since"},
		{"a stranger", stranger, stranger, nil, false, 77, "permission denied"},
		{"a stranger, where the directory is open", stranger, stranger, nil, true, 77, "its own user and group"},
	} {
		mode := os.FileMode(0o750)
		if c.open {
			mode = 0o755
		}
		if err := os.Chmod(run, mode); err != nil {
			t.Fatal(err)
		}
		cmd := as(c.uid, c.gid, c.groups, "status")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.status || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", c.name, got, c.status, c.says, out)
		}
	}
}

// writers is an io.Writer made of a function.
type writers func([]byte)

func (w writers) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
