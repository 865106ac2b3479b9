package publish

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is Chromium with one tab in which pages run no script, and what happened in
// it.
type tab struct {
	ctx context.Context

	mu       sync.Mutex // guards all below
	asked    []string   // addresses
	troubles []string
}

func newTab(t *testing.T) *tab {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(installed(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), // nothing leaves this machine
	)
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, over := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(over)
	b := &tab{ctx: ctx}
	if err := chromedp.Listen(ctx, b.event); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	_, err4 := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) event(e any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := e.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, "console: "+string(e.Type))
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.troubles = append(b.troubles, e.Entry.Text)
	}
}

// sight is what look finds.
type sight struct {
	Seen []struct {
		Text  string
		Size  float64
		Color string
	}
	Sheets     int
	Background string
	Type       string
}

// open shows an address and tells what is seen, and how it looks.
func (b *tab) open(t *testing.T, address string) (got sight, picture []byte) {
	t.Helper()
	err := chromedp.Do(b.ctx, chromedp.Navigate(address))
	if err == nil {
		got, err = chromedp.Run(b.ctx, chromedp.Evaluate[sight](look))
	}
	if err == nil {
		picture, err = chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	}
	if err != nil {
		t.Fatal(err)
	}
	return got, picture
}

// look tells what a person sees of a document: the texts of what is shown in the
// order on the screen, generated ones included, and the sizes of titles.
const look = `(() => {
  const out = [];
  for (const e of document.documentElement.querySelectorAll('*')) {
    for (const pseudo of ['::before', '']) {
      const s = getComputedStyle(e, pseudo || null), box = e.getBoundingClientRect();
      if (getComputedStyle(e).display == 'none' || !box.width || !box.height) continue;
      let text = pseudo ? s.content.replace(/^"|"$/g, '') : [...e.childNodes].filter(n => n.nodeType == 3).map(n => n.nodeValue).join('').trim();
      if (pseudo && (s.content == 'none' || s.display == 'none')) continue;
      if (text) out.push({text, top: box.top - (pseudo ? 0.5 : 0), size: parseFloat(s.fontSize), color: s.color});
    }
  }
  const root = document.documentElement, hint = getComputedStyle(root, '::before').content;
  if (hint != 'none') out.push({text: hint.replace(/^"|"$/g, ''), top: -1, size: 15, color: ''});
  return {seen: out.sort((a, b) => a.top - b.top), sheets: document.styleSheets.length, background: getComputedStyle(root).backgroundColor, type: document.contentType};
})()`

// PUB-88, PUB-89: a feed that is opened in Chromium shows what it is for, its title
// and its entries with source, date and address, in this order, styled, without a
// script, a request to elsewhere or a word on the console.
func TestChromium(t *testing.T) {
	b := newTab(t)
	_, srv := readable(t)
	for _, path := range []string{"/feeds/iran.atom", "/feeds/iran.rss", "/feeds/source/one.atom"} {
		got, picture := b.open(t, srv.URL+path)
		if got.Sheets != 1 || got.Type != "application/xml" || got.Background != "rgb(251, 251, 249)" {
			t.Errorf("%s: %d style sheets, background %s, shown as %s", path, got.Sheets, got.Background, got.Type)
		}
		var texts []string
		for _, s := range got.Seen {
			texts = append(texts, s.Text)
		}
		title := map[bool]string{true: "The one blog", false: "Iran"}[strings.Contains(path, "source")]
		at := -1
		for _, want := range []string{
			"This is a feed. Copy its address", srv.URL + path, title,
			"نامه از تیرانا", "The one blog", "2026", "https://one.example/2",
			"Camps & <courts>", "The one blog", "2026", "https://one.example/tag:one.example,2026:1",
		} {
			next := slices.IndexFunc(texts[at+1:], func(s string) bool { return strings.Contains(s, want) })
			if next < 0 {
				t.Fatalf("%s does not show %q after what comes before it, but:\n%s", path, want, strings.Join(texts, "\n"))
			}
			at += 1 + next
		}
		largest := 0.0
		for _, s := range got.Seen {
			if s.Text == title {
				largest = max(largest, s.Size)
			}
			if strings.Contains(s.Text, "tag:feeds") || strings.Contains(s.Text, "&lt;p&gt;") || strings.Contains(s.Text, "<p>") {
				t.Errorf("%s shows %q", path, s.Text)
			}
		}
		if largest < 24 {
			t.Errorf("%s: the title has %v pixels", path, largest)
		}
		if len(picture) < 5000 {
			t.Errorf("%s: a picture of %d bytes is of an empty page", path, len(picture))
		}
		if dir := os.Getenv("CHANCERY_PICTURES"); dir != "" { // to look at
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.troubles {
		t.Errorf("the browser says %q", s)
	}
	for _, address := range b.asked {
		if !strings.HasPrefix(address, srv.URL+"/") {
			t.Errorf("it asks for %s", address)
		}
	}
	if !slices.Contains(b.asked, srv.URL+"/static/feed.css") {
		t.Errorf("it does not ask for the style sheet, but for %q", b.asked)
	}
}
