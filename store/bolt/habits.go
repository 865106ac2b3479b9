package bolt

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// Bounds of what counts as a source's own boilerplate: the lines about the author, the
// request to subscribe, the copyright that stand in post after post. Two posts that
// share only those are not copies.
const (
	habitPosts = 48  // of a source, the nearest by date, that are looked at; versions of one count once
	habitMost  = 192 // of a source, versions counted each
	habitFew   = 16  // with fewer in the days around, those before and after are looked at, as many
	habitIn    = 2   // other posts that a shingle must be in
	habitLeast = 8   // values of 128 that must be boilerplate, for it to matter
	habitLeft  = 24  // values that must be left, to say anything
	habitWords = 40  // words that must be left: of shorter posts only the exact text counts

	// A source that gives a post that grows a new id each time has it many times over. Such
	// versions of one post agree in so many values, and have so many words in common. Fewer
	// words say nothing: notes of a line above a box that is the same under each look alike.
	habitAgree = 88
	habitSame  = 150
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
	posts  []habitPost
	groups []*said // posts, each with its versions: what these say; nil if there is one
	counts [128][256]uint8
}

// said are the values that the versions of a post have, by place.
type said [128][4]uint64

// add reports whether a value was not among them.
func (s *said) add(at int, v uint8) bool {
	word, bit := &s[at][v/64], uint64(1)<<(v%64)
	isNew := *word&bit == 0
	*word |= bit
	return isNew
}

// habitPost is a post that was counted.
type habitPost struct {
	values [128]uint8
	words  int
	group  int // of which post it is a version, by a number
}

// add counts a post. What another version of it said is not counted a second time.
func (h *habit) add(values *[128]uint8, words int) {
	p := habitPost{*values, words, len(h.groups)}
	for i := range h.posts {
		q := &h.posts[i]
		if p.values == q.values {
			return
		}
		if p.group < len(h.groups) || !p.versionOf(q) {
			continue
		}
		if p.group = q.group; h.groups[p.group] == nil {
			h.groups[p.group] = &said{}
			for at, v := range q.values {
				h.groups[p.group].add(at, v)
			}
		}
	}
	if p.group == len(h.groups) {
		h.groups = append(h.groups, nil)
	}
	versions := h.groups[p.group]
	for at, v := range p.values {
		if versions == nil || versions.add(at, v) {
			h.counts[at][v]++
		}
	}
	h.posts = append(h.posts, p)
}

// full reports whether enough posts were counted.
func (h *habit) full() bool { return len(h.groups) >= habitPosts || len(h.posts) >= habitMost }

// versionOf reports whether two posts of a source are one that was given out anew.
func (p *habitPost) versionOf(q *habitPost) bool {
	same := 0
	for i := 0; i < len(p.values); i += 8 {
		same += sameBytesIn(binary.LittleEndian.Uint64(p.values[i:]), binary.LittleEndian.Uint64(q.values[i:]))
	}
	if same < habitAgree {
		return false
	}
	j := float64(same) / float64(len(p.values))
	return j/(1+j)*float64(p.words+q.words) >= habitSame
}

// knows reports whether a post with these values was counted.
func (h *habit) knows(values *[128]uint8) bool {
	for i := range h.posts {
		if h.posts[i].values == *values {
			return true
		}
	}
	return false
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
			if h.add(&s.Values, s.Words); h.full() {
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
			if h.full() {
				return h, nil
			}
			v := d.values(j)
			h.add(&v, int(d.words[j]))
		}
		if looked += len(d.ids); looked > nearMost {
			break
		}
	}
	if len(h.groups) >= habitFew {
		return h, nil
	}
	far, err := u.t.sketches(u.t.beyond(num, u.center, habitFew))
	if err != nil {
		return nil, err
	}
	for j := range far.ids {
		v := far.values(j)
		h.add(&v, int(far.words[j]))
	}
	return h, nil
}

// beyond are the n posts of a source that are nearest by date of those outside of the days
// around one: who writes once a month has habits, too.
func (t *txn) beyond(num, center uint32, n int) []nearPost {
	prefix := num4(num)
	seek := func(day uint32) (*bbolt.Cursor, []byte) {
		cur := t.b[bBySource].Cursor()
		at := sortable(firstOf(day))
		k, _ := cur.Seek(append(slices.Clone(prefix), at[:]...))
		return cur, k
	}
	before, _ := seek(center - nearDays)
	b, _ := before.Prev()
	after, a := seek(center + nearDays + 1)
	var posts []nearPost
	for len(posts) < n {
		isBefore, isAfter := len(b) == 28 && bytes.HasPrefix(b, prefix), len(a) == 28 && bytes.HasPrefix(a, prefix)
		if !isBefore && !isAfter {
			break
		}
		if isBefore && (!isAfter || center-dayOf(unsortable(b[4:12])) <= dayOf(unsortable(a[4:12]))-center) {
			posts = append(posts, nearPost{id: feed.ItemID(b[12:])})
			b, _ = before.Prev()
		} else {
			posts = append(posts, nearPost{id: feed.ItemID(a[12:])})
			a, _ = after.Next()
		}
	}
	return posts
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
	self := boolByte(its.knows(&x))
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
