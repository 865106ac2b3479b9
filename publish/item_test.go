package publish

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	xhtml "golang.org/x/net/html"

	"chancery/feed"
	"chancery/store"
)

// page asks for a page, checks its markup, and gives it with its text.
func (w *world) page(path string, code int) (body, text string) {
	w.t.Helper()
	rec := w.get(path, "Accept", "text/html")
	body = rec.Body.String()
	if rec.Code != code || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		w.t.Fatalf("GET %s: %d %s", path, rec.Code, body)
	}
	doc, err := xhtml.Parse(strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type == xhtml.TextNode && n.Parent.Data != "script" {
			b.WriteString(n.Data + " ")
		}
		for _, a := range n.Attr {
			if a.Key == "id" {
				if ids[a.Val] {
					w.t.Errorf("%s: id %q stands twice", path, a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	return body, strings.Join(strings.Fields(b.String()), " ")
}

func has(t *testing.T, where, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", where, want, text)
		}
	}
}

// PUB-91: the page of an item names and links its source before its content, and says
// when and from where it came, which versions there are, where else the story is, and how to
// cite it.
func TestItemPage(t *testing.T) {
	w, ids := rich(t, testConfig())
	path := "/items/" + ids["edited"].String()
	body, text := w.page(path, http.StatusOK)
	source := strings.Index(body, `href="https://one.example/"`)
	name := strings.Index(body, "The one blog</a>")
	content := strings.Index(body, `<div class="prose"`)
	if source < 0 || name < source || content < name {
		t.Errorf("source at %d, its name at %d, content at %d", source, name, content)
	}
	has(t, path, text,
		"A. Writer", "closed on Tuesday, said the MEK.", // the newest version
		"https://one.example/feed", // the document
		"2, shown here", "compared with the one before",
		"The two blog", "as archived", // the copy
		"A. Writer. Camp Ashraf is closed. The one blog, 1 March 2026. https://one.example/edited. Archived 1 March 2026 as https://feeds.example.org"+path+", version 2 of 2, sha256:",
		"sha256:", "signed checkpoint", "Read it where it was published",
	)
	has(t, path, body, path+".bib", path+".ris", path+".json", path+"/proof.json", `lang="en"`, `href="https://feeds.example.org/topics/mek"`)
	// The first version, as it was.
	_, old := w.page(path+"?revision=1", http.StatusOK)
	has(t, "version 1", old, "closed on Monday.", "This is version 1 of 2", "The newest version")
	if strings.Contains(old, "Tuesday") {
		t.Error("version 1 has the text of version 2")
	}
	for bad, code := range map[string]int{"?revision=3": 404, "?revision=0": 400, "?revision=x": 400, "?revision=-1": 400} {
		rec := w.get(path + bad)
		if rec.Code != code || !strings.HasPrefix(rec.Body.String(), "revision: ") {
			t.Errorf("%s: %d %s", bad, rec.Code, rec.Body)
		}
		if api := w.get(path + ".json" + bad); bad != "?revision=0" && (api.Code != code || api.Header().Get("Content-Type") != "application/problem+json") {
			t.Errorf(".json%s: %d %s", bad, api.Code, api.Body)
		}
	}
	// Citations as files.
	for suffix, want := range map[string]string{".bib": "@misc{one-", ".ris": "TY  - BLOG\r\n"} {
		rec := w.get(path + suffix)
		if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Body.String(), want) || strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v %s", suffix, rec.Code, rec.Header(), rec.Body)
		}
	}
	_, withdrawn := w.page("/items/"+ids["withdrawn"].String(), http.StatusOK)
	has(t, "a withdrawn post", withdrawn, "Its publisher withdrew this post", "Kept.", "It has none of the topics here", "There is one version")
	// What was taken down: a page that says what is known, and nothing more.
	downBody, down := w.page("/items/"+ids["down"].String(), http.StatusGone)
	has(t, "a grave", down, "Taken down", "The two blog", "1 March 2026")
	if strings.Contains(down, "Removed.") || !strings.Contains(downBody, "noindex") {
		t.Error(downBody)
	}
	_, short := w.page("/items/"+ids["short"].String(), http.StatusOK)
	has(t, "a summary", short, "Only a summary of this post may be shown here")
}

