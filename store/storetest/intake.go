package storetest

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
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
	var of feed.ItemID // whose versions are being taken in
	running, made := false, false
	out := make([]store.Outcome, len(b.Drafts))
	created := 0
	for i, d := range b.Drafts {
		known := relink[i]
		if d.Part >= 0 && b.Reparsed {
			known = cmp.Or(m.parts[sourceDigest{id, b.Document.Parts[d.Part].Digest}], known)
		}
		if known.IsZero() && !b.Reparsed && d.Recorded == nil {
			known = m.moved(id, b, seen, i)
		}
		if r := d.Recorded; r != nil {
			if !running {
				of = m.find(id, d)
				made = of.IsZero()
			}
			first := !running
			if running = r.Earlier; !made && running {
				it := m.items[of]
				out[i] = store.Outcome{ID: of, State: store.Same, Revision: len(it.revs), Story: it.story}
				continue
			}
			if made {
				if first {
					out[i] = m.create(id, &created, d, 0, at)
				} else {
					out[i] = m.revise(id, of, d, 0, at, false)
				}
				of = out[i].ID
				m.learn(id, of, store.Draft{Keys: r.Known})
				keys := slices.DeleteFunc(slices.Clone(r.Known), func(k store.Key) bool { return m.keys[sourceKey{id, k}] != of })
				if len(keys) > 0 {
					m.record(store.Record{Kind: store.KindSeen, Time: at, Source: id, Keys: keys, Edit: &store.Edit{
						Kind: store.KindSeen, Items: []feed.ItemID{of}, Reason: "known by further keys",
					}}, nil)
				}
				for _, e := range r.Decided {
					e.Items = []feed.ItemID{of}
					m.apply(e, at)
				}
				continue
			}
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
		for _, k := range d.Story {
			if h, ok := m.story[k]; ok && m.items[h].takenDown && m.items[h].last().Source == id && len(b.Document.Parts) == 0 {
				return true
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
	if len(seen) > 0 || slices.ContainsFunc(drafts, func(d store.Draft) bool { return d.Recorded != nil }) {
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
	for _, k := range d.Story {
		if k.Class != store.KeyText {
			continue
		}
		known, ok := m.story[k]
		if !ok || m.items[known].last().Source != id {
			return feed.ItemID{}
		}
		now := feed.Item{Entry: d.Entry, FirstSeen: m.items[known].last().FirstSeen}
		if !m.find(id, d).IsZero() || !now.Effective().Equal(m.items[known].last().Effective()) {
			return feed.ItemID{}
		}
		for _, j := range seen {
			if m.parts[sourceDigest{id, b.Document.Parts[j].Digest}] == known {
				return feed.ItemID{}
			}
		}
		for j := range b.Drafts {
			if j != i && m.find(id, b.Drafts[j]) == known {
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

// find is the item of a source that the first known key of a draft names.
func (m *Model) find(src feed.SourceID, d store.Draft) feed.ItemID {
	for _, k := range d.Keys {
		if id, ok := m.keys[sourceKey{src, k}]; ok {
			return id
		}
	}
	return feed.ItemID{}
}

func (m *Model) decide(src feed.SourceID, created *int, d store.Draft, known feed.ItemID, raw store.Cursor, at time.Time, reparsed bool) store.Outcome {
	if !reparsed || known.IsZero() {
		known = cmp.Or(m.find(src, d), known)
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
		it.see(d.SeenAt(at))
	}
	out := store.Outcome{ID: known, State: store.Same, Revision: len(it.revs), Story: it.story}
	same := it.takenDown || !reparsed && it.same(d.Version)
	if reparsed {
		old, now := it.last().Entry, d.Entry
		old.Repairs, now.Repairs = nil, nil
		same = same || old.Bytes != now.Bytes || reflect.DeepEqual(old, now)
	}
	if same {
		if learned, keys := m.learn(src, known, d); learned {
			m.record(store.Record{Kind: store.KindSeen, Time: at, Source: src, Keys: keys, Edit: &store.Edit{
				Kind: store.KindSeen, Items: []feed.ItemID{known}, Reason: "known by further keys",
			}}, nil)
		}
		return out
	}
	if d.Recorded = nil; !reparsed {
		it.see(at)
	}
	return m.revise(src, known, d, raw, at, reparsed)
}

// revise gives an item a further version.
func (m *Model) revise(src feed.SourceID, id feed.ItemID, d store.Draft, raw store.Cursor, at time.Time, reparsed bool) store.Outcome {
	it := m.items[id]
	_, keys := m.learn(src, id, d)
	it.keys = append(it.keys, keys...)
	out := store.Outcome{ID: id, State: store.Revised, Revision: len(it.revs) + 1, Story: it.story}
	v := *it.last()
	v.Trivial, v.Reparsed = d.Trivial != nil && !reparsed && d.Trivial(&it.last().Entry), reparsed
	recorded := at
	if r := d.Recorded; r != nil {
		v.Trivial, v.Reparsed = r.Trivial, r.Reparsed
		reparsed = r.Reparsed
		if !r.LastSeen.IsZero() {
			it.see(r.LastSeen.UTC())
		}
		if !r.Seen.IsZero() {
			at = r.Seen.UTC()
		}
	}
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
	m.record(store.Record{Kind: kind, Time: recorded, Source: src, Item: &v}, nil)
	return out
}

// learn gives an item the keys that nobody has, reports whether there were any, and
// gives those that identify it within its source.
func (m *Model) learn(src feed.SourceID, id feed.ItemID, d store.Draft) (learned bool, keys []store.Key) {
	for _, k := range d.Keys {
		if _, ok := m.keys[sourceKey{src, k}]; !ok {
			m.keys[sourceKey{src, k}] = id
			learned, keys = true, append(keys, k)
		}
	}
	for _, k := range d.Story {
		if _, ok := m.story[k]; !ok {
			m.story[k] = id
			learned = true
		}
	}
	return learned, keys
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
	told := feed.ItemID{}
	if r := d.Recorded; r != nil {
		if !r.LastSeen.IsZero() {
			it.lastSeen = r.LastSeen.UTC()
		}
		for _, s := range slices.Backward(r.Story) {
			if of := m.items[s]; of != nil {
				told = s
				out.State, it.story, it.original = store.Duplicate, of.story, of.original
			}
		}
	}
	for _, k := range d.Story {
		if h, ok := m.story[k]; ok && m.items[h].last().Source != src && told.IsZero() && !apart(d, m.items[h].last().Source) {
			out.State, it.story, it.original = store.Duplicate, m.items[h].story, m.items[h].original
			break
		}
	}
	out.Story = it.story
	v := feed.Item{
		ID: id, Source: src, Native: d.Native, Method: d.Method, Entry: d.Entry,
		FirstSeen: first, LastSeen: it.lastSeen, Revised: first, Changed: first, Revision: 1, Revisions: 1,
		Topics: it.topics, Story: it.story, Digest: d.Version,
	}
	it.revs = []feed.Item{v}
	m.items[id] = it
	_, it.keys = m.learn(src, id, d)
	if m.sources[src].Items++; m.sources[src].Removed {
		m.changes++
	}
	m.record(store.Record{Kind: store.KindItem, Time: at, Source: src, Item: &v}, nil)
	return out
}

// apart reports whether an export knows that a draft tells another story than a source.
func apart(d store.Draft, src feed.SourceID) bool {
	return d.Recorded != nil && d.Recorded.Apart != nil && d.Recorded.Apart(src)
}

// Keys implements store.Archive.
func (m *Model) Keys(ctx context.Context, id feed.ItemID) ([]store.Key, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	it := m.items[id]
	if it == nil {
		return nil, fmt.Errorf("item %v: %w", id, store.ErrNotFound)
	}
	return slices.Clone(it.keys), nil
}
