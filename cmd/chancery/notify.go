package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
)

// notice is the line that the command of [notify] gets on its standard input
// (docs/config.md documents it).
type notice struct {
	Time   string        `json:"time"`
	Event  string        `json:"event"` // one of needEvents
	State  string        `json:"state"` // "begins" or "over"
	Text   string        `json:"text"`
	Do     string        `json:"do,omitempty"`
	Source feed.SourceID `json:"source,omitempty"`
	Since  string        `json:"since,omitempty"`
}

const (
	// checkEvery is how often the daemon looks for what needs a person.
	checkEvery = 10 * time.Minute
	// commandTime bounds a run of the command, also of one that is under way when the
	// daemon stops.
	commandTime = 30 * time.Second
	// noticeSpace is where the ledger keeps what was told and is not over.
	noticeSpace = "notices"
)

// teller tells a person of each need once, when it begins, and once more when it is
// over. What was told outlives a restart. It is safe for concurrent use.
type teller struct {
	log    *slog.Logger
	ledger store.Ledger
	run    func(ctx context.Context, line []byte) error // gives a notice to the command; nil error if there is none

	mu     sync.Mutex      // guards all below
	told   map[string]need // by key; nil until it was read from the ledger
	before map[string]bool // needs of the look before
}

// look compares what needs a person now with what was told. A need is told when two
// looks in a row have it, unless it is sure. whole is false where not everything
// could be looked at: then nothing is taken to be over. When ctx ends, the notice under
// way is still given; the others wait for the next start, as each may take commandTime.
func (t *teller) look(ctx context.Context, now time.Time, needs []need, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ending := ctx
	ctx = context.WithoutCancel(ctx) // what was begun to be told is told
	if t.told == nil {
		t.recall(ctx)
	}
	seen := map[string]bool{}
	for _, n := range needs {
		key := n.key()
		seen[key] = true
		if _, told := t.told[key]; told || !t.before[key] && !sure(n) {
			continue
		}
		if ending.Err() != nil {
			return
		}
		n.Since = cmp.Or(n.Since, now)
		t.log.WarnContext(ctx, "needs a person", n.attrs("do", n.Do)...)
		t.told[key] = n
		t.say(ctx, notice{Time: timeText(now), Event: n.Event, State: "begins", Text: n.Text, Do: n.Do, Source: n.Source, Since: timeText(n.Since)})
		t.keep(ctx, key, &n) // after it: a crash between tells twice, not never
	}
	t.before = seen
	if !whole {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(t.told)) {
		if ending.Err() != nil {
			return
		}
		if n := t.told[key]; !seen[key] {
			t.log.InfoContext(ctx, "needs no person any more", n.attrs()...)
			delete(t.told, key)
			t.say(ctx, notice{Time: timeText(now), Event: n.Event, State: "over", Text: n.Text, Source: n.Source, Since: timeText(n.Since)})
			t.keep(ctx, key, nil)
		}
	}
}

// sure reports whether a need is certain at first sight.
func sure(n need) bool {
	return n.Event == "reload-refused" || n.Event == "source-gone" || n.Event == "disk"
}

// recall reads what was told before a restart. Without it something may be told
// twice, which is better than never.
func (t *teller) recall(ctx context.Context) {
	t.told = map[string]need{}
	entries, err := t.ledger.LedgerScan(ctx, noticeSpace, "", "", 10_000)
	if err != nil {
		t.log.ErrorContext(ctx, "earlier notices cannot be read", "error", err)
		return
	}
	for _, e := range entries {
		var n need
		if err := json.Unmarshal(e.Value, &n); err == nil {
			t.told[e.Key] = n
		}
	}
}

func (t *teller) keep(ctx context.Context, key string, n *need) {
	e := store.LedgerEntry{Space: noticeSpace, Key: key}
	if n != nil {
		b, err := json.Marshal(n)
		if err != nil {
			t.log.ErrorContext(ctx, "notice", "error", err)
			return
		}
		e.Value = b
	}
	if err := t.ledger.LedgerWrite(ctx, []store.LedgerEntry{e}); err != nil {
		t.log.ErrorContext(ctx, "a notice was told and cannot be recorded; it may come again after a restart", "error", err)
	}
}

func (t *teller) say(ctx context.Context, n notice) {
	line, err := json.Marshal(n)
	if err == nil {
		err = t.run(ctx, append(line, '\n'))
	}
	if err != nil {
		t.log.ErrorContext(ctx, "notify command failed", "event", n.Event, "error", err)
	}
}

// runNotify gives a notice to the configured command, if there is one, and waits for
// its end. The command gets nothing of our environment but the usual: neither the
// service manager's sockets nor the place of credentials.
func (d *daemon) runNotify(ctx context.Context, line []byte) error {
	command := d.current.Load().config.Notify.Command
	if len(command) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Stdin = bytes.NewReader(line)
	cmd.WaitDelay = time.Second // children of its own that hold its output
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: not done within %v", command[0], commandTime)
	}
	if err = withoutPath(err); len(out) > 0 {
		err = fmt.Errorf("%w: %s", err, oneLine(string(out), 500))
	}
	return fmt.Errorf("%s: %w", command[0], err)
}

// watchNeeds looks from time to time for what needs a person.
func (d *daemon) watchNeeds(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		d.tellNeeds(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tellNeeds looks once for what needs a person, and tells.
func (d *daemon) tellNeeds(ctx context.Context) {
	needs, whole := d.needs(ctx, time.Now().UTC())
	if ctx.Err() == nil {
		d.teller.look(ctx, time.Now().UTC(), needs, whole)
	}
}

// needs is what needs a person in a daemon: what the archive shows, and what only
// the running program knows. whole is false where the archive could not be asked.
func (d *daemon) needs(ctx context.Context, now time.Time) (list []need, whole bool) {
	s, err := d.surveys.at(ctx, now)
	if err == nil {
		if err = d.archive.Ping(ctx); errors.Is(err, store.ErrLost) { // all else is served
			list = append(list, s.archiveNeeds(err)...)
			err = nil
		}
	}
	if err == nil {
		if lost := d.lost.Load(); lost != nil {
			list = append(list, archiveNeed(*lost))
		}
		list = append(list, s.needs()...)
	} else if ctx.Err() == nil {
		list = append(list, archiveNeed(err))
	}
	return append(list, d.ownNeeds()...), err == nil
}

// ownNeeds are those that only the running program knows.
func (d *daemon) ownNeeds() (list []need) {
	if x := d.indexState(); x != nil && x.Fault != "" && !x.Rebuilding {
		list = append(list, need{
			Event: "index", Text: "the full-text index cannot be used: " + x.Fault,
			Do: "see the log; if it does not mend itself, \"chancery reindex\" makes a new one. Feeds do not depend on it",
		})
	}
	if text := d.refused.Load(); text != nil {
		list = append(list, need{
			Event: "reload-refused", Text: *text,
			Do: "mend the configuration (\"chancery config check\") and reload; the old one goes on",
		})
	}
	return list
}
