// Package storetest holds engines of package store to its contract.
//
// [Run] is the conformance suite. [Model] is the contract at its plainest, all in
// memory: the oracle with which random operations are compared, and a fake for
// the tests of everyone who uses a store. What is durable, fast or small is the
// engine's own affair and tested there.
package storetest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Model is a store in memory. It forgets everything when it is dropped. The zero
// value is not usable; see [NewModel].
type Model struct {
	mu      sync.Mutex // guards all that follows
	closed  bool
	log     []logged
	grown   chan struct{} // closed and replaced when the log grows
	items   map[feed.ItemID]*item
	keys    map[sourceKey]feed.ItemID
	story   map[store.Key]feed.ItemID // the first item with the key
	parts   map[sourceDigest]feed.ItemID
	docs    map[sourceDigest]store.Cursor
	sources map[feed.SourceID]*source
	changes uint64 // of sources
	fence   uint64
	ledger  map[string]map[string][]byte
}

var _ store.Store = (*Model)(nil)

type sourceKey struct {
	source feed.SourceID
	key    store.Key
}

type sourceDigest struct {
	source feed.SourceID
	digest feed.Digest
}

type logged struct {
	store.Record
	doc *store.Document
}

type item struct {
	revs      []feed.Item // each as of its commit
	raw       []store.Cursor
	lastSeen  time.Time
	story     feed.ItemID
	topics    []feed.Tag
	withdrawn bool
	takenDown bool
}

type source struct {
	store.SourceState
	fence uint64 // of the lease, 0: none
	until time.Time
}

// NewModel makes an empty store.
func NewModel() *Model {
	return &Model{
		grown:   make(chan struct{}),
		items:   map[feed.ItemID]*item{},
		keys:    map[sourceKey]feed.ItemID{},
		story:   map[store.Key]feed.ItemID{},
		parts:   map[sourceDigest]feed.ItemID{},
		docs:    map[sourceDigest]store.Cursor{},
		sources: map[feed.SourceID]*source{},
		ledger:  map[string]map[string][]byte{},
	}
}

// enter takes the lock, unless the model is closed or ctx has ended.
func (m *Model) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// Close makes every later call fail with store.ErrClosed.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.grown)
	}
	return nil
}

func (m *Model) record(r store.Record, doc *store.Document) store.Cursor {
	r.Seq = store.Cursor(len(m.log) + 1)
	m.log = append(m.log, logged{r, doc})
	return r.Seq
}

