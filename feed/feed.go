// Package feed holds the words of chancery: feeds, posts, people, links, dates
// and the identities of all of them.
//
// It is the ground floor. It imports nothing of the project, does no I/O, asks
// no clock and starts no goroutine; every other room speaks in its types. Names
// are those of RFC 4287 where it has one, of RSS 2.0 or JSON Feed 1.1 otherwise.
//
// Two types carry a post: an [Entry] is what a publisher wrote in a document,
// an [Item] is that entry with its identity and history as the archive keeps it.
package feed

import "time"

// Format is the dialect a document was written in, as parse found it.
type Format string

// The formats that parse understands.
const (
	RSS090   Format = "rss090"
	RSS091   Format = "rss091"
	RSS092   Format = "rss092"
	RSS10    Format = "rss10" // RDF site summary
	RSS20    Format = "rss20"
	Atom03   Format = "atom03"
	Atom10   Format = "atom10"
	AtomItem Format = "atom-entry" // an Atom entry document (RFC 4287 §2)
	JSON10   Format = "json10"
	JSON11   Format = "json11"
)

// Feed is one document as its publisher meant it: what stands in the head, and
// the entries in document order.
type Feed struct {
	Format Format
	// ID is atom:id or feed_url of JSON Feed, exactly as written (RFC 4287 §4.2.6:
	// compared character by character), or empty.
	ID       string
	Title    Text
	Subtitle Text
	// URL is the page the feed belongs to: the first alternate link, absolute.
	URL string
	// Self is where the document says it lives: rel=self or feed_url, absolute.
	Self         string
	Links        []Link
	Authors      []Person
	Contributors []Person
	Categories   []Category
	Rights       Text
	Language     string // BCP 47 as written, or empty
	Generator    string
	Image        string // absolute URL of logo, image or icon
	Published    Date
	Updated      Date
	Hints        Hints
	Hubs         []Hub
	Entries      []Entry
	Deleted      []Tombstone
	Extensions   []Extension
	// Repairs names each leniency that was needed to read the document, sorted,
	// each once (CONFORMANCE P-14). Empty for a clean document.
	Repairs []string
}

// Hints is what a document says about how often to ask for it. Zero means the
// document does not say. They are lower bounds for a scheduler, never orders.
type Hints struct {
	TTL             time.Duration  // RSS ttl
	SkipHours       []int          // 0 to 23, GMT
	SkipDays        []time.Weekday // GMT
	UpdatePeriod    time.Duration  // RSS 1.0 syndication module: one period
	UpdateFrequency int            // how many times in a period; 0 if the module is absent
	UpdateBase      time.Time
	Expired         bool   // JSON Feed expired
	Complete        bool   // RFC 5005 §2 fh:complete
	Archive         bool   // RFC 5005 §4 fh:archive
	NextURL         string // JSON Feed next_url or RFC 5005 §3 rel=next, absolute
	PrevArchive     string // RFC 5005 §4 rel=prev-archive, absolute
	NewFeedURL      string // itunes:new-feed-url, absolute
	Cloud           *Cloud // RSS cloud
}

// Cloud is the RSS 2.0 cloud element: where a registration for pings would go.
type Cloud struct {
	Domain, Path, Procedure, Protocol string
	Port                              int
}

// Hub is a place that pushes updates of a feed.
type Hub struct {
	Type string // "WebSub", "rssCloud"
	URL  string
}

// Tombstone is at:deleted-entry of RFC 6721: the publisher withdrew an entry.
type Tombstone struct {
	Ref     string // the atom:id that is gone
	When    Date
	By      []Person
	Comment Text
}

// Entry is one post as a document carries it. All URLs are absolute where a base
// was known; the text as published stands beside each (Link.Raw).
type Entry struct {
	// ID is the native identity exactly as written: atom:id, guid, rdf:about or
	// the id of JSON Feed. Empty when the publisher gave none.
	ID string
	// Permalink: the ID is said to be the URL of the post (RSS isPermaLink).
	Permalink    bool
	URL          string // the post's page: first alternate link, absolute
	Title        Text
	Summary      Text
	Content      Text
	ContentURL   string // atom:content src, not fetched
	ContentType  string // media type when Content is neither text, html nor xhtml
	Links        []Link
	Authors      []Person
	Contributors []Person
	Categories   []Category
	Enclosures   []Enclosure
	Published    Date
	Updated      Date
	Rights       Text
	Language     string  // BCP 47, inherited from the feed if the entry has none
	Origin       *Origin // atom:source or RSS source: the feed it was copied from
	Comments     string  // URL of the page with comments
	ExternalURL  string  // JSON Feed external_url
	Image        string  // absolute URL
	Replies      Replies
	Places       []Place
	Extensions   []Extension
	Repairs      []string // as Feed.Repairs, for this entry alone
	// Bytes is the digest of the entry's own bytes in the document, for
	// recognizing an entry that was seen before without parsing it again.
	// Zero when the entry's bytes could not be told apart.
	Bytes Digest
}

