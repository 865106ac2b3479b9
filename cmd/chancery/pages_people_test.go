package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"chancery/feed"
	"chancery/feed/parse"
)

// key presses a key.
func (b *browser) key(k string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(k))
}

// tabTo presses Tab until the element in focus is what the condition says of e.
func (b *browser) tabTo(condition string) {
	b.t.Helper()
	for range 200 {
		b.key(kb.Tab)
		if eval[bool](b, `(e => !!(e && `+condition+`))(document.activeElement)`) {
			return
		}
	}
	b.t.Fatalf("the keyboard does not reach what is %s", condition)
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.Context, chromedp.Text(chromedp.CSS(selector)))
	must(b.t, err)
	return strings.TrimSpace(s)
}

// load gets an address of the site and fails if it is not there.
func (s *site) load(address string) []byte {
	s.t.Helper()
	resp, err := http.Get(address)
	must(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %.200s", address, resp.Status, body)
	}
	return body
}

// feedAt reads a feed as a reader does.
func (s *site) feedAt(address string) *feed.Feed {
	s.t.Helper()
	d, err := parse.Open(s.load(address), parse.Options{URL: address})
	if err != nil {
		s.t.Fatalf("%s is no feed: %v", address, err)
	}
	f, err := d.Feed(func(int) bool { return true })
	must(s.t, err)
	return f
}

// address is what the builder made.
func (b *browser) address() string {
	b.t.Helper()
	return eval[string](b, `document.getElementById("address").value`)
}

// sameAsFeed fails the test unless the feed at the address on the page begins with the
// post that the page shows first, by the title that a selector finds.
func (b *browser) sameAsFeed(title string) {
	b.t.Helper()
	shown := b.text(title)
	f := b.s.feedAt(b.address())
	if len(f.Entries) == 0 {
		b.t.Fatalf("the feed at %s is empty", b.address())
	}
	if got := f.Entries[0].Title.Value; got != shown {
		b.t.Errorf("the page begins with %q, its feed with %q", shown, got)
	}
}

// Issue 9, the subscriber: from the front page to a valid feed of "Iran and the MEK" with
// three clicks, and the same without a script; words and languages make a feed too.
func TestSubscriber(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s := newSite(t, siteOptions{posts: 300})
	b := newBrowser(t, s)
	b.size(1440)
	b.open("/")
	b.run(chromedp.Click(chromedp.CSS(`input[name=topic][value=iran]`)), chromedp.Click(chromedp.CSS(`input[name=topic][value=mek]`)))
	b.until(`document.querySelector(".feedtitle").textContent === "Iran and Mojahedin-e Khalq (MEK)"`)
	want := s.base + "/feeds/iran+mek.atom"
	if got := b.address(); got != want {
		t.Fatalf("the address is %s, want %s", got, want)
	}
	b.sameAsFeed("#result ol.posts .title")
	b.run(chromedp.Click(chromedp.CSS(`#result button[data-copy]`)))
	b.until(`document.querySelector("#result button[data-copy]").textContent === "Copied"`)
	if got := eval[string](b, `document.getElementById("said").textContent`); got != "The address is copied." {
		t.Errorf("who listens hears %q", got)
	}
	if got := eval[string](b, `document.querySelector(".readers a").getAttribute("href")`); got != "feed:"+want {
		t.Errorf("the button for readers leads to %q", got)
	}
	for _, format := range []string{"rss", "json"} {
		if f := s.feedAt(strings.TrimSuffix(want, "atom") + format); len(f.Entries) == 0 {
			t.Errorf("%s is empty", format)
		}
	}
	if eval[bool](b, `document.querySelector(".builder .send button").checkVisibility()`) {
		t.Error("the button to send the form is there, which a script does")
	}
	b.shot("subscriber")

	// Either, and without.
	b.run(chromedp.Click(chromedp.CSS(`input[name=how][value=any]`)))
	b.until(`document.getElementById("address").value.endsWith("/feeds/iran,mek.atom")`)
	b.run(chromedp.Click(chromedp.CSS(`.builder form details summary`)), chromedp.Click(chromedp.CSS(`input[name=not][value=iraq]`)))
	b.until(`document.getElementById("address").value.endsWith("/feeds/iran!iraq,mek!iraq.atom")`)
	s.feedAt(b.address())
	// With words it is a search.
	b.run(chromedp.SendKeys(chromedp.CSS(`#words`), `"camp ashraf" OR tirana`))
	b.until(`document.getElementById("address").value.includes("/search.atom?q=")`)
	if got := s.feedAt(b.address()); len(got.Entries) == 0 {
		t.Errorf("the feed of words is empty: %s", b.address())
	}
	// What is wrong is said where it is.
	b.failures = true
	b.run(chromedp.SendKeys(chromedp.CSS(`#words`), ` OR`))
	b.until(`document.querySelector("#result pre.fault mark") !== null`)
	b.sound("the builder")
	b.failures = false

	// Where the script cannot ask, the browser sends the form, once.
	b.open("/")
	_ = eval[int](b, `window.tries = window.sent = 0;
		window.fetch = () => { window.tries++; return Promise.reject(new TypeError("no network")); };
		HTMLFormElement.prototype.submit = () => { window.sent++; }; 0`)
	b.run(chromedp.Click(chromedp.CSS(`input[name=topic][value=iran]`)))
	b.until(`window.tries > 0 && (window.sent > 0 || window.tries > 10)`)
	if got := eval[string](b, "`${window.tries} ${window.sent}`"); got != "1 1" {
		t.Errorf("without a network: asked and sent %s times, want once each", got)
	}
	b.sound("the builder without a network")

	b.Scripts(t, false)
	b.open("/")
	b.run(chromedp.Click(chromedp.CSS(`input[name=topic][value=iran]`)), chromedp.Click(chromedp.CSS(`input[name=topic][value=mek]`)), chromedp.Click(chromedp.CSS(`.builder .send button`)), chromedp.WaitReady(chromedp.CSS(`#result .feedtitle`)))
	b.until(`location.search !== ""`)
	if got := b.address(); got != want {
		t.Errorf("without a script the address is %s", got)
	}
	if eval[bool](b, `document.querySelector("#result button[data-copy]").checkVisibility()`) {
		t.Error("without a script there is a button that does nothing")
	}
	b.sound("the builder without a script")
}

