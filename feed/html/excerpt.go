package html

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Neutral is s fit to be shown as a title, in HTML, on a terminal or in a log: one
// line, without control characters, escape sequences, and the invisible
// characters that turn text round or hide it. The archive keeps s as it was
// (CONFORMANCE SEC-32). It does not escape for HTML.
func Neutral(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == ' ' && (i == 0 || s[i-1] == ' ' || i == len(s)-1) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	w := plainWriter{out: make([]byte, 0, len(s))}
	w.words(s)
	return string(w.out)
}

// maxMarks bounds the marks on one letter that count as part of it.
const maxMarks = 8

// Excerpt is the beginning of a plain text as one line of at most n characters as
// people count them: letters with their marks, emoji, flags. It ends with a word
// where there is one in reach, and with "…" if something was left out.
func Excerpt(text string, n int) string {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	if n = min(n, len(text)); n <= 0 {
		return ""
	}
	w := plainWriter{}
	// A character as people count them seldom has more than a few bytes, and never
	// more than maxMarks marks: what lies further on can't matter.
	head := text
	if limit := utf8.UTFMax * n * (maxMarks + 1); len(head) > limit {
		for back := 1; back < utf8.UTFMax && !utf8.RuneStart(head[limit]); back++ {
			limit-- // not inside a character; what is no UTF-8 has no such place
		}
		head = head[:limit]
	}
	w.words(head)
	line := string(w.out)
	if end, _ := cut(line, n); end == len(line) && len(head) == len(text) {
		return line
	}
	end, word := cut(line, n-1) // and the ellipsis
	if 2*word > end {
		end = word
	}
	line = strings.TrimRightFunc(line[:end], func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",;:-–—(«“„،؛", r)
	})
	return line + "…"
}

// cut finds the end of the first n characters of s, and of the last word that
// ends there or before; word is 0 if none does.
func cut(s string, n int) (end, word int) {
	var c cluster
	count := 0
	for i, r := range s {
		if c.extends(r) {
			continue
		}
		if r == ' ' {
			word = i
		}
		if count == n {
			return i, word
		}
		count++
	}
	return len(s), word
}

// cluster follows what belongs to one character as people count them: a subset of
// the extended grapheme clusters of Unicode (UAX #29) that covers marks, emoji
// sequences, flags and Hangul.
type cluster struct {
	last  rune
	marks int
	flags int // regional indicators in a row
}

// extends takes the next rune and reports whether it belongs to the character
// before it.
func (c *cluster) extends(r rune) bool {
	last := c.last
	c.last = r
	if r < utf8.RuneSelf {
		c.marks, c.flags = 0, 0
		return false
	}
	joined := false
	switch {
	case last == 0:
	case unicode.In(r, unicode.M), r == 0x200d, r == 0x200c, 0xfe00 <= r && r <= 0xfe0f, 0x1f3fb <= r && r <= 0x1f3ff:
		if c.marks < maxMarks {
			c.marks++
			return true
		}
	case last == 0x200d && r >= 0x2190:
		joined = c.marks < maxMarks // an emoji joined to the one before
		c.marks++
		return joined
	case regional(r) && regional(last):
		c.flags++
		return c.flags%2 == 1
	case hangul(last, r):
		return true
	}
	c.marks, c.flags = 0, 0
	return false
}

func regional(r rune) bool { return 0x1f1e6 <= r && r <= 0x1f1ff }

// hangul: conjoining jamo form a syllable.
func hangul(last, r rune) bool {
	lead := 0x1100 <= last && last <= 0x115f
	vowel := 0x1160 <= last && last <= 0x11a7
	switch {
	case 0x1160 <= r && r <= 0x11a7:
		return lead || vowel
	case 0x11a8 <= r && r <= 0x11ff:
		return vowel || 0x11a8 <= last && last <= 0x11ff || 0xac00 <= last && last <= 0xd7a3
	}
	return false
}
