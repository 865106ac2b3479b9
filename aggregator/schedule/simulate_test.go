package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
)

// Trace is when a source posted: the input of [Simulate].
type Trace struct {
	ID     feed.SourceID
	Posts  []time.Time // in any order
	Window int         // entries in a document
}

// Simulation is what polling a set of traces cost and brought.
type Simulation struct {
	Sources  int
	Posts    int // that appeared while it ran
	Requests int
	Delay    time.Duration // mean time from a post's date until a poll could see it
	Lost     int           // posts that had left the document before a poll
}

// String is one line for a table.
func (s Simulation) String() string {
	return fmt.Sprintf("%d sources, %d posts, %d requests, mean delay %v, %d lost", s.Sources, s.Posts, s.Requests, s.Delay.Round(time.Second), s.Lost)
}

// Tile makes a trace that is at least span long out of a shorter one, by
// repeating it: documents carry the last few posts only. A trace of fewer than
// five moments, or of less than a day, tells no rhythm; then ok is false.
func Tile(t Trace, span time.Duration) (tiled Trace, ok bool) {
	posts := slices.Clone(t.Posts)
	slices.SortFunc(posts, time.Time.Compare)
	posts = slices.CompactFunc(posts, time.Time.Equal)
	if len(posts) < 5 || posts[len(posts)-1].Sub(posts[0]) < day {
		return t, false
	}
	period := posts[len(posts)-1].Sub(posts[0])
	period += period / time.Duration(len(posts)-1) // from the last to the first of the next round
	one := posts
	for posts[len(posts)-1].Sub(posts[0]) < span {
		shift := -period * time.Duration(len(posts)/len(one))
		earlier := make([]time.Time, 0, len(one)+len(posts))
		for _, p := range one {
			earlier = append(earlier, p.Add(shift))
		}
		posts = append(earlier, posts...)
	}
	t.Posts = posts
	return t, true
}

// Simulate polls each trace for its last span by the rule of [Finish], and then
// by a fixed interval that makes as many requests, and says what each found when
// (CONFORMANCE F-80). Servers answer at once, with validators. Before the span
// lies the history that the first document shows.
func Simulate(c Config, traces []Trace, span time.Duration) (adaptive, fixed Simulation) {
	var total time.Duration
	for _, t := range traces {
		posts := slices.Clone(t.Posts)
		slices.SortFunc(posts, time.Time.Compare)
		if len(posts) == 0 {
			continue
		}
		end := posts[len(posts)-1]
		begin := end.Add(-span)
		total += span
		s := store.Source{ID: t.ID}
		var st store.PollState
		adaptive.replay(posts, t.Window, begin, end, func(doc, fresh []time.Time, now time.Time) time.Time {
			o := Outcome{Status: 200, ETag: "e", Conditional: true, Parsed: true, Entries: len(doc), New: len(fresh), Known: len(doc) - len(fresh)}
			if st.Succeeded.IsZero() {
				o.Published = doc
			} else if len(fresh) == 0 {
				o = Outcome{Status: 304, NotModified: true, ETag: "e", Conditional: true}
			}
			st = Finish(c, s, st, o, now).State
			return st.NextDue
		})
	}
	if adaptive.Requests == 0 {
		return adaptive, fixed
	}
	interval := total / time.Duration(adaptive.Requests)
	for _, t := range traces {
		posts := slices.Clone(t.Posts)
		slices.SortFunc(posts, time.Time.Compare)
		if len(posts) == 0 {
			continue
		}
		end := posts[len(posts)-1]
		first := true
		fixed.replay(posts, t.Window, end.Add(-span), end, func(_, _ []time.Time, now time.Time) time.Time {
			if first { // not all in step
				first = false
				return now.Add(time.Duration(phase(t.ID, 3) * float64(interval)))
			}
			return now.Add(interval)
		})
	}
	return adaptive, fixed
}

// replay polls one trace from begin to end; poll says when next.
func (sim *Simulation) replay(posts []time.Time, window int, begin, end time.Time, poll func(doc, fresh []time.Time, now time.Time) time.Time) {
	sim.Sources++
	seen, _ := slices.BinarySearchFunc(posts, begin, time.Time.Compare) // posts before are history
	last := seen
	sum := sim.Delay * time.Duration(sim.Posts)
	for now := begin; !now.After(end); {
		n := seen
		for n < len(posts) && !posts[n].After(now) {
			n++
		}
		doc := posts[max(0, n-max(window, 1)):n]
		fresh := posts[max(seen, n-max(window, 1)):n]
		for _, p := range posts[seen:n] {
			sum += now.Sub(p)
		}
		sim.Lost += (n - seen) - len(fresh)
		seen = n
		sim.Requests++
		now = poll(doc, fresh, now)
	}
	sim.Posts += seen - last
	if sim.Posts > 0 {
		sim.Delay = sum / time.Duration(sim.Posts)
	}
}

// readTrace finds the dates of a document's entries: the first date in each. It
// need not be a parser, because a date that is missed hardly moves a rhythm.
func readTrace(doc string) (posts []time.Time) {
	for _, mark := range []string{"<item>", "<item ", "<entry>", "<entry ", `"date_published"`} {
		for i, part := range strings.Split(doc, mark) {
			if i == 0 {
				continue
			}
			if at, ok := firstDate(part); ok {
				posts = append(posts, at)
			}
		}
	}
	return posts
}

