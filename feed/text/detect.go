package text

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"
)

// sampleBytes of a text are enough to tell its language, and bound the cost.
const sampleBytes = 2000

// Language is the primary subtag of a text's language: the declared one, unless
// the text is in another script (blog software declares English until told
// otherwise), else a guess from title and body, else empty.
func Language(declared, title, body string) string {
	base := Base(declared)
	if base != "" {
		const enough = 240 // bytes: a sentence or two show the script
		if script := scriptOf(cut(title, enough) + "\n" + cut(body, enough)); script == nil || fits(base, script) {
			return base
		}
	}
	sample := cut(title, sampleBytes/2) + "\n" + cut(body, sampleBytes)
	return detect(sample, scriptOf(sample))
}

// Detect guesses the language of a text by its script, its letters and its
// commonest words; empty where it can't tell. Guesses are for texts whose
// publisher says nothing: they decide which inflected forms of a word count.
func Detect(s string) string {
	s = cut(s, sampleBytes)
	return detect(s, scriptOf(s))
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// script is a writing system as far as languages are told apart by it. Kana
// counts as Japanese apart from Han, as the latter is written in both.
type script struct {
	name  string
	table []*unicode.RangeTable
}

var scripts = []script{
	{"Latn", []*unicode.RangeTable{unicode.Latin}},
	{"Arab", []*unicode.RangeTable{unicode.Arabic}},
	{"Cyrl", []*unicode.RangeTable{unicode.Cyrillic}},
	{"Hebr", []*unicode.RangeTable{unicode.Hebrew}},
	{"Hani", []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}},
	{"Hang", []*unicode.RangeTable{unicode.Hangul}},
	{"Grek", []*unicode.RangeTable{unicode.Greek}},
	{"Deva", []*unicode.RangeTable{unicode.Devanagari}},
}

// scriptOf is the script of most letters, or nil. An ideograph counts thrice, as
// it says what a syllable or two say.
func scriptOf(s string) *script {
	var n [8]int
	other := 0
letters:
	for _, r := range s {
		if r < utf8.RuneSelf {
			if r|0x20 >= 'a' && r|0x20 <= 'z' {
				n[0]++ // Latin
			}
			continue
		}
		if !unicode.IsLetter(r) {
			continue
		}
		for i, sc := range scripts {
			if unicode.In(r, sc.table...) {
				n[i]++
				if sc.name == "Hani" {
					n[i] += 2
				}
				continue letters
			}
		}
		other++
	}
	best, total := 0, other
	for i := range scripts {
		total += n[i]
		if n[i] > n[best] {
			best = i
		}
	}
	if n[best] == 0 || 2*n[best] < total {
		return nil
	}
	return &scripts[best]
}

// written says in which scripts a language is written, where not only in Latin.
var written = map[string]string{
	"ar": "Arab", "fa": "Arab", "ur": "Arab", "ps": "Arab", "ug": "Arab", "ku": "Arab Latn", "az": "Latn Arab Cyrl", "sd": "Arab",
	"he": "Hebr", "yi": "Hebr", "ru": "Cyrl", "uk": "Cyrl", "be": "Cyrl", "bg": "Cyrl", "mk": "Cyrl", "sr": "Cyrl Latn", "kk": "Cyrl Latn",
	"ky": "Cyrl", "tg": "Cyrl", "uz": "Latn Cyrl", "zh": "Hani", "ja": "Hani", "ko": "Hang", "el": "Grek", "hi": "Deva", "mr": "Deva", "ne": "Deva",
}

// inLatin are the languages that a Latin text is believed to be in when declared.
const inLatin = " en fr de es it pt nl sv da no fi is et lv lt pl cs sk sl hr bs ro hu tr sq ca gl eu cy ga mt id ms vi tl sw af "

func fits(lang string, s *script) bool {
	if w, ok := written[lang]; ok {
		return strings.Contains(w, s.name)
	}
	return s.name == "Latn" || !strings.Contains(inLatin, " "+lang+" ")
}

