package bolt

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

// arrival is a batch that the writer takes in. With a document that is new, the records
// are numbered in one order and written in another: the document's number comes before
// those of its items, but which of its bytes it must carry itself is known after them.
type arrival struct {
	*txn
	in  *intake
	num uint32 // of the source
	at  time.Time

	doc    uint64    // record of the document, 0: it is not kept
	newDoc bool      // that is still to be written
	later  []pending // what is written after it
	found  []found   // parts of the document that name an item for the first time
	held   bool      // the draft at hand is a version too many: it is not kept now

	line lineage // of what comes from an export
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
	in.created, in.held = 0, false
	a := &arrival{txn: t, in: in, num: src.num, at: at}
	if err := a.begin(); err != nil {
		return nil, err
	}
	relink, err := t.regenerated(a.num, in)
	if err != nil {
		return nil, err
	}
	out := make([]store.Outcome, len(in.batch.Drafts))
	for i := range in.batch.Drafts {
		if out[i], err = a.draft(i, relink[i]); err != nil {
			return nil, err
		}
	}
	return out, a.end()
}

// begin finds the document's record, or gives it its number.
func (a *arrival) begin() error {
	doc := a.in.batch.Document
	if doc == nil || doc.Body == nil {
		return nil
	}
	v := a.b[bDocs].Get(shortRow(a.num, shorten(a.in.doc)))
	if v != nil && len(v) != 8 {
		return damaged(part("catalog: docs"), errShort)
	}
	if v != nil && !a.isLost(getSeq(v)) {
		a.doc = getSeq(v)
		return nil
	}
	gone, err := a.withheld(a.num, a.in.batch)
	if err != nil || gone {
		return err
	}
	a.newDoc, a.doc = true, a.next
	a.next++
	a.dirty = true
	return nil
}

// draft takes in one draft. relink is the item that it is when the whole feed has new
// ids, or zero.
func (a *arrival) draft(i int, relink feed.ItemID) (store.Outcome, error) {
	d := &a.in.batch.Drafts[i]
	if a.takenUnseen(d.ID) {
		return store.Outcome{ID: d.ID, State: store.Same, Story: d.ID}, nil
	}
	sg, err := a.find(a.num, d)
	if err == nil && sg.id.IsZero() && !relink.IsZero() {
		sg, err = a.sight(relink, d)
	}
	if r := &a.in.drafts[i]; r.name != nil && (sg.id.IsZero() || sg.same) {
		r.name, r.pack = nil, nil // the guess was wrong
	}
	passed := false
	switch {
	case err != nil:
	case d.Recorded != nil:
		sg, passed, err = a.within(i, sg)
	case a.in.batch.Reparsed:
		sg, err = a.readAgain(i, sg)
	case sg.id.IsZero():
		sg, err = a.moved(i)
	case !sg.same && d.Apart != nil:
		sg, err = a.apart(i, sg)
	}
	if err != nil {
		return store.Outcome{}, err
	}
	if passed {
		return sg.outcome(), nil
	}
	p, o, err := a.decide(i, sg)
	if err != nil {
		return o, err
	}
	past := a.line.past(d)
	if past != nil {
		p.recorded(past, a.line.gone)
		a.line.item = o.ID
	}
	if p != nil {
		if err := a.emit(p); err != nil {
			return o, err
		}
		if p.elect {
			e, err := a.election(&p.h)
			if err != nil {
				return o, err
			}
			if err := a.emit(e); err != nil {
				return o, err
			}
		}
	}
	if past != nil {
		return o, a.decided(o.ID, past, a.line.gone)
	}
	if seen := nanos(d.SeenAt(a.at)); o.State == store.Same && !a.in.batch.Reparsed && seen > sg.row.lastSeen {
		a.dirty = true
		if err := a.see(o.ID, seen); err != nil {
			return o, err
		}
	}
	if d.Part < 0 || a.held { // its bytes are new the next time, too
		return o, nil
	}
	digest := a.in.rawPlan.digests[d.Part]
	if old, _ := a.part(a.num, digest); !old.item.IsZero() {
		return o, nil
	}
	a.dirty = true
	a.found = append(a.found, found{d.Part, o.ID})
	return o, a.addPart(a.num, digest, 0, o.ID)
}

// emit is [txn.emit], but what is to be written after the document waits.
func (a *arrival) emit(p *pending) error {
	if !a.newDoc {
		return a.txn.emit(p)
	}
	p.h.seq = a.next
	a.next++
	a.dirty = true
	a.later = append(a.later, *p)
	a.note(&p.h)
	return a.apply(&p.h, nil, func() ([]byte, error) { return p.plain, nil })
}

// end writes what waits, and sees the items whose entries came as they were.
func (a *arrival) end() error {
	if a.newDoc {
		if err := a.writeDocument(); err != nil {
			return err
		}
	}
	for i := range a.later {
		if err := a.write(&a.later[i]); err != nil {
			return err
		}
	}
	for _, i := range a.in.seen {
		if p, ok := a.part(a.num, a.in.rawPlan.digests[i]); ok && !p.item.IsZero() {
			a.dirty = true
			if err := a.see(p.item, nanos(a.at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeDocument makes the record of a document, now that it is known which of its
// parts the records of its items carry.
func (a *arrival) writeDocument() error {
	in := a.in
	stored := make([]bool, len(in.rawPlan.digests))
	good := in.raw != nil && in.volume == a.live.number
	inline := map[short]bool{}
	for _, i := range in.rawPlan.inline {
		inline[in.rawPlan.digests[i]] = true
	}
	for i, d := range in.rawPlan.digests {
		p, _ := a.part(a.num, d)
		stored[i] = p.seq > 0
		if !p.item.IsZero() {
			r, err := a.mustRow(p.item)
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
		in.packRaw(a.live, stored)
	}
	p := pending{
		h: header{
			seq: a.doc, kind: store.KindRaw, time: nanos(a.at), source: in.source, content: in.content, doc: in.doc,
			parts: in.rawPlan.digests, found: a.found, inline: in.rawPlan.inline,
		},
		pack: in.raw,
	}
	if err := a.apply(&p.h, nil, nil); err != nil {
		return err
	}
	return a.write(&p)
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
		d := &b.Drafts[i]
		if sg, err := t.find(num, d); err != nil || sg.row.takenDown {
			return true, err
		}
		for _, k := range d.Story { // it may be another item than the one that has its id
			id, ok, err := t.firstWith(k)
			if err != nil {
				return true, err
			}
			if !ok {
				continue
			}
			if r, err := t.mustRow(id); err != nil || r.takenDown && r.source == num {
				return true, err
			}
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
