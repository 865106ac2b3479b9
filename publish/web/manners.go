package web

import "time"

// Manners counts what polling has cost publishers since the program began.
type Manners struct {
	Since time.Time
	Polls int64 // requests of feeds, failed ones included
	// Unchanged are the answers that brought nothing new as a short "not modified" (HTTP
	// 304), Repeated those that sent the same document again, RepeatedBytes what that was
	// on the wire.
	Unchanged, Repeated, RepeatedBytes int64
	Failed                             int64
}

// mannersReport is [Manners] as JSON.
type mannersReport struct {
	Since         instant `json:"since"`
	Polls         int64   `json:"polls"`
	Unchanged     int64   `json:"not_modified"`
	Repeated      int64   `json:"repeated"`
	RepeatedBytes int64   `json:"repeated_bytes"`
	Failed        int64   `json:"failed"`
	// Score is the share of the answers without news that were short ones, in percent;
	// absent before the first.
	Score *int64 `json:"score,omitempty"`
}

func (m Manners) report() *mannersReport {
	r := &mannersReport{
		Since: instant{m.Since.UTC()}, Polls: m.Polls, Unchanged: m.Unchanged, Repeated: m.Repeated, RepeatedBytes: m.RepeatedBytes, Failed: m.Failed,
	}
	if quiet := m.Unchanged + m.Repeated; quiet > 0 {
		score := 100 * m.Unchanged / quiet // rounded down: 100 is without exception
		r.Score = &score
	}
	return r
}
