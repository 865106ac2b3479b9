package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// farmBench measures the whole program, as a process, against a feed farm.
type farmBench struct {
	out    io.Writer
	bin    string
	dir    string
	rounds int
	idle   int
	missed int
}

func runFarm(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("farm", flag.ContinueOnError)
	sound := flags.String("farm", "", "address of a feed farm without faults, just started; empty: leave rounds out")
	faulty := flags.String("faulty", "", "address of a feed farm with -faults; empty: leave faults out")
	f := &farmBench{out: out}
	flags.StringVar(&f.bin, "chancery", "", "the program to measure; default: build it")
	flags.StringVar(&f.dir, "dir", "", "keep the archives and logs there; default: a temporary folder")
	flags.IntVar(&f.rounds, "rounds", 10, "rounds in which nothing is new")
	flags.IntVar(&f.idle, "idle", 10_000, "feeds of the daemon that only waits; 0: leave it out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if f.rounds < 1 || f.idle < 0 || *sound == "" && *faulty == "" && f.idle == 0 {
		return errors.New("nothing to measure: say -farm, -faulty or -idle, and at least one round")
	}
	clean, err := f.prepare(ctx)
	if err != nil {
		return err
	}
	defer clean()
	if *sound != "" {
		if err := f.soundFeeds(ctx, *sound); err != nil {
			return err
		}
	}
	if f.idle > 0 {
		if err := f.idleFeeds(ctx); err != nil {
			return err
		}
	}
	if *faulty != "" {
		if err := f.faultyFeeds(ctx, *faulty); err != nil {
			return err
		}
	}
	if f.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", f.missed)
	}
	return nil
}

// prepare makes the folder and the program, if none was named; clean takes away
// what it made.
func (f *farmBench) prepare(ctx context.Context) (clean func(), err error) {
	clean = func() {}
	if f.dir == "" {
		temp, err := os.MkdirTemp("", "chancerybench-")
		if err != nil {
			return nil, err
		}
		clean = func() { _ = os.RemoveAll(temp) }
		f.dir = temp
	}
	if f.bin == "" {
		f.bin = filepath.Join(f.dir, "chancery")
		build := exec.CommandContext(ctx, "go", "build", "-o", f.bin, "chancery/cmd/chancery")
		if b, err := build.CombinedOutput(); err != nil {
			clean()
			return nil, fmt.Errorf("go build: %w: %s", err, b)
		}
	}
	return clean, nil
}

// say prints one measured value.
func (f *farmBench) say(name string, value float64, unit string) {
	fmt.Fprintf(f.out, "%-58s %10.4g %s\n", name, value, unit)
}

// atMost prints a value that is held to a bound.
func (f *farmBench) atMost(name string, value float64, unit string, bound float64) {
	verdict := "reached"
	if value > bound {
		verdict = "MISSED"
		f.missed++
	}
	fmt.Fprintf(f.out, "%-58s %10.4g %-8s bound ≤ %g: %s\n", name, value, unit, bound, verdict)
}

// same prints a count that must be exact.
func (f *farmBench) same(name string, value, want int64) {
	verdict := "right"
	if value != want {
		verdict = fmt.Sprintf("WRONG: want %d", want)
		f.missed++
	}
	fmt.Fprintf(f.out, "%-58s %10d %-8s %s\n", name, value, "", verdict)
}

const (
	mebibyte = 1 << 20
	// farmPatience is how long all posts may take to arrive.
	farmPatience = 10 * time.Minute
	// farmQuiet is how long a daemon must be quiet to be done with a first round:
	// it may wait for the disk that long.
	farmQuiet = 8 * time.Second
)

// soundFeeds is a first round, rounds with nothing new, and one with a little.
func (f *farmBench) soundFeeds(ctx context.Context, farm string) error {
	truth, err := truthOf(ctx, farm)
	if err != nil {
		return err
	}
	opml, urls, err := subscriptionsOf(ctx, farm)
	if err != nil {
		return err
	}
	feeds := len(urls)
	fmt.Fprintf(f.out, "\n%d feeds, %d posts, %.1f MB, %.1f MB as gzip\n", feeds, truth.Visible, float64(truth.BodyBytes)/1e6, float64(truth.GzipBytes)/1e6)
	d, err := newDaemon(ctx, f.bin, filepath.Join(f.dir, "sound"), opml)
	if err != nil {
		return err
	}
	return errors.Join(f.soundRounds(ctx, d, farm, truth, urls), d.stop())
}

