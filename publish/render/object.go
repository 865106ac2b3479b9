package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// Object is an item as JSON, wherever one leaves the program: search, show,
// export, the API. Its keys are a contract (CONTRACT part 1); what is unknown is
// absent, never null.
type Object struct {
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	SourceTitle string            `json:"source_title,omitempty"`
	GUID        string            `json:"guid,omitempty"`
	URL         string            `json:"url,omitempty"`
	Title       string            `json:"title,omitempty"`
	Authors     []ObjectPerson    `json:"authors,omitempty"`
	Language    string            `json:"language,omitempty"`
	Published   *time.Time        `json:"published,omitempty"`
	Updated     *time.Time        `json:"updated,omitempty"`
	FirstSeen   *time.Time        `json:"first_seen,omitempty"`
	LastSeen    *time.Time        `json:"last_seen,omitempty"`
	Topics      []ObjectTopic     `json:"topics,omitempty"`
	Summary     string            `json:"summary,omitempty"`
	ContentHTML string            `json:"content_html,omitempty"`
	ContentText string            `json:"content_text,omitempty"`
	Enclosures  []ObjectEnclosure `json:"enclosures,omitempty"`
	Categories  []string          `json:"categories,omitempty"`
	Revision    int               `json:"revision,omitempty"`
	Revisions   int               `json:"revisions,omitempty"`
	AlsoIn      []ObjectSighting  `json:"also_in,omitempty"`
	Withdrawn   bool              `json:"withdrawn,omitempty"`
	TakenDown   bool              `json:"taken_down,omitempty"`
	Digest      string            `json:"digest,omitempty"`
}

// ObjectPerson is an author in an [Object].
type ObjectPerson struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Email string `json:"email,omitempty"`
}

// ObjectTopic is a topic in an [Object].
type ObjectTopic struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
	About bool    `json:"about"`
}

// ObjectEnclosure is a file in an [Object]; length in bytes.
type ObjectEnclosure struct {
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Length int64  `json:"length,omitempty"`
}

// ObjectSighting is the story in another source.
type ObjectSighting struct {
	ID        string     `json:"id"`
	Source    string     `json:"source"`
	URL       string     `json:"url,omitempty"`
	FirstSeen *time.Time `json:"first_seen,omitempty"`
}

// NewObject is the object of an item. Its HTML is sanitised.
func NewObject(it *feed.Item, sourceTitle string) Object {
	o := Object{
		ID: it.ID.String(), Source: string(it.Source), SourceTitle: line(sourceTitle), GUID: clean(it.Entry.ID), URL: clean(it.URL),
		Title: line(html.Plain(it.Title)), Language: it.Language,
		Published: jsonTime(writable(it.Published.Time)), Updated: jsonTime(writable(it.Updated.Time)),
		FirstSeen: jsonTime(it.FirstSeen), LastSeen: jsonTime(it.LastSeen),
		Summary: clean(html.Plain(it.Summary)), ContentText: clean(html.Plain(it.Content)),
		ContentHTML: clean(html.Sanitize(it.Content, html.DefaultPolicy())),
		Revision:    it.Revision, Revisions: it.Revisions, Withdrawn: it.Withdrawn, TakenDown: it.TakenDown,
	}
	if !it.Digest.IsZero() {
		o.Digest = it.Digest.String()
	}
	for _, p := range it.Authors {
		o.Authors = append(o.Authors, ObjectPerson{Name: line(p.Name), URL: clean(p.URL), Email: clean(p.Email)})
	}
	for _, t := range it.Topics {
		if t.Score >= 0 {
			o.Topics = append(o.Topics, ObjectTopic{ID: string(t.Topic), Score: finite(t.Score), About: t.About})
		}
	}
	for _, e := range it.Enclosures {
		o.Enclosures = append(o.Enclosures, ObjectEnclosure{URL: clean(e.URL), Type: e.Type, Length: max(e.Length, 0)})
	}
	for _, c := range it.Categories {
		o.Categories = append(o.Categories, clean(c.Term))
	}
	for _, s := range it.AlsoIn {
		o.AlsoIn = append(o.AlsoIn, ObjectSighting{ID: s.ID.String(), Source: string(s.Source), URL: clean(s.URL), FirstSeen: jsonTime(s.FirstSeen)})
	}
	return o
}

