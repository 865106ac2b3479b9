package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

func (p *program) topicsRetagCommand() *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "retag",
		Short: "Apply the rules in force to the whole archive",
		Long: `Tags every item again by the rules of the configuration and records what
changes. What a person decided stays. Feeds follow.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			a := writes
			if dry {
				a = reads
			}
			return p.archive(a, func(ctx context.Context, e *Env, _ []string) error { return e.retag(ctx, dry) })(cmd, args)
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	return c
}

// retagBatch is how many changed items are one commit.
const retagBatch = 500

// gainLoss counts what a retag does to a topic.
type gainLoss struct{ gained, lost, rescored int }

func (e *Env) retag(ctx context.Context, dry bool) error {
	set, err := e.topicSet()
	if err != nil {
		return err
	}
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	titles := map[feed.SourceID]string{}
	given := map[feed.SourceID][]feed.TopicID{} // by the operator, to every item of a source
	for _, s := range sources {
		titles[s.ID], given[s.ID] = cmp.Or(s.Title, string(s.ID)), s.Topics
	}
	counts := map[feed.TopicID]*gainLoss{}
	for _, r := range set.Rules() {
		counts[r.ID] = &gainLoss{}
	}
	var edits []store.Edit
	flush := func() error {
		if dry || len(edits) == 0 {
			return nil
		}
		err := e.Archive.Change(ctx, edits)
		edits = edits[:0]
		return err
	}
	var seen, changed, total int64
	if st, err := e.Archive.Stats(ctx); err == nil {
		total = st.Items
	}
	progress := e.progress("tagged", "items")
	defer progress.end()
	err = e.scan(ctx, nil, store.HeadQuery{ByArrival: true, Ascending: true}, titles, func(h hit) (bool, error) {
		seen++
		progress.show(seen, total)
		now := retagged(set, &h.item, titles[h.item.Source], given[h.item.Source])
		if slices.Equal(now, h.item.Topics) {
			return true, nil
		}
		changed++
		count(counts, h.item.Topics, now)
		edits = append(edits, store.Edit{Kind: store.KindTopics, Items: []feed.ItemID{h.item.ID}, Topics: now, Digest: set.Digest(), Reason: "rules changed", By: "rule"})
		if len(edits) >= retagBatch {
			return true, flush()
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	progress.end()
	rows := [][]string{{"TOPIC", "GAINED", "LOST", "RESCORED"}}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		c := counts[id]
		rows = append(rows, []string{string(id), itoa(c.gained), itoa(c.lost), itoa(c.rescored)})
	}
	if err := e.table(rows); err != nil {
		return err
	}
	verb := "changed"
	if dry {
		verb = "would change"
	}
	return e.printf("%s\n", fmt.Sprintf("%d of %d items %s", changed, seen, verb))
}

// retagged is an item's tags by today's rules: what a person decided, what the
// rules find, what the operator gave its source.
func retagged(set *topic.Set, it *feed.Item, title string, given []feed.TopicID) []feed.Tag {
	tags := set.Tag(query.NewDoc(it, title))
	for _, id := range given {
		if !slices.ContainsFunc(tags, func(t feed.Tag) bool { return t.Topic == id }) {
			tags = append(tags, feed.Tag{Topic: id, Score: 1})
		}
	}
	sortTags(tags)
	return tags
}

func count(counts map[feed.TopicID]*gainLoss, was, now []feed.Tag) {
	of := func(id feed.TopicID) *gainLoss {
		if counts[id] == nil {
			counts[id] = &gainLoss{}
		}
		return counts[id]
	}
	old := map[feed.TopicID]feed.Tag{}
	for _, t := range was {
		old[t.Topic] = t
	}
	for _, t := range now {
		before, ok := old[t.Topic]
		switch {
		case !ok:
			of(t.Topic).gained++
		case before != t:
			of(t.Topic).rescored++
		}
		delete(old, t.Topic)
	}
	for id := range old {
		of(id).lost++
	}
}
