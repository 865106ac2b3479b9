package discover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chancery/store"
)

const base = "https://blog.example/2026/post/"

// list shows candidates as "kind type url".
func list(cs []Candidate) []string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%v %s %s", c.Kind, c.Type, c.URL))
	}
	return out
}

// What a page declares, in the order in which it would be proposed.
func TestCandidates(t *testing.T) { // F-134 F-135 F-136 F-138
	for _, c := range []struct {
		name, page string
		header     http.Header
		want       []string
	}{
		{"WordPress", `<!DOCTYPE html><html><head>
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Post Comments Feed" href="https://blog.example/2026/post/feed/">
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Comments Feed" href="/comments/feed/">
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Iran Category Feed" href="/category/iran/feed/">
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Feed" href="/feed/">
			<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">
			<link rel="alternate" type="application/json+oembed" href="/wp-json/oembed">
			</head>`, nil, []string{
			"posts application/rss+xml https://blog.example/feed/",
			"part application/rss+xml https://blog.example/category/iran/feed/",
			"comments application/rss+xml https://blog.example/2026/post/feed/",
			"comments application/rss+xml https://blog.example/comments/feed/",
		}},
		{"document order, feed+json before json", `<link rel=alternate type=application/json href=/a.json><link rel=alternate type=application/feed+json href=/b.json><link rel=alternate type=application/atom+xml href=/c.atom>`, nil, []string{
			"posts application/feed+json https://blog.example/b.json",
			"posts application/atom+xml https://blog.example/c.atom",
			"posts application/json https://blog.example/a.json",
		}},
		{"case and parameters", `<LINK REL="ALTERNATE home" TYPE="Application/RSS+XML; charset=utf-8" HREF=feed.xml />`, nil, []string{
			"posts application/rss+xml https://blog.example/2026/post/feed.xml",
		}},
		{"base", `<base target=_top><base href="//cdn.example/x/"><base href="/no/"><link rel=alternate type=application/rss+xml href="feed#top">`, nil, []string{
			"posts application/rss+xml https://cdn.example/x/feed",
		}},
		{"rel=feed", `<link rel=feed href=/a><link rel=feed type=text/html href=/hfeed>`, nil, []string{"posts  https://blog.example/a"}},
		{"Link fields", `<link rel=alternate type=application/rss+xml href=/feed>`, http.Header{"Link": {
			`</wp-json/>; rel="https://api.w.org/", <https://blog.example/atom?a=1,2;3>; type="application/atom+xml" ; rel="x alternate"; title="a, \"b\"; c"`,
			`</feed>; rel=alternate; type=application/rss+xml`,
			`broken, </z>; rel=alternate`,
		}}, []string{
			"posts application/atom+xml https://blog.example/atom?a=1,2;3",
			"posts application/rss+xml https://blog.example/feed",
		}},
		{"not in the body", `<head><link rel=alternate type=application/rss+xml href=/a></head><body><link rel=alternate type=application/rss+xml href=/b>`, nil, []string{"posts application/rss+xml https://blog.example/a"}},
		{"not in a script or comment", `<head><script>'<link rel=alternate type=application/rss+xml href=/a>'</script><!-- <link rel=alternate type=application/rss+xml href=/b> --><style><link rel=alternate type=application/rss+xml href=/c></style>`, nil, nil},
		{"nothing of ours", `<link rel=alternate hreflang=de href=/de><link rel="alternate stylesheet" type=text/xml href=/x><link rel=stylesheet type=text/css href=/y><link rel=alternate type=text/html href=/z><link rel=alternate type=application/rss+xml>`, nil, nil},
		{"addresses that are none", `<link rel=alternate type=application/rss+xml href="javascript:x"><link rel=alternate type=application/rss+xml href="http://u:p@x.example/"><link rel=alternate type=application/rss+xml href="http://%zz">`, nil, nil},
		{"titles of other languages", `<link rel=alternate type=application/rss+xml title="Kommentare" href=/k><link rel=alternate type=application/rss+xml title="خوراک دیدگاه ها" href=/n><link rel=alternate type=application/rss+xml title="Beiträge" href=/b>`, nil, []string{
			"posts application/rss+xml https://blog.example/b",
			"comments application/rss+xml https://blog.example/k",
			"comments application/rss+xml https://blog.example/n",
		}},
		{"Blogger", `<link rel="alternate" type="application/atom+xml" title="B - Atom" href="https://b.blogspot.com/feeds/posts/default" /><link rel="alternate" type="application/atom+xml" title="B - Atom" href="https://b.blogspot.com/feeds/123/comments/default" />`, nil, []string{
			"posts application/atom+xml https://b.blogspot.com/feeds/posts/default",
			"comments application/atom+xml https://b.blogspot.com/feeds/123/comments/default",
		}},
		{"twice", `<link rel=alternate type=application/rss+xml href=/a><link rel=alternate type=application/rss+xml href="https://blog.example/a#x">`, nil, []string{"posts application/rss+xml https://blog.example/a"}},
	} {
		if got := list(Candidates([]byte(c.page), base, c.header)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

// A page is looked at for a MiB, and what it can declare is bounded.
func TestCandidatesBounded(t *testing.T) { // F-139
	link := `<link rel=alternate type=application/rss+xml href=/late>`
	if got := Candidates([]byte("<head>"+strings.Repeat(" ", 1<<20)+link), base, nil); len(got) != 0 {
		t.Errorf("found behind the first MiB: %v", got)
	}
	if got := Candidates([]byte("<head>"+strings.Repeat(" ", 1<<19)+link), base, nil); len(got) != 1 {
		t.Errorf("not found in the first MiB: %v", got)
	}
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "<link rel=alternate type=application/rss+xml href=/%d>", i)
	}
	if got := Candidates([]byte(b.String()), base, nil); len(got) != maxCandidates {
		t.Errorf("%d candidates", len(got))
	}
}

// A page in a legacy charset has a readable title.
func TestCandidatesCharset(t *testing.T) {
	page := "<meta charset=windows-1252><link rel=alternate type=application/rss+xml title='Gr\xfc\xdfe' href=/a>"
	if got := Candidates([]byte(page), base, nil); len(got) != 1 || got[0].Title != "Grüße" {
		t.Errorf("got %+v", got)
	}
}

// What people type.
func TestNormalize(t *testing.T) { // F-140
	for _, c := range []struct{ in, want string }{
		{"https://a.example/feed", "https://a.example/feed"},
		{"  <https://a.example/feed#x> ", "https://a.example/feed"},
		{"feed://a.example/feed", "http://a.example/feed"},
		{"FEED:https://a.example/feed", "https://a.example/feed"},
		{"feed:feed:https://a.example/feed", "https://a.example/feed"},
		{"feed:a.example", "https://a.example/"},
		{"a.example", "https://a.example/"},
		{"a.example/b?c=d:e", "https://a.example/b?c=d:e"},
		{"a.example:8443/b", "https://a.example:8443/b"},
		{"localhost:80", "https://localhost:80/"},
		{"//a.example", "https://a.example/"},
		{"HTTP://A.Example/Feed", "http://a.example/Feed"},
		{"http://user:word@a.example/", "http://user:word@a.example/"},
		{"", ""},
		{"feed:", ""},
		{"ftp://a.example/", ""},
		{"mailto:a@b.example", ""},
		{"https:///x", ""},
		{"https://a b/", ""},
	} {
		got, err := Normalize(c.in)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("Normalize(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("a password in %v", err)
		}
	}
}

// Addresses that very likely are one feed, and such that are not.
func TestSame(t *testing.T) { // F-141
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example/feed", "http://www.a.example/feed/", true},
		{"https://a.example", "https://A.EXAMPLE:443/#x", true},
		{"feed://a.example/x", "https://a.example/x", true},
		{"https://bücher.example/", "https://xn--bcher-kva.example", true},
		{"https://a.example/feed", "https://a.example/Feed", false},
		{"https://a.example/feed", "https://a.example/feed?x=1", false},
		{"https://a.example/feed", "https://a.example:8443/feed", false},
		{"https://a.example/feed", "https://b.example/feed", false},
		{"", "", false},
	} {
		if got := Same(c.a, c.b); got != c.same {
			t.Errorf("Same(%s, %s) = %t", c.a, c.b, got)
		}
	}
}

