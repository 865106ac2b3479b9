package bolt

import (
	"encoding/binary"
	"math"
	"time"

	"chancery/feed"
)

// The lists of fields with their tags. They are part of the archive's format:
// a tag is never used again for something else (docs/archive-format.md).

func entryFields(c *coder, e *feed.Entry) {
	c.str(1, &e.ID)
	c.bool(2, &e.Permalink)
	c.str(3, &e.URL)
	one(c, 4, &e.Title, textFields)
	one(c, 5, &e.Summary, textFields)
	one(c, 6, &e.Content, textFields)
	c.str(7, &e.ContentURL)
	c.str(8, &e.ContentType)
	many(c, 9, &e.Links, linkFields)
	many(c, 10, &e.Authors, personFields)
	many(c, 11, &e.Contributors, personFields)
	many(c, 12, &e.Categories, categoryFields)
	many(c, 13, &e.Enclosures, enclosureFields)
	one(c, 14, &e.Published, dateFields)
	one(c, 15, &e.Updated, dateFields)
	one(c, 16, &e.Rights, textFields)
	c.str(17, &e.Language)
	opt(c, 18, &e.Origin, originFields)
	c.str(19, &e.Comments)
	c.str(20, &e.ExternalURL)
	c.str(21, &e.Image)
	one(c, 22, &e.Replies, repliesFields)
	many(c, 23, &e.Extensions, extensionFields)
	c.strs(24, &e.Repairs)
	digestField(c, 25, &e.Bytes)
	many(c, 26, &e.Places, placeFields)
}

func placeFields(c *coder, p *feed.Place) {
	c.str(1, &p.Type)
	many(c, 2, &p.Points, pointField)
	c.str(3, &p.Name)
}

// pointField keeps two IEEE 754 numbers.
func pointField(c *coder, p *[2]float64) {
	if c.is(1) && len(c.val) == 16 {
		p[0] = math.Float64frombits(binary.BigEndian.Uint64(c.val))
		p[1] = math.Float64frombits(binary.BigEndian.Uint64(c.val[8:]))
	} else if !c.reading {
		b := binary.BigEndian.AppendUint64(nil, math.Float64bits(p[0]))
		c.out = putField(c.out, 1, binary.BigEndian.AppendUint64(b, math.Float64bits(p[1])))
	}
}

func digestField(c *coder, tag uint64, d *feed.Digest) {
	if c.is(tag) {
		copy(d[:], c.val)
	} else if !c.reading && !d.IsZero() {
		c.out = putField(c.out, tag, d[:])
	}
}

func textFields(c *coder, t *feed.Text) {
	c.str(1, (*string)(&t.Type))
	c.str(2, &t.Value)
	c.str(3, &t.Lang)
	c.str(4, &t.Base)
}

func linkFields(c *coder, l *feed.Link) {
	c.str(1, &l.Rel)
	c.str(2, &l.Href)
	c.str(3, &l.Raw)
	c.str(4, &l.Type)
	c.str(5, &l.HrefLang)
	c.str(6, &l.Title)
	c.int(7, &l.Length)
}

func personFields(c *coder, p *feed.Person) {
	c.str(1, &p.Name)
	c.str(2, &p.URL)
	c.str(3, &p.Email)
	c.str(4, &p.Avatar)
	c.bool(5, &p.Inherited)
}

func categoryFields(c *coder, v *feed.Category) {
	c.str(1, &v.Term)
	c.str(2, &v.Scheme)
	c.str(3, &v.Label)
}

func enclosureFields(c *coder, v *feed.Enclosure) {
	c.str(1, &v.URL)
	c.str(2, &v.Type)
	c.str(3, &v.Title)
	c.int(4, &v.Length)
	durationField(c, 5, &v.Duration)
}

// durationField keeps nanoseconds.
func durationField(c *coder, tag uint64, d *time.Duration) {
	c.int(tag, (*int64)(d))
}

func dateFields(c *coder, d *feed.Date) {
	c.time(1, &d.Time)
	c.str(2, &d.Raw)
	c.str(3, &d.Flag)
}

func originFields(c *coder, o *feed.Origin) {
	c.str(1, &o.ID)
	one(c, 2, &o.Title, textFields)
	c.str(3, &o.URL)
	c.str(4, &o.Self)
	one(c, 5, &o.Updated, dateFields)
	one(c, 6, &o.Rights, textFields)
	many(c, 7, &o.Authors, personFields)
	many(c, 8, &o.Categories, categoryFields)
	many(c, 9, &o.Extensions, extensionFields)
	one(c, 10, &o.Subtitle, textFields)
	many(c, 11, &o.Contributors, personFields)
	many(c, 12, &o.Links, linkFields)
}

func repliesFields(c *coder, r *feed.Replies) {
	many(c, 1, &r.InReplyTo, replyFields)
	c.number(2, &r.Count)
	c.time(3, &r.Updated)
	c.str(4, &r.FeedURL)
}

func replyFields(c *coder, r *feed.ReplyTo) {
	c.str(1, &r.Ref)
	c.str(2, &r.URL)
	c.str(3, &r.Type)
	c.str(4, &r.Source)
}

func extensionFields(c *coder, x *feed.Extension) {
	c.str(1, &x.Space)
	c.str(2, &x.Name)
	c.str(3, &x.Value)
	many(c, 4, &x.Attrs, attrFields)
	many(c, 5, &x.Children, extensionFields)
}

func attrFields(c *coder, a *feed.Attr) {
	c.str(1, &a.Space)
	c.str(2, &a.Name)
	c.str(3, &a.Value)
}

// body is the plain body of an item, revision or reparsed record.
type body struct {
	native, method string
	entry          feed.Entry
	recipe         []byte // of the entry's own bytes; nil: they are not here
}

func (b *body) encode() []byte {
	c := coder{out: make([]byte, 0, 1024+len(b.entry.Content.Value)+len(b.entry.Summary.Value)+len(b.recipe))}
	c.out = putString(c.out, 1, b.native)
	c.out = putString(c.out, 2, b.method)
	start := len(c.out)
	entryFields(&c, &b.entry)
	c.wrap(3, start)
	if b.recipe != nil {
		c.out = putField(c.out, 4, b.recipe)
	}
	return c.out
}

func decodeBody(plain []byte) (body, error) {
	var b body
	err := fields(plain, func(tag uint64, v []byte) error {
		switch tag {
		case 1:
			b.native = string(v)
		case 2:
			b.method = string(v)
		case 3:
			decode(v, &b.entry, entryFields)
		case 4:
			b.recipe = v
		}
		return nil
	})
	return b, err
}
