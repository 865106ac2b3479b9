package publish

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/publish/render"
)

// benchWorld has a feed of 50 posts of the size of real ones (4.3 KB of HTML each).
func benchWorld(b testing.TB) *world {
	w := newWorld(b, testConfig(), testTopics())
	words := strings.Fields("the iraqi government announced on monday that residents of camp ashraf must leave for another country while lawyers of the group said that nobody had told them where they could go and officials in tehran spoke of a visit next week")
	var posts []post
	n := uint32(1)
	for i := range 50 {
		var s strings.Builder
		for s.Len() < 4300 {
			s.WriteString("<p>")
			for range 60 {
				n = n*1664525 + 1013904223
				s.WriteString(words[int(n>>16)%len(words)])
				s.WriteString(strconv.Itoa(int(n>>8)%100) + " ")
			}
			fmt.Fprintf(&s, `<a href="https://one.example/%d">more</a></p>`, n)
		}
		posts = append(posts, post{source: "one", guid: fmt.Sprint(i), title: fmt.Sprintf("Post %d about Iran", i), text: s.String(), topics: []feed.TopicID{"iran"}, at: start.Add(time.Duration(i) * time.Minute)})
	}
	w.add(posts...)
	return w
}

// serve measures CPU a request of a handler over one connection of loopback. The
// client writes prepared bytes and counts what comes back, so that it costs little.
func serve(b *testing.B, h http.Handler, request string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-done }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	req := []byte(request)
	if _, err := c.Write(req); err != nil {
		b.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		b.Fatal(err)
	}
	first, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	// Answers have one length, but for the clock in Date: count the head once.
	var head strings.Builder
	if err := res.Header.Write(&head); err != nil {
		b.Fatal(err)
	}
	size := len(fmt.Sprintf("HTTP/1.1 %s\r\n", res.Status)) + head.Len() + 2 + len(first)
	if res.ContentLength >= 0 && res.Header.Get("Content-Length") == "" && len(first) > 0 {
		size += len(fmt.Sprintf("Content-Length: %d\r\n", len(first)))
	}
	buf := make([]byte, size)
	before := feedtest.CPU(b)
	for b.Loop() {
		if _, err := c.Write(req); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(r, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((feedtest.CPU(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	if r.Buffered() > 0 {
		b.Fatalf("%d bytes more than expected: the sizes are wrong", r.Buffered())
	}
}

// bare sends the same header fields and bytes from memory: the bound.
func bare(w *world, path string, header ...string) http.Handler {
	rec := w.get(path, header...)
	body := rec.Body.Bytes()
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		h := rw.Header()
		maps.Copy(h, rec.Header())
		rw.WriteHeader(rec.Code)
		if len(body) > 0 {
			_, _ = rw.Write(body)
		}
	})
}

// FIGURES (d): a 304 and a gzip answer beside a bare server, at most 1.3 ×.
func BenchmarkServe(b *testing.B) {
	w := benchWorld(b)
	const path = "/feeds/iran.atom"
	tag := w.get(path, "Accept-Encoding", "gzip").Header().Get("Etag")
	common := "GET " + path + " HTTP/1.1\r\nHost: feeds.example.org\r\nUser-Agent: newsboat/2.30\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
	for _, c := range []struct{ name, request string }{
		{"304", common + "If-None-Match: " + tag + "\r\n\r\n"},
		{"gzip", common + "\r\n"},
	} {
		var header []string
		if c.name == "304" {
			header = []string{"If-None-Match", tag}
		}
		header = append(header, "Accept-Encoding", "gzip")
		b.Run(c.name+"/bare", func(b *testing.B) { serve(b, bare(w, path, header...), c.request) })
		b.Run(c.name+"/chancery", func(b *testing.B) { serve(b, w.web, c.request) })
	}
}

// FIGURES (d): after a change a feed of 50 is made once, at most 5 ms with gzip.
// One entry is prepared anew, the others are kept.
func BenchmarkRender(b *testing.B) {
	w := benchWorld(b)
	w.body("/feeds/iran.atom")
	f := w.pub.state.fixed["iran"]
	first := f.snap.Load().ids[0]
	for _, format := range render.Formats {
		b.Run(format.String(), func(b *testing.B) {
			before := feedtest.CPU(b)
			for b.Loop() {
				f.snap.Store(nil)
				w.pub.pages.clear()
				w.pub.entries.drop(entryKey{first, "full"})
				if rec := w.get("/feeds/iran."+format.String(), "Accept-Encoding", "gzip"); rec.Code != http.StatusOK {
					b.Fatal(rec.Code)
				}
			}
			b.ReportMetric(float64((feedtest.CPU(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// One new item with 1,000 feeds defined and in use: at most 20 ms, and only those
// that it touches are made again.
func BenchmarkArrival(b *testing.B) {
	defs := testTopics()
	for i := range 500 {
		defs.Topics = append(defs.Topics, Topic{ID: feed.TopicID(fmt.Sprintf("t%d", i))})
		defs.Feeds = append(defs.Feeds, Feed{ID: fmt.Sprintf("f%d", i), Query: fmt.Sprintf(`topic:t%d OR (camp ashraf%d AND "said a spokesman") OR title:word%d`, i, i, i)})
	}
	w := newWorld(b, testConfig(), defs)
	w.fill("one", 200, "iran", "t1", "t2")
	for _, t := range defs.Topics {
		w.body("/feeds/" + string(t.ID) + ".atom")
	}
	for _, f := range defs.Feeds {
		w.body("/feeds/" + f.ID + ".atom")
	}
	text := "<p>" + strings.Repeat("residents of camp ashraf must leave, said a spokesman of the government. ", 40) + "</p>"
	n := 0
	before := feedtest.CPU(b)
	for b.Loop() {
		n++
		w.now = w.now.Add(time.Minute)
		w.add(post{source: "two", guid: fmt.Sprint(n), title: "New", text: text, topics: []feed.TopicID{"iran", "t1"}, at: w.now})
	}
	b.ReportMetric(float64((feedtest.CPU(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	dirty := 0
	for _, f := range w.pub.state.all() {
		f.mu.Lock()
		if f.snap.Load() == nil && f.id != "" {
			dirty++
		}
		f.mu.Unlock()
	}
	b.ReportMetric(float64(dirty), "feeds-to-make")
}

// thousand is a world with 1,000 feeds of 50 posts each that were all asked for.
func thousand(b *testing.B) (*world, []string) {
	defs := Definitions{}
	for i := range 1000 {
		defs.Topics = append(defs.Topics, Topic{ID: feed.TopicID(fmt.Sprintf("t%d", i))})
	}
	w := newWorld(b, testConfig(), defs)
	text := "<p>" + strings.Repeat("residents of camp ashraf must leave, said a spokesman of the government. ", 55) + "</p>"
	var posts []post
	for i := range 2500 {
		p := post{source: "one", guid: fmt.Sprint(i), title: fmt.Sprintf("Post %d", i), text: text + fmt.Sprint(i), at: start.Add(time.Duration(i) * time.Second)}
		for k := range 20 {
			p.topics = append(p.topics, feed.TopicID(fmt.Sprintf("t%d", (i*20+k)%1000)))
		}
		posts = append(posts, p)
	}
	w.add(posts...)
	var paths []string
	for _, t := range defs.Topics {
		paths = append(paths, "/feeds/"+string(t.ID)+".atom")
	}
	return w, paths
}

// Memory for 1,000 feeds that were all asked for: at most 128 MB, what the archive
// in memory takes apart.
func BenchmarkMemory(b *testing.B) {
	w, paths := thousand(b)
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := heap()
	for b.Loop() {
		for _, p := range paths {
			if rec := w.get(p, "Accept-Encoding", "gzip"); rec.Code != http.StatusOK {
				b.Fatal(rec.Code)
			}
		}
	}
	b.ReportMetric(heap()-before, "heap-MB")
	b.ReportMetric(float64(w.pub.pages.bytes()+w.pub.entries.bytes())/(1<<20), "cached-MB")
}

// Requests for mixed feeds over eight connections: three of four are conditional
// and current.
func BenchmarkMixed(b *testing.B) {
	w, paths := thousand(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: w.web, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-done }()
	tags := make([]string, len(paths))
	for i, p := range paths {
		tags[i] = w.get(p, "Accept-Encoding", "gzip").Header().Get("Etag")
	}
	var next atomic.Int64
	b.ResetTimer()
	begin := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				i := int(next.Add(1))
				if i > b.N {
					return
				}
				k, want := i%len(paths), http.StatusOK
				req := "GET " + paths[k] + " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
				if i%4 != 0 {
					req += "If-None-Match: " + tags[k] + "\r\n"
					want = http.StatusNotModified
				}
				if _, err := io.WriteString(c, req+"\r\n"); err != nil {
					b.Error(err)
					return
				}
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != want {
					b.Errorf("%s: %d %v", paths[k], res.StatusCode, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "req/s")
}
