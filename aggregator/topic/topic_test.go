package topic_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

func compile(t *testing.T, rules ...topic.Rule) *topic.Set {
	t.Helper()
	s, err := topic.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A text gets the topics whose rules match, with a score, sorted.
func TestTag(t *testing.T) {
	s := compile(t,
		topic.Rule{ID: "iraq", Match: `"Iraq" OR Iraqi OR "Baghdad"`},
		topic.Rule{ID: "iran", Match: `Iran OR "Tehran"`},
		topic.Rule{ID: "both", Match: `topic:iran AND topic:iraq`},
	)
	d := query.NewTextDoc("Iran in Iraq", "Talks in Baghdad and Tehran.", "en")
	want := []feed.Tag{{Topic: "both", Score: 10, About: true}, {Topic: "iran", Score: 5, About: true}, {Topic: "iraq", Score: 5, About: true}}
	if got := s.Tag(d); !slices.Equal(got, want) {
		t.Errorf("Tag = %v, want %v", got, want)
	}
	if got := s.Tag(query.NewTextDoc("Miran", "Tehranovich met Iraqueta in Iranduba.", "en")); len(got) != 0 {
		t.Errorf("parts of words gave %v", got)
	}
}

// A topic that a person set or removed stays so (PEERS part 5, number 64), also
// where another rule asks for it.
func TestManualTagsStay(t *testing.T) {
	s := compile(t, topic.Rule{ID: "iran", Match: `Iran`}, topic.Rule{ID: "x", Match: `topic:iran`}, topic.Rule{ID: "y", Match: `topic:set`}, topic.Rule{ID: "set", Match: `nothing`})
	d := query.NewTextDoc("Iran", "", "en")
	d.Facts.Tags = []feed.Tag{{Topic: "iran", Score: -1, Manual: true}, {Topic: "old", Score: 3}, {Topic: "set", Score: 1, Manual: true}}
	got := s.Tag(d)
	want := []feed.Tag{{Topic: "iran", Score: -1, Manual: true}, {Topic: "set", Score: 1, Manual: true}, {Topic: "y", Score: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("Tag = %v, want %v", got, want)
	}
	if len(d.Facts.Tags) != 3 {
		t.Errorf("Tag changed the document's tags to %v", d.Facts.Tags)
	}
}

// One wrong rule refuses the set, and every fault is named (PEERS part 5, 63).
func TestCompileNamesEveryFault(t *testing.T) {
	_, err := topic.Compile([]topic.Rule{
		{ID: "Bad Id", Match: `a`},
		{ID: "a", Match: `(iran`},
		{ID: "b", Match: `is:revised iran`},
		{ID: "c", Match: `NOT iran`},
		{ID: "d", Match: `topic:nobody`},
		{ID: "e", Match: `iran`, Threshold: 2, AboutThreshold: 1},
		{ID: "e", Match: `iran`},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`topic "Bad Id": id:`, `topic "a": match: line 1, column 6: found the end of the query, expected ")" for the "(" of line 1, column 1`,
		`topic "b": match: line 1, column 1: found is:`, `topic "c": match:`, `topic "d": match: there is no topic "nobody"`,
		`topic "e": about_threshold: 1 is below the threshold 2`, `topic "e": id: there is another`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if _, ok := errors.AsType[*query.SyntaxError](err); !ok {
		t.Error("the error wraps no *query.SyntaxError")
	}
	_, err = topic.Compile([]topic.Rule{{ID: "a", Match: "topic:b"}, {ID: "b", Match: "about:c"}, {ID: "c", Match: "topic:a"}})
	if err == nil || !strings.Contains(err.Error(), "a → b → c → a") {
		t.Errorf("a circle gave %v", err)
	}
}