// site is a set of pages; what is no page is an error. It records what is asked.
type site struct {
	pages map[string]string
	moved map[string]string
	asked []string
}

func (s *site) get(_ context.Context, address string) (Page, error) {
	hops := []string{address}
	s.asked = append(s.asked, address)
	for s.moved[address] != "" {
		address = s.moved[address]
		hops = append(hops, address)
	}
	body, ok := s.pages[address]
	if !ok {
		return Page{}, errors.New("HTTP 404")
	}
	return Page{URL: address, Hops: hops, Body: []byte(body)}, nil
}

func read(p Page) (Info, error) {
	if rest, ok := strings.CutPrefix(string(p.Body), "FEED "); ok {
		return Info{Title: "a feed", Self: rest}, nil
	}
	if strings.HasPrefix(string(p.Body), "<") {
		return Info{}, ErrPage
	}
	return Info{}, errors.New("not a feed")
}

// From what is typed to what is proposed, in as few requests as there must be.
func TestFind(t *testing.T) { // F-137 F-138 F-141
	s := &site{moved: map[string]string{"https://old.example/feed": "https://blog.example/feed"}, pages: map[string]string{
		"https://blog.example/":     `<link rel=alternate type=application/rss+xml href=/comments/feed><link rel=alternate type=application/rss+xml href=/feed><link rel=alternate type=application/atom+xml href=/atom>`,
		"https://blog.example/feed": "FEED ",
		"https://self.example/feed": "FEED https://blog.example/feed",
		"https://liar.example/":     `<link rel=alternate type=application/rss+xml href=/no><link rel=alternate type=application/rss+xml href=/page><link rel=alternate type=application/rss+xml href=/yes>`,
		"https://liar.example/page": "<html>",
		"https://liar.example/yes":  "FEED ",
		"https://bare.example/":     "<html>", "https://bare.example/rss.xml": "FEED ", "https://bare.example/atom.xml": "FEED ",
		"https://bare.example/robots.txt": "User-agent: *\nDisallow: /feed\nDisallow: /atom.xml$",
		"https://none.example/":           "<html>",
		"https://pdf.example/":            "%PDF",
	}}
	known := []store.Source{{ID: "gone", URL: "https://blog.example/feed", Removed: true}, {ID: "blog", URL: "http://www.blog.example/feed/"}}
	for _, c := range []struct {
		input, feed, existing string
		guess                 bool
		asked                 []string
		fails                 bool
	}{
		{"blog.example", "https://blog.example/feed", "blog", false, []string{"https://blog.example/", "https://blog.example/feed"}, false},
		{"https://blog.example/feed", "https://blog.example/feed", "blog", false, []string{"https://blog.example/feed"}, false},
		{"https://old.example/feed", "https://old.example/feed", "blog", false, []string{"https://old.example/feed"}, false},
		{"https://self.example/feed", "https://self.example/feed", "blog", false, []string{"https://self.example/feed"}, false},
		{"liar.example", "https://liar.example/yes", "", false, []string{"https://liar.example/", "https://liar.example/no", "https://liar.example/page", "https://liar.example/yes"}, false},
		{"bare.example", "", "", false, []string{"https://bare.example/"}, true},
		{"bare.example", "https://bare.example/rss.xml", "", true, []string{"https://bare.example/", "https://bare.example/robots.txt", "https://bare.example/rss.xml"}, false},
		{"none.example", "", "", true, []string{
			"https://none.example/", "https://none.example/robots.txt", "https://none.example/feed", "https://none.example/feed.xml",
			"https://none.example/atom.xml", "https://none.example/rss.xml", "https://none.example/index.xml", "https://none.example/feed.json",
		}, true},
		{"missing.example", "", "", false, []string{"https://missing.example/"}, true},
		{"pdf.example", "", "", true, []string{"https://pdf.example/"}, true},
	} {
		s.asked = nil
		r, err := Find(t.Context(), c.input, Options{Get: s.get, Read: read, Guess: c.guess, Product: "chancery", Sources: known})
		if (err != nil) != c.fails || r.Feed.URL != c.feed || string(r.Existing.ID) != c.existing || r.HasExisting != (c.existing != "") {
			t.Errorf("%s: feed %q, existing %q, %v; want %q, %q", c.input, r.Feed.URL, r.Existing.ID, err, c.feed, c.existing)
		}
		if !slices.Equal(s.asked, c.asked) {
			t.Errorf("%s: asked for %v, want %v", c.input, s.asked, c.asked)
		}
		if err == nil && len(r.Said) == 0 {
			t.Errorf("%s: nothing said", c.input)
		}
	}
	if r, err := Find(t.Context(), "pdf.example", Options{Get: s.get, Read: read}); err == nil || err.Error() != "https://pdf.example/: not a feed" || len(r.Said) > 0 {
		t.Errorf("a document that is neither a feed nor a page: %v, said %q", err, r.Said)
	}
	r, err := Find(t.Context(), "blog.example", Options{Get: s.get, Read: read})
	if err != nil || len(r.Others) != 2 || r.Others[0].URL != "https://blog.example/atom" || r.Others[1].Kind != Comments {
		t.Errorf("others %v, %v", r.Others, err)
	}
}

