package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/net/html"

	"chancery/store"
)

// visitor reads pages as a person without a script does: by their links.
type visitor struct {
	t    *testing.T
	s    *site
	body string
	doc  *html.Node
}

func (v *visitor) open(address string) {
	v.t.Helper()
	if !strings.HasPrefix(address, "http") {
		address = v.s.base + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	must(v.t, err)
	r.Header.Set("Accept", "text/html")
	res, err := http.DefaultClient.Do(r)
	must(v.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(v.t, err)
	if res.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %s", address, res.Status)
	}
	v.body = string(b)
	v.doc, err = html.Parse(strings.NewReader(v.body))
	must(v.t, err)
}

// text is the text of an element.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// follow opens the first link whose text begins so.
func (v *visitor) follow(words string) {
	v.t.Helper()
	for n := range v.doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "a" || !strings.HasPrefix(text(n), words) {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				v.open(a.Val)
				return
			}
		}
	}
	v.t.Fatalf("no link %q on\n%s", words, text(v.doc))
}

func (v *visitor) sees(words ...string) {
	v.t.Helper()
	all := text(v.doc)
	for _, w := range words {
		if !strings.Contains(all, w) {
			v.t.Errorf("%q is not on\n%s", w, all)
		}
	}
}

// Issue 9, the archivist: from a search to the post, to what changed in it, to a citation, and
// to a proof that can be checked without the service.
func TestArchivist(t *testing.T) {
	s := newSite(t, siteOptions{posts: 50})
	v := &visitor{t: t, s: s}
	v.open("/search?q=title%3Aashraf+is%3Arevised")
	v.follow("Iraq says Camp Ashraf will close, but not when")
	v.sees("Ashraf Watch", "3, shown here", "Paris did not", "what the post is about")
	item := *v
	v.follow("compared with the one before")
	v.sees("Iran welcomed the decision; Paris did not.", "unchanged")
	v.follow("The change before")
	v.sees("Iraq to close Camp Ashraf by the end of the year")
	v.follow("version 1")
	v.sees("This is version 1 of 3", "on Monday")
	v.follow("The newest version")
	v.sees("3, shown here")
	v.follow("BibTeX")
	if !strings.HasPrefix(v.body, "@misc{ashraf-watch-") || !strings.Contains(v.body, "{Daniel Luban}") {
		t.Errorf("citation %s", v.body)
	}
	*v = item
	v.follow("that this version is in the archive")
	var p store.SignedProof
	must(t, json.Unmarshal([]byte(v.body), &p))
	verifier, err := note.NewVerifier(p.Key)
	must(t, err)
	n, err := note.Open([]byte(p.Checkpoint), note.VerifierList(verifier))
	must(t, err)
	proof := store.Proof{Index: p.Index, Leaf: p.Leaf, Salt: p.Salt, Content: p.Content}
	proof.Head, err = store.ParseTreeHead(n.Text)
	must(t, err)
	for _, h := range p.Path {
		proof.Path = append(proof.Path, [32]byte(h))
	}
	must(t, proof.Check())
	if !strings.Contains(string(proof.Content), "Paris did not") {
		t.Error("the proof is of something else")
	}
	// And the checkpoint that is served is signed with the same key.
	*v = item
	v.follow("signed checkpoint")
	if _, err := note.Open([]byte(v.body), note.VerifierList(verifier)); err != nil {
		t.Error(err)
	}
}

// Issue 9, the operator: the first line of the status says whether all is well, the next what is
// not; a source's page says why and since when.
func TestOperator(t *testing.T) {
	s := newSite(t, siteOptions{posts: 50})
	v := &visitor{t: t, s: s}
	v.open("/")
	v.follow("Status")
	main := v.body[strings.Index(v.body, "<main"):]
	if head := strings.Index(main, "<h1"); head < 0 || head > 200 {
		t.Error("the verdict is not the first thing on the page")
	}
	v.sees("The service works; a few things are worth a look.", "1 source cannot be read, and will not mend without somebody.", "Tehran Table", "Its server has a fault (HTTP 503).")
	v.follow("Tehran Table")
	v.sees("failing", "12 times in a row", "Coverage", "Rhythm")
	v.open("/sources/ashraf-watch")
	v.sees("2 times in which posts may have been missed", "Answers well.")
	// What only the operator may know is on no page.
	for _, p := range []string{"/status", "/status.json", "/sources/tehran-table"} {
		v.open(p)
		if strings.Contains(v.body, "tehran-table.example: HTTP 503") {
			t.Errorf("%s has the words of a server", p)
		}
	}
}
