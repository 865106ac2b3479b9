package publish

import "math/bits"

// members are the stories of a feed, by storyKey, with a print of the item and revision
// that carries each. A feed of everything has as many as the archive, so this is a table
// with open addresses and linear probing: some 16 bytes a story, where a map takes 26 to
// 40. The zero value is empty.
type members struct {
	keys   []uint64 // 0: free
	prints []uint32
	n      int
}

// home is where the search for a key begins: the keys are spread over any number of
// places, as a hash is by its high bits.
func (m *members) home(key uint64) int {
	at, _ := bits.Mul64(key*0x9E3779B97F4A7C15, uint64(len(m.keys)))
	return int(at) //nolint:gosec // below the length
}

// place is where a key is, or where it may be put. The table is never full.
func (m *members) place(key uint64) int {
	i := m.home(key)
	for m.keys[i] != key && m.keys[i] != 0 {
		i = m.after(i)
	}
	return i
}

func (m *members) after(i int) int {
	if i++; i == len(m.keys) {
		return 0
	}
	return i
}

// of gives the print of a story that is in the feed.
func (m *members) of(key uint64) (carrier uint32, ok bool) {
	if m.n == 0 {
		return 0, false
	}
	i := m.place(max(key, 1))
	return m.prints[i], m.keys[i] != 0
}

// put takes a story in, or gives it another print.
func (m *members) put(key uint64, carrier uint32) {
	if 8*(m.n+1) > 7*len(m.keys) {
		old := *m
		size := max(8, len(old.keys)+len(old.keys)/4)
		m.keys, m.prints = make([]uint64, size), make([]uint32, size)
		for i, k := range old.keys {
			if k != 0 {
				at := m.place(k)
				m.keys[at], m.prints[at] = k, old.prints[i]
			}
		}
	}
	key = max(key, 1)
	i := m.place(key)
	if m.keys[i] == 0 {
		m.n++
	}
	m.keys[i], m.prints[i] = key, carrier
}

// drop takes a story out. What stands behind it moves up, so that no search ends early.
func (m *members) drop(key uint64) {
	if m.n == 0 {
		return
	}
	free := m.place(max(key, 1))
	if m.keys[free] == 0 {
		return
	}
	m.n--
	for i := m.after(free); m.keys[i] != 0; i = m.after(i) {
		// One whose home lies behind the free place, up to where it is, stays.
		home := m.home(m.keys[i])
		if free < i && free < home && home <= i || free > i && (free < home || home <= i) {
			continue
		}
		m.keys[free], m.prints[free] = m.keys[i], m.prints[i]
		free = i
	}
	m.keys[free] = 0
}
