package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"chancery/feed/feedtest"
	"chancery/publish/browsertest"
)

// browser is a tab with a site in it.
type browser struct {
	*browsertest.Tab
	t *testing.T
	s *site
	// failures: an answer that is an error is expected, as its page says so.
	failures bool
}

func newBrowser(t *testing.T, s *site) *browser {
	t.Helper()
	return &browser{Tab: browsertest.Open(t, 4*time.Minute), t: t, s: s}
}

// sound fails the test if, since it was asked last, there was an error on a page or a
// page asked for something elsewhere.
func (b *browser) sound(where string) {
	b.t.Helper()
	asked, words := b.Happened()
	for _, address := range asked {
		if !strings.HasPrefix(address, b.s.base) && !strings.HasPrefix(address, "data:") && !strings.HasPrefix(address, "blob:") {
			b.t.Errorf("%s: it asks for %s", where, address)
		}
	}
	for _, w := range words {
		if w.Level == "error" && (!b.failures || !w.Network) {
			b.t.Errorf("%s: %s", where, w.Text)
		}
	}
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	must(b.t, chromedp.Do(b.Context, steps...))
}

// open goes to a page of the site.
func (b *browser) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.s.base + path))
}

// size sets the width of the window; the height is that of a screen of the kind.
func (b *browser) size(width int64) {
	b.t.Helper()
	height := int64(900)
	if width < 500 {
		height = 844
	}
	b.run(chromedp.EmulateViewport(width, height))
}

func (b *browser) scheme(dark bool) {
	b.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	_, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	must(b.t, err)
}

// eval gives the value of an expression, awaited.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	must(b.t, err)
	return v
}

// until waits for an expression to be true, on this page or the one that it leads
// to.
func (b *browser) until(expression string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := chromedp.Run(b.Context, chromedp.Poll[bool](`document.readyState === "complete" && !!(`+expression+`)`, chromedp.WithPollingTimeout(time.Until(deadline))))
		if err == nil {
			return
		}
		if time.Now().After(deadline) || b.Context.Err() != nil {
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// shot keeps a picture of the page: of what a screen shows, or of all of it. Where
// says the environment variable CHANCERY_SHOTS; without it none is made.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("CHANCERY_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	must(b.t, err)
	must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// wide lists what sticks out of the page to a side.
const wide = `(() => {
  const w = document.documentElement.clientWidth, out = [];
  if (document.documentElement.scrollWidth > w + 1) out.push("the page is " + document.documentElement.scrollWidth + " wide");
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.width === 0 || (r.right <= w + 1 && r.left >= -1) || e.closest(".unseen, .skip")) continue;
    let p = e.parentElement, held = false;
    for (; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") { held = true; break; }
    if (!held) out.push(e.tagName + "." + e.className + " from " + Math.round(r.left) + " to " + Math.round(r.right));
  }
  return out.slice(0, 5);
})()`

// axe is the accessibility checker, as a script; empty where it is not installed.
func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CHANCERY_AXE")
	if path == "" {
		path = "axe.min.js"
	}
	script, err := os.ReadFile(path)
	if err != nil && feedtest.InCI() {
		feedtest.Missing(t, "axe-core (CHANCERY_AXE names its axe.min.js)")
	} else if err != nil {
		t.Log("not checked with axe-core: CHANCERY_AXE does not name its axe.min.js; .ci/run installs it")
	}
	return string(script)
}

// accessible runs axe on the page as it is and fails for each violation.
func (b *browser) accessible(script, where string) {
	b.t.Helper()
	if script == "" {
		return
	}
	_ = eval[int](b, script+";0") // not by the page, whose security policy would refuse it
	type violation struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML    string `json:"html"`
			Summary string `json:"failureSummary"`
		} `json:"nodes"`
	}
	text := eval[string](b, `axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`)
	var found []violation
	must(b.t, json.Unmarshal([]byte(text), &found))
	for _, v := range found {
		n := v.Nodes[0]
		b.t.Errorf("%s: %s (%s), %d times: %.300s\n%s", where, v.ID, v.Help, len(v.Nodes), n.HTML, n.Summary)
	}
}

// sitePage is a page that is looked at.
type sitePage struct {
	name, path string
	failure    bool // its status is an error
}

func sitePages(s *site) []sitePage {
	return []sitePage{
		{name: "home", path: "/"},
		{name: "builder", path: "/?topic=iran&topic=mek&not=iraq&lang=en&words=camp"},
		{name: "builder-fault", path: "/?topic=iran&words=%22camp", failure: true},
		{name: "topic", path: "/topics/mek"},
		{name: "search", path: "/search?q=camp+ashraf"},
		{name: "search-all", path: "/search"},
		{name: "search-narrow", path: "/search?q=iran+topic%3Amek+published%3A2019..2022+lang%3Aen&order=relevance"},
		{name: "search-none", path: "/search?q=camp+ashraf+zanzibar+topic%3Amek"},
		{name: "search-fault", path: "/search?q=iran+%28iraq+OR", failure: true},
		{name: "search-versions", path: "/search?q=title%3Aashraf+is%3Arevised&all_versions=true"},
		{name: "search-hostile", path: "/search?q=Donaudampfschifffahrtselektrizit%C3%A4tenhaupt%2A"},
		{name: "item", path: s.item(guidCopied)},
		{name: "item-revised", path: s.item(guidRevised)},
		{name: "item-persian", path: s.item(guidPersian)},
		{name: "item-hostile", path: s.item(guidHostile)},
		{name: "item-why", path: s.item(guidPersian) + "?why=all"},
		{name: "item-old", path: s.item(guidRevised) + "?revision=1"},
		{name: "versions", path: s.item(guidRevised) + "/revisions"},
		{name: "difference", path: s.item(guidRevised) + "/diff?from=1&to=2"},
		{name: "difference-inline", path: s.item(guidRevised) + "/diff?from=1&to=2&view=inline"},
		{name: "taken-down", path: s.item(guidGrave), failure: true},
		{name: "source", path: "/sources/ashraf-watch"},
		{name: "source-persian", path: "/sources/yaddasht"},
		{name: "status", path: "/status"},
		{name: "api", path: "/api"},
		{name: "missing", path: "/topics/nothing-of-that-name", failure: true},
	}
}

// Issue 9: each page on a phone, a tablet and a desk, light and dark, has no error, asks
// nothing of other sites, does not stick out to the side, and axe finds nothing.
func TestPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	script := axe(t)
	s := newSite(t, siteOptions{posts: 1500})
	b := newBrowser(t, s)
	for _, p := range sitePages(s) {
		b.failures = p.failure
		b.scheme(false)
		b.size(1440)
		b.open(p.path)
		for _, width := range []int64{1440, 768, 390} {
			b.size(width)
			for _, out := range eval[[]string](b, wide) {
				b.t.Errorf("%s at %d: %s", p.name, width, out)
			}
			if width != 768 {
				b.shot(fmt.Sprintf("%s-%d", p.name, width))
			}
		}
		b.accessible(script, p.name+" at 390, light")
		b.scheme(true)
		b.size(1440)
		b.accessible(script, p.name+" at 1440, dark")
		b.shot(p.name + "-dark")
		// A first paint waits for the page and its style sheet, and nothing else.
		if got := eval[[]string](b, `performance.getEntriesByType("resource").filter(r => r.renderBlockingStatus === "blocking").map(r => new URL(r.name).pathname)`); !slices.Equal(got, []string{"/static/page.css"}) {
			t.Errorf("%s: the first paint waits for %q", p.name, got)
		}
		b.sound(p.name)
	}
}
