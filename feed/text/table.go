package text

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// entry says what a character folds to: a kind in the top byte, a letter or an
// index below.
type entry uint32

const (
	kindBreak  = iota // parts words
	kindLetter        // folds to one letter or digit
	kindString        // folds to several, in table.strings
	kindDrop          // vanishes: marks and invisible characters
	kindAlone         // Han and kana: a word by itself
)

const kindShift = 24

func (e entry) kind() int    { return int(e >> kindShift) }
func (e entry) letter() rune { return rune(e & (1<<kindShift - 1)) }
func (e entry) index() int   { return int(e & (1<<kindShift - 1)) }

func makeEntry(kind int, v int) entry { return entry(kind)<<kindShift | entry(v) }

// What table.ascii holds for a byte that is not a letter or digit.
const (
	asciiBreak     = 0
	asciiMultibyte = 1
)

// table holds the folding of the basic multilingual plane, 256 KB, and of ASCII
// by byte, so that most of most texts costs one small lookup a byte.
type table struct {
	ascii   [256]byte
	bmp     [1 << 16]entry
	strings []string
}

// folding is the table, built at its first use (some 20 ms), pure and shared.
var folding = sync.OnceValue(func() *table {
	t := &table{}
	for b := range t.ascii {
		switch {
		case b >= utf8.RuneSelf:
			t.ascii[b] = asciiMultibyte
		case b >= 'A' && b <= 'Z':
			t.ascii[b] = byte(b) + 'a' - 'A'
		case b >= 'a' && b <= 'z' || b >= '0' && b <= '9':
			t.ascii[b] = byte(b)
		}
	}
	for r := range rune(len(t.bmp)) {
		f, kind := foldRune(r)
		switch kind {
		case kindLetter, kindAlone:
			one, n := utf8.DecodeRuneInString(f)
			if n == len(f) {
				t.bmp[r] = makeEntry(kind, int(one))
				continue
			}
			t.bmp[r] = makeEntry(kindString, len(t.strings))
			t.strings = append(t.strings, f)
		default:
			t.bmp[r] = makeEntry(kind, 0)
		}
	}
	return t
})

// entry looks r up. A broken byte decodes to U+FFFD, which parts words.
func (t *table) entry(r rune) entry {
	if int(r) < len(t.bmp) {
		return t.bmp[r]
	}
	f, kind := foldRune(r)
	switch kind {
	case kindLetter, kindAlone:
		one, _ := utf8.DecodeRuneInString(f) // outside the plane nothing folds to several letters that matter
		return makeEntry(kind, int(one))
	}
	return makeEntry(kind, 0)
}

// foldRune is the rule that the table is made of.
func foldRune(r rune) (string, int) {
	if to, ok := variants[r]; ok {
		if to == "" {
			return "", kindDrop
		}
		return to, kindLetter
	}
	if drops(r) {
		return "", kindDrop
	}
	switch {
	case ideograph(r) || r == 'ｰ':
		n := norm.NFKC.String(string(r)) // half width; a syllable and its voicing stay together
		if utf8.RuneCountInString(n) == 1 {
			return n, kindAlone
		}
		return string(r), kindAlone
	case modifier(r):
		return "", kindBreak
	case unicode.Is(unicode.Nd, r):
		return string('0' + digit(r)), kindLetter
	case !unicode.In(r, unicode.L, unicode.N, unicode.M):
		return "", kindBreak
	case unicode.Is(unicode.Hangul, r):
		return norm.NFKC.String(string(r)), kindLetter
	}
	var out []rune
	for _, d := range norm.NFKD.String(string(r)) {
		for _, l := range lower(d) {
			to, ok := variants[l]
			switch {
			case ok:
				out = append(out, []rune(to)...)
			case drops(l), modifier(l):
			case ideograph(l): // a number in a circle, a month
				if len(out) > 0 || l != r && utf8.RuneCountInString(norm.NFKD.String(string(r))) > 1 {
					return "", kindBreak
				}
				return string(l), kindAlone
			case unicode.Is(unicode.Nd, l):
				out = append(out, '0'+digit(l))
			case unicode.In(l, unicode.L, unicode.N, unicode.M):
				out = append(out, l)
			case l == '⁄': // a vulgar fraction is no word
				return "", kindBreak
			}
		}
	}
	if len(out) == 0 { // the presentation form of a mark or of hamza
		return "", kindDrop
	}
	return string(out), kindLetter
}

// ideograph reports whether r is a word by itself: Han and kana.
func ideograph(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.IsLetter(r) || r == 'ー'
}

// modifier reports whether r is a modifier letter used as apostrophe or accent.
func modifier(r rune) bool { return r >= 0x2B9 && r <= 0x2DF || r == 'ʹ' }

// lower is r in lower case, by way of upper case so that ſ, ς and their like meet.
func lower(r rune) string {
	l := unicode.ToLower(unicode.ToUpper(unicode.ToLower(r)))
	return string(l)
}

