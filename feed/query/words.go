package query

import (
	"cmp"
	"slices"
	"strings"

	"chancery/feed/text"
)

// words is a field's words and where each distinct one stands. It is kept small,
// as a post may have megabytes: 16 bytes a word, and some 100 a distinct word.
// Where a field is larger than a 32-bit offset reaches, what lies behind has no
// words.
type words struct {
	tokens []token
	forms  []string         // the distinct words, folded, by number
	number map[string]int32 // the number of each
	first  []int32          // form → its first entry in at; one more at the end
	at     []int32          // tokens by form, and then by position
	sorted []int32          // forms in order, for prefixes; nil until asked for
	stems  map[string]int32 // stem → the last of its forms; nil until asked for
	before []int32          // form → the one before it of the same stem, or -1
}

type token struct{ start, end, form int32 }

// maxField is how much of a field has words.
const maxField = 1<<31 - 1

func newWords(s string) *words {
	s = s[:min(len(s), maxField)]
	w := &words{number: map[string]int32{}}
	var buf [256]text.Word
	n := 0
	for at := 0; at < len(s); { // counted first: growing would take twice the memory
		var found []text.Word
		found, at = text.Scan(s, at, buf[:0])
		n += len(found)
	}
	w.tokens = make([]token, 0, n)
	var count []int32
	var folded []byte
	for at := 0; at < len(s); {
		var found []text.Word
		found, at = text.Scan(s, at, buf[:0])
		for _, f := range found {
			folded = text.AppendWord(folded[:0], s[f.Start:f.End])
			form, ok := w.number[string(folded)]
			if !ok {
				form = int32(len(w.forms))
				written := s[f.Start:f.End]
				if written != string(folded) {
					written = string(folded)
				}
				w.forms = append(w.forms, written)
				w.number[written] = form
				count = append(count, 0)
			}
			count[form]++
			w.tokens = append(w.tokens, token{int32(f.Start), int32(f.End), form})
		}
	}
	w.first = make([]int32, len(w.forms)+1)
	for form, n := range count {
		w.first[form+1] = w.first[form] + n
	}
	w.at = make([]int32, len(w.tokens))
	next := count // reused: where the next place of a form goes
	copy(next, w.first)
	for i, t := range w.tokens {
		w.at[next[t.form]] = int32(i)
		next[t.form]++
	}
	return w
}

// of lists the places of a form. The list is the index's own.
func (w *words) of(form int32) []int32 { return w.at[w.first[form]:w.first[form+1]] }

// places lists the places of any of the forms, in order.
func (w *words) places(forms []int32) []int32 {
	if len(forms) == 1 {
		return w.of(forms[0])
	}
	var list []int32
	for _, f := range forms {
		list = append(list, w.of(f)...)
	}
	slices.Sort(list)
	return list
}

// inflected lists the forms that are the word or share its stem.
func (w *words) inflected(word, lang string) []int32 {
	if !text.Inflects(lang) {
		if form, ok := w.number[word]; ok {
			return []int32{form}
		}
		return nil
	}
	if w.stems == nil {
		w.stems = map[string]int32{}
		w.before = make([]int32, len(w.forms))
		for i, form := range w.forms {
			s := text.Stem(lang, form)
			last, ok := w.stems[s]
			if !ok {
				last = -1
			}
			w.before[i], w.stems[s] = last, int32(i)
		}
	}
	last, ok := w.stems[text.Stem(lang, word)]
	if !ok {
		return nil
	}
	var list []int32
	for ; last >= 0; last = w.before[last] {
		list = append(list, last)
	}
	return list
}

// prefixed lists the forms that begin so.
func (w *words) prefixed(prefix string) []int32 {
	if w.sorted == nil {
		w.sorted = make([]int32, len(w.forms))
		for i := range w.sorted {
			w.sorted[i] = int32(i)
		}
		slices.SortFunc(w.sorted, func(a, b int32) int { return cmp.Compare(w.forms[a], w.forms[b]) })
	}
	from, _ := slices.BinarySearchFunc(w.sorted, prefix, func(form int32, p string) int { return cmp.Compare(w.forms[form], p) })
	to := from
	for to < len(w.sorted) && strings.HasPrefix(w.forms[w.sorted[to]], prefix) {
		to++
	}
	return w.sorted[from:to]
}