func firstDate(entry string) (time.Time, bool) {
	text := ""
	if rest, ok := strings.CutPrefix(strings.TrimLeft(entry, ": "), `"`); ok && !strings.HasPrefix(entry, "<") {
		text, _, _ = strings.Cut(rest, `"`)
	}
	for _, tag := range []string{"<pubDate", "<dc:date", "<published", "<updated", "<issued"} {
		if _, rest, ok := strings.Cut(entry, tag); ok && text == "" {
			_, rest, _ = strings.Cut(rest, ">")
			text, _, _ = strings.Cut(rest, "<")
		}
	}
	for _, layout := range []string{time.RFC3339, time.RFC1123Z, time.RFC1123, "Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 MST", "2006-01-02T15:04-07:00"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// At equal request count the scheduler finds posts at least a quarter sooner, in
// the mean, than a fixed interval, on the rhythms of real feeds; and loses fewer.
func TestSimulation(t *testing.T) { // F-80
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(feedtest.Reference(t, "corpus/real-feeds"), "*"))
	if err != nil {
		t.Fatal(err)
	}
	const span = 28 * 24 * time.Hour
	var traces []Trace
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		posts := readTrace(string(b))
		trace, ok := Tile(Trace{ID: feed.SourceID(filepath.Base(f)), Posts: posts, Window: len(posts)}, span+28*24*time.Hour)
		if ok {
			traces = append(traces, trace)
		}
	}
	if len(traces) < 100 {
		t.Fatalf("only %d of %d documents give a trace", len(traces), len(files))
	}
	adaptive, fixed := Simulate(DefaultConfig(), traces, span)
	saved := 1 - adaptive.Delay.Seconds()/fixed.Delay.Seconds()
	t.Logf("adaptive: %v", adaptive)
	t.Logf("fixed:    %v", fixed)
	t.Logf("mean delay %.0f %% less; %.1f requests a source and day", 100*saved, float64(adaptive.Requests)/float64(adaptive.Sources)/span.Hours()*24)
	if saved < 0.25 {
		t.Errorf("mean delay %v, with a fixed interval %v: %.0f %% less, want 25 %%", adaptive.Delay, fixed.Delay, 100*saved)
	}
	if d := math.Abs(float64(adaptive.Requests-fixed.Requests)) / float64(fixed.Requests); d > 0.02 {
		t.Errorf("%d and %d requests: not equal", adaptive.Requests, fixed.Requests)
	}
	if adaptive.Lost > fixed.Lost {
		t.Errorf("%d posts lost, with a fixed interval %d", adaptive.Lost, fixed.Lost)
	}
}

// The same on made-up sources: Poisson, with bursts, with nights, heavy-tailed
// rates; so that the figure can be had without the reference material.
func TestSimulationSynthetic(t *testing.T) { // F-80
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	end := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	const span = 28 * 24 * time.Hour
	var traces []Trace
	for i := range 100 {
		perDay := math.Exp(r.NormFloat64()*1.6 - 0.5) // median 0.6, heavy tail
		tr := Trace{ID: feed.SourceID(fmt.Sprintf("s%d", i)), Window: 20}
		for at := end; end.Sub(at) < span+60*24*time.Hour; {
			at = at.Add(-time.Duration(r.ExpFloat64() / perDay * float64(24*time.Hour)))
			if i%3 == 0 && at.Hour() < 7 { // sleeps at night
				continue
			}
			tr.Posts = append(tr.Posts, at)
			if i%5 == 0 && r.IntN(10) == 0 { // bursts
				for k := range 5 {
					tr.Posts = append(tr.Posts, at.Add(time.Duration(k+1)*time.Minute))
				}
			}
		}
		traces = append(traces, tr)
	}
	adaptive, fixed := Simulate(DefaultConfig(), traces, span)
	t.Logf("adaptive: %v", adaptive)
	t.Logf("fixed:    %v", fixed)
	if saved := 1 - adaptive.Delay.Seconds()/fixed.Delay.Seconds(); saved < 0.25 {
		t.Errorf("mean delay %.0f %% less than with a fixed interval, want 25 %%", 100*saved)
	}
}

// A budget is kept, and shared by the square root of the rates.
func TestPaceFor(t *testing.T) { // F-72
	c := DefaultConfig()
	var rates []float64
	for i := range 1000 {
		rates = append(rates, math.Exp2(float64(i%8)-4))
	}
	for _, budget := range []float64{100, 200, 400} {
		c.Pace = PaceFor(c, rates, budget)
		sum := 0.0
		for _, r := range rates {
			sum += 1 / c.adaptive(r, time.Hour, 24*time.Hour).Hours()
		}
		if math.Abs(sum-budget) > budget/100 {
			t.Errorf("budget %v: %v requests an hour", budget, sum)
		}
	}
	a, b := c.adaptive(1, time.Second, 1000*time.Hour), c.adaptive(4, time.Second, 1000*time.Hour)
	if ratio := float64(a) / float64(b); math.Abs(ratio-2) > 0.01 {
		t.Errorf("four times the rate: interval %v and %v", a, b)
	}
}