// The evidence of topics is recomputed from the rules in force, and is marked in the text when
// asked; what a person decided, and what today's rule does not say, is told.
func TestItemEvidence(t *testing.T) {
	w, ids := rich(t, testConfig())
	path := "/items/" + ids["edited"].String()
	body, text := w.page(path, http.StatusOK)
	has(t, path, body, "<mark>Camp Ashraf</mark>", "<mark>Iraq</mark>", `id="why-mek"`)
	has(t, path, text, `"camp ashraf" × 2, title`, "what the post is about: score 2, where 4 is needed")
	if prose := body[strings.Index(body, `<div class="prose"`):strings.Index(body, "</article>")]; strings.Contains(prose, "<mark>") {
		t.Error("the text is marked without being asked")
	}
	marked, _ := w.page(path+"?why=mek", http.StatusOK)
	prose := marked[strings.Index(marked, "<h1"):strings.Index(marked, "</article>")]
	has(t, "marked", prose, "<mark>Camp Ashraf</mark> is closed", "<p><mark>Camp Ashraf</mark> in Iraq was closed on Tuesday, said the <mark>MEK</mark>.</p>")
	all, _ := w.page(path+"?why=all", http.StatusOK)
	has(t, "all marked", all, "in <mark>Iraq</mark> was closed")
	if nonsense, _ := w.page(path+"?why=%3Cscript%3E", http.StatusOK); strings.Contains(nonsense, "<script>") {
		t.Error(nonsense)
	}
	_, byHand := w.page("/items/"+ids["copy"].String(), http.StatusOK)
	has(t, "a manual tag", byHand, "set by a person")
	persian, _ := w.page("/items/"+ids["persian"].String()+"?why=iran", http.StatusOK)
	has(t, "Persian", persian, `<article lang="fa" dir="auto">`, "<mark>ایران</mark>")
	// Other rules since: the tag stays, and is said to be of an earlier rule.
	defs := ruled()
	for i := range defs.Topics {
		defs.Topics[i].Rule = "zanzibar"
	}
	w.start(testConfig(), defs)
	_, stale := w.page(path, http.StatusOK)
	has(t, "a stale tag", stale, "An earlier rule gave it this topic")
}

// SEC-18: pictures of other sites are not loaded until a reader asks, and then the policy
// of that answer alone allows it.
func TestItemPictures(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	out := w.add(post{source: "one", guid: "p", title: "Pictures", text: `<p>Look: <img src="https://pictures.example/a.jpg" alt="A gate"></p>`, at: start})
	path := "/items/" + out[0].ID.String()
	body, text := w.page(path, http.StatusOK)
	if strings.Contains(body, "<img") || strings.Contains(w.get(path).Header().Get("Content-Security-Policy"), "https:") {
		t.Errorf("a picture is loaded unasked:\n%s", body)
	}
	has(t, path, text, "Show the pictures", "A gate")
	body, text = w.page(path+"?images=1", http.StatusOK)
	has(t, "with pictures", body, `<img src="https://pictures.example/a.jpg"`)
	has(t, "with pictures", text, "Do not load them")
	if csp := w.get(path + "?images=1").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "img-src 'self' data: https: http:") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
}

