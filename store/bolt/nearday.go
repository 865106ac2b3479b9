package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// addNear keeps the sketch of an item's newest revision where its day is in memory.
// One without a sketch takes the former away.
func (c *catalogTx) addNear(h *header, num uint32, old *row) {
	if c.near == nil {
		return
	}
	if old != nil {
		c.near.remove(dayOf(old.effective), h.item)
	}
	if h.sketch.Words > 0 {
		c.near.add(dayOf(h.effective), h.item, num, &h.sketch)
	}
}

// nearCache holds sketches of days that were asked for; the writer's alone. It is
// dropped when a commit fails, and days that were not asked for lately are dropped
// when it grows.
type nearCache struct {
	days  map[uint32]*nearDay
	posts int
	looks uint64  // searches so far
	agree []uint8 // see counters
}

// nearKept is how many posts' sketches are kept, at some 200 bytes each.
const nearKept = 2 * nearMost

// nearDay holds the sketches of one day, the first values of each apart: they
// decide nearly all comparisons, and so lie close together.
type nearDay struct {
	first   [][2]uint64 // values 0 to 15
	ids     []feed.ItemID
	sources []uint32
	words   []uint32       // 0: taken away
	rest    [][112]uint8   // values 16 to 127
	gone    int            // taken away
	lists   *[4096][]int32 // of a day with many: by place (0 to 15) · 256 + value, the posts with that value there
	looked  uint64         // the last search that asked for the day
}

// listed: from so many posts on a day has lists, which are large by themselves.
const listed = 1024

func (n *nearCache) add(day uint32, id feed.ItemID, source uint32, s *store.Sketch) {
	d := n.days[day]
	if d == nil {
		return // not asked for yet; it will be loaded whole
	}
	d.add(id, source, s)
	n.posts++
}

func (d *nearDay) add(id feed.ItemID, source uint32, s *store.Sketch) {
	d.first = append(d.first, [2]uint64{binary.LittleEndian.Uint64(s.Values[:]), binary.LittleEndian.Uint64(s.Values[8:])})
	d.ids = append(d.ids, id)
	d.sources = append(d.sources, source)
	d.words = append(d.words, uint32(s.Words))
	d.rest = append(d.rest, [112]uint8(s.Values[16:]))
	switch {
	case d.lists != nil:
		d.list(len(d.ids) - 1)
	case len(d.ids) >= listed:
		d.lists = new([4096][]int32)
		for i := range d.ids {
			d.list(i)
		}
	}
}

// list enters a post in the lists.
func (d *nearDay) list(i int) {
	for p := range 16 {
		at := p<<8 | int(byte(d.first[i][p/8]>>(p%8*8)))
		d.lists[at] = append(d.lists[at], int32(i))
	}
}

func (n *nearCache) remove(day uint32, id feed.ItemID) {
	d := n.days[day]
	if d == nil {
		return
	}
	i := slices.Index(d.ids, id)
	if i < 0 {
		return
	}
	d.ids[i], d.words[i] = feed.ItemID{}, 0
	n.posts--
	if d.gone++; d.gone > listed && d.gone > len(d.ids)/2 {
		delete(n.days, day) // it will be loaded anew
		n.posts -= len(d.ids) - d.gone
	}
}

// counters are for counting in how many values posts of a day agree with another. They
// lie closer together than the values themselves.
func (n *nearCache) counters(posts int) []uint8 {
	if cap(n.agree) < posts {
		n.agree = make([]uint8, posts+posts/4)
	}
	c := n.agree[:posts]
	clear(c)
	return c
}

// day gives the sketches of a day, reading them from the headers of the log if needed.
func (t *txn) day(day uint32) (*nearDay, error) {
	n := t.near
	d := n.days[day]
	if d == nil {
		var err error
		if d, err = t.loadDay(day); err != nil {
			return nil, err
		}
		n.days[day] = d
		n.posts += len(d.ids)
		d.looked = n.looks
		n.shrink()
	}
	d.looked = n.looks
	return d, nil
}

