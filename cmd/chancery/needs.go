package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"chancery/cmd/chancery/control"
	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// need is something that only a person can mend.
type need struct {
	Event  string        `json:"event"` // one of needEvents
	Source feed.SourceID `json:"source,omitempty"`
	Text   string        `json:"text"`            // what is the matter
	Do     string        `json:"do"`              // what to do about it
	Since  time.Time     `json:"since,omitzero"`  // if known
	Worst  bool          `json:"urgent,omitzero"` // readers or the archive suffer already
}

// key names a need as long as it is the same one.
func (n need) key() string { return n.Event + " " + string(n.Source) }

// attrs are a need's own words for a log, and more.
func (n need) attrs(more ...any) []any {
	list := []any{"event", n.Event}
	if n.Source != "" {
		list = append(list, "source", string(n.Source))
	}
	return append(append(list, "text", n.Text), more...)
}

// needEvents are all that a need can be, in the order for showing.
var needEvents = []string{
	"archive", "disk", "index", "clock", "reload-refused", "network", "source-gone", "source-failing", "source-silent",
}

const (
	// failingLong is from when on a source that fails is worth a person's time:
	// shorter troubles mend themselves.
	failingLong = 72 * time.Hour
	// silentLong is how long a silence beyond what was expected goes on before a
	// person is told of it: the feed may only be late.
	silentLong = 24 * time.Hour
	// fewSources is how many must fail at once to look like our own network.
	fewSources = 5
	// diskLow is how little room is too little: a few days of polling, and what a
	// compaction or a new index takes for a while.
	diskLow = 512 << 20
	// clockBack is by how much the clock may be behind the newest record.
	clockBack = time.Hour
)

// needs lists what a survey shows that only a person can mend, worst first. What
// mends itself, or has not lasted yet, is not in it.
func (s *survey) needs() []need {
	var list []need
	if n := s.damage(); n != nil {
		list = append(list, *n)
	}
	if s.Disk.Size > 0 && s.Disk.Free < diskLow {
		list = append(list, need{
			Event: "disk", Worst: s.Disk.Free < diskLow/16,
			Text: fmt.Sprintf("the archive's disk has %s left of %s", bytesText(s.Disk.Free), bytesText(s.Disk.Size)),
			Do:   "make room, or move the archive to a larger disk: when it is full nothing new is kept",
		})
	}
	if last := s.Stats.Last; last.Sub(s.At) > clockBack {
		list = append(list, need{
			Event: "clock",
			Text:  fmt.Sprintf("the clock says %s, but the newest record is of %s", timeText(s.At), timeText(last)),
			Do:    "set the clock: what arrives meanwhile is recorded under wrong times",
		})
	}
	network := s.network()
	if network != nil {
		list = append(list, *network)
	}
	for _, src := range s.Sources {
		if !src.Removed && src.URL != "" && src.State.Condition == "gone" {
			list = append(list, need{
				Event: "source-gone", Source: src.ID, Since: src.State.FirstFailure,
				Text: addressShown(src) + ": " + src.State.LastError,
				Do:   fmt.Sprintf("\"chancery sources remove %s\", or give it the new address with \"sources set %s --url\"", src.ID, src.ID),
			})
		}
	}
	for _, src := range s.Failing {
		since := src.State.FirstFailure
		if network != nil || since.IsZero() || s.At.Sub(since) <= failingLong || src.State.Condition == "gone" {
			continue
		}
		list = append(list, need{
			Event: "source-failing", Source: src.ID, Since: since,
			Text: addressShown(src) + " fails since " + timeText(since) + ": " + src.State.LastError,
			Do:   fmt.Sprintf("\"chancery sources check %s\" shows why; \"sources check\" of its page finds a new address", src.ID),
		})
	}
	for _, q := range s.Silent {
		if s.At.Sub(q.By) <= silentLong {
			continue
		}
		list = append(list, need{
			Event: "source-silent", Source: q.Source, Since: q.By,
			Text: fmt.Sprintf("%s answers, but its newest post is of %s; by its own rhythm another was due by %s", q.Source, timeText(q.Newest), timeText(q.By)),
			Do:   fmt.Sprintf("look at its site: the feed may have moved (\"sources set %s --url\"), or the blog has ended (\"sources disable %s\")", q.Source, q.Source),
		})
	}
	return list
}

