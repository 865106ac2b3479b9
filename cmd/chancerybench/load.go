package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// loadBench measures, under the load of an operator's daemon, how long a commit takes
// and how soon a new post is in the feeds and found: all feeds of a farm are polled
// round after round, of which every fifth has news each time, with the whole pipeline
// and the index behind it, while readers ask for feeds, pages and searches.
type loadBench struct {
	farmBench
	plan   farmPlan
	length time.Duration
	posts  int // single ones, whose way is timed, at rest

	d     *daemon
	farm  string
	base  string // of the public side
	admin string
}

// Goals of a commit and of one new post (FIGURES part 0, issue "an archive that can be
// trusted").
const (
	mostCommit  = 50 // ms, p99
	mostArrival = 1000
	mostFlushed = 50
)

func runLoad(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	l := &loadBench{farmBench: farmBench{out: out}}
	flags.StringVar(&l.plan.Program, "farm", "", "the feed farm: the folder of its source, which is built, or its program")
	flags.IntVar(&l.plan.Feeds, "feeds", 1000, "how many feeds")
	flags.DurationVar(&l.length, "for", 40*time.Second, "how long the load lasts")
	flags.IntVar(&l.posts, "posts", 200, "single new posts whose way is timed while nothing else is done")
	flags.StringVar(&l.bin, "chancery", "", "the program to measure; default: build it")
	flags.StringVar(&l.dir, "dir", "", "keep the archive and logs there; default: a temporary folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if l.plan.Program == "" || l.plan.Feeds < 1 || l.length <= 0 || l.posts < 1 {
		return errors.New("say where the feed farm is: -farm FOLDER; -feeds, -for and -posts must be positive")
	}
	clean, err := l.prepare(ctx)
	if err != nil {
		return err
	}
	defer clean()
	l.plan.Life = l.length + time.Hour
	farm, err := startFarm(ctx, l.plan, l.dir)
	if err != nil {
		return err
	}
	l.farm = farm.address
	err = errors.Join(l.run(ctx), farm.stop())
	if err == nil && l.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", l.missed)
	}
	return err
}

// run measures from the first poll on.
func (l *loadBench) run(ctx context.Context) error {
	opml, urls, err := subscriptionsOf(ctx, l.farm)
	if err != nil {
		return err
	}
	news := newNewsFeed()
	defer news.close()
	list := strings.Replace(string(opml), "</body>", fmt.Sprintf("<outline type=\"rss\" text=\"News\" xmlUrl=%q/>\n</body>", news.url()), 1)
	if l.d, err = newDaemon(ctx, l.bin, filepath.Join(l.dir, "load"), []byte(list)); err != nil {
		return err
	}
	if err := l.configure(); err != nil {
		return err
	}
	if err := l.d.start(ctx); err != nil {
		return err
	}
	return errors.Join(l.measure(ctx, news, len(urls)), l.d.stop())
}

// configure has the daemon show its metrics and bear many requests of one client.
func (l *loadBench) configure() error {
	name := filepath.Join(l.d.dir, "config.toml")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := strings.Replace(string(b), `metrics_listen = ""`, "metrics_listen = \"127.0.0.1:0\"\nclient_rate = 0", 1)
	return os.WriteFile(name, []byte(text), 0o644)
}

func (l *loadBench) measure(ctx context.Context, news *newsFeed, feeds int) error {
	var st farmStatus
	if err := l.d.query(ctx, &st, "status"); err != nil {
		return err
	}
	if len(st.Daemon.Listen) < 2 {
		return fmt.Errorf("status names %d listeners, want the public one and that of the metrics", len(st.Daemon.Listen))
	}
	l.base, l.admin = st.Daemon.Listen[0], st.Daemon.Listen[1]
	var none commitCounts
	if _, _, err := l.d.round(ctx); err != nil { // a daemon with new sources begins by itself; this waits for all
		return err
	}
	if _, err := l.d.cpu(ctx, farmQuiet); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "\n%d feeds polled for the first time, all at once\n", feeds)
	first, err := l.counts(ctx)
	if err != nil {
		return err
	}
	if err := l.d.query(ctx, &st, "status"); err != nil {
		return err
	}
	l.say("posts", float64(st.Archive.Items), "")
	l.report(first.since(none), false)

	fmt.Fprintf(l.out, "\none new post, and nothing else to do\n")
	way := &newPost{news: news, base: l.base, socket: filepath.Join(l.d.dir, "data", "control.sock")}
	if way.source, err = l.sourceAt(ctx, news.url()); err != nil {
		return err
	}
	rest, err := way.times(ctx, l.posts, 20*time.Millisecond, nil)
	if err != nil {
		return err
	}
	// Nobody need ask for anything to be flushed: what is written waits for no more to come.
	rest.report(&l.farmBench, mostFlushed)
	if _, err := l.d.cpu(ctx, 2*time.Second); err != nil {
		return err
	}
	return l.underLoad(ctx, way)
}