// Replies is the Atom threading extension (RFC 4685) and RSS slash:comments.
type Replies struct {
	InReplyTo []ReplyTo
	Count     int // of replies; 0 unknown
	Updated   time.Time
	FeedURL   string // rel=replies or wfw:commentRss
}

// ReplyTo names an entry that this one answers (RFC 4685 §3).
type ReplyTo struct{ Ref, URL, Type, Source string }

// Place is where a post says it happens, as GeoJSON would write it (RFC 7946):
// from GeoRSS, GML or W3C geo.
type Place struct {
	Type   string       // "Point", "LineString", "Polygon", "Box"
	Points [][2]float64 // longitude, latitude in degrees (WGS 84)
	Name   string       // georss:featurename, or empty
}

// Origin is the feed that an entry says it comes from. It is a claim by whoever
// carries the entry, never proof (CONFORMANCE SEC-31).
type Origin struct {
	ID         string // atom:id of the source feed, as written
	Title      Text
	URL        string // alternate link, absolute
	Self       string // the feed's own address, absolute
	Updated    Date
	Rights     Text
	Authors    []Person
	Categories []Category
	Links      []Link
	// Subtitle and Contributors are those of the source feed.
	Subtitle     Text
	Contributors []Person
	Extensions   []Extension // what else it says: generator, logo, …
}

// TextType says how to read the Value of a Text (RFC 4287 §3.1.1).
type TextType string

// The three types of a text construct.
const (
	PlainText TextType = "text"
	HTML      TextType = "html"
	XHTML     TextType = "xhtml" // Value is the children of the wrapping div as HTML
)

// Text is a human-readable text with its type kept apart, unsanitised.
type Text struct {
	Type  TextType // empty means PlainText
	Value string
	Lang  string // BCP 47 if it differs from the entry's
	Base  string // URL against which relative references in Value resolve; empty if they are absolute
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.Value == "" }

// Person is an author or contributor (RFC 4287 §3.2).
type Person struct {
	Name, URL, Email string
	Avatar           string
	// Inherited: taken over from the feed or the entry's Origin (RFC 4287 §4.2.1).
	Inherited bool
}

// Link is a reference from a feed or an entry (RFC 4287 §4.2.7, RFC 8288).
type Link struct {
	Rel      string // short form for registered relations; "alternate" by default
	Href     string // absolute
	Raw      string // as published, when it differs from Href
	Type     string
	HrefLang string
	Title    string
	Length   int64
}

// Category is a label the publisher gave (RFC 4287 §4.2.2, RSS category).
type Category struct {
	Term   string
	Scheme string // URI or RSS domain
	Label  string
}

// Enclosure is a file that belongs to a post.
type Enclosure struct {
	URL      string
	Type     string // media type
	Title    string
	Length   int64 // bytes; 0 unknown
	Duration time.Duration
}

// Extension is an element or JSON member that has no field of its own, kept with
// its namespace and its structure.
type Extension struct {
	Space    string // namespace URI; empty for JSON Feed
	Name     string
	Value    string // text directly inside
	Attrs    []Attr
	Children []Extension
}

// Attr is an attribute of an [Extension].
type Attr struct{ Space, Name, Value string }

// Date is an instant with the text it was read from. The zone of Time is the one
// the publisher gave.
type Date struct {
	Time time.Time // zero if Raw could not be read, or there was none
	Raw  string    // as it stood; empty if the element was absent
	// Flag names a doubt: "zone" (unknown zone abbreviation), "order" (day and
	// month could be exchanged), "range" (before 1990), "future", "weekday", …
	Flag string
}

// IsZero reports whether no instant is known.
func (d Date) IsZero() bool { return d.Time.IsZero() }
