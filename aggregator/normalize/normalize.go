// Package normalize turns an entry as a publisher wrote it into what the stages
// behind it compare and read: plain texts, one form of each URL, a language, and
// the digest that says whether anything worth a new version has changed.
//
// It changes nothing of the entry itself: the archive keeps what was published.
// Everything here is a pure function.
package normalize

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/html"
)

// Plain is an entry's texts without markup, white space folded.
type Plain struct {
	Title   string
	Summary string
	Content string
}

// Body is what the post says: its content, or its summary when that is all the
// feed carries or when it says more.
func (p Plain) Body() string {
	if len(p.Summary) > len(p.Content) {
		return p.Summary
	}
	return p.Content
}

// Own is what Body says outside of quotations, and whether it has any.
func (p Plain) Own(e *feed.Entry) (string, bool) {
	if len(p.Summary) > len(p.Content) {
		return html.Own(e.Summary)
	}
	return html.Own(e.Content)
}

// PlainOf takes the texts out of an entry.
func PlainOf(e *feed.Entry) Plain {
	p := Plain{Title: html.Plain(e.Title), Content: html.Plain(e.Content)}
	if e.Summary == e.Content {
		p.Summary = p.Content
	} else {
		p.Summary = html.Plain(e.Summary)
	}
	return p
}

// Version is the digest of what makes a version of a post (CONFORMANCE P-72):
// the words of title, summary and content, where the links in them lead, their
// pictures, its address, authors, categories and enclosures.
//
// White space, markup, tracking parameters and the order of categories make no
// version. Neither does what moves by itself (PEERS part 5, 56): numbers of comments,
// views and shares in lines of their own, ages, keys of sessions in links, links and
// pictures of advertising, sizes of pictures and the hosts that carry them.
// Neither do dates: half of the wild's "updated" is the time of the
// request (PEERS part 5, 47, 48 and 57), so a date alone never says that a post
// was edited.
func Version(e *feed.Entry, p Plain) feed.Digest {
	lent := versions.Get().(*[]byte)
	defer versions.Put(lent)
	b := (*lent)[:0]
	b = field(b, 't', steady(p.Title))
	b = field(b, 's', steady(p.Summary))
	b = field(b, 'c', steady(p.Content))
	b = field(b, 'u', canonicalOr(e.URL))
	for _, t := range []feed.Text{e.Summary, e.Content} {
		if t.Type == feed.HTML || t.Type == feed.XHTML {
			for _, l := range targets(t.Value) {
				b = field(b, 'l', l)
			}
			for _, p := range pictures(t.Value) {
				b = field(b, 'p', p)
			}
		}
	}
	for _, a := range e.Authors {
		if !a.Inherited {
			b = field(b, 'a', a.Name)
		}
	}
	for _, c := range sortedTerms(e.Categories) {
		b = field(b, 'k', c)
	}
	for _, en := range e.Enclosures {
		b = field(b, 'e', canonicalOr(en.URL))
	}
	if cap(b) <= maxLent {
		*lent = b
	}
	return feed.DigestOf(b)
}

// versions are lent from entry to entry: what is hashed is needed for a moment only.
// What became larger than maxLent bytes is not kept.
var versions = sync.Pool{New: func() any { return new([]byte) }}

const maxLent = 64 << 10

// field appends one value, white space folded, with its length and name behind
// it, so that no two lists of values read alike.
func field(b []byte, name byte, value string) []byte {
	start := len(b)
	b = appendFolded(b, value)
	b = binary.BigEndian.AppendUint64(b, uint64(len(b)-start))
	return append(b, name)
}

// appendFolded makes one space of each run of white space and none at the ends.
func appendFolded(b []byte, s string) []byte {
	start := len(b)
	for i := 0; i < len(s); {
		if n := whiteSpace(s[i:]); n > 0 {
			i += n
			continue
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		n := run(s[i:])
		b = append(b, s[i:i+n]...)
		i += n
	}
	return b
}

// run is how many bytes s begins with that are words with one space between them.
func run(s string) int {
	i := plainWords(s)
	for i < len(s) {
		switch c := s[i]; {
		case dark[c]:
			if i++; c >= utf8.RuneSelf {
				i += plainWords(s[i:])
			}
		case c == ' ' && i+1 < len(s) && dark[s[i+1]]:
			i += 2
		case c >= utf8.RuneSelf && whiteSpace(s[i:]) == 0:
			i++ // a byte of a character is as good as a whole one
			i += plainWords(s[i:])
		default:
			return i
		}
	}
	return i
}

// plainWords is the length of a beginning of s that is ASCII words with one space
// between them, and that does not end with a space. It looks at eight bytes at a time
// and stops at the first eight that are not such text, so there may be more of it.
func plainWords(s string) int {
	const (
		ones   = 0x0101010101010101
		highs  = 0x8080808080808080
		spaces = 0x20 * ones
	)
	i := 0
	for i+8 <= len(s) {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		x := w ^ spaces
		space := (x - ones) &^ x & highs // or the byte above one
		if w&highs != 0 || (w-spaces)&^w&highs != 0 || space&(space<<8) != 0 {
			break
		}
		if space>>63 != 0 {
			i += 7 // whether something follows the space, the next look says
		} else {
			i += 8
		}
	}
	return i
}

// dark are the bytes with which no white space begins.
var dark = func() (t [256]bool) {
	for c := range t {
		switch {
		case c == ' ', '\t' <= c && c <= '\r':
		case c == 0xc2, c == 0xe1, c == 0xe2, c == 0xe3: // U+0085, U+00A0; U+1680; U+2000 and on; U+3000
		default:
			t[c] = true
		}
	}
	return t
}()

// whiteSpace is how many bytes of white space (unicode.IsSpace) s begins with, 0 for
// another character.
func whiteSpace(s string) int {
	switch c := s[0]; {
	case c == ' ' || '\t' <= c && c <= '\r':
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	if r, n := utf8.DecodeRuneInString(s); unicode.IsSpace(r) {
		return n
	}
	return 0
}

// fold is appendFolded as a string.
func fold(s string) string { return string(appendFolded(nil, s)) }

func canonicalOr(raw string) string {
	if c := CanonicalURL(raw); c != "" {
		return c
	}
	return strings.TrimSpace(raw)
}

func sortedTerms(cats []feed.Category) []string {
	terms := make([]string, 0, len(cats))
	for _, c := range cats {
		terms = append(terms, fold(c.Term))
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}
