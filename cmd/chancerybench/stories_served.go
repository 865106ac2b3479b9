package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"chancery/feed"
	"chancery/feed/parse"
)

// wordsServed are the words of each post that the feeds show at this moment: they
// tell whether an edit changed any. Markup is taken out here in a plain way, so that
// a fault of the program's own would show.
func wordsServed(ctx context.Context, urls []string) (map[postKey]string, error) {
	words := map[postKey]string{}
	var mu sync.Mutex // guards words
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, address := range urls {
		group.Go(func() error {
			entries, err := entriesServed(ctx, address)
			if err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range entries {
				words[postKey{feedIndex(address), entries[i].ID}] = wordsOf(&entries[i])
			}
			return nil
		})
	}
	err := group.Wait()
	return words, err
}

func entriesServed(ctx context.Context, address string) ([]feed.Entry, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, err
		}
	}
	doc, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	d, err := parse.Open(doc, parse.Options{ContentType: resp.Header.Get("Content-Type"), URL: address})
	if err != nil {
		return nil, err
	}
	f, err := d.Feed(nil)
	if err != nil {
		return nil, err
	}
	return f.Entries, nil
}

var tags = regexp.MustCompile(`<[^>]*>`)

// wordsOf are the words of an entry's title and content, with single spaces between.
func wordsOf(e *feed.Entry) string {
	plain := html.UnescapeString(tags.ReplaceAllString(e.Content.Value, " "))
	return strings.Join(strings.Fields(e.Title.Value+" "+plain), " ")
}