// robots.txt by the rules of RFC 9309.
func TestRobots(t *testing.T) { // F-92
	for _, c := range []struct {
		robots, path string
		ok           bool
	}{
		{"", "/feed", true},
		{"User-agent: *\nDisallow:", "/feed", true},
		{"User-agent: *\nDisallow: /", "/feed", false},
		{"User-agent: *\nDisallow: /\nAllow: /feed", "/feed", true},
		{"User-agent: *\nDisallow: /feed\nAllow: /feed", "/feed", true},
		{"User-agent: *\nDisallow: /fe*.xml$", "/feed.xml", false},
		{"User-agent: *\nDisallow: /fe*.xml$", "/feed.xml?x", true},
		{"User-agent: *\nDisallow: /*.xml", "/a/b.xml", false},
		{"user-agent: other\nuser-agent: Chancery # us\ndisallow: /feed\n\nuser-agent: *\ndisallow: /rss", "/feed", false},
		{"user-agent: other\nuser-agent: Chancery\ndisallow: /feed\n\nuser-agent: *\ndisallow: /rss", "/rss", true},
		{"user-agent: other\ndisallow: /", "/feed", true},
		{"\xef\xbb\xbfUser-agent: *\r\nDisallow: /feed\r\n", "/feed", false},
		{"<html>nothing</html>", "/feed", true},
		{strings.Repeat("x", 600<<10), "/feed", true},
	} {
		if got := ParseRobots([]byte(c.robots), "chancery").Allowed(c.path); got != c.ok {
			t.Errorf("%.60q: Allowed(%s) = %t", c.robots, c.path, got)
		}
	}
}

// FuzzCandidates: any page and Link field give absolute web addresses or nothing.
func FuzzCandidates(f *testing.F) {
	f.Add(`<base href=x><link rel=alternate type=application/rss+xml href=/a>`, `<a>; rel="alternate"; type="text/xml"`)
	f.Fuzz(func(t *testing.T, page, link string) {
		for _, c := range Candidates([]byte(page), base, http.Header{"Link": {link}}) {
			if !strings.HasPrefix(c.URL, "http") || !strings.Contains(c.URL, "://") {
				t.Errorf("candidate %+v", c)
			}
		}
	})
}
