package identify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/text"
	"chancery/store"
)

func post(id, address, title, body string) Post {
	e := &feed.Entry{ID: id, URL: address}
	p := Post{Entry: e, Title: title, Body: text.NewRow(body)}
	if address != "" {
		p.Canonical, p.Address = "https://"+address, address
	}
	return p
}

// P-67: a post is known by its GUID as written, else by its link, else by its
// content, and what was used is said.
func TestMethod(t *testing.T) {
	ids, _ := Document([]Post{
		post("tag:x,2009:1", "blog.example/1", "One", "text"),
		post(" ", "blog.example/2", "Two", "text"),
		post("", "", "Three", "text"),
		post("N/A", "blog.example/4", "Four", "text"),
		post("0", "blog.example/5", "Five", "text"),
	}, "blog.example", nil)
	var got []string
	for _, id := range ids {
		got = append(got, id.Method)
	}
	if want := []string{"guid", "link", "content", "link", "guid"}; !slices.Equal(got, want) {
		t.Errorf("methods %v, want %v", got, want)
	}
	if ids[0].Native != "tag:x,2009:1" || ids[1].Native != "blog.example/2" {
		t.Errorf("native ids %q, %q", ids[0].Native, ids[1].Native)
	}
}

// P-68: a GUID that stands on unrelated posts of one document does not make them
// one; a shared link neither; versions of one post stay one (P-24).
func TestCollisions(t *testing.T) {
	for _, tc := range []struct {
		name  string
		posts []Post
		same  bool
	}{
		{"one guid on all", []Post{post("x", "b.example/1", "One", ""), post("x", "b.example/2", "Two", "")}, false},
		{"one guid and one link on all", []Post{post("x", "b.example/", "One", ""), post("x", "b.example/", "One", "edited")}, true},
		{"a revision with another title", []Post{post("x", "b.example/1", "One", "words of a post"), post("x", "b.example/1", "One, corrected", "the words of a post")}, true},
		{"one guid and one link on all, other posts", []Post{post("x", "b.example/all", "Schools to close", "The plan."), post("x", "b.example/all", "Seminar 2009", "Programs for pupils.")}, false},
		{"one link on all, no guid", []Post{post("", "b.example/all", "One", ""), post("", "b.example/all", "Two", "")}, false},
		{"guids that differ in the fragment", []Post{post("http://b.example/a#1", "b.example/a", "One", ""), post("http://b.example/a#2", "b.example/a", "Two", "")}, false},
		{"nothing but text", []Post{post("", "", "One", "a"), post("", "", "One", "b")}, false},
	} {
		ids, _ := Document(tc.posts, "b.example", nil)
		if got := ids[0].Keys[0] == ids[1].Keys[0]; got != tc.same {
			t.Errorf("%s: same key %v, want %v (%q, %q)", tc.name, got, tc.same, ids[0].Native, ids[1].Native)
		}
	}
}

// An address that several posts share, or the feed's own page, identifies no story.
func TestStoryKeys(t *testing.T) {
	hasURL := func(id Identity) bool {
		return slices.ContainsFunc(id.Story, func(k store.Key) bool { return k.Class == store.KeyURL })
	}
	ids, _ := Document([]Post{
		post("1", "b.example/own", "One", ""),
		post("2", "b.example", "Two", ""),
		post("3", "b.example/shared", "Three", ""),
		post("4", "b.example/shared", "Four", ""),
	}, "b.example", nil)
	for i, want := range []bool{true, false, false, false} {
		if got := hasURL(ids[i]); got != want {
			t.Errorf("post %d has a URL key: %v, want %v", i+1, got, want)
		}
	}
}

