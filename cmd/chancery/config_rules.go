package main

import (
	"errors"
	"fmt"
	"strings"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

// checkRules compiles the topics' rules, places their faults, and holds the
// sound ones to their examples.
func (c *Config) checkRules(fault func(path, text string)) {
	set, err := topic.Compile(c.Topics)
	if err == nil {
		c.checkExamples(set, fault)
		return
	}
	rules := append([]topic.Rule(nil), c.Topics...)
	bad := map[int]bool{}
	// A circle of topics is only seen among rules that are sound by themselves: those
	// with faults are made harmless, and the rest is looked at again.
	for range len(rules) + 1 {
		found := false
		for _, err := range leaves(err) {
			i, key, text := c.ruleFault(err)
			if i < 0 {
				fault("topic", text)
				continue
			}
			at := fmt.Sprintf("topic[%d].%s", i, key)
			missing := key == "match" && strings.TrimSpace(c.Topics[i].Match) == ""
			if key != "id" && !missing { // checkTopics told these better
				if se, ok := errors.AsType[*query.SyntaxError](err); ok {
					at, text = c.queryFault(at, se)
				}
				fault(at, text)
			}
			bad[i], found = true, true
			rules[i] = topic.Rule{ID: feed.TopicID(fmt.Sprintf("stand-in-%d", i)), Match: "stand-in"}
			if key != "id" && feed.ValidID(string(c.Topics[i].ID)) && c.firstTopic(c.Topics[i].ID) == i {
				rules[i].ID = c.Topics[i].ID
			}
		}
		if _, err = topic.Compile(rules); err == nil || !found {
			break
		}
	}
	// The examples of rules that stand alone and are sound are worth a look all the same.
	for i, t := range c.Topics {
		if bad[i] {
			continue
		}
		if one, err := topic.Compile(c.Topics[i : i+1]); err == nil {
			c.checkTopicExamples(one, i, t, fault)
		}
	}
}

// ruleFault takes an error of topic.Compile apart; i is -1 if it names no topic.
func (c *Config) ruleFault(err error) (i int, key, text string) {
	text = err.Error()
	for i, t := range c.Topics {
		if rest, ok := strings.CutPrefix(text, fmt.Sprintf("topic %q: ", t.ID)); ok {
			key, why, _ := strings.Cut(rest, ": ")
			return i, key, why
		}
	}
	return -1, "", text
}

func (c *Config) firstTopic(id feed.TopicID) int {
	for i, t := range c.Topics {
		if t.ID == id {
			return i
		}
	}
	return -1
}

// queryFault places a fault inside a query of the file: the path that it gives is
// known to places. Where the place cannot be told it is in the text.
func (c *Config) queryFault(path string, err *query.SyntaxError) (at, text string) {
	p, ok := inText(c.doc, path, err.Offset)
	if !ok {
		return path, "in the query, " + err.Error()
	}
	at = fmt.Sprintf("%s[%d]", path, err.Offset)
	c.places[at] = p
	return at, fmt.Sprintf("found %s, expected %s", err.Found, err.Want)
}

// checkExamples holds the rules to the examples in the configuration.
func (c *Config) checkExamples(set *topic.Set, fault func(path, text string)) {
	for i, t := range c.Topics {
		c.checkTopicExamples(set, i, t, fault)
	}
}

func (c *Config) checkTopicExamples(set *topic.Set, i int, t topic.Rule, fault func(path, text string)) {
	for j, ex := range t.Examples {
		at := fmt.Sprintf("topic[%d].example[%d]", i, j)
		if _, ok := c.places[at]; ok {
			if _, ok := c.places[at+".expect"]; !ok {
				fault(at, "expect is missing: whether the text gets the topic, true or false")
				continue
			}
		}
		doc := query.NewTextDoc(ex.Title, ex.Text, ex.Lang)
		var has, about bool
		for _, tag := range set.Tag(doc) {
			if tag.Topic == t.ID {
				has, about = true, tag.About
			}
		}
		got := topic.Explanation{Topic: t.ID}
		for _, x := range set.Explain(doc) {
			if x.Topic == t.ID {
				got = x
			}
		}
		fails := func(what string) {
			begin := ex.Title
			if begin == "" {
				begin = ex.Text
			}
			fault(at, fmt.Sprintf("%q %s (score %.2f)", oneLine(begin, 40), what, got.Score))
		}
		switch {
		case has && !ex.Expect:
			fails(fmt.Sprintf("gets the topic %s, though expect is false", t.ID))
		case !has && ex.Expect:
			fails(fmt.Sprintf("does not get the topic %s, though expect is true", t.ID))
		case ex.About != nil && about != *ex.About:
			fails(fmt.Sprintf("has the topic %s with about %v, expected %v", t.ID, about, *ex.About))
		}
	}
}