func detect(s string, sc *script) string {
	if sc == nil {
		return other(s)
	}
	switch sc.name {
	case "Latn":
		return detectLatin(s)
	case "Arab":
		return detectArabic(s)
	case "Cyrl":
		return detectCyrillic(s)
	case "Hebr":
		return "he"
	case "Hang":
		return "ko"
	case "Grek":
		return "el"
	case "Hani":
		kana := strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Hiragana, r) }) >= 0
		if kana || unicodeShare(s, unicode.Katakana) > 0.2 {
			return "ja"
		}
		return "zh"
	}
	return other(s)
}

func unicodeShare(s string, t *unicode.RangeTable) float64 {
	n, all := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			all++
			if unicode.Is(t, r) {
				n++
			}
		}
	}
	return float64(n) / float64(max(all, 1))
}

// other asks the trigram profiles of whatlanggo, and believes them only where
// there is enough text: on a headline they are often wrong.
func other(s string) string {
	const enough = 60 // letters
	const bytes = 400 // the profiles cost a millisecond for a page, and a paragraph does
	if s = cut(s, bytes); utf8.RuneCountInString(s) < enough {
		return ""
	}
	if info := whatlanggo.Detect(s); info.IsReliable() {
		return Base(info.Lang.Iso6391())
	}
	return ""
}

// common are the commonest words of languages in Latin letters, folded. A
// sentence has several of them, and a text hardly those of another language.
var common = map[string][]string{
	"en": strings.Fields("the of and to in is that for it as was with be by on not he his but at are this have from or had an they which you were her their has been who will more its about than"),
	"fr": strings.Fields("le la les des du et un une en est que qui dans pour sur au aux par pas plus avec ce cette ont sont il elle son ses leur nous mais ou selon apres"),
	"de": strings.Fields("der die das und in den von zu mit sich des auf fur ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem uber nur"),
	"es": strings.Fields("el la los las de del que y en un una es por con para su se al lo como mas pero sus le ya o este si porque esta entre cuando muy sin sobre han fue"),
	"it": strings.Fields("il lo la i gli le di del della dei delle che e un una in per con non da si sono al alla nel nella anche come piu dal dalla ha hanno ma suo questo dopo contro"),
	"pt": strings.Fields("o a os as do da dos das de que e em um uma para com nao por mais na no nas nos ao se foi pelo pela como mas sao tem sua seu ser entre apos sobre"),
	"nl": strings.Fields("de het een en van in is dat op te zijn met voor niet aan er om ook als bij door uit naar maar hij dan worden heeft hebben deze over nog wordt werd tegen"),
	"sv": strings.Fields("och att det som en pa ar av for med den till inte har de ett om i fran var vid kan men efter sig eller under ska mot nar enligt"),
	"da": strings.Fields("og at det er en til pa som af for med den ikke har de et fra der vil ved kan men blev efter var sig eller mod"),
	"no": strings.Fields("og at det er en til pa som av for med den ikke har de et fra vil ved kan men ble etter var seg eller mot"),
	"fi": strings.Fields("ja on ei se etta han oli ovat mutta myos kun joka ovat kuin sen tai niin jos hanen ole"),
	"tr": strings.Fields("ve bir bu da de icin ile olarak cok daha gibi sonra ancak olan ise kadar oldu var o ne icinde tarafindan en karsi yonelik dedi"),
	"pl": strings.Fields("i w na z ze do nie sie to jest o przez jak od po dla oraz za ktory ktore przy tym jego byl czy"),
	"cs": strings.Fields("a v na se je ze do z s to o pro jako ve by ale podle po za ktery ktere jsou jeho uz"),
	"ro": strings.Fields("si de la in cu pe din nu a un o care este sa pentru mai ce au fost prin sunt sau al ale lui"),
	"hu": strings.Fields("a az es hogy nem is egy van volt meg de mar ezt csak mint lesz ki el azt szerint ellen"),
	"ku": strings.Fields("u li ji di de bi ku ev ew bo ye ne hat be xwe wi we dike kir re le hatin dibe"),
	"id": strings.Fields("yang dan di ke dari untuk dengan pada ini itu tidak dalam adalah akan oleh juga para telah sebagai mereka"),
	"sq": strings.Fields("te e ne dhe per nje me qe i ka nga se nuk u eshte do si kane ishte mbi ndaj"),
	"ca": strings.Fields("el la els les de del i que en un una es per amb no al als com mes pero seva seu han sobre entre aquest"),
}

