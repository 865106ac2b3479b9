package index

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"chancery/feed"
	"chancery/store"
)

// formatVersion is of the file and of what goes into it: it rises whenever folding,
// stemming, plain text or the tables change, and older files are made anew.
const formatVersion = 1

const pageSize = 16 << 10 // fewer and larger reads; a twentieth smaller than 4 KiB

var schema = []string{
	"CREATE VIRTUAL TABLE words USING fts5(title, text, rest, content='', columnsize=0, tokenize='ascii')",
	fmt.Sprintf("INSERT INTO words(words, rank) VALUES('pgsz', %d)", pageSize-64),
	"CREATE TABLE versions (n INTEGER PRIMARY KEY, data BLOB NOT NULL)",
	"CREATE TABLE names (kind INTEGER, n INTEGER, name BLOB, title TEXT, PRIMARY KEY (kind, n)) WITHOUT ROWID",
	"CREATE TABLE stems (lang INTEGER, stem TEXT, word TEXT, PRIMARY KEY (lang, stem, word)) WITHOUT ROWID",
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID",
}

const recentBits = 14

// Kinds of names.
const (
	nameSource = 1 + iota
	nameLang
	nameTopic
	nameStory
)

// file is one index: an SQLite file with the columns in memory. One goroutine
// writes; any number read.
type file struct {
	path string
	w    *conn // under mu of Index

	view     atomic.Pointer[view]
	cursor   atomic.Uint64
	complete atomic.Bool // the end of the archive was reached once
	purge    atomic.Bool // words of something taken down are still in it
	broken   atomic.Pointer[error]

	// For writing only.
	stale   bool  // a batch failed half-way: memory must be read again
	mark    int64 // of the record at cursor; see markOf
	ids     idTable
	seen    hashSet                 // (language, word) pairs whose stem is known to be kept
	recent  [1 << recentBits]uint64 // of them, the last: most words of a text, without a cache miss
	numbers map[string]uint32
	lists   map[string]uint32 // of tags: their places
	words   words
	bulk    bool
	commits int // since small segments were merged

	pool struct {
		sync.Mutex
		free   []*reader
		closed bool
	}
	topicSets topicCache
	common    commonCache
}

// openFile opens an index or makes an empty one.
func openFile(path string, create bool) (*file, error) {
	f := &file{path: path}
	_, err := os.Stat(path)
	if fresh := errors.Is(err, os.ErrNotExist); fresh != create {
		return nil, fmt.Errorf("index: %s: %w", filepath.Base(path), cmpErr(err, store.ErrConflict))
	}
	if f.w, err = dial(path, fmt.Sprintf("page_size=%d", pageSize), "journal_mode=WAL", "synchronous=NORMAL",
		"cache_size=-16000", "wal_autocheckpoint=2000", "busy_timeout=5000", "temp_store=MEMORY"); err != nil {
		return nil, err
	}
	if create {
		err = f.make()
	}
	if err == nil {
		err = f.load()
	}
	if err != nil {
		return nil, errors.Join(err, f.w.close())
	}
	return f, nil
}

func (f *file) make() error {
	for _, s := range schema {
		if err := f.w.once(s); err != nil {
			return err
		}
	}
	return f.w.once(fmt.Sprintf("PRAGMA user_version=%d", formatVersion))
}

// tune sets how FTS5 gathers and merges: much at a time while the archive is read
// from the start, little at a time afterwards.
func (f *file) tune(bulk bool) error {
	f.bulk = bulk
	hash, merge, cache := 4<<20, 8, 4000
	if bulk {
		hash, merge, cache = 16<<20, 16, 16_000
	}
	if err := f.w.once(fmt.Sprintf("PRAGMA cache_size=-%d", cache)); err != nil {
		return err
	}
	// A crisis merge would hold up one commit for minutes.
	for _, s := range []string{fmt.Sprintf("('hashsize', %d)", hash), fmt.Sprintf("('automerge', %d)", merge), "('crisismerge', 200)"} {
		if err := f.w.once("INSERT INTO words(words, rank) VALUES" + s); err != nil {
			return err
		}
	}
	return nil
}

