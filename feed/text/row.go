package text

// Row is a text with its words found, so that all who look at them find them once:
// hashes and places for a matcher, folded forms for keys and sketches. Its zero
// value is an empty text. What its methods give is valid until the next Set and
// must not be changed.
type Row struct {
	Text  string // as written
	Words []Word

	folded []byte
	ends   []int32 // of each word in folded
}

// NewRow is a row of the words of s.
func NewRow(s string) *Row {
	r := &Row{}
	r.Set(s)
	return r
}

// maxKept is how many words' memory a row keeps for its next text.
const maxKept = 1 << 14

// Set finds the words of another text. It uses the row's memory again.
func (r *Row) Set(s string) {
	if cap(r.Words) > maxKept {
		*r = Row{}
	}
	if r.Text = s; cap(r.folded) < len(s) {
		r.folded = make([]byte, 0, len(s)+len(s)/8)
		r.Words = make([]Word, 0, len(s)/6+8) // English has about six bytes a word with its space
		r.ends = make([]int32, 0, cap(r.Words))
	}
	t := folding()
	words, b, ends := r.Words[:0], r.folded[:0], r.ends[:0]
	for i := 0; i < len(s); {
		f := t.ascii[s[i]]
		if f == asciiBreak {
			i++
			continue
		}
		before := len(b)
		if before > 0 {
			b = append(b, ' ')
		}
		// As in Scan: ASCII words have a loop of their own, which also folds.
		start, h, begin := i, uint64(hashOffset), len(b)
		for f > asciiMultibyte {
			h = (h ^ uint64(f)) * hashPrime
			b = append(b, f)
			if i++; i == len(s) {
				break
			}
			f = t.ascii[s[i]]
		}
		w := Word{h, start, i}
		if f == asciiMultibyte {
			if w, i = t.word(s, start); w.End <= w.Start {
				b = b[:before]
				continue
			}
			b = AppendWord(b[:begin], s[w.Start:w.End])
		}
		words = append(words, w)
		ends = append(ends, int32(len(b)))
	}
	r.Words, r.folded, r.ends = words, b, ends
}

// Folded is all words, folded, with one space between them: the [Fold] of the text.
func (r *Row) Folded() []byte { return r.folded }

// Word is the folded form of word i.
func (r *Row) Word(i int) []byte {
	start := 0
	if i > 0 {
		start = int(r.ends[i-1]) + 1
	}
	return r.folded[start:r.ends[i]]
}
