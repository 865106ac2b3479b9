package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"time"

	"chancery/feed"
)

// notice is the line that [notify] command gets on its standard input.
type notice struct {
	Time   string        `json:"time"`
	Event  string        `json:"event"` // "archive", "reload-refused", "source-failing", "source-gone"
	Text   string        `json:"text"`
	Source feed.SourceID `json:"source,omitempty"`
}

const (
	// checkEvery is how often the daemon looks for what needs a person.
	checkEvery = 10 * time.Minute
	// failingLong is from when on a source that fails is worth a person's time:
	// shorter troubles mend themselves.
	failingLong = 72 * time.Hour
	// commandTime bounds a run of the command.
	commandTime = time.Minute
)

// tell runs the configured command, if there is one, with a notice. It waits for
// the command to end.
func (d *daemon) tell(ctx context.Context, n notice) {
	command := d.current.Load().config.Notify.Command
	if len(command) == 0 {
		return
	}
	n.Time = timeText(time.Now())
	line, err := json.Marshal(n)
	if err != nil {
		d.log.ErrorContext(ctx, "notice", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	if out, err := cmd.CombinedOutput(); err != nil {
		d.log.ErrorContext(ctx, "notify command failed", "command", command[0], "error", err, "output", oneLine(string(out), 500))
	}
}

// care looks from time to time for what needs a person, and tells each thing once.
func (d *daemon) care(ctx context.Context) error {
	told := map[string]bool{}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for key, n := range d.needsPerson(ctx, now.UTC()) {
				if !told[key] {
					told[key] = true
					d.log.WarnContext(ctx, "needs a person", "event", n.Event, "text", n.Text)
					d.tell(ctx, n)
				}
			}
		}
	}
}

// needsPerson lists what only a person can mend, by a key that stays the same
// while the trouble does.
func (d *daemon) needsPerson(ctx context.Context, now time.Time) map[string]notice {
	list := map[string]notice{}
	if err := d.archive.Ping(ctx); err != nil {
		if ctx.Err() == nil {
			list["archive"] = notice{Event: "archive", Text: "the archive does not answer: " + err.Error()}
		}
		return list
	}
	sources, err := d.archive.Sources(ctx)
	if err != nil {
		return list
	}
	for _, s := range sources {
		switch {
		case s.Removed || s.URL == "":
		case s.State.Condition == "gone":
			list["gone "+string(s.ID)] = notice{Event: "source-gone", Source: s.ID, Text: s.Address() + ": " + s.State.LastError}
		case s.State.LastError != "" && !s.State.FirstFailure.IsZero() && now.Sub(s.State.FirstFailure) > failingLong:
			key := "failing " + string(s.ID) + s.State.FirstFailure.String()
			list[key] = notice{Event: "source-failing", Source: s.ID, Text: s.Address() + " fails since " + timeText(s.State.FirstFailure) + ": " + s.State.LastError}
		}
	}
	return list
}
