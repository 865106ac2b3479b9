package bolt

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Bounds of the search for near-duplicates (HOUSE part 5, FIGURES part 2.3).
const (
	nearDays     = 30      // before and after, by effective date: copies that are backfilled are found, too
	nearMost     = 200_000 // posts looked at for one
	nearEstimate = 0.5     // of the Jaccard similarity: the same post from here on
	nearContain  = 0.8     // of the containment, where sizes are within a factor of two
	nearUnsure   = 0.2     // of the similarity: from here on what is usual for the sources is looked at
)

// dayOf counts days such that those before 1970 sort before.
func dayOf(effective int64) uint32 {
	const day = 24 * 3600 * 1e9
	d := effective / day
	if effective%day < 0 {
		d--
	}
	return uint32(d + 1<<31)
}

// firstOf is the first instant of a day, or the first or last one that there is.
func firstOf(day uint32) int64 {
	const nanos = int64(24 * time.Hour)
	switch d := int64(day) - 1<<31; {
	case d < math.MinInt64/nanos:
		return math.MinInt64
	case d > math.MaxInt64/nanos:
		return math.MaxInt64
	default:
		return d * nanos
	}
}

// nearest finds the post of another source that a new one is a copy of, by what
// their sketches estimate; false if there is none. The most alike wins, of equals
// the one that arrived first.
// What a source has in all its posts is taken out first, of others in the same batch, too.
// Posts of sources that are apart are passed over.
func (t *txn) nearest(num uint32, effective int64, s *store.Sketch, others iter.Seq[*store.Sketch], apart func(source uint32) bool) (id feed.ItemID, ok bool, err error) {
	a0, a1 := binary.LittleEndian.Uint64(s.Values[:]), binary.LittleEndian.Uint64(s.Values[8:])
	best := 0.0
	looked := 0
	t.near.looks++
	usual := habits{t: t, center: dayOf(effective), num: num, others: others}
	for day := range daysAround(usual.center) {
		d, err := t.day(day)
		if err != nil {
			return id, false, err
		}
		looked += len(d.ids)
		// Of 16 values of two copies at least two agree, but for few pairs (estimate asks
		// for them); of two posts that have nothing in common, in one pair of 500.
		look := func(j int) {
			if d.words[j] == 0 || d.sources[j] == num || apart(d.sources[j]) {
				return
			}
			e, unsure := estimate(s, d, j)
			if (e > 0 || unsure) && err == nil {
				e, err = usual.estimate(s, d, j, e)
			}
			if e > best || e == best && ok && d.ids[j].Compare(id) < 0 {
				best, id, ok = e, d.ids[j], true
			}
		}
		if d.lists != nil {
			agree := t.near.counters(len(d.ids))
			for p, v := range s.Values[:16] {
				for _, j := range d.lists[p<<8|int(v)] {
					if agree[j]++; agree[j] == 2 {
						look(int(j))
					}
				}
			}
		} else {
			for j, f := range d.first {
				if twice(f[0]^a0, f[1]^a1) {
					look(j)
				}
			}
		}
		if err != nil {
			return id, false, err
		}
		if looked > nearMost {
			break
		}
	}
	return id, ok, nil
}

// Bits to find a byte that is zero (Mycroft's way; it never misses one).
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// twice reports whether at least two bytes of two words are zero. It may take a byte
// above one that is zero for another, but misses none.
func twice(x, y uint64) bool {
	x, y = (x-ones)&^x&highs, (y-ones)&^y&highs
	x |= y >> 7 // the bits of y beside those of x
	return x&(x-1) != 0
}

// sameBytesIn counts the bytes in which two words agree.
func sameBytesIn(a, b uint64) int {
	x := a ^ b
	// A byte is zero iff neither its low seven bits nor its highest are set.
	x = (x&0x7f7f7f7f7f7f7f7f + 0x7f7f7f7f7f7f7f7f) | x | 0x7f7f7f7f7f7f7f7f
	return bits.OnesCount64(^x)
}

// daysAround are the days in which copies are looked for: the day itself, then further
// and further away.
func daysAround(center uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range uint32(2*nearDays + 1) {
			day := center + (i+1)/2
			if i%2 == 0 {
				day = center - (i+1)/2
			}
			if !yield(day) {
				return
			}
		}
	}
}

// estimate is the similarity of a sketch and another if they are of one post by the
// rule of FIGURES part 2.3; else 0. It is unsure where they have so much in common that
// without what is in every post of a source they may be.
func estimate(s *store.Sketch, d *nearDay, j int) (e float64, unsure bool) {
	same := sameBytesIn(binary.LittleEndian.Uint64(s.Values[:]), d.first[j][0]) +
		sameBytesIn(binary.LittleEndian.Uint64(s.Values[8:]), d.first[j][1])
	if same < 2 {
		return 0, false
	}
	for k := 0; k < len(d.rest[j]); k += 8 {
		same += sameBytesIn(binary.LittleEndian.Uint64(s.Values[16+k:]), binary.LittleEndian.Uint64(d.rest[j][k:]))
	}
	e, jaccard := alike(same, len(s.Values), float64(s.Words), float64(d.words[j]))
	return e, jaccard >= nearUnsure
}

// alike is the rule: of n values of two posts some are the same; a and b are the posts'
// words. jaccard is the estimate, e the same if it is enough, else 0.
func alike(same, n int, a, b float64) (e, jaccard float64) {
	// Values cut to 8 bits agree by chance once in 256.
	const chance = 1.0 / 256
	jaccard = (float64(same)/float64(n) - chance) / (1 - chance)
	switch {
	case jaccard >= nearEstimate:
		return jaccard, jaccard
	case jaccard <= 0 || max(a, b) > 2*min(a, b):
		return 0, jaccard
	case jaccard/(1+jaccard)*(a+b)/min(a, b) >= nearContain:
		return jaccard, jaccard
	}
	return 0, jaccard
}
