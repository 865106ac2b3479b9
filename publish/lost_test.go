package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// lossy is an archive of which versions are lost, as store.Archive says of such.
type lossy struct {
	*storetest.Model
	lost map[feed.ItemID][]int
}

func (l *lossy) is(it *feed.Item) bool {
	return slices.Contains(l.lost[it.ID], it.Revision)
}

func (l *lossy) left(list []feed.Item, one bool) ([]feed.Item, error) {
	var out []feed.Item
	for i := range list {
		if !l.is(&list[i]) {
			out = append(out, list[i])
		}
	}
	if one && len(list) > len(out) {
		return nil, fmt.Errorf("record 7: %w", store.ErrLost)
	}
	return out, nil
}

func (l *lossy) Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error) {
	list, err := l.Model.Items(ctx, ids, fields)
	if err != nil {
		return nil, err
	}
	return l.left(list, len(ids) == 1)
}

func (l *lossy) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	list, err := l.Model.Revisions(ctx, id)
	if err != nil {
		return nil, err
	}
	out, _ := l.left(list, false)
	if len(out) == 0 {
		return nil, fmt.Errorf("record 7: %w", store.ErrLost)
	}
	return out, nil
}

// What is decided about an item that is lost, and a version that comes after a lost one,
// end neither the publisher nor its next start, and feeds go on without what is lost
// (OPS-26). A version is found by its number, whichever others are lost.
func TestLostRecords(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	about := []feed.TopicID{"iran"}
	lost := w.add(post{source: "one", guid: "a", title: "Lost", text: "x", topics: about, at: start})[0].ID
	var edited feed.ItemID
	for n := range 3 {
		w.now = w.now.Add(time.Hour)
		edited = w.add(post{source: "one", guid: "b", title: fmt.Sprint("Version ", n+1), text: fmt.Sprint("text ", n+1), topics: about, at: start})[0].ID
	}
	l := &lossy{w.store, map[feed.ItemID][]int{lost: {1}, edited: {1, 3}}}
	w.startOn(testConfig(), testTopics(), l)
	w.change(store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{lost}, Topics: []feed.Tag{{Topic: "iran", Score: 3}}, By: "command"})
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "one", guid: "b", title: "Version 4", text: "text 4", topics: about, at: start})
	for range 2 { // also when all others of the feed are known
		expect(t, "with a lost post", w.titles("iran"), []string{"Version 4"})
	}
	w.change(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{lost}, By: "command"})
	w.startOn(testConfig(), testTopics(), l)
	expect(t, "after a restart", w.titles("iran"), []string{"Version 4"})

	page := "/items/" + edited.String()
	for path, want := range map[string]int{
		page + ".json?revision=3":           http.StatusServiceUnavailable,
		page + ".json?revision=5":           http.StatusNotFound,
		page + "/diff.json?from=2&to=4":     http.StatusOK,
		page + "/diff.json?from=1&to=4":     http.StatusServiceUnavailable,
		page + "/revisions":                 http.StatusOK,
		"/items/" + lost.String() + ".json": http.StatusServiceUnavailable,
	} {
		if rec := w.get(path); rec.Code != want {
			t.Errorf("%s is answered %d, want %d: %s", path, rec.Code, want, rec.Body)
		}
	}
	var got struct{ Title string }
	if err := json.Unmarshal([]byte(w.body(page+".json?revision=2")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Title != "Version 2" {
		t.Errorf("version 2 is %q", got.Title)
	}
}
