package query

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
)

// Place is where a term stands.
type Place struct {
	Field       Field
	Word, Words int // the first word, counted in the field, and how many
	Start, End  int // bytes of [Doc.Field]
}

// Evidence is a place that counted.
type Evidence struct {
	Term *Term
	Place
	Weight float64 // of the term, with the weights around it
	Points float64 // what it gave to the score, before damping for length
}

// Match is why, and how strongly, a query matches.
type Match struct {
	Score    float64
	Evidence []Evidence // by field and position
}

// Finder finds the places of terms in a document: the document itself, or a
// matcher that has looked for many terms at once.
type Finder interface {
	Places(t *Term) []Place // by field and position
	Len(f Field) int        // words of a field
}

var _ Finder = (*Doc)(nil)

// Match reports whether the query matches d, and why. now is what relative dates
// count back from.
func (q *Query) Match(d *Doc, now time.Time) (Match, bool) { return q.Eval(d, d, now) }

// Eval is Match with the places of terms from f.
func (q *Query) Eval(d *Doc, f Finder, now time.Time) (Match, bool) {
	e := evaluation{d: d, f: f, now: now}
	if f == Finder(d) {
		e.known = make(map[termKey][]Place, len(q.terms))
	}
	if e.match(q.Root) != yes {
		return Match{}, false
	}
	e.collect(q.Root, 1)
	return e.result(), true
}

// Any reports whether the query is nothing but terms joined by OR, weighted or
// not, and lists their weights by [Term.Index].
func (q *Query) Any() (weights []float64, ok bool) {
	nodes := []Node{q.Root}
	if o, is := q.Root.(*Or); is {
		nodes = o.Nodes
	}
	weights = make([]float64, len(q.terms))
	for _, n := range nodes {
		weight := 1.0
		for w, is := n.(*Weighted); is; w, is = n.(*Weighted) {
			if w.Weight < 0 && weight < 0 {
				return nil, false
			}
			weight *= w.Weight
			n = w.Node
		}
		t, is := n.(*Term)
		if !is {
			return nil, false
		}
		weights[t.Index] = weight
	}
	return weights, true
}

// EvalAny is [Query.Eval] for a query of which Any is true, given those of its
// terms that have places, in any order.
func EvalAny(d *Doc, f Finder, found []*Term, weights []float64) (Match, bool) {
	e := evaluation{d: d, f: f}
	ok := false
	for _, t := range found {
		places := f.Places(t)
		ok = ok || len(places) > 0 && weights[t.Index] >= 0
		e.addPlaces(t, places, weights[t.Index])
	}
	if !ok {
		return Match{}, false
	}
	return e.result(), true
}

// verdict is the truth of a node. A node with a negative weight has none.
type verdict uint8

const (
	no verdict = iota
	yes
	neutral
)

func truth(b bool) verdict {
	if b {
		return yes
	}
	return no
}

type evaluation struct {
	d        *Doc
	f        Finder
	now      time.Time
	known    map[termKey][]Place
	evidence []Evidence
	tagged   float64 // points of tags that rules ask for
}

// termKey is what the places of a term depend on: those that a query has twice have the
// same.
type termKey struct {
	field Field
	key   string
}

// find is Places, asked once a term where asking is dear.
func (e *evaluation) find(t *Term) []Place {
	if e.known == nil {
		return e.f.Places(t)
	}
	k := termKey{t.Field, t.key}
	p, ok := e.known[k]
	if !ok {
		p = e.f.Places(t)
		e.known[k] = p
	}
	return p
}

// maxEvidence bounds the places of all terms together that count: a text that repeats
// one word, asked for by as many terms as a query may have, would take seconds.
const maxEvidence = 5 * MaxPlaces

// addPlaces takes the places of a term as evidence, as far as there is room.
func (e *evaluation) addPlaces(t *Term, places []Place, weight float64) {
	for _, p := range places[:min(len(places), maxEvidence-len(e.evidence))] {
		e.evidence = append(e.evidence, Evidence{Term: t, Place: p, Weight: weight})
	}
}

func (e *evaluation) match(n Node) verdict {
	switch n := n.(type) {
	case *And:
		v := neutral
		for _, c := range n.Nodes {
			switch e.match(c) {
			case no:
				return no
			case yes:
				v = yes
			}
		}
		return v
	case *Or:
		v := neutral
		for _, c := range n.Nodes {
			switch e.match(c) {
			case yes:
				return yes
			case no:
				v = no
			}
		}
		return v
	case *Not:
		switch e.match(n.Node) {
		case yes:
			return no
		case no:
			return yes
		}
		return neutral
	case *Weighted:
		if n.Weight < 0 {
			return neutral
		}
		return e.match(n.Node)
	case *Near:
		a, _ := e.near(n, true)
		return truth(len(a) > 0)
	case *Term:
		return truth(len(e.find(n)) > 0)
	case *Lang:
		return truth(e.d.Lang == n.Tag)
	case *Tagged:
		_, ok := e.tag(n)
		return truth(ok)
	case *When:
		at := e.d.Facts.Effective
		if n.Seen {
			at = e.d.Facts.Seen
		}
		from, to := n.Bounds(e.now)
		return truth(!at.IsZero() && (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to)))
	case *Is:
		switch n.Property {
		case Revised:
			return truth(e.d.Facts.Revised)
		case Duplicate:
			return truth(e.d.Facts.Duplicate)
		}
		return truth(e.d.Facts.Enclosure)
	case *ID:
		return truth(e.d.Facts.ID.BeginsWith(n.ID, n.Letters))
	}
	return no
}

