// Package parse is the one door for documents: it turns the bytes of a feed and
// its media type into a [feed.Feed].
//
//	d, err := parse.Open(body, parse.Options{ContentType: ct, URL: final})
//	parts := d.Parts()              // each entry's own bytes, digested
//	f, err := d.Feed(wanted)        // the head and the wanted entries
//
// Open is a preflight in linear time. It finds the charset and decodes it,
// enforces the bounds of CONFORMANCE P-09 to P-11, and finds where each entry
// begins and ends, so that entries seen before need not be read again. Feed
// reads structure, names, bases, languages and text types in this package's own
// scanner, which takes broken documents as they are; writes what belongs to the
// format's own vocabulary as a small clean document; has gofeed's rss, atom and
// json packages decode that (never its universal parser, whose translation loses
// half: CONFORMANCE P-77); and completes gofeed's structs with what they cannot
// hold. So nothing reaches gofeed that can hurt it, and nothing that gofeed gets
// wrong comes out (CONFORMANCE G-01 to G-28).
//
// Nothing is sanitized, fetched, or made up: HTML stays as published with the
// base URL beside it ([feed.Text]), an absent date stays absent. Every leniency
// is named in Feed.Repairs.
//
// A hostile document costs bounded time and memory; a panic is contained.
package parse

import (
	"bytes"
	"fmt"

	"chancery/feed"
)

// Version rises when the same bytes give another result, so that an archive can
// read its documents again.
const Version = 3

// Options is what is known of a document besides its bytes.
type Options struct {
	// ContentType is the media type of the response with its charset, or empty.
	// It helps with the charset only; the format is found in the content (P-01).
	ContentType string
	// URL is where the document was finally found. Relative references resolve
	// against it where the document gives no other base.
	URL string
}

// Document is a feed whose outline is known and whose entries are not read yet.
// It keeps the body it was opened with, which must not change. It is not safe
// for concurrent use.
type Document struct {
	o       Options
	text    []byte // decoded
	charset string
	offset  int   // of text in the body, for documents in UTF-8
	mapped  bool  // text is a part of the body
	fixes   fixes // of what is read at the moment

	kept int // elements and attributes kept as extensions

	outline *outline // of an XML document
	json    *jsonOutline
	namer   namer
	digests []feed.Digest // of the entries, as far as Parts has made them
	handed  func([]byte)  // shown each document that gofeed is handed, in tests
}

// Part is an entry's own bytes.
type Part struct {
	Start, End int // offsets into the body as received
	Digest     feed.Digest
}

// Open reads the outline of a document. The error is an [*Error] that wraps
// [ErrNotFeed], [ErrUnsupported] or [ErrBroken], or a [*LimitError].
func Open(body []byte, o Options) (d *Document, err error) {
	defer contain(&err)
	d = &Document{o: o}
	d.decode(body)
	start := bytes.TrimLeft(d.text, " \t\r\n\f\x00")
	if len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		d.json, err = outlineJSON(d.text)
	} else {
		d.outline, err = preflight(d.text)
	}
	if err != nil {
		return nil, err
	}
	if d.outline != nil {
		d.outline.fixes |= d.fixes
		if d.outline.single {
			d.outline.entries = append(d.outline.entries, d.outline.root)
		}
	} else {
		d.json.fixes |= d.fixes
	}
	return d, nil
}

// contain turns a panic into an error, so that one document never ends the
// process (CONFORMANCE P-12). The bounds make sure that there is none that Go
// cannot recover.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = &Error{ErrBroken, fmt.Sprintf("the parser failed: %v", r), -1}
	}
}

// Charset is the WHATWG name, in lower case, of the encoding the document was
// read in.
func (d *Document) Charset() string { return d.charset }

// Len is the number of entries.
func (d *Document) Len() int { return len(d.spans()) }

func (d *Document) spans() []span {
	if d.json != nil {
		return d.json.entries
	}
	return d.outline.entries
}

// Parts lists the bytes of each entry in document order, for a document whose
// decoded text is the received bytes. For all others (another charset) it is
// nil: then nothing can be told apart, and all entries must be read.
func (d *Document) Parts() []Part {
	if !d.mapped {
		return nil
	}
	if d.digests == nil {
		d.digests = make([]feed.Digest, d.Len())
		for i, at := range d.spans() {
			d.digests[i] = feed.DigestOf(d.text[at.lo:at.hi])
		}
	}
	parts := make([]Part, d.Len())
	for i, at := range d.spans() {
		parts[i] = Part{at.lo + d.offset, at.hi + d.offset, d.digests[i]}
	}
	return parts
}

// digest is that of an entry's own bytes.
func (d *Document) digest(part int) feed.Digest {
	if d.digests != nil {
		return d.digests[part]
	}
	at := d.spans()[part]
	return feed.DigestOf(d.text[at.lo:at.hi])
}

// Feed reads the head and those entries for which want, given the index of the
// part, is true; all if want is nil. Entries come in document order (RSS 1.0: in
// the order of its rdf:Seq).
func (d *Document) Feed(want func(part int) bool) (f *feed.Feed, err error) {
	defer contain(&err)
	d.kept = 0
	if d.outline != nil && d.outline.entities != nil {
		d.outline.entities.left = maxExpansion
	}
	var parts []int
	for i := range d.spans() {
		if want == nil || want(i) {
			parts = append(parts, i)
		}
	}
	switch {
	case d.json != nil:
		return d.readJSON(parts)
	case d.outline.dialect == dAtom:
		return d.readAtom(parts)
	default:
		return d.readRSS(parts)
	}
}
