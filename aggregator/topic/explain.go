package topic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/feed/query"
)

// Explanation is why a text has, or has not, a topic.
type Explanation struct {
	Topic          feed.TopicID
	Name           string
	Matched        bool // the query matches
	Mention, About bool // and its score reaches the thresholds
	Manual         bool // a person decided, whatever the rule says
	Score          float64
	Threshold      float64
	AboutThreshold float64
	// Evidence is what counted, by field and position. Where the query does not
	// match it is what was found of its terms, without points, one a place.
	Evidence []Reason
}

func (e Explanation) grade() int {
	switch {
	case e.About:
		return 2
	case e.Mention:
		return 1
	}
	return 0
}

// Reason is a term that was found.
type Reason struct {
	Term       string // as the query has it
	Field      string
	Start, End int // bytes of the field's plain text
	Weight     float64
	Points     float64 // given to the score; 0 where a stronger term overlaps
	// Before, Text and After are the place in its context.
	Before, Text, After string
}

// contextBytes is how much text is shown on each side of a reason.
const contextBytes = 60

// Explain says for every topic of which anything was found, or that a person set,
// why d has it or not. Topics are in the order of the rules.
func (s *Set) Explain(d *query.Doc) []Explanation {
	var list []Explanation
	for _, e := range s.explain(d, true) {
		if e.Matched || e.Manual || len(e.Evidence) > 0 {
			list = append(list, e)
		}
	}
	return list
}

// explain explains every topic, with evidence if asked.
func (s *Set) explain(d *query.Doc, evidence bool) []Explanation {
	list := make([]Explanation, len(s.rules))
	tags := s.tag(d, func(r *rule, m query.Match, matched bool, f query.Finder) {
		e := &list[r.index]
		e.Matched, e.Score = matched, m.Score
		if !evidence {
			return
		}
		if !matched {
			for _, t := range r.query.Terms() {
				for _, p := range f.Places(t) {
					m.Evidence = append(m.Evidence, query.Evidence{Term: t, Place: p})
				}
			}
			slices.SortStableFunc(m.Evidence, func(a, b query.Evidence) int {
				return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Start, b.Start))
			})
			m.Evidence = slices.CompactFunc(m.Evidence, func(a, b query.Evidence) bool { return a.Place == b.Place })
		}
		for _, ev := range m.Evidence {
			before, text, after := d.Snippet(ev.Place, contextBytes)
			e.Evidence = append(e.Evidence, Reason{
				Term: ev.Term.String(), Field: ev.Field.String(), Start: ev.Start, End: ev.End,
				Weight: ev.Weight, Points: ev.Points, Before: before, Text: text, After: after,
			})
		}
	})
	for i, r := range s.rules {
		e := &list[i]
		e.Topic, e.Name, e.Threshold, e.AboutThreshold = r.ID, r.Name, r.Threshold, r.AboutThreshold
		for _, t := range tags {
			if t.Topic == r.ID {
				e.Mention, e.About, e.Manual = t.Score >= 0, t.About, t.Manual
			}
		}
	}
	return list
}

// shownReasons bounds the evidence that Format shows: nobody reads more.
const shownReasons = 100

// String is the explanation with what was found in brackets.
func (e Explanation) String() string { return e.Format(func(s string) string { return "[" + s + "]" }) }

// Format is the explanation for a terminal: a line with the verdict, then a line
// for each piece of evidence, of at most 100, with its points, field, offsets and
// context, in which mark marks the words found.
func (e Explanation) Format(mark func(string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (score %.2f, mention from %g, about from %g)\n", e.Topic, e.verdict(), e.Score, e.Threshold, e.AboutThreshold)
	for _, r := range e.Evidence[:min(len(e.Evidence), shownReasons)] {
		fmt.Fprintf(&b, "  %+6.2f  %-5s %5d–%-5d %s^%g  %s%s%s\n", r.Points, r.Field, r.Start, r.End, r.Term, r.Weight,
			oneLine(r.Before), mark(oneLine(r.Text)), oneLine(r.After))
	}
	if n := len(e.Evidence) - shownReasons; n > 0 {
		fmt.Fprintf(&b, "  and %d places more\n", n)
	}
	return b.String()
}

// verdict says what the text is to the topic, and what it lacks to be more.
func (e Explanation) verdict() string {
	short := func(threshold float64) string { return fmt.Sprintf("%.2f short", threshold-e.Score) }
	switch {
	case e.Manual && e.About:
		return "about, as a person decided"
	case e.Manual && e.Mention:
		return "mention, as a person decided"
	case e.Manual:
		return "no, as a person decided"
	case e.About:
		return "about"
	case e.Mention && e.Score < e.AboutThreshold:
		return "mention, not about: " + short(e.AboutThreshold)
	case e.Mention:
		return "mention"
	case e.Matched:
		return "no, too little: " + short(e.Threshold)
	case len(e.Evidence) > 0:
		return "no match, though these terms are there"
	}
	return "no match"
}

// oneLine keeps a snippet on its line, and control characters of strangers off
// the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
