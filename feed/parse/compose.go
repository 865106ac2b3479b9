package parse

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/mmcdole/gofeed/atom"
	"github.com/mmcdole/gofeed/rss"
)

// composer writes the document that gofeed decodes: the elements of the format's
// own vocabulary, each once where it may stand once, without namespaces, bases,
// comments or nesting, every value as escaped text. By construction it has none of
// the shapes that gofeed stalls, dies or errs on (CONFORMANCE G-06 to G-13, G-19
// to G-23), whatever it was made from.
//
// Long texts of posts stay behind: gofeed is handed a stand-in for each, and the
// text is put back where the stand-in arrives. gofeed would give such a text back
// character by character, but takes as long for it as for all else (figure (a)).
type composer struct {
	buf   []byte
	texts []string // for which stand-ins were handed over
}

// longText: a text of so many bytes is worth a stand-in.
const longText = 128

// standIn begins every stand-in; its number follows. A text that begins so itself
// gets one, however short it is.
const standIn = "long text "

// hold is what is handed over for a text of a post.
func (c *composer) hold(s string) string {
	if len(s) < longText && !strings.HasPrefix(strings.TrimSpace(s), standIn) {
		return s
	}
	c.texts = append(c.texts, strings.TrimSpace(s)) // as gofeed does
	return standIn + strconv.Itoa(len(c.texts)-1)
}

// restore puts back what was held.
func (c *composer) restore(s *string) {
	if n, ok := strings.CutPrefix(*s, standIn); ok {
		if i, err := strconv.Atoi(n); err == nil && i < len(c.texts) {
			*s = c.texts[i]
		}
	}
}

// reset begins another document.
func (c *composer) reset() { c.buf, c.texts = c.buf[:0], c.texts[:0] }

// maxCompose is how much is handed over at once: a large document comes to gofeed
// as several small ones, so that its many copies of everything stay small.
const maxCompose = 1 << 20

// start writes a start tag; attrs are pairs of name and value, and those without
// a value are left out.
func (c *composer) start(name string, attrs ...string) {
	c.tag(name, attrs)
	c.buf = append(c.buf, '>')
}

func (c *composer) tag(name string, attrs []string) {
	c.buf = append(append(c.buf, '<'), name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] == "" {
			continue
		}
		c.buf = append(append(append(c.buf, ' '), attrs[i]...), `="`...)
		c.escape(attrs[i+1])
		c.buf = append(c.buf, '"')
	}
}

// end writes an end tag.
func (c *composer) end(name string) { c.buf = append(append(append(c.buf, "</"...), name...), '>') }

// elem writes an element with a text, unless it has neither text nor attributes.
func (c *composer) elem(name, value string, attrs ...string) {
	if value == "" {
		for i := 1; ; i += 2 {
			if i >= len(attrs) {
				return
			}
			if attrs[i] != "" {
				break
			}
		}
	}
	switch name {
	case "description", "content:encoded", "summary", "content":
		value = c.hold(value)
	}
	c.start(name, attrs...)
	c.text(value)
	c.end(name)
}

// text writes character data: as a CDATA section where there is something to
// escape, because gofeed takes its inside as it is, and has no references to undo.
func (c *composer) text(s string) {
	if !strings.ContainsAny(s, "<&") || strings.IndexByte(s, '\r') >= 0 {
		c.escape(s)
		return
	}
	c.buf = append(c.buf, "<![CDATA["...)
	for {
		i := strings.Index(s, "]]>")
		if i < 0 {
			break
		}
		c.buf = append(append(c.buf, s[:i+2]...), "]]><![CDATA["...)
		s = s[i+2:]
	}
	c.buf = append(append(c.buf, s...), "]]>"...)
}

func (c *composer) escape(s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		ref := ""
		switch s[i] {
		case '&':
			ref = "&amp;"
		case '<':
			ref = "&lt;"
		case '>':
			ref = "&gt;"
		case '"':
			ref = "&quot;"
		case '\r':
			ref = "&#13;"
		default:
			continue
		}
		c.buf = append(append(c.buf, s[from:i]...), ref...)
		from = i + 1
	}
	c.buf = append(c.buf, s[from:]...)
}

// decodeRSS has gofeed read what was composed. items is how many there must be.
func (c *composer) decodeRSS(d *Document, items int) (*rss.Feed, error) {
	d.show(c.buf)
	f, err := (&rss.Parser{}).Parse(bytes.NewReader(c.buf))
	if err == nil && len(f.Items) != items {
		err = fmt.Errorf("%d of %d items came back", len(f.Items), items)
	}
	if err != nil {
		return nil, &Error{ErrBroken, "gofeed: " + err.Error(), -1}
	}
	c.restore(&f.Description)
	for _, it := range f.Items {
		c.restore(&it.Description)
		c.restore(&it.Content)
	}
	return f, nil
}

// show tells a test what gofeed is handed.
func (d *Document) show(b []byte) {
	if d.handed != nil {
		d.handed(b)
	}
}

// decodeAtom is decodeRSS for Atom.
func (c *composer) decodeAtom(d *Document, entries int) (*atom.Feed, error) {
	d.show(c.buf)
	f, err := (&atom.Parser{}).Parse(bytes.NewReader(c.buf))
	if err == nil && len(f.Entries) != entries {
		err = fmt.Errorf("%d of %d entries came back", len(f.Entries), entries)
	}
	if err != nil {
		return nil, &Error{ErrBroken, "gofeed: " + err.Error(), -1}
	}
	for _, e := range f.Entries {
		if c.restore(&e.Summary); e.Content != nil {
			c.restore(&e.Content.Value)
		}
	}
	return f, nil
}
