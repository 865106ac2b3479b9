package text

import (
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/turkish"
)

// maxStem is the longest word, in bytes, that is stemmed: longer ones are no
// words of a language, and a stemmer may be quadratic.
const maxStem = 64

// Inflects reports whether Stem knows the language (a primary subtag such as
// "en"); for others every word is its own stem.
func Inflects(lang string) bool { return stemmer(lang) != nil }

// Stem is the stem of a folded word in a language given by its primary subtag:
// what its inflected forms have in common, not always a word. Words of other
// scripts, words of more than 64 bytes and words of unknown languages come back
// as they are. It works on folded words, since that is what an index holds: two
// words that fold equal always have one stem.
func Stem(lang, word string) string {
	f := stemmer(lang)
	if f == nil || len(word) > maxStem || len(word) < 3 {
		return word
	}
	return f(word)
}

// Base is the primary subtag of a BCP 47 language tag in lower case: "fa" of
// "fa-IR". Names that mean the same by themselves become one: "iw" is "he", the
// kinds of Norwegian "no", those of Kurdish "ku".
func Base(tag string) string {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"), "-")
	switch base = strings.ToLower(base); base {
	case "iw":
		return "he"
	case "nb", "nn":
		return "no"
	case "ckb", "kmr", "sdh":
		return "ku"
	case "pes", "prs", "per", "fas":
		return "fa"
	case "in":
		return "id"
	case "eng":
		return "en"
	case "ara", "arb", "arz":
		return "ar"
	case "cmn", "yue", "zho":
		return "zh"
	case "jp", "jpn":
		return "ja"
	}
	for i := range len(base) {
		if base[i] < 'a' || base[i] > 'z' {
			return ""
		}
	}
	if len(base) < 2 || len(base) > 8 {
		return ""
	}
	return base
}

func stemmer(lang string) func(string) string {
	switch lang {
	case "en":
		return latin(english.Stem)
	case "fr":
		return latin(french.Stem)
	case "de":
		return latin(german.Stem)
	case "es":
		return latin(spanish.Stem)
	case "it":
		return latin(italian.Stem)
	case "pt":
		return latin(portuguese.Stem)
	case "nl":
		return latin(dutch.Stem)
	case "sv":
		return latin(swedish.Stem)
	case "da":
		return latin(danish.Stem)
	case "no":
		return latin(norwegian.Stem)
	case "fi":
		return latin(finnish.Stem)
	case "hu":
		return latin(hungarian.Stem)
	case "ro":
		return latin(romanian.Stem)
	case "tr":
		return latin(turkish.Stem)
	case "ru":
		return russianStem
	case "ar":
		return arabicStem
	case "fa":
		return persianStem
	case "he":
		return hebrewStem
	}
	return nil
}

// latin runs a Snowball stemmer over words that are Latin throughout.
func latin(f func(*snowballstem.Env) bool) func(string) string {
	return func(word string) string {
		for i := range len(word) {
			if c := word[i]; c < 'a' || c > 'z' { // folded: no accents are left
				return word
			}
		}
		return snowball(f, word)
	}
}

func snowball(f func(*snowballstem.Env) bool, word string) string {
	env := snowballstem.NewEnv(word)
	f(env)
	if stem := env.Current(); stem != "" {
		// Italian and Dutch mark a vowel by a capital, and some stemmers give back
		// an accent: folding again keeps the stem in the alphabet of words.
		return string(AppendWord(nil, stem))
	}
	return word
}

func russianStem(word string) string {
	for _, r := range word {
		if r < 'а' || r > 'я' {
			return word
		}
	}
	return snowball(russian.Stem, word)
}

// affixes are tried longest first; each keeps at least so many letters.
type affix struct {
	text string
	keep int
}

// The light stemmer "light10" of Larkey, Ballesteros and Connell (2002), with
// the proclitics bi-, li-, ka-, fa- also where no article follows. Words come
// folded: one alef, one yeh, ه for ة.
var (
	arabicPrefixes = []affix{
		{"وال", 3},
		{"بال", 3},
		{"كال", 3},
		{"فال", 3},
		{"ال", 3},
		{"لل", 3},
		{"و", 4},
		{"ب", 4},
		{"ل", 4},
		{"ف", 4},
		{"ك", 4},
	}
	arabicSuffixes = []affix{
		{"ها", 3}, {"هم", 3}, {"ان", 4}, {"ات", 3}, {"ون", 3}, {"ين", 3}, {"يه", 3}, {"ه", 3}, {"ي", 3},
	}
	// Plural, comparative, possessive and the yeh of relation and indefiniteness.
	persianSuffixes = []affix{
		{"هايشان", 2},
		{"هايمان", 2},
		{"هايتان", 2},
		{"هايي", 2},
		{"هايم", 2},
		{"هايت", 2},
		{"هايش", 2},
		{"هاي", 2},
		{"ها", 2},
		{"ترين", 2},
		{"تر", 3},
		{"يان", 3},
		{"شان", 3},
		{"ي", 3},
	}
	// Final letters come folded too: ם is מ.
	hebrewPrefixes = []affix{{"ו", 3}, {"ה", 3}, {"ב", 4}, {"ל", 4}, {"מ", 4}, {"כ", 4}, {"ש", 4}}
	hebrewSuffixes = []affix{{"יימ", 3}, {"ימ", 3}, {"ות", 3}, {"ית", 3}, {"י", 3}}
)

func arabicStem(word string) string {
	word = stripPrefixes(word, arabicPrefixes, 3)
	return stripSuffixes(word, arabicSuffixes, 4)
}

func persianStem(word string) string { return stripSuffixes(word, persianSuffixes, 4) }

func hebrewStem(word string) string {
	word = stripPrefixes(word, hebrewPrefixes, 3)
	return stripSuffixes(word, hebrewSuffixes, 2)
}

// stripPrefixes takes up to n prefixes off. It goes on from what is left, so that
// a word has the same stem with and without proclitics even where its own first
// letter looks like one: both lose it.
func stripPrefixes(word string, list []affix, n int) string {
	for range n {
		found := false
		for _, a := range list {
			if rest, ok := strings.CutPrefix(word, a.text); ok && utf8.RuneCountInString(rest) >= a.keep {
				word, found = rest, true
				break
			}
		}
		if !found {
			break
		}
	}
	return word
}

func stripSuffixes(word string, list []affix, n int) string {
	for range n {
		found := false
		for _, a := range list {
			if rest, ok := strings.CutSuffix(word, a.text); ok && utf8.RuneCountInString(rest) >= a.keep {
				word, found = rest, true
				break
			}
		}
		if !found {
			break
		}
	}
	return word
}
