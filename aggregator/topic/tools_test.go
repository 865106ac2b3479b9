package topic_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
)

// The post that this project began with is about all three topics; one on MEK
// inhibitors is about none of them.
func TestSeedPost(t *testing.T) {
	b, err := os.ReadFile(feedtest.Reference(t, "seed/post.txt"))
	if err != nil {
		t.Fatal(err)
	}
	title, body, _ := strings.Cut(string(b), "\n")
	s := compile(t, defaults(t)...)
	got := s.Tag(query.NewTextDoc(title, body, ""))
	if len(got) != 3 || slices.ContainsFunc(got, func(tag feed.Tag) bool { return !tag.About }) {
		t.Errorf("the seed post is tagged %v, want all three as its subject", got)
	}
	for _, text := range []string{
		"Trametinib and other MEK inhibitors block the kinases MEK1 and MEK2 downstream of BRAF.",
		"Combined BRAF and MEK inhibition in melanoma: results of a phase III trial. Patients from Iran, Iraq and Turkey took part.",
	} {
		for _, tag := range s.Tag(query.NewTextDoc("MEK inhibitors in oncology", text, "")) {
			if tag.Topic == "mek" {
				t.Errorf("%q is tagged mek with %v", text, tag.Score)
			}
		}
	}
}

// `topics test --json` prints precision, recall and F1 for each topic; a topic
// without a label is not scored.
func TestMeasure(t *testing.T) {
	s := compile(t, topic.Rule{ID: "iran", Match: "Iran"}, topic.Rule{ID: "iraq", Match: "Iraq"})
	m := topic.NewMeasure(s)
	err := topic.ReadLabeled(strings.NewReader(`{"title":"Iran","text":"Iran and Iraq","labels":{"iran":2,"iraq":0}}
{"title":"","text":"nothing","labels":{"iran":1,"cats":1}}

{"title":"Iran","text":"","labels":{"iran":1}}
`), m.Add)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(m.Report())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"topics":{"iran":{"tp":2,"fp":0,"fn":1,"precision":1,"recall":0.6666666666666666,"f1":0.8,"about":{"tp":1,"fp":0,"fn":0,"precision":1,"recall":1,"f1":1}},` +
		`"iraq":{"tp":0,"fp":1,"fn":0,"precision":0,"recall":1,"f1":0,"about":{"tp":0,"fp":0,"fn":0,"precision":1,"recall":1,"f1":1}}},"examples":3}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	if got := m.Report().Unknown; !slices.Equal(got, []feed.TopicID{"cats"}) {
		t.Errorf("unknown topics %v, want cats", got)
	}
	for _, c := range []struct{ in, want string }{
		{`{"title":`, "line 1: unexpected end"}, {"\n" + `{"labels":{"iran":3}}`, "line 2: label iran is 3, want 0, 1 or 2"},
	} {
		if err := topic.ReadLabeled(strings.NewReader(c.in), topic.NewMeasure(s).Add); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ReadLabeled(%q) = %v, want %q", c.in, err, c.want)
		}
	}
}

// An example that a rule fails is named with its score.
func TestCheckNamesExamples(t *testing.T) {
	no := false
	s := compile(t, topic.Rule{ID: "iran", Match: "Iran", Examples: []topic.Example{
		{Text: "Of Iran.", Expect: true}, {Text: "Of Iraq.", Expect: true}, {Text: "Iran", Expect: false}, {Title: "Iran", Text: "Iran", Expect: true, About: &no},
	}})
	err := s.Check()
	for _, want := range []string{
		`topic "iran": example 2 ("Of Iraq."): not tagged with a score of 0.00`, `example 3 ("Iran"): tagged with a score of 2.00`, `example 4 ("IranIran"): the subject with a score of 5.00`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "example 1 ") {
		t.Errorf("a good example is named: %v", err)
	}
}

