package aggregator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"chancery/feed"
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
