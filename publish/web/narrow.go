package web

import (
	"net/url"
	"strings"

	"chancery/feed/query"
)

// conjuncts are the conditions that a query asks for all at once.
func conjuncts(q *query.Query) []query.Node {
	if q == nil {
		return nil
	}
	if and, ok := q.Root.(*query.And); ok {
		return and.Nodes
	}
	return []query.Node{q.Root}
}

// written is the text of conditions that must all hold.
func written(nodes []query.Node) string {
	switch len(nodes) {
	case 0:
		return ""
	case 1:
		return query.String(nodes[0])
	}
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = query.String(n)
		if _, ok := n.(*query.Or); ok {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " ")
}

// narrowed is q with a condition more. A date takes the place of the date that was
// there, a language that of the language.
func narrowed(q *query.Query, condition string) string {
	var keep []query.Node
	for _, n := range conjuncts(q) {
		switch n := n.(type) {
		case *query.When:
			if !n.Seen && strings.HasPrefix(condition, "published:") {
				continue
			}
		case *query.Lang:
			if strings.HasPrefix(condition, "lang:") {
				continue
			}
		}
		keep = append(keep, n)
	}
	text := written(keep)
	if len(keep) == 1 {
		if _, ok := keep[0].(*query.Or); ok {
			text = "(" + text + ")"
		}
	}
	return strings.TrimSpace(text + " " + condition)
}

// isFilter reports whether a condition is one that facets make: it says what a post
// is, not which words it has.
func isFilter(n query.Node) bool {
	switch n := n.(type) {
	case *query.Tagged, *query.Lang, *query.When, *query.Is, *query.ID:
		return true
	case *query.Term:
		return n.Field == query.Source
	case *query.Not:
		return isFilter(n.Node)
	case *query.Or:
		for _, part := range n.Nodes {
			if !isFilter(part) {
				return false
			}
		}
		return true
	}
	return false
}

// searchURL is the page of a search.
func searchURL(base, q string) string { return base + "/search?q=" + url.QueryEscape(q) }

// topicQuery selects the posts of a topic.
func topicQuery(id string) string { return "topic:" + id }
