package index

import (
	"database/sql/driver"
	"slices"
	"strings"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/feed/text"
	"chancery/store"
)

// maxPairs is how many places a search gathers: 32 MB.
const maxPairs = 4 << 20

// maxStreams is of how many words the lists are read side by side: each holds a
// page a segment.
const maxStreams = 32

// form is a word as it stands in texts, and the languages in which it counts.
type form struct {
	word string
	in   set // nil: all
}

// forms lists what a bare word stands for: itself in all languages, and in each
// language the words that share its stem there.
func (s *search) forms(word string) ([]form, error) {
	by := map[string][]int{}
	var order []string
	add := func(w string, lang int) {
		if len(w) > maxWord || w == word {
			return
		}
		if by[w] == nil {
			order = append(order, w)
		}
		by[w] = append(by[w], lang)
	}
	for i, lang := range s.v.langs {
		if i == 0 || !text.Inflects(lang) {
			continue
		}
		stem := text.Stem(lang, word)
		if text.Stem(lang, stem) == stem {
			add(stem, i)
		}
		err := s.r.conn.query("SELECT word FROM stems WHERE lang=? AND stem=?", func(v []driver.Value) error {
			add(asText(v[0]), i)
			return nil
		}, int64(i), stem)
		if err != nil {
			return nil, err
		}
	}
	out := []form{{word: word}}
	for _, w := range order {
		in := s.language(by[w][0])
		if len(by[w]) > 1 {
			in = in.clone(s.n)
			for _, l := range by[w][1:] {
				in.or(s.language(l))
			}
		}
		out = append(out, form{w, in})
	}
	return out, nil
}

// language is the versions in a language; not to be changed.
func (s *search) language(i int) set {
	if i < len(s.v.byLang) {
		return s.v.byLang[i]
	}
	out := newSet(s.n)
	for n := range uint32(s.n) {
		if int(s.v.fixed(n).lang()) == i {
			out.add(n)
		}
	}
	return out
}

// fits cuts a word to what the table keeps, and reports whether that is all of it.
func fits(word string) (string, bool) {
	if len(word) <= maxWord {
		return word, true
	}
	n := maxWord
	for n > 0 && !utf8.RuneStart(word[n]) {
		n--
	}
	return word[:n], false
}

// exactly reports whether the table alone can say where a term stands.
func exactly(t *query.Term) bool {
	for _, w := range t.Words {
		if len(w.Text) > maxWord {
			return false
		}
	}
	return t.Kind != query.Exact
}

// single reports whether a term is one word and asks for no places.
func single(t *query.Term) bool { return len(t.Words) == 1 }

// each calls visit for the lists of a term of one word.
func (s *search) each(t *query.Term, visit func(p *postings, in set) error) error {
	_, mark := mask(t.Field)
	w, _ := fits(t.Words[0].Text)
	if t.Words[0].Prefix {
		return s.r.prefixed(mark+w, func(_ string, p *postings) error { return visit(p, nil) })
	}
	forms := []form{{word: w}}
	if t.Kind == query.Bare {
		var err error
		if forms, err = s.forms(w); err != nil {
			return err
		}
	}
	for _, f := range forms {
		c, err := s.r.open(mark + f.word)
		if err != nil {
			return err
		}
		for _, p := range c.parts {
			p.again = true
			if err := visit(p, f.in); err != nil {
				return err
			}
		}
	}
	return nil
}

// docs is the versions in which a term may stand: does, if exactly says so.
func (s *search) docs(t *query.Term) (set, error) {
	out := newSet(s.n)
	if !single(t) {
		src, err := s.source(t)
		if err != nil {
			return nil, err
		}
		var buf []uint32
		for n := uint32(0); ; n++ {
			at, ok, err := src.seek(n)
			if err != nil || !ok || int(at) >= s.n {
				return out, err
			}
			n = at
			if buf = src.places(buf[:0]); len(buf) > 0 {
				out.add(n)
			}
		}
	}
	columns, mark := mask(t.Field)
	check := t.Field == query.Title || t.Field == query.Text
	if w := t.Words[0]; !w.Prefix && !check {
		return out, s.words(out, t, mark)
	}
	err := s.each(t, func(p *postings, in set) error {
		for {
			ok, err := p.next()
			if !ok || err != nil {
				return err
			}
			if int(p.doc) < s.n && (in == nil || in.has(p.doc)) && (!check || touches(p.pos, columns)) {
				out.add(p.doc)
			}
		}
	})
	return out, err
}

