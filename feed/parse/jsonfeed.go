package parse

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	gofeed "github.com/mmcdole/gofeed/json"

	"chancery/feed"
)

// shape is what a member of JSON Feed must be.
type shape uint8

const (
	aString shape = iota
	aNumber
	aBool
	aPerson
	people
	strs
	attachments
	beside // read here, not by gofeed
)

// The members of JSON Feed 1.1 (https://jsonfeed.org/version/1.1). All others are
// extensions.
var (
	jsonHead = map[string]shape{
		"version": aString, "title": aString, "home_page_url": aString, "feed_url": aString, "description": aString,
		"user_comment": aString, "next_url": aString, "icon": aString, "favicon": aString, "language": aString,
		"author": aPerson, "authors": people, "expired": aBool, "hubs": beside, "items": beside,
	}
	jsonItem = map[string]shape{
		"id": beside, "url": aString, "external_url": aString, "title": aString, "content_html": aString, "content_text": aString,
		"summary": aString, "image": aString, "banner_image": aString, "date_published": aString, "date_modified": aString,
		"author": aPerson, "authors": people, "language": aString, "tags": strs, "attachments": attachments,
	}
	jsonPerson     = map[string]shape{"name": aString, "url": aString, "avatar": aString}
	jsonAttachment = map[string]shape{"url": aString, "mime_type": aString, "title": aString, "size_in_bytes": aNumber, "duration_in_seconds": aNumber}
)

// cleaner writes the JSON that gofeed decodes: the same values, without those of
// a wrong type, each of which would cost the whole feed there (CONFORMANCE P-47).
type cleaner struct {
	j     jsonScanner
	out   []byte
	fixes fixes
}

// object writes those of an object's members that have the shape they must have,
// without the closing brace.
func (c *cleaner) object(members []member, shapes map[string]shape) {
	c.out = append(c.out, '{')
	for _, m := range members {
		sh, ok := shapes[m.name]
		raw := c.j.s[m.at.lo:m.at.hi]
		if !ok || sh == beside || string(raw) == "null" {
			continue
		}
		mark := len(c.out)
		if c.out[mark-1] != '{' {
			c.out = append(c.out, ',')
		}
		c.out = append(append(append(c.out, '"'), m.name...), `":`...)
		if !c.value(m.at, sh) {
			c.out = c.out[:mark]
			c.fixes |= fixMemberType
		}
	}
}

// value writes one value if it has the shape, or can be read so.
func (c *cleaner) value(at span, sh shape) bool {
	raw := c.j.s[at.lo:at.hi]
	isNumber := raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	switch sh {
	case aString:
		if isNumber { // a title 2026 is meant as text
			c.out = append(append(append(c.out, '"'), raw...), '"')
			c.fixes |= fixMemberType
			return true
		}
		if raw[0] != '"' {
			return false
		}
		return c.str(raw)
	case aNumber:
		if !isNumber {
			f, err := strconv.ParseFloat(strings.TrimSpace(jsonString(raw)), 64)
			if err != nil || f != f || f > 1e18 || f < 0 {
				return false
			}
			c.fixes |= fixMemberType
			raw = strconv.AppendFloat(nil, f, 'f', -1, 64)
		}
		c.out = append(c.out, raw...)
	case aBool:
		s := strings.ToLower(strings.Trim(string(raw), `" `))
		if s != "true" && s != "false" {
			return false
		}
		c.out = append(c.out, s...)
	case aPerson:
		if raw[0] == '"' { // "author": "Name"
			c.fixes |= fixMemberType
			c.out = append(c.out, `{"name":`...)
			ok := c.str(raw)
			c.out = append(c.out, '}')
			return ok
		}
		if raw[0] != '{' {
			return false
		}
		c.object(c.j.members(at), jsonPerson)
		c.out = append(c.out, '}')
	default:
		return c.list(at, sh)
	}
	return true
}

// str writes a string as it is, unless it holds characters that no output can
// carry.
func (c *cleaner) str(raw []byte) bool {
	if bytes.IndexFunc(raw, func(r rune) bool { return r == '\\' || r >= 0x80 }) < 0 {
		c.out = append(c.out, raw...)
		return true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return false
	}
	legal := jsonString(raw)
	if legal == s {
		c.out = append(c.out, raw...)
		return true
	}
	c.fixes |= fixIllegalChar
	b, err := json.Marshal(legal)
	c.out = append(c.out, b...)
	return err == nil
}

// list writes those elements of an array that have the shape it wants.
func (c *cleaner) list(at span, sh shape) bool {
	raw := c.j.s[at.lo:at.hi]
	items := c.j.elements(at)
	if raw[0] != '[' {
		if raw[0] == '{' && sh != strs || raw[0] == '"' && sh == strs { // one, without its array
			items = []span{at}
			c.fixes |= fixMemberType
		} else {
			return false
		}
	}
	c.out = append(c.out, '[')
	for _, x := range items {
		mark := len(c.out)
		if c.out[mark-1] != '[' {
			c.out = append(c.out, ',')
		}
		ok := false
		switch {
		case sh == strs:
			ok = c.value(x, aString)
		case sh == people:
			ok = c.value(x, aPerson)
		case c.j.s[x.lo] == '{':
			c.object(c.j.members(x), jsonAttachment)
			c.out, ok = append(c.out, '}'), true
		}
		if !ok {
			c.out = c.out[:mark]
			c.fixes |= fixMemberType
		}
	}
	c.out = append(c.out, ']')
	return true
}

