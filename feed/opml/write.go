package opml

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

// Write writes l as OPML 2.0 in UTF-8: feeds in the order of the list, a folder
// where its first feed stands. Dates are RFC 822 with four digits of year. It
// fails if w does, or if an outline has no XMLURL.
func Write(w io.Writer, l *List) error {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n  <head>\n")
	element := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "    <%s>%s</%[1]s>\n", name, escape(value))
		}
	}
	element("title", l.Title)
	element("dateCreated", date(l.DateCreated))
	element("dateModified", date(l.DateModified))
	element("ownerName", l.OwnerName)
	element("ownerEmail", l.OwnerEmail)
	element("ownerId", l.OwnerID)
	element("docs", "http://opml.org/spec2.opml")
	b.WriteString("  </head>\n  <body>\n")
	root := &folder{}
	for i := range l.Outlines {
		if l.Outlines[i].XMLURL == "" {
			return fmt.Errorf("outline %d (%q) has no xmlUrl", i, l.Outlines[i].Text)
		}
		root.add(l.Outlines[i].Folders, &l.Outlines[i])
	}
	root.write(&b, "    ")
	b.WriteString("  </body>\n</opml>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// date is t as OPML wants it; empty for the zero time.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}

// folder is a node of the tree that the folders of a list make.
type folder struct {
	name  string
	nodes []node
	sub   map[string]*folder
}

// node is a feed or a folder, in the order they came.
type node struct {
	feed   *Outline
	folder *folder
}

func (f *folder) add(path []string, o *Outline) {
	for _, name := range path[:min(len(path), maxFolders)] {
		next := f.sub[name]
		if next == nil {
			next = &folder{name: name}
			if f.sub == nil {
				f.sub = map[string]*folder{}
			}
			f.sub[name] = next
			f.nodes = append(f.nodes, node{folder: next})
		}
		f = next
	}
	f.nodes = append(f.nodes, node{feed: o})
}

func (f *folder) write(b *bytes.Buffer, indent string) {
	for _, n := range f.nodes {
		if n.folder != nil {
			fmt.Fprintf(b, "%s<outline text=\"%s\">\n", indent, escape(n.folder.name))
			n.folder.write(b, indent+"  ")
			fmt.Fprintf(b, "%s</outline>\n", indent)
			continue
		}
		b.WriteString(indent + "<outline")
		o := n.feed
		attr := func(name, value string) {
			if value != "" {
				fmt.Fprintf(b, " %s=\"%s\"", name, escape(value))
			}
		}
		attr("text", cmp.Or(o.Text, o.Title, o.XMLURL))
		attr("type", "rss")
		attr("xmlUrl", o.XMLURL)
		attr("htmlUrl", o.HTMLURL)
		attr("title", o.Title)
		attr("description", o.Description)
		attr("language", o.Language)
		attr("version", o.Version)
		attr("category", strings.Join(o.Categories, ","))
		b.WriteString("/>\n")
	}
}

// escape writes s for an element or an attribute. What XML can't carry is left
// out, line breaks are written so that they survive in attributes.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\n', r == '\r', r == '\t':
			fmt.Fprintf(&b, "&#%d;", r)
		case allowed(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
