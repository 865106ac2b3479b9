package index

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"chancery/feed/query"
	"chancery/feed/text"
)

// What goes into the table: folded words, one space between them. Title and text
// have columns of their own; authors, categories, URL and capitals share one,
// told apart by a mark before each word, so that a list of a word holds no places
// that most searches would have to skip. No mark is ever part of a folded word.
const (
	markAuthor   = "†"
	markCategory = "‡"
	markURL      = "§"
	// markCapitals is before a word that stands in title or text in capitals, such as
	// MEK: =MEK asks for it often.
	markCapitals = "¶"
	// between parts the lines of a field: no phrase goes across.
	between = "¶"
)

// maxWord is the longest word, in bytes, of which all is kept. Of longer ones the
// beginning gives candidates.
const maxWord = 200

// words is a version as rows of words.
type words struct {
	title, text, rest []byte
	inTitle, inText   int
	caps              []byte
	scan              [512]text.Word
	note              func(hash uint64, word []byte) // called for each word, if not nil
}

// read takes the words of a document.
func (w *words) read(d *query.Doc) {
	w.rest, w.caps = w.rest[:0], w.caps[:0]
	w.title, w.inTitle = w.fold(w.title[:0], d.Field(query.Title), "", true)
	w.text, w.inText = w.fold(w.text[:0], d.Field(query.Text), "", true)
	for _, f := range []struct {
		field query.Field
		mark  string
	}{{query.Author, markAuthor}, {query.Category, markCategory}, {query.URL, markURL}} {
		for line := range strings.SplitSeq(d.Field(f.field), "\n") {
			if len(w.rest) > 0 {
				w.rest = append(w.rest, " "+between...)
			}
			w.rest, _ = w.fold(w.rest, line, f.mark, false)
		}
	}
	w.rest = append(w.rest, w.caps...)
}

func (w *words) fold(dst []byte, s, mark string, caps bool) ([]byte, int) {
	n := 0
	for at := 0; at < len(s); {
		var list []text.Word
		list, at = text.Scan(s, at, w.scan[:0])
		for _, x := range list {
			if len(dst) > 0 {
				dst = append(dst, ' ')
			}
			dst = append(dst, mark...)
			begin := len(dst)
			dst = text.AppendWord(dst, s[x.Start:x.End])
			if w.note != nil {
				w.note(x.Hash, dst[begin:])
			}
			if len(dst)-begin > maxWord {
				dst = dst[:begin+cut(dst[begin:])]
			}
			if caps && isCapitals(s[x.Start:x.End], dst[begin:]) {
				w.caps = append(append(w.caps, " "+markCapitals...), dst[begin:]...)
			}
			n++
		}
	}
	return dst, n
}

// cut is where a long word ends.
func cut(word []byte) int {
	n := maxWord
	for n > 0 && !utf8.RuneStart(word[n]) {
		n--
	}
	return n
}

// isCapitals reports whether a word is written in capitals, of at least two ASCII
// letters and digits. Characters that can't be seen don't count, as for [query.Exact].
func isCapitals(written string, folded []byte) bool {
	if len(written) != len(folded) {
		if written[0] >= 'a' && written[0] <= 'z' || len(folded) == 0 || folded[0] >= 0x80 {
			return false
		}
		written = norm.NFC.String(text.Clean(written))
	}
	return capitals(written)
}

func capitals(s string) bool {
	letters := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			letters++
		case c < '0' || c > '9':
			return false
		}
	}
	return letters > 0 && len(s) > 1
}

// hashSet is a set of hashes that are evenly spread, open-addressed.
type hashSet struct {
	slots []uint64
	n     int
}

// maxHashes is how many a hashSet holds: 4 MB. Then it forgets all.
const maxHashes = 1 << 19 * 3 / 4

// add reports whether h was not there, or was forgotten.
func (s *hashSet) add(h uint64) bool {
	if h == 0 {
		h = 1
	}
	if s.n >= maxHashes {
		clear(s.slots)
		s.n = 0
	}
	if 4*s.n >= 3*len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(1024, 2*len(old)))
		for _, o := range old {
			if o != 0 {
				s.slots[s.slot(o)] = o
			}
		}
	}
	i := s.slot(h)
	if s.slots[i] == h {
		return false
	}
	s.slots[i] = h
	s.n++
	return true
}

func (s *hashSet) slot(h uint64) int {
	mask := len(s.slots) - 1
	i := int(h>>20^h) & mask
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}
