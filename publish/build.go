package publish

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// snapshotOf gives the feed as it is now. It costs a pointer when nothing changed
// (PUB-64).
func (p *Publisher) snapshotOf(ctx context.Context, f *shelf) (*snapshot, error) {
	if s := f.snap.Load(); s != nil {
		return s, nil
	}
	release, err := p.builds.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.snap.Load(); s != nil {
		return s, nil // another request made it meanwhile
	}
	s, err := p.build(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("make feed %s: %w", f.name, err)
	}
	f.snap.Store(s)
	if c := p.chainOf(f.name); c != nil && c.gen.Load() != s.gen {
		f.snap.Store(nil) // an archive document was finished meanwhile
	}
	return s, nil
}

// build makes a snapshot. It needs f.mu.
func (p *Publisher) build(ctx context.Context, f *shelf) (*snapshot, error) {
	if err := p.identify(ctx, f); err != nil {
		return nil, err
	}
	if f.window == nil {
		w, err := p.readWindow(ctx, f)
		if err != nil {
			return nil, err
		}
		f.window = w
		if err := p.keepSeeded(ctx, f); err != nil {
			return nil, err
		}
	}
	st := p.state
	past := p.past(f)
	members, err := p.withPending(ctx, f, f.window.shown(f.limit, st.cfg.Window), past)
	if err != nil {
		return nil, err
	}
	entries, err := p.prepare(ctx, idsOf(members), f.content)
	if err != nil {
		return nil, err
	}
	entries = bound(entries, f.limit, st.cfg.MaxBytes, past)
	rf, err := p.feedOf(ctx, f)
	if err != nil {
		return nil, err
	}
	rf.Entries = entries
	rf.Updated = f.updated(members, past)
	if err := p.tellPast(ctx, rf, f, past); err != nil {
		return nil, err
	}
	if !f.minted && f.window.beyond(len(rf.Entries)) {
		rf.Paging.First, rf.Paging.Next = rf.Self, p.pagedAddress(f, 2)
	}
	age := maxAge(members)
	rf.TTL = age
	s := &snapshot{gen: past.gen}
	for i := range entries {
		s.ids = append(s.ids, entries[i].Item)
	}
	version := versionOf(rf)
	head := *rf
	head.Entries = nil
	load := func(ctx context.Context) (*render.Feed, error) {
		full := head
		var err error
		if full.Entries, err = p.prepare(ctx, s.ids, f.content); err != nil {
			return nil, err
		}
		if versionOf(&full) != version {
			f.snap.CompareAndSwap(s, nil)
			return nil, web.ErrStale
		}
		return &full, nil
	}
	s.doc = p.document(&web.Feed{Name: f.name, Feed: &head, Formats: f.formats, Version: version, MaxAge: age}, load)
	return s, nil
}

// document gives a feed the functions that get its entries and its bytes.
func (p *Publisher) document(f *web.Feed, load func(context.Context) (*render.Feed, error)) *web.Feed {
	f.Load = load
	version := f.Version
	f.Bytes = func(ctx context.Context, format render.Format, gz bool) ([]byte, error) {
		return p.pageBytes(ctx, load, version, format, gz)
	}
	return f
}

// whole is a document that is made for one request and has its entries.
func (p *Publisher) whole(f *web.Feed) *web.Feed {
	full := f.Feed
	f.Version = versionOf(full)
	return p.document(f, func(context.Context) (*render.Feed, error) { return full, nil })
}

// feedOf is the head of a feed's documents.
func (p *Publisher) feedOf(ctx context.Context, f *shelf) (*render.Feed, error) {
	authority, err := p.authority(ctx)
	if err != nil {
		return nil, err
	}
	st := p.state
	base := st.base
	rf := &render.Feed{
		ID: f.id, Title: f.title, Description: f.about, Language: f.language,
		Self: st.address(f.name), Home: base + f.home,
		Author: st.cfg.Title, Icon: st.cfg.Icon, Style: base + web.FeedStyle, TopicScheme: topicScheme(authority),
		Mixed: !f.perItem,
	}
	for i, served := range f.formats {
		rf.Without[i] = !served
	}
	rf.Hubs = p.hubsOf(f)
	return rf, nil
}

func idsOf(members []member) []feed.ItemID {
	out := make([]feed.ItemID, len(members))
	for i, m := range members {
		out[i] = m.id
	}
	return out
}

