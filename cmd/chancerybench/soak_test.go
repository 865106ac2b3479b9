package main

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A process whose memory, descriptors or goroutines grow is found out, one that
// breathes is not; the life of a process that was killed does not count.
func TestFlat(t *testing.T) {
	life := func(pid int, at func(i int) (anon, others int64)) []soakSample {
		var list []soakSample
		for i := range 80 {
			a, n := at(i)
			list = append(list, soakSample{At: time.Duration(i) * time.Minute, Process: pid, Anon: a << 20, Descriptors: n, Goroutines: n})
		}
		return list
	}
	steady := life(2, func(i int) (int64, int64) { return 80 + int64(i%7), 30 + int64(i%11) })
	for _, c := range []struct {
		name    string
		samples []soakSample
		want    int
	}{
		{"steady", steady, 0},
		{"grew before it was killed", append(life(1, func(i int) (int64, int64) { return 80 + 10*int64(i), 10 * int64(i) }), steady...), 0},
		{"memory grows", life(1, func(i int) (int64, int64) { return 80 + int64(i), 30 }), 1},
		{"all grows", life(1, func(i int) (int64, int64) { return 80 + int64(i), 30 + 4*int64(i) }), 3},
	} {
		var out strings.Builder
		s := &soak{out: &out, bench: &farmBench{out: &out}, samples: c.samples}
		if s.flat(); s.bench.missed != c.want {
			t.Errorf("%s: %d figures over their bounds, want %d:\n%s", c.name, s.bench.missed, c.want, out.String())
		}
	}
}

func TestMetric(t *testing.T) {
	const text = "# HELP go_goroutines x\ngo_goroutines 12\ngo_goroutines_other 3\n"
	if n, err := metric([]byte(text), "go_goroutines"); n != 12 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := metric([]byte(text), "goroutines"); err == nil {
		t.Error("a metric that is not there has a value")
	}
}

// Readers keep validators, and an answer with status 500 is a failure.
func TestSoakReaders(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/feeds/"):
			w.Header().Set("Etag", `"1"`)
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
			}
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer site.Close()
	r, tags := newSoakReaders(site.URL), map[string]string{}
	for _, path := range []string{"/feeds/iran.atom", "/feeds/iran.atom", "/status"} {
		r.ask(t.Context(), site.Client(), path, tags)
	}
	if r.answers[200] != 1 || r.answers[304] != 1 || r.failed != 1 || !strings.Contains(r.first, "/status: HTTP 500") {
		t.Errorf("answers %v, %d failed, the first %q", r.answers, r.failed, r.first)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		if p := soakPath(random); !strings.HasPrefix(p, "/") {
			t.Fatalf("%q is no path", p)
		}
	}
}
