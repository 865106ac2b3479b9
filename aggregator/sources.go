package aggregator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
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
	have, err := a.subscriptions(ctx)
	if err != nil {
		return s, err
	}
	s, err = have.add(s, a.now())
	if err != nil {
		return s, err
	}
	return s, a.archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &s, By: s.Origin}})
}

// subscriptions are the sources by id and by address, for adding to them.
type subscriptions struct {
	byID      map[feed.SourceID]store.Source
	byAddress map[string]feed.SourceID
}

func (a *Aggregator) subscriptions(ctx context.Context) (*subscriptions, error) {
	states, err := a.archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	have := &subscriptions{make(map[feed.SourceID]store.Source, len(states)), make(map[string]feed.SourceID, len(states))}
	for _, s := range states {
		have.put(s.Source)
	}
	return have, nil
}

func (h *subscriptions) put(s store.Source) {
	h.byID[s.ID] = s
	for _, at := range []string{s.URL, s.Moved} {
		if at = normalize.Address(at); at != "" {
			h.byAddress[at] = s.ID
		}
	}
}

// add makes s ready to be recorded, or says why it cannot be; ErrKnown comes with
// the source that is there.
func (h *subscriptions) add(s store.Source, now time.Time) (store.Source, error) {
	u, err := url.Parse(strings.TrimSpace(s.URL))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return s, fmt.Errorf("%q is not an http or https address", s.URL)
	}
	s.URL = u.String()
	id, ok := h.byAddress[normalize.Address(s.URL)]
	if !ok && s.ID != "" {
		id = s.ID
	}
	if was, ok := h.byID[id]; ok {
		if !was.Removed && (!was.Disabled || was.Origin != "import") {
			return was, fmt.Errorf("%w: source %s has the address %s", ErrKnown, was.ID, was.Address())
		}
		s.ID, s.Added = was.ID, was.Added
		s.Title, s.Site = firstOf(s.Title, was.Title), firstOf(s.Site, was.Site)
	}
	if s.ID == "" {
		s.ID = h.free(slug(s.URL, s.Title))
	}
	if !feed.ValidID(string(s.ID)) {
		return s, fmt.Errorf("%q is not an id: want [a-z0-9][a-z0-9-]*, at most 64 bytes", s.ID)
	}
	s.Origin = firstOf(s.Origin, "command")
	if s.Added.IsZero() {
		s.Added = now
	}
	h.put(s)
	return s, nil
}

// free is base, or base with the first number that is free.
func (h *subscriptions) free(base string) feed.SourceID {
	if base == "" || base == "all" || base == "source" {
		base = strings.TrimSuffix("feed-"+base, "-")
	}
	id := feed.SourceID(base)
	for n := 2; ; n++ {
		if _, taken := h.byID[id]; !taken {
			return id
		}
		id = feed.SourceID(fmt.Sprintf("%s-%d", base, n))
	}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// hostNoise are labels of a host that say nothing of whose it is.
var hostNoise = []string{"www", "feeds", "feed", "rss", "blog", "blogs", "com", "org", "net", "co", "uk", "gov", "edu", "info"}

// slug makes an id out of an address, or of a title when there is none:
// "https://www.lobelog.com/feed/" is "lobelog".
func slug(address, title string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		var labels []string
		for l := range strings.SplitSeq(strings.ToLower(u.Hostname()), ".") {
			if !slices.Contains(hostNoise, l) {
				labels = append(labels, l)
			}
		}
		if s := words(strings.Join(labels, "-")); s != "" {
			return s
		}
		return words(u.Hostname())
	}
	return words(title)
}

// words keeps letters and digits of ASCII and one hyphen between them.
func words(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap = false
		} else {
			gap = true
		}
		if b.Len() >= 48 {
			break
		}
	}
	return b.String()
}

func (a *Aggregator) now() time.Time { return time.Now().UTC() }