// announce wakes followers; called when a commit is complete.
func (m *Model) announce() {
	close(m.grown)
	m.grown = make(chan struct{})
}

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
func (m *Model) Append(ctx context.Context, b store.Batch) ([]store.Outcome, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	id := b.Source
	if id == "" && b.Document != nil {
		id = b.Document.Source
	}
	if s := m.sources[id]; s == nil {
		if b.Add == nil {
			return nil, fmt.Errorf("source %q: %w", id, store.ErrNotFound)
		}
		e := store.Edit{Kind: store.KindSource, Source: b.Add, By: b.Add.Origin}
		if err := e.Check(); err != nil {
			return nil, err
		}
		if b.Add.ID != id {
			return nil, fmt.Errorf("the batch is of source %q and would add %q", id, b.Add.ID)
		}
		if err := b.Check(nil); err != nil {
			return nil, err
		}
		m.apply(clone(e), time.Now().UTC())
	}
	if err := b.Check(nil); err != nil {
		return nil, err
	}
	at := b.At
	if at.IsZero() {
		at = time.Now()
	}
	n := len(m.log)
	out := m.take(id, clone(b), nil, at.UTC())
	if len(m.log) > n {
		m.announce()
	}
	return out, nil
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

// unreadable reports whether nobody knows what is in a document.
func unreadable(d *store.Document) bool {
	return d != nil && len(d.Parts) == 0 && slices.Contains(d.Repairs, store.Unreadable)
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
	if known.IsZero() {
		return m.create(src, created, d, raw, at)
	}
	it := m.items[known]
	if !reparsed {
		it.see(at)
	}
	out := store.Outcome{ID: known, State: store.Same, Revision: len(it.revs), Story: it.story}
	same := it.takenDown
	for i, r := range it.revs {
		same = same || (r.Digest == d.Version && i+flips >= len(it.revs) && !reparsed)
	}
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
			out.State, it.story = store.Duplicate, m.items[h].story
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

// Change implements store.Archive.
func (m *Model) Change(ctx context.Context, edits []store.Edit) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i, e := range edits {
		if err := m.checkEdit(e); err != nil {
			return fmt.Errorf("edit %d (%v): %w", i, e.Kind, err)
		}
	}
	at := time.Now().UTC()
	for _, e := range clone(edits) {
		m.apply(e, at)
	}
	if len(edits) > 0 {
		m.announce()
	}
	return nil
}

func (m *Model) checkEdit(e store.Edit) error {
	if err := e.Check(); err != nil {
		return err
	}
	for _, id := range e.Items {
		if m.items[id] == nil {
			return fmt.Errorf("item %v: %w", id, store.ErrNotFound)
		}
	}
	return nil
}

func (m *Model) apply(e store.Edit, at time.Time) {
	r := store.Record{Kind: e.Kind, Time: at, Edit: &e}
	switch e.Kind {
	case store.KindSource:
		r.Source = e.Source.ID
		m.setSource(*e.Source, e.State)
	case store.KindTopics:
		it := m.items[e.Items[0]]
		if e.By == "rule" {
			e.Topics = store.Retag(it.topics, e.Topics)
		} else {
			e.Topics = store.Retag(nil, e.Topics)
		}
		it.topics = e.Topics
		r.Source = it.last().Source
	case store.KindMerge:
		stories := map[feed.ItemID]bool{}
		for _, id := range e.Items {
			stories[m.items[id].story] = true
		}
		m.unite(func(it *item) bool { return stories[it.story] })
	case store.KindSplit:
		left := map[feed.ItemID]bool{}
		for _, id := range e.Items {
			left[m.items[id].story] = true
		}
		m.unite(func(it *item) bool { return slices.Contains(e.Items, it.last().ID) })
		for s := range left {
			m.unite(func(it *item) bool { return it.story == s && !slices.Contains(e.Items, it.last().ID) })
		}
	case store.KindWithdrawn:
		for _, id := range e.Items {
			m.items[id].withdrawn = !e.Undo
		}
	case store.KindTakedown:
		for _, id := range e.Items {
			m.takeDown(id)
		}
	case store.KindExpired:
		if e.Documents = m.expire(e.Before); e.Documents == 0 {
			return
		}
	}
	m.record(r, nil)
}

// unite makes one story of the items in, named after the first of them.
func (m *Model) unite(in func(*item) bool) {
	var members []*item
	for _, it := range m.items {
		if in(it) {
			members = append(members, it)
		}
	}
	var first feed.ItemID
	for _, it := range members {
		if id := it.last().ID; first.IsZero() || bytes.Compare(id[:], first[:]) < 0 {
			first = id
		}
	}
	for _, it := range members {
		it.story = first
	}
}

// expire forgets documents, and says how many.
func (m *Model) expire(before time.Time) (n int) {
	for i := range m.log {
		l := &m.log[i]
		if l.doc != nil && l.Time.Before(before) {
			delete(m.docs, sourceDigest{l.Source, feed.DigestOf(l.doc.Body)})
			l.doc = nil
			n++
		}
	}
	return n
}

func (m *Model) takeDown(id feed.ItemID) {
	it := m.items[id]
	it.takenDown = true
	for i := range m.log {
		if m.log[i].Source == it.last().Source && unreadable(m.log[i].doc) {
			m.log[i].doc = nil
		}
	}
	strip := func(v *feed.Item) {
		v.Entry = feed.Entry{Published: feed.Date{Time: v.Effective()}, Language: v.Language}
		v.Native, v.Method, v.TakenDown = "", "", true
	}
	for i := range it.revs {
		strip(&it.revs[i])
	}
	for i := range m.log {
		if r := m.log[i].Item; r != nil && r.ID == id {
			v := *r
			if !v.TakenDown {
				strip(&v)
			}
			m.log[i].Item = &v
		}
	}
	for _, at := range it.raw {
		if at > 0 && m.log[at-1].doc != nil && len(m.log[at-1].doc.Parts) == 0 {
			m.log[at-1].doc = nil // its entries cannot be told apart
		}
	}
}

// setSource replaces or makes a source. A removed one loses its poll state and
// its lease.
func (m *Model) setSource(s store.Source, state *store.PollState) {
	old := m.sources[s.ID]
	if old == nil {
		old = &source{}
		m.sources[s.ID] = old
	}
	old.Source = s
	m.changes++
	if state != nil {
		old.State = *state
	}
	if s.Removed {
		old.State, old.fence = store.PollState{}, 0
	}
}

// Items implements store.Archive.
func (m *Model) Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error) {
	if len(ids) > 1000 {
		return nil, fmt.Errorf("%d ids, at most 1000", len(ids))
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []feed.Item
	for _, id := range ids {
		it := m.items[id]
		if it == nil {
			continue
		}
		out = append(out, m.version(it, len(it.revs), fields))
	}
	return out, nil
}

// version is revision n (from 1) of an item with what is known of the item today.
func (m *Model) version(it *item, n int, fields store.Fields) feed.Item {
	v := clone(it.revs[n-1])
	v.Revisions, v.LastSeen, v.Story = len(it.revs), it.lastSeen, it.story
	v.Topics = slices.Clone(it.topics)
	v.Withdrawn, v.TakenDown = it.withdrawn, it.takenDown
	if fields&store.WithContent == 0 {
		v.Summary, v.Content, v.Extensions = feed.Text{}, feed.Text{}, nil
	}
	if fields&store.WithStory != 0 {
		for id, o := range m.items {
			if o.story == it.story && id != v.ID {
				l := o.last()
				v.AlsoIn = append(v.AlsoIn, feed.Sighting{ID: id, Source: l.Source, URL: l.URL, FirstSeen: l.FirstSeen})
			}
		}
		slices.SortFunc(v.AlsoIn, func(a, b feed.Sighting) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	return v
}

// Revisions implements store.Archive.
func (m *Model) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	it := m.items[id]
	if it == nil {
		return nil, fmt.Errorf("item %v: %w", id, store.ErrNotFound)
	}
	var out []feed.Item
	for i := range it.revs {
		out = append(out, m.version(it, i+1, store.AllFields))
	}
	return out, nil
}

// Raw implements store.Archive.
func (m *Model) Raw(ctx context.Context, id feed.ItemID, revision int) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	it := m.items[id]
	if it == nil || revision < 0 || revision > len(it.revs) {
		return store.Document{}, fmt.Errorf("item %v, revision %d: %w", id, revision, store.ErrNotFound)
	}
	if revision == 0 {
		revision = len(it.revs)
	}
	return m.document(it.raw[revision-1])
}

// Document implements store.Archive.
func (m *Model) Document(ctx context.Context, at store.Cursor) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	return m.document(at)
}

