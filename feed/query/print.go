package query

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the canonical form of the query, on one line. Parsing it gives the
// same tree.
func (q *Query) String() string { return String(q.Root) }

// String is the canonical form of a node.
func String(n Node) string {
	var b strings.Builder
	write(&b, n)
	return b.String()
}

// String is the term as a query writes it.
func (t *Term) String() string {
	s := t.Text
	if _, ok := t.sourceID(); ok {
		return "source:=" + s
	}
	if t.Kind == Phrase || t.Kind == Exact && (len(t.Words) > 1 || !plain(s)) {
		s = `"` + s + `"`
	}
	if t.Kind == Exact {
		s = "=" + s
	}
	if t.Field != Anywhere {
		s = t.Field.String() + ":" + s
	}
	return s
}

// plain reports whether an exact word can stand without quotes.
func plain(s string) bool { return !strings.ContainsAny(s, " ()^:-#") }

func write(b *strings.Builder, n Node) {
	switch n := n.(type) {
	case *And:
		join(b, n.Nodes, " AND ")
	case *Or:
		join(b, n.Nodes, " OR ")
	case *Not:
		b.WriteString("NOT ")
		group(b, n.Node)
	case *Near:
		group(b, n.A)
		fmt.Fprintf(b, " NEAR/%d ", n.Distance)
		group(b, n.B)
	case *Weighted:
		if _, ok := n.Node.(*Weighted); ok {
			write(b, n.Node)
		} else {
			group(b, n.Node)
		}
		b.WriteString("^" + strconv.FormatFloat(n.Weight, 'f', -1, 64))
	case *Term:
		b.WriteString(n.String())
	case *Lang:
		b.WriteString("lang:" + n.Tag)
	case *Tagged:
		if n.About {
			b.WriteString("about:" + string(n.Topic))
		} else {
			b.WriteString("topic:" + string(n.Topic))
		}
	case *When:
		if n.Seen {
			b.WriteString("seen:" + n.Text)
		} else {
			b.WriteString("published:" + n.Text)
		}
	case *Is:
		b.WriteString(string(n.Property))
	case *ID:
		b.WriteString("id:" + n.ID.String()[:n.Letters])
	}
}

func join(b *strings.Builder, nodes []Node, op string) {
	for i, n := range nodes {
		if i > 0 {
			b.WriteString(op)
		}
		switch n.(type) {
		case *Not, *Near:
			write(b, n)
		default:
			group(b, n)
		}
	}
}

// group writes n, in parentheses if it is more than one thing.
func group(b *strings.Builder, n Node) {
	switch n.(type) {
	case *And, *Or, *Near, *Not:
		b.WriteByte('(')
		write(b, n)
		b.WriteByte(')')
	default:
		write(b, n)
	}
}
