package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chancery/aggregator"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/store"
)

func (p *program) sourcesCommand() *cobra.Command {
	var asJSON, all bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List subscriptions: state, items, last poll, where each comes from",
		Args:  exactly(),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
			return e.listSources(ctx, asJSON, all)
		}),
	}
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	list.Flags().BoolVar(&all, "all", false, "also those that were removed and still have items")

	var added store.Source
	var id string
	var topics []string
	var unchecked, guess bool
	add := &cobra.Command{
		Use:   "add URL",
		Short: "Subscribe to a feed, or to the feed that a page names",
		Long: `Asks the address, follows it to a feed, and subscribes to that. With --credential
the feed is asked with the secret of that name: a file of the credentials that the
service manager hands the daemon (LoadCredential=NAME:FILE in the unit), whose text is
the value of Authorization, such as "Basic …" or "Bearer …". It is sent to the feed's
own origin only. "sources set" changes all this later.`,
		Args: exactly("URL"),
		RunE: p.archive(writes, func(ctx context.Context, e *Env, args []string) error {
			if id != "" && !feed.ValidID(id) {
				return usageError("--id: %s", badID(id))
			}
			added.ID, added.URL, added.Topics = feed.SourceID(id), args[0], topicIDs(topics)
			if err := e.checkSourceFlags(added); err != nil {
				return err
			}
			return e.addSource(ctx, added, unchecked, guess)
		}),
	}
	add.Flags().StringVar(&id, "id", "", "the source's `ID` (default: made from the address)")
	add.Flags().StringVar(&added.Title, "title", "", "`TITLE` to show in place of the feed's own")
	add.Flags().StringVar(&added.Language, "language", "", "`TAG` of the language, for a feed that does not say")
	add.Flags().DurationVar(&added.Interval, "interval", 0, "poll not more often than this")
	add.Flags().StringSliceVar(&topics, "topics", nil, "topics that every item gets")
	add.Flags().StringVar(&added.Content, "content", "", "what may be republished: full or summary")
	add.Flags().StringVar(&added.Credential, "credential", "", "`NAME` of a credential")
	add.Flags().BoolVar(&unchecked, "unchecked", false, "take the address as it is, without asking it")
	add.Flags().BoolVar(&guess, "guess", false, "ask a page that names no feed for the usual addresses")
	add.MarkFlagsMutuallyExclusive("guess", "unchecked")

	var reason string
	change := func(use, short string, do func(s *store.Source)) *cobra.Command {
		c := &cobra.Command{
			Use:   use + " ID",
			Short: short,
			Args:  exactly("ID"),
			RunE: p.archive(changes, func(ctx context.Context, e *Env, args []string) error {
				return e.changeSource(ctx, args[0], use, reason, do)
			}),
		}
		c.Flags().StringVar(&reason, "reason", "", "kept with the record")
		return c
	}
	return group("sources", "Subscriptions: list, add, remove, change", list, add,
		change("remove", "End a subscription; its items stay", func(s *store.Source) { s.Removed = true }),
		change("enable", "Poll a source again", func(s *store.Source) { s.Disabled = false }),
		change("disable", "Stop polling a source without removing it", func(s *store.Source) { s.Disabled = true }),
		p.sourcesSetCommand(),
		p.sourcesCheckCommand(),

		&cobra.Command{
			Use:   "opml",
			Short: "Print the subscriptions as OPML",
			Args:  exactly(),
			RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
				return e.writeOPML(ctx, e.Out)
			}),
		},
	)
}

// sourceLine is a source as `sources list --json` and `status --json` print it.
type sourceLine struct {
	ID        feed.SourceID `json:"id"`
	Title     string        `json:"title,omitempty"`
	URL       string        `json:"url,omitempty"`
	Moved     string        `json:"moved,omitempty"`
	Site      string        `json:"site,omitempty"`
	Language  string        `json:"language,omitempty"`
	Origin    string        `json:"origin"`
	State     string        `json:"state"`
	Class     string        `json:"class,omitempty"`
	Items     int64         `json:"items"`
	Polled    string        `json:"polled,omitempty"`
	Succeeded string        `json:"succeeded,omitempty"`
	Changed   string        `json:"changed,omitempty"`
	NextDue   string        `json:"next_due,omitempty"`
	Why       string        `json:"why,omitempty"`
	Failures  int           `json:"failures,omitempty"`
	Error     string        `json:"error,omitempty"`
}

