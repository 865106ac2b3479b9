package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// feedsBench measures what feeds cost a daemon that serves them to many readers,
// beside a bare server that sends the same header fields and bytes from memory.
type feedsBench struct {
	farmBench
	seed   uint64
	posts  int
	last   time.Duration
	made   int
	target string // host:port of the daemon
	d      *daemon
}

// Connections of the load: one client has at most 128 to a daemon.
const (
	fastReaders = 32
	slowReaders = 64
)

func runFeeds(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("feeds", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	f := &feedsBench{farmBench: farmBench{out: out}}
	flags.StringVar(&f.bin, "bin", "", "the chancery to measure; default: built from here")
	flags.StringVar(&f.dir, "dir", "", "where the archive is made; default: a temporary folder")
	flags.IntVar(&f.posts, "posts", 6000, "how many posts to make")
	flags.Uint64Var(&f.seed, "seed", 1, "of the posts and the requests")
	flags.DurationVar(&f.last, "for", 10*time.Second, "how long each load lasts")
	flags.IntVar(&f.made, "expressions", 10_000, "how many different boolean feeds to ask for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if f.posts < 500 || f.last <= 0 || f.made < 1 || f.made > topics*(topics-1) {
		return fmt.Errorf("at least 500 posts, a time, and from 1 to %d expressions", topics*(topics-1))
	}
	clean, err := f.prepare(ctx)
	if err != nil {
		return err
	}
	defer clean()
	if err := f.fill(ctx); err != nil {
		return fmt.Errorf("make the archive: %w", err)
	}
	if err := f.d.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.d.stop()) }()
	if err := f.measure(ctx); err != nil {
		return err
	}
	if f.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", f.missed)
	}
	return nil
}

