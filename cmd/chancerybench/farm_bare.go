package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"chancery/feed/parse"
	parsebare "chancery/feed/parse/bare"
)

// bare is the bound that the daemon is held to: a program that does nothing but
// GET the same addresses with kept connections and the same validators.
type bare struct {
	client *http.Client
	feeds  []bareFeed
}

type bareFeed struct {
	url, etag, modified string
}

// bareWorkers is how many requests a bare round has under way, as many as the
// daemon's concurrency allows.
const bareWorkers = 64

func newBare(urls []string) *bare {
	b := &bare{
		client: &http.Client{Transport: &http.Transport{
			DisableCompression: true, MaxIdleConns: 2048, MaxIdleConnsPerHost: bareWorkers, IdleConnTimeout: 10 * time.Minute,
		}},
		feeds: make([]bareFeed, len(urls)),
	}
	for i, u := range urls {
		b.feeds[i].url = u
	}
	return b
}

// what a bare round does with the bodies that it gets.
type handling int

const (
	discard   handling = iota // reads them
	unzip                     // and decodes them
	gofeedAll                 // and parses all entries with gofeed alone
	parseAll                  // and parses all entries as feed/parse does
)

// bareRound is what a round did and used.
type bareRound struct {
	NotModified, Fetched, Entries int
	CPU                           time.Duration
}

// round gets every feed once.
func (b *bare) round(ctx context.Context, do handling) (bareRound, error) {
	var r bareRound
	var mu sync.Mutex // guards r and failed
	var failed error
	work := make(chan *bareFeed)
	before := cpu()
	var wg sync.WaitGroup
	for range bareWorkers {
		wg.Go(func() {
			for f := range work {
				fresh, entries, err := b.get(ctx, f, do)
				mu.Lock()
				switch {
				case err != nil:
					failed = fmt.Errorf("%s: %w", f.url, err)
				case fresh:
					r.Fetched++
					r.Entries += entries
				default:
					r.NotModified++
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.feeds {
		work <- &b.feeds[i]
	}
	close(work)
	wg.Wait()
	r.CPU = cpu() - before
	return r, failed
}

func (b *bare) get(ctx context.Context, f *bareFeed, do handling) (fresh bool, entries int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return false, 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if f.etag != "" {
		req.Header.Set("If-None-Match", f.etag)
	}
	if f.modified != "" {
		req.Header.Set("If-Modified-Since", f.modified)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return false, 0, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		return false, 0, nil
	case http.StatusOK:
	default:
		return false, 0, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	f.etag, f.modified = resp.Header.Get("Etag"), resp.Header.Get("Last-Modified")
	body := io.Reader(resp.Body)
	if do > discard && resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return true, 0, err
		}
	}
	if do <= unzip {
		_, err = io.Copy(io.Discard, body)
		return true, 0, err
	}
	doc, err := io.ReadAll(body)
	if err != nil {
		return true, 0, err
	}
	if do == gofeedAll {
		n, err := parsebare.Parse(doc)
		return true, n, err
	}
	d, err := parse.Open(doc, parse.Options{ContentType: resp.Header.Get("Content-Type"), URL: f.url})
	if err != nil {
		return true, 0, err
	}
	got, err := d.Feed(nil)
	if err != nil {
		return true, 0, err
	}
	return true, len(got.Entries), nil
}

// close gives its connections back.
func (b *bare) close() { b.client.CloseIdleConnections() }
