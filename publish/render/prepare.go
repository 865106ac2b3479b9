package render

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 9562 §5.5 defines version 5 on SHA-1; nothing is protected by it
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
)

// Source is what documents say about the source of an item.
type Source struct {
	ID       feed.SourceID
	Title    string
	Site     string // page
	Feed     string // address of the feed; empty for one that was only imported
	Language string
	// Content is what may be republished: "", "full" or "summary".
	Content string
}

// Context is what [Prepare] needs to know beside the item.
type Context struct {
	Source Source
	// Others names the sources of the story's other items.
	Others func(feed.SourceID) Source
	// Label is the name of a topic as configured.
	Label func(feed.TopicID) string
	// Page is the address of an item's page here.
	Page func(feed.ItemID) string
	// Content is what is republished unless the source says otherwise: "full" or
	// "summary".
	Content string
	// Policy is how bodies are sanitized.
	Policy html.Policy
}

// summaryLength is how many characters a summary has when the full content may
// not be republished (PUB-90).
const summaryLength = 300

// maxAlsoAt bounds the copies that an entry names: a wire story has hundreds.
const maxAlsoAt = 20

// Prepare makes an entry of an item's newest revision. The item must have its
// content and its story.
func Prepare(it *feed.Item, c Context) Entry {
	e := Entry{
		ID: EntryID(it), URL: webURL(it.URL), Page: c.Page(it.ID),
		Title: line(html.Plain(it.Title)), Language: language(it.Language, c.Source.Language),
		Rights: line(html.Plain(it.Rights)), Comments: webURL(it.Comments),
		ExternalURL: webURL(it.ExternalURL), Image: webURL(it.Image),
		Item: it.ID, Story: it.Story, Revision: it.Revision, Via: webURL(c.Source.Feed),
		Categories: categories(it.Categories), Contributors: persons(it.Contributors, false),
		Authors: persons(it.Authors, false),
	}
	e.Published, e.Updated = dates(it)
	e.content(it, c)
	e.Origin = origin(it, c.Source)
	if len(e.Authors) == 0 && len(e.Origin.Authors) == 0 && e.Origin.Title != "" {
		// RFC 4287 §4.2.1: without an author anywhere the feed's author would be
		// the entry's, and we wrote nothing of it (PUB-15).
		e.Origin.Authors = []feed.Person{{Name: e.Origin.Title, URL: e.Origin.URL}}
	}
	for _, t := range it.Topics {
		if t.Score < 0 {
			continue // removed by a person
		}
		e.Topics = append(e.Topics, Topic{ID: t.Topic, Label: line(cmp.Or(c.Label(t.Topic), string(t.Topic))), Score: finite(t.Score), About: t.About})
	}
	for _, x := range it.Enclosures {
		if u := webURL(x.URL); u != "" {
			x.URL, x.Type, x.Title = u, mediaType(x.Type), line(x.Title)
			e.Enclosures = append(e.Enclosures, x)
		}
	}
	e.Replies = replies(it.Replies)
	for _, s := range it.AlsoIn {
		u := webURL(s.URL)
		if u == "" || len(e.AlsoAt) == maxAlsoAt {
			continue
		}
		o := c.Others(s.Source)
		e.AlsoAt = append(e.AlsoAt, AlsoAt{Title: line(cmp.Or(o.Title, hostOf(u), string(s.Source))), URL: u, Item: s.ID})
	}
	e.Stamp = stamp(&e)
	return e
}

// content fills HTML and Summary by what may be republished.
func (e *Entry) content(it *feed.Item, c Context) {
	full := cmp.Or(c.Source.Content, c.Content, "full") == "full" && !restricted(it)
	content, summary := it.Content, it.Summary
	if content.IsZero() {
		content = summary // the publisher's summary is all there is
		summary = feed.Text{}
	}
	if full {
		e.HTML = clean(strings.TrimSpace(html.Sanitize(content, c.Policy)))
		if !summary.IsZero() {
			e.Summary = excerpt(clean(html.Plain(summary)), 2*summaryLength)
		}
		return
	}
	text := summary
	if text.IsZero() {
		text = content
	}
	e.Summary = excerpt(clean(html.Plain(text)), summaryLength)
}

// Restricted reports whether only a summary of an item may be republished: its
// source says so, or the entry itself (PUB-90).
func Restricted(it *feed.Item, src Source) bool { return src.Content == "summary" || restricted(it) }

