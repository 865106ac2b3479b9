package main

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"os"
	"testing"
	"time"
)

// Quantiles of a daemon's histogram are those that Prometheus would give, of what was
// counted between two looks.
func TestHistogram(t *testing.T) {
	const name = "chancery_archive_commit_seconds"
	read := func(text string) histogram {
		t.Helper()
		h, err := readHistogram([]byte(text), name)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	before := read("chancery_archive_commit_seconds_bucket{le=\"0.01\"} 5\nchancery_archive_commit_seconds_bucket{le=\"0.05\"} 5\nchancery_archive_commit_seconds_bucket{le=\"+Inf\"} 5\n")
	h := read("# HELP\nchancery_archive_commit_seconds_bucket{le=\"0.01\"} 55\nchancery_archive_commit_seconds_bucket{le=\"0.05\"} 103\nchancery_archive_commit_seconds_bucket{le=\"+Inf\"} 105\nchancery_archive_commit_seconds_sum 7\n").since(before)
	if h.count() != 100 {
		t.Errorf("%d observations, want 100", h.count())
	}
	for q, want := range map[float64]float64{0.25: 0.005, 0.5: 0.01, 0.74: 0.03, 0.98: 0.05, 0.99: 0.05} {
		if got := h.quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := h.share(0.05); got != 0.98 {
		t.Errorf("%v are within 50 ms, want 0.98", got)
	}
	if got := (histogram{}).quantile(0.99); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
	if _, err := readHistogram([]byte("chancery_archive_commit_seconds_sum 7\n"), name); err == nil {
		t.Error("a histogram without buckets is none")
	}
}

// The news show the newest twenty posts, and note when each left for the first time.
func TestNewsFeed(t *testing.T) {
	n := newNewsFeed()
	defer n.close()
	ask := func() []byte {
		t.Helper()
		resp, err := http.Get(n.url())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	last := 0
	for range 25 {
		last = n.add()
	}
	if _, ok := n.left(last); ok {
		t.Error("a post left before anybody asked")
	}
	began := time.Now()
	b := ask()
	if at, ok := n.left(last); !ok || at.Before(began) || time.Since(at) > time.Since(began) {
		t.Errorf("post %d left at %v, %v; asked at %v", last, at, ok, began)
	}
	if bytes.Count(b, []byte("<item>")) != 20 || !bytes.Contains(b, []byte(shownWord(last))) || bytes.Contains(b, []byte(shownWord(5)+"<")) {
		t.Errorf("not the newest twenty: %s", b)
	}
}

// A write that is synced takes some time, and the file is gone after it.
func TestSyncFile(t *testing.T) {
	dir := t.TempDir()
	took, err := syncFile(t.Context(), dir, 4096, 20, 0)
	left, _ := os.ReadDir(dir)
	if err != nil || len(left) > 0 || len(took) != 20 || quantile(took, 0) <= 0 {
		t.Errorf("%d syncs, %v, %d files left", len(took), err, len(left))
	}
}
