package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// soak runs the daemon for long against a farm that lives many times faster than
// the web, with faults, readers, reloads, backups and kills, and holds it to what
// must stay: memory, descriptors and goroutines are flat, and nothing is lost.
type soak struct {
	out   io.Writer
	bench *farmBench
	d     *daemon
	farm  string
	plan  soakPlan
	base  string // of the public side
	admin string

	samples []soakSample
	events  map[string]int
	readers *soakReaders
}

// soakPlan says what happens how often.
type soakPlan struct {
	Length time.Duration
	Speed  float64 // an hour of the farm takes 1 h / Speed
	Feeds  int
	// Kills end with the first third, so that what leaks has time to show.
	Kill, Reload, Backup, Sample time.Duration
}

func runSoak(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	s := &soak{out: out, bench: &farmBench{out: out}, events: map[string]int{}}
	source := flags.String("feedfarm", "", "the feed farm: the folder of its source, which is built, or its program")
	faults := flags.String("faults", "all=0.004", "share of broken feeds, as the farm takes it")
	flags.StringVar(&s.bench.bin, "chancery", "", "the program to measure; default: build it")
	flags.StringVar(&s.bench.dir, "dir", "", "keep the archive and logs there; default: a temporary folder")
	flags.DurationVar(&s.plan.Length, "for", 2*time.Hour, "how long")
	flags.Float64Var(&s.plan.Speed, "speed", 50, "how many times faster than the web the farm lives")
	flags.IntVar(&s.plan.Feeds, "feeds", 1000, "how many feeds")
	flags.DurationVar(&s.plan.Kill, "kill", 5*time.Minute, "kill -9 so often, in the first third")
	flags.DurationVar(&s.plan.Reload, "reload", 3*time.Minute, "reload another configuration so often")
	flags.DurationVar(&s.plan.Backup, "backup", 10*time.Minute, "back up so often, and restore and verify the copy")
	flags.DurationVar(&s.plan.Sample, "sample", 15*time.Second, "look at memory, descriptors and goroutines so often")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *source == "" {
		return errors.New("say where the feed farm's program is: -feedfarm FOLDER")
	}
	p := s.plan
	for _, d := range []time.Duration{p.Length, p.Kill, p.Reload, p.Backup, p.Sample} {
		if d <= 0 {
			return errors.New("every time must be positive")
		}
	}
	if p.Speed <= 0 || p.Feeds <= 0 {
		return errors.New("-speed and -feeds must be positive")
	}
	clean, err := s.bench.prepare(ctx)
	if err != nil {
		return err
	}
	defer clean()
	farm, err := startFarm(ctx, farmPlan{Program: *source, Feeds: p.Feeds, Faults: *faults, Life: p.Length + time.Hour}, s.bench.dir)
	if err != nil {
		return err
	}
	s.farm = farm.address
	err = errors.Join(s.run(ctx), farm.stop())
	if err == nil && s.bench.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", s.bench.missed)
	}
	return err
}

// soakConfig are two configurations that take turns: intervals as much shorter as
// the farm is faster, and one feed more or less.
func (s *soak) config(builtIn string, more bool) string {
	faster := func(d time.Duration) string { return time.Duration(float64(d) / s.plan.Speed).String() }
	c := strings.NewReplacer(
		`metrics_listen = ""`, `metrics_listen = "127.0.0.1:0"`,
		`min_interval = "0s"`, fmt.Sprintf("min_interval = %q\nmax_interval = %q\nquiet_interval = %q", faster(time.Hour), faster(24*time.Hour), faster(24*time.Hour)),
	).Replace(farmConfig) + topicsOf(builtIn)
	if more {
		c += "\n[[feed]]\nid = \"both\"\ntitle = \"Both\"\nquery = 'topic:iran AND topic:iraq'\n"
	}
	return c
}