func lineOf(s store.SourceState) sourceLine {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return timeText(t)
	}
	return sourceLine{
		ID: s.ID, Title: s.Title, URL: s.URL, Moved: s.Moved, Site: s.Site, Language: s.Language, Origin: s.Origin,
		State: s.Word(), Class: s.State.Class, Items: s.Items,
		Polled: at(s.State.Polled), Succeeded: at(s.State.Succeeded), Changed: at(s.State.Changed), NextDue: at(s.State.NextDue),
		Why: s.State.Why, Failures: s.State.Failures, Error: s.State.LastError,
	}
}

func (e *Env) listSources(ctx context.Context, asJSON, all bool) error {
	have, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	if !all {
		have = slices.DeleteFunc(have, func(s store.SourceState) bool { return s.Removed })
	}
	if asJSON {
		enc := json.NewEncoder(e.Out)
		for _, s := range have {
			if err := enc.Encode(lineOf(s)); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]string{{"ID", "STATE", "ITEMS", "LAST POLL", "FROM", "ADDRESS"}}
	for _, s := range have {
		address := s.Address()
		if s.State.LastError != "" {
			address += "  (" + oneLine(s.State.LastError, 100) + ")"
		}
		rows = append(rows, []string{string(s.ID), s.Word(), fmt.Sprint(s.Items), timeText(s.State.Polled), s.Origin, printable(address)})
	}
	return e.table(rows)
}

// ownSource gives a source that commands may change: one from the configuration
// is the operator's and is changed there.
func (e *Env) ownSource(ctx context.Context, name, what string) (store.SourceState, error) {
	ids, err := e.sourceIDs(ctx, []string{name})
	if err != nil {
		return store.SourceState{}, err
	}
	s, err := e.Archive.Source(ctx, ids[0])
	if err != nil {
		return s, fmt.Errorf("source %s: %w", name, err)
	}
	givenUp := s.Disabled && (s.State.Condition == schedule.Gone || s.State.Condition == aggregator.Merged)
	if s.Origin == "config" && (what != "enable" || !givenUp) { // what polling gave up, a person may take up again here
		where := "the configuration"
		for i, c := range e.Config.Sources {
			if c.ID == name {
				where = e.Config.place(fmt.Sprintf("source[%d]", i))
			}
		}
		return s, failWith(exitConfig, fmt.Errorf("source %s comes from %s: %s it there, then reload the daemon", name, where, what))
	}
	return s, nil
}

func (e *Env) changeSource(ctx context.Context, name, verb, reason string, do func(*store.Source)) error {
	s, err := e.ownSource(ctx, name, verb)
	if err != nil {
		return err
	}
	src := s.Source
	do(&src)
	edit := store.Edit{Kind: store.KindSource, Source: &src, Reason: reason, By: "command"}
	if verb == "enable" { // a source that was given up is asked at once, as if new
		state := s.State
		state.NextDue, state.Failures, state.Condition, state.Class, state.LastError = time.Time{}, 0, "", "", ""
		edit.State = &state
	}
	if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
		return err
	}
	return e.printf("%s %sd\n", name, verb)
}

// checkSourceFlags holds what add and set are told to what the configuration would
// take, and warns of what will not do what it says.
func (e *Env) checkSourceFlags(s store.Source) error {
	if s.Content != "" && s.Content != "full" && s.Content != "summary" {
		return usageError(`--content %q is neither "full" nor "summary"`, s.Content)
	}
	if s.Interval < 0 {
		return usageError("--interval %v is negative", s.Interval)
	}
	if text := badCredential(s.Credential); text != "" {
		return usageError("--credential %s", text)
	}
	for _, t := range s.Topics {
		if err := e.knownTopic(t); err != nil {
			return err
		}
	}
	for _, text := range tooOftenIf("--interval", s.Interval, e.Config) {
		e.note("warning: %s", text)
	}
	if s.Credential != "" && credential(s.Credential) == "" {
		e.note("warning: there is no credential %q here (LoadCredential=%s:FILE in the unit): without it the source is polled without", s.Credential, s.Credential)
	}
	return nil
}

