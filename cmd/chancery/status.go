package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"chancery/cmd/chancery/control"
	"chancery/feed"
	"chancery/store"
)

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Health in one screen: what works, what needs you and what to do about it",
		Args:  exactly(),
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

// statusReport is the object of `status --json`. Keys are only added.
type statusReport struct {
	Version string `json:"version"`
	// Health is "ok", "attention" (a person is needed) or "bad" (readers or the
	// archive suffer).
	Health  string         `json:"health"`
	Needs   []need         `json:"needs"`            // what only a person can mend, worst first
	Daemon  *daemonReport  `json:"daemon,omitempty"` // absent when none runs
	Data    string         `json:"data"`
	Archive archiveReport  `json:"archive"`
	Disk    *diskReport    `json:"disk,omitempty"`
	Index   *indexReport   `json:"index,omitempty"` // absent when no daemon runs
	Sources map[string]int `json:"sources"`         // by state
	Due     int            `json:"due"`
	// Held are sources that would be due, but their host wants to be left alone, as
	// another source there was told.
	Held int `json:"held,omitempty"`
	// LagSeconds is how long the source that is most overdue has been waiting.
	LagSeconds float64 `json:"lag_seconds"`
	NextDue    string  `json:"next_due,omitempty"`
	LastPoll   string  `json:"last_poll,omitempty"`
	LastChange string  `json:"last_change,omitempty"`
	// Failing are the sources whose last poll failed, longest first, at most 20.
	Failing []sourceLine `json:"failing"`
	// FailingMore is how many more there are.
	FailingMore int `json:"failing_more,omitempty"`
	// Silent are the sources that answer, but by their own rhythm should have posted
	// by now, longest first, at most 20.
	Silent     []silentLine `json:"silent"`
	SilentMore int          `json:"silent_more,omitempty"`
	Topics     []string     `json:"topics"`
	// Stale are the topics of which the archive has tags of older rules.
	Stale []feed.TopicID `json:"stale_topics,omitempty"`
}

type daemonReport struct {
	PID     int      `json:"pid"`
	Started string   `json:"started"`
	Listen  []string `json:"listen"`
	Polling int      `json:"polling"` // sources being polled at this moment
	// FeedsBehind are records of the log that the feeds have not seen yet.
	FeedsBehind int64 `json:"feeds_behind"`
	Subscribers int   `json:"websub_subscriptions"`
}

type archiveReport struct {
	Items     int64  `json:"items"`
	Revisions int64  `json:"revisions"`
	Stories   int64  `json:"stories"`
	Documents int64  `json:"documents"`
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	Volumes   int    `json:"volumes"`
	Lost      int64  `json:"lost_records,omitempty"` // that cannot be read, as far as is known
	First     string `json:"first,omitempty"`
	Last      string `json:"last,omitempty"`
}

type diskReport struct {
	Free int64 `json:"free"` // bytes
	Size int64 `json:"size"`
}

type indexReport struct {
	Behind     int64  `json:"behind"` // records of the log that are not in it yet
	Items      int64  `json:"items"`
	Bytes      int64  `json:"bytes"`
	Rebuilding bool   `json:"rebuilding"`
	Done       int64  `json:"done,omitempty"` // records, while it is being made
	Total      int64  `json:"total,omitempty"`
	Fault      string `json:"fault,omitempty"`
}

type silentLine struct {
	ID       feed.SourceID `json:"id"`
	Newest   string        `json:"newest"`      // its newest post
	Expected string        `json:"expected_by"` // another one
}

const maxFailing = 20