// readJSON reads JSON Feed 1.0 and 1.1.
func (d *Document) readJSON(parts []int) (*feed.Feed, error) {
	o := d.json
	c := &cleaner{j: jsonScanner{s: d.text}}
	c.object(o.head, jsonHead)
	if c.out[len(c.out)-1] != '{' {
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, `"items":[`...)
	fx := o.fixes
	f := &feed.Feed{Format: o.format}
	for _, part := range parts {
		at := o.entries[part]
		members := c.j.members(at)
		if members == nil { // no object, so no item
			fx |= fixMemberType
			continue
		}
		id := d.jsonItemID(members)
		if id == "" {
			// P-45: discarded. But some publishers know nothing of ids, and a feed
			// where no item has one is read as RSS without guids is.
			if fx |= fixNoID; d.usesIDs() {
				continue
			}
		}
		if c.out[len(c.out)-1] == '}' {
			c.out = append(c.out, ',')
		}
		head := c.fixes
		c.fixes = 0
		c.object(members, jsonItem)
		c.out = append(c.out, '}')
		e := feed.Entry{ID: id, Bytes: d.digest(part), Repairs: c.fixes.names()}
		e.Extensions = d.jsonExtensions(members, jsonItem)
		f.Entries = append(f.Entries, e)
		c.fixes |= head
	}
	c.out = append(c.out, "]}"...)
	d.show(c.out)
	g, err := (&gofeed.Parser{}).Parse(bytes.NewReader(c.out))
	if err != nil || len(g.Items) != len(f.Entries) {
		return nil, &Error{ErrBroken, "gofeed: " + errText(err), -1}
	}
	d.fixes = fx | c.fixes
	d.fillJSON(f, g)
	f.Repairs = d.fixes.names()
	return f, nil
}

// jsonItemID is the id of an item, or "".
func (d *Document) jsonItemID(members []member) string {
	for _, m := range members {
		if m.name == "id" {
			return jsonID(d.text[m.at.lo:m.at.hi])
		}
	}
	return ""
}

// usesIDs reports whether any item of a JSON Feed has an id.
func (d *Document) usesIDs() bool {
	if d.json.ids == 0 {
		d.json.ids = -1
		j := jsonScanner{s: d.text}
		for _, at := range d.json.entries {
			if d.jsonItemID(j.members(at)) != "" {
				d.json.ids = 1
				break
			}
		}
	}
	return d.json.ids > 0
}

func errText(err error) string {
	if err == nil {
		return "items are missing"
	}
	return err.Error()
}

// fillJSON takes over what gofeed decoded.
func (d *Document) fillJSON(f *feed.Feed, g *gofeed.Feed) {
	o := d.json
	base := baseFrom(d.o.URL)
	for _, u := range []string{g.FeedURL, g.HomePageURL} {
		if base == "" && isAbsolute(baseFrom(u)) {
			base = u
		}
	}
	link := func(s string) string {
		if s = cleanURL(s); s == "" {
			return ""
		}
		if s = resolve(base, s); noPlace(s) {
			d.fixes |= fixUnsafeLink
			return ""
		}
		return s
	}
	f.ID, f.Self, f.URL = g.FeedURL, link(g.FeedURL), link(g.HomePageURL)
	f.Links = appendLink(f.Links, "alternate", g.HomePageURL, f.URL)
	f.Links = appendLink(f.Links, "self", g.FeedURL, f.Self)
	f.Title, f.Subtitle = plain(g.Title), plain(g.Description)
	f.Language = language(g.Language)
	f.Image = link(g.Icon)
	if f.Image == "" {
		f.Image = link(g.Favicon)
	}
	f.Authors = d.jsonPeople(g.Authors, g.Author, link)
	f.Hints.Expired = g.Expired
	f.Hints.NextURL = link(g.NextURL)
	if f.Hints.NextURL == f.Self || f.Hints.NextURL == d.o.URL { // P-52
		f.Hints.NextURL = ""
	}
	j := jsonScanner{s: d.text}
	for _, m := range o.head {
		if m.name != "hubs" {
			continue
		}
		for _, at := range j.elements(m.at) {
			var h feed.Hub
			for _, x := range j.members(at) {
				switch x.name {
				case "type":
					h.Type = jsonString(d.text[x.at.lo:x.at.hi])
				case "url":
					h.URL = link(jsonString(d.text[x.at.lo:x.at.hi]))
				}
			}
			if h.URL != "" {
				f.Hubs = append(f.Hubs, h)
			}
		}
	}
	f.Extensions = d.jsonExtensions(o.head, jsonHead)
	if g.UserComment != "" {
		f.Extensions = append(f.Extensions, feed.Extension{Name: "user_comment", Value: g.UserComment})
	}
	if g.Favicon != "" {
		f.Extensions = append(f.Extensions, feed.Extension{Name: "favicon", Value: g.Favicon})
	}
	for i := range f.Entries {
		d.fillJSONItem(&f.Entries[i], g.Items[i], f, base, link)
	}
}

