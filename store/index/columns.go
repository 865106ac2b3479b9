package index

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"time"

	"chancery/feed"
)

// What conditions, orders and facets ask is kept in memory, in columns by the
// version's number. A search works on a [view], which never changes; a batch makes
// a new one that shares the chunks it did not touch.

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

// fixed is what never changes of a version. Times are nanoseconds since 1970. There
// are as many as posts, so that its size counts: 48 bytes.
type fixed struct {
	id        feed.ItemID
	effective int64
	known     int64  // when this version was committed
	source    uint32 // index into view.sources
	revision  uint32
	firstSeen uint32 // index into view.seen; 0: when it was committed, as of most
	words     uint16 // of the text; at most
	langBits  uint16 // index into view.langs, and whether there is an enclosure
}

const (
	bitEnclosure = 1 << 15
	maxLangs     = bitEnclosure - 1
)

func (fx *fixed) lang() uint16    { return fx.langBits &^ bitEnclosure }
func (fx *fixed) enclosure() bool { return fx.langBits&bitEnclosure != 0 }

// state is what later records change.
type state struct {
	tags      uint32 // offset into view.tags
	story     uint32 // 0: the item tells a story of its own; else number of view.stories
	older     uint32 // the version before of the item, as number + 1; 0: none
	newer     uint32
	dead      bool // taken down, or read again by a newer parser
	duplicate bool // another item told the story first
}

type chunk struct {
	fixed *[chunkSize]fixed
	state *[chunkSize]state
}

// langSets is of how many languages the versions are kept as sets. Publishers can
// say any language, so more are searched for when asked.
const langSets = 64

// view is the columns at one moment.
type view struct {
	n       int // versions
	chunks  []chunk
	tags    []uint16 // lists: number of tags, then topic<<1 | about each
	seen    []int64  // when items were first seen, where it differs; from 1
	order   []uint32 // by effective time, then id
	live    set      // not dead
	newest  set      // live, and the newest of their item
	byLang  []set    // by number of the language, of the first langSets
	sources []sourceName
	langs   []string
	topics  []feed.TopicID
	stories []feed.ItemID // from 1
	retags  int           // rises when tags of a known item change
	items   int64
}

type sourceName struct {
	id    feed.SourceID
	title string
}

func (v *view) fixed(n uint32) *fixed { return &v.chunks[n>>chunkBits].fixed[n&(chunkSize-1)] }
func (v *view) state(n uint32) *state { return &v.chunks[n>>chunkBits].state[n&(chunkSize-1)] }

// seenAt is when the item of a version was first seen.
func (v *view) seenAt(fx *fixed) int64 {
	if fx.firstSeen == 0 {
		return fx.known
	}
	return v.seen[fx.firstSeen]
}

// tagsOf is the tags of a version's item.
func (v *view) tagsOf(n uint32) []uint16 {
	at := v.state(n).tags
	return v.tags[at+1 : at+1+uint32(v.tags[at])]
}

// before is the order of hits: by effective time, then by id.
func (v *view) compare(a, b uint32) int {
	x, y := v.fixed(a), v.fixed(b)
	return cmp.Or(cmp.Compare(x.effective, y.effective), slices.Compare(x.id[:], y.id[:]), cmp.Compare(x.revision, y.revision), cmp.Compare(a, b))
}

// span is the part of order with from ≤ effective time < to; zero is no bound.
func (v *view) span(from, to time.Time) (int, int) {
	a, b := 0, len(v.order)
	if !from.IsZero() {
		a = sort.Search(len(v.order), func(i int) bool { return v.fixed(v.order[i]).effective >= nanos(from) })
	}
	if !to.IsZero() {
		b = sort.Search(len(v.order), func(i int) bool { return v.fixed(v.order[i]).effective >= nanos(to) })
	}
	return a, max(a, b)
}

// nanos is t as columns keep it; what is out of range is the nearest that is not.
func nanos(t time.Time) int64 {
	const limit = 9_000_000_000 // seconds: from 1684 to 2255
	return time.Unix(min(max(t.Unix(), -limit), limit), 0).UnixNano() + int64(t.Nanosecond())
}

