package schedule

import (
	"encoding/json"
	"time"

	"chancery/feed"
)

// memory is what the rules remember of a source besides store.PollState. It is
// kept as JSON in PollState.Schedule; unknown or broken JSON is an empty memory,
// which costs some polls at the usual pace and nothing else.
type memory struct {
	Rate   rate      `json:"rate,omitzero"`
	Newest time.Time `json:"newest,omitzero"` // newest post, by date or by sighting

	// Since304 is the first of the answers 304 since the last 200; Usual is the
	// posting rate then; Forced the last unconditional poll of F-13.
	Since304 time.Time `json:"since_304,omitzero"`
	Usual    float64   `json:"usual,omitempty"`
	Forced   time.Time `json:"forced,omitzero"`
	// Same is how many times in a row a conditional request brought the same body.
	Same int `json:"same,omitempty"`
	// Unparsed says why the last body was no feed; Parser was the version then.
	Unparsed string `json:"unparsed,omitempty"`
	Parser   int    `json:"parser,omitempty"`

	Refused int       `json:"refused,omitempty"` // 429 and 403 in a row
	Gone    time.Time `json:"gone,omitzero"`     // the first 410
	HostTo  time.Time `json:"host_to,omitzero"`  // the bound set for the whole host
	Local   bool      `json:"local,omitempty"`

	Gaps   int       `json:"gaps,omitempty"`
	Gap    time.Time `json:"gap,omitzero"`     // the last
	Shrink int       `json:"shrink,omitempty"` // interval is halved that often

	Move     *observed `json:"move,omitempty"`
	MovedAt  time.Time `json:"moved_at,omitzero"`
	NotAgain string    `json:"not_again,omitempty"` // an address that was given up
	Hint     string    `json:"hint,omitempty"`      // a move hinted at in the feed, noted once

	// Of the last document: it is what a 304 stands for.
	TTL       time.Duration  `json:"ttl,omitempty"`
	Syndicate time.Duration  `json:"sy,omitempty"`
	SkipHours []int          `json:"skip_hours,omitempty"`
	SkipDays  []time.Weekday `json:"skip_days,omitempty"`
	Expired   bool           `json:"expired,omitempty"`
}

// observed is a permanent redirect seen again and again.
type observed struct {
	To        string    `json:"to"`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Confirmed bool      `json:"confirmed,omitempty"` // the target brought posts that we knew
	Told      bool      `json:"told,omitempty"`      // the operator was asked
}

func recall(b []byte) memory {
	var m memory
	if len(b) == 0 || json.Unmarshal(b, &m) != nil {
		return memory{}
	}
	return m
}

func (m memory) bytes() []byte {
	b, err := json.Marshal(m)
	if err != nil { // a float that is no number: forget instead of failing
		return nil
	}
	return b
}

func (m *memory) hints(h feed.Hints) {
	m.TTL = min(max(h.TTL, 0), day) // F-62
	m.Syndicate = syndication(h)
	m.SkipHours, m.SkipDays = h.SkipHours, h.SkipDays
	m.Expired = h.Expired
}
