package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// storiesBench compares the stories that the archive puts together with those that
// there are: of made posts in six kinds of change, and of a feed farm, whose truth
// says which post copies which and what was edited.
type storiesBench struct {
	farmBench
	plan storiesPlan
}

// storiesPlan says what to compare.
type storiesPlan struct {
	farm   farmPlan
	rounds int     // in which the farm lives on
	edits  float64 // in each, for every feed
	pairs  int     // of made posts, of each kind of change
}

// Goals of near-duplicates (FIGURES part 0).
const (
	leastRecall    = 0.95
	leastDropped   = 0.88 // where a paragraph was dropped
	leastPrecision = 0.995
)

func runStories(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("stories", flag.ContinueOnError)
	b := &storiesBench{farmBench: farmBench{out: out}}
	p := &b.plan
	flags.StringVar(&p.farm.Program, "farm", "", "the feed farm: the folder of its source, which is built, or its program; empty: made posts only")
	seeds := flags.String("seed", "1", "of the farm and of made posts; several, with commas between, are done one after the other")
	flags.IntVar(&p.farm.Feeds, "feeds", 1000, "how many feeds the farm has")
	flags.IntVar(&p.rounds, "rounds", 2, "how often the farm lives on and is polled again")
	flags.Float64Var(&p.edits, "edits", 1, "edited posts a feed in each of these rounds")
	flags.IntVar(&p.pairs, "pairs", 1500, "made pairs of each kind of change; 0: leave them out")
	flags.StringVar(&b.bin, "chancery", "", "the program to measure; default: build it")
	flags.StringVar(&b.dir, "dir", "", "keep the archives and logs there; default: a temporary folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if p.farm.Feeds < 2 || p.rounds < 0 || p.edits < 0 || p.pairs < 0 || p.farm.Program == "" && p.pairs == 0 {
		return errors.New("nothing to compare: say -farm, or at least one of -pairs; no number may be negative")
	}
	clean, err := b.prepare(ctx)
	if err != nil {
		return err
	}
	defer clean()
	for field := range strings.SplitSeq(*seeds, ",") {
		seed, err := strconv.ParseUint(strings.TrimSpace(field), 10, 64)
		if err != nil || seed == 0 {
			return fmt.Errorf("-seed: %q is no seed from 1 on", field)
		}
		if err := b.seed(ctx, seed); err != nil {
			return err
		}
	}
	if b.missed > 0 {
		return fmt.Errorf("%d figures are over their bounds", b.missed)
	}
	return nil
}

// seed does all for one seed.
func (b *storiesBench) seed(ctx context.Context, seed uint64) error {
	dir := filepath.Join(b.dir, fmt.Sprintf("seed%d", seed))
	if b.plan.pairs > 0 {
		fmt.Fprintf(b.out, "\nseed %d, made posts: %d pairs of each kind of change\n", seed, b.plan.pairs)
		kinds, err := madeKinds(ctx, filepath.Join(dir, "made"), seed, b.plan.pairs)
		if err != nil {
			return err
		}
		kinds.report(&b.farmBench)
	}
	if b.plan.farm.Program == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	plan := b.plan.farm
	plan.Seed, plan.Life = seed, 2*time.Hour
	farm, err := startFarm(ctx, plan, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nseed %d, the farm: %d feeds\n", seed, plan.Feeds)
	return errors.Join(b.live(ctx, dir, farm.address), farm.stop())
}

// live polls the farm once, and after each round of its life.
func (b *storiesBench) live(ctx context.Context, dir, farm string) error {
	opml, urls, err := subscriptionsOf(ctx, farm)
	if err != nil {
		return err
	}
	d, err := newDaemon(ctx, b.bin, filepath.Join(dir, "farm"), opml)
	if err != nil {
		return err
	}
	before, err := b.look(ctx, d, farm, urls)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "first poll: %d posts, %d of them copies\n", len(before.posts), before.copies())
	before.compare(&b.farmBench)
	for round := range b.plan.rounds {
		// The farm chooses half of its feeds for new posts, and edits as many posts as
		// it is told for each of those.
		advance := fmt.Sprintf("%s/ctl/advance?new=1&feeds=0.5&edits=%g&syndicate=0.2", farm, 2*b.plan.edits)
		if err := get(ctx, advance, nil); err != nil {
			return err
		}
		after, err := b.look(ctx, d, farm, urls)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "round %d of the farm's life: %d posts, %d of them copies\n", round+1, len(after.posts), after.copies())
		after.compare(&b.farmBench)
		editsOf(before, after).report(&b.farmBench)
		before = after
	}
	return nil
}

// truthPost is a post as the farm knows it.
type truthPost struct {
	ID      int      `json:"id"`
	Feed    int      `json:"feed"`
	Story   int      `json:"story"`
	CopyOf  int      `json:"copy_of"` // -1: of none
	Variant string   `json:"variant"`
	GUID    string   `json:"guid"`
	Title   string   `json:"title"`
	Version int      `json:"version"`
	Edits   []string `json:"edits"`
}

// storedPost is an item of the archive.
type storedPost struct {
	ID        string        `json:"id"`
	GUID      string        `json:"guid"`
	Source    string        `json:"source_url"`
	Title     string        `json:"title"`
	Revisions int           `json:"revisions"`
	AlsoIn    []storedSight `json:"also_in"`
}

// storedSight is another item of the same story.
type storedSight struct {
	ID string `json:"id"`
}

// postKey is by what a post of the farm and an item of the archive are matched.
type postKey struct {
	feed string // number, as in the feed's path
	guid string
}

// farmLook is what there is at one moment: the farm's truth, what its feeds say, and
// what the archive has.
type farmLook struct {
	posts  map[postKey]*truthPost
	served map[postKey]string // the words of each post that a feed shows
	stored []storedPost
}

func (l *farmLook) copies() (n int) {
	for _, p := range l.posts {
		if p.CopyOf >= 0 {
			n++
		}
	}
	return n
}

// look polls everything and looks.
func (b *storiesBench) look(ctx context.Context, d *daemon, farm string, urls []string) (*farmLook, error) {
	var r farmRound
	if err := d.query(ctx, &r, "poll", "--all"); err != nil {
		return nil, err
	}
	if r.Failed > 0 {
		return nil, fmt.Errorf("%d of %d polls failed", r.Failed, r.Sources)
	}
	var truth struct {
		Items []*truthPost `json:"items"`
	}
	if err := get(ctx, farm+"/ctl/truth", &truth); err != nil {
		return nil, err
	}
	l := &farmLook{posts: make(map[postKey]*truthPost, len(truth.Items))}
	for _, p := range truth.Items {
		l.posts[postKey{strconv.Itoa(p.Feed), p.GUID}] = p
	}
	var err error
	if l.served, err = wordsServed(ctx, urls); err != nil {
		return nil, err
	}
	file := filepath.Join(d.dir, "export.jsonl")
	if _, err := d.run(ctx, "export", "-o", file); err != nil {
		return nil, err
	}
	l.stored, err = readExport(file)
	return l, errors.Join(err, os.Remove(file))
}

func readExport(file string) (all []storedPost, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for in := json.NewDecoder(bufio.NewReaderSize(f, 1<<20)); ; {
		var p storedPost
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, p)
	}
}
