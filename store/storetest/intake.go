package storetest

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Known implements store.Archive.
func (m *Model) Known(ctx context.Context, id feed.SourceID, digests []feed.Digest) ([]bool, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := make([]bool, len(digests))
	for i, d := range digests {
		_, out[i] = m.parts[sourceDigest{id, d}]
	}
	return out, nil
}

// Lookup implements store.Archive.
func (m *Model) Lookup(ctx context.Context, id feed.SourceID, keys [][]store.Key) ([]feed.ItemID, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := make([]feed.ItemID, len(keys))
	for i, of := range keys {
		for _, k := range of {
			if known, ok := m.keys[sourceKey{id, k}]; ok {
				out[i] = known
				break
			}
		}
	}
	return out, nil
}

// Append implements store.Archive.
func (m *Model) Append(ctx context.Context, batches ...store.Batch) ([]store.Outcome, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	ids := make([]feed.SourceID, len(batches))
	added := map[feed.SourceID]bool{}
	for i, b := range batches { // all or none
		if ids[i] = b.Source; ids[i] == "" && b.Document != nil {
			ids[i] = b.Document.Source
		}
		if b.Add != nil {
			if err := checkAdd(b.Add, ids[i]); err != nil {
				return nil, err
			}
			added[ids[i]] = true
		}
		if m.sources[ids[i]] == nil && !added[ids[i]] {
			return nil, fmt.Errorf("source %q: %w", ids[i], store.ErrNotFound)
		}
		if err := b.Check(nil); err != nil {
			return nil, err
		}
	}
	n := len(m.log)
	var out []store.Outcome
	for i, b := range batches {
		at := b.At
		if at.IsZero() {
			at = time.Now()
		}
		if m.sources[ids[i]] == nil {
			m.apply(clone(store.Edit{Kind: store.KindSource, Source: b.Add, By: b.Add.Origin}), time.Now().UTC())
		}
		out = append(out, m.take(ids[i], clone(b), nil, at.UTC())...)
	}
	if len(m.log) > n {
		m.announce()
	}
	return out, nil
}

func checkAdd(s *store.Source, id feed.SourceID) error {
	e := store.Edit{Kind: store.KindSource, Source: s}
	if err := e.Check(); err != nil {
		return err
	}
	if s.ID != id {
		return fmt.Errorf("the batch is of source %q and would add %q", id, s.ID)
	}
	return nil
}

func (m *Model) take(id feed.SourceID, b store.Batch, seen []int, at time.Time) []store.Outcome {
	var raw store.Cursor
	if d := b.Document; d != nil && d.Body != nil {
		k := sourceDigest{id, feed.DigestOf(d.Body)}
		if raw = m.docs[k]; raw == 0 && !m.withheld(id, b) {
			d.Source = id
			raw = m.record(store.Record{Kind: store.KindRaw, Time: at, Source: id}, d)
			m.docs[k] = raw
		}
	}
	relink := m.regenerated(id, b.Drafts, seen)
	out := make([]store.Outcome, len(b.Drafts))
	created := 0
	for i, d := range b.Drafts {
		known := relink[i]
		if d.Part >= 0 && b.Reparsed {
			known = cmp.Or(m.parts[sourceDigest{id, b.Document.Parts[d.Part].Digest}], known)
		}
		if known.IsZero() && !b.Reparsed {
			known = m.moved(id, b, seen, i)
		}
		out[i] = m.decide(id, &created, d, known, raw, at, b.Reparsed)
		if d.Part >= 0 {
			k := sourceDigest{id, b.Document.Parts[d.Part].Digest}
			if _, ok := m.parts[k]; !ok {
				m.parts[k] = out[i].ID
			}
		}
	}
	for _, i := range seen {
		if it := m.items[m.parts[sourceDigest{id, b.Document.Parts[i].Digest}]]; it != nil {
			it.see(at)
		}
	}
	return out
}

