package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"chancery/aggregator"
	"chancery/aggregator/fetch"
	"chancery/aggregator/topic"
	"chancery/cmd/chancery/control"
	"chancery/store"
	"chancery/store/bolt"
)

// Env is what a command works with, the same inside the daemon and in a process
// of its own.
type Env struct {
	Config   *Config
	Archive  store.Store // nil for readsIfThere where there is none
	DataDir  string
	Out, Err io.Writer
	Terminal control.Terminal
	Files    control.Files
	Log      *slog.Logger
	// Daemon is set inside the daemon.
	Daemon *daemon

	made  *newArchive // by this command, because there was none
	works *works      // made when first asked for; the daemon's own inside it
}

// works are the parts that turn sources into items.
type works struct {
	fetch      *fetch.Client
	topics     *topic.Set
	aggregator *aggregator.Aggregator
}

// newWorks builds the inbound half. web, if not nil, answers all requests in
// place of the network; polled, if not nil, is told of each poll.
func newWorks(c *Config, archive store.Store, web http.RoundTripper, log *slog.Logger, polled func(aggregator.Polled)) (*works, error) {
	topics, err := topic.Compile(c.Topics)
	if err != nil {
		return nil, err
	}
	fc := c.Fetch.fetchConfig
	fc.Version = versionText()
	var client *fetch.Client
	if web != nil {
		client, err = fetch.NewOver(fc, web)
	} else {
		client, err = fetch.New(fc)
	}
	if err != nil {
		return nil, err
	}
	if archive == nil { // a feed can be asked without keeping anything
		return &works{fetch: client, topics: topics}, nil
	}
	agg, err := aggregator.New(aggregator.Config{Concurrency: fc.Concurrency, Schedule: c.Fetch.scheduleConfig}, aggregator.Deps{
		Archive: archive, Fetch: client, Topics: topics, Log: log.With("part", "aggregator"),
		Credential: credential, Ready: client.Ready, PerHost: fc.PerHost, Polled: polled,
	})
	if err != nil {
		return nil, err
	}
	return &works{fetch: client, topics: topics, aggregator: agg}, nil
}

// credential reads a secret that the service manager handed us (LoadCredential of
// systemd.exec(5)); it is read anew each time, so that a reload is not needed
// (CONFORMANCE OPS-10). Empty if there is none.
func credential(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	root, err := os.OpenRoot(dir) // a name cannot lead outside
	if err != nil {
		return ""
	}
	defer root.Close()
	b, err := root.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// withoutSecret names the sources whose credential there is not, a line each: their
// polls go out without it.
func (c *Config) withoutSecret() []string {
	var w []string
	for i, s := range c.Sources {
		if s.Credential != "" && credential(s.Credential) == "" {
			w = append(w, fmt.Sprintf("%s: source %s: there is no credential %q (LoadCredential=%s:FILE in the unit): it is polled without",
				c.place(fmt.Sprintf("source[%d]", i)), s.ID, s.Credential, s.Credential))
		}
	}
	return w
}

// worksOf gives the inbound half, building it on first use.
func (e *Env) worksOf() (*works, error) {
	if e.works == nil {
		w, err := newWorks(e.Config, e.Archive, nil, e.Log, nil)
		if err != nil {
			return nil, err
		}
		e.works = w
	}
	return e.works, nil
}

// topicSet gives the compiled rules of the configuration.
func (e *Env) topicSet() (*topic.Set, error) {
	if e.works != nil {
		return e.works.topics, nil
	}
	return topic.Compile(e.Config.Topics)
}

// note tells the person something that is no result.
func (e *Env) note(format string, args ...any) {
	_, _ = fmt.Fprintf(e.Err, "chancery: "+format+"\n", args...)
}

// printf writes to the results.
func (e *Env) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(e.Out, format, args...)
	return err
}

// close gives the archive back; inside the daemon it stays open.
func (e *Env) close() error {
	if e.Daemon != nil {
		return nil
	}
	if e.works != nil {
		e.works.fetch.CloseIdle()
	}
	if e.Archive == nil {
		return nil
	}
	return e.Archive.Close()
}

// waitForArchive is how long a command or a starting daemon waits for a command
// that has the archive (CONTRACT.md part 1).
const waitForArchive = 60 * time.Second

