package topic_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
)

// farmMain writes a farm's topics and posts as JSON lines.
const farmMain = `package main

import (
	"encoding/json"
	"os"
	"strconv"

	"feedfarm/farm"
)

func main() {
	cfg := farm.Defaults()
	cfg.Seed, _ = strconv.ParseUint(os.Args[1], 10, 64)
	cfg.Feeds = 150
	f, err := farm.New(cfg)
	if err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.Stdout)
	out.Encode(farm.Topics)
	f.Each(func(p *farm.Post, feedTitle, title string) {
		out.Encode(map[string]any{"title": title, "html": p.HTML(feedTitle), "mentions": p.Story.Mentions})
	})
}
`

// farmEach is added to the farm's package: its list of posts is not exported.
const farmEach = `package farm

// Each hands every post to visit.
func (f *Farm) Each(visit func(p *Post, feedTitle, title string)) {
	for _, p := range f.posts {
		visit(p, f.feeds[p.Feed].Title, p.title)
	}
}
`

// buildFarm compiles a copy of the synthetic farm with the two files above.
func buildFarm(t *testing.T) string {
	t.Helper()
	src := feedtest.Reference(t, "feedfarm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"main.go": farmMain, "farm/each.go": farmEach} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "posts")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// farmRule makes a rule of the farm's list of names: names as they are written,
// since "sanctions" and "Assad" stand there as such, with the apostrophe free.
func farmRule(id string, names []string) topic.Rule {
	var terms []string
	for _, n := range names {
		if strings.ContainsFunc(n, unicode.IsUpper) && !strings.ContainsAny(n, "’'") {
			terms = append(terms, `="`+n+`"`)
		} else {
			terms = append(terms, `"`+n+`"`)
		}
	}
	return topic.Rule{ID: feed.TopicID(id), Match: strings.Join(terms, " OR ")}
}

// On made posts with decoys such as Miran, Ashrafi and Mekong, a topics file made
// from their list of names finds what is named: precision and recall of 0.99.
func TestFarm(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the farm and makes 9,000 posts")
	}
	bin := buildFarm(t)
	for seed := 1; seed <= 3; seed++ {
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), bin, fmt.Sprint(seed))
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(&out)
		sc.Buffer(nil, 1<<20)
		sc.Scan()
		var topics []struct {
			Label string
			Names []string
		}
		if err := json.Unmarshal(sc.Bytes(), &topics); err != nil {
			t.Fatal(err)
		}
		var rules []topic.Rule
		for _, x := range topics {
			rules = append(rules, farmRule(x.Label, x.Names))
		}
		s := compile(t, rules...)
		var tp, fp, fn, posts int
		for sc.Scan() {
			var p struct {
				Title, HTML string
				Mentions    []string
			}
			if err := json.Unmarshal(sc.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			posts++
			it := &feed.Item{Entry: feed.Entry{Title: feed.Text{Value: p.Title}, Content: feed.Text{Type: feed.HTML, Value: p.HTML}}}
			found := 0
			for _, tag := range s.Tag(query.NewDoc(it, "")) {
				if slices.Contains(p.Mentions, string(tag.Topic)) {
					found++
				} else {
					fp++
				}
			}
			if found < len(p.Mentions) {
				t.Logf("seed %d: %q names %v, found %d of them", seed, p.Title, p.Mentions, found)
			}
			tp += found
			fn += len(p.Mentions) - found
		}
		precision, recall := float64(tp)/float64(tp+fp), float64(tp)/float64(tp+fn)
		t.Logf("seed %d: %d posts, precision %.4f, recall %.4f (%d/%d/%d)", seed, posts, precision, recall, tp, fp, fn)
		if precision < 0.99 || recall < 0.99 {
			t.Errorf("seed %d: precision %.4f, recall %.4f, want 0.99", seed, precision, recall)
		}
	}
}
