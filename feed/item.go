package feed

import "time"

// Item is a post as the archive keeps it: the entry of one revision, with its
// identity and its history.
type Item struct {
	ID     ItemID
	Source SourceID
	// Native is what identifies the item within its source, and Method how it was
	// found: "guid", "link", "content" (CONFORMANCE P-67).
	Native string
	Method string
	Entry
	FirstSeen time.Time // UTC: when the first revision was committed
	LastSeen  time.Time // UTC: when a document last carried it
	Revised   time.Time // UTC: when this revision was committed; FirstSeen for the first
	// Changed is when what the item says last changed, up to this revision: the Revised
	// of the newest one that is not Trivial. UTC.
	Changed time.Time
	// Trivial: this revision says what the one before said; readers need not be told.
	Trivial bool
	// Reparsed: a newer parser read this revision in a document that was kept; the
	// publisher changed nothing.
	Reparsed  bool
	Revision  int   // of this value, from 1
	Revisions int   // how many there are
	Topics    []Tag // sorted by topic
	// Story is the id of the first item of the story that this one tells too: its
	// own id when no other source carried it before.
	Story ItemID
	// Original is the item of the story that the others are copies of, where that is not
	// the first one: its source is of the site that its address is of. Else zero.
	Original ItemID
	// AlsoIn lists the other items of the story, oldest first, at most 200.
	AlsoIn    []Sighting
	Withdrawn bool   // by its publisher or a person; the content is kept
	TakenDown bool   // the content is gone for good
	Digest    Digest // of the revision's normalised fields
}

// IsCopy reports whether another item is the original of the story.
func (it *Item) IsCopy() bool {
	if it.Original.IsZero() {
		return !it.Story.IsZero() && it.Story != it.ID
	}
	return it.Original != it.ID
}

// futureTolerance: clocks of publishers are off by up to a day and its zones; a
// date further ahead is a mistake or an attempt to stay on top (CONFORMANCE P-65).
const futureTolerance = 24 * time.Hour

// Effective is the instant by which an item is ordered: its published date (else
// updated), unless that is missing or more than a day after it was first seen.
func (it *Item) Effective() time.Time {
	t := it.Published.Time
	if t.IsZero() {
		t = it.Updated.Time
	}
	if t.IsZero() || t.Year() < 1900 || (!it.FirstSeen.IsZero() && t.After(it.FirstSeen.Add(futureTolerance))) {
		return it.FirstSeen
	}
	return t.UTC()
}

// Tag says that an item is about a topic, and how much.
type Tag struct {
	Topic TopicID
	Score float64
	About bool // the topic is its subject, not only mentioned
	// Manual: a person decided; no rule changes it. A manual tag with a negative
	// score means that a person removed the topic.
	Manual bool
}

// Has reports whether the item carries topic, as a mention or as its subject.
func (it *Item) Has(topic TopicID) bool {
	for _, t := range it.Topics {
		if t.Topic == topic {
			return t.Score >= 0
		}
	}
	return false
}

// Sighting is the same story in another source.
type Sighting struct {
	ID        ItemID
	Source    SourceID
	URL       string
	FirstSeen time.Time
}
