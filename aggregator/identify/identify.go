// Package identify computes by what an entry is recognised: within its source
// the native id as written, else its link, else its content; across sources its
// canonical URL and its text.
//
// It decides nothing. The archive compares the keys with those it has, under its
// one writer, so that two polls that end together cannot both be first. Everything
// here is a pure function.
package identify

import (
	"crypto/sha256"
	"strings"

	"chancery/feed"
	"chancery/feed/text"
	"chancery/store"
)

// Post is what identify needs to know of an entry: its own words and the two
// forms of its address that normalize makes.
type Post struct {
	Entry     *feed.Entry
	Title     string // plain
	Body      string // plain: what the post says
	Canonical string // canonical URL, or empty
	Address   string // the same without scheme, www and slash at the end
	Alias     string // the native id in that form, if it is a URL
}

// Identity is what identify finds for one entry.
type Identity struct {
	Native string
	Method string // "guid", "link", "content"; "guid+link" and "link+title" when the first alone collides
	Keys   []store.Key
	Story  []store.Key
	Sketch store.Sketch
}

const (
	// minTextWords: below this many words two posts often say the same by
	// accident ("Open thread", "Podcast: episode follows").
	minTextWords = 8
	// minBodyWords: from this many words on the body alone is the text of a post,
	// so that a changed headline or an "Outlet: " before it does not hide a copy.
	minBodyWords = 40
)

// Document identifies the entries of one document together, because some faults
// show only side by side: one GUID on every item, one link shared by all. home
// is the address of the feed's own page, which is no post's address.
func Document(posts []Post, home string) []Identity {
	ids := make(map[string][]int, len(posts))
	links := make(map[string][]int, len(posts))
	for i, p := range posts {
		if id := nativeID(p.Entry); id != "" {
			ids[id] = append(ids[id], i)
		}
		if p.Address != "" {
			links[p.Address] = append(links[p.Address], i)
		}
	}
	out := make([]Identity, len(posts))
	for i, p := range posts {
		id := nativeID(p.Entry)
		shared := p.Address == "" || p.Address == home || unrelated(posts, links[p.Address])
		switch {
		case id != "" && !unrelated(posts, ids[id]):
			out[i].Native, out[i].Method = id, "guid"
			out[i].Keys = append(out[i].Keys, key(store.KeyGUID, id))
			if p.Alias != "" {
				out[i].Keys = append(out[i].Keys, key(store.KeyAlias, p.Alias))
			}
		case id != "" && !shared:
			// CONFORMANCE P-68: the id names several posts of one document.
			out[i].Native, out[i].Method = id+"\n"+p.Address, "guid+link"
			out[i].Keys = append(out[i].Keys, key(store.KeyGUID, out[i].Native))
		case !shared:
			out[i].Native, out[i].Method = p.Address, "link"
			out[i].Keys = append(out[i].Keys, key(store.KeyLink, p.Address))
		case p.Address != "" && p.Title != "":
			out[i].Native, out[i].Method = p.Address+"\n"+text.Fold(p.Title), "link+title"
			out[i].Keys = append(out[i].Keys, key(store.KeyLink, out[i].Native))
		default:
			out[i].Method = "content"
			k := key(store.KeyContent, text.Fold(p.Title)+"\n"+strings.TrimSpace(p.Entry.Published.Raw)+"\n"+text.Fold(p.Body))
			out[i].Native = hexOf(k)
			out[i].Keys = append(out[i].Keys, k)
		}
		if !shared && isPage(p.Canonical) {
			out[i].Story = append(out[i].Story, key(store.KeyURL, p.Address))
		}
		words := text.Words(p.Body)
		if k, ok := textKey(p, words); ok {
			out[i].Story = append(out[i].Story, k)
		}
		out[i].Sketch = sketch(words)
	}
	return out
}

// placeholders are what software writes into an id it does not have (PEERS part 5, 50, 51).
var placeholders = map[string]bool{"": true, "n/a": true, "none": true, "null": true, "undefined": true}

// nativeID is the entry's id as written, or empty if it names nothing. "0" is an
// id like any other.
func nativeID(e *feed.Entry) string {
	if placeholders[strings.ToLower(strings.TrimSpace(e.ID))] {
		return ""
	}
	return e.ID
}

// unrelated reports whether posts that share an id or an address are different
// posts: neither their addresses nor their titles agree. Entries of one id that
// agree in one of them are versions of one post (RFC 4287 §4.1.1).
func unrelated(posts []Post, same []int) bool {
	for _, i := range same[min(1, len(same)):] {
		a, b := posts[same[0]], posts[i]
		if a.Entry.ID != "" && a.Entry.ID == b.Entry.ID && a.Address != "" && a.Address == b.Address {
			continue
		}
		if text.Fold(a.Title) != text.Fold(b.Title) {
			return true
		}
	}
	return false
}

// isPage reports whether a canonical URL can be one post's address: it has a path
// or a query.
func isPage(canonical string) bool {
	_, rest, ok := strings.Cut(canonical, "://")
	if !ok {
		return false
	}
	_, path, _ := strings.Cut(rest, "/")
	return path != ""
}

// textKey is the key of what the post says, if it says enough to tell it from
// others.
func textKey(p Post, words []string) (store.Key, bool) {
	switch {
	case len(words) >= minBodyWords:
		return key(store.KeyText, strings.Join(words, " ")), true
	case len(words) >= minTextWords:
		return key(store.KeyText, text.Fold(p.Title)+"\n"+strings.Join(words, " ")), true
	}
	return store.Key{}, false
}

// key hashes what identifies, with its class, to the 16 bytes that the archive keeps.
func key(class store.KeyClass, value string) store.Key {
	sum := sha256.Sum256([]byte(value))
	k := store.Key{Class: class}
	copy(k.Hash[:], sum[:])
	return k
}

func hexOf(k store.Key) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range k.Hash {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
