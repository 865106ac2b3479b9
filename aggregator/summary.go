package aggregator

import (
	"chancery/feed"
	"chancery/store"
)

// Summary counts what a round of polls or an import did. Its JSON is the object
// of `poll --json` and `import --json`.
type Summary struct {
	Sources     int       `json:"sources"`
	Documents   int       `json:"documents,omitempty"`     // read by an import, in whole or in part
	Partial     int       `json:"partial,omitempty"`       // of these, read in part
	Added       int       `json:"sources_added,omitempty"` // subscribed to by an import
	Fetched     int       `json:"fetched"`                 // answers with a document
	NotModified int       `json:"not_modified"`            // 304, or the same bytes again
	Failed      int       `json:"failed"`                  // sources, or documents of which nothing was taken in
	Seen        int       `json:"items_seen"`              // entries in the documents
	New         int       `json:"items_new"`
	Revised     int       `json:"items_revised"`
	Duplicate   int       `json:"items_duplicate"` // new in their source, of a story known from another
	Bytes       int64     `json:"bytes"`           // of bodies on the wire, or of files as unpacked
	Seconds     float64   `json:"seconds"`
	Errors      []Failure `json:"errors"`

	faults int // of the one document that an import reads, listed or not
}

// Failure is one source or file that could not be taken in.
type Failure struct {
	Source feed.SourceID `json:"source,omitempty"`
	URL    string        `json:"url"` // or the name of the file
	Error  string        `json:"error"`
}

// Add puts another summary's counts to this one's. Seconds are not added: what
// runs side by side does not take the sum.
func (s *Summary) Add(o Summary) {
	s.Sources += o.Sources
	s.Documents += o.Documents
	s.Partial += o.Partial
	s.Added += o.Added
	s.Fetched += o.Fetched
	s.NotModified += o.NotModified
	s.Failed += o.Failed
	s.Seen += o.Seen
	s.New += o.New
	s.Revised += o.Revised
	s.Duplicate += o.Duplicate
	s.Bytes += o.Bytes
	s.Errors = append(s.Errors, o.Errors...)
}

func (s *Summary) count(outcomes []store.Outcome) {
	for _, o := range outcomes {
		switch o.State {
		case store.New:
			s.New++
		case store.Revised:
			s.Revised++
		case store.Duplicate:
			s.Duplicate++
		case store.Same:
		}
	}
}
