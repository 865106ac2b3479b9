// Package topic says what an item is about: it tags items with the topics of the
// configuration, says why, and measures how well the rules do it.
//
// A topic is a query (package feed/query) with two thresholds: the query says
// whether a text speaks of the topic, its score how much. [Compile] turns all
// rules into a [Set]; [Set.Tag] tags an item, [Set.Explain] shows the evidence.
// All words of all rules stand in one trie, so the time for an item hardly
// depends on how many topics there are; conditions are evaluated on its hits only
// and with the evaluation of feed/query, so a rule means here what it means in a
// search.
//
// What a person decided stays: a manual tag of an item is kept as it is.
//
// [Set.Check] holds rules to their examples, a [Measure] scores labeled texts, a
// [Retagger] and a [Backtest] say what a changed set would change. The package does no
// I/O but [ReadLabeled]; it asks no clock, as rules have no relative dates.
package topic

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/feed/query"
)

// Rule is a [[topic]] of the configuration.
type Rule struct {
	ID   feed.TopicID `toml:"id"`
	Name string       `toml:"name"`
	// Match says whether, in the query language; weights say how much each term
	// counts.
	Match string `toml:"match"`
	// Threshold is the score from which on a text mentions the topic; 0 means
	// [DefaultThreshold].
	Threshold float64 `toml:"threshold"`
	// AboutThreshold is the score from which on the topic is the subject; 0 means
	// [DefaultAboutThreshold].
	AboutThreshold float64   `toml:"about_threshold"`
	Examples       []Example `toml:"example"`
}

// Example is a text that a rule is held to.
type Example struct {
	Title  string `toml:"title"`
	Text   string `toml:"text"`
	Lang   string `toml:"lang"` // guessed when empty
	Expect bool   `toml:"expect"`
	// About, where given, says whether the topic is the text's subject.
	About *bool `toml:"about"`
}

// The thresholds of a rule that has none: one mention in running text; a title
// and a mention at the start, or a few mentions.
const (
	DefaultThreshold      = 1.0
	DefaultAboutThreshold = 4.0
)

// Set is all rules, compiled. It is immutable and safe for concurrent use.
type Set struct {
	rules  []*rule // as given
	order  []*rule // each after those it asks for
	digest feed.Digest
	trie   *trie
}

type rule struct {
	Rule
	query *query.Query
	index int
	// free: the rule can match a text without any of its terms in it, so it is
	// evaluated always.
	free bool
	// flat: the rule is terms joined by OR, as most are. Then only terms that were
	// found are looked at.
	flat    bool
	weights []float64 // of a flat rule's terms
	numbers []int32   // of its terms in the trie
}

