package html

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"chancery/feed"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Segment is a run of a text's plain text with what it stood in. The segments of
// a text joined are its [Plain] text.
type Segment struct {
	// Text is plain text, with the white space and breaks before it.
	Text string
	// Block counts the blocks of the text from 0: a paragraph, heading, list item,
	// table cell. All segments of a block are adjacent, so the share of link text
	// in a block tells a tag cloud from a sentence with a link.
	Block   int
	Link    bool // inside an a element with an href
	List    bool // inside a list, a description list or a nav element
	Heading bool // inside h1 to h6
	Quote   bool // inside a blockquote or q
	Table   bool // inside a table
	Alt     bool // the alternative text of an image, not running text
}

// Plain is the text of a text construct without markup: paragraphs and other
// blocks are set apart by an empty line, list items, rows and br by a line break,
// table cells by a tab; other white space is folded to one space, except inside
// pre. Scripts, styles, forms' fields and comments are left out, images give their
// alternative text. Character references are decoded. Soft hyphens, zero width
// spaces, byte order marks and control characters are left out, joiners and
// direction marks kept, for Persian and Arabic need them. The result is valid
// UTF-8 without white space at its ends.
func Plain(t feed.Text) string {
	lent := rooms.Get().(*[]byte)
	w := walk(t, false, *lent)
	text := string(w.out)
	if cap(w.out) <= maxLent {
		*lent = w.out
		rooms.Put(lent)
	}
	return text
}

// rooms are lent from text to text, as each is copied when it is done; those that
// became larger than maxLent bytes are not kept.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const maxLent = 64 << 10

// Segments is [Plain] in pieces: it tells running text from the text of links,
// lists, headings, quotations and images.
func Segments(t feed.Text) []Segment {
	w := walk(t, true, nil)
	segments := make([]Segment, len(w.marks))
	text := string(w.out)
	for i, m := range w.marks {
		end := len(text)
		if i+1 < len(w.marks) {
			end = w.marks[i+1].start
		}
		segments[i] = m.Segment
		segments[i].Text = text[m.start:end]
	}
	return segments
}

// Own is [Plain] without what stands in quotations, each left out with the break before
// it, and whether there were any.
func Own(t feed.Text) (own string, quoted bool) {
	if t.Type != feed.HTML && t.Type != feed.XHTML || !mayQuote(t.Value) {
		return "", false
	}
	var b strings.Builder
	for _, s := range Segments(t) {
		if s.Quote {
			quoted = true
		} else {
			b.WriteString(s.Text)
		}
	}
	return strings.TrimSpace(b.String()), quoted
}

// mayQuote reports whether markup may have a blockquote or q element.
func mayQuote(markup string) bool {
	for {
		i := strings.IndexByte(markup, '<')
		if i < 0 || i+2 >= len(markup) {
			return false
		}
		markup = markup[i+1:]
		if markup[0]|0x20 == 'q' || markup[0]|0x20 == 'b' && markup[1]|0x20 == 'l' {
			return true
		}
	}
}

// walk reads t into a writer, which writes over what room holds; segments are marked
// only if asked for.
func walk(t feed.Text, mark bool, room []byte) *plainWriter {
	w := &plainWriter{marking: mark, out: slices.Grow(room[:0], len(t.Value)/2+64)}
	if t.Type == feed.HTML || t.Type == feed.XHTML {
		w.markup(t.Value, t.Type == feed.XHTML)
	} else {
		w.plain(t.Value)
	}
	return w
}

// brk is how far two words are apart.
type brk uint8

const (
	none  brk = iota
	space     // " "
	cell      // "\t"
	line      // "\n"
	block     // "\n\n"
)

var between = [...]string{none: "", space: " ", cell: "\t", line: "\n", block: "\n\n"}

// plainWriter collects plain text. Breaks are pending until a word follows, so
// that none stand at the ends and the strongest of several wins.
type plainWriter struct {
	scan    *scanner // of markup
	out     []byte
	pending brk

	marking bool
	marks   []mark
	cur     Segment // what the next words stand in
	fresh   bool    // a block began since the last word

	// How many elements of each kind are open. Counters instead of a stack: depth
	// costs nothing, and a stray end tag does no harm.
	links, lists, headings, quotes, tables, pres int
	// dropped is the element whose content is left out, with the number of those
	// of its name that are open; 0 if none is.
	dropped atom.Atom
	depth   int
	lastAlt string
}

// mark is where a segment begins in the text.
type mark struct {
	Segment
	start int
}

// plain writes text that is no markup: blank lines set paragraphs apart, single
// line breaks are kept.
func (w *plainWriter) plain(s string) {
	for len(s) > 0 {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			w.words(s)
			return
		}
		w.words(s[:i])
		w.br()
		s = s[i+1:]
	}
}