// fill makes an archive of posts that have their topics already, and a
// configuration with these topics and without polls.
func (f *feedsBench) fill(ctx context.Context) (err error) {
	f.d = &daemon{bin: f.bin, dir: f.dir}
	var config strings.Builder
	config.WriteString("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n[fetch]\ncontact = \"https://example.org/bench\"\n")
	for i := range topics {
		fmt.Fprintf(&config, "[[topic]]\nid = %q\nname = \"Topic %d\"\nmatch = \"nothing%d\"\n", topicID(i), i, i)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "config.toml"), []byte(config.String()), 0o600); err != nil {
		return err
	}
	a, err := bolt.Open(ctx, filepath.Join(f.dir, "data"), bolt.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	var edits []store.Edit
	for i := range sources {
		id := sourceID(i)
		edits = append(edits, store.Edit{Kind: store.KindSource, Source: &store.Source{
			ID: id, URL: fmt.Sprintf("https://%s.example.com/feed", id), Site: fmt.Sprintf("https://%s.example.com/", id),
			Title: fmt.Sprintf("Blog %d", i), Origin: "command", Disabled: true,
		}})
	}
	if err := a.Change(ctx, edits); err != nil {
		return err
	}
	b := newBlogosphere(f.seed, f.posts)
	for n := range f.posts {
		it, _ := b.item(n)
		h := feed.DigestOf([]byte(it.Native))
		key := store.Key{Class: store.KeyGUID}
		copy(key.Hash[:], h[:])
		_, err := a.Append(ctx, store.Batch{Source: it.Source, At: it.FirstSeen, Drafts: []store.Draft{{
			Entry: it.Entry, Native: it.Native, Method: "guid", Keys: []store.Key{key}, Version: h, Topics: it.Topics, Part: -1,
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// paths are the feeds that readers ask for: of topics in every format, of sources,
// of combinations, and of all.
func (f *feedsBench) paths() []string {
	out := []string{"/feeds/all.atom", "/feeds/all.rss", "/feeds/all.json"}
	for i := range topics {
		for _, format := range []string{"atom", "rss", "json"} {
			out = append(out, fmt.Sprintf("/feeds/%s.%s", topicID(i), format))
		}
	}
	for i := range 100 {
		out = append(out, fmt.Sprintf("/feeds/source/%s.atom", sourceID(i)))
		out = append(out, fmt.Sprintf("/feeds/%s+%s.atom", topicID(i), topicID(i+1)))
	}
	return out
}

func (f *feedsBench) measure(ctx context.Context) error {
	var st farmStatus
	if err := f.d.query(ctx, &st, "status"); err != nil {
		return err
	}
	if len(st.Daemon.Listen) == 0 {
		return errors.New("the daemon does not say where it listens")
	}
	f.target = strings.TrimPrefix(st.Daemon.Listen[0], "http://")
	pid := f.d.cmd.Process.Pid
	fmt.Fprintf(f.out, "%d posts, %d processors\n", f.posts, runtime.NumCPU())

	paths := f.paths()
	before, err := f.d.cpu(ctx, 2*time.Second) // archive documents and index of a new archive are made
	if err != nil {
		return err
	}
	pages, err := capture(ctx, f.target, paths)
	if err != nil {
		return err
	}
	after, err := processCPU(pid)
	if err != nil {
		return err
	}
	f.say("feeds that are asked for", float64(len(paths)), "")
	bytes := 0
	for i := range pages {
		bytes += len(pages[i].body)
	}
	f.say("a feed as gzip, mean", float64(bytes)/float64(len(pages))/1000, "KB")
	f.say("made once, with gzip, over HTTP", (after-before).Seconds()*1000/float64(len(paths)), "CPU ms each")

	b, err := startBare(ctx, pages)
	if err != nil {
		return err
	}
	defer b.stop()
	for _, l := range []struct {
		name string
		pick func(r *rand.Rand, p *page) bool // whether the request is conditional
	}{
		{"304", func(*rand.Rand, *page) bool { return true }},
		{"gzip", func(*rand.Rand, *page) bool { return false }},
		{"three of four are conditional", func(r *rand.Rand, _ *page) bool { return r.IntN(4) > 0 }},
	} {
		// In turns, so that both have the same neighbors.
		var own, bound load
		for turn := range 4 {
			into, address, process := &own, f.target, pid
			if turn%2 == 1 {
				into, address, process = &bound, b.address, b.cmd.Process.Pid
			}
			if err := into.run(ctx, address, process, pages, fastReaders, f.last/4, l.pick); err != nil {
				return err
			}
		}
		if own.failed+bound.failed > 0 {
			return errors.New(own.first + bound.first)
		}
		f.report(l.name, &own, &bound)
	}
	if err := f.mixed(ctx, pages); err != nil {
		return err
	}
	return f.expressions(ctx)
}

func (f *feedsBench) report(name string, own, bound *load) {
	f.say(name+": requests a second, daemon and client on one machine", own.rate(), "")
	f.say(name+": daemon", own.each(), "CPU µs each")
	f.say(name+": bare server", bound.each(), "CPU µs each")
	f.atMost(name+": daemon / bare", own.each()/bound.each(), "", 1.3)
}

// mixed is the whole load: readers as they are, some of them very slow, and some
// that ask for what they may not.
func (f *feedsBench) mixed(ctx context.Context, pages []page) error {
	around, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	slow := make([]error, slowReaders)
	for i := range slow {
		wg.Go(func() { slow[i] = crawl(around, f.target, pages[i%len(pages)].path) })
	}
	rude := 0
	wg.Go(func() { rude = insult(around, f.target) })
	f.d.peak(ctx)
	var all load
	err := all.run(ctx, f.target, f.d.cmd.Process.Pid, pages, fastReaders, f.last, func(r *rand.Rand, _ *page) bool { return r.IntN(4) > 0 })
	stop()
	wg.Wait()
	if err != nil {
		return err
	}
	f.atLeast(fmt.Sprintf("mixed feeds, with %d slow readers: requests a second", slowReaders), all.rate(), "", 10_000)
	f.same("mixed feeds: wrong or failed answers", all.failed, 0)
	if all.first != "" {
		fmt.Fprintln(f.out, all.first)
	}
	f.say("mixed feeds: requests", float64(all.n), "")
	f.say("mixed feeds: daemon", all.each(), "CPU µs each")
	f.say("headers of 24 KB refused with 431 meanwhile", float64(rude), "")
	f.say("mixed feeds: peak RssAnon", float64(f.d.peak(ctx))/1e6, "MB")
	return nil
}

// expressions asks for boolean feeds that are all different.
func (f *feedsBench) expressions(ctx context.Context) error {
	r := rand.New(rand.NewPCG(f.seed, 5))
	seen := map[[2]int]bool{}
	paths := make([]string, 0, f.made)
	for len(paths) < f.made {
		a, b := r.IntN(topics), r.IntN(topics)
		if a == b || seen[[2]int{a, b}] {
			continue
		}
		seen[[2]int{a, b}] = true
		if a < b {
			paths = append(paths, fmt.Sprintf("/feeds/%s+%s.atom", topicID(a), topicID(b)))
		} else {
			paths = append(paths, fmt.Sprintf("/feeds/%s!%s.atom", topicID(a), topicID(b)))
		}
	}
	f.d.peak(ctx)
	rest, err := anon(f.d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	used, err := processCPU(f.d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	begin := time.Now()
	answers, err := askEach(ctx, f.target, paths, 8)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	now, err := processCPU(f.d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	f.say(fmt.Sprintf("%d different expressions: seconds", f.made), took.Seconds(), "s")
	f.atMost("one expression", (now-used).Seconds()*1000/float64(f.made), "CPU ms", 6) // 10,000 a minute on one core
	f.same("expressions answered with 200, or 503 and Retry-After", int64(answers[http.StatusOK]+answers[http.StatusServiceUnavailable]), int64(f.made))
	f.say("of these with 503", float64(answers[http.StatusServiceUnavailable]), "")
	f.say("RssAnon before them", float64(rest)/1e6, "MB")
	f.say("peak RssAnon", float64(f.d.peak(ctx))/1e6, "MB")
	return nil
}

// atLeast prints a value that must reach a bound.
func (f *feedsBench) atLeast(name string, value float64, unit string, bound float64) {
	verdict := "reached"
	if value < bound {
		verdict = "MISSED"
		f.missed++
	}
	fmt.Fprintf(f.out, "%-58s %10.4g %-8s bound ≥ %g: %s\n", name, value, unit, bound, verdict)
}
