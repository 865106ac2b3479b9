package publish

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/publish/hub"
)

// PUB-77, PUB-78: every feed names the hub, and a committed change reaches a
// subscriber within five seconds, over real connections.
func TestHubEndToEnd(t *testing.T) {
	got := make(chan string, 10)
	reader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.Query().Get("hub.challenge"))
			got <- "verified"
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
	}))
	defer reader.Close()
	w := &world{t: t, store: newModel(), now: start}
	w.before = func(p *Publisher) {
		if err := p.EnableHub(t.Context(), hub.DefaultConfig(), http.DefaultTransport); err != nil {
			t.Fatal(err)
		}
	}
	w.start(testConfig(), testTopics())
	w.fill("one", 3, "iran")
	for path, want := range map[string]string{
		"/feeds/iran.atom": `<link href="https://feeds.example.org/hub" rel="hub">`, "/feeds/iran.rss": `<atom:link href="https://feeds.example.org/hub" rel="hub">`,
		"/feeds/iran.json": `"hubs":[{"type":"WebSub","url":"https://feeds.example.org/hub"}]`,
	} {
		rec := w.get(path)
		if !strings.Contains(rec.Body.String(), want) || !strings.Contains(rec.Header().Get("Link"), `<https://feeds.example.org/hub>; rel="hub"`) {
			t.Errorf("%s does not name the hub: %s\n%.600s", path, rec.Header().Get("Link"), rec.Body)
		}
	}
	form := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {"https://feeds.example.org/feeds/iran.json"}, "hub.callback": {reader.URL + "/cb"}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://feeds.example.org/hub", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.web.ServeHTTP(rec, r)
	if rec.Code != http.StatusAccepted {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	receive := func() string {
		select {
		case s := <-got:
			return s
		case <-time.After(5 * time.Second):
			t.Fatal("nothing came within five seconds")
			return ""
		}
	}
	if s := receive(); s != "verified" {
		t.Fatal(s)
	}
	for w.pub.hub.Count() == 0 { // the answer is on its way back
		runtime.Gosched()
	}
	w.now = w.now.Add(time.Hour)
	w.add(post{source: "one", guid: "new", title: "Fresh", text: "x", topics: []feed.TopicID{"iran"}, at: w.now})
	if titles := jsonTitles(t, receive()); titles[0] != "Fresh" {
		t.Errorf("delivered %q", titles)
	}
}
