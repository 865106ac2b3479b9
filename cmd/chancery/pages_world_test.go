package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
	"chancery/store/index"
)

// site is the daemon's public side on an archive of years of posts.
type site struct {
	base    string
	handler http.Handler
	archive store.Store
	ids     map[string]feed.ItemID // by guid, of the posts that tests look at
	topics  *topic.Set
	t       testing.TB
}

// The posts that tests look at, by guid.
const (
	guidPersian = "persian"
	guidRevised = "revised"
	guidHostile = "hostile"
	guidCopied  = "copied"
	guidGrave   = "grave" // taken down
)

// siteOptions says what a site is made of.
type siteOptions struct {
	posts     int  // generated, over twenty years
	empty     bool // no sources either
	unindexed bool // the index has taken in nothing yet
	noIndex   bool
}

// newSite makes an archive, its index and all that serves them, as serve does.
func newSite(t testing.TB, o siteOptions) *site {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	c, err := parseConfig(builtinName, []byte(defaultDoc))
	must(t, err)
	c.Publish.Title = "Exiles & Neighbors"
	c.Sources = nil
	c.Archive.ItemsPerDay = 0 // a source gives all its posts at once here
	archive, err := openArchive(ctx, c, dir, "test", false, log, nil)
	must(t, err)
	s := &site{archive: archive, ids: map[string]feed.ItemID{}, t: t}
	s.topics, err = topic.Compile(c.Topics)
	must(t, err)
	if !o.empty {
		s.fill(ctx, o.posts)
	}
	var words *index.Index
	if !o.noIndex {
		if words = openIndex(ctx, c, dir, archive, log); words == nil {
			t.Fatal("there is no index")
		}
	}
	if !o.noIndex && !o.unindexed {
		must(t, words.CatchUp(ctx, nil))
	}
	srv := httptest.NewUnstartedServer(nil)
	d := &daemon{log: log, dir: dir, archive: archive, index: words, started: time.Now(), public: srv.Listener}
	g, err := d.generationOf(ctx, c)
	must(t, err)
	d.current.Store(g)
	done := make(chan error, 2)
	go func() { done <- g.publisher.Run(ctx) }()
	go func() {
		if o.noIndex || o.unindexed {
			<-ctx.Done()
			done <- nil
			return
		}
		runIndex(ctx, words, log)
		done <- nil
	}()
	t.Cleanup(func() {
		srv.Close()
		cancel()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if err := errors.Join(closeIndex(words), archive.Close()); err != nil {
			t.Error(err)
		}
	})
	must(t, g.publisher.Ready(ctx))
	end, err := archive.End(ctx)
	must(t, err)
	must(t, g.publisher.Wait(ctx, end))
	srv.Config.Handler = g.handler
	srv.Start()
	s.base, s.handler = srv.URL, g.handler
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// blogs are the sources of a site.
var blogs = []store.Source{
	{ID: "baghdad-dispatch", Title: "Baghdad Dispatch", Language: "en"},
	{ID: "ashraf-watch", Title: "Ashraf Watch", Language: "en"},
	{ID: "hill-and-plain", Title: "Hill & Plain", Language: "en"},
	{ID: "chronique-orient", Title: "Chronique d’Orient", Language: "fr"},
	{ID: "yaddasht", Title: "یادداشت روز", Language: "fa"},
	{ID: "dafatir", Title: "دفاتر دجلة", Language: "ar"},
	{ID: "tehran-table", Title: "Tehran Table", Language: "en"},
	{ID: "levant-reader", Title: "Levant Reader", Language: "en"},
	{ID: "sanctions-and-trade", Title: "Sanctions and Trade: a very long name for a blog about export controls, shipping and insurance", Language: "en"},
	{ID: "quiet-diary", Title: "Quiet Diary", Language: "en"},
}

// word lists of the generated posts.
var (
	subjects = []string{"Camp Ashraf", "The Mojahedin-e Khalq", "Iran’s parliament", "The Iraqi government", "Baghdad", "A court in Tehran", "The MEK", "Mosul’s museum", "Kurdish parties", "A recipe from Isfahan", "The border at Mehran", "Exiles in Tirana"}
	verbs    = []string{"waits for", "debates", "rejects", "remembers", "opens talks on", "closes its file on", "writes to the United Nations about", "counts the cost of", "is divided over", "publishes letters about"}
	objects  = []string{"the camp’s future", "new sanctions", "the election", "a transfer to Albania", "the price of bread", "an old treaty", "visas for refugees", "the oil law", "a missing archive", "the winter"}
	farsi    = []string{"نگاهی به انتخابات مجلس ایران", "گفتگو درباره کمپ اشرف", "سازمان مجاهدین خلق و عراق", "یادداشتی از تهران", "زمستان در اصفهان"}
	arabic   = []string{"البرلمان العراقي يناقش قانون النفط", "معسكر أشرف والحكومة العراقية", "رسالة من بغداد", "إيران والجوار"}
	french   = []string{"Les Moudjahidines du peuple à Auvers", "L’Irak et ses voisins", "Téhéran vote", "Le camp d’Achraf vu de Paris"}
)

func (s *site) fill(ctx context.Context, posts int) {
	for _, b := range blogs {
		b.URL, b.Site, b.Origin = "https://"+string(b.ID)+".example/feed", "https://"+string(b.ID)+".example/", "config"
		must(s.t, s.archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &b}}))
	}
	now := time.Now().UTC().Truncate(time.Second)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	by := make([][]store.Draft, len(blogs))
	for i := range posts {
		n := random.IntN(len(blogs))
		title := pick(subjects) + " " + pick(verbs) + " " + pick(objects)
		switch blogs[n].Language {
		case "fa":
			title = pick(farsi)
		case "ar":
			title = pick(arabic)
		case "fr":
			title = pick(french)
		}
		body := fmt.Sprintf("<p>%s %s %s, number %d of these notes.</p><p>%s %s %s. %s.</p>", title, pick(verbs), pick(objects), i, pick(subjects), pick(verbs), pick(objects), pick(subjects))
		switch blogs[n].Language {
		case "fa":
			body = fmt.Sprintf("<p>%s، یادداشت شماره %d.</p><p>%s و %s.</p>", title, i, pick(farsi), pick(farsi))
		case "ar":
			body = fmt.Sprintf("<p>%s، الرسالة رقم %d.</p><p>%s، %s.</p>", title, i, pick(arabic), pick(arabic))
		case "fr":
			body = fmt.Sprintf("<p>%s, note numéro %d.</p><p>%s et %s.</p>", title, i, pick(french), pick(french))
		}
		// More in later years, with a summer lull.
		age := time.Duration(random.Float64() * random.Float64() * float64(20*365*24*time.Hour))
		at := now.Add(-age)
		if m := at.Month(); (m == time.July || m == time.August) && random.IntN(2) == 0 {
			at = at.AddDate(0, 3, 0)
		}
		if at.After(now) {
			at = now.Add(-time.Hour)
		}
		by[n] = append(by[n], s.draft(fmt.Sprintf("gen-%d", i), blogs[n].Language, title, body, at, ""))
		if len(by[n]) == 500 {
			s.append(ctx, n, by[n], now)
			by[n] = nil
		}
	}
	for n := range by {
		s.append(ctx, n, by[n], now)
	}
	s.special(ctx, now)
}

