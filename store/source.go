package store

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"chancery/feed"
)

// Source is a subscription: a feed that is polled, or one that was only imported.
type Source struct {
	ID       feed.SourceID
	URL      string // as configured or added; empty for a source that was only imported
	Title    string // the operator's, else the feed's own
	Site     string // the page it belongs to
	Language string // said by the operator, for feeds that don't say
	// Origin is where the subscription comes from: "config", "command", "opml", "import".
	Origin   string
	Added    time.Time
	Disabled bool // by the operator, or because it is gone; PollState says why
	Removed  bool // not subscribed any more; its items stay
	// Interval, if not zero, is the operator's own floor between polls.
	Interval   time.Duration
	Topics     []feed.TopicID    // every item gets these
	Headers    map[string]string // sent to the configured origin only
	Credential string            // name of a credential, never the secret
	// Downgrade: redirects from https to http are followed (CONFORMANCE F-42).
	Downgrade bool
	// Certificate, if set, is the SHA-256 of the server's certificate in hexadecimal,
	// which is accepted although nobody we trust signed it, and no other (F-91).
	Certificate string
	Content     string // "", "full" or "summary": what may be republished
	// Moved is the address learned from permanent redirects, used instead of URL
	// while URL is unchanged. Moves is the history, oldest first.
	Moved string
	Moves []Move
}

// Forgotten reports whether only the id of a source is known, by its items, because the
// record that made it is lost. Whoever comes with what is known otherwise may take its place.
func (s Source) Forgotten() bool {
	return s.Added.IsZero() && s.Origin == "import" && s.Disabled && s.URL == "" && s.Site == ""
}

// Address is where the source is polled.
func (s Source) Address() string {
	if s.Moved != "" {
		return s.Moved
	}
	return s.URL
}

// Move is one change of address.
type Move struct {
	From, To string
	At       time.Time
	Reason   string
}

// SourceState is a source with what polling knows of it.
type SourceState struct {
	Source
	State PollState
	Items int64 // in the archive
}

// Word is the state in a word: removed, imported (there is nothing to poll),
// disabled, new (not polled yet), or the condition that polling found, "ok" if none.
func (s *SourceState) Word() string {
	switch {
	case s.Removed:
		return "removed"
	case s.URL == "":
		return "imported"
	case s.Disabled && s.State.Condition != "" && s.State.Condition != "ok":
		return s.State.Condition
	case s.Disabled && s.Origin == "import":
		return "imported"
	case s.Disabled:
		return "disabled"
	case s.State.Polled.IsZero():
		return "new"
	}
	return cmp.Or(s.State.Condition, "ok")
}

// PollState is what is remembered of a source from poll to poll. The engine
// keeps it as it is given, as one JSON value, and reads only NextDue and
// NotBefore; its meaning is aggregator/schedule's and fetch's. Times are UTC.
type PollState struct {
	// ValidatorURL is the URL that issued ETag and LastModified, which are kept
	// byte for byte (CONFORMANCE F-01, F-02, F-10).
	ValidatorURL string `json:"validator_url,omitempty"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// BodyHash is a hash of the last body, for servers that ignore validators.
	BodyHash string `json:"body_hash,omitempty"`
	// PartsHash is a hash of the list of entries' digests of the last document that
	// was kept: a document is kept again only when the list changed.
	PartsHash string `json:"parts_hash,omitempty"`
	// Colliding are hashes of native ids and links that stood on unrelated posts of
	// one document: they identify nothing in this source any more (CONFORMANCE P-68).
	Colliding []string `json:"colliding,omitempty"`

	Polled    time.Time `json:"polled,omitzero"`    // last attempt
	Succeeded time.Time `json:"succeeded,omitzero"` // last 200 with a feed, or 304
	Changed   time.Time `json:"changed,omitzero"`   // last time something new came
	NextDue   time.Time `json:"next_due,omitzero"`  // zero: at once
	// NotBefore is a bound set by the server (Retry-After) that no manual poll breaks.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Why says, in words, how NextDue was found.
	Why string `json:"why,omitempty"`

	// Condition is the state of the source in a word: "", "ok", "failing", "gone",
	// "blocked", "quiet", …; Class is the cause of the last failure in a word:
	// "dns", "timeout", "status", "refused", "not-a-feed", "too-large", …
	Condition    string    `json:"condition,omitempty"`
	Class        string    `json:"class,omitempty"`
	LastStatus   int       `json:"last_status,omitempty"`
	LastError    string    `json:"last_error,omitempty"` // a sentence; empty after a success
	Failures     int       `json:"failures,omitempty"`   // in a row
	FirstFailure time.Time `json:"first_failure,omitzero"`

	// Repairs names what the last document that was read needed to be read
	// (feed.Feed.Repairs): "truncated" and the like. Empty for a clean one.
	Repairs []string `json:"repairs,omitempty"`

	Interval time.Duration `json:"interval,omitempty"` // chosen last
	Entries  int           `json:"entries,omitempty"`  // in the last document
	// Gaps are the times between two polls that shared no entry, so that posts may
	// have come and gone between them (CONFORMANCE F-70): the newest, oldest first.
	Gaps []Gap `json:"gaps,omitempty"`
	// Schedule is aggregator/schedule's own memory, opaque to all others.
	Schedule []byte `json:"schedule,omitempty"`
}

// MaxGaps is how many gaps of a source are remembered.
const MaxGaps = 50

// Gap is a time in which posts of a source may have been missed. Its text is an
// interval of ISO 8601, to the second: "2026-03-01T12:00:00Z/2026-03-04T09:30:00Z".
type Gap struct{ From, To time.Time }

// String is the gap's text.
func (g Gap) String() string {
	return g.From.UTC().Format(time.RFC3339) + "/" + g.To.UTC().Format(time.RFC3339)
}

// MarshalText is String.
func (g Gap) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads what String wrote.
func (g *Gap) UnmarshalText(b []byte) (err error) {
	from, to, _ := strings.Cut(string(b), "/")
	if g.From, err = time.Parse(time.RFC3339, from); err == nil {
		g.To, err = time.Parse(time.RFC3339, to)
	}
	if err != nil {
		return fmt.Errorf("not an interval: %.60q", b)
	}
	g.From, g.To = g.From.UTC(), g.To.UTC()
	return nil
}
