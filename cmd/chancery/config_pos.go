package main

import (
	"fmt"
	"slices"
	"strings"
)

// position is a place in a configuration file, both from 1. Columns count bytes.
type position struct{ line, col int }

// keyPositions is where each table and key of a TOML document stands. The
// library tells the place of a syntax error, but not of a key that it could not
// use, so this reads the document once more, for places only: it relies on the
// document being well-formed.
//
// Paths are dotted, and elements of arrays of tables are numbered from 0:
// "fetch.min_interval", "topic[2]", "topic[2].example[0].text".
type keyPositions map[string]position

func scanPositions(doc string) keyPositions {
	s := &posScanner{doc: doc, line: 1, found: keyPositions{}, count: map[string]int{}}
	s.scan()
	return s.found
}

// inText is the place of a byte of a text of the configuration: values that hold
// a language of their own have faults inside. ok is false where escapes stand
// between the text and the file.
func inText(doc, path string, offset int) (p position, ok bool) {
	s := &posScanner{doc: doc, line: 1, found: keyPositions{}, count: map[string]int{}, values: map[string]int{}}
	s.scan()
	at, ok := s.values[path]
	if !ok || at >= len(doc) || doc[at] != '"' && doc[at] != '\'' {
		return p, false
	}
	raw, start := doc[at] == '\'', at+1
	if strings.HasPrefix(doc[at:], strings.Repeat(doc[at:at+1], 3)) {
		start = at + 3
		if rest := doc[start:]; strings.HasPrefix(rest, "\n") { // it belongs to the quotes
			start++
		} else if strings.HasPrefix(rest, "\r\n") {
			start += 2
		}
	}
	end := start + offset
	if end > len(doc) || strings.Contains(doc[start:end], "\r") || !raw && strings.Contains(doc[start:end], `\`) {
		return p, false
	}
	return placeAt(doc, end), true
}

// placeAt is the place of a byte of a document. The library knows the line and the
// column of a syntax error, too, but the line behind it where the fault is the end of
// one, and the column of the line before where a key is there twice.
func placeAt(doc string, offset int) position {
	before := doc[:min(max(offset, 0), len(doc))]
	return position{strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')}
}

type posScanner struct {
	doc       string
	i         int
	line      int
	lineStart int
	found     keyPositions
	count     map[string]int // how many elements an array of tables has so far
	table     string         // numbered path of the table that keys belong to
	values    map[string]int // where the value of each key begins, if not nil
}

func (s *posScanner) scan() {
	for s.i < len(s.doc) {
		switch c := s.doc[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.advance(1)
		case '#':
			s.comment()
		case '[':
			s.header()
		default:
			s.key()
		}
	}
}

// advance moves over n bytes and counts lines.
func (s *posScanner) advance(n int) {
	for range n {
		if s.i >= len(s.doc) {
			return
		}
		if s.doc[s.i] == '\n' {
			s.line++
			s.lineStart = s.i + 1
		}
		s.i++
	}
}

func (s *posScanner) comment() {
	for s.i < len(s.doc) && s.doc[s.i] != '\n' {
		s.i++
	}
}

func (s *posScanner) here() position { return position{s.line, s.i - s.lineStart + 1} }

// header reads [a.b] or [[a.b]].
func (s *posScanner) header() {
	at := s.here()
	array := strings.HasPrefix(s.doc[s.i:], "[[")
	s.advance(1)
	if array {
		s.advance(1)
	}
	names := s.dotted(']')
	s.advance(1)
	if array {
		s.advance(1)
	}
	path := ""
	for i, name := range names {
		path = join(path, name)
		if i == len(names)-1 && array {
			n := s.count[path]
			s.count[path] = n + 1
			path = fmt.Sprintf("%s[%d]", path, n)
		} else if n := s.count[path]; n > 0 { // inside the newest element
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	s.table = path
	s.mark(path, at)
}

// key reads a = value.
func (s *posScanner) key() {
	at := s.here()
	names := s.dotted('=')
	s.advance(1)
	path := s.table
	for _, name := range names {
		path = join(path, name)
		s.mark(path, at)
	}
	for s.i < len(s.doc) && (s.doc[s.i] == ' ' || s.doc[s.i] == '\t') {
		s.advance(1)
	}
	if s.values != nil {
		s.values[path] = s.i
	}
	s.value()
}

func (s *posScanner) mark(path string, at position) {
	if _, ok := s.found[path]; !ok {
		s.found[path] = at
	}
}

// dotted reads names up to (not over) the byte end.
func (s *posScanner) dotted(end byte) []string {
	var names []string
	var name strings.Builder
	for s.i < len(s.doc) {
		switch c := s.doc[s.i]; c {
		case end, '\n':
			return append(names, name.String())
		case '.':
			names = append(names, name.String())
			name.Reset()
			s.advance(1)
		case '"', '\'':
			start := s.i + 1
			s.quoted()
			name.WriteString(s.doc[start:max(start, s.i-1)])
		case ' ', '\t', '\r':
			s.advance(1)
		default:
			name.WriteByte(c)
			s.advance(1)
		}
	}
	return append(names, name.String())
}

// quoted moves over a string of any of TOML's four kinds.
func (s *posScanner) quoted() {
	q := s.doc[s.i : s.i+1]
	raw := q == "'"
	if triple := strings.Repeat(q, 3); strings.HasPrefix(s.doc[s.i:], triple) {
		s.advance(3)
		for s.i < len(s.doc) && !strings.HasPrefix(s.doc[s.i:], triple) {
			s.step(raw)
		}
		s.advance(3)
		for s.i < len(s.doc) && s.doc[s.i] == q[0] { // up to two quotes may end the text
			s.advance(1)
		}
		return
	}
	s.advance(1)
	for s.i < len(s.doc) && s.doc[s.i] != q[0] && s.doc[s.i] != '\n' {
		s.step(raw)
	}
	s.advance(1)
}

func (s *posScanner) step(raw bool) {
	if !raw && s.doc[s.i] == '\\' {
		s.advance(1)
	}
	s.advance(1)
}

// value moves over a value: to the end of its line, or over all lines of an
// array or a long string.
func (s *posScanner) value() {
	depth := 0
	for s.i < len(s.doc) {
		switch c := s.doc[s.i]; c {
		case '"', '\'':
			s.quoted()
		case '[', '{':
			depth++
			s.advance(1)
		case ']', '}':
			depth--
			s.advance(1)
		case '#':
			s.comment()
		case '\n':
			s.advance(1)
			if depth <= 0 {
				return
			}
		default:
			s.advance(1)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// find gives the place of a path, else that of the nearest thing around it.
func (k keyPositions) find(path string) (position, bool) {
	for path != "" {
		if p, ok := k[path]; ok {
			return p, true
		}
		cut := max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['))
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return position{}, false
}

// nearest is the word of known that name was probably meant to be, or "": at
// most two letters (one for short names) are missing, too many, wrong, or exchanged.
func nearest(name string, known []string) string {
	best, bestAt := "", 3
	if len(name) < 5 {
		bestAt = 2
	}
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(name, k); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// editDistance is Damerau's, restricted to neighbors exchanged once.
func editDistance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row := rows[(i+2)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
