package index

import (
	"slices"
	"sync"

	"chancery/feed"
	"chancery/feed/query"
)

// verdict is what the index knows of a node: the versions that match, and those
// that may. A nil may is yes: the index is sure.
type verdict struct{ yes, may set }

func sure(s set) verdict { return verdict{yes: s} }

// unsure: nothing is known but that all others don't match.
func (s *search) unsure(may set) verdict { return verdict{newSet(s.n), may} }

func (v verdict) upper() set {
	if v.may == nil {
		return v.yes
	}
	return v.may
}

// neutral reports whether a node has no say in whether an item matches: one of a
// negative weight only lowers a score (feed/query).
func neutral(n query.Node) bool {
	every := func(nodes []query.Node) bool {
		for _, c := range nodes {
			if !neutral(c) {
				return false
			}
		}
		return true
	}
	switch n := n.(type) {
	case *query.And:
		return every(n.Nodes)
	case *query.Or:
		return every(n.Nodes)
	case *query.Not:
		return neutral(n.Node)
	case *query.Weighted:
		return n.Weight < 0 || neutral(n.Node)
	}
	return false
}

// eval finds the versions that match a node, visible or not. What it returns
// belongs to the caller.
func (s *search) eval(n query.Node) (verdict, error) {
	// Conditions read no page, where else the time is looked at.
	if s.r.allowed.over() {
		return verdict{}, s.r.part()
	}
	switch n := n.(type) {
	case *query.And:
		outer := s.among
		defer func() { s.among = outer }()
		return s.fold(n.Nodes, func(a, b verdict) verdict {
			out := verdict{yes: a.yes}
			if a.may != nil || b.may != nil {
				if out.may = a.may; out.may == nil {
					out.may = a.yes.clone(s.n)
				}
				out.may.and(b.upper())
			}
			out.yes.and(b.yes)
			return out
		}, func(v verdict) bool {
			s.among = v.upper()
			return s.among.empty()
		})
	case *query.Or:
		return s.fold(n.Nodes, func(a, b verdict) verdict {
			out := verdict{yes: a.yes}
			if a.may != nil || b.may != nil {
				if out.may = a.may; out.may == nil {
					out.may = a.yes.clone(s.n)
				}
				out.may.or(b.upper())
			}
			out.yes.or(b.yes)
			return out
		}, func(verdict) bool { return false })
	case *query.Not:
		v, err := s.eval(n.Node)
		if err != nil {
			return v, err
		}
		out := verdict{yes: newSet(s.n)}
		out.yes.fill(s.n)
		if v.may != nil {
			out.may = out.yes.clone(s.n)
			out.may.andNot(v.yes)
		}
		out.yes.andNot(v.upper())
		return out, nil
	case *query.Weighted:
		return s.eval(n.Node)
	case *query.Near:
		s.part = query.String(n)
		return s.near(n)
	case *query.Term:
		s.part = n.String()
		return s.term(n)
	}
	return sure(s.condition(n)), nil
}

// fold joins nodes, the cheap ones first, until there is enough.
func (s *search) fold(nodes []query.Node, join func(a, b verdict) verdict, enough func(verdict) bool) (verdict, error) {
	var out verdict
	for cost := range 3 {
		for _, c := range nodes {
			if costs(c) != cost || neutral(c) || out.yes != nil && enough(out) {
				continue
			}
			v, err := s.eval(c)
			if err != nil {
				return v, err
			}
			if out.yes == nil {
				out = v
			} else {
				out = join(out, v)
			}
		}
	}
	if out.yes == nil {
		out.yes = newSet(s.n)
	}
	return out, nil
}

// costs is when a node is evaluated: first what is kept in order or as a set, then
// words, and at last what is looked up version by version, in those that are left.
func costs(n query.Node) int {
	switch n := n.(type) {
	case *query.When:
		if n.Seen {
			return 2
		}
		return 0
	case *query.Lang:
		return 0
	case *query.Tagged, *query.Is, *query.ID:
		return 2
	}
	return 1
}

