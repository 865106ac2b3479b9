package selfscore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chancery/aggregator"
	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// Thirty days of every habit of servers: nothing in a bad column.
func TestRun(t *testing.T) { // F-142, and by its columns F-01 to F-07, F-11, F-14 to F-16, F-22, F-49 to F-56, F-75, F-76, F-85 to F-87
	table, err := Run(context.Background(), fetch.DefaultConfig(), schedule.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	if n := table.Bad(); n != 0 {
		t.Errorf("%d faults", n)
	}
}

// The same with the whole aggregator, its loop and its spacing, under a fake
// clock: stopped and started again twice a day, and refreshed by hand.
func TestAggregator(t *testing.T) { // F-142, F-78, F-88
	synctest.Test(t, func(t *testing.T) {
		server := NewServer(time.Now)
		fc := fetch.DefaultConfig()
		fc.Contact = "https://example.org/contact"
		client, err := fetch.NewOver(fc, server)
		if err != nil {
			t.Fatal(err)
		}
		topics, err := topic.Compile(nil)
		if err != nil {
			t.Fatal(err)
		}
		archive := storetest.NewModel()
		defer archive.Close()
		ids := map[string]feed.SourceID{}
		start := func() *aggregator.Aggregator {
			a, err := aggregator.New(aggregator.Config{Concurrency: fc.Concurrency, Schedule: schedule.DefaultConfig()}, aggregator.Deps{
				Archive: archive, Fetch: client, Topics: topics, Log: slog.New(slog.DiscardHandler), Ready: client.Ready, PerHost: fc.PerHost,
			})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		a := start()
		for _, u := range server.Feeds() {
			src, err := a.AddSource(t.Context(), store.Source{URL: u, Origin: "command"})
			if err != nil {
				t.Fatal(err)
			}
			ids[u] = src.ID
		}
		for range 2 * Days {
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Hour)
			time.AfterFunc(5*time.Hour, func() {
				for _, u := range server.ByHand() {
					if _, err := a.Poll(ctx, aggregator.PollOptions{Sources: []feed.SourceID{ids[u]}}); err != nil {
						t.Error(err)
					}
				}
			})
			if err := a.Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			a = start()
		}
		table := server.Table()
		var b strings.Builder
		if err := table.Write(&b); err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + b.String())
		if n := table.Bad(); n != 0 {
			t.Errorf("%d faults", n)
		}
		for _, r := range table {
			if r.Requests < 10 {
				t.Errorf("%s: only %d requests", r.Site, r.Requests)
			}
		}
	})
}

// The server sees each bad habit, so that zeros mean something.
func TestServerSees(t *testing.T) {
	get := func(s *Server, method, url string, header ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", "chancery/1 (+https://example.org/)")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := s.RoundTrip(r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			if errClose := resp.Body.Close(); err != nil || errClose != nil {
				t.Fatal(errors.Join(err, errClose))
			}
		}
	}
	const plain = "https://plain.test/feed"
	for _, c := range []struct {
		kind string
		do   func(s *Server, clock *time.Time)
	}{
		{"too soon", func(s *Server, clock *time.Time) {
			get(s, "GET", plain)
			*clock = clock.Add(59 * time.Minute)
			get(s, "GET", plain, "If-None-Match", `"v0"`, "If-Modified-Since", s.hosts["plain.test"].urls[plain].modified)
		}},
		{"unconditional", func(s *Server, clock *time.Time) {
			get(s, "GET", plain)
			*clock = clock.Add(25 * time.Hour)
			get(s, "GET", plain)
		}},
		{"left out", func(s *Server, clock *time.Time) {
			get(s, "GET", plain)
			*clock = clock.Add(2 * time.Hour)
			get(s, "GET", plain, "If-None-Match", `"v0"`)
		}},
		{"out of sequence", func(s *Server, clock *time.Time) {
			get(s, "GET", plain)
			*clock = clock.Add(25 * time.Hour)
			get(s, "GET", plain, "If-None-Match", `"v0"`)
			*clock = clock.Add(25 * time.Hour)
			get(s, "GET", plain, "If-None-Match", `"v0"`)
		}},
		{"made up", func(s *Server, _ *time.Time) {
			get(s, "GET", plain, "If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")
		}},
		{"not waited", func(s *Server, clock *time.Time) {
			get(s, "GET", "https://maxage.test/feed")
			*clock = clock.Add(2 * time.Hour)
			get(s, "GET", "https://maxage.test/feed", "If-None-Match", `"v0"`)
		}},
		{"not stopped", func(s *Server, clock *time.Time) {
			*clock = clock.Add(14 * day)
			get(s, "GET", "https://gone.test/feed")
		}},
		{"cookie", func(s *Server, _ *time.Time) { get(s, "GET", plain, "Cookie", "a=b") }},
		{"referer", func(s *Server, _ *time.Time) { get(s, "GET", plain, "Referer", plain) }},
		{"field", func(s *Server, _ *time.Time) { get(s, "GET", plain, "Range", "bytes=0-") }},
		{"query", func(s *Server, _ *time.Time) { get(s, "GET", plain+"?t=1") }},
		{"made-up URL", func(s *Server, _ *time.Time) { get(s, "GET", "https://plain.test/favicon.ico") }},
		{"made-up URL", func(s *Server, _ *time.Time) { get(s, "GET", "https://other.test/") }},
		{"method", func(s *Server, _ *time.Time) { get(s, "HEAD", plain) }},
		{"agent", func(s *Server, _ *time.Time) { get(s, "GET", plain, "User-Agent", "Go-http-client/1.1") }},
	} {
		clock := time.Date(2026, 3, 3, 9, 17, 0, 0, time.UTC)
		s := NewServer(func() time.Time { return clock })
		c.do(s, &clock)
		n := 0
		for _, r := range s.Table() {
			n += r.Bad[c.kind]
		}
		if n == 0 {
			t.Errorf("%s was not seen", c.kind)
		}
	}
}
