package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
)

// maxIDs bounds a boolean feed (CONTRACT part 4).
const maxIDs = 8

// errExpression: a name is no boolean feed.
var errExpression = errors.New("not a feed expression")

// clause is a conjunction: all of With, none of Without. Both sorted, each once.
type clause struct{ With, Without []string }

// expression is a disjunction of clauses in canonical order.
type expression []clause

// parseExpression reads "iran+mek", "iran,iraq", "iran!mek": "!" binds tightest,
// then "+", then ",". A space stands for "+", as some programs decode it so.
//
// The result is canonical: expressions that differ only in order, repetition or
// in where within a conjunction a "without" stands are equal, and conjunctions
// that another one implies are gone.
func parseExpression(s string) (expression, error) {
	if len(s) > maxIDs*65 {
		return nil, fmt.Errorf("%w: longer than %d ids can be", errExpression, maxIDs)
	}
	s = strings.ReplaceAll(s, " ", "+")
	n := 0
	var e []clause
	for or := range strings.SplitSeq(s, ",") {
		var c clause
		for and := range strings.SplitSeq(or, "+") {
			for i, id := range strings.Split(and, "!") {
				if !feed.ValidID(id) {
					return nil, fmt.Errorf("%w: %.64q is not the id of a topic or feed", errExpression, id)
				}
				if n++; n > maxIDs {
					return nil, fmt.Errorf("%w: more than %d ids", errExpression, maxIDs)
				}
				if i == 0 {
					c.With = append(c.With, id)
				} else {
					c.Without = append(c.Without, id)
				}
			}
		}
		e = append(e, c)
	}
	return canonical(e), nil
}

// canonical is the expression of some clauses.
func canonical(e []clause) expression {
	for i := range e {
		c := &e[i]
		slices.Sort(c.With)
		slices.Sort(c.Without)
		c.With, c.Without = slices.Compact(c.With), slices.Compact(c.Without)
	}
	slices.SortFunc(e, func(a, b clause) int { return strings.Compare(a.String(), b.String()) })
	var out expression
	for i, c := range e {
		implied := func(o clause) bool { return c.implies(o) && !o.implies(c) }
		if slices.ContainsFunc(e, implied) || slices.ContainsFunc(e[:i], func(o clause) bool { return o.String() == c.String() }) {
			continue
		}
		out = append(out, c)
	}
	return out
}

// rename is the expression with other ids in place of its own.
func (e expression) rename(to func(id string) string) expression {
	clauses := make([]clause, len(e))
	for i, c := range e {
		clauses[i] = clause{With: each(c.With, to), Without: each(c.Without, to)}
	}
	return canonical(clauses)
}

// implies reports whether whatever satisfies c satisfies o.
func (c clause) implies(o clause) bool { return subset(o.With, c.With) && subset(o.Without, c.Without) }

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// String is the clause as in a URL.
func (c clause) String() string {
	var s strings.Builder
	s.WriteString(strings.Join(c.With, "+"))
	for _, id := range c.Without {
		s.WriteString("!" + id)
	}
	return s.String()
}

// String is the canonical name.
func (e expression) String() string {
	parts := make([]string, len(e))
	for i, c := range e {
		parts[i] = c.String()
	}
	return strings.Join(parts, ",")
}

// ids lists every id in the expression, sorted, each once.
func (e expression) ids() []string {
	var out []string
	for _, c := range e {
		out = append(append(out, c.With...), c.Without...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// title puts the expression into words.
func (e expression) title(name func(id string) string) string {
	var ors []string
	for _, c := range e {
		s := join(c.With, " and ", name)
		if len(c.Without) > 0 {
			s += " without " + join(c.Without, " or ", name)
		}
		ors = append(ors, s)
	}
	if len(ors) > 1 {
		return strings.Join(ors, ", or ")
	}
	return ors[0]
}

func join(ids []string, sep string, name func(string) string) string {
	return strings.Join(each(ids, name), sep)
}

func each(ids []string, f func(string) string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = f(id)
	}
	return out
}
