package aggregator

import (
	"testing"
	"time"

	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/feed/parse"
	"chancery/store"
	"chancery/store/storetest"
)

// brokenBefore makes the archive what it is after an older parser could not read
// body: kept, with its validators and the mark.
func brokenBefore(t *testing.T, a *Aggregator, m *storetest.Model, body string, received time.Time, kept bool) {
	t.Helper()
	src, err := m.Source(t.Context(), "blog")
	if err != nil {
		t.Fatal(err)
	}
	d := schedule.Finish(a.schedule(), src.Source, src.State, schedule.Outcome{
		Status: 200, Class: "not-a-feed", Error: "line 3: no end", ValidatorURL: feedURL, ETag: `"x"`,
		BodyHash: feed.DigestOf([]byte(body)).String(), Parser: parse.Version - 1,
	}, received)
	doc := store.Document{Source: "blog", URL: feedURL, MediaType: "application/rss+xml", Received: received, Body: []byte(body), Repairs: []string{store.Unreadable}}
	l, err := m.Lease(t.Context(), store.LeaseQuery{Sources: []feed.SourceID{"blog"}, Now: time.Now()})
	if err != nil || len(l) != 1 {
		t.Fatalf("%d leases, %v", len(l), err)
	}
	res := store.PollResult{State: d.State}
	if kept {
		res.Batch = &store.Batch{Document: &doc}
	}
	if _, err := m.Finish(t.Context(), l[0], res); err != nil {
		t.Fatal(err)
	}
}

// F-09: a complete document that cannot be read is archived with the mark in the
// state; a 304 repeats the failure without another download.
func TestUnreadableKept(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	const body = "line 1\nline 2"
	s.set(feedURL, page{status: 200, body: body, etag: `"x"`, header: map[string]string{"Content-Type": "text/plain"}})
	for i := range 3 {
		if sum := poll(t, a); sum.Failed != 1 {
			t.Errorf("poll %d: %+v", i, sum)
		}
		src, err := m.Source(t.Context(), "blog")
		if err != nil || src.State.Class != "not-a-feed" || src.State.Condition != schedule.Broken || src.State.Failures != i+1 {
			t.Errorf("poll %d: %+v, %v", i, src.State, err)
		}
	}
	doc, err := m.DocumentOf(t.Context(), "blog", feed.DigestOf([]byte(body)))
	if err != nil || string(doc.Body) != body || doc.MediaType != "text/plain" {
		t.Errorf("kept: %+v, %v", doc, err)
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Raw != 1 {
		t.Errorf("%d documents, %v", st.Raw, err)
	}
	// Reading the archive again is no failure of today.
	if sum, err := a.Reparse(t.Context(), nil); err != nil || sum.Failed != 0 || sum.Documents != 1 {
		t.Errorf("reparse: %+v, %v", sum, err)
	}
}

// F-09: a newer parser reads the bytes that were kept, before it asks the server for
// anything; what it finds was there when the document came.
func TestUnreadableRead(t *testing.T) {
	came := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
	readable := rss(rssItem(1, "One", "first"), rssItem(2, "Two", "second"))
	for _, c := range []struct {
		name, body  string
		kept        bool
		condition   string
		items       int
		conditional bool
	}{
		{"readable now", readable, true, schedule.OK, 2, true},
		{"not even now", "line 1", true, schedule.Broken, 0, true},
		{"not kept", readable, false, schedule.OK, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &site{}
			a, m := bench(t, s)
			subscribe(t, a)
			brokenBefore(t, a, m, c.body, came, c.kept)
			s.set(feedURL, page{status: 200, body: rss(rssItem(3, "Three", "third")), etag: `"x"`})
			poll(t, a)
			poll(t, a)
			if len(s.asked) != 2 {
				t.Fatalf("%d requests, want 2", len(s.asked))
			}
			if got := s.asked[0].Header.Get("If-None-Match") != ""; got != c.conditional {
				t.Errorf("the first request was conditional: %t", got)
			}
			if s.asked[1].Header.Get("If-None-Match") == "" {
				t.Error("the second request was not conditional")
			}
			src, err := m.Source(t.Context(), "blog")
			if err != nil || src.State.Condition != c.condition {
				t.Errorf("%+v, %v; want %s", src.State, err, c.condition)
			}
			got := items(t, m)
			if len(got) != c.items {
				t.Fatalf("%d items, want %d", len(got), c.items)
			}
			if c.kept && c.items > 0 {
				if !got[0].FirstSeen.Equal(came) || src.State.Entries != 2 {
					t.Errorf("first seen %v, want %v; %d entries", got[0].FirstSeen, came, src.State.Entries)
				}
				if doc, err := m.Raw(t.Context(), got[0].ID, 0); err != nil || string(doc.Body) != c.body {
					t.Errorf("its document: %q, %v", doc.Body, err)
				}
			}
		})
	}
}
