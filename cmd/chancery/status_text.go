package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// shownNeeds and shownFailing bound the screen: 24 lines of 80 columns.
const (
	shownNeeds   = 4
	shownFailing = 4
)

// printStatus shows a report on one screen: first whether all is well, last what is
// to be done.
func (e *Env) printStatus(r statusReport) error {
	w := &statusText{e: e, width: cmp.Or(e.Terminal.Width, 120)}
	w.headline(r)
	w.daemon(r)
	a := r.Archive
	w.row("archive", "%s: %d items, %d revisions, %d stories, %d documents; %s in %s",
		r.Data, a.Items, a.Revisions, a.Stories, a.Documents, bytesText(a.Bytes), plural(a.Volumes, "volume"))
	if a.Last != "" {
		w.row("", "last record %s", a.Last)
	}
	if r.Disk != nil {
		w.row("disk", "%s free of %s", bytesText(r.Disk.Free), bytesText(r.Disk.Size))
	}
	w.index(r.Index)
	w.sources(r)
	w.row("topics", "%s", cmp.Or(strings.Join(r.Topics, ", "), "none"))
	if len(r.Stale) > 0 {
		w.row("", "the archive is tagged by older rules of %s: %s", joinIDs(r.Stale), retagAdvice)
	}
	w.failing(r)
	w.needs(r.Needs)
	return e.printf("%s", w.b.String())
}

type statusText struct {
	e     *Env
	b     strings.Builder
	width int
}

func (w *statusText) row(name, format string, args ...any) {
	fmt.Fprintf(&w.b, "%-9s %s\n", name, fmt.Sprintf(format, args...))
}

// headline says in a line whether somebody must do something.
func (w *statusText) headline(r statusReport) {
	text, color := "all is well", "32"
	switch r.Health {
	case "attention":
		text, color = plural(len(r.Needs), "thing")+" for you, below", "33"
	case "bad":
		text, color = "trouble: "+plural(len(r.Needs), "thing")+" for you, below", "31"
	}
	if n := len(r.Failing) + r.FailingMore; n > 0 && r.Health == "ok" {
		text, color = "nothing needs you; "+plural(n, "source")+" failing for now", "33"
	}
	if r.Daemon == nil && r.Health == "ok" {
		text, color = `no daemon runs; no damage of the archive is known ("chancery verify" looks at every record)`, "33"
	}
	if w.e.Terminal.Color {
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	w.row("health", "%s", text)
}

func (w *statusText) daemon(r statusReport) {
	d := r.Daemon
	if d == nil {
		w.row("daemon", "not running")
		return
	}
	w.row("daemon", "running since %s, pid %d", d.Started, d.PID) // the pid ends the line: scripts take it from there
	w.row("", "%s", strings.Join(d.Listen, "  "))
	text := "feeds are up to date"
	if d.FeedsBehind > 0 {
		text = "feeds are " + plural(d.FeedsBehind, "record") + " behind the archive"
	}
	if d.Subscribers > 0 {
		text += "; " + plural(d.Subscribers, "WebSub subscription")
	}
	w.row("", "%s; version %s", text, r.Version)
}

func (w *statusText) index(x *indexReport) {
	switch {
	case x == nil:
	case x.Rebuilding:
		w.row("index", "being made: %d of %d records; searches find what is in it already", x.Done, x.Total)
	case x.Fault != "":
		w.row("index", "%s", oneLine(x.Fault, w.width-10))
	case x.Behind > 0:
		w.row("index", "%s behind; %s, %s", plural(x.Behind, "record"), plural(x.Items, "item"), bytesText(x.Bytes))
	default:
		w.row("index", "up to date; %s, %s", plural(x.Items, "item"), bytesText(x.Bytes))
	}
}

func (w *statusText) sources(r statusReport) {
	states := make([]string, 0, len(r.Sources))
	total := 0
	for state, n := range r.Sources {
		states = append(states, fmt.Sprintf("%d %s", n, state))
		total += n
	}
	slices.Sort(states)
	text := fmt.Sprint(total)
	if total > 0 {
		text += ": " + strings.Join(states, ", ")
	}
	w.row("sources", "%s", text)
	text = fmt.Sprintf("%d due", r.Due)
	if r.LagSeconds >= 1 {
		text += fmt.Sprintf(", the first for %v", time.Duration(r.LagSeconds)*time.Second)
	}
	if r.Held > 0 {
		text += fmt.Sprintf(", %d more held back for a host that wants to be left alone", r.Held)
	}
	if r.Daemon != nil && r.Daemon.Polling > 0 {
		text += fmt.Sprintf(", %d being polled", r.Daemon.Polling)
	}
	if r.NextDue != "" {
		text += "; next at " + r.NextDue
	}
	if r.LastChange != "" {
		text += "; last news " + r.LastChange
	}
	w.row("queue", "%s", text)
}

// failing lists sources that fail or are silent; those that need a person stand
// below with what to do.
func (w *statusText) failing(r statusReport) {
	told := map[string]bool{}
	for _, n := range r.Needs {
		told[string(n.Source)] = true
	}
	var lines []string
	for _, f := range r.Failing {
		if !told[string(f.ID)] {
			text := fmt.Sprintf("  %-20s %s", f.ID, cmp.Or(f.State, "failing"))
			times := ""
			if f.Failures > 1 {
				times = fmt.Sprintf("%d in a row; ", f.Failures)
			}
			after := fmt.Sprintf(" (%snext poll %s)", times, cmp.Or(f.NextDue, "now"))
			lines = append(lines, text+": "+oneLine(f.Error, max(w.width-len(text)-len(after)-2, 40))+after)
		}
	}
	for _, q := range r.Silent {
		if !told[string(q.ID)] {
			lines = append(lines, fmt.Sprintf("  %-20s answers, newest post %s; another was due by %s", q.ID, q.Newest, q.Expected))
		}
	}
	more := len(lines) - shownFailing + r.FailingMore + r.SilentMore
	if len(lines) > 0 {
		w.b.WriteString("failing or silent, may mend itself\n")
	}
	for _, l := range lines[:min(len(lines), shownFailing)] {
		w.b.WriteString(l + "\n")
	}
	if len(lines) > 0 && more > 0 {
		fmt.Fprintf(&w.b, "  and %d more: \"chancery sources list\" has all\n", more)
	}
}

func (w *statusText) needs(list []need) {
	if len(list) > 0 {
		w.b.WriteString("needs you\n")
	}
	for _, n := range list[:min(len(list), shownNeeds)] {
		who := n.Event
		if n.Source != "" {
			who = string(n.Source)
		}
		fmt.Fprintf(&w.b, "  %-20s %s\n", who, oneLine(n.Text, max(w.width-23, 240))) // what to do about it depends on all of it
		fmt.Fprintf(&w.b, "  %-20s → %s\n", "", n.Do)
	}
	if more := len(list) - shownNeeds; more > 0 {
		fmt.Fprintf(&w.b, "  and %d more: \"chancery status --json\" has all\n", more)
	}
}
