package aggregator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/store"
)

const (
	// spread is over how long what is overdue at a start is stretched (CONFORMANCE F-78).
	spread = 10 * time.Minute
	// drain is how long polls under way get when the daemon stops.
	drain = 15 * time.Second
)

// Run polls every enabled source when it is due, until ctx ends and the polls
// under way are done. It follows the archive's log for sources that are added,
// changed or removed meanwhile. Call it once.
func (a *Aggregator) Run(ctx context.Context) error {
	end, err := a.archive.End(ctx)
	if err != nil {
		return err
	}
	states, err := a.archive.Sources(ctx)
	if err != nil {
		return err
	}
	a.seed(states)
	a.repace(states)
	var tasks []schedule.Task
	for _, s := range states {
		if t, ok := a.task(s); ok {
			tasks = append(tasks, t)
		}
	}
	a.loop.Set(tasks)
	a.log.LogAttrs(ctx, slog.LevelInfo, "polling", slog.Int("sources", len(tasks)))

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.loop.Run(gctx) })
	g.Go(func() error { return a.follow(gctx, end) })
	g.Go(func() error { return a.keepPace(gctx) })
	return ignoreEnd(ctx, g.Wait())
}

// ignoreEnd drops the error that says that we were told to stop.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// Load says how the loop stands; see [schedule.Loop.Load].
func (a *Aggregator) Load() (sources, polling, waiting int, lag time.Duration) { return a.loop.Load() }

// Answer returns nil when the loop has come round; see [schedule.Loop.Answer].
func (a *Aggregator) Answer(ctx context.Context) error { return a.loop.Answer(ctx) }

func (a *Aggregator) task(s store.SourceState) (schedule.Task, bool) {
	return schedule.TaskOf(s, a.host(s.Source))
}

// bucket is the key of an address; see [fetch.HostKey].
type bucket struct{ address, key string }

// host is the bucket of a source's address. It is remembered, being asked for
// several times with each poll.
func (a *Aggregator) host(s store.Source) string {
	address := s.Address()
	if b, ok := a.buckets.Load(s.ID); ok && b.(bucket).address == address {
		return b.(bucket).key
	}
	b := bucket{address, fetch.HostKey(address)}
	a.buckets.Store(s.ID, b)
	return b.key
}

// seed takes up, once, what the stored states say of hosts that refuse us.
func (a *Aggregator) seed(states []store.SourceState) {
	if !a.seeded.Swap(true) {
		a.hosts.Seed(states, a.host)
	}
}

// HeldUntil is until when the host of a source wants to be left alone, which holds
// for requests by hand too (CONFORMANCE F-51, F-53); zero if it may be asked.
func (a *Aggregator) HeldUntil(ctx context.Context, s store.Source) (time.Time, error) {
	if !a.seeded.Load() {
		states, err := a.archive.Sources(ctx)
		if err != nil {
			return time.Time{}, err
		}
		a.seed(states)
	}
	return a.hosts.Until(fetch.HostKey(s.Address()), a.now()), nil
}

// keepPace fits the pace to the budget as posting rates change.
func (a *Aggregator) keepPace(ctx context.Context) error {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		if a.config.Schedule.Budget <= 0 {
			continue
		}
		states, err := a.archive.Sources(ctx)
		if err != nil {
			return err
		}
		a.repace(states)
	}
}

// pollOne is the loop's poll of one source. What was stored says when the next one is.
// Where nothing could be, the publisher, who was asked in vain, is not asked again before
// the least interval is over: the trouble is ours.
func (a *Aggregator) pollOne(ctx context.Context, id feed.SourceID) (schedule.Task, bool) {
	leases, err := a.archive.Lease(ctx, store.LeaseQuery{
		Worker: "daemon", N: 1, TTL: leaseTTL, Now: a.now(), Sources: []feed.SourceID{id},
	})
	wait := time.Minute // somebody else polls it at the moment, or there is no asking the archive
	if err == nil && len(leases) == 1 {
		if _, err = a.poll(ctx, leases[0]); err == nil {
			wait = 0
		} else {
			wait = max(wait, a.config.Schedule.MinInterval)
		}
	}
	least := a.now().Add(wait)
	if err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelError, "poll not stored", slog.String("source", string(id)), slog.Any("error", err))
		if a.polled != nil {
			a.polled(Polled{Outcome: "not_stored", Err: err})
		}
	}
	s, err := a.archive.Source(context.WithoutCancel(ctx), id)
	if errors.Is(err, store.ErrNotFound) {
		return schedule.Task{}, false
	} else if err != nil {
		return schedule.Task{ID: id, Due: a.now().Add(max(wait, time.Minute))}, true
	}
	t, ok := a.task(s)
	if wait > 0 && t.Due.Before(least) {
		t.Due = least
	}
	return t, ok
}

// follow keeps the loop's tasks in step with the subscriptions.
func (a *Aggregator) follow(ctx context.Context, after store.Cursor) error {
	for {
		records, next, err := a.archive.Follow(ctx, after, store.KindsOf(store.KindSource), 100)
		if err != nil {
			return err
		}
		after = next
		for _, r := range records {
			s, err := a.archive.Source(ctx, r.Source)
			if errors.Is(err, store.ErrNotFound) {
				a.loop.Remove(r.Source)
				a.buckets.Delete(r.Source)
				continue
			} else if err != nil {
				return err
			}
			if t, ok := a.task(s); ok {
				a.loop.Put(t)
			} else {
				a.loop.Remove(r.Source)
			}
		}
	}
}
