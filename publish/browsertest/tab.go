// Package browsertest opens feeds and pages in Chromium, for the tests of publish and of
// the program.
package browsertest

import (
	"context"
	"errors"
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

	"chancery/feed/feedtest"
)

// Tab is Chromium with one tab, and what happened in it.
type Tab struct {
	// Context is that of chromedp's actions in the tab. It ends with the test.
	Context context.Context

	mu    sync.Mutex // guards all below
	asked []string
	words []Word
}

// Word is something that the browser says of a page: on its console or in its log, or
// that a script failed.
type Word struct {
	Level   string // "error", "warning", "log", …
	Text    string
	Network bool // it is about a request
}

// Open starts Chromium for a test, for so long at most. The test is skipped where there
// is none; in CI it fails.
func Open(t testing.TB, most time.Duration) *Tab {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(feedtest.Program(t, "chromium", "chromium-browser", "google-chrome")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-domain-reliability", true), chromedp.Flag("no-pings", true), chromedp.Flag("hide-scrollbars", true),
		// Whatever a page asks for elsewhere must not leave this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, over := context.WithTimeout(ctx, most)
	t.Cleanup(over)
	tab := &Tab{Context: ctx}
	if err := chromedp.Listen(ctx, tab.event); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	return tab
}

// event notes what happens.
func (tab *Tab) event(e any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	say := func(w Word) { tab.words = append(tab.words, w) }
	switch e := e.(type) {
	case *network.EventRequestWillBeSent:
		tab.asked = append(tab.asked, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		var said []string
		for _, a := range e.Args {
			said = append(said, string(a.Value)+a.Description)
		}
		level := string(e.Type)
		if level == "assert" { // one that does not hold
			level = "error"
		}
		say(Word{Level: level, Text: "console: " + strings.Join(said, " ")})
	case *runtime.EventExceptionThrown:
		say(Word{Level: "error", Text: "the script fails: " + e.ExceptionDetails.Text})
	case *log.EventEntryAdded:
		say(Word{Level: string(e.Entry.Level), Text: e.Entry.Text + " (" + e.Entry.URL + ")", Network: e.Entry.Source == "network"})
	}
}

// Happened gives the addresses that were asked for and what the browser said, since it
// was asked last.
func (tab *Tab) Happened() (asked []string, words []Word) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	asked, words = tab.asked, tab.words
	tab.asked, tab.words = nil, nil
	return asked, words
}

// Scripts lets pages run scripts, or not.
func (tab *Tab) Scripts(t testing.TB, on bool) {
	t.Helper()
	if _, err := chromedp.Call(tab.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		t.Fatal(err)
	}
}
