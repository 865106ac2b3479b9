package query_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
)

func date(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

var now = date("2009-01-09 12:00")

func post() *feed.Item {
	return &feed.Item{
		ID: feed.ItemID{1, 2, 3}, Source: "lobelog", FirstSeen: date("2009-01-05 10:00"), Revision: 2, Revisions: 2, Story: feed.ItemID{9},
		Topics: []feed.Tag{{Topic: "mek", Score: 7, About: true}, {Topic: "iraq", Score: 2}, {Topic: "gone", Score: -1, Manual: true}},
		Entry: feed.Entry{
			Title: feed.Text{Value: "Iraq to expel the MEK"}, Language: "en-us", URL: "https://lobelog.com/2009/01/iraq-mek.html",
			Summary:   feed.Text{Value: "The camp of the exiles…"},
			Content:   feed.Text{Type: feed.HTML, Value: "<p>The camp of the exiles, Camp Ashraf, will close. Iraq’s government deported two members of the <b>Mojāhedin</b>-e Khalq.</p><p>Nothing else is known.</p>"},
			Published: feed.Date{Time: date("2009-01-04 23:30")}, Authors: []feed.Person{{Name: "Daniel Luban"}, {Name: "Ann Smith"}},
			Categories: []feed.Category{{Term: "Human Rights"}, {Term: "Middle East"}}, Enclosures: []feed.Enclosure{{URL: "https://x.example/a.mp3"}},
		},
	}
}

// Every form of the language, on one post.
func TestMatch(t *testing.T) {
	d := query.NewDoc(post(), "LobeLog Foreign Policy")
	for _, c := range []struct {
		query string
		want  bool
	}{
		{`deport`, true},
		{`deporting`, true},
		{`"deport"`, false},
		{`"deported"`, true},
		{`=deport`, false},
		{`iraq`, true},
		{`IRAQ`, true},
		{`Iran`, false},
		{`exile`, true},
		{`camps`, true},
		{`khalk`, false},
		{`"camp ashraf"`, true},
		{`"ashraf camp"`, false},
		{`"camp ashraf will close"`, true},
		{`"close iraq"`, true},
		{`=MEK`, true},
		{`=mek`, false},
		{`mek`, true},
		{`="Camp Ashraf"`, true},
		{`="camp Ashraf"`, false},
		{`mojahed*`, true},
		{`moja*`, true},
		{`mojahedine*`, false},
		{`"mojahed* e kha*"`, true},
		{`mojahedin-e-khalq`, true},
		{`"Mojāhedin e Khalq"`, true},
		{`camp NEAR/1 ashraf`, true},
		{`ashraf NEAR/1 camp`, true},
		{`camp NEAR/3 exiles`, true},
		{`camp NEAR/2 deported`, false},
		{`government NEAR/2 (deported OR expelled)`, true},
		{`"camp ashraf" NEAR/2 close`, true},
		{`"camp ashraf" NEAR/1 close`, false},
		{`expel NEAR/50 deported`, false}, // never across fields
		{`camp iraq`, true},
		{`camp iran`, false},
		{`camp AND iraq`, true},
		{`iran OR iraq`, true},
		{`NOT iran`, true},
		{`-iraq`, false},
		{`iraq -iran`, true},
		{`iraq -(camp OR iran)`, false},
		{`camp OR iran iran`, true},
		{`(camp OR iran) iran`, false},
		{`title:expel`, true},
		{`title:camp`, false},
		{`title:(camp OR mek)`, true},
		{`title:"to expel"`, true},
		{`author:luban`, true},
		{`author:"daniel luban"`, true},
		{`author:"luban ann"`, false},
		{`luban`, false},
		{`source:lobelog`, true},
		{`source:"foreign policy"`, true},
		{`source:other`, false},
		{`source:=lobelog`, true}, // the id
		{`source:=lobe`, false},
		{`source:="Foreign Policy"`, true}, // the title
		{`source:="foreign policy"`, false},
		{`category:"human rights"`, true},
		{`category:"rights middle"`, false},
		{`"human rights"`, false},
		{`url:lobelog.com`, true},
		{`url:2009`, true},
		{`url:nejatngo.org`, false},
		{`lang:en`, true},
		{`lang:en-GB`, true},
		{`lang:fa`, false},
		{`topic:mek`, true},
		{`about:mek`, true},
		{`topic:iraq`, true},
		{`about:iraq`, false},
		{`topic:iran`, false},
		{`topic:gone`, false},
		{`published:2009`, true},
		{`published:2009-01`, true},
		{`published:2009-01-04`, true},
		{`published:2009-01-05`, false},
		{`published:2008`, false},
		{`published:2009-01-01..2009-01-04`, true},
		{`published:2008-12..2009-01-03`, false},
		{`published:2009-01..2009-02-01`, true},
		{`published:2009-01-04..`, true},
		{`published:..2009-01-03`, false},
		{`published:>=2009`, true},
		{`published:>2009`, false},
		{`published:<2009-01-05`, true},
		{`published:<=2009-01-03`, false},
		{`published:<=2009-01-04`, true},
		{`published:7d`, true},
		{`published:4d`, false},
		{`seen:5d`, true},
		{`seen:4d`, false},
		{`seen:2009-01-05`, true},
		{`published:1w`, true},
		{`published:100h`, false},
		{`is:revised`, true},
		{`is:duplicate`, true},
		{`has:enclosure`, true},
		{`-is:revised`, false},
		{`id:0410600000000000000000000`, true}, // its beginning
		{`id:041060`, true},
		{`id:041060 iraq`, true},
		{`id:041061`, false},
		{`id:0410600000000000000000001`, false},
		{`id:04106`, false}, // too little
		{`iraq^3 OR iran^2`, true},
		{`camp iran^-2`, true},
		{`iran OR iraq^-2`, false},
		{`iraq^-2`, false},
		{`iraq^0`, true},
		{`camp iran^0`, false},
		{`NOT iraq^-1`, false},
		{`known`, true},
		{`nothing else is known`, true},
	} {
		q, err := query.Parse(c.query)
		if err != nil {
			if c.want {
				t.Errorf("Parse(%s): %v", c.query, err)
			}
			continue
		}
		if m, got := q.Match(d, now); got != c.want {
			t.Errorf("%s: %v, want %v (%+v)", c.query, got, c.want, m)
		}
	}
	q, _ := query.Parse("id:" + post().ID.String())
	if _, ok := q.Match(d, now); !ok {
		t.Error("id: does not find the item")
	}
}

// A token matches a word if their stems are the same in the language of the
// text; in an unknown language only the word itself (CONTRACT part 3).
func TestInflection(t *testing.T) {
	for _, c := range []struct {
		lang, query, text string
		want              bool
	}{
		{"en", "deport", "They were deported", true},
		{"xx", "deport", "They were deported", false},
		{"xx", "deported", "They were deported", true},
		{"fr", "iranien", "des ministres iraniens", true},
		{"de", "iranisch", "die iranischen Minister", true},
		{"es", "refugiado", "los refugiados", true},
		{"ru", "лагерь", "из лагеря вышли", true},
		{"ar", "العراق", "في عراق اليوم", true},
		{"ar", "بغداد", "وصل لبغداد", true},
		{"fa", "کتاب", "کتاب\u200cهای او", true},
		{"fa", "ايران", "مردم ایران", true},
		{"en", "ايران", "the word ایران", true},
		{"he", "איראן", "באיראן", true},
		{"zh", "伊朗", "在伊朗的外交", true},
		{"ja", "イラン", "アイランド", true},
		{"ja", "=イラン", "アイランド", false},
		{"ja", "=イラン", "対イラン制裁", true},
		{"zh", `"朗伊"`, "伊朗", false},
		{"en", "iran", "Iran's people", true},
		{"fr", "iran", "l’Iran", true},
		{"tr", "iran", "İran'ın", true},
	} {
		q, err := query.Parse(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := q.Match(query.NewTextDoc("", c.text, c.lang), now); got != c.want {
			t.Errorf("%s: %s in %q: %v, want %v", c.lang, c.query, c.text, got, c.want)
		}
	}
}

// Evidence names the term, the field, the bytes as written, and the weight.
func TestEvidence(t *testing.T) {
	d := query.NewTextDoc("The MEK", "On the Mojāhedin-e Khalq. Not on mek.", "en")
	q, err := query.Parse(`(=MEK^2 OR "mojahed* e khalq"^3)^0.5 "not on"^-1`)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := q.Match(d, now)
	if !ok {
		t.Fatal("no match")
	}
	var got []string
	for _, e := range m.Evidence {
		got = append(got, fmt.Sprintf("%s %s %q %g %g", e.Term, e.Field, d.Field(e.Field)[e.Start:e.End], e.Weight, e.Points))
	}
	want := []string{`=MEK title "MEK" 1 3`, `"mojahed* e khalq" text "Mojāhedin-e Khalq" 1.5 3`, `"not on" text "Not on" -1 -2`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("evidence\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if m.Score != 4 {
		t.Errorf("score %v, want 4", m.Score)
	}
}

// How much a place counts: title, lead, deep in a long text, lists, overlaps.
func TestScore(t *testing.T) {
	filler := strings.Repeat("Some other words stand here for a while. ", 200) // 1,600 words
	for _, c := range []struct {
		what, query, title, text string
		want                     float64
	}{
		{"a title", `iran`, "Iran", "", 3},
		{"the lead", `iran`, "", "Of Iran.", 2},
		{"deep in a long text", `iran`, "", filler + "Of Iran.", 1},
		{"deep, five times in 1,600 words", `iran`, "", filler + strings.Repeat("Of Iran. ", 5), 1.25},
		{"deep, thirty times", `iran`, "", filler + strings.Repeat("Of Iran, as it seems to us. ", 30), 6.7},
		{"the strongest of those that overlap", `iran OR "islamic republic of iran"^2 OR "republic of iran"`, "", "The Islamic Republic of Iran.", 4},
		{"a negative phrase takes back", `iraq "served in iraq"^-1`, "", "He served in Iraq.", 0},
		{"context of weight 0", `=MEK iran^0`, "", "The MEK and Iran.", 2},
		{"a tag cloud", `iran`, "", "Tags: Egypt, Iran, Iraq, Libya", 0.2 / 2},
		{"a row of names", `iran`, "", "Elsewhere | Egypt | Iran | Iraq | Libya | Syria | About", 0.1},
		{"a list of links", `iran`, "", "A sentence of prose.\nCairo after the vote\nWhat Iran wants from Vienna\nThe bridge in Basra\nA new poem", 0.1},
		{"prose with commas", `iran`, "", "In the end, after long talks, Iran signed.", 2},
		{"conditions alone", `lang:en`, "", "Anything.", 1},
	} {
		q, err := query.Parse(c.query)
		if err != nil {
			t.Fatal(err)
		}
		m, _ := q.Match(query.NewTextDoc(c.title, c.text, "en"), now)
		if diff := m.Score - c.want; diff > 0.1 || diff < -0.1 {
			t.Errorf("%s: score %.3f, want %.3f", c.what, m.Score, c.want)
		}
	}
}

// What a topic rule may not use is refused, with its place.
func TestCheckRule(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{`iran is:revised`, `line 1, column 6: found is:`},
		{`iran seen:2009`, `column 6: found seen:`},
		{`iran published:7d`, `column 6: found a date relative to today`},
		{`iran id:` + post().ID.String(), `column 6: found id:`},
		{`-iran`, `only exclusions`},
		{`iran^-2`, `only exclusions`},
		{`-iran -iraq`, `only exclusions`},
		{`iran OR -iraq`, `only exclusions`},
		{`iran published:2009 has:enclosure lang:fa`, ``},
		{`topic:iran`, ``},
		{`iran -iraq`, ``},
		{`iran OR iraq^-1`, ``},
	} {
		q, err := query.Parse(c.query)
		if err != nil {
			t.Fatal(err)
		}
		err = q.CheckRule()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("CheckRule(%s) = %v, want %q", c.query, err, c.want)
		}
	}
}

// Hostile texts and queries cost time in proportion to their size: megabytes
// of one letter, of one word, of broken UTF-8, of mixed directions.
func TestHostileInput(t *testing.T) {
	q, err := query.Parse(`("a a a a" NEAR/1000 (aa* OR a)) OR "` + strings.Repeat("a ", 32) + `" OR ab*`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, text string }{
		{"one letter", strings.Repeat("a", 2<<20)},
		{"one word", strings.Repeat("a ", 1<<20)},
		{"not UTF-8", strings.Repeat("\xff\xc3", 1<<20)},
		{"both directions", strings.Repeat("a\u202e ایران \u202c", 100_000)},
		{"commas", strings.Repeat("a,", 1<<20)},
	} {
		start := feedtest.CPU(t)
		q.Match(query.NewTextDoc("", c.text, ""), now)
		if took := feedtest.CPU(t) - start; took > 30*time.Second { // a second without the race detector
			t.Errorf("%s: %v", c.what, took)
		}
	}
}

// A query that asks for one word as often as a search may, of a text that repeats it,
// has bounded evidence, and costs in proportion to that (SEC-27).
func TestRepeatedTerms(t *testing.T) {
	d := query.NewTextDoc("", strings.Repeat("iran ", query.MaxPlaces), "")
	many := strings.Repeat("iran OR ", 63) + "iran"
	for _, text := range []string{many, strings.ReplaceAll(many, " OR", "^2 OR"), "(" + many + ") NEAR/8 iran"} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := q.Match(d, now)
		if n := len(m.Evidence); !ok || n == 0 || n > 5*query.MaxPlaces {
			t.Errorf("%.20s…: %t, %d places", text, ok, n)
		}
	}
}

