package parse

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"chancery/feed"
)

const threeItems = `<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xml:lang="en"><channel><title>T</title><managingEditor>Ed</managingEditor>
<item><guid>1</guid><title>one</title></item>
<item><guid>2</guid><title>two</title><dc:creator>Bob</dc:creator></item><item xml:lang="fr"><guid>3</guid><title>three</title></item>
<link>https://x.example/</link></channel></rss>`

// Parts are the entries' own bytes, in the received document, each with its digest;
// an entry reads alone as it does among all, with the head around it.
func TestParts(t *testing.T) {
	for name, doc := range map[string]string{
		"rss":  threeItems,
		"bom":  "\ufeff" + threeItems,
		"mess": strings.Replace(threeItems, "<guid>1</guid>", "<guid>1</guid> < & é \xff <br>", 1),
		"atom": `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><author><name>A</name></author><entry><id>1</id></entry><entry><id>2</id></entry><entry><id>3</id></entry></feed>`,
		"json": `{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[ {"id":"1"} ,{"id":"2","title":"}]"},{"id":3}],"language":"en"}`,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Open([]byte(doc), Options{})
			if err != nil {
				t.Fatal(err)
			}
			parts := d.Parts()
			all, err := d.Feed(nil)
			if err != nil || len(parts) != 3 || len(all.Entries) != 3 || d.Len() != 3 {
				t.Fatalf("%d parts, %d entries, %v", len(parts), len(all.Entries), err)
			}
			for i, p := range parts {
				own := doc[p.Start:p.End]
				if strings.ContainsAny(own[:1], " \n") || !strings.HasSuffix(own, ">") && !strings.HasSuffix(own, "}") {
					t.Errorf("part %d is %q", i, own)
				}
				if p.Digest != feed.DigestOf([]byte(own)) || p.Digest != all.Entries[i].Bytes {
					t.Errorf("part %d: the digest is not that of its bytes and of the entry", i)
				}
				one, err := d.Feed(func(part int) bool { return part == i })
				if err != nil || len(one.Entries) != 1 {
					t.Fatalf("part %d alone: %v", i, err)
				}
				if !reflect.DeepEqual(one.Entries[0], all.Entries[i]) {
					t.Errorf("part %d alone:\n%+v\namong all:\n%+v", i, one.Entries[0], all.Entries[i])
				}
				one.Entries, one.Repairs = all.Entries, all.Repairs
				if !reflect.DeepEqual(one, all) {
					t.Errorf("the head around part %d differs:\n%+v\n%+v", i, one, all)
				}
			}
		})
	}
}

// A document in another charset has no parts: its bytes are not the text that is read.
func TestPartsOfOtherCharsets(t *testing.T) {
	d, err := Open(utf16le("\ufeff"+threeItems), Options{})
	if err != nil || d.Parts() != nil || d.Len() != 3 {
		t.Errorf("parts %v of %d, %v", d.Parts(), d.Len(), err)
	}
}

// Only wanted entries reach gofeed (figure (c)): what is composed for it has no
// byte of the others.
func TestOnlyWantedReachGofeed(t *testing.T) {
	var handed [][]byte
	d, err := Open([]byte(threeItems), Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.handed = func(b []byte) { handed = append(handed, slices.Clone(b)) }
	if _, err := d.Feed(func(i int) bool { return i == 1 }); err != nil {
		t.Fatal(err)
	}
	if len(handed) != 1 {
		t.Fatalf("gofeed was called %d times", len(handed))
	}
	got := string(handed[0])
	if strings.Count(got, "<item>") != 1 || !strings.Contains(got, "two") || strings.Contains(got, "one") || strings.Contains(got, "three") {
		t.Errorf("gofeed was handed %s", got)
	}
}

// A large document is handed over in pieces, and nothing is lost between them; long
// texts are not handed over at all.
func TestHandedInPieces(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	for name, doc := range map[string]string{
		"rss":  `<rss><channel><title>T</title><managingEditor>Ed</managingEditor>` + strings.Repeat(`<item><guid>1</guid><title>`+long+`</title><description>`+long+`</description></item>`, 10) + `</channel></rss>`,
		"atom": `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><author><name>Ed</name></author>` + strings.Repeat(`<entry><id>1</id><title>`+long+`</title><content>`+long+`</content></entry>`, 10) + `</feed>`,
	} {
		d, err := Open([]byte(doc), Options{})
		if err != nil {
			t.Fatal(err)
		}
		pieces, most := 0, 0
		d.handed = func(b []byte) { pieces, most = pieces+1, max(most, len(b)) }
		f, err := d.Feed(nil)
		if err != nil || len(f.Entries) != 10 || pieces != 3 || most > maxCompose+len(long)+1000 {
			t.Errorf("%s: %d entries in %d pieces of at most %d bytes, %v", name, len(f.Entries), pieces, most, err)
			continue
		}
		for i, e := range f.Entries {
			if e.Content.Value != long || e.Title.Value != long || len(e.Authors) != 1 || e.Authors[0].Name != "Ed" || f.Title.Value != "T" {
				t.Errorf("%s: entry %d has %d bytes, authors %v, feed %q", name, i, len(e.Content.Value), e.Authors, f.Title.Value)
			}
		}
	}
}

// Errors say what and where, and are told apart (P-02, F-58).
func TestErrors(t *testing.T) {
	for doc, want := range map[string]error{
		"": ErrNotFeed, " \n": ErrNotFeed, "garbage": ErrNotFeed, "null": ErrNotFeed, "[]": ErrNotFeed, `{"a":1}`: ErrNotFeed, `"x"`: ErrNotFeed,
		"<html><body>x": ErrNotFeed, "<opml/>": ErrNotFeed, "<CHANNEL/>": ErrUnsupported, `<Channel xmlns="http://purl.org/net/rss1.1#"/>`: ErrUnsupported,
		"<rss><channel><title>cut": ErrBroken, `{"version":"https://jsonfeed.org/version/1"`: ErrBroken, `{"version":"https://jsonfeed.org/version/1","items":[}`: ErrBroken,
	} {
		_, err := Open([]byte(doc), Options{})
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Detail == "" {
			t.Errorf("%q: %v, want %v", doc, err, want)
		}
		if errors.Is(want, ErrUnsupported) && !errors.Is(err, ErrNotFeed) {
			t.Errorf("%q: an unsupported feed is not ErrNotFeed", doc)
		}
	}
	// What is no text is not called XML for a byte in it that could begin an element.
	if _, err := Open([]byte("\x1f\x8b\b\x00<S\xb1\x02-m4\x01\xf6p>\x03"), Options{}); err == nil || !strings.HasSuffix(err.Error(), "neither XML nor JSON") {
		t.Errorf("a compressed document: %v", err)
	}
	// A valid but empty feed is none of these (PEERS 37).
	for _, doc := range []string{`<rss/>`, `<rss version="2.0"><channel/></rss>`, `<feed xmlns="http://www.w3.org/2005/Atom"/>`, `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>`, `{"version":"https://jsonfeed.org/version/1","items":[]}`} {
		if f, err := readWith([]byte(doc), Options{}); err != nil || len(f.Entries) != 0 {
			t.Errorf("%s: %v, %v", doc, f, err)
		}
	}
}
