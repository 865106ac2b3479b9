package fetch

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each kind of answer that brings nothing is an error of its class, in one
// request; what the server said about waiting is kept.
func TestStatus(t *testing.T) { // F-15 F-22 F-30 F-57 F-58
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		retry  time.Duration
		wall   string
	}{
		{"410", status(410), Gone, 0, ""},
		{"404", status(404), NotFound, 0, ""},
		{"403", status(403), Forbidden, 0, ""},
		{"401", status(401), Auth, 0, ""},
		{"451", status(451), Auth, 0, ""},
		{"429", status(429, "Retry-After", "30"), Limited, 30 * time.Second, ""},
		{"500", status(500), Server, 0, ""},
		{"503", status(503, "Retry-After", "60"), Server, time.Minute, ""},
		{"400", status(400), Status, 0, ""},
		{"204", status(204), Empty, 0, ""},
		{"206", status(206), Protocol, 0, ""},
		{"226", status(226), Protocol, 0, ""},
		{"304 unasked", status(304), Protocol, 0, ""},
		{"203", page(203, rss), "", 0, ""},
		{"empty body", page(200, ""), Empty, 0, ""},
		{"blank body", page(200, " \n\t\n"), Empty, 0, ""},
		{"web page", page(200, "<!DOCTYPE html>\n<title>x</title>"), HTML, 0, ""},
		{"web page with comment", page(200, "<!-- x --><HTML lang=en>"), HTML, 0, ""},
		{"XHTML page", page(200, `<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x"><html xmlns="x">`), HTML, 0, ""},
		{"feed with a stray warning", page(200, "<br />\n<b>Warning</b>: x<br />"+rss), "", 0, ""},
		{"feed with a doctype", page(200, "<!DOCTYPE rss [<!ENTITY a 'b'>]>"+rss), "", 0, ""},
		{"Cloudflare 403", page(403, "<title>Just a moment...</title>", "Cf-Mitigated", "challenge"), Forbidden, 0, "Cloudflare challenge"},
		{"Cloudflare 200", page(200, `<!DOCTYPE html><script src="https://challenges.cloudflare.com/x">`), Blocked, 0, "Cloudflare challenge"},
		{"Anubis 200", page(200, `<!doctype html><title>Making sure you're not a bot!</title><link href="/.within.website/x/cmd/anubis/static">`), Blocked, 0, "Anubis proof of work"},
		{"SiteGround 202", page(202, `<html><meta http-equiv="refresh" content="0;/.well-known/sgcaptcha/?r=x">`), Blocked, 0, "SiteGround"},
		{"Vercel 429", page(429, "x", "X-Vercel-Mitigated", "challenge"), Limited, 0, "Vercel checkpoint"},
		{"CloudFront 403", page(403, "<h2>The request could not be satisfied.</h2> Request blocked.", "X-Cache", "Error from cloudfront"), Forbidden, 0, "Amazon CloudFront block"},
		{"plain 403 through Cloudflare", page(403, "no", "Server", "cloudflare"), Forbidden, 0, ""},
		{"a feed about bot walls", page(200, rss+"<!-- challenges.cloudflare.com -->"), "", 0, ""},
	} {
		w := &world{pages: map[string]http.HandlerFunc{"http://a.example/": c.answer}}
		resp, err := over(t, w).Get(t.Context(), Request{URL: "http://a.example/"})
		e, _ := errors.AsType[*Error](err)
		if class(err) != c.class {
			t.Errorf("%s: %v, want class %q", c.name, err, c.class)
			continue
		}
		if len(w.asked) != 1 {
			t.Errorf("%s: %d requests", c.name, len(w.asked))
		}
		if resp == nil || resp.Status == 0 {
			t.Errorf("%s: no response with the error", c.name)
		}
		if e != nil && (e.RetryAfter != c.retry || e.Wall != c.wall) {
			t.Errorf("%s: retry after %v, wall %q; want %v, %q", c.name, e.RetryAfter, e.Wall, c.retry, c.wall)
		}
	}
}

func status(code int, more ...string) http.HandlerFunc { return page(code, "", more...) }

func page(code int, body string, more ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(more); i += 2 {
			w.Header().Set(more[i], more[i+1])
		}
		w.WriteHeader(code)
		if body != "" {
			_, _ = io.WriteString(w, body)
		}
	}
}