// withheld reports whether a document carries a post that was taken down and whose
// bytes cannot be left out.
func (m *Model) withheld(id feed.SourceID, b store.Batch) bool {
	if unreadable(b.Document) {
		for _, it := range m.items {
			if it.takenDown && it.last().Source == id {
				return true
			}
		}
	}
	for _, d := range b.Drafts {
		for _, k := range d.Keys {
			if h, ok := m.keys[sourceKey{id, k}]; ok {
				if m.items[h].takenDown && len(b.Document.Parts) == 0 {
					return true
				}
				break
			}
		}
	}
	return false
}

func (it *item) see(at time.Time) {
	if at.After(it.lastSeen) {
		it.lastSeen = at
	}
}

// regenerated finds the items that the drafts are when the ids of a whole feed
// changed (CONFORMANCE P-69): no draft is known by its keys, no entry by its bytes,
// and at least two drafts and half of all are known by what they tell.
func (m *Model) regenerated(id feed.SourceID, drafts []store.Draft, seen []int) []feed.ItemID {
	out := make([]feed.ItemID, len(drafts))
	if len(seen) > 0 {
		return out
	}
	hits := 0
	used := map[feed.ItemID]bool{}
	for i, d := range drafts {
		for _, k := range d.Keys {
			if _, ok := m.keys[sourceKey{id, k}]; ok {
				return make([]feed.ItemID, len(drafts))
			}
		}
		for _, k := range d.Story {
			if h, ok := m.story[k]; ok && m.items[h].last().Source == id && !used[h] {
				out[i], used[h] = h, true
				hits++
				break
			}
		}
	}
	if hits < 2 || 2*hits < len(drafts) {
		return make([]feed.ItemID, len(drafts))
	}
	return out
}

// moved finds the item that draft i is under another id: one of its source with its text
// and date that the batch does not have besides (CONFORMANCE P-69).
func (m *Model) moved(id feed.SourceID, b store.Batch, seen []int, i int) feed.ItemID {
	d := b.Drafts[i]
	if d.Sketch.Words == 0 || d.Entry.Published.IsZero() {
		return feed.ItemID{}
	}
	by := func(d store.Draft) feed.ItemID {
		for _, k := range d.Keys {
			if known, ok := m.keys[sourceKey{id, k}]; ok {
				return known
			}
		}
		return feed.ItemID{}
	}
	for _, k := range d.Story {
		if k.Class != store.KeyText {
			continue
		}
		known, ok := m.story[k]
		if !ok || m.items[known].last().Source != id {
			return feed.ItemID{}
		}
		now := feed.Item{Entry: d.Entry, FirstSeen: m.items[known].last().FirstSeen}
		if !by(d).IsZero() || !now.Effective().Equal(m.items[known].last().Effective()) {
			return feed.ItemID{}
		}
		for _, j := range seen {
			if m.parts[sourceDigest{id, b.Document.Parts[j].Digest}] == known {
				return feed.ItemID{}
			}
		}
		for j := range b.Drafts {
			if j != i && by(b.Drafts[j]) == known {
				return feed.ItemID{}
			}
		}
		return known
	}
	return feed.ItemID{}
}

// same reports whether an item has a version, now or some versions ago.
func (it *item) same(version feed.Digest) bool {
	if it.takenDown {
		return true
	}
	for i, r := range it.revs {
		if r.Digest == version && i+flips >= len(it.revs) {
			return true
		}
	}
	return false
}

func (it *item) last() *feed.Item { return &it.revs[len(it.revs)-1] }

// flips is how many revisions back a version is still recognized, so that a post
// that changes to and fro does not grow (PEERS part 5, 56).
const flips = 16

