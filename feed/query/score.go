package query

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// How much a place counts, times the term's weight. A term of weight 1 that is
// named once in running text scores 1, which is a topic's default threshold.
const (
	titlePoints = 3.0 // a title is short and chosen
	leadPoints  = 2.0 // what a post is about it says at the start
	textPoints  = 1.0
	listPoints  = 0.1 // link lists and tag clouds name everything

	leadWords = 80  // two or three sentences
	longWords = 400 // from here on a number of mentions counts by density
)

// result scores the evidence: of overlapping places the strongest counts (all of
// the negative ones that don't overlap each other), and in a long text what lies
// behind the lead counts by density, down to what its strongest place gives.
func (e *evaluation) result() Match {
	sortEvidence(e.evidence)
	var plus, minus []*Evidence
	for i := range e.evidence {
		switch ev := &e.evidence[i]; {
		case ev.Weight > 0:
			plus = strongest(plus, ev)
		case ev.Weight < 0:
			minus = strongest(minus, ev)
		}
	}
	score, deep, best := e.tagged, 0.0, 0.0
	for _, list := range [][]*Evidence{plus, minus} {
		for _, ev := range list {
			points, inDepth := e.points(ev.Place)
			ev.Points = points * ev.Weight
			if inDepth {
				deep += ev.Points
				best = max(best, ev.Points)
			} else {
				score += ev.Points
			}
		}
	}
	if n := e.f.Len(Text); n > longWords && deep > 0 {
		deep = min(deep, max(best, deep*longWords/float64(n)))
	}
	score += deep
	if len(plus) == 0 && len(minus) == 0 && e.tagged == 0 {
		score = 1 // conditions alone: yes or no
	}
	return Match{Score: score, Evidence: e.evidence}
}

// strongest adds ev to a list in order, unless it overlaps the last and is weaker.
func strongest(list []*Evidence, ev *Evidence) []*Evidence {
	if len(list) > 0 {
		last := list[len(list)-1]
		if last.Field == ev.Field && ev.Word < last.Word+last.Words {
			if abs(ev.Weight) > abs(last.Weight) {
				list[len(list)-1] = ev
			}
			return list
		}
	}
	return append(list, ev)
}

func abs(f float64) float64 { return max(f, -f) }

// points is what a place of weight 1 gives, and whether it is behind the lead.
func (e *evaluation) points(p Place) (points float64, deep bool) {
	switch {
	case p.Field == Title:
		return titlePoints, false
	case p.Field != Text:
		return textPoints, false
	case listed(e.d.fields[Text].text, p.Start, p.End):
		return listPoints, false
	case p.Word < leadWords:
		return leadPoints, false
	}
	return textPoints, true
}

const (
	listEntries = 4   // entries in a row that make a list of names or labels
	listWords   = 3   // words of such an entry
	linkEntries = 3   // lines in a row that make a list of links
	linkWords   = 16  // words of such a line
	listReach   = 200 // bytes after a label that it reaches
)

// listed reports whether s[start:end] stands in a link list or a tag cloud: in a
// row of entries of a word or three between commas, bars or line ends, or of
// lines that end like headlines, not like sentences.
func listed(s string, start, end int) bool {
	return row(s, start, end, isListBreak, listWords, listEntries) ||
		enumerated(s, start, end) ||
		row(s, start, end, isLineBreak, linkWords, linkEntries) ||
		labeled(s, start)
}

// isListBreak reports whether r parts the entries of a list of names.
func isListBreak(r rune) bool {
	switch r {
	case ',', ';', '|', '/', '\n', '\t', '،', '、', '؛', '；', '，', '·', '•', '‣', '▪', '»', '«', '–', '—':
		return true
	}
	return false
}

func isLineBreak(r rune) bool { return r == '\n' }

// endsSentence reports whether r is in prose or after a label, not in an entry.
func endsSentence(r rune) bool {
	switch r {
	case '.', '!', '?', ':', '。', '؟', '！', '？', '…':
		return true
	}
	return false
}

// row counts the entries around the place that have at most maxWords words and no
// end of a sentence, its own included, and reports whether there are enough. The
// entries at either end of a row in prose are parts of sentences and end it. In
// prose the first entry is too long after a few words, so this is cheap.
func row(s string, start, end int, isBreak func(rune) bool, maxWords, enough int) bool {
	left, w1, ok := back(s, start, isBreak, maxWords)
	if !ok {
		return false
	}
	right, w2, ok := forward(s, end, isBreak, maxWords)
	if !ok || w1+w2+1 > maxWords {
		return false
	}
	n := 1
	for left > 0 && n < enough {
		_, size := utf8.DecodeLastRuneInString(s[:left])
		at, words, ok := back(s, left-size, isBreak, maxWords)
		if !ok {
			break
		}
		if left = at; words > 0 {
			n++
		}
	}
	for right < len(s) && n < enough {
		_, size := utf8.DecodeRuneInString(s[right:])
		at, words, ok := forward(s, right+size, isBreak, maxWords)
		if !ok {
			break
		}
		if right = at; words > 0 {
			n++
		}
	}
	return n >= enough
}

