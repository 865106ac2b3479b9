// Package identify computes by what an entry is recognized: within its source
// the native id as written, else its link, else its content; across sources its
// canonical URL and its text.
//
// It decides nothing. The archive compares the keys with those it has, under its
// one writer, so that two polls that end together cannot both be first. Everything
// here is a pure function.
package identify

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/text"
	"chancery/store"
)

// Post is what identify needs to know of an entry: its own words and the two
// forms of its address that normalize makes.
type Post struct {
	Entry     *feed.Entry
	Title     string    // plain
	Body      *text.Row // the words of what the post says
	Own       *text.Row // those of them outside of quotations; nil if it has none
	Canonical string    // canonical URL, or empty
	Address   string    // the same without scheme, www and slash at the end
	Alias     string    // the native id in that form, if it is a URL
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

// maxColliding bounds the ids remembered as naming nothing. A source with more is
// beyond telling apart by id: then every id is joined with its link.
const maxColliding = 200

// everything, in the list of colliding ids, stands for all of them.
const everything = "*"

// Document identifies the entries of one document together, because some faults
// show only side by side: one GUID on every item, one link shared by all. home
// is the address of the feed's own page, which is no post's address.
//
// colliding is what earlier documents of the source taught; the list that comes
// back is to be given next time. It only grows: an id that once named two posts
// is never trusted again, or the key of a post would change from poll to poll
// (CONFORMANCE P-68; PEERS part 5, 54).
func Document(posts []Post, home string, colliding []string) ([]Identity, []string) {
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
	judged := map[string]bool{} // whether an id or a link names nothing
	bad := func(kind, value string, same []int) bool {
		switch {
		case len(same) < 2 && len(colliding) == 0: // as nearly always
			return false
		case slices.Contains(colliding, everything):
			return true
		}
		name := kind + value
		if known, ok := judged[name]; ok {
			return known
		}
		mark := hexOf(key(0, name))[:12]
		is := slices.Contains(colliding, mark)
		if !is && unrelated(posts, same) {
			is = true
			if colliding = append(colliding, mark); len(colliding) > maxColliding {
				colliding = []string{everything}
			}
		}
		judged[name] = is
		return is
	}
	out := make([]Identity, len(posts))
	for i, p := range posts {
		id := nativeID(p.Entry)
		idBad := id == "" || bad("id:", id, ids[id])
		linkBad := p.Address == "" || p.Address == home || bad("link:", p.Address, links[p.Address])
		out[i] = identity(p, id, idBad, linkBad)
	}
	return out, colliding
}

func identity(p Post, id string, idBad, linkBad bool) Identity {
	var out Identity
	one := func(method string, class store.KeyClass, native string) {
		out.Native, out.Method = native, method
		out.Keys = append(out.Keys, key(class, native))
	}
	switch {
	case !idBad:
		one("guid", store.KeyGUID, id)
		if p.Alias != "" {
			out.Keys = append(out.Keys, key(store.KeyAlias, p.Alias))
		}
	case id != "" && p.Address != "" && !linkBad:
		one("guid+link", store.KeyGUID, id+"\n"+p.Address)
	case !linkBad:
		one("link", store.KeyLink, p.Address)
	case p.Address != "" && p.Title != "":
		one("link+title", store.KeyLink, p.Address+"\n"+text.Fold(p.Title))
	default:
		k := key(store.KeyContent, text.Fold(p.Title)+"\n"+strings.TrimSpace(p.Entry.Published.Raw)+"\n"+string(p.Body.Folded()))
		out.Native, out.Method, out.Keys = hexOf(k), "content", []store.Key{k}
	}
	if !linkBad && isPage(p.Canonical) {
		out.Story = append(out.Story, key(store.KeyURL, withoutAMP(p.Address)))
	}
	if k, ok := textKey(p); ok {
		out.Story = append(out.Story, k)
	}
	out.Sketch = sketch(&p)
	return out
}

// Restore gives the keys of a post by what is recorded of its identity: the native
// id and how it was found. False for a record that says nothing usable.
func Restore(method, native, alias string) ([]store.Key, bool) {
	if native == "" {
		return nil, false
	}
	switch method {
	case "guid":
		keys := []store.Key{key(store.KeyGUID, native)}
		if alias != "" {
			keys = append(keys, key(store.KeyAlias, alias))
		}
		return keys, true
	case "guid+link":
		return []store.Key{key(store.KeyGUID, native)}, true
	case "link", "link+title":
		return []store.Key{key(store.KeyLink, native)}, true
	case "content":
		b, err := hex.DecodeString(native)
		k := store.Key{Class: store.KeyContent}
		if err != nil || len(b) != len(k.Hash) {
			return nil, false
		}
		copy(k.Hash[:], b)
		return []store.Key{k}, true
	}
	return nil, false
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
// posts. Entries of one id can be versions of one post (RFC 4287 §4.1.1): then
// address and title are the same, or one of them is and the texts are alike.
func unrelated(posts []Post, same []int) bool {
	if len(same) < 2 {
		return false
	}
	first := &posts[same[0]]
	folded := text.Fold(first.Title)
	var vocabulary map[string]bool // of the first, made when it is asked for
	for _, i := range same[1:] {
		p := &posts[i]
		title, address := text.Fold(p.Title) == folded, p.Address == first.Address
		switch {
		case title && address:
			continue
		case title || address:
			if vocabulary == nil {
				vocabulary = first.vocabulary()
			}
			if alike(vocabulary, p.vocabulary()) {
				continue
			}
		}
		return true
	}
	return false
}

// Bounds of what is another post under the id of one that there is.
const (
	strangeValues = 6   // of 128 of two sketches that agree, at most
	strangeWords  = 0.5 // share of the words of the shorter that are in the other, too
	// Few words say little: less of them may be the same, and a time must lie between the posts.
	fewShared = 0.34
	fewApart  = 30 * 24 * time.Hour
)

// Apart is what a post is known by that is another one than was, the newest version of
// an item that has its id; nil if it may be a version of that. It is another if all
// speaks for it: address, title, date and text.
func Apart(was, is *Post) *store.Name {
	id := nativeID(is.Entry)
	if id == "" || was.Address == "" || was.Address == is.Address || !isPage(is.Canonical) {
		return nil
	}
	before, now := was.Entry.Published.Time, is.Entry.Published.Time
	if !before.IsZero() && before.Equal(now) || shared(wordsOf(was.Title), wordsOf(is.Title)) >= strangeWords {
		return nil
	}
	a, b := sketch(was), sketch(is)
	same := 0
	for i, v := range a.Values {
		if v == b.Values[i] {
			same++
		}
	}
	share := shared(was.vocabulary(), is.vocabulary())
	switch {
	case a.Words > 0 && b.Words > 0:
		if same > strangeValues || share >= strangeWords {
			return nil
		}
	case before.IsZero() || now.IsZero() || now.Sub(before).Abs() < fewApart || share >= fewShared:
		return nil
	}
	native := id + "\n" + is.Address
	return &store.Name{Native: native, Method: "guid+link", Keys: []store.Key{key(store.KeyGUID, native)}}
}

func wordsOf(s string) map[string]bool {
	in := map[string]bool{}
	for _, w := range text.Words(s) {
		in[w] = true
	}
	return in
}

// shared is the share of the words of the smaller vocabulary that are in the other, too.
func shared(a, b map[string]bool) float64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 {
		return 1
	}
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	return float64(both) / float64(len(a))
}

// vocabulary is the different words of a post, folded.
func (p *Post) vocabulary() map[string]bool {
	in := wordsOf(p.Title)
	for i := range p.Body.Words {
		in[string(p.Body.Word(i))] = true
	}
	return in
}

// alike reports whether at least half of the words of two vocabularies are in both.
func alike(a, b map[string]bool) bool {
	both := 0
	for w := range b {
		if a[w] {
			both++
		}
	}
	return 2*both >= len(a)+len(b)-both
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

// withoutAMP is the address of the page that an address is the accelerated form of, or
// the address itself.
func withoutAMP(address string) string {
	page, query, asked := strings.Cut(address, "?")
	if asked && strings.Contains(query, "amp") {
		kept := slices.DeleteFunc(strings.Split(query, "&"), func(s string) bool { return s == "amp" || s == "amp=1" || s == "outputType=amp" })
		if now := strings.Join(kept, "&"); now != query {
			address = strings.TrimSuffix(page, "/")
			if now != "" {
				address += "?" + now
			}
			return address
		}
	}
	if short, ok := strings.CutSuffix(address, "/amp"); ok && strings.Contains(short, "/") {
		return short
	}
	return address
}

// textKey is the key of what the post says, if it says enough to tell it from
// others.
func textKey(p Post) (store.Key, bool) {
	switch n := length(p.Body); {
	case n >= minBodyWords:
		return keyOf(store.KeyText, p.Body.Folded()), true
	case n >= minTextWords:
		return key(store.KeyText, text.Fold(p.Title)+"\n"+string(p.Body.Folded())), true
	}
	return store.Key{}, false
}

// key hashes what identifies, with its class, to the 16 bytes that the archive keeps.
func key(class store.KeyClass, value string) store.Key { return keyOf(class, []byte(value)) }

func keyOf(class store.KeyClass, value []byte) store.Key {
	sum := sha256.Sum256(value)
	k := store.Key{Class: class}
	copy(k.Hash[:], sum[:])
	return k
}

func hexOf(k store.Key) string { return hex.EncodeToString(k.Hash[:]) }
