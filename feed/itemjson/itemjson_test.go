package itemjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/feed"
)

func sample() feed.Item {
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

// What Export writes, Unmarshal reads back: also what the contract has no member for,
// a topic that a person removed, the versions before and what was decided.
func TestRoundTrip(t *testing.T) {
	it := sample()
	it.Title, it.Story, it.Original = feed.Text{Type: feed.HTML, Value: "Talks <i>on</i>"}, it.AlsoIn[0].ID, it.AlsoIn[0].ID
	it.Revised, it.Reparsed, it.Withdrawn = it.FirstSeen.Add(time.Minute), true, true
	fillEntry(&it.Entry)
	at := it.FirstSeen
	first := feed.Item{ID: it.ID, Source: it.Source, Native: "other", Method: "link", Revision: 1, Revised: at, Digest: feed.DigestOf([]byte("y"))}
	first.Entry = feed.Entry{ID: "guid-1", Content: feed.Text{Type: feed.HTML, Value: "<p>Longer"}, Summary: feed.Text{Type: feed.PlainText, Value: "short"}}
	want := Record{
		Item: it, Earlier: []feed.Item{first}, KnownAs: []string{"guid:00"},
		From: Source{Title: "The Blog", URL: "https://blog.example/feed", Site: "https://blog.example/", More: &SourceMore{
			Language: "fa", Added: at, Removed: true, Content: "summary", Topics: []feed.TopicID{"iran"},
			Moves: []Move{{"https://blog.example/rss", "https://blog.example/feed", at, "permanent redirect"}},
		}},
		Decisions: []Decision{
			{Kind: "topics", At: at, By: "command", Reason: "no", Topics: []feed.Tag{{Topic: "iraq", Score: 1, Manual: true}, {Topic: "mek", Score: -1, Manual: true}}},
			{Kind: "withdraw", At: at, By: "command", Reason: "asked", Undo: true},
			{Kind: "merge", At: at, By: "rule", Items: []feed.ItemID{it.ID, it.AlsoIn[0].ID}, Original: it.ID},
			{Kind: "split", At: at, By: "command", ListedAt: it.AlsoIn[0].ID},
		},
	}
	b, err := Export(&want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("export and back (-want +got):\n%s", diff)
	}
	again, err := Export(&got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("again it is\n%s, before\n%s (%v)", again, b, err)
	}
}

// fillEntry gives an entry something in every field that has nothing, so that none can be
// forgotten: but for what an export does not carry, which is listed here.
func fillEntry(e *feed.Entry) {
	not := []string{"Repairs", "Bytes"}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() && !slices.Contains(not, v.Type().Field(i).Name) {
			fill(f, 3)
		}
	}
}

func fill(v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2009, 1, 3, 0, 0, 0, 0, time.UTC)))
		return
	case feed.TextType:
		v.SetString("html")
		return
	case feed.Date:
		v.Set(reflect.ValueOf(feed.Date{Time: time.Date(2009, 1, 3, 0, 0, 0, 0, time.UTC), Raw: "3 Jan 2009"}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3e9)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Slice:
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, depth)
		}
	}
}

// A history that cannot have been is refused, and the fault named.
func TestContradictions(t *testing.T) {
	it := sample()
	id, other := it.ID.String(), it.AlsoIn[0].ID.String()
	for members, want := range map[string]string{
		`"revision":3,"earlier":[{"revision":2},{"revision":1}]`:                                             "revision 1 stands behind revision 2",
		`"revision":2,"earlier":[{"revision":2}]`:                                                            "revision 2 is among the earlier ones of revision 2",
		`"earlier":[{"revision":1}]`:                                                                         "revision 1 is among the earlier ones of revision 0",
		`"earlier":[{"revision":0}]`:                                                                         "revision 0 stands behind",
		`"also_in":[{"id":"` + id + `","source":"a"}]`:                                                       "a copy of itself",
		`"decisions":[{"kind":"forget"}]`:                                                                    `decision 1 (forget): not "topics"`,
		`"decisions":[{"kind":"withdraw"},{"kind":"merge","items":["` + id + `"]}]`:                          "decision 2 (merge): it joins an item with nothing",
		`"decisions":[{"kind":"merge","items":["` + id + `","` + id + `"]}]`:                                 "names an item twice",
		`"decisions":[{"kind":"split","items":["` + other + `"]}]`:                                           "does not name the item",
		`"decisions":[{"kind":"split","items":["` + id + `"],"original":"` + id + `"}]`:                      "the original is none of its items",
		`"decisions":[{"kind":"merge","listed_at":"` + id + `"}]`:                                            "stand here and with another",
		`"decisions":[{"kind":"takedown","items":["` + other + `"]}]`:                                        "names others",
		`"decisions":[{"kind":"topics","untagged":["No Topic"]}]`:                                            "is not an id of a topic",
		`"revision":2,"earlier":[{"revision":1,"digest":"md5:0"}]`:                                           "revision 1: not an exported item",
		`"decisions":[{"kind":"merge","items":["` + id + `","` + other + `"],"original":"` + id[:25] + `"}]`: "not an item id",
	} {
		_, err := Unmarshal([]byte(`{"id":"` + id + `","source":"blog",` + members + `}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", members, err, want)
		}
	}
}

// What is shown is sanitized, absolute, and one line; what is not known is absent.
func TestMarshal(t *testing.T) {
	it := sample()
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
	it := sample()
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
	it := sample()
	it.Published.Time = time.Date(9999, 12, 31, 23, 59, 0, 0, time.FixedZone("", -3600))
	b, err := Marshal(&it, "")
	if err != nil || strings.Contains(string(b), `"published"`) {
		t.Errorf("%s, %v", b, err)
	}
}

// Other JSON is refused by name.
func TestNotItem(t *testing.T) {
	for _, s := range []string{``, `{}`, `[]`, `{"id":"x"}`, `{"id":"01","source":"a"}`, `{"version":"https://jsonfeed.org/version/1.1"}`, "nonsense"} {
		if _, err := Unmarshal([]byte(s)); !errors.Is(err, ErrNotItem) {
			t.Errorf("Unmarshal(%q) = %v, want ErrNotItem", s, err)
		}
	}
}
