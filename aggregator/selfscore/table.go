package selfscore

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// kinds are the bad columns of the table, in its order.
var kinds = []string{
	"too soon", "not waited", "not stopped", "unconditional", "out of sequence", "made up", "left out",
	"cookie", "referer", "query", "made-up URL", "field", "method", "agent",
}

// Row is what one site saw.
type Row struct {
	Site          string         `json:"site"`
	What          string         `json:"what"`
	Requests      int            `json:"requests"`
	Conditional   int            `json:"conditional"`
	NotModified   int            `json:"not_modified"`
	Unconditional int            `json:"unconditional"`
	Closest       time.Duration  `json:"closest"` // two requests for one address
	Bad           map[string]int `json:"bad,omitempty"`
	Notes         []string       `json:"notes,omitempty"` // the first faults in words
}

// Table is the score.
type Table []Row

// Bad is the sum of all bad columns: 0 for a polite poller.
func (t Table) Bad() int {
	n := 0
	for _, r := range t {
		for _, k := range r.Bad {
			n += k
		}
	}
	return n
}

// Table gives what was seen so far.
func (s *Server) Table() Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t Table
	for _, x := range s.sites {
		r := Row{Site: x.name, What: x.what, Requests: x.asked, Bad: maps.Clone(x.bad), Notes: slices.Clone(x.notes)}
		closest := time.Duration(1 << 62)
		for _, u := range x.urls {
			r.Conditional += u.conditional
			r.NotModified += u.unchanged
			closest = min(closest, u.closest)
		}
		if closest < 1<<62 {
			r.Closest = closest
		}
		r.Unconditional = r.Requests - r.Conditional
		t = append(t, r)
	}
	if len(s.lost) > 0 {
		t = append(t, Row{Site: "elsewhere", What: "hosts that were never named", Requests: len(s.lost), Bad: map[string]int{"made-up URL": len(s.lost)}, Notes: slices.Clone(s.lost[:min(len(s.lost), 10)])})
	}
	return t
}

// Write prints the table: a line a site, the sums of the bad columns, and the
// first faults of each site in words.
func (t Table) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "site\trequests\twithout validators\t304\tclosest\tbad\twhat it does")
	sums := map[string]int{}
	var notes []string
	for _, r := range t {
		bad := 0
		for k, n := range r.Bad {
			sums[k] += n
			bad += n
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%v\t%d\t%s\n", r.Site, r.Requests, r.Unconditional, r.NotModified, r.Closest.Round(time.Minute), bad, r.What)
		notes = append(notes, r.Notes...)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	var parts []string
	for _, k := range kinds {
		parts = append(parts, fmt.Sprintf("%s %d", k, sums[k]))
	}
	if _, err := fmt.Fprintf(w, "\nbad: %s\n", strings.Join(parts, ", ")); err != nil {
		return err
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}
