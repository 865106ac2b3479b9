package blogtest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrDead is what a dead blog's connection ends with, wrapped in a *net.OpError.
var ErrDead error = syscall.ECONNREFUSED

// answer is a response before it is put into one form or another.
type answer struct {
	status int
	header http.Header
	body   []byte
	dead   bool // no answer at all
}

// RoundTrip answers as the blog at the request's host would. It never blocks and
// opens no connection; a host that is in no script does not resolve.
func (w *World) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Body != nil {
		req.Body.Close()
	}
	host := req.URL.Hostname()
	b := w.byHost[host]
	if b == nil {
		w.record(req, host, 0, 0)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	a := w.answer(b, req, "")
	if a.dead {
		w.record(req, host, 0, 0)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ErrDead}
	}
	w.record(req, host, a.status, len(a.body))
	body := a.body
	if req.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(a.body)), Request: req,
	}, nil
}

// Handler serves the world: by the Host header, or below /{host}/, in which case
// the URLs in what it serves lead there too.
func (w *World) Handler() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		host, _, err := net.SplitHostPort(req.Host)
		if err != nil {
			host = req.Host
		}
		b := w.byHost[host]
		base := ""
		if b == nil {
			var path string
			host, path, _ = strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
			if b = w.byHost[host]; b == nil {
				http.NotFound(rw, req)
				return
			}
			base = "http://" + req.Host
			req = req.Clone(req.Context())
			req.URL.Path = "/" + path
		}
		a := w.answer(b, req, base)
		if a.dead {
			w.record(req, host, 0, 0)
			panic(http.ErrAbortHandler) // ends the connection without an answer
		}
		w.record(req, host, a.status, len(a.body))
		maps.Copy(rw.Header(), a.header)
		rw.WriteHeader(a.status)
		if req.Method != http.MethodHead {
			_, _ = rw.Write(a.body) // a client that went away misses it
		}
	})
}

// retryAfter is what a blog with a rate limit asks for.
const retryAfter = 120 * time.Second

// answer decides what b says to req. URLs of the world are moved below base
// unless that is empty.
func (w *World) answer(b *blog, req *http.Request, base string) answer {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return plain(http.StatusMethodNotAllowed, "method not allowed\n")
	}
	times := w.now()
	posts := b.view(times)
	var d document
	isFeed := req.URL.Path == b.path
	switch {
	case isFeed:
		n := w.ask(b.host)
		switch b.trouble {
		case "dead":
			if n > 1 {
				return answer{dead: true}
			}
			return plain(http.StatusInternalServerError, "Error establishing a database connection\n")
		case "gone":
			return plain(http.StatusGone, "This blog has been removed by its author.\n")
		case "moved":
			a := plain(http.StatusMovedPermanently, "moved\n")
			a.header.Set("Location", w.move(b.to, base))
			return a
		case "limit":
			if n%3 == 0 {
				a := plain(http.StatusTooManyRequests, "slow down\n")
				a.header.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
				return a
			}
		}
		if b.trouble == "html" {
			d = b.page(posts)
		} else {
			d = b.feed(posts, times[0])
		}
	case b.trouble == "dead":
		return answer{dead: true}
	case req.URL.Path == "/":
		d = b.page(posts)
	case req.URL.Path == "/robots.txt":
		d = document{mediaType: "text/plain; charset=utf-8", body: []byte("User-agent: *\nAllow: /\n")}
	default:
		for _, p := range posts {
			if p.URL == "https://"+b.host+req.URL.Path {
				d = b.single(p)
			}
		}
		if d.body == nil {
			return plain(http.StatusNotFound, "not found\n")
		}
	}
	d.body = w.moveAll(d.body, base)
	return b.send(d, req, isFeed)
}

// send puts d into an answer, or 304 if the client has it.
func (b *blog) send(d document, req *http.Request, validated bool) answer {
	h := http.Header{"Content-Type": {d.mediaType}, "Vary": {"Accept-Encoding"}}
	if b.format == "json" && strings.HasPrefix(d.mediaType, "application/feed") {
		h.Set("Cache-Control", "max-age=600")
	}
	sum := sha256.Sum256(d.body)
	etag := fmt.Sprintf("%q", fmt.Sprintf("%x", sum[:8]))
	if b.validators == "weak" {
		etag = "W/" + etag
	}
	if validated && b.validators != "none" {
		if b.validators != "modified" {
			h.Set("ETag", etag)
		}
		if b.validators != "etag" {
			h.Set("Last-Modified", lastModified(d.modified))
		}
	}
	if unchanged(req.Header, h) {
		h.Del("Content-Type")
		return answer{status: http.StatusNotModified, header: h}
	}
	body := d.body
	if strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		var z bytes.Buffer
		zw := gzip.NewWriter(&z)
		_, err := zw.Write(body)
		if err := errors.Join(err, zw.Close()); err != nil {
			panic(err) // a buffer takes everything
		}
		body = z.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return answer{status: http.StatusOK, header: h, body: body}
}

// unchanged follows RFC 9110 §13.2.2: If-None-Match first, compared weakly; only
// without it If-Modified-Since.
func unchanged(req, resp http.Header) bool {
	if match := req.Get("If-None-Match"); match != "" {
		etag := strings.TrimPrefix(resp.Get("ETag"), "W/")
		for tag := range strings.SplitSeq(match, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); etag != "" && (tag == etag || tag == "*") {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(req.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(resp.Get("Last-Modified"))
	return err == nil && !modified.After(since)
}

func plain(status int, text string) answer {
	return answer{
		status: status, body: []byte(text),
		header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {strconv.Itoa(len(text))}},
	}
}

// move is a URL of the world as served at base.
func (w *World) move(url, base string) string { return string(w.moveAll([]byte(url), base)) }

// moveAll moves the URLs of all blogs below base.
func (w *World) moveAll(body []byte, base string) []byte {
	if base == "" {
		return body
	}
	for _, b := range w.blogs {
		body = bytes.ReplaceAll(body, []byte("https://"+b.host), []byte(base+"/"+b.host))
	}
	return body
}

// ask counts the requests for the feed of host, this one included.
func (w *World) ask(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[host]++
	return w.asked[host]
}
