package aggregator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// site is one pretend server: what each address answers, and what it was asked.
type site struct {
	mu    sync.Mutex
	pages map[string]page
	asked []*http.Request
}

type page struct {
	status int
	body   string
	etag   string
	header map[string]string
}

func (s *site) set(url string, p page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pages == nil {
		s.pages = map[string]page{}
	}
	s.pages[url] = p
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	p, ok := s.pages[r.URL.String()]
	if !ok {
		p = page{status: http.StatusNotFound}
	}
	resp := &http.Response{
		StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/rss+xml"}}, Body: io.NopCloser(strings.NewReader(p.body)), ContentLength: int64(len(p.body)),
	}
	for k, v := range p.header {
		resp.Header.Set(k, v)
	}
	if p.etag != "" {
		resp.Header.Set("ETag", p.etag)
		if r.Header.Get("If-None-Match") == p.etag {
			resp.StatusCode, resp.Body, resp.ContentLength = http.StatusNotModified, http.NoBody, 0
		}
	}
	return resp, nil
}

func rss(items ...string) string {
	return `<rss version="2.0"><channel><title>The Blog</title><link>https://blog.example/</link><description/>` + strings.Join(items, "") + `</channel></rss>`
}

func rssItem(n int, title, body string) string {
	return fmt.Sprintf(`<item><guid isPermaLink="false">id-%d</guid><link>https://blog.example/%d</link><title>%s</title><pubDate>Fri, 02 Jan 2009 15:%02d:00 GMT</pubDate><description>%s</description></item>`, n, n, title, n, body)
}

const feedURL = "https://blog.example/feed"

