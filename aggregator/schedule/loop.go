package schedule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Task is a source in the Loop.
type Task struct {
	ID   feed.SourceID
	Host string // bucket that it shares with others; see fetch.HostKey
	// Due is the stored time; zero is at once.
	Due time.Time
	// Most bounds how far ahead of now Due may be taken to be, so that a clock that
	// was wrong when it was stored stalls nothing (CONFORMANCE F-79): the source's
	// interval with its jitter, or what its server asked for. Zero is no bound.
	Most time.Duration
}

// again is the least time until a source is polled again, so that a Poll which
// forgets to say when cannot spin.
const again = time.Second

// TaskOf makes the task of a source, and false for one that is not polled.
// host is the bucket of its address.
func TaskOf(s store.SourceState, host string) (Task, bool) {
	if s.Disabled || s.Removed || s.URL == "" {
		return Task{}, false
	}
	t := Task{ID: s.ID, Host: host, Due: s.State.NextDue}
	if !s.State.Polled.IsZero() {
		t.Most = max(s.State.NextDue.Sub(s.State.Polled), again)
	}
	return t, true
}

// Loop polls each source when it is due: earliest deadline first, at most
// Concurrency at a time, at most PerHost of one host, and never waits with a
// place in its hand, so that a slow host delays only itself (F-82).
//
// Set the fields, then Run; Set, Put, Remove and Hold may be called before and
// while it runs. It measures time by the monotonic clock: a jump of the wall
// clock neither sets a burst off nor stops it.
type Loop struct {
	// Poll polls one source and gives its task as it shall be from then on; ok is
	// false to drop the source. It must return soon after ctx ends.
	Poll func(ctx context.Context, id feed.SourceID) (next Task, ok bool)
	// Ready, if set, is when a request to a host could start (spacing), and false
	// while the host has no place.
	Ready       func(host string) (at time.Time, ok bool)
	Concurrency int           // 0 is 1
	PerHost     int           // 0 is 1
	Spread      time.Duration // over which what is overdue at Set is spread; F-78 asks for 10 min
	Drain       time.Duration // that polls under way get when Run's ctx ends
	Log         *slog.Logger  // nil is silent

	probing sync.Once
	probes  chan chan struct{} // see asked

	mu      sync.Mutex // guards q, changed and idle
	q       queue
	changed chan struct{}
	idle    int // workers of run that have nothing to do
}

// Set replaces all tasks: at the start and after a reload. A source that is
// there already keeps its time, unless it has a new one that is still to come;
// what is overdue is spread, so that neither a start nor a reload is a burst.
func (l *Loop) Set(tasks []Task) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	keep := make(map[feed.SourceID]bool, len(tasks))
	for _, t := range tasks {
		keep[t.ID] = true
		at := start(t, now, l.Spread)
		if have := l.q.tasks[t.ID]; have != nil && (t.Due.Equal(have.Due) || !t.Due.After(now)) {
			at = have.at
		}
		l.q.put(t, at)
	}
	for id := range l.q.tasks {
		if !keep[id] {
			l.q.remove(id)
		}
	}
	l.wake()
}

// Put adds or replaces one task; what is overdue is polled at once.
func (l *Loop) Put(t Task) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	l.q.put(t, start(t, now, 0))
	l.wake()
}

// Remove drops a source. A poll under way goes on.
func (l *Loop) Remove(id feed.SourceID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	l.q.remove(id)
	l.wake()
}

// Hold keeps all sources of a host back until a time (429, F-51). A shorter hold
// never shortens a longer one.
func (l *Loop) Hold(host string, until time.Time) {
	now := time.Now()
	wait := min(until.Round(0).Sub(now.Round(0)), serverCap)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	l.q.hold(host, now.Add(wait))
	l.wake()
}

// Load says how the Loop stands: how many sources it has, how many are being
// polled, how many are due and wait for a place, and by how much the one that
// has waited longest is late.
func (l *Loop) Load() (sources, polling, waiting int, lag time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.q.tasks {
		if !t.busy && !t.at.After(now) {
			waiting++
			lag = max(lag, now.Sub(t.at))
		}
	}
	return len(l.q.tasks), l.q.polling, waiting, lag
}

// start is when a task shall be polled, on the monotonic clock.
func start(t Task, now time.Time, spread time.Duration) time.Time {
	if t.Due.IsZero() {
		return now
	}
	wait := t.Due.Round(0).Sub(now.Round(0))
	if t.Most > 0 {
		wait = min(wait, t.Most)
	}
	if wait <= 0 {
		wait = time.Duration(phase(t.ID, 2) * float64(spread))
	}
	return now.Add(wait)
}