// openOrForward gives an Env on the open archive, or forwards the command to the
// daemon and gives its exit status.
func (p *program) openOrForward(ctx context.Context, c *Config, a access) (*Env, int, error) {
	dir, _, err := c.dataDir(p.flags.data, p.getenv)
	if err != nil {
		return nil, 0, err
	}
	log, err := p.logger(slog.LevelError) // what fails is in the summary
	if err != nil {
		return nil, 0, err
	}
	socket := c.controlPath(p.flags.socket, dir, p.getenv)
	if a != writes {
		if err := archiveAt(dir); err != nil {
			status, ok, ferr := p.forward(ctx, socket)
			switch {
			case ok || ferr != nil:
				return nil, status, ferr
			case a == readsIfThere && statusOf(err) == exitUnavailable:
				return &Env{Config: c, DataDir: dir, Out: p.out, Err: p.err, Terminal: p.terminal, Files: p.files, Log: log}, 0, nil
			}
			return nil, 0, err
		}
	}
	made := willMake(dir)
	deadline := time.Now().Add(waitForArchive)
	told := false
	for {
		if status, ok, err := p.forward(ctx, socket); ok || err != nil {
			return nil, status, err
		}
		archive, err := openArchive(ctx, c, dir, p.name(), a == reads || a == readsIfThere, log, p.tellOpening()) //nolint:contextcheck // cobra carries the context to the commands
		if err == nil {
			return &Env{
				Config: c, Archive: archive, DataDir: dir, Out: p.out, Err: p.err,
				Terminal: p.terminal, Files: p.files, Log: log, made: made,
			}, 0, nil
		}
		if !errors.Is(err, store.ErrBusy) || time.Now().After(deadline) {
			return nil, 0, err
		}
		if !told {
			p.note("%v; waiting for up to %v", err, waitForArchive)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// forward runs the command inside the daemon. ok is false if there is none.
func (p *program) forward(ctx context.Context, socket string) (status int, ok bool, err error) {
	conn, err := control.Dial(ctx, socket)
	if errors.Is(err, control.ErrNoDaemon) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer conn.Close()
	req := control.Request{Version: versionText(), Args: p.args, Terminal: p.terminal}
	status, err = conn.Run(ctx, req, p.files, p.out, p.err)
	return status, true, err
}

// name is the command as the lock file shows it.
func (p *program) name() string {
	cmd, _, err := p.root().Find(p.args)
	if err != nil {
		return "chancery"
	}
	return cmd.CommandPath()
}

// archiveAt reports whether there is an archive in dir; the error says what to do.
func archiveAt(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "archive"))
	if errors.Is(err, fs.ErrNotExist) {
		return failWith(exitUnavailable, fmt.Errorf(
			"no archive in %s, and no daemon: \"chancery serve\", \"poll\" or \"import\" makes one; --data or data_dir names another place", dir))
	}
	return err
}

// openArchive opens the archive files. The error wraps store.ErrBusy and says who
// has them if another process does.
func openArchive(ctx context.Context, c *Config, dir, command string, readOnly bool, log *slog.Logger, progress func(what string, done, total int64)) (store.Store, error) {
	made := false
	if !readOnly {
		_, err := os.Stat(dir)
		made = errors.Is(err, fs.ErrNotExist)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
		if err := foreign(dir); err != nil {
			return nil, err
		}
	}
	s, err := bolt.Open(ctx, dir, bolt.Options{
		ReadOnly: readOnly, Command: command, Log: log.With("part", "archive"), Progress: progress,
		VolumeSize: c.Archive.VolumeSize, ItemsPerDay: c.Archive.ItemsPerDay, RevisionsPerDay: c.Archive.RevisionsPerDay,
		NoDocuments: c.Archive.KeepDocuments == keepNone,
	})
	if err != nil {
		if made {
			_ = os.Remove(dir) // only if nothing is in it
		}
		return nil, err
	}
	return s, nil
}

// foreign refuses to write as root into an archive of another user: its daemon
// could not open the files that root would leave there.
func foreign(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	name := fmt.Sprint(owner.Uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return failWith(exitPermission, fmt.Errorf("the archive in %s belongs to %s; run the command as that user: runuser -u %s -- chancery …", dir, name, name))
}

// tellOpening tells a person at a terminal of long work at opening an archive.
func (p *program) tellOpening() func(what string, done, total int64) {
	var shown *progress
	return func(what string, done, total int64) {
		if shown == nil {
			shown = (&Env{Err: p.err, Terminal: p.terminal}).progress(what, "records")
		}
		if shown.verb = what; done >= total && total > 0 {
			shown.end()
			return
		}
		shown.show(done, total)
	}
}

// logOpening tells the daemon's log of long work at opening an archive.
func logOpening(ctx context.Context, log *slog.Logger) func(what string, done, total int64) {
	last := time.Now()
	return func(what string, done, total int64) {
		if time.Since(last) > 5*time.Second { // short work is not worth a line
			last = time.Now()
			log.InfoContext(ctx, "opening the archive", "work", what, "done", done, "total", total)
		}
	}
}
