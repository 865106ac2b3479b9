package main

import (
	"context"
	"time"

	"chancery/store"
)

// measure follows the archive's log beside the feeds and notes how long new posts
// took to get there, from their own date and from their commit.
func (d *daemon) measure(ctx context.Context) error {
	at, err := d.archive.End(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	for {
		records, next, err := d.archive.Follow(ctx, at, store.KindsOf(store.KindItem), 200)
		if err != nil {
			return ended(ctx, err)
		}
		if err := d.inFeeds(ctx, next); err != nil {
			return ended(ctx, err)
		}
		now := time.Now()
		for _, r := range records {
			d.meters.republish.Observe(max(now.Sub(r.Time), 0).Seconds())
			if from, ok := d.postedAt(ctx, r); ok {
				d.meters.freshness.Observe(max(now.Sub(from), 0).Seconds())
			}
		}
		at = next
	}
}

// inFeeds waits until the feeds in force have seen the log up to at. A reload puts
// others in force meanwhile, so it looks again.
func (d *daemon) inFeeds(ctx context.Context, at store.Cursor) error {
	for {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := d.current.Load().publisher.Wait(wait, at)
		cancel()
		if err == nil || ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// postedAt is the date of a post that counts: it has one that can be right, and was
// written after we subscribed; what a feed had before is no measure of us.
func (d *daemon) postedAt(ctx context.Context, r store.Record) (time.Time, bool) {
	from := r.Item.Published.Time
	if from.IsZero() || from.After(r.Time) {
		return from, false
	}
	src, err := d.archive.Source(ctx, r.Source)
	return from, err == nil && from.After(src.Added)
}
