package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The pictures that README.md shows are made by this test with -update, and are there.
func TestPictures(t *testing.T) {
	pictures := []struct {
		name, path string
		height     float64
		dark       bool
	}{
		{"home", "/?topic=iran&topic=mek", 1180, false},
		{"search", "/search?q=camp+ashraf", 900, false},
		{"versions", "", 640, true},
	}
	file := func(name string) string { return filepath.Join("..", "..", "docs", "pictures", name+".png") }
	if !*update {
		for _, p := range pictures {
			if st, err := os.Stat(file(p.name)); err != nil || st.Size() > 200<<10 {
				t.Errorf("%s is missing, or large: go test ./cmd/chancery -run TestPictures -update", file(p.name))
			}
		}
		return
	}
	s := newSite(t, siteOptions{posts: 1500})
	b := newBrowser(t, s)
	for _, p := range pictures {
		if p.path == "" {
			p.path = s.item(guidRevised) + "/diff?from=1&to=2"
		}
		b.scheme(p.dark)
		b.run(chromedp.EmulateViewport(1100, int64(p.height)))
		b.open(p.path)
		r, err := chromedp.Call(b.Context, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: "png", Clip: &page.Viewport{Width: 1100, Height: p.height, Scale: 0.8}})
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(file(p.name)), 0o755))
		must(t, os.WriteFile(file(p.name), r.Data, 0o644))
	}
}
