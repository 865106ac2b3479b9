package bolt

import (
	"slices"

	"chancery/feed"
	"chancery/store"
)

// sighting is what the catalog says of a draft.
type sighting struct {
	id   feed.ItemID // the item that it is; zero: none
	row  row
	same bool // nothing of it will be recorded, but for new keys
}

// outcome is that of a draft by which nothing of an item changes.
func (sg *sighting) outcome() store.Outcome {
	return store.Outcome{ID: sg.id, State: store.Same, Revision: int(sg.row.revisions), Story: sg.row.story}
}

// find looks for the item that a draft is, by its keys within the source, strongest first.
func (c *catalogTx) find(num uint32, d *store.Draft) (sighting, error) {
	return c.findBy(num, d.Keys, d)
}

// findBy is find by other keys than the draft's own.
func (c *catalogTx) findBy(num uint32, keys []store.Key, d *store.Draft) (sighting, error) {
	for _, k := range keys {
		if v := c.b[bKeys].Get(keyRow(num, k)); v != nil {
			if len(v) != len(feed.ItemID{}) {
				return sighting{}, damaged(part("catalog: keys"), errShort)
			}
			return c.sight(feed.ItemID(v), d)
		}
	}
	return sighting{}, nil
}

// flips is how many revisions back a version is still recognized: a post that
// changes to and fro between a few states does not grow (PEERS part 5, 56).
const flips = 16

func (c *catalogTx) sight(id feed.ItemID, d *store.Draft) (sighting, error) {
	r, err := c.mustRow(id)
	same := slices.Contains(r.versions, markOf(d.Version))
	if same && c.isLost != nil && c.isLost(r.last) { // it can be kept once more
		same = false
	}
	return sighting{id: id, row: r, same: r.takenDown || same}, err
}

// readAgain sees draft i of a document that was kept as what a newer parser reads:
// its bytes name the item, whatever its keys are by now, and only an entry equal in
// all its fields is the same, dates included.
func (a *arrival) readAgain(i int, sg sighting) (sighting, error) {
	d := &a.in.batch.Drafts[i]
	if d.Part >= 0 {
		if p, _ := a.part(a.num, a.in.rawPlan.digests[d.Part]); !p.item.IsZero() && p.item != sg.id {
			var err error
			if sg, err = a.sight(p.item, d); err != nil {
				return sg, err
			}
		}
	}
	if sg.id.IsZero() || sg.row.takenDown || sg.row.last > a.s.end { // not written yet: another entry of this document
		return sg, nil
	}
	var err error
	sg.same, err = a.s.sameEntry(sg.row.last, d)
	return sg, err
}

// regenerated finds the items that drafts are when the ids of a whole feed changed
// (CONFORMANCE P-69): no draft is known by its keys and no entry by its bytes, but
// at least two drafts and half of all by their URL or text, in the same source.
func (t *txn) regenerated(num uint32, in *intake) ([]feed.ItemID, error) {
	drafts := in.batch.Drafts
	out := make([]feed.ItemID, len(drafts))
	if len(in.seen) > 0 || len(drafts) < 2 {
		return out, nil
	}
	for i := range drafts {
		if drafts[i].Recorded != nil {
			return out, nil // an export tells its items apart
		}
		for _, k := range drafts[i].Keys {
			if t.b[bKeys].Get(keyRow(num, k)) != nil {
				return out, nil
			}
		}
	}
	hits := 0
	used := map[feed.ItemID]bool{}
	for i := range drafts {
		for _, k := range drafts[i].Story {
			id, ok, err := t.firstWith(k)
			if err != nil {
				return nil, err
			}
			if !ok || used[id] {
				continue
			}
			r, err := t.mustRow(id)
			if err != nil {
				return nil, err
			}
			if r.source == num {
				out[i] = id
				used[id] = true
				hits++
				break
			}
		}
	}
	if hits < 2 || 2*hits < len(drafts) {
		return make([]feed.ItemID, len(drafts)), nil
	}
	return out, nil
}
