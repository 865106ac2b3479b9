package itemjson

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
)

func item() feed.Item {
	at := time.Date(2009, 1, 2, 15, 4, 5, 0, time.UTC)
	return feed.Item{
		ID: feed.NewItemID(at, 3, "blog", "guid-1"), Source: "blog", Native: "guid-1", Method: "guid",
		Entry: feed.Entry{
			ID: "guid-1", URL: "https://blog.example/1", Title: feed.Text{Value: "Talks & <doubts>"},
			Summary:   feed.Text{Type: feed.HTML, Value: "<p>Short</p>", Base: "https://blog.example/"},
			Content:   feed.Text{Type: feed.HTML, Value: `<p onclick="x()">Long <a href="/a">text</a></p>`, Base: "https://blog.example/"},
			Authors:   []feed.Person{{Name: "A. Writer", URL: "https://blog.example/a"}},
			Published: feed.Date{Time: at, Raw: at.Format(time.RFC3339Nano)}, Language: "en",
			Categories: []feed.Category{{Term: "Iraq"}},
			Enclosures: []feed.Enclosure{{URL: "https://blog.example/a.mp3", Type: "audio/mpeg", Length: 7}},
		},
		FirstSeen: at, LastSeen: at.Add(time.Hour), Revision: 2, Revisions: 2,
		Topics: []feed.Tag{{Topic: "iraq", Score: 0.5, About: true}, {Topic: "mek", Score: -1, Manual: true}},
		AlsoIn: []feed.Sighting{{ID: feed.NewItemID(at, 4, "other", "x"), Source: "other", URL: "https://other.example/", FirstSeen: at}},
		Digest: feed.DigestOf([]byte("x")),
	}
}

// What Export writes, Unmarshal reads back; a topic that a person removed does
// not leave the program.
func TestRoundTrip(t *testing.T) {
	want := item()
	src := Source{Title: "The Blog", URL: "https://blog.example/feed", Site: "https://blog.example/"}
	b, err := Export(&want, src)
	if err != nil {
		t.Fatal(err)
	}
	got, gotSrc, err := Unmarshal(b)
	if err != nil || gotSrc != src {
		t.Fatalf("source %+v, %v", gotSrc, err)
	}
	want.Title.Type = feed.PlainText
	want.Topics = want.Topics[:1]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("export and back (-want +got):\n%s", diff)
	}
}

// What is shown is sanitized, absolute, and one line; what is not known is absent.
func TestMarshal(t *testing.T) {
	it := item()
	b, err := Marshal(&it, "")
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for _, bad := range []string{"onclick", "null", "\n", "source_title", "content_base"} {
		if strings.Contains(s, bad) {
			t.Errorf("%q stands in %s", bad, s)
		}
	}
	if !strings.Contains(s, "https://blog.example/a") {
		t.Errorf("a link is not absolute: %s", s)
	}
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatal(err)
	}
	empty := feed.Item{ID: it.ID, Source: "blog"}
	if b, err = Marshal(&empty, ""); err != nil || string(b) != `{"id":"`+it.ID.String()+`","source":"blog"}` {
		t.Errorf("an empty item is %s (%v)", b, err)
	}
}

// The order of members is the contract's.
func TestOrder(t *testing.T) {
	it := item()
	b, _ := Marshal(&it, "The Blog")
	order := []string{"id", "source", "source_title", "guid", "url", "title", "authors", "language", "published", "first_seen", "last_seen", "topics", "summary", "content_html", "content_text", "enclosures", "categories", "revision", "revisions", "also_in", "digest"}
	at := make([]int, len(order))
	for i, k := range order {
		at[i] = strings.Index(string(b), `"`+k+`":`)
	}
	if slices.Contains(at, -1) || !slices.IsSorted(at) {
		t.Errorf("members stand at %v in %s", at, b)
	}
}

// A date whose year in UTC has five digits is left out; the item comes out all the same.
func TestYearBeyond(t *testing.T) {
	it := item()
	it.Published.Time = time.Date(9999, 12, 31, 23, 59, 0, 0, time.FixedZone("", -3600))
	b, err := Marshal(&it, "")
	if err != nil || strings.Contains(string(b), `"published"`) {
		t.Errorf("%s, %v", b, err)
	}
}

// Other JSON is refused by name.
func TestNotItem(t *testing.T) {
	for _, s := range []string{``, `{}`, `[]`, `{"id":"x"}`, `{"id":"01","source":"a"}`, `{"version":"https://jsonfeed.org/version/1.1"}`, "nonsense"} {
		if _, _, err := Unmarshal([]byte(s)); !errors.Is(err, ErrNotItem) {
			t.Errorf("Unmarshal(%q) = %v, want ErrNotItem", s, err)
		}
	}
}
