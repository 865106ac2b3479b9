package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// soakReaders are feed readers and people, each asking a few times a second.
type soakReaders struct {
	base atomic.Pointer[string]
	gate sync.RWMutex // held while the daemon is down on purpose

	mu      sync.Mutex // guards what follows
	answers map[int]int
	failed  int
	first   string // the first failure
}

func newSoakReaders(base string) *soakReaders {
	r := &soakReaders{answers: map[int]int{}}
	r.base.Store(&base)
	return r
}

func (r *soakReaders) pause()  { r.gate.Lock() }
func (r *soakReaders) resume() { r.gate.Unlock() }

const soakReaderCount = 8

func (r *soakReaders) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range soakReaderCount {
		group.Go(func() error { return r.read(ctx, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	return group.Wait()
}

// read is one reader: it keeps validators as readers do.
func (r *soakReaders) read(ctx context.Context, random *rand.Rand) error {
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	tags := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(100+random.IntN(200)) * time.Millisecond):
		}
		r.ask(ctx, client, soakPath(random), tags)
	}
}

// soakPath is something that somebody reads.
func soakPath(random *rand.Rand) string {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	topics := []string{"iran", "iraq", "mek"}
	suffix := pick("atom", "rss", "json")
	switch random.IntN(8) {
	case 0, 1, 2:
		return "/feeds/" + pick(append(topics, "all")...) + "." + suffix
	case 3:
		return "/feeds/" + pick("iran+mek", "iran,iraq", "iran!mek", "iran+iraq+mek") + "." + suffix
	case 4:
		return "/search." + suffix + "?q=" + url.QueryEscape(pick("tehran", "\"camp ashraf\"", "topic:iran -iraq", "mojahed*", "the NEAR/3 of"))
	case 5:
		return pick("/", "/status", "/opml.xml", "/topics/iran", "/search?q=tehran", "/api/v1/topics")
	case 6:
		return "/feeds/" + pick(topics...) + "/archive/1." + suffix
	}
	return "/feeds/all/archive/1"
}

// ask makes one request and counts its answer.
func (r *soakReaders) ask(ctx context.Context, client *http.Client, path string, tags map[string]string) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *r.base.Load()+path, nil)
	if err != nil {
		r.count(0, err)
		return
	}
	if tag := tags[path]; tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			r.count(0, err)
		}
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && ctx.Err() == nil {
		r.count(0, err)
		return
	}
	if tag := resp.Header.Get("Etag"); tag != "" {
		tags[path] = tag
	}
	if resp.StatusCode >= 500 {
		r.count(resp.StatusCode, fmt.Errorf("%s: HTTP %d", path, resp.StatusCode))
		return
	}
	r.count(resp.StatusCode, nil)
}

func (r *soakReaders) count(status int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[status]++
	if err != nil {
		r.failed++
		if r.first == "" {
			r.first = err.Error()
		}
	}
}

func (r *soakReaders) report(b *farmBench) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, status := range []int{200, 304, 404, 429, 503} {
		b.say(fmt.Sprintf("answers to readers with status %d", status), float64(r.answers[status]), "")
	}
	b.same("requests of readers that failed", int64(r.failed), 0)
	if r.first != "" {
		fmt.Fprintln(b.out, "    the first:", r.first)
	}
}
