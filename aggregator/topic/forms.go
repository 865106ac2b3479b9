package topic

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"chancery/feed/text"
)

// forms says, for texts of one language, which bare words and which prefixes of
// the rules a word is a form of. The answer for a word is computed once, as
// stemming costs a microsecond, and kept in a cache by the word's hash that needs
// no lock: a slot holds 48 bits of the hash and the number of the answer.
type forms struct {
	t        *trie
	lang     string
	inflects bool
	ask      bool // there is anything to ask
	ends     byte // flags of nodes at which terms end in this language
	byStem   map[string][]int32

	slots   []atomic.Uint64 // pairs, the later used word first
	classes atomic.Pointer[[]*class]

	mu     sync.Mutex // guards number and writing classes
	number map[string]int
}

// class is the answer for a word; words that are forms of the same terms share one.
type class struct {
	prefixes []uint32 // words of the trie
	bare     []int32  // terms
}

// A slot holds 16 bits of class below 48 bits of hash, which its place completes.
const (
	slots     = 1 << 17 // 1 MB a language, which holds the words of nearly all its texts
	classMax  = 1<<16 - 1
	classMask = 1<<16 - 1
)

// forms is the forms of a language; those that stem nothing share one.
func (t *trie) forms(lang string) *forms {
	if !text.Inflects(lang) {
		lang = ""
	}
	if f, ok := t.byLang.Load(lang); ok {
		return f.(*forms)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.byLang.Load(lang); ok {
		return f.(*forms)
	}
	f := &forms{t: t, lang: lang, inflects: lang != "", number: map[string]int{}}
	f.ask = len(t.prefix) > 0 || f.inflects && len(t.bare) > 0
	f.ends = phraseEnds | bareEnds
	if f.inflects {
		f.ends = phraseEnds
	}
	if f.ask {
		f.slots = make([]atomic.Uint64, slots)
		f.classes.Store(&[]*class{nil})
		f.byStem = map[string][]int32{}
		if f.inflects {
			for _, n := range t.bare {
				stem := text.Stem(lang, t.terms[n].Words[0].Text)
				f.byStem[stem] = append(f.byStem[stem], n)
			}
		}
	}
	t.byLang.Store(lang, f)
	return f
}

// class is what the word w of s is a form of, or nil.
func (f *forms) class(s string, w text.Word) *class {
	at := w.Hash % slots &^ 1
	one, two := &f.slots[at], &f.slots[at+1]
	a := one.Load()
	if a&^classMask == w.Hash&^classMask && a != 0 {
		return f.numbered(a)
	}
	if b := two.Load(); b&^classMask == w.Hash&^classMask && b != 0 {
		return f.numbered(b)
	}
	c, n := f.find(s[w.Start:w.End])
	if n < classMax {
		two.Store(a)
		one.Store(w.Hash&^classMask | uint64(n+1))
	}
	return c
}

// numbered is the class that a slot names. Most words are in none.
func (f *forms) numbered(slot uint64) *class {
	if slot&classMask == 1 {
		return nil
	}
	return (*f.classes.Load())[slot&classMask-1]
}

// find computes the class of a word and numbers it.
func (f *forms) find(word string) (*class, int) {
	folded := string(text.AppendWord(nil, word))
	c := &class{}
	if f.inflects {
		c.bare = f.byStem[text.Stem(f.lang, folded)]
	}
	for _, n := range f.t.lengths {
		if n > len(folded) {
			break
		}
		if p, ok := f.t.prefix[folded[:n]]; ok {
			c.prefixes = append(c.prefixes, p)
		}
	}
	if len(c.bare) == 0 && len(c.prefixes) == 0 {
		return nil, 0
	}
	slices.SortFunc(c.prefixes, cmp.Compare[uint32])
	key := make([]byte, 0, 4*(len(c.bare)+len(c.prefixes)))
	for _, n := range c.bare {
		key = binary.LittleEndian.AppendUint32(key, uint32(n)|1<<31)
	}
	for _, n := range c.prefixes {
		key = binary.LittleEndian.AppendUint32(key, n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.number[string(key)]; ok {
		return (*f.classes.Load())[n], n
	}
	old := *f.classes.Load()
	n := len(old)
	if n > classMax {
		return c, n // more answers than numbers: this one is computed each time
	}
	list := append(old, c) // readers see only what their own length covers
	f.classes.Store(&list)
	f.number[string(key)] = n
	return c, n
}