// What happens to validators after each answer.
func TestNextValidators(t *testing.T) { // F-04 F-05 F-06 F-07 F-08
	old := Validators{URL: "u", ETag: `"1"`, LastModified: "then"}
	for _, c := range []struct {
		name string
		resp Response
		want Validators
	}{
		{"200 with both", Response{Status: 200, URL: "v", Header: header("ETag: \"2\"\nLast-Modified: now")}, Validators{URL: "v", ETag: `"2"`, LastModified: "now"}},
		{"200, only the ETag changed", Response{Status: 200, URL: "u", Header: header("ETag: \"2\"\nLast-Modified: then")}, Validators{URL: "u", ETag: `"2"`, LastModified: "then"}},
		{"200 without ETag", Response{Status: 200, URL: "u", Header: header("Last-Modified: now")}, Validators{URL: "u", LastModified: "now"}},
		{"200 without any", Response{Status: 200, URL: "u", Header: header("Date: now")}, Validators{}},
		{"304 without any", Response{Status: 304, NotModified: true, URL: "u", Header: header("")}, old},
		{"304 with a new ETag", Response{Status: 304, NotModified: true, URL: "u", Header: header("ETag: W/\"3\"")}, Validators{URL: "u", ETag: `W/"3"`, LastModified: "then"}},
		{"304 with a new Last-Modified", Response{Status: 304, NotModified: true, URL: "u", Header: header("Last-Modified: now")}, Validators{URL: "u", ETag: `"1"`, LastModified: "now"}},
		{"500", Response{Status: 500, URL: "u", Header: header("ETag: \"2\"")}, old},
	} {
		if got := c.resp.Next(old); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Connections that go wrong, each with its class and in bounded time.
func TestBrokenConnections(t *testing.T) { // F-96 F-98
	quick := func(c *Config) {
		c.HeaderTimeout, c.IdleTimeout, c.Timeout = 300*time.Millisecond, 300*time.Millisecond, 700*time.Millisecond
		c.ConnectTimeout, c.TLSTimeout = 300*time.Millisecond, 300*time.Millisecond
	}
	patient := func(c *Config) {} // a loaded machine writes 100,000 fields slowly
	hang := func(r *http.Request) { <-r.Context().Done() }
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		text   string
	}{
		{"accepts and says nothing", func(_ http.ResponseWriter, r *http.Request) { hang(r) }, Timeout, "waiting for the response"},
		{"stops in the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, rss)
			w.(http.Flusher).Flush()
			hang(r)
		}, Timeout, "no byte"},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(10 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
		}, Timeout, "not done within"},
		{"shorter than it says", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			w.Header().Set("ETag", `"cut"`)
			_, _ = io.WriteString(w, rss)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, Truncated, ""},
		{"chunks cut off", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, rss)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, Truncated, ""},
		{"closes without a word", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Broken, ""},
		{"100,000 fields", func(w http.ResponseWriter, _ *http.Request) {
			for range 100_000 {
				w.Header().Add("X", "y")
			}
			_, _ = io.WriteString(w, rss)
		}, TooLarge, "header"},
		{"a field of 70 KB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("y", 70_000))
			_, _ = io.WriteString(w, rss)
		}, TooLarge, "header"},
		{"200 fields are fine", func(w http.ResponseWriter, _ *http.Request) {
			for range 200 {
				w.Header().Add("X", strings.Repeat("y", 100))
			}
			_, _ = io.WriteString(w, rss)
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(c.answer)
			s.Config.ErrorLog = nil
			s.Start()
			defer s.Close()
			began := time.Now()
			limits := quick
			if c.class == TooLarge || c.class == "" {
				limits = patient
			}
			resp, err := loopback(t, limits).Get(t.Context(), Request{URL: s.URL, Validators: Validators{URL: s.URL + "/", ETag: "x"}})
			if class(err) != c.class {
				t.Fatalf("%v, want class %q", err, c.class)
			}
			if took := time.Since(began); took > 15*time.Second { // the defaults are 20 s and more
				t.Errorf("took %v", took)
			}
			if err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %q in it", err, c.text)
			}
			if err != nil && resp != nil && resp.Body != nil {
				t.Error("a body with the error")
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := loopback(t, quick).Get(t.Context(), Request{URL: "http://" + l.Addr().String()}); class(err) != Connect {
			t.Errorf("%v, want class connect", err)
		}
	})
	t.Run("not HTTP", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
				conn.Close()
			}
		}()
		if _, err := loopback(t, quick).Get(t.Context(), Request{URL: "http://" + l.Addr().String()}); class(err) != Broken {
			t.Errorf("%v, want class broken", err)
		}
	})
	t.Run("TLS that is none", func(t *testing.T) {
		s := serve(t, document)
		u := strings.Replace(s.URL, "http://", "https://", 1)
		if _, err := loopback(t, quick).Get(t.Context(), Request{URL: u}); class(err) != TLS {
			t.Errorf("%v, want class tls", err)
		}
	})
	t.Run("a name that does not exist", func(t *testing.T) {
		web := roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "a.example", Server: "10.0.0.53:53", IsNotFound: true}}
		})
		_, err := over(t, web).Get(t.Context(), Request{URL: "http://a.example/"})
		if class(err) != DNS || strings.Contains(err.Error(), "10.0.0.53") {
			t.Errorf("%v, want class dns and no word of our resolver", err)
		}
	})
}
