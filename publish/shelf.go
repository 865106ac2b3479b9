package publish

import (
	"sync"
	"sync/atomic"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// shelf is one feed with what is kept ready of it.
type shelf struct {
	name     string // canonical: "iran", "all", "source/lobelog", "iran+mek"
	title    string
	about    string // description
	language string
	home     string // path of its page
	limit    int
	content  string // one of contents
	formats  [len(render.Formats)]bool
	pred     predicate
	// selection is what pred does, in words: another one is another history.
	selection string
	// perItem: the feed of a source, which carries that source's own items, a story
	// more than once if the source told it more than once.
	perItem bool
	// minted: the id is stored in the ledger. Names that anybody can make up are
	// derived from the stored authority instead.
	minted bool
	digest feed.Digest // of the definition

	mu     sync.Mutex // guards all below; held while a snapshot is made
	window *window    // nil: not read yet
	id     string     // atom:id
	record minted     // what the ledger has, if the id is minted
	seeded time.Time  // see window.seeded; zero as long as it is not known
	since  time.Time  // when the definition changed last
	left   time.Time  // when an entry left last

	// snap is what is served; nil when something changed since.
	snap atomic.Pointer[snapshot]
}

// What entries carry. A source says for its own whether they are whole, and wins
// over [publish]; but a [[feed]] that says "summary" has nothing else.
const (
	contentFull    = "full"
	contentSummary = "summary"
	contentBrief   = "brief"
)

var contents = [...]string{contentFull, contentSummary, contentBrief}

// storyOf is what the feed takes a head's story to be.
func (f *shelf) storyOf(h *store.Head) feed.ItemID {
	if f.perItem || h.Story.IsZero() {
		return h.ID
	}
	return h.Story
}

// snapshot is a feed at one moment.
type snapshot struct {
	gen uint64        // of the history that it was made with
	ids []feed.ItemID // of its entries; the entries themselves are in the cache or are prepared anew
	doc *web.Feed     // as it is served
}
