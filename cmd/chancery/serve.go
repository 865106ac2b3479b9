package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"chancery/aggregator"
	"chancery/cmd/chancery/control"
	"chancery/cmd/chancery/limit"
	"chancery/cmd/chancery/systemd"
	"chancery/publish"
	"chancery/publish/hub"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/index"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "The daemon: polls, archives and publishes until told to stop",
		Long: `Polls, archives and publishes until SIGTERM or SIGINT. SIGHUP reads the
configuration again: it takes effect as a whole or not at all.`,
		Args: exactly(),
		RunE: p.local(func(ctx context.Context, _ []string) error {
			c, err := p.loadConfig()
			if err != nil {
				return err
			}
			log, err := p.logger(slog.LevelInfo)
			if err != nil {
				return err
			}
			return asTold(ctx, p.serve(ctx, c, log))
		}),
	}
}

// daemon is the running service.
type daemon struct {
	log     *slog.Logger
	dir     string
	archive store.Store
	index   *index.Index // nil if its files cannot be used
	started time.Time
	notify  *systemd.Notifier
	web     http.RoundTripper // answers polls in place of the network; nil but in the demo

	meters  *meters
	manners manners
	surveys surveys
	teller  teller
	// onlyReads, if not nil, is why nothing can be written, and so nothing is polled, as
	// long as the daemon runs: the archive is too damaged for it.
	onlyReads error
	lost      storing                // why the last poll could not be stored
	refused   atomic.Pointer[string] // why the last reload was refused; nil if it was not
	clients   limit.Clients          // who asks us
	rate      *limit.Rate
	conns     *limit.Listener // public, with a bound for each client

	public, admin net.Listener
	control       *net.UnixListener
	current       atomic.Pointer[generation] // that readers have
	polling       atomic.Pointer[generation] // that polls; during a reload the one that ends, or the next one already
	changing      atomic.Int64               // Unix seconds: since when a reload waits for polls to end; 0: there is no reload
	reloads       chan chan error            // asks the supervisor for a reload
	retagging     sync.Mutex                 // held by a retag of the archive: one at a time
	load          func() (*Config, error)
	ready         func()                          // called when all listens; may be nil
	extra         func(ctx context.Context) error // runs beside the rest; may be nil
}

// newDaemon makes a daemon without listeners; nothing runs yet.
func newDaemon(log *slog.Logger, dir string, archive store.Store, words *index.Index, notify *systemd.Notifier) *daemon {
	d := &daemon{
		log: log, dir: dir, archive: archive, index: words, started: time.Now().UTC(), notify: notify,
		meters: newMeters(), rate: limit.NewRate(0, 0), reloads: make(chan chan error),
	}
	d.manners.count.Since = d.started
	d.surveys.archive, d.surveys.dir = archive, dir
	d.teller.log, d.teller.ledger, d.teller.run = log, archive, d.runNotify
	if s, ok := archive.(interface{ OnCommit(f func(bolt.Commit)) }); ok {
		s.OnCommit(d.meters.committed)
	}
	return d
}

// indexState says how the full-text index stands; nil without one.
func (d *daemon) indexState() *store.IndexState {
	if d.index == nil {
		return nil
	}
	s := d.index.IndexState()
	return &s
}

// polled counts a poll, and remembers whether what it brought could be stored.
func (d *daemon) polled(p aggregator.Polled) {
	d.meters.polled(p)
	d.manners.polled(p)
	d.lost.polled(p)
}

// inForce applies what a configuration says to the parts that outlive a reload.
func (d *daemon) inForce(c *Config) {
	d.clients.Trust(c.Server.TrustedProxies)
	d.rate.Set(c.Server.ClientRate, c.Server.ClientBurst)
	if q, ok := d.archive.(interface{ SetQuotas(items, revisions int) }); ok {
		q.SetQuotas(c.Archive.ItemsPerDay, c.Archive.RevisionsPerDay)
	}
}

// generation is what one configuration makes: a reload replaces it as a whole.
type generation struct {
	config    *Config
	works     *works
	publisher *publish.Publisher
	handler   http.Handler
}

// env is the Env of a client's command.
func (d *daemon) env(p *program) *Env {
	g := d.current.Load()
	return &Env{
		Config: g.config, Archive: d.archive, DataDir: d.dir, Out: p.out, Err: p.err,
		Terminal: p.terminal, Files: p.files, Log: d.log, Daemon: d, works: g.works,
	}
}

