package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"chancery/store"
)

// statusPage is the data of the page of how the service stands.
type statusPage struct {
	*report
	States   []stateCount
	Sources  []statusRow
	Interval string
	Lag      string
}

type stateCount struct {
	health
	Count int
}

// statusRow is a source in the table.
type statusRow struct {
	*store.SourceState
	Health health
	Due    time.Time // zero if it is not polled, or at once
	Now    bool      // it is due
	Gaps   int
}

// status serves /status.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	site, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	now := time.Now().UTC()
	rep, err := s.report(r.Context(), site, now)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := statusPage{report: rep, Interval: spell(time.Duration(rep.Polling.Interval) * time.Second), Lag: spell(time.Duration(rep.Polling.LagSeconds) * time.Second)}
	by := map[string]int{}
	for i := range site.Sources {
		src := &site.Sources[i]
		row := statusRow{SourceState: src, Health: healthOf(src, now), Gaps: len(src.State.Gaps)}
		if polled(src) {
			row.Due, row.Now = due(src), !due(src).After(now)
		}
		p.Sources = append(p.Sources, row)
		at, ok := by[row.Health.State]
		if !ok {
			at = len(p.States)
			by[row.Health.State] = at
			p.States = append(p.States, stateCount{health: row.Health})
		}
		p.States[at].Count++
		if rank[row.Health.Level] > rank[p.States[at].Level] {
			p.States[at].Level = row.Health.Level
		}
	}
	slices.SortFunc(p.States, func(a, b stateCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.State, b.State)
	})
	fr.Title, fr.Here, fr.Wide = "Status · "+fr.Site, "status", true
	fr.JSON = s.lib.Base() + "/status.json"
	fr.Body = p
	s.show(w, r, "status", fr)
}
