package topic

import (
	"time"

	"chancery/feed/query"
	"chancery/feed/text"
)

// hits is what a scan found: for each term the places where it stands, as lists
// within one slice. It is a query.Finder for the document that was scanned.
type hits struct {
	t           *trie
	d           *query.Doc
	list        []hit
	first, last []int32         // term → its first and last hit, as index + 1; 0 for none
	count       []int32         // term → hits in the field being scanned
	terms       []int32         // terms with hits
	counted     []int32         // terms with a count
	found       [][]*query.Term // rule → its terms with hits
	rules       []int32         // rules with hits
	numbers     []int32         // index of a term in the rule that is evaluated → term
	length      [8]int          // field → words
	active      []partial
	next        []partial
	words       []text.Word

	// The commonest words of a text are forms of nothing. Those met last are kept here,
	// in a table small enough to stay in the processor's cache.
	none    [1 << 12]uint64 // hashes
	noneFor *forms          // of the language that this holds for
}

type hit struct {
	place query.Place
	next  int32 // the term's next hit, as index + 1
}

// partial is a phrase that has begun.
type partial struct {
	node        uint32
	word, start int
}

// maxActive bounds phrases that have begun and may go on at one place of a text.
const maxActive = 256

// scan finds all terms in d. The result is valid until released.
func (t *trie) scan(d *query.Doc) *hits {
	h := t.scratch.Get().(*hits)
	h.d = d
	f := t.forms(d.Lang)
	h.field(query.Title, f)
	h.field(query.Text, f)
	for _, field := range t.extra {
		h.field(field, f)
	}
	return h
}

func (t *trie) release(h *hits) {
	for _, n := range h.terms {
		h.first[n], h.last[n] = 0, 0
	}
	for _, r := range h.rules {
		h.found[r] = h.found[r][:0]
	}
	h.d = nil
	const keep = 1 << 16 // hits; one huge text must not hold its memory for ever
	if cap(h.list) > keep {
		h.list = nil
	}
	h.list, h.terms, h.rules = h.list[:0], h.terms[:0], h.rules[:0]
	t.scratch.Put(h)
}

// Len is how many words a field has.
func (h *hits) Len(f query.Field) int { return h.length[f] }

// Places lists the places of a term of the rule that asks, in its fields.
func (h *hits) Places(term *query.Term) []query.Place {
	n := h.numbers[term.Index]
	if h.first[n] == 0 {
		return nil
	}
	var places []query.Place
	for i := h.first[n]; i != 0; i = h.list[i-1].next {
		p := h.list[i-1].place
		if p.Field == term.Field || term.Field == query.Anywhere && (p.Field == query.Title || p.Field == query.Text) {
			places = append(places, p)
		}
	}
	return places
}

// eval evaluates a rule.
func (h *hits) eval(r *rule) (query.Match, bool) {
	h.numbers = r.numbers
	if r.flat {
		return query.EvalAny(h.d, h, h.found[r.index], r.weights)
	}
	return r.query.Eval(h.d, h, time.Time{})
}

// field scans one field.
func (h *hits) field(field query.Field, f *forms) {
	s := h.d.Field(field)
	h.active = h.active[:0]
	n := 0
	if r := h.d.Row(field); r != nil {
		h.run(field, f, s, r.Words, 0)
		n = len(r.Words)
	} else {
		for at := 0; at < len(s); {
			h.words, at = text.Scan(s, at, h.words[:0])
			h.run(field, f, s, h.words, n)
			n += len(h.words)
		}
	}
	h.length[field] = n
	for _, n := range h.counted {
		h.count[n] = 0
	}
	h.counted = h.counted[:0]
}

// run looks at words of s that follow each other; the first has number first.
func (h *hits) run(field query.Field, f *forms, s string, words []text.Word, first int) {
	t := h.t
	if h.noneFor != f {
		h.none, h.noneFor = [len(h.none)]uint64{}, f
	}
	for i := range words {
		w := &words[i]
		var id uint32
		if t.filter[w.Hash>>6&(uint64(len(t.filter))-1)]&(1<<(w.Hash&63)) != 0 {
			id = t.words.get(w.Hash)
		}
		var c *class
		if last := &h.none[w.Hash%uint64(len(h.none))]; f.ask && *last != w.Hash {
			if c = f.class(s, *w); c == nil {
				*last = w.Hash
			}
		}
		if id != 0 || c != nil {
			h.step(field, f, id, c, first+i, *w)
		} else if len(h.active) > 0 {
			h.active = h.active[:0]
		}
	}
}

// step goes on with a word that is in some rule.
func (h *hits) step(field query.Field, f *forms, id uint32, c *class, word int, w text.Word) {
	h.next = h.next[:0]
	if id != 0 {
		h.follow(field, f, id, word, w)
	}
	if c != nil {
		for _, p := range c.prefixes {
			h.follow(field, f, p, word, w)
		}
		for _, n := range c.bare {
			h.add(n, query.Place{Field: field, Word: word, Words: 1, Start: w.Start, End: w.End})
		}
	}
	h.active, h.next = h.next, h.active
}

// follow takes the edges named id from the root and from all that has begun.
func (h *hits) follow(field query.Field, f *forms, id uint32, word int, w text.Word) {
	t := h.t
	if node := t.first[id]; node != 0 {
		h.enter(field, f, partial{node, word, w.Start}, word, w.End)
	}
	for _, p := range h.active {
		if node := t.next(p.node, id); node != 0 {
			h.enter(field, f, partial{node, p.word, p.start}, word, w.End)
		}
	}
}

// enter takes note of what ends at p.node, and of what goes on from it.
func (h *hits) enter(field query.Field, f *forms, p partial, word, end int) {
	t := h.t
	flags := t.flags[p.node]
	if flags&f.ends != 0 {
		h.end(field, f, p, word, end)
	}
	if flags&goesOn != 0 && len(h.next) < maxActive {
		h.next = append(h.next, p)
	}
}

// end takes note of the terms that end at p.node.
func (h *hits) end(field query.Field, f *forms, p partial, word, end int) {
	t := h.t
	for _, n := range t.ends[p.node] {
		if f.inflects && t.terms[n].Kind == query.Bare {
			continue // found by its stem
		}
		h.add(n, query.Place{Field: field, Word: p.word, Words: word - p.word + 1, Start: p.start, End: end})
	}
}

func (h *hits) add(n int32, p query.Place) {
	term := h.t.terms[n]
	if h.count[n] >= query.MaxPlaces || !h.d.Accepts(term, p) {
		return
	}
	if h.count[n] == 0 {
		h.counted = append(h.counted, n)
	}
	h.count[n]++
	h.list = append(h.list, hit{place: p})
	i := int32(len(h.list))
	if h.first[n] == 0 {
		h.first[n] = i
		h.terms = append(h.terms, n)
		for _, u := range h.t.users[n] {
			if len(h.found[u.rule]) == 0 {
				h.rules = append(h.rules, u.rule)
			}
			h.found[u.rule] = append(h.found[u.rule], u.term)
		}
	} else {
		h.list[h.last[n]-1].next = i
	}
	h.last[n] = i
}

var _ query.Finder = (*hits)(nil)
