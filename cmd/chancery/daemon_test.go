package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"chancery/aggregator/blogtest"
	"chancery/cmd/chancery/systemd"
	"chancery/store"
)

// logBook is a log that tests read.
type logBook struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// runDaemon runs a daemon in the test's process on the pretend web, until the test
// ends. change may change its configuration.
func runDaemon(t *testing.T, change func(*Config)) (*daemon, *logBook) {
	t.Helper()
	world := blogtest.New(time.Now().UTC())
	c, err := demoConfig(world, "127.0.0.1:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.Server.MetricsListen = "127.0.0.1:0"
	if change != nil {
		change(c)
	}
	book := &logBook{}
	log := slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	archive, err := openArchive(ctx, c, dir, "test", false, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	words := openIndex(ctx, c, dir, archive, log)
	notify, err := systemd.New(log)
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(log, dir, archive, words, notify)
	d.web = world
	d.load = func() (*Config, error) { return c, nil }
	if d.public, err = listen(nil, c.Server.Listen); err != nil {
		t.Fatal(err)
	}
	if d.admin, err = listen(nil, c.Server.MetricsListen); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	d.ready = func() { close(ready) }
	go func() { ended <- d.run(ctx, c) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
		if err := closeIndex(words); err != nil {
			t.Error(err)
		}
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the daemon ended before it was ready: %v\n%s", err, book)
	}
	return d, book
}

// ask gives a handler's answer to a request of a client.
func ask(t *testing.T, h http.Handler, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// errFullForTest is the error of a full disk, as the archive gives it.
var errFullForTest = fmt.Errorf("%w: write v1: no space left on device", store.ErrFull)

// OPS-05: while a reload lets polls under way end, nobody schedules, and that is no
// fault; but not for ever.
func TestWatchdogWhileReloading(t *testing.T) {
	d, _ := runDaemon(t, nil)
	scheduler := func() error {
		for _, p := range d.probes() {
			if p.part == "scheduler" {
				return answers(t.Context(), 50*time.Millisecond, p.ask)
			}
		}
		return errors.New("nobody asks the scheduler")
	}
	idle := *d.polling.Load()
	w, err := newWorks(idle.config, d.archive, d.web, d.log, nil) // does not run
	if err != nil {
		t.Fatal(err)
	}
	idle.works = w
	d.polling.Store(&idle)
	if scheduler() == nil {
		t.Error("a scheduler that does not run answers")
	}
	d.changing.Store(time.Now().Unix())
	if err := scheduler(); err != nil {
		t.Errorf("during a reload: %v", err)
	}
	d.changing.Store(time.Now().Add(-2 * changePatience).Unix())
	if scheduler() == nil {
		t.Error("a reload that does not end counts as progress")
	}
}

// writerFunc is a writer.
type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// OPS-22: a daemon that is told to stop while it still waits for the archive has ended
// as it was told.
func TestStopBeforeReady(t *testing.T) {
	t.Setenv("GOGC", "100") // the pace of the collector is the process's
	dir := t.TempDir()
	held, err := openArchive(t.Context(), defaultConfig(), dir, "chancery poll", false, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, stop := context.WithCancel(t.Context())
	var said bytes.Buffer
	p := &program{
		args: []string{"--data", dir, "serve"}, out: &said, getenv: func(string) string { return "" },
		err: writerFunc(func(b []byte) (int, error) {
			if bytes.Contains(b, []byte("waiting for the archive")) {
				stop()
			}
			return said.Write(b)
		}),
	}
	if status := p.run(ctx); status != exitDone || ctx.Err() == nil {
		t.Errorf("status %d, want 0:\n%s", status, said.String())
	}
}
