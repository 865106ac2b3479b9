package query

import (
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
	listEntries = 4  // entries in a row that make a list of names or labels
	listWords   = 3  // words of such an entry
	linkEntries = 3  // lines in a row that make a list of links
	linkWords   = 16 // words of such a line
	listReach   = 400
)

// listed reports whether s[start:end] stands in a link list or a tag cloud: in a
// row of entries of a word or three between commas, bars or line ends, or of
// lines that end like headlines, not like sentences.
func listed(s string, start, end int) bool {
	return row(s, start, end, isListBreak, listWords, listEntries) ||
		row(s, start, end, func(r rune) bool { return r == '\n' }, linkWords, linkEntries) ||
		labeled(s, start)
}

func isListBreak(r rune) bool { return strings.ContainsRune(",،、;؛|·•‣▪»«/\n\t–—", r) }

// row counts the entries around the place that have at most maxWords words and no
// end of a sentence, its own included, and reports whether there are enough. The
// entries at either end of prose are sentences and break the row.
func row(s string, start, end int, isBreak func(rune) bool, maxWords, enough int) bool {
	from, to := max(0, start-listReach), min(len(s), end+listReach)
	left, right := s[from:start], s[end:to]
	a := strings.LastIndexFunc(left, isBreak)
	b := strings.IndexFunc(right, isBreak)
	head, tail := left[a+1:], right
	if b >= 0 {
		tail = right[:b]
	}
	if a < 0 && from > 0 || b < 0 && to < len(s) || !short(head+s[start:end]+tail, maxWords) {
		return false
	}
	n := 1
	for a >= 0 && n < enough {
		left = left[:a]
		a = strings.LastIndexFunc(left, isBreak)
		if a < 0 && from > 0 {
			break
		}
		if entry := strings.TrimSpace(left[a+1:]); entry != "" {
			if !short(entry, maxWords) {
				break
			}
			n++
		}
	}
	for b >= 0 && n < enough {
		_, w := utf8.DecodeRuneInString(right[b:])
		right = right[b+w:]
		b = strings.IndexFunc(right, isBreak)
		entry := right
		if b >= 0 {
			entry = right[:b]
		} else if to < len(s) {
			break
		}
		if entry = strings.TrimSpace(entry); entry != "" {
			if !short(entry, maxWords) {
				break
			}
			n++
		}
	}
	return n >= enough
}

// short reports whether an entry has at most so many words and ends no sentence.
func short(entry string, maxWords int) bool {
	entry = strings.TrimSpace(entry)
	if strings.ContainsAny(entry, ".!?。؟！？…:") {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(entry); r >= 0x2E80 {
		return utf8.RuneCountInString(entry) <= 3*maxWords // Han and kana: no spaces to count
	}
	return len(strings.Fields(entry)) <= maxWords
}

// labels begin lines that list what a post was filed under or what else there is.
var labels = []string{"tags", "tag", "tagged", "filed under", "categories", "category", "labels", "keywords", "topics", "related", "see also", "read more", "more on", "schlagworte", "mots-clés", "etiquetas", "etichette", "теги", "метки", "وسوم", "برچسب‌ها", "برچسب ها", "标签", "タグ"}

// labeled reports whether the line of s in which start lies begins with a label.
func labeled(s string, start int) bool {
	line := s[strings.LastIndexByte(s[:start], '\n')+1 : start]
	if len(line) > listReach {
		return false
	}
	name, _, ok := strings.Cut(line, ":")
	if !ok {
		if name, _, ok = strings.Cut(line, "："); !ok {
			return false
		}
	}
	name = strings.ToLower(strings.TrimSpace(name))
	for _, l := range labels {
		if name == l {
			return true
		}
	}
	return false
}
