package bolt

import (
	"chancery/feed"
	"chancery/store"
)

// told is what the story keys of a draft say.
type told struct {
	keys  []store.Key // that are this draft's from now on
	story feed.ItemID // that another source tells, or zero
	said  bool        // an export says so
	elect bool        // the draft is to be the story's original: its source has the better claim
}

// toldBefore looks for the story that a draft tells among those of other sources, by its
// address and its exact text.
func (a *arrival) toldBefore(d *store.Draft, sg sighting) (told, error) {
	var out told
	var err error
	past := a.line.past(d)
	if past != nil && sg.id.IsZero() {
		if out.story, err = a.recordedStory(past); err != nil {
			return out, err
		}
		out.said = !out.story.IsZero()
	}
	for _, k := range d.Story {
		if a.b[bStory].Get(storyRow(k)) == nil {
			out.keys = append(out.keys, k)
			continue
		}
		if !sg.id.IsZero() || !out.story.IsZero() && k.Class != store.KeyURL {
			continue
		}
		id, ok, err := a.firstWith(k)
		if err != nil {
			return out, err
		}
		if !ok { // it cannot be read: the key is free
			out.keys = append(out.keys, k)
			continue
		}
		r, err := a.mustRow(id)
		if err != nil {
			return out, err
		}
		if r.source == a.num {
			continue
		}
		if k.Class == store.KeyURL {
			if forged, err := a.byAddress(&out, k, d, &r); err != nil {
				return out, err
			} else if forged {
				continue
			}
		}
		if out.story.IsZero() && !a.tellsApart(d, r.source) {
			out.story = r.story
		}
	}
	return out, nil
}

// byAddress weighs that another source's item has a draft's address. It reports whether
// the two are of one story by nothing else, and not to be believed.
func (a *arrival) byAddress(out *told, k store.Key, d *store.Draft, first *row) (forged bool, err error) {
	mine, theirs := a.claim(a.in.source, d.Entry.URL), a.claim(a.sourceName(first.source), d.Entry.URL)
	if mine > theirs {
		out.keys = append(out.keys, k) // from now on it is this one's
	}
	forged, err = a.strangers(d, first, mine, theirs)
	if err == nil && !forged && mine > theirs && (out.story.IsZero() || out.story == first.story) && !out.said && !a.tellsApart(d, first.source) {
		out.elect, err = a.elects(first.story, mine, d.Entry.URL)
	}
	return forged, err
}

// firstWith is the first item that had a key across sources.
func (t *txn) firstWith(k store.Key) (id feed.ItemID, ok bool, err error) {
	b := t.b[bStory].Get(storyRow(k))
	if b == nil {
		return id, false, nil
	}
	seq := getUint(b)
	if id, ok = t.made[seq]; ok {
		return id, true, nil
	}
	v, err := t.s.volume(seq)
	if err != nil {
		return id, false, err
	}
	h, _, err := v.readHead(seq)
	return h.item, err == nil, t.s.passing(err)
}
