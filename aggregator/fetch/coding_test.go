package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encode applies one coding.
func encode(t testing.TB, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		return zipped(string(b))
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "raw":
		w, _ = flate.NewWriter(&out, 6)
	default:
		t.Fatalf("coding %s", coding)
	}
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// All codings are undone, also two on one another, wrongly named ones, and
// members and padding that follow; a third coding or an unknown one is an error.
func TestCodings(t *testing.T) { // F-32 F-33 F-34 F-35 PEERS-22
	long := rss + strings.Repeat("<!-- x -->", 100)
	gz := encode(t, "gzip", []byte(long))
	for _, c := range []struct {
		name, field string
		body        []byte
		class       Class // "" for success
		flag        string
	}{
		{"identity", "", []byte(long), "", ""},
		{"gzip", "gzip", gz, "", ""},
		{"x-gzip", "X-GZip", gz, "", ""},
		{"br", "br", encode(t, "br", []byte(long)), "", ""},
		{"zstd", "zstd", encode(t, "zstd", []byte(long)), "", ""},
		{"deflate as zlib", "deflate", encode(t, "zlib", []byte(long)), "", ""},
		{"deflate raw", "deflate", encode(t, "raw", []byte(long)), "", ""},
		{"br then gzip", "br, gzip", encode(t, "gzip", encode(t, "br", []byte(long))), "", ""},
		{"gzip twice", "gzip,gzip", encode(t, "gzip", gz), "", ""},
		{"three", "gzip, br, gzip", gz, Coding, ""},
		{"unknown", "snappy", []byte(long), Coding, ""},
		{"said gzip, is not", "gzip", []byte(long), "", "gzip-ignored"},
		{"said zstd, is not", "zstd", []byte(long), "", "zstd-ignored"},
		{"said br, is not", "br", []byte(long), "", "br-ignored"},
		{"said deflate, is not", "deflate", []byte(long), "", "deflate-ignored"},
		{"gzip cut", "gzip", gz[:len(gz)/2], Truncated, ""},
		{"gzip cut in the header", "gzip", gz[:6], Truncated, ""},
		{"zstd cut", "zstd", encode(t, "zstd", []byte(long))[:20], Truncated, ""},
		{"br cut", "br", encode(t, "br", []byte(long))[:20], Truncated, ""},
		{"gzip with a wrong checksum", "gzip", append(bytes.Clone(gz[:len(gz)-8]), 1, 2, 3, 4, 5, 6, 7, 8), Coding, ""},
		{"gzip in two members", "gzip", append(encode(t, "gzip", []byte(long[:50])), encode(t, "gzip", []byte(long[50:]))...), "", ""},
		{"gzip with padding", "gzip", append(bytes.Clone(gz), make([]byte, 512)...), "", ""},
		{"gzip with a line behind it", "gzip", append(bytes.Clone(gz), "<!-- cached -->"...), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.field != "" {
					w.Header().Set("Content-Encoding", c.field)
				}
				w.Header().Set("ETag", `"x"`)
				_, _ = w.Write(c.body)
			})
			resp, err := loopback(t, nil).Get(t.Context(), Request{URL: s.URL})
			if class(err) != c.class {
				t.Fatalf("error %v, want class %q", err, c.class)
			}
			if c.class != "" {
				return
			}
			if string(resp.Body) != long {
				t.Errorf("got %d bytes, want %d", len(resp.Body), len(long))
			}
			if resp.Wire != int64(len(c.body)) {
				t.Errorf("%d bytes on the wire, want %d", resp.Wire, len(c.body))
			}
			if c.flag != "" && !slices.Contains(resp.Flags, c.flag) {
				t.Errorf("flags %v, want %s", resp.Flags, c.flag)
			}
		})
	}
}

