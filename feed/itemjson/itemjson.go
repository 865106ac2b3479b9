// Package itemjson is an item as JSON: the one object in which an item leaves the
// program (search, show, export, the API) and comes back to it (import).
//
// Members that are not known are absent, never null or empty. [Marshal] is for
// whoever shows an item: its HTML is sanitized and its URLs are absolute. [Export]
// is for keeping: its HTML is as published, with what is needed to take the item
// in again under the same id.
package itemjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	GUID        string        `json:"guid,omitempty"`
	URL         string        `json:"url,omitempty"`
	Title       string        `json:"title,omitempty"`
	Authors     []person      `json:"authors,omitempty"`
	Language    string        `json:"language,omitempty"`
	Published   stamp         `json:"published,omitzero"`
	Updated     stamp         `json:"updated,omitzero"`
	FirstSeen   stamp         `json:"first_seen,omitzero"`
	LastSeen    stamp         `json:"last_seen,omitzero"`
	Topics      []tag         `json:"topics,omitempty"`
	Summary     string        `json:"summary,omitempty"`
	ContentHTML string        `json:"content_html,omitempty"`
	ContentText string        `json:"content_text,omitempty"`
	Enclosures  []enclosure   `json:"enclosures,omitempty"`
	Categories  []string      `json:"categories,omitempty"`
	Revision    int           `json:"revision,omitempty"`
	Revisions   int           `json:"revisions,omitempty"`
	Trivial     bool          `json:"trivial,omitempty"`
	AlsoIn      []sighting    `json:"also_in,omitempty"`
	Original    feed.ItemID   `json:"original,omitzero"` // of the story, where that is not the first one
	Withdrawn   bool          `json:"withdrawn,omitempty"`
	TakenDown   bool          `json:"taken_down,omitempty"`
	Digest      string        `json:"digest,omitempty"`

	// Base is against what relative URLs in content_html resolve.
	Base string `json:"content_base,omitempty"`
	// SummaryHTML is the summary as published, when it has markup.
	SummaryHTML string `json:"summary_html,omitempty"`
	// Native is by what the item is known in its source, and Method how that was
	// found; left out when it is the guid.
	Native string `json:"native,omitempty"`
	Method string `json:"method,omitempty"`
	// SourceURL and SourceSite are the addresses of the source's feed and page.
	SourceURL  string `json:"source_url,omitempty"`
	SourceSite string `json:"source_site,omitempty"`
}

// Source is what an export says of an item's source.
type Source struct {
	Title, URL, Site string
}

type person struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Email string `json:"email,omitempty"`
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
	return encode(o)
}

// Export writes an item for keeping: what [Unmarshal] reads back. It is the newest
// revision; earlier ones are kept by a backup.
func Export(it *feed.Item, src Source) ([]byte, error) {
	o := common(it, src.Title)
	o.SourceURL, o.SourceSite = src.URL, src.Site
	if it.Method != "guid" || it.Native != it.Entry.ID {
		o.Native, o.Method = it.Native, it.Method
	}
	if it.Content.Type == feed.HTML || it.Content.Type == feed.XHTML {
		o.ContentHTML, o.Base = it.Content.Value, it.Content.Base
	}
	if it.Summary.Type == feed.HTML || it.Summary.Type == feed.XHTML {
		o.SummaryHTML = it.Summary.Value
		if o.Base == "" {
			o.Base = it.Summary.Base
		}
	}
	return encode(o)
}