func (f *farmBench) soundRounds(ctx context.Context, d *daemon, farm string, truth farmTruth, urls []string) error {
	feeds := float64(len(urls))
	plain := newBare(urls)
	defer plain.close()
	unpacked, err := plain.round(ctx, unzip)
	if err != nil {
		return err
	}
	second := newBare(urls)
	defer second.close()
	parsed, err := second.round(ctx, gofeedAll)
	if err != nil {
		return err
	}
	third := newBare(urls)
	defer third.close()
	ownParser, err := third.round(ctx, parseAll)
	if err != nil {
		return err
	}

	// (a): a daemon with new sources begins by itself.
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return err
	}
	var before farmStatus
	for before.Archive.Items < int64(truth.Visible) && time.Since(began) < farmPatience {
		time.Sleep(time.Second)
		if err := d.query(ctx, &before, "status"); err != nil {
			return err
		}
	}
	arrived, wall := before.Archive.Items, time.Since(began)
	polled, err := processCPU(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	used, err := d.cpu(ctx, farmQuiet)
	if err != nil {
		return err
	}
	f.same("(a) posts in the archive", arrived, int64(truth.Visible))
	f.say("(a) GET + gunzip, CPU", unpacked.CPU.Seconds(), "s")
	f.say("(a) GET + gunzip + gofeed, CPU", parsed.CPU.Seconds(), "s")
	f.say("(a) GET + gunzip + feed/parse of all entries, CPU", ownParser.CPU.Seconds(), "s")
	f.say("(a) until all posts are there, wall", wall.Seconds(), "s")
	f.say("(a) the daemon until then, CPU", polled.Seconds(), "s")
	f.say("(a) the daemon until it is quiet, CPU", used.Seconds(), "s")
	f.atMost("(a) the daemon, with the index, against GET + gunzip + gofeed", used.Seconds()/parsed.CPU.Seconds(), "times", 4)
	f.atMost("(a) RssAnon, largest", float64(d.peak(ctx))/mebibyte, "MiB", 128)
	if err := d.query(ctx, &before, "status"); err != nil {
		return err
	}

	// (b)
	if _, err := plain.round(ctx, discard); err != nil { // connections are open from here on, like the daemon's
		return err
	}
	if err := get(ctx, farm+"/ctl/stats?reset=1", nil); err != nil {
		return err
	}
	var ours, bare time.Duration
	var asked, unchanged int
	for range f.rounds {
		b, err := plain.round(ctx, discard)
		if err != nil {
			return err
		}
		r, used, err := d.round(ctx)
		if err != nil {
			return err
		}
		ours, bare = ours+used, bare+b.CPU
		asked, unchanged = asked+r.Sources, unchanged+r.NotModified
	}
	var stats farmStats
	if err := get(ctx, farm+"/ctl/stats", &stats); err != nil {
		return err
	}
	var after farmStatus
	if err := d.query(ctx, &after, "status"); err != nil {
		return err
	}
	n := float64(f.rounds)
	f.same("(b) polls, all rounds", int64(asked), int64(len(urls)*f.rounds))
	f.same("(b) of them answered 304", int64(unchanged), int64(asked))
	f.same("(b) requests that the farm did not answer 304", int64(stats.Requests-stats.NotModified), 0)
	f.same("(b) records of the archive, more than before", after.Archive.Records-before.Archive.Records, 0)
	f.say("(b) connections opened in a round, ours and bare", float64(stats.Connections)/n, "")
	f.say("(b) bare GET, CPU a round", bare.Seconds()/n, "s")
	f.say("(b) the daemon, CPU a round", ours.Seconds()/n, "s")
	f.say("(b) the daemon, CPU a feed", ours.Seconds()/n/feeds*1e6, "µs")
	f.atMost("(b) the daemon against bare GET", float64(ours)/float64(bare), "times", 2)

	// (c)
	if err := get(ctx, farm+"/ctl/advance?new=1&feeds=0.02", nil); err != nil {
		return err
	}
	b, err := plain.round(ctx, gofeedAll)
	if err != nil {
		return err
	}
	some, used, err := d.round(ctx)
	if err != nil {
		return err
	}
	f.same("(c) feeds that had changed", int64(some.Fetched), int64(b.Fetched))
	f.same("(c) new posts", int64(some.New+some.Duplicate), int64(b.Fetched))
	f.say("(c) GET + gunzip + gofeed of the changed feeds, CPU", b.CPU.Seconds(), "s")
	f.atMost("(c) the daemon, CPU against that", used.Seconds()/b.CPU.Seconds(), "times", 1)
	size, err := treeSize(filepath.Join(d.dir, "data"))
	f.say("data directory", float64(size)/1e6, "MB")
	return err
}

