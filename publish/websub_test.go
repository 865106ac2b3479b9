package publish

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chancery/feed"
	"chancery/publish/hub"
	"chancery/store/storetest"
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
		p.EnableHub(hub.DefaultConfig(), http.DefaultTransport)
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
		case <-time.After(time.Minute):
			t.Fatal("nothing came within a minute")
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

// PUB-77, PUB-78: with an outside hub in the configuration, feeds with a history
// name it and it is told of those that changed, each format by its address; what
// anybody can make up stays with our own hub, and what never changes has none.
func TestOutsideHub(t *testing.T) {
	got := make(chan string, 100)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.PostForm.Get("hub.mode") != "publish" {
			t.Errorf("form %v", r.PostForm)
		}
		got <- r.PostForm.Get("hub.url")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer outside.Close()
	w := &world{t: t, store: newModel(), now: time.Now().UTC().Truncate(time.Second).Add(time.Hour)}
	w.before = func(p *Publisher) {
		p.EnableHub(hub.DefaultConfig(), http.DefaultTransport)
		p.EnablePing(hub.DefaultConfig(), http.DefaultTransport)
	}
	cfg := testConfig()
	cfg.Hubs = []string{outside.URL + "/"}
	defs := testTopics()
	defs.Feeds[0].Formats = []string{"json"}
	w.start(cfg, defs)
	w.fill("one", 60, "iran")
	w.add(post{source: "one", guid: "m", title: "M", text: "x", topics: []feed.TopicID{"mek", "iraq"}, at: w.now})
	want := map[string]bool{"/feeds/mek-in-iraq.json": true}
	for _, f := range []string{"all", "iran", "iraq", "mek", "source/one"} {
		for _, suffix := range []string{"atom", "rss", "json"} {
			want["/feeds/"+f+"."+suffix] = true
		}
	}
	deadline := time.After(time.Minute)
	for len(want) > 0 {
		select {
		case address := <-got:
			path, ok := strings.CutPrefix(address, "https://feeds.example.org")
			if !ok || strings.Contains(address, "+") {
				t.Errorf("told of %q", address)
			}
			delete(want, path)
		case <-deadline:
			t.Fatalf("not told of %v", want)
		}
	}
	link := func(path string) string { return w.get(path).Header().Get("Link") }
	named := "<" + outside.URL + `/>; rel="hub"`
	if l := link("/feeds/iran.atom"); !strings.Contains(l, named) || strings.Contains(l, "feeds.example.org/hub") {
		t.Errorf("iran: %s", l)
	}
	if l := link("/feeds/iran+mek.atom"); strings.Contains(l, named) || !strings.Contains(l, `<https://feeds.example.org/hub>; rel="hub"`) {
		t.Errorf("iran+mek: %s", l)
	}
	rec := w.get("/feeds/iran/archive/1.atom")
	page := w.get(strings.TrimPrefix(rec.Header().Get("Location"), "https://feeds.example.org"))
	if page.Code != http.StatusOK || strings.Contains(page.Header().Get("Link")+page.Body.String(), `rel="hub"`) {
		t.Errorf("an archive document has a hub: %d %s", page.Code, page.Header().Get("Link"))
	}
}

// slowHistory is an archive whose histories take a while to open.
type slowHistory struct{ *storetest.Model }

func (s slowHistory) LedgerGet(ctx context.Context, space, key string) ([]byte, error) {
	if space == historySpace {
		time.Sleep(time.Second)
	}
	return s.Model.LedgerGet(ctx, space, key)
}

// roundTrip is a transport.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// PUB-78: after a restart subscribers get nothing that they have, also where feeds with
// a history could be made before the history is known.
func TestHubAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delivered := 0
		w := &world{t: t, store: newModel(), now: start}
		w.before = func(p *Publisher) {
			p.EnableHub(hub.DefaultConfig(), roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost {
					delivered++
				}
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(r.URL.Query().Get("hub.challenge")))}, nil
			}))
		}
		w.start(testConfig(), testTopics())
		w.fill("one", 60, "iran")
		form := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {"https://feeds.example.org/feeds/iran.atom"}, "hub.callback": {"https://reader.example/cb"}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://feeds.example.org/hub", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.web.ServeHTTP(httptest.NewRecorder(), r)
		synctest.Wait()
		if w.pub.hub.Count() != 1 {
			t.Fatal("not subscribed")
		}
		w.startOn(testConfig(), testTopics(), slowHistory{w.store})
		if w.atom("/feeds/iran.atom").link("prev-archive") == "" {
			t.Fatal("the feed has no history")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if delivered != 0 {
			t.Errorf("%d deliveries of what the subscriber has", delivered)
		}
		w.stop()
	})
}
