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
	v.collect(r.Query.Root, 1, false)
	return v
}

func (v *ruleView) collect(n query.Node, weight float64, not bool) {
	switch n := n.(type) {
	case *query.And:
		for _, p := range n.Nodes {
			v.collect(p, weight, not)
		}
	case *query.Or:
		for _, p := range n.Nodes {
			v.collect(p, weight, not)
		}
	case *query.Weighted:
		v.collect(n.Node, weight*n.Weight, not)
	case *query.Not:
		v.collect(n.Node, weight, !not)
	default:
		v.add(n, weight, not)
	}
}

func (v *ruleView) add(n query.Node, weight float64, not bool) {
	if len(v.For)+len(v.Needed)+len(v.Against)+len(v.Never) >= ruleTerms {
		v.More++
		return
	}
	t := ruleTerm{Text: inWords(n)}
	if weight != 1 && weight != 0 && !not {
		t.Weight = number(weight)
	}
	switch {
	case not:
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