// The versions of an item, and the difference of two in words: side by side, in one column, as
// JSON.
func TestDifferencePages(t *testing.T) {
	w := newWorld(t, testConfig(), testTopics())
	same := strings.Repeat("<p>An unchanged paragraph.</p>", 5)
	p := post{source: "one", guid: "d", title: "Before", text: "<p>It was closed on Monday.</p>" + same + "<p>The end.</p>", at: start}
	id := w.add(p)[0].ID
	w.now = w.now.Add(time.Hour)
	p.title, p.text = "After <b>", "<p>It was closed on Tuesday.</p>"+same+"<p>The end.</p><p>A paragraph more.</p>"
	w.add(p)
	path := "/items/" + id.String()
	body, text := w.page(path+"/diff?from=1&to=2", http.StatusOK)
	has(t, "diff", body,
		`<td class="old" dir="auto"><del>Before</del></td><td class="new" dir="auto"><ins>After &lt;b&gt;</ins></td>`,
		`It was closed on <del>Monday</del>.</td><td class="new" dir="auto">It was closed on <ins>Tuesday</ins>.`,
		`<td class="old" dir="auto"></td><td class="new" dir="auto"><ins>A paragraph more.</ins></td>`)
	has(t, "diff", text, "4 paragraphs are unchanged", "Version 1", "Version 2", "% unchanged")
	inline, _ := w.page(path+"/diff?from=1&to=2&view=inline", http.StatusOK)
	has(t, "inline", inline, "It was closed on <del>Monday</del><ins>Tuesday</ins>.")
	back, _ := w.page(path+"/diff?from=2&to=1", http.StatusOK)
	has(t, "backwards", back, "<del>Tuesday</del>", "<ins>Monday</ins>")
	_, none := w.page(path+"/diff?from=1&to=1", http.StatusOK)
	has(t, "no difference", none, "Nothing that a reader would see is different")
	var d struct{ Fields []struct{ Field string } }
	if err := json.Unmarshal([]byte(w.body(path+"/diff.json?from=1&to=2")), &d); err != nil || len(d.Fields) != 2 {
		t.Errorf("%v %v", err, d)
	}
	for bad, code := range map[string]int{"?from=1&to=3": 404, "?from=0&to=1": 400, "?from=x&to=1": 400, "?from=1&to=2&view=x": 400} {
		if rec := w.get(path + "/diff" + bad); rec.Code != code || !strings.Contains(rec.Body.String(), ": ") {
			t.Errorf("diff%s: %d %s", bad, rec.Code, rec.Body)
		}
	}
	// Without versions it is the newest change, and of an item that has one version there is
	// a page that says so.
	for q, want := range map[string]string{"": "from=1&to=2", "?to=2": "from=1&to=2", "?from=1": "from=1&to=2", "?to=1": "from=1&to=1"} {
		if rec := w.get(path + "/diff" + q); rec.Code != http.StatusFound || !strings.HasSuffix(rec.Header().Get("Location"), path+"/diff?"+want) {
			t.Errorf("diff%s: %d to %s, want %s", q, rec.Code, rec.Header().Get("Location"), want)
		}
	}
	one := "/items/" + w.add(post{source: "one", guid: "o", title: "Never changed", text: "<p>As it was.</p>", at: start})[0].ID.String()
	if rec := w.get(one + "/diff"); rec.Code != http.StatusFound || !strings.HasSuffix(rec.Header().Get("Location"), one+"/revisions") {
		t.Errorf("one version: %d to %s", rec.Code, rec.Header().Get("Location"))
	}
	_, only := w.page(one+"/revisions", http.StatusOK)
	has(t, "one version", only, "There is one version")
	_, missing := w.page(one+"/diff?from=1&to=2", http.StatusNotFound)
	has(t, "one version", missing, "there is no version 2; there is one, as nothing has changed since it came")
	for _, p := range []string{"/api/v1" + one + "/diff?from=1&to=2", one + "/diff.json?from=1&to=2"} {
		rec := w.get(p)
		if rec.Code != http.StatusNotFound || rec.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(rec.Body.String(), "#no-version") || !strings.Contains(rec.Body.String(), `"parameter":"to"`) {
			t.Errorf("%s: %d %s", p, rec.Code, rec.Body)
		}
	}
	if rec := w.get("/api/v1" + one + "/diff"); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "it is missing") {
		t.Errorf("without versions: %d %s", rec.Code, rec.Body)
	}
	list, listText := w.page(path+"/revisions", http.StatusOK)
	has(t, "versions", list, `name="from"`, `name="to"`, path+"?revision=1", "/diff?from=1&amp;to=2")
	has(t, "versions", listText, "Compare version", "compared with the one before", "the first")
	if rec := w.get(path + "/revisions.json"); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"revision":2`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// A page stays a page whatever a feed sends: a body of megabytes, one word of a hundred
// thousand letters, thousands of versions' worth of change.
func TestHugePosts(t *testing.T) {
	w := newWorld(t, testConfig(), ruled())
	p := post{source: "one", guid: "huge", title: strings.Repeat("Wort", 30_000), text: "<p>" + strings.Repeat("Iran and words. ", 150_000) + "</p>", at: start, topics: []feed.TopicID{"iran"}}
	id := w.add(p)[0].ID
	w.now = w.now.Add(time.Hour)
	p.text = "<p>" + strings.Repeat("Iraq or letters. ", 150_000) + "</p>"
	w.add(p)
	path := "/items/" + id.String()
	for _, target := range []string{path, path + "?why=all", path + "/diff?from=1&to=2", path + "/revisions"} {
		rec := w.get(target, "Accept", "text/html", "Accept-Encoding", "gzip")
		if rec.Code != http.StatusOK || rec.Body.Len() > 100<<10 {
			t.Errorf("%s: %d, %d bytes sent", target, rec.Code, rec.Body.Len())
		}
		if body, _ := w.page(target, http.StatusOK); strings.Count(body, "Wort") > 1000 {
			t.Errorf("%s has all of a title that is none: %d bytes", target, len(body))
		}
	}
	_, text := w.page(path, http.StatusOK)
	has(t, "a huge post", text, "too long for a page", "The title goes on")
	_, diff := w.page(path+"/diff?from=1&to=2", http.StatusOK)
	has(t, "a huge difference", diff, "The JSON has the whole difference")
}

// The page of a source says how it stands, since when the archive has its posts, when some may
// have been missed, and when it posts.
func TestSourcePage(t *testing.T) {
	w, _ := rich(t, testConfig())
	body, text := w.page("/sources/one", http.StatusOK)
	has(t, "source", text, "The one blog", "Subscribe to it", "Coverage", "Rhythm", "By hour, UTC", "By day of the week", "Talks in Tehran, day 4", "Language not said")
	if strings.Contains(body, `/sources/one" dir="auto"`) {
		t.Error("each line says whose page it is on")
	}
	has(t, "source", body, `<svg class="timeline"`, `class="span"`, `type="application/atom&#43;xml"`, "source%3A%3Done")
	sickBody, sick := w.page("/sources/sick", http.StatusOK)
	has(t, "a sick source", sick, "failing", "Its name is not known to the network", "3 times in a row")
	if strings.Contains(sick, "/var/lib") || strings.Contains(sickBody, "user:pw") {
		t.Error("it tells too much")
	}
	w.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "one", URL: "https://one.example/feed", Title: "The one blog"}, State: &store.PollState{
		Condition: "ok", Polled: start, Succeeded: start, Gaps: []store.Gap{{From: start.AddDate(0, 0, -100), To: start.AddDate(0, 0, -90)}},
	}})
	gapBody, gap := w.page("/sources/one", http.StatusOK)
	has(t, "a gap", gap, "1 time in which posts may have been missed", "21 November 2025")
	has(t, "a gap", gapBody, `class="gap"`)
	_, well := w.page("/sources/well", http.StatusOK)
	has(t, "a source without posts", well, "Answers well.", "Nothing yet")
	if rec := w.get("/sources/one.json"); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"gaps":[{"from":"2025-11-21`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, p := range []string{"/sources/none", "/sources/none.json", "/sources/No%20Such"} {
		if rec := w.get(p); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", p, rec.Code)
		}
	}
}