// ShortSummary is what may be shown of an item that is [Restricted], as plain text.
func ShortSummary(it *feed.Item) string {
	text := it.Summary
	if text.IsZero() {
		text = it.Content
	}
	return excerpt(clean(html.Plain(text)), summaryLength)
}

// restricted reports whether the entry itself asks not to be kept by others:
// a robots element of any namespace with noindex or noarchive (PUB-90).
func restricted(it *feed.Item) bool {
	return slices.ContainsFunc(it.Extensions, func(x feed.Extension) bool {
		if !strings.EqualFold(x.Name, "meta") && !strings.EqualFold(x.Name, "robots") {
			return false
		}
		name, content := x.Name, x.Value
		for _, a := range x.Attrs {
			switch strings.ToLower(a.Name) {
			case "name":
				name = a.Value
			case "content":
				content = a.Value
			}
		}
		content = strings.ToLower(content)
		return strings.EqualFold(name, "robots") && (strings.Contains(content, "noindex") || strings.Contains(content, "noarchive") || strings.Contains(content, "none"))
	})
}

// EntryID is the id of an item in every document (PUB-07): what the publisher
// gave, character for character, if that can be an atom:id (PUB-11), else a UUID
// of version 5 over the source and the native id, which never changes (PUB-12).
func EntryID(it *feed.Item) string {
	if isIRI(it.Entry.ID) {
		return it.Entry.ID
	}
	return MintedID(it.Source, it.Native)
}

// MintedID is the id of an item whose publisher gave none that can be used: RFC
// 9562 version 5 in the namespace of URLs, over a name that no URL can be.
func MintedID(source feed.SourceID, native string) string {
	h := sha1.New() //nolint:gosec // as RFC 9562 §5.5 has it
	// NameSpace_URL of RFC 9562 §6.6.
	h.Write([]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8})
	h.Write([]byte("chancery item\x00" + string(source) + "\x00" + native))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return "urn:uuid:" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// dates are an entry's published and updated (PUB-16). The first revision is as
// old as the publisher says, if that is credible; each later one is as old as its
// arrival, because most publishers of RSS change a post without saying when.
func dates(it *feed.Item) (published, updated time.Time) {
	if p := credible(it.Published.Time, it); !p.IsZero() {
		published = p
	}
	switch {
	case it.Revision > 1 && cmp.Or(it.Changed, it.Revised).After(it.FirstSeen): // RFC 4287 §4.2.15: what is significant
		updated = cmp.Or(it.Changed, it.Revised).UTC()
	case !credible(it.Updated.Time, it).IsZero():
		updated = credible(it.Updated.Time, it)
	case !published.IsZero():
		updated = published
	default:
		updated = it.FirstSeen.UTC()
	}
	if updated.Before(published) {
		updated = published
	}
	return published, updated
}

// credible is t unless it lies in the future of the item's arrival or outside of
// what all formats can write.
func credible(t time.Time, it *feed.Item) time.Time {
	if t.IsZero() || t.Year() < 1000 || t.Year() > 9999 {
		return time.Time{}
	}
	if !it.FirstSeen.IsZero() && t.After(it.FirstSeen.Add(24*time.Hour)) {
		return time.Time{} // as feed.Item.Effective
	}
	return t.UTC()
}

// origin is atom:source: what the entry itself claims (PUB-14), else the source
// that it was obtained from, with what the entry inherited from it (PUB-13).
func origin(it *feed.Item, s Source) Origin {
	if o := it.Origin; o != nil && (o.ID != "" || o.Self != "" || o.URL != "" || !o.Title.IsZero()) {
		r := Origin{
			ID: o.ID, Title: line(html.Plain(o.Title)), URL: webURL(o.URL), Self: webURL(o.Self),
			Rights: line(html.Plain(o.Rights)), Authors: persons(o.Authors, false), Categories: categories(o.Categories),
			Updated: credible(o.Updated.Time, it),
		}
		r.ID = cmp.Or(iri(r.ID), r.Self, r.URL, MintedID(s.ID, "origin\x00"+r.Title))
		if r.Updated.IsZero() {
			r.Updated = it.FirstSeen.UTC()
		}
		r.Title = cmp.Or(r.Title, hostOf(cmp.Or(r.URL, r.Self)), s.Title)
		r.Authors = append(r.Authors, persons(it.Authors, true)...)
		r.Authors = distinct(r.Authors)
		return r
	}
	site, self := webURL(s.Site), webURL(s.Feed)
	return Origin{
		Source: s.ID, ID: cmp.Or(self, MintedID(s.ID, "")), Title: cmp.Or(line(s.Title), hostOf(cmp.Or(site, self)), string(s.ID)),
		URL: site, Self: self,
		// When the item came. The feed itself may have changed since, but then this
		// document would change with every poll of it (PUB-01, PUB-03).
		Updated: cmp.Or(it.Changed, it.Revised, it.FirstSeen).UTC(),
		Authors: distinct(persons(it.Authors, true)),
	}
}

