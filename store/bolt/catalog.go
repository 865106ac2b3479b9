package bolt

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// catalogFormat rises when a catalog of before must be made anew.
const catalogFormat = 2

// buckets of the catalog.
const (
	bItems = iota
	bRevs
	bKeys
	bStory
	bMembers
	bByDate
	bBySource
	bParts
	bDocs
	bSources
	bState
	bTopics
	bTree
	bCounts
	bPending
	bucketCount
)

var catalogBuckets = [bucketCount][]byte{
	bItems: []byte("items"), bRevs: []byte("revs"), bKeys: []byte("keys"), bStory: []byte("story"),
	bMembers: []byte("members"), bByDate: []byte("bydate"), bBySource: []byte("bysource"), bParts: []byte("parts"),
	bDocs: []byte("docs"), bSources: []byte("sources"), bState: []byte("state"), bTopics: []byte("topics"),
	bTree: []byte("tree"), bCounts: []byte("counts"), bPending: []byte("pending"),
}

// buckets whose keys come in order, or a source at a time, are filled further.
var inOrder = map[int]bool{bItems: true, bTree: true, bSources: true, bKeys: true, bParts: true, bBySource: true}

var (
	keyEnd    = []byte("end")
	keyCounts = []byte("counts")
)

// counts are what Stats gives without counting.
type counts struct {
	Items, Revisions, Stories, Raw int64
	First, Last                    int64 // instants of the records at both ends
}

