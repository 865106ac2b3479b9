package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"chancery/store"
)

func (p *program) reindexCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reindex",
		Short: "Make the full-text index anew from the archive",
		Long: `Makes the full-text index anew, in a file of its own: the one that is there serves
searches until the new one has all. It is needed only where the disk is not trusted,
since an index that is missing, old or damaged is made anew by itself.

While the daemon serves, it does the work; when the command is stopped the daemon
goes on. Without a daemon the work goes on where it was when the command is run again,
or in the daemon.`,
		Args: exactly(),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error { return e.reindex(ctx) }),
	}
}

// reindex makes the index anew and says what is in it then.
func (e *Env) reindex(ctx context.Context) error {
	began := time.Now()
	var state store.IndexState
	var err error
	if e.Daemon != nil {
		state, err = e.reindexInside(ctx)
	} else {
		state, err = e.reindexOwn(ctx)
	}
	if err != nil {
		return err
	}
	return e.printf("index: %s in %s, %s, made in %v\n",
		plural(state.Versions, "version"), plural(state.Items, "item"), bytesText(state.Bytes), time.Since(began).Round(100*time.Millisecond))
}

// reindexInside has the daemon's own follower do it, and watches.
func (e *Env) reindexInside(ctx context.Context) (store.IndexState, error) {
	x := e.Daemon.index
	if x == nil {
		return store.IndexState{}, failWith(exitIO, errors.New("the daemon could not open its full-text index at its start; its log says why"))
	}
	if err := x.Reindex(ctx); err != nil {
		return store.IndexState{}, err
	}
	p := e.progress("indexed", "records")
	defer p.end()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s := x.IndexState()
		if !s.Rebuilding {
			return s, nil
		}
		p.show(s.Done, s.Total)
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (e *Env) reindexOwn(ctx context.Context) (store.IndexState, error) {
	x, err := e.ownIndex(ctx)
	if err != nil {
		return store.IndexState{}, err
	}
	p := e.progress("indexed", "records")
	err = x.Reindex(ctx)
	if err == nil {
		err = x.CatchUp(ctx, p.show)
	}
	p.end()
	return x.IndexState(), errors.Join(err, x.Close())
}
