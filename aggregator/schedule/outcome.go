package schedule

import (
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Outcome is what one poll brought, as facts. Classes of failure are the words of
// aggregator/fetch ("dns", "timeout", "limited", …), and "not-a-feed" of parsing.
type Outcome struct {
	Status      int    // HTTP status of the last answer; 0 if none
	Class       string // cause of failure in a word; empty after a 200 with a feed and after a 304
	Error       string // the failure in a sentence
	Wall        string // name of the bot wall that answered, if one did
	NotModified bool   // 304
	Conditional bool   // validators were sent
	Local       bool   // of allow_networks: no hard floor

	// Validator is what to store now; only used when the body was complete and a
	// document, or after a 304.
	ValidatorURL, ETag, LastModified string
	BodyHash                         string // of the body, "" without one
	Same                             bool   // the body is the one of the poll before

	Fresh      time.Duration // HTTP freshness left (RFC 9111)
	RetryAfter time.Duration
	HasRetry   bool // Retry-After was there and could be read
	// HostRefused is how many polls in a row the host refused before; see [Hosts].
	HostRefused int

	URL string // that answered last
	// Permanent is where the leading run of permanent redirects led, or empty;
	// Trusted: every hop was https, or it leads to https on the same registrable
	// domain (F-39).
	Permanent string
	Trusted   bool

	// Parsed: the document was read, and what follows is known. Not set for a 304
	// nor for a body that is the same as before.
	Parsed  bool
	Hints   feed.Hints
	Entries int // in the document
	Known   int // of them, in the archive before this poll
	New     int // of them, new items
	// Published are the dates of the entries, zero ones left out; used at the first
	// poll, to learn the posting rate.
	Published []time.Time
	// Parser is the version of the parser.
	Parser int
}

// Decision is what follows from a poll.
type Decision struct {
	State store.PollState
	// Disable: the source is gone; only an operator enables it again (F-49, F-56).
	Disable bool
	// Move, if not nil, is an address learned or given up; see Apply.
	Move *store.Move
	// Gap: posts were probably lost between this document and the one before (F-70).
	Gap bool
	// HostUntil, if not zero, is until when no source of this host may be polled (F-51).
	HostUntil time.Time
	// Notes are sentences that an operator should hear.
	Notes []string
}

// Apply gives the source as it shall be after d, and whether anything changed.
func (d Decision) Apply(s store.Source) (store.Source, bool) {
	if d.Move == nil && !d.Disable {
		return s, false
	}
	if d.Disable {
		s.Disabled = true
	}
	if d.Move != nil {
		s.Moved = d.Move.To
		if s.Moved == s.URL {
			s.Moved = ""
		}
		s.Moves = append(slices.Clip(s.Moves), *d.Move)
	}
	return s, true
}
