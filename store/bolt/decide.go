package bolt

import (
	"errors"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// decide says what draft i is and makes its record, nil if there is none.
func (a *arrival) decide(i int, sg sighting) (*pending, store.Outcome, error) {
	a.held = false
	d := &a.in.batch.Drafts[i]
	var keys []store.Key // that are new
	for _, k := range a.keysOf(i) {
		if a.b[bKeys].Get(keyRow(a.num, k)) == nil {
			keys = append(keys, k)
		}
	}
	told, err := a.toldBefore(d, sg)
	if err != nil {
		return nil, store.Outcome{}, err
	}
	same := sg.outcome()
	if sg.same {
		p, err := a.knownBy(keys, told.keys, &sg)
		return p, same, err
	}
	if !sg.id.IsZero() && !a.in.batch.Reparsed && a.line.past(d) == nil {
		if a.held, err = a.tooManyRevisions(&sg, a.in.batch.From, a.at); err != nil || a.held {
			a.in.held = a.in.held || a.held
			return nil, same, err
		}
	}
	h := header{
		time: nanos(a.at), source: a.in.source, item: sg.id, keys: keys, storyKeys: told.keys, raw: a.doc,
		version: d.Version, language: d.Entry.Language, rules: d.RuleSet, sketch: d.Sketch, bytes: d.Entry.Bytes,
	}
	if a.in.drafts[i].pack == nil || a.in.volume != a.live.number {
		a.in.packDraft(i, a.live, 0)
	}
	r := &a.in.drafts[i]
	h.content = r.content
	if d.Part >= 0 {
		digest := a.in.rawPlan.digests[d.Part]
		if old, _ := a.part(a.num, digest); old.item.IsZero() || old.seq == 0 || r.kept {
			h.part, h.partKept = digest, r.kept
		}
	}
	o := store.Outcome{State: store.Revised}
	if sg.id.IsZero() {
		o.State, err = a.create(&h, i, told.story)
	} else {
		err = a.revise(&h, i, &sg)
	}
	if err != nil {
		return nil, store.Outcome{}, err
	}
	o.ID, o.Revision, o.Story = h.item, int(h.revision), h.story
	if o.State == store.New {
		o.Story = h.item
	}
	if a.entries == nil {
		a.entries = map[feed.ItemID]*feed.Entry{}
	}
	a.entries[h.item] = &d.Entry
	return &pending{h: h, pack: r.pack, draft: d, name: r.name, elect: told.elect}, o, nil
}

// knownBy is the record of further keys of an item that is as it was, nil if there are
// none.
func (a *arrival) knownBy(keys, storyKeys []store.Key, sg *sighting) (*pending, error) {
	if len(keys)+len(storyKeys) == 0 {
		return nil, nil
	}
	h := header{
		kind: store.KindSeen, time: nanos(a.at), source: a.in.source, item: sg.id, keys: keys, storyKeys: storyKeys,
		firstSeen: nanos(a.at),
	}
	if a.in.batch.Reparsed {
		h.firstSeen = sg.row.lastSeen
	}
	return a.jsonRecord(h, editBody{Reason: "known by further keys"})
}

// create makes a header that of a new item. story is the one that a key says it tells,
// or zero: then it is what the nearest text tells, if any is near enough.
func (a *arrival) create(h *header, i int, story feed.ItemID) (state store.State, err error) {
	d := &a.in.batch.Drafts[i]
	first := a.at
	if !d.FirstSeen.IsZero() {
		first = d.FirstSeen.UTC()
	}
	h.firstSeen, h.effective = nanos(first), effective(d, first)
	native := d.Native
	if name := a.in.drafts[i].name; name != nil {
		native = name.Native
	}
	if h.item, err = a.newID(d.ID, native, a.in.created, first, a.in.source); err != nil {
		return state, err
	}
	a.in.created++
	if err := a.countItem(a.num, a.in.source, a.at); err != nil {
		return state, err
	}
	h.kind, h.revision, h.tags = store.KindItem, 1, store.Retag(nil, d.Topics)
	if story.IsZero() && h.sketch.Words > 0 {
		id, ok, err := a.nearest(a.num, h.effective, &h.sketch, a.in.sketchesBut(i), func(other uint32) bool { return a.tellsApart(d, other) })
		if err != nil {
			return state, err
		}
		if ok {
			r, err := a.mustRow(id)
			if err != nil {
				return state, err
			}
			story = r.story
		}
	}
	if story.IsZero() {
		return store.New, nil
	}
	h.story = story
	return store.Duplicate, nil
}

// revise makes a header that of a further version of an item.
func (a *arrival) revise(h *header, i int, sg *sighting) error {
	d, r := &a.in.batch.Drafts[i], &a.in.drafts[i]
	h.kind, h.revision, h.story, h.prev = store.KindRevision, sg.row.revisions+1, sg.row.story, sg.row.last
	h.firstSeen, h.effective = h.time, effective(d, instant(sg.row.firstSeen))
	h.tags = store.Retag(tagsOf(&sg.row, a.label), d.Topics)
	if a.s.isLost(sg.row.first) { // a catalog that is made anew has the keys from here
		h.keys = slices.Clone(a.keysOf(i))
	}
	if a.in.batch.Reparsed {
		h.kind = store.KindReparsed
		return nil
	}
	if a.line.past(d) != nil { // an export says what it is
		return nil
	}
	if err := a.weighed(i, sg); err != nil {
		return err
	}
	h.trivial = r.trivial || a.isLost(sg.row.last) && slices.Contains(sg.row.versions, markOf(d.Version)) // it says it again
	return nil
}

// effective is the date by which a draft is sorted, as an item first seen then.
func effective(d *store.Draft, firstSeen time.Time) int64 {
	it := feed.Item{Entry: d.Entry, FirstSeen: firstSeen}
	return nanos(it.Effective())
}

// newID makes the id of a new item, the one that is wished for if it is free: the
// created-th new one of its batch: counted so, a
// document gives the same ids whether known entries are handed over with it or not.
func (t *txn) newID(id feed.ItemID, native string, created int, first time.Time, source feed.SourceID) (feed.ItemID, error) {
	for n := range 1 << 16 {
		if !id.IsZero() && t.b[bItems].Get(id[:]) == nil {
			return id, nil
		}
		id = feed.NewItemID(first, uint16(created+n), source, native)
	}
	return id, errors.New("no free id for an item: 65536 of one native id and millisecond")
}