// commonIn lists for a word the languages in which it is common.
var commonIn = sync.OnceValue(func() map[string][]string {
	index := map[string][]string{}
	for _, lang := range slices.Sorted(maps.Keys(common)) {
		for _, w := range common[lang] {
			if !slices.Contains(index[w], lang) {
				index[w] = append(index[w], lang)
			}
		}
	}
	return index
})

func detectLatin(s string) string {
	index := commonIn()
	score := map[string]int{}
	seen := map[string]int{}
	tokens := Tokens(cut(s, 1000)) // some 160 words, 40 of them common
	for _, t := range tokens {
		langs := index[t.Text]
		if langs == nil {
			continue
		}
		if seen[t.Text]++; seen[t.Text] > 4 { // one word often does not prove much
			continue
		}
		for _, lang := range langs {
			score[lang]++
		}
	}
	best, second := "", ""
	for lang, n := range score {
		switch {
		case best == "" || n > score[best] || n == score[best] && lang < best:
			best, second = lang, best
		case second == "" || n > score[second] || n == score[second] && lang < second:
			second = lang
		}
	}
	// Two common words, a seventh of the text and a clear lead over the next
	// language: else the profiles decide, if there is enough text.
	if n := score[best]; n >= 2 && 7*n >= len(tokens) && 5*n >= 6*score[second] {
		return best
	}
	return other(s)
}

func count(s, letters string) int {
	n := 0
	for _, r := range s {
		if strings.ContainsRune(letters, r) {
			n++
		}
	}
	return n
}

var (
	commonArabic  = strings.Fields("في من على الى ان هذا هذه التي الذي مع عن بعد بين قال كان لا ما او وقد كما لم خلال قبل عام يوم")
	commonPersian = strings.Fields("در به از كه اين را است با براي ان شد مي هاي بر تا يك خود ها گفت شده كرد وي اند شود كرده بود دو هم نيز")
)

func detectArabic(s string) string {
	letters := utf8.RuneCountInString(s)
	switch {
	case 60*count(s, "ڕڵۆێەڤ") >= letters:
		return "ku"
	case 40*count(s, "ٹڈڑںےہ") >= letters:
		return "ur"
	}
	arabic, persian := count(s, "ةإأى"), count(s, "پچژگیک")
	for _, t := range Tokens(s) {
		for _, w := range commonArabic {
			if t.Text == w {
				arabic += 2
			}
		}
		for _, w := range commonPersian {
			if t.Text == w {
				persian += 3 // these words are in nearly every clause
			}
		}
		if strings.HasPrefix(t.Text, "ال") && len(t.Text) > 8 {
			arabic++
		}
	}
	switch {
	case arabic > persian:
		return "ar"
	case persian > arabic:
		return "fa"
	}
	return ""
}

func detectCyrillic(s string) string {
	// A language comes before those whose letters it has too: і is Belarusian and Kazakh
	// as well as Ukrainian, љ, њ and џ are Macedonian as well as Serbian.
	for _, c := range []struct{ lang, letters string }{
		{"kk", "қғңұһәҚҒҢҰҺӘ"}, {"be", "ўЎ"}, {"uk", "іїєґІЇЄҐ"}, {"mk", "ѓќѕЃЌЅ"}, {"sr", "ђћљњџЂЋЉЊЏ"}, {"ru", "ыэёЫЭЁ"}, {"bg", "ъЪ"},
	} {
		if count(s, c.letters) >= 1+utf8.RuneCountInString(s)/400 {
			return c.lang
		}
	}
	for _, t := range Tokens(s) {
		switch t.Text {
		case "и", "в", "не", "на", "с", "что", "по", "из", "от":
			return "ru"
		}
	}
	return other(s)
}
