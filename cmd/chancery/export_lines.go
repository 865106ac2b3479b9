package main

import (
	"context"
	"slices"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/publish/web"
	"chancery/store"
)

// exportWriter writes JSON Lines for keeping: items as published, with their versions and
// what was decided about them. It is what import takes back.
type exportWriter struct {
	e *Env
	// revisions and keys are those of an item.
	revisions func(feed.ItemID) ([]feed.Item, error)
	keys      func(feed.ItemID) ([]store.Key, error)
	whole     bool // everything is exported: what names several items can be told, too
	newest    bool // without earlier versions and decisions
	sources   map[feed.SourceID]*itemjson.Source
	decided   *store.Decisions
	unread    int // versions that could not be read
	long      int // and those that would have made a line too long
}

func (e *Env) exportWriter(ctx context.Context, titles map[feed.SourceID]string, whole, newest bool) (*exportWriter, error) {
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	w := &exportWriter{
		e: e, whole: whole, newest: newest, sources: make(map[feed.SourceID]*itemjson.Source, len(sources)),
		revisions: func(id feed.ItemID) ([]feed.Item, error) { return e.Archive.Revisions(ctx, id) },
		keys:      func(id feed.ItemID) ([]store.Key, error) { return e.Archive.Keys(ctx, id) },
	}
	for i := range sources {
		s := &sources[i].Source
		w.sources[s.ID] = &itemjson.Source{ // exports are handed on: no secret is in them
			Title: titles[s.ID], URL: web.PublicURL(s), Site: s.Site,
			More: sourceMore(s),
		}
	}
	if newest {
		return w, nil
	}
	w.decided, err = store.ReadDecisions(ctx, e.Archive)
	return w, err
}

func sourceMore(s *store.Source) *itemjson.SourceMore {
	m := &itemjson.SourceMore{Language: s.Language, Added: s.Added, Removed: s.Removed, Content: s.Content, Topics: s.Topics}
	public := func(address string) string {
		at := *s
		at.URL, at.Moved = address, ""
		return web.PublicURL(&at)
	}
	for _, v := range s.Moves {
		m.Moves = append(m.Moves, itemjson.Move{From: public(v.From), To: public(v.To), At: v.At, Reason: v.Reason})
	}
	return m
}

func (w *exportWriter) item(found hit) error {
	r := itemjson.Record{Item: found.item}
	if of := w.sources[r.Source]; of != nil {
		r.From = *of
		of.More = nil // once is enough
	}
	if w.newest {
		r.Topics = slices.DeleteFunc(r.Topics, func(t feed.Tag) bool { return t.Score < 0 })
		return w.write(&r)
	}
	if r.Revisions > 1 {
		versions, err := w.revisions(r.ID)
		if err != nil {
			return err
		}
		w.unread += versions[len(versions)-1].Revisions - len(versions)
		r.Item, r.Earlier = versions[len(versions)-1], versions[:len(versions)-1]
	}
	keys := w.decided.Keys(r.ID)
	if r.TakenDown { // nothing else says what it was
		of, err := w.keys(r.ID)
		if err != nil {
			return err
		}
		keys = append(of, keys...)
	}
	for _, k := range keys {
		r.KnownAs = append(r.KnownAs, k.String())
	}
	for _, e := range w.decided.Of(r.ID) {
		if d, ok := decisionOf(&e, r.ID); ok && (w.whole || len(d.Items) == 0 && d.ListedAt.IsZero()) {
			r.Decisions = append(r.Decisions, d)
		}
	}
	if n := len(r.Earlier) - itemjson.MaxVersions; n > 0 {
		w.long += n
		r.Earlier = r.Earlier[n:]
	}
	return w.write(&r)
}

// write writes a line, without the oldest versions if it would be too long.
func (w *exportWriter) write(r *itemjson.Record) error {
	line, err := itemjson.Export(r)
	for err == nil && !itemjson.Fits(line) && len(r.Earlier) > 0 {
		n := (len(r.Earlier) + 1) / 2 // the oldest go first
		w.long += n
		r.Earlier = r.Earlier[n:]
		line, err = itemjson.Export(r)
	}
	if err != nil {
		return err
	}
	_, err = w.e.Out.Write(append(line, '\n'))
	return err
}

func (w *exportWriter) end() error { return nil }

var decisionKinds = map[store.Kind]string{
	store.KindTopics: "topics", store.KindWithdrawn: "withdraw", store.KindTakedown: "takedown", store.KindMerge: "merge", store.KindSplit: "split",
}

// decisionOf is a decision as it stands with one of its items.
func decisionOf(e *store.Edit, id feed.ItemID) (itemjson.Decision, bool) {
	d := itemjson.Decision{Kind: decisionKinds[e.Kind], At: e.At, By: e.By, Reason: e.Reason, Undo: e.Undo}
	switch e.Kind {
	case store.KindTopics:
		for _, t := range e.Topics {
			if t.Manual {
				d.Topics = append(d.Topics, t)
			}
		}
	case store.KindMerge, store.KindSplit:
		last := slices.MaxFunc(e.Items, feed.ItemID.Compare)
		if last != id {
			d.ListedAt = last
			break
		}
		d.Items, d.Original = e.Items, e.First
	}
	return d, d.Kind != ""
}
