package fetch

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// loopback is a client for scripted servers on this machine.
func loopback(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := DefaultConfig()
	cfg.HostDelay = 0
	cfg.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func class(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}

const rss = `<?xml version="1.0"?><rss version="2.0"><channel><title>t</title></channel></rss>`

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}

// A first poll asks for everything once, the next one conditionally with exactly
// what the server gave.
func TestConditional(t *testing.T) { // F-01 F-02 F-03 F-10 F-16
	var got []http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Clone())
		w.Header().Set("ETag", `W/"odd-gzip`)
		w.Header().Set("Last-Modified", "yesterday, about noon")
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zipped(rss))
	})
	c := loopback(t, nil)
	first, err := c.Get(t.Context(), Request{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if string(first.Body) != rss || first.Coding != "gzip" {
		t.Errorf("got %q in coding %q", first.Body, first.Coding)
	}
	v := first.Next(Validators{})
	second, err := c.Get(t.Context(), Request{URL: s.URL, Validators: v})
	if err != nil {
		t.Fatal(err)
	}
	if !second.NotModified {
		t.Errorf("second poll: status %d, want 304", second.Status)
	}
	if len(got) != 2 {
		t.Fatalf("%d requests, want 2", len(got))
	}
	if h := got[0]; h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != "" {
		t.Errorf("first poll carries validators: %v", h)
	}
	if h := got[1]; h.Get("If-None-Match") != `W/"odd-gzip` || h.Get("If-Modified-Since") != "yesterday, about noon" {
		t.Errorf("second poll carries %q and %q", h.Get("If-None-Match"), h.Get("If-Modified-Since"))
	}
}

// Without an operator's word nothing on this machine is reached.
func TestGuardRefusesLoopback(t *testing.T) { // SEC-01 SEC-05
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	c, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), Request{URL: s.URL}); class(err) != Refused {
		t.Errorf("Get = %v, want refused", err)
	}
}