// sourceAt is the id of the source with an address.
func (l *loadBench) sourceAt(ctx context.Context, address string) (string, error) {
	sources, err := l.d.sources(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range sources {
		if s.URL == address {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("the daemon does not have the source %s", address)
}

// underLoad is the load, and what was measured in it.
func (l *loadBench) underLoad(ctx context.Context, way *newPost) error {
	before, err := l.counts(ctx)
	if err != nil {
		return err
	}
	size := before.bytes / max(before.sync.count(), 1)
	live, end := context.WithTimeout(ctx, l.length)
	defer end()
	readers := newSoakReaders(l.base)
	group, live := errgroup.WithContext(live)
	rounds, polls := 0, 0
	group.Go(func() error { return readers.run(live) })
	group.Go(func() error {
		for live.Err() == nil {
			if err := get(ctx, l.farm+"/ctl/advance?new=1&feeds=0.2&edits=0.5&syndicate=0.2", nil); err != nil {
				return err
			}
			var r farmRound
			if err := l.d.query(ctx, &r, "poll", "--all"); err != nil {
				return err
			}
			rounds, polls = rounds+1, polls+r.Sources
		}
		return context.Cause(live)
	})
	var times *postTimes
	group.Go(func() (err error) {
		times, err = way.times(ctx, 1<<20, 100*time.Millisecond, live.Done())
		return err
	})
	var busy bareSyncs
	group.Go(func() (err error) {
		busy, err = syncFile(live, l.d.dir, size, 0, 100*time.Millisecond)
		return err
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	after, err := l.counts(ctx)
	if err != nil {
		return err
	}
	var st farmStatus
	if err := l.d.query(ctx, &st, "status"); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "\n%v of load: rounds of all feeds, new posts in a fifth of them each time; %d readers\n", l.length, soakReaderCount)
	l.say("rounds", float64(rounds), "")
	l.say("polls", float64(polls), "")
	l.say("posts in the archive then", float64(st.Archive.Items), "")
	readers.report(&l.farmBench)
	l.report(after.since(before), true)
	fmt.Fprintf(l.out, "one new post in the midst of that\n")
	times.report(&l.farmBench, mostArrival)
	if _, err := l.d.cpu(ctx, 2*time.Second); err != nil {
		return err
	}
	quiet, err := syncFile(ctx, l.d.dir, size, 500, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(l.out, "a write and fdatasync of %.0f KB, beside it: what the disk takes for one of four that a commit needs\n", float64(size)/1e3)
	busy.report(&l.farmBench, "under the same load, ten a second")
	quiet.report(&l.farmBench, "on the quiet machine, one after the other")
	return nil
}

// report prints what commits took.
func (l *loadBench) report(c commitCounts, bound bool) {
	l.say("commits", float64(c.sync.count()), "")
	l.say("batches in them", float64(c.commit.count()), "")
	l.say("a commit, from handing over to durable, p50", 1000*c.commit.quantile(0.5), "ms")
	p99 := 1000 * c.commit.quantile(0.99)
	if bound {
		l.atMost("a commit, from handing over to durable, p99", p99, "ms", mostCommit)
	} else {
		l.say("a commit, from handing over to durable, p99", p99, "ms")
	}
	l.say("  of all, within 50 ms", 100*c.commit.share(0.05), "%")
	l.say("  of it writing and syncing the files, p50", 1000*c.sync.quantile(0.5), "ms")
	l.say("  of it writing and syncing the files, p99", 1000*c.sync.quantile(0.99), "ms")
}
