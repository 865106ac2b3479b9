package parse

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// dialect is a family of formats: what its elements are called.
type dialect uint8

const (
	dRSS dialect = iota
	dAtom
	dJSON
)

// span is a piece of the decoded text.
type span struct{ lo, hi int }

// outline is what the preflight learns of an XML document: where its head and
// its entries are, and that it keeps the bounds. Nothing of it is decoded yet.
type outline struct {
	dialect  dialect
	root     span // from the root's start tag to its end
	entries  []span
	scope    []binding // in force at the entries: those of the root and of the channel
	rootName string    // local name as written
	// rootPrefix is that of the root's name.
	rootPrefix string
	entities   *entities
	fixes      fixes
	cut        bool // the last entry has no end
	single     bool // the root is itself the entry (an Atom entry document)
}

// rootOf gives the dialect of a root by its local name, in any case of letters, and
// false for a name at which no feed begins.
func rootOf(local []byte) (d dialect, ok bool) {
	switch strings.ToLower(string(local)) {
	case "rss", "rdf", "channel":
		return dRSS, true
	case "feed", "entry":
		return dAtom, true
	}
	return 0, false
}

func localName(qname []byte) (prefix, local []byte) {
	if before, after, ok := bytes.Cut(qname, []byte{':'}); ok {
		return before, after
	}
	return nil, qname
}

