package topic_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/feedtest"
)

// defaults are the rules of topics.toml. The file is read by hand, as only the
// program itself may depend on TOML: tables, basic and literal strings, numbers
// and booleans, as that file uses them.
func defaults(t testing.TB) []topic.Rule {
	t.Helper()
	b, err := os.ReadFile("topics.toml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := readRules(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func readRules(s string) ([]topic.Rule, error) {
	var rules []topic.Rule
	var rule *topic.Rule
	var example *topic.Example
	for s != "" {
		var line string
		line, s, _ = strings.Cut(s, "\n")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case line == "[[topic]]":
			rules = append(rules, topic.Rule{})
			rule, example = &rules[len(rules)-1], nil
			continue
		case line == "[[topic.example]]":
			rule.Examples = append(rule.Examples, topic.Example{})
			example = &rule.Examples[len(rule.Examples)-1]
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return nil, fmt.Errorf("no key in %q", line)
		}
		text := ""
		switch {
		case value == "'''":
			text, s, ok = strings.Cut(s, "'''")
			if !ok {
				return nil, fmt.Errorf("%s: no end", key)
			}
		case strings.HasPrefix(value, `"`):
			var err error
			if text, err = strconv.Unquote(value[:strings.LastIndexByte(value, '"')+1]); err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
		}
		number := func(to *float64) error {
			v, _, _ := strings.Cut(value, "#")
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			*to = f
			return err
		}
		yes := value == "true"
		var err error
		if example != nil {
			switch key {
			case "title":
				example.Title = text
			case "text":
				example.Text = text
			case "lang":
				example.Lang = text
			case "expect":
				example.Expect = yes
			case "about":
				example.About = &yes
			default:
				err = fmt.Errorf("unknown key %s", key)
			}
		} else {
			switch key {
			case "id":
				rule.ID = feed.TopicID(text)
			case "name":
				rule.Name = text
			case "match":
				rule.Match = text
			case "threshold":
				err = number(&rule.Threshold)
			case "about_threshold":
				err = number(&rule.AboutThreshold)
			default:
				err = fmt.Errorf("unknown key %s", key)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return rules, nil
}

// The default topics compile and keep their promises.
func TestDefaultTopics(t *testing.T) {
	s := compile(t, defaults(t)...)
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func measure(t *testing.T, s *topic.Set, path string) topic.Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := topic.NewMeasure(s)
	if err := topic.ReadLabeled(f, m.Add); err != nil {
		t.Fatal(err)
	}
	r := m.Report()
	for id, f := range r.Topics {
		t.Logf("%-5s mention: P %.3f R %.3f F1 %.3f (%d/%d/%d)   about: P %.3f R %.3f F1 %.3f (%d/%d/%d)", id, f.Precision, f.Recall, f.F1, f.TP, f.FP, f.FN,
			f.About.Precision, f.About.Recall, f.About.F1, f.About.TP, f.About.FP, f.About.FN)
	}
	for _, x := range r.Misses {
		t.Logf("line %d, %s: grade %d, got %d with %.2f: %s", x.Line, x.Topic, x.Grade, x.Got, x.Score, x.Title)
	}
	return r
}

// The goal on the 64 texts for development: F1 of 0.95 for each topic.
func TestDevelopmentTexts(t *testing.T) {
	path := feedtest.Reference(t, "corpus/topics-dev.jsonl")
	r := measure(t, compile(t, defaults(t)...), path)
	for id, f := range r.Topics {
		if f.F1 < 0.95 {
			t.Errorf("%s: F1 = %.3f, want 0.95", id, f.F1)
		}
	}
}

// Texts of our own in sixteen languages, with homonyms, biographies, lists and
// bystanders. The last 85 lines were written against the rules, to be hard: at
// first sight F1 was 0.89, 0.89 and 1.00 on them.
func TestLabeledTexts(t *testing.T) { holds(t, "testdata/labeled.jsonl") }

// Plain texts in the manner of news, which no rule has been changed after.
func TestUnseenTexts(t *testing.T) { holds(t, "testdata/unseen.jsonl") }

func holds(t *testing.T, path string) {
	t.Helper()
	r := measure(t, compile(t, defaults(t)...), path)
	for id, f := range r.Topics {
		goal := 0.93
		if id == "mek" {
			goal = 0.95
		}
		if f.F1 < goal {
			t.Errorf("%s: F1 = %.3f, want %.2f", id, f.F1, goal)
		}
		if f.About.F1 < 0.85 {
			t.Errorf("%s: F1 of the subject = %.3f, want 0.85", id, f.About.F1)
		}
	}
}

// The topic that the manual writes in five minutes compiles and keeps its promise.
func TestManualTopic(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "query.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(b), "```toml\n")
	block, _, _ = strings.Cut(block, "```")
	rules, err := readRules(block)
	if err != nil || !ok || len(rules) != 1 || len(rules[0].Examples) != 1 {
		t.Fatalf("%+v, %v", rules, err)
	}
	if err := compile(t, rules...).Check(); err != nil {
		t.Error(err)
	}
}
