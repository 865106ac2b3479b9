package html

import (
	"slices"
	"strings"

	"chancery/feed"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// maxDepth bounds open elements; tags further in are left out, their content
	// stays. Parsers stop at 512 (x/net/html, browsers).
	maxDepth = 120
	// maxReopen bounds how many elements a misplaced tag can make go on.
	maxReopen = 4
	// growth and growthFloor bound the bytes of URLs made absolute, in proportion
	// to the text: a long base must not be written out for ever so many short
	// references. What a text has already absolute stays far below.
	growth, growthFloor = 4, 64 << 10
)

// rel is what every link carries (SEC-15).
const rel = "noopener noreferrer nofollow"

// shaper writes the allowed part of a text so that it nests as HTML's parser
// would have it: what comes out parses to the same tree it was written from, and
// sanitizes to itself. It is a stack machine over tokens, no tree is built.
type shaper struct {
	policy Policy
	urls   resolver
	scan   *scanner
	report Report

	out    []byte
	spent  int // bytes of URLs made absolute
	limit  int // of spent: beyond it URLs are dropped
	stack  []entry
	beyond map[atom.Atom]int // open beyond maxDepth
	reopen []atom.Atom       // go on with the next text
	drop   atom.Atom         // its content goes
	drops  int               // how many of it are open

	// In a pre, one line break after the start tag is not content.
	preAt   int // offset after the start tag
	preSeen bool

	lazy bool // an image was written that needed a script to show: noscript repeats it
}

// entry is an open element.
type entry struct {
	a       atom.Atom // as written
	silent  bool      // its tags are not written
	closing bool      // its end tag came while a block in it was open
	again   bool      // may go on after a misplaced tag
	at      int       // offset of the start tag
	body    int       // and after it
	media   *player
}

// player is an open video, audio or picture.
type player struct {
	at    int    // offset of the start tag
	kept  bool   // there is something to show
	image string // what is written for the image of a picture
	link  string // a source that may not be embedded
	label string
}

func newShaper(t feed.Text, p Policy) *shaper {
	return &shaper{
		policy: p, urls: newResolver(t.Base), scan: newScanner(t.Value, t.Type == feed.XHTML),
		out: make([]byte, 0, len(t.Value)+len(t.Value)/4), limit: growth*len(t.Value) + growthFloor, preAt: -1,
	}
}

func (w *shaper) run() {
	for {
		switch w.scan.next() {
		case html.ErrorToken:
			for len(w.stack) > 0 {
				w.pop()
			}
			return
		case html.TextToken:
			if w.drop == 0 {
				w.text(cleanText(w.scan.text()))
			}
		case html.StartTagToken:
			w.start()
		case html.EndTagToken:
			w.end(w.scan.tag)
		}
	}
}

func (w *shaper) result() string { return string(w.out) }

// start handles a start tag.
func (w *shaper) start() {
	a := w.scan.tag
	if a == atom.Noscript && w.lazy && !w.scan.unclosed() {
		w.drop, w.drops = a, 1
		return
	}
	if w.drop == atom.Head && a == atom.Body {
		w.drop = 0 // the end tag of head may be omitted
	}
	if w.drop != 0 {
		if w.scan.nests(w.drop) {
			w.drops++
		}
		return
	}
	el := elements[a]
	if el == nil {
		if active[a] {
			w.report.Active++
		}
		return
	}
	if w.scan.hidden() {
		w.drop, w.drops = a, 1
		return
	}
	if el.kind&(dropped|framelike) != 0 {
		w.remove(a, el)
		return
	}
	if el.as != 0 {
		a = el.as
	}
	if m := w.player(); m != nil {
		w.inPlayer(m, a, el)
		return
	}
	if el.kind&void == 0 && w.depth(a, el) >= maxDepth {
		if w.beyond == nil {
			w.beyond = map[atom.Atom]int{}
		}
		w.beyond[a]++
		return
	}
	w.preSeen = true
	switch {
	case el.kind&tabular != 0:
		w.table(a, el)
	case el.kind&special != 0:
		w.block(a, el)
	default:
		w.inline(a, el)
	}
	if w.scan.closed() && el.kind&void == 0 {
		w.end(a)
	}
}

