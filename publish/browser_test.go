package publish

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chancery/publish/browsertest"
)

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

// lookAt shows an address and tells what is seen, and how it looks.
func lookAt(t *testing.T, tab *browsertest.Tab, address string) (got sight, picture []byte) {
	t.Helper()
	err := chromedp.Do(tab.Context, chromedp.Navigate(address))
	if err == nil {
		got, err = chromedp.Run(tab.Context, chromedp.Evaluate[sight](look))
	}
	if err == nil {
		picture, err = chromedp.Run(tab.Context, chromedp.CaptureScreenshot())
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
	tab := browsertest.Open(t, 2*time.Minute)
	tab.Scripts(t, false)
	_, srv := readable(t)
	for _, path := range []string{"/feeds/iran.atom", "/feeds/iran.rss", "/feeds/source/one.atom"} {
		got, picture := lookAt(t, tab, srv.URL+path)
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
	asked, words := tab.Happened()
	for _, w := range words {
		t.Errorf("the browser says %q", w.Text)
	}
	for _, address := range asked {
		if !strings.HasPrefix(address, srv.URL+"/") {
			t.Errorf("it asks for %s", address)
		}
	}
	if !slices.Contains(asked, srv.URL+"/static/feed.css") {
		t.Errorf("it does not ask for the style sheet, but for %q", asked)
	}
}
