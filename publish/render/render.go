// Package render writes feeds: Atom 1.0 (RFC 4287), RSS 2.0 and JSON Feed 1.1,
// from one value, and items as the JSON object of the program.
//
// It is pure: no I/O, no clock, no map order. Equal values give equal bytes.
// gorilla/feeds stays the writer: its types are embedded and what they cannot
// say, or say wrongly, is redeclared beside them (CONFORMANCE PUB-92 to PUB-98).
//
// [Prepare] makes an [Entry] from an archived item once: texts cleaned, HTML
// sanitized, addresses checked. [Atom], [RSS] and [JSON] write a [Feed] of such
// entries. Everything in an Entry is safe to write. The words of a Feed, which can be
// those of a source or of a search, are cleaned as they are written; its addresses are
// the program's own.
package render

import (
	"fmt"
	"strings"
	"time"

	"chancery/feed"
)

// Version rises whenever the bytes made from the same input change. It is part
// of every ETag and of the name of an archive chain.
const Version = 3

// Generator is what documents say made them.
const Generator = "chancery"

// Format is one of the three formats that feeds are written in.
type Format uint8

// The formats.
const (
	FormatAtom Format = iota
	FormatRSS
	FormatJSON
)

// Formats lists all formats in the order of preference.
var Formats = [...]Format{FormatAtom, FormatRSS, FormatJSON}

// String is the suffix of addresses in this format, without the dot.
func (f Format) String() string { return [...]string{"atom", "rss", "json"}[f] }

// MediaType is the type of documents in this format, without parameters
// (CONFORMANCE PUB-59).
func (f Format) MediaType() string {
	return [...]string{"application/atom+xml", "application/rss+xml", "application/feed+json"}[f]
}

// ContentType is MediaType with the charset where the type has that parameter.
// RFC 8259 §11 defines none for JSON, and application/feed+json inherits that.
func (f Format) ContentType() string {
	if f == FormatJSON {
		return f.MediaType()
	}
	return f.MediaType() + "; charset=utf-8"
}

// ParseFormat reads what String wrote.
func ParseFormat(s string) (Format, bool) {
	for _, f := range Formats {
		if f.String() == s {
			return f, true
		}
	}
	return 0, false
}

// Address is an absolute URL in which "{format}" stands for the suffix of a
// format, so that one value names the document in each of them.
type Address string

// In is the address of the document in a format.
func (a Address) In(f Format) string { return strings.ReplaceAll(string(a), "{format}", f.String()) }

// Feed is a document to write.
type Feed struct {
	ID          string // atom:id, an IRI
	Title       string // plain text
	Description string // plain text
	Language    string // BCP 47, or empty
	Self        Address
	Home        string // the HTML page of the feed
	Icon        string
	Author      string // who runs the service; the feed's author, never an entry's
	Style       string // address of a CSS style sheet, or empty
	Updated     time.Time
	TTL         time.Duration
	Hubs        []string
	// TopicScheme is the namespace of topic categories, an IRI (PUB-18).
	TopicScheme string
	// Mixed: the entries come from several sources, so that each body starts by
	// naming its own.
	Mixed   bool
	Entries []Entry
	Deleted []Tombstone
	Paging  Paging
	// Without are formats in which there is no such document, by [Format].
	Without [len(Formats)]bool
	// Search says what the results are of; nil if they are of no search.
	Search *Search
	// Partial: more entries than these will stand in the document, so its root declares
	// the namespaces of all that an entry can have.
	Partial bool
}

// Paging says where a document stands among others (RFC 5005). All addresses are
// optional; those of section 3 and of section 4 are never mixed by a caller.
type Paging struct {
	First, Previous, Next, Last       Address // §3: pages
	Current, PrevArchive, NextArchive Address // §4: archives
	Archive                           bool    // §4: fh:archive
	Complete                          bool    // §2: fh:complete
}

// Tombstone is an entry that left (RFC 6721).
type Tombstone struct {
	Ref     string
	When    time.Time
	Comment string
}

