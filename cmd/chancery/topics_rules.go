package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/store"
)

// tagging is what the archive keeps of why its items have the topics they have,
// to know which of them are out of date. A topic is in it as soon as it is in
// force, and until a retag after it is gone.
type tagging struct {
	// Topics has the digest of the rule by which all items were tagged; empty: by
	// several, or nobody knows.
	Topics map[feed.TopicID]string `json:"topics"`
	// Given has the topics that the operator gave to all items of a source.
	Given map[feed.SourceID][]feed.TopicID `json:"given,omitempty"`
}

// The place of a tagging, and of the digest of all rules in force, in the ledger.
const (
	configSpace = "config"
	taggingKey  = "tagging"
	rulesetKey  = "ruleset"
)

// tagging reads what is recorded. An archive that is older than this record has
// nothing, nor has a restored one.
func (e *Env) tagging(ctx context.Context) (t tagging, known bool, err error) {
	b, err := e.Archive.LedgerGet(ctx, configSpace, taggingKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = nil
	case err == nil:
		known = true
		if err = json.Unmarshal(b, &t); err != nil {
			err = fmt.Errorf("archive: ledger %s/%s: %w: %w", configSpace, taggingKey, store.ErrCorrupt, err)
		}
	}
	if t.Topics == nil {
		t.Topics = map[feed.TopicID]string{}
	}
	if t.Given == nil {
		t.Given = map[feed.SourceID][]feed.TopicID{}
	}
	return t, known, err
}

func (e *Env) writeTagging(ctx context.Context, t tagging) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return e.Archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: configSpace, Key: taggingKey, Value: b}})
}

// changed lists the topics that are not what the tagging says, sorted.
func (t tagging) changed(set *topic.Set) []feed.TopicID {
	was := make(map[feed.TopicID]feed.Digest, len(t.Topics))
	for id, s := range t.Topics {
		was[id], _ = feed.ParseDigest(s) // empty is zero, which no rule has
	}
	return topic.Changed(was, set.Digests())
}

// regiven lists the topics that the operator now gives to sources otherwise than
// recorded, as far as the sources have items. given is what shall be recorded.
func (e *Env) regiven(ctx context.Context, t tagging) (given map[feed.SourceID][]feed.TopicID, topics []feed.TopicID, err error) {
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, nil, err
	}
	given = map[feed.SourceID][]feed.TopicID{}
	for _, s := range sources {
		if len(s.Topics) > 0 {
			given[s.ID] = s.Topics
		}
		if slices.Equal(s.Topics, t.Given[s.ID]) {
			continue
		}
		heads, err := e.Archive.Heads(ctx, store.HeadQuery{Source: s.ID, Limit: 1})
		if err != nil {
			return nil, nil, err
		}
		if len(heads) > 0 {
			topics = append(append(topics, s.Topics...), t.Given[s.ID]...)
		}
	}
	return given, topics, nil
}

// stale lists the topics by whose rules in force the archive is not tagged
// throughout, sorted: what a retag is for.
func (e *Env) stale(ctx context.Context, set *topic.Set) ([]feed.TopicID, error) {
	t, _, err := e.tagging(ctx)
	if err != nil {
		return nil, err
	}
	_, topics, err := e.regiven(ctx, t)
	if err != nil {
		return nil, err
	}
	topics = append(topics, t.changed(set)...)
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if st, err := e.Archive.Stats(ctx); err != nil || st.Items == 0 {
		return nil, err
	}
	return topics, nil
}

// takeRules records which rules are in force, and of which topics the archive has
// items tagged by others. From then on items come in by the new rules, so going
// back to the old ones does not make the archive right.
func (e *Env) takeRules(ctx context.Context, set *topic.Set) error {
	err := e.Archive.LedgerWrite(ctx, nil)
	if err == nil {
		err = e.recordRules(ctx, set)
	}
	if ledgerDamaged(err) {
		e.Log.WarnContext(ctx, "it cannot be recorded by which rules new posts are tagged", "error", err)
		return nil
	}
	return err
}

func (e *Env) recordRules(ctx context.Context, set *topic.Set) error {
	digest := set.Digest().String()
	was, err := e.Archive.LedgerGet(ctx, configSpace, rulesetKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if string(was) != digest {
		rules, err := json.Marshal(set.Rules())
		if err != nil {
			return err
		}
		edit := store.Edit{Kind: store.KindRuleset, Rules: rules, Digest: set.Digest(), By: "config"}
		if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
			return err
		}
		if err := e.Archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: configSpace, Key: rulesetKey, Value: []byte(digest)}}); err != nil {
			return err
		}
	}
	t, known, err := e.tagging(ctx)
	if err != nil {
		return err
	}
	given, regiven, err := e.regiven(ctx, t)
	if err != nil {
		return err
	}
	st, err := e.Archive.Stats(ctx)
	if err != nil {
		return err
	}
	now := tagging{Topics: maps.Clone(t.Topics), Given: given}
	if st.Items == 0 {
		now.Topics = digestsOf(set)
	} else {
		for _, id := range append(t.changed(set), regiven...) {
			now.Topics[id] = ""
		}
	}
	if !known || !maps.Equal(now.Topics, t.Topics) || !maps.EqualFunc(now.Given, t.Given, slices.Equal) {
		err = e.writeTagging(ctx, now)
	}
	return err
}

func digestsOf(set *topic.Set) map[feed.TopicID]string {
	m := map[feed.TopicID]string{}
	for id, d := range set.Digests() {
		m[id] = d.String()
	}
	return m
}

// warnStale tells the log what a person may want to do about changed rules.
func (e *Env) warnStale(ctx context.Context, set *topic.Set) error {
	stale, err := e.stale(ctx, set)
	if ledgerDamaged(err) { // nobody knows, and it was said
		return nil
	}
	if err == nil && len(stale) > 0 {
		e.Log.WarnContext(ctx, "the archive is tagged by older rules", "topics", joinIDs(stale), "todo", retagAdvice)
	}
	return err
}

const retagAdvice = `"chancery topics retag --dry-run" says what would change, "chancery topics retag" does it`

func joinIDs(ids []feed.TopicID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, " ")
}
