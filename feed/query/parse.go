package query

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/text"
)

// Bounds of a query. They are far above what a person writes, and low enough
// that no query costs more than a moment.
const (
	MaxLength   = 256 << 10 // bytes: a topic with thousands of names
	MaxTerms    = 20_000
	MaxDistance = 1000 // of NEAR
	MaxWeight   = 1000
	maxDepth    = 64 // of parentheses and NOTs
	maxPhrase   = 32 // words
	minPrefix   = 2  // letters: a shorter prefix is in every text
)

// SyntaxError says where a query is wrong and what could stand there.
type SyntaxError struct {
	Offset       int // bytes from the start
	Line, Column int // from 1, columns in characters
	Found        string
	Want         string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: found %s, expected %s", e.Line, e.Column, e.Found, e.Want)
}

const operand = `a word, a "phrase", a field or "("`

// Parse reads a query. Its error is a *[SyntaxError] at the first fault.
//
// Precedence, tightest first: ^weight, NEAR, NOT and -, AND and juxtaposition,
// OR. Operators are words in capitals. A # that stands by itself begins a comment
// up to the end of the line.
func Parse(s string) (*Query, error) {
	p := &parser{s: s, q: &Query{source: s, at: map[Node]int{}}}
	if len(s) > MaxLength {
		return nil, p.fail(MaxLength, fmt.Sprintf("%d bytes", len(s)), fmt.Sprintf("at most %d", MaxLength))
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		return nil, p.fail(i, "a NUL byte", "text")
	}
	if !utf8.ValidString(s) {
		i := strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError })
		return nil, p.fail(i, "bytes that are not UTF-8", "text")
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.i < len(s) {
		want := "an operator, another term or the end"
		if s[p.i] == ')' {
			want += `, as no "(" is open`
		}
		return nil, p.fail(p.i, p.found(), want)
	}
	p.q.Root = n
	return p.q, nil
}

type parser struct {
	s     string
	i     int
	depth int
	field Field // of a group such as title:( )
	q     *Query
}

func (p *parser) fail(at int, found, want string) error { return syntaxError(p.s, at, found, want) }

func syntaxError(s string, at int, found, want string) *SyntaxError {
	at = min(at, len(s))
	before := s[:at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &SyntaxError{Offset: at, Line: line, Column: column, Found: found, Want: want}
}

// found describes what stands at the present place.
func (p *parser) found() string {
	if p.i >= len(p.s) {
		return "the end of the query"
	}
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	if w := p.peek(); w != "" {
		n = len(w)
	}
	return fmt.Sprintf("%.60q", p.s[p.i:p.i+n])
}

// space skips white space and comments.
func (p *parser) space() {
	for p.i < len(p.s) {
		r, n := utf8.DecodeRuneInString(p.s[p.i:])
		switch {
		case unicode.IsSpace(r):
			p.i += n
		case r == '#' && (p.i+1 == len(p.s) || p.s[p.i+1] <= ' ' || p.s[p.i+1] == '#'):
			if end := strings.IndexByte(p.s[p.i:], '\n'); end >= 0 {
				p.i += end + 1
			} else {
				p.i = len(p.s)
			}
		default:
			return
		}
	}
}

// peek is the run of characters at the present place that can be in a word.
func (p *parser) peek() string {
	for i, r := range p.s[p.i:] {
		if unicode.IsSpace(r) || strings.ContainsRune(`()"“”^`, r) {
			return p.s[p.i : p.i+i]
		}
	}
	return p.s[p.i:]
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.i, p.found(), fmt.Sprintf("at most %d parentheses and NOTs inside each other", maxDepth))
	}
	return nil
}