func iri(s string) string {
	if isIRI(s) {
		return s
	}
	return ""
}

// persons cleans the people who are inherited, or those who are not.
func persons(in []feed.Person, inherited bool) []feed.Person {
	var out []feed.Person
	for _, p := range in {
		if p.Inherited != inherited {
			continue
		}
		p = feed.Person{Name: line(p.Name), URL: webURL(p.URL), Email: mail(p.Email), Avatar: webURL(p.Avatar)}
		p.Name = cmp.Or(p.Name, p.Email, hostOf(p.URL))
		if p.Name != "" {
			out = append(out, p)
		}
	}
	return distinct(out)
}

// distinct drops repeated people, keeping the order.
func distinct(in []feed.Person) []feed.Person {
	out := in[:0:0]
	for _, p := range in {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// mail is s if it looks like an address: RFC 4287 §3.2.3 wants one @ with
// something on both sides.
func mail(s string) string {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "mailto:"))
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || !strings.Contains(domain, ".") || strings.ContainsAny(s, " <>()\"\t\r\n,;") || strings.Contains(domain, "@") || clean(s) != s {
		return ""
	}
	return s
}

// categories cleans the publisher's labels; those without a term are dropped, as
// the standard requires one (RFC 4287 §4.2.2.1).
func categories(in []feed.Category) []feed.Category {
	var out []feed.Category
	for _, c := range in {
		c = feed.Category{Term: line(c.Term), Scheme: line(c.Scheme), Label: line(c.Label)}
		if c.Term == "" {
			c.Term = c.Label
		}
		if c.Label == c.Term {
			c.Label = ""
		}
		if c.Term != "" && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func replies(r feed.Replies) feed.Replies {
	out := feed.Replies{Count: max(r.Count, 0), Updated: r.Updated.UTC(), FeedURL: webURL(r.FeedURL)}
	if r.Updated.IsZero() || r.Updated.Year() < 1000 || r.Updated.Year() > 9999 {
		out.Updated = time.Time{}
	}
	for _, t := range r.InReplyTo {
		if isIRI(t.Ref) {
			out.InReplyTo = append(out.InReplyTo, feed.ReplyTo{Ref: t.Ref, URL: webURL(t.URL), Type: mediaType(t.Type), Source: webURL(t.Source)})
		}
	}
	return out
}

// language is the first that is a language tag in form (RFC 5646 §2.1).
func language(tags ...string) string {
	for _, t := range tags {
		t = strings.ReplaceAll(strings.TrimSpace(t), "_", "-")
		if isLanguage(t) {
			return t
		}
	}
	return ""
}

func isLanguage(t string) bool {
	if t == "" || len(t) > 35 {
		return false
	}
	for i, part := range strings.Split(t, "-") {
		if part == "" || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for j := range len(part) {
			c := part[j] | 0x20
			if (c < 'a' || c > 'z') && (i == 0 || part[j] < '0' || part[j] > '9') {
				return false
			}
		}
	}
	return true
}

// mediaType is s if it has the form of one, without parameters, else "".
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.TrimSpace(s))
	kind, sub, ok := strings.Cut(s, "/")
	if !ok || !isToken(kind) || !isToken(sub) || len(s) > 127 {
		return ""
	}
	return s
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$&-^_.+", c) < 0 {
			return false
		}
	}
	return s != ""
}

// stamp hashes an entry. JSON is only a way to name every field once, in order;
// nobody reads it.
func stamp(e *Entry) feed.Digest {
	h := sha256.New()
	c := *e
	c.Stamp = feed.Digest{}
	if err := json.NewEncoder(h).Encode(&c); err != nil {
		panic("render: an entry cannot be hashed: " + err.Error()) // a float that is no number
	}
	var d feed.Digest
	h.Sum(d[:0])
	return d
}

// finite is f, or 0 if JSON has no such number.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}
