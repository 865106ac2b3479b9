package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/gorilla/feeds"

	"chancery/feed"
	"chancery/feed/html"
)

const (
	jsonVersion = "https://jsonfeed.org/version/1.1"
	// aboutExtension is where the extension is described, as the standard asks of
	// every extension object.
	aboutExtension = "https://pkg.go.dev/chancery/publish/render#Extension"
)

// jsonFeed is feeds.JSONFeed; fields below shadow those of the same key.
type jsonFeed struct {
	feeds.JSONFeed                     // version, title, language, home_page_url, feed_url, description, next_url, icon
	Author         *feeds.JSONAuthor   `json:"author,omitempty"` // of version 1; never set (PUB-39)
	Authors        []*feeds.JSONAuthor `json:"authors,omitempty"`
	Hubs           []*feeds.JSONHub    `json:"hubs,omitempty"`
	Search         *jsonSearch         `json:"_opensearch,omitempty"`
	Items          []jsonItem          `json:"items"` // [] when empty (PUB-37)
}

// jsonItem is feeds.JSONItem; fields below shadow those of the same key.
type jsonItem struct {
	feeds.JSONItem                     // id, url, external_url, title, content_*, summary, image, dates
	Language       string              `json:"language,omitempty"`
	BannerImage    string              `json:"banner_,omitempty"` // the library's key is wrong; never set (GF-11)
	Author         *feeds.JSONAuthor   `json:"author,omitempty"`  // of version 1; never set
	Authors        []*feeds.JSONAuthor `json:"authors,omitempty"`
	Tags           []string            `json:"tags,omitempty"`
	Attachments    []jsonAttachment    `json:"attachments,omitempty"`
	Extension      *Extension          `json:"_chancery,omitempty"`
}

// jsonAttachment does not embed feeds.JSONAttachment, whose MarshalJSON would
// swallow every other field (PUB-97).
type jsonAttachment struct {
	URL      string  `json:"url"`
	Type     string  `json:"mime_type"`
	Title    string  `json:"title,omitempty"`
	Size     int64   `json:"size_in_bytes,omitempty"`
	Duration float64 `json:"duration_in_seconds,omitempty"`
}

// Extension is the object "_chancery" of an item in JSON Feed: where the item
// comes from and what we think it is about (PUB-40).
type Extension struct {
	About    string           `json:"about"`
	Item     string           `json:"item"`
	Story    string           `json:"story,omitempty"`
	Revision int              `json:"revision,omitempty"`
	Page     string           `json:"page,omitempty"`
	Source   ExtensionSource  `json:"source"`
	Topics   []ExtensionTopic `json:"topics,omitempty"`
	AlsoIn   []ExtensionAlso  `json:"also_in,omitempty"`
}

// ExtensionSource is the feed that an item comes from.
type ExtensionSource struct {
	ID     string `json:"id"`
	Title  string `json:"title,omitempty"`
	URL    string `json:"url,omitempty"`
	Feed   string `json:"feed_url,omitempty"`
	Rights string `json:"rights,omitempty"`
}

// ExtensionTopic is a topic of ours with its score.
type ExtensionTopic struct {
	ID    string  `json:"id"`
	Label string  `json:"label,omitempty"`
	Score float64 `json:"score"`
	About bool    `json:"about,omitempty"`
}

// ExtensionAlso is another source that carried the story.
type ExtensionAlso struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url"`
}

// JSON writes f as a JSON Feed 1.1. The outer value is marshaled itself: the
// library's ToJSON would write only the embedded part (PUB-97).
func JSON(f *Feed) ([]byte, error) {
	f = f.fit()
	d := jsonFeed{
		JSONFeed: feeds.JSONFeed{
			Version: jsonVersion, Title: f.Title, Language: f.Language, HomePageUrl: f.Home,
			FeedUrl: f.Self.In(FormatJSON), Description: f.Description, Icon: f.Icon,
		},
		Items: make([]jsonItem, 0, len(f.Entries)),
	}
	// next_url walks back through what there is: pages of a search, or archives
	// (PUB-41, PUB-51).
	d.NextUrl = cmp.Or(f.Paging.Next, f.Paging.PrevArchive).In(FormatJSON)
	for _, hub := range f.Hubs {
		d.Hubs = append(d.Hubs, &feeds.JSONHub{Type: "WebSub", Url: hub})
	}
	d.Search = f.jsonSearch()
	for _, e := range f.entries() {
		d.Items = append(d.Items, f.jsonItem(e))
	}
	var b bytes.Buffer
	b.Grow(f.size())
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the document is served as application/feed+json with nosniff
	if err := enc.Encode(&d); err != nil {
		return nil, fmt.Errorf("write JSON Feed: %w", err)
	}
	return b.Bytes(), nil
}