func (p *parser) or() (Node, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var nodes []Node
	for {
		n, err := p.and()
		if err != nil {
			return nil, err
		}
		if o, ok := n.(*Or); ok {
			nodes = append(nodes, o.Nodes...)
		} else {
			nodes = append(nodes, n)
		}
		if p.space(); p.peek() != "OR" {
			break
		}
		p.i += len("OR")
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return &Or{nodes}, nil
}

func (p *parser) and() (Node, error) {
	var nodes []Node
	for {
		n, err := p.not()
		if err != nil {
			return nil, err
		}
		if a, ok := n.(*And); ok {
			nodes = append(nodes, a.Nodes...)
		} else {
			nodes = append(nodes, n)
		}
		p.space()
		if p.i == len(p.s) || p.s[p.i] == ')' || p.peek() == "OR" {
			break
		}
		if p.peek() == "AND" {
			p.i += len("AND")
		}
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return &And{nodes}, nil
}

func (p *parser) not() (Node, error) {
	p.space()
	w := p.peek()
	switch {
	case w == "NOT":
		p.i += len("NOT")
	case strings.HasPrefix(w, "-") && len(w) > 1, w == "-" && p.i+1 < len(p.s) && strings.ContainsAny(p.s[p.i+1:p.i+2], `("`):
		p.i++
	default:
		return p.near()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	n, err := p.not()
	if err != nil {
		return nil, err
	}
	return &Not{n}, nil
}

func (p *parser) near() (Node, error) {
	p.space()
	start := p.i
	a, err := p.weighted()
	if err != nil {
		return nil, err
	}
	p.space()
	w := p.peek()
	if w != "NEAR" && !strings.HasPrefix(w, "NEAR/") {
		return a, nil
	}
	d, convErr := strconv.Atoi(strings.TrimPrefix(w, "NEAR/"))
	if convErr != nil || d < 1 || d > MaxDistance {
		return nil, p.fail(p.i, p.found(), fmt.Sprintf("NEAR/n with n from 1 to %d", MaxDistance))
	}
	if !placeable(a) {
		return nil, p.fail(start, "a condition before NEAR", "a term or terms joined by OR")
	}
	p.i += len(w)
	p.space()
	start = p.i
	b, err := p.weighted()
	if err != nil {
		return nil, err
	}
	if !placeable(b) {
		return nil, p.fail(start, "a condition after NEAR", "a term or terms joined by OR")
	}
	p.space()
	if w := p.peek(); w == "NEAR" || strings.HasPrefix(w, "NEAR/") {
		return nil, p.fail(p.i, p.found(), "an operator other than NEAR; write (a NEAR/8 b) AND (b NEAR/8 c)")
	}
	return &Near{A: a, B: b, Distance: d}, nil
}

// placeable reports whether n has places of its own in a text, as NEAR needs.
func placeable(n Node) bool {
	switch n := n.(type) {
	case *Term:
		return true
	case *Weighted:
		return placeable(n.Node)
	case *Or:
		for _, c := range n.Nodes {
			if !placeable(c) {
				return false
			}
		}
		return true
	}
	return false
}

func (p *parser) weighted() (Node, error) {
	n, err := p.primary()
	if err != nil {
		return nil, err
	}
	for p.i < len(p.s) && p.s[p.i] == '^' {
		w := p.s[p.i+1:]
		if end := strings.IndexFunc(w, func(r rune) bool { return r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
			w = w[:end]
		}
		f, err := strconv.ParseFloat(w, 64)
		if err != nil || f > MaxWeight || f < -MaxWeight || strings.ContainsFunc(w, unicode.IsLetter) {
			return nil, p.fail(p.i, fmt.Sprintf("%.20q", "^"+w), fmt.Sprintf("^ and a weight from -%d to %d, such as ^3 or ^-0.5", MaxWeight, MaxWeight))
		}
		p.i += 1 + len(w)
		if f == 0 {
			f = 0 // -0 is written 0
		}
		n = &Weighted{n, f}
	}
	return n, nil
}

func (p *parser) primary() (Node, error) {
	p.space()
	if p.i == len(p.s) {
		return nil, p.fail(p.i, p.found(), operand)
	}
	if p.s[p.i] == '(' {
		return p.group()
	}
	w := p.peek()
	if w == "AND" || w == "OR" || w == "NOT" || w == "NEAR" || strings.HasPrefix(w, "NEAR/") {
		return nil, p.fail(p.i, p.found(), operand+`; an operator as a word is written in quotes`)
	}
	if name, _, ok := strings.Cut(w, ":"); ok && isName(name) {
		return p.inField(strings.ToLower(name), len(name)+1)
	}
	return p.term(p.field)
}

func (p *parser) group() (Node, error) {
	open := p.i
	p.i++
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.i == len(p.s) || p.s[p.i] != ')' {
		line := strings.Count(p.s[:open], "\n") + 1
		column := utf8.RuneCountInString(p.s[strings.LastIndexByte(p.s[:open], '\n')+1:open]) + 1
		return nil, p.fail(p.i, p.found(), fmt.Sprintf(`")" for the "(" of line %d, column %d`, line, column))
	}
	p.i++
	return n, nil
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

const fieldList = "title:, author:, source:, category:, url:, lang:, topic:, about:, published:, seen:, is:, has: or id:"

// inField reads what follows a field's name; skip is the length of "name:".
func (p *parser) inField(name string, skip int) (Node, error) {
	start := p.i
	if p.field != Anywhere {
		return nil, p.fail(start, strconv.Quote(name+":"), fmt.Sprintf("only words and phrases inside %s:( )", p.field))
	}
	p.i += skip
	switch name {
	case "title", "author", "source", "category", "url":
		field := map[string]Field{"title": Title, "author": Author, "source": Source, "category": Category, "url": URL}[name]
		if p.i < len(p.s) && p.s[p.i] == '(' {
			p.field = field
			defer func() { p.field = Anywhere }()
			return p.group()
		}
		if p.i == len(p.s) || p.peek() == "" && !strings.HasPrefix(p.s[p.i:], `"`) && !strings.HasPrefix(p.s[p.i:], "“") {
			return nil, p.fail(p.i, p.found(), fmt.Sprintf(`a word, a "phrase" or "(" right after %s:`, name))
		}
		return p.term(field)
	}
	at, value := p.i, p.peek()
	n, want := condition(name, value)
	if want != "" {
		if n == nil && strings.HasPrefix(want, "one of") {
			at, value = start, name+":"
		}
		found := strconv.Quote(value)
		if value == "" {
			found = p.found()
		}
		return nil, p.fail(at, found, want)
	}
	p.i += len(value)
	p.q.at[n] = start
	return n, nil
}

// condition reads name:value where value is no term. want is empty when it could.
func condition(name, value string) (n Node, want string) {
	switch name {
	case "lang":
		if tag := text.Base(value); tag != "" {
			return &Lang{tag}, ""
		}
		return nil, "a language such as fa, en or pt-BR after lang:"
	case "topic", "about":
		if feed.ValidID(value) {
			return &Tagged{Topic: feed.TopicID(value), About: name == "about"}, ""
		}
		return nil, "the id of a topic after " + name + ":, such as mek"
	case "published", "seen":
		w, want := parseWhen(value)
		if want != "" {
			return nil, want
		}
		w.Seen = name == "seen"
		return w, ""
	case "is":
		switch p := Property("is:" + value); p {
		case Revised, Duplicate:
			return &Is{p}, ""
		}
		return nil, "is:revised or is:duplicate"
	case "has":
		if Property("has:"+value) == HasEnclosure {
			return &Is{HasEnclosure}, ""
		}
		return nil, "has:enclosure"
	case "id":
		id, letters, err := feed.ItemPrefix(value)
		if err != nil {
			return nil, "the 26 letters of an item's id after id:, or its first 6 or more"
		}
		return &ID{id, letters}, ""
	}
	return nil, "one of the fields " + fieldList + "; quote the word if it is none"
}

// term reads a word or a phrase, exact or not.
func (p *parser) term(field Field) (Node, error) {
	start, kind := p.i, Bare
	if strings.HasPrefix(p.s[p.i:], "=") {
		p.i++
		kind = Exact
	}
	written := ""
	switch rest := p.s[p.i:]; {
	case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, "“"), strings.HasPrefix(rest, "”"):
		_, n := utf8.DecodeRuneInString(rest)
		end := strings.IndexAny(rest[n:], `"“”`)
		if end < 0 {
			open := syntaxError(p.s, p.i, "", "")
			return nil, p.fail(len(p.s), "the end of the query", fmt.Sprintf("a closing quote for the one of line %d, column %d", open.Line, open.Column))
		}
		written = rest[n : n+end]
		_, m := utf8.DecodeRuneInString(rest[n+end:])
		p.i += n + end + m
		if kind == Bare {
			kind = Phrase
		}
	default:
		written = p.peek()
		if written == "" {
			return nil, p.fail(p.i, p.found(), operand)
		}
		p.i += len(written)
	}
	if len(p.q.terms) >= MaxTerms {
		return nil, p.fail(start, "one term more", fmt.Sprintf("at most %d terms", MaxTerms))
	}
	t, err := newTerm(kind, field, strings.Join(strings.Fields(written), " "))
	if err != nil {
		return nil, p.fail(start, fmt.Sprintf("%.60q", p.s[start:p.i]), err.Error())
	}
	t.Index = len(p.q.terms)
	p.q.terms = append(p.q.terms, t)
	return t, nil
}