func (s *search) condition(n query.Node) set {
	out := newSet(s.n)
	switch n := n.(type) {
	case *query.Lang:
		for i, lang := range s.v.langs {
			if lang == n.Tag {
				out.or(s.language(i))
			}
		}
	case *query.Tagged:
		if s.among == nil || s.among.count()*2 > s.n {
			out.or(s.f.topicSets.get(s.v, n.Topic, n.About))
			break
		}
		number := slices.Index(s.v.topics, n.Topic)
		s.scan(func(v uint32, _ *fixed) {
			for _, t := range s.v.tagsOf(v) {
				if int(t>>1) == number && (!n.About || t&1 != 0) {
					out.add(v)
				}
			}
		})
	case *query.When:
		from, to := n.Bounds(s.now)
		if !n.Seen {
			a, b := s.v.span(from, to)
			for _, v := range s.v.order[a:b] {
				if int(v) < s.n {
					out.add(v)
				}
			}
			return out
		}
		s.scan(func(v uint32, fx *fixed) {
			if (from.IsZero() || s.v.seenAt(fx) >= nanos(from)) && (to.IsZero() || s.v.seenAt(fx) < nanos(to)) {
				out.add(v)
			}
		})
	case *query.Is:
		s.scan(func(v uint32, fx *fixed) {
			switch n.Property {
			case query.Revised:
				if fx.revision > 1 || s.v.state(v).older != 0 || s.newer(v) {
					out.add(v)
				}
			case query.Duplicate:
				if s.v.state(v).duplicate {
					out.add(v)
				}
			default:
				if fx.enclosure() {
					out.add(v)
				}
			}
		})
	case *query.ID:
		s.scan(func(v uint32, fx *fixed) {
			if fx.id.BeginsWith(n.ID, n.Letters) {
				out.add(v)
			}
		})
	}
	out.trim(s.n)
	return out
}

// scan visits all versions, or those that what was evaluated before leaves.
func (s *search) scan(visit func(n uint32, fx *fixed)) {
	if s.among != nil {
		for n := range s.among.all {
			visit(n, s.v.fixed(n))
		}
		return
	}
	for n := range uint32(s.n) {
		visit(n, s.v.fixed(n))
	}
}

// newer reports whether a later version of the item is known in this search.
func (s *search) newer(n uint32) bool {
	for at := s.v.state(n).newer; at != 0; at = s.v.state(at - 1).newer {
		if s.knows(at - 1) {
			return true
		}
	}
	return false
}

// knows reports whether a version was there at the moment that is asked for.
func (s *search) knows(n uint32) bool {
	return int(n) < s.n && (s.o.AsOf.IsZero() || s.v.fixed(n).known <= nanos(s.o.AsOf))
}

// visible is the versions that a search looks at.
func (s *search) visible() set {
	if s.n == s.v.n && s.o.AsOf.IsZero() {
		out := newSet(s.n)
		if s.o.AllVersions {
			out.or(s.v.live)
		} else {
			out.or(s.v.newest)
		}
		return out
	}
	out := newSet(s.n)
	for n := range s.v.live.all {
		if s.knows(n) && (s.o.AllVersions || !s.newer(n)) {
			out.add(n)
		}
	}
	return out
}

func (s *search) term(t *query.Term) (verdict, error) {
	if t.Field == query.Source {
		return sure(s.bySource(func(d *query.Doc) bool { return len(d.Places(t)) > 0 })), nil
	}
	if t.Kind == query.Exact && t.Field == query.Anywhere && single(t) && capitals(t.Key()[1:]) && len(t.Words[0].Text) <= maxWord {
		docs, err := s.docs(&query.Term{Kind: query.Phrase, Words: []query.Word{{Text: markCapitals + t.Words[0].Text}}})
		return sure(docs), err
	}
	docs, err := s.docs(t)
	if err != nil || exactly(t) {
		return sure(docs), err
	}
	return s.unsure(docs), nil
}

// topicCache keeps the versions of a topic, as most searches on the web ask for one.
type topicCache struct {
	mu     sync.Mutex // guards all
	retags int
	sets   map[topicKey]*topicSet
}

type topicKey struct {
	topic feed.TopicID
	about bool
}

type topicSet struct {
	n   int // versions looked at
	set set
}

const maxTopicSets = 64

func (c *topicCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sets = nil
}

// get gives the versions of items tagged so; not to be changed. It may hold more
// than the view does.
func (c *topicCache) get(v *view, topic feed.TopicID, about bool) set {
	number := slices.Index(v.topics, topic)
	if number < 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retags != v.retags || len(c.sets) > maxTopicSets {
		c.sets = nil
	}
	if c.sets == nil {
		c.sets, c.retags = map[topicKey]*topicSet{}, v.retags
	}
	key := topicKey{topic, about}
	old := c.sets[key]
	if old == nil {
		old = &topicSet{}
	}
	if old.n >= v.n {
		return old.set
	}
	s := &topicSet{v.n, old.set.clone(v.n)}
	for n := uint32(old.n); n < uint32(v.n); n++ {
		for _, t := range v.tagsOf(n) {
			if int(t>>1) == number && (!about || t&1 != 0) {
				s.set.add(n)
			}
		}
	}
	c.sets[key] = s
	return s.set
}

