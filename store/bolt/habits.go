package bolt

import (
	"encoding/binary"
	"iter"
	"slices"

	"chancery/store"
)

// Bounds of what counts as a source's own boilerplate: the lines about the author, the
// request to subscribe, the copyright that stand in post after post. Two posts that
// share only those are not copies.
const (
	habitPosts = 48 // of a source, the nearest by date, that are looked at
	habitIn    = 3  // other posts that a shingle must be in
	habitLeast = 8  // values of 128 that must be boilerplate, for it to matter
	habitLeft  = 24 // values that must be left, to say anything
	habitWords = 40 // words that must be left: of shorter posts only the exact text counts
)

// habits are the values that sketches of a source's posts have in common, of the
// sources of one draft and the posts that it is compared with. They are counted when
// a pair is found to be alike, which is seldom.
type habits struct {
	t      *txn
	center uint32
	num    uint32 // source of the draft
	others iter.Seq[*store.Sketch]
	own    *habit
	of     map[uint32]*habit
}

// habit is how many posts of a source have each value in each place of their sketches.
type habit struct {
	posts  [][128]uint8
	counts [128][256]uint8
}

// add counts a post; one that says what another said is not a second one.
func (h *habit) add(values *[128]uint8) {
	if slices.Contains(h.posts, *values) {
		return
	}
	h.posts = append(h.posts, *values)
	for p, v := range values {
		h.counts[p][v]++
	}
}

// has reports whether a value is usual; self is 1 if the post that it is of was counted.
func (h *habit) has(p int, v, self uint8) bool { return h.counts[p][v] >= habitIn+self }

// values are those of a post of the day.
func (d *nearDay) values(j int) (v [128]uint8) {
	binary.LittleEndian.PutUint64(v[:], d.first[j][0])
	binary.LittleEndian.PutUint64(v[8:], d.first[j][1])
	copy(v[16:], d.rest[j][:])
	return v
}

// source counts the posts of a source around the day.
func (u *habits) source(num uint32) (*habit, error) {
	h := u.of[num]
	if num == u.num {
		h = u.own
	}
	if h != nil {
		return h, nil
	}
	h = &habit{}
	if num == u.num {
		u.own = h
		for s := range u.others {
			if h.add(&s.Values); len(h.posts) == habitPosts {
				break
			}
		}
	} else {
		if u.of == nil {
			u.of = map[uint32]*habit{}
		}
		u.of[num] = h
	}
	looked := 0
	for day := range daysAround(u.center) {
		d, err := u.t.day(day)
		if err != nil {
			return nil, err
		}
		for j, source := range d.sources {
			if source != num || d.words[j] == 0 {
				continue
			}
			if len(h.posts) >= habitPosts {
				return h, nil
			}
			v := d.values(j)
			h.add(&v)
		}
		if looked += len(d.ids); looked > nearMost {
			break
		}
	}
	return h, nil
}

// estimate is the similarity of a draft and a post without what is usual in either
// source, 0 if they are not copies. With little that is usual it is e, that of all.
func (u *habits) estimate(s *store.Sketch, d *nearDay, j int, e float64) (float64, error) {
	own, err := u.source(u.num)
	if err != nil {
		return 0, err
	}
	its, err := u.source(d.sources[j])
	if err != nil {
		return 0, err
	}
	x := d.values(j)
	self := boolByte(slices.Contains(its.posts, x))
	same, left, usualA, usualB := 0, 0, 0, 0
	for p, v := range s.Values {
		// A value that a copy of the post gave to its source is not usual there by that.
		a := own.has(p, v, 0) || its.has(p, v, boolByte(v == x[p])&self)
		b := its.has(p, x[p], self) || own.has(p, x[p], 0)
		if a {
			usualA++
		}
		if b {
			usualB++
		}
		if a || b {
			continue
		}
		left++
		if v == x[p] {
			same++
		}
	}
	if max(usualA, usualB) < habitLeast {
		return e, nil
	}
	const n = float64(len(s.Values))
	wordsA, wordsB := float64(s.Words)*(1-float64(usualA)/n), float64(d.words[j])*(1-float64(usualB)/n)
	if left < habitLeft || min(wordsA, wordsB) < habitWords {
		return 0, nil
	}
	e, _ = alike(same, left, wordsA, wordsB)
	return e, nil
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// sketchesBut are those of the drafts of a batch, without one.
func (in *intake) sketchesBut(i int) iter.Seq[*store.Sketch] {
	return func(yield func(*store.Sketch) bool) {
		for j := range in.batch.Drafts {
			if s := &in.batch.Drafts[j].Sketch; j != i && s.Words > 0 && !yield(s) {
				return
			}
		}
	}
}
