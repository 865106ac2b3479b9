package query

import (
	"slices"

	"chancery/feed"
)

// CheckRule reports the first thing in a query that a topic rule may not use: a
// tag must stay the same whenever, and of whatever revision, it is asked (CONTRACT
// part 3). The error is a *[SyntaxError].
func (q *Query) CheckRule() error {
	var err error
	Walk(q.Root, func(n Node) bool {
		what := ""
		switch n := n.(type) {
		case *Is:
			if n.Property != HasEnclosure {
				what = "is:"
			}
		case *When:
			switch {
			case n.Seen:
				what = "seen:"
			case n.Last > 0:
				what = "a date relative to today"
			}
		case *ID:
			what = "id:"
		}
		if what != "" && err == nil {
			err = syntaxError(q.source, q.at[n], what, "what a topic rule can use: terms, fields, lang:, topic:, about:, has: and fixed dates")
		}
		return err == nil
	})
	if err == nil && !helps(q.Root) {
		err = syntaxError(q.source, 0, "only exclusions", "something that a text of the topic has, such as a word of a weight above 0")
	}
	return err
}

// helps reports whether n asks for something, rather than only excluding.
func helps(n Node) bool {
	switch n := n.(type) {
	case *And:
		return slices.ContainsFunc(n.Nodes, helps)
	case *Or:
		some := false
		for _, c := range n.Nodes {
			if w, ok := c.(*Weighted); ok && w.Weight < 0 {
				continue
			}
			if !helps(c) {
				return false
			}
			some = true
		}
		return some
	case *Not:
		return false
	case *Weighted:
		return n.Weight >= 0 && helps(n.Node)
	}
	return true
}

// Topics lists the topics that the query asks about, in order, each once.
func (q *Query) Topics() []feed.TopicID {
	var list []feed.TopicID
	seen := map[feed.TopicID]bool{}
	Walk(q.Root, func(n Node) bool {
		if t, ok := n.(*Tagged); ok && !seen[t.Topic] {
			seen[t.Topic] = true
			list = append(list, t.Topic)
		}
		return true
	})
	return list
}
