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

// loadBench measures, under the load that an operator's daemon has, only more of it,
// how long a commit takes and how soon a new post is in the feeds and found. The daemon
// polls the feeds of a farm by its own schedule, each every few seconds in place of every
// hour; each second some of them have a new post, some have edited one, and new posts are
// copied to others. The whole pipeline and the index are behind it, while readers ask for
// feeds, pages and searches.
type loadBench struct {
	farmBench
	plan   farmPlan
	length time.Duration
	every  time.Duration // a feed is polled
	posts  int           // single ones, whose way is timed, at rest

	d     *daemon
	farm  string
	base  string // of the public side
	admin string
}

// Goals of a commit and of one new post (FIGURES part 0), in milliseconds at the 99th
// percentile.
const (
	mostCommit  = 50
	mostArrival = 1000
	mostFlushed = 50
)

// volumePage is how much a commit writes at least.
const volumePage = 64 << 10

func runLoad(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	l := &loadBench{farmBench: farmBench{out: out}}
	flags.StringVar(&l.plan.Program, "farm", "", "the feed farm: the folder of its source, which is built, or its program")
	flags.IntVar(&l.plan.Feeds, "feeds", 1000, "how many feeds")
	flags.DurationVar(&l.length, "for", 40*time.Second, "how long the load lasts")
	flags.DurationVar(&l.every, "every", 30*time.Second, "how often the daemon polls each feed")
	flags.IntVar(&l.posts, "posts", 200, "single new posts whose way is timed while nothing else is done")
	flags.StringVar(&l.bin, "chancery", "", "the program to measure; default: build it")
	flags.StringVar(&l.dir, "dir", "", "keep the archive and logs there; default: a temporary folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if l.plan.Program == "" || l.plan.Feeds < 1 || l.length <= 0 || l.every < time.Second || l.posts < 1 {
		return errors.New("say where the feed farm is: -farm FOLDER; -feeds, -for and -posts must be positive, -every a second or more")
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

// configure has the daemon show its metrics, bear many requests of one client, and poll
// so often.
func (l *loadBench) configure() error {
	name := filepath.Join(l.d.dir, "config.toml")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		`metrics_listen = ""`, "metrics_listen = \"127.0.0.1:0\"\nclient_rate = 0",
		`min_interval = "0s"`, fmt.Sprintf("min_interval = %[1]q\nmax_interval = %[1]q\nquiet_interval = %[1]q", l.every.String()),
	).Replace(string(b))
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
	// A daemon with new sources begins by itself.
	truth, err := truthOf(ctx, l.farm)
	if err != nil {
		return err
	}
	for began := time.Now(); st.Archive.Items < int64(truth.Visible); {
		if time.Since(began) > farmPatience {
			return fmt.Errorf("%d of %d posts have arrived after %v", st.Archive.Items, truth.Visible, farmPatience)
		}
		time.Sleep(time.Second)
		if err := l.d.query(ctx, &st, "status"); err != nil {
			return err
		}
	}
	if _, err := l.d.cpu(ctx, 2*time.Second); err != nil { // the index comes behind
		return err
	}
	fmt.Fprintf(l.out, "\n%d feeds polled for the first time, all at once\n", feeds)
	first, err := l.counts(ctx)
	if err != nil {
		return err
	}
	l.say("posts", float64(st.Archive.Items), "")
	l.report(first, false)

	fmt.Fprintf(l.out, "\none new post, and nothing else is new\n")
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
	live, end := context.WithTimeout(ctx, l.length)
	defer end()
	readers := newSoakReaders(l.base)
	group, live := errgroup.WithContext(live)
	group.Go(func() error { return readers.run(live) })
	group.Go(func() error {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			if err := get(ctx, l.farm+"/ctl/advance?new=1&feeds=0.01&edits=1&syndicate=0.2", nil); err != nil {
				return err
			}
			select {
			case <-live.Done():
				return context.Cause(live)
			case <-second.C:
			}
		}
	})
	var times *postTimes
	group.Go(func() (err error) {
		times, err = way.times(ctx, 1<<20, 100*time.Millisecond, live.Done())
		return err
	})
	var busy bareSyncs
	group.Go(func() (err error) {
		busy, err = syncFile(live, l.d.dir, volumePage, 0, 100*time.Millisecond)
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
	fmt.Fprintf(l.out, "\n%v of load: each feed polled every %v, a new post in 1 %% of them and as many edits each second; %d readers\n", l.length, l.every, soakReaderCount)
	l.say("polls", float64(after.polls-before.polls), "")
	l.say("posts in the archive then", float64(st.Archive.Items), "")
	l.say("the daemon, CPU", (after.cpu - before.cpu).Seconds(), "s")
	readers.report(&l.farmBench)
	l.report(after.since(before), true)
	fmt.Fprintf(l.out, "one new post in the midst of that\n")
	times.report(&l.farmBench, mostArrival)
	quiet, err := syncFile(ctx, l.d.dir, volumePage, 500, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(l.out, "a write and fdatasync of %d KiB in the same directory: what the disk takes for one of the two that a commit waits for\n", volumePage>>10)
	busy.report(&l.farmBench, "under the same load, ten a second")
	quiet.report(&l.farmBench, "after it, one after the other")
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