// depth is how deep an element would stand, with what opens before it. The parts
// of a table are as deep as the table allows: they are often implied.
func (w *shaper) depth(a atom.Atom, el *element) int {
	if el.kind&tabular != 0 && a != atom.Table {
		return 0
	}
	n := len(w.stack)
	if n == 0 {
		return len(w.reopen)
	}
	switch w.stack[n-1].a {
	case atom.Table:
		n += 3
	case atom.Thead, atom.Tbody, atom.Tfoot:
		n += 2
	case atom.Tr:
		n++
	}
	return n + len(w.reopen)
}

// remove leaves out an element with its content; a frame leaves a link.
func (w *shaper) remove(a atom.Atom, el *element) {
	if el.kind&framelike != 0 {
		w.frame()
	} else if a != atom.Title && a != atom.Head {
		w.report.Active++
	}
	if el.kind&dropped == 0 {
		return
	}
	if w.scan.closed() || !w.scan.swallows() {
		w.scan.notRaw()
		return
	}
	w.drop, w.drops = a, 1
}

// block opens an element that ends a paragraph.
func (w *shaper) block(a atom.Atom, el *element) {
	w.cell()
	w.closeP()
	switch {
	case el.kind&heading != 0:
		w.closeHeading()
	case el.kind&item != 0:
		w.closeItem(a)
	}
	if el.kind&void != 0 {
		w.write(a, el)
		return
	}
	w.push(a, el)
	if a == atom.Pre {
		w.preAt, w.preSeen = len(w.out), false
	}
}

// inline opens a phrasing element.
func (w *shaper) inline(a atom.Atom, el *element) {
	switch {
	case a == atom.Source || a == atom.Track:
		return // only in a player
	case a == atom.Img:
		w.image(el)
		return
	case el.kind&media != 0:
		w.openPlayer(a, el)
		return
	case el.kind&rubyPart != 0:
		if !w.rubyPart() {
			return
		}
		w.reopen = w.reopen[:0] // parts stand in the ruby itself
	case a == atom.A:
		w.closeA()
		if w.has(atom.A) {
			return // around the table we are in
		}
	}
	if i := slices.Index(w.reopen, a); i >= 0 {
		w.reopen = slices.Delete(w.reopen, i, i+1)
	}
	w.cell()
	w.flush()
	if el.kind&void != 0 {
		w.write(a, el)
		return
	}
	w.push(a, el)
}

// push writes a start tag and remembers it.
func (w *shaper) push(a atom.Atom, el *element) {
	at := len(w.out)
	w.out = append(w.out, '<')
	w.out = append(w.out, a.String()...)
	n := len(w.out)
	href := w.attrs(el)
	e := entry{a: a, again: el.kind&formatted != 0 && len(w.out) == n}
	switch {
	case a == atom.A && !href, el.attrNeeded && len(w.out) == n, a == atom.Bdo && !strings.Contains(string(w.out[n:]), ` dir="`):
		e.silent = true
		w.out = w.out[:at]
	default:
		if a == atom.A {
			w.out = append(w.out, ` rel="`+rel+`"`...)
		}
		w.out = append(w.out, '>')
	}
	e.at, e.body = at, len(w.out)
	w.stack = append(w.stack, e)
}

// write writes the tag of a void element.
func (w *shaper) write(a atom.Atom, el *element) {
	w.out = append(w.out, '<')
	w.out = append(w.out, a.String()...)
	w.attrs(el)
	w.out = append(w.out, '>')
}

// pop ends the current element, and those whose end tag already came.
func (w *shaper) pop() {
	for {
		n := len(w.stack) - 1
		e := w.stack[n]
		w.stack = w.stack[:n]
		switch {
		case e.silent:
		case e.a == atom.A && len(w.out) == e.body:
			w.out = w.out[:e.at] // around an image that was left out
		default:
			w.out = append(w.out, "</"...)
			w.out = append(w.out, e.a.String()...)
			w.out = append(w.out, '>')
		}
		if e.media != nil {
			w.closePlayer(e)
		}
		if el := elements[e.a]; el.kind&special != 0 && e.a != atom.P {
			w.reopen = w.reopen[:0]
		}
		if n == 0 || !w.stack[n-1].closing {
			return
		}
	}
}

