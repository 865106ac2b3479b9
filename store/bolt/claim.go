package bolt

import (
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"chancery/feed"
	"chancery/store"
)

// Anybody can write any address into a feed, before its owner does; that must not hide
// the owner's post, nor gather its copies (CONFORMANCE SEC-31). So an address across
// sources belongs to the source that has the best claim to it, whichever came first.
const (
	noClaim = iota
	// saidClaim: a document that was only imported says that it is of the address's
	// site. Nobody has looked.
	saidClaim
	// ownClaim: the source is polled at the address's site.
	ownClaim
)

// claim is what claim a source has to an address. What a feed that is polled says of its
// site counts for nothing: it is known where it is.
func (t *txn) claim(id feed.SourceID, address string) int {
	s := t.source(id)
	site := siteOf(address)
	if s == nil || site == "" {
		return noClaim
	}
	at := func(address string) bool { return siteOf(address) == site }
	switch {
	case s.source.Origin == "import" && s.state.Succeeded.IsZero(): // it was never asked
		if at(s.source.URL) || at(s.source.Site) {
			return saidClaim
		}
	case at(s.source.URL) || at(s.source.Moved):
		return ownClaim
	}
	return noClaim
}

// siteOf is what the pages of one owner have in common: the registrable domain of an
// address, below a platform that gives its customers names the name that it gave.
func siteOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}

// strange: with so few of 128 values in common two texts share nothing (half a value
// agrees by chance; an excerpt of a twentieth of the text has seven).
const strange = 2

// strangers reports whether a draft and the post that has its address are of one story by
// their address alone, and not to be believed: both say enough to tell, and nothing of it
// agrees; or one of them says too little, and the draft's source has the better claim, or
// neither has more than its word. Two feeds of the address's own site may carry a summary
// in other words.
func (t *txn) strangers(d *store.Draft, first *row, mine, theirs int) (bool, error) {
	if mine == ownClaim && theirs == ownClaim {
		return false, nil
	}
	s := t.fresh[first.last]
	if s == nil && first.last >= t.first {
		s = &store.Sketch{} // of this commit, and without
	}
	if s == nil {
		vol, err := t.s.volume(first.last)
		if err != nil {
			return false, err
		}
		h, _, err := vol.readHead(first.last)
		if err := t.s.passing(err); err != nil {
			return false, err
		}
		s = &h.sketch // of one that cannot be read, as of one without
	}
	if d.Sketch.Words == 0 || s.Words == 0 {
		return mine > theirs || mine == saidClaim && theirs == saidClaim, nil
	}
	same := 0
	for i, v := range s.Values {
		if v == d.Sketch.Values[i] {
			same++
		}
	}
	return same <= strange, nil
}

// elects reports whether a draft's source has a better claim to its address than that of
// its story's original.
func (t *txn) elects(story feed.ItemID, mine int, address string) (bool, error) {
	r, ok, err := t.row(story)
	if ok && !r.original.IsZero() {
		r, ok, err = t.row(r.original)
	}
	return ok && t.claim(t.sourceName(r.source), address) < mine, err
}

// election is the record by which an item becomes its story's original that came later
// than others of it.
func (t *txn) election(h *header) (*pending, error) {
	r, err := t.mustRow(h.item)
	if err != nil {
		return nil, err
	}
	items := []feed.ItemID{h.item}
	for _, id := range t.members(r.story) {
		if id != h.item {
			items = append(items, id)
		}
	}
	return t.jsonRecord(header{kind: store.KindMerge, time: h.time, items: items},
		editBody{First: h.item, By: "rule", Reason: "its source is of the site that the address is of"})
}
