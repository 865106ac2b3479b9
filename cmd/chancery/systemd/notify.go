// Package systemd speaks with the service manager: readiness, reload, watchdog
// (sd_notify(3)) and sockets it opened for us (sd_listen_fds(3)). Without a
// service manager every call does nothing.
package systemd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Notifier tells the service manager how the service is. It is safe for
// concurrent use.
type Notifier struct {
	conn *net.UnixConn // nil without a service manager
	log  *slog.Logger
	// Watchdog is how long the service manager waits for a sign of life; 0 means
	// that it does not.
	Watchdog time.Duration
}

// New reads the environment and takes the variables out of it, so that child
// processes do not speak for us (CONFORMANCE OPS-07). An address that cannot be
// used is an error; none is not.
func New(log *slog.Logger) (*Notifier, error) {
	n := &Notifier{log: log}
	w, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return nil, fmt.Errorf("systemd watchdog: %w", err)
	}
	n.Watchdog = w
	address := os.Getenv("NOTIFY_SOCKET")
	if err := os.Unsetenv("NOTIFY_SOCKET"); err != nil {
		return nil, err
	}
	if address == "" {
		return n, nil
	}
	// Go writes a name that begins with @ as the abstract address it stands for.
	n.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("systemd notify socket: %w", err)
	}
	return n, nil
}

// Close ends the connection.
func (n *Notifier) Close() error {
	if n.conn == nil {
		return nil
	}
	return n.conn.Close()
}

// send puts all lines into one datagram.
func (n *Notifier) send(lines ...string) {
	if n.conn == nil {
		return
	}
	if _, err := n.conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		n.log.Warn("service manager did not take a message", "error", err)
	}
}

// Ready says that the service serves, with a sentence on its state.
func (n *Notifier) Ready(status string) { n.send(daemon.SdNotifyReady, "STATUS="+line(status)) }

// Status changes the sentence on the state.
func (n *Notifier) Status(status string) { n.send("STATUS=" + line(status)) }

// Stopping says that the end has begun, and asks for time.
func (n *Notifier) Stopping(extend time.Duration) {
	n.send(daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extend.Microseconds()))
}

// Reloading says that a reload has begun; Ready ends it. Type=notify-reload wants
// the monotonic time in the same datagram (CONFORMANCE OPS-02).
func (n *Notifier) Reloading() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		n.log.Warn("no monotonic clock", "error", err)
		return
	}
	n.send(daemon.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", ts.Nano()/1000))
}

// Alive feeds the watchdog.
func (n *Notifier) Alive() { n.send(daemon.SdNotifyWatchdog) }

func line(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

// Listeners gives the sockets that the service manager opened, by the names of
// their units (FileDescriptorName=). It takes the variables out of the
// environment and closes what is not among the names wanted.
func Listeners(wanted ...string) (map[string]net.Listener, error) {
	got, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("systemd sockets: %w", err)
	}
	use := map[string]net.Listener{}
	var errs []error
	for _, name := range wanted {
		for i, l := range got[name] {
			if i == 0 {
				use[name] = l
			} else {
				errs = append(errs, l.Close())
			}
		}
		delete(got, name)
	}
	for _, rest := range got {
		for _, l := range rest {
			errs = append(errs, l.Close())
		}
	}
	return use, errors.Join(errs...)
}
