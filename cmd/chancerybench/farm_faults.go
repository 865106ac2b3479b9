package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// farmSource is what is read of a line of "sources list --json".
type farmSource struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Class    string `json:"class"`
	Items    int64  `json:"items"`
	Failures int    `json:"failures"`
	Error    string `json:"error"`
}

// name is how the program calls the state of a source: its class if it has one.
func (s farmSource) name() string {
	if s.Class != "" {
		return s.State + "/" + s.Class
	}
	return s.State
}

// farmVerdicts says, for each class of fault of the farm, which classes of fetch
// name it; nil is a fault of content, which must not keep the posts from arriving.
var farmVerdicts = map[string][]string{
	"slow":         nil, // within the time limits
	"stall":        {"timeout"},
	"truncated":    nil, // whole entries before the cut are taken, or not-a-feed
	"cut":          {"truncated"},
	"charset":      nil,
	"error500":     {"server"},
	"flaky500":     nil,
	"limit429":     nil,
	"moved301":     nil,
	"found302":     nil,
	"loop":         {"redirect"},
	"gone410":      {"gone"},
	"html":         {"html", "not-a-feed"},
	"bomb":         {"bomb", "too-large"},
	"huge":         {"too-large"},
	"noguid":       nil,
	"volatileguid": nil,
	"future":       nil,
	"notvalid304":  nil,
}

// farmFaultRounds is enough for a feed that answers one request of three.
const farmFaultRounds = 4

// faultyFeeds polls a farm some of whose feeds are broken, each in its manner.
func (f *farmBench) faultyFeeds(ctx context.Context, farm string) error {
	truth, err := truthOf(ctx, farm)
	if err != nil {
		return err
	}
	if len(truth.Faults) == 0 {
		return fmt.Errorf("%s has no broken feeds: start it with -faults", farm)
	}
	opml, _, err := subscriptionsOf(ctx, farm)
	if err != nil {
		return err
	}
	d, err := newDaemon(ctx, f.bin, filepath.Join(f.dir, "faulty"), opml)
	if err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(f.out, "\n%d feeds, %d of them broken\n", truth.Feeds, len(truth.Faults))
	return errors.Join(f.faultyRounds(ctx, d, truth), d.stop())
}

func (f *farmBench) faultyRounds(ctx context.Context, d *daemon, truth farmTruth) error {
	var wall float64
	for i := range farmFaultRounds {
		r, used, err := d.round(ctx)
		if err != nil {
			return err
		}
		wall = max(wall, r.Seconds)
		fmt.Fprintf(f.out, "(e) round %d: %d fetched, %d not modified, %d failed, %d new; %.1f s, CPU %v\n",
			i+1, r.Fetched, r.NotModified, r.Failed, r.New+r.Duplicate, r.Seconds, used.Round(10*time.Millisecond))
	}
	sources, err := d.sources(ctx)
	if err != nil {
		return err
	}
	perFeed := int64(truth.Visible / truth.Feeds)
	var complete, sound, named, broken int64
	found := map[string]map[string]int{} // by fault: by name of the state
	empty := map[string]int{}            // by fault: without all posts
	for _, s := range sources {
		fault := truth.Faults[feedIndex(s.URL)]
		if fault == "" {
			sound++
			if s.Items == perFeed && s.State == "ok" {
				complete++
			} else {
				fmt.Fprintf(f.out, "    sound but %s, %d posts: %s %s\n", s.name(), s.Items, s.URL, s.Error)
			}
			continue
		}
		if found[fault] == nil {
			found[fault] = map[string]int{}
		}
		found[fault][s.name()]++
		if s.Items < perFeed {
			empty[fault]++
		}
		if want := farmVerdicts[fault]; want != nil {
			broken++
			if slices.Contains(want, s.Class) {
				named++
			}
		}
	}
	f.same("(e) sound feeds with all their posts", complete, sound)
	f.same("(e) broken feeds named for what they are", named, broken)
	f.atMost("(e) RssAnon, largest", float64(d.peak(ctx))/mebibyte, "MiB", 256)
	f.atMost("(e) the longest round, wall", wall, "s", 300)
	for _, fault := range slices.Sorted(maps.Keys(found)) {
		var states []string
		for _, name := range slices.Sorted(maps.Keys(found[fault])) {
			states = append(states, fmt.Sprintf("%d %s", found[fault][name], name))
		}
		fmt.Fprintf(f.out, "    %-14s %s; %d without all posts\n", fault, strings.Join(states, ", "), empty[fault])
	}
	return nil
}