func (e *evaluation) tag(n *Tagged) (feed.Tag, bool) {
	for _, t := range slices.Backward(e.d.Facts.Tags) { // what a rule asks for was often tagged just now
		if t.Topic == n.Topic {
			return t, t.Score >= 0 && (t.About || !n.About)
		}
	}
	return feed.Tag{}, false
}

// collect gathers the places of what matches below n.
func (e *evaluation) collect(n Node, weight float64) {
	switch n := n.(type) {
	case *And:
		for _, c := range n.Nodes {
			e.collect(c, weight)
		}
	case *Or:
		for _, c := range n.Nodes {
			if e.match(c) != no {
				e.collect(c, weight)
			}
		}
	case *Weighted:
		if n.Weight >= 0 || e.match(n.Node) == yes {
			e.collect(n.Node, weight*n.Weight)
		}
	case *Near:
		a, b := e.near(n, false)
		e.add(a, weight)
		e.add(b, weight)
	case *Term:
		e.addPlaces(n, e.find(n), weight)
	case *Tagged:
		if t, ok := e.tag(n); ok {
			e.tagged += max(t.Score, 1) * weight
		}
	}
}

// add takes evidence for a NEAR, as far as there is room.
func (e *evaluation) add(list []Evidence, weight float64) {
	for _, p := range list[:min(len(list), maxEvidence-len(e.evidence))] {
		p.Weight *= weight
		e.evidence = append(e.evidence, p)
	}
}

// near finds the places of A that have one of B within distance, and those of B.
// With any, one pair is enough.
func (e *evaluation) near(n *Near, any bool) (as, bs []Evidence) {
	a, b := e.places(n.A, 1), e.places(n.B, 1)
	as = within(a, b, n.Distance, any)
	if any || len(as) == 0 {
		return as, nil
	}
	return as, within(b, a, n.Distance, false)
}

// within lists those of a that have one of b within so many words. Both are in
// order, so one pass with a window does.
func within(a, b []Evidence, distance int, any bool) []Evidence {
	var out []Evidence
	j := 0
	for _, p := range a {
		for j < len(b) && (b[j].Field < p.Field || b[j].Field == p.Field && b[j].Word+maxPhrase+distance < p.Word) {
			j++
		}
		for _, q := range b[j:] {
			if q.Field != p.Field || q.Word > p.Word+p.Words+distance {
				break
			}
			gap := q.Word - (p.Word + p.Words) // words between, if q comes after
			if q.Word < p.Word {
				gap = p.Word - (q.Word + q.Words)
			}
			if gap >= 0 && gap < distance {
				out = append(out, p)
				break
			}
		}
		if any && len(out) > 0 {
			break
		}
	}
	return out
}

// places lists where the terms of a NEAR's side stand, in order. Where several terms
// have one place, the one of the greatest weight has it, so that the list is never
// longer than the text.
func (e *evaluation) places(n Node, weight float64) []Evidence {
	var out []Evidence
	switch n := n.(type) {
	case *Term:
		found := e.find(n)
		out = make([]Evidence, len(found))
		for i, p := range found {
			out[i] = Evidence{Term: n, Place: p, Weight: weight}
		}
	case *Weighted:
		return e.places(n.Node, weight*n.Weight)
	case *Or:
		for _, c := range n.Nodes {
			out = merge(out, e.places(c, weight))
		}
	}
	return out
}

// merge joins two lists in order, each place once.
func merge(a, b []Evidence) []Evidence {
	if len(a) == 0 {
		return b
	}
	out := make([]Evidence, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := comparePlaces(&a[0], &b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		case abs(a[0].Weight) < abs(b[0].Weight):
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// comparePlaces orders by field and position, the longer of two first.
func comparePlaces(a, b *Evidence) int {
	if c := cmp.Compare(a.Field, b.Field); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Word, b.Word); c != 0 {
		return c
	}
	return cmp.Compare(b.Words, a.Words)
}

func sortEvidence(list []Evidence) {
	slices.SortStableFunc(list, func(a, b Evidence) int {
		if c := comparePlaces(&a, &b); c != 0 {
			return c
		}
		return cmp.Compare(a.Term.Index, b.Term.Index)
	})
}

// katakanaMeets reports whether katakana ends left and begins right.
func katakanaMeets(left, right string) bool {
	l, _ := utf8.DecodeLastRuneInString(left)
	r, _ := utf8.DecodeRuneInString(right)
	return isKatakana(l) && isKatakana(r)
}

func isKatakana(r rune) bool {
	return r == 'ー' || unicode.Is(unicode.Katakana, r) && unicode.IsLetter(r)
}

// Snippet is the text around a place, at most about width bytes on each side,
// cut between words, with the place's own bytes in the middle.
func (d *Doc) Snippet(p Place, width int) (before, hit, after string) {
	s := d.fields[p.Field].text
	from, to := max(0, p.Start-width), min(len(s), p.End+width)
	if from > 0 {
		for from < p.Start && !utf8.RuneStart(s[from]) {
			from++
		}
		if i := strings.IndexFunc(s[from:p.Start], unicode.IsSpace); i >= 0 {
			from += i + 1
		}
	}
	if to < len(s) {
		for to > p.End && !utf8.RuneStart(s[to]) {
			to--
		}
		if i := strings.LastIndexFunc(s[p.End:to], unicode.IsSpace); i >= 0 {
			to = p.End + i
		}
	}
	return s[from:p.Start], s[p.Start:p.End], s[p.End:to]
}
