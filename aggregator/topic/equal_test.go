package topic_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

// writer makes small random queries and texts out of few words, so that they meet.
type writer struct{ rng *rand.Rand }

var vocabulary = []string{"iran", "Iran", "Iranian", "Iranians", "Iraq", "camp", "camps", "Ashraf", "MEK", "mek", "Mojāhedin", "mojahedin", "khalq", "of", "the", "deport", "deported", "ایران", "ايران", "العراق", "بالعراق", "伊", "朗", "イ", "ラ", "ン"}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func (w writer) term() string {
	word := func() string { return pick(w.rng, vocabulary) }
	s := ""
	switch w.rng.IntN(8) {
	case 0:
		s = `"` + word() + " " + word() + `"`
	case 1:
		s = `"` + word() + " " + word() + " " + word() + `"`
	case 2:
		s = "=" + word()
	case 3:
		s = pick(w.rng, []string{"ir*", "camp*", "moj*", `"the ir*"`, `"mo* khalq"`, "ال*"})
	case 4:
		s = `="` + word() + " " + word() + `"`
	default:
		s = word()
	}
	if w.rng.IntN(8) == 0 {
		s = pick(w.rng, []string{"title:", "category:", "author:", "url:", "source:"}) + s
	}
	if w.rng.IntN(5) == 0 {
		s += pick(w.rng, []string{"^2", "^-1", "^0", "^0.5"})
	}
	return s
}

func (w writer) query(depth int) string {
	if depth == 0 {
		return w.term()
	}
	sub := func() string { return "(" + w.query(depth-1) + ")" }
	switch w.rng.IntN(7) {
	case 0:
		return sub() + " " + sub()
	case 1, 2:
		return sub() + " OR " + sub() + " OR " + w.term()
	case 3:
		return w.term() + " -" + sub()
	case 4:
		return fmt.Sprintf("%s NEAR/%d (%s OR %s)", w.term(), 1+w.rng.IntN(6), w.term(), w.term())
	case 5:
		return sub() + pick(w.rng, []string{"^3", "^-1", "^0"}) + " " + w.term()
	}
	return w.term() + " lang:" + pick(w.rng, []string{"en", "ar", "xx"})
}

func (w writer) text(n int) string {
	var b strings.Builder
	for range w.rng.IntN(n) {
		b.WriteString(pick(w.rng, vocabulary))
		b.WriteString(pick(w.rng, []string{" ", " ", " ", "-", ", ", "\n", "'", ""}))
	}
	return b.String()
}

func (w writer) doc() *query.Doc {
	it := &feed.Item{Source: "lobelog", Entry: feed.Entry{
		Title: feed.Text{Value: w.text(6)}, Content: feed.Text{Value: w.text(60)}, URL: "https://x.example/" + w.text(3),
		Language: pick(w.rng, []string{"en", "ar", "xx", "fa"}),
		Authors:  []feed.Person{{Name: w.text(3)}}, Categories: []feed.Category{{Term: w.text(3)}, {Term: w.text(3)}},
	}}
	return query.NewDoc(it, w.text(3))
}

// A rule means in a set of rules what its query means by itself: the same tags
// with the same scores and the same evidence.
func TestSetsMatchAsQueriesDo(t *testing.T) {
	for seed := range uint64(150) {
		checkEqual(t, seed)
	}
}

func checkEqual(t *testing.T, seed uint64) {
	w := writer{rand.New(rand.NewPCG(seed, 1))}
	var rules []topic.Rule
	for len(rules) < 12 {
		r := topic.Rule{ID: feed.TopicID(fmt.Sprint("t", len(rules))), Match: w.query(1 + w.rng.IntN(2)), Threshold: 0.01, AboutThreshold: 3}
		if _, err := topic.Compile([]topic.Rule{r}); err == nil { // not all random queries make rules
			rules = append(rules, r)
		}
	}
	s := compile(t, rules...)
	for range 12 {
		d := w.doc()
		var want []feed.Tag
		for _, r := range rules {
			m, ok := s.Query(r.ID).Match(d, time.Time{})
			if ok && m.Score >= r.Threshold {
				want = append(want, feed.Tag{Topic: r.ID, Score: float64(int64(m.Score*100+0.5)) / 100, About: m.Score >= 3})
			}
		}
		got := map[feed.TopicID]feed.Tag{}
		for _, tag := range s.Tag(d) {
			got[tag.Topic] = tag
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: tags %v, want %v", seed, got, want)
		}
		for _, tag := range want {
			if got[tag.Topic] != tag {
				t.Fatalf("seed %d: %s: tag %v, want %v\n%s\ntitle %q\ntext %q\nlang %s", seed, tag.Topic, got[tag.Topic], tag, s.Query(tag.Topic), d.Field(query.Title), d.Field(query.Text), d.Lang)
			}
		}
		for _, e := range s.Explain(d) {
			m, ok := s.Query(e.Topic).Match(d, time.Time{})
			if !ok {
				continue
			}
			var a, b []string
			for _, r := range e.Evidence {
				a = append(a, fmt.Sprintln(r.Term, r.Field, r.Start, r.End, r.Weight, r.Points))
			}
			for _, v := range m.Evidence {
				b = append(b, fmt.Sprintln(v.Term, v.Field, v.Start, v.End, v.Weight, v.Points))
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d: evidence %v, want %v", seed, a, b)
			}
		}
	}
}

// The same for whatever the fuzzer finds, and for any text at all: places are
// within the text, in order, and hold the words they claim.
func FuzzMatch(f *testing.F) {
	f.Add(`"a b" OR =C NEAR/3 d*`, "a b c d", "fr")
	f.Add(`ایران^2 -"x y"`, "ايران \xff x", "fa")
	f.Add(`"a" (b OR ab*^3) ^-2`, "a b ab abc a-b", "en")
	f.Fuzz(func(t *testing.T, match, body, lang string) {
		q, err := query.Parse(match)
		if err != nil || len(match) > 1000 || len(body) > 10_000 {
			return
		}
		d := query.NewTextDoc("", body, lang)
		m, ok := q.Match(d, time.Time{})
		for _, e := range m.Evidence {
			text := d.Field(e.Field)
			if e.Start < 0 || e.End > len(text) || e.Start >= e.End || e.Word < 0 || e.Word+e.Words > d.Len(e.Field) {
				t.Fatalf("%q in %q: evidence %+v", match, body, e)
			}
			before, hit, after := d.Snippet(e.Place, 20)
			if !strings.Contains(text, before+hit+after) || hit != text[e.Start:e.End] {
				t.Fatalf("%q in %q: snippet %q %q %q", match, body, before, hit, after)
			}
		}
		set, err := topic.Compile([]topic.Rule{{ID: "t", Match: match}})
		if err != nil {
			return
		}
		if tagged := len(set.Tag(d)) > 0; tagged != (ok && m.Score >= topic.DefaultThreshold) {
			t.Fatalf("%q in %q: tagged %v, matches %v with %v", match, body, tagged, ok, m.Score)
		}
	})
}