func common(it *feed.Item, sourceTitle string) object {
	o := object{
		ID: it.ID, Source: it.Source, SourceTitle: sourceTitle, GUID: it.Entry.ID, URL: it.URL,
		Title: html.Plain(it.Title), Language: it.Language,
		Published: stampOf(it.Published.Time), Updated: stampOf(it.Updated.Time),
		FirstSeen: stampOf(it.FirstSeen), LastSeen: stampOf(it.LastSeen),
		Summary: html.Plain(it.Summary), ContentText: html.Plain(it.Content),
		Revision: it.Revision, Revisions: it.Revisions, Trivial: it.Trivial, Withdrawn: it.Withdrawn, TakenDown: it.TakenDown,
	}
	if !it.Digest.IsZero() {
		o.Digest = it.Digest.String()
	}
	for _, a := range it.Authors {
		o.Authors = append(o.Authors, person{a.Name, a.URL, a.Email})
	}
	for _, t := range it.Topics {
		if t.Score >= 0 {
			o.Topics = append(o.Topics, tag{t.Topic, t.Score, t.About, t.Manual})
		}
	}
	for _, e := range it.Enclosures {
		o.Enclosures = append(o.Enclosures, enclosure{e.URL, e.Type, e.Length})
	}
	for _, c := range it.Categories {
		o.Categories = append(o.Categories, c.Term)
	}
	o.Original = it.Original
	for _, s := range it.AlsoIn {
		o.AlsoIn = append(o.AlsoIn, sighting{s.ID, s.Source, s.URL, stampOf(s.FirstSeen)})
	}
	return o
}

func encode(o object) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a line of a file, not a script in a page
	if err := enc.Encode(o); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ErrNotItem: the JSON is no item of an export.
var ErrNotItem = errors.New("not an exported item")

// Unmarshal reads what [Export] or [Marshal] wrote. Without an id or a source it
// is ErrNotItem. Members that it does not know are passed over.
func Unmarshal(line []byte) (feed.Item, Source, error) {
	var o object
	if err := json.Unmarshal(line, &o); err != nil {
		return feed.Item{}, Source{}, fmt.Errorf("%w: %w", ErrNotItem, err)
	}
	if o.ID.IsZero() || !feed.ValidID(string(o.Source)) {
		return feed.Item{}, Source{}, fmt.Errorf("%w: it has no id or no valid source", ErrNotItem)
	}
	if o.Method == "" && o.GUID != "" {
		o.Native, o.Method = o.GUID, "guid"
	}
	it := feed.Item{
		ID: o.ID, Source: o.Source, Native: o.Native, Method: o.Method,
		Entry: feed.Entry{
			ID: o.GUID, URL: o.URL, Title: feed.Text{Type: feed.PlainText, Value: o.Title}, Language: o.Language,
			Published: date(o.Published), Updated: date(o.Updated),
			Summary: textOf(o.SummaryHTML, o.Summary, o.Base), Content: textOf(o.ContentHTML, o.ContentText, o.Base),
		},
		FirstSeen: o.FirstSeen.Time, LastSeen: o.LastSeen.Time, Revision: o.Revision, Revisions: o.Revisions, Trivial: o.Trivial,
		Withdrawn: o.Withdrawn, TakenDown: o.TakenDown,
	}
	if o.Digest != "" {
		d, err := feed.ParseDigest(o.Digest)
		if err != nil {
			return feed.Item{}, Source{}, fmt.Errorf("%w: %w", ErrNotItem, err)
		}
		it.Digest = d
	}
	for _, a := range o.Authors {
		it.Authors = append(it.Authors, feed.Person{Name: a.Name, URL: a.URL, Email: a.Email})
	}
	for _, t := range o.Topics {
		it.Topics = append(it.Topics, feed.Tag{Topic: t.ID, Score: t.Score, About: t.About, Manual: t.Manual})
	}
	for _, e := range o.Enclosures {
		it.Enclosures = append(it.Enclosures, feed.Enclosure{URL: e.URL, Type: e.Type, Length: e.Length})
	}
	for _, c := range o.Categories {
		it.Categories = append(it.Categories, feed.Category{Term: c})
	}
	for _, s := range o.AlsoIn {
		it.AlsoIn = append(it.AlsoIn, feed.Sighting{ID: s.ID, Source: s.Source, URL: s.URL, FirstSeen: s.FirstSeen.Time})
	}
	return it, Source{o.SourceTitle, o.SourceURL, o.SourceSite}, nil
}

func date(s stamp) feed.Date {
	if s.IsZero() {
		return feed.Date{}
	}
	return feed.Date{Time: s.Time, Raw: s.Format(time.RFC3339Nano)}
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