// edit makes a view that may be changed, as far as [draft] gives leave.
type draft struct {
	view
	own    map[int]bool // chunks whose state was copied
	added  []uint32     // versions to be put into order
	copied bool         // newest and live were
	langs2 map[int]bool // sets of languages that were
	big    int          // capacity of sets, in versions
	lists  map[string]uint32
}

// maxTagLists is of how many lists of tags the place is kept, so that items with the
// same tags share one.
const maxTagLists = 1 << 16

// draft begins a change. lists, which only the writer uses, are the places of lists of
// tags.
func (v *view) draft(more int, lists map[string]uint32) *draft {
	d := &draft{view: *v, own: map[int]bool{}, langs2: map[int]bool{}, big: v.n + more, lists: lists}
	d.chunks = slices.Clone(v.chunks)
	d.byLang = slices.Clone(v.byLang)
	return d
}

// change gives the state of a version for writing.
func (d *draft) change(n uint32) *state {
	k := int(n >> chunkBits)
	if !d.own[k] {
		c := *d.chunks[k].state
		d.chunks[k].state = &c
		d.own[k] = true
	}
	return d.state(n)
}

func (d *draft) sets() {
	if !d.copied {
		d.live, d.newest = d.live.clone(d.big), d.newest.clone(d.big)
		d.copied = true
	}
}

// add takes in a version. Its fixed part is written in place: no view reads what
// lies behind its n.
func (d *draft) add(f fixed, s state) uint32 {
	n := uint32(d.n)
	k := int(n >> chunkBits)
	if k == len(d.chunks) {
		d.chunks = append(d.chunks, chunk{new([chunkSize]fixed), new([chunkSize]state)})
		d.own[k] = true
	}
	d.chunks[k].fixed[n&(chunkSize-1)] = f
	d.n++
	*d.change(n) = s
	d.sets()
	if !s.dead {
		d.live.add(n)
	}
	if l := int(f.lang()); l < len(d.byLang) {
		if !d.langs2[l] {
			d.byLang[l] = d.byLang[l].clone(d.big)
			d.langs2[l] = true
		}
		d.byLang[l].add(n)
	}
	d.added = append(d.added, n)
	return n
}

// refresh sets what follows from a version's own state and its neighbors.
func (d *draft) refresh(n uint32) {
	d.sets()
	s := d.state(n)
	if s.dead {
		d.live.remove(n)
	}
	if !s.dead && s.newer == 0 {
		d.newest.add(n)
	} else {
		d.newest.remove(n)
	}
}

// done is the view as changed.
func (d *draft) done() *view {
	slices.SortFunc(d.added, d.compare)
	if k := len(d.added); k > 0 {
		if len(d.order) == 0 || d.compare(d.order[len(d.order)-1], d.added[0]) < 0 {
			d.order = append(d.order, d.added...)
		} else {
			merged := make([]uint32, 0, (len(d.order)+k)*17/16)
			old := d.order
			for _, n := range d.added {
				i := sort.Search(len(old), func(i int) bool { return d.compare(old[i], n) > 0 })
				merged = append(append(merged, old[:i]...), n)
				old = old[i:]
			}
			d.order = append(merged, old...)
		}
	}
	v := d.view
	return &v
}

// setTags gives a list of tags its place.
func (d *draft) setTags(tags []uint16) uint32 {
	key := make([]byte, 0, 32)
	for _, t := range tags {
		key = binary.LittleEndian.AppendUint16(key, t)
	}
	if at, ok := d.lists[string(key)]; ok {
		return at
	}
	at := uint32(len(d.tags))
	d.tags = append(append(d.tags, uint16(len(tags))), tags...)
	if len(d.lists) < maxTagLists {
		d.lists[string(key)] = at
	}
	return at
}

// times sets when a version was committed and its item first seen.
func (d *draft) times(fx *fixed, seen, known int64) {
	fx.known, fx.firstSeen = known, 0
	if seen == known {
		return
	}
	if len(d.seen) == 0 {
		d.seen = append(d.seen, 0)
	}
	fx.firstSeen = uint32(len(d.seen))
	d.seen = append(d.seen, seen)
}

// addLang gives a language its number.
func (d *draft) addLang(name string) {
	d.langs = append(d.langs, name)
	if len(d.byLang) < langSets {
		d.byLang = append(d.byLang, nil)
	}
}