// digit is the value of a decimal digit: Unicode has them in runs of ten from
// zero, and its ranges hold whole runs.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}

// breve makes й of и when a text comes decomposed.
const breve = '\u0306'

// invisible reports whether r leaves no trace on a page.
func invisible(r rune) bool {
	return r == 'ـ' || unicode.Is(unicode.Cf, r) || r >= 0xFE00 && r <= 0xFE0F || r == '\u034F'
}

// drops reports whether r vanishes in folding: what is invisible, and the marks
// of scripts that are also written without them. Vowel signs of Indic scripts
// and of Thai are marks too, and letters to their readers: they stay.
func drops(r rune) bool {
	switch {
	case invisible(r):
		return true
	case r < 0x300:
		return r == 'ʾ' || r == 'ʿ' || r == 'ʽ' // ayn and hamza of scholars: Daʿwa is Dawa
	case r <= 0x36F, r >= 0x1AB0 && r <= 0x1AFF, r >= 0x1DC0 && r <= 0x1DFF, r >= 0x20D0 && r <= 0x20FF, r >= 0xFE20 && r <= 0xFE2F:
		return unicode.Is(unicode.M, r)
	case r >= 0x483 && r <= 0x489: // old Cyrillic
		return true
	case r >= 0x591 && r <= 0x5C7: // Hebrew points; maqaf and sof pasuq among them are no marks
		return unicode.Is(unicode.Mn, r)
	case r >= 0x610 && r <= 0x6ED, r >= 0x8D3 && r <= 0x8FF: // harakat
		return unicode.Is(unicode.Mn, r)
	case r == 0x3099, r == 0x309A: // voicing that follows no kana
		return true
	}
	const nukta = 7 // the combining class of a dot that is often left out
	return unicode.Is(unicode.Mn, r) && norm.NFD.PropertiesString(string(r)).CCC() == nukta
}

// voiced joins a kana and the voicing mark that follows it, as NFC would, also
// in half width, and returns how many bytes the mark takes.
func voiced(kana rune, rest string) (rune, int) {
	if kana < 0x3040 || kana > 0x30FF || len(rest) < 3 {
		return kana, 0
	}
	mark, n := utf8.DecodeRuneInString(rest)
	switch mark {
	case 'ﾞ':
		mark = 0x3099
	case 'ﾟ':
		mark = 0x309A
	}
	if mark != 0x3099 && mark != 0x309A {
		return kana, 0
	}
	joined := norm.NFC.String(string([]rune{kana, mark}))
	if utf8.RuneCountInString(joined) != 1 {
		return kana, 0
	}
	r, _ := utf8.DecodeRuneInString(joined)
	return r, n
}

// variants are the letters that Unicode does not decompose as readers do, by
// what they fold to; the empty string drops.
var variants = map[rune]string{
	// Latin
	'ß': "ss", 'ẞ': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ø': "o", 'Ø': "o", 'đ': "d", 'Đ': "d",
	'ð': "d", 'Ð': "d", 'þ': "th", 'Þ': "th", 'ł': "l", 'Ł': "l", 'ı': "i", 'İ': "i", 'ħ': "h", 'Ħ': "h", 'ŋ': "n",
	'Ŋ': "n", 'ŧ': "t", 'Ŧ': "t", 'ə': "e", 'Ə': "e", 'ɛ': "e", 'ɔ': "o", 'ĸ': "k",
	// Cyrillic: й is a letter, ё is written е.
	'й': "й", 'Й': "й", 'ґ': "г", 'Ґ': "г",
	// Hebrew: the forms that letters have at the end of a word.
	'ך': "כ", 'ם': "מ", 'ן': "נ", 'ף': "פ", 'ץ': "צ",
	// Arabic script: one letter for the variants of Arabic, Persian, Urdu and Kurdish.
	// The Arabic one is kept, as the stemmers of Arabic know it.
	'آ': "ا", 'أ': "ا", 'إ': "ا", 'ٱ': "ا", 'ٲ': "ا", 'ٳ': "ا", 'ء': "", 'ؤ': "و", 'ۆ': "و", 'ۇ': "و", 'ۈ': "و", 'ۋ': "و",
	'ئ': "ي", 'ى': "ي", 'ی': "ي", 'ې': "ي", 'ۍ': "ي", 'ێ': "ي", 'ے': "ي", 'ۓ': "ي", 'ي': "ي",
	'ک': "ك", 'ڪ': "ك", 'ة': "ه", 'ۀ': "ه", 'ہ': "ه", 'ھ': "ه", 'ە': "ه", 'ۂ': "ه", 'ۃ': "ه",
	'ڕ': "ر", 'ڵ': "ل", 'ڤ': "ف", 'ݣ': "گ", 'ڭ': "گ",
}
