package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// CONFORMANCE P-69: when all ids of a feed change, the posts are known again by what they say.
func regenerated(t *testing.T, s store.Store) {
	Source(t, s, "a")
	first := appendTo(t, s, "a", day0, Draft("1", "first post"), Draft("2", "second post"), Draft("3", "third post"))
	again := appendTo(t, s, "a", day0.Add(time.Hour), Draft("x1", "first post"), Draft("x2", "second post"), Draft("x3", "third post"))
	wantStates(t, again, store.Same, store.Same, store.Same)
	for i := range again {
		if again[i].ID != first[i].ID {
			t.Errorf("draft %d became another item", i)
		}
	}
	// And from then on by the new ids.
	wantStates(t, appendTo(t, s, "a", day0.Add(2*time.Hour), Draft("x2", "second post, edited")), store.Revised)
	// One post with a text of before is another post: recurring titles are no duplicates.
	wantStates(t, appendTo(t, s, "a", day0.Add(3*time.Hour), Draft("9", "first post")), store.New)
}

// CONFORMANCE P-68: a post that is another than the item that has its id is an item by
// itself, known by its other name from then on; the first keeps the id.
func givenAgain(t *testing.T, s store.Store) {
	Source(t, s, "a")
	draft := func(text string) store.Draft {
		d := Draft("x", text)
		kind, _, _ := strings.Cut(text, " ")
		d.Apart = func(was *feed.Entry) *store.Name {
			if strings.HasPrefix(was.Title.Value, kind) {
				return nil
			}
			native := "x\n" + kind
			return &store.Name{Native: native, Method: "guid+link", Keys: []store.Key{Hash(store.KeyGUID, native)}}
		}
		return d
	}
	at := func(n int) time.Time { return day0.Add(time.Duration(n) * time.Hour) }
	camp := appendTo(t, s, "a", at(0), draft("camp"))
	roses := appendTo(t, s, "a", at(1), draft("roses"))
	wantStates(t, roses, store.New)
	wantStates(t, appendTo(t, s, "a", at(2), draft("camp"), draft("roses")), store.Same, store.Same)
	out := appendTo(t, s, "a", at(3), draft("roses once more"), draft("camp once more"), draft("soup"), draft("soup again"))
	wantStates(t, out, store.Revised, store.Revised, store.New, store.Revised)
	if out[0].ID != roses[0].ID || out[1].ID != camp[0].ID || out[2].ID != out[3].ID {
		t.Errorf("versions went to %v, %v", out[0].ID, out[1].ID)
	}
	items, err := s.Items(t.Context(), []feed.ItemID{camp[0].ID, roses[0].ID}, 0)
	if err != nil || len(items) != 2 || items[0].Native != "x" || items[0].Method != "guid" || items[1].Native != "x\nroses" || items[1].Method != "guid+link" {
		t.Errorf("items %+v, %v", items, err)
	}
	// A document that cannot be told apart is not kept when the second one was taken down.
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{roses[0].ID}, Reason: "asked"}}); err != nil {
		t.Fatal(err)
	}
	body := []byte("<rss>camp, roses</rss>")
	if _, err := s.Append(t.Context(), store.Batch{
		At: at(4), Document: &store.Document{Source: "a", Body: body, Received: at(4)}, Drafts: []store.Draft{draft("roses")},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DocumentOf(t.Context(), "a", feed.DigestOf(body)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the document of a post that was taken down: %v, want not found", err)
	}
}

// CONFORMANCE P-69: one post whose id changed alone is known by its text and its date, if
// it is not there under the id of before as well.
func movedAlone(t *testing.T, s store.Store) {
	Source(t, s, "a")
	Source(t, s, "b")
	draft := func(guid, text string, words int) store.Draft {
		d := Draft(guid, text)
		d.Sketch.Words = words
		return d
	}
	at := func(n int) time.Time { return day0.Add(time.Duration(n) * time.Hour) }
	first := appendTo(t, s, "a", at(0), draft("1", "the text", 50), Draft("2", "another"))
	moved := appendTo(t, s, "a", at(1), draft("1b", "the text", 50), Draft("2", "another"))
	wantStates(t, moved, store.Same, store.Same)
	if moved[0].ID != first[0].ID {
		t.Errorf("the post is %v under its other id, and was %v", moved[0].ID, first[0].ID)
	}
	later := draft("1c", "the text", 50)
	later.Entry.Published.Time = later.Entry.Published.Time.Add(time.Hour)
	for what, drafts := range map[string][]store.Draft{
		"beside the first": {draft("1d", "the text", 50), draft("1b", "the text", 50)}, "of another time": {later}, "of few words": {draft("1e", "the text", 0)},
	} {
		if out := appendTo(t, s, "a", at(2), drafts...); out[0].State != store.New {
			t.Errorf("%s: %v, want new", what, out[0].State)
		}
	}
	wantStates(t, appendTo(t, s, "b", at(3), draft("1f", "the text", 50)), store.Duplicate)
	// What was taken down does not come back by another id.
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{first[0].ID}, Reason: "asked"}}); err != nil {
		t.Fatal(err)
	}
	again := appendTo(t, s, "a", at(4), draft("1g", "the text", 50))
	if again[0].ID != first[0].ID || again[0].State != store.Same {
		t.Errorf("a post that was taken down, under another id: %+v", again[0])
	}
}