// special are the posts that tests look at.
func (s *site) special(ctx context.Context, now time.Time) {
	day := 24 * time.Hour
	s.append(ctx, 4, []store.Draft{s.draft(guidPersian, "fa", "سازمان مجاهدین خلق و آینده کمپ اشرف: گفتگو با Daniel Luban در پاریس",
		`<p>«نامه ای از تیرانا» عنوان گزارشی است که در سال ۲۰۰۹ منتشر شد؛ نویسنده آن، Daniel Luban، از کمپ اشرف در عراق نوشت.</p><p>ایران و عراق درباره آینده ساکنان کمپ گفتگو کردند. این متن برای آزمودن خواندن از راست به چپ است: the <b>MEK</b> (سازمان مجاهدین خلق) و شماره های ۱۲۳.</p><blockquote>هیچ کس نمی داند چه خواهد شد.</blockquote>`, now.Add(-2*day), "")}, now)
	first := s.draft(guidRevised, "en", "Iraq to close Camp Ashraf by the end of the year",
		`<p>The government in Baghdad said on Monday that Camp Ashraf, home of the Mojahedin-e Khalq (MEK), will be closed by the end of the year.</p><p>A spokesman said that 3,400 people live there.</p><p>Iran welcomed the decision.</p>`, now.Add(-5*day), "")
	s.append(ctx, 1, []store.Draft{first}, now.Add(-5*day))
	second := s.draft(guidRevised, "en", "Iraq says Camp Ashraf will close, but not when",
		`<p>The government in Baghdad said on Tuesday that Camp Ashraf, home of the Mojahedin-e Khalq (MEK), will be closed.</p><p>A spokesman said that 3,200 people live there. He gave no date.</p><p>Iran welcomed the decision.</p><p>The United Nations asked for time.</p>`, now.Add(-5*day), "")
	s.append(ctx, 1, []store.Draft{second}, now.Add(-4*day))
	third := s.draft(guidRevised, "en", "Iraq says Camp Ashraf will close, but not when",
		`<p>The government in Baghdad said on Tuesday that Camp Ashraf, home of the Mojahedin-e Khalq (MEK), will be closed.</p><p>A spokesman said that 3,200 people live there. He gave no date.</p><p>Iran welcomed the decision; Paris did not.</p><p>The United Nations asked for time.</p>`, now.Add(-5*day), "")
	s.append(ctx, 1, []store.Draft{third}, now.Add(-3*day))
	copied := s.draft(guidCopied, "en", "What the camp’s closing means for Iran and the MEK", `<p>An essay on the Mojahedin-e Khalq, Iran and Iraq, with pictures.</p><p><img src="https://pictures.example/a.jpg" alt="The gate of the camp" width="400" height="300"></p><p>The gate has been shut since Monday.</p>`, now.Add(-day), "an essay")
	s.append(ctx, 2, []store.Draft{copied}, now.Add(-day))
	again := s.draft("copy", "en", "What the camp’s closing means for Iran and the MEK", `<p>An essay on the Mojahedin-e Khalq, Iran and Iraq, with pictures.</p>`, now.Add(-20*time.Hour), "an essay")
	s.append(ctx, 7, []store.Draft{again}, now.Add(-20*time.Hour))
	hostile := s.draft(guidHostile, "en", "<script>alert(1)</script> & \u202eevil\u202c "+strings.Repeat("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", 12),
		`<p onclick="alert(3)">Iran.<script>alert(4)</script><style>*{display:none}</style><img src="https://track.example/p.gif" width=1 height=1><iframe src="https://evil.example"></iframe></p><p style="position:fixed;inset:0">`+strings.Repeat("x", 5000)+`</p><table><tr>`+strings.Repeat("<td>cell with words</td>", 60)+`</tr></table><pre>`+strings.Repeat("a long line of code ", 100)+`</pre>`, now.Add(-3*time.Hour), "")
	hostile.Entry.URL = "javascript:alert(2)"
	hostile.Entry.Authors = []feed.Person{{Name: `"><script>alert(5)</script>`}}
	undated := s.draft("undated", "en", "A post of Iran without a date", "<p>Nobody knows when.</p>", time.Time{}, "")
	s.append(ctx, 9, []store.Draft{hostile, undated, s.draft(guidGrave, "en", "Taken down", "<p>Nothing of it is left.</p>", now.Add(-6*day), "")}, now)
	must(s.t, s.archive.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{s.ids[guidGrave]}, By: "test", Reason: "test"}}))
	s.polled(ctx, now)
}

