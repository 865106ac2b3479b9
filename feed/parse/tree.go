package parse

import (
	"bytes"
	"strings"
)

// node is an element of the head or of one entry. Only its bounds are kept; what
// is inside is decoded when it is asked for.
type node struct {
	*name
	t      *tree
	attrs  []attr
	outer  span // with its tags
	inner  span
	parent int32
	first  int32 // child, 0 if none
	last   int32
	next   int32  // sibling, 0 if none
	text   bool   // there is text other than white space directly inside
	base   string // effective xml:base, absolute if it could be made so
	lang   string // effective xml:lang
}

// maxLanguage is longer than any language tag (RFC 5646 §4.4.1 reckons with 35 letters).
const maxLanguage = 64

// language reads a language tag. What is too long to be one is none, because that of a
// feed is kept with each of its entries.
func language(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxLanguage {
		return ""
	}
	return s
}

// attr is an attribute of a node, its value as written.
type attr struct {
	*name
	raw []byte
}

// tree is the head of a document, or one of its entries: nodes[0] is the root.
type tree struct {
	d     *Document
	nodes []node
	attrs []attr // of all nodes
}

// context is what an entry inherits.
type context struct {
	scope []binding
	base  string
	lang  string
}

// build reads the elements between lo and hi, passing over skip.
func (d *Document) build(t *tree, at span, skip []span, cx context) {
	t.d = d
	t.nodes, t.attrs = t.nodes[:0], t.attrs[:0]
	w := newWalker(d.text[:at.hi], at.lo)
	w.body = true
	w.bindings = append(w.bindings, cx.scope...)
	var (
		ev    event
		open  []int32
		extra int // depth below a node that was not kept
	)
	for w.next(&ev) {
		switch {
		case ev.open:
			for len(skip) > 0 && skip[0].lo < ev.tok.start {
				skip = skip[1:]
			}
			if len(skip) > 0 && ev.tok.start == skip[0].lo && len(open) > 0 {
				w.leap(skip[0].hi)
				skip = skip[1:]
				continue
			}
			if extra > 0 || len(t.nodes)+len(t.attrs) >= maxNodes {
				d.fixes |= fixTooMany
				if len(open) == 1 && len(skip) == 0 { // nothing more is kept, and where the root ends is known
					t.endRoot(at.hi)
					return
				}
				extra++
				continue
			}
			open = append(open, t.add(&ev, &w, open, cx))
		case ev.done:
			if extra > 0 {
				extra--
				continue
			}
			if len(open) == 0 {
				return
			}
			n := &t.nodes[open[len(open)-1]]
			n.inner.hi, n.outer.hi = ev.innerEnd(), ev.end()
			open = open[:len(open)-1]
			if len(open) == 0 {
				return
			}
		case ev.tok.kind == kText || ev.tok.kind == kCDATA:
			if len(open) > 0 && extra == 0 && len(bytes.TrimSpace(d.text[ev.tok.lo:ev.tok.hi])) > 0 {
				t.nodes[open[len(open)-1]].text = true
			}
		}
	}
	t.cutOff(open, at.hi)
}

// endRoot ends the root at a place that is known: its inside ends with its end tag, if
// it has one.
func (t *tree) endRoot(at int) {
	n := &t.nodes[0]
	n.inner.hi, n.outer.hi = at, at
	i := bytes.LastIndexByte(t.d.text[n.inner.lo:at], '<')
	if i < 0 {
		return
	}
	var root, last token
	sc := scanner{s: t.d.text[:at], pos: n.outer.lo, body: true}
	sc.next(&root)
	sc.pos = n.inner.lo + i
	if sc.next(&last); last.kind == kEnd && last.end == at && bytes.EqualFold(last.name, root.name) {
		n.inner.hi = last.start
	}
}

// cutOff ends the elements that are open where the document is cut off. The field
// in which that happened says half of what it should, and is left out.
func (t *tree) cutOff(open []int32, at int) {
	for _, i := range open {
		t.nodes[i].inner.hi, t.nodes[i].outer.hi = at, at
	}
	field := 1
	if len(open) > 1 && t.nodes[open[1]].q == "channel" {
		field = 2
	}
	if len(open) <= field {
		return
	}
	t.d.fixes |= fixTruncated
	parent, cut := &t.nodes[open[field-1]], open[field]
	if parent.first == cut {
		parent.first, parent.last = 0, 0
		return
	}
	for i := parent.first; i != 0; i = t.nodes[i].next {
		if t.nodes[i].next == cut {
			t.nodes[i].next, parent.last = 0, i
		}
	}
}

