package html

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Op says what became of a piece of text.
type Op int8

// What [Diff] finds.
const (
	Equal  Op = iota
	Delete    // only in the older text
	Insert    // only in the newer
)

// String is "=", "-" or "+".
func (o Op) String() string { return [...]string{"=", "-", "+"}[o] }

// Change is a piece of the older text, the newer, or both.
type Change struct {
	Op   Op
	Text string
}

const (
	// maxEdits bounds the search for a shortest difference: pieces that differ more are
	// shown as one replaced by the other. The search takes time by its square.
	maxEdits = 1000
	// maxSteps bounds all searches of one difference together, four as long as one may be:
	// a text of many lines that differ throughout has a search for each.
	maxSteps = 4 * maxEdits * maxEdits / 2
)

// Diff is the difference of two plain texts in words: equal and deleted pieces
// joined are a, equal and inserted ones b. Neighbors differ in Op, and where a
// piece was replaced the deleted stands first. Equal texts give one Change, or
// none if they are empty.
func Diff(a, b string) []Change {
	// Paragraphs are compared with the breaks behind them. The last one is given some, so
	// that it may stand elsewhere in the other text.
	const end = "\n\n"
	if strings.Contains(a, end) && strings.Contains(b, end) {
		if changes, ok := withoutEnd(diff(a+end, b+end), end); ok {
			return changes
		}
	}
	return diff(a, b)
}

func diff(a, b string) []Change {
	d := differ{steps: maxSteps}
	if !d.compare(splitLines(a), splitLines(b), func(x, y []string) { d.words(strings.Join(x, ""), strings.Join(y, "")) }) {
		d.words(a, b)
	}
	return d.done()
}

// withoutEnd takes away from two texts what was put behind both; false if that does not
// stand in one piece.
func withoutEnd(changes []Change, end string) ([]Change, bool) {
	last := len(changes) - 1
	was, is := last, last // where the two end
	for was >= 0 && changes[was].Op == Insert {
		was--
	}
	for is >= 0 && changes[is].Op == Delete {
		is--
	}
	if was < 0 || is < 0 {
		return nil, false
	}
	ok := true
	cut := func(i int) {
		text, found := strings.CutSuffix(changes[i].Text, end)
		ok = ok && found && text != ""
		changes[i].Text = text
	}
	switch i := min(was, is); {
	case was == is:
		cut(last)
	case changes[i].Op == Equal: // the end of one stands in the middle of the other
		cut(i)
		changes[last].Text = end + changes[last].Text
		cut(last)
	default:
		cut(was)
		cut(is)
	}
	return changes, ok
}

// DiffLines is [Diff] in whole lines, for lists of addresses, of which a part says nothing.
func DiffLines(a, b string) []Change {
	d := differ{steps: maxSteps}
	whole := func(x, y []string) {
		d.emit(Delete, strings.Join(x, ""))
		d.emit(Insert, strings.Join(y, ""))
	}
	if x, y := splitLines(a), splitLines(b); !d.compare(x, y, whole) {
		whole(x, y)
	}
	return d.done()
}

// differ collects changes.
type differ struct {
	changes []Change
	steps   int // that searches may still take
}

// words compares two pieces word by word.
func (d *differ) words(a, b string) {
	whole := func(x, y []string) {
		d.emit(Delete, strings.Join(x, ""))
		d.emit(Insert, strings.Join(y, ""))
	}
	x, y := splitWords(a), splitWords(b)
	if !d.compare(x, y, whole) {
		whole(x, y)
	}
}

func (d *differ) emit(op Op, text string) {
	if text == "" {
		return
	}
	if n := len(d.changes); n > 0 && d.changes[n-1].Op == op {
		d.changes[n-1].Text += text
		return
	}
	d.changes = append(d.changes, Change{op, text})
}

// done puts the changes in order: white space alone between two changes belongs
// to them, deletions come before insertions.
func (d *differ) done() []Change {
	var out []Change
	var del, ins strings.Builder
	flush := func() {
		if del.Len() > 0 {
			out = append(out, Change{Delete, del.String()})
		}
		if ins.Len() > 0 {
			out = append(out, Change{Insert, ins.String()})
		}
		del.Reset()
		ins.Reset()
	}
	for i, c := range d.changes {
		switch {
		case c.Op == Delete:
			del.WriteString(c.Text)
		case c.Op == Insert:
			ins.WriteString(c.Text)
		case i+1 < len(d.changes) && del.Len() > 0 && ins.Len() > 0 && strings.TrimSpace(c.Text) == "":
			del.WriteString(c.Text)
			ins.WriteString(c.Text)
		default:
			flush()
			out = append(out, c)
		}
	}
	flush()
	slide(out)
	return slices.Clip(out)
}

// slide moves the line breaks before a piece that was put in or taken out by itself to
// its end, where that is the same: what was put in is a paragraph with the break behind
// it, not the break before it, the paragraph and half of the break behind.
func slide(changes []Change) {
	for i := 1; i+1 < len(changes); i++ {
		before, c, behind := &changes[i-1], &changes[i], &changes[i+1]
		if c.Op == Equal || before.Op != Equal || behind.Op != Equal {
			continue
		}
		n := 0
		for n < len(c.Text) && n+1 < len(behind.Text) && c.Text[n] == '\n' && behind.Text[n] == '\n' {
			n++
		}
		if n > 0 && n < len(c.Text) {
			before.Text += c.Text[:n]
			c.Text = c.Text[n:] + behind.Text[:n]
			behind.Text = behind.Text[n:]
		}
	}
}

