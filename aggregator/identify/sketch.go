package identify

import (
	"math/bits"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"chancery/feed/text"
	"chancery/store"
)

const (
	// shingle is how many words stand in one feature of a post. Four words in a row
	// seldom repeat by chance and survive small edits (FIGURES part 2.3).
	shingle = 4
	// leastOwn is the share of a post's words that must be its author's, for what is
	// quoted to be left out: less is a word to somebody else's post.
	leastOwn = 1.0 / 3
	// unspaced is how many letters stand for a word where words have no spaces between
	// them: four of them, each a letter further, are twelve letters or some three words.
	unspaced = 9
	// lettersAWord is how many letters a word of such a script has, about.
	lettersAWord = 4
)

// sketch is that of a post: of what its author says, if that is a good part of it, so
// that a post is no copy of those that it quotes; else of all.
func sketch(p *Post) store.Sketch {
	if p.Own != nil {
		if own := length(p.Own); own >= minBodyWords && float64(own) >= leastOwn*float64(length(p.Body)) {
			return sketchOf(p.Own, own)
		}
	}
	return sketchOf(p.Body, length(p.Body))
}

// sketchOf is a one-permutation MinHash: each shingle's hash chooses one of 128
// bins by its upper bits and the least hash of a bin stands for it. A bin that
// no shingle fell into takes its value from the next filled one, mixed with the
// distance (densification by rotation), so that sketches of short posts stay
// comparable. Posts under 40 words get none: for them only exact text counts.
func sketchOf(body *text.Row, length int) store.Sketch {
	var s store.Sketch
	if length < minBodyWords {
		return s
	}
	s.Words = length
	var m minHash
	var joined []byte
	for i := 0; i < len(body.Words); i++ {
		w := body.Word(i)
		switch c := w[0]; {
		case c < 0xd8:
			m.add(xxhash.Sum64(w))
		case c < 0xdc: // Arabic script
			j := i + 1
			if prefixes[string(w)] && j < len(body.Words) {
				j++
			}
			for j < len(body.Words) && suffixes[string(body.Word(j))] {
				j++
			}
			if j == i+1 {
				m.add(xxhash.Sum64(w))
				continue
			}
			joined = joined[:0]
			for ; i < j; i++ {
				joined = append(joined, body.Word(i)...)
			}
			i--
			m.add(xxhash.Sum64(joined))
		case hasNoSpaces(w):
			m.addLetters(w)
		default:
			m.add(xxhash.Sum64(w))
		}
	}
	m.fill(&s.Values)
	return s
}

// minHash is a sketch in the making.
type minHash struct {
	n      int
	last   [shingle]uint64 // the words of the shingle, by their place modulo its length
	least  [128]uint64
	filled [128]bool
}

// add takes the next word, by its hash.
func (m *minHash) add(word uint64) {
	m.last[m.n%shingle] = word
	if m.n++; m.n < shingle {
		return
	}
	var h uint64
	for j := m.n; j < m.n+shingle; j++ {
		h = (bits.RotateLeft64(h, 17) ^ m.last[j%shingle]) * 0x9e3779b97f4a7c15
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 29
	if bin := h >> (64 - 7); !m.filled[bin] || h < m.least[bin] {
		m.filled[bin], m.least[bin] = true, h
	}
}

// addLetters takes the next words of a script that does not part them: at each letter
// those that follow, so that a letter more or less changes what is around it only.
func (m *minHash) addLetters(run []byte) {
	end := 0
	for range unspaced {
		_, n := utf8.DecodeRune(run[end:])
		end += n
	}
	for start := 0; ; {
		m.add(xxhash.Sum64(run[start:end]))
		if end == len(run) {
			return
		}
		_, n := utf8.DecodeRune(run[start:])
		start += n
		_, n = utf8.DecodeRune(run[end:])
		end += n
	}
}

// fill gives the values; at least one shingle was added.
func (m *minHash) fill(values *[128]uint8) {
	for i := range values {
		j, d := i, uint64(0)
		for !m.filled[j] {
			j, d = (j+1)%len(values), d+1
		}
		h := (m.least[j] + d*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
		values[i] = uint8(h >> 56)
	}
}

// length is how many words a text has: in scripts that do not part them, about.
func length(body *text.Row) int {
	n := len(body.Words)
	if len(body.Folded()) <= 16*n { // as nearly always
		return n
	}
	for i := range body.Words {
		if w := body.Word(i); hasNoSpaces(w) {
			n += utf8.RuneCount(w)/lettersAWord - 1
		}
	}
	return n
}

// hasNoSpaces reports whether a word is a row of words in Thai, Lao, Burmese or Khmer,
// which have no spaces between words. Han and kana are words by themselves for all.
func hasNoSpaces(w []byte) bool {
	if w[0] != 0xe0 && w[0] != 0xe1 || len(w) < unspaced*len("ก") {
		return false
	}
	r, _ := utf8.DecodeRune(w)
	return r >= 0x0e00 && r <= 0x0eff || r >= 0x1000 && r <= 0x109f || r >= 0x1780 && r <= 0x17ff
}

// Persian joins these to the word behind or before them by a joiner without width, by a
// space, or by nothing, and who copies a text often writes another of the three.
var (
	prefixes = foldedSet("می", "نمی")
	suffixes = foldedSet("ها", "های", "هایی", "هایم", "هایت", "هایش", "هایمان", "هایتان", "هایشان", "ای", "ام", "ات", "اش", "اند", "ایم", "اید", "تر", "ترین")
)

func foldedSet(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[text.Fold(w)] = true
	}
	return m
}
