package bolt

import (
	"chancery/feed"
	"chancery/store"
)

// keysOf are the keys that a draft is known by within its source.
func (a *arrival) keysOf(i int) []store.Key {
	if name := a.in.drafts[i].name; name != nil {
		return name.Keys
	}
	return a.in.batch.Drafts[i].Keys
}

// weighed sees to it that a draft was compared with an item's newest version.
func (a *arrival) weighed(i int, sg *sighting) error {
	d, r := &a.in.batch.Drafts[i], &a.in.drafts[i]
	if r.against == sg.row.last {
		return nil
	}
	if was := a.entries[sg.id]; was != nil { // another entry of this batch, or somebody was faster
		r.against = sg.row.last
		r.compare(d, was)
		return nil
	}
	return a.s.weigh(r, d, sg.row.last)
}

// apart finds the item that a draft is whose key is an item's that it is not: publishers
// give ids away a second time, and some have one for all (CONFORMANCE P-68). The first
// item keeps the id, the other is known by id and address.
func (a *arrival) apart(i int, sg sighting) (sighting, error) {
	d, r := &a.in.batch.Drafts[i], &a.in.drafts[i]
	if err := a.weighed(i, &sg); err != nil {
		return sg, err
	}
	if r.name != r.apart {
		r.name, r.pack = r.apart, nil // it was packed under the other name
	}
	if r.name == nil {
		return sg, nil
	}
	return a.findBy(a.num, r.name.Keys, d)
}

// moved finds the item that a new draft is under another id: its source has the very
// text, of the same instant, and does not carry it any more under the id of before
// (CONFORMANCE P-69). A publisher who changes the address of a post often changes an id
// with it that was made of that.
func (a *arrival) moved(i int) (sighting, error) {
	d := &a.in.batch.Drafts[i]
	if d.Sketch.Words == 0 || d.Entry.Published.IsZero() { // few words come again
		return sighting{}, nil
	}
	for _, k := range d.Story {
		if k.Class != store.KeyText {
			continue
		}
		id, ok, err := a.firstWith(k)
		if err != nil || !ok {
			return sighting{}, err
		}
		sg, err := a.sight(id, d)
		if err != nil || sg.row.source != a.num || sg.row.effective != effective(d, instant(sg.row.firstSeen)) {
			return sighting{}, err
		}
		if carried, err := a.carries(id, i); err != nil || carried {
			return sighting{}, err
		}
		return sg, nil
	}
	return sighting{}, nil
}

// carries reports whether a batch has an item by another entry than draft but.
func (a *arrival) carries(id feed.ItemID, but int) (bool, error) {
	for _, i := range a.in.seen {
		if p, _ := a.part(a.num, a.in.rawPlan.digests[i]); p.item == id {
			return true, nil
		}
	}
	for i := range a.in.batch.Drafts {
		if i == but {
			continue
		}
		if sg, err := a.find(a.num, &a.in.batch.Drafts[i]); err != nil || sg.id == id {
			return true, err
		}
	}
	return false, nil
}
