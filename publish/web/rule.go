package web

import (
	"fmt"
	"strconv"
	"strings"

	"chancery/feed/query"
)

// ruleView is the rule of a topic in readable form.
type ruleView struct {
	For, Needed, Against, Never []ruleTerm
	More                        int // terms that are not listed
	Threshold, About            string
	Text                        string // as written
}

// ruleTerm is a term of a rule and how much it counts; Weight is empty for 1.
type ruleTerm struct{ Text, Weight string }

// ruleTerms is how many terms a page lists; a rule can have thousands.
const ruleTerms = 80

// view puts a rule into readable form; nil if there is none.
func (r *Rule) view() *ruleView {
	if r == nil {
		return nil
	}
	v := &ruleView{Threshold: number(r.Threshold), About: number(r.About), Text: r.Text}
	v.collect(r.Query.Root, 1, standing{})
	return v
}

// standing is where in a rule a condition stands.
type standing struct {
	not    bool
	either bool   // it is one of several alternatives
	where  string // what must hold at the same time, in words
}

func (v *ruleView) collect(n query.Node, weight float64, at standing) {
	switch n := n.(type) {
	case *query.And:
		nodes := n.Nodes
		if at.either && !at.not {
			nodes, at.where = beside(nodes, at.where)
		}
		for _, p := range nodes {
			v.collect(p, weight, at)
		}
	case *query.Or:
		at.either = at.either || !at.not
		for _, p := range n.Nodes {
			v.collect(p, weight, at)
		}
	case *query.Weighted:
		v.collect(n.Node, weight*n.Weight, at)
	case *query.Not:
		at.not = !at.not
		v.collect(n.Node, weight, at)
	default:
		v.add(n, weight, at)
	}
}

// beside parts what must hold together in one of the alternatives of a rule into words
// that count, and the rest as what must hold beside them.
func beside(nodes []query.Node, where string) (count []query.Node, all string) {
	for _, n := range nodes {
		switch n.(type) {
		case *query.Not, *query.Lang, *query.When, *query.Is:
			if where != "" {
				where += ", "
			}
			where += inWords(n)
		default:
			count = append(count, n)
		}
	}
	if len(count) == 0 {
		return nodes, ""
	}
	return count, where
}

func (v *ruleView) add(n query.Node, weight float64, at standing) {
	if len(v.For)+len(v.Needed)+len(v.Against)+len(v.Never) >= ruleTerms {
		v.More++
		return
	}
	t := ruleTerm{Text: inWords(n)}
	if at.where != "" {
		t.Text += " (" + at.where + ")"
	}
	if weight != 1 && weight != 0 && !at.not {
		t.Weight = number(weight)
	}
	switch {
	case at.not:
		v.Never = append(v.Never, t)
	case weight < 0:
		v.Against = append(v.Against, t)
	case weight == 0:
		v.Needed = append(v.Needed, t)
	default:
		v.For = append(v.For, t)
	}
}

// alternatives is how many of the words on one side of NEAR are named.
const alternatives = 4

// inWords is a condition as a person would say it.
func inWords(n query.Node) string {
	switch n := n.(type) {
	case *query.Term:
		if n.Kind == query.Exact {
			return n.Text + " (exactly so)"
		}
		if n.Field != query.Anywhere {
			return n.Text + " in the " + n.Field.String()
		}
		return n.Text
	case *query.Weighted:
		return inWords(n.Node)
	case *query.Not:
		return "not " + inWords(n.Node)
	case *query.Lang:
		return "in " + languageName(n.Tag)
	case *query.Or:
		var parts []string
		for i, p := range n.Nodes {
			if i == alternatives && len(n.Nodes) > alternatives+1 {
				parts = append(parts, fmt.Sprintf("%d more", len(n.Nodes)-i))
				break
			}
			parts = append(parts, inWords(p))
		}
		return strings.Join(parts, " / ")
	case *query.Near:
		return fmt.Sprintf("%s, at most %d words from %s", inWords(n.A), n.Distance, inWords(n.B))
	case *query.Tagged:
		return "the topic " + string(n.Topic)
	}
	return query.String(n)
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