func (c *counts) encode() []byte {
	var b []byte
	for _, n := range []int64{c.Items, c.Revisions, c.Stories, c.Raw, c.First, c.Last} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func decodeCounts(b []byte) (c counts) {
	for _, p := range []*int64{&c.Items, &c.Revisions, &c.Stories, &c.Raw, &c.First, &c.Last} {
		if len(b) >= 8 {
			*p, b = int64(binary.BigEndian.Uint64(b)), b[8:]
		}
	}
	return c
}

// known is a source as it is held in memory. A changed one replaces it, so what was
// read may be used without a lock; only fence, until and later belong to Frontier.
type known struct {
	num    uint32
	source store.Source
	state  *store.PollState // what it points to does not change
	items  int64

	fence uint64 // of the lease; 0: none. Guarded by Store.mu.
	until int64  // of the lease, instant
	// later, if not nil, replaces state and is not stored yet. Guarded by Store.mu;
	// what it points to does not change.
	later *store.PollState
}

// noState is that of a source that was never polled.
var noState = &store.PollState{}

// catalogTx is a write transaction of the catalog with what was changed of the
// part of it that is held in memory.
type catalogTx struct {
	tx      *bbolt.Tx
	b       [bucketCount]*bbolt.Bucket
	end     uint64
	counts  counts
	mem     *memory // as of the beginning; not changed
	sources map[feed.SourceID]*known
	topics  map[feed.TopicID]uint16
	counted map[uint32]bool        // sources whose number of items changed
	near    *nearCache             // nil but in the writer's own transactions
	ended   map[feed.SourceID]bool // sources whose lease ended
	// late are the states of [known.later] that this transaction stores; one that
	// something newer in the same transaction overtook is in overtaken besides.
	late      map[feed.SourceID]*store.PollState
	overtaken map[feed.SourceID]bool
	changes   uint64          // how often a source was set
	encoded   []byte          // room for rows: those before are part of it until the end
	tiles     map[tile][]byte // rows of the tree that grew
	aside     *aside          // nil: all rows are written here; else those of asideBuckets go there
	gaps      bool            // the log lacks records: see gaps.go
	lost      []uint64        // records that this transaction passed over
	// isLost, if not nil, reports whether a record is lost.
	isLost func(seq uint64) bool
}

// memory is the part of the catalog that is held in memory: everything that is as
// many as sources or topics.
type memory struct {
	sources map[feed.SourceID]*known
	names   map[uint32]feed.SourceID
	topics  map[feed.TopicID]uint16
	labels  map[uint16]feed.TopicID
	changes uint64 // how often a source was set since the archive was opened
}

func newCatalogTx(tx *bbolt.Tx, mem *memory) (*catalogTx, error) {
	c := &catalogTx{
		tx: tx, mem: mem, sources: map[feed.SourceID]*known{}, topics: map[feed.TopicID]uint16{}, counted: map[uint32]bool{},
		ended: map[feed.SourceID]bool{}, tiles: map[tile][]byte{},
	}
	for i, name := range catalogBuckets {
		b := tx.Bucket(name)
		if b == nil {
			return nil, damaged(part("catalog"), fmt.Errorf("bucket %s is missing", name))
		}
		if tx.Writable() && inOrder[i] {
			b.FillPercent = 0.9
		}
		if tx.Writable() && i == bTree { // rows of one size, which seven make a page of
			b.FillPercent = 1
		}
		c.b[i] = b
	}
	meta := tx.Bucket(bucketMeta)
	if v := meta.Get(keyEnd); len(v) == 8 {
		c.end = binary.BigEndian.Uint64(v)
	}
	c.counts = decodeCounts(meta.Get(keyCounts))
	c.gaps = len(meta.Get(keyLost)) > 0
	return c, nil
}

// finish writes what was gathered; the transaction can be committed after it.
func (c *catalogTx) finish() error {
	if err := c.finishTree(); err != nil {
		return err
	}
	meta := c.tx.Bucket(bucketMeta)
	if len(c.lost) > 0 {
		lost, err := decodeRecords(meta.Get(keyLost))
		if err == nil {
			err = meta.Put(keyLost, encodeRecords(append(lost, c.lost...)))
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(meta.Put(keyEnd, be64(c.end)), meta.Put(keyCounts, c.counts.encode())); err != nil {
		return err
	}
	for _, s := range c.sources {
		if c.counted[s.num] {
			if err := c.b[bCounts].Put(num4(s.num), be64(uint64(s.items))); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge makes what the transaction changed part of memory; called after the
// commit, under Store.mu.
func (c *catalogTx) merge() {
	c.mem.changes += c.changes
	for id, s := range c.sources {
		if old := c.mem.sources[id]; old != nil && !s.source.Removed {
			if !c.ended[id] {
				s.fence, s.until = old.fence, old.until
			}
			if old.later != c.late[id] { // of a poll that ended meanwhile
				s.later = old.later
			}
		}
		c.mem.sources[id] = s
		c.mem.names[s.num] = id
	}
	for t, n := range c.topics {
		c.mem.topics[t] = n
		c.mem.labels[n] = t
	}
}

// put writes a row of one of asideBuckets.
func (c *catalogTx) put(bucket int, k, v []byte) error {
	if c.aside != nil {
		return c.aside.put(bucket, k, v)
	}
	return c.b[bucket].Put(k, v)
}

// putFirst is put where there is no such row yet.
func (c *catalogTx) putFirst(bucket int, k, v []byte) error {
	if c.aside != nil {
		return c.aside.putFirst(bucket, k, v)
	}
	if c.b[bucket].Get(k) != nil {
		return nil
	}
	return c.b[bucket].Put(k, v)
}

// remove takes a row of one of asideBuckets away.
func (c *catalogTx) remove(bucket int, k []byte) error {
	if c.aside != nil {
		return c.aside.remove(bucket, k)
	}
	return c.b[bucket].Delete(k)
}

func num4(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// source is a source as the transaction sees it; nil if there is none.
func (c *catalogTx) source(id feed.SourceID) *known {
	if s := c.sources[id]; s != nil {
		return s
	}
	return c.mem.sources[id]
}

// edit gives a copy of a source that may be changed.
func (c *catalogTx) editSource(id feed.SourceID) *known {
	if s := c.sources[id]; s != nil {
		return s
	}
	s := &known{state: noState}
	if old := c.mem.sources[id]; old != nil {
		s.num, s.source, s.state, s.items = old.num, old.source, old.state, old.items // the lease stays with old
	}
	c.sources[id] = s
	return s
}

func (c *catalogTx) sourceName(num uint32) feed.SourceID {
	if id, ok := c.mem.names[num]; ok {
		return id
	}
	for id, s := range c.sources {
		if s.num == num {
			return id
		}
	}
	return ""
}

// storedSource is a row of the bucket sources.
type storedSource struct {
	Num    uint32       `json:"num"`
	Source store.Source `json:"source"`
}

// setSource makes or replaces a source.
func (c *catalogTx) setSource(src store.Source, state *store.PollState) error {
	c.changes++
	isNew := c.source(src.ID) == nil
	s := c.editSource(src.ID)
	if isNew {
		s.num = uint32(len(c.mem.sources)) + 1
		for id := range c.sources {
			if c.mem.sources[id] == nil && id != src.ID {
				s.num++
			}
		}
	}
	s.source = src
	if state != nil {
		kept := copyState(*state)
		s.state = &kept
	}
	if src.Removed {
		s.state = noState
	}
	c.overtake(src.ID, state != nil || src.Removed)
	v, err := json.Marshal(storedSource{s.num, src})
	if err != nil {
		return err
	}
	if err := c.b[bSources].Put([]byte(src.ID), v); err != nil {
		return err
	}
	if state != nil || src.Removed {
		return c.putState(src.ID, s)
	}
	return nil
}

func (c *catalogTx) setState(id feed.SourceID, state store.PollState) error {
	s := c.editSource(id)
	kept := copyState(state)
	s.state = &kept
	c.overtake(id, true)
	return c.putState(id, s)
}

// overtake notes that a state is newer than the one in late.
func (c *catalogTx) overtake(id feed.SourceID, newer bool) {
	if newer && c.late[id] != nil {
		c.overtaken[id] = true
	}
}

func (c *catalogTx) putState(id feed.SourceID, s *known) error {
	return c.b[bState].Put([]byte(id), c.encodeState(s.state))
}

// topic is a topic's number; a new one gets the next.
func (c *catalogTx) topic(id feed.TopicID) (uint16, error) {
	if n, ok := c.mem.topics[id]; ok {
		return n, nil
	}
	if n, ok := c.topics[id]; ok {
		return n, nil
	}
	n := len(c.mem.topics) + len(c.topics) + 1
	if n > 65535 {
		return 0, fmt.Errorf("%w: more than 65535 topics", store.ErrFull)
	}
	c.topics[id] = uint16(n)
	return uint16(n), c.b[bTopics].Put([]byte(id), binary.BigEndian.AppendUint16(nil, uint16(n)))
}

func (c *catalogTx) rowTags(tags []feed.Tag) ([]rowTag, error) {
	var out []rowTag
	for _, t := range tags {
		n, err := c.topic(t.Topic)
		if err != nil {
			return nil, err
		}
		out = append(out, rowTag{n, t.Score, tagFlags(t)})
	}
	return out, nil
}

func (c *catalogTx) row(id feed.ItemID) (row, bool, error) {
	v := c.b[bItems].Get(id[:])
	if v == nil {
		return row{}, false, nil
	}
	r, err := decodeRow(v)
	if err != nil {
		return r, false, damaged(part("catalog: item "+id.String()), err)
	}
	if r.story.IsZero() {
		r.story = id
	}
	return r, true, nil
}

// mustRow is row for an item that a record names.
func (c *catalogTx) mustRow(id feed.ItemID) (row, error) {
	r, ok, err := c.row(id)
	if err == nil && !ok {
		err = damaged(part("catalog"), fmt.Errorf("item %v is missing", id))
	}
	return r, err
}

func (c *catalogTx) putRow(id feed.ItemID, r *row) error {
	kept := *r
	if kept.story == id {
		kept.story = feed.ItemID{}
	}
	return c.b[bItems].Put(id[:], kept.encode())
}

func dateKey(effective int64, source feed.SourceID, id feed.ItemID) []byte {
	s := sortable(effective)
	k := make([]byte, 0, 8+len(source)+1+16)
	k = append(append(k, s[:]...), source...)
	return append(append(k, 0), id[:]...)
}

func sourceDateKey(num uint32, effective int64, id feed.ItemID) []byte {
	s := sortable(effective)
	return append(append(num4(num), s[:]...), id[:]...)
}

func keyRow(num uint32, k store.Key) []byte {
	b := make([]byte, 0, 4+1+keyHash)
	b = binary.BigEndian.AppendUint32(b, num)
	return append(append(b, byte(k.Class)), k.Hash[:keyHash]...)
}

// keyHash is how many bytes of a key's hash the catalog keeps: half of what the
// records have, and still far more than there can be posts.
const keyHash = 8

func storyRow(k store.Key) []byte { return append([]byte{byte(k.Class)}, k.Hash[:keyHash]...) }

func shortRow(num uint32, d short) []byte { return append(num4(num), d[:]...) }

func revRow(id feed.ItemID, revision uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 20), id[:]...), revision)
}

// put writes the rows by date of an item; old, if not nil, are those to take away.
func (c *catalogTx) putDates(source feed.SourceID, id feed.ItemID, r, old *row) error {
	if old != nil && old.effective != r.effective {
		if err := errors.Join(c.remove(bByDate, dateKey(old.effective, source, id)),
			c.remove(bBySource, sourceDateKey(old.source, old.effective, id))); err != nil {
			return err
		}
	}
	if err := c.put(bByDate, dateKey(r.effective, source, id), r.topicNumbers()); err != nil {
		return err
	}
	if old != nil && old.effective == r.effective {
		return nil
	}
	return c.put(bBySource, sourceDateKey(r.source, r.effective, id), nil)
}

// see moves an item's last-seen time.
func (c *catalogTx) see(id feed.ItemID, at int64) error {
	if c.aside != nil {
		return c.aside.see(id, at)
	}
	r, ok, err := c.row(id)
	if err != nil || !ok || r.lastSeen >= at {
		return err
	}
	r.lastSeen = at
	return c.putRow(id, &r)
}