// bench is an aggregator over the pretend site and the model of the archive.
func bench(t testing.TB, s *site) (*Aggregator, *storetest.Model) {
	t.Helper()
	m := storetest.NewModel()
	fc := fetch.DefaultConfig()
	fc.HostDelay = 0
	client, err := fetch.NewOver(fc, s)
	if err != nil {
		t.Fatal(err)
	}
	topics, err := topic.Compile([]topic.Rule{{ID: "iran", Name: "Iran", Match: "iran", Threshold: 1, AboutThreshold: 4}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Concurrency: 4, Schedule: schedule.DefaultConfig()}, Deps{
		Archive: m, Fetch: client, Topics: topics, Log: slog.New(slog.DiscardHandler), Ready: client.Ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, m
}

func subscribe(t *testing.T, a *Aggregator) {
	t.Helper()
	if _, err := a.SyncSources(t.Context(), []store.Source{{ID: "blog", URL: feedURL}}); err != nil {
		t.Fatal(err)
	}
}

func items(t *testing.T, m *storetest.Model) []feed.Item {
	t.Helper()
	heads, err := m.Heads(t.Context(), store.HeadQuery{ByArrival: true, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]feed.ItemID, len(heads))
	for i, h := range heads {
		ids[i] = h.ID
	}
	all, err := m.Items(t.Context(), ids, store.AllFields)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func poll(t *testing.T, a *Aggregator) Summary {
	t.Helper()
	sum, err := a.Poll(t.Context(), PollOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// A poll takes in what is new, oldest first, tagged; the next one asks with the
// validator that came with it and is answered 304; a document with one new and
// one edited post brings just those (F-01, F-12, F-15).
func TestPoll(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	s.set(feedURL, page{200, rss(rssItem(2, "Talks in Tehran", "Iran talks."), rssItem(1, "Soup", "A recipe.")), `W/"1"`, nil})
	if sum := poll(t, a); sum.New != 2 || sum.Fetched != 1 || sum.Seen != 2 {
		t.Fatalf("first poll: %+v", sum)
	}
	for _, it := range items(t, m) {
		if got, want := it.Has("iran"), it.Title.Value == "Talks in Tehran"; got != want {
			t.Errorf("%q is tagged iran: %v, want %v", it.Title.Value, got, want)
		}
	}
	records, _, err := m.Follow(t.Context(), 0, store.KindsOf(store.KindItem), 10)
	if err != nil || len(records) != 2 || records[0].Item.Title.Value != "Soup" {
		t.Errorf("the older post is not recorded first: %v, %v", records, err)
	}
	if sum := poll(t, a); sum.NotModified != 1 || sum.New != 0 {
		t.Errorf("second poll: %+v", sum)
	}
	if got := s.asked[len(s.asked)-1].Header.Get("If-None-Match"); got != `W/"1"` {
		t.Errorf("If-None-Match %q", got)
	}
	s.set(feedURL, page{200, rss(rssItem(3, "News", "More."), rssItem(2, "Talks in Tehran", "Iran talks fail."), rssItem(1, "Soup", "A recipe.")), `W/"2"`, nil})
	if sum := poll(t, a); sum.New != 1 || sum.Revised != 1 || sum.Seen != 3 {
		t.Errorf("third poll: %+v", sum)
	}
	src, err := m.Source(t.Context(), "blog")
	if err != nil || src.State.ETag != `W/"2"` || src.Title != "The Blog" || src.Site != "https://blog.example/" {
		t.Errorf("source after polls: %+v, %v", src, err)
	}
	if len(s.asked) != 3 {
		t.Errorf("%d requests for three polls", len(s.asked))
	}
}

// OPS-28: whoever counts polls is told the outcome of each, in words of a closed set.
func TestPolled(t *testing.T) {
	s := &site{}
	a, _ := bench(t, s)
	var got []string
	a.polled = func(p Polled) { got = append(got, fmt.Sprintf("%s %s %d", p.Outcome, p.Class, p.New)) }
	subscribe(t, a)
	s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), `"1"`, nil})
	poll(t, a)
	poll(t, a)
	s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), "", nil})
	poll(t, a)
	s.set(feedURL, page{200, "<note>hello</note>", "", nil})
	poll(t, a)
	if want := []string{"fetched  1", "not_modified  0", "unchanged  0", "failed not-a-feed 0"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// Whatever a server answers, nothing stored is lost, the source says what is the
// matter, and the round goes on (F-58, F-61; issue "bad input").
func TestPollFailures(t *testing.T) {
	good := page{200, rss(rssItem(1, "Soup", "A recipe.")), `"1"`, nil}
	for _, tc := range []struct {
		name  string
		page  page
		class string
	}{
		{"a web page", page{200, "<!DOCTYPE html><html><body>Login</body></html>", "", nil}, "html"},
		{"nothing", page{200, "", "", nil}, "empty"},
		{"no feed", page{200, "<note>hello</note>", "", nil}, "not-a-feed"},
		{"cut off before the first post", page{200, "<rss><channel><item><title>x", "", nil}, "not-a-feed"},
		{"server error", page{500, "", "", nil}, "server"},
		{"not found", page{404, "", "", nil}, "not-found"},
	} {
		s := &site{}
		a, m := bench(t, s)
		subscribe(t, a)
		s.set(feedURL, good)
		poll(t, a)
		s.set(feedURL, tc.page)
		sum := poll(t, a)
		if sum.Failed != 1 || len(sum.Errors) != 1 || sum.Errors[0].Source != "blog" || sum.Errors[0].Error == "" {
			t.Errorf("%s: %+v", tc.name, sum)
		}
		src, err := m.Source(t.Context(), "blog")
		if err != nil || src.State.Class != tc.class || src.State.LastError == "" || src.State.Failures != 1 {
			t.Errorf("%s: state %+v, %v", tc.name, src.State, err)
		}
		if n := len(items(t, m)); n != 1 {
			t.Errorf("%s: %d items left of 1", tc.name, n)
		}
	}
}

// A document whose head alone changes from poll to poll is not kept again, but
// its entries' last sighting moves.
func TestBuildDateIsNoDocument(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), "", nil})
	poll(t, a)
	before, _ := m.Stats(t.Context())
	s.set(feedURL, page{200, strings.Replace(rss(rssItem(1, "Soup", "A recipe.")), "<description/>", "<description/><lastBuildDate>now</lastBuildDate>", 1), "", nil})
	if sum := poll(t, a); sum.New+sum.Revised != 0 || sum.Seen != 1 {
		t.Errorf("second poll: %+v", sum)
	}
	after, _ := m.Stats(t.Context())
	if after.Raw != before.Raw || after.Records != before.Records {
		t.Errorf("a new build date wrote records: %+v, then %+v", before, after)
	}
	if all := items(t, m); !all[0].LastSeen.After(all[0].FirstSeen) {
		t.Error("the last sighting did not move")
	}
}

