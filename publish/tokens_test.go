package publish

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"chancery/store"
)

func (w *world) token(name string, feeds ...string) string {
	w.t.Helper()
	token, err := AddToken(w.t.Context(), w.store, name, feeds, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// A private service opens to tokens only, by path or header, within their scope,
// until they are revoked.
func TestPrivateFeeds(t *testing.T) {
	cfg := testConfig()
	cfg.Access = "token"
	w := newWorld(t, cfg, testTopics())
	w.fill("one", 60, "iran")
	whole, part := w.token("editors"), w.token("desk", "iran", "mek")
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	for _, p := range []string{"/", "/feeds/iran.atom", "/opml.xml", "/status", "/topics/iran", "/feeds/nothing.atom", "/items/x"} {
		if rec := w.get(p); rec.Code != http.StatusUnauthorized || rec.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d", p, rec.Code)
		}
	}
	for _, p := range []string{"/robots.txt", "/static/page.css"} {
		if rec := w.get(p); rec.Code != http.StatusOK {
			t.Errorf("%s: %d", p, rec.Code)
		}
	}
	for _, c := range []struct {
		path   string
		header []string
		want   int
	}{
		{"/feeds/iran.atom", bearer(whole), 200},
		{"/", bearer(whole), 200},
		{"/", bearer(part), 401},
		{"/feeds/iran.atom", bearer(part), 200},
		{"/feeds/iran+mek.atom", bearer(part), 200},
		{"/feeds/iran+iraq.atom", bearer(part), 401},
		{"/feeds/all.atom", bearer(part), 401},
		{"/feeds/iran.atom", []string{"Authorization", "bearer " + whole}, 200}, // RFC 9110 §11.1: in any case
		{"/feeds/iran.atom", []string{"Authorization", whole}, 401},
		{"/feeds/iran.atom", bearer("chy_wrong"), 401},
		{"/t/" + whole + "/feeds/all.rss", nil, 200},
		{"/t/" + part + "/feeds/iran.json", nil, 200},
		{"/t/" + part + "/feeds/iraq.json", nil, 404},
		{"/t/" + part + "/feeds/source/one.json", nil, 404},
		{"/t/" + part + "/", nil, 404},
		{"/t/chy_wrong/feeds/iran.atom", nil, 404},
		{"/t//feeds/iran.atom", nil, 404},
	} {
		if rec := w.get(c.path, c.header...); rec.Code != c.want {
			t.Errorf("%s %v: %d, want %d", c.path, c.header, rec.Code, c.want)
		}
	}
	// The token is in the feed's own addresses, and only there; no shared cache
	// keeps it.
	rec := w.get("/t/" + part + "/feeds/iran.atom")
	body := rec.Body.String()
	if !strings.Contains(body, `href="https://feeds.example.org/t/`+part+`/feeds/iran.atom" rel="self"`) || strings.Contains(body, "org/feeds/iran") {
		t.Errorf("addresses:\n%.1500s", body)
	}
	if got := rec.Header().Get("Cache-Control"); !strings.HasPrefix(got, "private, ") {
		t.Errorf("Cache-Control %q", got)
	}
	if rec := w.get("/t/"+part+"/feeds/iran.atom", "If-None-Match", rec.Header().Get("Etag")); rec.Code != http.StatusNotModified {
		t.Errorf("conditional: %d", rec.Code)
	}
	archive := w.get("/t/" + part + "/feeds/iran/archive/1.atom")
	if to := archive.Header().Get("Location"); archive.Code != http.StatusTemporaryRedirect || !strings.HasPrefix(to, "https://feeds.example.org/t/"+part+"/feeds/iran/archive/") {
		t.Errorf("archive: %d to %q", archive.Code, to)
	}
	if rec := w.get("/t/" + whole + "/feeds/mek+iran.atom"); rec.Header().Get("Location") != "https://feeds.example.org/t/"+whole+"/feeds/iran+mek.atom" {
		t.Errorf("a redirect leaves the token behind: %q", rec.Header().Get("Location"))
	}
	for _, p := range []string{"mek+iran.atom", "nothing.atom", "iran.atom?x=1", "iran/archive/1.atom"} {
		if got := w.get("/t/" + whole + "/feeds/" + p).Header().Get("Cache-Control"); !strings.HasPrefix(got, "private, ") {
			t.Errorf("%s with a token: Cache-Control %q", p, got)
		}
	}
	w.stop() // counts are written
	all, err := Tokens(t.Context(), w.store)
	if err != nil || len(all) != 2 || all[0].Name != "desk" || all[0].Uses != 6 || all[0].LastUsed == "" {
		t.Errorf("tokens %+v %v", all, err)
	}
	w.start(cfg, testTopics())
	if err := RevokeToken(t.Context(), w.store, "desk"); err != nil {
		t.Fatal(err)
	}
	if rec := w.get("/t/" + part + "/feeds/iran.atom"); rec.Code != http.StatusNotFound {
		t.Errorf("a revoked token: %d", rec.Code)
	}
}

// The token itself is kept nowhere.
func TestTokenIsHashed(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	token := w.token("a")
	kept, err := w.store.LedgerScan(t.Context(), tokenSpace, "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range kept {
		if strings.Contains(e.Key+string(e.Value), token[len(tokenPrefix):]) {
			t.Errorf("%s %s", e.Key, e.Value)
		}
	}
	if other := w.token("b"); other == token {
		t.Error("two tokens are equal")
	}
	if _, err := AddToken(t.Context(), w.store, "a", nil, w.now); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a name twice: %v", err)
	}
	for _, bad := range []string{"", "A", "x y"} {
		if _, err := AddToken(t.Context(), w.store, bad, nil, w.now); err == nil {
			t.Errorf("name %q was taken", bad)
		}
	}
	if _, err := AddToken(t.Context(), w.store, "c", []string{"no/feed"}, w.now); err == nil {
		t.Error("a scope that is no feed was taken")
	}
	if err := RevokeToken(t.Context(), w.store, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking what is not there: %v", err)
	}
}