// shrink drops days when there are too many posts, but none that this search asked for.
func (n *nearCache) shrink() {
	if n.posts <= nearKept {
		return
	}
	days := slices.SortedFunc(maps.Keys(n.days), func(a, b uint32) int { return cmp.Compare(n.days[a].looked, n.days[b].looked) })
	for _, day := range days {
		d := n.days[day]
		if d.looked == n.looks || n.posts <= nearKept*3/4 {
			return
		}
		n.posts -= len(d.ids) - d.gone
		delete(n.days, day)
	}
}

// nearPost is a post whose sketch is to be read.
type nearPost struct {
	id     feed.ItemID
	source uint32
	record uint64
}

// loadDay reads a day. What is damaged is left out: no post is refused for it.
func (t *txn) loadDay(day uint32) (*nearDay, error) {
	var posts []nearPost
	cur := t.b[bByDate].Cursor()
	start := sortable(firstOf(day))
	for k, _ := cur.Seek(start[:]); len(k) > 24 && dayOf(unsortable(k[:8])) == day; k, _ = cur.Next() {
		posts = append(posts, nearPost{id: feed.ItemID(k[len(k)-16:])})
	}
	return t.sketches(posts)
}

// sketches reads those of some posts, in no order. Damaged ones are left out.
func (t *txn) sketches(posts []nearPost) (*nearDay, error) {
	slices.SortFunc(posts, func(a, b nearPost) int { return a.id.Compare(b.id) })
	rows := stepper{c: t.b[bItems].Cursor()}
	for i := range posts {
		var err error
		p := &posts[i]
		if p.record, p.source, err = rowPlace(rows.get(p.id[:])); err != nil {
			return nil, damaged(part("catalog: item "+p.id.String()), err)
		}
	}
	slices.SortFunc(posts, func(a, b nearPost) int { return cmp.Compare(a.record, b.record) })
	d := &nearDay{}
	for len(posts) > 0 && posts[0].record < t.first {
		v, err := t.s.volume(posts[0].record)
		if err != nil {
			return nil, err
		}
		n := 1
		for ; n < len(posts) && posts[n].record < t.first; n++ {
			if next, err := t.s.volume(posts[n].record); err != nil || next != v {
				break
			}
		}
		if err := t.loadSketches(d, v, posts[:n]); err != nil {
			return nil, err
		}
		posts = posts[n:]
	}
	for _, p := range posts { // of this commit
		if s := t.fresh[p.record]; s != nil && s.Words > 0 {
			d.add(p.id, p.source, s)
		}
	}
	return d, nil
}

// loadSketches reads the sketches of posts from one volume.
func (t *txn) loadSketches(d *nearDay, v *volume, posts []nearPost) error {
	err := v.view(func(tx *bbolt.Tx) error {
		records := stepper{c: tx.Bucket(bucketLog).Cursor()}
		for _, p := range posts {
			s, err := sketchOf(p.record, records.get(be64(p.record)))
			if _, lost := v.lost[p.record]; lost { // that is known
				continue
			}
			if err != nil {
				t.s.noteDamage(damaged(v.at(p.record), err))
			} else if s.Words > 0 {
				d.add(p.id, p.source, &s)
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrCorrupt) {
		t.s.noteDamage(err)
		return nil
	}
	return err
}

// stepper gets values of keys that ascend and mostly lie close to each other: then
// some steps are cheaper than a search from the root.
type stepper struct {
	c          *bbolt.Cursor
	key, value []byte // where it stands
}

// get is the value of a key, or nil.
func (s *stepper) get(key []byte) []byte {
	const steps = 8
	for range steps {
		if s.key == nil || bytes.Compare(s.key, key) >= 0 {
			break
		}
		s.key, s.value = s.c.Next()
	}
	if !bytes.Equal(s.key, key) {
		if s.key, s.value = s.c.Seek(key); !bytes.Equal(s.key, key) {
			return nil
		}
	}
	return s.value
}

// sketchOf is what a record's header has of a sketch.
func sketchOf(seq uint64, record []byte) (s store.Sketch, err error) {
	f, err := unframe(seq, record)
	if err != nil {
		return s, err
	}
	err = fields(f.head, func(tag uint64, v []byte) error {
		if tag == headSketch {
			s = getSketch(v)
		}
		return nil
	})
	return s, err
}