// preflight reads an XML document once, in linear time: it finds the root and
// each entry's own bytes, and enforces the bounds of CONFORMANCE P-09 to P-11,
// before anything is decoded (P-76).
func preflight(s []byte) (*outline, error) {
	o := &outline{}
	w := newWalker(s, 0)
	root, err := o.findRoot(&w)
	if err != nil {
		return nil, err
	}
	w.body = true
	var (
		ev        event
		entry     = -1 // where the entry that is open begins
		entryAt   int  // its depth
		container int  // depth of the channel, 0 if none is open
		field     int  // where the field that is open begins
		fieldAt   = 0  // its depth, 0 if none is open
		ended     bool
	)
	// The walk begins at the root, whose name decided the dialect.
	w.pos, w.held, w.popping = root, false, false
	w.stack, w.bindings = w.stack[:0], w.bindings[:0]
	for w.next(&ev) {
		at := ev.tok.end
		if ev.done {
			at = ev.end()
		}
		if fieldAt > 0 && at-field > maxText {
			return nil, &LimitError{"bytes of text in a field", maxText, field}
		}
		depth := len(w.stack)
		switch {
		case ev.open:
			if ev.tok.end-ev.tok.start > maxText {
				return nil, &LimitError{"bytes of text in a tag", maxText, ev.tok.start}
			}
			if depth == 1 && len(o.scope) == 0 {
				o.scope = append(o.scope, w.bindings...)
			}
			switch {
			case entry < 0 && (depth == 2 || depth == 3 && container == 2) && o.isEntry(&w, ev.tok.name):
				if len(o.entries) >= maxEntries {
					return nil, &LimitError{"entries", maxEntries, ev.tok.start}
				}
				entry, entryAt = ev.tok.start, depth
				w.stack[depth-1].item = true
				fieldAt = 0
			case entry < 0 && depth == 2 && o.isContainer(ev.tok.name):
				container = 2
				if len(w.bindings) > len(o.scope) {
					o.scope = append(o.scope[:0], w.bindings...)
				}
			case fieldAt == 0:
				field, fieldAt = ev.tok.start, depth
			}
		case ev.done:
			depth++ // of the element that ended
			if fieldAt == depth {
				fieldAt = 0
			}
			if depth == container && entry < 0 {
				container = 0
			}
			if entry >= 0 && depth == entryAt {
				o.entries = append(o.entries, span{entry, ev.end()})
				entry = -1
			}
			if depth == 1 {
				ended = true
				o.root = span{root, ev.end()}
			}
		}
		if ended {
			break
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	o.fixes |= w.fixes
	if !ended {
		return o, o.truncated(s, root, entry, &w)
	}
	if len(bytes.TrimSpace(s[o.root.hi:])) > 0 && !onlyMisc(s[o.root.hi:]) {
		o.fixes |= fixTrailingJunk
	}
	return o, nil
}

// truncated decides about a document that ends before its root does: the
// complete entries are used (P-05). The last one, that is cut itself, is used too
// if it says which post it is; the field in which it breaks off is left out.
func (o *outline) truncated(s []byte, root, entry int, w *walker) error {
	o.fixes |= fixTruncated
	if len(o.entries) == 0 {
		in := "its root"
		if n := len(w.stack); n > 0 {
			in = fmt.Sprintf("<%.40s>", clean(w.stack[n-1].name))
		}
		return &Error{ErrBroken, "the document is cut off inside " + in + " before its first complete entry", len(s)}
	}
	end := len(s)
	if entry >= 0 {
		if identified(s, entry) {
			o.entries = append(o.entries, span{entry, len(s)})
			o.cut = true
		} else {
			end = entry
		}
	} else if last := o.entries[len(o.entries)-1].hi; len(w.stack) > 0 && w.stack[len(w.stack)-1].start > last {
		// Cut off in a piece of the head that follows the entries.
		end = last
	}
	o.root = span{root, end}
	return nil
}

// identified reports whether the entry that begins at lo, and has no end, has a
// complete id or link.
func identified(s []byte, lo int) bool {
	w := newWalker(s, lo)
	w.body = true
	var ev event
	for w.next(&ev) {
		if !ev.done || len(w.stack) != 1 || ev.implied {
			continue
		}
		_, local := localName(ev.frame.name)
		switch strings.ToLower(string(local)) {
		case "guid", "id":
			return true
		case "link":
			if ev.frame.inner < ev.innerEnd() || ev.tok.kind == kEmpty {
				return true
			}
		}
	}
	return false
}

// onlyMisc reports whether s holds comments and processing instructions only,
// which may follow a root.
func onlyMisc(s []byte) bool {
	sc := scanner{s: s}
	var t token
	for sc.next(&t) {
		if t.kind != kComment && (t.kind != kText || len(bytes.TrimSpace(s[t.start:t.end])) > 0) {
			return false
		}
	}
	return true
}

// findRoot looks for the start tag of the root, over whatever stands before it
// (P-01, P-04), and gives its offset.
func (o *outline) findRoot(w *walker) (int, error) {
	var t token
	first := ""
	for w.scanner.next(&t) {
		switch t.kind {
		case kText, kCDATA:
			if len(bytes.TrimSpace(w.s[t.lo:t.hi])) > 0 {
				o.fixes |= fixLeadingJunk
			}
		case kDoctype:
			d := w.s[t.lo:t.hi]
			if f := bytes.Fields(d[:min(len(d), 100)]); len(f) > 1 && bytes.EqualFold(f[1], []byte("html")) && first == "" {
				first = "html" // unless a feed follows all the same
			}
			o.entities = declaredEntities(d, &o.fixes)
		case kStart, kEmpty:
			prefix, local := localName(t.name)
			if bytes.EqualFold(local, []byte("html")) {
				return 0, &Error{ErrNotFeed, "an HTML page", t.start}
			}
			if err := unsupported(&t); err != nil {
				return 0, err
			}
			if d, ok := rootOf(local); ok {
				o.dialect, o.rootName, o.rootPrefix = d, string(local), string(prefix)
				o.single = strings.EqualFold(o.rootName, "entry")
				return t.start, nil
			}
			o.fixes |= fixLeadingJunk
			if first == "" && isName(t.name) {
				first = clean(t.name[:min(len(t.name), 40)])
			}
		case kEnd:
			o.fixes |= fixLeadingJunk
		}
	}
	if first == "html" {
		return 0, &Error{ErrNotFeed, "an HTML page", -1}
	}
	if first != "" {
		return 0, &Error{ErrNotFeed, "an XML document <" + first + ">", -1}
	}
	if len(bytes.TrimSpace(w.s)) == 0 {
		return 0, &Error{ErrNotFeed, "an empty document", -1}
	}
	return 0, &Error{ErrNotFeed, "neither XML nor JSON", -1}
}

// unsupported names the formats that are known and not read (P-02).
func unsupported(t *token) error {
	_, local := localName(t.name)
	if string(local) != "Channel" && string(local) != "CHANNEL" {
		return nil
	}
	if string(local) == "CHANNEL" {
		return &Error{ErrUnsupported, "CDF (Channel Definition Format)", t.start}
	}
	for _, a := range t.attrs {
		if bytes.Contains(a.value, []byte("purl.org/net/rss1.1")) {
			return &Error{ErrUnsupported, "RSS 1.1", t.start}
		}
		if bytes.EqualFold(a.name, []byte("href")) || bytes.EqualFold(a.name, []byte("base")) {
			return &Error{ErrUnsupported, "CDF (Channel Definition Format)", t.start}
		}
	}
	return nil
}

// isContainer reports whether an element inside the root holds entries.
func (o *outline) isContainer(qname []byte) bool {
	_, local := localName(qname)
	return o.dialect == dRSS && (bytes.EqualFold(local, []byte("channel")) || bytes.EqualFold(local, []byte("items")))
}

// isEntry reports whether the element that was just opened is an entry: an item
// of RSS, an entry of Atom, in a namespace that is not some extension's.
func (o *outline) isEntry(w *walker, qname []byte) bool {
	if o.single || len(qname) < 4 {
		return false
	}
	prefix, local := localName(qname)
	if !bytes.EqualFold(local, []byte("item")) && !bytes.EqualFold(local, []byte("entry")) {
		return false
	}
	rootPrefix, _ := localName(w.stack[0].name)
	if bytes.Equal(prefix, rootPrefix) {
		return true
	}
	for _, b := range slices.Backward(w.bindings) {
		if bytes.Equal(b.prefix, prefix) {
			key, known := namespaces[normalURI(string(b.uri))]
			return !known && len(prefix) == 0 || key == "rss" || key == nsAtom || key == "atom03"
		}
	}
	return len(prefix) == 0 || conventional[string(prefix)] == "rss" || conventional[string(prefix)] == nsAtom
}