func (w *plainWriter) markup(s string, xml bool) {
	w.scan = newScanner(s, xml)
	for {
		switch w.scan.next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if w.dropped == 0 {
				w.text(w.scan.text())
			}
		case html.StartTagToken:
			w.start(w.scan.tag)
		case html.EndTagToken:
			w.end(w.scan.tag)
		}
	}
}

// plainKind says what an element does to plain text.
type plainKind uint8

const (
	inline    plainKind = iota
	paragraph           // set apart by an empty line
	row                 // on a line of its own
	column              // a cell of a table
	drop                // content left out
)

var plainKinds = map[atom.Atom]plainKind{
	atom.Address: paragraph, atom.Article: paragraph, atom.Aside: paragraph, atom.Blockquote: paragraph,
	atom.Body: paragraph, atom.Center: paragraph, atom.Details: paragraph, atom.Div: paragraph, atom.Dl: paragraph,
	atom.Fieldset: paragraph, atom.Figure: paragraph, atom.Figcaption: paragraph, atom.Footer: paragraph,
	atom.Form: paragraph, atom.H1: paragraph, atom.H2: paragraph, atom.H3: paragraph, atom.H4: paragraph,
	atom.H5: paragraph, atom.H6: paragraph, atom.Header: paragraph, atom.Hgroup: paragraph, atom.Hr: paragraph,
	atom.Main: paragraph, atom.Menu: paragraph, atom.Nav: paragraph, atom.Ol: paragraph, atom.P: paragraph,
	atom.Pre: paragraph, atom.Section: paragraph, atom.Summary: paragraph, atom.Table: paragraph, atom.Ul: paragraph,
	atom.Caption: paragraph, atom.Dir: paragraph,

	atom.Li: row, atom.Dt: row, atom.Dd: row, atom.Tr: row, atom.Legend: row,

	atom.Td: column, atom.Th: column,

	atom.Script: drop, atom.Style: drop, atom.Template: drop, atom.Head: drop, atom.Title: drop, atom.Iframe: drop,
	atom.Noembed: drop, atom.Noframes: drop, atom.Textarea: drop, atom.Select: drop, atom.Datalist: drop,
	atom.Svg: drop, atom.Audio: drop, atom.Video: drop, atom.Canvas: drop, atom.Object: drop, atom.Rp: drop,
}

func (w *plainWriter) start(a atom.Atom) {
	if w.dropped == atom.Head && a == atom.Body {
		w.dropped = 0 // the end tag of head may be omitted
	}
	if w.dropped != 0 {
		if w.scan.nests(w.dropped) {
			w.depth++
		}
		return
	}
	if w.scan.hidden() {
		w.dropped, w.depth = a, 1
		return
	}
	switch kind := plainKinds[a]; kind {
	case drop:
		if w.scan.closed() || !w.scan.swallows() {
			w.scan.notRaw()
			return
		}
		w.dropped, w.depth = a, 1
		return
	case paragraph:
		w.brk(block)
	case row:
		w.brk(line)
	case column:
		w.brk(cell)
	}
	switch a {
	case atom.Br:
		w.br()
	case atom.Img:
		w.alt(w.scan.attr("alt"))
	case atom.A:
		if w.scan.attr("href") != "" {
			w.links = 1 // links don't nest: a new one ends the one before
		}
	}
	w.count(a, 1)
}

func (w *plainWriter) end(a atom.Atom) {
	if w.dropped != 0 {
		if a == w.dropped {
			if w.depth--; w.depth == 0 {
				w.dropped = 0
			}
		}
		return
	}
	switch plainKinds[a] {
	case paragraph:
		w.brk(block)
	case row:
		w.brk(line)
	case column:
		w.brk(cell)
	}
	if a == atom.A {
		w.links = 0
	}
	w.count(a, -1)
}

// count keeps the counters; none goes below zero.
func (w *plainWriter) count(a atom.Atom, n int) {
	switch a {
	case atom.Ul, atom.Ol, atom.Dl, atom.Nav, atom.Menu, atom.Dir:
		w.lists = max(0, w.lists+n)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.headings = max(0, min(1, n)) // headings don't nest
	case atom.Blockquote, atom.Q:
		w.quotes = max(0, w.quotes+n)
	case atom.Table:
		w.tables = max(0, w.tables+n)
	case atom.Pre:
		w.pres = max(0, w.pres+n)
	}
}

// text writes text between tags.
func (w *plainWriter) text(s string) {
	if w.pres == 0 {
		w.words(s)
		return
	}
	for len(s) > 0 {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			w.verbatim(s)
			return
		}
		w.verbatim(s[:i])
		w.br()
		s = s[i+1:]
	}
}

