package topic

import (
	"slices"
	"sync"

	"chancery/feed/query"
	"chancery/feed/text"
)

// trie finds the terms of all rules in a text at once. Its unit is the word, not
// the byte: most words of a text are in no rule, which one bit of a filter by
// their hash tells. Words are told apart by 64 bits of hash alone; folding
// happens while hashing.
//
// Three things can be said of a word: it is a word of a phrase (an edge), it
// begins as a prefix of a phrase does (an edge too), or it has the stem of a
// bare word. The last two depend on the text's language and are looked up in a
// [forms], once for each distinct word.
type trie struct {
	terms   []*query.Term // distinct by Key
	users   [][]use       // term → where in rules
	rules   int
	extra   []query.Field // fields other than title and text that a term asks for
	filter  [1 << 10]uint64
	words   hashTable         // hash of a word → word
	first   []uint32          // word → node, from the root
	edges   hashTable         // node and word → node, from others
	bits    []uint64          // a filter by edge: most words that follow one another do so in no rule
	ends    [][]int32         // node → terms that end there
	flags   []byte            // node → what there is to do, so that most nodes cost one byte of cache
	prefix  map[string]uint32 // a word of a phrase that may go on → word
	lengths []int             // of those, in bytes, ascending
	bare    []int32           // terms that are bare words
	mu      sync.Mutex
	byLang  sync.Map // string → *forms
	scratch sync.Pool
}

const root = 0

// The flags of a node.
const (
	goesOn     = 1 << iota // it has edges
	phraseEnds             // a phrase or an exact term ends there
	bareEnds               // a bare word does, for texts without stems
)

// use is where a term stands in a rule.
type use struct {
	rule int32
	term *query.Term
}

func newTrie(rules []*rule) *trie {
	t := &trie{prefix: map[string]uint32{}, rules: len(rules)}
	total := 0
	for _, r := range rules {
		for _, term := range r.query.Terms() {
			total += len(term.Words)
		}
	}
	byKey := make(map[string]int32, total)
	words := make(map[string]uint32, total)
	fields := map[query.Field]bool{}
	t.ends = make([][]int32, 1, total+1)
	t.flags = make([]byte, 1, total+1)
	t.edges = newHashTable(total)
	t.first = make([]uint32, 1, total+1)
	for _, r := range rules {
		terms := r.query.Terms()
		r.numbers = make([]int32, len(terms))
		for i, term := range terms {
			if term.Field != query.Anywhere && term.Field != query.Title && term.Field != query.Text {
				fields[term.Field] = true
			}
			n, ok := byKey[term.Key()]
			if !ok {
				n = int32(len(t.terms))
				byKey[term.Key()] = n
				t.terms = append(t.terms, term)
				t.users = append(t.users, nil)
				t.add(n, term, words)
			}
			r.numbers[i] = n
			t.users[n] = append(t.users[n], use{int32(r.index), term})
		}
	}
	for f := query.Author; f <= query.URL; f++ {
		if fields[f] {
			t.extra = append(t.extra, f)
		}
	}
	t.words = newHashTable(len(words))
	for w, id := range words {
		h := text.Hash(w)
		t.filter[h>>6&(uint64(len(t.filter))-1)] |= 1 << (h & 63)
		t.words.put(h, id)
	}
	for w := range t.prefix {
		if i, ok := slices.BinarySearch(t.lengths, len(w)); !ok {
			t.lengths = slices.Insert(t.lengths, i, len(w))
		}
	}
	t.bits = make([]uint64, max(1, len(t.edges.slots)/16)) // a power of two, as the table is
	for i := range t.edges.slots {
		if s := &t.edges.slots[i]; s.value != 0 {
			t.bits[s.key>>6&uint64(len(t.bits)-1)] |= 1 << (s.key & 63)
		}
	}
	t.scratch.New = func() any {
		return &hits{t: t, first: make([]int32, len(t.terms)), last: make([]int32, len(t.terms)), count: make([]int32, len(t.terms)), found: make([][]*query.Term, t.rules), words: make([]text.Word, 0, 512)}
	}
	return t
}

// add puts a term's words into the trie. A bare word ends at a node as well, for
// texts of a language without stems.
func (t *trie) add(n int32, term *query.Term, words map[string]uint32) {
	node := uint32(root)
	for _, w := range term.Words {
		list := words
		if w.Prefix {
			list = t.prefix
		}
		id, ok := list[w.Text]
		if !ok {
			id = uint32(len(t.first))
			t.first = append(t.first, 0)
			list[w.Text] = id
		}
		next := uint32(0)
		if node == root {
			next = t.first[id]
		} else {
			next = t.edges.get(edge(node, id))
		}
		if next == 0 {
			next = uint32(len(t.ends))
			t.ends = append(t.ends, nil)
			t.flags = append(t.flags, 0)
			t.flags[node] |= goesOn
			if node == root {
				t.first[id] = next
			} else {
				t.edges.put(edge(node, id), next)
			}
		}
		node = next
	}
	t.ends[node] = append(t.ends[node], n)
	if term.Kind == query.Bare {
		t.bare = append(t.bare, n)
		t.flags[node] |= bareEnds
	} else {
		t.flags[node] |= phraseEnds
	}
}

func edge(node, word uint32) uint64 {
	return (uint64(node)<<32 | uint64(word)) * 0x9E3779B97F4A7C15 // spread over the table; odd, so no two meet
}

// next is the node that an edge from another than the root leads to, or 0.
func (t *trie) next(node, word uint32) uint32 {
	k := edge(node, word)
	if t.bits[k>>6&uint64(len(t.bits)-1)]&(1<<(k&63)) == 0 {
		return 0
	}
	return t.edges.get(k)
}

// hashTable is a map from hashes to numbers above 0, by open addressing, half
// full at most.
type hashTable struct {
	slots []slot
	shift uint
}

type slot struct {
	key   uint64
	value uint32
}

func newHashTable(n int) hashTable {
	bits := uint(4)
	for 1<<bits < 2*n {
		bits++
	}
	h := hashTable{shift: 64 - bits}
	h.slots = make([]slot, 1<<bits)
	return h
}

func (h *hashTable) put(key uint64, value uint32) {
	mask := len(h.slots) - 1
	for i := int(key >> h.shift); ; i = (i + 1) & mask {
		if s := &h.slots[i]; s.value == 0 {
			s.key, s.value = key, value
			return
		}
	}
}

func (h *hashTable) get(key uint64) uint32 {
	mask := len(h.slots) - 1
	for i := int(key >> h.shift); ; i = (i + 1) & mask {
		if s := &h.slots[i]; s.value == 0 || s.key == key {
			return s.value
		}
	}
}
