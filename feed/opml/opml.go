// Package opml reads and writes lists of subscriptions (OPML 2.0,
// http://opml.org/spec2.opml).
//
// [Read] takes what it can: lists come from many programs, and one broken line
// must not lose the others. What it could not take it names, with the line.
// [Write] is strict, and reading what it wrote gives the same list again
// (CONFORMANCE PUB-84, PUB-85).
//
// A list is kept flat: each [Outline] is a feed, and knows the folders it stood
// in. Outlines that are no feeds and no folders (notes, links, includes) are not
// subscriptions and are left out. Nothing is fetched.
package opml

import (
	"errors"
	"fmt"
	"time"
)

// List is a list of subscriptions with its head.
type List struct {
	Title        string
	DateCreated  time.Time // zero: not given
	DateModified time.Time
	OwnerName    string
	OwnerEmail   string
	OwnerID      string // a URL that says who the owner is
	Outlines     []Outline
}

// Outline is one subscription.
type Outline struct {
	Text        string // what a reader shows; never empty after Read
	Title       string
	Description string
	Type        string // as written; Write always writes "rss", as readers expect
	XMLURL      string // the feed, absolute, http or https
	HTMLURL     string // the site
	Language    string
	Version     string // "RSS", "RSS1", "RSS2"
	Categories  []string
	Folders     []string // from the outermost to the innermost
	Line        int      // where Read found it, from 1; Write ignores it
}

// ErrNotOPML: the document has neither an opml element nor an outline.
var ErrNotOPML = errors.New("not an OPML document")

// Problem is an entry that Read could not take, or not as it stood.
type Problem struct {
	Line int    // from 1
	Name string // text or title of the outline, if it has one
	What string
}

func (p Problem) Error() string {
	if p.Name == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.What)
	}
	return fmt.Sprintf("line %d: %q: %s", p.Line, p.Name, p.What)
}

// Feeds are the outlines of l, each feed once: where several folders list it, the
// first stands, with the categories of all.
func (l *List) Feeds() []Outline {
	at := make(map[string]int, len(l.Outlines))
	var feeds []Outline
	for _, o := range l.Outlines {
		i, ok := at[o.XMLURL]
		if !ok {
			at[o.XMLURL] = len(feeds)
			feeds = append(feeds, o)
			continue
		}
		feeds[i].Categories = merge(feeds[i].Categories, o.Categories)
	}
	return feeds
}

// merge returns a and what of b is not in it, leaving both as they are.
func merge(a, b []string) []string {
	seen := make(map[string]bool, len(a)+len(b))
	var all []string
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}