// Compile checks all rules and makes a set of them. The error joins all faults,
// each naming its topic; a fault in a query wraps a *query.SyntaxError.
func Compile(rules []Rule) (*Set, error) {
	s := &Set{}
	var errs []error
	byID := map[feed.TopicID]*rule{}
	for i, r := range rules {
		fail := func(err error) { errs = append(errs, fmt.Errorf("topic %q: %w", r.ID, err)) }
		c := &rule{Rule: r, index: i}
		s.rules = append(s.rules, c)
		switch {
		case !feed.ValidID(string(r.ID)):
			fail(fmt.Errorf("id: want letters a-z, digits and hyphens, at most 64"))
		case r.ID == "all" || r.ID == "source":
			fail(errors.New("id: reserved"))
		case byID[r.ID] != nil:
			fail(errors.New("id: there is another topic with this id"))
		default:
			byID[r.ID] = c
		}
		if c.Threshold == 0 {
			c.Threshold = DefaultThreshold
		}
		if c.AboutThreshold == 0 {
			c.AboutThreshold = max(DefaultAboutThreshold, c.Threshold)
		}
		if !(c.Threshold > 0) {
			fail(fmt.Errorf("threshold: %v is not positive", r.Threshold))
		}
		if !(c.AboutThreshold >= c.Threshold) {
			fail(fmt.Errorf("about_threshold: %v is below the threshold %v", r.AboutThreshold, c.Threshold))
		}
		q, err := query.Parse(r.Match)
		if err == nil {
			err = q.CheckRule()
		}
		if err != nil {
			fail(fmt.Errorf("match: %w", err))
			continue
		}
		c.query = q
		c.free = free(q.Root)
		c.weights, c.flat = q.Any()
	}
	for _, r := range s.rules {
		if r.query == nil {
			continue
		}
		for _, id := range r.query.Topics() {
			if byID[id] == nil {
				errs = append(errs, fmt.Errorf("topic %q: match: there is no topic %q", r.ID, id))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := s.sort(byID); err != nil {
		return nil, err
	}
	s.digest = digest(s.rules)
	s.trie = newTrie(s.rules)
	return s, nil
}

// sort puts rules after those they ask for (topic:, about:).
func (s *Set) sort(byID map[feed.TopicID]*rule) error {
	const open, done = 1, 2
	state := map[*rule]int{}
	var path []string
	var visit func(r *rule) error
	visit = func(r *rule) error {
		path = append(path, string(r.ID))
		defer func() { path = path[:len(path)-1] }()
		switch state[r] {
		case done:
			return nil
		case open:
			from := slices.Index(path, string(r.ID))
			return fmt.Errorf("topic %q: match: a circle of topics: %s", r.ID, strings.Join(path[from:], " → "))
		}
		state[r] = open
		for _, id := range r.query.Topics() {
			if err := visit(byID[id]); err != nil {
				return err
			}
		}
		state[r] = done
		s.order = append(s.order, r)
		return nil
	}
	for _, r := range s.rules {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// free reports whether n can match a text that has none of its terms.
func free(n query.Node) bool {
	switch n := n.(type) {
	case *query.And:
		return !slices.ContainsFunc(n.Nodes, func(c query.Node) bool { return !free(c) })
	case *query.Or:
		return slices.ContainsFunc(n.Nodes, free)
	case *query.Not:
		return true
	case *query.Weighted:
		return n.Weight < 0 || free(n.Node)
	case *query.Near, *query.Term:
		return false
	}
	return true
}

// digest covers what decides tags: ids, canonical queries, thresholds. A change
// of names, examples or layout leaves it as it is.
func digest(rules []*rule) feed.Digest {
	sorted := slices.SortedFunc(slices.Values(rules), func(a, b *rule) int { return cmp.Compare(a.ID, b.ID) })
	var b []byte
	b = fmt.Appendf(b, "topics %d\n", Version)
	for _, r := range sorted {
		b = r.appendTo(b)
	}
	return feed.DigestOf(b)
}

// appendTo writes the rule on one line, so that no two lists of rules look alike.
func (r *rule) appendTo(b []byte) []byte {
	b = fmt.Appendf(b, "%s %v %v ", r.ID, r.Threshold, r.AboutThreshold)
	return append(append(b, r.query.String()...), '\n')
}

// Version rises when folding, stemming or scoring change what rules give.
const Version = 1

// Digest identifies what the set gives: sets of one digest tag alike.
func (s *Set) Digest() feed.Digest { return s.digest }

// Rules lists the rules as given, with their thresholds filled in.
func (s *Set) Rules() []Rule {
	list := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		list[i] = r.Rule
	}
	return list
}

// Query is the parsed query of a topic, or nil.
func (s *Set) Query(id feed.TopicID) *query.Query {
	for _, r := range s.rules {
		if r.ID == id {
			return r.query
		}
	}
	return nil
}

// Tag lists the topics of an item, sorted by topic. Manual tags that d carries
// stay as they are, those that say no included.
func (s *Set) Tag(d *query.Doc) []feed.Tag {
	return s.tag(d, nil)
}

// tag tags d and hands each rule's outcome to see, which may be nil.
func (s *Set) tag(d *query.Doc, see func(r *rule, m query.Match, matched bool, f query.Finder)) []feed.Tag {
	was := d.Facts.Tags
	defer func() { d.Facts.Tags = was }()
	var tags []feed.Tag
	for _, t := range was {
		if t.Manual {
			tags = append(tags, t)
		}
	}
	d.Facts.Tags = tags
	manual := len(tags)
	h := s.trie.scan(d)
	defer s.trie.release(h)
	for _, r := range s.order {
		if !r.free && len(h.found[r.index]) == 0 && see == nil {
			continue
		}
		m, ok := h.eval(r)
		if see != nil {
			see(r, m, ok, h)
		}
		if !ok || m.Score < r.Threshold || slices.ContainsFunc(tags[:manual], func(t feed.Tag) bool { return t.Topic == r.ID }) {
			continue
		}
		tags = append(tags, feed.Tag{Topic: r.ID, Score: round(m.Score), About: m.Score >= r.AboutThreshold})
		d.Facts.Tags = tags
	}
	slices.SortFunc(tags, func(a, b feed.Tag) int { return cmp.Compare(a.Topic, b.Topic) })
	return tags
}

// round keeps scores short where people see them: two decimals.
func round(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }
