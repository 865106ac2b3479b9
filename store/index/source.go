package index

import (
	"slices"

	"chancery/feed/query"
)

// source gives the places of something in versions, in the order of the versions.
type source interface {
	// seek moves to the first version from n on that may have a place.
	seek(n uint32) (uint32, bool, error)
	// places appends the places at the version that seek found, in order; there may
	// be none after all.
	places(dst []uint32) []uint32
}

// column is a term's list, as far as it is in some columns.
type column struct {
	*chain
	mask uint8
}

func (c column) places(dst []uint32) []uint32 {
	from := len(dst)
	dst = places(dst, c.positions())
	kept := dst[:from]
	for _, p := range dst[from:] {
		if c.mask&(1<<(p>>columnBits)) != 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// pairs is places that were gathered: version<<32 | place, sorted.
type pairs struct {
	list []uint64
	i    int
}

func (p *pairs) seek(n uint32) (uint32, bool, error) {
	if p.i < len(p.list) && uint32(p.list[p.i]>>32) < n {
		k, _ := slices.BinarySearch(p.list[p.i:], uint64(n)<<32)
		p.i += k
	}
	if p.i == len(p.list) {
		return 0, false, nil
	}
	return uint32(p.list[p.i] >> 32), true, nil
}

func (p *pairs) places(dst []uint32) []uint32 {
	n := p.list[p.i] >> 32
	for _, x := range p.list[p.i:] {
		if x>>32 != n {
			break
		}
		dst = append(dst, uint32(x))
	}
	return dst
}

// union is the places of any of several, each only in versions of some languages.
type union struct {
	parts []source
	in    []set // nil: all
	at    []uint32
	done  []bool
	cur   uint32
}

func newUnion(parts []source, in []set) *union {
	return &union{parts: parts, in: in, at: make([]uint32, len(parts)), done: make([]bool, len(parts))}
}

func (u *union) seek(n uint32) (uint32, bool, error) {
	found := false
	for i, p := range u.parts {
		if u.done[i] {
			continue
		}
		if u.at[i] < n || n == 0 {
			at, ok, err := p.seek(n)
			for ok && err == nil && u.in[i] != nil && !u.in[i].has(at) {
				at, ok, err = p.seek(at + 1)
			}
			if err != nil {
				return 0, false, err
			}
			if !ok {
				u.done[i] = true
				continue
			}
			u.at[i] = at
		}
		if !found || u.at[i] < u.cur {
			u.cur, found = u.at[i], true
		}
	}
	return u.cur, found, nil
}

func (u *union) places(dst []uint32) []uint32 {
	from, several := len(dst), 0
	for i, p := range u.parts {
		if !u.done[i] && u.at[i] == u.cur {
			dst = p.places(dst)
			several++
		}
	}
	if several > 1 {
		slices.Sort(dst[from:])
	}
	return dst
}

// phrase is words that follow each other.
type phrase struct {
	words []source
	a, b  []uint32
}

func (p *phrase) seek(n uint32) (uint32, bool, error) {
	for i := 0; i < len(p.words); i++ {
		at, ok, err := p.words[i].seek(n)
		if !ok || err != nil {
			return 0, false, err
		}
		if at > n {
			n = at
			if i > 0 {
				i = -1
			}
		}
	}
	return n, true, nil
}

func (p *phrase) places(dst []uint32) []uint32 {
	p.a = p.words[0].places(p.a[:0])
	for i, w := range p.words[1:] {
		if len(p.a) == 0 {
			break
		}
		p.b = w.places(p.b[:0])
		kept, j := p.a[:0], 0
		for _, at := range p.a {
			want := at + uint32(i) + 1
			for j < len(p.b) && p.b[j] < want {
				j++
			}
			if j < len(p.b) && p.b[j] == want {
				kept = append(kept, at)
			}
		}
		p.a = kept
	}
	return append(dst, p.a...)
}

// mask is the columns of the table that a field is in, and mark what its words
// begin with there.
func mask(f query.Field) (columns uint8, mark string) {
	switch f {
	case query.Anywhere:
		return 1<<(inTitle>>columnBits) | 1<<(inText>>columnBits), ""
	case query.Title:
		return 1 << (inTitle >> columnBits), ""
	case query.Text:
		return 1 << (inText >> columnBits), ""
	case query.Author:
		return 1 << (inRest >> columnBits), markAuthor
	case query.Category:
		return 1 << (inRest >> columnBits), markCategory
	}
	return 1 << (inRest >> columnBits), markURL
}
