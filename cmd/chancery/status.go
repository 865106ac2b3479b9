package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/store"
)

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Health in one screen: sources by state, lag, sizes, last errors",
		Args:  cobra.NoArgs,
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
			s, err := e.status(ctx, time.Now().UTC())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			}
			return e.printStatus(s)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return c
}

// statusReport is the object of `status --json`.
type statusReport struct {
	Version string         `json:"version"`
	Daemon  *daemonReport  `json:"daemon,omitempty"` // absent when none runs
	Data    string         `json:"data"`
	Archive archiveReport  `json:"archive"`
	Sources map[string]int `json:"sources"` // by state
	Due     int            `json:"due"`
	// LagSeconds is how long the source that is most overdue has been waiting.
	LagSeconds float64 `json:"lag_seconds"`
	NextDue    string  `json:"next_due,omitempty"`
	LastPoll   string  `json:"last_poll,omitempty"`
	LastChange string  `json:"last_change,omitempty"`
	// Failing are the sources whose last poll failed, longest first, at most 20.
	Failing []sourceLine `json:"failing"`
	// FailingMore is how many more there are.
	FailingMore int      `json:"failing_more,omitempty"`
	Topics      []string `json:"topics"`
	// Stale are the topics of which the archive has tags of older rules.
	Stale []feed.TopicID `json:"stale_topics,omitempty"`
}

type daemonReport struct {
	PID     int      `json:"pid"`
	Started string   `json:"started"`
	Listen  []string `json:"listen"`
}

type archiveReport struct {
	Items     int64  `json:"items"`
	Revisions int64  `json:"revisions"`
	Stories   int64  `json:"stories"`
	Documents int64  `json:"documents"`
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	Volumes   int    `json:"volumes"`
	First     string `json:"first,omitempty"`
	Last      string `json:"last,omitempty"`
}

const maxFailing = 20

func (e *Env) status(ctx context.Context, now time.Time) (statusReport, error) {
	r := statusReport{Version: versionText(), Data: e.DataDir, Sources: map[string]int{}, Failing: []sourceLine{}, Topics: []string{}}
	if e.Daemon != nil {
		r.Daemon = e.Daemon.report()
	}
	st, err := e.Archive.Stats(ctx)
	if err != nil {
		return r, err
	}
	r.Archive = archiveReport{
		Items: st.Items, Revisions: st.Revisions, Stories: st.Stories, Documents: st.Raw, Records: st.Records,
		Bytes: st.Bytes, Volumes: st.Volumes,
	}
	if !st.First.IsZero() {
		r.Archive.First, r.Archive.Last = timeText(st.First), timeText(st.Last)
	}
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return r, err
	}
	var next, polled, changed time.Time
	var failing []store.SourceState
	for _, s := range sources {
		r.Sources[stateOf(s)]++
		if s.Removed || s.Disabled || s.URL == "" {
			continue
		}
		due := later(s.State.NextDue, s.State.NotBefore)
		switch {
		case !due.After(now):
			r.Due++
			if !due.IsZero() {
				r.LagSeconds = max(r.LagSeconds, now.Sub(due).Seconds())
			}
		case next.IsZero() || due.Before(next):
			next = due
		}
		polled, changed = later(polled, s.State.Polled), later(changed, s.State.Changed)
		if s.State.LastError != "" {
			failing = append(failing, s)
		}
	}
	for _, at := range []struct {
		t    time.Time
		into *string
	}{{next, &r.NextDue}, {polled, &r.LastPoll}, {changed, &r.LastChange}} {
		if !at.t.IsZero() {
			*at.into = timeText(at.t)
		}
	}
	slices.SortFunc(failing, func(a, b store.SourceState) int {
		return cmp.Or(a.State.FirstFailure.Compare(b.State.FirstFailure), cmp.Compare(a.ID, b.ID))
	})
	for _, s := range failing[:min(len(failing), maxFailing)] {
		r.Failing = append(r.Failing, lineOf(s))
	}
	r.FailingMore = len(failing) - len(r.Failing)
	for _, t := range e.Config.Topics {
		r.Topics = append(r.Topics, string(t.ID))
	}
	set, err := e.topicSet()
	if err != nil {
		return r, err
	}
	r.Stale, err = e.stale(ctx, set)
	return r, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (e *Env) printStatus(r statusReport) error {
	var b strings.Builder
	if r.Daemon != nil {
		fmt.Fprintf(&b, "daemon    running since %s, pid %d\n", r.Daemon.Started, r.Daemon.PID)
		for _, l := range r.Daemon.Listen {
			fmt.Fprintf(&b, "          %s\n", l)
		}
	} else {
		b.WriteString("daemon    not running\n")
	}
	a := r.Archive
	fmt.Fprintf(&b, "archive   %s: %d items, %d revisions, %d stories, %d documents; %s in %d volumes\n",
		r.Data, a.Items, a.Revisions, a.Stories, a.Documents, bytesText(a.Bytes), a.Volumes)
	if a.Last != "" {
		fmt.Fprintf(&b, "          last record %s\n", a.Last)
	}
	states := make([]string, 0, len(r.Sources))
	total := 0
	for state, n := range r.Sources {
		states = append(states, fmt.Sprintf("%d %s", n, state))
		total += n
	}
	slices.Sort(states)
	fmt.Fprintf(&b, "sources   %d", total)
	if total > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(states, ", "))
	}
	fmt.Fprintf(&b, "\nqueue     %d due", r.Due)
	if r.LagSeconds >= 1 {
		fmt.Fprintf(&b, ", the first for %v", (time.Duration(r.LagSeconds) * time.Second))
	}
	if r.NextDue != "" {
		fmt.Fprintf(&b, "; next at %s", r.NextDue)
	}
	fmt.Fprintf(&b, "\ntopics    %s\n", cmp.Or(strings.Join(r.Topics, ", "), "none"))
	if len(r.Stale) > 0 {
		fmt.Fprintf(&b, "          the archive is tagged by older rules of %s: %s\n", joinIDs(r.Stale), retagAdvice)
	}
	if len(r.Failing) > 0 {
		b.WriteString("failing\n")
		for _, f := range r.Failing {
			fmt.Fprintf(&b, "  %-20s %s (%d in a row; next poll %s)\n", f.ID, oneLine(f.Error, 120), f.Failures, cmp.Or(f.NextDue, "now"))
		}
	}
	if r.FailingMore > 0 {
		fmt.Fprintf(&b, "  and %d more: \"chancery sources list\" has all\n", r.FailingMore)
	}
	return e.printf("%s", b.String())
}
