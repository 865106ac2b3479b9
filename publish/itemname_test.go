package publish

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/store"
)

// One item has one address: capitals lead to it for good, the beginning of its id as long
// as that fits no other; where it fits several, that is said, and of how many.
func TestItemsByBeginning(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	batch := store.Batch{Source: "one"}
	for _, text := range []string{"01jb00aaaaaaaaaaaaaaaaaaaw", "01jb02aaaaaaaaaaaaaaaaaaaw", "01jb02bbbbbbbbbbbbbbbbbbbw"} {
		d := draft(post{source: "one", guid: text, title: text, text: "words of " + text})
		var err error
		if d.ID, err = feed.ParseItemID(text); err != nil {
			t.Fatal(err)
		}
		batch.Drafts = append(batch.Drafts, d)
	}
	w.ensure("one")
	if _, err := w.store.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	w.sync()
	const id, base = "01jb00aaaaaaaaaaaaaaaaaaaw", "https://feeds.example.org"
	for path, want := range map[string]string{
		"/items/" + strings.ToUpper(id):        "301 /items/" + id,
		"/items/01JB00.json":                   "302 /items/" + id + ".json",
		"/items/01jb00":                        "302 /items/" + id,
		"/items/01jb00.bib?revision=1":         "302 /items/" + id + ".bib?revision=1",
		"/items/01jb00/revisions":              "302 /items/" + id + "/revisions",
		"/items/01jb00/diff?from=1&to=1":       "302 /items/" + id + "/diff?from=1&to=1",
		"/items/01jb00/proof.json":             "302 /items/" + id + "/proof.json",
		"/api/v1/items/01jb00":                 "302 /api/v1/items/" + id,
		"/api/v1/items/01JB00/diff?from=1":     "302 /api/v1/items/" + id + "/diff?from=1",
		"/api/v1/items/" + strings.ToUpper(id): "301 /api/v1/items/" + id,
		"/items/" + id:                         "200 ",
		"/api/v1/items/" + id:                  "200 ",
		"/items/01jb0":                         "404 ", // too little
		"/items/01jb01":                        "404 ",
		"/items/01jb0l":                        "404 ",
		"/items/zzzzzz":                        "404 ",
		"/items/01jb02":                        "404 ",
		"/items/01jb02.json":                   "404 ",
		"/api/v1/items/01jb02":                 "404 ",
		"/api/v1/items/01jb01":                 "404 ",
		"/api/v1/items/01jb0":                  "404 ",
	} {
		rec := w.get(path)
		if got := fmt.Sprintf("%d %s", rec.Code, strings.TrimPrefix(rec.Header().Get("Location"), base)); got != want {
			t.Errorf("GET %s: %s, want %s", path, got, want)
		}
	}
	_, text := w.page("/items/01jb02", http.StatusNotFound)
	has(t, "the page", text, "ids of 2 items begin with 01jb02; more letters tell them apart")
	body := w.get("/api/v1/items/01JB02").Body.String()
	has(t, "the API", body, `"type":"https://feeds.example.org/api#several-items"`, "ids of 2 items begin with 01jb02")
}
