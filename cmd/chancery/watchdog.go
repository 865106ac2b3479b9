package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"chancery/store"
)

// statusEvery is how often the service manager's sentence may change (CONFORMANCE
// OPS-06).
const statusEvery = 10 * time.Second

// patience is how long a part may take to answer a probe before it counts as hung.
const patience = 10 * time.Second

// changePatience is how long a reload may be without a scheduler: polls under way
// have 15 s to end, then the publisher writes what it keeps.
const changePatience = 30 * time.Second

// watch feeds the watchdog as long as scheduler, archive and listener make progress
// (CONFORMANCE OPS-05), and keeps the service manager's sentence up to date.
func (d *daemon) watch(ctx context.Context) error {
	every := statusEvery
	if d.notify.Watchdog > 0 {
		// Four looks in its time: one that fails costs nothing.
		every = min(every, d.notify.Watchdog/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var saidAt time.Time
	said := ""
	for {
		if part, err := d.progress(ctx, min(patience, every)); err == nil {
			d.notify.Alive()
		} else if ctx.Err() == nil {
			d.log.ErrorContext(ctx, "no progress: the watchdog is not fed", "waits_for", part, "error", err)
		}
		if now := time.Now(); now.Sub(saidAt) >= statusEvery {
			if text := d.sentence(ctx, now.UTC()); text != said {
				d.notify.Status(text)
				said, saidAt = text, now
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// progress asks each part for a sign that it goes on. Part is the one that gave
// none.
func (d *daemon) progress(ctx context.Context, within time.Duration) (part string, err error) {
	for _, probe := range d.probes() {
		err := answers(ctx, within, probe.ask)
		if err != nil && !errors.Is(err, store.ErrLost) { // all but some records is served; to start again would bring none back
			return probe.part, err
		}
	}
	return "", nil
}

// probe asks one part of the daemon for a sign of life.
type probe struct {
	part string
	ask  func(ctx context.Context) error
}

func (d *daemon) probes() []probe {
	return []probe{
		{"archive", d.archive.Ping},
		{"writer", func(ctx context.Context) error {
			err := d.archive.Change(ctx, nil)
			if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrReadOnly) {
				return nil // it answers; to start again would make no room
			}
			return err
		}},
		{"scheduler", func(ctx context.Context) error {
			if d.readsOnly() {
				return nil // nobody schedules
			}
			if since := d.changing.Load(); since != 0 && time.Since(time.Unix(since, 0)) < changePatience {
				return nil // a reload: nobody schedules while polls under way end
			}
			return d.polling.Load().works.aggregator.Answer(ctx)
		}},
		{"listener", func(ctx context.Context) error { return answersHTTP(ctx, d.public) }},
	}
}

// answers asks a part for a sign of life, and waits no longer than within: the part may
// hang where no context reaches it.
func answers(ctx context.Context, within time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no answer within %v", within))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answersHTTP asks a listener of our own for the one answer that net/http gives by
// itself (OPTIONS *, RFC 9110 §9.3.7). A connection that is closed at once is an
// answer, too: there may be too many.
func answersHTTP(ctx context.Context, l net.Listener) error {
	network, address := l.Addr().Network(), l.Addr().String()
	if network != "unix" {
		address = strings.TrimPrefix(addressOf(l), "http://")
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			return fmt.Errorf("%s takes no connections: %w", address, err)
		}
		return nil // a firewall's or the unit's rule: no sign that the listener hangs
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return nil // closed at once
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%s answers no request: %w", address, err)
	}
	return nil
}

// sentence is how the service is, for "systemctl status".
func (d *daemon) sentence(ctx context.Context, now time.Time) string {
	s, err := d.surveys.at(ctx, now)
	if err != nil {
		return "the archive does not answer: " + err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d failing, %d due", plural(s.Polled, "source"), len(s.Failing), s.Due)
	if s.Lag >= time.Minute {
		fmt.Fprintf(&b, ", the first for %v", s.Lag.Round(time.Minute))
	}
	fmt.Fprintf(&b, "; %s", plural(s.Stats.Items, "item"))
	if !s.Stats.Last.IsZero() {
		fmt.Fprintf(&b, ", last commit %s", timeText(s.Stats.Last))
	}
	if n := len(s.needs()) + len(d.ownNeeds()); n > 0 {
		fmt.Fprintf(&b, "; needs you: %s (chancery status)", plural(n, "thing"))
	}
	fmt.Fprintf(&b, "; serving at %s", addressOf(d.public))
	return b.String()
}
