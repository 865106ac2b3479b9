// Package text folds, splits and stems: the one routine behind topics, search,
// near-duplicates and highlighting, so that they can't disagree.
//
// A text is a row of words. [Scan] finds them with a hash of their folded form,
// [Tokens] with the folded form itself; both give byte offsets into the text as
// it was written, so that whatever is found can be shown where it stands. [Fold]
// is all words of a text, folded, with one space between them; two texts that
// differ only in what folding takes away have the same Fold.
//
// Folding takes away: case; Latin, Greek and Cyrillic diacritics (й stays a
// letter of its own, as it is one); ß, æ, ø, ł and the like; Arabic and Persian
// variants of a letter (ي ى ی, ك ک, أ إ آ, ة ه) with presentation forms,
// tatweel, harakat and the zero-width non-joiner; the script of digits; full and
// half width; invisible marks. It works on one character at a time, before words
// are split, so what folds equal also splits equal.
//
// A word is a run of letters and digits. Everything else parts words, apostrophes
// and hyphens too: "Mojāhedin-e" is mojahedin, e; "l'Iran" and "Iran's" hold
// iran; "İran'ın" too. A character of Han or kana is a word by itself. Bytes that
// are not UTF-8 part words.
//
// [Stem] takes inflection away, by language; [Detect] guesses the language. All
// functions are pure, safe for concurrent use and linear in their input.
package text

import (
	"strings"
	"unicode/utf8"
)

// Token is a word of a text.
type Token struct {
	Text       string // folded, never empty
	Start, End int    // bytes of the text as written: text[Start:End]
}

// Word is a word of a text by the hash of its folded form (see [Hash]): what a
// matcher needs that looks at many words and keeps few.
type Word struct {
	Hash       uint64
	Start, End int // bytes of the text as written
}

// FNV-1a, 64 bit: one multiplication a byte, and it can be kept up while folding.
const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
)

// Hash is the hash of a folded word, as [Scan] finds it.
func Hash(folded string) uint64 {
	h := uint64(hashOffset)
	for i := range len(folded) {
		h = (h ^ uint64(folded[i])) * hashPrime
	}
	return h
}

// Scan appends to dst the words of s from byte offset from on, until s ends or
// dst has no capacity left, and returns dst with the offset to go on from, which
// is len(s) at the end. from must be 0 or what Scan returned for the same s.
func Scan(s string, from int, dst []Word) ([]Word, int) {
	t := folding()
	i := from
	for i < len(s) && len(dst) < cap(dst) {
		f := t.ascii[s[i]]
		if f == asciiBreak {
			i++
			continue
		}
		// Most words of most texts are ASCII throughout: a loop of their own.
		start, h := i, uint64(hashOffset)
		for f > asciiMultibyte {
			h = (h ^ uint64(f)) * hashPrime
			if i++; i == len(s) {
				break
			}
			f = t.ascii[s[i]]
		}
		if f != asciiMultibyte {
			dst = append(dst, Word{h, start, i})
			continue
		}
		var w Word
		if w, i = t.word(s, start); w.End > w.Start {
			dst = append(dst, w)
		}
	}
	return dst, i
}

// word reads one word that begins at i, or the break that is there, and returns
// where to go on. The word is empty for a break.
func (t *table) word(s string, i int) (Word, int) {
	start, h, letters := i, uint64(hashOffset), false
	before := h // the hash before the letter и, which a breve may yet change
	var last rune
	for i < len(s) {
		f := t.ascii[s[i]]
		if f > asciiMultibyte {
			h = (h ^ uint64(f)) * hashPrime
			letters, last = true, 0
			i++
			continue
		}
		if f == asciiBreak {
			break
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		e := t.entry(r)
		switch e.kind() {
		case kindLetter:
			before, last = h, e.letter()
			h = hashRune(h, last)
			letters = true
		case kindString:
			h, last = hashString(h, t.strings[e.index()]), 0
			letters = true
		case kindDrop: // a mark or an invisible character inside or before a word
			if !letters {
				start = i + n
			} else if r == breve && last == 'и' {
				h, last = hashRune(before, 'й'), 0
			}
		case kindAlone:
			if letters {
				return Word{h, start, i}, i
			}
			c, m := voiced(e.letter(), s[i+n:])
			return Word{hashRune(hashOffset, c), i, i + n + m}, i + n + m
		default:
			if letters {
				return Word{h, start, i}, i
			}
			return Word{}, i + n
		}
		i += n
	}
	if !letters {
		return Word{}, i
	}
	return Word{h, start, i}, i
}

func hashRune(h uint64, r rune) uint64 {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

func hashString(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

// AppendWord appends the folded form of a word as it stands in a text: of
// s[w.Start:w.End] for a [Word] w of s.
func AppendWord(dst []byte, word string) []byte {
	t := folding()
	begin := len(dst)
	for i := 0; i < len(word); {
		if f := t.ascii[word[i]]; f > asciiMultibyte {
			dst = append(dst, f)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(word[i:])
		i += n
		switch e := t.entry(r); e.kind() {
		case kindLetter:
			dst = utf8.AppendRune(dst, e.letter())
		case kindString:
			dst = append(dst, t.strings[e.index()]...)
		case kindDrop:
			if r == breve && len(dst)-begin >= len("и") && string(dst[len(dst)-len("и"):]) == "и" {
				dst = append(dst[:len(dst)-len("и")], "й"...)
			}
		case kindAlone:
			c, m := voiced(e.letter(), word[i:])
			dst = utf8.AppendRune(dst, c)
			i += m
		}
	}
	return dst
}

// Tokens is the words of s in order. Their Texts share one allocation.
func Tokens(s string) []Token {
	var buf [256]Word
	tokens := make([]Token, 0, len(s)/6+1) // English has about six bytes a word with its space
	folded := make([]byte, 0, len(s)+len(s)/8)
	ends := make([]int, 0, cap(tokens))
	for at := 0; at < len(s); {
		var words []Word
		words, at = Scan(s, at, buf[:0])
		for _, w := range words {
			folded = AppendWord(folded, s[w.Start:w.End])
			ends = append(ends, len(folded))
			tokens = append(tokens, Token{Start: w.Start, End: w.End})
		}
	}
	all, begin := string(folded), 0
	for i, end := range ends {
		tokens[i].Text = all[begin:end]
		begin = end
	}
	return tokens
}

// Words is the folded words of s.
func Words(s string) []string {
	tokens := Tokens(s)
	words := make([]string, len(tokens))
	for i, t := range tokens {
		words[i] = t.Text
	}
	return words
}

// Fold is the folded words of s with one space between them. Folding what is
// folded changes nothing.
func Fold(s string) string {
	var buf [256]Word
	var b []byte
	for at := 0; at < len(s); {
		var words []Word
		words, at = Scan(s, at, buf[:0])
		for _, w := range words {
			if len(b) > 0 {
				b = append(b, ' ')
			} else {
				b = make([]byte, 0, len(s)-w.Start)
			}
			b = AppendWord(b, s[w.Start:w.End])
		}
	}
	return string(b)
}

// Clean is s without the characters that folding drops as invisible: joiners,
// direction marks, tatweel, soft hyphens. Marks that are seen stay. It is for
// comparing words exactly as they are written.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}
