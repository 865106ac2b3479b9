package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"chancery/cmd/chancery/control"
)

// newsFeed is a feed whose posts are timed: it notes when each left for the first time.
type newsFeed struct {
	server *httptest.Server

	mu    sync.Mutex // guards what follows
	posts []string   // the newest last
	sent  map[int]time.Time
}

func newNewsFeed() *newsFeed {
	n := &newsFeed{sent: map[int]time.Time{}}
	n.server = httptest.NewServer(n)
	n.add() // a feed without posts would be none
	return n
}

func (n *newsFeed) url() string { return n.server.URL + "/news.xml" }
func (n *newsFeed) close()      { n.server.Close() }

// Words of post i that nothing else has: one shows it, by the other it is searched for.
func shownWord(i int) string  { return fmt.Sprintf("zzshown%dzz", i) }
func soughtWord(i int) string { return fmt.Sprintf("zzsought%dzz", i) }

// add adds a post and gives its number.
func (n *newsFeed) add() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := len(n.posts)
	n.posts = append(n.posts, fmt.Sprintf("<item><guid>news-%d</guid><link>http://news.example/%d</link><title>Iran %s</title><pubDate>%s</pubDate><description>Tehran and the talks, %s.</description></item>",
		i, i, shownWord(i), time.Now().UTC().Format(time.RFC1123Z), soughtWord(i)))
	return i
}

// left is when post i was first sent, if it was.
func (n *newsFeed) left(i int) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.sent[i]
	return at, ok
}

// ServeHTTP gives the newest twenty posts.
func (n *newsFeed) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	newest := len(n.posts) - 1
	var b strings.Builder
	b.WriteString("<rss version=\"2.0\"><channel><title>News</title><link>http://news.example/</link>")
	for i := newest; i >= max(0, newest-19); i-- {
		b.WriteString(n.posts[i])
	}
	b.WriteString("</channel></rss>")
	n.mu.Unlock()
	w.Header().Set("Content-Type", "application/rss+xml")
	_, err := io.WriteString(w, b.String())
	if err = errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.sent[newest]; !ok {
		n.sent[newest] = time.Now()
	}
}

// newPost times the way of single posts.
type newPost struct {
	news         *newsFeed
	base, socket string
	source       string // its id
}

// postTimes are how long after its arrival a post was durable, in a feed, and found.
type postTimes struct{ durable, feed, search []time.Duration }

// lookAgain is how long a post that is not there yet is let alone: half of it is added
// to each time, in the mean.
const lookAgain = 3 * time.Millisecond

// times adds posts, one after the other, has each polled for, and looks when it is
// there; until so many are done, or stop is closed.
func (p *newPost) times(ctx context.Context, posts int, pause time.Duration, stop <-chan struct{}) (*postTimes, error) {
	t := &postTimes{}
	for range posts {
		if err := p.one(ctx, t); err != nil {
			return nil, err
		}
		select {
		case <-stop:
			return t, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return t, nil
}

// one sends a post on its way.
func (p *newPost) one(ctx context.Context, t *postTimes) error {
	i := p.news.add()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	var feedAt, searchAt time.Time
	var feedErr, searchErr error
	wg.Go(func() { feedAt, feedErr = p.await(ctx, "/feeds/iran.json", i) })
	wg.Go(func() {
		searchAt, searchErr = p.await(ctx, "/search.json?q="+url.QueryEscape(soughtWord(i)), i)
	})
	err := p.poll(ctx, i)
	done := time.Now()
	if err != nil {
		cancel()
	}
	wg.Wait()
	if err := errors.Join(err, feedErr, searchErr); err != nil {
		return fmt.Errorf("post %d of the news: %w", i, err)
	}
	left, _ := p.news.left(i)
	for _, at := range []time.Time{feedAt, searchAt} { // the daemon's own poll may have brought it
		if at.Before(done) {
			done = at
		}
	}
	t.durable = append(t.durable, done.Sub(left))
	t.feed = append(t.feed, feedAt.Sub(left))
	t.search = append(t.search, searchAt.Sub(left))
	return nil
}

// poll has the daemon poll the news, which returns when what it brought is durable. The
// schedule may have the source just then: it is asked again until the post has left.
func (p *newPost) poll(ctx context.Context, i int) error {
	for {
		var out, errs bytes.Buffer
		c, err := control.Dial(ctx, p.socket)
		if err != nil {
			return err
		}
		status, err := c.Run(ctx, control.Request{Args: []string{"poll", p.source}}, nil, &out, &errs)
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
		if _, ok := p.news.left(i); ok {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("was not polled (status %d): %s", status, errs.String())
		}
		time.Sleep(lookAgain)
	}
}

// await asks until an answer shows post i.
func (p *newPost) await(ctx context.Context, path string, i int) (time.Time, error) {
	tag := ""
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
		if err != nil {
			return time.Time{}, err
		}
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return time.Time{}, err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return time.Time{}, err
		}
		switch {
		case resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(shownWord(i))):
			return time.Now(), nil
		case resp.StatusCode == http.StatusOK:
			tag = resp.Header.Get("Etag")
		case resp.StatusCode != http.StatusNotModified:
			return time.Time{}, fmt.Errorf("%s: HTTP %d: %.200s", path, resp.StatusCode, body)
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s: %w", path, context.Cause(ctx))
		case <-time.After(lookAgain):
		}
	}
}

func (t *postTimes) report(b *farmBench, bound float64) {
	b.say("posts", float64(len(t.durable)), "")
	if len(t.durable) == 0 {
		return
	}
	for _, of := range []struct {
		name string
		took []time.Duration
	}{{"durable", t.durable}, {"in its topic's feed", t.feed}, {"found by a search", t.search}} {
		b.say("  from its arrival until it is "+of.name+", p50", millis(quantile(of.took, 0.5)), "ms")
		b.atMost("  the same, p99", millis(quantile(of.took, 0.99)), "ms", bound)
	}
}
