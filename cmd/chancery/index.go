package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"chancery/store"
	"chancery/store/index"
)

// indexDir is where the index lies in the data directory.
const indexDir = "index"

// openIndex opens the full-text index of an archive, in index/ of the data
// directory. The index is derived, and the archive is polled, kept and published
// without it as well: where its files cannot be used the log says so, and nil is
// returned.
func openIndex(ctx context.Context, c *Config, dir string, archive store.Store, log *slog.Logger) *index.Index {
	log = log.With("part", "index")
	x, err := index.Open(ctx, filepath.Join(dir, indexDir), archive, c.Search, log)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "no search: the index cannot be opened", slog.Any("error", err))
		return nil
	}
	return x
}

// closeIndex closes what openIndex gave.
func closeIndex(x *index.Index) error {
	if x == nil {
		return nil
	}
	return x.Close()
}

// runIndex keeps an index up to date until ctx ends. What stops it, as a full disk,
// stops nothing else: searches find what is in the index already, and it is tried
// again until there is room (CONFORMANCE OPS-26).
func runIndex(ctx context.Context, x *index.Index, log *slog.Logger) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		began := time.Now()
		err := x.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		log.LogAttrs(ctx, slog.LevelError, "index stands still", slog.Any("error", err), slog.Duration("again", wait))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