// The configuration's sources are added, moved and removed; what a redirect taught
// goes with a new address only.
func TestSyncSources(t *testing.T) {
	a, m := bench(t, &site{})
	sync := func(want ...store.Source) []string {
		said, err := a.SyncSources(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	one := store.Source{ID: "one", URL: "https://one.example/feed", Title: "One"}
	if said := sync(one); len(said) != 1 {
		t.Errorf("first: %q", said)
	}
	moved := store.Source{ID: "one", URL: one.URL, Title: "One", Origin: "config", Moved: "https://new.example/feed"}
	if err := m.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &moved}}); err != nil {
		t.Fatal(err)
	}
	if said := sync(one); len(said) != 0 {
		t.Errorf("unchanged: %q", said)
	}
	if s, _ := m.Source(t.Context(), "one"); s.Address() != "https://new.example/feed" {
		t.Errorf("a learned address is lost: %s", s.Address())
	}
	one.URL = "https://other.example/feed"
	sync(one)
	if s, _ := m.Source(t.Context(), "one"); s.Address() != one.URL {
		t.Errorf("the configured address does not win: %s", s.Address())
	}
	sync()
	if s, err := m.Source(t.Context(), "one"); err == nil && !s.Removed {
		t.Errorf("source is still there: %+v", s)
	}
}

