package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
)

// journal records when each source was polled.
type journal struct {
	mu    sync.Mutex
	start time.Time
	at    map[feed.SourceID][]time.Duration
	order []feed.SourceID
	now   int
	most  int
}

func newJournal() *journal {
	return &journal{start: time.Now(), at: map[feed.SourceID][]time.Duration{}}
}

func (j *journal) begin(id feed.SourceID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at[id] = append(j.at[id], time.Since(j.start))
	j.order = append(j.order, id)
	j.now++
	j.most = max(j.most, j.now)
}

func (j *journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now--
}

func run(t *testing.T, l *Loop, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := l.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run = %v, want the deadline", err)
	}
}

// A source is polled when it is due, again and again.
func TestLoopPollsWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			return Task{Host: "h", Due: time.Now().Add(time.Hour)}, true
		}}
		l.Set([]Task{{ID: "a", Host: "h", Due: time.Now().Add(30 * time.Minute)}})
		run(t, l, 3*time.Hour)
		want := []time.Duration{30 * time.Minute, 90 * time.Minute, 150 * time.Minute}
		if got := j.at["a"]; !slices.Equal(got, want) {
			t.Errorf("polled at %v, want %v", got, want)
		}
	})
}

// What is overdue at a start is spread over ten minutes; nothing is polled
// before its stored time, nor a second time by a reload.
func TestLoopNoBurst(t *testing.T) { // F-78
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Concurrency: 64, Spread: 10 * time.Minute, Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			return Task{Host: string(id), Due: time.Now().Add(time.Hour)}, true
		}}
		tasks := make([]Task, 0, 1000)
		for i := range 1000 {
			id := fmt.Sprintf("s%d", i)
			due := time.Now().Add(-time.Duration(i) * time.Hour)
			if i%10 == 0 {
				due = time.Now().Add(20 * time.Minute)
			}
			tasks = append(tasks, Task{ID: feed.SourceID(id), Host: id, Due: due})
		}
		l.Set(tasks)
		go func() { // reloads, while it runs
			for range 5 {
				time.Sleep(time.Minute)
				l.Set(tasks)
			}
		}()
		run(t, l, 30*time.Minute)
		minutes := map[int]int{}
		for id, at := range j.at {
			if len(at) != 1 {
				t.Errorf("%s polled %d times, at %v", id, len(at), at)
			}
			minutes[int(at[0]/time.Minute)]++
		}
		if len(j.at) != 1000 {
			t.Errorf("%d sources polled, want 1000", len(j.at))
		}
		if minutes[20] != 100 {
			t.Errorf("%d polled at their stored time, want 100", minutes[20])
		}
		for m := range 10 {
			if n := minutes[m]; n < 45 || n > 135 {
				t.Errorf("minute %d: %d polls, want about 90", m, n)
			}
		}
	})
}

// One host that takes a minute an answer delays nobody else, and gets one
// request at a time; the limit over all holds.
func TestLoopSlowHost(t *testing.T) { // F-82 F-88
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var mu sync.Mutex
		slowNow, slowMost := 0, 0
		l := &Loop{Concurrency: 4, Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			if id[0] != 'x' {
				time.Sleep(100 * time.Millisecond)
				return Task{Host: string(id), Due: time.Now().Add(time.Hour)}, true
			}
			mu.Lock()
			slowNow++
			slowMost = max(slowMost, slowNow)
			mu.Unlock()
			time.Sleep(time.Minute)
			mu.Lock()
			slowNow--
			mu.Unlock()
			return Task{Host: "slow", Due: time.Now().Add(time.Hour)}, true
		}}
		var tasks []Task
		for i := range 20 {
			tasks = append(tasks, Task{ID: feed.SourceID(fmt.Sprintf("x%d", i)), Host: "slow"})
			tasks = append(tasks, Task{ID: feed.SourceID(fmt.Sprintf("a%d", i)), Host: fmt.Sprintf("a%d", i)})
		}
		l.Set(tasks)
		run(t, l, 10*time.Minute)
		for i := range 20 {
			id := feed.SourceID(fmt.Sprintf("a%d", i))
			if at := j.at[id]; len(at) != 1 || at[0] > time.Second {
				t.Errorf("%s polled at %v, want once within a second", id, at)
			}
		}
		if slowMost != 1 {
			t.Errorf("%d requests at a time to the slow host, want 1", slowMost)
		}
		if j.most > 4 {
			t.Errorf("%d polls at a time, want at most 4", j.most)
		}
	})
}

// Of what is due, the earliest deadline goes first.
func TestLoopDeadlineFirst(t *testing.T) { // F-82
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Concurrency: 1, Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			time.Sleep(time.Second)
			return Task{}, false
		}}
		base := time.Now().Add(time.Minute)
		l.Set([]Task{
			{ID: "hold", Host: "z", Due: base},
			{ID: "c", Host: "h1", Due: base.Add(3 * time.Millisecond)},
			{ID: "a", Host: "h2", Due: base.Add(1 * time.Millisecond)},
			{ID: "d", Host: "h1", Due: base.Add(4 * time.Millisecond)},
			{ID: "b", Host: "h3", Due: base.Add(2 * time.Millisecond)},
		})
		run(t, l, time.Hour)
		if want := []feed.SourceID{"hold", "a", "b", "c", "d"}; !slices.Equal(j.order, want) {
			t.Errorf("order %v, want %v", j.order, want)
		}
	})
}

// Whoever ends a poll and goes on to another leaves the one that it ended to be
// polled again in time, and begins none when the loop has been told to end (F-82).
func TestLoopGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Concurrency: 3, PerHost: 1, Poll: func(ctx context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			wait := time.Second
			if id != "a" {
				wait = 30 * time.Minute
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			return Task{Host: "h", Due: time.Now().Add(time.Minute)}, true
		}}
		l.Set([]Task{{ID: "a", Host: "h"}, {ID: "b", Host: "h"}})
		l.Drain = 2 * time.Hour
		run(t, l, 20*time.Minute) // b has the host's place from the first second on, and ends after the loop
		if len(j.at["a"]) != 1 || len(j.at["b"]) != 1 {
			t.Errorf("a polled at %v, b at %v: none may begin after the end", j.at["a"], j.at["b"])
		}

		j = newJournal()
		l = &Loop{Concurrency: 3, Poll: func(ctx context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			wait := time.Second
			if id == "long" {
				wait = time.Hour
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			if id == "a" {
				return Task{Host: "other", Due: time.Now().Add(time.Minute)}, true
			}
			return Task{}, false
		}}
		// a and long share a host: long begins when a ends, and a is at another by then.
		l.Set([]Task{{ID: "a", Host: "h", Due: time.Now()}, {ID: "long", Host: "h", Due: time.Now().Add(time.Millisecond)}})
		run(t, l, 10*time.Minute)
		if n := len(j.at["a"]); n < 9 {
			t.Errorf("a polled %d times in ten minutes, at %v", n, j.at["a"])
		}
	})
}

// A host that is held gets nothing until the hold ends, and a shorter hold does
// not shorten it.
func TestLoopHold(t *testing.T) { // F-51
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			return Task{}, false
		}}
		l.Set([]Task{{ID: "a", Host: "h"}, {ID: "b", Host: "other"}})
		l.Hold("h", time.Now().Add(2*time.Hour))
		l.Hold("h", time.Now().Add(time.Minute))
		run(t, l, 3*time.Hour)
		if at := j.at["a"]; !slices.Equal(at, []time.Duration{2 * time.Hour}) {
			t.Errorf("held source polled at %v, want 2h", at)
		}
		if at := j.at["b"]; !slices.Equal(at, []time.Duration{0}) {
			t.Errorf("other source polled at %v, want at once", at)
		}
	})
}

// A due time that a wrong clock wrote, years ahead or past, stalls a source for
// no longer than its interval, and sets no burst off.
func TestStartClamped(t *testing.T) { // F-79
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		task Task
		want time.Duration
	}{
		{"as stored", Task{ID: "a", Due: now.Add(time.Hour), Most: 2 * time.Hour}, time.Hour},
		{"clock went back two days", Task{ID: "a", Due: now.Add(50 * time.Hour), Most: 2 * time.Hour}, 2 * time.Hour},
		{"new", Task{ID: "a"}, 0},
		{"clock went forward two days", Task{ID: "a", Due: now.Add(-46 * time.Hour), Most: 2 * time.Hour}, time.Duration(phase("a", 2) * float64(10*time.Minute))},
	} {
		if got := start(c.task, now, 10*time.Minute).Sub(now); got != c.want {
			t.Errorf("%s: starts in %v, want %v", c.name, got, c.want)
		}
	}
}

// When the Loop is stopped, polls under way end by themselves if they do so in
// time; otherwise their context ends. Run returns after them.
func TestLoopDrains(t *testing.T) {
	for _, c := range []struct {
		name     string
		takes    time.Duration
		canceled bool
		ends     time.Duration
	}{
		{"in time", 5 * time.Second, false, 6 * time.Second},
		{"too slow", time.Hour, true, 11 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var canceled bool
				l := &Loop{Drain: 10 * time.Second, Poll: func(ctx context.Context, _ feed.SourceID) (Task, bool) {
					select {
					case <-time.After(c.takes + time.Second):
					case <-ctx.Done():
						canceled = true
					}
					return Task{}, false
				}}
				l.Set([]Task{{ID: "a"}})
				run(t, l, time.Second)
				if canceled != c.canceled {
					t.Errorf("poll canceled: %t, want %t", canceled, c.canceled)
				}
				if got := time.Since(began); got != c.ends {
					t.Errorf("Run returned after %v, want %v", got, c.ends)
				}
			})
		})
	}
}

// One round polls everything once, each host by itself, and ends.
func TestLoopRunOnce(t *testing.T) { // F-11 F-82
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		l := &Loop{Concurrency: 2, Poll: func(_ context.Context, id feed.SourceID) (Task, bool) {
			j.begin(id)
			defer j.end()
			time.Sleep(time.Second)
			return Task{}, false
		}}
		var tasks []Task
		for i := range 10 {
			tasks = append(tasks, Task{ID: feed.SourceID(fmt.Sprintf("a%d", i)), Host: "one"})
		}
		tasks = append(tasks, Task{ID: "z", Host: "other"})
		l.Set(tasks)
		if err := l.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(j.at) != 11 || time.Since(j.start) != 10*time.Second || j.at["z"][0] != 0 {
			t.Errorf("%d sources in %v, the other host after %v; want 11 in 10 s, at once", len(j.at), time.Since(j.start), j.at["z"])
		}
		if err := l.RunOnce(t.Context()); err != nil { // nothing to do
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		l.Set(tasks)
		if err := l.RunOnce(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a round that is ended: %v", err)
		}
	})
}

// Ten thousand sources that wait cost little memory.
func TestLoopMemory(t *testing.T) {
	tasks := make([]Task, 10_000)
	for i := range tasks {
		id := fmt.Sprintf("source-%d", i)
		tasks[i] = Task{ID: feed.SourceID(id), Host: id + ".example", Due: time.Now().Add(time.Duration(i+1) * time.Hour)}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := &Loop{Spread: 10 * time.Minute}
	l.Set(tasks)
	runtime.GC()
	runtime.ReadMemStats(&after)
	n, polling, waiting, lag := l.Load()
	if n != len(tasks) || polling != 0 || waiting != 0 || lag != 0 {
		t.Errorf("load %d, %d, %d, %v", n, polling, waiting, lag)
	}
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d KiB for %d sources", used>>10, len(tasks))
	if used > 16<<20 {
		t.Errorf("%d MiB for %d sources", used>>20, len(tasks))
	}
}
