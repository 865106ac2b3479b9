package bolt

import (
	"bytes"
	"encoding/binary"

	"chancery/feed"
)

// asideBuckets are those whose rows come in no order, most of a catalog, and that apply
// only writes. While a catalog is made anew they are not in its tree but aside, sorted,
// until all is there.
var asideBuckets = map[int]bool{bRevs: true, bKeys: true, bStory: true, bByDate: true, bBySource: true, bParts: true, bDocs: true}

// The changes to rows of asideBuckets.
const (
	rowPut   rowChange = iota // it gets a value
	rowFirst                  // it gets a value if it has none
	rowGone                   // it is taken away
	rowPart                   // of parts: a record has the bytes, or they are an item's
	rowSeen                   // of parts and, by item, of sightings: seen again at an instant
)

// aside is what a catalog that is made anew does not put into its tree.
type aside struct {
	rows sorted
	// seen has when items were seen again. Which items a document has is known when
	// parts are in order, so the rows of items are not what they will be until then.
	seen sorted
	gone map[uint64]uint64 // documents that were let go: by which record
}

func newAside(dir string) *aside {
	return &aside{rows: newSorted(dir), seen: newSorted(dir), gone: map[uint64]uint64{}}
}

func (a *aside) put(bucket int, k, v []byte) error      { return a.rows.add(bucket, rowPut, k, v) }
func (a *aside) putFirst(bucket int, k, v []byte) error { return a.rows.add(bucket, rowFirst, k, v) }

func (a *aside) remove(bucket int, k []byte) error { return a.rows.add(bucket, rowGone, k, nil) }

// addPart is catalogTx.addPart.
func (a *aside) addPart(k []byte, p partRow) error { return a.rows.add(bParts, rowPart, k, p.encode()) }

// seePart notes that whatever item an entry's bytes are was seen.
func (a *aside) seePart(k []byte, at int64) error {
	return a.rows.add(bParts, rowSeen, k, be64(uint64(at)))
}

// see is catalogTx.see.
func (a *aside) see(id feed.ItemID, at int64) error {
	return a.seen.add(bItems, rowSeen, id[:], be64(uint64(at)))
}

// expire notes that documents are let go.
func (a *aside) expire(h *header) {
	for _, seq := range h.records {
		if a.gone[seq] == 0 {
			a.gone[seq] = h.seq
		}
	}
}

func (a *aside) close() {
	a.rows.close()
	a.seen.close()
}

// rows gives rows in the order of their keys; a key of nil is the end.
type rows interface {
	// next gives a row that is good until it is called again.
	next() (k, v []byte, err error)
}

// bucket gives the rows of one of asideBuckets. Those of parts are read before those of items.
func (a *aside) bucket(bucket int) (rows, error) {
	m, err := a.rows.merge(bucket)
	switch bucket {
	case bParts:
		return &partRows{from: m, to: a}, err
	case bDocs:
		return &putRows{from: m, unless: func(v []byte) bool { return a.gone[getSeq(v)] > 0 }}, err
	}
	return &putRows{from: m}, err
}

// putRows are rows that are put and taken away.
type putRows struct {
	from   *merging
	unless func(v []byte) bool // not nil: it is not there after all
	v      []byte
}

func (r *putRows) next() (k, v []byte, err error) {
	for {
		there := false
		k, err = r.from.row(func(what rowChange, v []byte) {
			if what == rowPut || what == rowFirst && !there {
				r.v = append(r.v[:0], v...)
			}
			there = what != rowGone
		})
		if k == nil || err != nil {
			return nil, nil, err
		}
		if there && (r.unless == nil || !r.unless(r.v)) {
			return k, r.v, nil
		}
	}
}

// partRows are those of parts; while they are read, items are seen.
type partRows struct {
	from *merging
	to   *aside
	v    []byte
}

func (r *partRows) next() (k, v []byte, err error) {
	for {
		var p partRow
		there := false
		var failed error
		k, err = r.from.row(func(what rowChange, v []byte) {
			switch {
			case what == rowPart:
				add, _ := decodePart(v)
				if at := r.to.gone[p.seq]; at > 0 && at < add.seq {
					p.seq = 0 // what the record before had was let go
				}
				p.add(add)
				there = there || p != partRow{}
			case !p.item.IsZero() && failed == nil:
				failed = r.to.see(p.item, int64(binary.BigEndian.Uint64(v)))
			}
		})
		if err == nil {
			err = failed
		}
		if k == nil || err != nil {
			return nil, nil, err
		}
		if r.to.gone[p.seq] > 0 {
			p.seq = 0
		}
		if there {
			r.v = append(r.v[:0], p.encode()...)
			return k, r.v, nil
		}
	}
}

// sightings are when items were seen last, by item.
type sightings struct{ from *merging }

// sightings are all there once the rows of parts were read.
func (a *aside) sightings() (sightings, error) {
	m, err := a.seen.merge(bItems)
	return sightings{m}, err
}

// next gives an item's id, nil at the end, and when it was seen.
func (s sightings) next() (id []byte, at int64, err error) {
	first := true
	id, err = s.from.row(func(_ rowChange, v []byte) {
		if seen := int64(binary.BigEndian.Uint64(v)); first || seen > at {
			at = seen
		}
		first = false
	})
	return id, at, err
}

// seenItems are rows of items, with when they were last seen.
type seenItems struct {
	items rows
	seen  sightings
	id    []byte // the next one that was seen, nil at the end
	at    int64
}

// items adds to rows of items what is known of when they were seen.
func (a *aside) items(from rows) (rows, error) {
	seen, err := a.sightings()
	if err != nil {
		return nil, err
	}
	r := &seenItems{items: from, seen: seen}
	r.id, r.at, err = seen.next()
	return r, err
}

func (r *seenItems) next() (k, v []byte, err error) {
	k, v, err = r.items.next()
	for err == nil && k != nil && r.id != nil {
		c := bytes.Compare(r.id, k)
		if c > 0 {
			break
		}
		if c == 0 {
			if v, err = seenAt(v, r.at); err != nil {
				break
			}
		}
		r.id, r.at, err = r.seen.next()
	}
	if err != nil {
		return nil, nil, err
	}
	return k, v, nil
}

// seenAt is a row of an item that was seen at an instant, the same if that is nothing new.
func seenAt(v []byte, at int64) ([]byte, error) {
	r, err := decodeRow(v)
	if err != nil {
		return nil, damaged(part("catalog made anew"), err)
	}
	if r.lastSeen >= at {
		return v, nil
	}
	r.lastSeen = at
	return r.encode(), nil
}