// idleFeeds is a daemon that has feeds enough but nothing to do: each was polled
// once, at a port where nobody listens.
func (f *farmBench) idleFeeds(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	var list strings.Builder
	list.WriteString("<opml version=\"2.0\"><body>\n")
	for i := range f.idle {
		fmt.Fprintf(&list, "<outline type=\"rss\" text=\"Feed %d\" xmlUrl=\"http://127.1.%d.%d:%d/f/%d/feed.xml\"/>\n", i, i/250, i%250+1, port, i)
	}
	list.WriteString("</body></opml>\n")
	d, err := newDaemon(ctx, f.bin, filepath.Join(f.dir, "idle"), []byte(list.String()))
	if err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(f.out, "\n%d feeds at a closed port\n", f.idle)
	return errors.Join(f.idleRound(ctx, d), d.stop())
}

func (f *farmBench) idleRound(ctx context.Context, d *daemon) error {
	// It begins by itself, and the round takes what is left.
	if _, _, err := d.round(ctx); err != nil {
		return err
	}
	pid := d.cmd.Process.Pid
	start, err := processCPU(pid)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(10 * time.Second):
	}
	end, err := processCPU(pid)
	if err != nil {
		return err
	}
	now, err := anon(pid)
	if err != nil {
		return err
	}
	var st farmStatus
	if err := d.query(ctx, &st, "status"); err != nil {
		return err
	}
	f.same("(d) feeds that were polled and failed", int64(st.Sources["failing"]), int64(f.idle))
	f.say("(d) CPU from the start until all were polled", start.Seconds(), "s")
	f.say("(d) RssAnon in it, largest", float64(d.peak(ctx))/mebibyte, "MiB")
	f.say("(d) CPU in 10 s of waiting", (end - start).Seconds(), "s")
	f.atMost("(d) RssAnon while waiting", float64(now)/mebibyte, "MiB", 150)
	return nil
}

// farmTruth is what is read of /ctl/truth.
type farmTruth struct {
	Feeds     int               `json:"feeds"`
	Visible   int               `json:"visible_posts"`
	BodyBytes int               `json:"body_bytes"`
	GzipBytes int               `json:"gzip_bytes"`
	Faults    map[string]string `json:"fault_feeds"`
}

// farmStats is what is read of /ctl/stats.
type farmStats struct {
	Requests    int `json:"feed_requests"`
	NotModified int `json:"not_modified"`
	Connections int `json:"connections"`
}

func truthOf(ctx context.Context, farm string) (farmTruth, error) {
	var t farmTruth
	err := get(ctx, farm+"/ctl/truth?summary=1", &t)
	return t, err
}

// subscriptionsOf is the farm's list as it is and as addresses, feed by feed.
func subscriptionsOf(ctx context.Context, farm string) (opml []byte, urls []string, err error) {
	if err := get(ctx, farm+"/ctl/opml", &opml); err != nil {
		return nil, nil, err
	}
	var list struct {
		Outlines []struct {
			URL string `xml:"xmlUrl,attr"`
		} `xml:"body>outline"`
	}
	if err := xml.Unmarshal(opml, &list); err != nil {
		return nil, nil, fmt.Errorf("%s/ctl/opml: %w", farm, err)
	}
	for _, o := range list.Outlines {
		urls = append(urls, o.URL)
	}
	if len(urls) == 0 {
		return nil, nil, fmt.Errorf("%s has no feeds", farm)
	}
	return opml, urls, nil
}

// get reads an answer of the farm's control: as JSON, or whole into a *[]byte.
func get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", address, err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: HTTP %d: %.200s", address, resp.StatusCode, b)
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = b
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

// feedIndex is the number of a farm's feed, by the path of its address: /f/17/feed.xml.
func feedIndex(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	parts := strings.Split(u.Path, "/")
	at := slices.Index(parts, "f")
	if at < 0 || at+1 >= len(parts) {
		return ""
	}
	return parts[at+1]
}

// treeSize is what the files of a directory take on the disk.
func treeSize(dir string) (int64, error) {
	b, err := exec.Command("du", "-sk", dir).Output()
	if err != nil {
		return 0, err
	}
	var kilobytes int64
	_, err = fmt.Sscan(string(b), &kilobytes)
	return kilobytes << 10, err
}