// load reads what is kept in memory, and looks whether the file is sound.
func (f *file) load() error {
	version, _, err := f.w.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if version != formatVersion {
		return damaged("version %d of its own format, not %d", version, formatVersion)
	}
	meta := map[string]int64{}
	err = f.w.query("SELECT key, value FROM meta", func(v []driver.Value) error {
		n, _ := v[1].(int64)
		meta[asText(v[0])] = n
		return nil
	})
	if err != nil {
		return err
	}
	last, _, err := f.w.number("SELECT max(n)+1 FROM versions") // none: NULL
	if err != nil {
		return err
	}
	if meta["versions"] != last || last < 0 || last > maxVersions {
		return damaged("%d versions, not %d", last, meta["versions"])
	}
	f.ids, f.seen, f.numbers, f.lists = idTable{}, hashSet{}, map[string]uint32{}, map[string]uint32{"": 0}
	f.recent = [1 << recentBits]uint64{}
	d := (&view{stories: make([]feed.ItemID, 1), langs: []string{""}, byLang: []set{nil}}).draft(int(meta["versions"]), f.lists)
	d.tags = []uint16{0}
	if err := f.loadNames(d); err != nil {
		return err
	}
	err = f.w.query("SELECT n, data FROM versions ORDER BY n", func(v []driver.Value) error {
		n, _ := v[0].(int64)
		b, _ := v[1].([]byte)
		if n != int64(d.n) {
			return damaged("version %d stands where %d should be", n, d.n)
		}
		return f.loadVersion(d, b)
	})
	if err != nil {
		return err
	}
	if int64(d.n) != meta["versions"] {
		return damaged("%d versions, not %d", d.n, meta["versions"])
	}
	for n := range uint32(d.n) {
		if !d.inOrder(n) {
			return damaged("row of version %d", n)
		}
		d.refresh(n)
	}
	f.cursor.Store(uint64(meta["cursor"]))
	f.mark = meta["mark"]
	f.complete.Store(meta["complete"] != 0)
	f.purge.Store(meta["purge"] != 0)
	v := d.done()
	v.items = int64(f.ids.n)
	f.view.Store(v)
	f.topicSets.drop()
	f.stale = false
	if err := f.probe(); err != nil {
		return err
	}
	return f.tune(meta["complete"] == 0)
}

// probe reads both ends of each segment.
func (f *file) probe() error {
	r := &reader{conn: f.w, part: func() error { return nil }}
	if err := r.begin(); err != nil {
		return err
	}
	defer r.end()
	for _, s := range r.segments {
		for _, n := range []int{s.first, s.last} {
			p, err := r.page(s, n)
			if err == nil {
				err = p.each(func([]byte, list) bool { return true })
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *file) loadNames(d *draft) error {
	return f.w.query("SELECT kind, n, name, title FROM names ORDER BY kind, n", func(v []driver.Value) error {
		kind, _ := v[0].(int64)
		n, _ := v[1].(int64)
		name := asText(v[2])
		want := 0
		switch kind {
		case nameSource:
			want = len(d.sources)
			d.sources = append(d.sources, sourceName{feed.SourceID(name), asText(v[3])})
		case nameLang:
			want = len(d.langs)
			d.addLang(name)
		case nameTopic:
			want = len(d.topics)
			d.topics = append(d.topics, feed.TopicID(name))
		case nameStory:
			want = len(d.stories)
			var id feed.ItemID
			copy(id[:], name)
			d.stories = append(d.stories, id)
		}
		if int(n) != want {
			return damaged("name %d of kind %d", n, kind)
		}
		f.numbers[string(rune('0'+kind))+name] = uint32(n)
		return nil
	})
}

// maxVersions is how many an index may have: as many as postings can tell apart.
const maxVersions = 1 << 31

// rowSize is of a version's row, without its tags.
const rowSize = 16 + 8*3 + 4*3 + 2 + 2 + 1 + 4*3

// Flags of a row.
const (
	flagEnclosure = 1 << iota
	flagDead
	flagDuplicate
)

func encodeVersion(v *view, n uint32) []byte {
	fx, s, tags := v.fixed(n), v.state(n), v.tagsOf(n)
	b := make([]byte, 0, rowSize+2*len(tags))
	le := binary.LittleEndian
	b = append(b, fx.id[:]...)
	b = le.AppendUint64(b, uint64(fx.effective))
	b = le.AppendUint64(b, uint64(v.seenAt(fx)))
	b = le.AppendUint64(b, uint64(fx.known))
	b = le.AppendUint32(b, uint32(fx.words))
	b = le.AppendUint32(b, fx.source)
	b = le.AppendUint32(b, fx.revision)
	b = le.AppendUint16(b, 0) // reserved
	var flags byte
	if fx.enclosure() {
		flags |= flagEnclosure
	}
	if s.dead {
		flags |= flagDead
	}
	if s.duplicate {
		flags |= flagDuplicate
	}
	b = append(le.AppendUint16(b, fx.lang()), flags)
	b = le.AppendUint32(b, s.story)
	b = le.AppendUint32(b, s.older)
	b = le.AppendUint32(b, s.newer)
	for _, t := range tags {
		b = le.AppendUint16(b, t)
	}
	return b
}

func (f *file) loadVersion(d *draft, b []byte) error {
	if len(b) < rowSize || (len(b)-rowSize)%2 != 0 {
		return damaged("row of version %d", d.n)
	}
	le := binary.LittleEndian
	var fx fixed
	copy(fx.id[:], b)
	fx.effective = int64(le.Uint64(b[16:]))
	d.times(&fx, int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:])))
	fx.words, fx.source, fx.revision = uint16(min(le.Uint32(b[40:]), math.MaxUint16)), le.Uint32(b[44:]), le.Uint32(b[48:])
	fx.langBits = le.Uint16(b[54:])
	flags := b[56]
	s := state{story: le.Uint32(b[57:]), older: le.Uint32(b[61:]), newer: le.Uint32(b[65:])}
	s.dead, s.duplicate = flags&flagDead != 0, flags&flagDuplicate != 0
	if fx.enclosure() || int(fx.lang()) >= len(d.langs) || int(fx.source) >= len(d.sources) || int(s.story) >= len(d.stories) || int(s.older) > d.big || int(s.newer) > d.big || d.n >= d.big {
		return damaged("row of version %d", d.n)
	}
	if flags&flagEnclosure != 0 {
		fx.langBits |= bitEnclosure
	}
	tags := make([]uint16, 0, (len(b)-rowSize)/2)
	for i := rowSize; i < len(b); i += 2 {
		t := le.Uint16(b[i:])
		if int(t>>1) >= len(d.topics) {
			return damaged("row of version %d", d.n)
		}
		tags = append(tags, t)
	}
	switch {
	case s.older > 0 && s.older <= uint32(d.n):
		s.tags = d.state(s.older - 1).tags // one list for all versions of an item
	case len(tags) > 0:
		s.tags = d.setTags(tags)
	}
	n := d.add(fx, s)
	if s.newer == 0 {
		f.ids.set(d, fx.id, n)
	}
	return nil
}