// The daemon polls what is due, keeps to the floor, takes up a source that is
// added while it runs, and ends with nothing left running.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{}
		a, m := bench(t, s)
		subscribe(t, a)
		s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), `"1"`, nil})
		s.set("https://late.example/feed", page{200, rss(rssItem(9, "Late", "Late.")), "", nil})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if len(s.asked) != 1 || len(items(t, m)) != 1 {
			t.Errorf("after half an hour: %d requests, %d items", len(s.asked), len(items(t, m)))
		}
		if _, err := a.AddSource(ctx, store.Source{URL: "https://late.example/feed"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(items(t, m)) != 2 {
			t.Errorf("a source added while running was not polled: %d items", len(items(t, m)))
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// troubled is an archive that cannot say what it knows, or cannot store a poll.
type troubled struct {
	Archive
	known, finish error
}

func (a *troubled) Known(ctx context.Context, id feed.SourceID, d []feed.Digest) ([]bool, error) {
	if a.known != nil {
		return nil, a.known
	}
	return a.Archive.Known(ctx, id, d)
}

func (a *troubled) Finish(ctx context.Context, l store.Lease, r store.PollResult) ([]store.Outcome, error) {
	if a.finish != nil {
		return nil, a.finish
	}
	return a.Archive.Finish(ctx, l, r)
}

// When the archive cannot take what came, the publisher is asked as often as ever, not
// again and again (F-75).
func TestTroubleIsOurs(t *testing.T) {
	for name, trouble := range map[string]troubled{"reading": {known: store.ErrCorrupt}, "writing": {finish: store.ErrFull}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &site{}
				a, m := bench(t, s)
				subscribe(t, a)
				s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), `"1"`, nil})
				trouble.Archive = m
				a.archive = &trouble
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- a.Run(ctx) }()
				time.Sleep(3*time.Hour + 30*time.Minute)
				synctest.Wait()
				if n := len(s.asked); n != 4 {
					t.Errorf("asked %d times in three hours and a half, want 4", n)
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

// A 429 with Retry-After holds every source of the host, by hand too (F-51, F-53).
func TestRefusalHoldsTheHost(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	for _, id := range []feed.SourceID{"one", "two"} {
		url := "https://blog.example/" + string(id)
		s.set(url, page{429, "", "", map[string]string{"Retry-After": "7200"}})
		if _, err := a.AddSource(t.Context(), store.Source{ID: id, URL: url}); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := a.Poll(t.Context(), PollOptions{Sources: []feed.SourceID{"one"}}); err != nil || sum.Failed != 1 {
		t.Fatalf("first poll: %+v, %v", sum, err)
	}
	sum, err := a.Poll(t.Context(), PollOptions{Sources: []feed.SourceID{"two"}})
	if err != nil || sum.Failed != 1 || !strings.Contains(sum.Errors[0].Error, "asked not to be") {
		t.Errorf("poll of the other source: %+v, %v", sum, err)
	}
	if len(s.asked) != 1 {
		t.Errorf("%d requests, want one", len(s.asked))
	}
	// A new process knows it from what is stored.
	a2, _ := bench(t, s)
	a2.archive = m
	if _, err := a2.Poll(t.Context(), PollOptions{All: true}); err != nil || len(s.asked) != 1 {
		t.Errorf("after a restart: %d requests, %v", len(s.asked), err)
	}
	a3, _ := bench(t, s)
	a3.archive = m
	until, err := a3.HeldUntil(t.Context(), store.Source{ID: "three", URL: "https://blog.example/three"})
	if wait := time.Until(until); err != nil || wait < time.Hour || wait > 2*time.Hour {
		t.Errorf("the host is held for %v, %v", wait, err)
	}
	if until, err := a3.HeldUntil(t.Context(), store.Source{ID: "other", URL: "https://other.example/"}); err != nil || !until.IsZero() {
		t.Errorf("another host is held until %v, %v", until, err)
	}
}

// leases counts what is asked of the archive.
type leases struct {
	*storetest.Model
	n atomic.Int64
}

func (l *leases) Lease(ctx context.Context, q store.LeaseQuery) ([]store.Lease, error) {
	l.n.Add(1)
	return l.Model.Lease(ctx, q)
}

// A daemon that starts while a host wants to be left alone waits for the end of it,
// rather than look every second whether it may ask (F-51).
func TestHeldHostAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{}
		a, m := bench(t, s)
		for i := range 20 {
			url := fmt.Sprintf("https://blog.example/%d", i)
			s.set(url, page{429, "", "", map[string]string{"Retry-After": "7200"}})
			if _, err := a.AddSource(t.Context(), store.Source{ID: feed.SourceID(fmt.Sprint("s", i)), URL: url}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Poll(t.Context(), PollOptions{Sources: []feed.SourceID{"s0"}}); err != nil {
			t.Fatal(err)
		}
		a2, _ := bench(t, s)
		l := &leases{Model: m}
		a2.archive = l
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := a2.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(s.asked) != 1 || l.n.Load() > 40 {
			t.Errorf("in an hour: %d requests, %d leases", len(s.asked), l.n.Load())
		}
	})
}

// A source that moves to the address of another one ends; nothing is polled twice
// and nothing is lost (F-47).
func TestMoveOntoAnotherSource(t *testing.T) {
	a, m := bench(t, &site{})
	if _, err := a.SyncSources(t.Context(), []store.Source{{ID: "old", URL: "http://old.example/feed"}, {ID: "new", URL: "https://new.example/feed"}}); err != nil {
		t.Fatal(err)
	}
	s, err := m.Source(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	next, st := s.Source, s.State
	next.Moved = "https://new.example/feed/"
	note, err := a.mergeInto(t.Context(), &next, &st)
	if err != nil || !strings.Contains(note, "source new") || !next.Disabled {
		t.Errorf("merge: %q, %v, disabled %v", note, err, next.Disabled)
	}
	if err := m.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &next, State: &st}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SyncSources(t.Context(), []store.Source{{ID: "old", URL: "http://old.example/feed"}, {ID: "new", URL: "https://new.example/feed"}}); err != nil {
		t.Fatal(err)
	}
	if s, _ := m.Source(t.Context(), "old"); !s.Disabled {
		t.Error("the configuration took a merged source up again")
	}
}

// A document that breaks off is taken as far as it goes, and named (issue "bad input").
func TestTruncatedIsNamed(t *testing.T) {
	whole := rss(rssItem(2, "Talks", "On Iran."), rssItem(1, "Soup", "A recipe."))
	cut := whole[:strings.LastIndex(whole, "<item>")+20]
	s := &site{}
	a, m := bench(t, s)
	sum, err := a.Import(t.Context(), ImportOptions{Name: "cut.xml", Source: "imported"}, strings.NewReader(cut))
	if err != nil || sum.Documents != 1 || sum.Partial != 1 || sum.Failed != 0 || sum.New != 1 || len(sum.Errors) != 1 || !strings.Contains(sum.Errors[0].Error, "breaks off") {
		t.Errorf("import: %+v, %v", sum, err)
	}
	subscribe(t, a)
	s.set(feedURL, page{200, cut, "", nil})
	if sum := poll(t, a); sum.New+sum.Duplicate != 1 || sum.Failed != 0 {
		t.Errorf("poll: %+v", sum)
	}
	if src, err := m.Source(t.Context(), "blog"); err != nil || !slices.Contains(src.State.Repairs, "truncated") {
		t.Errorf("the state does not say so: %+v, %v", src.State, err)
	}
}
