package main

import (
	"errors"
	"fmt"
	"strings"

	"chancery/aggregator/topic"
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
	for _, err := range leaves(err) {
		at, text := "topic", err.Error()
		for i, t := range c.Topics {
			if rest, ok := strings.CutPrefix(text, fmt.Sprintf("topic %q: ", t.ID)); ok {
				key, why, _ := strings.Cut(rest, ": ")
				at, text = fmt.Sprintf("topic[%d].%s", i, key), why
				break
			}
		}
		if strings.HasSuffix(at, ".id") {
			continue // checkTopics told it better
		}
		if se, ok := errors.AsType[*query.SyntaxError](err); ok {
			text = "in the query, " + se.Error()
		}
		fault(at, text)
	}
	// The examples of rules that stand alone and are sound are worth a look all the same.
	for i, t := range c.Topics {
		if one, err := topic.Compile(c.Topics[i : i+1]); err == nil {
			c.checkTopicExamples(one, i, t, fault)
		}
	}
}

// checkExamples holds the rules to the examples in the configuration.
func (c *Config) checkExamples(set *topic.Set, fault func(path, text string)) {
	for i, t := range c.Topics {
		c.checkTopicExamples(set, i, t, fault)
	}
}

func (c *Config) checkTopicExamples(set *topic.Set, i int, t topic.Rule, fault func(path, text string)) {
	for j, ex := range t.Examples {
		var has, about bool
		for _, tag := range set.Tag(query.NewTextDoc(ex.Title, ex.Text, ex.Lang)) {
			if tag.Topic == t.ID {
				has, about = true, tag.About
			}
		}
		at := fmt.Sprintf("topic[%d].example[%d]", i, j)
		switch {
		case has && !ex.Expect:
			fault(at, "the text gets the topic, though expect is false")
		case !has && ex.Expect:
			fault(at, "the text does not get the topic, though expect is true")
		case ex.About != nil && about != *ex.About:
			fault(at, fmt.Sprintf("about is %v, expected %v", about, *ex.About))
		}
	}
}
