package itemjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"chancery/feed"
)

// ErrNotItem: the JSON is no item of an export.
var ErrNotItem = errors.New("not an exported item")

// ErrContradiction: the JSON is an item, and what it says of its history cannot be.
var ErrContradiction = errors.New("it contradicts itself")

// Unmarshal reads what [Export] or [Marshal] wrote. Without an id or a source it
// is ErrNotItem. Members that it does not know are passed over.
func Unmarshal(line []byte) (Record, error) {
	if values(line) > maxValues {
		return Record{}, fmt.Errorf("%w: it has more than %d members and elements", ErrNotItem, maxValues)
	}
	var o object
	if err := json.Unmarshal(line, &o); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrNotItem, err)
	}
	if o.ID.IsZero() || !feed.ValidID(string(o.Source)) {
		return Record{}, fmt.Errorf("%w: it has no id or no valid source", ErrNotItem)
	}
	it, err := item(&o.opening, &o.contents, &o.keeping, o.Digest)
	if err != nil {
		return Record{}, err
	}
	it.ID, it.Source, it.Story, it.Original = o.ID, o.Source, o.Story, o.Original
	it.FirstSeen, it.LastSeen, it.Revised = o.FirstSeen.Time, o.LastSeen.Time, o.Revised.Time
	it.Revision, it.Revisions, it.Trivial, it.Reparsed = o.Revision, o.Revisions, o.Trivial, o.Reparsed
	it.Withdrawn, it.TakenDown = o.Withdrawn, o.TakenDown
	it.Topics = topicsOf(o.Topics, o.Untagged)
	for _, s := range o.AlsoIn {
		it.AlsoIn = append(it.AlsoIn, feed.Sighting{ID: s.ID, Source: s.Source, URL: s.URL, FirstSeen: s.FirstSeen.Time})
	}
	r := Record{Item: it, From: Source{o.SourceTitle, o.SourceURL, o.SourceSite, sourceOf(o.SourceMore)}, KnownAs: o.KnownAs}
	for i := range o.Earlier {
		v := &o.Earlier[i]
		e, err := item(&v.opening, &v.contents, &v.keeping, v.Digest)
		if err != nil {
			return Record{}, fmt.Errorf("revision %d: %w", v.Revision, err)
		}
		e.ID, e.Source, e.Revision, e.Revised, e.Trivial, e.Reparsed = o.ID, o.Source, v.Revision, v.Revised.Time, v.Trivial, v.Reparsed
		r.Earlier = append(r.Earlier, e)
	}
	for i := range o.Decisions {
		d := &o.Decisions[i]
		r.Decisions = append(r.Decisions, Decision{
			Kind: d.Kind, At: d.At.Time, By: d.By, Reason: d.Reason, Undo: d.Undo, Topics: topicsOf(d.Topics, d.Untagged),
			Items: d.Items, ListedAt: d.ListedAt, Original: d.Original,
		})
	}
	if err := r.check(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrContradiction, err)
	}
	return r, nil
}

// item is what a version says.
func item(o *opening, c *contents, k *keeping, digest string) (feed.Item, error) {
	it := feed.Item{
		Native: k.Native, Method: k.Method,
		Entry: feed.Entry{
			ID: o.GUID, URL: o.URL, Title: textOf(k.TitleHTML, o.Title, ""), Language: o.Language,
			Published: dateOf(o.Published, ""), Updated: dateOf(o.Updated, ""),
			Summary: textOf(k.SummaryHTML, c.Summary, k.Base), Content: textOf(c.ContentHTML, c.ContentText, k.Base),
			Authors: each(o.Authors, person.person),
		},
	}
	if it.Method == "" && o.GUID != "" {
		it.Native, it.Method = o.GUID, "guid"
	}
	for _, e := range c.Enclosures {
		it.Enclosures = append(it.Enclosures, feed.Enclosure{
			URL: e.URL, Type: e.Type, Length: e.Length, Title: e.Title, Duration: durationOf(e.Duration),
		})
	}
	for _, t := range c.Categories {
		it.Categories = append(it.Categories, feed.Category{Term: t})
	}
	k.More.fill(&it.Entry)
	if digest != "" {
		d, err := feed.ParseDigest(digest)
		if err != nil {
			return it, fmt.Errorf("%w: %w", ErrNotItem, err)
		}
		it.Digest = d
	}
	return it, nil
}

