// Package storetest holds engines of package store to its contract.
//
// [Run] is the conformance suite. [Model] is the contract at its plainest, all in
// memory: the oracle with which random operations are compared, and a fake for
// the tests of everyone who uses a store. What is durable, fast or small is the
// engine's own affair and tested there.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
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
	keys      []store.Key // within its source, as its versions brought them
	original  feed.ItemID // of the story; zero: the item that it is named after
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

// unreadable reports whether nobody knows what is in a document.
func unreadable(d *store.Document) bool {
	return d != nil && len(d.Parts) == 0 && slices.Contains(d.Repairs, store.Unreadable)
}

// DocumentOf implements store.Archive.
func (m *Model) DocumentOf(ctx context.Context, source feed.SourceID, body feed.Digest) (store.Document, error) {
	if err := m.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	return m.document(m.docs[sourceDigest{source, body}])
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

// Hash names a key value as identify would: for tests that make drafts by hand.
func Hash(class store.KeyClass, value string) store.Key {
	sum := sha256.Sum256([]byte(value))
	k := store.Key{Class: class}
	copy(k.Hash[:], sum[:])
	return k
}