func plain(s string) feed.Text {
	if s = strings.TrimSpace(s); s == "" {
		return feed.Text{}
	}
	return feed.Text{Type: feed.PlainText, Value: s}
}

func appendLink(to []feed.Link, rel, raw, href string) []feed.Link {
	if href == "" {
		return to
	}
	l := feed.Link{Rel: rel, Href: href}
	if raw != href {
		l.Raw = raw
	}
	return append(to, l)
}

func (d *Document) jsonPeople(list []*gofeed.Author, one *gofeed.Author, link func(string) string) (out []feed.Person) {
	if len(list) == 0 && one != nil { // P-46: authors outranks author
		list = []*gofeed.Author{one}
	}
	for _, a := range list {
		if a != nil {
			out = d.addPerson(out, feed.Person{Name: strings.TrimSpace(a.Name), URL: link(a.URL), Avatar: link(a.Avatar)})
		}
	}
	return out
}

// fillJSONItem takes over one item.
func (d *Document) fillJSONItem(e *feed.Entry, g *gofeed.Item, f *feed.Feed, base string, link func(string) string) {
	e.URL, e.ExternalURL = link(g.URL), link(g.ExternalURL)
	e.Links = appendLink(e.Links, "alternate", g.URL, e.URL)
	e.Links = appendLink(e.Links, "related", g.ExternalURL, e.ExternalURL)
	if e.URL == "" && (strings.HasPrefix(e.ID, "https://") || strings.HasPrefix(e.ID, "http://")) {
		e.URL, e.Permalink = e.ID, true
	}
	e.Title, e.Summary = plain(g.Title), plain(g.Summary)
	switch {
	case g.ContentHTML != "":
		e.Content = feed.Text{Type: feed.HTML, Value: g.ContentHTML, Base: base}
		if g.ContentText != "" {
			e.Extensions = append(e.Extensions, feed.Extension{Name: "content_text", Value: g.ContentText})
		}
	case g.ContentText != "":
		e.Content = feed.Text{Type: feed.PlainText, Value: g.ContentText}
	}
	e.Image = link(g.Image)
	if g.BannerImage != "" {
		e.Extensions = append(e.Extensions, feed.Extension{Name: "banner_image", Value: link(g.BannerImage)})
		if e.Image == "" {
			e.Image = link(g.BannerImage)
		}
	}
	d.date(&e.Published, g.DatePublished)
	d.date(&e.Updated, g.DateModified)
	e.Authors = d.jsonPeople(g.Authors, g.Author, link)
	for _, t := range g.Tags {
		if t = strings.TrimSpace(t); t != "" {
			e.Categories = append(e.Categories, feed.Category{Term: t})
		}
	}
	if g.Attachments != nil {
		for _, a := range *g.Attachments {
			if u := link(a.URL); u != "" {
				e.Enclosures = append(e.Enclosures, feed.Enclosure{
					URL: u, Type: a.MimeType, Title: a.Title, Length: max(a.SizeInBytes, 0),
					Duration: time.Duration(min(max(a.DurationInSeconds, 0), 1<<30)) * time.Second,
				})
			}
		}
	}
	e.Language = language(g.Language)
	d.finishEntry(e, f)
}

// jsonExtensions keeps the members that JSON Feed does not define (P-49).
func (d *Document) jsonExtensions(members []member, known map[string]shape) (out []feed.Extension) {
	for _, m := range members {
		if _, ok := known[m.name]; !ok {
			out = append(out, d.jsonExtension(m, 0))
		}
	}
	return out
}

// jsonExtension gives a member as an extension: an object's members are its
// children, an array's elements are several children of the same name. Below a
// depth that no extension has, the rest is kept as the JSON text it is.
func (d *Document) jsonExtension(m member, depth int) feed.Extension {
	j := jsonScanner{s: d.text}
	x := feed.Extension{Name: legalText(m.name)}
	raw := d.text[m.at.lo:m.at.hi]
	if d.kept++; depth > 16 || d.kept > maxKept {
		x.Value = legalText(string(raw))
		return x
	}
	switch raw[0] {
	case '{':
		for _, c := range j.members(m.at) {
			x.Children = append(x.Children, d.jsonExtension(c, depth+1))
		}
	case '[':
		for _, at := range j.elements(m.at) {
			x.Children = append(x.Children, d.jsonExtension(member{m.name, at}, depth+1))
		}
	case '"':
		x.Value = jsonString(raw)
	case 'n':
	default:
		x.Value = string(raw)
	}
	return x
}
