package itemjson

import (
	"reflect"
	"time"

	"chancery/feed"
)

// more is what a feed said of an entry that the contract's object has no member for.
type more struct {
	Permalink     bool        `json:"permalink,omitempty"`
	ContentURL    string      `json:"content_url,omitempty"`
	ContentType   string      `json:"content_type,omitempty"`
	PublishedText string      `json:"published_text,omitempty"` // the date as it stood
	UpdatedText   string      `json:"updated_text,omitempty"`
	Links         []link      `json:"links,omitempty"`
	Contributors  []person    `json:"contributors,omitempty"`
	Categories    []category  `json:"categories,omitempty"` // those with more than a term
	Rights        *wording    `json:"rights,omitempty"`
	Comments      string      `json:"comments,omitempty"`
	ExternalURL   string      `json:"external_url,omitempty"`
	Image         string      `json:"image,omitempty"`
	Replies       *replies    `json:"replies,omitempty"`
	Places        []place     `json:"places,omitempty"`
	Origin        *claimed    `json:"origin,omitempty"` // the feed that it says it is of
	Extensions    []extension `json:"extensions,omitempty"`
}

type link struct {
	Rel      string `json:"rel,omitempty"`
	Href     string `json:"href,omitempty"`
	Raw      string `json:"raw,omitempty"`
	Type     string `json:"type,omitempty"`
	HrefLang string `json:"hreflang,omitempty"`
	Title    string `json:"title,omitempty"`
	Length   int64  `json:"length,omitempty"`
}

type category struct {
	Term   string `json:"term,omitempty"`
	Scheme string `json:"scheme,omitempty"`
	Label  string `json:"label,omitempty"`
}

type wording struct {
	Type  feed.TextType `json:"type,omitempty"`
	Value string        `json:"value,omitempty"`
	Lang  string        `json:"lang,omitempty"`
	Base  string        `json:"base,omitempty"`
}

type replies struct {
	InReplyTo []replyTo `json:"in_reply_to,omitempty"`
	Count     int       `json:"count,omitempty"`
	Updated   stamp     `json:"updated,omitzero"`
	FeedURL   string    `json:"feed_url,omitempty"`
}

type replyTo struct {
	Ref    string `json:"ref,omitempty"`
	URL    string `json:"url,omitempty"`
	Type   string `json:"type,omitempty"`
	Source string `json:"source,omitempty"`
}

type place struct {
	Type   string       `json:"type,omitempty"`
	Points [][2]float64 `json:"points,omitempty"`
	Name   string       `json:"name,omitempty"`
}

type claimed struct {
	ID           string      `json:"id,omitempty"`
	Title        *wording    `json:"title,omitempty"`
	Subtitle     *wording    `json:"subtitle,omitempty"`
	URL          string      `json:"url,omitempty"`
	Self         string      `json:"self,omitempty"`
	Updated      stamp       `json:"updated,omitzero"`
	UpdatedText  string      `json:"updated_text,omitempty"`
	Rights       *wording    `json:"rights,omitempty"`
	Authors      []person    `json:"authors,omitempty"`
	Contributors []person    `json:"contributors,omitempty"`
	Categories   []category  `json:"categories,omitempty"`
	Links        []link      `json:"links,omitempty"`
	Extensions   []extension `json:"extensions,omitempty"`
}

type extension struct {
	Space    string      `json:"namespace,omitempty"`
	Name     string      `json:"name,omitempty"`
	Value    string      `json:"value,omitempty"`
	Attrs    []attr      `json:"attributes,omitempty"`
	Children []extension `json:"children,omitempty"`
}