func (l *Loop) init() {
	if l.q.tasks == nil {
		l.q.init(max(l.PerHost, 1))
		l.changed = make(chan struct{}, 1)
	}
}

// asked is where Answer asks Run. It needs no lock, which a loop that hangs may hold.
func (l *Loop) asked() chan chan struct{} {
	l.probing.Do(func() { l.probes = make(chan chan struct{}) })
	return l.probes
}

// wake makes Run look again; l.mu is held.
func (l *Loop) wake() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Run polls until ctx ends and all polls under way have returned; it gives
// context.Cause(ctx). Polls get Drain to end by themselves before their context
// is canceled.
func (l *Loop) Run(ctx context.Context) error {
	return l.run(ctx, false)
}

// RunOnce is Run for one round: it returns nil when nothing is left to poll, so
// Poll must drop each source. A round by hand keeps hosts apart like the daemon,
// and waits for one without keeping the others waiting.
func (l *Loop) RunOnce(ctx context.Context) error { return l.run(ctx, true) }

func (l *Loop) run(ctx context.Context, once bool) error {
	l.mu.Lock()
	l.init()
	l.idle = 0
	l.mu.Unlock()
	polls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(l.Drain, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(polls, func() { t.Stop() })
	})
	defer stop()

	// A worker goes on to the next poll: one made for each would grow its stack
	// each time, a tenth of what an answer 304 costs. While something is due it takes
	// that itself. Whoever is counted idle takes what is sent next, so sending never
	// waits.
	var wg sync.WaitGroup
	next := make(chan feed.SourceID, max(l.Concurrency, 1))
	defer func() {
		close(next)
		wg.Wait()
	}()
	begin := func(id feed.SourceID) { // l.mu is held
		if l.idle > 0 {
			l.idle--
			next <- id
			return
		}
		wg.Go(func() {
			for ok := true; ok; id, ok = <-next {
				for more := true; more; {
					task, again := l.Poll(polls, id)
					id, more = l.done(ctx, id, task, again)
				}
			}
		})
	}

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		sleep := l.dispatch(begin)
		if once && l.empty() {
			return nil
		}
		timer.Reset(sleep)
		select {
		case <-ctx.Done():
		case <-l.changed:
		case reply := <-l.asked():
			close(reply)
		case <-timer.C:
		}
	}
	return context.Cause(ctx)
}

// Answer returns nil when Run has come round and looked for what is due: a proof
// that it makes progress, for watchdogs (CONFORMANCE OPS-05). A loop that hangs, or
// does not run, lets ctx end.
func (l *Loop) Answer(ctx context.Context) error {
	reply := make(chan struct{})
	select {
	case l.asked() <- reply:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-reply:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// empty: no source is left, and none is being polled.
func (l *Loop) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.q.tasks) == 0
}

// dispatch starts all that may start, and says how long there is nothing to do.
func (l *Loop) dispatch(run func(feed.SourceID)) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for l.q.polling < max(l.Concurrency, 1) {
		t := l.q.next(now, l.Ready)
		if t == nil {
			break
		}
		run(t.ID)
	}
	if l.q.polling >= max(l.Concurrency, 1) {
		return time.Hour // the end of a poll wakes us
	}
	return l.q.sleep(now)
}

// done ends the poll of a source: next is what it shall be, ok false drops it. It
// gives the source that whoever polled shall poll now, if one is due.
func (l *Loop) done(ctx context.Context, id feed.SourceID, next Task, ok bool) (feed.SourceID, bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := start(next, now, 0)
	if soonest := now.Add(again); at.Before(soonest) {
		at = soonest
	}
	if ok && l.Log != nil && l.Log.Enabled(ctx, slog.LevelDebug) {
		l.Log.LogAttrs(ctx, slog.LevelDebug, "scheduled", slog.String("source", string(id)), slog.Duration("in", at.Sub(now)))
	}
	l.q.done(id, next, at, ok)
	var due *task
	if ctx.Err() == nil {
		due = l.q.next(now, l.Ready)
	}
	if due == nil {
		l.idle++
		l.wake()
		return "", false
	}
	if l.q.polling < max(l.Concurrency, 1) {
		l.wake() // there may be more
	}
	return due.ID, true
}
