package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// soakSample is what the daemon holds at one moment.
type soakSample struct {
	At                      time.Duration // since the soak began
	Process                 int           // pid: kills begin another
	Anon                    int64         // RssAnon, bytes
	Descriptors, Goroutines int64
}

// sample looks at the daemon and keeps what it sees.
func (s *soak) sample(ctx context.Context, at time.Duration) error {
	pid := s.d.cmd.Process.Pid
	m := soakSample{At: at, Process: pid}
	var err error
	if m.Anon, err = anon(pid); err != nil {
		return err
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	m.Descriptors = int64(len(list))
	var metrics []byte
	if err := get(ctx, s.admin+"/metrics", &metrics); err != nil {
		return err
	}
	if m.Goroutines, err = metric(metrics, "go_goroutines"); err != nil {
		return err
	}
	s.samples = append(s.samples, m)
	return nil
}

// metric is the value of a metric, whose labels are part of its name.
func metric(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(string(value)), 64)
			return int64(f), err
		}
	}
	return 0, fmt.Errorf("/metrics does not have %s", name)
}

// settled is from which age on a process is held to be flat: before, it fills its
// caches.
const settled = 15 * time.Minute

// flat holds the last quarter of the last process's life to the quarter before
// the half of it: what leaks grows between them.
func (s *soak) flat() {
	if len(s.samples) == 0 {
		return
	}
	last := s.samples[len(s.samples)-1].Process
	life := slices.DeleteFunc(slices.Clone(s.samples), func(m soakSample) bool { return m.Process != last })
	n := len(life)
	if n < 8 {
		fmt.Fprintf(s.out, "only %d samples of the last process: too few to say whether it grows\n", n)
		return
	}
	early, late := life[n/4:n/2], life[n-n/4:]
	for _, of := range []struct {
		name  string
		value func(soakSample) int64
		scale float64
		unit  string
		slack float64 // what a reader or a poll more may hold at the moment of a look
	}{
		{"RssAnon", func(m soakSample) int64 { return m.Anon }, 1.0 / mebibyte, "MiB", 16},
		{"descriptors", func(m soakSample) int64 { return m.Descriptors }, 1, "", 40},
		{"goroutines", func(m soakSample) int64 { return m.Goroutines }, 1, "", 80},
	} {
		was, is := of.scale*median(early, of.value), of.scale*median(late, of.value)
		s.bench.say(of.name+", median of the second quarter", was, of.unit)
		if late[0].At-life[0].At < settled {
			s.bench.say(of.name+", median of the last quarter", is, of.unit)
			continue
		}
		s.bench.atMost(of.name+", median of the last quarter", is, of.unit, was*1.1+of.slack)
	}
}

func median(list []soakSample, value func(soakSample) int64) float64 {
	all := make([]int64, len(list))
	for i, m := range list {
		all[i] = value(m)
	}
	slices.Sort(all)
	return float64(all[len(all)/2])
}