// prepare gives the entries of items, in their order. Prepared entries are kept; an
// item that is gone meanwhile is left out.
func (p *Publisher) prepare(ctx context.Context, ids []feed.ItemID, content string) ([]render.Entry, error) {
	out := make([]render.Entry, 0, len(ids))
	known := make(map[feed.ItemID]render.Entry, len(ids))
	var missing []feed.ItemID
	for _, id := range ids {
		e, ok := p.entries.get(entryKey{id, content})
		if ok {
			known[id] = e
		} else {
			missing = append(missing, id)
		}
	}
	before := p.evicted.Load()
	for part := range slices.Chunk(missing, 100) {
		items, err := readItems(ctx, p.archive, part, store.AllFields)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if items[i].TakenDown {
				continue
			}
			e := p.entry(&items[i], content)
			known[e.Item] = e
			// Not if something changed since the item was read: then it may be old.
			p.entries.putIf(entryKey{e.Item, content}, e, entrySize(&e), func() bool { return p.evicted.Load() == before })
		}
	}
	for _, id := range ids {
		if e, ok := known[id]; ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// entrySize is about what an entry takes in memory.
func entrySize(e *render.Entry) int64 {
	return int64(len(e.HTML) + len(e.Summary) + 1024 + 64*len(e.Topics) + 128*(len(e.Categories)+len(e.Authors)+len(e.AlsoAt)+len(e.Enclosures)))
}

// entry makes one entry.
func (p *Publisher) entry(it *feed.Item, content string) render.Entry {
	st := p.state
	base := st.base
	src := p.source(it.Source)
	if content == contentBrief {
		src.Content, content = contentSummary, contentSummary
	}
	return render.Prepare(it, render.Context{
		Source: src, Others: p.source,
		Label:   func(id feed.TopicID) string { return st.labels[id] },
		Page:    func(id feed.ItemID) string { return base + "/items/" + id.String() },
		Content: content, Policy: html.DefaultPolicy(),
	})
}

// bound cuts what goes beyond limit so that the bodies fit in size (PUB-05). The
// limit itself is a promise and holds whatever the size; so does what is in no
// archive document yet.
func bound(entries []render.Entry, limit int, size int64, past past) []render.Entry {
	var sum int64
	out := entries[:0]
	for i := range entries {
		sum += int64(len(entries[i].HTML) + len(entries[i].Summary))
		if i < limit || sum <= size || past.pending[entries[i].Item] {
			out = append(out, entries[i])
		}
	}
	return out
}

// updated is the newest change that altered the feed (PUB-03).
func (f *shelf) updated(members []member, past past) time.Time {
	t := f.since
	later := func(u time.Time) {
		if u.After(t) {
			t = u
		}
	}
	later(past.last)
	if past.chain == "" {
		later(f.left) // a feed without a history of its own
	}
	for _, m := range members {
		later(m.changed)
	}
	if t.IsZero() {
		// An empty feed that never changed: the Unix epoch, as the element must be
		// there and the clock must not be asked (PUB-01).
		t = time.Unix(0, 0)
	}
	return t.UTC()
}

// maxAge is the expected time to the next change: half of the middle distance of
// the last arrivals, in whole minutes, so that ttl of RSS can say the same
// (PUB-27, PUB-68).
func maxAge(members []member) time.Duration {
	const least, most = time.Minute, time.Hour
	var at []time.Time
	for _, m := range members {
		at = append(at, m.arrived)
	}
	slices.SortFunc(at, func(a, b time.Time) int { return b.Compare(a) })
	at = slices.CompactFunc(at, time.Time.Equal) // one commit is one arrival
	at = at[:min(len(at), 11)]
	if len(at) < 3 {
		return 5 * time.Minute // nothing is known of its habits
	}
	gaps := make([]time.Duration, 0, len(at)-1)
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i-1].Sub(at[i]))
	}
	slices.Sort(gaps)
	return min(max((gaps[len(gaps)/2]/2).Truncate(time.Minute), least), most)
}

// versionOf names everything that goes into a feed's bytes.
func versionOf(f *render.Feed) feed.Digest {
	parts := []string{
		strconv.Itoa(render.Version), strconv.Itoa(html.PolicyVersion),
		f.ID, f.Title, f.Description, f.Language, string(f.Self), f.Home, f.Icon, f.Author, f.Style, f.TopicScheme,
		f.Updated.UTC().Format(time.RFC3339Nano), f.TTL.String(), strconv.FormatBool(f.Mixed),
		fmt.Sprintf("%q", f.Hubs), fmt.Sprintf("%+v", f.Paging), fmt.Sprintf("%+v", f.Deleted), fmt.Sprint(f.Without),
	}
	if f.Search != nil {
		parts = append(parts, fmt.Sprintf("%+v", *f.Search))
	}
	for i := range f.Entries {
		parts = append(parts, string(f.Entries[i].Stamp[:]))
	}
	return digestOf(parts...)
}

// pageBytes gives the bytes of a document, made once.
func (p *Publisher) pageBytes(ctx context.Context, load func(context.Context) (*render.Feed, error), version feed.Digest, format render.Format, gz bool) ([]byte, error) {
	key := pageKey{version, format, gz}
	if b, ok := p.pages.get(key); ok {
		return b, nil
	}
	release, err := p.builds.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if b, ok := p.pages.get(key); ok {
		return b, nil
	}
	plain, ok := p.pages.get(pageKey{version, format, false})
	if !ok {
		f, err := load(ctx)
		if err != nil {
			return nil, err
		}
		if plain, err = render.Write(f, format); err != nil {
			return nil, err
		}
		// Nearly everybody takes gzip: the plain bytes are kept only where they are
		// asked for.
		if !gz {
			plain = fitted(plain)
			p.pages.put(key, plain, int64(len(plain)))
		}
	}
	if !gz {
		return plain, nil
	}
	b, err := compress(plain)
	if err != nil {
		return nil, err
	}
	p.pages.put(key, b, int64(len(b)))
	return b, nil
}

// gzipLevel: at 6 a feed of 50 posts costs half of what it costs at 9, for 1 % more
// bytes.
const gzipLevel = 6

// zippers keeps compressors: one has tables of a megabyte.
var zippers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzipLevel)
	if err != nil {
		panic("publish: " + err.Error()) // only a wrong level, which is a constant
	}
	return w
}}

func compress(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(len(b) / 3)
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(&buf)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return fitted(buf.Bytes()), nil
}

// fitted is b without room to grow: the cache counts lengths.
func fitted(b []byte) []byte {
	if cap(b)-len(b) < len(b)/8 {
		return b
	}
	return bytes.Clone(b)
}
