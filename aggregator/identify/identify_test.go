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
	sketchRow := func(r *text.Row) store.Sketch { return sketch(&Post{Body: r}) }
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
		if got := agree(sketchRow(row(a)), sketchRow(row(edited))); got < 90 {
			t.Errorf("a copy with three other words agrees in %d of 128 values", got)
		}
		if got := agree(sketchRow(row(a)), sketchRow(row(words(300)))); got > 20 {
			t.Errorf("unrelated posts agree in %d of 128 values", got)
		}
	}
	if s := sketchRow(row(words(minBodyWords - 1))); s.Words != 0 {
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

// Scripts without spaces are compared by letters, Persian without its joiners, and a
// comment by what its author says.
func TestSketchOfScripts(t *testing.T) {
	agree := func(a, b *text.Row, own ...*text.Row) (n int) {
		x, y := Post{Body: a}, Post{Body: b}
		if len(own) > 0 {
			y.Own = own[0]
		}
		s, z := sketch(&x), sketch(&y)
		if s.Words == 0 || z.Words == 0 {
			t.Fatalf("no sketch: %d and %d words", s.Words, z.Words)
		}
		for i := range s.Values {
			if s.Values[i] == z.Values[i] {
				n++
			}
		}
		return n
	}
	r := rand.New(rand.NewPCG(5, 6))
	letters := func(from, n, size int) string {
		var b strings.Builder
		for range size {
			b.WriteRune(rune(from + r.IntN(n)))
		}
		return b.String()
	}
	for name, script := range map[string][2]int{"Thai": {0x0e01, 40}, "Lao": {0x0e81, 2}, "Burmese": {0x1000, 30}, "Khmer": {0x1780, 30}, "Han": {0x4e00, 800}} {
		text1, other := letters(script[0], script[1], 900), letters(script[0], script[1], 900)
		runes := []rune(text1)
		edited := string(runes[:300]) + letters(script[0], script[1], 5) + string(runes[301:700]) + string(runes[704:])
		a, b, c := text.NewRow(text1), text.NewRow(edited), text.NewRow(other)
		if got := agree(a, b); got < 96 {
			t.Errorf("%s: an edited text agrees in %d values", name, got)
		}
		if got := agree(a, c); got > 20 && name != "Lao" { // of two letters nothing but chance is left
			t.Errorf("%s: other texts agree in %d values", name, got)
		}
	}
	if s := sketch(&Post{Body: text.NewRow(letters(0x0e01, 40, 30))}); s.Words != 0 {
		t.Error("a line of Thai has a sketch")
	}
	joined := strings.Repeat("او می\u200cخواهد کتاب\u200cهای خود را به خانه\u200cاش ببرد و نمی\u200cداند که بزرگ\u200cترین کار چیست ", 1) + letters(0x0628, 10, 60)
	for i := range 12 {
		joined += fmt.Sprintf(" متن%d می\u200cرود سخن%d\u200cها", i, i)
	}
	for _, by := range []string{" ", ""} {
		if got := agree(text.NewRow(joined), text.NewRow(strings.ReplaceAll(joined, "\u200c", by))); got != 128 {
			t.Errorf("Persian with %q for its joiner agrees in %d values", by, got)
		}
	}
	english := func(n int) string {
		var w []string
		for range n {
			w = append(w, fmt.Sprint("w", r.IntN(4000)))
		}
		return strings.Join(w, " ")
	}
	said, comment := english(200), english(110)
	if got := agree(text.NewRow(said), text.NewRow(comment+" "+said), text.NewRow(comment)); got > 20 {
		t.Errorf("a comment agrees with what it quotes in %d values", got)
	}
	if got := agree(text.NewRow(said), text.NewRow("So says he: "+said), text.NewRow("So says he:")); got < 110 {
		t.Errorf("a quotation under a line agrees with what it quotes in %d values", got)
	}
}

// An accelerated form of a page is that page; nothing else changes.
func TestWithoutAMP(t *testing.T) {
	for in, want := range map[string]string{
		"b.example/2009/post/amp":   "b.example/2009/post",
		"b.example/post?amp=1":      "b.example/post",
		"b.example/post/?amp":       "b.example/post",
		"b.example/?p=1&amp=1&x=2":  "b.example?p=1&x=2",
		"b.example/amp":             "b.example/amp",
		"b.example/amp/post":        "b.example/amp/post",
		"b.example/post/?p=1":       "b.example/post/?p=1",
		"b.example/x?example=1":     "b.example/x?example=1",
		"b.example/a/watt-and-amp":  "b.example/a/watt-and-amp",
		"b.example/post?camp=1&q=2": "b.example/post?camp=1&q=2",
	} {
		if got := withoutAMP(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// P-68: what is another post under the id of one that there is, and what may be a version.
func TestApart(t *testing.T) {
	day := time.Date(2009, 4, 1, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(7, 8))
	words := func(from, n int) string {
		var w []string
		for range n {
			w = append(w, fmt.Sprint("w", from+r.IntN(300)))
		}
		return strings.Join(w, " ")
	}
	text1, text2 := words(0, 120), words(1000, 120)
	at := func(p Post, days int) Post {
		p.Entry.Published.Time = day.AddDate(0, 0, days)
		return p
	}
	was := at(post("17", "b.example/camp", "The camp", text1), 0)
	short := at(post("17", "b.example/camp", "The camp", "It is to close in May."), 0)
	for name, c := range map[string]struct {
		was, is Post
		another bool
	}{
		"all is another":          {was, at(post("17", "b.example/roses", "On roses", text2), 400), true},
		"the address is the same": {was, at(post("17", "b.example/camp", "On roses", text2), 400), false},
		"no address":              {was, at(post("17", "", "On roses", text2), 400), false},
		"the page of the blog":    {was, at(post("17", "b.example", "On roses", text2), 400), false},
		"the same instant":        {was, at(post("17", "b.example/roses", "On roses", text2), 0), false},
		"the title is alike":      {was, at(post("17", "b.example/roses", "Camp: the end", text2), 400), false},
		"some of the text":        {was, at(post("17", "b.example/roses", "On roses", text2+" "+text1[:300]), 400), false},
		"a line becomes a post":   {short, at(post("17", "b.example/roses", "On roses", text2), 2), false},
		"and a year later":        {short, at(post("17", "b.example/roses", "On roses", text2), 400), true},
		"no dates":                {post("17", "b.example/camp", "The camp", "It is."), post("17", "b.example/roses", "On roses", text2), false},
	} {
		name1 := Apart(&c.was, &c.is)
		if (name1 != nil) != c.another {
			t.Errorf("%s: another post %v, want %v", name, name1 != nil, c.another)
		}
		if name1 == nil {
			continue
		}
		keys, ok := Restore(name1.Method, name1.Native, "")
		if !ok || !slices.Equal(keys, name1.Keys) {
			t.Errorf("%s: %+v is restored as %v", name, name1, keys)
		}
	}
}
