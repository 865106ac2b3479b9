// Package itemjson is an item as JSON: the one object in which an item leaves the
// program (search, show, export, the API) and comes back to it (import).
//
// Members that are not known are absent, never null or empty. [Marshal] is for
// whoever shows an item: its HTML is sanitized and its URLs are absolute. [Export]
// is for keeping: its HTML is as published, with all that is needed to take the item
// in again under the same id: what else its feed said, its earlier versions, and what
// was decided about it. [Unmarshal] reads both.
package itemjson

import (
	"bytes"
	"encoding/json"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// object is the contract's object, its members in the contract's order. What is
// below digest is added by Export only.
type object struct {
	ID          feed.ItemID   `json:"id"`
	Source      feed.SourceID `json:"source"`
	SourceTitle string        `json:"source_title,omitempty"`
	opening
	FirstSeen stamp `json:"first_seen,omitzero"`
	LastSeen  stamp `json:"last_seen,omitzero"`
	Topics    []tag `json:"topics,omitempty"`
	contents
	Revision  int         `json:"revision,omitempty"`
	Revisions int         `json:"revisions,omitempty"`
	Trivial   bool        `json:"trivial,omitempty"`
	AlsoIn    []sighting  `json:"also_in,omitempty"`
	Original  feed.ItemID `json:"original,omitzero"` // of the story, where that is not the first one
	Withdrawn bool        `json:"withdrawn,omitempty"`
	TakenDown bool        `json:"taken_down,omitempty"`
	Digest    string      `json:"digest,omitempty"`

	keeping
	// SourceURL and SourceSite are the addresses of the source's feed and page.
	SourceURL  string  `json:"source_url,omitempty"`
	SourceSite string  `json:"source_site,omitempty"`
	SourceMore *origin `json:"source_more,omitempty"`
	// Story is the item that the story is named after.
	Story     feed.ItemID    `json:"story,omitzero"`
	Revised   stamp          `json:"revised,omitzero"`
	Reparsed  bool           `json:"reparsed,omitempty"`
	Untagged  []feed.TopicID `json:"untagged,omitempty"`
	KnownAs   []string       `json:"known_as,omitempty"`
	Decisions []decision     `json:"decisions,omitempty"`
	Earlier   []version      `json:"earlier,omitempty"`
}

// opening and contents are what a version says, as far as the contract names it.
type opening struct {
	GUID      string   `json:"guid,omitempty"`
	URL       string   `json:"url,omitempty"`
	Title     string   `json:"title,omitempty"`
	Authors   []person `json:"authors,omitempty"`
	Language  string   `json:"language,omitempty"`
	Published stamp    `json:"published,omitzero"`
	Updated   stamp    `json:"updated,omitzero"`
}

type contents struct {
	Summary     string      `json:"summary,omitempty"`
	ContentHTML string      `json:"content_html,omitempty"`
	ContentText string      `json:"content_text,omitempty"`
	Enclosures  []enclosure `json:"enclosures,omitempty"`
	Categories  []string    `json:"categories,omitempty"`
}

// keeping is what is needed to take a version in again.
type keeping struct {
	// Base is against what relative URLs in content_html resolve.
	Base string `json:"content_base,omitempty"`
	// SummaryHTML and TitleHTML are as published, when they have markup.
	SummaryHTML string `json:"summary_html,omitempty"`
	TitleHTML   string `json:"title_html,omitempty"`
	// Native is by what the item is known in its source, and Method how that was
	// found; left out when it is the guid.
	Native string `json:"native,omitempty"`
	Method string `json:"method,omitempty"`
	More   *more  `json:"more,omitempty"`
}

type person struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Email string `json:"email,omitempty"`
	// Avatar and Inherited are of exports only.
	Avatar    string `json:"avatar,omitempty"`
	Inherited bool   `json:"inherited,omitempty"`
}

type tag struct {
	ID     feed.TopicID `json:"id"`
	Score  float64      `json:"score"`
	About  bool         `json:"about,omitempty"`
	Manual bool         `json:"manual,omitempty"`
}

type enclosure struct {
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Length int64  `json:"length,omitempty"`
	// Title and Duration, in seconds, are of exports only.
	Title    string  `json:"title,omitempty"`
	Duration float64 `json:"duration,omitempty"`
}

type sighting struct {
	ID        feed.ItemID   `json:"id"`
	Source    feed.SourceID `json:"source"`
	URL       string        `json:"url,omitempty"`
	FirstSeen stamp         `json:"first_seen,omitzero"`
}

// stamp is an instant in RFC 3339, in UTC, to the nanosecond that is known.
type stamp struct{ time.Time }

// stampOf is t, or none if RFC 3339 cannot say its year: a date that its publisher made
// up must not keep the item in.
func stampOf(t time.Time) stamp {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return stamp{}
	}
	return stamp{t}
}

func (s stamp) MarshalJSON() ([]byte, error) { return s.UTC().MarshalJSON() }

// Marshal writes an item for showing, without a newline.
func Marshal(it *feed.Item, sourceTitle string) ([]byte, error) {
	o := common(it, sourceTitle)
	o.ContentHTML = html.Sanitize(it.Content, html.DefaultPolicy())
	return encode(&o)
}

func common(it *feed.Item, sourceTitle string) object {
	o := object{
		ID: it.ID, Source: it.Source, SourceTitle: sourceTitle,
		FirstSeen: stampOf(it.FirstSeen), LastSeen: stampOf(it.LastSeen),
		Revision: it.Revision, Revisions: it.Revisions, Trivial: it.Trivial, Withdrawn: it.Withdrawn, TakenDown: it.TakenDown,
	}
	o.opening, o.contents = said(&it.Entry)
	o.Digest = digestOf(it)
	for _, t := range it.Topics {
		if t.Score >= 0 {
			o.Topics = append(o.Topics, tag{t.Topic, t.Score, t.About, t.Manual})
		}
	}
	o.Original = it.Original
	for _, s := range it.AlsoIn {
		o.AlsoIn = append(o.AlsoIn, sighting{s.ID, s.Source, s.URL, stampOf(s.FirstSeen)})
	}
	return o
}

func digestOf(it *feed.Item) string {
	if it.Digest.IsZero() {
		return ""
	}
	return it.Digest.String()
}

// said is what an entry says, in the contract's words.
func said(e *feed.Entry) (opening, contents) {
	o := opening{
		GUID: e.ID, URL: e.URL, Title: html.Plain(e.Title), Language: e.Language,
		Published: stampOf(e.Published.Time), Updated: stampOf(e.Updated.Time),
	}
	c := contents{Summary: html.Plain(e.Summary), ContentText: html.Plain(e.Content)}
	for _, a := range e.Authors {
		o.Authors = append(o.Authors, person{Name: a.Name, URL: a.URL, Email: a.Email})
	}
	for _, e := range e.Enclosures {
		c.Enclosures = append(c.Enclosures, enclosure{URL: e.URL, Type: e.Type, Length: e.Length})
	}
	for _, t := range e.Categories {
		c.Categories = append(c.Categories, t.Term)
	}
	return o, c
}

func encode(o *object) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a line of a file, not a script in a page
	if err := enc.Encode(o); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