// The same text under another title and id is the same story; a short text only
// with the same title; a recurring title with nothing behind it never.
func TestTextKey(t *testing.T) {
	long := strings.Repeat("Baghdad announced again that the camp would be closed soon. ", 6)
	textOf := func(title, body string) string {
		ids, _ := Document([]Post{post("1", "b.example/1", title, body)}, "", nil)
		for _, k := range ids[0].Story {
			if k.Class == store.KeyText {
				return fmt.Sprintf("%x", k.Hash)
			}
		}
		return ""
	}
	if a, b := textOf("Camp to close", long), textOf("Outlet: camp to close", strings.ToUpper(long)); a == "" || a != b {
		t.Error("a copy with another headline has another text key")
	}
	short := "A short note on the talks in Vienna today."
	if textOf("Note", short) == textOf("Other note", short) {
		t.Error("short posts with other titles have one text key")
	}
	if textOf("Open thread", "What do you think?") != "" {
		t.Error("a few words make a text key")
	}
}

// Sketches of a post and its edited copy agree in more than half of their values,
// those of unrelated posts hardly: the figures of the archive's rule.
func TestSketch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := func(n int) []string {
		w := make([]string, n)
		for i := range w {
			w[i] = fmt.Sprintf("w%d", rnd.IntN(5000))
		}
		return w
	}
	row := func(words []string) *text.Row { return text.NewRow(strings.Join(words, " ")) }
	agree := func(a, b store.Sketch) (n int) {
		for i := range a.Values {
			if a.Values[i] == b.Values[i] {
				n++
			}
		}
		return n
	}
	for range 50 {
		a := words(300)
		edited := slices.Clone(a)
		edited[10], edited[150], edited[280] = "x", "y", "z"
		if got := agree(sketch(row(a)), sketch(row(edited))); got < 90 {
			t.Errorf("a copy with three other words agrees in %d of 128 values", got)
		}
		if got := agree(sketch(row(a)), sketch(row(words(300)))); got > 20 {
			t.Errorf("unrelated posts agree in %d of 128 values", got)
		}
	}
	if s := sketch(row(words(minBodyWords - 1))); s.Words != 0 {
		t.Error("a short post has a sketch")
	}
}

// An id that once named two posts names nothing later, when only one post with it
// is new in a document (P-68).
func TestCollisionIsRemembered(t *testing.T) {
	_, colliding := Document([]Post{post("x", "b.example/1", "One", ""), post("x", "b.example/2", "Two", "")}, "", nil)
	ids, _ := Document([]Post{post("x", "b.example/3", "Three", "")}, "", colliding)
	if ids[0].Method != "guid+link" {
		t.Errorf("a lone post with a colliding id is identified by %s", ids[0].Method)
	}
	ids, _ = Document([]Post{post("y", "b.example/3", "Three", "")}, "", colliding)
	if ids[0].Method != "guid" {
		t.Errorf("another id of that source is identified by %s", ids[0].Method)
	}
	var many []Post
	for i := range maxColliding + 1 {
		id := fmt.Sprint("id", i)
		many = append(many, post(id, fmt.Sprintf("b.example/%da", i), fmt.Sprint("a", i), ""), post(id, fmt.Sprintf("b.example/%db", i), fmt.Sprint("b", i), ""))
	}
	if _, colliding = Document(many, "", nil); len(colliding) != 1 {
		t.Errorf("%d colliding ids are remembered, want one mark for all", len(colliding))
	}
}

// Many versions of one long post in a document are compared in time by their length
// together, not by each with each.
func TestManyVersions(t *testing.T) {
	posts := []Post{post("x", "b.example/0", "One", strings.Repeat("said the one to the other ", 5000))}
	for i := range 500 {
		posts = append(posts, post("x", fmt.Sprintf("b.example/%d", i+1), "One", "said the one to the other"))
	}
	start := feedtest.CPU(t)
	ids, colliding := Document(posts, "", nil)
	if took := feedtest.CPU(t) - start; took > 5*time.Second { // minutes, each with each
		t.Errorf("took %v", took)
	}
	if len(colliding) != 0 || ids[500].Method != "guid" {
		t.Errorf("%v, %s", colliding, ids[500].Method)
	}
}