// polled gives the sources what polling would have left: most are well, one fails, one
// had a gap.
func (s *site) polled(ctx context.Context, now time.Time) {
	for i, b := range blogs {
		b.URL, b.Site, b.Origin, b.Added = "https://"+string(b.ID)+".example/feed", "https://"+string(b.ID)+".example/", "config", now.AddDate(-1, 0, 0)
		st := store.PollState{
			Polled: now.Add(-time.Hour), Succeeded: now.Add(-time.Hour), Changed: now.Add(-5 * time.Hour), NextDue: now.Add(5 * time.Hour), Interval: 6 * time.Hour,
			Condition: "ok", ETag: `"x"`, Entries: 20, Why: "in 6 h: about four posts a week", LastStatus: 200,
		}
		switch i {
		case 1:
			st.Gaps = []store.Gap{{From: now.AddDate(-3, 0, 0), To: now.AddDate(-3, 2, 0)}, {From: now.AddDate(0, -2, 0), To: now.AddDate(0, -1, -10)}}
		case 6:
			st.Condition, st.Class, st.Failures, st.FirstFailure, st.LastStatus = "failing", "server", 12, now.AddDate(0, 0, -9), 503
			st.Succeeded, st.LastError = now.AddDate(0, 0, -9), "tehran-table.example: HTTP 503"
		case 9:
			st.Condition = "quiet"
		}
		must(s.t, s.archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &b, State: &st}}))
	}
}

func (s *site) draft(guid, lang, title, body string, at time.Time, story string) store.Draft {
	e := feed.Entry{
		ID: guid, URL: "https://blog.example/" + guid, Title: feed.Text{Type: feed.PlainText, Value: title}, Content: feed.Text{Type: feed.HTML, Value: body}, Language: lang,
		Authors: []feed.Person{{Name: "Daniel Luban"}},
	}
	if !at.IsZero() {
		e.Published = feed.Date{Time: at, Raw: at.Format(time.RFC3339)}
	}
	hash := func(class store.KeyClass, text string) store.Key {
		h := sha256.Sum256([]byte(text))
		k := store.Key{Class: class}
		copy(k.Hash[:], h[:])
		return k
	}
	d := store.Draft{Entry: e, Native: guid, Method: "guid", Keys: []store.Key{hash(store.KeyGUID, guid)}, Version: feed.DigestOf([]byte(title + "\x00" + body)), Part: -1, RuleSet: s.topics.Digest()}
	if story != "" {
		d.Story = []store.Key{hash(store.KeyText, story)}
	}
	d.Topics = s.topics.Tag(query.NewTextDoc(title, body, lang))
	return d
}

func (s *site) append(ctx context.Context, blog int, drafts []store.Draft, at time.Time) {
	if len(drafts) == 0 {
		return
	}
	id := blogs[blog].ID
	out, err := s.archive.Append(ctx, store.Batch{
		Document: &store.Document{Source: id, Received: at, URL: "https://" + string(id) + ".example/feed", MediaType: "application/rss+xml", Status: 200, Body: fmt.Appendf(nil, "<rss>%s %d</rss>", drafts[0].Native, at.UnixNano())},
		Drafts:   drafts, At: at,
	})
	must(s.t, err)
	for i, o := range out {
		if !strings.HasPrefix(drafts[i].Native, "gen-") {
			s.ids[drafts[i].Native] = o.ID
		}
	}
}

// item is the page of a post.
func (s *site) item(guid string) string { return "/items/" + s.ids[guid].String() }