// enumerated reports whether the place begins or ends a row of names in prose:
// "…, Japan, Qatar, Oman, Iran and Iraq met" or "from Iran, Oman, Qatar, Japan".
// There its own entry goes on as a sentence.
func enumerated(s string, start, end int) bool {
	from := max(0, start-16) // room for a conjunction
	near := strings.TrimRight(s[from:start], " ")
	if i := strings.LastIndexByte(near, ' '); i >= 0 && len(near)-i <= 4 {
		near = strings.TrimRight(near[:i], " ") // and, et, und, y, e, ve: "Oman, and Iran"
	}
	if r, _ := utf8.DecodeLastRuneInString(near); r == ',' || r == '،' || r == '、' {
		if run(s, from+len(near), true) {
			return true
		}
	}
	if r, size := utf8.DecodeRuneInString(s[end:]); r == ',' || r == '،' || r == '、' {
		return run(s, end+size, false)
	}
	return false
}

// run reports whether listEntries-1 short entries lie before or after i.
func run(s string, i int, before bool) bool {
	for range listEntries - 1 {
		var at, words int
		var ok bool
		if before {
			if i == 0 {
				return false
			}
			_, size := utf8.DecodeLastRuneInString(s[:i])
			at, words, ok = back(s, i-size, isListBreak, listWords)
		} else {
			at, words, ok = forward(s, i, isListBreak, listWords)
			ok = ok && at < len(s) // the last entry goes on as a sentence
		}
		if !ok || words == 0 {
			return false
		}
		if i = at; !before {
			_, size := utf8.DecodeRuneInString(s[i:])
			i += size
		}
	}
	return true
}

// back goes from i to the break before it, or the beginning, and counts the words
// on the way. It gives up where they are too many or a sentence ends. Han and kana
// have no spaces: three of them count as a word.
func back(s string, i int, isBreak func(rune) bool, maxWords int) (at, words int, ok bool) {
	c := counter{limit: maxWords}
	for i > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if isBreak(r) {
			break
		}
		if endsSentence(r) || !c.add(r) {
			return 0, 0, false
		}
		i -= size
	}
	return i, c.words, true
}

func forward(s string, i int, isBreak func(rune) bool, maxWords int) (at, words int, ok bool) {
	c := counter{limit: maxWords}
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if isBreak(r) {
			break
		}
		if endsSentence(r) || !c.add(r) {
			return 0, 0, false
		}
		i += size
	}
	return i, c.words, true
}

// counter counts words, and gives up beyond a limit or when one never ends.
type counter struct {
	limit, words, length, ideographs int
	inside                           bool
}

func (c *counter) add(r rune) bool {
	const longest = 60 // letters of a word
	switch {
	case r == ' ' || r == '\t' || r == '\u00a0' || r == '\n':
		c.inside, c.length = false, 0
	case r >= 0x2E80 && r <= 0x9FFF:
		if c.ideographs++; c.ideographs%3 == 1 {
			c.words++
		}
	case !c.inside:
		c.inside = true
		c.words++
	default:
		c.length++
	}
	return c.words <= c.limit && c.length < longest
}

// labels begin lines that list what a post was filed under or what else there is.
var labels = []string{"tags", "tag", "tagged", "filed under", "categories", "category", "labels", "keywords", "topics", "related", "see also", "read more", "more on", "schlagworte", "mots-clés", "etiquetas", "etichette", "теги", "метки", "وسوم", "برچسب\u200cها", "برچسب ها", "标签", "タグ"}

// labeled reports whether the line of s in which start lies begins with a label.
func labeled(s string, start int) bool {
	near := s[max(0, start-listReach):start]
	line := near[strings.LastIndexByte(near, '\n')+1:]
	if len(line) == listReach {
		return false // the line begins before that
	}
	name, _, ok := strings.Cut(line, ":")
	if !ok {
		if name, _, ok = strings.Cut(line, "："); !ok {
			return false
		}
	}
	return slices.Contains(labels, strings.ToLower(strings.TrimSpace(name)))
}
