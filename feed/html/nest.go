package html

import (
	"slices"

	"golang.org/x/net/html/atom"
)

// This file holds what HTML's parser does by itself when tags are missing or
// misplaced (HTML Living Standard, 13.2.6.4.7, "in body", and those of tables).

// closeP ends an open paragraph ("close a p element").
func (w *shaper) closeP() { w.closeNearest(atom.P) }

// closeA ends an open link: links don't nest.
func (w *shaper) closeA() { w.closeNearest(atom.A) }

// closeNearest ends the innermost open element of the name a, if it is in the same
// cell of a table.
func (w *shaper) closeNearest(a atom.Atom) {
	for i, e := range slices.Backward(w.stack) {
		if e.a == a {
			w.popTo(i, true)
			return
		}
		if elements[e.a].kind&barrier != 0 {
			return
		}
	}
}

// closeHeading ends the current element if it is a heading. Elements whose end tag had
// come already end with it; if another heading is the current element then, it ends
// too.
func (w *shaper) closeHeading() {
	for {
		i := len(w.stack) - 1
		for i >= 0 && w.stack[i].silent {
			i--
		}
		if i < 0 || !isHeading(w.stack[i].a) {
			return
		}
		w.popTo(i, false)
	}
}

// closeItem ends the li, or dt or dd, before a new one.
func (w *shaper) closeItem(a atom.Atom) {
	for i, e := range slices.Backward(w.stack) {
		b := e.a
		if b == a || a != atom.Li && (b == atom.Dt || b == atom.Dd) {
			w.popTo(i, false)
			return
		}
		if elements[b].kind&special != 0 && b != atom.Address && b != atom.Div && b != atom.P {
			return
		}
	}
}

// rubyPart ends the parts before a new one; false outside a ruby.
func (w *shaper) rubyPart() bool {
	for i, e := range slices.Backward(w.stack) {
		if e.a == atom.Ruby {
			if e.closing {
				return false // it ends before a part could be in it
			}
			for len(w.stack) > i+1 {
				w.pop()
			}
			return true
		}
		if elements[e.a].kind&special != 0 {
			return false
		}
	}
	return false
}

// has reports whether a is open, written or not.
func (w *shaper) has(a atom.Atom) bool {
	return slices.ContainsFunc(w.stack, func(e entry) bool { return e.a == a })
}

func isHeading(a atom.Atom) bool {
	el := elements[a]
	return el != nil && el.kind&heading != 0
}

// tableContext: a table, its sections and rows hold only each other.
func tableContext(a atom.Atom) bool {
	switch a {
	case atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr:
		return true
	}
	return false
}

// cell opens a cell if the current element is a part of a table that can't hold
// content. Parsers move such content before the table; in one pass it can only
// stay where it is.
func (w *shaper) cell() {
	for len(w.stack) > 0 && tableContext(w.stack[len(w.stack)-1].a) {
		switch w.stack[len(w.stack)-1].a {
		case atom.Table:
			w.plainPush(atom.Tbody)
		case atom.Tr:
			w.plainPush(atom.Td)
		default:
			w.plainPush(atom.Tr)
		}
	}
}

func (w *shaper) plainPush(a atom.Atom) {
	w.out = append(w.out, '<')
	w.out = append(w.out, a.String()...)
	w.out = append(w.out, '>')
	w.stack = append(w.stack, entry{a: a})
}

// table opens a table or a part of one, with the parts between that authors omit.
func (w *shaper) table(a atom.Atom, el *element) {
	w.reopen = w.reopen[:0]
	if a == atom.Table {
		w.cell()
		w.closeP()
		w.reopen = w.reopen[:0]
		w.push(a, el)
		return
	}
	i := len(w.stack) - 1
	for i >= 0 && w.stack[i].a != atom.Table {
		i--
	}
	if i < 0 {
		return // a part without a table: its content stays
	}
	within := func(parents ...atom.Atom) {
		for len(w.stack) > i+1 && !slices.Contains(parents, w.stack[len(w.stack)-1].a) {
			w.pop()
		}
	}
	switch a {
	case atom.Tr:
		within(atom.Tbody, atom.Thead, atom.Tfoot)
		if len(w.stack) == i+1 {
			w.plainPush(atom.Tbody)
		}
	case atom.Td, atom.Th:
		within(atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot)
		if len(w.stack) == i+1 {
			w.plainPush(atom.Tbody)
		}
		if w.stack[len(w.stack)-1].a != atom.Tr {
			w.plainPush(atom.Tr)
		}
	default:
		within()
	}
	w.push(a, el)
}
