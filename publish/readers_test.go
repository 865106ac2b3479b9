package publish

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
)

// readable is a world that is served over a connection, with a title that readers
// get wrong easily.
func readable(t *testing.T) (*world, *httptest.Server) {
	w := &world{t: t, store: newModel(), now: start}
	srv := httptest.NewUnstartedServer(nil)
	cfg := testConfig()
	cfg.BaseURL = "http://" + srv.Listener.Addr().String()
	w.start(cfg, testTopics())
	srv.Config.Handler = w.web
	srv.Start()
	t.Cleanup(srv.Close)
	w.add(post{source: "one", guid: "tag:one.example,2026:1", title: "Camps & <courts>", text: "<p>Text of the post, with <b>weight</b>.</p>", topics: []feed.TopicID{"iran"}, at: start.Add(-time.Hour)},
		post{source: "one", guid: "2", title: "نامه از تیرانا", text: "<p>متن</p>", topics: []feed.TopicID{"iran"}, at: start})
	return w, srv
}

// sfeed reads title, link, id, author and category of Atom and RSS.
func TestSfeed(t *testing.T) {
	sfeed := feedtest.Program(t, "sfeed")
	w, _ := readable(t)
	for _, format := range []string{"atom", "rss"} {
		cmd := exec.CommandContext(t.Context(), sfeed)
		cmd.Stdin = strings.NewReader(w.body("/feeds/iran." + format))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != 2 {
			t.Fatalf("%s: %d lines:\n%s", format, len(lines), out)
		}
		// Time, title, link, content, type, id, author, enclosure, categories.
		got := strings.Split(lines[1], "\t")
		if got[0] != "1772362800" || got[1] != "Camps & <courts>" || got[2] != "https://one.example/tag:one.example,2026:1" || got[5] != "tag:one.example,2026:1" || !strings.EqualFold(got[8], "iran") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// newsboat subscribes, fetches and shows the posts.
func TestNewsboat(t *testing.T) {
	newsboat := feedtest.Program(t, "newsboat")
	_, srv := readable(t)
	for _, format := range []string{"atom", "rss"} {
		dir := t.TempDir()
		urls := filepath.Join(dir, "urls")
		if err := os.WriteFile(urls, []byte(srv.URL+"/feeds/iran."+format+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) string {
			cmd := exec.CommandContext(t.Context(), newsboat, append([]string{"-C", "/dev/null", "-u", urls, "-c", filepath.Join(dir, "cache.db")}, args...)...)
			cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "TERM=xterm", "no_proxy=*")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("newsboat %v: %v\n%s", args, err, out)
			}
			return string(out)
		}
		run("-x", "reload")
		if out := run("-x", "print-unread"); !strings.HasPrefix(out, "2 ") {
			t.Errorf("%s: newsboat has %q, want 2 unread", format, out)
		}
		b, err := os.ReadFile(filepath.Join(dir, "cache.db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"tag:one.example,2026:1", "نامه از تیرانا", "Text of the post"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s: newsboat's cache lacks %q", format, want)
			}
		}
	}
}