// popTo ends the element at index i and all that is open in it. With goOn, those of
// the latter that are like b go on behind it.
func (w *shaper) popTo(i int, goOn bool) {
	var again []atom.Atom
	for j := i + 1; goOn && j < len(w.stack) && len(again) < maxReopen; j++ {
		if e := w.stack[j]; e.again && !e.closing && !slices.Contains(again, e.a) && !slices.Contains(w.reopen, e.a) {
			again = append(again, e.a)
		}
	}
	for len(w.stack) > i {
		w.pop()
	}
	if goOn && len(w.reopen)+len(again) <= maxReopen {
		w.reopen = append(w.reopen, again...)
	}
}

// flush opens again what a misplaced tag interrupted.
func (w *shaper) flush() {
	for _, a := range w.reopen {
		if len(w.stack) < maxDepth && !w.has(a) {
			w.out = append(w.out, '<')
			w.out = append(w.out, a.String()...)
			w.out = append(w.out, '>')
			w.stack = append(w.stack, entry{a: a, again: true})
		}
	}
	w.reopen = w.reopen[:0]
}

// end handles an end tag.
func (w *shaper) end(a atom.Atom) {
	if w.drop != 0 {
		if a == w.drop {
			if w.drops--; w.drops == 0 {
				w.drop = 0
			}
		}
		return
	}
	el := elements[a]
	if el == nil || el.kind&(void|dropped) != 0 {
		return
	}
	if el.as != 0 {
		a = el.as
	}
	if w.beyond[a] > 0 {
		w.beyond[a]--
		return
	}
	w.preSeen = true
	if i := slices.Index(w.reopen, a); i >= 0 {
		w.reopen = slices.Delete(w.reopen, i, i+1)
		return
	}
	for i := len(w.stack) - 1; i >= 0; i-- {
		e := &w.stack[i]
		k := elements[e.a].kind
		if e.a == a || el.kind&heading != 0 && isHeading(e.a) {
			if el.kind&phrasing != 0 && e.closing {
				continue
			}
			w.popTo(i, el.kind&phrasing != 0 || a == atom.P)
			return
		}
		if e.media != nil {
			return
		}
		switch {
		case el.kind&tabular != 0:
			if e.a == atom.Table {
				return
			}
		case k&barrier != 0:
			return
		case a == atom.Li && (e.a == atom.Ul || e.a == atom.Ol):
			return
		case el.kind&phrasing != 0 && k&special != 0:
			w.endLater(a, i)
			return
		}
	}
}

// endLater notes that a phrasing element below index i ends as soon as the block
// that is open in it does: <b><p>x</b>y</p>z.
func (w *shaper) endLater(a atom.Atom, i int) {
	for ; i >= 0 && elements[w.stack[i].a].kind&barrier == 0; i-- {
		if e := &w.stack[i]; e.a == a && !e.closing {
			e.closing = true
			return
		}
	}
}

// text writes text.
func (w *shaper) text(s string) {
	if s == "" || w.player() != nil {
		return
	}
	blank := strings.Trim(s, " \t\n\f") == ""
	if n := len(w.stack); n > 0 && tableContext(w.stack[n-1].a) {
		if blank {
			return // parsers keep it, but it shows nothing
		}
		w.cell()
	}
	if !blank {
		w.flush()
	}
	if w.preAt == len(w.out) && len(w.stack) > 0 {
		if !w.preSeen && s[0] == '\n' {
			s = s[1:]
		}
		w.preSeen = true
		if s != "" && s[0] == '\n' {
			w.out = append(w.out, '\n') // the parser will take one away
		}
	}
	w.out = appendEscaped(w.out, s)
}