// damage is the need of an archive of which records are lost, or a damaged file was put
// aside.
func (s *survey) damage() *need {
	n := &need{Event: "archive"}
	aside := ""
	if len(s.Aside) > 0 {
		names := make([]string, len(s.Aside))
		for i, name := range s.Aside {
			names[i] = filepath.Base(name)
		}
		aside = strings.Join(names, ", ")
	}
	switch {
	case s.Stats.Lost > 0:
		n.Worst = true
		n.Text = plural(s.Stats.Lost, "record") + " of the archive cannot be read; all others are served"
		if !s.OnlyRead {
			n.Text += ", and new ones are kept"
		}
		if aside != "" {
			n.Text += "; the damaged files are kept as " + aside
		}
		n.Do = damageAdvice
	case aside != "":
		n.Text = "a file of the archive was damaged; nothing is lost, it was written anew, and the damaged one is kept as " + aside
		n.Do = "look at the disk; then remove the damaged file"
	default:
		return nil
	}
	return n
}

const damageAdvice = `"chancery verify" names what is lost; look at the disk; then docs/operating.md, "When something is damaged"`

// addressShown is where a source is polled, without the secrets that an address may
// carry: it goes into logs, mails and terminals.
func addressShown(s store.SourceState) string { return control.Redacted([]string{s.Address()}) }

// network is the need that stands for many failing sources at once: that is our
// own connection, and no reason to look at each of them.
func (s *survey) network() *need {
	if len(s.Failing) < fewSources || 2*len(s.Failing) <= s.Polled {
		return nil
	}
	var reached time.Time
	for _, src := range s.Sources {
		reached = later(reached, src.State.Succeeded)
	}
	if !reached.IsZero() && s.At.Sub(reached) < time.Hour && 10*len(s.Failing) < 9*s.Polled {
		return nil
	}
	last := "none was ever reached"
	if !reached.IsZero() {
		last = "the last was reached at " + timeText(reached)
	}
	return &need{
		Event: "network", Since: reached, Worst: true,
		Text: fmt.Sprintf("%d of %d sources fail, %s", len(s.Failing), s.Polled, last),
		Do:   "look at this machine's network, name resolution and clock before you look at the sources",
	}
}

// archiveNeeds is what Ping says of an archive, where the survey does not say it already.
func (s *survey) archiveNeeds(ping error) []need {
	if ping == nil || errors.Is(ping, store.ErrLost) && !errors.Is(ping, store.ErrReadOnly) && s.damage() != nil {
		return nil
	}
	return []need{archiveNeed(ping)}
}

// archiveNeed is the need of an archive that cannot be used as it should.
func archiveNeed(err error) need {
	n := need{Event: "archive", Worst: true, Text: "the archive does not answer: " + err.Error()}
	n.Do = "look at the log; \"chancery verify --deep\" lists what is damaged, a backup can be restored beside"
	switch hint := hintFor(err); {
	case errors.Is(err, store.ErrFull):
		n.Text, n.Do = "nothing new can be kept: "+err.Error(), "make room on the disk; what was not stored is fetched again"
	case ledgerDamaged(err):
		n.Text = "the ids of feeds, subscriptions and tokens cannot be read in full, and new ones are not kept: " + err.Error()
		n.Do = "stop the daemon, put ledger.bolt back from a backup (\"tar -xf BACKUP ledger.bolt\"), start it; posts are kept and served meanwhile"
	case errors.Is(err, store.ErrReadOnly) && errors.Is(err, store.ErrCorrupt):
		n.Text, n.Do = "the archive is only read: "+strings.TrimPrefix(err.Error(), store.ErrReadOnly.Error()+": "), "docs/operating.md, \"When something is damaged\"; feeds are served meanwhile, nothing is polled"
	case errors.Is(err, store.ErrLost):
		n.Text, n.Do = "a part of the archive cannot be read; all else is served: "+err.Error(), damageAdvice
	case errors.Is(err, store.ErrReadOnly):
		n.Text, n.Do = "nothing new can be kept: "+err.Error(), "see why the file system is read-only; feeds are served meanwhile"
	case hint != "":
		n.Do = hint
	}
	return n
}

// ledgerDamaged reports whether an error is of the ledger, on which nothing of the log
// depends: the archive is written on without it.
func ledgerDamaged(err error) bool {
	d, ok := errors.AsType[*bolt.Damage](err)
	return ok && filepath.Base(d.File) == "ledger.bolt"
}