// The operator sees first whether all is well, then what is not and why.
func TestStatusPage(t *testing.T) {
	w, _ := rich(t, testConfig())
	body, text := w.page("/status", http.StatusOK)
	has(t, "manners", text, "Requests 9 since 1 Mar 2026", "Short answers 71 % of those without news; 3.0 MiB came again")
	verdict := strings.Index(body, "<h1>")
	if verdict < 0 || verdict > strings.Index(body, "<table") {
		t.Error("the verdict does not come first")
	}
	has(t, "status", text, "Polling is behind", "cannot be read, and will not mend without somebody", "Out of order", "Its name is not known to the network", "Worth a look", "All sources", "complete")
	if strings.Contains(body, "/var/lib") || strings.Contains(body, "secret") {
		t.Error("the page tells what is not for everybody")
	}
	// All well: one source that was read, and is not due.
	good, x := newIndexedWorld(t, testConfig(), ruled())
	good.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "well", URL: "https://well.example/feed"}, State: &store.PollState{
		Condition: "ok", Polled: start, Succeeded: start, NextDue: start.AddDate(100, 0, 0), ETag: `"x"`,
	}})
	good.indexed(x)
	_, fine := good.page("/status", http.StatusOK)
	has(t, "a good day", fine, "well: All is well: 1 source is read without trouble.")
	if strings.Contains(fine, "Worth a look") {
		t.Error(fine)
	}
	files := newWorld(t, testConfig(), ruled())
	files.change(store.Edit{Kind: store.KindSource, Source: &store.Source{ID: "file", Title: "From a file"}})
	files.add(post{source: "file", guid: "1", title: "A", text: "x", at: start.AddDate(-1, 0, 0)})
	_, imported := files.page("/status", http.StatusOK)
	has(t, "an archive of files", imported, "Nothing is polled: no source is asked for new posts.")
	_, unread := files.page("/sources/file", http.StatusOK)
	has(t, "a source that is not read", unread, "Its posts came into the archive from")
	empty := newWorld(t, testConfig(), ruled())
	_, none := empty.page("/status", http.StatusOK)
	has(t, "an empty archive", none, "Nothing is polled: there are no sources yet.", "There are no sources yet.")
}

// The page of the API has every operation and every schema of the document.
func TestAPIPage(t *testing.T) {
	w, _ := rich(t, testConfig())
	body, text := w.page("/api", http.StatusOK)
	var doc document
	if err := json.Unmarshal([]byte(w.body("/api/v1/openapi.json")), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		has(t, "/api", text, "GET /api/v1"+path)
		for _, p := range methods["get"].Parameters {
			has(t, "/api", body, "<code>"+p.Name+"</code>")
		}
	}
	for _, name := range []string{"Item", "Problem", "SearchPage", "Statistics"} {
		has(t, "/api", body, fmt.Sprintf(`id="schema-%s"`, name))
	}
	// Every kind of problem that an error names is told here.
	has(t, "/api", body, `id="bad-query"`, `id="taken-down"`)
	for _, link := range strings.Split(body, `href="#`)[1:] {
		id, _, _ := strings.Cut(link, `"`)
		if !strings.Contains(body, `id="`+id+`"`) {
			t.Errorf("a link to #%s, which is not there", id)
		}
	}
}