// DocumentOf implements store.Archive.
func (m *Model) DocumentOf(ctx context.Context, source feed.SourceID, body feed.Digest) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	return m.document(m.docs[sourceDigest{source, body}])
}

func (m *Model) document(at store.Cursor) (store.Document, error) {
	if at == 0 || int(at) > len(m.log) || m.log[at-1].doc == nil {
		return store.Document{}, fmt.Errorf("document at %d: %w", at, store.ErrNotFound)
	}
	l := m.log[at-1]
	for _, p := range l.doc.Parts {
		if it := m.items[m.parts[sourceDigest{l.Source, p.Digest}]]; it != nil && it.takenDown {
			return store.Document{}, fmt.Errorf("document at %d: an entry of it was taken down: %w", at, store.ErrNotFound)
		}
	}
	return clone(*l.doc), nil
}

// Heads implements store.Archive.
func (m *Model) Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.Head
	for _, it := range m.items {
		v := it.last()
		h := store.Head{
			ID: v.ID, Story: it.story, Source: v.Source, Effective: v.Effective(), FirstSeen: v.FirstSeen,
			Revised: v.Changed, Revision: v.Revision, Topics: slices.Clone(it.topics), Language: v.Language,
			Withdrawn: it.withdrawn, TakenDown: it.takenDown,
		}
		if q.Source != "" && h.Source != q.Source || !q.Story.IsZero() && h.Story != q.Story ||
			!q.From.IsZero() && h.Effective.Before(q.From) || !q.To.IsZero() && !h.Effective.Before(q.To) {
			continue
		}
		if q.Topic != "" && !(&feed.Item{Topics: it.topics}).Has(q.Topic) {
			continue
		}
		if q.After != nil && compareHeads(q, h, *q.After) <= 0 {
			continue
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b store.Head) int { return compareHeads(q, a, b) })
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 1000
	}
	return out[:min(q.Limit, len(out))], nil
}

// compareHeads is the order of q: total, and the same each time (CONFORMANCE P-66).
func compareHeads(q store.HeadQuery, a, b store.Head) int {
	c := bytes.Compare(a.ID[:], b.ID[:])
	if !q.ByArrival {
		c = cmp.Or(a.Effective.Compare(b.Effective), cmp.Compare(a.Source, b.Source), c)
	}
	if !q.Ascending {
		c = -c
	}
	return c
}

