package index

import (
	"math"

	"chancery/feed/query"
)

// Relevance is BM25 over the query's terms, weighted as the query says, where a
// place in the title counts as three, times up to 1.25 for what is new: the extra
// quarter halves each year. A term that says no word (a tag, a date, a source) does
// not count; with none that does, the newest are first.
const (
	k1          = 1.2 // where further places of a term count little more
	lengthShare = 0.75
	titleCounts = 3
	newBonus    = 0.25
	newHalf     = 365 * 24 * 3600 // seconds

	// maxScored terms count; a query of more is a list of names, where more say little.
	maxScored = 64
)

type scored struct {
	term   *query.Term
	weight float64
}

// scoring lists what counts, exclusions left out.
func scoring(n query.Node, weight float64, out []scored) []scored {
	switch n := n.(type) {
	case *query.And:
		for _, c := range n.Nodes {
			out = scoring(c, weight, out)
		}
	case *query.Or:
		for _, c := range n.Nodes {
			out = scoring(c, weight, out)
		}
	case *query.Weighted:
		out = scoring(n.Node, weight*n.Weight, out)
	case *query.Near:
		out = scoring(n.B, weight, scoring(n.A, weight, out))
	case *query.Term:
		if n.Field != query.Source {
			out = append(out, scored{n, weight})
		}
	}
	return out
}

// tick looks at the time now and then: in loops over many versions that read no page.
func (s *search) tick() error {
	if s.ticks++; s.ticks%8192 == 0 && s.r.allowed.over() {
		return s.r.part()
	}
	return nil
}

// rank scores hits.
func (s *search) rank(hits set) error {
	s.scores = make([]float32, s.n)
	var terms []scored
	if s.q != nil {
		terms = scoring(s.q.Root, 1, nil)
	}
	if len(terms) > maxScored {
		s.note("ranked by the first %d of %d terms", maxScored, len(terms))
		terms = terms[:maxScored]
	}
	mean, count := 0.0, 0
	for n := range hits.all {
		if err := s.tick(); err != nil {
			return err
		}
		mean += float64(s.v.fixed(n).words)
		count++
	}
	mean = max(mean/max(float64(count), 1), 1)
	tf := make([]float32, s.n)
	for _, t := range terms {
		s.part = t.term.String()
		if s.r.allowed.over() {
			return s.r.part()
		}
		df, err := s.frequencies(t.term, hits, tf)
		if err != nil {
			return err
		}
		idf := math.Log1p((float64(s.n-df) + 0.5) / (float64(df) + 0.5))
		for n := range hits.all {
			if err := s.tick(); err != nil {
				return err
			}
			if f := float64(tf[n]); f > 0 {
				norm := k1 * (1 - lengthShare + lengthShare*float64(s.v.fixed(n).words)/mean)
				s.scores[n] += float32(t.weight * idf * f * (k1 + 1) / (f + norm))
			}
		}
		clear(tf)
	}
	now := s.now.UnixNano()
	for n := range hits.all {
		if err := s.tick(); err != nil {
			return err
		}
		if len(terms) == 0 {
			s.scores[n] = 1
		}
		age := max(float64(now-s.v.fixed(n).effective)/1e9, 0)
		s.scores[n] *= float32(1 + newBonus*math.Exp2(-age/newHalf))
	}
	s.part = ""
	return nil
}

// frequencies adds up how often a term stands in hits, and counts the versions
// that have it.
func (s *search) frequencies(t *query.Term, hits set, tf []float32) (df int, err error) {
	columns, _ := mask(t.Field)
	if !single(t) {
		src, err := s.source(t)
		if err != nil {
			return 0, err
		}
		var buf []uint32
		for n := uint32(0); ; n++ {
			at, ok, err := src.seek(n)
			if err != nil || !ok || int(at) >= s.n {
				return df, err
			}
			n = at
			if buf = src.places(buf[:0]); len(buf) == 0 {
				continue
			}
			df++
			if hits.has(n) {
				for _, p := range buf {
					tf[n] += counts(p >> columnBits)
				}
			}
		}
	}
	err = s.each(t, func(p *postings, in set) error {
		for {
			ok, err := p.next()
			if !ok || err != nil {
				return err
			}
			if int(p.doc) >= s.n || in != nil && !in.has(p.doc) {
				continue
			}
			df++
			if hits.has(p.doc) {
				tf[p.doc] += frequency(p.pos, columns)
			}
		}
	})
	return min(df, s.n), err
}

func counts(column uint32) float32 {
	if column == inTitle>>columnBits {
		return titleCounts
	}
	return 1
}

// frequency is the weight of the places in some columns.
func frequency(pos []byte, columns uint8) (f float32) {
	each := float32(titleCounts)
	if columns&1 == 0 {
		each = 0
	}
	for i := 0; i < len(pos); {
		v := uint64(pos[i])
		n := 1
		if v >= 0x80 {
			if v, n = varint(pos[i:]); n == 0 {
				break
			}
		}
		i += n
		if v != 1 {
			f += each
			continue
		}
		c, n := varint(pos[i:])
		i += max(n, 1)
		if each = 0; columns&(1<<c) != 0 {
			each = counts(uint32(c))
		}
	}
	return f
}