// leap goes on behind an element that was just opened, as if it had been read.
func (w *walker) leap(to int) {
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	w.bindings = w.bindings[:top.bindings]
	w.popping, w.held, w.pos = false, false, to
}

// add appends the element that was just opened and gives its index.
func (t *tree) add(ev *event, w *walker, open []int32, cx context) int32 {
	d := t.d
	n := node{t: t, name: d.namer.element(ev.tok.name, w.bindings), parent: -1, base: cx.base, lang: cx.lang}
	n.inner, n.outer = span{ev.tok.end, ev.tok.end}, span{ev.tok.start, ev.tok.end}
	if len(open) > 0 {
		n.parent = open[len(open)-1]
		n.base, n.lang = t.nodes[n.parent].base, t.nodes[n.parent].lang
	}
	from := len(t.attrs)
	for _, a := range ev.tok.attrs {
		if len(a.name) >= 5 && string(a.name[:5]) == "xmlns" && (len(a.name) == 5 || a.name[5] == ':') {
			continue
		}
		at := attr{d.namer.attr(a.name, w.bindings), a.value}
		switch at.q {
		case "xml:base":
			if base := baseFrom(resolve(n.base, cleanURL(at.value(d)))); base != "" {
				n.base = base
			}
		case "xml:lang":
			n.lang = language(at.value(d))
		}
		t.attrs = append(t.attrs, at)
	}
	n.attrs = t.attrs[from:len(t.attrs):len(t.attrs)]
	i := int32(len(t.nodes))
	t.nodes = append(t.nodes, n)
	if n.parent >= 0 {
		p := &t.nodes[n.parent]
		if p.first == 0 {
			p.first = i
		} else {
			t.nodes[p.last].next = i
		}
		p.last = i
	}
	return i
}

// children calls yield with each child of n in order.
func (t *tree) children(n *node) func(yield func(*node) bool) {
	return func(yield func(*node) bool) {
		for i := n.first; i != 0; i = t.nodes[i].next {
			if !yield(&t.nodes[i]) {
				return
			}
		}
	}
}

// child is the first child of that name, or nil.
func (t *tree) child(n *node, q string) *node {
	for i := n.first; i != 0; i = t.nodes[i].next {
		if t.nodes[i].q == q {
			return &t.nodes[i]
		}
	}
	return nil
}

// attr is the value of an attribute by its q, or "". Names are compared without
// regard to case, as isPermalink and the like are common.
func (n *node) attr(q string) string {
	for i := range n.attrs {
		if n.attrs[i].q == q {
			return n.attrs[i].value(n.t.d)
		}
	}
	return ""
}

// value is the attribute's value with its references expanded.
func (a attr) value(d *Document) string {
	return string(appendChars(nil, a.raw, d.outline.entities, &d.fixes, allRefs))
}

// value is the text inside n, without markup, trimmed.
func (t *tree) value(n *node) string {
	return strings.Trim(string(t.d.chars(nil, n.inner)), " \t\r\n\f")
}

// chars appends the decoded text of a span to dst, without markup.
func (d *Document) chars(dst []byte, at span) []byte {
	in := d.text[at.lo:at.hi]
	if bytes.IndexByte(in, '<') < 0 {
		return appendChars(dst, in, d.outline.entities, &d.fixes, allRefs)
	}
	sc := scanner{s: in, body: true}
	var t token
	for sc.next(&t) {
		switch t.kind {
		case kText:
			dst = appendChars(dst, in[t.lo:t.hi], d.outline.entities, &d.fixes, allRefs)
		case kCDATA:
			dst = appendVerbatim(dst, in[t.lo:t.hi], &d.fixes)
		}
	}
	return dst
}

// appendVerbatim appends the content of a CDATA section.
func appendVerbatim(dst, s []byte, fx *fixes) []byte {
	for {
		i := bytes.IndexByte(s, '\r')
		if i < 0 {
			return appendLegal(dst, s, fx)
		}
		dst = append(appendLegal(dst, s[:i], fx), '\n')
		s = s[i+1:]
		if len(s) > 0 && s[0] == '\n' {
			s = s[1:]
		}
	}
}
