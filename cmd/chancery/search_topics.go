package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

// maxHinted is how many topics a search points to.
const maxHinted = 3

// hint points from a search for a name to the topics whose rules look for it: they
// find what writes the name in another way or script.
func (s *finder) hint(ctx context.Context) error {
	for _, id := range topicsFor(s.q, s.e.Config.Topics) {
		text := "topic:" + string(id)
		q, err := query.Parse(text)
		if err != nil {
			return err
		}
		o := s.so
		o.Limit, o.Cursor, o.Facets, o.Snippets, o.FoldStories = -1, "", false, false, false
		p, err := s.x.Search(ctx, q, o)
		if err != nil {
			return err
		}
		s.e.note("the topic %s looks for this, too: %q has %s, in any of its spellings and languages", id, text, plural(p.Total, "item"))
	}
	return nil
}

// noteUnknownTopics says which topics a search asks for that are not there: it then
// finds nothing, or what a former topic still has.
func (e *Env) noteUnknownTopics(q *query.Query) {
	known := make([]string, len(e.Config.Topics))
	for i, t := range e.Config.Topics {
		known[i] = string(t.ID)
	}
	query.Walk(q.Root, func(n query.Node) bool {
		if t, ok := n.(*query.Tagged); ok && !slices.Contains(known, string(t.Topic)) {
			text := fmt.Sprintf("there is no topic %s in the configuration", t.Topic)
			if near := nearest(string(t.Topic), known); near != "" {
				text += fmt.Sprintf(" (did you mean %s?)", near)
			}
			e.note("%s", text)
		}
		return true
	})
}

// topicsFor lists the topics that have all words of a query, which must be nothing
// but words, as one of their terms.
func topicsFor(q *query.Query, rules []topic.Rule) []feed.TopicID {
	words := wordsOf(q)
	if len(words) == 0 {
		return nil
	}
	var out []feed.TopicID
	for _, r := range rules {
		rule, err := query.Parse(r.Match)
		if err != nil {
			continue // a configuration with such a rule does not get this far
		}
		for _, t := range rule.Terms() {
			if t.Field == query.Anywhere && sameWords(words, t.Words) {
				out = append(out, r.ID)
				break
			}
		}
		if len(out) == maxHinted {
			break
		}
	}
	return out
}

// wordsOf is the words of a query of nothing else.
func wordsOf(q *query.Query) (words []string) {
	plain := true
	query.Walk(q.Root, func(n query.Node) bool {
		switch n := n.(type) {
		case *query.And:
		case *query.Term:
			plain = plain && n.Field == query.Anywhere
			for _, w := range n.Words {
				words = append(words, w.Text)
			}
		default:
			plain = false
		}
		return plain
	})
	if !plain {
		return nil
	}
	return words
}

func sameWords(words []string, term []query.Word) bool {
	if len(words) != len(term) {
		return false
	}
	for i, w := range term {
		if w.Text != words[i] && (!w.Prefix || !strings.HasPrefix(words[i], w.Text)) {
			return false
		}
	}
	return true
}
