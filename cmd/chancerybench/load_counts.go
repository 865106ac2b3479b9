package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// commitCounts is what the daemon's metrics say of its commits.
type commitCounts struct {
	commit, sync histogram
	polls        int64
	cpu          time.Duration // of the daemon
}

func (l *loadBench) counts(ctx context.Context) (c commitCounts, err error) {
	var text []byte
	if err := get(ctx, l.admin+"/metrics", &text); err != nil {
		return c, err
	}
	for name, h := range map[string]*histogram{"chancery_archive_commit_seconds": &c.commit, "chancery_archive_sync_seconds": &c.sync} {
		if *h, err = readHistogram(text, name); err != nil {
			return c, err
		}
	}
	for _, outcome := range []string{"fetched", "not_modified", "unchanged", "failed", "not_stored"} {
		n, err := metric(text, fmt.Sprintf("chancery_polls_total{outcome=%q}", outcome))
		if err != nil {
			return c, err
		}
		c.polls += n
	}
	c.cpu, err = processCPU(l.d.cmd.Process.Pid)
	return c, err
}

// since is what was counted of commits after an earlier look.
func (c commitCounts) since(before commitCounts) commitCounts {
	c.commit, c.sync = c.commit.since(before.commit), c.sync.since(before.sync)
	return c
}

// histogram is one of a daemon's metrics: how many observations were at most so large.
type histogram struct {
	bounds []float64 // seconds, the last one infinite
	below  []int64
}

func readHistogram(text []byte, name string) (h histogram, err error) {
	for line := range bytes.Lines(text) {
		rest, ok := strings.CutPrefix(string(line), name+`_bucket{le="`)
		if !ok {
			continue
		}
		bound, count, _ := strings.Cut(strings.TrimSpace(rest), `"} `)
		le, err1 := strconv.ParseFloat(bound, 64)
		n, err2 := strconv.ParseFloat(count, 64)
		if err := errors.Join(err1, err2); err != nil {
			return h, fmt.Errorf("/metrics: %s: %w", name, err)
		}
		h.bounds, h.below = append(h.bounds, le), append(h.below, int64(n))
	}
	if len(h.bounds) == 0 || !math.IsInf(h.bounds[len(h.bounds)-1], 1) {
		return h, fmt.Errorf("/metrics does not have %s", name)
	}
	return h, nil
}

func (h histogram) count() int64 {
	if len(h.below) == 0 {
		return 0
	}
	return h.below[len(h.below)-1]
}

func (h histogram) since(before histogram) histogram {
	out := histogram{h.bounds, slices.Clone(h.below)}
	for i := range before.below {
		out.below[i] -= before.below[i]
	}
	return out
}

// quantile is between the bounds of a bucket in proportion, as Prometheus has it; the
// last bound that there is for what is above.
func (h histogram) quantile(q float64) float64 {
	rank := q * float64(h.count())
	from, low := int64(0), 0.0
	for i, n := range h.below {
		if float64(n) < rank {
			from, low = n, h.bounds[i]
			continue
		}
		if math.IsInf(h.bounds[i], 1) || n == from {
			return low
		}
		return low + (h.bounds[i]-low)*(rank-float64(from))/float64(n-from)
	}
	return low
}

// share is how many of all were at most a bound that there is.
func (h histogram) share(bound float64) float64 {
	for i, b := range h.bounds {
		if b == bound {
			return ratio(int(h.below[i]), int(h.count()))
		}
	}
	return math.NaN()
}

// bareSyncs are how long writes of one size took with their sync.
type bareSyncs []time.Duration

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// syncFile appends to a file in dir and syncs it, so often, or 0: until ctx ends, with
// a rest after each: what any program would wait for on this disk.
func syncFile(ctx context.Context, dir string, size, times int, rest time.Duration) (took bareSyncs, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(filepath.Clean(f.Name()))) }()
	block := bytes.Repeat([]byte("chancery"), size/8)
	for ctx.Err() == nil && (times == 0 || len(took) < times) {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return took, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
		pause(ctx, rest)
	}
	return took, nil
}

func (b bareSyncs) report(to *farmBench, when string) {
	if len(b) == 0 {
		return
	}
	to.say(when+", p50", millis(quantile(b, 0.5)), "ms")
	to.say(when+", p99", millis(quantile(b, 0.99)), "ms")
}
