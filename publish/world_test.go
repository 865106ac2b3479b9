package publish

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/store"
	"chancery/store/storetest"
)

// start is when the tests' archives begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an archive with a publisher on it.
type world struct {
	t     testing.TB
	store *storetest.Model
	pub   *Publisher
	web   http.Handler
	now   time.Time
	stop  func() // the publisher; may be called twice
	// before, if set, is called with a publisher before it runs.
	before func(*Publisher)
}

// post is what a test says of a post; the rest is made up from it.
type post struct {
	source  string
	guid    string
	title   string
	text    string // HTML
	story   string // equal in copies; empty is a story of its own
	topics  []feed.TopicID
	at      time.Time // published
	entry   feed.Entry
	trivial bool // as a further version, it says what the one before said
}

func testConfig() Config {
	c := DefaultConfig()
	c.BaseURL = "https://feeds.example.org"
	return c
}

func testTopics() Definitions {
	return Definitions{
		Topics: []Topic{{ID: "iran", Name: "Iran"}, {ID: "iraq", Name: "Iraq"}, {ID: "mek", Name: "Mojahedin-e Khalq (MEK)"}},
		Feeds:  []Feed{{ID: "mek-in-iraq", Title: "The MEK in Iraq", Query: "topic:mek AND topic:iraq"}},
	}
}

// newWorld makes a world whose publisher runs until the test ends.
func newWorld(t testing.TB, cfg Config, defs Definitions) *world {
	t.Helper()
	w := &world{t: t, store: newModel(), now: start}
	w.start(cfg, defs)
	return w
}

// start puts a publisher on the archive, as at a restart.
func (w *world) start(cfg Config, defs Definitions) { w.startOn(cfg, defs, w.store) }

func (w *world) startOn(cfg Config, defs Definitions, archive Archive) {
	w.t.Helper()
	if w.stop != nil {
		w.stop()
	}
	pub, err := New(cfg, defs, archive, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.before != nil {
		w.before(pub)
	}
	w.pub, w.web = pub, pub.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pub.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != context.Canceled { //nolint:errorlint // Run returns the cause itself
			w.t.Errorf("Run = %v, want context.Canceled", err)
		}
	})
	w.t.Cleanup(w.stop)
	if err := pub.Ready(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.sync()
}

func key(class store.KeyClass, s string) store.Key {
	h := sha256.Sum256([]byte(s))
	k := store.Key{Class: class}
	copy(k.Hash[:], h[:])
	return k
}

// add takes posts in as one commit at w.now and waits until the publisher saw it.
func (w *world) add(posts ...post) []store.Outcome {
	w.t.Helper()
	b := store.Batch{At: w.now}
	bySource := map[string]bool{}
	for _, p := range posts {
		if !bySource[p.source] {
			bySource[p.source] = true
			w.ensure(p.source)
		}
	}
	b.Document = &store.Document{Source: feed.SourceID(posts[0].source), Received: w.now, URL: "https://" + posts[0].source + ".example/feed", Body: []byte("a document")}
	for _, p := range posts {
		if p.source != posts[0].source {
			w.t.Fatal("posts of one commit must have one source")
		}
		b.Drafts = append(b.Drafts, draft(p))
	}
	out, err := w.store.Append(w.t.Context(), b)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sync()
	return out
}

func draft(p post) store.Draft {
	e := p.entry
	e.ID = p.guid
	if e.URL == "" {
		e.URL = "https://" + p.source + ".example/" + p.guid
	}
	if e.Title.IsZero() {
		e.Title = feed.Text{Type: feed.PlainText, Value: p.title}
	}
	if e.Content.IsZero() && p.text != "" {
		e.Content = feed.Text{Type: feed.HTML, Value: p.text}
	}
	if !p.at.IsZero() {
		e.Published = feed.Date{Time: p.at, Raw: p.at.Format(time.RFC3339)}
	}
	d := store.Draft{
		Entry: e, Native: p.guid, Method: "guid", Keys: []store.Key{key(store.KeyGUID, p.guid)},
		Version: feed.DigestOf([]byte(p.title + "\x00" + p.text + "\x00" + p.at.String())), Part: -1,
	}
	if p.trivial {
		d.Trivial = func(*feed.Entry) bool { return true }
	}
	if p.story != "" {
		d.Story = []store.Key{key(store.KeyText, p.story)}
	}
	for _, t := range p.topics {
		d.Topics = append(d.Topics, feed.Tag{Topic: t, Score: 2, About: true})
	}
	return d
}

// ensure adds a source if it is not there.
func (w *world) ensure(id string) {
	w.t.Helper()
	if _, err := w.store.Source(w.t.Context(), feed.SourceID(id)); err == nil {
		return
	}
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{
		ID: feed.SourceID(id), URL: "https://" + id + ".example/feed", Site: "https://" + id + ".example/", Title: "The " + id + " blog", Origin: "config",
	}})
}

func (w *world) change(edits ...store.Edit) {
	w.t.Helper()
	if err := w.store.Change(w.t.Context(), edits); err != nil {
		w.t.Fatal(err)
	}
	w.sync()
}

// sync waits until the publisher saw everything.
func (w *world) sync() {
	w.t.Helper()
	end, err := w.store.End(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer stop()
	if err := w.pub.Wait(ctx, end); err != nil {
		w.t.Fatalf("the publisher did not reach %d: %v", end, err)
	}
	if err := w.pub.WaitHistory(ctx, end); err != nil {
		w.t.Fatalf("the history did not reach %d: %v", end, err)
	}
}

// get asks for a path; header alternates names and values.
func (w *world) get(path string, header ...string) *httptest.ResponseRecorder {
	return w.do(http.MethodGet, path, header...)
}

func (w *world) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), method, "https://feeds.example.org"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.web.ServeHTTP(rec, r)
	return rec
}

// body asks for a path that must be there.
func (w *world) body(path string) string {
	w.t.Helper()
	rec := w.get(path)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s", path, rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// n posts, one a minute up to w.now, newest last.
func (w *world) fill(source string, n int, topics ...feed.TopicID) {
	w.t.Helper()
	var posts []post
	for i := range n {
		posts = append(posts, post{
			source: source, guid: fmt.Sprintf("%s-%d", source, i), title: fmt.Sprintf("Post %d of %s", i, source),
			text: "<p>Text of a post.</p>", topics: topics, at: w.now.Add(time.Duration(i-n) * time.Minute),
		})
	}
	w.add(posts...)
}

func entryID(it *feed.Item) string { return render.EntryID(it) }

func newModel() *storetest.Model { return storetest.NewModel() }