func (e *Env) status(ctx context.Context, now time.Time) (statusReport, error) {
	r := statusReport{
		Version: versionText(), Health: "ok", Needs: []need{}, Data: e.DataDir,
		Failing: []sourceLine{}, Silent: []silentLine{}, Topics: []string{},
	}
	s, err := surveyOf(ctx, e.Archive, e.DataDir, now)
	if err != nil {
		return r, err
	}
	r.take(s)
	if e.Daemon != nil {
		r.Daemon = e.Daemon.report(ctx)
		r.Index = e.Daemon.indexReport(ctx)
		r.Needs, _ = e.Daemon.needs(ctx, now)
	} else {
		r.Needs = append(s.archiveNeeds(e.Archive.Ping(ctx)), s.needs()...)
	}
	if r.Needs == nil {
		r.Needs = []need{}
	}
	for _, n := range r.Needs {
		if n.Worst {
			r.Health = "bad"
		} else if r.Health == "ok" {
			r.Health = "attention"
		}
	}
	for _, t := range e.Config.Topics {
		r.Topics = append(r.Topics, string(t.ID))
	}
	set, err := e.topicSet()
	if err != nil {
		return r, err
	}
	if r.Stale, err = e.stale(ctx, set); ledgerDamaged(err) { // that is among the needs
		err = nil
	}
	return r, err
}

// take fills in what the archive shows.
func (r *statusReport) take(s *survey) {
	st := s.Stats
	r.Archive = archiveReport{
		Items: st.Items, Revisions: st.Revisions, Stories: st.Stories, Documents: st.Raw, Records: st.Records,
		Bytes: st.Bytes, Volumes: st.Volumes, Lost: st.Lost,
	}
	if !st.First.IsZero() {
		r.Archive.First, r.Archive.Last = timeText(st.First), timeText(st.Last)
	}
	if s.Disk.Size > 0 {
		r.Disk = &diskReport{s.Disk.Free, s.Disk.Size}
	}
	r.Sources, r.Due, r.Held, r.LagSeconds = s.States, s.Due, s.Held, s.Lag.Seconds()
	for _, at := range []struct {
		t    time.Time
		into *string
	}{{s.NextDue, &r.NextDue}, {s.LastAt, &r.LastPoll}, {s.Changed, &r.LastChange}} {
		if !at.t.IsZero() {
			*at.into = timeText(at.t)
		}
	}
	for _, f := range s.Failing[:min(len(s.Failing), maxFailing)] {
		line := lineOf(f)
		line.URL, line.Moved = control.Redacted([]string{f.URL}), control.Redacted([]string{f.Moved})
		r.Failing = append(r.Failing, line)
	}
	r.FailingMore = len(s.Failing) - len(r.Failing)
	for _, q := range s.Silent[:min(len(s.Silent), maxFailing)] {
		r.Silent = append(r.Silent, silentLine{q.Source, timeText(q.Newest), timeText(q.By)})
	}
	r.SilentMore = len(s.Silent) - len(r.Silent)
}

// report says how a daemon stands.
func (d *daemon) report(ctx context.Context) *daemonReport {
	r := &daemonReport{PID: os.Getpid(), Started: timeText(d.started), Listen: []string{}}
	for _, l := range []net.Listener{d.public, d.admin} {
		if l != nil {
			r.Listen = append(r.Listen, addressOf(l))
		}
	}
	_, r.Polling, _, _ = d.polling.Load().works.aggregator.Load()
	g := d.current.Load()
	r.FeedsBehind = d.behind(ctx, g.publisher.Seen())
	if h, ok := g.publisher.HubStats(); ok {
		r.Subscribers = h.Subscriptions
	}
	return r
}

// behind is how many records of the log come after a cursor.
func (d *daemon) behind(ctx context.Context, at store.Cursor) int64 {
	end, err := d.archive.End(ctx)
	if err != nil || end < at {
		return 0
	}
	return int64(end - at) //nolint:gosec // records are counted in int64 elsewhere, too
}

// indexReport says how the full-text index stands; nil without one.
func (d *daemon) indexReport(ctx context.Context) *indexReport {
	x := d.indexState()
	if x == nil {
		return nil
	}
	r := &indexReport{Behind: d.behind(ctx, x.Cursor), Items: x.Items, Bytes: x.Bytes, Rebuilding: x.Rebuilding, Fault: x.Fault}
	if x.Rebuilding {
		r.Done, r.Total = x.Done, x.Total
	}
	return r
}