func (m *Model) decide(src feed.SourceID, created *int, d store.Draft, known feed.ItemID, raw store.Cursor, at time.Time, reparsed bool) store.Outcome {
	for _, k := range d.Keys {
		if h, ok := m.keys[sourceKey{src, k}]; ok && (!reparsed || known.IsZero()) {
			known = h
			break
		}
	}
	if !known.IsZero() && !reparsed && d.Apart != nil && !m.items[known].same(d.Version) {
		if name := d.Apart(&m.items[known].last().Entry); name != nil {
			d.Native, d.Method, d.Keys = name.Native, name.Method, name.Keys
			known = feed.ItemID{}
			for _, k := range d.Keys {
				known = cmp.Or(known, m.keys[sourceKey{src, k}])
			}
		}
	}
	if known.IsZero() {
		return m.create(src, created, d, raw, at)
	}
	it := m.items[known]
	if !reparsed {
		it.see(at)
	}
	out := store.Outcome{ID: known, State: store.Same, Revision: len(it.revs), Story: it.story}
	same := it.takenDown || !reparsed && it.same(d.Version)
	if reparsed {
		old, now := it.last().Entry, d.Entry
		old.Repairs, now.Repairs = nil, nil
		same = same || old.Bytes != now.Bytes || reflect.DeepEqual(old, now)
	}
	learned := m.learn(src, known, d)
	if same {
		if learned {
			m.record(store.Record{Kind: store.KindSeen, Time: at, Source: src, Edit: &store.Edit{
				Kind: store.KindSeen, Items: []feed.ItemID{known}, Reason: "known by further keys",
			}}, nil)
		}
		return out
	}
	out.State, out.Revision = store.Revised, len(it.revs)+1
	v := *it.last()
	v.Trivial = d.Trivial != nil && !reparsed && d.Trivial(&it.last().Entry)
	if !v.Trivial {
		v.Changed = at
	}
	v.Entry, v.Native, v.Method, v.Digest = d.Entry, d.Native, d.Method, d.Version
	v.Revised, v.LastSeen, v.Revision, v.Revisions = at, it.lastSeen, out.Revision, out.Revision
	it.topics = store.Retag(it.topics, d.Topics)
	v.Topics, v.Story = it.topics, it.story
	it.revs, it.raw = append(it.revs, v), append(it.raw, raw)
	kind := store.KindRevision
	if reparsed {
		kind = store.KindReparsed
	}
	m.record(store.Record{Kind: kind, Time: at, Source: src, Item: &v}, nil)
	return out
}

// learn gives an item the keys that nobody has, and reports whether there were
// any that identify it within its source.
func (m *Model) learn(src feed.SourceID, id feed.ItemID, d store.Draft) (learned bool) {
	for _, k := range d.Keys {
		if _, ok := m.keys[sourceKey{src, k}]; !ok {
			m.keys[sourceKey{src, k}] = id
			learned = true
		}
	}
	for _, k := range d.Story {
		if _, ok := m.story[k]; !ok {
			m.story[k] = id
			learned = true
		}
	}
	return learned
}

func (m *Model) create(src feed.SourceID, created *int, d store.Draft, raw store.Cursor, at time.Time) store.Outcome {
	first := at
	if !d.FirstSeen.IsZero() {
		first = d.FirstSeen.UTC()
	}
	id := d.ID
	for n := uint16(*created); id.IsZero() || m.items[id] != nil; n++ {
		id = feed.NewItemID(first, n, src, d.Native)
	}
	*created++
	it := &item{lastSeen: at, story: id, topics: store.Retag(nil, d.Topics), raw: []store.Cursor{raw}}
	out := store.Outcome{ID: id, State: store.New, Revision: 1}
	for _, k := range d.Story {
		if h, ok := m.story[k]; ok && m.items[h].last().Source != src {
			out.State, it.story, it.original = store.Duplicate, m.items[h].story, m.items[h].original
			break
		}
	}
	out.Story = it.story
	v := feed.Item{
		ID: id, Source: src, Native: d.Native, Method: d.Method, Entry: d.Entry,
		FirstSeen: first, LastSeen: at, Revised: first, Changed: first, Revision: 1, Revisions: 1,
		Topics: it.topics, Story: it.story, Digest: d.Version,
	}
	it.revs = []feed.Item{v}
	m.items[id] = it
	m.learn(src, id, d)
	if m.sources[src].Items++; m.sources[src].Removed {
		m.changes++
	}
	m.record(store.Record{Kind: store.KindItem, Time: at, Source: src, Item: &v}, nil)
	return out
}
