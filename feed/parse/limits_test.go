package parse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each limit holds at the limit and is an error one beyond it (P-09, P-11, P-08).
func TestLimits(t *testing.T) {
	inItem := func(s string) string {
		return `<rss version="2.0"><channel><item><guid>1</guid>` + s + `</item></channel></rss>`
	}
	nest := func(n int) string { return inItem(strings.Repeat("<a>", n-3) + strings.Repeat("</a>", n-3)) }
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d="v"`, i)
		}
		return inItem("<e" + b.String() + "/>")
	}
	spaces := func(n int) string {
		return `<rss version="2.0"` + namespacesOf(n) + `><channel><item><guid>1</guid></item></channel></rss>`
	}
	entries := func(n int) string {
		return `<rss><channel>` + strings.Repeat("<item><guid>1</guid></item>", n) + `</channel></rss>`
	}
	text := func(n int) string {
		open, end := "<description>", "</description>"
		return inItem(open + strings.Repeat("x", n-len(open)-len(end)) + end)
	}
	tests := []struct {
		name  string
		doc   func(n int) string
		limit int
		what  string
	}{
		{"depth", nest, maxDepth, "levels"},
		{"attributes", attrs, maxAttrs, "attributes"},
		{"namespaces", spaces, maxBindings, "namespaces"},
		{"entries", entries, maxEntries, "entries"},
		{"text", text, maxText, "text"},
		{"JSON entries", func(n int) string {
			return `{"version":"https://jsonfeed.org/version/1","items":[{"id":1}` + strings.Repeat(`,{"id":1}`, n-1) + `]}`
		}, maxEntries, "entries"},
		{"JSON depth", func(n int) string {
			return `{"version":"https://jsonfeed.org/version/1","items":[],"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
		}, maxDepth, "levels"},
		{"JSON text", func(n int) string {
			return `{"version":"https://jsonfeed.org/version/1","title":"` + strings.Repeat("x", n-2) + `","items":[]}`
		}, maxText, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := read([]byte(tt.doc(tt.limit)))
			if err != nil {
				t.Fatalf("at the limit: %v", err)
			}
			if strings.HasSuffix(tt.name, "entries") && len(f.Entries) != tt.limit {
				t.Errorf("%d entries, want %d", len(f.Entries), tt.limit)
			}
			_, err = read([]byte(tt.doc(tt.limit + 1)))
			var l *LimitError
			if !errors.As(err, &l) || l.Limit != tt.limit || !strings.Contains(l.What, tt.what) {
				t.Errorf("one beyond: %v, want a LimitError of %d %s", err, tt.limit, tt.what)
			}
		})
	}
}

// The limits of entities (P-08): 64 of them, 1 KiB each. What is beyond is left as
// it stands.
func TestEntityLimits(t *testing.T) {
	doc := func(n int) string {
		var b strings.Builder
		b.WriteString("<!DOCTYPE rss [")
		for i := range n {
			fmt.Fprintf(&b, `<!ENTITY e%d "v">`, i)
		}
		fmt.Fprintf(&b, `]><rss><channel><title>&e%d;</title></channel></rss>`, n-1)
		return b.String()
	}
	for n, want := range map[int]string{maxEntities: "v", maxEntities + 1: fmt.Sprintf("&e%d;", maxEntities)} {
		f, err := read([]byte(doc(n)))
		if err != nil || f.Title.Value != want {
			t.Errorf("%d entities: %v, %v, want %q", n, f, err, want)
		}
		if flagged := slices.Contains(f.Repairs, "entity-limit"); flagged != (n > maxEntities) {
			t.Errorf("%d entities: repairs %v", n, f.Repairs)
		}
	}
}

// An entry of more elements than are read costs itself only, and says so.
func TestTooManyElements(t *testing.T) {
	doc := `<rss><channel><title>T</title><item><guid>1</guid>` + strings.Repeat("<e/>", maxNodes) + `<title>late</title></item><item><guid>2</guid><title>two</title></item></channel></rss>`
	f, err := read([]byte(doc))
	if err != nil || len(f.Entries) != 2 || f.Entries[1].Title.Value != "two" || f.Entries[0].ID != "1" {
		t.Fatalf("%v", err)
	}
	if !slices.Contains(f.Entries[0].Repairs, "too-many-elements") {
		t.Errorf("repairs %v", f.Entries[0].Repairs)
	}
}

// What stands once in a head, and is kept with each entry, is short: authors, language
// and base. What does not fit is left out, and named where it is people.
func TestHeadIsNotMultiplied(t *testing.T) {
	long := strings.Repeat("a", 1<<16)
	doc := `<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="` + long + `" xml:base="http://a.test/` + long + `/">` +
		`<author><name>First</name></author><author><name>` + long + `</name></author>` +
		`<entry><id>1</id><title>t</title><link href="p"/></entry></feed>`
	f, err := readWith([]byte(doc), Options{URL: "http://b.test/feed"})
	if err != nil {
		t.Fatal(err)
	}
	e := f.Entries[0]
	if len(e.Authors) != 1 || e.Authors[0].Name != "First" || !e.Authors[0].Inherited {
		t.Errorf("%d authors", len(e.Authors))
	}
	if len(f.Authors) != 2 || !slices.Contains(f.Repairs, "too-many-elements") {
		t.Errorf("%d authors in the head, repairs %v", len(f.Authors), f.Repairs)
	}
	if e.Language != "" || e.URL != "http://b.test/p" || e.Title.Base != "http://b.test/feed" {
		t.Errorf("language %.20q, URL %.40s, base %.40s", e.Language, e.URL, e.Title.Base)
	}
}

// People and labels of one entry are compared with each other, so there is a bound on
// them, which no honest post comes near.
func TestListedLimit(t *testing.T) {
	doc := func(n int) []byte {
		var b strings.Builder
		b.WriteString(`<rss><channel><item><guid>1</guid>`)
		for i := range n {
			fmt.Fprintf(&b, `<dc:subject>s%d</dc:subject><dc:creator>c%[1]d</dc:creator>`, i)
		}
		b.WriteString(`</item></channel></rss>`)
		return []byte(b.String())
	}
	for n, want := range map[int]int{maxListed: maxListed, maxListed + 1: maxListed} {
		f, err := read(doc(n))
		if err != nil {
			t.Fatal(err)
		}
		if e := f.Entries[0]; len(e.Categories) != want || len(e.Authors) != want || slices.Contains(e.Repairs, "too-many-elements") != (n > want) {
			t.Errorf("%d: %d labels, %d authors, repairs %v", n, len(e.Categories), len(e.Authors), e.Repairs)
		}
	}
}

// A panic is contained to its document (P-12).
func TestContain(t *testing.T) {
	err := func() (err error) {
		defer contain(&err)
		panic("made")
	}()
	if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "made") {
		t.Errorf("%v", err)
	}
}