// run is the soak from the first poll to the last comparison.
func (s *soak) run(ctx context.Context) error {
	opml, _, err := subscriptionsOf(ctx, s.farm)
	if err != nil {
		return err
	}
	if s.d, err = newDaemon(ctx, s.bench.bin, filepath.Join(s.bench.dir, "soak"), opml); err != nil {
		return err
	}
	builtIn, err := exec.CommandContext(ctx, s.bench.bin, "config", "default").Output()
	if err != nil {
		return err
	}
	configs := [2]string{s.config(string(builtIn), false), s.config(string(builtIn), true)}
	if err := s.configure(configs[0]); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	// Once before the farm begins to live: what left a document before it was first
	// asked for is nobody's loss.
	if _, _, err := s.d.round(ctx); err != nil {
		return errors.Join(err, s.d.stop())
	}
	fmt.Fprintf(s.out, "soak of %v: %d feeds, %g times as fast as the web\n", s.plan.Length, s.plan.Feeds, s.plan.Speed)
	live, end := context.WithTimeout(ctx, s.plan.Length)
	defer end()
	s.readers = newSoakReaders(s.base)
	group, live := errgroup.WithContext(live)
	group.Go(func() error { return s.readers.run(live) })
	group.Go(func() error { return s.live(live, ctx, configs) })
	err = group.Wait()
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), s.d.stop())
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(err, s.d.stop())
	}
	return errors.Join(s.reckon(ctx), s.d.stop(), s.verify(ctx))
}

func (s *soak) configure(text string) error {
	return os.WriteFile(filepath.Join(s.d.dir, "config.toml"), []byte(text), 0o644)
}

// start starts the daemon and learns where it listens.
func (s *soak) start(ctx context.Context) error {
	if err := s.d.start(ctx); err != nil {
		return err
	}
	var st struct {
		Daemon struct {
			Listen []string `json:"listen"`
		} `json:"daemon"`
	}
	if err := s.d.query(ctx, &st, "status"); err != nil {
		return err
	}
	if len(st.Daemon.Listen) < 2 {
		return fmt.Errorf("status names %d listeners, want the public one and that of the metrics", len(st.Daemon.Listen))
	}
	s.base, s.admin = st.Daemon.Listen[0], st.Daemon.Listen[1]
	if s.readers != nil {
		s.readers.base.Store(&s.base)
	}
	return nil
}

// live lets the farm live and does to the daemon what years would, until ctx ends.
// The daemon itself lives until whole does: it is asked for what came of all this.
func (s *soak) live(ctx, whole context.Context, configs [2]string) error {
	began := time.Now()
	hour := time.NewTicker(time.Duration(float64(time.Hour) / s.plan.Speed))
	kill, reload := time.NewTicker(s.plan.Kill), time.NewTicker(s.plan.Reload)
	backup, sample := time.NewTicker(s.plan.Backup), time.NewTicker(s.plan.Sample)
	for _, t := range []*time.Ticker{hour, kill, reload, backup, sample} {
		defer t.Stop()
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-hour.C:
			s.events["hours of the farm"]++
			err = get(ctx, s.farm+"/ctl/advance?new=1&feeds=0.05&edits=1&syndicate=0.2", nil)
		case <-reload.C:
			s.events["reloads"]++
			if err = s.configure(configs[s.events["reloads"]%2]); err == nil {
				err = s.d.cmd.Process.Signal(syscall.SIGHUP)
			}
		case <-backup.C:
			err = s.backUp(ctx)
		case <-kill.C:
			if time.Since(began) < s.plan.Length/3 {
				err = s.kill(whole)
			}
		case <-sample.C:
			err = s.sample(ctx, time.Since(began))
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// kill ends the daemon as a power cut ends a process, and starts it again: what it
// had told is there.
func (s *soak) kill(ctx context.Context) error {
	var before, after farmStatus
	if err := s.d.query(ctx, &before, "status"); err != nil {
		return err
	}
	s.readers.pause()
	defer s.readers.resume()
	if err := s.d.kill(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.d.query(ctx, &after, "status"); err != nil {
		return err
	}
	s.events["kills"]++
	if after.Archive.Items < before.Archive.Items || after.Archive.Records < before.Archive.Records {
		s.events["kills that lost something"]++
		fmt.Fprintf(s.out, "LOST by kill -9: %d of %d items, %d of %d records\n", after.Archive.Items, before.Archive.Items, after.Archive.Records, before.Archive.Records)
	}
	return nil
}

// backUp makes a copy while the daemon works, and a sound archive of it.
func (s *soak) backUp(ctx context.Context) error {
	file, there := filepath.Join(s.bench.dir, "copy"), filepath.Join(s.bench.dir, "restored")
	defer os.RemoveAll(there)
	defer os.Remove(file)
	if _, err := s.d.run(ctx, "backup", file); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, s.bench.bin, "--config", filepath.Join(s.d.dir, "config.toml"), "--data", there, "--socket", filepath.Join(there, "none"), "restore", file)
	if b, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w: %s", err, b)
	}
	s.events["backups restored and verified"]++
	return nil
}

// reckon compares what there is with what must be.
func (s *soak) reckon(ctx context.Context) error {
	if _, _, err := s.d.round(ctx); err != nil { // whoever was not due yet
		return err
	}
	var truth struct {
		Items []struct {
			Feed int    `json:"feed"`
			GUID string `json:"guid"`
		} `json:"items"`
		Faults map[string]string `json:"fault_feeds"`
	}
	if err := get(ctx, s.farm+"/ctl/truth", &truth); err != nil {
		return err
	}
	posts, ids := map[string]int64{}, map[string][]string{}
	for _, it := range truth.Items {
		i := fmt.Sprint(it.Feed)
		posts[i]++
		ids[i] = append(ids[i], it.GUID)
	}
	sources, err := s.d.sources(ctx)
	if err != nil {
		return err
	}
	// Where one feed says 429 the whole host is left alone (CONFORMANCE F-51): what the
	// others have brought since then is not lost, but not asked for yet either.
	held := map[string]bool{}
	for _, src := range sources {
		if truth.Faults[feedIndex(src.URL)] == "limit429" {
			held[hostOf(src.URL)] = true
		}
	}
	var want, have int64
	for _, src := range sources {
		i := feedIndex(src.URL)
		if truth.Faults[i] != "" {
			continue
		}
		if held[hostOf(src.URL)] {
			s.events["sound feeds not compared: their host says 429"]++
			continue
		}
		want += posts[i]
		have += min(src.Items, posts[i])
		if src.Items != posts[i] {
			fmt.Fprintf(s.out, "    %s has %d posts, %d are right: %s; without %q\n", src.URL, src.Items, posts[i], src.name(), s.without(ctx, src.ID, ids[i]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.events)) {
		s.bench.say(name, float64(s.events[name]), "")
	}
	s.bench.same("kills that lost something", int64(s.events["kills that lost something"]), 0)
	s.bench.same("posts of sound feeds in the archive", have, want)
	s.readers.report(s.bench)
	s.flat()
	return nil
}

// hostOf is the host of an address, with its port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// without are the ids that a source's items do not have.
func (s *soak) without(ctx context.Context, source string, ids []string) []string {
	b, err := s.d.run(ctx, "export", "source:"+source, "--format", "jsonl")
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	for _, id := range ids {
		quoted, err := json.Marshal(id)
		if err != nil || !bytes.Contains(b, append([]byte(`"guid":`), quoted...)) {
			missing = append(missing, id)
		}
	}
	return missing
}

// verify checks the archive once the daemon has ended.
func (s *soak) verify(ctx context.Context) error {
	b, err := s.d.run(ctx, "verify", "--deep")
	if err == nil {
		fmt.Fprintf(s.out, "verify --deep: %s", b)
	}
	return err
}
