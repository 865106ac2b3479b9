package topic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"chancery/feed"
	"chancery/feed/query"
)

// Labeled is a text with what a person says it is about: 0 not about the topic
// or only in passing, 1 a substantive mention, 2 the subject. A topic without a
// label is not scored. It is a line of what `topics test` reads.
type Labeled struct {
	ID     string               `json:"id,omitempty"`
	Title  string               `json:"title"`
	Text   string               `json:"text"`
	Lang   string               `json:"lang,omitempty"` // guessed when empty
	Labels map[feed.TopicID]int `json:"labels"`
}

// maxLine bounds a line of labeled texts.
const maxLine = 16 << 20

// ReadLabeled reads labeled texts, one JSON object a line, and hands each to
// yield with its line number. It stops at the first error, which names the line.
func ReadLabeled(r io.Reader, yield func(line int, l Labeled) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	line := 0
	for sc.Scan() {
		line++
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		var l Labeled
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		for id, grade := range l.Labels {
			if grade < 0 || grade > 2 {
				return fmt.Errorf("line %d: label %s is %d, want 0, 1 or 2", line, id, grade)
			}
		}
		if err := yield(line, l); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("line %d: %w", line+1, err)
	}
	return nil
}

// Figures counts answers that were right and wrong.
type Figures struct {
	TP        int     `json:"tp"`
	FP        int     `json:"fp"`
	FN        int     `json:"fn"`
	Precision float64 `json:"precision"` // 1 when nothing was said
	Recall    float64 `json:"recall"`    // 1 when nothing was to be found
	F1        float64 `json:"f1"`
}

func (f *Figures) count(expected, got bool) {
	switch {
	case expected && got:
		f.TP++
	case got:
		f.FP++
	case expected:
		f.FN++
	}
	f.Precision, f.Recall, f.F1 = 1, 1, 0
	if f.TP+f.FP > 0 {
		f.Precision = float64(f.TP) / float64(f.TP+f.FP)
	}
	if f.TP+f.FN > 0 {
		f.Recall = float64(f.TP) / float64(f.TP+f.FN)
	}
	if p, r := f.Precision, f.Recall; p+r > 0 {
		f.F1 = 2 * p * r / (p + r)
	}
}

// Result is how well a topic does: as a mention (grade 1 or more), and
// apart from that as the subject (grade 2).
type Result struct {
	Figures
	About Figures `json:"about"`
}

// Report is what `topics test --json` prints.
type Report struct {
	Topics   map[feed.TopicID]*Result `json:"topics"`
	Examples int                      `json:"examples"`
	Misses   []Miss                   `json:"-"` // in the order of the texts
	// Unknown lists labels of topics that the set has not, sorted: they are not
	// scored, and whoever prints the report should say so.
	Unknown []feed.TopicID `json:"-"`
}

// Miss is a wrong answer.
type Miss struct {
	Line  int
	Title string
	Topic feed.TopicID
	Grade int     // as labeled
	Score float64 // as the rule has it
	Got   int     // the grade that the score means
}

// Measure scores labeled texts. Add is for one at a time.
type Measure struct {
	set    *Set
	report Report
}

// NewMeasure begins a measurement of s.
func NewMeasure(s *Set) *Measure {
	m := &Measure{set: s, report: Report{Topics: map[feed.TopicID]*Result{}}}
	for _, r := range s.rules {
		f := &Result{}
		f.count(false, false)
		f.About.count(false, false)
		m.report.Topics[r.ID] = f
	}
	return m
}

// Add scores one labeled text. It returns no error; ReadLabeled takes it as it is.
func (m *Measure) Add(line int, l Labeled) error {
	m.report.Examples++
	d := query.NewTextDoc(l.Title, l.Text, l.Lang)
	got := map[feed.TopicID]Explanation{}
	for _, e := range m.set.explain(d, false) {
		got[e.Topic] = e
	}
	for _, id := range slices.Sorted(maps.Keys(l.Labels)) {
		grade, e := l.Labels[id], got[id]
		f := m.report.Topics[id]
		if f == nil {
			if i, known := slices.BinarySearch(m.report.Unknown, id); !known {
				m.report.Unknown = slices.Insert(m.report.Unknown, i, id)
			}
			continue
		}
		f.count(grade >= 1, e.Mention)
		f.About.count(grade == 2, e.About)
		miss := Miss{Line: line, Title: l.Title, Topic: id, Grade: grade, Score: e.Score, Got: e.grade()}
		if miss.Got != grade {
			m.report.Misses = append(m.report.Misses, miss)
		}
	}
	return nil
}

// Report is the result so far.
func (m *Measure) Report() Report { return m.report }

// Check holds every rule to its examples. The error joins all that fail.
func (s *Set) Check() error {
	var errs []error
	for _, r := range s.rules {
		for i, x := range r.Examples {
			var e Explanation
			for _, e = range s.explain(query.NewTextDoc(x.Title, x.Text, x.Lang), false) {
				if e.Topic == r.ID {
					break
				}
			}
			fail := func(got, want string) {
				errs = append(errs, fmt.Errorf("topic %q: example %d (%.60q): %s with a score of %.2f, expected %s", r.ID, i+1, x.Title+x.Text, got, e.Score, want))
			}
			switch {
			case x.Expect && !e.Mention:
				fail("not tagged", "to be")
			case !x.Expect && e.Mention:
				fail("tagged", "not to be")
			case x.About != nil && *x.About != e.About:
				fail(map[bool]string{true: "the subject", false: "not the subject"}[e.About], "the opposite")
			}
		}
	}
	return errors.Join(errs...)
}