// words adds the versions that have a word or one of its forms.
func (s *search) words(out set, t *query.Term, mark string) error {
	w, _ := fits(t.Words[0].Text)
	forms := []form{{word: w}}
	if t.Kind == query.Bare {
		var err error
		if forms, err = s.forms(w); err != nil {
			return err
		}
	}
	for _, f := range forms {
		docs, err := s.f.common.docs(s.r, mark+f.word, s.v.n)
		if err != nil {
			return err
		}
		if f.in == nil {
			out.or(docs)
		} else {
			for i := range min(len(out), len(docs), len(f.in)) {
				out[i] |= docs[i] & f.in[i]
			}
		}
	}
	out.trim(s.n)
	return nil
}

// source is the places of a term.
func (s *search) source(t *query.Term) (source, error) {
	columns, mark := mask(t.Field)
	if single(t) && !t.Words[0].Prefix {
		return s.word(t.Words[0].Text, mark, columns, t.Kind == query.Bare)
	}
	// The words that begin so must be gathered: in the versions that have all words.
	var all set
	if slices.ContainsFunc(t.Words, func(w query.Word) bool { return w.Prefix }) {
		for _, w := range t.Words {
			docs, err := s.docs(&query.Term{Kind: query.Phrase, Field: t.Field, Words: []query.Word{w}})
			if err != nil {
				return nil, err
			}
			if all == nil {
				all = docs
			} else {
				all.and(docs)
			}
		}
	}
	p := &phrase{}
	for _, w := range t.Words {
		var src source
		var err error
		if w.Prefix {
			src, err = s.gatherPrefix(w.Text, mark, columns, all)
		} else {
			src, err = s.word(w.Text, mark, columns, false)
		}
		if err != nil {
			return nil, err
		}
		p.words = append(p.words, src)
	}
	if len(p.words) == 1 {
		return p.words[0], nil
	}
	return p, nil
}

func (s *search) word(word, mark string, columns uint8, inflect bool) (source, error) {
	word, _ = fits(word)
	forms := []form{{word: word}}
	if inflect {
		var err error
		if forms, err = s.forms(word); err != nil {
			return nil, err
		}
	}
	var parts []source
	var in []set
	for _, f := range forms {
		c, err := s.r.open(mark + f.word)
		if err != nil {
			return nil, err
		}
		if len(c.parts) > 0 || len(forms) == 1 {
			parts, in = append(parts, column{c, columns}), append(in, f.in)
		}
		if len(parts) > maxStreams {
			return nil, s.tooDear("more forms of a word than can be looked at")
		}
	}
	if len(parts) == 1 && in[0] == nil {
		return parts[0], nil
	}
	return newUnion(parts, in), nil
}

func (s *search) gatherPrefix(word, mark string, columns uint8, within set) (source, error) {
	word, _ = fits(word)
	out := &pairs{}
	var buf []uint32
	err := s.r.prefixed(mark+word, func(_ string, p *postings) error {
		for {
			ok, err := p.next()
			if !ok || err != nil {
				return err
			}
			if !within.has(p.doc) {
				continue
			}
			buf = places(buf[:0], p.pos)
			for _, at := range buf {
				if columns&(1<<(at>>columnBits)) != 0 {
					out.list = append(out.list, uint64(p.doc)<<32|uint64(at))
				}
			}
			if err := s.gathered(len(buf)); err != nil {
				return err
			}
		}
	})
	slices.Sort(out.list)
	return out, err
}

// gathered counts places that are held in memory.
func (s *search) gathered(n int) error {
	if s.pairs += n; s.pairs > maxPairs {
		return s.tooDear("more memory than a search may have")
	}
	return nil
}

// tooDear is the error for the piece of the query that is being worked at.
func (s *search) tooDear(what string) error {
	e := &store.CostError{What: what, Part: s.part}
	if s.q != nil && s.part != "" {
		e.Offset = max(0, strings.Index(s.q.String(), s.part))
	}
	return e
}

// bySource is the versions whose source fits: sources are few and change their
// titles, so they are matched when asked.
func (s *search) bySource(fits func(d *query.Doc) bool) set {
	out := newSet(s.n)
	langs := len(s.v.langs)
	known := map[int]bool{}
	for n := range uint32(s.n) {
		fx := s.v.fixed(n)
		key := int(fx.source)*langs + int(fx.lang())
		ok, seen := known[key]
		if !seen {
			src := s.v.sources[fx.source]
			ok = fits(query.NewDoc(&feed.Item{Source: src.id, Entry: feed.Entry{Language: s.v.langs[fx.lang()]}}, src.title))
			known[key] = ok
		}
		if ok {
			out.add(n)
		}
	}
	return out
}
