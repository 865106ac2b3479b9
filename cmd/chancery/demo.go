package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"chancery/aggregator/blogtest"
	"chancery/cmd/chancery/systemd"
)

func (p *program) demoCommand() *cobra.Command {
	var o struct {
		listen string
		length duration
		step   duration
	}
	var lengthGiven func() bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "All of it on a pretend web, with a throw-away archive",
		Long: `Runs the daemon on a pretend blogosphere inside the process: no network, no
configuration, nothing left behind. Posts appear, change and are copied from blog
to blog while it runs. It prints the addresses to open, and ends with Ctrl-C.`,
		Args: exactly(),
		RunE: p.local(func(ctx context.Context, _ []string) error {
			if err := checkListen(o.listen); err != nil {
				return usageError("--listen: %w", err)
			}
			if o.step <= 0 {
				return usageError("--step %v is not positive", o.step)
			}
			if o.length < 0 || o.length == 0 && lengthGiven() {
				return usageError("--for %v is not positive", o.length)
			}
			if o.length > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.length)
				defer cancel()
			}
			return p.demo(ctx, o.listen, o.step)
		}),
	}
	c.Flags().StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDRESS` to serve at; port 0 is any free one")
	lengthGiven = func() bool { return c.Flags().Changed("for") }
	c.Flags().DurationVar(&o.length, "for", 0, "end by itself after this time")
	c.Flags().DurationVar(&o.step, "step", 4*time.Second, "how often something happens in the pretend web")
	return c
}

// demoConfig is the documented default with the pretend blogs as sources, polled
// as often as the guard for public addresses would never allow.
func demoConfig(world *blogtest.World, listen string, step duration) (*Config, error) {
	c, err := parseConfig(builtinName, []byte(defaultDoc))
	if err != nil {
		return nil, err
	}
	c.Server.Listen, c.Server.MetricsListen, c.Server.BaseURL = listen, "", ""
	c.Fetch.MinInterval, c.Fetch.MaxInterval, c.Fetch.QuietInterval, c.Fetch.Pace = step, step, step, step
	c.Fetch.HostDelay = 0
	c.Fetch.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Publish.Title = "chancery demo"
	c.Sources = nil
	for _, s := range world.Sources() {
		c.Sources = append(c.Sources, sourceEntry{ID: string(s.ID), URL: s.URL, Title: s.Title, Site: s.Site, Language: s.Lang})
	}
	return c, nil
}

func (p *program) demo(ctx context.Context, listenAt string, step duration) (err error) {
	log, err := p.logger(slog.LevelError)
	if err != nil {
		return err
	}
	world := blogtest.New(time.Now().UTC())
	c, err := demoConfig(world, listenAt, step)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "chancery-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// Who reads the story may have enough of it, as "head" has: the demo ends as that
	// signal would have it, but tidies up first.
	signal.Ignore(syscall.SIGPIPE)
	defer func() {
		if isOutput(err) && errors.Is(err, syscall.EPIPE) {
			err = quietly(128 + int(syscall.SIGPIPE))
		}
	}()
	archive, err := openArchive(ctx, c, dir, "chancery demo", false, log, logOpening(ctx, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	words := openIndex(ctx, c, dir, archive, log)
	defer func() { err = errors.Join(err, closeIndex(words)) }()
	notify, err := systemd.New(log)
	if err != nil {
		return err
	}
	defer notify.Close()
	d := newDaemon(log, dir, archive, words, notify)
	d.web, d.load = world, func() (*Config, error) { return nil, errors.New("the demo has no configuration file") }
	if d.public, err = listen(nil, c.Server.Listen); err != nil {
		return failWith(statusOf(err), fmt.Errorf("--listen: %w", err))
	}
	defer d.public.Close()
	d.ready = func() { p.demoSays(addressOf(d.public), c) }
	d.extra = func(ctx context.Context) error { return p.demoStory(ctx, d, world, step) }
	return d.run(ctx, c)
}

// demoSays prints what can be opened.
func (p *program) demoSays(base string, c *Config) {
	_, _ = fmt.Fprintf(p.out, `A pretend web of %d blogs, an archive in a temporary directory, nothing leaves this machine.

`, len(c.Sources))
	open := func(path, what string) { _, _ = fmt.Fprintf(p.out, "  %-48s %s\n", base+path, what) }
	open("/", "what is here")
	for _, t := range c.Topics {
		open("/feeds/"+string(t.ID)+".atom", t.Name)
	}
	if len(c.Topics) >= 3 {
		a, b := c.Topics[0], c.Topics[2]
		open(fmt.Sprintf("/feeds/%s+%s.atom", a.ID, b.ID), "both "+a.Name+" and "+b.Name)
		open(fmt.Sprintf("/feeds/%s!%s.rss", a.ID, b.ID), a.Name+" without "+b.Name)
	}
	open("/feeds/all.json", "everything")
	_, _ = fmt.Fprint(p.out, "\nWhat happens (Ctrl-C ends it):\n")
}

// demoStory lets the pretend web go on and tells what the daemon makes of it.
func (p *program) demoStory(ctx context.Context, d *daemon, world *blogtest.World, step duration) error {
	tick := time.NewTicker(step)
	defer tick.Stop()
	e := &Env{Config: d.current.Load().config, Archive: d.archive, DataDir: d.dir, Daemon: d, Out: p.out, Err: p.err, Terminal: p.terminal}
	teller := &demoTeller{e: e}
	followed := make(chan error, 1)
	go func() { followed <- teller.follow(ctx) }()
	for {
		select {
		case <-ctx.Done():
			return <-followed
		case err := <-followed:
			return err
		case now := <-tick.C:
			if n := world.Advance(now.UTC()); n <= world.Steps() {
				_, _ = fmt.Fprintf(p.out, "-- step %d of %d in the pretend web\n", n, world.Steps())
			} else if n == world.Steps()+1 {
				_, _ = fmt.Fprint(p.out, "-- nothing more happens in the pretend web; the feeds stay open\n")
			}
		}
	}
}
