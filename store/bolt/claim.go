package bolt

import (
	"net/url"
	"strings"

	"chancery/feed"
	"chancery/store"
)

// strange: with so few of 128 values in common two texts share nothing (half a value
// agrees by chance; an excerpt of a twentieth of the text has seven).
const strange = 2

// strangers reports whether a draft and the post that came first with the same address
// are of one story by their address alone, and one of them is of another site than the
// address: both say enough to tell, and nothing of it agrees; or one of them says too
// little, and it is the address's own site that came second. Anybody can write any address
// into a feed, before its owner does; that must not hide the owner's post (CONFORMANCE
// SEC-31). Feeds of the address's own site may carry a summary in other words.
func (t *txn) strangers(source feed.SourceID, d *store.Draft, first *row) (bool, error) {
	mine, theirs := t.atHome(source, d.Entry.URL), t.atHome(t.sourceName(first.source), d.Entry.URL)
	if mine && theirs {
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
		h, _, err := vol.read(first.last)
		if err := t.s.passing(err); err != nil {
			return false, err
		}
		s = &h.sketch // of one that cannot be read, as of one without
	}
	if d.Sketch.Words == 0 || s.Words == 0 {
		return mine, nil
	}
	same := 0
	for i, v := range s.Values {
		if v == d.Sketch.Values[i] {
			same++
		}
	}
	return same <= strange, nil
}

// atHome reports whether a source is polled at the site of an address, or at a name
// above or below it. What a feed says of its site counts for nothing.
func (t *txn) atHome(id feed.SourceID, address string) bool {
	s := t.source(id)
	if s == nil {
		return false
	}
	a, b := hostOf(s.source.URL), hostOf(address)
	return a != "" && b != "" && (a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a))
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}
