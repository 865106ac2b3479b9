package parse

import "bytes"

// The bounds of CONFORMANCE P-09 and P-11. maxTokens, maxNodes and maxKept are
// ours: they bound the work on floods of tiny pieces, which no honest feed comes
// near: of the largest document that a fetch lets through, one in 16 bytes.
const (
	maxDepth    = 256
	maxAttrs    = 256
	maxBindings = 64
	maxEntries  = 10_000
	maxText     = 4 << 20
	maxTokens   = 2 << 20 // tags, comments, sections and runs of text
	maxNodes    = 1 << 15 // elements and attributes read of one entry, or of the head
	maxKept     = 1 << 18 // elements and attributes kept as extensions of one document
	maxURI      = 256     // bytes of a namespace's address that are looked at; it stands by each name
)

// frame is an open element.
type frame struct {
	name     []byte // with prefix, as written
	start    int    // of its start tag
	inner    int    // after its start tag
	bindings int    // how many were in scope outside
	item     bool
}

// binding is a namespace declaration in scope.
type binding struct{ prefix, uri []byte }

// event is a step through a document whose elements nest properly.
type event struct {
	tok token
	// open: an element begins; w.stack ends with it. done: an element ends; frame
	// is it. An empty element gives both, one after the other.
	open, done bool
	frame      frame
	implied    bool // the end was not written
}

// walker makes balanced events of tokens: it closes what was left open and
// ignores what was never opened. Its memory is bounded by the depth limit.
type walker struct {
	scanner
	stack    []frame
	bindings []binding
	tokens   int
	budget   int // comparisons left for stray end tags, so that a flood of them is linear
	popTo    int // frames above this are ended before the held token goes on
	popping  bool
	written  bool // the last of them has an end tag, the token held
	tok      token
	held     bool
	err      error
}

func newWalker(s []byte, lo int) walker {
	return walker{scanner: scanner{s: s, pos: lo}, budget: 1 << 22}
}

// selfNesting holds HTML elements that can't directly contain their like, so that
// an unclosed one is closed by the next.
func selfNesting(name []byte) bool {
	switch string(name) {
	case "p", "li", "td", "tr", "th", "dt", "dd", "option":
		return true
	}
	return false
}

// voidHTML holds HTML elements that have no end tag and that no feed format uses
// under an unprefixed name.
func voidHTML(name []byte) bool {
	switch string(name) {
	case "br", "hr", "img", "wbr", "BR", "HR", "IMG":
		return true
	}
	return false
}

// next gives the next event, or false at the end of the text or after an error.
func (w *walker) next(ev *event) bool {
	for {
		if w.popping {
			if len(w.stack) > w.popTo {
				w.pop(ev)
				return true
			}
			w.popping = false
			if w.written {
				w.held = false
				continue
			}
		}
		if !w.held {
			if !w.scanner.next(&w.tok) {
				return false
			}
			if w.tokens++; w.tokens+w.bare > maxTokens {
				w.err = &LimitError{"pieces of markup", maxTokens, w.tok.start}
				return false
			}
		}
		w.held = false
		t := &w.tok
		switch t.kind {
		case kStart, kEmpty:
			if n := len(w.stack); n > 0 {
				top := w.stack[n-1]
				if bytes.Equal(top.name, t.name) && (top.item || selfNesting(t.name)) {
					w.fixes |= fixUnclosed
					w.close(n-1, false)
					w.held = true
					continue
				}
			}
			return w.open(ev, t)
		case kEnd:
			if k := w.match(t.name); k >= 0 {
				if k < len(w.stack)-1 {
					w.fixes |= fixUnclosed
				}
				w.close(k, true)
			} else if !voidHTML(t.name) {
				w.fixes |= fixStrayEnd
			}
		default:
			ev.tok, ev.open, ev.done = *t, false, false
			return true
		}
	}
}

// open enters the element of t.
func (w *walker) open(ev *event, t *token) bool {
	w.tokens += len(t.attrs) / 2 // an attribute takes half of what a tag does
	switch {
	case len(w.stack) >= maxDepth:
		w.err = &LimitError{"levels of elements", maxDepth, t.start}
	case len(t.attrs) > maxAttrs:
		w.err = &LimitError{"attributes of an element", maxAttrs, t.start}
	}
	f := frame{name: t.name, start: t.start, inner: t.end, bindings: len(w.bindings)}
	for _, a := range t.attrs {
		if len(a.name) < 5 || string(a.name[:5]) != "xmlns" {
			continue
		}
		uri := a.value[:min(len(a.value), maxURI)]
		if len(a.name) == 5 {
			w.bindings = append(w.bindings, binding{nil, uri})
		} else if a.name[5] == ':' {
			w.bindings = append(w.bindings, binding{a.name[6:], uri})
		}
	}
	if len(w.bindings) > maxBindings && w.err == nil {
		w.err = &LimitError{"namespaces in scope", maxBindings, t.start}
	}
	if w.err != nil {
		return false
	}
	w.stack = append(w.stack, f)
	ev.tok, ev.open, ev.done = *t, true, false
	if t.kind == kEmpty || voidHTML(t.name) {
		w.tok.kind = kEmpty
		w.close(len(w.stack)-1, true)
	}
	return true
}

// close has all frames from k on ended. written says whether frame k has an end
// tag, which is the token at hand.
func (w *walker) close(k int, written bool) {
	w.popping, w.popTo, w.written = true, k, written
}

// pop ends the innermost element.
func (w *walker) pop(ev *event) {
	n := len(w.stack) - 1
	ev.tok = w.tok
	ev.frame, ev.open, ev.done = w.stack[n], false, true
	ev.implied = n > w.popTo || !w.written
	w.bindings = w.bindings[:ev.frame.bindings]
	w.stack = w.stack[:n]
}

// end is where the element of a done event ends, and innerEnd where its inside does.
func (ev *event) end() int {
	if ev.implied {
		return ev.tok.start
	}
	return ev.tok.end
}

func (ev *event) innerEnd() int {
	if !ev.implied && ev.tok.kind == kEmpty {
		return ev.frame.inner
	}
	return ev.tok.start
}

// match finds the open element that an end tag closes, or -1.
func (w *walker) match(name []byte) int {
	n := len(w.stack) - 1
	if n < 0 {
		return -1
	}
	if bytes.Equal(w.stack[n].name, name) {
		return n
	}
	for k := n; k >= 0 && w.budget > 0; k-- {
		w.budget--
		if bytes.EqualFold(w.stack[k].name, name) {
			return k
		}
	}
	return -1
}