// What is asked for is said, the same list in each request, and nothing else.
func TestRequestHeader(t *testing.T) { // F-30 F-31 F-32 F-37 F-83 F-85 F-86
	var got []http.Header
	var uri string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, uri = append(got, r.Header), r.RequestURI
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = w.Write([]byte(rss))
	})
	c := loopback(t, func(c *Config) { c.Version, c.Contact = "1.0", "me@example.org (Me)" })
	for range 2 {
		if _, err := c.Get(t.Context(), Request{URL: s.URL + "/feed?a=1&b#frag", Subscribers: 3}); err != nil {
			t.Fatal(err)
		}
	}
	want := http.Header{
		"Accept": {accept}, "Accept-Encoding": {"gzip, br, zstd"},
		"User-Agent": {"chancery/1.0 (+me@example.org Me) (3 subscribers)"},
	}
	for i, h := range got {
		for name := range h {
			if h.Get(name) != want.Get(name) {
				t.Errorf("request %d: %s: %q, want %q", i, name, h.Get(name), want.Get(name))
			}
		}
		if len(h) != len(want) {
			t.Errorf("request %d has fields %v, want those of %v", i, h, want)
		}
	}
	if uri != "/feed?a=1&b" {
		t.Errorf("asked for %s", uri)
	}
}

// bomb is n spaces in a coding, which is about n/1000 long or less.
func bomb(t testing.TB, coding string, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w, err = gzip.NewWriterLevel(&out, gzip.BestSpeed)
	case "br":
		w = brotli.NewWriterLevel(&out, 1)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	case "zlib":
		w, err = zlib.NewWriterLevel(&out, zlib.BestSpeed)
	}
	if err != nil {
		t.Fatal(err)
	}
	pad := bytes.Repeat([]byte(" "), 1<<20)
	for range n >> 20 {
		if _, err := w.Write(pad); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A bomb in any coding, also inside another, is stopped at the ratio with
// little memory used.
func TestBombs(t *testing.T) { // F-97 SEC-10
	const size = 20 << 20
	for _, c := range []struct {
		name, field string
		body        []byte
	}{
		{"gzip", "gzip", bomb(t, "gzip", size)},
		{"br", "br", bomb(t, "br", size)},
		{"zstd", "zstd", bomb(t, "zstd", size)},
		{"deflate", "deflate", bomb(t, "zlib", size)},
		{"gzip in gzip", "gzip, gzip", encode(t, "gzip", bomb(t, "gzip", size))},
		{"br in zstd", "br, zstd", encode(t, "zstd", bomb(t, "br", size))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", c.field)
				_, _ = w.Write(c.body)
			})
			client := loopback(t, nil)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, err := client.Get(t.Context(), Request{URL: s.URL})
			runtime.ReadMemStats(&after)
			if class(err) != Bomb {
				t.Errorf("error %v, want a bomb", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d MiB allocated in all, want under 16", used>>20)
			}
		})
	}
}

// A zstd frame that needs a larger window than RFC 9659 permits is refused.
func TestZstdWindow(t *testing.T) { // F-36
	for _, c := range []struct {
		window int
		class  Class
	}{{8 << 20, ""}, {16 << 20, Coding}} {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, zstd.WithWindowSize(c.window), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(rss))
		_ = w.Flush()
		_, _ = w.Write([]byte(strings.Repeat(" ", 100)))
		_ = w.Close()
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "zstd")
			_, _ = w.Write(out.Bytes())
		})
		if _, err := loopback(t, nil).Get(t.Context(), Request{URL: s.URL}); class(err) != c.class {
			t.Errorf("window of %d MiB: %v, want class %q", c.window>>20, err, c.class)
		}
	}
}

