package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is a "chancery serve" that is measured from outside.
type daemon struct {
	bin, dir string
	cmd      *exec.Cmd
	log      *os.File
	most     chan int64 // the largest RssAnon, when watching ends
	watched  context.CancelFunc
}

// farmConfig is what every daemon of this program runs with: the farm's addresses
// are permitted, and nothing holds a poll back.
const farmConfig = `[server]
listen = "127.0.0.1:0"
metrics_listen = ""
[fetch]
contact = "https://example.org/bench"
allow_networks = ["127.0.0.0/8"]
min_interval = "0s"
host_delay = "0s"
`

// topicsOf are the topics of the configuration that is built into the program.
func topicsOf(config string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(config) {
		if strings.HasPrefix(line, "[") {
			in = strings.HasPrefix(line, "[[topic]]")
		}
		if in {
			b.WriteString(line)
		}
	}
	return b.String()
}

// newDaemon prepares a data directory with the subscriptions in it.
func newDaemon(ctx context.Context, bin, dir string, opml []byte) (*daemon, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	d := &daemon{bin: bin, dir: dir}
	builtIn, err := exec.CommandContext(ctx, bin, "config", "default").Output()
	if err != nil {
		return nil, fmt.Errorf("chancery config default: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(farmConfig+topicsOf(string(builtIn))), 0o644); err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "list.opml")
	if err := os.WriteFile(list, opml, 0o644); err != nil {
		return nil, err
	}
	_, err = d.run(ctx, "import", list)
	return d, err
}

// run runs a command: inside the daemon while that runs.
func (d *daemon) run(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, d.bin, append([]string{"--config", filepath.Join(d.dir, "config.toml"), "--data", filepath.Join(d.dir, "data")}, args...)...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("chancery %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// query runs a command and reads its JSON.
func (d *daemon) query(ctx context.Context, into any, args ...string) error {
	b, err := d.run(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("chancery %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// sources are all subscriptions with what is known of them.
func (d *daemon) sources(ctx context.Context) ([]farmSource, error) {
	b, err := d.run(ctx, "sources", "list", "--json")
	if err != nil {
		return nil, err
	}
	var all []farmSource
	for in := json.NewDecoder(bytes.NewReader(b)); ; {
		var s farmSource
		if err := in.Decode(&s); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("chancery sources list: %w", err)
		}
		all = append(all, s)
	}
}

// start starts the daemon and waits until commands reach it.
func (d *daemon) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	d.log = log
	d.cmd = exec.CommandContext(ctx, d.bin, "--config", filepath.Join(d.dir, "config.toml"), "--data", filepath.Join(d.dir, "data"), "serve")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	d.cmd.WaitDelay = time.Minute
	if err := d.cmd.Start(); err != nil {
		return err
	}
	d.watch(ctx)
	for deadline := time.Now().Add(time.Minute); ; {
		var st farmStatus
		if err := d.query(ctx, &st, "status"); err == nil && st.Daemon.PID == d.cmd.Process.Pid {
			return nil
		} else if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(fmt.Errorf("the daemon does not answer: %w", err), d.stop())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stop ends the daemon and waits for it.
func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	d.watched()
	err := d.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	err = errors.Join(err, d.cmd.Wait(), d.log.Close())
	d.cmd = nil
	return err
}

// kill ends the daemon without giving it a chance.
func (d *daemon) kill() error {
	d.watched()
	err := d.cmd.Process.Kill()
	_ = d.cmd.Wait() // says that it was killed
	d.cmd = nil
	return errors.Join(err, d.log.Close())
}

// farmStatus is what is read of "status --json".
type farmStatus struct {
	Daemon struct {
		PID    int      `json:"pid"`
		Listen []string `json:"listen"`
	} `json:"daemon"`
	Archive struct {
		Items     int64 `json:"items"`
		Stories   int64 `json:"stories"`
		Documents int64 `json:"documents"`
		Records   int64 `json:"records"`
	} `json:"archive"`
	Sources map[string]int `json:"sources"`
	Failing []struct {
		ID string `json:"id"`
	} `json:"failing"`
}

// farmRound is what is read of "poll --json".
type farmRound struct {
	Sources     int     `json:"sources"`
	Fetched     int     `json:"fetched"`
	NotModified int     `json:"not_modified"`
	Failed      int     `json:"failed"`
	Seen        int     `json:"items_seen"`
	New         int     `json:"items_new"`
	Duplicate   int     `json:"items_duplicate"`
	Revised     int     `json:"items_revised"`
	Seconds     float64 `json:"seconds"`
}

// watch begins to look for the largest RssAnon.
func (d *daemon) watch(ctx context.Context) {
	ctx, d.watched = context.WithCancel(ctx)
	most, pid := make(chan int64, 1), d.cmd.Process.Pid
	d.most = most
	go func() { most <- watchAnon(ctx, pid) }()
}

// peak is the largest RssAnon since the daemon was started, or since the last peak.
func (d *daemon) peak(ctx context.Context) int64 {
	d.watched()
	most := <-d.most
	d.watch(ctx)
	return most
}

// cpu is what the daemon has used so far, once it has been quiet for so long.
func (d *daemon) cpu(ctx context.Context, quiet time.Duration) (time.Duration, error) {
	return settle(ctx, d.cmd.Process.Pid, quiet)
}

// round makes the daemon poll everything, and gives what it used for that with
// all that follows from it.
func (d *daemon) round(ctx context.Context) (r farmRound, used time.Duration, err error) {
	before, err := processCPU(d.cmd.Process.Pid)
	if err != nil {
		return r, 0, err
	}
	if err := d.query(ctx, &r, "poll", "--all"); err != nil {
		return r, 0, err
	}
	after, err := d.cpu(ctx, time.Second)
	return r, after - before, err
}

// settle waits until a process has used nothing worth speaking of for so long.
func settle(ctx context.Context, pid int, quiet time.Duration) (time.Duration, error) {
	const look = 500 * time.Millisecond
	last, err := processCPU(pid)
	for still := time.Duration(0); err == nil && still < quiet; {
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-time.After(look):
		}
		var now time.Duration
		now, err = processCPU(pid)
		still += look
		if now-last > 10*time.Millisecond {
			still = 0
		}
		last = now
	}
	return last, err
}

// processCPU is the user and system time of a process, to the 10 ms.
func processCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100 on every Linux that Go runs on
}

// anon is the RssAnon of a process, in bytes.
func anon(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no RssAnon", pid)
}

// watchAnon is the largest RssAnon seen until ctx ends.
func watchAnon(ctx context.Context, pid int) int64 {
	var most int64
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		if n, err := anon(pid); err == nil {
			most = max(most, n)
		}
		select {
		case <-ctx.Done():
			return most
		case <-t.C:
		}
	}
}
