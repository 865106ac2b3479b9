// Package blogtest is a pretend blogosphere: some fifteen blogs with years of
// posts about Iran, Iraq, the Mojahedin-e Khalq and other things, in RSS, Atom
// and JSON Feed, in five languages; posts that appear, are edited, withdrawn and
// copied from blog to blog as time goes on; and servers that fail, rate-limit,
// move, or answer with something else.
//
// A [World] is an http.RoundTripper: no sockets, no waiting, and the same answers
// to the same questions every time. Tests and the demo give it to the code that
// fetches. Time stands still until [World.Advance] goes a step on; each step of
// the script names posts that are new or changed. [World.Handler] serves the same
// world on a listener for tests of the whole program.
//
// Worlds are written in txtar (see script.go); [New] has the built-in one, [Parse]
// reads others. All posts were written for this package.
package blogtest

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"chancery/feed"
	"chancery/feed/opml"
)

//go:embed blogs/*.txtar
var blogs embed.FS

// World is a blogosphere at a step of its script. Its methods may be called from
// several goroutines.
type World struct {
	blogs  []*blog // by id
	byHost map[string]*blog
	steps  int

	mu       sync.Mutex // guards what follows
	times    []time.Time
	asked    map[string]int // feed requests by host
	requests []Request
	stats    Stats
}

// Source is a blog that can be subscribed to.
type Source struct {
	ID    feed.SourceID
	URL   string // of the feed
	Site  string // of the home page
	Title string
	Lang  string
	// Trouble says what is wrong with it: "" for a healthy blog, "dead", "gone",
	// "html", "limit", "moved".
	Trouble string
}

// New returns the built-in world at step 0. Dates that the script gives relative
// to the present are relative to base.
func New(base time.Time) *World {
	names, err := fs.Glob(blogs, "blogs/*.txtar")
	if err != nil {
		panic(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = blogs.ReadFile(name); err != nil {
			panic(err)
		}
	}
	w, err := Parse(base, files)
	if err != nil {
		panic(fmt.Sprintf("blogtest: the built-in world: %v", err)) // a test reads it
	}
	return w
}

// Parse reads a world from scripts, one a blog; the keys of files name them in
// errors.
func Parse(base time.Time, files map[string][]byte) (*World, error) {
	w := &World{byHost: map[string]*blog{}, times: []time.Time{base.UTC()}, asked: map[string]int{}}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := parseBlog(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if w.byHost[b.host] != nil {
			return nil, fmt.Errorf("%s: another blog is at %s", name, b.host)
		}
		w.byHost[b.host] = b
		w.blogs = append(w.blogs, b)
		for _, p := range b.posts {
			for _, v := range p.versions {
				w.steps = max(w.steps, v.step)
			}
		}
	}
	slices.SortFunc(w.blogs, func(a, b *blog) int { return cmp.Compare(a.id, b.id) })
	for _, b := range w.blogs {
		if err := w.copyPosts(b); err != nil {
			return nil, fmt.Errorf("%s: %w", b.id, err)
		}
	}
	return w, nil
}

// copyPosts fills in the posts that b took from other blogs.
func (w *World) copyPosts(b *blog) error {
	for _, p := range b.posts {
		for i := range p.versions {
			v := &p.versions[i]
			if v.from == "" {
				continue
			}
			id, slug, _ := strings.Cut(v.from, "/")
			n := slices.IndexFunc(w.blogs, func(b *blog) bool { return b.id == id })
			if n < 0 {
				return fmt.Errorf("post %s: from: there is no blog %q", p.slug, id)
			}
			orig := w.blogs[n].post(slug)
			if orig == nil {
				return fmt.Errorf("post %s: from: %s has no post %q", p.slug, id, slug)
			}
			o := orig.versions[0]
			if o.from != "" {
				return fmt.Errorf("post %s: from: %s is itself a copy", p.slug, v.from)
			}
			v.title = cmp.Or(v.title, o.title)
			v.body += o.body
			v.origin, v.originBlog = orig, w.blogs[n]
		}
	}
	return nil
}

// Advance goes to the next step of the script, whose posts appear at now, and
// returns its number. After the last step nothing happens any more.
func (w *World) Advance(now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = append(w.times, now.UTC())
	return len(w.times) - 1
}

// Step is the number of steps taken so far.
func (w *World) Step() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.times) - 1
}

// Steps is the number of the last step at which something happens.
func (w *World) Steps() int { return w.steps }

// Sources are all blogs, the troubled ones too, by id.
func (w *World) Sources() []Source { return w.SourcesAt("") }

// SourcesAt is [World.Sources] with the addresses under which [World.Handler]
// serves them at base, such as "http://127.0.0.1:8080".
func (w *World) SourcesAt(base string) []Source {
	sources := make([]Source, len(w.blogs))
	for i, b := range w.blogs {
		sources[i] = Source{
			ID: feed.SourceID(b.id), URL: at(base, "https://"+b.host+b.path), Site: at(base, "https://"+b.host+"/"),
			Title: b.title, Lang: b.lang, Trouble: b.trouble,
		}
	}
	return sources
}

// at moves a URL of the world below base.
func at(base, url string) string {
	if base == "" {
		return url
	}
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(url, "https://")
}

// OPML is a list of subscriptions to all blogs, in two folders.
func (w *World) OPML() []byte { return w.OPMLAt("") }

// OPMLAt is [World.OPML] with the addresses of [World.SourcesAt].
func (w *World) OPMLAt(base string) []byte {
	list := &opml.List{Title: "A pretend blogosphere", OwnerName: "blogtest", DateModified: w.now()[0]}
	for _, s := range w.SourcesAt(base) {
		folder := "Blogs"
		if s.Trouble != "" {
			folder = "In trouble"
		}
		list.Outlines = append(list.Outlines, opml.Outline{
			Text: s.Title, Title: s.Title, XMLURL: s.URL, HTMLURL: s.Site, Language: s.Lang, Folders: []string{folder},
		})
	}
	var b strings.Builder
	if err := opml.Write(&b, list); err != nil {
		panic(err) // every source has a URL
	}
	return []byte(b.String())
}

// Post is a post as its blog shows it now.
type Post struct {
	Source    feed.SourceID
	ID        string // the native id in the feed
	URL       string
	Title     string
	Author    string
	HTML      string
	Tags      []string
	Published time.Time
	Updated   time.Time // zero if never edited

	summary   string
	enclosure []string
}

// Posts are what the feed of source shows now, newest first; nil for a source
// that there is not.
func (w *World) Posts(source feed.SourceID) []Post {
	times := w.now()
	for _, b := range w.blogs {
		if b.id == string(source) {
			return b.view(times)
		}
	}
	return nil
}

// now is a copy of the times of the steps taken.
func (w *World) now() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.times)
}
