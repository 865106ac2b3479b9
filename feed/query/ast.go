// Package query is the one query language of topics, published feeds and
// searches: its syntax tree, parser, printer and meaning. docs/query.md is its
// manual, the package its reference.
//
// [Parse] reads a query, [Query.String] writes it in its canonical form, and
// parsing that gives the same tree. [NewDoc] prepares an item, [Query.Match]
// says whether the item matches, how strongly, and why: each piece of evidence
// names the term, the field and the bytes where it stands.
//
// There are two ways to find the places of a term in a text, through the words
// of a [Doc] here, and through one trie for thousands of rules in
// aggregator/topic. Both hand the places to the same evaluation ([Query.Eval]),
// so a query has one meaning. An index gets candidates its own way and asks
// Match where it can't be exact itself; [Walk] shows it the tree.
//
// The package is pure: relative dates take the present as an argument. A Query
// is immutable and safe for concurrent use; a Doc is not.
package query

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/text"
)

// Field is a part of an item that terms can be looked for in.
type Field uint8

// The fields. Anywhere is what a term without a field means: title and text.
const (
	Anywhere Field = iota
	Title
	Text // summary and content; no prefix of its own
	Author
	Source
	Category
	URL
	numFields
)

var fieldNames = [numFields]string{"", "title", "text", "author", "source", "category", "url"}

// String is the field's name as evidence shows it.
func (f Field) String() string { return fieldNames[f] }

// Node is a part of a query: *And, *Or, *Not, *Near, *Weighted, *Term, *Lang,
// *Tagged, *When, *Is or *ID.
type Node interface{ node() }

// And matches where all of its nodes do. It has at least two.
type And struct{ Nodes []Node }

// Or matches where one of its nodes does. It has at least two.
type Or struct{ Nodes []Node }

// Not matches where its node does not.
type Not struct{ Node Node }

// Near matches where a place of A and one of B are in one field with at most
// Distance words from the one's last word to the other's first, in either
// order. A and B are terms, or *Or or *Weighted of terms.
type Near struct {
	A, B     Node
	Distance int
}

// Weighted multiplies the score of its node. With a negative weight the node
// neither helps nor is needed for a match: it only lowers the score. With 0 it
// is needed, or helps, as any other and counts nothing.
type Weighted struct {
	Node   Node
	Weight float64
}

// Kind says how a term's words are compared.
type Kind uint8

// The kinds of terms.
const (
	Bare   Kind = iota // one word or an inflected form of it
	Phrase             // these words in order, as they are; the last letters of a word free where it is a prefix
	Exact              // these words in order, letter by letter, case and all
)

// Term is a word or a phrase to be found in a text.
type Term struct {
	Kind  Kind
	Field Field
	Text  string // as written, without quotes, sign and field
	Words []Word // its folded words, at least one
	Index int    // its number among the query's terms, from 0
	// key tells apart what matters in matching, for sharing work between terms.
	key string
}

// Word is a folded word of a term.
type Word struct {
	Text   string
	Prefix bool // any word that begins so
}

// Lang matches items in a language, given by its primary subtag.
type Lang struct{ Tag string }

// Tagged matches items that a topic is a mention of (topic:) or the subject of
// (about:).
type Tagged struct {
	Topic feed.TopicID
	About bool
}

// When matches items by a date: From ≤ date < To, zero meaning no bound. With
// Last it is the time before the present instead.
type When struct {
	Seen     bool // when the item was first seen; else its effective date
	Text     string
	From, To time.Time
	Last     time.Duration
}

// Property is what is: and has: ask for.
type Property string

// The properties.
const (
	Revised      Property = "is:revised"
	Duplicate    Property = "is:duplicate"
	HasEnclosure Property = "has:enclosure"
)

// Is matches items with a property.
type Is struct{ Property Property }

// ID matches items of which the id begins with so many letters of this one: all 26 of
// them, and it is one item.
type ID struct {
	ID      feed.ItemID
	Letters int
}

func (*And) node()      {}
func (*Or) node()       {}
func (*Not) node()      {}
func (*Near) node()     {}
func (*Weighted) node() {}
func (*Term) node()     {}
func (*Lang) node()     {}
func (*Tagged) node()   {}
func (*When) node()     {}
func (*Is) node()       {}
func (*ID) node()       {}

// Query is a parsed query.
type Query struct {
	Root   Node
	terms  []*Term
	source string
	at     map[Node]int // where conditions stand in source, for errors
}

// Terms lists the terms in the order in which they stand in the query, those
// under NOT included. The caller must not change the list.
func (q *Query) Terms() []*Term { return slices.Clip(q.terms) }

// Walk calls visit for n and, while visit returns true, for the nodes inside it.
func Walk(n Node, visit func(Node) bool) {
	if !visit(n) {
		return
	}
	switch n := n.(type) {
	case *And:
		for _, c := range n.Nodes {
			Walk(c, visit)
		}
	case *Or:
		for _, c := range n.Nodes {
			Walk(c, visit)
		}
	case *Not:
		Walk(n.Node, visit)
	case *Weighted:
		Walk(n.Node, visit)
	case *Near:
		Walk(n.A, visit)
		Walk(n.B, visit)
	}
}

// Bounds resolves a When against the present: from ≤ date < to, zero meaning no
// bound.
func (w *When) Bounds(now time.Time) (from, to time.Time) {
	if w.Last > 0 {
		return now.Add(-w.Last), time.Time{}
	}
	return w.From, w.To
}

// Key is the same for two terms exactly if they match the same words, whatever
// their fields.
func (t *Term) Key() string { return t.key }

// sourceID is the id that source:=ID asks for: the source of this id, and no other
// whose id or title has the same words.
func (t *Term) sourceID() (id string, ok bool) {
	return t.Text, t.Field == Source && t.Kind == Exact && feed.ValidID(t.Text)
}

// newTerm folds what was written. It fails where nothing is left to look for.
func newTerm(kind Kind, field Field, written string) (*Term, error) {
	t := &Term{Kind: kind, Field: field, Text: written}
	var buf [maxPhrase + 1]text.Word
	tokens, _ := text.Scan(written, 0, buf[:0])
	t.Words = make([]Word, len(tokens))
	var folded [64]byte
	for i, tok := range tokens {
		w := &t.Words[i]
		w.Text = string(text.AppendWord(folded[:0], written[tok.Start:tok.End]))
		if tok.End < len(written) && written[tok.End] == '*' {
			if kind == Exact {
				return nil, errors.New("no * in an exact term")
			}
			w.Prefix = true
			if n := utf8.RuneCountInString(w.Text); n < minPrefix {
				return nil, fmt.Errorf("a prefix of at least %d letters", minPrefix)
			}
		}
	}
	switch {
	case len(t.Words) == 0:
		return nil, fmt.Errorf("a letter or a digit in %.40q", written)
	case len(t.Words) > maxPhrase:
		return nil, fmt.Errorf("at most %d words in a phrase", maxPhrase)
	case kind == Bare && (len(t.Words) > 1 || t.Words[0].Prefix):
		t.Kind = Phrase // CONTRACT part 3: a bare word that folds to several tokens is a phrase
	}
	b := append(make([]byte, 0, len(written)+8), byte('0'+t.Kind))
	if id, ok := t.sourceID(); ok {
		b = append(append(b, "source "...), id...)
	} else if t.Kind == Exact {
		b = append(b, exactForm(written)...)
	} else {
		for _, w := range t.Words {
			b = append(append(b, ' '), w.Text...)
			if w.Prefix {
				b = append(b, '*')
			}
		}
	}
	t.key = string(b)
	return t, nil
}
