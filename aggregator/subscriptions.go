package aggregator

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"chancery/aggregator/normalize"
	"chancery/feed"
	"chancery/store"
)

// directory keeps the list of subscriptions between imports: an archive of many
// sources is not listed anew for each of as many documents.
type directory struct {
	mu      sync.Mutex // held while something is looked up and added
	have    *subscriptions
	changes uint64 // of the archive's sources when have was true
}

// subscriptions gives the sources as they are now, for looking one up and adding
// others. Nobody else may add until release is called, which must be after what was
// put is in the archive.
func (a *Aggregator) subscriptions(ctx context.Context) (have *subscriptions, release func(), err error) {
	d := &a.directory
	d.mu.Lock()
	defer func() {
		if err != nil {
			d.mu.Unlock()
		}
	}()
	changes, err := a.archive.Changes(ctx) // first: what changes meanwhile is seen the next time
	if err != nil {
		return nil, nil, err
	}
	if d.have == nil || d.changes != changes {
		states, err := a.archive.Sources(ctx)
		if err != nil {
			return nil, nil, err
		}
		d.have, d.changes = newSubscriptions(states), changes
	}
	return d.have, func() {
		defer d.mu.Unlock()
		changes, err := a.archive.Changes(ctx)
		if d.changes += d.have.added; err != nil || d.have.replaced || d.changes != changes {
			d.have = nil // what was put is not there, or somebody changed something else
			return
		}
		d.have.added = 0
	}, nil
}

// subscriptions are the sources by what a document or a list can say of one.
type subscriptions struct {
	byID      map[feed.SourceID]store.Source
	byAddress map[string]feed.SourceID
	bySite    map[string][]feed.SourceID
	numbered  map[string]int // base of an id → the first number that may be free
	added     uint64         // sources that were put since the list was made
	replaced  bool           // one of them was there before
}

func newSubscriptions(states []store.SourceState) *subscriptions {
	h := &subscriptions{
		byID: make(map[feed.SourceID]store.Source, len(states)), byAddress: make(map[string]feed.SourceID, len(states)),
		bySite: map[string][]feed.SourceID{}, numbered: map[string]int{},
	}
	for _, s := range states {
		h.put(s.Source)
	}
	h.added = 0
	return h
}

func (h *subscriptions) put(s store.Source) {
	if _, ok := h.byID[s.ID]; ok {
		h.replaced = true
	}
	h.added++
	h.byID[s.ID] = s
	for _, at := range []string{s.URL, s.Moved} {
		if at = normalize.Address(at); at != "" {
			h.byAddress[at] = s.ID
		}
	}
	if site := normalize.Address(s.Site); site != "" {
		h.bySite[site] = append(h.bySite[site], s.ID)
	}
}

// MaxAddress is how many bytes the address of a feed has at most: servers refuse
// longer ones (RFC 9110 §4.1 asks that 8,000 be taken).
const MaxAddress = 8 << 10

// add makes s ready to be recorded, or says why it cannot be; ErrKnown comes with
// the source that is there.
func (h *subscriptions) add(s store.Source, now time.Time) (store.Source, error) {
	u, err := url.Parse(strings.TrimSpace(s.URL))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return s, fmt.Errorf("%q is not an http or https address", s.URL)
	}
	if len(u.String()) > MaxAddress || len(u.Hostname()) > 253 { // RFC 1035 §2.3.4
		return s, fmt.Errorf("an address has at most %d bytes, its host 253; %.60q has %d and %d", MaxAddress, s.URL, len(u.String()), len(u.Hostname()))
	}
	s.URL = u.String()
	id, ok := h.byAddress[normalize.Address(s.URL)]
	if !ok && s.ID != "" {
		id = s.ID
	}
	if was, ok := h.byID[id]; ok {
		if !was.Removed && (!was.Disabled || was.Origin != "import") {
			return was, fmt.Errorf("%w: source %s has the address %s", ErrKnown, was.ID, was.Address())
		}
		s.ID, s.Added = was.ID, was.Added
		s.Title, s.Site = cmp.Or(s.Title, was.Title), cmp.Or(s.Site, was.Site)
	}
	if s.ID == "" {
		s.ID = h.free(slug(s.URL, s.Title))
	}
	if !feed.ValidID(string(s.ID)) {
		return s, fmt.Errorf("%q is not an id: want [a-z0-9][a-z0-9-]*, at most 64 bytes", s.ID)
	}
	s.Origin = cmp.Or(s.Origin, "command")
	if s.Added.IsZero() {
		s.Added = now
	}
	h.put(s)
	return s, nil
}

// named finds the source whose address or site a document names. A document that
// says where it lives belongs to a source without an address, or of that one: two
// feeds of one site are two sources. A document that says nothing belongs to the
// source that an earlier import of its like made.
func (h *subscriptions) named(f *feed.Feed, base, title string) (feed.SourceID, bool) {
	self, site := normalize.Address(f.Self), normalize.Address(f.URL)
	if id, ok := h.byAddress[self]; ok && self != "" {
		return id, true
	}
	if site == "" && self == "" {
		s, ok := h.byID[feed.SourceID(base)]
		return s.ID, ok && s.Origin == "import" && s.URL == "" && s.Site == "" && s.Title == title
	}
	if site == "" {
		return "", false
	}
	var found []feed.SourceID
	for _, id := range h.bySite[site] {
		if self == "" || h.byID[id].URL == "" {
			found = append(found, id)
		}
	}
	if len(found) == 0 {
		return "", false
	}
	return slices.Min(found), true
}

// free is base, or base with the first number that is free. One of which only the id is
// known is: it was made of the same base.
func (h *subscriptions) free(base string) feed.SourceID {
	if base == "" || base == "all" || base == "source" {
		base = strings.TrimSuffix("feed-"+base, "-")
	}
	id := feed.SourceID(base)
	taken := func() bool {
		s, ok := h.byID[id]
		return ok && !s.Forgotten()
	}
	if !taken() {
		return id
	}
	for n := max(h.numbered[base], 2); ; n++ {
		id = feed.SourceID(fmt.Sprintf("%s-%d", base, n))
		if !taken() {
			h.numbered[base] = n
			return id
		}
	}
}

// hostNoise are labels of a host that say nothing of whose it is.
var hostNoise = []string{"www", "feeds", "feed", "rss", "blog", "blogs", "com", "org", "net", "co", "uk", "gov", "edu", "info"}

// slug makes an id out of an address, or of a title when there is none:
// "https://www.lobelog.com/feed/" is "lobelog".
func slug(address, title string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		var labels []string
		for l := range strings.SplitSeq(strings.ToLower(u.Hostname()), ".") {
			if !slices.Contains(hostNoise, l) {
				labels = append(labels, l)
			}
		}
		if s := words(strings.Join(labels, "-")); s != "" {
			return s
		}
		return words(u.Hostname())
	}
	return words(title)
}

// words keeps letters and digits of ASCII and one hyphen between them.
func words(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap = false
		} else {
			gap = true
		}
		if b.Len() >= 48 {
			break
		}
	}
	return b.String()
}