func (f *Feed) jsonItem(e *Entry) jsonItem {
	it := jsonItem{JSONItem: feeds.JSONItem{
		Id: e.ID, Url: cmp.Or(e.URL, e.Page), ExternalUrl: e.ExternalURL, Title: e.Title,
		ContentHTML: f.body(e), Summary: e.Summary, Image: e.Image,
		PublishedDate: jsonTime(e.Published), ModifiedDate: jsonTime(e.Updated),
	}, Language: e.Language}
	if it.ContentHTML == "" {
		it.ContentText = cmp.Or(e.Summary, e.Heading()) // one of the two must be there (PUB-38)
		if it.ContentText == it.Summary {
			it.Summary = ""
		}
	}
	for _, p := range append(slices.Clip(e.Authors), e.Origin.Authors...) {
		it.Authors = append(it.Authors, &feeds.JSONAuthor{Name: p.Name, Url: p.URL, Avatar: p.Avatar})
	}
	seen := map[string]bool{}
	tag := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			it.Tags = append(it.Tags, s)
		}
	}
	for _, t := range e.Topics {
		tag(t.Label)
	}
	for _, c := range e.Categories {
		tag(cmp.Or(c.Label, c.Term))
	}
	for _, x := range e.Enclosures {
		it.Attachments = append(it.Attachments, jsonAttachment{
			URL: x.URL, Type: attachmentType(x), Title: x.Title, Size: max(x.Length, 0), Duration: max(x.Duration, 0).Seconds(),
		})
	}
	it.Extension = extension(e)
	return it
}

func extension(e *Entry) *Extension {
	x := &Extension{
		About: aboutExtension, Item: e.Item.String(), Revision: e.Revision, Page: e.Page,
		Source: ExtensionSource{ID: e.Origin.ID, Title: e.Origin.Title, URL: e.Origin.URL, Feed: cmp.Or(e.Origin.Self, e.Via), Rights: cmp.Or(e.Rights, e.Origin.Rights)},
	}
	if !e.Story.IsZero() {
		x.Story = e.Story.String()
	}
	for _, t := range e.Topics {
		x.Topics = append(x.Topics, ExtensionTopic{ID: string(t.ID), Label: t.Label, Score: t.Score, About: t.About})
	}
	for _, a := range e.AlsoAt {
		x.AlsoIn = append(x.AlsoIn, ExtensionAlso{ID: a.Item.String(), Title: a.Title, URL: a.URL})
	}
	return x
}

func jsonTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// attachmentType is the type of an enclosure: RSS and JSON Feed require one.
func attachmentType(x feed.Enclosure) string {
	if x.Type != "" {
		return x.Type
	}
	if u, err := url.Parse(x.URL); err == nil {
		if t := enclosureTypes[path.Ext(u.Path)]; t != "" {
			return t
		}
	}
	return "application/octet-stream"
}

// enclosureTypes are the files that blogs enclose. Not package mime: its table
// depends on the machine, and equal input must give equal bytes (PUB-01).
var enclosureTypes = map[string]string{
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml",
	".pdf": "application/pdf", ".epub": "application/epub+zip", ".zip": "application/zip",
}

// textExcerpt is the beginning of the body as plain text.
func (e *Entry) textExcerpt(n int) string {
	if e.HTML == "" {
		return ""
	}
	head := e.HTML
	if len(head) > 4096 {
		head = head[:4096]
	}
	return excerpt(line(html.Plain(feed.Text{Type: feed.HTML, Value: head})), n)
}
