package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// sighting is what the catalog says of a draft.
type sighting struct {
	id   feed.ItemID // the item that it is; zero: none
	row  row
	same bool // nothing of it will be recorded, but for new keys
}

// find looks for the item that a draft is, by its keys within the source, strongest first.
func (c *catalogTx) find(num uint32, d *store.Draft) (sighting, error) {
	for _, k := range d.Keys {
		if v := c.b[bKeys].Get(keyRow(num, k)); v != nil {
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
func (t *txn) readAgain(in *intake, i int, num uint32, sg sighting) (sighting, error) {
	d := &in.batch.Drafts[i]
	if d.Part >= 0 {
		if p, _ := t.part(num, in.rawPlan.digests[d.Part]); !p.item.IsZero() && p.item != sg.id {
			var err error
			if sg, err = t.sight(p.item, d); err != nil {
				return sg, err
			}
		}
	}
	if sg.id.IsZero() || sg.row.takenDown || sg.row.last > t.s.end { // not written yet: another entry of this document
		return sg, nil
	}
	var err error
	sg.same, err = t.s.sameEntry(sg.row.last, d)
	return sg, err
}

// pending is a record that is decided but not yet numbered into the volume.
type pending struct {
	h     header
	pack  *packed
	plain []byte       // for what the catalog derives from a body
	draft *store.Draft // that it was made of, or nil
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

// firstWith is the first item that had a key across sources.
func (t *txn) firstWith(k store.Key) (id feed.ItemID, ok bool, err error) {
	b := t.b[bStory].Get(storyRow(k))
	if b == nil {
		return id, false, nil
	}
	seq := getUint(b)
	if id, ok = t.made[seq]; ok {
		return id, true, nil
	}
	v, err := t.s.volume(seq)
	if err != nil {
		return id, false, err
	}
	h, _, err := v.read(seq)
	return h.item, err == nil, t.s.passing(err)
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
		t.drafts = append(t.drafts, newRecentBody(p.draft))
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

// take takes in a batch: decides about each draft and emits the records.
func (t *txn) take(in *intake, at time.Time) ([]store.Outcome, error) {
	if in.batch == nil {
		return nil, nil
	}
	src := t.source(in.source)
	if src == nil {
		return nil, fmt.Errorf("source %q: %w", in.source, store.ErrNotFound)
	}
	num := src.num
	doc := in.batch.Document
	var rawSeq uint64
	rawNew := false
	if doc != nil && doc.Body != nil {
		if v := t.b[bDocs].Get(shortRow(num, shorten(in.doc))); v != nil && !t.isLost(getSeq(v)) {
			rawSeq = binary.BigEndian.Uint64(v)
		} else {
			gone, err := t.withheld(num, in.batch)
			if err != nil {
				return nil, err
			}
			if !gone {
				// Its number comes before those of its items, its content is known after them.
				rawNew, rawSeq = true, t.next
				t.next++
				t.dirty = true
			}
		}
	}
	in.created = 0
	relink, err := t.regenerated(num, in)
	if err != nil {
		return nil, err
	}
	var later []pending
	emit := func(p *pending) error {
		if !rawNew {
			return t.emit(p)
		}
		plain := p.plain
		p.h.seq = t.next
		t.next++
		t.dirty = true
		later = append(later, *p)
		t.note(&p.h)
		return t.apply(&p.h, nil, func() ([]byte, error) { return plain, nil })
	}
	out := make([]store.Outcome, len(in.batch.Drafts))
	var recognized []found
	for i := range in.batch.Drafts {
		d := &in.batch.Drafts[i]
		sg, err := t.find(num, d)
		if err == nil && sg.id.IsZero() && !relink[i].IsZero() {
			sg, err = t.sight(relink[i], d)
		}
		if err == nil && in.batch.Reparsed {
			sg, err = t.readAgain(in, i, num, sg)
		}
		if err != nil {
			return nil, err
		}
		p, o, err := t.decide(in, i, num, sg, rawSeq, at)
		if err != nil {
			return nil, err
		}
		out[i] = o
		if p != nil {
			if err := emit(p); err != nil {
				return nil, err
			}
		}
		if p != nil && p.elect {
			if p, err = t.election(&p.h); err != nil {
				return nil, err
			}
			if err := emit(p); err != nil {
				return nil, err
			}
		}
		if o.State == store.Same && !in.batch.Reparsed && nanos(at) > sg.row.lastSeen {
			t.dirty = true
			if err := t.see(o.ID, nanos(at)); err != nil {
				return nil, err
			}
		}
		if d.Part >= 0 {
			digest := in.rawPlan.digests[d.Part]
			if old, _ := t.part(num, digest); old.item.IsZero() {
				t.dirty = true
				if err := t.addPart(num, digest, 0, o.ID); err != nil {
					return nil, err
				}
				recognized = append(recognized, found{d.Part, o.ID})
			}
		}
	}
	if rawNew {
		if err := t.finishRaw(in, num, rawSeq, recognized, at); err != nil {
			return nil, err
		}
		for i := range later {
			if err := t.write(&later[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, i := range in.seen {
		if p, ok := t.part(num, in.rawPlan.digests[i]); ok && !p.item.IsZero() {
			t.dirty = true
			if err := t.see(p.item, nanos(at)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// withheld reports whether a document carries a post that was taken down and whose
// bytes cannot be left out, because the entries could not be told apart.
func (t *txn) withheld(num uint32, b *store.Batch) (bool, error) {
	if len(b.Document.Parts) > 0 {
		return false, nil
	}
	if slices.Contains(b.Document.Repairs, store.Unreadable) {
		return t.takenDownOf(num)
	}
	for i := range b.Drafts {
		if sg, err := t.find(num, &b.Drafts[i]); err != nil || sg.row.takenDown {
			return true, err
		}
	}
	return false, nil
}

// takenDownOf reports whether any item of a source was taken down.
func (t *txn) takenDownOf(num uint32) (bool, error) {
	prefix := num4(num)
	cur := t.b[bBySource].Cursor()
	for k, _ := cur.Seek(prefix); len(k) == 28 && bytes.HasPrefix(k, prefix); k, _ = cur.Next() {
		if r, _, err := t.row(feed.ItemID(k[12:])); err != nil || r.takenDown {
			return true, err
		}
	}
	return false, nil
}

// finishRaw makes the record of a document, now that it is known which of its
// parts the records of its items carry.
func (t *txn) finishRaw(in *intake, num uint32, seq uint64, recognized []found, at time.Time) error {
	stored := make([]bool, len(in.rawPlan.digests))
	good := in.raw != nil && in.volume == t.live.number
	inline := map[short]bool{}
	for _, i := range in.rawPlan.inline {
		inline[in.rawPlan.digests[i]] = true
	}
	for i, d := range in.rawPlan.digests {
		p, _ := t.part(num, d)
		stored[i] = p.seq > 0
		if !p.item.IsZero() {
			r, err := t.mustRow(p.item)
			if err != nil {
				return err
			}
			if r.takenDown { // a post that was taken down stays away
				stored[i] = true
				good = good && !inline[d]
			}
		}
		good = good && (stored[i] || inline[d])
	}
	if !good {
		in.packRaw(t.live, stored)
	}
	p := pending{
		h: header{
			seq: seq, kind: store.KindRaw, time: nanos(at), source: in.source, content: in.content, doc: in.doc,
			parts: in.rawPlan.digests, found: recognized, inline: in.rawPlan.inline,
		},
		pack: in.raw,
	}
	if err := t.apply(&p.h, nil, nil); err != nil {
		return err
	}
	return t.write(&p)
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

// decide says what a draft is and makes its record, nil if there is none.
func (t *txn) decide(in *intake, i int, num uint32, sg sighting, raw uint64, at time.Time) (*pending, store.Outcome, error) {
	d := &in.batch.Drafts[i]
	h := header{time: nanos(at), source: in.source, item: sg.id}
	for _, k := range d.Keys {
		if t.b[bKeys].Get(keyRow(num, k)) == nil {
			h.keys = append(h.keys, k)
		}
	}
	var copyOf feed.ItemID // the story that another source tells
	elect := false
	for _, k := range d.Story {
		if t.b[bStory].Get(storyRow(k)) == nil {
			h.storyKeys = append(h.storyKeys, k)
			continue
		}
		if !sg.id.IsZero() || !copyOf.IsZero() && k.Class != store.KeyURL {
			continue
		}
		id, ok, err := t.firstWith(k)
		if err != nil {
			return nil, store.Outcome{}, err
		}
		if !ok { // it cannot be read: the key is free
			h.storyKeys = append(h.storyKeys, k)
			continue
		}
		r, err := t.mustRow(id)
		if err != nil {
			return nil, store.Outcome{}, err
		}
		if r.source == num {
			continue
		}
		if k.Class == store.KeyURL {
			mine, theirs := t.claim(in.source, d.Entry.URL), t.claim(t.sourceName(r.source), d.Entry.URL)
			if mine > theirs {
				h.storyKeys = append(h.storyKeys, k) // from now on it is this one's
			}
			forged, err := t.strangers(d, &r, mine, theirs)
			if err == nil && !forged && mine > theirs && (copyOf.IsZero() || copyOf == r.story) {
				elect, err = t.elects(r.story, mine, d.Entry.URL)
			}
			if err != nil {
				return nil, store.Outcome{}, err
			}
			if forged || !copyOf.IsZero() {
				continue
			}
		}
		copyOf = r.story
	}
	if sg.same {
		o := store.Outcome{ID: sg.id, State: store.Same, Revision: int(sg.row.revisions), Story: sg.row.story}
		if len(h.keys)+len(h.storyKeys) == 0 {
			return nil, o, nil
		}
		h.kind, h.firstSeen = store.KindSeen, h.time
		if in.batch.Reparsed {
			h.firstSeen = sg.row.lastSeen
		}
		p, err := t.jsonRecord(h, editBody{Reason: "known by further keys"})
		return p, o, err
	}
	if !sg.id.IsZero() && !in.batch.Reparsed {
		if stop, err := t.tooManyRevisions(&sg, at); err != nil || stop {
			return nil, store.Outcome{ID: sg.id, State: store.Same, Revision: int(sg.row.revisions), Story: sg.row.story}, err
		}
	}
	h.version, h.language, h.rules, h.sketch, h.raw = d.Version, d.Entry.Language, d.RuleSet, d.Sketch, raw
	if in.drafts[i].pack == nil || in.volume != t.live.number {
		in.packDraft(i, t.live, 0)
	}
	r := &in.drafts[i]
	h.content, h.bytes = r.content, d.Entry.Bytes
	if d.Part >= 0 {
		digest := in.rawPlan.digests[d.Part]
		if old, _ := t.part(num, digest); old.item.IsZero() || old.seq == 0 || r.kept {
			h.part, h.partKept = digest, r.kept
		}
	}
	var o store.Outcome
	it := feed.Item{Entry: d.Entry}
	if sg.id.IsZero() {
		first := at
		if !d.FirstSeen.IsZero() {
			first = d.FirstSeen.UTC()
		}
		it.FirstSeen, h.firstSeen = first, nanos(first)
		var err error
		if h.item, err = t.newID(d, in.created, first, in.source); err != nil {
			return nil, o, err
		}
		in.created++
		if err := t.countItem(num, in.source, at); err != nil {
			return nil, o, err
		}
		h.kind, h.revision, h.tags = store.KindItem, 1, store.Retag(nil, d.Topics)
		o = store.Outcome{ID: h.item, State: store.New, Revision: 1, Story: h.item}
		if copyOf.IsZero() && h.sketch.Words > 0 {
			id, ok, err := t.nearest(num, nanos(it.Effective()), &h.sketch, in.sketchesBut(i))
			if err != nil {
				return nil, o, err
			}
			if ok {
				r, err := t.mustRow(id)
				if err != nil {
					return nil, o, err
				}
				copyOf = r.story
			}
		}
		if !copyOf.IsZero() {
			h.story, o.State, o.Story = copyOf, store.Duplicate, copyOf
		}
	} else {
		it.FirstSeen = instant(sg.row.firstSeen)
		h.kind, h.revision, h.story, h.prev = store.KindRevision, sg.row.revisions+1, sg.row.story, sg.row.last
		if t.s.isLost(sg.row.first) { // a catalog that is made anew has the keys from here
			h.keys = slices.Clone(d.Keys)
		}
		if in.batch.Reparsed {
			h.kind = store.KindReparsed
		}
		if !in.batch.Reparsed {
			if r.against != sg.row.last { // somebody was faster, or it is another entry of this batch
				if was := t.entries[sg.id]; was != nil {
					r.trivial = d.Trivial != nil && d.Trivial(was)
				} else if err := t.s.weigh(r, d, sg.row.last); err != nil {
					return nil, store.Outcome{}, err
				}
			}
			h.trivial = r.trivial || t.isLost(sg.row.last) && slices.Contains(sg.row.versions, markOf(d.Version)) // it says it again
		}
		h.tags = store.Retag(tagsOf(&sg.row, t.label), d.Topics)
		o = store.Outcome{ID: sg.id, State: store.Revised, Revision: int(h.revision), Story: sg.row.story}
		h.firstSeen = h.time
	}
	if t.entries == nil {
		t.entries = map[feed.ItemID]*feed.Entry{}
	}
	t.entries[h.item] = &d.Entry
	h.effective = nanos(it.Effective())
	return &pending{h: h, pack: r.pack, draft: d, elect: elect}, o, nil
}

// newID makes the id of draft, the created-th new one of its batch: counted so, a
// document gives the same ids whether known entries are handed over with it or not.
func (t *txn) newID(d *store.Draft, created int, first time.Time, source feed.SourceID) (feed.ItemID, error) {
	id := d.ID
	for n := range 1 << 16 {
		if !id.IsZero() && t.b[bItems].Get(id[:]) == nil {
			return id, nil
		}
		id = feed.NewItemID(first, uint16(created+n), source, d.Native)
	}
	return id, errors.New("no free id for an item: 65536 of one native id and millisecond")
}