// addressOf is where a listener is reached.
func addressOf(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// serve runs the daemon until ctx ends.
func (p *program) serve(ctx context.Context, c *Config, log *slog.Logger) (err error) {
	signal.Ignore(syscall.SIGPIPE) // a reader that hangs up is not our end
	keepHeapFloor()
	dir, _, err := c.dataDir(p.flags.data, p.getenv)
	if err != nil {
		return err
	}
	for _, w := range append(c.warnings(), c.absent(true)...) {
		log.WarnContext(ctx, w)
	}
	notify, err := systemd.New(log)
	if err != nil {
		return failWith(exitConfig, err)
	}
	defer notify.Close()

	made := willMake(dir)
	archive, err := p.takeArchive(ctx, c, dir, log, notify)
	if err != nil {
		return err
	}
	ready := false
	defer func() {
		if err != nil && !ready {
			made.removeUnused(context.WithoutCancel(ctx), archive) // a start that fails leaves nothing behind
		}
		err = errors.Join(err, archive.Close())
	}()
	words := openIndex(ctx, c, dir, archive, log)
	defer func() { err = errors.Join(err, closeIndex(words)) }()

	d := newDaemon(log, dir, archive, words, notify)
	d.ready = func() { ready = true }
	d.load = func() (*Config, error) { return readConfigFile(p.flags.config, p.getenv) }
	sockets, err := systemd.Listeners("http", "metrics")
	if err != nil {
		return failWith(exitIO, err)
	}
	named := func(err error) error {
		return failWith(statusOf(err), fmt.Errorf("%w; [server] listen and metrics_listen name the addresses", err))
	}
	if d.public, err = listen(sockets["http"], c.Server.Listen); err != nil {
		return named(err)
	}
	defer d.public.Close()
	if c.Server.MetricsListen != "" || sockets["metrics"] != nil {
		if d.admin, err = listen(sockets["metrics"], c.Server.MetricsListen); err != nil {
			return named(err)
		}
		defer d.admin.Close()
	}
	if d.control, err = control.Listen(c.controlPath(p.flags.socket, dir, p.getenv)); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return failWith(exitPermission, err)
		}
		return failWith(exitIO, err)
	}
	socket := c.controlPath(p.flags.socket, dir, p.getenv)
	defer func() { _ = os.Remove(socket) }()
	defer d.control.Close()
	return d.run(ctx, c)
}

