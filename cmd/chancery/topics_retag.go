package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

func (p *program) topicsRetagCommand() *cobra.Command {
	var o struct{ dry, all bool }
	c := &cobra.Command{
		Use:   "retag",
		Short: "Apply changed rules to the whole archive",
		Long: `Tags every item again by the topics that changed since the archive was last
tagged, and records what becomes other; feeds follow. What a person decided
stays. A daemon goes on polling and serving meanwhile. Ended early, it has done
a part; doing it again does the rest.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := changes
			if o.dry {
				a = reads
			}
			return p.archive(a, func(ctx context.Context, e *Env, _ []string) error { return e.retag(ctx, o.dry, o.all) })(cmd, args)
		},
	}
	c.Flags().BoolVar(&o.dry, "dry-run", false, "only say what would change")
	c.Flags().BoolVar(&o.all, "all", false, "by all topics, changed or not")
	return c
}

// retagBatch is how many changed items are one commit: small enough that a poll
// never waits long for its turn to write.
const retagBatch = 500

// gainLoss counts what a retag does to a topic.
type gainLoss struct{ gained, lost, rescored int }

// retagging is one retag of the archive.
type retagging struct {
	e        *Env
	set      *topic.Set
	retagger *topic.Retagger
	dry      bool
	ids      map[feed.TopicID]bool
	titles   map[feed.SourceID]string
	given    map[feed.SourceID][]feed.TopicID // by the operator, to every item of a source
	counts   map[feed.TopicID]*gainLoss
	pending  []store.Edit
	revision map[feed.ItemID]int // of the items pending
	changed  int64
}

func (e *Env) retag(ctx context.Context, dry, all bool) error {
	if e.Daemon != nil && !dry {
		if !e.Daemon.retagging.TryLock() {
			return failWith(exitBusy, errors.New("another retag is at work in the daemon"))
		}
		defer e.Daemon.retagging.Unlock()
	}
	set, err := e.topicSet()
	if err != nil {
		return err
	}
	if e.Daemon == nil && !dry { // the daemon did so when it started
		if err := e.takeRules(ctx, set); err != nil {
			return err
		}
	}
	ids, err := e.stale(ctx, set)
	if err != nil {
		return err
	}
	if all {
		for _, r := range set.Rules() {
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	st, err := e.Archive.Stats(ctx)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return e.printf("all %d items are tagged by the rules in force\n", st.Items)
	}
	r, err := e.newRetagging(ctx, set, ids, dry)
	if err != nil {
		return err
	}
	seen, err := r.run(ctx, st.Items)
	if err != nil {
		return err
	}
	if !dry {
		if err := r.record(ctx); err != nil {
			return err
		}
	}
	rows := [][]string{{"TOPIC", "GAINED", "LOST", "RESCORED"}}
	for _, id := range slices.Sorted(maps.Keys(r.counts)) {
		c := r.counts[id]
		rows = append(rows, []string{string(id), itoa(c.gained), itoa(c.lost), itoa(c.rescored)})
	}
	if err := e.table(rows); err != nil {
		return err
	}
	verb := "changed"
	if dry {
		verb = "would change"
	}
	return e.printf("%d of %d items %s\n", r.changed, seen, verb)
}

func (e *Env) newRetagging(ctx context.Context, set *topic.Set, ids []feed.TopicID, dry bool) (*retagging, error) {
	r := &retagging{
		e: e, set: set, dry: dry, ids: map[feed.TopicID]bool{}, titles: map[feed.SourceID]string{},
		given: map[feed.SourceID][]feed.TopicID{}, counts: map[feed.TopicID]*gainLoss{}, revision: map[feed.ItemID]int{},
	}
	for _, id := range ids {
		r.ids[id], r.counts[id] = true, &gainLoss{}
	}
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		r.titles[s.ID], r.given[s.ID] = s.Title, s.Topics // as when an item comes in
	}
	r.retagger, err = set.Retagger(ids)
	return r, err
}

// run tags all items and returns how many there were.
func (r *retagging) run(ctx context.Context, total int64) (seen int64, err error) {
	progress := r.e.progress("tagged", "items")
	defer progress.end()
	q := store.HeadQuery{ByArrival: true, Ascending: true, Limit: 1000}
	for {
		heads, err := r.e.Archive.Heads(ctx, q)
		if err != nil {
			return seen, err
		}
		for page := range slices.Chunk(heads, scanPage) {
			ids := make([]feed.ItemID, len(page))
			for i := range page {
				ids[i] = page[i].ID
			}
			if err := r.items(ctx, ids); err != nil {
				return seen, err
			}
			seen += int64(len(page))
			progress.show(seen, total)
			if ctx.Err() != nil {
				return seen, context.Cause(ctx)
			}
		}
		if len(heads) < q.Limit {
			return seen, r.flush(ctx)
		}
		q.After = &heads[len(heads)-1]
	}
}

// items tags some items and keeps what changes for the next commit.
func (r *retagging) items(ctx context.Context, ids []feed.ItemID) error {
	items, err := r.e.Archive.Items(ctx, ids, store.WithContent)
	if err != nil {
		return err
	}
	for i := range items {
		it := &items[i]
		if it.TakenDown {
			continue // there is nothing left to read
		}
		now := r.tags(it)
		if slices.Equal(now, it.Topics) {
			continue
		}
		r.pending = append(r.pending, store.Edit{
			Kind: store.KindTopics, Items: []feed.ItemID{it.ID}, Topics: now, Digest: r.set.Digest(), Reason: "rules changed", By: "rule",
		})
		r.revision[it.ID] = it.Revision
		r.changed++
		r.count(it.Topics, now)
	}
	if len(r.pending) >= retagBatch {
		return r.flush(ctx)
	}
	return nil
}

// flush commits what is pending. Items of which another revision came in while
// they were being read got their tags with it, by the rules in force.
func (r *retagging) flush(ctx context.Context) error {
	defer func() { r.pending = r.pending[:0]; clear(r.revision) }()
	if r.dry || len(r.pending) == 0 {
		return nil
	}
	for part := range slices.Chunk(r.pending, 1000) {
		ids := make([]feed.ItemID, len(part))
		for i := range part {
			ids[i] = part[i].Items[0]
		}
		now, err := r.e.Archive.Items(ctx, ids, 0)
		if err != nil {
			return err
		}
		same := map[feed.ItemID]bool{}
		for i := range now {
			same[now[i].ID] = now[i].Revision == r.revision[now[i].ID] && !now[i].TakenDown
		}
		edits := slices.DeleteFunc(slices.Clone(part), func(e store.Edit) bool { return !same[e.Items[0]] })
		if len(edits) == 0 {
			continue
		}
		if err := r.e.Archive.Change(ctx, edits); err != nil {
			return err
		}
	}
	return nil
}

// tags is an item's tags by today's rules: what a person decided, what the rules
// find, what the operator gave its source.
func (r *retagging) tags(it *feed.Item) []feed.Tag {
	tags := r.retagger.Retag(query.NewDoc(it, r.titles[it.Source])).Tags
	for _, id := range r.given[it.Source] {
		if r.ids[id] && !slices.ContainsFunc(tags, func(t feed.Tag) bool { return t.Topic == id }) {
			tags = append(tags, feed.Tag{Topic: id, Score: 1})
		}
	}
	sortTags(tags)
	return tags
}

// record notes that the archive is tagged by these rules now.
func (r *retagging) record(ctx context.Context) error {
	force, err := r.e.Archive.LedgerGet(ctx, configSpace, rulesetKey)
	if err != nil {
		return err
	}
	if string(force) != r.set.Digest().String() {
		return errors.New("the rules were changed while the archive was being tagged by the old ones; run it again")
	}
	t, _, err := r.e.tagging(ctx)
	if err != nil {
		return err
	}
	digests := digestsOf(r.set)
	for id := range r.ids {
		delete(t.Topics, id)
		if d, ok := digests[id]; ok {
			t.Topics[id] = d
		}
	}
	t.Given = maps.Clone(r.given)
	maps.DeleteFunc(t.Given, func(_ feed.SourceID, topics []feed.TopicID) bool { return len(topics) == 0 })
	r.e.Log.InfoContext(ctx, "archive tagged again", "changed", r.changed, "topics", joinIDs(slices.Sorted(maps.Keys(r.ids))))
	return r.e.writeTagging(ctx, t)
}

func (r *retagging) count(was, now []feed.Tag) {
	of := func(id feed.TopicID) *gainLoss {
		if r.counts[id] == nil {
			r.counts[id] = &gainLoss{}
		}
		return r.counts[id]
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