// Follow implements store.Archive.
func (m *Model) Follow(ctx context.Context, after store.Cursor, kinds store.Kinds, limit int) ([]store.Record, store.Cursor, error) {
	if limit <= 0 {
		limit = 1000
	}
	for {
		if err := m.enter(ctx); err != nil {
			return nil, after, err
		}
		var out []store.Record
		for int(after) < len(m.log) && len(out) < limit {
			if r := m.log[after].Record; kinds.Has(r.Kind) {
				out = append(out, clone(r))
			}
			after++
		}
		grown := m.grown
		m.mu.Unlock()
		if len(out) > 0 {
			return out, after, nil
		}
		select {
		case <-ctx.Done():
			return nil, after, context.Cause(ctx)
		case <-grown:
		}
	}
}

// End implements store.Archive.
func (m *Model) End(ctx context.Context) (store.Cursor, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return store.Cursor(len(m.log)), nil
}

// Stats implements store.Keeper.
func (m *Model) Stats(ctx context.Context) (store.Stats, error) {
	if err := m.enter(ctx); err != nil {
		return store.Stats{}, err
	}
	defer m.mu.Unlock()
	s := store.Stats{Items: int64(len(m.items)), Records: int64(len(m.log)), Volumes: 1}
	stories := map[feed.ItemID]bool{}
	for _, it := range m.items {
		s.Revisions += int64(len(it.revs))
		stories[it.story] = true
	}
	s.Stories = int64(len(stories))
	for _, src := range m.sources {
		if !src.Removed {
			s.Sources++
		}
	}
	for _, l := range m.log {
		if l.Kind == store.KindRaw {
			s.Raw++
		}
	}
	if n := len(m.log); n > 0 {
		s.First, s.Last = m.log[0].Time, m.log[n-1].Time
	}
	return s, nil
}

// Verify implements store.Keeper: what is only in memory cannot rot.
func (m *Model) Verify(ctx context.Context, _ bool, progress func(done, total int64)) (store.Report, error) {
	s, err := m.Stats(ctx)
	if progress != nil {
		progress(s.Records, s.Records)
	}
	return store.Report{Records: s.Records, Items: s.Items, Revisions: s.Revisions, Documents: s.Raw}, err
}

// Backup implements store.Keeper; the model has nothing that outlives it.
func (m *Model) Backup(context.Context, io.Writer) error {
	return errors.New("the model has no backup")
}

// Ping implements store.Keeper.
func (m *Model) Ping(ctx context.Context) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	m.mu.Unlock()
	return nil
}

// LedgerGet implements store.Ledger.
func (m *Model) LedgerGet(ctx context.Context, space, key string) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	v, ok := m.ledger[space][key]
	if !ok {
		return nil, fmt.Errorf("%s %q: %w", space, key, store.ErrNotFound)
	}
	return append([]byte{}, v...), nil
}

// LedgerScan implements store.Ledger.
func (m *Model) LedgerScan(ctx context.Context, space, prefix, after string, limit int) ([]store.LedgerEntry, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.LedgerEntry
	for _, k := range slices.Sorted(maps.Keys(m.ledger[space])) {
		if strings.HasPrefix(k, prefix) && k > after && (limit <= 0 || len(out) < limit) {
			out = append(out, store.LedgerEntry{Space: space, Key: k, Value: append([]byte{}, m.ledger[space][k]...)})
		}
	}
	return out, nil
}

// LedgerWrite implements store.Ledger.
func (m *Model) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) error {
	for _, w := range writes {
		if w.Space == "" || w.Key == "" {
			return errors.New("ledger: a write without space or key")
		}
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, w := range writes {
		if _, ok := m.ledger[w.Space][w.Key]; ok && w.Create {
			return fmt.Errorf("%s %q: %w", w.Space, w.Key, store.ErrConflict)
		}
	}
	for _, w := range writes {
		if m.ledger[w.Space] == nil {
			m.ledger[w.Space] = map[string][]byte{}
		}
		if w.Value == nil {
			delete(m.ledger[w.Space], w.Key)
			continue
		}
		m.ledger[w.Space][w.Key] = append([]byte{}, w.Value...)
	}
	return nil
}

// Hash names a key value as identify would: for tests that make drafts by hand.
func Hash(class store.KeyClass, value string) store.Key {
	sum := sha256.Sum256([]byte(value))
	k := store.Key{Class: class}
	copy(k.Hash[:], sum[:])
	return k
}