// takeArchive opens the archive for writing. It waits for a command that has it;
// a second daemon ends at once (CONFORMANCE OPS-24).
func (p *program) takeArchive(ctx context.Context, c *Config, dir string, log *slog.Logger, notify *systemd.Notifier) (store.Store, error) {
	deadline := time.Now().Add(waitForArchive)
	told := false
	for {
		archive, err := openArchive(ctx, c, dir, serveName, false, log, logOpening(ctx, log))
		if err == nil || !errors.Is(err, store.ErrBusy) {
			return archive, err
		}
		if daemonHas(dir) || time.Now().After(deadline) {
			return nil, err
		}
		if !told {
			log.InfoContext(ctx, "waiting for the archive", "until", deadline, "reason", err)
			notify.Status("waiting for a command that has the archive: " + err.Error())
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// daemonHas reports whether the process named in the lock file is a daemon that
// lives. The text stays behind when a process ends, so the process is asked for.
func daemonHas(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	number, command, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || command != serveName {
		return false
	}
	err = syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// serveName is the daemon's command as the lock file shows it.
const serveName = "chancery serve"

// listen opens a listener at an address of the configuration, unless the service
// manager did.
func listen(given net.Listener, address string) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
		if c, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network}); err == nil {
			_ = c.Close()
		} else if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(path) // left behind by a daemon that was killed
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		status := exitUnavailable
		if errors.Is(err, os.ErrPermission) {
			status = exitPermission
		}
		return nil, failWith(status, err)
	}
	if network == "unix" { // the reverse proxy is in the group
		if err := os.Chmod(address, 0o660); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// generationOf builds everything that a configuration asks for, and starts
// nothing: when it fails, nothing has changed.
func (d *daemon) generationOf(ctx context.Context, c *Config) (*generation, error) {
	w, err := newWorks(c, d.archive, d.web, d.log, d.polled)
	if err != nil {
		return nil, err
	}
	pc := c.Publish
	pc.BaseURL = cmp.Or(c.Server.BaseURL, addressOf(d.public))
	if strings.HasPrefix(pc.BaseURL, "unix:") {
		pc.BaseURL = "http://localhost"
	}
	pc.Access = c.Server.Access
	pub, err := publish.New(pc, c.definitions(), d.archive, d.log.With("part", "publish"))
	if err != nil {
		return nil, err
	}
	pub.EnableHub(hub.DefaultConfig(), w.fetch.Transport())
	pub.EnablePing(hub.DefaultConfig(), w.fetch.Transport())
	pub.EnableProofs(proofs(d.archive, d.dir))
	pub.EnableManners(d.manners.counted)
	if d.index != nil {
		pub.EnableSearch(d.index)
	}
	return &generation{config: c, works: w, publisher: pub, handler: withCheckpoint(pub.Handler(), d.archive, d.dir, pc.BaseURL, d.log)}, nil
}

// run serves until ctx ends. The listeners and the archive are open; the caller
// closes them.
func (d *daemon) run(ctx context.Context, c *Config) error {
	g, err := d.generationOf(ctx, c)
	if err != nil {
		return failWith(exitConfig, err)
	}
	if err := d.archive.Change(ctx, nil); errors.Is(err, store.ErrReadOnly) {
		d.onlyReads = err
		d.log.ErrorContext(ctx, "the archive is only read: nothing is polled, feeds are served as they are", "error", err)
	}
	if err := d.begin(ctx, g); err != nil {
		return err
	}
	d.current.Store(g)
	d.polling.Store(g)
	d.inForce(c)
	public := newServer(d.publicHandler(), d.log)
	d.conns = limit.Connections(d.public, &d.clients)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.supervise(ctx, g) })
	if d.index != nil {
		group.Go(func() error {
			runIndex(ctx, d.index, d.log.With("part", "index"))
			return nil
		})
	}
	if err := g.publisher.Ready(ctx); err != nil { // the listeners are open: who comes early waits
		return errors.Join(ended(ctx, err), group.Wait())
	}
	group.Go(func() error { return serveHTTP(ctx, public, d.conns) })
	if d.admin != nil {
		admin := newServer(d.adminHandler(), d.log)
		group.Go(func() error { return serveHTTP(ctx, admin, d.admin) })
	}
	if d.control != nil {
		group.Go(func() error { return control.Serve(ctx, d.control, d.handle, d.log) })
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1) // before anybody is told that we are ready
	defer signal.Stop(signals)
	group.Go(func() error { return d.signals(ctx, signals) })
	group.Go(func() error { return d.watch(ctx) })
	group.Go(func() error { return d.watchNeeds(ctx) })
	group.Go(func() error { return restHeap(ctx) })
	group.Go(func() error { return d.measure(ctx) })

	listening := []any{"public", addressOf(d.public), "data", d.dir, "pid", os.Getpid()}
	if d.admin != nil {
		listening = append(listening, "metrics", addressOf(d.admin))
	}
	d.log.InfoContext(ctx, "ready", listening...)
	d.notify.Ready(d.sentence(ctx, time.Now().UTC()))
	if d.ready != nil {
		d.ready()
	}
	if d.extra != nil {
		group.Go(func() error { return d.extra(ctx) })
	}
	context.AfterFunc(ctx, func() {
		d.notify.Stopping(stopTimeout)
		d.log.InfoContext(context.WithoutCancel(ctx), "stopping: polls and answers under way are waited for; a second signal ends at once")
	})
	err = group.Wait()
	d.log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return err
}

// stopTimeout is how long an orderly end may take.
const stopTimeout = 30 * time.Second

// readsOnly reports whether nothing can be written.
func (d *daemon) readsOnly() bool { return d.onlyReads != nil }

// begin brings what a generation's configuration says into the archive.
func (d *daemon) begin(ctx context.Context, g *generation) error {
	if d.readsOnly() {
		return nil
	}
	e := &Env{Config: g.config, Archive: d.archive, Log: d.log}
	if err := e.takeConfig(ctx, g.works); err != nil {
		return err
	}
	return e.warnStale(ctx, g.works.topics)
}

// handle runs a client's command inside the daemon. A fault of ours in one command
// ends that command and not the daemon.
func (d *daemon) handle(ctx context.Context, s *control.Session) (status int) {
	defer func() {
		if r := recover(); r != nil {
			d.log.ErrorContext(ctx, "command failed", "args", control.Redacted(s.Args), "fault", r, "stack", string(debug.Stack()))
			_, _ = io.WriteString(s.Stderr(), "chancery: the command failed through a fault of the program; the daemon's log has the details\n")
			status = exitFailed
		}
	}()
	p := &program{
		args: s.Args, in: strings.NewReader(""), out: s.Stdout(), err: s.Stderr(), getenv: func(string) string { return "" },
		terminal: s.Terminal, files: s.Files(ctx), inside: d,
	}
	return p.run(ctx)
}