// writable is t unless RFC 3339 cannot write its year.
func writable(t time.Time) time.Time {
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// WriteObject writes an item as one line of JSON.
func WriteObject(w io.Writer, it *feed.Item, sourceTitle string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(NewObject(it, sourceTitle))
}

// ErrNotObject: a line is not an item as [WriteObject] writes it.
var ErrNotObject = errors.New("not an item")

// ParseObject reads a line that [WriteObject] wrote. Keys that it does not know
// are let pass: a newer program may have written it.
func ParseObject(b []byte) (Object, error) {
	var o Object
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrNotObject, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return o, fmt.Errorf("%w: something follows the object", ErrNotObject)
	}
	if _, err := feed.ParseItemID(o.ID); err != nil {
		return o, fmt.Errorf("%w: id: %w", ErrNotObject, err)
	}
	if !feed.ValidID(o.Source) {
		return o, fmt.Errorf("%w: source: %.80q is not the id of a source", ErrNotObject, o.Source)
	}
	if o.GUID == "" && o.URL == "" && o.Title == "" && o.ContentText == "" && o.ContentHTML == "" && o.Summary == "" {
		return o, fmt.Errorf("%w: %s has neither guid, url, title nor text", ErrNotObject, o.ID)
	}
	return o, nil
}

// Item is the item that the object tells of. What an object does not say, as the
// publisher's original HTML, is lost: the content is the sanitised one.
func (o *Object) Item() feed.Item {
	id, _ := feed.ParseItemID(o.ID) // ParseObject checked it
	it := feed.Item{
		ID: id, Source: feed.SourceID(o.Source), FirstSeen: instant(o.FirstSeen), LastSeen: instant(o.LastSeen),
		Revision: o.Revision, Revisions: o.Revisions, Withdrawn: o.Withdrawn, TakenDown: o.TakenDown,
		Entry: feed.Entry{
			ID: o.GUID, URL: o.URL, Title: feed.Text{Type: feed.PlainText, Value: o.Title}, Language: o.Language,
			Published: date(o.Published), Updated: date(o.Updated), Summary: feed.Text{Type: feed.PlainText, Value: o.Summary},
		},
	}
	switch {
	case strings.TrimSpace(o.ContentHTML) != "":
		it.Content = feed.Text{Type: feed.HTML, Value: o.ContentHTML}
	case o.ContentText != "":
		it.Content = feed.Text{Type: feed.PlainText, Value: o.ContentText}
	}
	if d, err := feed.ParseDigest(o.Digest); err == nil { // of our own program, or absent
		it.Digest = d
	}
	for _, p := range o.Authors {
		it.Authors = append(it.Authors, feed.Person{Name: p.Name, URL: p.URL, Email: p.Email})
	}
	for _, t := range o.Topics {
		it.Topics = append(it.Topics, feed.Tag{Topic: feed.TopicID(t.ID), Score: t.Score, About: t.About})
	}
	for _, e := range o.Enclosures {
		it.Enclosures = append(it.Enclosures, feed.Enclosure{URL: e.URL, Type: e.Type, Length: e.Length})
	}
	for _, c := range o.Categories {
		it.Categories = append(it.Categories, feed.Category{Term: c})
	}
	for _, s := range o.AlsoIn {
		if id, err := feed.ParseItemID(s.ID); err == nil { // others are left out
			it.AlsoIn = append(it.AlsoIn, feed.Sighting{ID: id, Source: feed.SourceID(s.Source), URL: s.URL, FirstSeen: instant(s.FirstSeen)})
		}
	}
	return it
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func date(t *time.Time) feed.Date {
	if t == nil {
		return feed.Date{}
	}
	return feed.Date{Time: t.UTC(), Raw: t.UTC().Format(time.RFC3339)}
}
