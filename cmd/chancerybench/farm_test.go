package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

const farmFeed = `<rss version="2.0"><channel><title>A</title><item><guid>1</guid><title>One</title></item></channel></rss>`

// The bare client gets a feed once, and asks with what it was given from then on.
func TestBareRounds(t *testing.T) {
	farm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Etag", `"1"`)
		_, _ = w.Write([]byte(farmFeed))
	}))
	defer farm.Close()
	b := newBare([]string{farm.URL + "/f/0/feed.xml", farm.URL + "/f/1/feed.xml"})
	defer b.close()
	for i, want := range []bareRound{{Fetched: 2, Entries: 2}, {NotModified: 2}} {
		got, err := b.round(t.Context(), parseAll)
		got.CPU = 0
		if err != nil || got != want {
			t.Errorf("round %d: %+v, %v; want %+v", i+1, got, err, want)
		}
	}
}

func TestFeedIndex(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.2:8088/f/17/feed.xml":      "17",
		"http://127.0.0.2:8088/real/f/17/feed.xml": "17",
		"http://127.0.0.2:8088/ctl/opml":           "",
		"http://127.0.0.2:8088/f":                  "",
	} {
		if got := feedIndex(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestTopicsOf(t *testing.T) {
	const config = "[server]\nlisten = \"x\"\n[[topic]]\nid = \"a\"\n[[source]]\nid = \"s\"\n[[topic]]\nid = \"b\"\n"
	const want = "[[topic]]\nid = \"a\"\n[[topic]]\nid = \"b\"\n"
	if got := topicsOf(config); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A process that works is seen to; the figures of this one are read as those of
// a daemon are.
func TestProcessFigures(t *testing.T) {
	self := os.Getpid()
	before, err := processCPU(self)
	if err != nil {
		t.Fatal(err)
	}
	for began := cpu(); cpu()-began < 50*time.Millisecond; {
	}
	after, err := processCPU(self)
	if err != nil || after <= before {
		t.Errorf("CPU %v after %v, %v", after, before, err)
	}
	if n, err := anon(self); err != nil || n < 1<<20 {
		t.Errorf("RssAnon %d, %v", n, err)
	}
}