// compare finds what a and b have in common, by Myers' greedy algorithm ("An
// O(ND) Difference Algorithm and Its Variations", 1986), and goes through it piece by
// piece: what is equal is emitted, what differs is handed to other. It gives up, before
// anything is emitted, if the search goes beyond its bounds.
func (d *differ) compare(a, b []string, other func(a, b []string)) bool {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := intern(a[head:len(a)-tail], b[head:len(b)-tail])
	runs, ok := lcs(x, y, &d.steps)
	if !ok {
		return false
	}
	d.emit(Equal, strings.Join(a[:head], ""))
	i, j := head, head
	for _, m := range append(runs, match{len(x), len(y), 0}) {
		if da, db := a[i:head+m.x], b[j:head+m.y]; len(da)+len(db) > 0 {
			other(da, db)
		}
		i, j = head+m.x+m.n, head+m.y+m.n
		d.emit(Equal, strings.Join(a[head+m.x:i], ""))
	}
	d.emit(Equal, strings.Join(a[len(a)-tail:], ""))
	return true
}

// intern numbers the pieces, so that comparing them is comparing numbers.
func intern(a, b []string) (x, y []int) {
	ids := make(map[string]int, len(a)+len(b))
	number := func(s []string) []int {
		out := make([]int, len(s))
		for i, w := range s {
			id, ok := ids[w]
			if !ok {
				id = len(ids)
				ids[w] = id
			}
			out[i] = id
		}
		return out
	}
	return number(a), number(b)
}

// match is a run of n equal pieces.
type match struct{ x, y, n int }

// lcs is the runs that x and y have in common, in order; false if finding them takes
// more than maxEdits edits, or more steps than are left.
func lcs(x, y []int, steps *int) ([]match, bool) {
	limit := min(len(x)+len(y), maxEdits)
	v := make([]int, 2*limit+2) // furthest x on diagonal k, at k+limit
	var trace [][]int           // v[limit-d..limit+d] before step d
	for d := 0; d <= limit; d++ {
		if *steps -= d + 1; *steps < 0 {
			break
		}
		trace = append(trace, slices.Clone(v[limit-d:limit+d+1]))
		for k := -d; k <= d; k += 2 {
			var i int
			if k == -d || k != d && v[limit+k-1] < v[limit+k+1] {
				i = v[limit+k+1]
			} else {
				i = v[limit+k-1] + 1
			}
			j := i - k
			for i < len(x) && j < len(y) && x[i] == y[j] {
				i, j = i+1, j+1
			}
			v[limit+k] = i
			if i >= len(x) && j >= len(y) {
				return backtrack(trace, len(x), len(y)), true
			}
		}
	}
	return nil, false
}

// backtrack follows the way that led to the end.
func backtrack(trace [][]int, i, j int) []match {
	var runs []match
	for d, v := range slices.Backward(trace) {
		k := i - j
		at := func(k int) int { // furthest x on diagonal k after step d-1
			if k < -d || k > d {
				return -1
			}
			return v[k+d]
		}
		pi, pj := 0, 0
		if d > 0 {
			pk := k - 1
			if k == -d || k != d && at(k-1) < at(k+1) {
				pk = k + 1
			}
			pi = at(pk)
			pj = pi - pk
		}
		si := pi // where the run of equal pieces began
		switch {
		case d == 0:
		case i-j > pi-pj:
			si = pi + 1
		}
		if n := i - si; n > 0 {
			runs = append(runs, match{i - n, j - n, n})
		}
		i, j = pi, pj
	}
	slices.Reverse(runs)
	return runs
}

// splitLines cuts s after each row of line breaks.
func splitLines(s string) []string {
	var lines []string
	for s != "" {
		n := strings.IndexByte(s, '\n')
		if n < 0 {
			n = len(s)
		}
		for n < len(s) && s[n] == '\n' {
			n++
		}
		lines = append(lines, s[:n])
		s = s[n:]
	}
	return lines
}

// splitWords cuts s into words, white space and single marks. Scripts without
// spaces are cut at every character.
func splitWords(s string) []string {
	var words []string
	from, kind := 0, wordNone
	for i, r := range s {
		k := wordKindOf(r, kind)
		if i > from && (k != kind || k == wordAlone) {
			words = append(words, s[from:i])
			from = i
		}
		kind = k
	}
	if from < len(s) {
		words = append(words, s[from:])
	}
	return words
}

type wordKind uint8

const (
	wordNone wordKind = iota
	wordSpace
	wordLetters
	wordAlone // a mark, or a character of a script without spaces
)

func wordKindOf(r rune, before wordKind) wordKind {
	switch {
	case unicode.IsSpace(r):
		return wordSpace
	case unicode.Is(unicode.M, r), r == 0x200c, r == 0x200d, r == '\'', r == '’':
		if before == wordLetters {
			return wordLetters // part of the word: marks, joiners, apostrophes
		}
		return wordAlone
	case r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)):
		return wordLetters
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return wordAlone
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return wordLetters
	}
	return wordAlone
}
