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
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
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
	// Polled, if not nil, is told of each poll, for counting. It is
	// called by many goroutines and must not block.
	Polled func(Polled)
}

// Polled is what one poll came to, for counting.
type Polled struct {
	// Outcome is "fetched" (a document), "not_modified" (HTTP 304), "unchanged" (the
	// same bytes again), "failed", or "not_stored" where the archive could not take
	// what came; then Err says why.
	Outcome string
	Err     error
	Class   string // cause of a failure in a word, of a closed set; else empty
	Took    time.Duration
	Bytes   int64 // of the body on the wire
	New     int   // items
	Revised int
	Copies  int // new in their source, of a story known from another
}

// Aggregator polls sources and imports documents. It is safe for concurrent use.
type Aggregator struct {
	config     Config
	archive    Archive
	fetch      Getter
	topics     *topic.Set
	log        *slog.Logger
	credential func(name string) string
	polled     func(Polled)
	ready      func(host string) (time.Time, bool)
	perHost    int
	pace       atomic.Int64 // nanoseconds found for a budget of requests; 0: as configured
	loop       *schedule.Loop
	hosts      schedule.Hosts // which hosts refuse us
	buckets    sync.Map       // feed.SourceID to the bucket of its address; see host
	seeded     atomic.Bool    // hosts knows what was stored
	reading    chan struct{}  // places for documents that are being taken apart
	taking     chan struct{}  // and for those between that and their commit
	directory  directory
}

// New makes an aggregator; nothing runs yet.
func New(cfg Config, d Deps) (*Aggregator, error) {
	if d.Archive == nil || d.Fetch == nil || d.Topics == nil || d.Log == nil {
		return nil, errors.New("aggregator: a dependency is missing")
	}
	a := &Aggregator{
		config: cfg, topics: d.Topics, archive: d.Archive, fetch: d.Fetch, log: d.Log, credential: d.Credential, polled: d.Polled, ready: d.Ready, perHost: max(d.PerHost, 1),
		// More than processors would take memory and nothing else.
		reading: make(chan struct{}, max(runtime.GOMAXPROCS(0), 2)),
		taking:  make(chan struct{}, taking),
	}
	a.config.Concurrency = max(a.config.Concurrency, 1)
	a.loop = a.newLoop()
	a.loop.Poll, a.loop.Spread = a.pollOne, spread
	return a, nil
}

func (a *Aggregator) newLoop() *schedule.Loop {
	return &schedule.Loop{Ready: a.ready, Concurrency: a.config.Concurrency, PerHost: a.perHost, Drain: drain, Log: a.log}
}

// schedule is the configured schedule, at the pace that was found for its budget.
func (a *Aggregator) schedule() schedule.Config {
	c := a.config.Schedule
	if pace := time.Duration(a.pace.Load()); pace > 0 && c.Budget > 0 {
		c.Pace = pace
	}
	return c
}

// repace finds the pace at which all sources together keep to the budget of
// requests, if there is one.
func (a *Aggregator) repace(states []store.SourceState) {
	c := a.config.Schedule
	if c.Budget <= 0 {
		return
	}
	var rates []float64
	for _, s := range states {
		if perDay, ok := schedule.Rate(s.State); ok && !s.Disabled && !s.Removed {
			rates = append(rates, perDay)
		}
	}
	a.pace.Store(int64(schedule.PaceFor(c, rates, float64(c.Budget))))
}

// leaseTTL is how long a poll may take at the very most, with waiting for its
// host's turn: after that another worker may take the source.
const leaseTTL = 10 * time.Minute

// taking is how many polls hold a document with all that was found in it, at ten
// times its size, while they wait for a common commit. Answers without a document
// have no part in it.
const taking = 8

// PollOptions selects the sources of a round: those named, or all that are
// enabled, or (the zero value) those that are due.
type PollOptions struct {
	Sources []feed.SourceID
	All     bool
}

// Poll makes one round and reports it. Sources that fail are in the summary; an
// error means that the archive could not take what came, or that ctx ended. Hosts
// are kept apart as the daemon keeps them: a slow one delays no other.
func (a *Aggregator) Poll(ctx context.Context, o PollOptions) (Summary, error) {
	start := time.Now()
	sum := Summary{Errors: []Failure{}}
	states, err := a.archive.Sources(ctx)
	if err != nil {
		return sum, err
	}
	a.seed(states)
	a.repace(states)
	tasks, err := o.tasks(states, a.host, a.now())
	if err != nil {
		return sum, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards sum
	round := a.newLoop()
	round.Poll = func(ctx context.Context, id feed.SourceID) (schedule.Task, bool) {
		one, err := a.pollNow(ctx, id)
		if err != nil {
			cancel(fmt.Errorf("source %s: %w", id, err))
		}
		mu.Lock()
		defer mu.Unlock()
		sum.Add(one)
		return schedule.Task{}, false
	}
	round.Set(tasks)
	err = round.RunOnce(ctx)
	sum.Seconds = time.Since(start).Seconds()
	return sum, err
}

// tasks are the sources of a round, all of them due at once.
func (o PollOptions) tasks(states []store.SourceState, host func(store.Source) string, now time.Time) ([]schedule.Task, error) {
	named := make(map[feed.SourceID]bool, len(o.Sources))
	for _, id := range o.Sources {
		named[id] = true
	}
	var tasks []schedule.Task
	for _, s := range states {
		switch {
		case s.Removed || s.Address() == "":
			continue
		case len(o.Sources) > 0:
			if !named[s.ID] {
				continue
			}
			delete(named, s.ID)
		case s.Disabled || !o.All && s.State.NextDue.After(now):
			continue
		}
		tasks = append(tasks, schedule.Task{ID: s.ID, Host: host(s.Source)})
	}
	for _, id := range o.Sources {
		if named[id] {
			return nil, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
		}
	}
	return tasks, nil
}

// pollNow polls one source of a round.
func (a *Aggregator) pollNow(ctx context.Context, id feed.SourceID) (Summary, error) {
	leases, err := a.archive.Lease(ctx, store.LeaseQuery{Worker: "poll", N: 1, TTL: leaseTTL, Now: a.now(), Sources: []feed.SourceID{id}})
	if err != nil {
		return Summary{}, err
	}
	if len(leases) == 1 {
		return a.poll(ctx, leases[0])
	}
	s, err := a.archive.Source(ctx, id)
	if err != nil {
		return Summary{}, err
	}
	if s.State.NotBefore.After(a.now()) {
		return heldBack(s.Source, "its server", s.State.NotBefore), nil
	}
	return Summary{}, nil // it is being polled at this moment
}
