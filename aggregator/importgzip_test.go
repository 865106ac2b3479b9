package aggregator

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"chancery/feed/feedtest"
	"chancery/store"
)

// packedAs packs texts by gzip, a member each.
func packedAs(t testing.TB, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// What is packed by gzip is taken in as what it unpacks to, in members or not, as far
// as it goes, and what is wrong with it is named. documents, partial and failed add up.
func TestImportPacked(t *testing.T) {
	feed := rss(rssItem(2, "Talks", "On Iran."), rssItem(1, "Soup", "A recipe."))
	a, m := bench(t, &site{})
	if _, err := a.Import(t.Context(), ImportOptions{Name: "a.xml", Source: "plain"}, strings.NewReader(feed)); err != nil {
		t.Fatal(err)
	}
	heads, err := m.Heads(t.Context(), store.HeadQuery{})
	if err != nil {
		t.Fatal(err)
	}
	line := func(i int, rest string) string {
		return fmt.Sprintf(`{"id":"%s","source":"plain","guid":"g%d","title":"T"%s`+"\n", heads[i].ID, i, rest)
	}
	lines := line(0, "}") + line(1, "}")
	list := `<opml version="2.0"><body><outline text="A" type="rss" xmlUrl="https://a.example/feed"/></body></opml>`
	whole := packedAs(t, feed)
	for _, c := range []struct {
		name                       string
		body                       []byte
		documents, partial, failed int
		seen                       int
		says                       string // what the first fault contains; empty: there is none
	}{
		{"feed.xml.gz", whole, 1, 0, 0, 2, ""},
		{"members.xml.gz", packedAs(t, feed[:100], feed[100:]), 1, 0, 0, 2, ""},
		{"list.opml.gz", packedAs(t, list), 1, 0, 0, 0, ""},
		{"lines.jsonl.gz", packedAs(t, lines), 1, 0, 0, 2, ""},
		{"one-bad-line.jsonl.gz", packedAs(t, line(0, "}")+line(1, "")), 1, 1, 0, 1, "line 2: is no JSON"},
		{"cut.xml.gz", packedAs(t, feed)[:len(whole)-30], 1, 1, 0, 2, "breaks off"},
		{"no-checksum.xml.gz", whole[:len(whole)-8], 1, 1, 0, 2, "breaks off"},
		{"line.xml.gz", append(packedAs(t, feed), "\nand a line"...), 1, 1, 0, 2, "something else stands behind"},
		{"checksum.xml.gz", append(bytes.Clone(whole[:len(whole)-8]), "12345678"...), 0, 0, 1, 0, "damaged"},
		{"head.xml.gz", whole[:9], 0, 0, 1, 0, "breaks off"},
		{"empty.gz", packedAs(t, ""), 0, 0, 1, 0, "empty"},
		{"twice.xml.gz.gz", packedAs(t, string(whole)), 0, 0, 1, 0, "gzip twice"},
		{"a.tar.gz", packedAs(t, strings.Repeat("\x00", 257)+"ustar"), 0, 0, 1, 0, "a tar archive; unpack it"},
		{"a.zip", []byte("PK\x03\x04 and so on"), 0, 0, 1, 0, "a zip archive; unpack it"},
	} {
		a, _ := bench(t, &site{})
		sum, err := a.Import(t.Context(), ImportOptions{Name: c.name}, bytes.NewReader(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if sum.Documents != c.documents || sum.Partial != c.partial || sum.Failed != c.failed || sum.Seen != c.seen {
			t.Errorf("%s: %d documents, %d of them in part, %d failed, %d items; want %d, %d, %d, %d: %v",
				c.name, sum.Documents, sum.Partial, sum.Failed, sum.Seen, c.documents, c.partial, c.failed, c.seen, sum.Errors)
		}
		switch {
		case c.says == "" && len(sum.Errors) > 0:
			t.Errorf("%s: %v", c.name, sum.Errors)
		case c.says != "" && (len(sum.Errors) == 0 || !strings.Contains(sum.Errors[0].Error, c.says)):
			t.Errorf("%s: %v, want %q", c.name, sum.Errors, c.says)
		}
	}
}

// zeros gives n bytes of one kind in lines of a length.
type zeros struct {
	n, line int64
	fill    byte
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), z.n)]
	for i := range p {
		if p[i] = z.fill; z.line > 0 && (z.n-int64(i))%z.line == 0 {
			p[i] = '\n'
		}
	}
	z.n -= int64(len(p))
	return len(p), nil
}

// A small file that unpacks to gigabytes costs bounded time and memory, whatever it
// is made to look like (CONFORMANCE SEC-10 has it for what servers send).
func TestImportBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("packs a quarter of a gigabyte four times")
	}
	const size = 256 << 20
	export := `{"id":"00000000000000000000000000","source":"x","title":"T"}` + "\n"
	for name, of := range map[string]struct {
		head string
		rest zeros
		says string
	}{
		"feed":        {"<rss>", zeros{n: size, fill: ' '}, "larger than 64 MiB"},
		"blank lines": {export, zeros{n: size, line: 1}, "compressed more than 200 to 1"},
		"one line":    {export, zeros{n: size, fill: 'x'}, "line 2: is compressed more than 200 to 1"},
		"bad lines":   {export, zeros{n: size, fill: 'x', line: 4}, ": the 100000th with a fault"},
	} {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(z, io.MultiReader(strings.NewReader(of.head), &of.rest)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		a, _ := bench(t, &site{})
		r := bytes.NewReader(b.Bytes())
		used := feedtest.CPU(t)
		sum, err := a.Import(t.Context(), ImportOptions{Name: name}, r)
		if err != nil || sum.Failed+sum.Partial != 1 || !strings.Contains(sum.Errors[0].Error, of.says) && !strings.Contains(sum.Errors[len(sum.Errors)-1].Error, of.says) {
			t.Errorf("%s: %v, %v", name, err, sum.Errors[:min(len(sum.Errors), 3)])
		}
		if len(sum.Errors) > maxFaults+1 {
			t.Errorf("%s: %d faults are listed", name, len(sum.Errors))
		}
		t.Logf("%s: %d bytes packed, %d of them read, %v CPU", name, b.Len(), b.Len()-r.Len(), feedtest.CPU(t)-used)
	}
}