func topicIDs(names []string) []feed.TopicID {
	var ids []feed.TopicID
	for _, n := range names {
		ids = append(ids, feed.TopicID(n))
	}
	return ids
}

func (p *program) sourcesSetCommand() *cobra.Command {
	var o struct {
		url, title, site, language, content, credential, reason string
		interval                                                duration
		topics                                                  []string
		undoMove                                                bool
		acceptMove                                              bool
	}
	c := &cobra.Command{
		Use:   "set ID",
		Short: "Change a subscription, or accept or undo a move that was learned",
		Args:  exactly("ID"),
	}
	f := c.Flags()
	f.StringVar(&o.url, "url", "", "address of the feed")
	f.StringVar(&o.title, "title", "", "title to show")
	f.StringVar(&o.site, "site", "", "page that the feed belongs to")
	f.StringVar(&o.language, "language", "", "`TAG` of the language")
	f.StringVar(&o.content, "content", "", "what may be republished: full or summary")
	f.StringVar(&o.credential, "credential", "", "`NAME` of a credential")
	f.DurationVar(&o.interval, "interval", 0, "poll not more often than this")
	f.StringSliceVar(&o.topics, "topics", nil, "topics that every item gets")
	f.BoolVar(&o.undoMove, "undo-move", false, "poll the address as it was given again")
	f.BoolVar(&o.acceptMove, "accept-move", false, "make the learned address the source's own")
	f.StringVar(&o.reason, "reason", "", "kept with the record")
	c.RunE = p.archive(changes, func(ctx context.Context, e *Env, args []string) error {
		given := store.Source{Content: o.content, Credential: o.credential, Topics: topicIDs(o.topics), Interval: o.interval}
		if err := e.checkSourceFlags(given); err != nil {
			return err
		}
		if f.Changed("url") {
			if text := badFeedURL(o.url); text != "" {
				return usageError("--url %s", text)
			}
		}
		changed := slices.ContainsFunc([]string{
			"url", "title", "site", "language", "content", "credential", "interval", "topics", "undo-move", "accept-move",
		}, f.Changed)
		if !changed {
			return usageError("nothing to set: see \"chancery sources set --help\"")
		}
		s, err := e.ownSource(ctx, args[0], "change")
		if err != nil {
			ids, ierr := e.sourceIDs(ctx, args)
			if !o.undoMove || ierr != nil { // a move that was learned can be undone whoever subscribed
				return err
			}
			if s, err = e.Archive.Source(ctx, ids[0]); err != nil {
				return err
			}
		}
		src, state := s.Source, s.State
		now := time.Now().UTC()
		switch {
		case o.undoMove && o.acceptMove:
			return usageError("--undo-move and --accept-move exclude each other")
		case (o.undoMove || o.acceptMove) && src.Moved == "":
			return dataError("source %s has not moved", src.ID)
		case o.undoMove:
			src.Moves = append(src.Moves, store.Move{From: src.Moved, To: src.URL, At: now, Reason: "undone by a person"})
			src.Moved = ""
		case o.acceptMove:
			src.URL, src.Moved = src.Moved, ""
		}
		if f.Changed("url") && o.url != src.Address() {
			src.Moves = append(src.Moves, store.Move{From: src.Address(), To: o.url, At: now, Reason: "set by a person"})
			src.URL, src.Moved = o.url, ""
		}
		set := func(name string, to *string, value string) {
			if f.Changed(name) {
				*to = value
			}
		}
		set("title", &src.Title, o.title)
		set("site", &src.Site, o.site)
		set("language", &src.Language, o.language)
		set("content", &src.Content, o.content)
		set("credential", &src.Credential, o.credential)
		if f.Changed("interval") {
			src.Interval = o.interval
		}
		if f.Changed("topics") {
			src.Topics = given.Topics
		}
		edit := store.Edit{Kind: store.KindSource, Source: &src, Reason: o.reason, By: "command"}
		if src.Address() != s.Address() {
			state.NextDue = time.Time{}
			edit.State = &state
		}
		if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
			return err
		}
		if src.Address() == "" {
			return e.printf("%s set; it has no address and is not polled\n", src.ID)
		}
		return e.printf("%s set; polled at %s\n", src.ID, src.Address())
	})
	return c
}