// alt writes the alternative text of an image, set apart from the words around
// it. A file name is none, and an image that noscript repeats is told once.
func (w *plainWriter) alt(s string) {
	if s == "" || fileName(s) || s == w.lastAlt {
		return
	}
	w.lastAlt = s
	w.brk(space)
	w.cur.Alt = true
	w.words(s)
	w.cur.Alt = false
	w.brk(space)
}

// fileName reports whether s looks like "IMG_2031.jpg" rather than a description.
func fileName(s string) bool {
	if strings.ContainsAny(s, " \n\t") {
		return false
	}
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return false
	}
	switch strings.ToLower(s[i+1:]) {
	case "jpg", "jpeg", "png", "gif", "webp", "svg", "avif", "bmp":
		return true
	}
	return false
}

// brk makes the break before the next word at least b.
func (w *plainWriter) brk(b brk) {
	w.pending = max(w.pending, b)
	if b >= cell {
		w.fresh = true
	}
}

// br is a line break; two of them end a paragraph, as authors use them.
func (w *plainWriter) br() {
	if w.pending >= line {
		w.brk(block)
	} else {
		w.pending = line
	}
}

// words writes s with white space folded.
func (w *plainWriter) words(s string) {
	for i := 0; i < len(s); {
		if n := kept(s[i:]); n > 0 {
			w.put(s[i : i+n])
			i += n
			continue
		}
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		switch {
		case isSpace(r):
			w.pending = max(w.pending, space)
		case invisible(r):
		case r == utf8.RuneError && n == 1:
			w.put("\uFFFD")
		default:
			w.put(s[i : i+n])
		}
		i += n
	}
}

// kept is how many bytes at the start of s stay as they are: words with single
// spaces between them.
func kept(s string) int {
	i := 0
	for i < len(s) {
		switch c := s[i]; {
		case c > ' ' && c < 0x7f:
			i++
		case c == ' ' && i > 0 && i+1 < len(s) && s[i+1] > ' ' && s[i+1] < 0x7f:
			i += 2
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if isSpace(r) || invisible(r) || r == utf8.RuneError && n == 1 {
				return i
			}
			i += n
		default:
			return i
		}
	}
	return i
}

// verbatim writes a line inside pre: its spaces and tabs are kept.
func (w *plainWriter) verbatim(s string) {
	s = strings.TrimRight(s, " \t\r\f")
	if s == "" {
		return
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || !isSpace(r) && !invisible(r):
			b.WriteRune(r)
		case isSpace(r):
			b.WriteByte(' ')
		}
	}
	line := strings.TrimRight(b.String(), " \t") // spaces of other kinds are spaces now
	if line == "" {
		return
	}
	if len(w.out) == 0 {
		w.put(strings.TrimLeft(line, " \t"))
		return
	}
	w.put(line)
}

// put writes what is pending and a run of characters without breaks in it.
func (w *plainWriter) put(s string) {
	at := len(w.out)
	if at > 0 {
		w.out = append(w.out, between[w.pending]...)
	}
	if w.marking {
		w.mark(at)
	}
	w.pending, w.fresh = none, false
	w.out = append(w.out, s...)
}

// mark begins a segment at the offset if the words there stand in something else
// than those before.
func (w *plainWriter) mark(at int) {
	s := w.cur
	s.Link, s.List, s.Heading = w.links > 0, w.lists > 0, w.headings > 0
	s.Quote, s.Table = w.quotes > 0, w.tables > 0
	if n := len(w.marks); n > 0 {
		last := w.marks[n-1].Segment
		s.Block = last.Block
		if w.fresh || w.pending == block {
			s.Block++
		}
		if s == last {
			return
		}
	}
	w.marks = append(w.marks, mark{s, at})
}

// isSpace: white space in Unicode's sense and C0 controls that separate.
func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\f', '\v', 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return 0x2000 <= r && r <= 0x200a || 0x1c <= r && r <= 0x1f
}

// invisible characters carry no text: controls, the soft hyphen, the zero width
// space, the word joiner, the byte order mark, tag characters, what is no
// character at all, and the overrides of direction that exist to deceive
// (CONFORMANCE SEC-32). ZWNJ, ZWJ, LRM and RLM are kept.
func invisible(r rune) bool {
	switch {
	case r < ' ', 0x7f <= r && r < 0xa0:
		return true
	case r == 0xad, r == 0x200b, r == 0x2060, r == 0xfeff, 0xfff9 <= r && r <= 0xfffb:
		return true
	case 0xe0000 <= r && r <= 0xe007f, 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
