package index

import (
	"fmt"
	"math"
	"slices"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/feed/text"
	"chancery/store"
)

// batch is one commit in the making.
type batch struct {
	f        *file
	d        *draft
	base     int             // versions that were there before
	retagged bool            // one of them got other tags
	changed  map[uint32]bool // versions whose row is written again
	lang     uint16          // of the version at hand
	stems    bool            // its words have stems
	purge    bool            // words of what was taken down are in the file
	mark     int64           // of the last record
	err      error
}

// apply takes in records; see [store.Index].
func (f *file) apply(records []store.Record, upTo store.Cursor) error {
	if upTo <= store.Cursor(f.cursor.Load()) {
		return nil
	}
	if f.stale {
		if err := f.load(); err != nil {
			return err
		}
	}
	f.stale = true // until all is done
	old := f.view.Load()
	b := &batch{f: f, d: old.draft(len(records), f.lists), base: old.n, changed: map[uint32]bool{}}
	f.words.note = b.note
	if err := f.w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := b.run(records, upTo)
	if err == nil {
		err = f.mergeSmall()
	}
	if err == nil {
		err = f.w.exec("COMMIT")
	}
	if err != nil {
		_ = f.w.exec("ROLLBACK") // the first error says why; SQLite may have rolled back itself
		return err
	}
	v := b.d.done()
	if b.retagged {
		v.retags++
	}
	v.items = int64(f.ids.n)
	f.view.Store(v)
	f.cursor.Store(uint64(upTo))
	f.mark = b.mark
	if b.purge {
		f.purge.Store(true)
	}
	f.stale = false
	return nil
}

const (
	// FTS5 merges by itself once in 64 pages, so that commits of one post leave up to
	// 64 segments of a page each, and every word is looked for in all of them. So a
	// few pages are merged once in smallCommits.
	smallCommits = 8
	smallPages   = 16
)

// mergeSmall merges a little after small commits.
func (f *file) mergeSmall() error {
	if f.bulk {
		return nil
	}
	if f.commits++; f.commits < smallCommits {
		return nil
	}
	f.commits = 0
	return f.w.exec("INSERT INTO words(words, rank) VALUES('merge', ?)", int64(smallPages))
}

func (b *batch) run(records []store.Record, upTo store.Cursor) error {
	have := store.Cursor(b.f.cursor.Load())
	for i := range records {
		if records[i].Seq <= have {
			continue
		}
		if err := b.record(&records[i]); err != nil {
			return fmt.Errorf("record %d: %w", records[i].Seq, err)
		}
	}
	for n := range b.changed {
		if err := b.write(n, "REPLACE"); err != nil {
			return err
		}
	}
	if n := len(records); n > 0 && records[n-1].Seq == upTo { // else that one is damaged
		b.mark = markOf(&records[n-1])
	}
	return b.f.setMeta(map[string]int64{"cursor": int64(upTo), "versions": int64(b.d.n), "mark": b.mark})
}

