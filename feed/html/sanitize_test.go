package html

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chancery/feed"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// reparse is s as HTML's parser understands it, written out again.
func reparse(t testing.TB, s string) string {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader(s), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		t.Fatalf("parsing %q: %v", s, err)
	}
	var b strings.Builder
	for _, n := range nodes {
		if err := html.Render(&b, n); err != nil {
			t.Fatalf("rendering %q: %v", s, err)
		}
	}
	// Void elements: x/net/html writes a slash.
	return strings.ReplaceAll(b.String(), "/>", ">")
}

// sorted is s with the attributes of each tag in order: x/net/html reorders those
// of links.
func sorted(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for z.Next() != html.ErrorToken {
		tok := z.Token()
		slices.SortFunc(tok.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
		b.WriteString(tok.String())
	}
	return b.String()
}

// holds states what must be true of every sanitized text.
func holds(t testing.TB, in feed.Text) {
	t.Helper()
	p := DefaultPolicy()
	out := Sanitize(in, p)
	w := newShaper(in, p)
	w.run()
	if w.result() != out {
		t.Errorf("the gate changed the text, so the shaper let something through\n in  %q\n was %q\n is  %q", in.Value, w.result(), out)
	}
	if again := Sanitize(feed.Text{Type: feed.HTML, Value: out}, p); again != out { // SEC-16
		t.Errorf("not idempotent\n in    %q\n once  %q\n twice %q", in.Value, out, again)
	}
	if r := reparse(t, out); r != out && sorted(r) != sorted(out) { // SEC-16
		t.Errorf("changes when parsed\n in     %q\n out    %q\n parsed %q", in.Value, out, r)
	}
	inert(t, in.Value, out)
	// A tag can grow by its rel attribute, a URL by escaping.
	if limit := 10*len(in.Value) + 6*(growth*len(in.Value)+growthFloor+maxURL); len(out) > limit {
		t.Errorf("%d bytes became %d", len(in.Value), len(out))
	}
}

// inert fails if anything in out can act, load what it may not, or pose as a
// part of the page.
func inert(t testing.TB, in, out string) {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader(out), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		t.Fatal(err)
	}
	var visit func(n *html.Node)
	visit = func(n *html.Node) {
		if n.Type == html.ElementNode {
			if el := elements[n.DataAtom]; el == nil || el.kind&(dropped|framelike) != 0 || n.Namespace != "" {
				t.Errorf("element %q in the result of %q: %q", n.Data, in, out)
			}
			for _, a := range n.Attr {
				lower := strings.ToLower(a.Key)
				switch {
				case strings.HasPrefix(lower, "on"), lower == "style", lower == "id", lower == "name", lower == "class", lower == "target", lower == "srcdoc":
					t.Errorf("attribute %q in the result of %q: %q", a.Key, in, out)
				case lower == "href", lower == "src", lower == "cite", lower == "poster":
					scheme, _, _ := strings.Cut(a.Val, ":")
					mail := scheme == "mailto" && lower == "href"
					if scheme != "http" && scheme != "https" && !mail {
						t.Errorf("%s=%q in the result of %q", a.Key, a.Val, in)
					}
				}
			}
		}
		if n.Type == html.CommentNode || n.Type == html.DoctypeNode {
			t.Errorf("comment or doctype in the result of %q: %q", in, out)
		}
		for c := range n.ChildNodes() {
			visit(c)
		}
	}
	for _, n := range nodes {
		visit(n)
	}
}

// Whatever tags come in whatever order, the result is stable (SEC-16).
func TestSanitizeRandomNesting(t *testing.T) {
	pieces := []string{
		"x", " ", "\n", "&amp;", "&lt;b&gt;", "<br>", "<hr>", "</br>", "</p>", "<!--c-->", `<img src="/i.png" alt='"'>`, `<a href=/x>`,
		`<a href="javascript:x">`, `<span lang=fa>`, `<span>`, `<video src=https://v/v>`, `<source src=/s>`, `<iframe src=/f></iframe>`, `<source srcset="/a 1x, /b 2x">`,
	}
	for a := range elements {
		pieces = append(pieces, "<"+a.String()+">", "</"+a.String()+">")
		if elements[a].kind&(dropped|framelike|media) == 0 {
			pieces = append(pieces, "<"+a.String()+">", "</"+a.String()+">", "<"+a.String()+">")
		}
	}
	slices.Sort(pieces)
	r := rand.New(rand.NewPCG(1, 2))
	n := 5000
	if testing.Short() {
		n = 2000
	}
	for range n {
		var b strings.Builder
		for range 1 + r.IntN(30) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		holds(t, feed.Text{Type: feed.HTML, Value: b.String(), Base: "https://blog.example/2009/"})
		if t.Failed() {
			return
		}
	}
}
