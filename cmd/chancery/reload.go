package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// supervise runs the long-lived parts of the current generation and replaces
// them when a reload asks for it.
func (d *daemon) supervise(ctx context.Context, g *generation) error {
	for {
		d.polling.Store(g)
		d.changing.Store(0)
		parts, stop := context.WithCancel(ctx)
		group, partsCtx := errgroup.WithContext(parts)
		if !d.readsOnly() {
			group.Go(func() error { return ended(partsCtx, g.works.aggregator.Run(partsCtx)) })
		}
		group.Go(func() error { return ended(partsCtx, g.publisher.Run(partsCtx)) })
		group.Go(func() error { return d.serveWhenReady(partsCtx, g) })
		next, err := d.awaitReload(partsCtx)
		d.changing.Store(time.Now().Unix())
		stop()
		if werr := group.Wait(); werr != nil {
			return werr
		}
		if next == nil || err != nil {
			return err
		}
		g.works.fetch.CloseIdle()
		g = next
	}
}

// serveWhenReady puts a generation in front of readers as soon as it knows what
// was served before; until then they have the one before it.
func (d *daemon) serveWhenReady(ctx context.Context, g *generation) error {
	if err := g.publisher.Ready(ctx); err != nil {
		return ended(ctx, err)
	}
	if d.current.Swap(g) == g {
		return nil // at the start
	}
	d.inForce(g.config)
	d.refused.Store(nil)
	d.meters.reloads.WithLabelValues("done").Inc()
	d.meters.reloaded.Set(float64(time.Now().Unix()))
	d.log.InfoContext(ctx, "reloaded", "file", g.config.file)
	d.notify.Ready(d.sentence(ctx, time.Now().UTC()))
	d.tellNeeds(ctx)
	return nil
}

// ended drops the error of a part that ended because it was told to.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// asTold is nil if all that ended a daemon is that ctx did, at whatever point of its
// start or run that was (CONFORMANCE OPS-22).
func asTold(ctx context.Context, err error) error {
	if ctx.Err() == nil || slices.ContainsFunc(leaves(err), func(e error) bool { return !errors.Is(e, context.Canceled) }) {
		return err
	}
	return nil
}

// awaitReload waits for a configuration that takes effect, or for the end (nil).
func (d *daemon) awaitReload(ctx context.Context) (*generation, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case reply := <-d.reloads:
			g, err := d.reload(ctx)
			reply <- err
			if err == nil {
				return g, nil
			}
		}
	}
}

// reload reads the configuration and builds a generation of it. Whole or not at
// all: a fault leaves the old one running (CONFORMANCE OPS-03).
func (d *daemon) reload(ctx context.Context) (*generation, error) {
	d.notify.Reloading()
	c, err := d.load()
	var g *generation
	if err == nil {
		g, err = d.generationOf(ctx, c)
	}
	if err == nil {
		old := d.current.Load()
		if err = d.begin(ctx, g); err == nil {
			for _, w := range c.absent(true) {
				d.log.WarnContext(ctx, w)
			}
			changes, restart := old.config.changes(c)
			if len(changes)+len(restart) == 0 {
				d.log.InfoContext(ctx, "configuration", "change", "none")
			}
			for _, text := range changes {
				d.log.InfoContext(ctx, "configuration", "change", text)
			}
			for _, text := range restart {
				d.log.WarnContext(ctx, "configuration: takes effect at the next start", "change", text)
			}
			return g, nil
		}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		d.log.ErrorContext(ctx, "reload refused, the old configuration goes on", "error", line)
	}
	d.notify.Ready("the new configuration was refused: " + err.Error())
	d.meters.reloads.WithLabelValues("refused").Inc()
	text := err.Error()
	d.refused.Store(&text)
	d.tellNeeds(ctx)
	return nil, err
}

// signals turns SIGHUP into a reload and SIGUSR1 into a summary in the log.
func (d *daemon) signals(ctx context.Context, got <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-got:
			if s == syscall.SIGUSR1 {
				d.logStatus(ctx)
				continue
			}
			reply := make(chan error, 1)
			select {
			case d.reloads <- reply:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

func (d *daemon) logStatus(ctx context.Context) {
	r, err := (&Env{Config: d.current.Load().config, Archive: d.archive, DataDir: d.dir, Daemon: d}).status(ctx, time.Now().UTC())
	if err != nil {
		d.log.ErrorContext(ctx, "status", "error", err)
		return
	}
	d.log.InfoContext(ctx, "status", "items", r.Archive.Items, "bytes", r.Archive.Bytes, "sources", r.Sources,
		"due", r.Due, "lag_seconds", r.LagSeconds, "failing", len(r.Failing)+r.FailingMore,
		"silent", len(r.Silent)+r.SilentMore, "health", r.Health, "needs_person", len(r.Needs))
}