// inOrder reports whether the versions before and after one are of the same item, and
// before and after it: whoever goes from one to the next comes to an end.
func (d *draft) inOrder(n uint32) bool {
	fx, s := d.fixed(n), d.state(n)
	follows := func(a, b uint32) bool { // the versions' numbers + 1; 0: none
		return a == 0 || b == 0 || a <= uint32(d.n) && b <= uint32(d.n) &&
			d.fixed(a-1).id == fx.id && d.fixed(b-1).id == fx.id && d.fixed(a-1).revision < d.fixed(b-1).revision
	}
	return follows(s.older, n+1) && follows(n+1, s.newer)
}

// idTable finds the newest version of an item, dead or not. It is keyed by the
// part of the id that is a hash.
type idTable struct {
	slots []uint32 // version + 1
	n     int
}

func (t *idTable) slot(d *draft, id feed.ItemID) int {
	mask := len(t.slots) - 1
	i := int(binary.LittleEndian.Uint32(id[8:])^binary.LittleEndian.Uint32(id[4:])) & mask
	for t.slots[i] != 0 && d.fixed(t.slots[i]-1).id != id {
		i = (i + 1) & mask
	}
	return i
}

func (t *idTable) get(d *draft, id feed.ItemID) (uint32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	v := t.slots[t.slot(d, id)]
	return v - 1, v != 0
}

func (t *idTable) set(d *draft, id feed.ItemID, n uint32) {
	if 4*t.n >= 3*len(t.slots) {
		old := t.slots
		t.slots = make([]uint32, max(1024, 2*len(old)))
		for _, v := range old {
			if v != 0 {
				t.slots[t.slot(d, d.fixed(v-1).id)] = v
			}
		}
	}
	i := t.slot(d, id)
	if t.slots[i] == 0 {
		t.n++
	}
	t.slots[i] = n + 1
}

func stemKey(lang uint16, hash uint64) uint64 {
	return (hash ^ uint64(lang)<<48) * 0x9E3779B97F4A7C15
}

// close closes all connections.
func (f *file) close() error {
	f.pool.Lock()
	defer f.pool.Unlock()
	f.pool.closed = true
	var errs []error
	for _, r := range f.pool.free {
		errs = append(errs, r.conn.close())
	}
	f.pool.free = nil
	return errors.Join(append(errs, f.w.close())...)
}

// reader gives a connection for reading.
func (f *file) reader() (*reader, error) {
	f.pool.Lock()
	defer f.pool.Unlock()
	if f.pool.closed {
		return nil, store.ErrClosed
	}
	if n := len(f.pool.free); n > 0 {
		r := f.pool.free[n-1]
		f.pool.free = f.pool.free[:n-1]
		return r, nil
	}
	c, err := dial(f.path, "query_only=1", "cache_size=-2000", "mmap_size=17179869184", "busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	return &reader{conn: c}, nil
}

func (f *file) release(r *reader) {
	f.pool.Lock()
	defer f.pool.Unlock()
	if f.pool.closed || len(f.pool.free) >= 4 {
		_ = r.conn.close() // it only read
		return
	}
	f.pool.free = append(f.pool.free, r)
}

// remove deletes an index's files.
func removeFile(path string) error {
	var errs []error
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// size is what the files take on disk, in bytes.
func (f *file) size() int64 {
	var n int64
	for _, end := range []string{"", "-wal"} {
		if fi, err := os.Stat(f.path + end); err == nil {
			n += fi.Size()
		}
	}
	return n
}