// Where two terms of a NEAR's side have one place, the heavier counts, whichever stands
// first.
func TestNearWeights(t *testing.T) {
	d := query.NewTextDoc("", "camp ashraf", "")
	for _, text := range []string{"(camp^3 OR =camp) NEAR/2 ashraf", "(=camp OR camp^3) NEAR/2 ashraf"} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		m, _ := q.Match(d, now)
		if len(m.Evidence) != 2 || m.Evidence[0].Weight != 3 || m.Score != 8 {
			t.Errorf("%s: %+v", text, m)
		}
	}
}

// Rows of names in prose are lists too, from their first to their last.
func TestEnumerations(t *testing.T) {
	q, err := query.Parse("Iran")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want float64
	}{
		{"Japan, Australia, Qatar, Oman, Iran and Iraq head the groups of the next tournament.", 0.1},
		{"Ministers of Japan, Australia, Qatar, Oman, and Iran spoke on the second day of the meeting.", 0.1},
		{"Delegates from Iran, Oman, Qatar, Japan, and many others spoke on the second day of it all.", 0.1},
		{"After the talks in Vienna, Iran and the six powers, as one hears, will meet again soon.", 2},
		{"In short, Iran wants more than it will get, says the envoy, and he should know it by now.", 2},
	} {
		if m, _ := q.Match(query.NewTextDoc("", c.text, "en"), now); m.Score != c.want {
			t.Errorf("%q: score %v, want %v", c.text, m.Score, c.want)
		}
	}
}
