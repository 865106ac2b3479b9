package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/store"
)

// Import takes in one file.
func (a *Aggregator) Import(ctx context.Context, o ImportOptions, r io.Reader) (Summary, error) {
	im := a.NewImporter()
	sum, err := im.Take(ctx, o, r)
	if err == nil {
		var rest Summary
		rest, err = im.Flush(ctx)
		sum.Add(rest)
	}
	return sum, err
}

// importAll takes in documents, named by their place.
func importAll(t *testing.T, a *Aggregator, docs ...string) (sum Summary) {
	t.Helper()
	im := a.NewImporter()
	for i, doc := range docs {
		one, err := im.Take(t.Context(), ImportOptions{Name: fmt.Sprintf("%d.xml", i)}, strings.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(one)
	}
	rest, err := im.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum.Add(rest)
	return sum
}

// ofSite is a document of its own source.
func ofSite(site string, items ...string) string {
	return strings.ReplaceAll(rss(items...), "https://blog.example", "https://"+site+".example")
}

// Documents that are committed together give what they give one by one, whichever
// sources they are of, and a fault is of the file that has it.
func TestImportTogether(t *testing.T) {
	docs := []string{
		ofSite("one", rssItem(1, "Soup", "A recipe of lentils, carrots and an onion that is burnt a little.")),
		ofSite("two", rssItem(2, "Talks", "On Iran.")),
		"no feed",
		ofSite("one", rssItem(3, "Bread", "Of rye."), rssItem(1, "Soup", "A recipe of lentils, carrots and an onion that is burnt a little.")),
		ofSite("three", rssItem(1, "Soup", "A recipe of lentils, carrots and an onion that is burnt a little.")), // told by one before
		ofSite("one", rssItem(3, "Bread", "Of rye, and salt.")),
	}
	a, m := bench(t, &site{})
	sum := importAll(t, a, docs...)
	if sum.Documents != len(docs)-1 || sum.Failed != 1 || sum.New != 3 || sum.Revised != 1 || sum.Duplicate != 1 ||
		len(sum.Errors) != 1 || sum.Errors[0].URL != "2.xml" {
		t.Errorf("together: %+v", sum)
	}
	b, m2 := bench(t, &site{})
	var each Summary
	for _, doc := range docs {
		each.Add(importAll(t, b, doc))
	}
	each.Errors, sum.Errors = nil, nil
	if fmt.Sprint(each) != fmt.Sprint(sum) {
		t.Errorf("one by one %+v, together %+v", each, sum)
	}
	for _, id := range []feed.SourceID{"one-example", "two-example", "three-example"} {
		x, err := m.Source(t.Context(), id)
		y, err2 := m2.Source(t.Context(), id)
		if err != nil || err2 != nil || x.Items != y.Items || x.Title != y.Title {
			t.Errorf("source %s: %d items (%v) and %d (%v)", id, x.Items, err, y.Items, err2)
		}
	}
}

// refusing is an archive that cannot take the documents of one source.
type refusing struct {
	store.Archive
	source  feed.SourceID
	commits int
}

var errRefused = errors.New("refused")

func (r *refusing) Append(ctx context.Context, batches ...store.Batch) ([]store.Outcome, error) {
	for _, b := range batches {
		if b.Source == r.source {
			return nil, errRefused
		}
	}
	r.commits++
	return r.Archive.Append(ctx, batches...)
}

// refuser is an aggregator over such an archive.
func refuser(t *testing.T, source feed.SourceID) (*Aggregator, *refusing) {
	t.Helper()
	a, m := bench(t, &site{})
	r := &refusing{m, source, 0}
	a.archive = struct {
		store.Archive
		store.Frontier
	}{r, m}
	return a, r
}

// What the archive cannot take is told with the file's name and keeps nothing else away.
func TestImportTogetherRefused(t *testing.T) {
	a, r := refuser(t, "two-example")
	im := a.NewImporter()
	for i, s := range []string{"one", "two", "three"} {
		if _, err := im.Take(t.Context(), ImportOptions{Name: fmt.Sprintf("%d.xml", i)}, strings.NewReader(ofSite(s, rssItem(i, s, "About "+s)))); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := im.Flush(t.Context())
	if of, ok := errors.AsType[*FileError](err); !ok || of.Name != "1.xml" || !errors.Is(err, errRefused) {
		t.Errorf("error %v", err)
	}
	if sum.Documents != 2 || sum.New != 2 || sum.Failed != 0 || r.commits != 2 {
		t.Errorf("%+v in %d commits", sum, r.commits)
	}
}

// Documents of as many sources are committed together, as many as may wait.
func TestImportCommits(t *testing.T) {
	a, r := refuser(t, "")
	var docs []string
	for i := range 2 * maxWaiting {
		docs = append(docs, ofSite(fmt.Sprint("s", i), rssItem(i, fmt.Sprint("Post ", i), fmt.Sprint("About ", i))))
	}
	if sum := importAll(t, a, docs...); sum.New != len(docs) || r.commits != 2 {
		t.Errorf("%+v in %d commits", sum, r.commits)
	}
}

// An import finds the source that the document names, makes one that is not
// polled otherwise, and taking the same file in again changes nothing.
func TestImport(t *testing.T) {
	a, m := bench(t, &site{})
	doc := rss(rssItem(1, "Soup", "A recipe."))
	for i, want := range []int{1, 0} {
		sum, err := a.Import(t.Context(), ImportOptions{Name: "saved.xml"}, strings.NewReader(doc))
		if err != nil || sum.New != want {
			t.Errorf("import %d: %+v, %v", i+1, sum, err)
		}
	}
	src, err := m.Source(t.Context(), "example")
	if err != nil || !src.Disabled || src.Origin != "import" || src.Title != "The Blog" {
		t.Errorf("source %+v, %v", src, err)
	}
}

// A file that is nothing known is named, with what it is instead; nothing stops.
func TestImportBadData(t *testing.T) {
	for name, body := range map[string]string{
		"page.html":  "<!DOCTYPE html><html></html>",
		"empty.xml":  " \n",
		"cut.xml":    "<rss><channel><item><ti",
		"lines.json": `{"id":"nonsense","source":"x"}` + "\n",
		"bad.opml":   `<opml version="2.0"><body><outline text="A" type="rss" xmlUrl="gopher://x/"/></body></opml>`,
	} {
		a, _ := bench(t, &site{})
		sum, err := a.Import(t.Context(), ImportOptions{Name: name}, strings.NewReader(body))
		if err != nil || sum.Failed != 1 || sum.Documents != 0 || sum.Errors[0].URL != name {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
	}
}

// An OPML list subscribes; a second time it changes nothing.
func TestImportOPML(t *testing.T) {
	a, m := bench(t, &site{})
	list := `<opml version="2.0"><head/><body>
		<outline text="A" type="rss" xmlUrl="https://a.example/feed"/>
		<outline text="Folder"><outline text="B" type="rss" xmlUrl="https://b.example/feed" htmlUrl="https://b.example/"/></outline>
		<outline text="A again" type="rss" xmlUrl="http://www.a.example/feed/"/></body></opml>`
	for i, want := range []int{2, 0} {
		sum, err := a.Import(t.Context(), ImportOptions{Name: "list.opml"}, strings.NewReader(list))
		if err != nil || sum.Added != want {
			t.Errorf("import %d: %+v, %v", i+1, sum, err)
		}
	}
	states, err := m.Sources(t.Context())
	if err != nil || len(states) != 2 || states[0].ID != "a-example" || states[1].Title != "B" {
		t.Errorf("sources %+v, %v", states, err)
	}
}

// What was exported comes back under the same ids.
func TestImportLines(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	s.set(feedURL, page{200, rss(rssItem(2, "Talks", "On Iran."), rssItem(1, "Soup", "A recipe.")), "", nil})
	poll(t, a)
	var lines bytes.Buffer
	var want []string
	for _, it := range items(t, m) {
		b, err := itemjson.Export(&itemjson.Record{Item: it, From: itemjson.Source{Title: "The Blog", URL: feedURL}})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
		want = append(want, it.ID.String())
	}
	a2, m2 := bench(t, &site{})
	sum, err := a2.Import(t.Context(), ImportOptions{Name: "export.jsonl"}, &lines)
	if err != nil || sum.New != 2 {
		t.Fatalf("import: %+v, %v", sum, err)
	}
	var got []string
	for _, it := range items(t, m2) {
		got = append(got, it.ID.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	if src, err := m2.Source(t.Context(), "blog"); err != nil || src.Title != "The Blog" || src.URL != feedURL || !src.Disabled {
		t.Errorf("source %+v, %v", src, err)
	}
	// The same feed, polled there, brings nothing new and no edit.
	s.set(feedURL, page{200, rss(rssItem(2, "Talks", "On Iran."), rssItem(1, "Soup", "A recipe.")), "", nil})
	a3, _ := bench(t, s)
	a3.archive = m2
	if sum, err := a3.Poll(t.Context(), PollOptions{Sources: []feed.SourceID{"blog"}}); err != nil || sum.New+sum.Revised+sum.Duplicate != 0 || sum.Seen != 2 {
		t.Errorf("a poll after the import: %+v, %v", sum, err)
	}
}

// Items that only their link or their text tells apart stay apart on the way.
func TestImportLinesKeepsIdentity(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	one := func(title string) string {
		return `<item><guid isPermaLink="false">x</guid><link>https://blog.example/all</link><title>` + title + `</title><description>About ` + title + `.</description></item>`
	}
	s.set(feedURL, page{200, rss(one("Schools"), one("Seminar"), `<item><title>No id</title><description>Nor link.</description></item>`), "", nil})
	if sum := poll(t, a); sum.New != 3 {
		t.Fatalf("poll: %+v", sum)
	}
	var lines bytes.Buffer
	for _, it := range items(t, m) {
		b, err := itemjson.Export(&itemjson.Record{Item: it})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	a2, _ := bench(t, &site{})
	if sum, err := a2.Import(t.Context(), ImportOptions{Name: "export.jsonl"}, &lines); err != nil || sum.New != 3 || sum.Revised != 0 {
		t.Errorf("import: %+v, %v", sum, err)
	}
}

// What one saved document taught of ids that name nothing holds for the next (P-68).
func TestImportRemembersCollisions(t *testing.T) {
	a, m := bench(t, &site{})
	one := func(n int) string {
		return fmt.Sprintf(`<item><guid isPermaLink="false">x</guid><link>https://blog.example/%d</link><title>Post %d</title></item>`, n, n)
	}
	for i, doc := range []string{rss(one(1), one(2)), rss(one(3)), rss(one(4))} {
		if _, err := a.Import(t.Context(), ImportOptions{Name: "saved.xml", Source: "blog"}, strings.NewReader(doc)); err != nil {
			t.Fatalf("document %d: %v", i+1, err)
		}
	}
	if n := len(items(t, m)); n != 4 {
		t.Errorf("%d items, want 4", n)
	}
}

// What a document taught of ids is kept, too, when a file beside it had to be refused.
func TestImportRemembersBesideRefused(t *testing.T) {
	a, r := refuser(t, "two-example")
	one := func(title string) string {
		return `<item><guid isPermaLink="false">x</guid><link>https://blog.example/` + title + `</link><title>` + title + `</title><description>About ` + title + `.</description></item>`
	}
	im := a.NewImporter()
	for _, doc := range []string{ofSite("one", one("Schools"), one("Seminar")), ofSite("two", rssItem(1, "Soup", "A recipe."))} {
		if _, err := im.Take(t.Context(), ImportOptions{Name: "saved.xml"}, strings.NewReader(doc)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := im.Flush(t.Context()); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	src, err := a.archive.Source(t.Context(), "one-example")
	if err != nil || len(src.State.Colliding) == 0 || r.commits != 1 {
		t.Errorf("%v known to name nothing, %v, after %d commits", src.State.Colliding, err, r.commits)
	}
}
