package bolt

import (
	"sync"
	"sync/atomic"

	"chancery/feed"
	"chancery/store"
)

// heldBytes bounds what recent holds, and heldEach is counted for each body
// beside its bytes.
const (
	heldBytes = 8 << 20
	heldEach  = 512
)

// recent holds the bodies of the records that were committed last, as they came, so
// that those who follow the log need not unpack them. Its zero value holds nothing
// until somebody follows. It is safe for concurrent use.
type recent struct {
	followed atomic.Bool
	mu       sync.Mutex // guards what follows
	bodies   map[uint64]*recentBody
	order    []uint64 // of bodies, oldest first
	size     int
}

// recentBody is what decodeBody would give for a record, the bytes of the recipe
// left out. Nobody changes it.
type recentBody struct {
	native, method string
	entry          feed.Entry
	texts          *store.Texts
	size           int
}

// newRecentBody is that of a draft whose plain body has some bytes: those count, so that
// what an entry has beside its texts counts, too.
func newRecentBody(d *store.Draft, plain int) *recentBody {
	b := &recentBody{native: d.Native, method: d.Method, entry: d.Entry, texts: d.Texts}
	b.size = heldEach + plain
	if t := d.Texts; t != nil {
		b.size += len(t.Title) + len(t.Content)
		if t.Summary != t.Content {
			b.size += len(t.Summary)
		}
	}
	return b
}

// get gives the body of a record if it is held.
func (r *recent) get(seq uint64) *recentBody {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies[seq]
}

// add holds the bodies of a commit.
func (r *recent) add(seqs []uint64, bodies []*recentBody) {
	if !r.followed.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bodies == nil {
		r.bodies = map[uint64]*recentBody{}
	}
	for i, b := range bodies {
		r.bodies[seqs[i]] = b
		r.order = append(r.order, seqs[i])
		r.size += b.size
	}
	n := 0
	for ; r.size > heldBytes && n < len(r.order); n++ {
		r.size -= r.bodies[r.order[n]].size
		delete(r.bodies, r.order[n])
	}
	r.order = append(r.order[:0], r.order[n:]...)
}

// forget lets go of all.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies, r.order, r.size = nil, nil, 0
}
