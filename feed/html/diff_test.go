package html

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
)

// Differences are in words, and read as a person would mark them.
func TestDiff(t *testing.T) {
	for _, tt := range []struct{ name, a, b, want string }{
		{"empty", "", "", ""},
		{"equal", "a b", "a b", "=[a b]"},
		{"word", "at least seven residents are dead", "at least eleven residents are dead", "=[at least ]-[seven]+[eleven]=[ residents are dead]"},
		{"words in a row", "one two three four", "one 2 3 four", "=[one ]-[two three]+[2 3]=[ four]"},
		{"inserted", "a c", "a b c", "=[a ]+[b ]=[c]"},
		{"deleted paragraph", "one\n\ntwo\n\nthree", "one\n\nthree", "=[one\n\n]-[two\n\n]=[three]"},
		{"appended", "one", "one\n\nUpdate: two", "=[one]+[\n\nUpdate: two]"},
		{"punctuation", "he said, no", "he said no", "=[he said]-[,]=[ no]"},
		{"apostrophe", "it’s so", "it’s not so", "=[it’s ]+[not ]=[so]"},
		{"all new", "", "new", "+[new]"},
		{"inserted paragraph", "one\n\nthree", "one\n\ntwo\n\nthree", "=[one\n\n]+[two\n\n]=[three]"},
		{"moved paragraph", "one\n\ntwo\n\nthree", "two\n\none\n\nthree", "-[one\n\n]=[two\n\n]+[one\n\n]=[three]"},
		{"Persian", "برادرش چهل سال بود", "برادرش سی\u200cوشش سال بود", "=[برادرش ]-[چهل]+[سی\u200cوشش]=[ سال بود]"},
		{"Han", "我在北京", "我在南京", "=[我在]-[北]+[南]=[京]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for _, c := range Diff(tt.a, tt.b) {
				fmt.Fprintf(&b, "%v[%s]", c.Op, c.Text)
			}
			if got := b.String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// applies fails unless the changes lead from a to b and alternate.
func applies(t testing.TB, a, b string, changes []Change) {
	t.Helper()
	var older, newer strings.Builder
	for i, c := range changes {
		if c.Text == "" || i > 0 && (changes[i-1].Op == c.Op || changes[i-1].Op == Insert && c.Op == Delete) {
			t.Errorf("change %d of %q to %q: %v", i, a, b, changes)
		}
		if c.Op != Insert {
			older.WriteString(c.Text)
		}
		if c.Op != Delete {
			newer.WriteString(c.Text)
		}
	}
	if d := cmp.Diff([]string{a, b}, []string{older.String(), newer.String()}); d != "" {
		t.Errorf("%v does not lead from the one to the other:\n%s", changes, d)
	}
}

// A text edited in a few places gives about as many changes.
func TestDiffEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 3000)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", r.IntN(400))
		if i%60 == 59 {
			words[i] += "\n\n"
		}
	}
	edited := append([]string(nil), words...)
	for range 20 {
		edited[r.IntN(len(edited))] = "changed"
	}
	a, b := strings.Join(words, " "), strings.Join(edited, " ")
	changes := Diff(a, b)
	applies(t, a, b, changes)
	if len(changes) > 70 {
		t.Errorf("%d changes for 20 edits", len(changes))
	}
}

// Texts that have nothing in common, however long, take bounded time and memory: as one
// piece, and line by line between lines that are the same.
func TestDiffHostile(t *testing.T) {
	for name, line := range map[string]string{"throughout": "", "line by line": "\nsame\n"} {
		var x, y strings.Builder
		for i := range 200_000 {
			fmt.Fprintf(&x, "a%d ", i)
			fmt.Fprintf(&y, "b%d ", i)
			if i%600 == 0 {
				x.WriteString(line)
				y.WriteString(line)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		changes := Diff(x.String(), y.String())
		runtime.ReadMemStats(&after)
		applies(t, x.String(), y.String(), changes)
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 256 {
			t.Errorf("%s: allocated %d MB for %d", name, used, x.Len()>>20)
		}
	}
}

// Changes always lead from the one text to the other.
func FuzzDiff(f *testing.F) {
	f.Add("one two\nthree", "one 2\nthree four")
	f.Add("a b a b a", "b a b")
	f.Add("\n\n\n", " \n")
	f.Add("\xff\xfe a", "a\xff")
	f.Fuzz(func(t *testing.T, a, b string) { applies(t, a, b, Diff(a, b)) })
}

// Lists of addresses are compared by whole lines.
func TestDiffLines(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{"https://a.example/1\nhttps://b.example/", "https://a.example/2\nhttps://b.example/", "-[https://a.example/1\n]+[https://a.example/2\n]=[https://b.example/]"},
		{"", "x\ny", "+[x\ny]"},
		{"x", "x", "=[x]"},
	} {
		var b strings.Builder
		changes := DiffLines(tt.a, tt.b)
		applies(t, tt.a, tt.b, changes)
		for _, c := range changes {
			fmt.Fprintf(&b, "%v[%s]", c.Op, c.Text)
		}
		if got := b.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// Links and pictures of a text, as they are written; data and what is no link are left out.
func TestReferences(t *testing.T) {
	links, pictures := References(feed.Text{Type: feed.HTML, Value: `<a href="/x?a=1&amp;b=2">x</a><A HREF=y><img src="1.jpg"><img src="data:image/png;base64,AA"><a name="z"><a href=" ">`})
	if d := cmp.Diff([][]string{{"/x?a=1&b=2", "y"}, {"1.jpg"}}, [][]string{links, pictures}); d != "" {
		t.Error(d)
	}
	if links, pictures = References(feed.Text{Value: `<a href="x">`}); links != nil || pictures != nil {
		t.Errorf("of plain text %q, %q", links, pictures)
	}
}
