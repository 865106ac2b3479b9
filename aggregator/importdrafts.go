package aggregator

import (
	"cmp"
	"slices"
	"time"

	"chancery/aggregator/identify"
	"chancery/aggregator/normalize"
	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/feed/text"
	"chancery/store"
)

// draftsOf makes of an exported item a draft for each of its versions.
func (l *lines) draftsOf(src feed.SourceID, r *itemjson.Record, known []store.Key) []store.Draft {
	now := l.a.now()
	past := func(t time.Time) time.Time { // nothing was seen in the future
		if t.After(now) {
			return now
		}
		return t
	}
	newest := r.Item
	newest.FirstSeen = past(newest.FirstSeen)
	var out []store.Draft
	for i := range r.Earlier {
		v := &r.Earlier[i]
		v.TakenDown = r.TakenDown
		d := l.draftOf(src, v, known, false)
		d.ID, d.FirstSeen = r.ID, newest.FirstSeen
		seen := cmp.Or(past(v.Revised), newest.FirstSeen)
		d.Recorded = &store.Recorded{Earlier: true, Seen: seen, LastSeen: seen, Trivial: v.Trivial, Reparsed: v.Reparsed}
		out = append(out, d)
	}
	d := l.draftOf(src, &newest, known, true)
	if r.TakenDown {
		known = nil // they are its own
	}
	d.ID, d.FirstSeen = r.ID, newest.FirstSeen
	d.Recorded = &store.Recorded{
		Seen: past(r.Revised), LastSeen: past(r.LastSeen), Trivial: r.Trivial, Reparsed: r.Reparsed, Known: known, Decided: l.decidedOf(r, &d, now),
	}
	if !r.Story.IsZero() { // an archive says what tells one story
		d.Recorded.Apart = func(other feed.SourceID) bool { return l.sources[other] }
	}
	told := []feed.ItemID{r.Story}
	for _, s := range r.AlsoIn {
		told = append(told, s.ID)
	}
	for _, id := range told {
		if id != r.ID && !id.IsZero() {
			d.Recorded.Story = append(d.Recorded.Story, l.here(id))
		}
	}
	out = append(out, d)
	if len(out) > 1 { // the first brings the item
		first := out[0].Recorded
		first.Apart, first.Story, first.Seen = d.Recorded.Apart, d.Recorded.Story, time.Time{}
	}
	return out
}

// here is the id that an item of the file has here.
func (l *lines) here(id feed.ItemID) feed.ItemID {
	return cmp.Or(l.elsewhere[id], id)
}

// decidedOf is what was decided about an item alone, d being its newest version.
func (l *lines) decidedOf(r *itemjson.Record, d *store.Draft, now time.Time) []store.Edit {
	var out []store.Edit
	withdrawn, takenDown := false, false
	for i := range r.Decisions {
		v := &r.Decisions[i]
		e := store.Edit{Kind: ofOne[v.Kind], At: v.At, By: v.By, Reason: v.Reason, Undo: v.Undo}
		if e.At.After(now) {
			e.At = now
		}
		switch e.Kind {
		case 0:
			continue
		case store.KindTopics:
			if e.By = cmp.Or(e.By, "import"); e.By == "rule" {
				e.By = "import" // rules decide here anew
			}
			for _, t := range d.Topics {
				if !t.Manual {
					e.Topics = append(e.Topics, t)
				}
			}
			e.Topics = withTags(e.Topics, v.Topics)
		case store.KindWithdrawn:
			withdrawn = !e.Undo
		default:
			takenDown = true
		}
		out = append(out, e)
	}
	if r.Withdrawn != withdrawn {
		out = append(out, store.Edit{Kind: store.KindWithdrawn, Undo: !r.Withdrawn, By: "import", Reason: "as it was where it was exported"})
	}
	if r.TakenDown && !takenDown {
		out = append(out, store.Edit{Kind: store.KindTakedown, By: "import", Reason: "it was taken down where it was exported"})
	}
	return out
}

var ofOne = map[string]store.Kind{"topics": store.KindTopics, "withdraw": store.KindWithdrawn, "takedown": store.KindTakedown}

// draftOf makes of a version of an exported item what the pipeline makes of an entry.
// Topics, of the newest only, come from today's rules, but what a person decided stays.
func (l *lines) draftOf(src feed.SourceID, it *feed.Item, known []store.Key, newest bool) store.Draft {
	e := &it.Entry
	p := normalize.PlainOf(e)
	body := text.NewRow(p.Body())
	ids, _ := identify.Document([]identify.Post{postOf(e, p, body)}, "", nil)
	d := store.Draft{
		Entry: *e, Native: ids[0].Native, Method: ids[0].Method, Keys: ids[0].Keys, Story: ids[0].Story, Sketch: ids[0].Sketch,
		Version: normalize.Version(e, p), Part: -1, RuleSet: l.a.topics.Digest(),
	}
	d.Trivial = func(was *feed.Entry) bool { return normalize.Trivial(was, e) }
	if !it.Digest.IsZero() {
		// Its own digest stands for what was published, so that the same feed, polled
		// here, is not an edit.
		d.Version = it.Digest
	}
	if keys, ok := identify.Restore(it.Method, it.Native, normalize.Alias(it.Native)); ok {
		d.Native, d.Method, d.Keys = it.Native, it.Method, keys
	}
	if it.TakenDown { // what it was is not known, but by what
		d.Native, d.Method, d.Keys, d.Story, d.Sketch = "", "", known, nil, store.Sketch{}
	}
	if !newest {
		return d
	}
	d.Topics = l.a.tag(store.Source{ID: src}, e, p, body)
	byHand := slices.DeleteFunc(slices.Clone(it.Topics), func(t feed.Tag) bool { return !t.Manual })
	d.Topics = withTags(d.Topics, byHand)
	return d
}

// withTags puts tags in the place of those of the same topics, and behind the others.
func withTags(tags, more []feed.Tag) []feed.Tag {
	if len(more) == 0 {
		return tags
	}
	place := make(map[feed.TopicID]int, len(tags)+len(more))
	for i := range tags {
		place[tags[i].Topic] = i
	}
	for _, t := range more {
		i, ok := place[t.Topic]
		if !ok {
			place[t.Topic], tags = len(tags), append(tags, t)
			continue
		}
		tags[i] = t
	}
	return tags
}