func (f *file) setMeta(m map[string]int64) error {
	for k, v := range m {
		if err := f.w.exec("REPLACE INTO meta(key, value) VALUES (?, ?)", k, v); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) record(r *store.Record) error {
	switch {
	case r.Item != nil && (r.Kind == store.KindItem || r.Kind == store.KindRevision || r.Kind == store.KindReparsed):
		if r.Item.TakenDown {
			return nil
		}
		return b.item(r.Item, r.Texts)
	case r.Edit == nil:
		return nil
	}
	switch r.Kind {
	case store.KindSource:
		if s := r.Edit.Source; s != nil {
			return b.source(s.ID, s.Title, true)
		}
	case store.KindTopics:
		return b.retag(r.Edit)
	case store.KindMerge:
		if !r.Edit.First.IsZero() { // all that are in it are named
			all := slices.SortedFunc(slices.Values(r.Edit.Items), feed.ItemID.Compare)
			return b.unite(slices.Compact(all), r.Edit.First)
		}
		return b.merge(r.Edit.Items)
	case store.KindSplit:
		return b.split(r.Edit.Items)
	case store.KindTakedown:
		words := false
		for _, id := range r.Edit.Items {
			b.versions(id, func(n uint32) {
				b.change(n).dead = true
				b.d.refresh(n)
				words = true
			})
		}
		if words { // else they came without their content: nothing of them is in this file
			b.purge = true
			return b.f.setMeta(map[string]int64{"purge": 1})
		}
	}
	return nil
}

// intern gives a name its number.
func (b *batch) intern(kind int, name string, next, limit int) (n uint32, fresh bool, err error) {
	key := string(rune('0'+kind)) + name
	if n, ok := b.f.numbers[key]; ok {
		return n, false, nil
	}
	if next > limit {
		return 0, false, nil
	}
	n = uint32(next)
	b.f.numbers[key] = n
	return n, true, b.f.w.exec("REPLACE INTO names(kind, n, name) VALUES (?, ?, ?)", int64(kind), int64(n), []byte(name))
}

func (b *batch) source(id feed.SourceID, title string, rename bool) error {
	n, fresh, err := b.intern(nameSource, string(id), len(b.d.sources), math.MaxUint32)
	if err != nil {
		return err
	}
	if fresh {
		b.d.sources = append(slices.Clone(b.d.sources), sourceName{id: id})
	}
	if (rename || fresh) && b.d.sources[n].title != title {
		b.d.sources = slices.Clone(b.d.sources) // views share the old
		b.d.sources[n].title = title
		return b.f.w.exec("UPDATE names SET title=? WHERE kind=? AND n=?", title, int64(nameSource), int64(n))
	}
	return nil
}

// item takes in a version of an item, with its texts if they are at hand.
func (b *batch) item(it *feed.Item, t *store.Texts) error {
	if err := b.source(it.Source, "", false); err != nil {
		return err
	}
	var doc *query.Doc
	if t != nil {
		doc = query.NewDocOf(it, "", t.Title, t.Summary, t.Content)
	} else {
		doc = query.NewDoc(it, "")
	}
	fx := fixed{
		id: it.ID, effective: nanos(doc.Facts.Effective),
		source: b.f.numbers[string(rune('0'+nameSource))+string(it.Source)], revision: uint32(max(it.Revision, 1)),
	}
	b.d.times(&fx, nanos(it.FirstSeen), nanos(it.Revised))
	lang := uint32(0) // unknown
	if doc.Lang != "" {
		n, fresh, err := b.intern(nameLang, doc.Lang, len(b.d.langs), maxLangs)
		if err != nil {
			return err
		}
		if lang = n; fresh {
			b.d.langs = slices.Clone(b.d.langs)
			b.d.addLang(doc.Lang)
		}
	}
	fx.langBits, b.lang = uint16(lang), uint16(lang)
	if doc.Facts.Enclosure {
		fx.langBits |= bitEnclosure
	}
	b.stems = text.Inflects(doc.Lang)
	w := &b.f.words
	w.read(doc)
	fx.words = uint16(min(w.inText, math.MaxUint16))
	if b.err != nil {
		return b.err
	}
	if err := b.f.w.exec("INSERT INTO words(rowid, title, text, rest) VALUES (?, ?, ?, ?)", int64(b.d.n), string(w.title), string(w.text), string(w.rest)); err != nil {
		return err
	}
	return b.link(it, fx)
}

// note keeps the stem of a word that is new in its language.
func (b *batch) note(hash uint64, word []byte) {
	if !b.stems || b.err != nil {
		return
	}
	key := stemKey(b.lang, hash)
	recent := &b.f.recent[key>>(64-recentBits)]
	if *recent == key || !b.f.seen.add(key) {
		*recent = key
		return
	}
	w := string(word)
	if stem := text.Stem(b.d.langs[b.lang], w); stem != w {
		b.err = b.f.w.exec("INSERT OR IGNORE INTO stems(lang, stem, word) VALUES (?, ?, ?)", int64(b.lang), stem, w)
	}
}

// link gives a version its place among the versions of its item and its story.
func (b *batch) link(it *feed.Item, fx fixed) error {
	var s state
	var replaced, newer uint32
	older, known := b.f.ids.get(b.d, it.ID)
	head := older
	if known {
		o := older + 1
		for o != 0 && b.d.fixed(o-1).revision > fx.revision {
			newer, o = o, b.d.state(o-1).older
		}
		if o != 0 && b.d.fixed(o-1).revision == fx.revision { // read again by a newer parser
			replaced = o
			o = b.d.state(o - 1).older
		}
		s.older, s.newer = o, newer
		s.story, s.duplicate = b.d.state(head).story, b.d.state(head).duplicate
		s.tags = b.d.state(head).tags
	}
	n := b.d.add(fx, s)
	if replaced != 0 {
		b.change(replaced - 1).dead = true
		b.d.refresh(replaced - 1)
	}
	if s.older != 0 {
		b.change(s.older - 1).newer = n + 1
		b.d.refresh(s.older - 1)
	}
	if newer != 0 {
		b.change(newer - 1).older = n + 1
	} else {
		b.f.ids.set(b.d, it.ID, n)
	}
	b.d.refresh(n)
	if err := b.setStory(it.ID, it.Story); err != nil {
		return err
	}
	if err := b.setTags(it.ID, it.Topics); err != nil {
		return err
	}
	delete(b.changed, n)
	return b.write(n, "INSERT")
}

// write writes a version's row.
func (b *batch) write(n uint32, verb string) error {
	return b.f.w.exec(verb+" INTO versions(n, data) VALUES (?, ?)", int64(n), encodeVersion(&b.d.view, n))
}

func (b *batch) change(n uint32) *state {
	b.changed[n] = true
	return b.d.change(n)
}

// versions calls do for each version of an item, newest first.
func (b *batch) versions(id feed.ItemID, do func(n uint32)) {
	n, ok := b.f.ids.get(b.d, id)
	for ok {
		older := b.d.state(n).older
		do(n)
		n, ok = older-1, older != 0
	}
}

func (b *batch) retag(e *store.Edit) error {
	for _, id := range e.Items {
		if err := b.setTags(id, e.Topics); err != nil {
			return err
		}
	}
	return nil
}

// setTags replaces the tags of an item.
func (b *batch) setTags(id feed.ItemID, tags []feed.Tag) error {
	head, ok := b.f.ids.get(b.d, id)
	if !ok {
		return nil
	}
	list := make([]uint16, 0, len(tags))
	seen := map[feed.TopicID]bool{}
	for _, t := range tags {
		if seen[t.Topic] {
			continue
		}
		seen[t.Topic] = true
		n, fresh, err := b.intern(nameTopic, string(t.Topic), len(b.d.topics), math.MaxInt16)
		if err != nil {
			return err
		}
		if fresh {
			b.d.topics = append(slices.Clone(b.d.topics), t.Topic)
		}
		if t.Score < 0 || int(n) >= len(b.d.topics) || b.d.topics[n] != t.Topic {
			continue // removed by a person, or one of more topics than anyone has
		}
		about := uint16(0)
		if t.About {
			about = 1
		}
		list = append(list, uint16(n)<<1|about)
	}
	if slices.Equal(list, b.d.tagsOf(head)) && b.d.state(head).older == 0 {
		return nil
	}
	at := uint32(0) // the empty list
	if len(list) > 0 {
		at = b.d.setTags(list)
	}
	b.versions(id, func(n uint32) {
		b.change(n).tags = at
		if int(n) < b.base {
			b.retagged = true
		}
	})
	return nil
}

func (b *batch) story(id feed.ItemID) feed.ItemID {
	if n, ok := b.f.ids.get(b.d, id); ok && b.d.state(n).story != 0 {
		return b.d.stories[b.d.state(n).story]
	}
	return id
}

// setStory puts an item into a story, which is named after its first item.
func (b *batch) setStory(id, story feed.ItemID) error {
	_, known := b.f.numbers[string(rune('0'+nameStory))+string(story[:])]
	if story.IsZero() || story == id && !known {
		b.versions(id, func(n uint32) {
			if s := b.d.state(n); s.story != 0 || s.duplicate {
				s = b.change(n)
				s.story, s.duplicate = 0, false
			}
		})
		return nil
	}
	no, fresh, err := b.intern(nameStory, string(story[:]), len(b.d.stories), math.MaxUint32)
	if err != nil {
		return err
	}
	if fresh {
		b.d.stories = append(b.d.stories, story)
	}
	for _, member := range []feed.ItemID{id, story} {
		if member == story && member != id && b.story(story) != story {
			continue // the one it is named after has gone to another story
		}
		b.versions(member, func(n uint32) {
			if s := b.d.state(n); s.story != no { // else it is known which is a copy
				s = b.change(n)
				s.story, s.duplicate = no, member != story
			}
		})
	}
	return nil
}

// members lists the items of stories, by arrival.
func (b *batch) members(stories map[feed.ItemID]bool) []feed.ItemID {
	var out []feed.ItemID
	for n := range uint32(b.d.n) {
		s := b.d.state(n)
		id := b.d.fixed(n).id
		if s.newer == 0 && stories[b.story(id)] {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, feed.ItemID.Compare)
	return slices.Compact(out)
}

func (b *batch) merge(items []feed.ItemID) error {
	stories := map[feed.ItemID]bool{}
	for _, id := range items {
		stories[b.story(id)] = true
	}
	return b.unite(b.members(stories), feed.ItemID{})
}

func (b *batch) split(items []feed.ItemID) error {
	stories := map[feed.ItemID]bool{}
	for _, id := range items {
		stories[b.story(id)] = true
	}
	rest := map[feed.ItemID][]feed.ItemID{}
	var own []feed.ItemID
	for _, id := range b.members(stories) {
		if slices.Contains(items, id) {
			own = append(own, id)
		} else {
			s := b.story(id)
			rest[s] = append(rest[s], id)
		}
	}
	err := b.unite(own, feed.ItemID{})
	for _, list := range rest {
		if err == nil {
			err = b.unite(list, feed.ItemID{})
		}
	}
	return err
}

// unite makes one story of items, named after the first, which is its original unless
// another one is given as that.
func (b *batch) unite(items []feed.ItemID, original feed.ItemID) error {
	if original.IsZero() && len(items) > 0 {
		original = items[0]
	}
	for i, id := range items {
		if i == 0 {
			if err := b.setStory(id, feed.ItemID{}); err != nil {
				return err
			}
		}
		if err := b.setStory(id, items[0]); err != nil {
			return err
		}
	}
	for _, id := range items {
		b.versions(id, func(n uint32) {
			if b.d.state(n).duplicate != (id != original) {
				b.change(n).duplicate = id != original
			}
		})
	}
	return nil
}