// durationOf is a number of seconds, or nothing if it cannot be a file's.
func durationOf(seconds float64) time.Duration {
	const century = 3.2e9
	if seconds < 0 || seconds > century {
		return 0
	}
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

func textOf(markup, plain, base string) feed.Text {
	if markup != "" {
		return feed.Text{Type: feed.HTML, Value: markup, Base: base}
	}
	if plain != "" {
		return feed.Text{Type: feed.PlainText, Value: plain}
	}
	return feed.Text{}
}

func topicsOf(has []tag, not []feed.TopicID) []feed.Tag {
	var out []feed.Tag
	for _, t := range has {
		out = append(out, feed.Tag{Topic: t.ID, Score: t.Score, About: t.About, Manual: t.Manual})
	}
	for _, id := range not {
		out = append(out, feed.Tag{Topic: id, Score: -1, Manual: true})
	}
	return out
}

func sourceOf(o *origin) *SourceMore {
	if o == nil {
		return nil
	}
	m := &SourceMore{Language: o.Language, Added: o.Added.Time, Removed: o.Removed, Content: o.Content, Topics: o.Topics}
	for _, v := range o.Moves {
		m.Moves = append(m.Moves, Move{v.From, v.To, v.At.Time, v.Reason})
	}
	return m
}

// check refuses a history that cannot have been.
func (r *Record) check() error {
	if len(r.Earlier) > MaxVersions {
		return fmt.Errorf("%d earlier versions, at most %d", len(r.Earlier), MaxVersions)
	}
	last := 0
	for i := range r.Earlier {
		n := r.Earlier[i].Revision
		if n <= last {
			return fmt.Errorf("revision %d stands behind revision %d", n, last)
		}
		last = n
	}
	if last > 0 && r.Revision <= last {
		return fmt.Errorf("revision %d is among the earlier ones of revision %d", last, r.Revision)
	}
	for _, s := range r.AlsoIn {
		if s.ID == r.ID {
			return errors.New("it is a copy of itself (also_in)")
		}
	}
	for i := range r.Decisions {
		if err := r.Decisions[i].check(r.ID); err != nil {
			return fmt.Errorf("decision %d (%.20s): %w", i+1, r.Decisions[i].Kind, err)
		}
	}
	return nil
}

// check refuses a decision that cannot have been made about an item.
func (d *Decision) check(id feed.ItemID) error {
	switch d.Kind {
	case "topics":
		for _, t := range d.Topics {
			if !feed.ValidID(string(t.Topic)) {
				return fmt.Errorf("%.80q is not an id of a topic", t.Topic)
			}
		}
		fallthrough
	case "withdraw", "takedown":
		if len(d.Items) > 0 || !d.ListedAt.IsZero() {
			return errors.New("it is of one item and names others")
		}
		return nil
	case "merge", "split":
	default:
		return errors.New(`not "topics", "withdraw", "takedown", "merge" or "split"`)
	}
	if !d.ListedAt.IsZero() {
		if len(d.Items) > 0 || d.ListedAt == id {
			return errors.New("its items stand here and with another item")
		}
		return nil
	}
	ids := slices.Clone(d.Items)
	slices.SortFunc(ids, feed.ItemID.Compare)
	switch {
	case len(slices.Compact(ids)) < len(d.Items):
		return errors.New("it names an item twice")
	case d.Kind == "merge" && len(d.Items) < 2:
		return errors.New("it joins an item with nothing")
	case !slices.Contains(d.Items, id):
		return errors.New("it does not name the item with which it stands")
	case !d.Original.IsZero() && (d.Kind != "merge" || !slices.Contains(d.Items, d.Original)):
		return errors.New("the original is none of its items")
	}
	return nil
}
