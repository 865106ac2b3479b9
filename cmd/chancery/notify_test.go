package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store/storetest"
)

// A person hears of each need once when it begins and once when it is over, also
// across a restart; what lasts one look only is not told; what could not be looked
// at is not over. A command that fails is no reason to tell again and again.
func TestTeller(t *testing.T) {
	ledger := storetest.NewModel()
	var said []string
	make := func() *teller {
		return &teller{log: slog.New(slog.DiscardHandler), ledger: ledger, run: func(_ context.Context, line []byte) error {
			var n notice
			if err := json.Unmarshal(line, &n); err != nil || n.Time == "" || n.Text == "" {
				t.Errorf("notice %s: %v", line, err)
			}
			said = append(said, n.State+" "+n.Event+" "+string(n.Source))
			return errors.New("exit status 1")
		}}
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	failing := need{Event: "source-failing", Source: "a", Text: "it fails", Do: "look"}
	refused := need{Event: "reload-refused", Text: "my.toml:1:1", Do: "mend it"}
	tell := make()
	for i, step := range []struct {
		needs   []need
		whole   bool
		restart bool
		want    []string
	}{
		{needs: []need{failing}, whole: true},
		{whole: true}, // it was there for one look
		{needs: []need{failing}, whole: true},
		{needs: []need{failing}, whole: true, want: []string{"begins source-failing a"}},
		{needs: []need{failing}, whole: true},
		{needs: []need{failing}, whole: true, restart: true},
		{whole: false}, // the archive could not be asked
		{needs: []need{failing, refused}, whole: true, want: []string{"begins reload-refused "}},
		{needs: []need{refused}, whole: true, restart: true, want: []string{"over source-failing a"}},
		{whole: true, want: []string{"over reload-refused "}},
		{whole: true, restart: true},
	} {
		if step.restart {
			tell = make()
		}
		said = nil
		tell.look(t.Context(), now.Add(time.Duration(i)*checkEvery), step.needs, step.whole)
		if !slices.Equal(said, step.want) {
			t.Errorf("look %d: told %q, want %q", i, said, step.want)
		}
	}
}

// OPS-04: a daemon that ends waits for one command and not for one for each need; what
// was not told is told after the next start.
func TestTellerEnds(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	var said []string
	tell := &teller{log: slog.New(slog.DiscardHandler), ledger: storetest.NewModel(), run: func(ctx context.Context, line []byte) error {
		var n notice
		if err := json.Unmarshal(line, &n); err != nil || ctx.Err() != nil {
			t.Errorf("notice %s: %v; %v", line, err, ctx.Err())
		}
		said = append(said, n.State+" "+string(n.Source))
		end()
		return nil
	}}
	gone := func(source feed.SourceID) need { return need{Event: "source-gone", Source: source, Text: "it is gone"} }
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tell.look(ctx, now, []need{gone("a"), gone("b")}, true)
	tell.look(ctx, now, nil, true) // nothing is over
	tell.look(t.Context(), now, []need{gone("b")}, true)
	if want := []string{"begins a", "begins b", "over a"}; !slices.Equal(said, want) {
		t.Errorf("told %q, want %q", said, want)
	}
}

// A command that fails is named with what it said, and one that is not there with
// nothing else.
func TestNotifyFails(t *testing.T) {
	for _, tt := range []struct {
		command []string
		want    string
	}{
		{[]string{"/nowhere/mail"}, "/nowhere/mail: no such file or directory"},
		{[]string{"/bin/sh", "-c", "echo no route; exit 3"}, "/bin/sh: exit status 3: no route"},
		{[]string{"/bin/sh", "-c", "exit 3"}, "/bin/sh: exit status 3"},
	} {
		c := defaultConfig()
		c.Notify.Command = tt.command
		var d daemon
		d.current.Store(&generation{config: c})
		if err := d.runNotify(t.Context(), []byte("{}\n")); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.command, err, tt.want)
		}
	}
}
