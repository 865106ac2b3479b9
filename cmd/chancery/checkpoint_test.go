package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

func archiveOf(t *testing.T, dir string, posts ...string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(t.Context(), dir, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	src := store.Source{ID: "a", URL: "https://a.example/feed"}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &src}}); err != nil {
		t.Fatal(err)
	}
	add(t, s, posts...)
	return s
}

func add(t *testing.T, s store.Store, posts ...string) []store.Outcome {
	t.Helper()
	b := store.Batch{Source: "a"}
	for _, p := range posts {
		d := feed.DigestOf([]byte(p))
		b.Drafts = append(b.Drafts, store.Draft{
			Entry: feed.Entry{ID: p, Title: feed.Text{Value: p}}, Native: p, Method: "guid", Part: -1,
			Keys: []store.Key{{Class: store.KeyGUID, Hash: [16]byte(d[:])}}, Version: d,
		})
	}
	out, err := s.Append(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A checkpoint served once holds for ever: the archive may grow, but another
// history, a shorter one, another archive and a forged signature are found out.
func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := archiveOf(t, dir, "one", "two")
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := withCheckpoint(next, s, dir, "https://feeds.example.org/archive/", slog.New(slog.DiscardHandler))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if w := get("/other"); w.Code != http.StatusTeapot {
		t.Errorf("/other: status %d", w.Code)
	}
	if w := get("/archive/checkpoint"); w.Code != http.StatusOK {
		t.Errorf("/archive/checkpoint: status %d", w.Code)
	}
	w := get("/checkpoint")
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "chancery archive ") {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	old := w.Body.Bytes()
	if fi, err := os.Stat(filepath.Join(dir, checkpointKey)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v; want 0600", fi, err)
	}
	add(t, s, "three")
	c, err := newCheckpointer(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := c.check(t.Context(), old, ""); err != nil || head.Size != 3 {
		t.Errorf("after growing: %+v, %v", head, err)
	}
	if _, err := c.check(t.Context(), old, c.public); err != nil {
		t.Errorf("with its key: %v", err)
	}

	h2, err := c.archive.Head(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	now, err := c.archive.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(change func(*store.TreeHead), from store.TreeHead) []byte {
		change(&from)
		text, err := c.sign(from)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(text)
	}
	for _, tt := range []struct {
		name, want string
		text       []byte
		status     int
	}{
		{"another history", "rewritten", signed(func(h *store.TreeHead) { h.Root[0]++ }, h2), exitFailed},
		{"records lost", "lost", signed(func(h *store.TreeHead) { h.Size++ }, now), exitFailed},
		{"another archive", "is of archive", signed(func(h *store.TreeHead) { h.Archive[0]++ }, h2), exitData},
		{"changed after signing", "signature", bytes.Replace(old, []byte("\n3\n"), []byte("\n2\n"), 1), exitData},
		{"no note", "signature", []byte("hello\n"), exitData},
	} {
		_, err := c.check(t.Context(), tt.text, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) || statusOf(err) != tt.status {
			t.Errorf("%s: %v (status %d), want %q, status %d", tt.name, err, statusOf(err), tt.want, tt.status)
		}
	}
	_, other, err := note.GenerateKey(strings.NewReader(strings.Repeat("x", 64)), "other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.check(t.Context(), old, other); err == nil {
		t.Error("a checkpoint holds under another key")
	}
	if _, err := c.check(t.Context(), old, "nonsense"); statusOf(err) != exitUsage {
		t.Errorf("a bad key: %v", err)
	}
}

// The key comes from the service manager when it has one.
func TestCheckpointKeyOfCredential(t *testing.T) {
	dir, creds := t.TempDir(), t.TempDir()
	key, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("seed", 64)), "example.org/archive")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(creds, checkpointKey), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", creds)
	c, err := newCheckpointer(t.Context(), archiveOf(t, dir, "one"), dir)
	if err != nil || c.public != public {
		t.Fatalf("%+v, %v; want the key %s", c, err, public)
	}
	if _, err := os.Stat(filepath.Join(dir, checkpointKey)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a key was made although there is one")
	}
	if err := os.WriteFile(filepath.Join(creds, checkpointKey), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newCheckpointer(t.Context(), archiveOf(t, t.TempDir(), "one"), dir); err == nil {
		t.Error("a bad key is taken")
	}
}

// What prove prints can be checked with what it prints.
func TestPrintProof(t *testing.T) {
	dir := t.TempDir()
	s := archiveOf(t, dir)
	out := add(t, s, "one", "two", "three", "four", "five")
	c, err := newCheckpointer(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		p, err := c.prove(t.Context(), o.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var j store.SignedProof
		if err := json.Unmarshal(b, &j); err != nil {
			t.Fatal(err)
		}
		v, err := note.NewVerifier(j.Key)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open([]byte(j.Checkpoint), note.VerifierList(v))
		if err != nil {
			t.Fatal(err)
		}
		q := store.Proof{Index: j.Index, Leaf: j.Leaf, Salt: j.Salt, Content: j.Content}
		if q.Head, err = store.ParseTreeHead(n.Text); err != nil {
			t.Fatal(err)
		}
		for _, h := range j.Path {
			q.Path = append(q.Path, [32]byte(h))
		}
		if err := q.Check(); err != nil || !bytes.Contains(j.Content, p.Content) {
			t.Errorf("%v: %v", o.ID, err)
		}
		q.Content = append([]byte("x"), q.Content...)
		if q.Check() == nil {
			t.Errorf("%v: changed content is proved", o.ID)
		}
	}
}
