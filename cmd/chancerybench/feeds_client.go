package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// page is a feed as it was first answered.
type page struct {
	path   string
	header http.Header // without Date
	body   []byte      // gzip
	asking []byte      // a request for it
	having []byte      // a conditional one that is answered 304
}

// capture asks for every path once.
func capture(ctx context.Context, target string, paths []string) ([]page, error) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	pages := make([]page, len(paths))
	for i, p := range paths {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target+p, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: HTTP %d", p, res.StatusCode)
		}
		res.Header.Del("Date")
		common := "GET " + p + " HTTP/1.1\r\nHost: " + target + "\r\nUser-Agent: newsboat/2.30\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
		pages[i] = page{
			path: p, header: res.Header, body: body,
			asking: []byte(common + "\r\n"), having: []byte(common + "If-None-Match: " + res.Header.Get("Etag") + "\r\n\r\n"),
		}
	}
	return pages, nil
}

// load is what a number of readers have asked for.
type load struct {
	n, failed int64
	took, cpu time.Duration // of the server
	first     string        // failure
}

func (l *load) rate() float64 { return float64(l.n) / l.took.Seconds() }

// each is the CPU of the server for one request, in µs.
func (l *load) each() float64 { return l.cpu.Seconds() * 1e6 / float64(l.n) }

// run lets readers ask as fast as they can for a time, each over one connection,
// and adds what came of it. An answer that is not the expected one is a failure.
func (l *load) run(ctx context.Context, target string, pid int, pages []page, readers int, last time.Duration, conditional func(*rand.Rand, *page) bool) error {
	before, err := processCPU(pid)
	if err != nil {
		return err
	}
	begin := time.Now()
	end := begin.Add(last)
	var n, failed atomic.Int64
	var first atomic.Pointer[string]
	g, ctx := errgroup.WithContext(ctx)
	for i := range readers {
		g.Go(func() error {
			c, err := dial(ctx, target)
			if err != nil {
				return err
			}
			defer c.Close()
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for time.Now().Before(end) && ctx.Err() == nil {
				p := &pages[random.IntN(len(pages))]
				request, want, size := p.asking, http.StatusOK, len(p.body)
				if conditional(random, p) {
					request, want, size = p.having, http.StatusNotModified, 0
				}
				code, got, err := c.ask(request)
				if err != nil {
					return fmt.Errorf("%s: %w", p.path, err)
				}
				n.Add(1)
				if code != want || got != size {
					failed.Add(1)
					s := fmt.Sprintf("%s: HTTP %d with %d bytes, want %d with %d", p.path, code, got, want, size)
					first.CompareAndSwap(nil, &s)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	after, err := processCPU(pid)
	if err != nil {
		return err
	}
	l.n, l.failed, l.took, l.cpu = l.n+n.Load(), l.failed+failed.Load(), l.took+time.Since(begin), l.cpu+after-before
	if s := first.Load(); s != nil && l.first == "" {
		l.first = *s
	}
	return nil
}

// conn is a connection that costs the machine little beside what it measures: it
// writes prepared bytes and reads lengths.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(ctx context.Context, target string) (*conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// ask sends a request and reads the answer; size is of the body.
func (c *conn) ask(request []byte) (code, size int, err error) {
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, 0, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, fmt.Errorf("status line %q", line)
	}
	if code, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("status line %q", line)
	}
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return code, 0, err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return code, 0, err
			}
		}
	}
	if code == http.StatusNotModified {
		return code, 0, nil
	}
	_, err = c.r.Discard(size)
	return code, size, err
}

// crawl reads a whole feed without gzip, over and over, 512 bytes every 100 ms, as
// a bad line or a bad client does. That the server gives up is no error.
func crawl(ctx context.Context, target, path string) error {
	for ctx.Err() == nil {
		c, err := dial(ctx, target)
		if err != nil {
			return err
		}
		if t, ok := c.Conn.(*net.TCPConn); ok {
			_ = t.SetReadBuffer(4 << 10) // so that the server has to wait
		}
		_, err = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		for b := make([]byte, 512); err == nil; {
			select {
			case <-ctx.Done():
				err = context.Cause(ctx)
			case <-time.After(100 * time.Millisecond):
				_, err = c.Read(b)
			}
		}
		_ = c.Close()
	}
	return nil
}

// insult sends headers that are too large, and counts how often they were refused.
func insult(ctx context.Context, target string) (refused int) {
	request := "GET /feeds/all.atom HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 24<<10) + "\r\n\r\n"
	for ctx.Err() == nil {
		c, err := dial(ctx, target)
		if err != nil {
			return refused
		}
		_, _ = io.WriteString(c, request) // it may be cut off in the middle
		if line, err := c.r.ReadSlice('\n'); err == nil && bytes.Contains(line, []byte(" 431 ")) {
			refused++
		}
		_ = c.Close()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return refused
}

// askEach asks for every path once over a number of connections, and counts
// answers by code.
func askEach(ctx context.Context, target string, paths []string, readers int) (map[int]int, error) {
	var mu sync.Mutex
	answers := map[int]int{}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range readers {
		g.Go(func() error {
			c, err := dial(ctx, target)
			if err != nil {
				return err
			}
			defer c.Close()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(paths) || ctx.Err() != nil {
					return context.Cause(ctx)
				}
				code, _, err := c.ask([]byte("GET " + paths[i] + " HTTP/1.1\r\nHost: " + target + "\r\nAccept-Encoding: gzip\r\n\r\n"))
				if err != nil {
					return fmt.Errorf("%s: %w", paths[i], err)
				}
				mu.Lock()
				answers[code]++
				mu.Unlock()
			}
		})
	}
	return answers, g.Wait()
}
