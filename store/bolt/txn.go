package bolt

import (
	"encoding/json"
	"time"

	"chancery/feed"
	"chancery/store"
)

// pending is a record that is decided but not yet numbered into the volume.
type pending struct {
	h     header
	pack  *packed
	plain []byte       // for what the catalog derives from a body
	draft *store.Draft // that it was made of, or nil
	name  *store.Name  // what it is known by instead of what it says, or nil
	elect bool         // it is to become its story's original
}

// txn is one group commit in the making.
type txn struct {
	*catalogTx
	s     *Store
	live  *volume
	first uint64 // number of the first record
	next  uint64
	recs  []entry
	fresh map[uint64]*store.Sketch // of records that are not written yet
	made  map[uint64]feed.ItemID   // the items of these records
	// entries are the newest of the items that this commit makes or revises.
	entries map[feed.ItemID]*feed.Entry
	drafts  []*recentBody // of what is written, for followers
	drafted []uint64      // their records
	size    int
	now     time.Time
	dirty   bool // something was changed: if the job fails now, the whole group is undone
}

// emit numbers, applies and frames a record.
func (t *txn) emit(p *pending) error {
	t.dirty = true
	p.h.seq = t.next
	t.next++
	t.note(&p.h)
	if err := t.apply(&p.h, nil, func() ([]byte, error) { return p.plain, nil }); err != nil {
		return err
	}
	return t.write(p)
}

// note keeps item and sketch of a record at hand until it can be read.
func (t *txn) note(h *header) {
	if t.made == nil {
		t.made = map[uint64]feed.ItemID{}
	}
	t.made[h.seq] = h.item
	if h.sketch.Words > 0 {
		if t.fresh == nil {
			t.fresh = map[uint64]*store.Sketch{}
		}
		t.fresh[h.seq] = &h.sketch
	}
}

func (t *txn) write(p *pending) error {
	head := p.h.encode()
	if err := t.grow(p.h.seq, p.h.kind, head, p.h.time); err != nil {
		return err
	}
	b := frame(p.h.seq, p.h.kind, head, p.pack)
	t.recs = append(t.recs, entry{p.h.seq, b})
	t.size += len(b)
	if p.draft != nil {
		held := newRecentBody(p.draft, p.pack.size)
		if p.name != nil {
			held.native, held.method = p.name.Native, p.name.Method
		}
		t.drafts = append(t.drafts, held)
		t.drafted = append(t.drafted, p.h.seq)
	}
	return nil
}

// jsonRecord makes a record whose body is JSON.
func (t *txn) jsonRecord(h header, v any) (*pending, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	p := &pending{h: h, plain: plain}
	p.pack, p.h.content = pack(plain, t.live.dictionary())
	return p, nil
}
