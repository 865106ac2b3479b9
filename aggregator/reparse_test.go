package aggregator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Reading the archive again with the parser that read it changes nothing; what was
// misread is made good once, from the newest bytes only, and what was not read at
// all becomes an item that was there when its document came (CONFORMANCE P-74).
func TestReparse(t *testing.T) {
	a, m := bench(t, &site{})
	ctx := t.Context()
	took := func(name, body string) {
		t.Helper()
		if _, err := a.Import(ctx, ImportOptions{Source: "blog", Name: name}, io.Reader(strings.NewReader(body))); err != nil {
			t.Fatal(err)
		}
	}
	took("one.xml", rss(rssItem(1, "One", "first text"), rssItem(2, "Two", "second")))
	took("two.xml", rss(rssItem(1, "One", "edited text"), rssItem(2, "Two", "second")))
	again := func(what string, revised, found int) {
		t.Helper()
		sum, err := a.Reparse(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if sum.Documents < 2 || sum.Revised != revised || sum.New != found {
			t.Errorf("%s: %+v; want %d revised, %d new", what, sum, revised, found)
		}
	}
	again("the same parser", 0, 0)

	// A parser of old misread the title and the date of a third post and overlooked a fourth.
	came := time.Date(2020, 5, 1, 0, 0, 0, 0, time.UTC)
	body := []byte(rss(rssItem(3, "Three", "third"), rssItem(4, "Four", "fourth")))
	src, err := m.Source(ctx, "blog")
	if err != nil {
		t.Fatal(err)
	}
	in, err := a.read(ctx, src.Source, &src.State, store.Document{Source: "blog", URL: "three.xml", Received: came, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	bad := in.batch.Drafts[:1]
	right := bad[0].Entry
	bad[0].Entry.Title, bad[0].Entry.Published = feed.Text{Value: "T"}, feed.Date{Raw: "?"}
	bad[0].Version = feed.DigestOf([]byte("misread"))
	in.batch.Drafts, in.batch.At = bad, came
	out, err := m.Append(ctx, in.batch)
	if err != nil {
		t.Fatal(err)
	}
	again("a better parser", 1, 1)
	again("once more", 0, 0)
	items, err := m.Items(ctx, []feed.ItemID{out[0].ID}, store.AllFields)
	if err != nil || len(items) != 1 || items[0].Title.Value != right.Title.Value || !items[0].Published.Time.Equal(right.Published.Time) || !items[0].LastSeen.Equal(came) {
		t.Errorf("made good: %+v, %v", items, err)
	}
	heads, err := m.Heads(ctx, store.HeadQuery{})
	if err != nil || len(heads) != 4 {
		t.Fatalf("%d items, %v; want 4", len(heads), err)
	}
	all := 0
	for _, h := range heads {
		if h.FirstSeen.Equal(came) {
			all++
		}
	}
	if all != 2 {
		t.Errorf("%d items first seen when their document came, want 2", all)
	}
}

// losing is an archive of which the first document is lost.
type losing struct {
	Archive
	lost store.Cursor
}

func (l *losing) Document(ctx context.Context, at store.Cursor) (store.Document, error) {
	doc, err := l.Archive.Document(ctx, at)
	if err == nil && (l.lost == 0 || l.lost == at) {
		l.lost = at
		return store.Document{}, fmt.Errorf("record %d: %w", at, store.ErrLost)
	}
	return doc, err
}

// A document that is lost is told at the end, when all others were read (OPS-26).
func TestReparseWithoutTheLost(t *testing.T) {
	a, m := bench(t, &site{})
	for i, name := range []string{"one.xml", "two.xml", "three.xml"} {
		body := rss(rssItem(i, name, "some text"))
		if _, err := a.Import(t.Context(), ImportOptions{Source: "blog", Name: name}, strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	a.archive = &losing{Archive: m}
	sum, err := a.Reparse(t.Context(), nil)
	if !errors.Is(err, store.ErrLost) || sum.Documents != 2 {
		t.Errorf("%+v, %v; want two documents, and ErrLost", sum, err)
	}
}