// Sizes are held to the byte, on the wire and decoded, with and without a length.
func TestSizes(t *testing.T) { // F-97 F-98
	limits := func(c *Config) { c.MaxWireBytes, c.MaxBytes = 100<<10, 300<<10 }
	noise := make([]byte, 400<<10) // does not compress
	for i := range noise {
		noise[i] = byte('a' + uint32(i*i*2654435761)>>27)
	}
	for _, c := range []struct {
		name   string
		coding string
		body   []byte
		length bool
		class  Class
	}{
		{"at the wire limit", "", noise[:100<<10], true, ""},
		{"at the wire limit, no length", "", noise[:100<<10], false, ""},
		{"over the wire limit", "", noise[:100<<10+1], true, TooLarge},
		{"over the wire limit, no length", "", noise[:100<<10+1], false, TooLarge},
		{"at the decoded limit", "gzip", encode(t, "gzip", bytes.Repeat(noise[:1000], 300<<10/1000)), true, ""},
		{"over the decoded limit", "gzip", encode(t, "gzip", bytes.Repeat(noise[:1000], 300<<10/1000+1000)), true, TooLarge},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.coding != "" {
				w.Header().Set("Content-Encoding", c.coding)
			}
			if c.length {
				w.Header().Set("Content-Length", strconv.Itoa(len(c.body)))
			} else {
				w.(http.Flusher).Flush()
			}
			_, _ = w.Write(c.body)
		})
		if _, err := loopback(t, limits).Get(t.Context(), Request{URL: s.URL}); class(err) != c.class {
			t.Errorf("%s: %v, want class %q", c.name, err, c.class)
		}
	}
}

// With all workers on large bodies, memory stays under the configured bound; who
// finds no place in time fails for that, and the others are served.
func TestMemoryBound(t *testing.T) { // F-99
	const workers, size = 16, 4 << 20
	body := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	c := loopback(t, func(c *Config) {
		c.Concurrency, c.PerHost = workers, workers
		c.MaxBytes = size
		c.MaxMemory = c.bound(2)
	})
	var inUse, most atomic.Int64
	results := make(chan error)
	for i := range workers {
		go func() {
			resp, err := c.Get(t.Context(), Request{URL: s.URL + "/" + strconv.Itoa(i)})
			if err == nil {
				n := inUse.Add(int64(cap(resp.Body)))
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				runtime.Gosched()
				inUse.Add(-int64(cap(resp.Body)))
				resp.Release()
				resp.Release() // twice is once
			}
			results <- err
		}()
	}
	for range workers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := most.Load(); got > c.cfg.MaxMemory {
		t.Errorf("%d bytes of bodies at a time, bound %d", got, c.cfg.MaxMemory)
	}
	if got := len(c.large); got != 0 {
		t.Errorf("%d places of large bodies not given back", got)
	}
}

// A large body that was never released gives its place back when it is garbage.
func TestReleaseForgotten(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcde\n"), 2<<20/16)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	c := loopback(t, func(c *Config) { c.MaxMemory = c.bound(1) })
	for range 3 {
		if _, err := c.Get(t.Context(), Request{URL: s.URL}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); len(c.large) > 0 && time.Now().Before(deadline); {
			runtime.GC()
			runtime.Gosched()
		}
	}
	if len(c.large) != 0 {
		t.Error("the place was not given back")
	}
}

// FuzzDecoder: any bytes in any coding end in data or an error, within the limits.
func FuzzDecoder(f *testing.F) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		f.Add(coding, encode(f, coding, []byte(rss)))
	}
	f.Add("deflate", encode(f, "zlib", []byte(rss)))
	f.Add("deflate", encode(f, "raw", []byte(rss)))
	cfg := DefaultConfig()
	f.Fuzz(func(t *testing.T, coding string, b []byte) {
		if !slices.Contains([]string{"gzip", "br", "zstd", "deflate"}, coding) {
			return
		}
		wire := &wireReader{r: bytes.NewReader(b), max: 1 << 20, stall: time.NewTimer(time.Hour), idle: time.Hour}
		dec, _, err := decoder(coding, wire)
		if err != nil {
			return
		}
		if c, ok := dec.(io.Closer); ok {
			defer c.Close()
		}
		n, _ := io.Copy(io.Discard, &layer{r: dec, wire: wire, cfg: &cfg})
		if n > cfg.MaxBytes+32<<10 {
			t.Errorf("%d bytes out of %d", n, len(b))
		}
	})
}