// near finds the versions where a place of one side is close to one of the other.
func (s *search) near(n *query.Near) (verdict, error) {
	a, b := sides(n.A), sides(n.B)
	all := append(append([]*query.Term{}, a...), b...)
	places, certain, bySource := true, true, true
	for _, t := range all {
		certain = certain && exactly(t)
		bySource = bySource && t.Field == query.Source
		places = places && t.Field != query.Source && t.Field != query.Author && t.Field != query.Category
	}
	if bySource {
		q := &query.Query{Root: n}
		return sure(s.bySource(func(d *query.Doc) bool { _, ok := q.Match(d, s.now); return ok })), nil
	}
	both, err := s.anyOf(a)
	if err != nil {
		return verdict{}, err
	}
	other, err := s.anyOf(b)
	if err != nil {
		return verdict{}, err
	}
	if both.and(other); !places {
		return s.unsure(both), nil
	}
	left, err := s.standing(a, both)
	if err != nil {
		return verdict{}, err
	}
	right, err := s.standing(b, both)
	if err != nil {
		return verdict{}, err
	}
	out := newSet(s.n)
	steps := 0
	for v := range both.all {
		if steps++; steps%256 == 0 && s.r.allowed.over() {
			return verdict{}, s.r.part()
		}
		ok := false
		if err = left.at(v); err == nil && len(left.list) > 0 {
			if err = right.at(v); err == nil {
				ok = within(left.list, right.list, n.Distance)
			}
		}
		if err != nil {
			return verdict{}, err
		}
		if ok {
			out.add(v)
		}
	}
	if certain {
		return sure(out), nil
	}
	return s.unsure(out), nil
}

// sides lists the terms of one side of a NEAR.
func sides(n query.Node) []*query.Term {
	var out []*query.Term
	query.Walk(n, func(n query.Node) bool {
		if t, ok := n.(*query.Term); ok {
			out = append(out, t)
		}
		return true
	})
	return out
}

func (s *search) anyOf(terms []*query.Term) (set, error) {
	out := newSet(s.n)
	for _, t := range terms {
		var docs set
		var err error
		if t.Field == query.Source {
			docs = s.bySource(func(d *query.Doc) bool { return len(d.Places(t)) > 0 })
		} else {
			docs, err = s.docs(t)
		}
		if err != nil {
			return nil, err
		}
		out.or(docs)
	}
	return out, nil
}

// place is where a term stands: column and word, and how many words it has.
type place struct{ at, words uint32 }

// side is the places of one side of a NEAR.
type side struct {
	terms   []*query.Term
	sources []source
	cur     []uint32
	done    []bool
	list    []place
	buf     []uint32
}

// standing makes a side. The lists of few terms are read side by side, those of
// many one after the other.
func (s *search) standing(terms []*query.Term, within set) (*side, error) {
	d := &side{terms: terms, cur: make([]uint32, len(terms)), done: make([]bool, len(terms))}
	for _, t := range terms {
		src, err := s.source(t)
		if err != nil {
			return nil, err
		}
		if len(terms) > maxStreams/4 {
			if src, err = s.gather(src, within); err != nil {
				return nil, err
			}
		}
		d.sources = append(d.sources, src)
	}
	return d, nil
}

func (s *search) gather(src source, within set) (source, error) {
	out := &pairs{}
	var buf []uint32
	for n := uint32(0); ; n++ {
		at, ok, err := src.seek(n)
		if err != nil || !ok || int(at) >= s.n {
			return out, err
		}
		if n = at; !within.has(n) {
			continue
		}
		buf = src.places(buf[:0])
		for _, p := range buf {
			out.list = append(out.list, uint64(n)<<32|uint64(p))
		}
		if err := s.gathered(len(buf)); err != nil {
			return nil, err
		}
	}
}

// at finds the places in a version; versions are asked for in order.
func (d *side) at(n uint32) error {
	d.list = d.list[:0]
	for i, src := range d.sources {
		if d.done[i] {
			continue
		}
		if d.cur[i] < n || d.cur[i] == 0 {
			at, ok, err := src.seek(n)
			if err != nil {
				return err
			}
			if d.cur[i], d.done[i] = at, !ok; !ok {
				continue
			}
		}
		if d.cur[i] != n {
			continue
		}
		d.buf = src.places(d.buf[:0])
		column, count := uint32(0), 0
		for _, p := range d.buf {
			if c := p >> columnBits; c != column {
				column, count = c, 0
			}
			if count++; count <= query.MaxPlaces {
				d.list = append(d.list, place{p, uint32(len(d.terms[i].Words))})
			}
		}
	}
	if len(d.sources) > 1 {
		sortPlaces(d.list)
	}
	return nil
}
