package systemd

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager is the service manager's end of the socket.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// OPS-02, OPS-07: path and abstract addresses work; each message is one datagram;
// RELOADING comes with the monotonic time; the variable is gone afterwards.
func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "n"), "@chancery-test-" + strconv.Itoa(os.Getpid())} {
		c := manager(t, name)
		n, err := New(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
			t.Errorf("NOTIFY_SOCKET is still %q", v)
		}
		n.Ready("all\nis well")
		if got, want := receive(t, c), "READY=1\nSTATUS=all; is well"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		n.Reloading()
		got := receive(t, c)
		value, ok := strings.CutPrefix(got, "RELOADING=1\nMONOTONIC_USEC=")
		if usec, err := strconv.ParseInt(value, 10, 64); !ok || err != nil || usec <= 0 {
			t.Errorf("got %q, want RELOADING=1 with MONOTONIC_USEC", got)
		}
		n.Stopping(2 * time.Second)
		if got, want := receive(t, c), "STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// OPS-05: the watchdog is ours only if WATCHDOG_PID says so.
func TestWatchdog(t *testing.T) {
	for pid, want := range map[string]time.Duration{
		strconv.Itoa(os.Getpid()):     30 * time.Second,
		strconv.Itoa(os.Getpid() + 1): 0,
	} {
		t.Setenv("WATCHDOG_USEC", "30000000")
		t.Setenv("WATCHDOG_PID", pid)
		n, err := New(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if n.Watchdog != want {
			t.Errorf("WATCHDOG_PID=%s: %v, want %v", pid, n.Watchdog, want)
		}
	}
}

// Without a service manager nothing happens, and nothing is said.
func TestAlone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n.Ready("")
	n.Alive()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if got, err := Listeners("http"); err != nil || len(got) != 0 {
		t.Errorf("Listeners = %v, %v", got, err)
	}
}
