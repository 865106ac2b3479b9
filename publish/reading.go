package publish

import (
	"context"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/web"
	"chancery/store"
)

// Prover proves that a version of an item (0: the newest) is in the archive.
type Prover func(ctx context.Context, id feed.ItemID, revision int) (*store.SignedProof, error)

// EnableProofs lets readers have the proofs that prove gives. Call it before Run and
// before the handler is used.
func (p *Publisher) EnableProofs(prove Prover) { p.prove = prove }

// EnableManners lets /status tell what polling has cost publishers. Call it before the
// handler is used; count is called by many goroutines.
func (p *Publisher) EnableManners(count func() web.Manners) { p.manners = count }

// Manners implements web.Library.
func (p *Publisher) Manners() (web.Manners, bool) {
	if p.manners == nil {
		return web.Manners{}, false
	}
	return p.manners(), true
}

// Proof implements web.Library.
func (p *Publisher) Proof(ctx context.Context, id feed.ItemID, revision int) (*store.SignedProof, error) {
	if p.prove == nil {
		return nil, web.ErrNoProof
	}
	return p.prove(ctx, id, revision)
}

// Items implements web.Library.
func (p *Publisher) Items(ctx context.Context, ids []feed.ItemID, fields store.Fields) ([]feed.Item, error) {
	return p.archive.Items(ctx, ids, fields)
}

// Revisions implements web.Library.
func (p *Publisher) Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	return p.archive.Revisions(ctx, id)
}

// Heads implements web.Library.
func (p *Publisher) Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error) {
	return p.archive.Heads(ctx, q)
}

// Received implements web.Library.
func (p *Publisher) Received(ctx context.Context, id feed.ItemID, revision int) (store.Document, error) {
	return p.archive.Raw(ctx, id, revision)
}

// Rule implements web.Library.
func (p *Publisher) Rule(id feed.TopicID) *web.Rule { return p.state.rules[id] }

// rulesOf reads the rules of topics. One that cannot be read, or is not there, is
// left out: what it tagged is shown all the same.
func rulesOf(topics []Topic) map[feed.TopicID]*web.Rule {
	rules := map[feed.TopicID]*web.Rule{}
	for _, t := range topics {
		if t.Rule == "" {
			continue
		}
		if q, err := query.Parse(t.Rule); err == nil {
			rules[t.ID] = &web.Rule{Text: t.Rule, Query: q, Threshold: t.Threshold, About: t.About}
		}
	}
	return rules
}
