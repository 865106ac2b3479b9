// Package aggregator is the inbound half of chancery: from a URL to a commit in
// the archive.
//
// [Aggregator.Run] is the daemon's part: it polls what is due until told to stop.
// [Aggregator.Poll] makes one round, [Aggregator.Import] takes in a document that
// was saved. All three go through the same pipeline (pipeline.go is one poll on
// one screen) of stages that don't know each other: fetch, parse, normalize,
// identify, topic, schedule. The archive decides what is new.
package aggregator

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// Archive is what the aggregator needs of a store.
type Archive interface {
	store.Archive
	store.Frontier
}

// Getter makes the one GET of a poll; *fetch.Client does.
type Getter interface {
	Get(ctx context.Context, r fetch.Request) (*fetch.Response, error)
}

type tagger interface {
	Tag(d *query.Doc) []feed.Tag
	Digest() feed.Digest
}

// Config is how the aggregator polls.
type Config struct {
	Concurrency int // polls at a time
	Schedule    schedule.Config
}

// Deps is what an aggregator works with. All are required but Credential.
type Deps struct {
	Archive Archive
	Fetch   Getter
	Topics  *topic.Set
	Log     *slog.Logger
	// Credential gives the value of Authorization for a source's credential name,
	// or "" if there is none.
	Credential func(name string) string
	// Ready and PerHost are the fetch client's pacing of hosts, for the daemon's
	// loop: see schedule.Loop. Ready may be nil.
	Ready   func(host string) (at time.Time, ok bool)
	PerHost int
}

// Aggregator polls sources and imports documents. It is safe for concurrent use.
type Aggregator struct {
	config     atomic.Pointer[Config]
	archive    Archive
	fetch      Getter
	topics     atomic.Pointer[topic.Set]
	log        *slog.Logger
	credential func(name string) string
	loop       *schedule.Loop
	hosts      schedule.Hosts // which hosts refuse us
	seeded     atomic.Bool    // hosts knows what was stored
}

// New makes an aggregator; nothing runs yet.
func New(cfg Config, d Deps) (*Aggregator, error) {
	if d.Archive == nil || d.Fetch == nil || d.Topics == nil || d.Log == nil {
		return nil, errors.New("aggregator: a dependency is missing")
	}
	a := &Aggregator{archive: d.Archive, fetch: d.Fetch, log: d.Log, credential: d.Credential}
	a.SetConfig(cfg)
	a.SetTopics(d.Topics)
	a.loop = &schedule.Loop{
		Poll: a.pollOne, Ready: d.Ready, Concurrency: a.cfg().Concurrency, PerHost: max(d.PerHost, 1),
		Spread: spread, Drain: drain, Log: d.Log,
	}
	return a, nil
}

// SetConfig changes how polls are made from the next one on.
func (a *Aggregator) SetConfig(cfg Config) {
	cfg.Concurrency = max(cfg.Concurrency, 1)
	a.config.Store(&cfg)
}

// SetTopics changes the rules for what comes from now on. What is in the archive
// keeps its topics until it is tagged again.
func (a *Aggregator) SetTopics(t *topic.Set) { a.topics.Store(t) }

func (a *Aggregator) cfg() Config { return *a.config.Load() }

// leaseTTL is how long a poll may take at the very most, with waiting for its
// host's turn: after that another worker may take the source.
const leaseTTL = 10 * time.Minute

// PollOptions selects the sources of a round: those named, or all that are
// enabled, or (the zero value) those that are due.
type PollOptions struct {
	Sources []feed.SourceID
	All     bool
}

// Poll makes one round and reports it. Sources that fail are in the summary; an
// error means that the archive could not take what came, or that ctx ended.
func (a *Aggregator) Poll(ctx context.Context, o PollOptions) (Summary, error) {
	start := time.Now()
	sum := Summary{Errors: []Failure{}}
	if err := a.seed(ctx); err != nil {
		return sum, err
	}
	leases, err := a.archive.Lease(ctx, store.LeaseQuery{
		Worker: "poll", TTL: leaseTTL, Now: a.now(), Sources: o.Sources, All: o.All,
	})
	if err != nil {
		return sum, err
	}
	results := make(chan Summary)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.cfg().Concurrency)
	go func() { // ends with the last poll, which Wait waits for
		for _, l := range leases {
			g.Go(func() error {
				if gctx.Err() != nil {
					return errors.Join(context.Cause(gctx), a.archive.Release(context.WithoutCancel(gctx), l))
				}
				one, err := a.poll(gctx, l)
				results <- one
				return err
			})
		}
		err = g.Wait()
		close(results)
	}()
	for one := range results {
		sum.Add(one)
	}
	sum.Seconds = time.Since(start).Seconds()
	return sum, err
}
