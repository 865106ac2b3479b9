package identify

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"chancery/feed/text"
	"chancery/store"
)

// shingle is how many words stand in one feature of a post. Four words in a row
// seldom repeat by chance and survive small edits (FIGURES part 2.3).
const shingle = 4

// sketch is a one-permutation MinHash: each shingle's hash chooses one of 128
// bins by its upper bits and the least hash of a bin stands for it. A bin that
// no shingle fell into takes its value from the next filled one, mixed with the
// distance (densification by rotation), so that sketches of short posts stay
// comparable. Posts under 40 words get none: for them only exact text counts.
func sketch(body *text.Row) store.Sketch {
	var s store.Sketch
	if len(body.Words) < minBodyWords {
		return s
	}
	s.Words = len(body.Words)
	const bins = len(s.Values)
	var least [bins]uint64
	var filled [bins]bool
	var last [shingle]uint64 // the words of the shingle, by their place modulo its length
	for i := range body.Words {
		last[i%shingle] = xxhash.Sum64(body.Word(i))
		if i < shingle-1 {
			continue
		}
		var h uint64
		for j := i + 1; j <= i+shingle; j++ {
			h = (bits.RotateLeft64(h, 17) ^ last[j%shingle]) * 0x9e3779b97f4a7c15
		}
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 29
		bin := h >> (64 - 7)
		if !filled[bin] || h < least[bin] {
			filled[bin], least[bin] = true, h
		}
	}
	for i := range bins {
		j, d := i, uint64(0)
		for !filled[j] {
			j, d = (j+1)%bins, d+1
		}
		h := (least[j] + d*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
		s.Values[i] = uint8(h >> 56)
	}
	return s
}
