package aggregator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"chancery/aggregator/normalize"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/store"
)

// SyncSources makes the archive's subscriptions agree with the configured ones:
// adds what is new, changes what differs, and removes those that came from the
// configuration and stand there no more (their items stay). What a redirect
// taught holds while the configured URL is unchanged. It says what it did.
func (a *Aggregator) SyncSources(ctx context.Context, configured []store.Source) ([]string, error) {
	have, err := a.archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	old := make(map[feed.SourceID]store.SourceState, len(have))
	for _, s := range have {
		old[s.ID] = s
	}
	var edits []store.Edit
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	wanted := make(map[feed.SourceID]bool, len(configured))
	for _, want := range configured {
		var state *store.PollState
		wanted[want.ID] = true
		want.Origin = "config"
		was, ok := old[want.ID]
		switch {
		case !ok:
			want.Added = a.now()
			say("source %s added: %s", want.ID, want.URL)
		case was.URL != want.URL:
			want.Added = was.Added
			want.Moves = append(slices.Clone(was.Moves), store.Move{From: was.Address(), To: want.URL, At: a.now(), Reason: "configured"})
			anew := was.State // another address is asked at once, as if new
			anew.NextDue, anew.Failures, anew.Condition, anew.Class, anew.LastError = time.Time{}, 0, "", "", ""
			state = &anew
			say("source %s moved: %s → %s", want.ID, was.URL, want.URL)
		default:
			want.Added, want.Moved, want.Moves = was.Added, was.Moved, was.Moves
			if want.Title == "" {
				want.Title = was.Title
			}
			if want.Site == "" {
				want.Site = was.Site
			}
			if want.Language == "" {
				want.Language = was.Language
			}
			// What polling found to be gone or merged only a person takes up again
			// (CONFORMANCE F-49): "sources enable", or another URL.
			if c := was.State.Condition; was.Disabled && (c == schedule.Gone || c == Merged) {
				want.Disabled = true
			}
			if sameSource(was.Source, want) {
				continue
			}
			say("source %s changed", want.ID)
		}
		edits = append(edits, store.Edit{Kind: store.KindSource, Source: &want, State: state, By: "config"})
	}
	for _, s := range have {
		if s.Origin == "config" && !s.Removed && !wanted[s.ID] {
			gone := s.Source
			gone.Removed = true
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &gone, By: "config", Reason: "not configured any more"})
			say("source %s removed; its items stay", s.ID)
		}
	}
	if len(edits) == 0 {
		return nil, nil
	}
	return said, a.archive.Change(ctx, edits)
}

// Merged is the condition (store.PollState) of a source whose address turned out to
// be another's.
const Merged = "merged"

// mergeInto says whether a learned address belongs to another subscription
// already. Then this one ends: its items stay, and what is new comes in there,
// where entries that both have are one story (CONFORMANCE F-47).
func (a *Aggregator) mergeInto(ctx context.Context, src *store.Source, st *store.PollState) (string, error) {
	states, err := a.archive.Sources(ctx)
	if err != nil {
		return "", err
	}
	for _, other := range states {
		if other.ID == src.ID || other.Removed || other.Disabled ||
			normalize.Address(other.Address()) != normalize.Address(src.Address()) {
			continue
		}
		src.Disabled = true
		st.Condition = Merged
		st.Why = fmt.Sprintf("not polled: its address leads to that of source %s", other.ID)
		return st.Why, nil
	}
	return "", nil
}

// sameSource reports whether two sources differ in nothing that is kept.
func sameSource(a, b store.Source) bool {
	return a.URL == b.URL && a.Title == b.Title && a.Site == b.Site && a.Language == b.Language && a.Origin == b.Origin &&
		a.Disabled == b.Disabled && a.Removed == b.Removed && a.Interval == b.Interval && a.Credential == b.Credential &&
		a.Content == b.Content && a.Downgrade == b.Downgrade && a.Certificate == b.Certificate && a.Moved == b.Moved && slices.Equal(a.Topics, b.Topics) && maps.Equal(a.Headers, b.Headers)
}

// ErrKnown: a source with that address is there already.
var ErrKnown = errors.New("already subscribed")

// AddSource subscribes to a feed by its own address (not a page's). The id is made
// from the address when s.ID is empty. A source that was removed, or that came
// from an import and is not polled, is taken up again under its old id.
func (a *Aggregator) AddSource(ctx context.Context, s store.Source) (store.Source, error) {
	have, release, err := a.subscriptions(ctx)
	if err != nil {
		return s, err
	}
	defer release()
	s, err = have.add(s, a.now())
	if err != nil {
		return s, err
	}
	return s, a.archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &s, By: s.Origin}})
}

func (a *Aggregator) now() time.Time { return time.Now().UTC() }
