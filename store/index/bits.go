package index

import "math/bits"

// set is a set of versions by their numbers: bit n of word n/64. A missing word is
// zero.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) has(n uint32) bool { return int(n>>6) < len(s) && s[n>>6]&(1<<(n&63)) != 0 }

func (s set) add(n uint32) { s[n>>6] |= 1 << (n & 63) }

func (s set) remove(n uint32) { s[n>>6] &^= 1 << (n & 63) }

func (s set) and(o set) {
	k := min(len(s), len(o))
	for i, w := range o[:k] {
		s[i] &= w
	}
	clear(s[k:])
}

func (s set) andNot(o set) {
	for i, w := range o[:min(len(s), len(o))] {
		s[i] &^= w
	}
}

func (s set) or(o set) {
	for i, w := range o[:min(len(s), len(o))] {
		s[i] |= w
	}
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// clone copies s to a set for at least n versions.
func (s set) clone(n int) set {
	c := make(set, max(len(s), (n+63)/64))
	copy(c, s)
	return c
}

// all calls yield for each member in order until it returns false.
func (s set) all(yield func(uint32) bool) {
	for i, w := range s {
		for w != 0 {
			if !yield(uint32(i<<6 + bits.TrailingZeros64(w))) {
				return
			}
			w &= w - 1
		}
	}
}

// fill adds all numbers below n.
func (s set) fill(n int) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	s.trim(n)
}

// trim removes all numbers from n on.
func (s set) trim(n int) {
	for i := n >> 6; i < len(s); i++ {
		if i == n>>6 {
			s[i] &= 1<<(n&63) - 1
		} else {
			s[i] = 0
		}
	}
}