type attr struct {
	Space string `json:"namespace,omitempty"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// each makes one list of another; an empty one stays nil.
func each[A, B any](list []A, f func(A) B) []B {
	var out []B
	for _, a := range list {
		out = append(out, f(a))
	}
	return out
}

func personOf(p feed.Person) person       { return person(p) }
func (p person) person() feed.Person      { return feed.Person(p) }
func linkOf(l feed.Link) link             { return link(l) }
func (l link) link() feed.Link            { return feed.Link(l) }
func categoryOf(c feed.Category) category { return category(c) }

func (c category) category() feed.Category { return feed.Category(c) }

func wordingOf(t feed.Text) *wording {
	if t == (feed.Text{}) {
		return nil
	}
	w := wording(t)
	return &w
}

func (w *wording) text() feed.Text {
	if w == nil {
		return feed.Text{}
	}
	return feed.Text(*w)
}

// rawOf is the text of a date, unless a reader of its instant would write the same.
func rawOf(d feed.Date) string {
	if d.Raw == dateOf(stampOf(d.Time), "").Raw {
		return ""
	}
	return d.Raw
}

// moreOf is nil if there is nothing to add.
func moreOf(e *feed.Entry) *more {
	m := &more{
		Permalink: e.Permalink, ContentURL: e.ContentURL, ContentType: e.ContentType,
		PublishedText: rawOf(e.Published), UpdatedText: rawOf(e.Updated),
		Links: each(e.Links, linkOf), Contributors: each(e.Contributors, personOf), Rights: wordingOf(e.Rights),
		Comments: e.Comments, ExternalURL: e.ExternalURL, Image: e.Image,
		Places: each(e.Places, func(p feed.Place) place { return place(p) }), Origin: claimedOf(e.Origin), Extensions: each(e.Extensions, extensionOf),
	}
	for _, c := range e.Categories {
		if c.Scheme != "" || c.Label != "" {
			m.Categories = each(e.Categories, categoryOf)
			break
		}
	}
	if r := e.Replies; len(r.InReplyTo) > 0 || r.Count != 0 || !r.Updated.IsZero() || r.FeedURL != "" {
		m.Replies = &replies{
			InReplyTo: each(r.InReplyTo, func(t feed.ReplyTo) replyTo { return replyTo(t) }),
			Count:     r.Count, Updated: stampOf(r.Updated), FeedURL: r.FeedURL,
		}
	}
	if reflect.ValueOf(*m).IsZero() {
		return nil
	}
	return m
}

func claimedOf(o *feed.Origin) *claimed {
	if o == nil {
		return nil
	}
	return &claimed{
		ID: o.ID, Title: wordingOf(o.Title), Subtitle: wordingOf(o.Subtitle), URL: o.URL, Self: o.Self,
		Updated: stampOf(o.Updated.Time), UpdatedText: rawOf(o.Updated), Rights: wordingOf(o.Rights),
		Authors: each(o.Authors, personOf), Contributors: each(o.Contributors, personOf),
		Categories: each(o.Categories, categoryOf), Links: each(o.Links, linkOf), Extensions: each(o.Extensions, extensionOf),
	}
}

func extensionOf(x feed.Extension) extension {
	return extension{x.Space, x.Name, x.Value, each(x.Attrs, func(a feed.Attr) attr { return attr(a) }), each(x.Children, extensionOf)}
}

func (x extension) extension() feed.Extension {
	return feed.Extension{
		Space: x.Space, Name: x.Name, Value: x.Value,
		Attrs: each(x.Attrs, func(a attr) feed.Attr { return feed.Attr(a) }), Children: each(x.Children, extension.extension),
	}
}

// fill gives an entry what stands in m.
func (m *more) fill(e *feed.Entry) {
	if m == nil {
		return
	}
	e.Permalink, e.ContentURL, e.ContentType = m.Permalink, m.ContentURL, m.ContentType
	e.Links, e.Contributors, e.Rights = each(m.Links, link.link), each(m.Contributors, person.person), m.Rights.text()
	e.Comments, e.ExternalURL, e.Image = m.Comments, m.ExternalURL, m.Image
	e.Places = each(m.Places, func(p place) feed.Place { return feed.Place(p) })
	e.Extensions = each(m.Extensions, extension.extension)
	if m.PublishedText != "" {
		e.Published.Raw = m.PublishedText
	}
	if m.UpdatedText != "" {
		e.Updated.Raw = m.UpdatedText
	}
	if len(m.Categories) > 0 {
		e.Categories = each(m.Categories, category.category)
	}
	if r := m.Replies; r != nil {
		e.Replies = feed.Replies{
			InReplyTo: each(r.InReplyTo, func(t replyTo) feed.ReplyTo { return feed.ReplyTo(t) }),
			Count:     r.Count, Updated: r.Updated.Time, FeedURL: r.FeedURL,
		}
	}
	if o := m.Origin; o != nil {
		e.Origin = &feed.Origin{
			ID: o.ID, Title: o.Title.text(), Subtitle: o.Subtitle.text(), URL: o.URL, Self: o.Self,
			Updated: dateOf(o.Updated, o.UpdatedText), Rights: o.Rights.text(),
			Authors: each(o.Authors, person.person), Contributors: each(o.Contributors, person.person),
			Categories: each(o.Categories, category.category), Links: each(o.Links, link.link), Extensions: each(o.Extensions, extension.extension),
		}
	}
}

// dateOf is the date of an instant that stood as raw; without it as RFC 3339 has it.
func dateOf(s stamp, raw string) feed.Date {
	if s.IsZero() {
		return feed.Date{Raw: raw}
	}
	if raw == "" {
		raw = s.UTC().Format(time.RFC3339Nano)
	}
	return feed.Date{Time: s.Time, Raw: raw}
}
