package topic

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"chancery/feed"
	"chancery/feed/query"
)

// Digests identifies each topic's rule together with those it asks for: what an
// archive records beside its tags to know later which of them are out of date.
func (s *Set) Digests() map[feed.TopicID]feed.Digest {
	m := make(map[feed.TopicID]feed.Digest, len(s.rules))
	for _, r := range s.order { // those it asks for have theirs already
		b := r.appendTo(fmt.Appendf(nil, "topic %d\n", Version))
		for _, id := range r.query.Topics() {
			b = fmt.Appendf(b, "%s\n", m[id])
		}
		m[r.ID] = feed.DigestOf(b)
	}
	return m
}

// Changed lists the topics that are not ruled in now as they were in was: new,
// changed or gone ones, and those that ask for such. Sorted. Nothing else needs
// to be tagged again.
func Changed(was, now map[feed.TopicID]feed.Digest) []feed.TopicID {
	var list []feed.TopicID
	for id, d := range now {
		if was[id] != d {
			list = append(list, id)
		}
	}
	for id := range was {
		if _, ok := now[id]; !ok {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// Retagger tags items again after rules have changed.
type Retagger struct {
	set  *Set // the changed rules and those they ask for
	only map[feed.TopicID]bool
}

// Retagger makes one for the given topics, as [Changed] lists them. A topic that
// the set does not have loses its tags.
func (s *Set) Retagger(only []feed.TopicID) (*Retagger, error) {
	r := &Retagger{only: map[feed.TopicID]bool{}}
	for _, id := range only {
		r.only[id] = true
	}
	var err error
	r.set, err = s.Only(only)
	return r, err
}

// Only is the set of the given topics and those that they ask for: it tags these
// as s does, in less time. Topics that s does not have are passed over.
func (s *Set) Only(ids []feed.TopicID) (*Set, error) {
	byID := make(map[feed.TopicID]*rule, len(s.rules))
	for _, r := range s.rules {
		byID[r.ID] = r
	}
	need := map[feed.TopicID]bool{}
	var add func(id feed.TopicID)
	add = func(id feed.TopicID) {
		if r := byID[id]; r != nil && !need[id] {
			need[id] = true
			for _, other := range r.query.Topics() {
				add(other)
			}
		}
	}
	for _, id := range ids {
		add(id)
	}
	var rules []Rule
	for _, r := range s.rules {
		if need[r.ID] {
			rules = append(rules, r.Rule)
		}
	}
	return Compile(rules)
}

// Retagged is what a retag does to one item.
type Retagged struct {
	Tags         []feed.Tag     // all of the item's tags now, sorted by topic
	Gained, Lost []feed.TopicID // as mention
	Rescored     []feed.TopicID // score or subject changed
}

// Changed reports whether there is anything to record.
func (r Retagged) Changed() bool { return len(r.Gained)+len(r.Lost)+len(r.Rescored) > 0 }

// Retag tags d again, from the tags it carries: manual ones and those of other
// topics stay as they are.
func (r *Retagger) Retag(d *query.Doc) Retagged {
	var out Retagged
	was, now := map[feed.TopicID]feed.Tag{}, map[feed.TopicID]feed.Tag{}
	for _, t := range d.Facts.Tags {
		was[t.Topic] = t
		if t.Manual || !r.only[t.Topic] {
			now[t.Topic] = t
		}
	}
	for _, t := range r.set.Tag(d) {
		if r.only[t.Topic] && !t.Manual {
			now[t.Topic] = t
		}
	}
	out.Tags = slices.SortedFunc(maps.Values(now), func(a, b feed.Tag) int { return cmp.Compare(a.Topic, b.Topic) })
	for _, t := range out.Tags {
		if old, ok := was[t.Topic]; !ok {
			out.Gained = append(out.Gained, t.Topic)
		} else if old != t {
			out.Rescored = append(out.Rescored, t.Topic)
		}
	}
	for _, t := range d.Facts.Tags {
		if _, ok := now[t.Topic]; !ok {
			out.Lost = append(out.Lost, t.Topic)
		}
	}
	return out
}

// Backtest compares a draft of a topic's rule with the one in force, over items,
// and keeps a random sample of what would change for a person to judge: about 25
// show whether a rule is good.
type Backtest struct {
	Topic                     feed.TopicID
	Items, Kept, Gained, Lost int
	// Rescored of the kept items become, or cease to be, about the topic.
	Rescored                 int
	GainedSample, LostSample []Sampled

	was, draft *Set
	size       int
	rng        *rand.Rand
}

// Sampled is an item that a draft would tag, or no longer tag.
type Sampled struct {
	ID    feed.ItemID
	Title string
	Why   Explanation // by the draft for gained items, by the rule in force for lost ones
}

// NewBacktest prepares a comparison of one topic. was may lack the topic, and so
// may draft. size is how many items each sample keeps; the same seed and items
// give the same sample.
func NewBacktest(id feed.TopicID, was, draft *Set, size int, seed uint64) *Backtest {
	return &Backtest{Topic: id, was: was, draft: draft, size: size, rng: rand.New(rand.NewPCG(seed, 0))}
}

// Add compares what both rules say of d. Manual tags do not count: the question
// is what the rules do.
func (b *Backtest) Add(d *query.Doc) {
	manual := d.Facts.Tags
	d.Facts.Tags = nil
	defer func() { d.Facts.Tags = manual }()
	b.Items++
	was, wasAbout := has(b.was.Tag(d), b.Topic)
	now, nowAbout := has(b.draft.Tag(d), b.Topic)
	switch {
	case was && now:
		b.Kept++
		if wasAbout != nowAbout {
			b.Rescored++
		}
	case now:
		b.Gained++
		b.sample(&b.GainedSample, b.Gained, b.draft, d)
	case was:
		b.Lost++
		b.sample(&b.LostSample, b.Lost, b.was, d)
	}
}

func has(tags []feed.Tag, id feed.TopicID) (mention, about bool) {
	for _, t := range tags {
		if t.Topic == id {
			return t.Score >= 0, t.About
		}
	}
	return false, false
}

// sample keeps each of the n seen so far with the same chance (reservoir).
func (b *Backtest) sample(list *[]Sampled, n int, s *Set, d *query.Doc) {
	at := len(*list)
	if at >= b.size {
		if at = b.rng.IntN(n); at >= b.size {
			return
		}
	} else {
		*list = append(*list, Sampled{})
	}
	for _, e := range s.Explain(d) {
		if e.Topic == b.Topic {
			(*list)[at] = Sampled{d.Facts.ID, d.Field(query.Title), e}
		}
	}
}