// Entry is an item made ready for writing by [Prepare].
type Entry struct {
	ID       string // PUB-11, PUB-12
	URL      string // of the post; empty if it has none that is http(s)
	Page     string // of the item here
	Title    string // plain text; may be empty
	Summary  string // plain text
	HTML     string // sanitized, absolute; empty if only a summary may be given
	Language string
	// Published is zero when the publisher gave no date. Updated is never zero.
	Published, Updated time.Time
	Authors            []feed.Person
	Contributors       []feed.Person
	Categories         []feed.Category
	Topics             []Topic
	Enclosures         []feed.Enclosure
	Rights             string
	Comments           string
	ExternalURL        string
	Image              string
	Replies            feed.Replies
	Origin             Origin
	Via                string // the feed that it was obtained from
	AlsoAt             []AlsoAt
	Item               feed.ItemID
	Story              feed.ItemID
	Revision           int
	// Stamp is a digest of everything above: equal stamps, equal bytes.
	Stamp feed.Digest
}

// Topic is one of our topics that an entry carries.
type Topic struct {
	ID    feed.TopicID
	Label string
	Score float64
	About bool
}

// Origin is the feed an entry comes from (atom:source).
type Origin struct {
	Source     feed.SourceID // ours; empty if the origin is the one that the entry itself claims
	ID         string
	Title      string
	URL        string // page
	Self       string // feed
	Updated    time.Time
	Rights     string
	Authors    []feed.Person
	Categories []feed.Category
}

// AlsoAt is another source that carried the same story.
type AlsoAt struct {
	Title string
	URL   string
	Item  feed.ItemID
}

// Write writes f in a format.
func Write(f *Feed, format Format) ([]byte, error) {
	switch format {
	case FormatAtom:
		return Atom(f)
	case FormatRSS:
		return RSS(f)
	case FormatJSON:
		return JSON(f)
	}
	return nil, fmt.Errorf("unknown format %d", format)
}

// fit is f with words that can stand in any document.
func (f *Feed) fit() *Feed {
	g := *f
	g.Title, g.Description, g.Author, g.Language = line(f.Title), clean(f.Description), line(f.Author), language(f.Language)
	return &g
}

// entries are the entries with ids of their own. Where two claim one id, a
// document may hold it once (RFC 4287 §4.1.1), and who came first has it (SEC-31).
func (f *Feed) entries() []*Entry {
	out := make([]*Entry, len(f.Entries))
	first := make(map[string]int, len(f.Entries))
	for i := range f.Entries {
		out[i] = &f.Entries[i]
		j, taken := first[out[i].ID]
		if !taken {
			first[out[i].ID] = i
			continue
		}
		late := i
		if out[i].Item.Compare(out[j].Item) < 0 {
			late, first[out[i].ID] = j, i
		}
		e := *out[late]
		e.ID = MintedID(e.Origin.Source, e.Item.String())
		out[late] = &e
	}
	return out
}

// size is about what a document takes, so that its buffer need not grow.
func (f *Feed) size() int {
	n := 4 << 10
	for i := range f.Entries {
		n += 2<<10 + len(f.Entries[i].HTML)*5/4 + len(f.Entries[i].Summary)*2
	}
	return n
}

// body is the HTML of an entry as documents carry it: in a mixed feed it begins
// with the source and its link, because few readers show atom:source and JSON
// Feed has nothing like it; it ends with where else the story was.
func (f *Feed) body(e *Entry) string {
	if e.HTML == "" {
		return ""
	}
	var b strings.Builder
	b.Grow(len(e.HTML) + 256)
	if f.Mixed {
		b.WriteString(e.byline())
	}
	b.WriteString(e.HTML)
	b.WriteString(e.alsoLine())
	return b.String()
}

// byline is the first line of an entry in a mixed feed, as HTML.
func (e *Entry) byline() string {
	title := e.Origin.Title
	if title == "" {
		title = hostOf(e.URL)
	}
	link := e.Origin.URL
	if link == "" {
		link = e.URL
	}
	switch {
	case title == "":
		return ""
	case link == "":
		return "<p>" + escapeHTML(title) + "</p>\n"
	}
	return `<p><a href="` + escapeHTML(link) + `">` + escapeHTML(title) + "</a></p>\n"
}

// alsoLine is the last line of an entry whose story was told elsewhere too.
func (e *Entry) alsoLine() string {
	if len(e.AlsoAt) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n<p>Also at: ")
	for i, a := range e.AlsoAt {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`<a href="` + escapeHTML(a.URL) + `">` + escapeHTML(a.Title) + "</a>")
	}
	b.WriteString("</p>")
	return b.String()
}
