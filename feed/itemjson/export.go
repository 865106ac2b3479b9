package itemjson

import (
	"cmp"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// Bounds of a line of an export, an item with its versions. Without the second a line of
// nothing but empty versions would take a hundred times its size to be read.
const (
	MaxLine     = 64 << 20 // bytes
	MaxVersions = 10_000
	maxValues   = 200_000 // members and elements, in all
)

// Fits reports whether a line can be taken in again.
func Fits(line []byte) bool { return len(line) <= MaxLine && values(line) <= maxValues }

// values is how many members and elements JSON has, at most.
func values(line []byte) int {
	if len(line) < maxValues {
		return 0 // it cannot have so many
	}
	n, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// Record is an item as an export has it: the newest version, and what else is known.
type Record struct {
	feed.Item // Topics include those that a person removed
	From      Source
	// Earlier are the versions before, oldest first. Of them only the entry and how it
	// came count.
	Earlier []feed.Item
	// KnownAs are further identities in the source, each the text of a key: by what an
	// item is known of which the content is gone, or beside its native id.
	KnownAs   []string
	Decisions []Decision
}

// Source is what an export says of an item's source. More is nil but with the first item
// of the source.
type Source struct {
	Title, URL, Site string
	More             *SourceMore
}

// SourceMore is what else there is to say of a source, and is no secret.
type SourceMore struct {
	Language string
	Added    time.Time
	Removed  bool
	Content  string // what may be republished: "full" or "summary"
	Topics   []feed.TopicID
	Moves    []Move
}

// Move is one change of a source's address.
type Move struct {
	From, To string
	At       time.Time
	Reason   string
}

// Decision is something that was decided about an item, alone or with others.
type Decision struct {
	// Kind is "topics", "withdraw", "takedown", "merge" or "split".
	Kind   string
	At     time.Time
	By     string // a person's "command", or "rule"
	Reason string
	Undo   bool       // of a withdrawal
	Topics []feed.Tag // of "topics": all that a person said of the item until then
	// Items, of a merge or split, are all items it names. In an export they stand with the
	// last of them; with the others ListedAt names that one.
	Items    []feed.ItemID
	ListedAt feed.ItemID
	Original feed.ItemID // of a merge: the story's original, if it was chosen
}

type origin struct {
	Language string         `json:"language,omitempty"`
	Added    stamp          `json:"added,omitzero"`
	Removed  bool           `json:"removed,omitempty"`
	Content  string         `json:"content,omitempty"`
	Topics   []feed.TopicID `json:"topics,omitempty"`
	Moves    []move         `json:"moves,omitempty"`
}

type move struct {
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	At     stamp  `json:"at,omitzero"`
	Reason string `json:"reason,omitempty"`
}

type decision struct {
	Kind     string         `json:"kind"`
	At       stamp          `json:"at,omitzero"`
	By       string         `json:"by,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Undo     bool           `json:"undo,omitempty"`
	Topics   []tag          `json:"topics,omitempty"`
	Untagged []feed.TopicID `json:"untagged,omitempty"`
	Items    []feed.ItemID  `json:"items,omitempty"`
	ListedAt feed.ItemID    `json:"listed_at,omitzero"`
	Original feed.ItemID    `json:"original,omitzero"`
}

// version is an earlier version of an item, in the item's own words.
type version struct {
	Revision int   `json:"revision"`
	Revised  stamp `json:"revised,omitzero"`
	Trivial  bool  `json:"trivial,omitempty"`
	Reparsed bool  `json:"reparsed,omitempty"`
	opening
	contents
	keeping
	Digest string `json:"digest,omitempty"`
}

// Export writes an item for keeping, on one line without a newline.
func Export(r *Record) ([]byte, error) {
	it := &r.Item
	o := common(it, r.From.Title)
	o.SourceURL, o.SourceSite, o.SourceMore = r.From.URL, r.From.Site, originOf(r.From.More)
	o.keeping = kept(it, &o.opening, &o.contents)
	o.Story, o.Reparsed, o.KnownAs = it.Story, it.Reparsed, r.KnownAs
	if it.Revision > 1 {
		o.Revised = stampOf(it.Revised)
	}
	_, o.Untagged = tagsOf(it.Topics)
	for i := range r.Decisions {
		o.Decisions = append(o.Decisions, decisionOf(&r.Decisions[i]))
	}
	for i := range r.Earlier {
		e := &r.Earlier[i]
		v := version{Revision: e.Revision, Revised: stampOf(e.Revised), Trivial: e.Trivial, Reparsed: e.Reparsed, Digest: digestOf(e)}
		v.opening, v.contents = said(&e.Entry)
		v.keeping = kept(e, &v.opening, &v.contents)
		if v.ContentHTML != "" {
			v.ContentText = "" // it can be had from that
		}
		if v.SummaryHTML != "" {
			v.Summary = ""
		}
		o.Earlier = append(o.Earlier, v)
	}
	return encode(&o)
}

// kept is what is to be kept of a version; the content goes in as published.
func kept(it *feed.Item, o *opening, c *contents) keeping {
	var k keeping
	if it.Method != "guid" || it.Native != it.Entry.ID {
		k.Native, k.Method = it.Native, it.Method
	}
	if markup(it.Content) {
		c.ContentHTML, k.Base = it.Content.Value, it.Content.Base
	}
	if markup(it.Summary) {
		k.SummaryHTML, k.Base = it.Summary.Value, cmp.Or(k.Base, it.Summary.Base)
	}
	if markup(it.Title) && it.Title.Value != html.Plain(it.Title) {
		k.TitleHTML = it.Title.Value
	}
	for i, a := range it.Authors {
		o.Authors[i].Avatar, o.Authors[i].Inherited = a.Avatar, a.Inherited
	}
	for i, e := range it.Enclosures {
		c.Enclosures[i].Title, c.Enclosures[i].Duration = e.Title, e.Duration.Seconds()
	}
	k.More = moreOf(&it.Entry)
	return k
}

func markup(t feed.Text) bool { return t.Type == feed.HTML || t.Type == feed.XHTML }

func originOf(m *SourceMore) *origin {
	if m == nil {
		return nil
	}
	o := &origin{Language: m.Language, Added: stampOf(m.Added), Removed: m.Removed, Content: m.Content, Topics: m.Topics}
	for _, v := range m.Moves {
		o.Moves = append(o.Moves, move{v.From, v.To, stampOf(v.At), v.Reason})
	}
	return o
}

func decisionOf(d *Decision) decision {
	out := decision{
		Kind: d.Kind, At: stampOf(d.At), By: d.By, Reason: d.Reason, Undo: d.Undo,
		Items: d.Items, ListedAt: d.ListedAt, Original: d.Original,
	}
	out.Topics, out.Untagged = tagsOf(d.Topics)
	return out
}

// tagsOf are the tags that an item has, and the topics that a person took from it.
func tagsOf(tags []feed.Tag) (has []tag, not []feed.TopicID) {
	for _, t := range tags {
		switch {
		case t.Score >= 0:
			has = append(has, tag{t.Topic, t.Score, t.About, t.Manual})
		case t.Manual:
			not = append(not, t.Topic)
		}
	}
	return has, not
}
