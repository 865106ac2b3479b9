package index

import (
	"cmp"
	"slices"
)

func sortPlaces(list []place) {
	slices.SortFunc(list, func(a, b place) int { return cmp.Compare(a.at, b.at) })
}

// longestPhrase is the most words that a term may have (feed/query).
const longestPhrase = 32

// within reports whether a place of a and one of b are in one column with fewer
// than distance words between them, neither inside the other. Both are in order.
func within(a, b []place, distance int) bool {
	j, far := 0, int64(distance)
	for _, p := range a {
		at := int64(p.at)
		for j < len(b) && int64(b[j].at)+longestPhrase+far < at {
			j++
		}
		for _, q := range b[j:] {
			other := int64(q.at)
			if other > at+int64(p.words)+far {
				break
			}
			if p.at>>columnBits != q.at>>columnBits {
				continue
			}
			gap := other - at - int64(p.words)
			if other < at {
				gap = at - other - int64(q.words)
			}
			if gap >= 0 && gap < far {
				return true
			}
		}
	}
	return false
}