// An explanation shows each term in its context, on one line, whether the topic
// is given or not, and nothing that controls a terminal.
func TestExplain(t *testing.T) {
	s := compile(t,
		topic.Rule{ID: "mek", Name: "MEK", Match: `=MEK^2 iran^0 "MEK inhibitor"^-2`}, topic.Rule{ID: "iran", Match: `Iran Tehran`}, topic.Rule{ID: "cats", Match: `cat`})
	d := query.NewTextDoc("On the MEK", "A \x1b[31mstory\n of Iran.", "en")
	d.Facts.Tags = []feed.Tag{{Topic: "cats", Score: 1, Manual: true}}
	var got []string
	for _, e := range s.Explain(d) {
		got = append(got, e.String())
	}
	want := []string{
		"mek: about (score 6.00, mention from 1, about from 4)\n" +
			"   +6.00  title     7–10    =MEK^2  On the [MEK]\n" +
			"   +0.00  text     17–21    iran^0  A [31mstory  of [Iran].\n",
		"iran: no match, though these terms are there (score 0.00, mention from 1, about from 4)\n" +
			"   +0.00  text     17–21    Iran^0  A [31mstory  of [Iran].\n",
		"cats: mention, as a person decided (score 0.00, mention from 1, about from 4)\n",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A retag touches only topics whose rules, or rules they ask for, changed; what
// persons decided and other topics stay.
func TestRetag(t *testing.T) {
	old := compile(t, topic.Rule{ID: "iran", Match: "Iran"}, topic.Rule{ID: "iraq", Match: "Iraq"}, topic.Rule{ID: "gulf", Match: "topic:iran topic:iraq"}, topic.Rule{ID: "gone", Match: "camp"})
	now := compile(t, topic.Rule{ID: "iran", Match: "Iran OR Tehran", Name: "a new name"}, topic.Rule{ID: "iraq", Match: "  Iraq  "}, topic.Rule{ID: "gulf", Match: "topic:iran topic:iraq"})
	changed := topic.Changed(old.Digests(), now.Digests())
	if want := []feed.TopicID{"gone", "gulf", "iran"}; !slices.Equal(changed, want) {
		t.Fatalf("Changed = %v, want %v", changed, want)
	}
	r, err := now.Retagger(changed)
	if err != nil {
		t.Fatal(err)
	}
	d := query.NewTextDoc("", "Tehran, Iraq and a camp", "en")
	d.Facts.Tags = []feed.Tag{{Topic: "gone", Score: 2}, {Topic: "iraq", Score: 77}}
	got := r.Retag(d)
	want := topic.Retagged{
		Tags:   []feed.Tag{{Topic: "gulf", Score: 4, About: true}, {Topic: "iran", Score: 2}, {Topic: "iraq", Score: 77}},
		Gained: []feed.TopicID{"gulf", "iran"}, Lost: []feed.TopicID{"gone"},
	}
	if !slices.Equal(got.Tags, want.Tags) || !slices.Equal(got.Gained, want.Gained) || !slices.Equal(got.Lost, want.Lost) || !got.Changed() {
		t.Errorf("Retag = %+v, want %+v", got, want)
	}
	d.Facts.Tags = []feed.Tag{{Topic: "gulf", Score: -1, Manual: true}, {Topic: "iran", Score: 2}, {Topic: "iraq", Score: 77}}
	if got := r.Retag(d); got.Changed() || !slices.Equal(got.Tags, d.Facts.Tags) {
		t.Errorf("Retag of what is up to date = %+v", got)
	}
	if again := topic.Changed(now.Digests(), now.Digests()); len(again) != 0 {
		t.Errorf("nothing changed, but Changed = %v", again)
	}
}

// A backtest counts what a draft would gain and lose and keeps a sample with the
// reason, the same for the same seed.
func TestBacktest(t *testing.T) {
	was := compile(t, topic.Rule{ID: "iran", Match: "Iran OR Persian"})
	draft := compile(t, topic.Rule{ID: "iran", Match: "Iran OR Tehran"})
	run := func() *topic.Backtest {
		b := topic.NewBacktest("iran", was, draft, 5, 42)
		for i := range 100 {
			text := []string{"Iran", "a Persian cat", "from Tehran", "nothing"}[i%4]
			b.Add(query.NewTextDoc("", text, "en"))
		}
		return b
	}
	b := run()
	if b.Items != 100 || b.Kept != 25 || b.Lost != 25 || b.Gained != 25 || len(b.GainedSample) != 5 || len(b.LostSample) != 5 {
		t.Errorf("backtest: %+v", b)
	}
	if why := b.GainedSample[0].Why; len(why.Evidence) != 1 || why.Evidence[0].Text != "Tehran" {
		t.Errorf("a gained item is explained by %+v", why)
	}
}

// A text of megabytes costs linear time, and a bounded number of hits.
func TestHostileTexts(t *testing.T) {
	s := compile(t, append(defaults(t), topic.Rule{ID: "x", Match: `"a a a" OR aa* OR a NEAR/9 b`})...)
	for _, text := range []string{strings.Repeat("a", 10<<20), strings.Repeat("a ", 1<<20), strings.Repeat("\xff", 10<<20), strings.Repeat("Iran, ", 1<<19), strings.Repeat("\u202eایران", 1<<18)} {
		start := feedtest.CPU(t)
		s.Tag(query.NewTextDoc("", text, ""))
		if took := feedtest.CPU(t) - start; took > 20*time.Second { // a tenth of a second without the race detector
			t.Errorf("%.10q…: %v", text, took)
		}
	}
}

// One set serves many goroutines at once.
func TestSetIsSafeForConcurrentUse(t *testing.T) {
	s := compile(t, defaults(t)...)
	texts := []string{"Iranians in Tehran", "العراق وبغداد", "Die iranischen Minister", "В Иране", "nothing at all", "Camp Ashraf"}
	want := make([][]feed.Tag, len(texts))
	for i, text := range texts {
		want[i] = compile(t, defaults(t)...).Tag(query.NewTextDoc("", text, ""))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 200 {
				i := n % len(texts)
				if got := s.Tag(query.NewTextDoc("", texts[i], "")); !slices.Equal(got, want[i]) {
					t.Errorf("%q: %v, want %v", texts[i], got, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}
