package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/store"
)

func (p *program) topicsCommand() *cobra.Command {
	return group("topics", "Topics: list, explain, test, retag, tag by hand",
		&cobra.Command{
			Use:   "list",
			Short: "List the topics and how many items each has",
			Args:  exactly(),
			RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
				return e.listTopics(ctx)
			}),
		},
		p.topicsExplainCommand(),
		p.topicsTestCommand(),
		p.topicsRetagCommand(),
		p.topicsBacktestCommand(),
		p.tagCommand("tag", "Say that an item is about a topic; no rule undoes it"),
		p.tagCommand("untag", "Say that an item is not about a topic; no rule undoes it"),
	)
}

func (e *Env) listTopics(ctx context.Context) error {
	rows := [][]string{{"ID", "ITEMS", "NAME", "FEED"}}
	for _, t := range e.Config.Topics {
		n, err := e.countTopic(ctx, t.ID)
		if err != nil {
			return err
		}
		rows = append(rows, []string{string(t.ID), fmt.Sprint(n), printable(t.Name), e.baseURL() + "/feeds/" + string(t.ID) + ".atom"})
	}
	return e.table(rows)
}

// countTopic counts the items of a topic, by pages of heads.
func (e *Env) countTopic(ctx context.Context, id feed.TopicID) (int, error) {
	n := 0
	q := store.HeadQuery{Topic: id, Limit: 1000}
	for {
		heads, err := e.Archive.Heads(ctx, q)
		if err != nil {
			return 0, err
		}
		n += len(heads)
		if len(heads) < q.Limit {
			return n, nil
		}
		q.After = &heads[len(heads)-1]
	}
}

func (p *program) tagCommand(verb, short string) *cobra.Command {
	var reason string
	var about bool
	c := &cobra.Command{
		Use:   verb + " ID TOPIC",
		Short: short,
		Long:  short + "." + namingItems,
		Args:  exactly("ID", "TOPIC"),
		RunE: p.archive(changes, func(ctx context.Context, e *Env, args []string) error {
			return e.tag(ctx, args[0], feed.TopicID(args[1]), verb == "tag", about, reason)
		}),
	}
	c.Flags().StringVar(&reason, "reason", "", "kept with the record")
	if verb == "tag" {
		c.Flags().BoolVar(&about, "about", false, "the topic is the item's subject")
	}
	return c
}

// knownTopic refuses what is no topic of the configuration.
func (e *Env) knownTopic(topic feed.TopicID) error {
	known := make([]string, len(e.Config.Topics))
	for i, t := range e.Config.Topics {
		known[i] = string(t.ID)
	}
	if slices.Contains(known, string(topic)) {
		return nil
	}
	text := fmt.Sprintf("no topic %q in the configuration", topic)
	if near := nearest(string(topic), known); near != "" {
		text += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return dataError("%s", text)
}

// tag records what a person decided on one topic of an item. Its other topics
// stay as they are.
func (e *Env) tag(ctx context.Context, name string, topic feed.TopicID, is, about bool, reason string) error {
	ids, err := e.itemIDs(ctx, []string{name}, false)
	if err != nil {
		return err
	}
	if err := e.knownTopic(topic); err != nil {
		return err
	}
	items, err := e.Archive.Items(ctx, ids, 0)
	if err != nil {
		return err
	}
	decided := feed.Tag{Topic: topic, Score: 1, About: about, Manual: true}
	if !is {
		decided.Score = -1
	}
	tags := make([]feed.Tag, 0, len(items[0].Topics)+1)
	for _, t := range items[0].Topics {
		if t.Topic != topic {
			tags = append(tags, t)
		} else if is && t.Score > 0 {
			decided.Score, decided.About = t.Score, t.About || about
		}
	}
	tags = append(tags, decided)
	sortTags(tags)
	edit := store.Edit{Kind: store.KindTopics, Items: ids, Topics: tags, Reason: reason, By: "command"}
	if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
		return err
	}
	return e.printf("%s: %s\n", name, cmp.Or(topicsText(tags), "no topic"))
}