// Issue 9: a search with facets by keyboard alone: type, narrow by topic and by time, take the
// topic away, next page.
func TestSearchByKeyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s := newSite(t, siteOptions{posts: 1500})
	b := newBrowser(t, s)
	b.size(1440)
	total := func() int {
		return eval[int](b, `parseInt(document.querySelector(".total strong").textContent.replace(/\D/g, ""))`)
	}
	b.open("/")
	b.key(kb.Tab)
	if !eval[bool](b, `document.activeElement.classList.contains("skip")`) {
		t.Error("the first stop of the keyboard is not the link past the header")
	}
	b.tabTo(`e.id === "find"`)
	b.key("camp")
	b.key(kb.Enter)
	b.until(`location.pathname === "/search" && document.querySelector(".total") !== null`)
	all := total()
	b.tabTo(`e.closest("#narrow") && e.textContent === "Iraq"`)
	b.key(kb.Enter)
	b.until(`document.querySelector(".filters") !== null`)
	narrow := total()
	if q := eval[string](b, `new URL(location).searchParams.get("q")`); q != "camp topic:iraq" || narrow == 0 || narrow >= all {
		t.Errorf("narrowed to %q: %d of %d", q, narrow, all)
	}
	// The numbers of the chart are links of a table.
	b.tabTo(`e.tagName === "SUMMARY" && e.textContent === "The numbers"`)
	b.key(kb.Enter)
	b.tabTo(`e.closest("table.data") && e.tagName === "A"`)
	counted := eval[int](b, `parseInt(document.activeElement.textContent)`)
	b.key(kb.Enter)
	b.until(`new URL(location).searchParams.get("q").includes("published:")`)
	b.until(`document.querySelector(".total") !== null`)
	if got := total(); got != counted {
		t.Errorf("the chart counted %d, the search finds %d", counted, got)
	}
	b.tabTo(`e.closest(".filters") && e.getAttribute("aria-label").includes("Iraq")`)
	b.key(kb.Enter)
	b.until(`!new URL(location).searchParams.get("q").includes("topic:iraq")`)
	b.open("/search?q=camp")
	first := b.text("ol.posts .title")
	b.tabTo(`e.rel === "next"`)
	b.key(kb.Enter)
	b.until(`new URL(location).searchParams.has("cursor") && document.querySelector(".total") !== null`)
	if got := total(); got != all {
		t.Errorf("page two has %d of %d", got, all)
	}
	if b.text("ol.posts .title") == first {
		t.Error("page two is page one")
	}
	b.sound("search by keyboard")
	// The feed of a search is what the page shows.
	b.open("/search?q=" + url.QueryEscape("camp topic:iraq"))
	b.sameAsFeed("ol.posts .title")
}

// Issue 9: right-to-left text is set right inside left-to-right pages, wherever it stands.
func TestPersianPost(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s := newSite(t, siteOptions{posts: 50})
	b := newBrowser(t, s)
	b.size(390)
	direction := func(selector string) string {
		return eval[string](b, `getComputedStyle(document.querySelector(`+"`"+selector+"`"+`)).direction`)
	}
	b.open(s.item(guidPersian))
	for selector, want := range map[string]string{"html": "ltr", "h1": "rtl", ".prose": "rtl"} {
		if got := direction(selector); got != want {
			t.Errorf("the post's %s is %s", selector, got)
		}
	}
	b.open("/search?q=" + url.QueryEscape("کمپ اشرف lang:fa"))
	for selector, want := range map[string]string{"ol.posts": "ltr", `ol.posts .title`: "rtl", "ol.posts .text": "rtl", "#q": "rtl"} {
		if got := direction(selector); got != want {
			t.Errorf("in a list %s is %s", selector, got)
		}
	}
	if eval[int](b, `document.querySelectorAll("ol.posts mark").length`) == 0 {
		t.Error("nothing is marked")
	}
	b.sound("a Persian post")
}

// Pages do their job without a script.
func TestPagesWithoutScript(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s := newSite(t, siteOptions{posts: 200})
	b := newBrowser(t, s)
	b.Scripts(t, false)
	b.size(768)
	b.open("/topics/mek")
	b.run(chromedp.Click(chromedp.CSS("figure.chart details summary")), chromedp.Click(chromedp.CSS("figure.chart td a")), chromedp.WaitReady(chromedp.CSS(".total")))
	if got := eval[string](b, `new URL(location).searchParams.get("q")`); !strings.HasPrefix(got, "topic:mek published:") {
		t.Errorf("the number of a month leads to %q", got)
	}
	b.open("/search")
	b.run(chromedp.SendKeys(chromedp.CSS("#q"), "ashraf"+kb.Enter), chromedp.WaitReady(chromedp.CSS("ol.posts mark")))
	b.run(chromedp.Click(chromedp.CSS("#narrow a")), chromedp.WaitReady(chromedp.CSS(".filters")))
	b.sound("without a script")
}
